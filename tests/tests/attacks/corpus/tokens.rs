//! Tokens that nobody signed, or that somebody else did, in requests for what only staff may have. What each is told, and many more, stand in
//! `luigi-core/tests/identity/attacks.rs`; here they go through HAProxy.

use super::{Attack, Class, get};
use crate::estate::HOST;
use luigi_tests::people::{ada, changed, signer};
use luigi_tests::tokens::{RsaKey, Signer, base64url, jwks};
use serde_json::{Value, json};

/// Every token that must not open anything.
fn bad_tokens() -> Vec<String> {
    let (good, other) = (signer(), Signer::rs256("k1", RsaKey::Second));
    let public = String::from_utf8_lossy(&jwks(&[&good])).into_owned();
    let genuine = good.token(&ada());
    let parts: Vec<&str> = genuine.split('.').collect();
    let with_header = |header: &Value| good.token_with(header, &ada());
    let unsigned = |header: &Value| format!("{}.{}.", base64url(header.to_string().as_bytes()), parts[1]);
    let mut all = Vec::new();
    for algorithm in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "RS384", "ES256", "EdDSA", "none "] {
        all.push(unsigned(&json!({"alg": algorithm, "typ": "JWT", "kid": "k1"})));
        all.push(unsigned(&json!({"alg": algorithm})));
        all.push(with_header(&json!({"alg": algorithm, "kid": "k2"})));
        if algorithm != "RS256" {
            all.push(with_header(&json!({"alg": algorithm, "kid": "k1"})));
        }
    }
    // The public key as a shared secret.
    for secret in [public.as_bytes(), b"", b"secret", b"k1", good.jwk()["n"].as_str().unwrap_or_default().as_bytes()] {
        all.push(Signer::hs256("k1", secret).token(&ada()));
        all.push(Signer::hs256("k1", secret).without_kid().token(&ada()));
    }
    // What tells the verifier where to find another key.
    for (name, value) in [
        ("jwk", other.jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/c.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!(["x"])),
        ("b64", json!(false)),
    ] {
        let header = |algorithm: &str| json!({"alg": algorithm, "kid": "k1", name: value});
        all.push(other.token_with(&header("RS256"), &ada()));
        all.push(unsigned(&header("none")));
    }
    for kid in ["", "k2", "../k1", "k1\u{0}", "/dev/null", "' or '1'='1", "k1/../k1", "K1", " k1", "k1 "] {
        all.push(other.token_with(&json!({"alg": "RS256", "kid": kid}), &ada()));
        all.push(Signer::hs256(kid, b"").token(&ada()));
    }
    all.extend([
        other.token(&ada()),
        Signer::es256("k1").token(&ada()),
        Signer::eddsa("k1").token(&ada()),
        Signer::ps256("k1", RsaKey::First).token(&ada()),
    ]);
    let now = luigi_runtime::now().unix_seconds();
    for changes in [
        json!({"exp": now - 600}),
        json!({"exp": null}),
        json!({"exp": "x"}),
        json!({"exp": -1}),
        json!({"nbf": now + 3600}),
        json!({"iss": "https://id.example.com/"}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"iss": ["https://id.example.com"]}),
        json!({"aud": "other"}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"aud": "APP"}),
        json!({"sub": null, "exp": now - 600}),
        json!({"groups": ["Staff"]}),
        json!({"groups": ["staff "]}),
        json!({"groups": "staf"}),
        json!({"groups": [["staff"]]}),
        json!({"groups": null, "roles": ["staff"]}),
        json!({"groups": null, "group": "staff"}),
        json!({"groups": {"staff": true}}),
    ] {
        all.push(good.token(&changed(ada(), &changes)));
    }
    // Parts of a genuine token, changed or put together anew.
    let root = base64url(changed(ada(), &json!({"sub": "root", "groups": ["staff", "admin"]})).to_string().as_bytes());
    let middle = parts[1].len() / 2;
    let flipped = |text: &str, at: usize| {
        let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &text[..at], &text[at + 1..])
    };
    all.extend([
        format!("{}.{root}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], flipped(parts[1], middle), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], flipped(parts[2], 10)),
        format!("{}.{}.{}", flipped(parts[0], 5), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][..100]),
        format!("{}.{}.{}", parts[0], parts[1], base64url(&[0; 256])),
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        format!("{genuine}.x"),
        genuine.replace('.', " "),
        ".".to_owned(),
        "..".to_owned(),
        String::new(),
        "x".repeat(9_000),
    ]);
    all
}

pub(super) fn add(all: &mut Vec<Attack>) {
    for token in bad_tokens() {
        for path in ["/admin/secret.txt", "/%61dmin/secret.txt"] {
            get(all, Class::Token, path, HOST, &format!("authorization: Bearer {token}\r\n"));
        }
    }
    let genuine = signer().token(&ada());
    // A genuine one in a place where nobody looks for it, or twice.
    for fields in [
        format!("authorization: {genuine}\r\n"),
        format!("authorization: Basic {genuine}\r\n"),
        format!("authorization: Bearer {genuine}\r\nauthorization: Bearer {genuine}\r\n"),
        format!("authorization: Bearer {genuine}, Bearer {genuine}\r\n"),
        format!("authorization: Bearer {genuine} x\r\n"),
        format!("authorization: Bearer {genuine}\r\nconnection: authorization\r\nauthorization: Bearer x\r\n"),
        format!("proxy-authorization: Bearer {genuine}\r\n"),
        format!("x-authorization: Bearer {genuine}\r\n"),
        format!("authorization\0: Bearer {genuine}\r\n"),
        format!("cookie: authorization={genuine}; token={genuine}\r\n"),
        format!("x-luigi-token: {genuine}\r\n"),
    ] {
        get(all, Class::Token, "/admin/secret.txt", HOST, &fields);
    }
    for query in ["access_token", "token", "authorization", "id_token"] {
        get(all, Class::Token, &format!("/admin/secret.txt?{query}={genuine}"), HOST, "");
    }
}
