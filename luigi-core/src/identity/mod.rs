//! Who asks: verified subjects and how they come to be.
//!
//! An [`Identity`] is built by verification of a token, or by an explicitly trusted assertion whose provenance stays
//! with it; nothing that HAProxy passes as a fact can build one. The result does not depend on the rules of a policy, only on
//! the issuers it trusts and their keys.

mod actor;
mod assertion;
mod certificate;
mod claims;
mod credential;
mod crypto;
mod json;
mod key_set;
mod spiffe;
mod token_cache;
mod trust;
mod verify;

pub use actor::{Acting, Actor};
pub use assertion::Assertion;
pub use certificate::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
pub use credential::{Authorization, credential};
pub use key_set::{KeySet, KeySetError, MAX_KEY_SET_BYTES, MAX_KEYS, UnusableKey};
pub use spiffe::{is_trust_domain, trust_domain_of};
pub use token_cache::{TokenCache, TokenCacheCounts, TokenCacheLimits};
pub use trust::{IssuerKeys, Trust, TrustError};
pub use verify::CredentialError;

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// A person or program behind a request, as its issuer vouches for it. Immutable once built.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The issuer, byte for byte as in the token's `iss`.
    pub(crate) issuer: Box<str>,
    /// The subject, unique within the issuer.
    pub(crate) subject: Box<str>,
    pub(crate) email: Option<Email>,
    /// `user`, `service` or whatever the issuer's claim or declaration says.
    pub(crate) kind: Option<Box<str>>,
    pub(crate) groups: Groups,
    /// Every claim of the token, for predicates on claims.
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
    /// The first moment at which the identity no longer counts, leeway not included.
    pub(crate) expires_at: Timestamp,
    pub(crate) login: Login,
    /// Who acts on the subject's behalf: the outermost `act` (RFC 8693).
    pub(crate) actor: Option<Actor>,
    pub(crate) provenance: Provenance,
    pub(crate) number: IdentityNumber,
}

/// Tells an identity from every other one of the process but its clones, so that what was found out about it can be remembered. All are equal: two identities
/// are what is said of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdentityNumber(u64);

/// The number of the next identity.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(IdentityNumber::NOBODY.0 + 1);

impl IdentityNumber {
    /// The number of no identity.
    pub(crate) const NOBODY: Self = Self(0);

    /// A number that no identity had before.
    pub(crate) fn next() -> Self {
        Self(NEXT_NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl PartialEq for IdentityNumber {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An e-mail address and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// As in the token.
    pub address: Box<str>,
    /// `email_verified` if it is a boolean; else, if the issuer is declared trustworthy for e-mails and `email_verified` is missing or the
    /// string `true`, `Some(true)`; else `None`.
    pub verified: Option<bool>,
}

/// The groups of an identity: values as in the token, sorted, without repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    names: Vec<Box<str>>,
    /// `false` if the provider cut the list off (Entra's `_claim_names` or `hasgroups`, for example): absence proves nothing.
    pub(crate) complete: bool,
}

impl Groups {
    /// A complete or cut-off list of group values.
    #[must_use]
    pub fn new(mut names: Vec<Box<str>>, completeness: Completeness) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { names, complete: completeness == Completeness::Complete }
    }

    /// The values, sorted by bytes.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// Whether a group that is not in the list is known not to be a group of the identity.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        if self.complete { Completeness::Complete } else { Completeness::CutOff }
    }

    /// Whether the list holds `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|held| held.as_ref().cmp(name)).is_ok()
    }
}

/// Whether a list of groups is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completeness {
    /// Nothing is missing.
    Complete,
    /// The provider left groups out.
    CutOff,
}

/// How and when the subject logged in (OpenID Connect Core 1.0, section 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// When the subject authenticated.
    pub auth_time: Option<Timestamp>,
    /// The authentication context class.
    pub acr: Option<Box<str>>,
    /// The authentication methods; `None` if the token does not say.
    pub amr: Option<Vec<Box<str>>>,
}

