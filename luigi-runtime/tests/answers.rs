//! From facts to what HAProxy and a caller are told: an engine on a policy file, the answer line and the reply.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use luigi_runtime::answer_line::{Field, MAX_BYTES, VERSION, write_into};
use luigi_runtime::{
    Carried, Engine, EngineConfig, Facts, Mode, PolicyFileConfig, Timestamp, answer_line, facts, reply,
};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const POLICY: &str = r#"
schema = 1

[issuers.corp]
url = "https://login.example.com"
audiences = ["shop"]
default = true

[groups]
staff = "staff"

[logins.fresh]
max-age = "15m"

[scopes.health]
hosts = "any"
operations = ["GET /healthz"]

[scopes.orders]
hosts = ["shop.example.com"]
paths = ["/orders/**"]
methods = "any"
privileged = true

[[rules]]
id = "health"
effect = "allow"
scopes = ["health"]
subject = "anyone"

[[rules]]
id = "staff"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["staff"] }

[[rules]]
id = "fresh-logins"
effect = "restrict"
scopes = ["orders"]
require = { login = "fresh" }

[[rules]]
id = "no-health-soon"
effect = "deny"
scopes = ["health"]
mode = "observe"
"#;

/// A Monday in 2026.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

/// A key pair of the issuer, made just now.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn key_set(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "alg": "EdDSA", "x": x }] })
    }

    /// The value of an Authorization header with these claims and what every token must have.
    fn bearer(&self, claims: &Value) -> Vec<u8> {
        let mut all =
            json!({ "iss": "https://login.example.com", "aud": "shop", "iat": NOW, "exp": NOW.plus_seconds(600) });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "EdDSA", "typ": "JWT", "kid": "1" })), encode(&all));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("Bearer {signed}.{signature}").into_bytes()
    }
}

fn engine(mode: Mode) -> Engine {
    open(mode, None)
}

fn open(mode: Mode, issuer: Option<&Issuer>) -> Engine {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    fs::write(&path, POLICY).unwrap();
    let jwks: Vec<(String, PathBuf)> =
        issuer.map(|_| ("corp".to_owned(), directory.path().join("keys.json"))).into_iter().collect();
    if let Some(issuer) = issuer {
        fs::write(&jwks[0].1, issuer.key_set().to_string()).unwrap();
    }
    Engine::open(&EngineConfig::PolicyFile(PolicyFileConfig {
        path,
        environment: None,
        jwks,
        mode,
        carried: Carried::Everything,
        spool: None,
    }))
    .unwrap()
}

fn request<'a>(target: &'a [u8], authorization: Option<&'a [u8]>) -> Facts<'a> {
    Facts {
        method: b"GET",
        target,
        host: Some(b"shop.example.com"),
        host_count: 1,
        source: Some(b"203.0.113.9"),
        authorization,
        authorization_count: u32::from(authorization.is_some()),
        upgrade_count: Some(0),
        ..Facts::default()
    }
}

