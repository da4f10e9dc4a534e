//! What an embedder knows about a request, before any of it is believed.

use crate::facts::MoreFacts;

/// The facts about one request, as received. Nothing here is decoded, lower-cased or verified yet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The method token.
    pub method: &'a [u8],
    /// The request target with its query, as on the request line.
    pub target: &'a [u8],
    /// The value of `Host`; `None` if there was none.
    pub host: Option<&'a [u8]>,
    /// How many `Host` fields there were; more than one is refused as malformed.
    pub host_count: u32,
    /// How many `Upgrade` fields there were; `None` if that is not known, and then the request may ask for an upgrade.
    pub upgrade_count: Option<u32>,
    /// The peer's address as text; `None` or anything that does not parse leaves predicates on networks unknown.
    pub source: Option<&'a [u8]>,
    /// The value of `Authorization`; `None` if there was none.
    pub authorization: Option<&'a [u8]>,
    /// How many `Authorization` fields there were; more than one is an ambiguous credential.
    pub authorization_count: u32,
    /// Headers, certificate and what else the policy may ask for.
    pub more: MoreFacts<'a>,
}
