//! Key sets: what is read, what is left out and why, what is refused as a whole.

use crate::estate::{Estate, ISSUER, changed, issuer};
use crate::tokens::{RsaKey, Signer, base64url, jwks};
use luigi_core::identity::{KeySet, MAX_KEY_SET_BYTES, MAX_KEYS, Trust};
use serde_json::{Value, json};

fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

#[test]
fn unusable_keys_are_left_out_with_their_place_and_reason() {
    let good = Signer::es256("good");
    let rsa = Signer::rs256("k", RsaKey::First).jwk();
    let p256 = Signer::es256("k").jwk();
    let p384 = Signer::es384("k").jwk();
    let ed25519 = Signer::eddsa("k").jwk();
    let secret = Signer::hs256("k", &[7; 32]).jwk();
    let modulus = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        if let Some(first) = n.first_mut() {
            *first >>= (8 - bits % 8) % 8;
        }
        changed(rsa.clone(), json!({"n": base64url(&n)}))
    };
    let exponent = |e: &[u8]| changed(rsa.clone(), json!({"e": base64url(e)}));
    let cases = [
        (changed(p256.clone(), json!({"use": "enc"})), "its `use` is neither `sig` nor `jwt-svid`"),
        (changed(p256.clone(), json!({"use": "SIG"})), "its `use` is neither `sig` nor `jwt-svid`"),
        (changed(p256.clone(), json!({"use": ["sig"]})), "its `use` is not a string"),
        (changed(p256.clone(), json!({"key_ops": ["encrypt"]})), "its `key_ops` do not hold `verify`"),
        (changed(p256.clone(), json!({"key_ops": ["sign"]})), "its `key_ops` do not hold `verify`"),
        (changed(p256.clone(), json!({"key_ops": []})), "its `key_ops` do not hold `verify`"),
        (changed(p256.clone(), json!({"key_ops": "verify"})), "its `key_ops` is not an array"),
        (changed(p256.clone(), json!({"d": "AQ"})), "it is a private key: it has a member `d`"),
        (changed(rsa.clone(), json!({"p": "AQ"})), "it is a private key: it has a member `p`"),
        (changed(p256.clone(), json!({"alg": "ES384"})), "its `alg` of `ES384` does not fit"),
        (changed(p256.clone(), json!({"alg": "RS256"})), "its `alg` of `RS256` does not fit"),
        (changed(rsa.clone(), json!({"alg": "RS512"})), "its `alg` of `RS512` does not fit"),
        (changed(rsa.clone(), json!({"alg": "RSA-OAEP"})), "its `alg` of `RSA-OAEP` does not fit"),
        (changed(rsa.clone(), json!({"alg": "HS256"})), "its `alg` of `HS256` does not fit"),
        (changed(p256.clone(), json!({"alg": "none\n"})), "its `alg` of `none\\n` does not fit"),
        (changed(secret.clone(), json!({"alg": "HS512"})), "its `alg` of `HS512` does not fit"),
        (changed(p256.clone(), json!({"kty": null})), "it has no `kty`"),
        (changed(p256.clone(), json!({"kty": "ec"})), "its `kty` of `ec` is not RSA, EC, OKP or oct"),
        (changed(p256.clone(), json!({"kid": 1})), "its `kid` is not a string"),
        (changed(p256.clone(), json!({"crv": null})), "it has no `crv`"),
        (changed(p256.clone(), json!({"crv": "P-521"})), "its `crv` of `P-521` is not P-256 or P-384"),
        (changed(p256.clone(), json!({"crv": "secp256k1"})), "its `crv` of `secp256k1` is not P-256 or P-384"),
        (changed(p256.clone(), json!({"crv": "P-384"})), "its `x` has 32 bytes, not 48"),
        (changed(p384, json!({"crv": "P-256"})), "its `x` has 48 bytes, not 32"),
        (changed(p256.clone(), json!({"y": null})), "it has no `y`"),
        (changed(p256.clone(), json!({"y": "AAAA="})), "its `y` is not base64url without padding"),
        (changed(ed25519.clone(), json!({"crv": "Ed448"})), "its `crv` of `Ed448` is not Ed25519"),
        (changed(ed25519.clone(), json!({"crv": "X25519"})), "its `crv` of `X25519` is not Ed25519"),
        (changed(ed25519, json!({"x": "AAAA"})), "its `x` has 3 bytes, not 32"),
        (modulus(1024), "its modulus has 1024 bits, fewer than 2048"),
        (modulus(2047), "its modulus has 2047 bits, fewer than 2048"),
        (modulus(8193), "its modulus has 8193 bits, more than 8192"),
        (modulus(0), "its modulus has 0 bits, fewer than 2048"),
        (changed(rsa.clone(), json!({"n": base64url(&[0xfe; 256])})), "its modulus is even"),
        (exponent(&[1]), "its exponent is not an odd number from 3 to 2^32"),
        (exponent(&[0, 1]), "its exponent is not an odd number from 3 to 2^32"),
        (exponent(&[2]), "its exponent is not an odd number from 3 to 2^32"),
        (exponent(&[]), "its exponent is not an odd number from 3 to 2^32"),
        (exponent(&[1, 0, 0, 0, 1]), "its exponent is not an odd number from 3 to 2^32"),
        (changed(secret, json!({"k": base64url(&[7; 31])})), "its secret has fewer than 32 bytes"),
        (json!("key"), "it is not an object"),
        (json!(null), "it is not an object"),
        (good.jwk(), "it stands in the set before"),
    ];
    for (key, reason) in cases {
        let read = KeySet::from_jwks(set(&[good.jwk(), key.clone()]).as_bytes()).unwrap();
        assert_eq!(read.len(), 1, "{key}");
        let [unusable] = read.unusable() else { panic!("{key}") };
        assert_eq!((unusable.index, unusable.reason.as_str()), (1, reason), "{key}");
        if reason != "it stands in the set before" {
            // Alone, it leaves nothing to trust.
            let error = KeySet::from_jwks(set(std::slice::from_ref(&key)).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(error.unusable().len(), 1);
        }
    }
}

