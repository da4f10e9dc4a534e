//! One policy for several environments: what each of them is compiled to.

use luigi_core::policy::diagnostics::{Code, Style};
use luigi_core::policy::model::{HostPattern, Policy};
use luigi_core::policy::{Parsed, SourceSet, parse, parse_everywhere, parse_for};
use luigi_core::policy_tests;
use luigi_core::snapshot::Snapshot;
use proptest::prelude::*;

const ESTATE: &str = r#"schema = 1

[environments]
production = { domain = "example.com" }
staging = { domain = "Staging.Example.COM" }

[issuers.okta]
url = "https://example.okta.com"
audiences = ["internal"]

[groups]
engineering = "engineering"

[scopes.orders]
hosts = ["orders.{domain}", "*.{domain}", "orders.example.com"]
operations = ["GET /orders", "PURGE /orders"]

[[rules]]
id = "engineers-read"
effect = "allow"
scopes = ["orders"]
methods = "read"
subject = { groups = ["engineering"] }

[[rules]]
id = "a-staging-rule"
effect = "allow"
scopes = ["orders"]
environments = ["staging"]
methods = ["REPORT"]
subject = { groups = ["engineering"] }

[[rules]]
id = "no-purge"
effect = "deny"
scopes = ["orders"]
environments = ["production"]
methods = ["PURGE"]

[[tests]]
name = "of production"
environment = "production"
request = "PURGE https://orders.example.com/orders"
as = { groups = ["engineering"] }
expect = "deny"
rule = "no-purge"

[[tests]]
name = "of staging"
environment = "staging"
request = "REPORT https://orders.staging.example.com/orders"
as = { groups = ["engineering"] }
expect = "deny"
"#;

fn sources(text: &str) -> SourceSet {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    sources
}

fn compiled(text: &str, environment: Option<&str>) -> (Policy, Vec<String>) {
    let sources = sources(text);
    let Parsed { policy, tests, diagnostics, .. } = parse_for(&sources, environment);
    assert_eq!(diagnostics.render(&sources, Style::PLAIN), "");
    (policy.expect("it has no problems"), tests.into_iter().map(|test| test.name).collect())
}

fn rules(policy: &Policy) -> Vec<&str> {
    policy.rules.iter().map(|(_, rule)| rule.name.as_str()).collect()
}

fn revision(policy: &Policy) -> String {
    Snapshot::compile(policy.clone()).expect("it compiles").revision().to_string()
}

#[test]
fn hosts_have_the_variables_of_the_environment() {
    let exact = |name: &str| HostPattern::Exact(name.to_owned());
    let labels = |name: &str| HostPattern::OneLabel(name.to_owned());
    for (environment, expected) in [
        // In production two of the three are one.
        ("production", vec![exact("orders.example.com"), labels("example.com")]),
        (
            "staging",
            vec![exact("orders.example.com"), exact("orders.staging.example.com"), labels("staging.example.com")],
        ),
    ] {
        let (policy, _) = compiled(ESTATE, Some(environment));
        let (_, scope) = policy.scopes.iter().next().unwrap();
        assert_eq!(scope.hosts, expected);
        assert_eq!(policy.environment.as_deref(), Some(environment));
    }
}

#[test]
fn rules_and_tests_of_other_environments_are_left_out() {
    let (production, tests) = compiled(ESTATE, Some("production"));
    assert_eq!(rules(&production), ["engineers-read", "no-purge"]);
    assert_eq!(tests, ["of production"]);
    let (staging, tests) = compiled(ESTATE, Some("staging"));
    assert_eq!(rules(&staging), ["a-staging-rule", "engineers-read"]);
    assert_eq!(tests, ["of staging"]);
    // A method that only such a rule names takes no bit.
    let knows = |policy: &Policy| policy.methods.names(policy.methods.resolve(b"REPORT")).any(|name| name == "REPORT");
    assert!(knows(&staging) && !knows(&production));
}

#[test]
fn rules_of_other_environments_are_checked_all_the_same() {
    let text = ESTATE.replace("methods = [\"PURGE\"]", "methods = [\"PURGE\"]\nfrom = [\"nowhere\"]");
    let parsed = parse_for(&sources(&text), Some("staging"));
    assert!(parsed.policy.is_none());
    assert_eq!(parsed.diagnostics.iter().map(|item| item.code).collect::<Vec<_>>(), [Code::UnknownName]);
}

