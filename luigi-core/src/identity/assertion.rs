//! Identities that somebody vouches for instead of a signature: tests in a policy, `luigi decide` and `explain`, C callers.
//!
//! The only way to an [`Identity`] besides verification. Its provenance says for good that it was asserted, and by whom. INVARIANT
//! (asserted-by-embedders): nothing that is derived from a request's facts calls [`Identity::assert`]; what HAProxy passes is a token or nothing.

use super::{
    Actor, Completeness, Email, Groups, Identity, IdentityNumber, IssuerTrust, IssuerType, ListFormat, Login,
    Provenance,
};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// An identity in the making; see [`Identity::assert`].
#[derive(Clone, Debug)]
#[must_use = "an assertion is nothing until it is finished"]
pub struct Assertion {
    identity: Identity,
}

impl Identity {
    /// Begins an identity that `by` vouches for, without a signature.
    ///
    /// `by` is what the decision's record will show: `policy-test`, `command-line`, the name of an embedder. Groups are none, and complete; all
    /// else is absent until said.
    ///
    /// ```
    /// use luigi_core::identity::{Completeness, Groups, Identity, Provenance};
    /// use luigi_core::time::Timestamp;
    ///
    /// let tomorrow = Timestamp::from_unix_seconds(1_772_528_400);
    /// let ada = Identity::assert("policy-test", "https://id.example.com", "ada", tomorrow)
    ///     .groups(Groups::new(vec!["billing".into()], Completeness::Complete))
    ///     .finish();
    /// assert!(ada.groups().contains("billing"));
    /// assert_eq!(*ada.provenance(), Provenance::Asserted { by: "policy-test".into() });
    /// ```
    pub fn assert(by: &str, issuer: &str, subject: &str, expires_at: Timestamp) -> Assertion {
        Assertion {
            identity: Self {
                issuer: issuer.into(),
                subject: subject.into(),
                email: None,
                kind: None,
                groups: Groups::new(Vec::new(), Completeness::Complete),
                claims: Map::new(),
                expires_at,
                login: Login::default(),
                actor: None,
                provenance: Provenance::Asserted { by: by.into() },
                number: IdentityNumber::NOBODY,
            },
        }
    }
}

impl Assertion {
    /// The groups: values as in tokens, not the aliases of a policy.
    pub fn groups(mut self, groups: Groups) -> Self {
        self.identity.groups = groups;
        self
    }

    /// The e-mail address.
    pub fn email(mut self, email: Email) -> Self {
        self.identity.email = Some(email);
        self
    }

    /// The kind of subject.
    pub fn kind(mut self, kind: &str) -> Self {
        self.identity.kind = Some(kind.into());
        self
    }

    /// The claims that predicates on claims see. Nothing else of the identity is derived from them.
    pub fn claims(mut self, claims: Map<String, Value>) -> Self {
        self.identity.claims = claims;
        self
    }

    /// How and when the subject logged in.
    pub fn login(mut self, login: Login) -> Self {
        self.identity.login = login;
        self
    }

    /// Who acts on the subject's behalf.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.identity.actor = Some(actor);
        self
    }

    /// Adds the claims that a token of the issuer would have for all that was said so far, unless the claims say something else there.
    pub fn with_token_claims(mut self, trust: &IssuerTrust) -> Self {
        let Identity { subject, email, kind, groups, login, claims, .. } = &mut self.identity;
        let mut claim = |path: &[String], value: Value| insert(claims, path, value);
        let name = |name: &str| [name.to_owned()];
        let iss = match &trust.issuer_type {
            IssuerType::Oidc => Some(&trust.url),
            IssuerType::Spiffe { iss, .. } => iss.as_ref(),
        };
        if let Some(iss) = iss {
            claim(&name("iss"), iss.as_str().into());
        }
        claim(&trust.claims.subject, subject.as_ref().into());
        if let Some(email) = email {
            claim(&trust.claims.email, email.address.as_ref().into());
            if let Some(verified) = email.verified {
                claim(&name("email_verified"), verified.into());
            }
        }
        let groups: Vec<&str> = groups.names().iter().map(AsRef::as_ref).collect();
        if !groups.is_empty() {
            let value = match trust.claims.groups_format {
                ListFormat::Array => groups.iter().copied().collect(),
                ListFormat::Words => groups.join(" ").into(),
            };
            claim(&trust.claims.groups, value);
        }
        if let (Some(at), Some(kind)) = (&trust.claims.kind, kind) {
            claim(at, kind.as_ref().into());
        }
        if let Some(at) = login.auth_time {
            claim(&name("auth_time"), at.unix_seconds().into());
        }
        if let Some(acr) = &login.acr {
            claim(&name("acr"), acr.as_ref().into());
        }
        if let Some(amr) = &login.amr {
            claim(&name("amr"), amr.iter().map(AsRef::as_ref).collect());
        }
        self
    }

    /// The identity.
    #[must_use]
    pub fn finish(self) -> Identity {
        Identity { number: IdentityNumber::next(), ..self.identity }
    }
}

/// Puts a claim at the end of a path, unless something else stands there or on the way.
fn insert(claims: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            claims.entry(name.as_str()).or_insert(value);
        }
        [name, rest @ ..] => {
            if let Value::Object(inner) = claims.entry(name.as_str()).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, value);
            }
        }
    }
}
