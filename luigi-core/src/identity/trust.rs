//! Whom to believe: the issuers of a policy with the keys they have now.
//!
//! Immutable: a new policy or a new key set makes a new [`Trust`]. What was verified under an old one is judged by content, so a
//! swap that leaves an issuer and a key as they were costs their tokens nothing.

use super::key_set::{Key, KeySet, KeyUse};
use super::{Algorithm, IssuerTrust, IssuerType, MAX_LEEWAY_SECONDS, trust_domain_of};
use jsonwebtoken::Validation;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// The issuers whose tokens are believed, with their keys. Immutable; share it in an [`Arc`].
#[derive(Debug)]
pub struct Trust {
    issuers: Vec<TrustedIssuer>,
    /// Tells this trust from every other one that is alive; a cache holds a copy, so the address is not used again meanwhile.
    id: Arc<TrustId>,
}

/// A byte, so that it has an address of its own.
#[derive(Debug)]
pub(super) struct TrustId {
    _address: u8,
}

/// One issuer for [`Trust::new`].
#[derive(Clone, Debug)]
pub struct IssuerKeys {
    /// The name that rules use.
    pub name: String,
    /// What verification depends on.
    pub trust: IssuerTrust,
    /// Its keys; with `None` its tokens are refused as [`super::InvalidCredential::KeysUnavailable`].
    pub keys: Option<Arc<KeySet>>,
}

#[derive(Debug)]
pub(super) struct TrustedIssuer {
    name: String,
    pub(super) trust: Arc<IssuerTrust>,
    pub(super) keys: Option<Arc<KeySet>>,
    /// One for each accepted algorithm, made once.
    validations: Vec<(Algorithm, Validation)>,
}

/// What a verified token rests on; once any of it is gone, so is the identity.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    pub(super) trust: Arc<IssuerTrust>,
    pub(super) key: Arc<Key>,
}

impl Trust {
    /// Trust in these issuers.
    ///
    /// # Errors
    /// If two issuers have one URL, or an issuer has no audience, no algorithm, or a leeway above [`MAX_LEEWAY_SECONDS`]: a policy
    /// that was checked has none of these.
    pub fn new(issuers: Vec<IssuerKeys>) -> Result<Self, TrustError> {
        let mut trusted: Vec<TrustedIssuer> = Vec::with_capacity(issuers.len());
        for IssuerKeys { name, trust, keys } in issuers {
            let refuse = |problem| Err(TrustError { issuer: name.clone(), problem });
            if trusted.iter().any(|other| other.trust.url == trust.url) {
                return refuse("its URL is that of another issuer");
            }
            if trust.url.is_empty() {
                return refuse("it has no URL");
            }
            if trust.audiences.is_empty() {
                return refuse("it has no audiences");
            }
            if trust.algorithms.is_empty() {
                return refuse("it has no algorithms");
            }
            if trust.leeway_seconds > MAX_LEEWAY_SECONDS {
                return refuse("its leeway is longer than five minutes");
            }
            let iss_of = |trust: &IssuerTrust| trust.iss().map(str::to_owned);
            if iss_of(&trust).is_some() && trusted.iter().any(|other| iss_of(&other.trust) == iss_of(&trust)) {
                return refuse("its `iss` is that of another issuer");
            }
            if keys.as_ref().is_some_and(|keys| keys.len_for(trust.key_use()) == 0) {
                return refuse(match trust.key_use() {
                    KeyUse::Signature => "none of its keys is for signatures of tokens in general",
                    KeyUse::JwtSvid => "none of its keys has the `use` of `jwt-svid`",
                });
            }
            let validations = trust.algorithms.iter().map(|algorithm| (*algorithm, validation(&trust, *algorithm)));
            let validations = validations.collect();
            trusted.push(TrustedIssuer { name, trust: Arc::new(trust), keys, validations });
        }
        Ok(Self { issuers: trusted, id: Arc::new(TrustId { _address: 0 }) })
    }

    /// Trust in nobody: every token is invalid.
    #[must_use]
    pub fn nobody() -> Self {
        Self { issuers: Vec::new(), id: Arc::new(TrustId { _address: 0 }) }
    }

    /// The name of each issuer, in the order given, and how many usable keys it has; `None` if none were loaded.
    pub fn issuers(&self) -> impl Iterator<Item = (&str, Option<usize>)> {
        self.issuers.iter().map(|issuer| {
            let keys = issuer.keys.as_ref().map(|keys| keys.len_for(issuer.trust.key_use()));
            (issuer.name.as_str(), keys)
        })
    }

