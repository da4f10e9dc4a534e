//! A small company for the tests in front of HAProxy: its policy, and the people who ask.

use crate::client::Response;
use crate::site::Site;
use crate::tokens::{RsaKey, Signer, jwks};
use serde_json::{Value, json};

/// The host of the company's one service.
pub const HOST: &str = "app.example.com";

/// The issuer of its tokens, called `corp` in [`POLICY`].
pub const ISSUER: &str = "https://id.example.com";

/// `/open/**` is for anyone, `/staff/**` for the group `staff`, `/vault/**` for the same with an approval; the rule `watched`
/// would deny `/open/watched` but is only observed. Everything else is in no scope.
pub const POLICY: &str = r#"
schema = 1

[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]

[groups]
staff = "staff"

[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "any"

[scopes.watched]
hosts = "any"
paths = ["/open/watched"]
methods = "any"

[scopes.staff]
hosts = ["app.example.com"]
paths = ["/staff/**"]
methods = "any"

[scopes.vault]
hosts = ["app.example.com"]
paths = ["/vault/**"]
methods = "read"
privileged = true

[approvals.lead]
approvers = { groups = ["staff"] }
duration = "30m"
justification = "required"

[[rules]]
id = "open"
effect = "allow"
scopes = ["open"]
subject = "anyone"

[[rules]]
id = "watched"
effect = "deny"
scopes = ["watched"]
mode = "observe"

[[rules]]
id = "staff"
effect = "allow"
scopes = ["staff"]
subject = { groups = ["staff"] }

[[rules]]
id = "vault"
effect = "allow"
scopes = ["vault"]
subject = { groups = ["staff"] }
require = { approval = ["lead"] }
"#;

/// The key that the company's tokens are signed with.
#[must_use]
pub fn signer() -> Signer {
    Signer::rs256("k1", RsaKey::First)
}

/// A site whose issuer `corp` has the key of [`signer`]; no policy is applied yet.
#[must_use]
pub fn site() -> Site {
    let mut site = Site::new();
    site.set_keys("corp", &String::from_utf8_lossy(&jwks(&[&signer()])));
    site
}

/// The claims of Ada, who is in the group `staff`, for ten minutes.
#[must_use]
pub fn ada() -> Value {
    let now = luigi_runtime::now().unix_seconds();
    json!({
        "iss": ISSUER, "aud": "app", "sub": "ada", "email": "ada@example.com", "email_verified": true,
        "groups": ["staff"], "iat": now, "exp": now + 600,
    })
}

/// Claims with some of them replaced; `null` takes one away.
///
/// # Panics
/// If `changes` is no object.
#[must_use]
pub fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("changes are an object") {
        match value {
            Value::Null => drop(claims.as_object_mut().and_then(|claims| claims.remove(name))),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// The value of an `Authorization` field.
#[must_use]
pub fn bearer(signer: &Signer, claims: &Value) -> String {
    format!("Bearer {}", signer.token(claims))
}

/// The reason in a problem object.
#[must_use]
pub fn reason(response: &Response) -> String {
    let problem: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    problem["context"]["reason"].as_str().unwrap_or_default().to_owned()
}