#[test]
fn the_revision_tells_environments_apart() {
    let [production, staging] = ["production", "staging"].map(|name| compiled(ESTATE, Some(name)).0);
    assert_ne!(revision(&production), revision(&staging));
    // Even where they differ in nothing but their names.
    let twins = "schema = 1\n[environments]\na = {}\nb = {}\n";
    let [a, b] = ["a", "b"].map(|name| compiled(twins, Some(name)).0);
    assert_ne!(revision(&a), revision(&b));
    assert_eq!(a, Policy { environment: Some("a".to_owned()), ..b });
    // And the grant for a scope is for its hosts here.
    let hash = |policy: &Policy| policy.scopes.iter().next().unwrap().1.content_hash;
    assert_ne!(hash(&production), hash(&staging));
}

#[test]
fn what_happens_in_another_environment_does_not_change_this_one() {
    let text = ESTATE.replace("methods = [\"REPORT\"]", "methods = [\"REPORT\", \"SEARCH\"]");
    let before = compiled(ESTATE, Some("production")).0;
    assert_eq!(revision(&before), revision(&compiled(&text, Some("production")).0));
    assert_ne!(text, ESTATE);
}

#[test]
fn a_policy_is_compiled_for_an_environment_that_it_has() {
    for (text, environment, expected) in [
        (ESTATE, None, "the policy has environments, and none was chosen"),
        (ESTATE, Some("stagging"), "did you mean `staging`?"),
        (ESTATE, Some("moon"), "the policy has `production` and `staging`"),
        ("schema = 1", Some("staging"), "the policy has no `[environments]`, so none can be chosen"),
        ("schema = 1\nenvironments = {}", None, "`environments` is an empty table"),
        ("schema = 1\nenvironments = 5", None, "`environments` must be a table, not an integer"),
        (
            "schema = 1\nenvironments = { production = 5 }",
            Some("production"),
            "environment `production` must be a table",
        ),
    ] {
        let sources = sources(text);
        let parsed = parse_for(&sources, environment);
        let rendered = parsed.diagnostics.render(&sources, Style::PLAIN);
        assert!(parsed.policy.is_none() && parsed.tests.is_empty() && rendered.contains(expected), "{rendered}");
    }
    assert!(parse(&sources(ESTATE)).policy.is_none());
}

#[test]
fn every_environment_is_parsed_and_each_problem_reported_once() {
    let everywhere = parse_everywhere(&sources(ESTATE));
    let names: Vec<_> = everywhere.environments.iter().map(|(name, _)| name.as_deref()).collect();
    assert_eq!(names, [Some("production"), Some("staging")]);
    assert!(everywhere.diagnostics.is_empty() && everywhere.environments.iter().all(|(_, p)| p.policy.is_some()));

    let none = parse_everywhere(&sources("schema = 1"));
    assert!(matches!(&none.environments[..], [(None, Parsed { policy: Some(_), .. })]));

    let text =
        ESTATE.replace("\"*.{domain}\"", "\"*.{domain}\", \"10.{domain}\"").replace("Staging.Example.COM", "0.1.0.5");
    let sources = sources(&text.replace("[\"orders\"]", "[\"oders\"]"));
    let problems = parse_everywhere(&sources).diagnostics;
    let json = problems.to_json(&sources);
    let of = |code: &str| json.as_array().unwrap().iter().filter(|item| item["code"] == code).collect::<Vec<_>>();
    assert!(of("unknown-name").len() == 3 && of("unknown-name").iter().all(|item| item.get("environments").is_none()));
    let [host, ..] = of("invalid-host")[..] else { panic!("a host is wrong in staging: {json}") };
    assert_eq!(host["environments"], serde_json::json!(["staging"]));
    assert!(problems.render(&sources, Style::PLAIN).contains("note: only in environment `staging`"));
}