/// The fields of a line by number; the evaluation's id and the revision differ from run to run and are checked for their form.
fn fields(line: &str) -> Vec<&str> {
    let mut fields: Vec<_> = line.split('|').collect();
    for (field, digits) in [(Field::Evaluation, 32), (Field::Revision, 12)] {
        let held = &mut fields[usize::from(field.number()) - 1];
        assert!(held.len() == digits && held.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
        *held = "*";
    }
    fields
}

#[test]
fn the_line_says_what_came_out() {
    let check = |mode: Mode, facts: Option<&Facts<'_>>, expected: &str| {
        let engine = engine(mode);
        let mut context = engine.context();
        let answer = match facts {
            Some(facts) => context.evaluate(facts, NOW),
            None => context.evaluate_malformed(facts::Malformed::CutOff, NOW),
        };
        let mut line = "left over from before".to_owned();
        write_into(&answer, &mut line);
        assert_eq!(fields(&line), expected.split('|').collect::<Vec<_>>());
        assert_eq!(fields(&line).len(), Field::ALL.len());
    };
    check(
        Mode::Enforce,
        Some(&request(b"/healthz", None)),
        "luigi1|pass|absent|enforce|allow|allowed-by-rule|health|deny|denied-by-rule|no-health-soon||health|no|200|*|*||||||||203.0.113.9|",
    );
    let orders = request(b"/orders/7", None);
    let refused =
        "|absent|enforce|deny|no-rule-allows||deny|no-rule-allows||authenticate||yes|401|*|*||||||||203.0.113.9|"
            .to_owned();
    check(Mode::Enforce, Some(&orders), &format!("{VERSION}|refuse{refused}"));
    let observed = refused.replace("enforce", "observe");
    check(Mode::Observe, Some(&orders), &format!("{VERSION}|pass{observed}"));
    check(
        Mode::Enforce,
        Some(&request(b"/orders/7", Some(b"Bearer rubbish"))),
        "luigi1|refuse|invalid|enforce|deny|allow-rule-unknown|staff|deny|allow-rule-unknown|staff|authenticate|orders|yes|401|*|*||||||malformed||203.0.113.9|",
    );
    check(
        Mode::Enforce,
        Some(&request(b"/orders/..%2f", None)),
        "luigi1|refuse|absent|enforce|deny|ambiguous-target||deny|ambiguous-target||||no|400|*|*||||||encoded-slash||203.0.113.9|",
    );
    check(
        Mode::Enforce,
        None,
        "luigi1|refuse|absent|enforce|deny|malformed-facts||deny|malformed-facts||||no|400|*|*||||||cut-off|||",
    );
    let upgrade = Facts { upgrade_count: Some(1), ..orders };
    let refused = "|absent|enforce|deny|upgrade-refused||deny|upgrade-refused||||yes|403|*|*||||||||203.0.113.9|";
    check(Mode::Enforce, Some(&upgrade), &format!("{VERSION}|refuse{refused}"));
    check(Mode::Enforce, Some(&Facts { upgrade_count: None, ..orders }), &format!("{VERSION}|refuse{refused}"));
    let rewritten = "|absent|enforce|allow|allowed-by-rule|health|deny|denied-by-rule|no-health-soon||health|no|200|*|*||||||||203.0.113.9|/healthz/";
    let climbing = request(b"/x/%2e./healthz/?a", None);
    check(Mode::Enforce, Some(&climbing), &format!("{VERSION}|pass{rewritten}"));
    let observed = rewritten.replace("enforce", "observe").replace("/healthz/", "");
    check(Mode::Observe, Some(&climbing), &format!("{VERSION}|pass{observed}"));
}

#[test]
fn the_line_names_whoever_was_verified() {
    let issuer = Issuer::new();
    let engine = open(Mode::Enforce, Some(&issuer));
    let mut context = engine.context();
    let mut check = |claims: Value, expected: &[&str]| {
        let token = issuer.bearer(&claims);
        let facts = request(b"/healthz", Some(&token));
        let mut line = String::new();
        write_into(&context.evaluate(&facts, NOW), &mut line);
        let found = fields(&line);
        assert_eq!(found[2], "verified", "{line}");
        assert_eq!(found[16..21], *expected, "{claims}");
        assert!(line.len() <= MAX_BYTES && line.bytes().all(|b| b.is_ascii_graphic()), "{line}");
    };
    let url = "https://login.example.com";
    check(json!({ "sub": "anna" }), &[url, "anna", "", "", "complete"]);
    check(
        json!({ "sub": "a|b\r\nx: y", "email": "a@b.test", "email_verified": true, "groups": ["x,y", "staff", "ö"] }),
        &[url, "a%7Cb%0D%0Ax:%20y", "a@b.test", "staff,x%2Cy,%C3%B6", "complete"],
    );
    // What is not known to be hers is not said to be hers.
    check(json!({ "sub": "a", "email": "a@b.test", "email_verified": false }), &[url, "a", "", "", "complete"]);
    check(json!({ "sub": "a", "email": "a@b.test" }), &[url, "a", "", "", "complete"]);
    check(json!({ "sub": "x".repeat(600) }), &[url, "", "", "", "complete"]);
    let many: Vec<_> = (0..500).map(|n| format!("group-{n:03}")).collect();
    let kept: Vec<_> = many.iter().take(409).map(String::as_str).collect();
    check(json!({ "sub": "a", "groups": many }), &[url, "a", "", &kept.join(","), "cut-off"]);
}

#[test]
fn the_longest_line_fits() {
    let issuer = Issuer::new();
    let engine = open(Mode::Enforce, Some(&issuer));
    let mut context = engine.context();
    let long = "|".repeat(170);
    let groups: Vec<_> = (0..60).map(|n| format!("{n}{}", "x".repeat(80))).collect();
    let token = issuer.bearer(&json!({ "sub": long, "email": long, "email_verified": true, "groups": groups }));
    let facts = request(b"/orders/1", Some(&token));
    let mut line = String::new();
    write_into(&context.evaluate(&facts, NOW), &mut line);
    assert!((5_000..=MAX_BYTES).contains(&line.len()), "{}", line.len());
}

