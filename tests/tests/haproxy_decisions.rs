//! What people get through a real HAProxy: allowed, refused, told to log in, told to ask.

use luigi_runtime::Mode;
use luigi_tests::client::{Client, request};
use luigi_tests::installation::Release;
use luigi_tests::site::Site;
use luigi_tests::tokens::{RsaKey, Signer, jwks};
use serde_json::json;

const POLICY: &str = r#"
schema = 1

[issuers.okta]
url = "https://example.okta.com"
audiences = ["console"]

[groups]
engineering = "engineering"
billing = "billing"

[scopes.health]
hosts = "any"
operations = ["GET /healthz"]

[scopes.orders]
hosts = ["orders.example.com"]
paths = ["/v1/orders/**"]
methods = "read"

[scopes.billing]
hosts = ["admin.example.com"]
paths = ["/billing/**"]
methods = "any"
privileged = true

[approvals.leads]
approvers = { groups = ["billing"] }
duration = "30m"

[logins.mfa]
amr-any = ["mfa"]

[[rules]]
id = "health"
effect = "allow"
scopes = ["health"]
subject = "anyone"

[[rules]]
id = "engineers-read-orders"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["engineering"] }

[[rules]]
id = "billing-staff"
effect = "allow"
scopes = ["billing"]
subject = { groups = ["billing"] }
require = { approval = ["leads"] }

[[rules]]
id = "billing-with-mfa"
effect = "restrict"
scopes = ["billing"]
require = { login = "mfa" }
"#;

fn claims(groups: &[&str], amr: &[&str]) -> serde_json::Value {
    let now = luigi_runtime::now().unix_seconds();
    json!({
        "iss": "https://example.okta.com", "aud": "console", "sub": "ada", "email": "ada@example.com",
        "email_verified": true, "groups": groups, "amr": amr, "iat": now, "exp": now + 600,
    })
}

fn everybody_gets_what_the_policy_says(release: Release) {
    let signer = Signer::rs256("k1", RsaKey::First);
    let mut site = Site::new();
    site.set_keys("okta", &String::from_utf8(jwks(&[&signer])).unwrap());
    site.apply(POLICY, Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let mut client = Client::connect(haproxy.address());
    let engineer = format!("Bearer {}", signer.token(&claims(&["engineering"], &["pwd"])));
    let password = format!("Bearer {}", signer.token(&claims(&["billing"], &["pwd"])));
    let strong = format!("Bearer {}", signer.token(&claims(&["billing"], &["pwd", "mfa"])));
    let cases = [
        ("GET", "/healthz", "anything.example.org", None, 200, ""),
        ("GET", "/v1/orders/7", "orders.example.com", Some(&engineer), 200, ""),
        ("GET", "/v1/orders/7", "orders.example.com", None, 401, "Bearer"),
        ("DELETE", "/v1/orders/7", "orders.example.com", Some(&engineer), 403, ""),
        ("GET", "/nowhere", "orders.example.com", Some(&engineer), 403, ""),
        ("POST", "/billing/refunds", "admin.example.com", Some(&password), 401, "insufficient_user_authentication"),
        ("POST", "/billing/refunds", "admin.example.com", Some(&strong), 403, ""),
        ("GET", "/x/..%2fhealthz", "orders.example.com", Some(&engineer), 400, ""),
    ];
    for (method, path, host, token, status, challenge) in cases {
        let fields: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
        let response = client.exchange(&request(method, path, host, &fields));
        assert_eq!(response.status, status, "{method} {host}{path}: {}", response.text());
        let challenged = response.header("www-authenticate").unwrap_or_default();
        assert!(challenged.contains(challenge), "{method} {host}{path}: {challenged}");
    }
    assert_eq!(site.upstream().seen().len(), 2, "only what passed reached the upstream");
}

#[test]
fn everybody_gets_what_the_policy_says_on_debian_12() {
    everybody_gets_what_the_policy_says(Release::Debian12);
}

#[test]
fn everybody_gets_what_the_policy_says_on_debian_13() {
    everybody_gets_what_the_policy_says(Release::Debian13);
}
