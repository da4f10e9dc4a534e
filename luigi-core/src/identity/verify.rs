//! From the bytes of a bearer token to an identity, or to the one reason why not.
//!
//! In two steps, because they differ in cost: [`Trust::examine`] reads the token and finds the only key and algorithm that could have
//! signed it, [`Examined::verify`] does the public-key arithmetic and reads the claims. Neither knows the time; a token that is genuine has a
//! [`Validity`], which is compared with the moment of each request. What a token says about itself is used before its signature
//! is verified for one purpose only: to choose among the keys that the policy trusts.
//!
//! Follows RFC 7515, RFC 7519 and RFC 8725. The order of the checks is that of [`InvalidCredential::ALL`].

use super::claims::{self, Validity};
use super::key_set::Key;
use super::trust::{Basis, Trust, TrustedIssuer};
use super::{
    Algorithm, Identity, InvalidCredential, IssuerTrust, IssuerType, MAX_TOKEN_BYTES, Provenance, crypto, json,
};
use crate::time::Timestamp;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::errors::ErrorKind;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// Headers that bring keys of the sender's choice, change how the token is read, or demand what is not understood here.
const FORBIDDEN_HEADERS: [&str; 8] = ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"];

/// Token types that are accepted from an issuer that lists none, besides a missing `typ`.
const DEFAULT_TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Likewise for JWT-SVIDs, section 2.3.
const SPIFFE_TYPES: [&str; 2] = ["jwt", "jose"];

/// Why a token makes no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialError {
    /// Genuine, but its time is over.
    Expired,
    /// Not to be believed.
    Invalid(InvalidCredential),
}

impl CredentialError {
    /// The stable code, as in logs: `expired`, or that of the reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Invalid(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the token has expired"),
            Self::Invalid(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for CredentialError {}

impl From<InvalidCredential> for CredentialError {
    fn from(reason: InvalidCredential) -> Self {
        Self::Invalid(reason)
    }
}

/// A token that one key may have signed. Nothing is verified yet.
#[derive(Debug)]
pub(super) struct Examined<'a> {
    token: &'a [u8],
    issuer: &'a TrustedIssuer,
    key: &'a Arc<Key>,
    algorithm: Algorithm,
    claims: Map<String, Value>,
}

/// A token whose signature, issuer and audience are right, whatever the time.
#[derive(Debug)]
pub(super) struct Genuine {
    pub(super) identity: Identity,
    pub(super) validity: Validity,
    pub(super) basis: Basis,
}

impl Trust {
    /// Verifies a token, in the compact serialisation of RFC 7515, as of `now`.
    ///
    /// Costs a signature verification each time; requests go through [`super::TokenCache`].
    ///
    /// # Errors
    /// [`CredentialError::Expired`] if everything about the token is right but its time is over: `now >= exp + leeway`;
    /// [`CredentialError::Invalid`] with the first reason, in the order of [`InvalidCredential::ALL`], for everything else.
    pub fn verify(&self, token: &[u8], now: Timestamp) -> Result<Identity, CredentialError> {
        let genuine = self.examine(token)?.verify()?;
        genuine.validity.check(now)?;
        Ok(genuine.identity)
    }

    /// Everything that can be said without arithmetic.
    pub(super) fn examine<'a>(&'a self, token: &'a [u8]) -> Result<Examined<'a>, InvalidCredential> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidCredential::TooLong);
        }
        let mut parts = token.split(|byte| *byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCredential::Malformed);
        };
        let header = Header::read(&part(header)?)?;
        let claims = json::object(&part(payload)?).ok_or(InvalidCredential::Malformed)?;
        part(signature)?;

        let issuer = self.issuer_of(&claims).ok_or(InvalidCredential::UnknownIssuer)?;
        header.check_type(&issuer.trust)?;
        let algorithm = issuer.trust.algorithms.iter().copied().find(|accepted| accepted.as_str() == header.algorithm);
        let algorithm = algorithm.ok_or(InvalidCredential::AlgorithmNotAllowed)?;
        let keys = issuer.keys.as_ref().ok_or(InvalidCredential::KeysUnavailable)?;
        let key =
            keys.find(header.kid.as_deref(), algorithm, issuer.trust.key_use()).ok_or(InvalidCredential::UnknownKey)?;
        if !key.may_verify(algorithm) {
            return Err(InvalidCredential::AlgorithmNotAllowed);
        }
        // `jsonwebtoken` gives types to headers that nothing here reads; what it will not read costs no signature.
        jsonwebtoken::decode_header(token).map_err(|_| InvalidCredential::Malformed)?;
        Ok(Examined { token, issuer, key, algorithm, claims })
    }
}

