//! Predicates on headers, query, certificate and facts: what each policy needs, what its tests can say, what comes out.

use luigi_core::policy::model::{Policy, TableId};
use luigi_core::policy::{self, SourceSet};
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;

const POLICY: &str = r#"
schema = 1
[facts.country]
values = ["AT", "DE", "FR"]
[facts.unused]
values = ["x"]
[scopes.api]
hosts = "any"
paths = ["/api/**"]
methods = "any"
[scopes.beta]
hosts = "any"
paths = ["/beta/**"]
methods = "any"
[scopes.near]
hosts = "any"
paths = ["/near/**"]
methods = "any"
[scopes.mesh]
hosts = "any"
paths = ["/mesh/**"]
methods = "any"
[scopes.devices]
hosts = "any"
paths = ["/devices/**"]
methods = "any"
[[rules]]
id = "api"
effect = "allow"
scopes = ["api"]
subject = "anyone"
headers = { X-Team = ["blue", "green"] }
unless = { headers = { x-internal = { present = true } } }
[[rules]]
id = "beta"
effect = "allow"
scopes = ["beta"]
subject = "anyone"
query = { version = { in = ["v1", "v2"] }, debug = { present = false } }
[[rules]]
id = "near"
effect = "allow"
scopes = ["near"]
subject = "anyone"
[[rules]]
id = "near-only"
effect = "deny"
scopes = ["near"]
unless = { facts = { country = ["AT", "DE"] } }
[[rules]]
id = "mesh"
effect = "allow"
scopes = ["mesh"]
subject = "anyone"
certificate = { san-uri = ["spiffe://example.org/*"], subject-dn = ["CN=web,O=Example"] }
[[rules]]
id = "devices"
effect = "allow"
scopes = ["devices"]
subject = "anyone"
[[rules]]
id = "devices-have-certificates"
effect = "restrict"
scopes = ["devices"]
require = { certificate = { verified = true } }
"#;

fn compiled(text: &str) -> (Snapshot, Vec<policy::test_case::TestCase>) {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    let parsed = policy::parse(&sources);
    let policy = parsed.policy.unwrap_or_else(|| {
        panic!("{}", parsed.diagnostics.render(&sources, policy::diagnostics::Style::PLAIN));
    });
    (Snapshot::compile(policy).expect("a policy from the parser"), parsed.tests)
}

