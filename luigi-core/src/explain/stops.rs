//! Incident stops: what is denied before any rule.

use super::subjects::Caller;
use crate::decide::Request;
use crate::identity::Identity;
use crate::policy::model::{Policy, ScopeId};
use crate::stop_set::{Stop, Stopped};
use serde_json::Value;

/// The first stop that holds for a request.
pub(super) fn first<'a>(
    policy: &Policy,
    request: &Request<'a>,
    caller: Caller<'_>,
    held: &[ScopeId],
) -> Option<&'a Stop> {
    let identity = match caller {
        Caller::Known(identity) => Some(identity),
        // Whoever drops a credential that proves nothing gets just as far.
        Caller::Nobody | Caller::Unproven(_) => None,
    };
    let counts = |stop: &&Stop| {
        if request.time < stop.from || request.time >= stop.until {
            return false;
        }
        match &stop.what {
            Stopped::Scope(name) => held.iter().any(|id| policy.scopes[*id].name == *name),
            Stopped::Subject { issuer, subject } => identity.is_some_and(|identity| {
                let acts = identity.actor().is_some_and(|actor| {
                    !actor.legible || *actor.issuer == **issuer && actor.subject.as_deref() == Some(subject.as_str())
                });
                acts || is(identity, issuer) && identity.subject() == subject
            }),
            Stopped::TokenId { issuer, id } => identity.is_some_and(|identity| {
                is(identity, issuer) && claim(identity, "jti") == Some(&Value::from(id.as_str()))
            }),
            Stopped::IssuedBefore { issuer, before } => identity.is_some_and(|identity| {
                let issued = claim(identity, "iat").and_then(super::claims::numeric_date);
                let in_time = issued.is_some_and(|at| at >= before.unix_seconds());
                is(identity, issuer) && !in_time
            }),
        }
    };
    request.stops.stops().iter().find(counts)
}

fn is(identity: &Identity, issuer: &str) -> bool {
    identity.issuer() == issuer
}

fn claim<'a>(identity: &'a Identity, name: &str) -> Option<&'a Value> {
    identity.claims().get(name)
}