/// The examples, and one policy with everything in it: their tests pass in each environment.
#[test]
fn the_tests_of_whole_policies_pass_in_every_environment() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, expected) in [
        ("../examples/policies/staging-and-production.toml", &[("production", 10), ("staging", 8)][..]),
        ("tests/data/whole-language.toml", &[("production", 2), ("staging", 0)]),
    ] {
        let sources = sources(&std::fs::read_to_string(root.join(path)).unwrap());
        let everywhere = parse_everywhere(&sources);
        assert_eq!(everywhere.diagnostics.render(&sources, Style::PLAIN), "");
        let mut ran = Vec::new();
        for (name, parsed) in &everywhere.environments {
            let snapshot = Snapshot::compile(parsed.policy.clone().unwrap()).unwrap();
            for (test, outcome) in parsed.tests.iter().zip(policy_tests::run(&snapshot, &parsed.tests)) {
                assert!(
                    outcome.has_passed(),
                    "{path}: {}",
                    outcome.diagnostics(test, &sources).render(&sources, Style::PLAIN)
                );
            }
            ran.push((name.as_deref().unwrap(), parsed.tests.len()));
        }
        assert_eq!(ran, expected);
    }
}

/// Pieces of hosts, and what they are in each environment.
const HOST_PIECES: [(&str, &str, &str); 5] = [
    ("orders.{domain}", "orders.example.com", "orders.staging.example.com"),
    ("*.{region}.{domain}", "*.eu.example.com", "*.eu-test.staging.example.com"),
    ("**.svc.{domain}", "**.svc.example.com", "**.svc.staging.example.com"),
    ("a-{region}.b", "a-eu.b", "a-eu-test.b"),
    ("fixed.example", "fixed.example", "fixed.example"),
];

/// A policy of scopes and rules; the environments are `None` or where each rule is in force.
fn estate(scopes: &[Vec<usize>], rules: &[(usize, u8)], environment: Option<usize>) -> String {
    let mut text = "schema = 1\n".to_owned();
    if environment.is_none() {
        text.push_str("[environments.production]\ndomain = \"example.com\"\nregion = \"eu\"\n");
        text.push_str("[environments.staging]\ndomain = \"staging.example.com\"\nregion = \"eu-test\"\n");
    }
    for (number, hosts) in scopes.iter().enumerate() {
        let hosts: Vec<&str> = hosts
            .iter()
            .map(|piece| match (HOST_PIECES[*piece], environment) {
                ((written, ..), None) => written,
                ((_, production, _), Some(0)) => production,
                ((.., staging), Some(_)) => staging,
            })
            .collect();
        text.push_str(&format!("[scopes.s{number}]\nhosts = {hosts:?}\noperations = [\"GET /{number}\"]\n"));
    }
    for (number, (scope, places)) in rules.iter().enumerate() {
        let names: Vec<_> =
            ["production", "staging"].into_iter().enumerate().filter(|(at, _)| places & (1 << at) != 0).collect();
        let here = |at: usize| names.is_empty() || names.iter().any(|(place, _)| *place == at);
        if environment.is_some_and(|at| !here(at)) {
            continue;
        }
        let scope = scope % scopes.len();
        // The order of rules is not that of their names.
        let name = format!("r{:02}", number * 7 % 10);
        text.push_str(&format!("[[rules]]\nid = \"{name}\"\neffect = \"deny\"\nscopes = [\"s{scope}\"]\n"));
        if environment.is_none() && !names.is_empty() {
            let names: Vec<_> = names.iter().map(|(_, name)| name).collect();
            text.push_str(&format!("environments = {names:?}\n"));
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is compiled for an environment is what one would write for it alone.
    #[test]
    fn an_environment_is_the_policy_that_one_would_write_for_it(
        scopes in prop::collection::vec(prop::sample::subsequence((0..HOST_PIECES.len()).collect::<Vec<_>>(), 1..=3), 1..4),
        rules in prop::collection::vec((0..4_usize, 0..4_u8), 0..8),
    ) {
        for (at, name) in ["production", "staging"].into_iter().enumerate() {
            let (found, _) = compiled(&estate(&scopes, &rules, None), Some(name));
            let (expected, _) = compiled(&estate(&scopes, &rules, Some(at)), None);
            prop_assert_eq!(found, Policy { environment: Some(name.to_owned()), ..expected });
        }
    }
}
