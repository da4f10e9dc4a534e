//! The issuers and keys that the tests of this folder share.

use crate::tokens::{RsaKey, Signer, jwks};
use luigi_core::identity::{Algorithm, ClaimMap, IssuerKeys, IssuerTrust, IssuerType, KeySet, Trust};
use luigi_core::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The moment at which everything happens.
pub(crate) const NOW: i64 = 1_800_000_000;

/// Trusted with RS256, PS256, ES256, ES384 and EdDSA.
pub(crate) const ISSUER: &str = "https://id.example.com";

/// Trusted with HS256 as well as RS256.
pub(crate) const SECRET_ISSUER: &str = "https://secret.example.com";

/// Trusted with ES256 alone, `typ` must be `at+jwt`, has one key without a `kid`, no leeway.
pub(crate) const STRICT_ISSUER: &str = "https://strict.example.com";

/// Trusted, but no keys are loaded.
pub(crate) const KEYLESS_ISSUER: &str = "https://keyless.example.com";

pub(crate) const SECRET: &[u8; 32] = b"32 bytes that two parties share!";

pub(crate) struct Estate {
    pub(crate) rsa: Signer,
    pub(crate) pss: Signer,
    pub(crate) p256: Signer,
    pub(crate) p384: Signer,
    pub(crate) ed25519: Signer,
    pub(crate) secret: Signer,
    pub(crate) strict: Signer,
}

impl Estate {
    pub(crate) fn new() -> Self {
        Self {
            rsa: Signer::rs256("rsa", RsaKey::First),
            pss: Signer::ps256("pss", RsaKey::First),
            p256: Signer::es256("p256"),
            p384: Signer::es384("p384"),
            ed25519: Signer::eddsa("ed25519"),
            secret: Signer::hs256("secret", SECRET),
            strict: Signer::es256("strict").without_kid(),
        }
    }

    pub(crate) fn issuers(&self) -> Vec<IssuerKeys> {
        let all = [&self.rsa, &self.pss, &self.p256, &self.p384, &self.ed25519, &self.secret];
        let mut secret = issuer("secret", SECRET_ISSUER, Some(&[&self.rsa, &self.secret]));
        secret.trust.algorithms = vec![Algorithm::HS256, Algorithm::RS256];
        let mut strict = issuer("strict", STRICT_ISSUER, Some(&[&self.strict]));
        strict.trust.algorithms = vec![Algorithm::ES256];
        strict.trust.token_types = vec!["at+jwt".to_owned()];
        strict.trust.leeway_seconds = 0;
        // The main issuer's keys include a secret, which its algorithms do not accept.
        vec![issuer("main", ISSUER, Some(&all)), secret, strict, issuer("keyless", KEYLESS_ISSUER, None)]
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::new(self.issuers()).unwrap()
    }
}

pub(crate) fn issuer(name: &str, url: &str, signers: Option<&[&Signer]>) -> IssuerKeys {
    IssuerKeys {
        name: name.to_owned(),
        trust: IssuerTrust {
            issuer_type: IssuerType::Oidc,
            url: url.to_owned(),
            audiences: vec!["console".to_owned(), "api".to_owned()],
            algorithms: Algorithm::DEFAULT.to_vec(),
            token_types: vec![],
            leeway_seconds: 30,
            trusts_emails: false,
            kind: None,
            claims: ClaimMap::default(),
        },
        keys: signers.map(|signers| Arc::new(KeySet::from_jwks(&jwks(signers)).unwrap())),
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "ada", "aud": "console", "iat": NOW - 10, "exp": NOW + 300})
}

/// Claims that are accepted, but for these members; `null` takes one away.
pub(crate) fn claims_with(changes: Value) -> Value {
    changed(claims(), changes)
}

/// A copy with these members changed; `null` takes one away.
pub(crate) fn changed(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(&name);
        } else {
            object[name.as_str()] = value;
        }
    }
    object
}
