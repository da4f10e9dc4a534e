//! What a real HAProxy logs becomes tests that pass: `luigi test --record`.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::{Release, luigi};
use luigi_tests::site::Site;
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use serde_json::json;
use std::fs;
use std::process::{Command, Output};

const POLICY: &str = r#"schema = 1

[issuers.okta]
url = "https://example.okta.com"
audiences = ["console"]

[groups]
engineering = "Engineering, all of it"
billing = "billing"

[networks]
here = ["127.0.0.0/8"]

[scopes.orders]
hosts = ["orders.example.com"]
paths = ["/v1/orders/**"]
methods = "read"

[scopes.billing]
hosts = ["admin.example.com"]
paths = ["/billing/**"]
methods = "any"
privileged = true

[logins.mfa]
amr-any = ["mfa"]

[[rules]]
id = "engineers-read-orders"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["engineering"] }
from = ["here"]

[[rules]]
id = "billing-staff"
effect = "allow"
scopes = ["billing"]
subject = { groups = ["billing"] }
require = { login = "mfa" }
"#;

fn run(arguments: &[&str]) -> Output {
    Command::new(luigi()).args(arguments).output().expect("the command runs")
}

fn a_log_becomes_tests(release: Release) {
    let signer = Signer::rs256("k1", RsaKey::First);
    let mut site = Site::new();
    site.set_keys("okta", &String::from_utf8(jwks(&[&signer])).unwrap());
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let now = luigi_runtime::now().unix_seconds();
    let token = |groups: &[&str], amr: &str, expires: i64| {
        let token = signer.token(&json!({
            "iss": "https://example.okta.com", "aud": "console", "sub": "ada@example.com", "groups": groups, "amr": [amr],
            "iat": now - 7200, "exp": now + expires,
        }));
        format!("Bearer {token}")
    };
    let engineer = token(&["Engineering, all of it", "everyone"], "pwd", 600);
    let expired = token(&["billing"], "pwd", -3600);
    let (weak, strong) = (token(&["billing"], "pwd", 600), token(&["billing"], "mfa", 600));
    let requests = [
        ("GET", "/v1/orders/0?token=hidden", "orders.example.com:8443", Some(&engineer)),
        ("GET", "/v1/orders/1", "orders.example.com", Some(&engineer)),
        ("GET", "/v1/orders/2", "orders.example.com", None),
        ("DELETE", "/v1/orders/3", "orders.example.com", Some(&engineer)),
        ("GET", "/billing/4", "admin.example.com", Some(&weak)),
        ("GET", "/billing/5", "admin.example.com", Some(&strong)),
        ("GET", "/billing/6", "admin.example.com", Some(&expired)),
        ("GET", "/x/..%2f7", "orders.example.com", None),
        ("GET", "/v1/orders/8", "a decision=allow \"", None),
    ];
    let mut lines = Vec::new();
    for (method, path, host, token) in requests {
        let fields: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        // HAProxy 3.0 answers a Host that is none itself, and closes the connection.
        Client::connect(haproxy.address()).exchange(&request(method, path, host, &fields));
        if !host.contains(' ') {
            lines.push(haproxy.log_line(&[&format!("\"{method} {path} ")]));
        }
    }
    let log = site.path("access.log");
    fs::write(&log, lines.join("\n")).unwrap();
    let policy = site.path("recorded-policy");
    fs::create_dir(&policy).unwrap();
    fs::write(policy.join("policy.toml"), POLICY).unwrap();
    let recorded = policy.join("recorded.toml");
    let (policy, log, to) = (policy.to_str().unwrap(), log.to_str().unwrap(), recorded.to_str().unwrap());

    let output = run(&["test", policy, "--record", log, "--to", to]);
    let said = String::from_utf8(output.stderr).unwrap();
    let text = fs::read_to_string(&recorded).unwrap_or_else(|_| panic!("{said}\n{lines:#?}"));
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("7 tests from 8 requests, in "), "{said}\n{text}\n{lines:#?}");
    for part in [
        "groups = [\"engineering\"]",
        "login = \"mfa\"",
        "expect = \"step-up\"",
        "as = \"expired\"",
        "expect = \"authenticate\"",
        "reason = \"ambiguous-target\"",
        "rule = \"engineers-read-orders\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    for private in ["ada", "hidden", "everyone"] {
        assert!(!text.contains(private), "{private}\n{text}");
    }
    let output = run(&["test", policy]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("7 passed, 0 failed of 7 tests"), "{said}\n{text}");
}

#[test]
fn a_log_becomes_tests_on_debian_12() {
    a_log_becomes_tests(Release::Debian12);
}

#[test]
fn a_log_becomes_tests_on_debian_13() {
    a_log_becomes_tests(Release::Debian13);
}
