//! Every way to get a token accepted that must not be, next to those that are as they should be.

use crate::estate::{
    Estate, ISSUER, KEYLESS_ISSUER, NOW, SECRET, SECRET_ISSUER, STRICT_ISSUER, at, changed, claims, claims_with, issuer,
};
use crate::tokens::{RsaKey, Signer, base64url};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use luigi_core::identity::{Credential, CredentialError, MAX_TOKEN_BYTES, TokenCache, TokenCacheLimits, Trust};
use serde_json::{Value, json};

/// Verifies `token` at `now`, directly and through a cache, twice, and compares the code of what comes out.
fn check(trust: &Trust, cache: &mut TokenCache, name: &str, token: &[u8], now: i64, expected: &str) {
    let direct = match trust.verify(token, at(now)) {
        Ok(_) => "accepted",
        Err(error) => error.as_str(),
    };
    assert_eq!(direct, expected, "{name}");
    for round in ["first", "second"] {
        let cached = match cache.verify(token, trust, at(now)) {
            Credential::Verified(identity) => {
                assert_eq!(Ok(identity), trust.verify(token, at(now)).as_ref(), "{name}");
                "accepted"
            }
            Credential::Expired => CredentialError::Expired.as_str(),
            Credential::Invalid(reason) => reason.as_str(),
            other @ (Credential::Absent | Credential::Ambiguous | Credential::Deferred) => panic!("{name}: {other:?}"),
        };
        assert_eq!(cached, expected, "{name}, through the cache, {round} time");
    }
}

struct Table {
    trust: Trust,
    cache: TokenCache,
    cases: usize,
}

impl Table {
    fn new(estate: &Estate) -> Self {
        Self { trust: estate.trust(), cache: TokenCache::new(TokenCacheLimits::default()), cases: 0 }
    }

    fn case(&mut self, name: &str, token: impl AsRef<[u8]>, expected: &str) {
        self.case_at(name, token, NOW, expected);
    }

    fn case_at(&mut self, name: &str, token: impl AsRef<[u8]>, now: i64, expected: &str) {
        self.cases += 1;
        check(&self.trust, &mut self.cache, name, token.as_ref(), now, expected);
    }
}

