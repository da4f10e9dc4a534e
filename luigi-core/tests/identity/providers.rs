//! Tokens in the shapes that providers give out, under issuers declared as docs/IDENTITY.md says.

use crate::estate::{NOW, at, changed};
use crate::tokens::{RsaKey, Signer};
use luigi_core::identity::{Identity, IssuerKeys, KeySet, Trust};
use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::{SourceSet, parse};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

const ISSUERS: &str = r#"
schema = 1
[issuers.keycloak]
url = "https://login.example.com/realms/staff"
audiences = ["orders"]
default = true
claims = { groups = ["realm_access", "roles"] }
[issuers.entra]
url = "https://login.microsoftonline.com/6f0f2d0a-0c52-4f3c-9c1e-8b9e6a9f3a10/v2.0"
audiences = ["8d5c1f3e-2222-4c1d-8a52-8f1c0e1d2b3c"]
claims = { subject = ["oid"], groups = ["roles"], kind = ["idtyp"] }
kind = "user"
[issuers.cognito]
url = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123"
audiences = ["1example23456789"]
claims = { audience = ["client_id"], groups = ["cognito:groups"] }
[issuers.eks]
url = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
audiences = ["orders"]
kind = "workload"
[issuers.aws]
url = "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws"
audiences = ["https://orders.example.com"]
algorithms = ["RS256", "ES384"]
kind = "workload"
[issuers.mesh]
type = "spiffe"
trust-domain = "example.org"
audiences = ["orders"]
[issuers.partner]
type = "spiffe"
trust-domain = "partner.example"
url = "https://oidc.partner.example"
audiences = ["orders"]
kind = "partner"
"#;

struct Providers {
    trust: Trust,
    signers: HashMap<String, Signer>,
}

/// The key set of one signer; `purpose` stands as `use`, or nothing does.
fn keys(signer: &Signer, purpose: Option<&str>) -> Vec<u8> {
    let mut jwk = signer.jwk();
    let members = jwk.as_object_mut().unwrap();
    members.remove("use");
    if let Some(purpose) = purpose {
        members.insert("use".to_owned(), purpose.into());
    }
    json!({ "keys": [jwk] }).to_string().into_bytes()
}

fn issuers() -> Vec<IssuerKeys> {
    let mut sources = SourceSet::new();
    sources.add("issuers.toml", ISSUERS);
    let parsed = parse(&sources);
    assert_eq!(parsed.diagnostics.render(&sources, Style::PLAIN), "");
    let policy = parsed.policy.unwrap();
    let issuers = policy.issuers.into_rows();
    issuers.map(|issuer| IssuerKeys { name: issuer.name, trust: issuer.trust, keys: None }).collect()
}

impl Providers {
    fn new() -> Self {
        let mut issuers = issuers();
        let mut signers = HashMap::new();
        for issuer in &mut issuers {
            let (signer, purpose) = match issuer.name.as_str() {
                "aws" => (Signer::es384("aws"), "sig"),
                "mesh" | "partner" => (Signer::es256(&issuer.name), "jwt-svid"),
                name => (Signer::rs256(name, RsaKey::First), "sig"),
            };
            issuer.keys = Some(Arc::new(KeySet::from_jwks(&keys(&signer, Some(purpose))).unwrap()));
            signers.insert(issuer.name.clone(), signer);
        }
        Self { trust: Trust::new(issuers).unwrap(), signers }
    }

    fn verify(&self, signer: &str, claims: &Value) -> Result<Identity, &'static str> {
        self.verify_with(signer, &self.signers[signer].header(), claims)
    }

    fn verify_with(&self, signer: &str, header: &Value, claims: &Value) -> Result<Identity, &'static str> {
        let token = self.signers[signer].token_with(header, claims);
        self.trust.verify(token.as_bytes(), at(NOW)).map_err(luigi_core::identity::CredentialError::as_str)
    }

    fn refused(&self, signer: &str, claims: &Value) -> &'static str {
        self.verify(signer, claims).expect_err("the token is accepted")
    }
}

fn groups(identity: &Identity) -> Vec<&str> {
    identity.groups().names().iter().map(AsRef::as_ref).collect()
}

