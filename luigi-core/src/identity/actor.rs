//! Who acts on a subject's behalf: the outermost `act` of RFC 8693, section 4.1.
//!
//! An actor is known by what its own claim says and by nothing else: issuer, subject, and the members of the claim. Groups and e-mail addresses of
//! the token are its subject's.

use serde_json::{Map, Value};

/// Who acts on a subject's behalf.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// The issuer that vouches for the actor: its own `iss` if it has one, else the token's.
    pub issuer: Box<str>,
    /// The actor's subject; `None` if the claim has none.
    pub subject: Option<Box<str>>,
    /// The members of the claim, among them the `act` of whoever acted before.
    pub claims: Map<String, Value>,
    /// Whether the claim is an object whose `iss` and `sub` are strings, as far as they are there. If not, somebody acts and nobody can know who.
    pub legible: bool,
}

impl Actor {
    /// An actor of whom issuer and subject are known.
    #[must_use]
    pub fn new(issuer: &str, subject: &str) -> Self {
        Self { issuer: issuer.into(), subject: Some(subject.into()), claims: Map::new(), legible: true }
    }

    /// What a token of `issuer` says under `act`. Whatever it holds, somebody acts.
    #[must_use]
    pub fn from_claim(issuer: &str, act: &Value) -> Self {
        let nobody_knows = || Self { issuer: issuer.into(), subject: None, claims: Map::new(), legible: false };
        let Value::Object(claims) = act else { return nobody_knows() };
        let issuer = match claims.get("iss") {
            None => issuer,
            Some(Value::String(own)) if !own.is_empty() => own,
            Some(_) => return nobody_knows(),
        };
        let subject = match claims.get("sub") {
            None => None,
            Some(Value::String(subject)) if !subject.is_empty() => Some(subject.as_str().into()),
            Some(_) => return nobody_knows(),
        };
        Self { issuer: issuer.into(), subject, claims: claims.clone(), legible: true }
    }

    /// As a decision sees it.
    #[must_use]
    pub fn acting(&self) -> Acting<'_> {
        Acting {
            issuer: &self.issuer,
            subject: self.subject.as_deref(),
            claims: Some(&self.claims),
            legible: self.legible,
        }
    }

    /// Whoever acted before, nearest first, as far as the claim says: for people, since no rule looks at them.
    pub fn before(&self) -> impl Iterator<Item = Self> {
        // RFC 8693: an `act` within `act` is somebody who acted earlier. The depth is that of the JSON text, which is bounded.
        let mut next = self.claims.get("act").map(|act| Self::from_claim(&self.issuer, act));
        std::iter::from_fn(move || {
            let current = next.take()?;
            next = current.claims.get("act").map(|act| Self::from_claim(&current.issuer, act));
            Some(current)
        })
    }
}

/// Who acts in one request, as predicates see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Acting<'a> {
    /// The issuer that vouches for the actor.
    pub issuer: &'a str,
    /// The actor's subject, if it has one.
    pub subject: Option<&'a str>,
    /// What its claim says; `None` if it is no claim that says who acts.
    pub claims: Option<&'a Map<String, Value>>,
    /// Whether it can be known who acts.
    pub legible: bool,
}
