//! The tests that rules are made of, each small and on its own: networks, schedules, subjects, captures, paths, facts.
//!
//! They are the fast ones that decisions use. [`crate::explain`] has slow ones of its own, written apart from these, so that
//! each checks the other.

mod captures;
mod claim;
mod facts;
mod method_override;
mod network;
pub(crate) mod path_regex;
mod pattern;
mod proxies;
mod query;
mod schedule;
mod standings;
mod subject;

pub(crate) use captures::Captures;
pub(crate) use claim::claim_at;
pub(crate) use facts::fact_holds;
pub(crate) use method_override::{METHOD_OVERRIDE_HEADERS, override_in_query};
pub(crate) use network::NetworkSet;
pub(crate) use pattern::{dns_name as dns_name_fits, subject as subject_fits};
pub(crate) use proxies::TrustedProxies;
pub use query::is_parameter_of;
pub(crate) use schedule::LocalHours;
pub(crate) use standings::Standings;
pub(crate) use subject::{Person, actor_is, login_meets};

/// The headers that make an OPTIONS request a CORS preflight: who asks, and for which method.
pub(crate) const PREFLIGHT_HEADERS: [&str; 2] = ["origin", "access-control-request-method"];
