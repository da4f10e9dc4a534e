//! Makes key sets and tokens, good ones and bad ones, for tests, benchmarks and the demonstration.
//!
//! Stands in for the signing half of an identity provider. Independent of the code that verifies: it knows neither
//! `jsonwebtoken` nor Luigi, only *ring* and the formats of RFC 7515 and RFC 7517.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};

/// A key with the algorithm that it signs with.
#[derive(Debug)]
pub struct Signer {
    algorithm: &'static str,
    kid: Option<String>,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>, &'static dyn signature::RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
    Secret(Vec<u8>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Which of the two RSA keys for tests: *ring* cannot make any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaKey {
    /// The usual one.
    First,
    /// Another, for rotations and forgeries.
    Second,
}

impl RsaKey {
    fn pair(self) -> Box<RsaKeyPair> {
        let pkcs8: &[u8] = match self {
            Self::First => include_bytes!("../../luigi-core/tests/keys/rsa-2048-first-test-only.pk8.der"),
            Self::Second => include_bytes!("../../luigi-core/tests/keys/rsa-2048-second-test-only.pk8.der"),
        };
        Box::new(RsaKeyPair::from_pkcs8(pkcs8).expect("the key for tests is well-formed"))
    }
}

impl Signer {
    /// RSA with PKCS #1 v1.5 and SHA-256.
    #[must_use]
    pub fn rs256(kid: &str, key: RsaKey) -> Self {
        Self::new("RS256", kid, Key::Rsa(key.pair(), &signature::RSA_PKCS1_SHA256))
    }

    /// RSA with PSS and SHA-256.
    #[must_use]
    pub fn ps256(kid: &str, key: RsaKey) -> Self {
        Self::new("PS256", kid, Key::Rsa(key.pair(), &signature::RSA_PSS_SHA256))
    }

    /// ECDSA on P-256, with a fresh key.
    #[must_use]
    pub fn es256(kid: &str) -> Self {
        Self::new("ES256", kid, ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    /// ECDSA on P-384, with a fresh key.
    #[must_use]
    pub fn es384(kid: &str) -> Self {
        Self::new("ES384", kid, ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    /// Ed25519, with a fresh key.
    #[must_use]
    pub fn eddsa(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the system has random numbers");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a fresh key is well-formed");
        Self::new("EdDSA", kid, Key::Ed25519(Box::new(pair)))
    }

    /// HMAC with SHA-256 under this secret.
    #[must_use]
    pub fn hs256(kid: &str, secret: &[u8]) -> Self {
        Self::new("HS256", kid, Key::Secret(secret.to_vec()))
    }

    fn new(algorithm: &'static str, kid: &str, key: Key) -> Self {
        Self { algorithm, kid: Some(kid.to_owned()), key }
    }

    /// The same key without a `kid`.
    #[must_use]
    pub fn without_kid(mut self) -> Self {
        self.kid = None;
        self
    }

    /// The public key as a JSON Web Key; a secret as it is.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Rsa(pair, _) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": base64url(&public.n), "e": base64url(&public.e)})
            }
            Key::Ecdsa(pair) => {
                // An uncompressed point: a byte 4, then both coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Key::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref())}),
            Key::Secret(secret) => json!({"kty": "oct", "k": base64url(secret)}),
        };
        jwk["alg"] = self.algorithm.into();
        jwk["use"] = "sig".into();
        if let Some(kid) = &self.kid {
            jwk["kid"] = kid.as_str().into();
        }
        jwk
    }

    /// The header that [`Signer::token`] writes.
    #[must_use]
    pub fn header(&self) -> Value {
        let mut header = json!({"alg": self.algorithm, "typ": "JWT"});
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        header
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header(), claims)
    }

    /// A token with this header and these claims.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_from_text(&header.to_string(), &claims.to_string())
    }

    /// A token with this header and payload, JSON or not.
    #[must_use]
    pub fn token_from_text(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
        let signature = base64url(&self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The signature of `message`, in the form of RFC 7518.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).expect("the buffer has the modulus' length");
                signature
            }
            Key::Ecdsa(pair) => pair.sign(&random, message).expect("the system has random numbers").as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Key::Secret(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
        }
    }
}

fn ecdsa(algorithm: &'static signature::EcdsaSigningAlgorithm) -> Key {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("the system has random numbers");
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a fresh key is well-formed");
    Key::Ecdsa(Box::new(pair))
}

/// The text of a JSON Web Key Set with the keys of these signers.
#[must_use]
pub fn jwks(signers: &[&Signer]) -> Vec<u8> {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string().into_bytes()
}

/// base64url without padding.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