#[test]
fn usable_keys_of_every_kind() {
    let bare = |signer: Signer| changed(signer.jwk(), json!({"alg": null, "use": null}));
    let leading_zero = {
        let jwk = Signer::rs256("padded", RsaKey::Second).jwk();
        let n = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, jwk["n"].as_str().unwrap());
        changed(jwk, json!({"n": base64url(&[&[0], n.unwrap().as_slice()].concat())}))
    };
    let keys = [
        bare(Signer::rs256("rsa", RsaKey::First)),
        bare(Signer::es256("p256")),
        bare(Signer::es384("p384")),
        bare(Signer::eddsa("ed25519")),
        bare(Signer::hs256("oct", &[7; 32])),
        changed(Signer::es256("ops").jwk(), json!({"key_ops": ["verify"], "x5t": "abc", "ext": true})),
        leading_zero,
    ];
    let read = KeySet::from_jwks(set(&keys).as_bytes()).unwrap();
    assert_eq!((read.len(), read.unusable()), (keys.len(), &[][..]));
    let shown = format!("{read:?}");
    assert!(!shown.contains("7, 7, 7"), "secrets are not shown: {shown}");
}

#[test]
fn sets_that_are_refused_as_a_whole() {
    let a = Signer::es256("same").jwk();
    let b = Signer::eddsa("same").jwk();
    let many: Vec<Value> = (0..=MAX_KEYS).map(|n| Signer::eddsa(&n.to_string()).jwk()).collect();
    let longest = |bytes: usize| {
        let mut text = set(std::slice::from_ref(&a));
        text.push_str(&" ".repeat(bytes - text.len()));
        text
    };
    assert!(KeySet::from_jwks(set(&many[1..]).as_bytes()).is_ok());
    assert!(KeySet::from_jwks(longest(MAX_KEY_SET_BYTES).as_bytes()).is_ok());
    // A key for encryption may share a `kid` with one for signatures: it is never used.
    assert!(KeySet::from_jwks(set(&[a.clone(), changed(b.clone(), json!({"use": "enc"}))]).as_bytes()).is_ok());
    let cases = [
        (longest(MAX_KEY_SET_BYTES + 1), "the key set has 65537 bytes, more than 65536"),
        (set(&many), "the key set has 33 keys, more than 32"),
        (
            set(&[a.clone(), b]),
            "two keys of the set have the same `kid`; keys[1] (`same`): its `kid` is that of another key",
        ),
        (set(&[]), "the key set has no usable key"),
        (String::new(), "the key set is not JSON: EOF while parsing a value at line 1 column 0"),
        ("[]".to_owned(), "the key set is not an object with an array `keys`"),
        ("{}".to_owned(), "the key set is not an object with an array `keys`"),
        (json!({"keys": {}}).to_string(), "the key set is not an object with an array `keys`"),
        (a.to_string(), "the key set is not an object with an array `keys`"),
        (
            "{\"keys\":[],\"keys\":[]}".to_owned(),
            "the key set is not JSON: member `keys` stands twice at line 1 column 21",
        ),
    ];
    for (text, message) in cases {
        let error = KeySet::from_jwks(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.help().is_empty());
    }
    assert!(KeySet::from_jwks(b"\xff\xfe").is_err());
}