    /// The issuers that both have, by URL, whose keys are not the same: the name, how many keys only `new` has, how many it has no more.
    pub fn changed_keys<'t>(&'t self, new: &'t Self) -> impl Iterator<Item = (&'t str, usize, usize)> {
        let pairs = new.issuers.iter().filter_map(|issuer| Some((issuer, self.issuer(&issuer.trust.url)?)));
        let counts = pairs.map(|(new, old)| {
            let without = |keys: &Option<Arc<KeySet>>, others: &Option<Arc<KeySet>>| match (keys, others) {
                (None, _) => 0,
                (Some(keys), None) => keys.len(),
                (Some(keys), Some(others)) => keys.len_without(others),
            };
            (new.name.as_str(), without(&new.keys, &old.keys), without(&old.keys, &new.keys))
        });
        counts.filter(|(_, added, gone)| added + gone > 0)
    }

    pub(super) fn id(&self) -> &Arc<TrustId> {
        &self.id
    }

    /// Whose token this would be: that of the issuer whose `iss` it has, else of the trust domain of its `sub` if that does not ask for an `iss`.
    pub(super) fn issuer_of(&self, claims: &Map<String, Value>) -> Option<&TrustedIssuer> {
        if let Some(iss) = claims.get("iss").and_then(Value::as_str)
            && let Some(named) = self.issuers.iter().find(|issuer| issuer.trust.iss() == Some(iss))
        {
            return Some(named);
        }
        let domain = claims.get("sub").and_then(Value::as_str).and_then(trust_domain_of)?;
        self.issuers.iter().find(|issuer| match &issuer.trust.issuer_type {
            IssuerType::Spiffe { trust_domain, iss: None } => trust_domain == domain,
            IssuerType::Spiffe { iss: Some(_), .. } | IssuerType::Oidc => false,
        })
    }

    fn issuer(&self, url: &str) -> Option<&TrustedIssuer> {
        self.issuers.iter().find(|issuer| issuer.trust.url == url)
    }

    /// Whether issuer and key are still here, unchanged.
    pub(super) fn upholds(&self, basis: &Basis) -> bool {
        self.issuer(&basis.trust.url).is_some_and(|issuer| {
            issuer.trust == basis.trust && issuer.keys.as_ref().is_some_and(|keys| keys.holds(&basis.key))
        })
    }
}

impl TrustedIssuer {
    pub(super) fn validation(&self, algorithm: Algorithm) -> Option<&Validation> {
        self.validations.iter().find(|(accepted, _)| *accepted == algorithm).map(|(_, validation)| validation)
    }
}

/// What `jsonwebtoken` checks for us: the signature under exactly one algorithm, issuer and audience. Not the times, for which it would
/// read the clock.
fn validation(trust: &IssuerTrust, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.to_jsonwebtoken());
    let mut required = Vec::new();
    if let Some(iss) = trust.iss() {
        required.push("iss");
        validation.set_issuer(&[iss]);
    }
    // Where another claim stands for the audience it is checked with the other claims.
    validation.validate_aud = trust.has_plain_audience();
    if validation.validate_aud {
        required.push("aud");
        validation.set_audience(&trust.audiences);
    }
    validation.set_required_spec_claims(&required);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

impl IssuerTrust {
    /// What `iss` must be, if it matters.
    fn iss(&self) -> Option<&str> {
        match &self.issuer_type {
            IssuerType::Oidc => Some(&self.url),
            IssuerType::Spiffe { iss, .. } => iss.as_deref(),
        }
    }

    /// Which keys may have signed the issuer's tokens.
    pub(super) fn key_use(&self) -> KeyUse {
        match self.issuer_type {
            IssuerType::Oidc => KeyUse::Signature,
            IssuerType::Spiffe { .. } => KeyUse::JwtSvid,
        }
    }

    pub(super) fn has_plain_audience(&self) -> bool {
        matches!(&self.claims.audience[..], [only] if only == "aud")
    }
}

impl Algorithm {
    fn to_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::PS256 => jsonwebtoken::Algorithm::PS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::ES384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
            Self::HS256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

/// Why issuers cannot be trusted as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError {
    issuer: String,
    problem: &'static str,
}

impl TrustError {
    /// The name of the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issuer `{}` cannot be trusted: {}", self.issuer.escape_debug(), self.problem)
    }
}

impl std::error::Error for TrustError {}