/// Why an identity is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A token's signature was verified.
    Verified {
        /// The `kid` of the key, if it has one.
        key: Option<Box<str>>,
        /// The signature algorithm, as in RFC 7518 and RFC 8037.
        algorithm: &'static str,
    },
    /// Something that the embedder trusts said so: a test, the command line, a C caller.
    Asserted {
        /// Who said so.
        by: Box<str>,
    },
}

impl Identity {
    /// The issuer, byte for byte as in the token's `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject, unique within the issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The e-mail address, verified or not.
    #[must_use]
    pub fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    /// `user`, `service` or whatever the issuer's claim or declaration says.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The claim at the end of a path of names, if it is there.
    #[must_use]
    pub fn claim(&self, path: &[String]) -> Option<&serde_json::Value> {
        claims::find(&self.claims, path)
    }

    /// Every claim, as in the token.
    #[must_use]
    pub fn claims(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.claims
    }

    /// The first moment at which the identity no longer counts, leeway not included.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// How and when the subject logged in.
    #[must_use]
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// Who acts on the subject's behalf, if anyone does.
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// Why the identity is believed.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}

/// The trust placed in one issuer, apart from its keys: everything of a policy that verification depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerTrust {
    /// What says which tokens are the issuer's.
    pub issuer_type: IssuerType,
    /// The issuer identifier: what `iss` must equal byte for byte, or `spiffe://` and the trust domain.
    pub url: String,
    /// `aud`, or the claim that stands for it, must hold one of these; never empty.
    pub audiences: Vec<String>,
    /// Signature algorithms that are accepted; never empty.
    pub algorithms: Vec<Algorithm>,
    /// Values of the `typ` header that are accepted, in lower case without `application/`; empty accepts `jwt`, `at+jwt` and none.
    pub token_types: Vec<String>,
    /// How far clocks may differ, for `exp`, `nbf` and `iat`, in seconds; at most 300.
    pub leeway_seconds: u32,
    /// Whether the issuer's e-mails count without `email_verified`, or with the string `true` in it.
    pub trusts_emails: bool,
    /// The kind of subjects whose token does not say.
    pub kind: Option<String>,
    /// Where claims are found.
    pub claims: ClaimMap,
}

/// What kind of tokens an issuer gives out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerType {
    /// Tokens whose `iss` is the issuer's URL.
    Oidc,
    /// JWT-SVIDs of a SPIFFE trust domain, told by their `sub`.
    Spiffe {
        /// Every `sub` is a SPIFFE ID of this trust domain.
        trust_domain: String,
        /// What `iss` must be; with `None` it is not looked at.
        iss: Option<String>,
    },
}

/// Where an issuer's tokens keep what identities are made of. A path is an array of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimMap {
    /// A string; default `["sub"]`.
    pub subject: Vec<String>,
    /// A string; default `["email"]`.
    pub email: Vec<String>,
    /// An array of strings or a string with `groups_format`; default `["groups"]`.
    pub groups: Vec<String>,
    /// How groups are written; default an array.
    pub groups_format: ListFormat,
    /// A string; none by default.
    pub kind: Option<Vec<String>>,
    /// A string or an array of strings; default `["aud"]`.
    pub audience: Vec<String>,
}

impl Default for ClaimMap {
    fn default() -> Self {
        let path = |name: &str| vec![name.to_owned()];
        Self {
            subject: path("sub"),
            email: path("email"),
            groups: path("groups"),
            groups_format: ListFormat::Array,
            kind: None,
            audience: path("aud"),
        }
    }
}

/// How a claim writes a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListFormat {
    /// A JSON array of strings; a single string is a list of one.
    Array,
    /// A string with names separated by spaces.
    Words,
}

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of the registry")]
pub enum Algorithm {
    RS256,
    PS256,
    ES256,
    ES384,
    EdDSA,
    /// Only with keys that are declared as secrets.
    HS256,
}

impl Algorithm {
    /// What an issuer accepts unless it says otherwise: every asymmetric algorithm.
    pub const DEFAULT: [Self; 5] = [Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDSA];

    /// The name in the registry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
        }
    }
}

