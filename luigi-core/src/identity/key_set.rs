//! The public keys of one issuer, read from a JSON Web Key Set (RFC 7517).
//!
//! Each key says for itself which algorithms it may verify, from `kty`, `crv` and `alg`; a token can only choose among those.
//! What cannot be used is left out and reported with its place and reason. Nothing is fetched here, and private keys are refused: they have
//! no business where tokens are verified.

use super::{Algorithm, json};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;

/// The longest key set that is read, in bytes.
pub const MAX_KEY_SET_BYTES: usize = 64 * 1024;

/// The most keys that a set may hold, usable or not.
pub const MAX_KEYS: usize = 32;

/// The shortest RSA modulus, in bits.
const MIN_RSA_BITS: usize = 2048;

/// The longest RSA modulus, in bits: what *ring* verifies, and enough to bound the work per token.
const MAX_RSA_BITS: usize = 8192;

/// The shortest secret for HS256, in bytes (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The usable keys of one issuer. Immutable; share it in an [`Arc`].
#[derive(Clone, Debug)]
pub struct KeySet {
    /// INVARIANT (distinct-kids): no two have the same `kid`; never empty.
    keys: Vec<Arc<Key>>,
    unusable: Vec<UnusableKey>,
}

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// Keys that cannot be used (other types and curves, `use` other than `sig` and `jwt-svid`, too short, private) are left out and listed
    /// in [`KeySet::unusable`].
    ///
    /// # Errors
    /// If the text is longer than [`MAX_KEY_SET_BYTES`], is not an object with an array `keys`, repeats a member name, has more than
    /// [`MAX_KEYS`] keys, has two different usable keys under one `kid`, or has no usable key.
    pub fn from_jwks(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > MAX_KEY_SET_BYTES {
            return Err(KeySetError::new(KeySetErrorKind::TooLong(text.len())));
        }
        let set = json::value(text).map_err(|error| KeySetError::new(KeySetErrorKind::NotJson(error)))?;
        let Some(Value::Array(entries)) = set.get("keys") else {
            return Err(KeySetError::new(KeySetErrorKind::NotAKeySet));
        };
        if entries.len() > MAX_KEYS {
            return Err(KeySetError::new(KeySetErrorKind::TooManyKeys(entries.len())));
        }
        let mut keys: Vec<Arc<Key>> = Vec::new();
        let mut unusable = Vec::new();
        let mut repeated = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let kid = entry.get("kid").and_then(Value::as_str).map(str::to_owned);
            match Key::from_jwk(entry) {
                Ok(key) if keys.iter().any(|held| **held == key) => {
                    unusable.push(UnusableKey { index, kid, reason: "it stands in the set before".to_owned() });
                }
                Ok(key) if key.kid.is_some() && keys.iter().any(|held| held.kid == key.kid) => {
                    repeated.push(UnusableKey { index, kid, reason: "its `kid` is that of another key".to_owned() });
                }
                Ok(key) => keys.push(Arc::new(key)),
                Err(reason) => unusable.push(UnusableKey { index, kid, reason }),
            }
        }
        if !repeated.is_empty() {
            return Err(KeySetError { kind: Box::new(KeySetErrorKind::RepeatedKeyId), unusable: repeated });
        }
        if keys.is_empty() {
            return Err(KeySetError { kind: Box::new(KeySetErrorKind::NoUsableKey), unusable });
        }
        Ok(Self { keys, unusable })
    }

    /// How many usable keys there are; at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a set without a usable key is not made")]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that were left out, in order.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }

    /// How many may have signed tokens of issuers whose keys have this use.
    pub(super) fn len_for(&self, key_use: KeyUse) -> usize {
        self.keys.iter().filter(|key| key.key_use == key_use).count()
    }

    /// How many of its keys others do not have.
    pub(super) fn len_without(&self, others: &Self) -> usize {
        self.keys.iter().filter(|key| !others.holds(key)).count()
    }

    pub(super) fn holds(&self, key: &Key) -> bool {
        self.keys.iter().any(|held| **held == *key)
    }

    /// The key of this use that a token means: the one with its `kid`; without a `kid`, the only one that may verify `algorithm`.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm, key_use: KeyUse) -> Option<&Arc<Key>> {
        let mut of_use = self.keys.iter().filter(|key| key.key_use == key_use);
        if kid.is_some() {
            return of_use.find(|key| key.kid.as_deref() == kid);
        }
        let mut fitting = of_use.filter(|key| key.may_verify(algorithm));
        let only = fitting.next()?;
        fitting.next().is_none().then_some(only)
    }
}