impl Examined<'_> {
    /// Verifies the signature, then reads the claims.
    pub(super) fn verify(self) -> Result<Genuine, InvalidCredential> {
        crypto::ensure_provider();
        let validation = self.issuer.validation(self.algorithm).ok_or(InvalidCredential::AlgorithmNotAllowed)?;
        jsonwebtoken::decode::<IgnoredAny>(self.token, &self.key.decoding, validation)
            .map_err(|error| reason(error.kind()))?;
        claims::check_audience(&self.issuer.trust, &self.claims)?;
        let provenance = Provenance::Verified { key: self.key.kid.clone(), algorithm: self.algorithm.as_str() };
        let (identity, validity) = claims::identity(&self.issuer.trust, self.claims, provenance)?;
        let basis = Basis { trust: Arc::clone(&self.issuer.trust), key: Arc::clone(self.key) };
        Ok(Genuine { identity, validity, basis })
    }
}

/// What `jsonwebtoken` refuses, in our words. Its enum grows, so what is new to us counts as a bad signature: never as accepted.
fn reason(kind: &ErrorKind) -> InvalidCredential {
    match kind {
        ErrorKind::InvalidAudience => InvalidCredential::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => InvalidCredential::WrongAudience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidIssuer => InvalidCredential::UnknownIssuer,
        // The payload is JSON, and the signature is right: `exp`, `nbf` or `sub` is a list or an object, which it stops at.
        ErrorKind::Json(_) => InvalidCredential::MissingClaim,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => InvalidCredential::Malformed,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm | ErrorKind::UnsupportedAlgorithm => {
            InvalidCredential::AlgorithmNotAllowed
        }
        _ => InvalidCredential::BadSignature,
    }
}

/// One part of a token: base64url in its only canonical form, without padding, white space or stray bits.
fn part(encoded: &[u8]) -> Result<Vec<u8>, InvalidCredential> {
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidCredential::Malformed)
}

/// The members of a JOSE header that verification depends on.
struct Header {
    algorithm: String,
    kid: Option<String>,
    token_type: Option<String>,
}

impl Header {
    fn read(text: &[u8]) -> Result<Self, InvalidCredential> {
        let mut members = json::object(text).ok_or(InvalidCredential::Malformed)?;
        if FORBIDDEN_HEADERS.iter().any(|name| members.contains_key(*name)) {
            return Err(InvalidCredential::ForbiddenHeader);
        }
        let mut string = |name| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(_) => Err(InvalidCredential::Malformed),
        };
        Ok(Self {
            algorithm: string("alg")?.ok_or(InvalidCredential::Malformed)?,
            kid: string("kid")?,
            token_type: string("typ")?,
        })
    }

    /// Media types compare without regard to case, and `application/` may be left out (RFC 7515, section 4.1.9).
    fn check_type(&self, trust: &IssuerTrust) -> Result<(), InvalidCredential> {
        let accepted = &trust.token_types;
        let default = match trust.issuer_type {
            IssuerType::Oidc => DEFAULT_TYPES,
            IssuerType::Spiffe { .. } => SPIFFE_TYPES,
        };
        let name = self.token_type.as_deref().map(str::to_ascii_lowercase);
        let name = name.as_deref().map(|name| name.strip_prefix("application/").unwrap_or(name));
        let fits = match name {
            None => accepted.is_empty(),
            Some(name) if accepted.is_empty() => default.contains(&name),
            Some(name) => accepted.iter().any(|accepted| accepted == name),
        };
        if fits { Ok(()) } else { Err(InvalidCredential::TypeNotAllowed) }
    }
}
