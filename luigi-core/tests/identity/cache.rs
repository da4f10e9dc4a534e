//! Tokens seen again: for how long they count, what drops them, and what strangers cannot do.

use crate::estate::{Estate, ISSUER, NOW, at, claims_with, issuer};
use crate::tokens::{RsaKey, Signer};
use luigi_core::identity::{
    Authorization, Credential, InvalidCredential, IssuerKeys, TokenCache, TokenCacheLimits, Trust, credential,
};
use serde_json::json;

fn code(credential: Credential<'_>) -> &'static str {
    match credential {
        Credential::Absent => "absent",
        Credential::Verified(_) => "verified",
        Credential::Expired => "expired",
        Credential::Invalid(reason) => reason.as_str(),
        Credential::Ambiguous => "ambiguous",
        Credential::Deferred => "deferred",
    }
}

fn person(estate: &Estate, name: &str) -> String {
    estate.p256.token(&claims_with(json!({"sub": name})))
}

fn forged(n: usize) -> String {
    // HMAC is quick to make; the signature is of the right length for nothing.
    let header = json!({"alg": "ES256", "kid": "p256"});
    Signer::hs256("p256", b"-").token_with(&header, &claims_with(json!({"sub": n.to_string()})))
}

fn limits(entries: usize, verifications_per_second: u32) -> TokenCacheLimits {
    TokenCacheLimits { entries, verifications_per_second, ..TokenCacheLimits::default() }
}

#[test]
fn a_token_costs_one_signature() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(limits(8, 1));
    let (ada, late) = (person(&estate, "ada"), estate.p256.token(&claims_with(json!({"exp": NOW + 1}))));
    assert_eq!(code(cache.verify(ada.as_bytes(), &trust, at(NOW))), "verified");
    for _ in 0..100 {
        assert_eq!(code(cache.verify(ada.as_bytes(), &trust, at(NOW))), "verified");
    }
    assert_eq!(code(cache.verify(late.as_bytes(), &trust, at(NOW + 1))), "verified");
    // 30 s of leeway; nothing is verified again to learn that its time is over.
    assert_eq!(code(cache.verify(late.as_bytes(), &trust, at(NOW + 30))), "verified");
    assert_eq!(code(cache.verify(late.as_bytes(), &trust, at(NOW + 31))), "expired");
    let counts = cache.counts();
    assert_eq!((counts.verifications, counts.hits, counts.deferred), (2, 102, 0));
}

#[test]
fn refusals_are_remembered_for_as_long_as_they_hold() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(limits(8, 100));
    let early = estate.p256.token(&claims_with(json!({"nbf": NOW + 100, "exp": NOW + 200})));
    let expired = estate.p256.token(&claims_with(json!({"exp": NOW - 100})));
    let bad = forged(0);
    for (token, now, expected, verifications) in [
        (&bad, NOW, "bad-signature", 1),
        (&bad, NOW, "bad-signature", 1),
        (&bad, NOW + 1_000_000, "bad-signature", 1),
        (&expired, NOW, "expired", 2),
        (&expired, NOW + 1, "expired", 2),
        (&early, NOW, "not-yet-valid", 3),
        (&early, NOW + 69, "not-yet-valid", 3),
        (&early, NOW + 70, "verified", 4),
        (&early, NOW + 229, "verified", 4),
        (&early, NOW + 230, "expired", 4),
        // The clock is set back.
        (&early, NOW, "not-yet-valid", 4),
    ] {
        let found = code(cache.verify(token.as_bytes(), &trust, at(now)));
        assert_eq!((found, cache.counts().verifications), (expected, verifications), "at {}", now - NOW);
    }
}