#[test]
fn issuers_that_cannot_be_trusted_as_they_are() {
    let estate = Estate::new();
    let good = || issuer("a", "https://a.example.com", Some(&[&estate.p256]));
    let refused = |change: fn(&mut luigi_core::identity::IssuerTrust)| {
        let mut changed = good();
        change(&mut changed.trust);
        Trust::new(vec![changed]).unwrap_err().to_string()
    };
    let mut twice = good();
    twice.name = "b".to_owned();
    let error = Trust::new(vec![good(), twice]).unwrap_err();
    assert_eq!(error.to_string(), "issuer `b` cannot be trusted: its URL is that of another issuer");
    assert_eq!(refused(|trust| trust.audiences.clear()), "issuer `a` cannot be trusted: it has no audiences");
    assert_eq!(refused(|trust| trust.algorithms.clear()), "issuer `a` cannot be trusted: it has no algorithms");
    assert_eq!(refused(|trust| trust.url.clear()), "issuer `a` cannot be trusted: it has no URL");
    let error = refused(|trust| trust.leeway_seconds = 301);
    assert_eq!(error, "issuer `a` cannot be trusted: its leeway is longer than five minutes");
    let trust = estate.trust();
    let shown: Vec<_> = trust.issuers().collect();
    assert_eq!(shown, [("main", Some(6)), ("secret", Some(2)), ("strict", Some(1)), ("keyless", None)]);
    assert_eq!(KeySet::from_jwks(&jwks(&[&estate.rsa])).unwrap().len(), 1);
}

#[test]
fn keys_that_came_and_went_are_counted_for_each_issuer() {
    let [one, other, third] = ["one", "other", "third"].map(Signer::es256);
    let trust = |main: Option<&[&Signer]>, second: Option<&[&Signer]>| {
        Trust::new(vec![issuer("main", ISSUER, main), issuer("second", "https://second.example", second)]).unwrap()
    };
    let old = trust(Some(&[&one, &other]), Some(&[&one]));
    let changed = |new: &Trust| {
        old.changed_keys(new).map(|(name, added, gone)| format!("{name} +{added} -{gone}")).collect::<Vec<_>>()
    };
    assert_eq!(changed(&trust(Some(&[&other, &one]), Some(&[&one]))), [""; 0]);
    assert_eq!(changed(&trust(Some(&[&other, &third]), Some(&[&one]))), ["main +1 -1"]);
    assert_eq!(changed(&trust(Some(&[&one, &other, &third]), None)), ["main +1 -0", "second +0 -1"]);
    // Another key under the same name.
    assert_eq!(changed(&trust(Some(&[&one, &other]), Some(&[&Signer::es256("one")]))), ["second +1 -1"]);
}