/// A key that was left out of a [`KeySet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableKey {
    /// Its place in the array `keys`, from 0.
    pub index: usize,
    /// Its `kid`, if it has one.
    pub kid: Option<String>,
    /// Why it is not used: lower case, one line, no period.
    pub reason: String,
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        if let Some(kid) = &self.kid {
            write!(f, " (`{}`)", kid.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why a key set was not read.
#[derive(Debug)]
pub struct KeySetError {
    kind: Box<KeySetErrorKind>,
    unusable: Vec<UnusableKey>,
}

#[derive(Debug)]
enum KeySetErrorKind {
    TooLong(usize),
    NotJson(serde_json::Error),
    NotAKeySet,
    TooManyKeys(usize),
    RepeatedKeyId,
    NoUsableKey,
}

impl KeySetError {
    fn new(kind: KeySetErrorKind) -> Self {
        Self { kind: Box::new(kind), unusable: Vec::new() }
    }

    /// The keys that are to blame, in order; empty if the set as a whole is.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match *self.kind {
            KeySetErrorKind::TooLong(_) | KeySetErrorKind::TooManyKeys(_) => {
                "leave out the keys that sign no tokens for this host"
            }
            KeySetErrorKind::NotJson(_) | KeySetErrorKind::NotAKeySet => {
                "fetch it from the `jwks_uri` of the issuer's /.well-known/openid-configuration"
            }
            KeySetErrorKind::RepeatedKeyId => {
                "give each key a `kid` of its own: which one a token means must be certain"
            }
            KeySetErrorKind::NoUsableKey => {
                "a usable key is public, for signatures, and one of RSA (2048 bits or more), P-256, P-384 or Ed25519"
            }
        }
    }
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            KeySetErrorKind::TooLong(bytes) => {
                write!(f, "the key set has {bytes} bytes, more than {MAX_KEY_SET_BYTES}")?;
            }
            KeySetErrorKind::NotJson(error) => write!(f, "the key set is not JSON: {error}")?,
            KeySetErrorKind::NotAKeySet => f.write_str("the key set is not an object with an array `keys`")?,
            KeySetErrorKind::TooManyKeys(keys) => write!(f, "the key set has {keys} keys, more than {MAX_KEYS}")?,
            KeySetErrorKind::RepeatedKeyId => f.write_str("two keys of the set have the same `kid`")?,
            KeySetErrorKind::NoUsableKey => f.write_str("the key set has no usable key")?,
        }
        for (nth, key) in self.unusable.iter().enumerate() {
            write!(f, "{} {key}", if nth == 0 { ";" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for KeySetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.kind {
            KeySetErrorKind::NotJson(error) => Some(error),
            _ => None,
        }
    }
}

/// What a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// `sig` or nothing: tokens of an issuer.
    Signature,
    /// `jwt-svid`: the JWT-SVIDs of a trust domain, and nothing else of its bundle.
    JwtSvid,
}

/// One usable key.
pub(super) struct Key {
    key_use: KeyUse,
    pub(super) kid: Option<Box<str>>,
    /// Restricts what the material could verify to one algorithm.
    algorithm: Option<Algorithm>,
    material: Material,
    pub(super) decoding: DecodingKey,
}

#[derive(PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.key_use == other.key_use
            && self.algorithm == other.algorithm
            && self.material == other.material
    }
}

/// Without the material, which may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn may_verify(&self, algorithm: Algorithm) -> bool {
        self.algorithm.is_none_or(|only| only == algorithm) && self.material.algorithms().contains(&algorithm)
    }

    /// Reads one entry, or says in a few words why it cannot be used.
    fn from_jwk(entry: &Value) -> Result<Self, String> {
        let Value::Object(jwk) = entry else { return Err("it is not an object".to_owned()) };
        if let Some(member) = ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().find(|name| jwk.contains_key(**name)) {
            return Err(format!("it is a private key: it has a member `{member}`"));
        }
        let key_use = match text(jwk, "use")? {
            None | Some("sig") => KeyUse::Signature,
            Some("jwt-svid") => KeyUse::JwtSvid,
            Some(_) => return Err("its `use` is neither `sig` nor `jwt-svid`".to_owned()),
        };
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().ok_or("its `key_ops` is not an array")?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err("its `key_ops` do not hold `verify`".to_owned());
            }
        }
        let material = Material::from_jwk(jwk)?;
        let algorithm = match text(jwk, "alg")? {
            None => None,
            Some(name) => {
                let fitting = material.algorithms().iter().find(|algorithm| algorithm.as_str() == name);
                Some(*fitting.ok_or_else(|| format!("its `alg` of `{}` does not fit", name.escape_debug()))?)
            }
        };
        let kid = text(jwk, "kid")?.map(Into::into);
        let decoding = material.decoding_key();
        Ok(Self { key_use, kid, algorithm, material, decoding })
    }
}

