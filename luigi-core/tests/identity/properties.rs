//! What holds for all bytes: nothing panics, and nothing but a token as it was signed is accepted.

use crate::estate::{Estate, NOW, at, claims};
use crate::tokens::base64url;
use luigi_core::identity::{Authorization, Credential, KeySet, TokenCache, TokenCacheLimits, credential};
use proptest::prelude::*;
use std::sync::LazyLock;

static ESTATE: LazyLock<Estate> = LazyLock::new(Estate::new);

#[test]
fn no_single_changed_bit_is_accepted() {
    let trust = ESTATE.trust();
    for signer in [&ESTATE.p256, &ESTATE.ed25519, &ESTATE.pss] {
        let token = signer.token(&claims()).into_bytes();
        let mut cache = TokenCache::new(TokenCacheLimits { verifications_per_second: u32::MAX, ..Default::default() });
        assert!(matches!(cache.verify(&token, &trust, at(NOW)), Credential::Verified(_)));
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut changed = token.clone();
                changed[place] ^= 1 << bit;
                let found = cache.verify(&changed, &trust, at(NOW));
                assert!(matches!(found, Credential::Invalid(_)), "byte {place}, bit {bit}: {found:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let trust = ESTATE.trust();
        prop_assert!(trust.verify(&bytes, at(NOW)).is_err());
        let mut cache = TokenCache::new(TokenCacheLimits::default());
        let found = credential(Authorization::One(&bytes), &trust, &mut cache, at(NOW));
        prop_assert!(matches!(found, Credential::Absent | Credential::Invalid(_)));
        prop_assert!(KeySet::from_jwks(&bytes).is_err());
    }

    #[test]
    fn any_texts_in_the_three_parts_are_refused_quietly(
        header in "[ -~]{0,80}|\\{\"alg\":\"(ES256|none|HS256)\",\"kid\":\"(p256|secret)\"\\}",
        payload in "[ -~]{0,80}|\\{\"iss\":\"https://id\\.example\\.com\",\"exp\":[0-9eE.-]{1,30}\\}",
        signature in proptest::collection::vec(any::<u8>(), 0..80),
        now in any::<i64>(),
    ) {
        let token = format!("{}.{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()), base64url(&signature));
        prop_assert!(ESTATE.trust().verify(token.as_bytes(), at(now)).is_err());
    }

    #[test]
    fn genuine_tokens_at_any_moment(now in any::<i64>(), exp in any::<i64>(), nbf in any::<i64>()) {
        let mut claims = claims();
        claims["exp"] = exp.into();
        claims["nbf"] = nbf.into();
        claims["iat"] = nbf.into();
        let valid = ESTATE.trust().verify(ESTATE.ed25519.token(&claims).as_bytes(), at(now)).is_ok();
        let (now, exp, nbf) = (i128::from(now), i128::from(exp), i128::from(nbf));
        // Only at the very ends of the range does the leeway find no room.
        let at_the_end = exp > i128::from(i64::MAX) - 30 && now == i128::from(i64::MAX);
        prop_assert_eq!(valid, nbf - 30 <= now && now < exp + 30 && !at_the_end);
    }
}