/// What comes out of one test with these lines: `passed`, what is missing, or what did not come out.
fn outcome(lines: &str) -> String {
    let (snapshot, tests) = compiled(&format!("{POLICY}\n[[tests]]\nname = \"t\"\n{lines}\n"));
    match &policy_tests::run(&snapshot, &tests)[..] {
        [TestOutcome::Passed] => "passed".to_owned(),
        [TestOutcome::Failed(failure)] => {
            failure.mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        [TestOutcome::MissingFact { rule, fact }] => format!("{rule} needs {}", fact.as_str()),
        other => panic!("{other:?}"),
    }
}

fn needs(policy: &Policy) -> Vec<String> {
    policy.facts.iter().map(|(_, fact)| fact.key().to_string()).collect()
}

#[test]
fn a_policy_needs_what_its_rules_ask_for_and_no_more() {
    let (snapshot, _) = compiled(POLICY);
    assert_eq!(
        needs(snapshot.policy()),
        [
            "certificate",
            "certificate-names",
            "certificate-subject",
            "fact:country",
            "header:x-internal",
            "header:x-team"
        ]
    );
    let (without, _) = compiled("schema = 1\n[facts.country]\nvalues = [\"DE\"]\n");
    assert_eq!(needs(without.policy()), [""; 0]);
}

#[test]
fn requests_are_decided_by_what_they_bring_along() {
    for (request, facts, expected) in [
        ("/api/x", "headers = { X-TEAM = \"blue\" }", "allowed-by-rule"),
        ("/api/x", "headers = { x-team = [\"blue\", \"blue\"] }", "allowed-by-rule"),
        ("/api/x", "headers = { x-team = [\"blue\", \"green\"] }", "allow-rule-unknown"),
        ("/api/x", "headers = { x-team = \"Blue\" }", "no-rule-allows"),
        ("/api/x", "headers = {}", "no-rule-allows"),
        ("/api/x", "headers = { x-team = \"blue\", x-internal = \"\" }", "no-rule-allows"),
        ("/beta/x?version=v1", "", "allowed-by-rule"),
        ("/beta/x?version=%761&version=v1", "", "allowed-by-rule"),
        ("/beta/x?version=v1&version=v2", "", "allow-rule-unknown"),
        ("/beta/x?version=v1&DEBUG", "", "allow-rule-unknown"),
        ("/beta/x?version=v1&debug", "", "no-rule-allows"),
        ("/beta/x", "", "no-rule-allows"),
        ("/near/x", "facts = { country = \"DE\" }", "allowed-by-rule"),
        ("/near/x", "facts = { country = \"FR\" }", "denied-by-rule"),
        ("/near/x", "facts = { country = \"XX\" }", "deny-rule-unknown"),
        ("/near/x", "facts = {}", "deny-rule-unknown"),
        (
            "/mesh/x",
            "certificate = { san-uri = [\"spiffe://example.org/web\"], subject-dn = \"CN=web,O=Example\" }",
            "allowed-by-rule",
        ),
        (
            "/mesh/x",
            "certificate = { san-uri = [\"spiffe://example.org/a/b\"], subject-dn = \"CN=web,O=Example\" }",
            "no-rule-allows",
        ),
        ("/mesh/x", "certificate = { san-uri = [\"spiffe://example.org/web\"] }", "no-rule-allows"),
        ("/mesh/x", "certificate = \"unverified\"", "allow-rule-unknown"),
        ("/mesh/x", "certificate = \"none\"", "no-rule-allows"),
        ("/devices/x", "certificate = {}", "allowed-by-rule"),
        ("/devices/x", "certificate = \"unverified\"", "fact-required"),
        ("/devices/x", "certificate = \"none\"", "fact-required"),
    ] {
        let expect = if expected == "allowed-by-rule" { "allow" } else { "deny" };
        let lines = format!("request = \"GET {request}\"\n{facts}\nexpect = \"{expect}\"\nreason = \"{expected}\"");
        assert_eq!(outcome(&lines), "passed", "{request} {facts}");
    }
}

#[test]
fn a_test_must_say_what_a_rule_in_question_asks_for() {
    for (request, expected) in [
        ("/api/x", "api needs headers"),
        ("/near/x", "near-only needs facts"),
        ("/mesh/x", "mesh needs certificate"),
        ("/devices/x", "devices-have-certificates needs certificate"),
        ("/elsewhere", "passed"),
    ] {
        assert_eq!(outcome(&format!("request = \"GET {request}\"\nexpect = \"deny\"")), expected, "{request}");
    }
}

#[test]
fn a_snapshot_that_asks_for_what_its_table_lacks_is_refused() {
    let (snapshot, _) = compiled(POLICY);
    let sound = snapshot.policy().clone();
    let mut without = sound.clone();
    while without.facts.pop().is_some() {}
    let mut twice = sound.clone();
    let last = twice.facts.iter().next_back().map(|(_, fact)| fact.clone()).expect("a policy with facts");
    twice.facts.push(last);
    let mut shifted = sound.clone();
    shifted.facts = shifted.facts.into_rows().skip(1).collect();
    for (what, broken) in [("without", without), ("twice", twice), ("shifted", shifted)] {
        assert!(Snapshot::compile(broken).is_err(), "{what}");
    }
    assert_eq!(sound.facts.iter().map(|(id, _)| id.index()).max(), Some(5));
}

#[test]
fn there_are_no_more_facts_than_a_request_can_carry() {
    let headers = |n: usize| {
        let names: Vec<String> = (0..n).map(|n| format!("x-{n} = [\"a\"]")).collect();
        let mut sources = SourceSet::new();
        let rule = "id = \"r\"\neffect = \"deny\"\nscopes = \"all\"";
        sources.add("policy.toml", format!("schema = 1\n[[rules]]\n{rule}\nheaders = {{ {} }}\n", names.join(", ")));
        policy::parse(&sources).policy.is_some()
    };
    assert!(headers(policy::model::MAX_FACTS));
    assert!(!headers(policy::model::MAX_FACTS + 1));
}
