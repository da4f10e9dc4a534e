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
    pub fn resolve(&self, token: &[u8]) -> MethodSet {
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
