//! From facts to what HAProxy and a caller are told: an engine on a policy file, the answer line and the reply.

use luigi_runtime::answer_line::{Field, MAX_BYTES, VERSION, write_into};
use luigi_runtime::{Engine, EngineConfig, Facts, Mode, PolicyFileConfig, Timestamp, facts, reply};
use std::fs;

const POLICY: &str = r#"
schema = 1

[issuers.corp]
url = "https://login.example.com"
audiences = ["shop"]
default = true

[groups]
staff = "staff"

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
id = "no-health-soon"
effect = "deny"
scopes = ["health"]
mode = "observe"
"#;

/// A Monday in 2026.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

fn engine(mode: Mode) -> Engine {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    fs::write(&path, POLICY).unwrap();
    Engine::open(&EngineConfig::PolicyFile(PolicyFileConfig { path, jwks: Vec::new(), mode })).unwrap()
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
            None => context.evaluate_malformed(),
        };
        let mut line = "left over from before".to_owned();
        write_into(&answer, &mut line);
        assert_eq!(fields(&line), expected.split('|').collect::<Vec<_>>());
        assert_eq!(fields(&line).len(), Field::ALL.len());
    };
    check(
        Mode::Enforce,
        Some(&request(b"/healthz", None)),
        "luigi1|pass|absent|enforce|allow|allowed-by-rule|health|deny|denied-by-rule|no-health-soon||health|no|200|*|*|||||",
    );
    let orders = request(b"/orders/7", None);
    let refused = "|absent|enforce|deny|no-rule-allows||deny|no-rule-allows||authenticate||yes|401|*|*|||||".to_owned();
    check(Mode::Enforce, Some(&orders), &format!("{VERSION}|refuse{refused}"));
    let observed = refused.replace("enforce", "observe");
    check(Mode::Observe, Some(&orders), &format!("{VERSION}|pass{observed}"));
    check(
        Mode::Enforce,
        Some(&request(b"/orders/7", Some(b"Bearer rubbish"))),
        "luigi1|refuse|invalid|enforce|deny|allow-rule-unknown|staff|deny|allow-rule-unknown|staff|authenticate|orders|yes|401|*|*|||||",
    );
    check(
        Mode::Enforce,
        Some(&request(b"/orders/..%2f", None)),
        "luigi1|refuse|absent|enforce|deny|ambiguous-target||deny|ambiguous-target||||no|400|*|*|||||",
    );
    check(
        Mode::Enforce,
        None,
        "luigi1|refuse|absent|enforce|deny|malformed-facts||deny|malformed-facts||||no|400|*|*|||||",
    );
}

#[test]
fn a_line_of_facts_reaches_the_decision() {
    let check = |target: &str, reason: &str| {
        let line =
            format!("{}\nGET\n203.0.113.9\n1 16 0  {}\nshop.example.com\n{target}\n\nend", facts::HEADER, target.len());
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
    let check = |target: &[u8], authorization: Option<&[u8]>, status: u16, challenge: Option<&str>, kind: &str| {
        let engine = engine(Mode::Enforce);
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
    check(b"/orders/..%2f", None, 400, None, "ambiguous-target");
    check(b"/elsewhere", Some(b"Basic Zm9v"), 403, None, "no-rule-allows");
}
