//! The fact line: how HAProxy tells Luigi about a request, in one string.
//!
//! HAProxy builds the line with one `set-var-fmt` from [`FactList::expression`]; [`parse`] takes it apart. It stands between the proxy's
//! configuration and [`Engine`](crate::Engine): nothing here looks inside a host, a target, a token or a header.
//!
//! ```text
//! luigi-facts/1 method source host authorization target upgrade header:x-team      version, and the facts carried
//! GET                                                          method
//! 203.0.113.9                                                  source address, empty if there is none
//! 1 18 1 690 12 0                                              Host headers, length; Authorization headers, length; target length; Upgrade headers
//! orders.example.com                                           the last Host header
//! /v1/orders/7                                                 the target exactly as received, absolute-form included
//! Bearer eyJ...                                                the last Authorization header
//! 2 4 5                                                        further facts: x-team headers, length of the last and of the one before it
//! blue                                                         the last x-team header
//! green                                                        the one before it
//! end                                                          the mark
//! ```
//!
//! The line follows the policy: what is carried beyond the base is what the policy's rules ask for, in the order of the names, and where
//! there is nothing beyond it the line with their lengths is missing, too. `list` has the expressions, `more` reads what they build.
//!
//! The lines are joined with LF. The short, decisive ones come first, because HAProxy cuts the line at `tune.bufsize` without a word;
//! the mark and the lengths show the cut. The lengths also show a NUL byte, which HAProxy 2.6 accepts in headers and at which
//! `set-var-fmt` ends a field, and they keep fields from shifting whatever a field holds. What is amiss has a reason, [`Malformed`].
//!
//! A control byte in a header that no fact is made of shows nowhere in the line; HAProxy looks for those itself and adds one more line,
//! [`CONTROL_BYTE`].

mod list;
mod more;

pub use list::{FactList, variable};
pub use more::{CarriedFact, MoreFacts};

use crate::Facts;

/// How the first line begins: the version of the format and the facts that every line carries.
pub const BASE: &str = "luigi-facts/1 method source host authorization target upgrade";

/// The last line.
pub const MARK: &str = "end";

/// The line after the [mark](MARK) where HAProxy found a control byte in a header.
pub const CONTROL_BYTE: &str = "control-byte";

/// Why a fact line is refused. Exhaustive: match it without `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// The line does not end with the mark: HAProxy cut it at `tune.bufsize`, or something else made it.
    CutOff,
    /// The first line does not begin with [`BASE`], or names facts that there are not: the configuration was printed by another version.
    WrongVersion,
    /// A line is missing.
    MissingField,
    /// The method is not a token of RFC 9110.
    BadMethod,
    /// A count or length is not a plain decimal number, or a count is zero beside a length.
    BadCount,
    /// A field is shorter or longer than its length says: a header with a NUL byte, for example.
    LengthMismatch,
    /// A header holds a control byte other than a tab; whichever header it is, no backend should see it.
    ControlByte,
    /// There is more than one `Host` field. Not a matter of the line's form: whoever evaluates the facts says it.
    RepeatedHost,
}

impl Malformed {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::CutOff,
        Self::WrongVersion,
        Self::MissingField,
        Self::BadMethod,
        Self::BadCount,
        Self::LengthMismatch,
        Self::ControlByte,
        Self::RepeatedHost,
    ];

    /// The stable code, as in logs and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CutOff => "cut-off",
            Self::WrongVersion => "wrong-version",
            Self::MissingField => "missing-field",
            Self::BadMethod => "bad-method",
            Self::BadCount => "bad-count",
            Self::LengthMismatch => "length-mismatch",
            Self::ControlByte => "control-byte",
            Self::RepeatedHost => "repeated-host",
        }
    }

    /// What an operator should know, in one line.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::CutOff => "the fact line has no end mark: the request is longer than `tune.bufsize` leaves room for",
            Self::WrongVersion => {
                "the fact line is of another version: print the lines again with `luigi haproxy-config`"
            }
            Self::MissingField => "the fact line lacks a field: print the lines again with `luigi haproxy-config`",
            Self::BadMethod => "the method is not a token",
            Self::BadCount => "the fact line has a count or a length that is not a number",
            Self::LengthMismatch => "a field of the request is cut off, as by a NUL byte in a header",
            Self::ControlByte => "a header holds a control byte, NUL for example",
            Self::RepeatedHost => "the request has more than one `Host` field",
        }
    }
}

