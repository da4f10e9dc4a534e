//! What a decision is about.

use super::facts::RequestFacts;
use crate::grant_set::GrantSet;
use crate::identity::Credential;
use crate::kleene::Kleene;
use crate::stop_set::StopSet;
use crate::target::Target;
use crate::time::Timestamp;
use std::net::IpAddr;

/// One request: who, what, from where, when.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method token, as received.
    pub method: &'a [u8],
    /// Host and path in canonical form, or why there is none.
    pub target: Target<'a>,
    /// Whether it asks for an upgrade of its connection: whether it has an `Upgrade` header, whatever that says.
    pub upgrade: Kleene,
    /// Where it comes from: the peer's address, or what a proxy says that the policy trusts, see [`Snapshot::source`](crate::snapshot::Snapshot::source).
    pub source: Source,
    /// Who asks.
    pub credential: Credential<'a>,
    /// When. Identities and grants are judged by this moment, too.
    pub time: Timestamp,
    /// Every grant in force, whoever's.
    pub grants: &'a GrantSet,
    /// Incident stops, in force or not.
    pub stops: &'a StopSet,
    /// Headers, certificate and what else the policy asks for.
    pub facts: RequestFacts<'a>,
}

/// Where a request comes from, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An address; IPv4-mapped IPv6 is IPv4.
    Address(IpAddr),
    /// A Unix socket, an address that does not parse, or a trusted proxy that does not say: predicates on networks are unknown.
    Unknown,
}

impl Source {
    /// A source from an address, with IPv4-mapped IPv6 turned into IPv4.
    #[must_use]
    pub fn from_address(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}