#[test]
fn a_line_of_facts_reaches_the_decision() {
    let check = |target: &str, reason: &str| {
        let line =
            format!("{}\nGET\n203.0.113.9\n1 16 0  {} 0\nshop.example.com\n{target}\n\nend", facts::BASE, target.len());
        let facts = facts::parse(line.as_bytes()).unwrap();
        let engine = engine(Mode::Enforce);
        assert_eq!(engine.context().evaluate(&facts, NOW).decision().reason.as_str(), reason, "{target}");
    };
    check("/healthz", "allowed-by-rule");
    // As HAProxy hands on HTTP/2, and as it hands on proxy requests.
    check("https://shop.example.com/x/../healthz?y", "allowed-by-rule");
    check("https://other.example.com/healthz", "ambiguous-target");
    check("/x/..//healthz", "ambiguous-target");
}

#[test]
fn replies_follow_the_answer() {
    let issuer = Issuer::new();
    let check = |target: &[u8], authorization: Option<&[u8]>, status: u16, challenge: Option<&str>, kind: &str| {
        let engine = open(Mode::Enforce, Some(&issuer));
        let mut context = engine.context();
        let facts = request(target, authorization);
        let answer = context.evaluate(&facts, NOW);
        let mut line = String::with_capacity(MAX_BYTES);
        write_into(&answer, &mut line);
        let reply = reply::render(&answer, Some(&facts), None, NOW);
        let header = |name: &str| reply.headers.iter().find(|(held, _)| *held == name).map(|(_, value)| value.as_str());
        assert_eq!(reply.status, status);
        assert_eq!(header("www-authenticate"), challenge);
        assert!(reply.body.contains(&format!("\"type\": \"urn:luigi:denial:{kind}\"")), "{}", reply.body);
        let id = header("x-luigi-evaluation").unwrap();
        assert!(line.contains(id) && reply.body.contains(id), "one id for the log and the caller: {line}");
    };
    check(b"/orders/7", None, 401, Some(r#"Bearer realm="shop.example.com""#), "no-rule-allows");
    check(
        b"/orders/7",
        Some(b"Bearer rubbish"),
        401,
        Some(r#"Bearer realm="shop.example.com", error="invalid_token", error_description="the token is malformed""#),
        "allow-rule-unknown",
    );
    let stale = issuer.bearer(&json!({ "sub": "anna", "groups": ["staff"], "auth_time": NOW.plus_seconds(-3600) }));
    check(
        b"/orders/7",
        Some(&stale),
        401,
        Some(concat!(
            r#"Bearer realm="shop.example.com", error="insufficient_user_authentication", "#,
            r#"error_description="at most 15 minutes ago", max_age="900""#
        )),
        "login-required",
    );
    let old = issuer.bearer(&json!({ "sub": "anna", "exp": NOW.plus_seconds(-600) }));
    check(
        b"/orders/7",
        Some(&old),
        401,
        Some(r#"Bearer realm="shop.example.com", error="invalid_token", error_description="the token has expired""#),
        "allow-rule-unknown",
    );
    check(b"/orders/..%2f", None, 400, None, "ambiguous-target");
    check(b"/elsewhere", Some(b"Basic Zm9v"), 403, None, "no-rule-allows");
}

#[test]
fn a_refusal_is_rendered_from_what_haproxy_has_kept() {
    let fact_line = |target: &str| {
        format!("{}\nGET\n203.0.113.9\n1 16 0  {} 0\nshop.example.com\n{target}\n\nend", facts::BASE, target.len())
            .into_bytes()
    };
    let engine = engine(Mode::Enforce);
    let mut context = engine.context();
    let mut other = engine.context();
    let mut check = |fact_line: &[u8], status: u16, reason: &str| {
        let facts = facts::parse(fact_line);
        let answer = match &facts {
            Ok(facts) => context.evaluate(facts, NOW),
            Err(why) => context.evaluate_malformed(*why, NOW),
        };
        let mut line = String::new();
        write_into(&answer, &mut line);
        let counted = engine.status().counters;
        let id = answer_line::evaluation(line.as_bytes()).unwrap();
        assert_eq!(id, answer.id());
        let reviewed = other.review(id, facts.as_ref().map_err(|why| *why), NOW);
        let reply = reply::render(&reviewed, facts.as_ref().ok(), None, NOW);
        assert_eq!(engine.status().counters, counted, "a request is counted once");
        assert_eq!(reply.status, status);
        assert!(reply.body.contains(&id.to_string()) && reply.body.contains(reason), "{}", reply.body);
        let retry = reply.headers.iter().any(|(name, _)| *name == "retry-after");
        assert_eq!(retry, reason == "allowed-by-rule");
    };
    check(&fact_line("/orders/7"), 401, "no-rule-allows");
    check(b"cut off", 400, "malformed-facts");
    // Refused a moment ago and allowed by now, because the policy changed in between: a refusal still, and no failure.
    check(&fact_line("/healthz"), 403, "allowed-by-rule");
}
