//! Kleene's strong three-valued logic: what every predicate of a policy evaluates to.

use serde::{Deserialize, Serialize};

/// The value of a predicate: false, unknown or true, in this order.
///
/// `Unknown` is what cannot be known about a request: groups that the provider cut off, an unparseable address, claims
/// under an invalid token. It never allows anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kleene {
    /// The predicate does not hold.
    False,
    /// Whether the predicate holds cannot be known.
    Unknown,
    /// The predicate holds.
    True,
}

impl Kleene {
    /// Conjunction: false wins over unknown, unknown over true.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Disjunction: true wins over unknown, unknown over false.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// `true` only for [`Kleene::True`].
    #[must_use]
    pub fn is_true(self) -> bool {
        self == Self::True
    }

    /// `true` only for [`Kleene::False`].
    #[must_use]
    pub fn is_false(self) -> bool {
        self == Self::False
    }

    /// The word used in explanations: `false`, `unknown` or `true`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::False => "false",
            Self::Unknown => "unknown",
            Self::True => "true",
        }
    }
}

/// Negation: unknown stays unknown.
impl std::ops::Not for Kleene {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Kleene {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Kleene::{self, False, True, Unknown};

    #[test]
    fn the_tables_of_kleene() {
        let values = [False, Unknown, True];
        let and = [[False, False, False], [False, Unknown, Unknown], [False, Unknown, True]];
        let or = [[False, Unknown, True], [Unknown, Unknown, True], [True, True, True]];
        for (i, a) in values.into_iter().enumerate() {
            for (j, b) in values.into_iter().enumerate() {
                assert_eq!(a.and(b), and[i][j], "{a:?} and {b:?}");
                assert_eq!(a.or(b), or[i][j], "{a:?} or {b:?}");
            }
        }
        assert_eq!(values.map(|v| !v), [True, Unknown, False]);
        assert_eq!(Kleene::from(true), True);
    }
}