#[test]
fn signatures_and_algorithms() {
    let estate = Estate::new();
    let Estate { rsa, pss, p256, p384, ed25519, secret, strict } = &estate;
    let mut table = Table::new(&estate);
    for (signer, name) in [(rsa, "RS256"), (pss, "PS256"), (p256, "ES256"), (p384, "ES384"), (ed25519, "EdDSA")] {
        table.case(name, signer.token(&claims()), "accepted");
        let other = signer.token(&claims_with(json!({"sub": "eve"})));
        let (signed, _) = other.rsplit_once('.').unwrap();
        let token = signer.token(&claims());
        let (own, signature) = token.rsplit_once('.').unwrap();
        table.case(&format!("{name}: other claims"), format!("{signed}.{signature}"), "bad-signature");
        let zeros = base64url(&vec![0; signature.len() * 3 / 4]);
        table.case(&format!("{name}: a signature of zeros"), format!("{own}.{zeros}"), "bad-signature");
        table.case(&format!("{name}: no signature"), format!("{own}."), "bad-signature");
        let cut = base64url(&from_base64url(signature)[1..]);
        table.case(&format!("{name}: a short signature"), format!("{own}.{cut}"), "bad-signature");
        table.case(&format!("{name}: a long signature"), format!("{own}.AAAA{signature}"), "bad-signature");
    }
    let from_secret = claims_with(json!({"iss": SECRET_ISSUER}));
    table.case("HS256 where it is declared", secret.token(&from_secret), "accepted");
    table.case("HS256 where it is not, though the key is there", secret.token(&claims()), "algorithm-not-allowed");

    let public = rsa.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
    let confused = Signer::hs256("rsa", &public);
    table.case("HS256 under the RSA key's modulus", confused.token(&claims()), "algorithm-not-allowed");
    table.case("the same where HS256 is declared", confused.token(&from_secret), "algorithm-not-allowed");
    let guessed = Signer::hs256("secret", b"another secret of thirty-two bytes");
    table.case("HS256 under another secret", guessed.token(&from_secret), "bad-signature");
    table.case(
        "RS256 with the secret's kid",
        Signer::rs256("secret", RsaKey::First).token(&from_secret),
        "algorithm-not-allowed",
    );

    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": none, "typ": "JWT", "kid": "rsa"}).to_string();
        let token = format!("{}.{}.", base64url(header.as_bytes()), base64url(claims().to_string().as_bytes()));
        table.case(&format!("alg `{none}`"), token, "algorithm-not-allowed");
    }
    for alg in ["RS384", "RS512", "PS384", "HS384", "ES512", "ES256K", "Ed25519", "rs256", "RS256 ", "ROT13"] {
        let header = changed(rsa.header(), json!({"alg": alg}));
        table.case(&format!("alg `{alg}`"), rsa.token_with(&header, &claims()), "algorithm-not-allowed");
    }
    for alg in [json!(256), json!(["RS256"]), json!(null), json!({})] {
        let mut header = rsa.header();
        header["alg"] = alg.clone();
        table.case(&format!("alg {alg}"), rsa.token_with(&header, &claims()), "malformed");
    }
    let header = json!({"typ": "JWT", "kid": "rsa"});
    table.case("no alg", rsa.token_with(&header, &claims()), "malformed");

    let pinned = Signer::ps256("rsa", RsaKey::First);
    table.case("PS256 by a key whose JWK says RS256", pinned.token(&claims()), "algorithm-not-allowed");
    let crossed = p256.token_with(&changed(p256.header(), json!({"kid": "p384"})), &claims());
    table.case("ES256 by a P-384 key", crossed, "algorithm-not-allowed");
    let crossed = p256.token_with(&changed(p256.header(), json!({"alg": "ES384"})), &claims());
    table.case("ES384 by a P-256 key", crossed, "algorithm-not-allowed");
    let crossed = ed25519.token_with(&changed(ed25519.header(), json!({"kid": "p256"})), &claims());
    table.case("EdDSA by a P-256 key", crossed, "algorithm-not-allowed");
    let crossed = p256.token_with(&changed(p256.header(), json!({"alg": "RS256", "kid": "rsa"})), &claims());
    table.case("an ECDSA signature that says RS256", crossed, "bad-signature");

    let at_jwt = changed(strict.header(), json!({"typ": "at+jwt"}));
    let from_strict = claims_with(json!({"iss": STRICT_ISSUER}));
    table.case("ES256 where it alone is accepted", strict.token_with(&at_jwt, &from_strict), "accepted");
    let header = changed(rsa.header(), json!({"typ": "at+jwt"}));
    table.case("RS256 where it is not", rsa.token_with(&header, &from_strict), "algorithm-not-allowed");

    let token = p256.token(&claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    table.case("an ECDSA signature in DER", format!("{signed}.{}", der(signature)), "bad-signature");
    let stranger = Signer::rs256("rsa", RsaKey::Second);
    table.case("another RSA key with our kid", stranger.token(&claims()), "bad-signature");
    table.case("another P-256 key with our kid", Signer::es256("p256").token(&claims()), "bad-signature");
    let elsewhere = p256.token(&claims_with(json!({"iss": SECRET_ISSUER})));
    table.case("one issuer's key for another issuer", elsewhere, "algorithm-not-allowed");
    let elsewhere = pss.token_with(&changed(rsa.header(), json!({"kid": "pss"})), &from_secret);
    table.case("a kid of another issuer", elsewhere, "unknown-key");
    assert!(table.cases >= 60, "{}", table.cases);
}

