//! Request methods and sets of them.
//!
//! A method is a case-sensitive token (RFC 9110, section 9.1). Nothing implies anything else: GET is not HEAD.

use serde::{Deserialize, Serialize};

/// The methods of RFC 9110 and RFC 5789, in the order of their bits.
const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// The bit of the first method that a policy names beyond those.
const FIRST_EXTENSION: u32 = 9;

/// How many methods a policy may name beyond those of RFC 9110 and RFC 5789.
pub const MAX_EXTENSION_METHODS: usize = (OTHER - FIRST_EXTENSION) as usize;

/// The bit of every method that is neither well known nor named by the policy.
const OTHER: u32 = 63;

/// The methods that a policy knows: those of RFC 9110 and RFC 5789, and those it names beyond them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodTable {
    extensions: Vec<String>,
}

impl MethodTable {
    /// The method of a request; one that the policy does not know is a member of `any` only.
    #[must_use]
    #[inline]
    pub fn resolve(&self, token: &[u8]) -> MethodSet {
        // PERF: most requests.
        if token == b"GET" { MethodSet(1) } else { self.resolve_other(token) }
    }

    fn resolve_other(&self, token: &[u8]) -> MethodSet {
        let bit = match token {
            b"GET" => 0,
            b"HEAD" => 1,
            b"POST" => 2,
            b"PUT" => 3,
            b"PATCH" => 4,
            b"DELETE" => 5,
            b"OPTIONS" => 6,
            b"CONNECT" => 7,
            b"TRACE" => 8,
            other => {
                let mut named = self.extensions.iter().zip(FIRST_EXTENSION..);
                named.find(|(name, _)| name.as_bytes() == other).map_or(OTHER, |(_, bit)| bit)
            }
        };
        // INVARIANT (method-bits): at most 63.
        MethodSet(1 << bit)
    }

    /// The method as a set of one, learnt if the policy has not named it before.
    ///
    /// Returns `None` if `token` is not a method token of RFC 9110 in upper case (at most 32 of `A-Z`, digits, `-`, `_`),
    /// or if the policy names more than [`MAX_EXTENSION_METHODS`].
    pub fn intern(&mut self, token: &str) -> Option<MethodSet> {
        let shape = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if token.is_empty() || token.len() > 32 || !token.bytes().all(shape) {
            return None;
        }
        let found = self.resolve(token.as_bytes());
        if found.0 != 1 << OTHER {
            return Some(found);
        }
        if self.extensions.len() == MAX_EXTENSION_METHODS {
            return None;
        }
        self.extensions.push(token.to_owned());
        Some(self.resolve(token.as_bytes()))
    }

    /// Whether the table could have been made by [`MethodTable::intern`]; one that was read from elsewhere may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        let mut again = Self::default();
        self.extensions.iter().all(|name| again.intern(name).is_some()) && again == *self
    }

    /// The names of the methods in `set`, in the order of their bits, `other` last.
    pub fn names(&self, set: MethodSet) -> impl Iterator<Item = &str> {
        let known = KNOWN.iter().copied().chain(self.extensions.iter().map(String::as_str)).enumerate();
        let other = (set.0 >> OTHER & 1 == 1).then_some("other");
        known.filter(move |(bit, _)| set.0 >> bit & 1 == 1).map(|(_, name)| name).chain(other)
    }

    /// A set of `from`, a table of another policy, in the bits of this one. What `from` does not name is `other` there, whether this
    /// table names it or not.
    #[must_use]
    pub fn translate(&self, set: MethodSet, from: &Self) -> MethodSet {
        let known = set.0 & ((1 << FIRST_EXTENSION) - 1);
        let mut translated = MethodSet(known);
        for (name, bit) in from.extensions.iter().zip(FIRST_EXTENSION..) {
            if set.0 >> bit & 1 == 1 {
                translated = translated.union(self.resolve(name.as_bytes()));
            }
        }
        if set.0 >> OTHER & 1 == 1 {
            let unnamed = self.extensions.iter().filter(|name| !from.extensions.contains(name));
            let bits = unnamed.map(|name| self.resolve(name.as_bytes()));
            translated = bits.fold(translated, MethodSet::union).union(MethodSet(1 << OTHER));
        }
        translated
    }

    /// A method of the set as a request would have it, an everyday one if there is one.
    #[must_use]
    pub fn example(&self, set: MethodSet) -> Option<&str> {
        const UNUSUAL: [&str; 6] = ["PROPFIND", "REPORT", "SEARCH", "LOCK", "MERGE", "X-UNNAMED"];
        let everyday = ["GET", "POST"].into_iter().find(|name| set.contains(self.resolve(name.as_bytes())));
        let named = || self.names(MethodSet(set.0 & !(1 << OTHER) & MethodSet::ANY.0)).next();
        let other = || {
            let unnamed = UNUSUAL.into_iter().find(|name| self.resolve(name.as_bytes()).0 == 1 << OTHER);
            unnamed.filter(|_| set.0 >> OTHER & 1 == 1)
        };
        everyday.or_else(named).or_else(other).or_else(|| self.names(MethodSet(set.0 & !(1 << OTHER))).next())
    }
}

