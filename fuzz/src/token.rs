//! Bearer tokens: whatever the bytes, nothing is believed that the trusted keys did not sign for us and for now.
//!
//! The first byte of an input chooses: spoil a genuine token, sign the rest (header, LF, claims), or take the rest as it is. What is
//! accepted is checked again by code that shares nothing with the verification, and through the cache.

use super::input::Input;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use luigi_core::identity::{
    Algorithm, Authorization, ClaimMap, Credential, CredentialError, Identity, IssuerKeys, IssuerTrust, IssuerType,
    KeySet, ListFormat, TokenCache, TokenCacheLimits, Trust, credential,
};
use luigi_core::time::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{hmac, signature};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

const NOW: i64 = 1_772_442_000;
const LEEWAY_SECONDS: u32 = 30;
const LEEWAY: i64 = LEEWAY_SECONDS as i64;
const ISSUER: &str = "https://id.test";
const AUDIENCE: &str = "luigi";
const SECRET: &[u8] = b"a secret of thirty-two bytes: 32";

struct Keys {
    pair: Ed25519KeyPair,
    secret: hmac::Key,
    trust: Trust,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes are a seed");
    let jwks = json!({"keys": [
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "x": URL_SAFE_NO_PAD.encode(pair.public_key())},
        {"kty": "oct", "kid": "hs", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(SECRET)},
    ]});
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes()).expect("both keys are usable");
    let trust = IssuerTrust {
        issuer_type: IssuerType::Oidc,
        url: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        algorithms: vec![Algorithm::EdDSA, Algorithm::HS256],
        token_types: Vec::new(),
        leeway_seconds: LEEWAY_SECONDS,
        trusts_emails: false,
        kind: None,
        claims: ClaimMap { groups_format: ListFormat::Array, kind: Some(vec!["kind".into()]), ..ClaimMap::default() },
    };
    let issuer = IssuerKeys { name: "one".to_owned(), trust, keys: Some(Arc::new(keys)) };
    let trust = Trust::new(vec![issuer]).expect("one issuer, with an audience and algorithms");
    Keys { pair, secret: hmac::Key::new(hmac::HMAC_SHA256, SECRET), trust }
});

pub(crate) fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    match input.byte() % 4 {
        0 => {
            let genuine = genuine(input.byte());
            assert!(check(&genuine).is_ok(), "a genuine token is refused");
            let mut spoilt = genuine.clone();
            input.spoil(&mut spoilt);
            assert_eq!(check(&spoilt).is_ok(), spoilt == genuine, "{}", spoilt.escape_ascii());
        }
        how @ (1 | 2) => {
            let (header, claims) = split(input.0);
            let _ = check(&sign(if how == 1 { "EdDSA" } else { "HS256" }, header, claims));
        }
        _ => drop(check(input.0)),
    }
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b"{}"),
    }
}

fn sign(algorithm: &str, header: &[u8], claims: &[u8]) -> Vec<u8> {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = match algorithm {
        "EdDSA" => KEYS.pair.sign(signed.as_bytes()).as_ref().to_vec(),
        _ => hmac::sign(&KEYS.secret, signed.as_bytes()).as_ref().to_vec(),
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into_bytes()
}

fn genuine(which: u8) -> Vec<u8> {
    let (algorithm, kid) = if which.is_multiple_of(2) { ("EdDSA", "ed") } else { ("HS256", "hs") };
    let header = json!({"alg": algorithm, "kid": kid, "typ": "JWT"});
    let claims = json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": "alice", "exp": NOW + 60, "nbf": NOW - 60, "iat": NOW - 60,
        "email": "alice@a.test", "email_verified": true, "groups": ["a", "b"], "kind": "user", "acr": "high", "amr": ["mfa"],
        "auth_time": NOW - 60, "act": {"sub": "agent"},
    });
    sign(algorithm, header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// Verifies a token twice, checks what is accepted, and that the cache thinks alike, at first sight and again.
fn check(token: &[u8]) -> Result<Identity, CredentialError> {
    let now = Timestamp::from_unix_seconds(NOW);
    let verified = KEYS.trust.verify(token, now);
    if let Ok(identity) = &verified {
        check_accepted(token, identity);
    }
    let mut cache = TokenCache::new(TokenCacheLimits { entries: 8, ..TokenCacheLimits::default() });
    for _ in 0..2 {
        match (&verified, cache.verify(token, &KEYS.trust, now)) {
            (Ok(identity), Credential::Verified(cached)) => assert_eq!(identity, cached),
            (Err(CredentialError::Expired), Credential::Expired) => {}
            (Err(CredentialError::Invalid(why)), Credential::Invalid(cached)) => assert_eq!(*why, cached),
            (verified, cached) => panic!("verified {verified:?}, from the cache {cached:?}"),
        }
    }
    // Later, the same cache must not believe it any more.
    let later = Timestamp::from_unix_seconds(i64::MAX);
    if let Credential::Verified(identity) = cache.verify(token, &KEYS.trust, later) {
        assert_eq!(identity.expires_at().plus_seconds(LEEWAY), later, "an expiry beyond the range of time");
    }
    let field = [b"Bearer ", token].concat();
    let through_field = credential(Authorization::One(&field), &KEYS.trust, &mut cache, now);
    assert!(verified.is_err() || matches!(through_field, Credential::Verified(_)));
    // Spaces and the token's end may be trimmed; nothing else is taken from the field.
    if matches!(through_field, Credential::Verified(_)) {
        assert!(verified.is_ok() || KEYS.trust.verify(token.trim_ascii(), now).is_ok());
    }
    verified
}

/// What any token must be that is accepted, checked with *ring* and `serde_json` alone.
fn check_accepted(token: &[u8], identity: &Identity) {
    let text = str::from_utf8(token).expect("a token is ASCII");
    let parts: Vec<&str> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts: {text}") };
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let json = |part: &str| serde_json::from_slice::<Value>(&bytes(part)).expect("JSON");
    let (header_json, claims) = (json(header), json(payload));
    for forbidden in ["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc"] {
        assert!(header_json.get(forbidden).is_none(), "{header_json}");
    }
    let signed = format!("{header}.{payload}");
    let signature = bytes(signature);
    match header_json["alg"].as_str() {
        Some("EdDSA") => signature::UnparsedPublicKey::new(&signature::ED25519, KEYS.pair.public_key())
            .verify(signed.as_bytes(), &signature)
            .expect("the signature is right"),
        Some("HS256") => {
            hmac::verify(&KEYS.secret, signed.as_bytes(), &signature).expect("the signature is right");
        }
        other => panic!("algorithm {other:?}"),
    }
    assert_eq!(claims["iss"], ISSUER);
    assert!(
        claims["aud"] == AUDIENCE
            || claims["aud"].as_array().is_some_and(|list| list.iter().any(|aud| aud == AUDIENCE)),
        "{claims}"
    );
    let seconds = |name: &str| claims.get(name).map(|value| value.as_f64().expect("a number"));
    assert!(seconds("exp").expect("an expiry") > (NOW - LEEWAY) as f64 - 1.0, "{claims}");
    for name in ["nbf", "iat"] {
        assert!(seconds(name).is_none_or(|at| at <= (NOW + LEEWAY) as f64), "{claims}");
    }
    assert_eq!(claims["sub"].as_str(), Some(identity.subject()));
    assert_eq!(identity.issuer(), ISSUER);
    assert_eq!(identity.actor().is_some(), claims.get("act").is_some());
}
