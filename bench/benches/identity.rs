//! What it costs to know who asks: a token seen for the first time, and one seen before.
//!
//! `first` is signature, claims and identity; `seen` is what every later request with the same token costs.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use luigi_bench::{AUDIENCE, ISSUER, NOW};
use luigi_core::identity::{
    Algorithm, Authorization, ClaimMap, IssuerKeys, IssuerTrust, IssuerType, KeySet, TokenCache, TokenCacheLimits,
    Trust, credential,
};
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use std::hint::black_box;
use std::sync::Arc;

fn trust(signer: &Signer) -> Trust {
    let keys = KeySet::from_jwks(&jwks(&[signer])).expect("the key set of a benchmark is sound");
    let trust = IssuerTrust {
        issuer_type: IssuerType::Oidc,
        url: ISSUER.into(),
        audiences: vec![AUDIENCE.into()],
        algorithms: Algorithm::DEFAULT.to_vec(),
        token_types: vec![],
        leeway_seconds: 30,
        trusts_emails: false,
        kind: None,
        claims: ClaimMap::default(),
    };
    Trust::new(vec![IssuerKeys { name: "login".into(), trust, keys: Some(Arc::new(keys)) }])
        .expect("the trust is sound")
}

/// About 1.3 KB, with forty groups.
fn token(signer: &Signer) -> String {
    let groups: Vec<String> = (0..40).map(|n| format!("group-{n}-of-the-estate")).collect();
    signer.token(&serde_json::json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "person-7", "email": "person-7@example.com", "email_verified": true,
        "groups": groups, "iat": NOW.unix_seconds(), "exp": NOW.unix_seconds() + 3600, "amr": ["pwd", "mfa"],
    }))
}

fn identity(c: &mut Criterion) {
    let signers = [
        ("RS256", Signer::rs256("k", RsaKey::First)),
        ("PS256", Signer::ps256("k", RsaKey::First)),
        ("ES256", Signer::es256("k")),
        ("ES384", Signer::es384("k")),
        ("EdDSA", Signer::eddsa("k")),
    ];
    let mut first = c.benchmark_group("identity/first");
    for (name, signer) in &signers {
        let (trust, token) = (trust(signer), token(signer));
        first.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| trust.verify(black_box(token.as_bytes()), NOW).expect("the token is good"));
        });
    }
    first.finish();
    let signer = &signers[0].1;
    let (trust, value) = (trust(signer), format!("Bearer {}", token(signer)));
    let mut cache = TokenCache::new(TokenCacheLimits::default());
    c.bench_function("identity/seen", |b| {
        b.iter(|| {
            let authorization = Authorization::new(black_box(value.as_bytes()), 1);
            black_box(credential(authorization, &trust, &mut cache, NOW));
        });
    });
}

criterion_group!(benches, identity);
criterion_main!(benches);
