//! What captures hold: the segment of the path, or the label of the host, at the place where a pattern has a name.

use crate::grant_set::Grant;
use crate::kleene::Kleene;
use crate::policy::captures::{CaptureTest, CaptureValues, GroupFamily};
use crate::policy::model::{HostPattern, PathPattern, Segment};
use crate::target::{CanonicalTarget, Host};

/// The captures of one request under one pattern. Nothing is copied: values are looked up where they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Captures<'a> {
    held: Option<(&'a HostPattern, PathPattern<'a>, CanonicalTarget<'a>)>,
    ignores_case: bool,
}

impl<'a> Captures<'a> {
    /// Those of a pattern that holds the target.
    pub(crate) fn new(host: &'a HostPattern, path: PathPattern<'a>, target: CanonicalTarget<'a>) -> Self {
        Self { held: Some((host, path, target)), ignores_case: false }
    }

    /// The same, for a host whose paths are compared without regard to case.
    pub(crate) fn ignoring_case(self, ignores_case: bool) -> Self {
        Self { ignores_case, ..self }
    }

    /// For rules that take none.
    pub(crate) const NONE: Self = Self { held: None, ignores_case: false };

    /// Those tests that are not about who asks: all of them.
    pub(crate) fn are_in(&self, tests: &[CaptureTest]) -> Kleene {
        let mut result = Kleene::True;
        for test in tests {
            let CaptureValues::In(accepted) = &test.accepts else { continue };
            result = result.and(match self.value(&test.capture) {
                Some(captured) => accepted.iter().any(|text| captured.is(text)).into(),
                None => Kleene::Unknown,
            });
        }
        result
    }

    /// Whether a grant was given for these values.
    pub(crate) fn are_those_of(&self, grant: &Grant, per: &[String]) -> bool {
        let same = |name: &String| {
            grant.captures.get(name).is_some_and(|granted| self.value(name).is_some_and(|value| value.is(granted)))
        };
        grant.captures.len() == per.len() && per.iter().all(same)
    }

    /// What the name stands for. There is something for every name that a rule takes: it is in every pattern of its scopes.
    pub(crate) fn value(&self, name: &str) -> Option<Captured<'a>> {
        let (host, path, target) = self.held?;
        if host.capture() == Some(name) {
            let Host::Name(host) = target.host else { return None };
            return host.split_once('.').map(|(label, _)| Captured { text: label, ignores_case: self.ignores_case });
        }
        let is_it = |segment: &Segment| matches!(segment, Segment::Capture(held) if held == name);
        let at = path.template()?.segments.iter().position(is_it)?;
        target.path.strip_prefix('/')?.split('/').nth(at).map(|text| Captured { text, ignores_case: self.ignores_case })
    }
}

/// The value of a capture, in canonical form: with escapes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Captured<'a> {
    text: &'a str,
    ignores_case: bool,
}

impl<'a> Captured<'a> {
    /// The bytes that the escapes stand for.
    pub(crate) fn bytes(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut rest = self.text.as_bytes();
        std::iter::from_fn(move || {
            let (byte, after) = match rest {
                [] => return None,
                [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    (digit(*high) << 4 | digit(*low), after)
                }
                [byte, after @ ..] => (*byte, after),
            };
            rest = after;
            Some(byte)
        })
    }

    /// Whether it is this text, byte for byte; on a host that ignores case, but for the case of ASCII letters.
    pub(crate) fn is(self, text: &str) -> bool {
        self.are(text.bytes())
    }

    fn are(self, mut others: impl Iterator<Item = u8>) -> bool {
        let same = |byte: u8, other: u8| byte == other || self.ignores_case && byte.eq_ignore_ascii_case(&other);
        self.bytes().all(|byte| others.next().is_some_and(|other| same(byte, other))) && others.next().is_none()
    }

    /// Whether both hold the same.
    pub(crate) fn is_same(self, other: Captured<'_>) -> bool {
        self.are(other.bytes())
    }

    /// Whether a group of this list, which is sorted, is the family's for this value.
    pub(crate) fn is_in(self, family: &GroupFamily, groups: &[Box<str>]) -> bool {
        // Only a path that keeps an encoded slash has one; such a value has no group.
        if self.bytes().any(|byte| byte == b'/') {
            return false;
        }
        let (prefix, suffix) = (family.prefix.as_bytes(), family.suffix.as_bytes());
        let from = groups.partition_point(|group| group.as_bytes() < prefix);
        let with_prefix = groups[from..].iter().map_while(|group| group.as_bytes().strip_prefix(prefix));
        let mut middles = with_prefix.filter_map(|rest| rest.strip_suffix(suffix));
        middles.any(|middle| self.are(middle.iter().copied()))
    }
}

/// Invalid UTF-8 cannot come: such a path has no canonical form.
impl std::fmt::Display for Captured<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes().collect::<Vec<u8>>()))
    }
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::MethodSet;
    use crate::policy::model::{Operation, PathTemplate};

    #[test]
    fn values_stand_in_the_target_and_are_compared_decoded() {
        let host = HostPattern::Capture { name: "tenant".into(), parent: "example.com".into() };
        let segments = vec![Segment::Literal("t".into()), Segment::Capture("user".into()), Segment::Any];
        let operation =
            Operation { methods: MethodSet::ANY, path: PathTemplate { segments, rest: true, slash: false } };
        let path = PathPattern::Template(&operation);
        for (text, user) in [
            ("/t/ada/x", "ada"),
            ("/t/ada/x/y/z/", "ada"),
            ("/t/a%20b/x", "a b"),
            ("/t/%C3%BC/x", "ü"),
            ("/t/100%25/x", "100%"),
            ("/t/%2/x", "%2"),
            ("/t/%zz%41/x", "%zzA"),
        ] {
            let target = CanonicalTarget { host: Host::Name("acme.example.com"), path: text, query: None };
            let captures = Captures::new(&host, path, target);
            let captured = captures.value("user").unwrap();
            assert!(captured.is(user) && !captured.is("other") && captured.to_string() == user, "{text}");
            assert!(captures.value("tenant").unwrap().is("acme"), "{text}");
            assert!(captures.value("other").is_none() && Captures::NONE.value("user").is_none());
        }
    }

    #[test]
    fn groups_of_a_family_are_found_in_place() {
        let captured = |text| Captured { text, ignores_case: false };
        let family = GroupFamily { prefix: "t-".into(), capture: "t".into(), suffix: "-x".into() };
        let mut groups: Vec<Box<str>> =
            ["t-", "t--x", "t-acme-x", "t-acme-x-x", "t-a b-x", "a", "z", "t-acme"].map(Into::into).to_vec();
        groups.sort_unstable();
        for (value, held) in
            [("acme", true), ("acme-x", true), ("a%20b", true), ("a", false), ("Acme", false), ("a%2Fb", false)]
        {
            assert_eq!(captured(value).is_in(&family, &groups), held, "{value}");
        }
        groups.push("t-a/b-x".into());
        groups.sort_unstable();
        assert!(!captured("a%2Fb").is_in(&family, &groups));
        assert!(Captured { text: "ACME", ignores_case: true }.is_in(&family, &groups));
        let short = GroupFamily { prefix: "ab".into(), capture: "t".into(), suffix: "bc".into() };
        assert!(!captured("b").is_in(&short, &["abc".into()]));
    }
}
