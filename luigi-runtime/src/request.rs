//! What an embedder knows about a request, before any of it is believed.

use crate::facts::MoreFacts;
use luigi_core::decide::{FactValue, HeaderLines};
use luigi_core::identity::{ClientCertificate, Identity};
use luigi_core::policy::model::FactKey;

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
    /// What is asked for headers, certificate and other facts in place of `more`.
    pub source_of_more: Option<&'a (dyn FactSource + 'a)>,
}

/// A request as the embedder itself holds it: asked for what the policy in force needs, and for nothing else.
pub trait FactSource: std::fmt::Debug {
    /// The value of a header, of a fact that the embedder knows, or the name of what stands for the frontend; not asked for the parts of a certificate.
    fn value(&self, key: FactKey<'_>) -> FactValue<'_>;

    /// The lines of a header, by its name in lower case; `None` if headers are not passed.
    fn header_lines(&self, name: &str) -> Option<HeaderLines<'_>>;

    /// The client certificate of the connection.
    fn certificate(&self) -> ClientCertificate<'_>;
}

/// Who asks.
#[derive(Clone, Copy, Debug, Default)]
pub enum Caller<'a> {
    /// Whoever the credential among the facts proves to be.
    #[default]
    InFacts,
    /// Somebody the embedder vouches for. Credentials among the facts are not looked at.
    Asserted(&'a Identity),
}