impl Material {
    /// The algorithms that this kind of key can verify, of those that Luigi accepts at all.
    fn algorithms(&self) -> &'static [Algorithm] {
        match self {
            Self::Rsa { .. } => &[Algorithm::RS256, Algorithm::PS256],
            Self::P256(_) => &[Algorithm::ES256],
            Self::P384(_) => &[Algorithm::ES384],
            Self::Ed25519(_) => &[Algorithm::EdDSA],
            Self::Secret(_) => &[Algorithm::HS256],
        }
    }

    fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, String> {
        let curve = |name| text(jwk, name).and_then(|value| value.ok_or_else(|| format!("it has no `{name}`")));
        match text(jwk, "kty")?.ok_or("it has no `kty`")? {
            "RSA" => Self::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?),
            "EC" => match curve("crv")? {
                "P-256" => Ok(Self::P256(point(jwk, 32)?)),
                "P-384" => Ok(Self::P384(point(jwk, 48)?)),
                other => Err(format!("its `crv` of `{}` is not P-256 or P-384", other.escape_debug())),
            },
            "OKP" => match curve("crv")? {
                "Ed25519" => Ok(Self::Ed25519(exactly(jwk, "x", 32)?)),
                other => Err(format!("its `crv` of `{}` is not Ed25519", other.escape_debug())),
            },
            "oct" => {
                let secret = bytes(jwk, "k")?;
                if secret.len() < MIN_SECRET_BYTES {
                    return Err(format!("its secret has fewer than {MIN_SECRET_BYTES} bytes"));
                }
                Ok(Self::Secret(secret))
            }
            other => Err(format!("its `kty` of `{}` is not RSA, EC, OKP or oct", other.escape_debug())),
        }
    }

    fn rsa(n: &[u8], e: &[u8]) -> Result<Self, String> {
        // RFC 7518 forbids leading zeros, but it also says that they are seen.
        let n = &n[n.iter().take_while(|byte| **byte == 0).count()..];
        let e = &e[e.iter().take_while(|byte| **byte == 0).count()..];
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if bits < MIN_RSA_BITS {
            return Err(format!("its modulus has {bits} bits, fewer than {MIN_RSA_BITS}"));
        }
        if bits > MAX_RSA_BITS {
            return Err(format!("its modulus has {bits} bits, more than {MAX_RSA_BITS}"));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !odd(n) {
            return Err("its modulus is even".to_owned());
        }
        // Four bytes hold every exponent in use and bound the work per token.
        if !odd(e) || e == [1] || e.len() > 4 {
            return Err("its exponent is not an odd number from 3 to 2^32".to_owned());
        }
        Ok(Self::Rsa { n: n.to_vec(), e: e.to_vec() })
    }

    fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
            Self::P256(point) | Self::P384(point) => DecodingKey::from_ec_der(point),
            Self::Ed25519(x) => DecodingKey::from_ed_der(x),
            Self::Secret(secret) => DecodingKey::from_secret(secret),
        }
    }
}

/// A member that must be a string if it is there.
fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    jwk.get(name).map(|value| value.as_str().ok_or_else(|| format!("its `{name}` is not a string"))).transpose()
}

/// A member that must be there, in base64url without padding.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let encoded = text(jwk, name)?.ok_or_else(|| format!("it has no `{name}`"))?;
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| format!("its `{name}` is not base64url without padding"))
}

fn exactly(jwk: &Map<String, Value>, name: &str, length: usize) -> Result<Vec<u8>, String> {
    let value = bytes(jwk, name)?;
    if value.len() != length {
        return Err(format!("its `{name}` has {} bytes, not {length}", value.len()));
    }
    Ok(value)
}

/// An uncompressed point (SEC 1, section 2.3.3).
fn point(jwk: &Map<String, Value>, length: usize) -> Result<Vec<u8>, String> {
    Ok([&[4], exactly(jwk, "x", length)?.as_slice(), exactly(jwk, "y", length)?.as_slice()].concat())
}
