//! The facts about a request that only some policies ask for.

use crate::identity::ClientCertificate;
use crate::policy::model::{FactId, TableId};

/// Facts that are passed because a policy needs them; nothing for a policy that needs none.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The values of the policy's [facts](crate::policy::model::Policy::facts), in their order. What the slice is too short for is not passed; what
    /// stands in the place of a fact about the certificate is not looked at.
    pub values: &'a [FactValue<'a>],
    /// The client certificate of the connection.
    pub certificate: &'a ClientCertificate<'a>,
}

impl RequestFacts<'_> {
    /// Nothing is passed.
    pub const NONE: Self = Self { values: &[], certificate: &ClientCertificate::NotPassed };
}

impl<'a> RequestFacts<'a> {
    /// The value of a fact.
    #[must_use]
    pub fn value(&self, fact: FactId) -> FactValue<'a> {
        self.values.get(fact.index()).copied().unwrap_or_default()
    }
}

/// What is known of a header that a proxy wrote: the last two of its lines, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLines<'a> {
    /// How many there are.
    pub count: u32,
    /// The last one; empty if there is none.
    pub last: &'a [u8],
    /// The one before it; empty if there is none.
    pub before: &'a [u8],
}

/// What is known of one fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FactValue<'a> {
    /// Whoever passes the facts says nothing about this one.
    #[default]
    NotPassed,
    /// The request has no such header; the variable is not set.
    Absent,
    /// It has this value: a header that was sent once, or several times with equal values.
    One(&'a [u8]),
    /// The header was sent several times, and not all its values are known to be equal.
    Several,
}