/// A set of methods; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MethodSet(u64);

impl MethodSet {
    /// No method at all.
    pub const NONE: Self = Self(0);
    /// `"read"`: GET and HEAD.
    pub const READ: Self = Self(0b0_0000_0011);
    /// `"write"`: POST, PUT, PATCH and DELETE.
    pub const WRITE: Self = Self(0b0_0011_1100);
    /// `"any"`: every method, unknown ones included, but CONNECT and TRACE.
    pub const ANY: Self = Self(!0b1_1000_0000);
    /// Every method there is.
    pub const ALL: Self = Self(!0);

    /// Whether the two sets share a method.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every method of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The methods of either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The methods of both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The methods of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The set with these bits, which mean something beside one [`MethodTable`] only.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether there is no method in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_sets_hold_what_they_say() {
        let table = MethodTable::default();
        let names = |set| table.names(set).collect::<Vec<_>>().join(" ");
        assert_eq!(names(MethodSet::READ), "GET HEAD");
        assert_eq!(names(MethodSet::WRITE), "POST PUT PATCH DELETE");
        for (token, any) in [("GET", true), ("CONNECT", false), ("TRACE", false), ("PURGE", true), ("get", true)] {
            assert_eq!(MethodSet::ANY.contains(table.resolve(token.as_bytes())), any, "{token}");
        }
        assert!(!MethodSet::READ.contains(table.resolve(b"get")), "methods are case-sensitive");
    }

    #[test]
    fn sets_can_be_said_in_the_bits_of_another_policy() {
        let (mut ours, mut theirs) = (MethodTable::default(), MethodTable::default());
        let (ban, purge) = (ours.intern("BAN").unwrap(), ours.intern("PURGE").unwrap());
        let their_purge = theirs.intern("PURGE").unwrap();
        assert_ne!(purge, their_purge);
        assert_eq!(ours.translate(their_purge.union(MethodSet::READ), &theirs), purge.union(MethodSet::READ));
        assert_eq!(ours.translate(MethodSet::ANY.without(their_purge), &theirs).intersection(ban.union(purge)), ban);
    }

    #[test]
    fn an_example_is_a_method_of_the_set() {
        let mut table = MethodTable::default();
        table.intern("PROPFIND").unwrap();
        let everyday = MethodSet::READ.union(MethodSet::WRITE);
        for (set, expected) in [
            (MethodSet::ANY, Some("GET")),
            (MethodSet::WRITE, Some("POST")),
            (table.resolve(b"DELETE"), Some("DELETE")),
            (MethodSet::ANY.without(everyday), Some("OPTIONS")),
            (table.resolve(b"PROPFIND"), Some("PROPFIND")),
            (table.resolve(b"whatever"), Some("REPORT")),
            (table.resolve(b"CONNECT"), Some("CONNECT")),
            (MethodSet::NONE, None),
        ] {
            assert_eq!(table.example(set), expected);
            assert!(expected.is_none_or(|name| set.contains(table.resolve(name.as_bytes()))));
        }
    }

    #[test]
    fn a_policy_may_name_methods_of_its_own() {
        let mut table = MethodTable::default();
        let purge = table.intern("PURGE").unwrap();
        assert_eq!(table.intern("PURGE"), Some(purge));
        assert_eq!(table.resolve(b"PURGE"), purge);
        assert_ne!(table.resolve(b"PROPFIND"), purge);
        assert_eq!(table.intern("purge"), None);
        assert_eq!(table.intern(""), None);
        for n in 1..MAX_EXTENSION_METHODS {
            assert!(table.intern(&format!("M{n}")).is_some(), "{n}");
        }
        assert_eq!(table.intern("ONE-TOO-MANY"), None);
    }
}
