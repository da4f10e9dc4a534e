//! Key sets: arbitrary ones are survived; what is read keeps to the limits, and a token that nobody signed is refused under whatever keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use luigi_core::identity::{
    Algorithm, ClaimMap, CredentialError, InvalidCredential, IssuerKeys, IssuerTrust, IssuerType, KeySet, ListFormat,
    MAX_KEYS, Trust,
};
use luigi_core::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const ALGORITHMS: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::HS256];

pub(crate) fn run(text: &[u8]) {
    let keys = match KeySet::from_jwks(text) {
        Ok(keys) => keys,
        Err(error) => {
            let shown = [error.to_string(), error.help().to_owned()];
            assert!(shown.iter().all(|line| !line.is_empty()));
            return;
        }
    };
    assert!(keys.len() + keys.unusable().len() <= MAX_KEYS && keys.len() > 0);
    for unusable in keys.unusable() {
        assert!(!unusable.to_string().contains('\n'), "{unusable:?}");
    }
    let kids: Vec<Value> = serde_json::from_slice::<Value>(text)
        .ok()
        .and_then(|set| Some(set.get("keys")?.as_array()?.iter().filter_map(|key| key.get("kid").cloned()).collect()))
        .unwrap_or_default();

    let trust = IssuerTrust {
        issuer_type: IssuerType::Oidc,
        url: "https://id.test".to_owned(),
        audiences: vec!["luigi".to_owned()],
        algorithms: ALGORITHMS.to_vec(),
        token_types: Vec::new(),
        leeway_seconds: 30,
        trusts_emails: false,
        kind: None,
        claims: ClaimMap { groups_format: ListFormat::Array, ..ClaimMap::default() },
    };
    let issuer = IssuerKeys { name: "one".to_owned(), trust, keys: Some(Arc::new(keys)) };
    let trust = Trust::new(vec![issuer]).expect("one issuer, with an audience and algorithms");
    let claims = json!({"iss": "https://id.test", "aud": "luigi", "sub": "nobody", "exp": 2_000_000_000});
    for kid in kids.iter().map(Some).chain([None]) {
        for (algorithm, length) in ALGORITHMS.into_iter().zip([256, 256, 64, 96, 64, 32]) {
            let mut header = json!({"alg": algorithm.as_str()});
            if let Some(kid) = kid {
                header["kid"] = kid.clone();
            }
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let token = format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode(vec![0x5a; length]));
            let refused = trust.verify(token.as_bytes(), Timestamp::from_unix_seconds(1_772_442_000));
            let expected = [
                InvalidCredential::BadSignature,
                InvalidCredential::UnknownKey,
                InvalidCredential::AlgorithmNotAllowed,
                InvalidCredential::Malformed,
            ];
            match refused {
                Err(CredentialError::Invalid(reason)) => assert!(expected.contains(&reason), "{reason:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
