//! What it costs to know who asks: a token seen for the first time, and one seen before.
//!
//! `first` is signature, claims and identity; `seen` is what every later request with the same token costs. `flood` is the latter for a hundred people, while nobody
//! else asks, and while 20,000 tokens a second come, each another one, that nobody signed; the time that these take themselves is `flood/garbage`.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use luigi_bench::{AUDIENCE, ISSUER, NOW};
use luigi_core::identity::{
    Algorithm, Authorization, ClaimMap, Credential, IssuerKeys, IssuerTrust, IssuerType, KeySet, TokenCache,
    TokenCacheLimits, Trust, credential,
};
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// How many people take turns.
const PEOPLE: usize = 100;
/// How many tokens that nobody signed come in a second, and how many requests of people.
const A_SECOND: usize = 20_000;
/// How many of either come one after the other.
const IN_A_ROW: usize = 16;

fn flood(c: &mut Criterion) {
    let signer = Signer::rs256("k", RsaKey::First);
    let trust = trust(&signer);
    let people: Vec<String> = (0..PEOPLE)
        .map(|n| {
            let claims = serde_json::json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": format!("person-{n}"), "exp": NOW.unix_seconds() + 1_000_000,
                "groups": (0..40).map(|n| format!("group-{n}-of-the-estate")).collect::<Vec<_>>(),
            });
            format!("Bearer {}", signer.token(&claims))
        })
        .collect();
    // Genuine but for some digits of the signature: each has to be verified.
    let (genuine, at) = (&people[0], people[0].len() - 16);
    let garbage: Vec<String> =
        (0..A_SECOND).map(|n| format!("{}{n:08}{}", &genuine[..at], &genuine[at + 8..])).collect();
    let mut group = c.benchmark_group("identity/flood");
    for (name, comes, counted) in [("quiet", false, &people), ("flooded", true, &people), ("garbage", true, &garbage)] {
        let mut cache = TokenCache::new(TokenCacheLimits::default());
        let mut at = 0;
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let (mut left, mut spent) = (iterations, Duration::ZERO);
                while left > 0 {
                    let many = IN_A_ROW.min(usize::try_from(left).unwrap_or(IN_A_ROW));
                    let now = NOW.plus_seconds(i64::try_from(at / A_SECOND).expect("few seconds"));
                    let mut ask = |tokens: &[String]| {
                        let started = Instant::now();
                        for n in at..at + many {
                            let authorization = Authorization::new(tokens[n % tokens.len()].as_bytes(), 1);
                            let known = credential(authorization, &trust, &mut cache, now);
                            assert_eq!(matches!(known, Credential::Verified(_)), tokens.len() == PEOPLE);
                        }
                        started.elapsed()
                    };
                    let (by_garbage, by_people) = (if comes { ask(&garbage) } else { Duration::ZERO }, ask(&people));
                    spent += if counted.len() == PEOPLE { by_people } else { by_garbage };
                    (left, at) = (left - many as u64, at + many);
                }
                spent
            });
        });
        let counts = cache.counts();
        println!("identity/flood/{name}: {counts:?}");
    }
    group.finish();
}

criterion_group!(benches, identity, flood);
criterion_main!(benches);