/// What a request carries to say who asks, after verification.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    /// None of the configured kinds: subject predicates are false.
    Absent,
    /// Verified and valid now.
    Verified(&'a Identity),
    /// Genuine, but its time is over: subject predicates are unknown.
    Expired,
    /// Not to be believed: subject predicates are unknown.
    Invalid(InvalidCredential),
    /// Present twice: denied before any rule.
    Ambiguous,
    /// Not verified because too many verifications were asked for at once: denied before any rule, worth a retry.
    Deferred,
}

/// Why a credential is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvalidCredential {
    /// Longer than [`MAX_TOKEN_BYTES`]; not read.
    TooLong,
    /// Not three parts of canonical base64url with JSON objects inside, or a member name stands twice, or a header has the wrong type.
    Malformed,
    /// A header that brings keys, changes how the token is read, or demands what is not understood: `crit`, `jku`, `jwk`, `x5u`, `x5c`,
    /// `b64`, `zip`, `enc`.
    ForbiddenHeader,
    /// `iss` is not an issuer of the policy, byte for byte, and `sub` is of none of its trust domains.
    UnknownIssuer,
    /// `typ` is not accepted from this issuer.
    TypeNotAllowed,
    /// `alg` is not accepted from this issuer or for this key; also `none`.
    AlgorithmNotAllowed,
    /// The issuer has no keys at all: none were loaded.
    KeysUnavailable,
    /// No key of the issuer has the token's `kid`; or it has none and not exactly one key fits.
    UnknownKey,
    /// The signature does not verify.
    BadSignature,
    /// `aud` is missing, of the wrong type, or names no audience of ours.
    WrongAudience,
    /// `exp` or the subject is missing or has the wrong type, or `nbf` or `iat` has.
    MissingClaim,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
}

impl InvalidCredential {
    /// Every reason, in the order of the checks.
    pub const ALL: [Self; 12] = [
        Self::TooLong,
        Self::Malformed,
        Self::ForbiddenHeader,
        Self::UnknownIssuer,
        Self::TypeNotAllowed,
        Self::AlgorithmNotAllowed,
        Self::KeysUnavailable,
        Self::UnknownKey,
        Self::BadSignature,
        Self::WrongAudience,
        Self::MissingClaim,
        Self::NotYetValid,
    ];

    /// The stable code, as in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Malformed => "malformed",
            Self::ForbiddenHeader => "forbidden-header",
            Self::UnknownIssuer => "unknown-issuer",
            Self::TypeNotAllowed => "type-not-allowed",
            Self::AlgorithmNotAllowed => "algorithm-not-allowed",
            Self::KeysUnavailable => "keys-unavailable",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::WrongAudience => "wrong-audience",
            Self::MissingClaim => "missing-claim",
            Self::NotYetValid => "not-yet-valid",
        }
    }
}

/// A sentence for logs and explanations; a caller is told no more than `invalid_token`.
impl std::fmt::Display for InvalidCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the token is longer than is read",
            Self::Malformed => "the token is not a signed JSON Web Token",
            Self::ForbiddenHeader => "the token has a header that must not be there",
            Self::UnknownIssuer => "the token's issuer is not one of the policy's",
            Self::TypeNotAllowed => "the token is of a type that is not accepted from its issuer",
            Self::AlgorithmNotAllowed => "the token's algorithm is not accepted from its issuer or for its key",
            Self::KeysUnavailable => "no keys of the token's issuer are loaded",
            Self::UnknownKey => "no key of the token's issuer fits",
            Self::BadSignature => "the token's signature does not verify",
            Self::WrongAudience => "the token is for another audience",
            Self::MissingClaim => "the token lacks a claim that it must have, or has it with the wrong type",
            Self::NotYetValid => "the token is not valid yet",
        })
    }
}

/// The longest token that is read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 12 * 1024;

/// The largest leeway that an issuer may be given, in seconds.
pub const MAX_LEEWAY_SECONDS: u32 = 300;

/// Whether an identity is past its expiry by more than any leeway: whoever hands it on has failed to look at the clock.
pub(crate) fn outlived(identity: &Identity, now: Timestamp) -> bool {
    now >= identity.expires_at.plus_seconds(i64::from(MAX_LEEWAY_SECONDS))
}