#[test]
fn keys() {
    let estate = Estate::new();
    let Estate { rsa, p256, p384, strict, .. } = &estate;
    let mut table = Table::new(&estate);
    let header = |changes| changed(rsa.header(), changes);
    table.case("a kid that nobody has", rsa.token_with(&header(json!({"kid": "nobody"})), &claims()), "unknown-key");
    table.case("an empty kid", rsa.token_with(&header(json!({"kid": ""})), &claims()), "unknown-key");
    for kid in ["../../dev/null", "rsa' OR '1'='1", "RSA", "rsa ", "rsa\u{0}", "http://evil.example.com/key"] {
        table.case(&format!("kid `{kid}`"), rsa.token_with(&header(json!({"kid": kid})), &claims()), "unknown-key");
    }
    for kid in [json!(1), json!(["rsa"]), json!(null), json!({"kid": "rsa"})] {
        let mut header = rsa.header();
        header["kid"] = kid.clone();
        table.case(&format!("kid {kid}"), rsa.token_with(&header, &claims()), "malformed");
    }
    let without = |signer: &Signer| signer.token_with(&changed(signer.header(), json!({"kid": null})), &claims());
    table.case("no kid, one key fits", without(p384), "accepted");
    table.case("no kid, one RSA key is for RS256", without(rsa), "accepted");
    table.case("no kid, no key signed it", without(&Signer::es256("p256")), "bad-signature");
    let at_jwt = changed(strict.header(), json!({"typ": "at+jwt"}));
    let from_strict = claims_with(json!({"iss": STRICT_ISSUER}));
    table.case("neither token nor key has a kid", strict.token_with(&at_jwt, &from_strict), "accepted");
    let with_kid = changed(at_jwt, json!({"kid": "strict"}));
    table.case("a kid where the key has none", strict.token_with(&with_kid, &from_strict), "unknown-key");
    let (one, other) = (Signer::es256("one").without_kid(), Signer::es256("other"));
    let two = Trust::new(vec![issuer("main", ISSUER, Some(&[&one, &other, p384]))]).unwrap();
    let mut cache = TokenCache::new(TokenCacheLimits::default());
    check(&two, &mut cache, "no kid, two keys fit", one.token(&claims()).as_bytes(), NOW, "unknown-key");
    check(&two, &mut cache, "no kid, one key of this curve", without(p384).as_bytes(), NOW, "accepted");
    check(&two, &mut cache, "the kid of one of them", other.token(&claims()).as_bytes(), NOW, "accepted");
    let keyless = claims_with(json!({"iss": KEYLESS_ISSUER}));
    table.case("an issuer without keys", p256.token(&keyless), "keys-unavailable");

    let bring = |name: &str, value: Value| p256.token_with(&changed(p256.header(), json!({name: value})), &claims());
    let stranger = Signer::es256("p256");
    let own_key = changed(stranger.header(), json!({"jwk": stranger.jwk()}));
    table.case("a key of the sender's own", stranger.token_with(&own_key, &claims()), "forbidden-header");
    for (name, value) in [
        ("jku", json!("https://evil.example.com/jwks.json")),
        ("jku", json!("https://id.example.com/jwks.json")),
        ("jwk", p256.jwk()),
        ("x5u", json!("https://evil.example.com/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("b64", json!(true)),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!(["https://example.com/unknown"])),
        ("crit", json!([])),
        ("crit", json!("b64")),
    ] {
        table.case(&format!("{name}: {value}"), bring(name, value.clone()), "forbidden-header");
    }
    let mut header = p256.header();
    header["crit"] = Value::Null;
    table.case("crit: null", p256.token_with(&header, &claims()), "forbidden-header");
    table.case("a thumbprint, which is harmless", bring("x5t", json!("abc")), "accepted");
    table.case("a header nobody knows", bring("https://example.com/h", json!({"a": 1})), "accepted");
}

#[test]
fn types() {
    let estate = Estate::new();
    let Estate { p256, strict, .. } = &estate;
    let mut table = Table::new(&estate);
    let typed = |typ: Value| p256.token_with(&changed(p256.header(), json!({"typ": typ})), &claims());
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"] {
        table.case(typ, typed(json!(typ)), "accepted");
    }
    table.case("none", typed(Value::Null), "accepted");
    for typ in [
        "secevent+jwt",
        "logout+jwt",
        "dpop+jwt",
        "JOSE",
        "",
        "jwt ",
        "application/",
        "text/jwt",
        "application/application/jwt",
    ] {
        table.case(typ, typed(json!(typ)), "type-not-allowed");
    }
    table.case("a number", typed(json!(1)), "malformed");
    let strict_typed = |typ: Value| {
        let header = changed(strict.header(), json!({"typ": typ}));
        strict.token_with(&header, &claims_with(json!({"iss": STRICT_ISSUER})))
    };
    table.case("as listed", strict_typed(json!("application/at+jwt")), "accepted");
    table.case("an ID token where access tokens are asked for", strict_typed(json!("JWT")), "type-not-allowed");
    table.case("none where one is asked for", strict_typed(Value::Null), "type-not-allowed");
}

#[test]
fn claims_that_must_be_right() {
    let estate = Estate::new();
    let mut table = Table::new(&estate);
    let token = |changes| estate.p256.token(&claims_with(changes));
    for iss in [
        "https://id.example.com/",
        "https://ID.example.com",
        "http://id.example.com",
        "https://id.example.com ",
        "https://id.example.com.evil.example",
        "https://evil.example.com",
        "id.example.com",
        "main",
        "",
    ] {
        table.case(&format!("iss `{iss}`"), token(json!({"iss": iss})), "unknown-issuer");
    }
    table.case("no iss", token(json!({"iss": null})), "unknown-issuer");
    table.case("iss is a list", token(json!({"iss": [ISSUER]})), "unknown-issuer");

    for aud in [json!("console"), json!("api"), json!(["api"]), json!(["other", "api"]), json!(["api", "api"])] {
        table.case(&format!("aud {aud}"), token(json!({"aud": aud})), "accepted");
    }
    for aud in [
        json!("other"),
        json!(""),
        json!("Console"),
        json!("console "),
        json!("console api"),
        json!([]),
        json!(["other"]),
        json!([["console"]]),
        json!(["console", 1]),
        json!({"console": true}),
        json!(1),
        json!(true),
    ] {
        table.case(&format!("aud {aud}"), token(json!({"aud": aud})), "wrong-audience");
    }
    table.case("no aud", token(json!({"aud": null})), "wrong-audience");

    for sub in [json!(""), json!(1), json!(["ada"]), json!({"id": "ada"}), json!([]), json!({}), json!(false)] {
        table.case(&format!("sub {sub}"), token(json!({"sub": sub})), "missing-claim");
    }
    table.case("no sub", token(json!({"sub": null})), "missing-claim");
    for name in ["exp", "nbf", "iat"] {
        for value in [json!("1800000300"), json!(true), json!([NOW]), json!({}), json!("")] {
            table.case(&format!("{name} {value}"), token(json!({name: value})), "missing-claim");
        }
        let mut with_null = claims();
        with_null[name] = Value::Null;
        table.case(&format!("{name} null"), estate.p256.token(&with_null), "missing-claim");
    }
    table.case("no exp", token(json!({"exp": null})), "missing-claim");
    table.case("no iat", token(json!({"iat": null})), "accepted");
}

#[test]
fn times() {
    let estate = Estate::new();
    let mut table = Table::new(&estate);
    let token = |changes| estate.p256.token(&claims_with(changes));
    let exp = token(json!({"exp": NOW}));
    for (after, expected) in [(-1, "accepted"), (0, "accepted"), (29, "accepted"), (30, "expired"), (31, "expired")] {
        table.case_at(&format!("{after} s after exp, 30 s leeway"), &exp, NOW + after, expected);
    }
    // Back in time again: what is remembered of a token is judged by the moment, too.
    table.case_at("before exp again", &exp, NOW, "accepted");
    for name in ["nbf", "iat"] {
        let later = token(json!({name: NOW}));
        for (before, expected) in [(31, "not-yet-valid"), (30, "accepted"), (29, "accepted"), (0, "accepted")] {
            table.case_at(&format!("{before} s before {name}, 30 s leeway"), &later, NOW - before, expected);
        }
        table.case_at(&format!("before {name} again"), &later, NOW - 31, "not-yet-valid");
    }
    let header = changed(estate.strict.header(), json!({"typ": "at+jwt"}));
    let strict = |changes| {
        let from_strict = changed(claims_with(json!({"iss": STRICT_ISSUER})), changes);
        estate.strict.token_with(&header, &from_strict)
    };
    let exp = strict(json!({"exp": NOW}));
    table.case_at("just before exp, no leeway", &exp, NOW - 1, "accepted");
    table.case_at("at exp, no leeway", &exp, NOW, "expired");
    let nbf = strict(json!({"nbf": NOW}));
    table.case_at("just before nbf, no leeway", &nbf, NOW - 1, "not-yet-valid");
    table.case_at("at nbf, no leeway", &nbf, NOW, "accepted");
    let fraction = strict(json!({"exp": 1_800_000_000.5}));
    table.case_at("half a second before exp", &fraction, NOW, "accepted");
    table.case_at("half a second after exp", &fraction, NOW + 1, "expired");
    let fraction = strict(json!({"nbf": 1_800_000_000.5}));
    table.case_at("half a second before nbf", &fraction, NOW, "not-yet-valid");
    table.case_at("half a second after nbf", &fraction, NOW + 1, "accepted");
    for exp in [json!(0), json!(-1), json!(i64::MIN), json!(-1.5e300), json!(1.0), json!(-0.0)] {
        table.case(&format!("exp {exp}"), token(json!({"exp": exp})), "expired");
    }
    for exp in [json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(1_800_000_300.0)] {
        table.case(&format!("exp {exp}"), token(json!({"exp": exp})), "accepted");
        table.case(&format!("nbf {exp}"), token(json!({"nbf": exp})), "not-yet-valid");
    }
    table.case("nbf long ago", token(json!({"nbf": i64::MIN})), "accepted");
    table.case("nbf long ago, huge", token(json!({"nbf": -1e300})), "accepted");
    let both = token(json!({"exp": NOW - 100, "nbf": NOW + 100}));
    table.case("never valid", both, "not-yet-valid");

    // A token that is not genuine is never merely expired: that would tell the sender that the rest was right.
    let expired = claims_with(json!({"exp": NOW - 100}));
    table.case("expired and forged", Signer::es256("p256").token(&expired), "bad-signature");
    table.case("expired and for another audience", token(json!({"exp": NOW - 100, "aud": "other"})), "wrong-audience");
}

#[test]
fn forms() {
    let estate = Estate::new();
    let p256 = &estate.p256;
    let mut table = Table::new(&estate);
    let token = p256.token(&claims());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let text = token.as_str();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("one dot", b".".to_vec()),
        ("two dots", b"..".to_vec()),
        ("three dots", b"...".to_vec()),
        ("one part", header.into()),
        ("two parts", format!("{header}.{payload}").into()),
        ("four parts", format!("{text}.{signature}").into()),
        (
            "five parts, as of an encrypted token",
            format!("{header}.{payload}.{signature}.{signature}.{signature}").into(),
        ),
        ("no header", format!(".{payload}.{signature}").into()),
        ("no payload", format!("{header}..{signature}").into()),
        ("a space before", format!(" {text}").into()),
        ("a space after", format!("{text} ").into()),
        ("a line feed after", format!("{text}\n").into()),
        ("a NUL after", format!("{text}\0").into()),
        ("a space within", format!("{header}. {payload}.{signature}").into()),
        ("a padded header", format!("{header}=.{payload}.{signature}").into()),
        ("a padded signature", format!("{text}==").into()),
        ("the other alphabet", format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")).into()),
        ("percent-encoded", text.replace('.', "%2E").into()),
        ("in quotes", format!("\"{text}\"").into()),
        ("two tokens", format!("{text},{text}").into()),
        ("bytes that are no text", [text.as_bytes(), &[0xff, 0xfe]].concat()),
        ("the scheme again", format!("Bearer {text}").into()),
        ("header is the payload", format!("{payload}.{payload}.{signature}").into()),
    ];
    for (name, bytes) in cases {
        // A signature without `-` and `_` is the same in both alphabets.
        let expected = if bytes == text.as_bytes() { "accepted" } else { "malformed" };
        table.case(name, bytes, expected);
    }
    // 64 bytes are 85 characters and two bits: the last character has four bits that mean nothing, and one spelling.
    let (start, last) = signature.split_at(signature.len() - 1);
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.iter().position(|byte| *byte == last.as_bytes()[0]).unwrap();
    for stray in 1..16 {
        let last = char::from(alphabet[value | stray]);
        table.case("stray bits", format!("{header}.{payload}.{start}{last}"), "malformed");
    }
    let head = p256.header().to_string();
    let good = claims().to_string();
    let payloads = [
        ("no JSON", "ada".to_owned()),
        ("no object", "[]".to_owned()),
        ("null", "null".to_owned()),
        ("two objects", format!("{good}{good}")),
        ("JSON in JSON", format!("{good:?}")),
        ("sub twice", good.replacen('{', "{\"sub\":\"eve\",", 1)),
        ("sub twice, once escaped", good.replacen('{', "{\"s\\u0075b\":\"eve\",", 1)),
        ("exp twice", good.replacen('{', "{\"exp\":9999999999,", 1)),
        ("a member twice, deep inside", good.replacen('{', "{\"x\":[{\"y\":1,\"y\":2}],", 1)),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("a trailing comma", good.replacen('}', ",}", 1)),
        ("a comment", good.replacen('{', "{/**/", 1)),
        ("an endless number", good.replacen('{', "{\"x\":1e999,", 1)),
        ("deeper than is read", good.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(200), "]".repeat(200)), 1)),
    ];
    for (name, payload) in payloads {
        table.case(name, p256.token_from_text(&head, &payload), "malformed");
    }
    let headers = [
        ("header: alg twice", head.replacen('{', "{\"alg\":\"none\",", 1)),
        ("header: kid twice", head.replacen('{', "{\"kid\":\"p256\",", 1)),
        ("header: a list", "[]".to_owned()),
        ("header: empty", String::new()),
        ("header: a thumbprint of the wrong type", head.replacen('{', "{\"x5t\":1,", 1)),
    ];
    for (name, header) in headers {
        table.case(name, p256.token_from_text(&header, &good), "malformed");
    }
    table.case("white space in JSON", p256.token_from_text(&format!(" {head}\n"), &format!("\t{good} ")), "accepted");

    let filler = |length| p256.token(&claims_with(json!({"filler": "x".repeat(length)})));
    let room = (MAX_TOKEN_BYTES - filler(0).len()) * 3 / 4;
    let fitting = (0..8).map(|less| filler(room - less)).find(|token| token.len() <= MAX_TOKEN_BYTES).unwrap();
    assert!(fitting.len() > MAX_TOKEN_BYTES - 8);
    table.case("as long as is read", fitting, "accepted");
    table.case("longer than is read", filler(room + 8), "too-long");
    table.case("long and nothing else", vec![b'A'; MAX_TOKEN_BYTES + 1], "too-long");
    table.case("a megabyte", vec![b'.'; 1 << 20], "too-long");
    table.case("dots", vec![b'.'; MAX_TOKEN_BYTES], "malformed");
    let secret = Signer::hs256("secret", SECRET);
    table.case("the usual one, after all", secret.token(&claims_with(json!({"iss": SECRET_ISSUER}))), "accepted");
}

fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// An ECDSA signature of two numbers in base64url, as the ASN.1 that TLS and OpenSSL write.
fn der(signature: &str) -> String {
    let raw = from_base64url(signature);
    let integer = |bytes: &[u8]| {
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
        [&[2, u8::try_from(bytes.len() + sign.len()).unwrap()], sign, bytes].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    base64url(&[&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat())
}
