//! Points in time as decisions see them: whole seconds, always an argument, never read from a clock here.

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted; may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A timestamp from seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0
    }

    /// The second in which a date and time with an offset lies, or the first one of a date in UTC (RFC 3339, sections 5.6; `T` and `Z` in upper case, no leap
    /// seconds); `None` for anything else.
    ///
    /// # Allocation
    /// None, also for what is no time: that is why it is not left to a library.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, clock) = text.as_bytes().split_at_checked(10)?;
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
        let year = number(&[y1, y2, y3, y4])?;
        let (month, day) = (number(&[m1, m2])?, number(&[d1, d2])?);
        if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
            return None;
        }
        let midnight = days_since_1970(year, month, day) * 86_400;
        if clock.is_empty() {
            return Some(Self(midnight));
        }
        let (clock, rest) = clock.split_at_checked(9)?;
        let &[b'T', h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
        let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
        let rest = match rest.strip_prefix(b".") {
            None => rest,
            Some(fraction) => {
                let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
                // Whole seconds are what counts; more digits than nanoseconds are no time that anybody writes.
                if !(1..=9).contains(&digits) {
                    return None;
                }
                &fraction[digits..]
            }
        };
        let offset = match *rest {
            [b'Z'] => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                (hours * 3_600 + minutes * 60) * if sign == b'+' { 1 } else { -1 }
            }
            _ => return None,
        };
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(Self(midnight + hour * 3_600 + minute * 60 + second - offset))
    }

    /// This many seconds later, or earlier if negative; stops at the ends of the range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // The days before a year: 365 for each, and one for each leap year of the proleptic Gregorian calendar.
    let before =
        |year: i64| 365 * year + (year + 3).div_euclid(4) - (year + 99).div_euclid(100) + (year + 399).div_euclid(400);
    before(year) - before(1970) + (1..month).map(|month| days_of_month(year, month)).sum::<i64>() + day - 1
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        Self(at.as_second())
    }
}

/// RFC 3339, with an offset or `Z`.
impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(Self::from)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(at) => at.fmt(f),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339_and_nothing_else() {
        for text in [
            "2026-03-02T10:00:00Z",
            "2026-03-02T10:00:00+01:00",
            "2026-03-02T10:00:00-23:59",
            "2026-03-02T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5Z",
            "2000-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "0000-03-01T00:00:00Z",
            "1900-02-28T00:00:00Z",
            "9999-12-30T22:00:00Z",
        ] {
            let expected: jiff::Timestamp = text.parse().unwrap();
            let expected = i64::try_from(expected.as_nanosecond().div_euclid(1_000_000_000)).unwrap();
            assert_eq!(Timestamp::from_rfc3339(text), Some(Timestamp(expected)), "{text}");
        }
        assert_eq!(Timestamp::from_rfc3339("2026-03-02"), Timestamp::from_rfc3339("2026-03-02T00:00:00Z"));
        for text in [
            "",
            "2026",
            "2026-3-2",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-04-31",
            "20260302",
            "2026-03-02T10:00:00",
            "2026-03-02T10:00Z",
            "2026-03-02t10:00:00Z",
            "2026-03-02T10:00:00z",
            "2026-03-02 10:00:00Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02T10:60:00Z",
            "2026-03-02T23:59:60Z",
            "2026-03-02T10:00:00.Z",
            "2026-03-02T10:00:00,5Z",
            "2026-03-02T10:00:00.1234567890Z",
            "2026-03-02T10:00:00+1:00",
            "2026-03-02T10:00:00+0100",
            "2026-03-02T10:00:00+24:00",
            "2026-03-02T10:00:00Z ",
            " 2026-03-02",
            "2026-03-02Z",
            "-026-03-02",
            "2026-03-02T10:00:00+01:00[Europe/Berlin]",
            "２026-03-02",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }
}