#[test]
fn a_change_of_trust_drops_what_rested_on_it_and_nothing_else() {
    let estate = Estate::new();
    let other = Signer::es256("other");
    let main = |signers: &[&Signer]| issuer("main", ISSUER, Some(signers));
    let (ada, bob) = (person(&estate, "ada"), other.token(&claims_with(json!({"sub": "bob"}))));
    let adjusted = |adjust: fn(&mut IssuerKeys)| {
        let mut main = main(&[&estate.p256, &other]);
        adjust(&mut main);
        main
    };
    let cases: Vec<(&str, Vec<IssuerKeys>, &str, &str, u64)> = vec![
        ("nothing", vec![main(&[&estate.p256, &other])], "verified", "verified", 0),
        (
            "its name and place",
            vec![issuer("new", "https://new.example.com", None), adjusted(|main| main.name = "renamed".to_owned())],
            "verified",
            "verified",
            0,
        ),
        ("a key is added", vec![main(&[&Signer::eddsa("new"), &other, &estate.p256])], "verified", "verified", 0),
        ("a key is removed", vec![main(&[&other])], "unknown-key", "verified", 0),
        (
            "a key is replaced under its kid",
            vec![main(&[&Signer::es256("p256"), &other])],
            "bad-signature",
            "verified",
            1,
        ),
        ("all keys are gone", vec![issuer("main", ISSUER, None)], "keys-unavailable", "keys-unavailable", 0),
        ("the issuer is gone", vec![], "unknown-issuer", "unknown-issuer", 0),
        (
            "its audiences",
            vec![adjusted(|main| main.trust.audiences = vec!["x".to_owned()])],
            "wrong-audience",
            "wrong-audience",
            2,
        ),
        (
            "its claim map",
            vec![adjusted(|main| main.trust.claims.subject = vec!["aud".to_owned()])],
            "verified",
            "verified",
            2,
        ),
        ("its leeway", vec![adjusted(|main| main.trust.leeway_seconds = 0)], "verified", "verified", 2),
        (
            "its algorithms",
            vec![adjusted(|main| main.trust.algorithms.truncate(1))],
            "algorithm-not-allowed",
            "algorithm-not-allowed",
            0,
        ),
        (
            "its types",
            vec![adjusted(|main| main.trust.token_types = vec!["at+jwt".to_owned()])],
            "type-not-allowed",
            "type-not-allowed",
            0,
        ),
    ];
    for (what, issuers, ada_after, bob_after, verified_again) in cases {
        let mut cache = TokenCache::new(TokenCacheLimits::default());
        let before = Trust::new(vec![main(&[&estate.p256, &other])]).unwrap();
        for token in [&ada, &bob] {
            assert_eq!(code(cache.verify(token.as_bytes(), &before, at(NOW))), "verified");
        }
        let after = Trust::new(issuers).unwrap();
        assert_eq!(code(cache.verify(ada.as_bytes(), &after, at(NOW))), ada_after, "{what}");
        assert_eq!(code(cache.verify(bob.as_bytes(), &after, at(NOW))), bob_after, "{what}");
        assert_eq!(cache.counts().verifications, 2 + verified_again, "{what}");
        if what == "its claim map" {
            let Credential::Verified(identity) = cache.verify(ada.as_bytes(), &after, at(NOW)) else { panic!() };
            assert_eq!(identity.subject(), "console", "the identity is the one that the new map makes");
        }
        // What was removed does not come back by itself, and what was refused is not refused for good.
        assert_eq!(code(cache.verify(ada.as_bytes(), &before, at(NOW))), "verified", "{what}, back again");
    }
}

#[test]
fn garbage_evicts_nobody_and_takes_a_bounded_time() {
    let estate = Estate::new();
    let trust = estate.trust();
    // So many places that twenty people do not get into each other's way, whatever the seed.
    let mut cache = TokenCache::new(limits(1024, 50));
    let people: Vec<String> = (0..20).map(|n| person(&estate, &n.to_string())).collect();
    for token in &people {
        assert_eq!(code(cache.verify(token.as_bytes(), &trust, at(NOW))), "verified");
    }
    let held = cache.len();
    let mut seen = std::collections::BTreeMap::new();
    for n in 0..2000 {
        *seen.entry(code(cache.verify(forged(n).as_bytes(), &trust, at(NOW + 1)))).or_insert(0) += 1;
        let noise = format!("{n}.{n}.{n}");
        assert_eq!(code(cache.verify(noise.as_bytes(), &trust, at(NOW + 1))), "malformed");
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [("bad-signature", 50), ("deferred", 1950)]);
    assert_eq!((cache.len(), cache.counts().evictions), (held, 0));
    // Those who are known go on while the garbage lasts; those who are new wait for the next second.
    for token in &people {
        assert_eq!(code(cache.verify(token.as_bytes(), &trust, at(NOW + 1))), "verified");
    }
    let new = person(&estate, "new");
    assert_eq!(code(cache.verify(new.as_bytes(), &trust, at(NOW + 1))), "deferred");
    assert_eq!(code(cache.verify(new.as_bytes(), &trust, at(NOW + 2))), "verified");
}

