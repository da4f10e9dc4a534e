//! Bearer tokens through HAProxy: which are accepted, and what each that is not is told. Never is it an error page of HAProxy's own.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, POLICY, ada, bearer, changed, reason};
use luigi_tests::site::Site;
use luigi_tests::tokens::{RsaKey, Signer, base64url, jwks};
use serde_json::json;

on_each_haproxy!(every_algorithm_is_accepted, every_bad_token_is_told_why);

fn every_algorithm_is_accepted(release: Release) {
    let signers = [
        ("RS256", Signer::rs256("a", RsaKey::First)),
        ("PS256", Signer::ps256("b", RsaKey::Second)),
        ("ES256", Signer::es256("c")),
        ("ES384", Signer::es384("d")),
        ("EdDSA", Signer::eddsa("e")),
    ];
    let mut site = Site::new();
    site.set_keys(
        "corp",
        &String::from_utf8(jwks(&signers.iter().map(|(_, signer)| signer).collect::<Vec<_>>())).unwrap(),
    );
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let mut client = Client::connect(haproxy.address());
    for (name, signer) in &signers {
        let authorization = bearer(signer, &changed(ada(), &json!({"sub": format!("ada-{name}")})));
        // The second time the token is known.
        for _ in 0..2 {
            let path = format!("/staff/{name}");
            let response = client.exchange(&request("GET", &path, HOST, &[("authorization", &authorization)]));
            assert_eq!(response.status, 200, "{name}: {}", response.text());
            assert!(response.text().contains(&format!("x-luigi-subject: ada-{name}\r\n")), "{}", response.text());
        }
    }
}

/// What the log says of the tokens that are not believed.
const DETAILS: [(&str, &str); 12] = [
    ("empty", "malformed"),
    ("malformed", "malformed"),
    ("oversized", "too-long"),
    ("early", "not-yet-valid"),
    ("foreign", "unknown-issuer"),
    ("audience", "wrong-audience"),
    ("endless", "missing-claim"),
    ("unsigned", "algorithm-not-allowed"),
    ("forged", "bad-signature"),
    ("other-key", "bad-signature"),
    ("unknown-key", "unknown-key"),
    ("hmac", "algorithm-not-allowed"),
];

fn every_bad_token_is_told_why(release: Release) {
    let signer = Signer::rs256("k1", RsaKey::First);
    let mut site = Site::new();
    site.set_keys("corp", &String::from_utf8(jwks(&[&signer])).unwrap());
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let now = luigi_runtime::now().unix_seconds();
    let with = |changes| bearer(&signer, &changed(ada(), &changes));
    let unsigned =
        |header: &str| format!("Bearer {}.{}.", base64url(header.as_bytes()), base64url(ada().to_string().as_bytes()));
    let forged = signer.token(&ada()).rsplit_once('.').map(|(signed, _)| format!("Bearer {signed}.AAAA")).unwrap();
    let invalid = "deny-rule-unknown allow-rule-unknown";
    for (name, fields, status, challenge, reasons, credential) in [
        ("missing", vec![], 401, "Bearer realm=\"app.example.com\"", "no-rule-allows subject-required", "absent"),
        ("basic", vec!["Basic YTpi".to_owned()], 401, "Bearer realm=\"app.example.com\"", "no-rule-allows", "absent"),
        ("empty", vec!["Bearer".to_owned()], 401, "the token is malformed", invalid, "invalid"),
        ("malformed", vec!["Bearer abc".to_owned()], 401, "the token is malformed", invalid, "invalid"),
        ("oversized", vec![format!("Bearer {}", "a".repeat(12_289))], 401, "the token is too long", invalid, "invalid"),
        ("expired", vec![with(json!({"exp": now - 60}))], 401, "the token has expired", invalid, "expired"),
        ("early", vec![with(json!({"nbf": now + 600}))], 401, "the token is not valid yet", invalid, "invalid"),
        (
            "foreign",
            vec![with(json!({"iss": "https://evil.example"}))],
            401,
            "an issuer that is not trusted",
            invalid,
            "invalid",
        ),
        ("audience", vec![with(json!({"aud": "other"}))], 401, "meant for another service", invalid, "invalid"),
        ("endless", vec![with(json!({"exp": null}))], 401, "lacks a claim", invalid, "invalid"),
        ("unsigned", vec![unsigned(r#"{"alg":"none"}"#)], 401, "algorithm is not accepted", invalid, "invalid"),
        ("forged", vec![forged], 401, "the token's signature does not verify", invalid, "invalid"),
        (
            "other-key",
            vec![bearer(&Signer::rs256("k1", RsaKey::Second), &ada())],
            401,
            "signature does not verify",
            invalid,
            "invalid",
        ),
        (
            "unknown-key",
            vec![bearer(&Signer::rs256("k9", RsaKey::Second), &ada())],
            401,
            "a key that is not known",
            invalid,
            "invalid",
        ),
        (
            "hmac",
            vec![bearer(&Signer::hs256("k1", &[7; 32]), &ada())],
            401,
            "algorithm is not accepted",
            invalid,
            "invalid",
        ),
        ("two", vec![with(json!({})), with(json!({}))], 400, "", "ambiguous-credential", "ambiguous"),
        ("two-kinds", vec![with(json!({})), "Basic YTpi".to_owned()], 400, "", "ambiguous-credential", "ambiguous"),
    ] {
        let path = format!("/staff/{name}");
        let fields: Vec<_> = fields.iter().map(|value| ("authorization", value.as_str())).collect();
        let response = Client::connect(haproxy.address()).exchange(&request("GET", &path, HOST, &fields));
        assert_eq!(response.status, status, "{name}: {}", response.text());
        let told = response.header("www-authenticate").unwrap_or_default();
        assert!(told.contains(challenge) && told.is_empty() == challenge.is_empty(), "{name}: {told}");
        let error = matches!(credential, "invalid" | "expired");
        assert_eq!(told.contains("error=\"invalid_token\""), error, "{name}: {told}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{name}");
        let why = reason(&response);
        assert!(reasons.split(' ').any(|reason| reason == why), "{name}: {why}");
        let line = haproxy.log_line(&[&format!("GET {path} ")]);
        for words in [format!(" reason={why} "), format!(" credential={credential} "), "luigi=refuse".to_owned()] {
            assert!(line.contains(&words), "{name}: {words}: {line}");
        }
        let detail = DETAILS.iter().find(|(case, _)| *case == name).map_or("-", |(_, detail)| detail);
        assert!(line.contains(&format!(" detail={detail} ")), "{name}: {detail}: {line}");
    }
    assert_eq!(site.upstream().seen().len(), 0);
    haproxy.status_with("failures               0");
}
