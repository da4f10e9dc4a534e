//! Captures: families of groups, `where`, approvals `per` something, and rules that are met in several patterns at once.

use luigi_core::decide::{Advice, Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::grant_set::{Grant, GrantSet};
use luigi_core::identity::{Completeness, Credential, Groups, Identity};
use luigi_core::kleene::Kleene;
use luigi_core::policy::model::Policy;
use luigi_core::policy::{self, SourceSet, diagnostics::Style};
use luigi_core::policy_tests;
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;
use std::collections::BTreeMap;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

const POLICY: &str = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
default = true
[issuers.partner]
url = "https://partner.example.com"
audiences = ["a"]
[hosts."legacy.example.com"]
paths = "ignore-case"
accept-ambiguous = ["encoded-slash"]
[groups]
members = "tenant-{tenant}"
admins = "admin-{tenant}"
blocked = "blocked-{tenant}"
support = "support"
[scopes.tenant]
hosts = ["app.example.com", "legacy.example.com"]
paths = ["/t/{tenant}/**"]
methods = "any"
# Two patterns that hold `/pair/a/b`, with different captures.
[scopes.pair]
hosts = ["app.example.com"]
paths = ["/pair/{tenant}/*", "/pair/*/{tenant}"]
methods = "any"
[scopes.guarded]
hosts = ["app.example.com"]
paths = ["/guarded/{tenant}/*", "/guarded/*/{tenant}"]
methods = "any"
[scopes.vault]
hosts = ["app.example.com"]
paths = ["/vault/{tenant}/*", "/vault/*/{tenant}"]
methods = "any"
privileged = true
[scopes.deep-vault]
hosts = ["app.example.com"]
paths = ["/vault/deep/{tenant}"]
methods = "any"
privileged = true
[scopes.users]
hosts = ["app.example.com"]
paths = ["/users/{user}", "/versions/{user}/{version}"]
methods = "any"
[scopes.versions]
hosts = ["app.example.com"]
paths = ["/versions/{user}/{version}"]
methods = "any"
[approvals.tenant]
requesters = { groups = ["members", "support"] }
approvers = { groups = ["admins"] }
duration = "30m"
per = ["tenant"]
[[rules]]
id = "members"
effect = "allow"
scopes = ["tenant", "pair"]
subject = { groups = ["members"] }
[[rules]]
id = "not-the-blocked"
effect = "deny"
scopes = ["pair"]
subject = { groups = ["blocked"] }
[[rules]]
id = "guarded-for-support"
effect = "allow"
scopes = ["guarded"]
subject = { groups = ["support"] }
[[rules]]
id = "guarded-by-admins"
effect = "restrict"
scopes = ["guarded"]
unless = { where = { tenant = { in = ["public"] } } }
require = { subject = { groups = ["admins"] } }
[[rules]]
id = "legacy-for-support"
effect = "allow"
scopes = ["tenant"]
subject = { groups = ["support"] }
require = { approval = ["tenant"] }
[[rules]]
id = "vault"
effect = "allow"
scopes = ["vault", "deep-vault"]
subject = "authenticated"
require = { approval = ["tenant"] }
[[rules]]
id = "own"
effect = "allow"
scopes = ["users"]
subject = "anyone"
where = { user = { claim = "sub" } }
[[rules]]
id = "only-known-versions"
effect = "deny"
scopes = ["versions"]
unless = { where = { version = { in = ["v1", "v 2"] }, user = { claim = ["realm", "users"] } } }
"#;

fn parse(text: &str) -> (Policy, Vec<policy::test_case::TestCase>) {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    let parsed = policy::parse(&sources);
    let rendered = parsed.diagnostics.render(&sources, Style::PLAIN);
    (parsed.policy.unwrap_or_else(|| panic!("{rendered}")), parsed.tests)
}

/// How a test of these lines comes out.
fn outcome(lines: &str) -> String {
    let (policy, tests) = parse(&format!("{POLICY}[[tests]]\nname = \"the test\"\n{lines}"));
    let snapshot = Snapshot::compile(policy).unwrap();
    let [outcome] = &policy_tests::run(&snapshot, &tests)[..] else { panic!("one test, one outcome") };
    format!("{outcome:?}").lines().take(1).collect()
}

#[test]
fn a_rule_is_met_with_the_captures_of_one_pattern() {
    let grant = |scope: &str, tenant: &str| {
        format!("{{ scope = \"{scope}\", approval = \"tenant\", captures = {{ tenant = \"{tenant}\" }} }}")
    };
    let cases: &[(&str, &str, Vec<String>, &str)] = &[
        ("/t/acme/x", r#"groups = ["members:acme"]"#, vec![], "allow"),
        ("/t/globex/x", r#"groups = ["members:acme"]"#, vec![], "deny"),
        // Compared decoded.
        ("/t/a%20b", r#"groups = ["members:a b"]"#, vec![], "allow"),
        ("/t/Acme", r#"groups = ["members:acme"]"#, vec![], "deny"),
        // Either pattern lets in, either pattern denies.
        ("/pair/acme/globex", r#"groups = ["members:acme"]"#, vec![], "allow"),
        ("/pair/globex/acme", r#"groups = ["members:acme"]"#, vec![], "allow"),
        ("/pair/acme/globex", r#"groups = ["members:acme", "blocked:globex"]"#, vec![], "deny"),
        ("/pair/acme/globex", r#"groups = ["members:acme", "blocked:other"]"#, vec![], "allow"),
        // A restrict asks in each pattern in which it is not exempt.
        ("/guarded/acme/globex", r#"groups = ["support", "admins:acme"]"#, vec![], "deny"),
        ("/guarded/acme/globex", r#"groups = ["support", "admins:acme", "admins:globex"]"#, vec![], "allow"),
        ("/guarded/acme/public", r#"groups = ["support", "admins:acme"]"#, vec![], "allow"),
        ("/guarded/acme/public", r#"groups = ["support"]"#, vec![], "deny"),
        // A grant opens a privileged scope for the values of one of its patterns, and each privileged scope needs one.
        ("/vault/acme/globex", r#"groups = ["support"]"#, vec![], "request-access"),
        ("/vault/acme/globex", r#"groups = ["support"]"#, vec![grant("vault", "globex")], "allow"),
        ("/vault/acme/globex", r#"groups = ["support"]"#, vec![grant("vault", "other")], "request-access"),
        ("/vault/deep/acme", r#"groups = ["support"]"#, vec![grant("vault", "acme")], "request-access"),
        ("/vault/deep/acme", r#"groups = ["support"]"#, vec![grant("deep-vault", "acme")], "request-access"),
        (
            "/vault/deep/acme",
            r#"groups = ["support"]"#,
            vec![grant("vault", "deep"), grant("deep-vault", "acme")],
            "allow",
        ),
        // Who may ask depends on the captures, too.
        ("/vault/acme/globex", r#"groups = ["members:globex"]"#, vec![], "request-access"),
        ("/vault/acme/globex", r#"groups = ["members:other"]"#, vec![], "deny"),
        ("/users/42", r#"sub = "42""#, vec![], "allow"),
        ("/users/43", r#"sub = "42""#, vec![], "deny"),
        // A claim is the default issuer's unless another is named; somebody who acts has none of it.
        ("/users/42", r#"sub = "42", issuer = "partner""#, vec![], "deny"),
        ("/users/42", r#"sub = "42", via = { sub = "agent" }"#, vec![], "deny"),
        ("/versions/42/v1", r#"sub = "42", claims = { realm = { users = ["41", "42"] } }"#, vec![], "allow"),
        ("/versions/42/v%202", r#"sub = "42", claims = { realm = { users = "42" } }"#, vec![], "allow"),
        ("/versions/42/v3", r#"sub = "42", claims = { realm = { users = "42" } }"#, vec![], "deny"),
        ("/versions/42/v1", r#"sub = "42", claims = { realm = { users = 42 } }"#, vec![], "deny"),
        ("/versions/42/v1", r#"sub = "42""#, vec![], "deny"),
    ];
    for (path, who, grants, expect) in cases {
        let grants = if grants.is_empty() { String::new() } else { format!("grants = [{}]\n", grants.join(", ")) };
        let lines = format!(
            "request = \"GET https://app.example.com{path}\"\nas = {{ {who} }}\n{grants}expect = \"{expect}\"\n"
        );
        assert_eq!(outcome(&lines), "Passed", "{lines}");
    }
    for (lines, expect) in [
        ("request = \"GET https://app.example.com/users/42\"\nas = \"expired\"", "authenticate"),
        ("request = \"GET https://app.example.com/users/42\"", "authenticate"),
        // What is no question of who asks is what it is for whoever may come back.
        ("request = \"GET https://app.example.com/versions/42/v3\"", "deny"),
        ("request = \"GET https://app.example.com/versions/42/v1\"", "authenticate"),
        // The case of a tenant means nothing to a host that ignores case.
        ("request = \"GET https://legacy.example.com/T/ACME\"\nas = { groups = [\"members:acme\"] }", "allow"),
    ] {
        assert_eq!(outcome(&format!("{lines}\nexpect = \"{expect}\"\n")), "Passed", "{lines}");
    }
}

/// A grant of ada's for one tenant.
fn grant(policy: &Policy, tenant: &str) -> Grant {
    let (_, scope) = policy.scopes.iter().find(|(_, scope)| scope.name == "tenant").unwrap();
    let (_, approval) = policy.approvals.iter().find(|(_, approval)| approval.name == "tenant").unwrap();
    Grant {
        id: "g".into(),
        issuer: "https://login.example.com".into(),
        subject: "ada".into(),
        actor: None,
        scope: scope.name.clone(),
        scope_hash: scope.content_hash,
        approval: approval.name.clone(),
        approval_hash: approval.content_hash,
        path: None,
        networks: Vec::new(),
        captures: BTreeMap::from([("tenant".to_owned(), tenant.to_owned())]),
        from: NOW,
        until: NOW.plus_seconds(60),
    }
}

/// What somebody with these groups, and perhaps a grant for a tenant, is advised to ask for: scopes, and the values of captures.
fn asked(path: &str, host: &str, groups: &[&str], granted: Option<&str>) -> Vec<(String, BTreeMap<String, String>)> {
    let (policy, _) = parse(POLICY);
    let snapshot = Snapshot::compile(policy.clone()).unwrap();
    let groups = Groups::new(groups.iter().map(|group| (*group).into()).collect(), Completeness::Complete);
    let ada =
        Identity::assert("test", "https://login.example.com", "ada", NOW.plus_seconds(60)).groups(groups).finish();
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: b"GET", target: path.as_bytes(), host: Some(host.as_bytes()) };
    let grants = granted.map(|tenant| grant(&policy, tenant)).into_iter().collect();
    let (grants, stops) = (GrantSet::new(grants), StopSet::default());
    let request = Request {
        method: b"GET",
        target: canonicalize(raw, &mut buffer),
        upgrade: Kleene::False,
        source: Source::Unknown,
        credential: Credential::Verified(&ada),
        time: NOW,
        grants: &grants,
        stops: &stops,
        facts: RequestFacts::NONE,
    };
    let evaluation = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
    let explanation = explain::evaluate(&policy, &request);
    assert_eq!(evaluation, explanation.evaluation, "{path}");
    let Some(Advice::RequestAccess { approvals, .. }) = evaluation.decision.advice else { return Vec::new() };
    let asked: Vec<_> = approvals
        .iter()
        .map(|missing| (policy.scopes[missing.scope].name.clone(), missing.captures(&policy, &request.target)))
        .collect();
    let Some(explain::AdviceTrace::RequestAccess { approvals, .. }) = explanation.decision.advice else {
        panic!("the trace has the advice, too")
    };
    let traced: Vec<_> = approvals.into_iter().map(|missing| (missing.scope, missing.captures)).collect();
    assert_eq!(traced, asked);
    asked
}

#[test]
fn advice_says_for_which_values_to_ask() {
    let check = |path: &str, host: &str, expected: &[(&str, &str)]| {
        let found = asked(path, host, &["support"], None);
        let expected: Vec<_> = expected
            .iter()
            .map(|(scope, tenant)| ((*scope).to_owned(), BTreeMap::from([("tenant".to_owned(), (*tenant).to_owned())])))
            .collect();
        assert_eq!(found, expected, "{path}");
    };
    check("/vault/acme/globex", "app.example.com", &[("vault", "acme")]);
    check("/vault/a%20b/globex", "app.example.com", &[("vault", "a b")]);
    check("/vault/deep/acme", "app.example.com", &[("deep-vault", "acme"), ("vault", "deep")]);
    // Of two readings the first that is denied decides, and its captures are those to ask for.
    check("/t/acme%2Fx", "legacy.example.com", &[("tenant", "acme/x")]);
    let second = asked("/t/acme%2Fx", "legacy.example.com", &["support"], Some("acme/x"));
    assert_eq!(second, [("tenant".to_owned(), BTreeMap::from([("tenant".to_owned(), "acme".to_owned())]))]);
}

#[test]
fn a_list_of_groups_that_was_cut_off_may_hold_a_member_of_a_family() {
    let request = "request = \"GET https://app.example.com/pair/acme/globex\"\n";
    assert_eq!(outcome(&format!("{request}as = {{ groups = [\"members:acme\"] }}\nexpect = \"allow\"")), "Passed");
    // Cut off: whether one is among the blocked is unknown, so the deny rule holds.
    let (policy, _) = parse(POLICY);
    let snapshot = Snapshot::compile(policy).unwrap();
    let groups = Groups::new(vec!["tenant-acme".into()], Completeness::CutOff);
    let ada =
        Identity::assert("test", "https://login.example.com", "ada", NOW.plus_seconds(60)).groups(groups).finish();
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: b"GET", target: b"/pair/acme/globex", host: Some(b"app.example.com") };
    let (grants, stops) = (GrantSet::default(), StopSet::default());
    let request = Request {
        method: b"GET",
        target: canonicalize(raw, &mut buffer),
        upgrade: Kleene::False,
        source: Source::Unknown,
        credential: Credential::Verified(&ada),
        time: NOW,
        grants: &grants,
        stops: &stops,
        facts: RequestFacts::NONE,
    };
    let decision = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot)).decision;
    assert_eq!(decision.reason.as_str(), "deny-rule-unknown");
}

#[test]
fn a_whole_estate_of_tenants_passes_its_tests() {
    let (policy, tests) = parse(include_str!("data/tenants.toml"));
    let snapshot = Snapshot::compile(policy).unwrap();
    assert_eq!(tests.len(), 11);
    for (test, outcome) in tests.iter().zip(policy_tests::run(&snapshot, &tests)) {
        assert!(outcome.has_passed(), "{}: {outcome:?}", test.name);
    }
}
