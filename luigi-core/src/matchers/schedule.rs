//! Schedules in local wall time.

use crate::policy::model::Schedule;
use crate::time::Timestamp;
use jiff::tz::TimeZone;

/// A schedule with its time zone at hand.
#[derive(Clone, Debug)]
pub(crate) struct LocalHours {
    zone: TimeZone,
}

impl LocalHours {
    /// The time zone is looked up in the compiled-in database; `None` if it is not there.
    pub(crate) fn new(schedule: &Schedule) -> Option<Self> {
        jiff::tz::TimeZoneDatabase::bundled().get(&schedule.time_zone).ok().map(|zone| Self { zone })
    }

    /// Whether the local wall clock at `at` reads an hour of the schedule; `None` for years that no calendar here reaches.
    pub(crate) fn contains(&self, schedule: &Schedule, at: Timestamp) -> Option<bool> {
        // The calendar library allocates its errors, so it is not asked about what it does not reach.
        if !(jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second()).contains(&at.unix_seconds()) {
            return None;
        }
        let local = self.zone.to_datetime(jiff::Timestamp::from_second(at.unix_seconds()).ok()?);
        let time = local.time();
        let second =
            u32::try_from(i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60 + i32::from(time.second()))
                .expect("a time of day is not negative");
        let began = if schedule.start < schedule.end {
            (schedule.start..schedule.end).contains(&second).then(|| local.date())
        } else if second >= schedule.start {
            Some(local.date())
        } else if second < schedule.end {
            if local.date() == jiff::civil::Date::MIN {
                return None;
            }
            Some(local.date().yesterday().ok()?)
        } else {
            None
        };
        Some(began.is_some_and(|day| {
            let weekday = day.weekday().to_monday_zero_offset();
            schedule.days.0 >> weekday & 1 == 1
                && (schedule.dates.is_empty() || schedule.dates.contains(&day))
                && !schedule.except_dates.contains(&day)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Weekdays;

    #[test]
    fn hours_days_midnight_and_daylight_saving() {
        let schedule = |days: u8, start: u32, end: u32| Schedule {
            name: "s".into(),
            time_zone: "Europe/Berlin".into(),
            days: Weekdays(days),
            start: start * 3600,
            end: end * 3600,
            dates: vec![],
            except_dates: vec!["2026-12-24".parse().unwrap()],
        };
        let work = schedule(0b001_1111, 8, 18);
        let night = schedule(0b000_0001, 22, 6); // Monday night
        let cases = [
            (&work, "2026-03-02T08:00:00+01:00", true),
            (&work, "2026-03-02T07:59:59+01:00", false),
            (&work, "2026-03-02T17:59:59+01:00", true),
            (&work, "2026-03-02T18:00:00+01:00", false),
            (&work, "2026-03-01T10:00:00+01:00", false), // Sunday
            (&work, "2026-03-02T07:30:00Z", true),
            (&work, "2026-07-01T06:30:00Z", true), // summer time: 08:30
            (&work, "2026-01-01T06:30:00Z", false),
            (&work, "2026-12-24T10:00:00+01:00", false),
            (&night, "2026-03-02T22:00:00+01:00", true),
            (&night, "2026-03-03T05:59:59+01:00", true), // Tuesday morning belongs to Monday
            (&night, "2026-03-03T06:00:00+01:00", false),
            (&night, "2026-03-02T05:00:00+01:00", false), // Monday morning belongs to Sunday
            (&night, "2026-03-03T23:00:00+01:00", false),
        ];
        for (schedule, at, expected) in cases {
            let at: jiff::Timestamp = at.parse().unwrap();
            let hours = LocalHours::new(schedule).unwrap();
            assert_eq!(hours.contains(schedule, at.into()), Some(expected), "{at} in {schedule:?}");
        }
        let hours = LocalHours::new(&work).unwrap();
        assert_eq!(hours.contains(&work, Timestamp::from_unix_seconds(i64::MAX)), None);
    }
}