#[test]
fn keycloak_entra_eks_and_aws() {
    let providers = Providers::new();
    let keycloak = json!({
        "iss": "https://login.example.com/realms/staff", "sub": "f3c1", "aud": ["account", "orders"], "azp": "web", "typ": "Bearer",
        "iat": NOW - 10, "exp": NOW + 300, "realm_access": {"roles": ["on-call", "billing"]}
    });
    let found = providers.verify("keycloak", &keycloak).unwrap();
    assert_eq!((found.subject(), groups(&found)), ("f3c1", vec!["billing", "on-call"]));
    assert_eq!(providers.refused("keycloak", &changed(keycloak, json!({"aud": "account"}))), "wrong-audience");

    let entra = json!({
        "iss": "https://login.microsoftonline.com/6f0f2d0a-0c52-4f3c-9c1e-8b9e6a9f3a10/v2.0", "sub": "pairwise", "oid": "aaaa-1", "ver": "2.0",
        "aud": "8d5c1f3e-2222-4c1d-8a52-8f1c0e1d2b3c", "iat": NOW - 10, "exp": NOW + 300, "roles": ["Orders.Read"]
    });
    let found = providers.verify("entra", &entra).unwrap();
    assert_eq!((found.subject(), found.kind(), groups(&found)), ("aaaa-1", Some("user"), vec!["Orders.Read"]));
    let app = providers.verify("entra", &changed(entra, json!({"idtyp": "app"}))).unwrap();
    assert_eq!(app.kind(), Some("app"));

    let eks = json!({
        "iss": "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE", "aud": ["orders"],
        "sub": "system:serviceaccount:shop:web", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 300,
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "1"}}
    });
    // The API server writes no `typ`.
    let found = providers.verify_with("eks", &json!({"alg": "RS256", "kid": "eks"}), &eks).unwrap();
    assert_eq!((found.subject(), found.kind()), ("system:serviceaccount:shop:web", Some("workload")));
    let namespace = found.claim(&["kubernetes.io".to_owned(), "namespace".to_owned()]);
    assert_eq!(namespace, Some(&json!("shop")));

    let aws = json!({
        "iss": "https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws", "aud": "https://orders.example.com",
        "sub": "arn:aws:iam::123456789012:role/Orders", "jti": "x", "iat": NOW, "exp": NOW + 300,
        "https://sts.amazonaws.com/": {"aws_account": "123456789012", "principal_tags": {"team": "orders"}, "request_tags": {"team": "billing"}}
    });
    let found = providers.verify("aws", &aws).unwrap();
    let tag = found.claim(&["https://sts.amazonaws.com/", "principal_tags", "team"].map(str::to_owned));
    assert_eq!((found.subject(), tag), ("arn:aws:iam::123456789012:role/Orders", Some(&json!("orders"))));
}

#[test]
fn cognito_access_tokens_name_their_client_instead_of_an_audience() {
    let providers = Providers::new();
    let access = json!({
        "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123", "sub": "aaaaaaaa-bbbb", "token_use": "access",
        "client_id": "1example23456789", "cognito:groups": ["admins"], "scope": "orders/read", "iat": NOW - 10, "exp": NOW + 300
    });
    assert_eq!(groups(&providers.verify("cognito", &access).unwrap()), ["admins"]);
    for (client, expected) in [
        (json!("another"), "wrong-audience"),
        (json!(null), "wrong-audience"),
        (json!(["another"]), "wrong-audience"),
        (json!({"1example23456789": 1}), "wrong-audience"),
    ] {
        let token = changed(access.clone(), json!({"client_id": client, "aud": "1example23456789"}));
        assert_eq!(providers.refused("cognito", &token), expected, "{client}");
    }
    let several = changed(access, json!({"client_id": ["another", "1example23456789"]}));
    assert!(providers.verify("cognito", &several).is_ok());
}