/// Takes a fact line apart.
///
/// # Errors
///
/// [`Malformed`] says what is amiss. Whether the source is an address is not looked at here.
///
/// # Allocation
///
/// None; the fields are parts of `line`.
///
/// # Examples
///
/// ```
/// let line = b"luigi-facts/1 method source host authorization target upgrade\nGET\n203.0.113.9\n1 7 0  2 0\na.test.\n/a\n\nend";
/// let facts = luigi_runtime::facts::parse(line).unwrap();
/// assert_eq!(facts.host, Some(&b"a.test."[..]));
/// assert_eq!(facts.target, b"/a");
/// assert_eq!(facts.authorization_count, 0);
/// ```
pub fn parse(line: &[u8]) -> Result<Facts<'_>, Malformed> {
    let Some(whole) = line.strip_suffix(MARK.as_bytes()) else {
        let marked = line.strip_suffix(CONTROL_BYTE.as_bytes()).and_then(|line| line.strip_suffix(b"\n"));
        return Err(if marked.is_some_and(|line| line.ends_with(MARK.as_bytes())) {
            Malformed::ControlByte
        } else {
            Malformed::CutOff
        });
    };
    let line = whole.strip_suffix(b"\n").ok_or(Malformed::CutOff)?;
    // PERF: nearly all of it is known, and need not be looked through for its end.
    let (names, rest) = match line.strip_prefix(BASE.as_bytes()) {
        Some([b'\n', rest @ ..]) => ("", rest),
        Some([b' ', names @ ..]) => {
            let (names, rest) = until_line_feed(names).map_err(|_| Malformed::WrongVersion)?;
            let names = std::str::from_utf8(names).ok().filter(|names| !names.is_empty());
            (names.ok_or(Malformed::WrongVersion)?, rest)
        }
        Some(_) | None => return Err(Malformed::WrongVersion),
    };
    let (method, rest) = until_line_feed(rest)?;
    let (source, rest) = until_line_feed(rest)?;
    let (counts, rest) = until_line_feed(rest)?;
    if !is_method(method) {
        return Err(Malformed::BadMethod);
    }

    let mut counts = counts.split(|b| *b == b' ');
    let mut next = || counts.next().ok_or(Malformed::BadCount);
    let host_count = number(next()?)?;
    let host_length = length(next()?, host_count)?;
    let authorization_count = number(next()?)?;
    let authorization_length = length(next()?, authorization_count)?;
    let target_length = number(next()?)?;
    let upgrade_count = number(next()?)?;
    if counts.next().is_some() {
        return Err(Malformed::BadCount);
    }

    let (host, rest) = exactly(rest, host_length)?;
    let (target, rest) = exactly(rest, target_length)?;
    // INVARIANT (whole line): what is left is as long as the fields were. HAProxy only ever shortens a field, so if the sum of the
    // lengths is right, each of them is.
    let (authorization, more) = if names.is_empty() {
        if rest.len() as u64 != u64::from(authorization_length) {
            return Err(Malformed::LengthMismatch);
        }
        (rest, MoreFacts::default())
    } else {
        let (authorization, rest) = exactly(&whole[whole.len() - rest.len() - 1..], authorization_length)?;
        let (more_counts, values) = until_line_feed(rest)?;
        (authorization, more::read(names, more_counts, values)?)
    };
    Ok(Facts {
        method,
        target,
        host: (host_count > 0).then_some(host),
        host_count,
        source: (!source.is_empty()).then_some(source),
        authorization: (authorization_count > 0).then_some(authorization),
        authorization_count,
        upgrade_count: Some(upgrade_count),
        more,
        source_of_more: None,
    })
}

