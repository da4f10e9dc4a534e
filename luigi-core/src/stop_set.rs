//! Incident stops: denials that hold at once, before any rule and without a change of the policy.
//!
//! Part of a decision's input, like grants. Who makes and lifts them lives in the control plane; here they are only held and compared.

use crate::identity::{Acting, Identity};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most stops at a time: each is compared with each request.
pub const MAX_STOPS: usize = 256;

/// One stop, with who made it and why: there is no other record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stop {
    /// Unique; what lifts it.
    pub id: String,
    /// What is stopped.
    pub what: Stopped,
    /// When it was made; it counts from then on.
    pub from: Timestamp,
    /// The first moment it no longer counts.
    pub until: Timestamp,
    /// Why, in the words of whoever made it.
    pub reason: String,
    /// Who made it, as far as the command knows.
    pub by: String,
}

/// What a stop is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Stopped {
    /// Every request in the scope of this name, whoever asks.
    Scope(String),
    /// Whatever this person or program asks for, itself or through somebody, and whatever it asks for on somebody's behalf.
    Subject {
        /// As in identities.
        issuer: String,
        /// As in identities.
        subject: String,
    },
    /// The token with this `jti`.
    TokenId {
        /// As in identities: an id is unique within its issuer.
        issuer: String,
        /// The `jti`.
        id: String,
    },
    /// The issuer's tokens whose `iat` lies before this moment, and those that have none.
    IssuedBefore {
        /// As in identities.
        issuer: String,
        /// The first moment whose tokens go on.
        before: Timestamp,
    },
}

impl Stop {
    /// Whether it counts at this moment.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether it stops an identity, wherever it goes.
    fn stops(&self, identity: &Identity, actor: Option<Acting<'_>>) -> bool {
        let of = |issuer: &str| identity.issuer() == issuer;
        match &self.what {
            Stopped::Scope(_) => false,
            Stopped::Subject { issuer, subject } => {
                let in_person = of(issuer) && identity.subject() == subject;
                // Who acts may be the one that is stopped if nobody can know who acts.
                let acts =
                    |actor: Acting<'_>| !actor.legible || actor.issuer == issuer && actor.subject == Some(subject);
                in_person || actor.is_some_and(acts)
            }
            Stopped::TokenId { issuer, id } => {
                of(issuer) && identity.claims().get("jti").and_then(serde_json::Value::as_str) == Some(id)
            }
            Stopped::IssuedBefore { issuer, before } => {
                let issued = identity.claims().get("iat").and_then(numeric_date);
                of(issuer) && issued.is_none_or(|issued| issued < *before)
            }
        }
    }
}

/// The second in which a NumericDate lies.
fn numeric_date(value: &serde_json::Value) -> Option<Timestamp> {
    let number = value.as_number()?;
    #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, and JSON has no NaN")]
    let seconds = match number.as_i64() {
        Some(seconds) => seconds,
        None => number.as_f64()?.floor() as i64,
    };
    Some(Timestamp::from_unix_seconds(seconds))
}

/// An immutable set of stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopSet {
    stops: Vec<Stop>,
}

impl StopSet {
    /// No stops.
    pub const NONE: &'static Self = &Self { stops: Vec::new() };

    /// A set of these stops, whatever their order.
    #[must_use]
    pub fn new(mut stops: Vec<Stop>) -> Self {
        stops.sort_by(|a, b| a.id.cmp(&b.id));
        Self { stops }
    }

    /// The stops in order of their ids, in force or not.
    #[must_use]
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }

    /// How many count at this moment.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> usize {
        self.stops.iter().filter(|stop| stop.is_in_force(now)).count()
    }

    /// Whether a stop of the scope of this name counts now. Allocates nothing.
    pub(crate) fn stop_scope(&self, name: &str, now: Timestamp) -> bool {
        self.stopped_scopes(now).any(|scope| scope == name)
    }

    /// The names of the scopes whose stops count now. Allocates nothing.
    pub(crate) fn stopped_scopes(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.stops.iter().filter_map(move |stop| match &stop.what {
            Stopped::Scope(scope) if stop.is_in_force(now) => Some(&**scope),
            _ => None,
        })
    }

    /// Whether a stop of this identity counts now. Allocates nothing.
    pub(crate) fn stop_identity(&self, identity: &Identity, actor: Option<Acting<'_>>, now: Timestamp) -> bool {
        self.stops.iter().any(|stop| stop.is_in_force(now) && stop.stops(identity, actor))
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stops.is_empty()
    }
}