#[test]
fn jwt_svids_are_told_by_the_trust_domain_of_their_subject() {
    let providers = Providers::new();
    let svid = json!({"sub": "spiffe://example.org/ns/shop/sa/web", "aud": ["orders"], "exp": NOW + 300});
    let found = providers.verify("mesh", &svid).unwrap();
    assert_eq!((found.issuer(), found.kind()), ("spiffe://example.org", Some("workload")));
    assert_eq!(found.subject(), "spiffe://example.org/ns/shop/sa/web");
    // No specification says what `iss` holds; SPIRE writes the URL of its discovery document there.
    for iss in [json!("https://spire.example.org"), json!(7)] {
        let token = changed(svid.clone(), json!({"iss": iss}));
        assert_eq!(providers.verify("mesh", &token).unwrap().issuer(), "spiffe://example.org", "{iss}");
    }
    for typ in ["JOSE", "JWT", "jose"] {
        let header = json!({"alg": "ES256", "kid": "mesh", "typ": typ});
        assert!(providers.verify_with("mesh", &header, &svid).is_ok(), "{typ}");
    }
    let header = json!({"alg": "ES256", "kid": "mesh", "typ": "at+jwt"});
    assert_eq!(providers.verify_with("mesh", &header, &svid).unwrap_err(), "type-not-allowed");

    for (changes, expected) in [
        (json!({"aud": null}), "wrong-audience"),
        (json!({"aud": "billing"}), "wrong-audience"),
        (json!({"exp": null}), "missing-claim"),
        (json!({"sub": "spiffe://example.org"}), "unknown-issuer"),
        (json!({"sub": "spiffe://example.org/a/../b"}), "unknown-issuer"),
        (json!({"sub": "spiffe://example.com/web"}), "unknown-issuer"),
        (json!({"sub": "web"}), "unknown-issuer"),
        (json!({"sub": null}), "unknown-issuer"),
        // The issuer of users is whom `iss` says, and its keys are others.
        (json!({"iss": "https://login.example.com/realms/staff"}), "unknown-key"),
        (json!({"sub": "spiffe://partner.example/web"}), "unknown-issuer"),
        (json!({"sub": "spiffe://partner.example/web", "iss": "https://oidc.partner.example"}), "unknown-key"),
    ] {
        assert_eq!(providers.refused("mesh", &changed(svid.clone(), changes.clone())), expected, "{changes}");
    }

    let partner = json!({
        "iss": "https://oidc.partner.example", "sub": "spiffe://partner.example/web", "aud": "orders", "exp": NOW + 300
    });
    let found = providers.verify("partner", &partner).unwrap();
    assert_eq!((found.issuer(), found.kind()), ("spiffe://partner.example", Some("partner")));
    for (changes, expected) in [
        (json!({"iss": null}), "unknown-issuer"),
        (json!({"iss": "https://else.partner.example"}), "unknown-issuer"),
        (json!({"sub": "spiffe://example.org/web"}), "missing-claim"),
        (json!({"sub": "web"}), "missing-claim"),
    ] {
        assert_eq!(providers.refused("partner", &changed(partner.clone(), changes.clone())), expected, "{changes}");
    }
}

#[test]
fn a_trust_domain_uses_the_keys_that_its_bundle_has_for_tokens_and_others_use_none_of_them() {
    let signer = Signer::es256("k");
    let check = |name: &str, purpose: Option<&str>, expected: Option<&str>| {
        let mut issuers = issuers();
        issuers.retain(|issuer| issuer.name == name);
        let set = KeySet::from_jwks(&keys(&signer, purpose));
        let error = match set {
            Err(error) => Some(error.to_string()),
            Ok(keys) => {
                issuers[0].keys = Some(Arc::new(keys));
                Trust::new(issuers).err().map(|error| error.to_string())
            }
        };
        assert_eq!(error.as_deref(), expected, "{name} {purpose:?}");
    };
    check("mesh", Some("jwt-svid"), None);
    check("eks", Some("sig"), None);
    check("eks", None, None);
    let not_svid = "issuer `mesh` cannot be trusted: none of its keys has the `use` of `jwt-svid`";
    check("mesh", Some("sig"), Some(not_svid));
    check("mesh", None, Some(not_svid));
    let not_sig = "issuer `eks` cannot be trusted: none of its keys is for signatures of tokens in general";
    check("eks", Some("jwt-svid"), Some(not_sig));
    let neither = "the key set has no usable key; keys[0] (`k`): its `use` is neither `sig` nor `jwt-svid`";
    check("mesh", Some("x509-svid"), Some(neither));
}