/// Whether these bytes are a method: a token of RFC 9110.
#[inline]
#[must_use]
pub fn is_method(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

fn until_line_feed(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let at = line.iter().position(|b| *b == b'\n').ok_or(Malformed::MissingField)?;
    Ok((&line[..at], &line[at + 1..]))
}

fn exactly(line: &[u8], length: u32) -> Result<(&[u8], &[u8]), Malformed> {
    match line.split_at_checked(length as usize) {
        Some((field, [b'\n', rest @ ..])) => Ok((field, rest)),
        Some(_) | None => Err(Malformed::LengthMismatch),
    }
}

/// A decimal number in its one plain form, at most six digits: the buffer holds no more.
fn number(text: &[u8]) -> Result<u32, Malformed> {
    let plain = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.len() <= 6 && text.iter().all(u8::is_ascii_digit);
    if !plain {
        return Err(Malformed::BadCount);
    }
    Ok(text.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

/// The length of a header of which there are `count`: HAProxy leaves it empty if there is none.
fn length(text: &[u8], count: u32) -> Result<u32, Malformed> {
    match (text, count) {
        (b"" | b"0", 0) => Ok(0),
        (_, 0) => Err(Malformed::BadCount),
        (text, _) => number(text),
    }
}

/// `tchar` of RFC 9110, section 5.6.2.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut others: &[u8] = b"!#$%&'*+-.^_`|~";
    while let [byte, rest @ ..] = others {
        table[*byte as usize] = true;
        others = rest;
    }
    table
};

fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What HAProxy makes of the expression without further facts: cut at NUL, lengths as they were. There are as many `Upgrade` fields as
    /// `Authorization` fields.
    fn line(method: &str, source: &str, host: &[&[u8]], target: &[u8], authorization: &[&[u8]]) -> Vec<u8> {
        let cut = |field: &[u8]| field.split(|b| *b == 0).next().map(<[u8]>::to_vec).unwrap();
        let length = |of: &[&[u8]]| of.last().map_or(String::new(), |last| last.len().to_string());
        let last = |of: &[&[u8]]| of.last().map_or(Vec::new(), |last| cut(last));
        let counts = format!(
            "{} {} {} {} {} {}",
            host.len(),
            length(host),
            authorization.len(),
            length(authorization),
            target.len(),
            authorization.len(),
        );
        let lines = [
            BASE.as_bytes().to_vec(),
            method.as_bytes().to_vec(),
            source.as_bytes().to_vec(),
            counts.into_bytes(),
            last(host),
            cut(target),
            last(authorization),
            MARK.as_bytes().to_vec(),
        ];
        lines.join(&b'\n')
    }

    #[test]
    fn lines_that_haproxy_builds() {
        let check = |host: &[&[u8]], target: &[u8], authorization: &[&[u8]]| {
            let line = line("GET", "192.0.2.1", host, target, authorization);
            let facts = parse(&line).unwrap();
            assert_eq!(facts.method, b"GET");
            assert_eq!(facts.source, Some(&b"192.0.2.1"[..]));
            assert_eq!(facts.target, target);
            assert_eq!((facts.host, facts.host_count as usize), (host.last().copied(), host.len()));
            let last = authorization.last().copied();
            assert_eq!((facts.authorization, facts.authorization_count as usize), (last, authorization.len()));
            assert_eq!(facts.upgrade_count.map(|count| count as usize), Some(authorization.len()));
        };
        check(&[b"a.test"], b"/a?b", &[b"Bearer x"]);
        check(&[], b"*", &[]);
        check(&[b""], b"", &[b""]);
        check(&[b"a", b"b"], b"http://a/", &[b"x", b"y"]);
        check(&[b"a.test"], b"/\xff\x01", &[b"Bearer \x7f\xff"]);
        // A line feed inside a field shifts nothing.
        check(&[b"a\nb"], b"/x\n\n", &[b"\nend\n"]);
        // A Unix socket has no address.
        assert_eq!(parse(&line("GET", "", &[], b"/", &[])).unwrap().source, None);
    }

    #[test]
    fn lines_that_are_refused() {
        let check = |line: &[u8], expected| {
            assert_eq!(parse(line).err(), Some(expected), "{}", String::from_utf8_lossy(line));
        };
        let good = line("GET", "192.0.2.1", &[b"a.test"], b"/a", &[b"Bearer x"]);
        let text = String::from_utf8(good.clone()).unwrap();
        check(b"", Malformed::CutOff);
        check(b"end", Malformed::CutOff);
        check(b"\nend", Malformed::WrongVersion);
        check(&good[..good.len() - 1], Malformed::CutOff);
        check(&[&good[..], b"\n"].concat(), Malformed::CutOff);
        check(&[&good[..], b"\ncontrol-byte"].concat(), Malformed::ControlByte);
        for cut in [&b"\ncontrol-byt"[..], b"control-byte", b"\ncontrol-byte\n"] {
            check(&[&good[..], cut].concat(), Malformed::CutOff);
        }
        check(&[&good[..good.len() - 1], b"\ncontrol-byte"].concat(), Malformed::CutOff);
        check(text.replace("/1 ", "/2 ").as_bytes(), Malformed::WrongVersion);
        check(text.replace(" target", "").as_bytes(), Malformed::WrongVersion);
        check(format!("{BASE}\nend").as_bytes(), Malformed::WrongVersion);
        check(format!("{BASE}\nGET\nend").as_bytes(), Malformed::MissingField);
        check(format!("{BASE}\nGET\n192.0.2.1\n1 1 1 1 1\nend").as_bytes(), Malformed::MissingField);
        check(text.replace("GET", "").as_bytes(), Malformed::BadMethod);
        check(text.replace("GET", "G T").as_bytes(), Malformed::BadMethod);
        for counts in [
            "1 6 1 8",
            "1 6 1 8 2 ",
            "1 6 1 8 2 0",
            "1 6 1 8 02",
            "1 6 1 8 +2",
            "1 6 1 8 ",
            " 6 1 8 2",
            "1  1 8 2",
            "0 6 1 8 2",
            "1 6 0 8 2",
            "1 6 1 8 1000000",
            "1 6 1 8 0x2",
        ] {
            check(text.replace("1 6 1 8 2", counts).as_bytes(), Malformed::BadCount);
        }
        for counts in ["1 5 1 8 2", "1 6 1 7 2", "1 6 1 9 2", "1 6 1 8 3", "1 7 1 8 1", "1 6 0  2", "1 9999 1 8 2"] {
            check(text.replace("1 6 1 8 2", counts).as_bytes(), Malformed::LengthMismatch);
        }
        // NUL in a header: HAProxy 2.6 ends the field there.
        check(&line("GET", "", &[b"a\0b"], b"/a", &[b"Bearer x"]), Malformed::LengthMismatch);
        check(&line("GET", "", &[b"a"], b"/a", &[b"Bearer x\0"]), Malformed::LengthMismatch);
        check(&line("GET", "", &[b"a"], b"/a\0", &[]), Malformed::LengthMismatch);
        // What follows a NUL cannot be made up for by what comes later.
        check(&line("GET", "", &[b"a\0xxxx"], b"/a\n/b", &[b"12"]), Malformed::LengthMismatch);
    }

    #[test]
    fn reasons_have_distinct_codes() {
        let codes: std::collections::BTreeSet<_> = Malformed::ALL.map(Malformed::as_str).into();
        assert_eq!(codes.len(), Malformed::ALL.len());
    }

    fn field() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(0), any::<u8>()], 0..20)
    }

    /// A request beyond the base: a header with its values, a fact, a certificate with its parts.
    #[derive(Clone, Debug)]
    struct Further {
        headers: Vec<Vec<u8>>,
        country: Option<Vec<u8>>,
        certificate: Option<(u32, Vec<u8>)>,
    }

    const NAMES: &str = "certificate certificate-subject fact:country header:x-team";

    /// What HAProxy makes of the expression for [`NAMES`].
    fn further_line(further: &Further, target: &[u8], authorization: &[&[u8]]) -> Vec<u8> {
        let base = line("GET", "192.0.2.1", &[b"a.test"], target, authorization);
        let cut = |field: &[u8]| field.split(|b| *b == 0).next().map(<[u8]>::to_vec).unwrap();
        let Further { headers, country, certificate } = further;
        let nth_last = |n: usize| headers.len().checked_sub(n).map(|at| &headers[at][..]);
        let length = |field: Option<&[u8]>| field.map_or(String::new(), |field| field.len().to_string());
        let (used, verify) = certificate
            .as_ref()
            .map_or((String::new(), String::new()), |(verify, _)| ("1".to_owned(), verify.to_string()));
        let subject = certificate.as_ref().map(|(_, subject)| &subject[..]);
        let counts = format!(
            "{used} {verify} {} {} {} {} {}",
            length(subject),
            length(country.as_deref()),
            headers.len(),
            length(nth_last(1)),
            length(nth_last(2)),
        );
        let values =
            [subject, country.as_deref(), nth_last(1), nth_last(2)].map(|value| cut(value.unwrap_or_default()));
        // Before the mark stand the counts and the values.
        let rest = base.strip_prefix(BASE.as_bytes()).unwrap().strip_suffix(MARK.as_bytes()).unwrap();
        let head = format!("{BASE} {NAMES}");
        let values = values.join(&b'\n');
        [head.as_bytes(), rest, counts.as_bytes(), b"\n", &values, b"\n", MARK.as_bytes()].concat()
    }

    #[test]
    fn further_facts_are_read_in_their_order() {
        let further = Further {
            headers: vec![b"green".to_vec(), b"blue".to_vec()],
            country: Some(b"DE".to_vec()),
            certificate: Some((18, b"CN=web".to_vec())),
        };
        let line = further_line(&further, b"/a", &[b"Bearer x"]);
        let facts = parse(&line).unwrap();
        assert_eq!((facts.target, facts.authorization), (&b"/a"[..], Some(&b"Bearer x"[..])));
        let shown: Vec<String> = facts.more.iter().map(|(key, fact)| format!("{key} {fact:?}")).collect();
        assert_eq!(
            shown,
            [
                "certificate Certificate { used: true, verify: 18 }",
                "certificate-subject Value(Some([67, 78, 61, 119, 101, 98]))",
                "fact:country Value(Some([68, 69]))",
                "header:x-team Header { count: 2, last: [98, 108, 117, 101], before: [103, 114, 101, 101, 110] }",
            ]
        );
        let text = String::from_utf8(line).unwrap();
        let check = |from: &str, to: &str, expected| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(parse(changed.as_bytes()).err(), Some(expected), "{changed}");
        };
        check(" certificate ", " ", Malformed::LengthMismatch);
        check("header:x-team", "header:X", Malformed::WrongVersion);
        check("fact:country header:x-team", "header:x-team fact:country", Malformed::WrongVersion);
        check("fact:country ", "fact:country  ", Malformed::WrongVersion);
        check("header:x-team\n", "header:x-team \n", Malformed::WrongVersion);
        check("1 18 6 2 2 4 5", "2 18 6 2 2 4 5", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1  6 2 2 4 5", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1 18 6 2 2 4", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1 18 6 2 2 4 5 0", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1 18 6 2 1 4 5", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1 18 6 2 0 4 5", Malformed::BadCount);
        check("1 18 6 2 2 4 5", "1 18 6 2 2 5 5", Malformed::LengthMismatch);
        check("1 18 6 2 2 4 5", "1 18 6 2 2 5 4", Malformed::LengthMismatch);
        check("1 18 6 2 2 4 5", "1 18 6  2 4 5", Malformed::LengthMismatch);
        check("green", "gre", Malformed::LengthMismatch);
    }

    proptest! {
        #[test]
        fn further_facts_come_out_as_they_went_in_or_not_at_all(
            headers in proptest::collection::vec(field(), 0..4),
            country in proptest::option::of(field()),
            certificate in proptest::option::of((0_u32..100, field())),
            target in field(),
            token in field(),
        ) {
            let further = Further { headers, country, certificate };
            let line = further_line(&further, &target, &[&token]);
            let Further { headers, country, certificate } = &further;
            let carried = headers.iter().rev().take(2).chain(country).chain(certificate.as_ref().map(|(_, subject)| subject));
            let cut = carried.chain([&target, &token]).any(|field| field.contains(&0));
            match parse(&line) {
                Err(reason) => prop_assert!(cut, "{reason:?}"),
                Ok(facts) => {
                    prop_assert!(!cut);
                    prop_assert_eq!(facts.target, &target[..]);
                    prop_assert_eq!(facts.authorization, Some(&token[..]));
                    let found: Vec<CarriedFact<'_>> = facts.more.iter().map(|(_, fact)| fact).collect();
                    let nth_last = |n: usize| headers.len().checked_sub(n).map_or(&[][..], |at| &headers[at]);
                    let expected = [
                        CarriedFact::Certificate { used: certificate.is_some(), verify: certificate.as_ref().map_or(0, |(verify, _)| *verify) },
                        CarriedFact::Value(certificate.as_ref().map(|(_, subject)| &subject[..])),
                        CarriedFact::Value(country.as_deref()),
                        CarriedFact::Header {
                            count: u32::try_from(headers.len()).unwrap(),
                            last: nth_last(1),
                            before: nth_last(2),
                        },
                    ];
                    prop_assert_eq!(found, expected);
                }
            }
            for kept in 1..4 {
                prop_assert!(parse(&line[..line.len() - kept]).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let framed = [format!("{BASE}\n").as_bytes(), &bytes[..], b"\nend"].concat();
            let _ = parse(&framed);
        }

        #[test]
        fn fields_come_out_as_they_went_in_or_not_at_all(
            hosts in proptest::collection::vec(field(), 0..3),
            target in field(),
            tokens in proptest::collection::vec(field(), 0..3),
        ) {
            let hosts: Vec<&[u8]> = hosts.iter().map(Vec::as_slice).collect();
            let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
            let line = line("GET", "192.0.2.1", &hosts, &target, &tokens);
            let cut = [hosts.last().copied().unwrap_or(b""), &target, tokens.last().copied().unwrap_or(b"")].concat().contains(&0);
            match parse(&line) {
                Err(reason) => prop_assert!(cut, "{reason:?}"),
                Ok(facts) => {
                    prop_assert!(!cut);
                    prop_assert_eq!(facts.host, hosts.last().copied());
                    prop_assert_eq!(facts.target, &target[..]);
                    prop_assert_eq!(facts.authorization, tokens.last().copied());
                }
            }
        }

        #[test]
        fn a_changed_byte_of_the_framing_is_refused_or_changes_no_field(at in 0..1000_usize, byte in any::<u8>()) {
            let good = line("GET", "192.0.2.1", &[b"a.test"], b"/a", &[b"Bearer x"]);
            let before = parse(&good).unwrap();
            let at = at % good.len();
            let mut changed = good.clone();
            changed[at] = byte;
            if let Ok(after) = parse(&changed) {
                // A byte inside a field may change that field; nothing moves from one field to another.
                let differing = [
                    before.method != after.method,
                    before.source != after.source,
                    before.host != after.host,
                    before.target != after.target,
                    before.authorization != after.authorization,
                    before.host_count != after.host_count,
                    before.authorization_count != after.authorization_count,
                ];
                prop_assert!(differing.iter().filter(|d| **d).count() <= 1);
                prop_assert_eq!(before.host.map(<[u8]>::len), after.host.map(<[u8]>::len));
                prop_assert_eq!(before.target.len(), after.target.len());
                prop_assert_eq!(before.authorization.map(<[u8]>::len), after.authorization.map(<[u8]>::len));
            }
        }

        #[test]
        fn a_line_cut_anywhere_is_refused(at in 0..1000_usize) {
            let good = line("GET", "192.0.2.1", &[b"a.test"], b"/a", &[b"Bearer x\nend"]);
            prop_assert!(parse(&good[..at % good.len()]).is_err());
        }
    }
}