#[test]
fn both_bounds_hold_and_the_least_used_go_first() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(limits(8, 10_000));
    let faithful = person(&estate, "faithful");
    for n in 0..200 {
        assert_eq!(code(cache.verify(faithful.as_bytes(), &trust, at(NOW))), "verified");
        assert_eq!(code(cache.verify(person(&estate, &n.to_string()).as_bytes(), &trust, at(NOW))), "verified");
    }
    assert_eq!((cache.len(), cache.counts().evictions), (8, 193));
    assert_eq!(cache.counts().verifications, 201, "whoever keeps coming is never verified again");

    // Large tokens: the bytes run out long before the places. Room for one of the greatest length is the least there is.
    let mut cache = TokenCache::new(TokenCacheLimits { entries: 1024, bytes: 0, verifications_per_second: 10_000 });
    let large = |n: usize| estate.p256.token(&claims_with(json!({"sub": n.to_string(), "filler": "x".repeat(3000)})));
    for n in 0..50 {
        let token = large(n);
        let Credential::Verified(identity) = cache.verify(token.as_bytes(), &trust, at(NOW)) else { panic!() };
        assert_eq!(identity.subject(), n.to_string());
        assert!((1..=3).contains(&cache.len()), "{}", cache.len());
    }
    let huge = estate.p256.token(&claims_with(json!({"filler": "x".repeat(8000)})));
    assert_eq!(code(cache.verify(huge.as_bytes(), &trust, at(NOW))), "verified");
}

#[test]
fn tokens_that_share_their_end_are_told_apart() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(TokenCacheLimits::default());
    let ada = person(&estate, "ada");
    assert_eq!(code(cache.verify(ada.as_bytes(), &trust, at(NOW))), "verified");
    let (_, signature) = ada.rsplit_once('.').unwrap();
    let eve = person(&estate, "eve");
    let (signed, _) = eve.rsplit_once('.').unwrap();
    let grafted = format!("{signed}.{signature}");
    assert_eq!(code(cache.verify(grafted.as_bytes(), &trust, at(NOW))), "bad-signature");
    for cut in 1..ada.len() {
        assert_ne!(code(cache.verify(&ada.as_bytes()[cut..], &trust, at(NOW))), "verified");
    }
}

/// What is remembered of one that was refused is not said of another.
#[test]
fn refused_tokens_that_share_their_end_are_told_apart() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(limits(8, 100));
    let expired = estate.p256.token(&claims_with(json!({"exp": NOW - 100})));
    let (_, signature) = expired.rsplit_once('.').expect("three parts");
    let other = forged(1);
    let (signed, _) = other.rsplit_once('.').expect("three parts");
    let forged = format!("{signed}.{signature}");
    for _ in 0..2 {
        assert_eq!(code(cache.verify(expired.as_bytes(), &trust, at(NOW))), "expired");
        assert_eq!(code(cache.verify(forged.as_bytes(), &trust, at(NOW))), "bad-signature");
    }
}

#[test]
fn credentials_of_requests() {
    let estate = Estate::new();
    let trust = estate.trust();
    let mut cache = TokenCache::new(TokenCacheLimits::default());
    let token = Signer::rs256("rsa", RsaKey::First).token(&claims_with(json!({})));
    let bearer = format!("Bearer {token}");
    let cases: Vec<(Authorization<'_>, &str)> = vec![
        (Authorization::new(b"", 0), "absent"),
        (Authorization::new(b"", 1), "absent"),
        (Authorization::new(b"Basic Zm9vOmJhcg==", 1), "absent"),
        (Authorization::new(bearer.as_bytes(), 1), "verified"),
        (Authorization::new(bearer.as_bytes(), 2), "ambiguous"),
        (Authorization::new(b"Basic Zm9vOmJhcg==", 2), "ambiguous"),
        (Authorization::new(b"", 3), "ambiguous"),
        (Authorization::new(bearer.as_bytes(), 0), "absent"),
        (Authorization::new(b"Bearer", 1), "malformed"),
        (Authorization::new(b"Bearer ", 1), "malformed"),
        (Authorization::new(b"bEARER \"a.b.c\"", 1), "malformed"),
        (Authorization::new(token.as_bytes(), 1), "absent"),
    ];
    for (authorization, expected) in cases {
        assert_eq!(code(credential(authorization, &trust, &mut cache, at(NOW))), expected, "{authorization:?}");
    }
    for shown in [format!("{cache:?}"), format!("{:?}", Authorization::One(bearer.as_bytes()))] {
        assert!(!shown.contains(&token), "{shown}");
    }
    let nobody = Trust::nobody();
    let found = credential(Authorization::One(bearer.as_bytes()), &nobody, &mut cache, at(NOW));
    assert!(matches!(found, Credential::Invalid(InvalidCredential::UnknownIssuer)));
}
