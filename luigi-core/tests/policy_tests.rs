//! Tests that stand in a policy: what passes, what fails and how, and which facts a test must not leave out.

use luigi_core::policy::{self, SourceSet};
use luigi_core::policy_tests::coverage::Coverage;
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;

const POLICY: &str = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
[issuers.login.claims]
groups = ["realm", "roles"]
[groups]
staff = "role-of-staff"
leads = "leads"
[networks]
office = ["192.0.2.0/24"]
[schedules.day]
time-zone = "UTC"
start = "08:00"
end = "18:00"
[logins.fresh]
acr-any = ["high"]
amr-any = ["mfa"]
max-age = "15m"
[scopes.docs]
hosts = "any"
paths = ["/docs/**"]
methods = "read"
[scopes.wiki]
hosts = "any"
paths = ["/wiki/**"]
methods = "read"
[scopes.lab]
hosts = "any"
paths = ["/lab/**"]
methods = "read"
[scopes.desk]
hosts = "any"
paths = ["/desk"]
methods = "read"
[scopes.hall]
hosts = "any"
paths = ["/hall"]
methods = "read"
[scopes.shed]
hosts = "any"
paths = ["/shed"]
methods = "read"
[scopes.lobby]
hosts = "any"
paths = ["/lobby"]
methods = "read"
[scopes.vault]
hosts = "any"
paths = ["/vault/**"]
methods = "read"
privileged = true
[approvals.leads]
approvers = { groups = ["leads"] }
duration = "30m"
justification = "required"
[[rules]]
id = "docs-for-staff"
effect = "allow"
scopes = ["docs"]
subject = { groups = ["staff"] }
from = ["office"]
[[rules]]
id = "no-docs-at-night"
effect = "deny"
scopes = ["docs"]
subject = { subjects = ["owl"] }
unless = { during = ["day"] }
[[rules]]
id = "wiki-for-staff"
effect = "allow"
scopes = ["wiki"]
subject = { claims = [{ path = ["realm", "roles"], in = ["role-of-staff"] }] }
[[rules]]
id = "wiki-closes"
effect = "deny"
scopes = ["wiki"]
ends = 2020-01-01T00:00:00Z
mode = "observe"
[[rules]]
id = "vault-for-staff"
effect = "allow"
scopes = ["vault"]
subject = { groups = ["staff"] }
require = { approval = ["leads"] }
[[rules]]
id = "vault-needs-fresh"
effect = "restrict"
scopes = ["vault"]
require = { login = "fresh" }
[[rules]]
id = "lab-for-staff"
effect = "allow"
scopes = ["lab"]
subject = { groups = ["staff"] }
[[rules]]
id = "lab-closes-for-the-owl"
effect = "deny"
scopes = ["lab"]
subject = { subjects = ["owl"] }
from = ["office"]
[[rules]]
id = "lab-opens-for-leads"
effect = "deny"
scopes = ["lab"]
unless = [{ subject = { groups = ["leads"] }, during = ["day"] }, { subject = { groups = ["staff"] } }]
[[rules]]
id = "desk-through-agents"
effect = "allow"
scopes = ["desk"]
subject = "anyone"
via = "any"
from = ["office"]
[[rules]]
id = "hall-for-the-office"
effect = "allow"
scopes = ["hall"]
subject = "anyone"
from = ["office"]
[[rules]]
id = "hall-without-the-owl"
effect = "deny"
scopes = ["hall"]
subject = { subjects = ["owl"] }
[[rules]]
id = "shed-by-day"
effect = "allow"
scopes = ["shed"]
subject = { groups = ["staff"] }
during = ["day"]
[[rules]]
id = "lobby-for-all"
effect = "allow"
scopes = ["lobby"]
subject = "anyone"
[[rules]]
id = "lobby-for-staff"
effect = "allow"
scopes = ["lobby"]
subject = { groups = ["staff"] }
during = ["day"]
"#;

/// How a test of these lines comes out.
fn outcome(lines: &str) -> String {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("{POLICY}[[tests]]\nname = \"the test\"\n{lines}"));
    let parsed = policy::parse(&sources);
    let rendered = parsed.diagnostics.render(&sources, policy::diagnostics::Style::PLAIN);
    let snapshot = Snapshot::compile(parsed.policy.unwrap_or_else(|| panic!("{rendered}"))).unwrap();
    let [outcome] = &policy_tests::run(&snapshot, &parsed.tests)[..] else { panic!("one test, one outcome") };
    assert_eq!(outcome.has_passed(), outcome.diagnostics(&parsed.tests[0], &sources).is_empty());
    match outcome {
        TestOutcome::Passed => "passed".to_owned(),
        TestOutcome::MissingFact { rule, fact } => format!("{rule} needs {}", fact.as_str()),
        TestOutcome::MissingFrontend { scope } => format!("{scope} needs frontend"),
        TestOutcome::Failed(failure) => {
            failure.mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
    }
}

/// A test that leaves out the frontend means nothing where a scope that names frontends may hold the request, unless it is about that.
#[test]
fn a_test_says_at_which_frontend_where_a_scope_looks_at_it() {
    let scopes = "[scopes.gate]\nhosts = \"any\"\nfrontends = [\"www\"]\noperations = [\"GET /gate\"]\n\
                  [[rules]]\nid = \"gate\"\neffect = \"allow\"\nscopes = [\"gate\"]\nsubject = \"anyone\"\n";
    let gate = "request = \"GET https://a.example/gate\"";
    for (lines, expected) in [
        (&[gate, "expect = \"deny\""][..], "gate needs frontend"),
        (&[gate, "expect = \"allow\"", "frontend = \"www\""], "passed"),
        (&[gate, "expect = \"deny\"", "frontend = \"admin\""], "passed"),
        (&[gate, "expect = \"deny\"", "reason = \"frontend-unknown\""], "passed"),
        (&[gate, "expect = \"allow\"", "frontend = \"www\"", "scope = \"gate\""], "passed"),
        (
            &[gate, "expect = \"deny\"", "frontend = \"admin\"", "scope = \"gate\""],
            "scope should be `gate`, but is `no scope`",
        ),
        (&["request = \"GET https://a.example/gates\"", "expect = \"deny\""], "passed"),
    ] {
        assert_eq!(outcome(&format!("{}\n{scopes}", lines.join("\n"))), expected, "{lines:?}");
    }
}

#[test]
fn tests_come_out_as_they_should() {
    const STAFF: &str = "as = { groups = [\"staff\"] }";
    const OWL: &str = "as = { sub = \"owl\", groups = [\"staff\"] }";
    const FRESH: &str = "as = { groups = [\"staff\"], login = \"fresh\" }";
    const OFFICE: &str = "from = \"192.0.2.1\"";
    const NOON: &str = "at = 2026-03-02T12:00:00Z";
    const GRANT: &str = "grants = [{ scope = \"vault\", approval = \"leads\" }]";
    let docs = "request = \"GET https://a.example/docs/x\"";
    let wiki = "request = \"GET https://a.example/wiki\"";
    let lab = "request = \"GET https://a.example/lab/x\"";
    let lobby = "request = \"GET https://a.example/lobby\"";
    let hall = "request = \"GET https://a.example/hall\"";
    let shed = "request = \"GET https://a.example/shed\"";
    let vault = "request = \"GET https://a.example/vault/x\"";
    let cases: &[(&[&str], &str)] = &[
        // What is expected and what comes out.
        (&[docs, STAFF, OFFICE, "expect = \"allow\""], "passed"),
        (&[docs, STAFF, "from = \"203.0.113.9\"", "expect = \"allow\""], "expect should be `allow`, but is `deny`"),
        (&[docs, OFFICE, "expect = \"authenticate\""], "passed"),
        (&[docs, OFFICE, "expect = \"deny\""], "expect should be `deny`, but is `authenticate`"),
        (
            &[docs, OFFICE, "as = \"expired\"", NOON, "expect = \"authenticate\"", "reason = \"allow-rule-unknown\""],
            "passed",
        ),
        (
            &[
                docs,
                OFFICE,
                "as = \"invalid\"",
                "at = 2026-03-02T03:00:00Z",
                "expect = \"authenticate\"",
                "reason = \"deny-rule-unknown\"",
            ],
            "passed",
        ),
        (
            &[docs, OWL, OFFICE, "at = 2026-03-02T03:00:00Z", "expect = \"deny\"", "rule = \"no-docs-at-night\""],
            "passed",
        ),
        (
            &[
                docs,
                OWL,
                OFFICE,
                NOON,
                "expect = \"allow\"",
                "rule = \"docs-for-staff\"",
                "reason = \"allowed-by-rule\"",
            ],
            "passed",
        ),
        (
            &[
                docs,
                OWL,
                OFFICE,
                NOON,
                "expect = \"deny\"",
                "rule = \"no-docs-at-night\"",
                "reason = \"denied-by-rule\"",
            ],
            "expect should be `deny`, but is `allow`; rule should be `no-docs-at-night`, but is `docs-for-staff`; \
             reason should be `denied-by-rule`, but is `allowed-by-rule`",
        ),
        // Identities have the claims that a token of their issuer would have; logins and grants are good now.
        (&[wiki, STAFF, "expect = \"allow\""], "passed"),
        (&[wiki, "as = { sub = \"x\" }", "expect = \"deny\""], "passed"),
        (&[vault, STAFF, GRANT, "expect = \"step-up\""], "passed"),
        (&[vault, FRESH, "expect = \"request-access\""], "passed"),
        (&[vault, FRESH, GRANT, "expect = \"allow\""], "passed"),
        (&["request = \"GET https://a.example/docs/%2e%2e/vault/x\"", FRESH, GRANT, "expect = \"allow\""], "passed"),
        // A fact that a rule in question asks for must be there, even if what came out is what was expected.
        (&[docs, STAFF, "expect = \"allow\""], "docs-for-staff needs from"),
        (&[docs, OWL, OFFICE, "expect = \"deny\""], "no-docs-at-night needs at"),
        (&[docs, OWL, OFFICE, "expect = \"allow\""], "no-docs-at-night needs at"),
        // A source may be unknown, and then an allow rule that asks for it does not allow, whatever else is so.
        (&[docs, STAFF, "expect = \"deny\""], "passed"),
        (&[docs, OWL, "expect = \"deny\""], "passed"),
        (&[docs, STAFF, "expect = \"deny\"", "reason = \"allow-rule-unknown\""], "docs-for-staff needs from"),
        (&[lab, OWL, "expect = \"deny\""], "lab-closes-for-the-owl needs from"),
        (&[hall, STAFF, "expect = \"deny\""], "passed"),
        (&[hall, "as = { sub = \"x\" }", "expect = \"allow\""], "hall-for-the-office needs from"),
        // Times are not unknown.
        (&[shed, STAFF, "expect = \"deny\""], "shed-by-day needs at"),
        (&[shed, STAFF, "expect = \"allow\""], "shed-by-day needs at"),
        // What is certain does not depend on what is left out: it is denied for certain, ...
        (&[hall, OWL, "expect = \"deny\""], "passed"),
        (&[hall, OWL, "expect = \"step-up\""], "expect should be `step-up`, but is `deny`"),
        (&[hall, OWL, "expect = \"deny\"", "rule = \"hall-without-the-owl\""], "hall-for-the-office needs from"),
        // ... allowed for certain, ...
        (&[lobby, STAFF, "expect = \"allow\""], "passed"),
        (&[lobby, STAFF, "expect = \"allow\"", "rule = \"lobby-for-all\""], "lobby-for-staff needs at"),
        // ... or nothing can allow it.
        (&[docs, "as = { sub = \"owl\", groups = [\"leads\"] }", "expect = \"deny\""], "passed"),
        (
            &[docs, "as = { sub = \"owl\", groups = [\"leads\"] }", "expect = \"deny\"", "reason = \"no-rule-allows\""],
            "no-docs-at-night needs at",
        ),
        // What the test does say settles the rule.
        (&[docs, "as = { groups = [\"leads\"] }", "expect = \"deny\""], "passed"),
        (&["request = \"GET https://a.example/elsewhere\"", STAFF, "expect = \"deny\""], "passed"),
        // Nobody is in no group, but whether it helps to come back as somebody who is depends on the rest of the rule.
        (&[docs, "expect = \"authenticate\""], "docs-for-staff needs from"),
        (&[lab, "expect = \"authenticate\""], "lab-opens-for-leads needs at"),
        (&[lab, NOON, "expect = \"authenticate\""], "passed"),
        (&[lab, STAFF, "expect = \"allow\""], "passed"),
        // Nobody acts for nobody, but somebody may come back for whom somebody acts.
        (&["request = \"GET https://a.example/desk\"", "expect = \"authenticate\""], "desk-through-agents needs from"),
        (&["request = \"GET https://a.example/desk\"", STAFF, "expect = \"deny\""], "passed"),
        // With an allow there is nothing to advise.
        (&[lobby, "expect = \"allow\""], "passed"),
        // An observed rule matters to the candidate only.
        (&[wiki, STAFF, "expect = \"allow\"", "expect-candidate = \"allow\""], "wiki-closes needs at"),
        (&[wiki, STAFF, NOON, "expect = \"allow\"", "expect-candidate = \"allow\""], "passed"),
        (
            &[wiki, STAFF, "at = 2019-03-02T12:00:00Z", "expect = \"allow\"", "expect-candidate = \"allow\""],
            "expect-candidate should be `allow`, but is `deny`",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(outcome(&lines.join("\n")), *expected, "{lines:#?}");
    }
}

/// The names of the tests that these lines come to, each with how it came out and the text at its place.
fn table(lines: &str) -> Vec<(String, String, String)> {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("{POLICY}{lines}"));
    let parsed = policy::parse(&sources);
    let rendered = parsed.diagnostics.render(&sources, policy::diagnostics::Style::PLAIN);
    let snapshot = Snapshot::compile(parsed.policy.unwrap_or_else(|| panic!("{rendered}"))).unwrap();
    let outcomes = policy_tests::run(&snapshot, &parsed.tests);
    let row = |(test, outcome): (&policy::test_case::TestCase, &TestOutcome)| {
        let came_out = match outcome {
            TestOutcome::Passed => "passed".to_owned(),
            TestOutcome::MissingFact { rule, fact } => format!("{rule} needs {}", fact.as_str()),
            TestOutcome::MissingFrontend { scope } => format!("{scope} needs frontend"),
            TestOutcome::Failed(failure) => {
                failure.mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            }
        };
        (test.name.clone(), came_out, sources.slice(test.span).to_owned())
    };
    parsed.tests.iter().zip(&outcomes).map(row).collect()
}

#[test]
fn a_table_has_a_test_for_each_case_and_request() {
    let rows = table(
        r#"
[[tests]]
name = "who reads docs"
request = "GET https://a.example/docs/x"
as = { groups = ["staff"] }
from = "192.0.2.1"
expect = "allow"
rule = "docs-for-staff"
cases = [
    {},
    { name = "from home", from = "203.0.113.9", expect = "deny" },
    { as = "nobody", expect = "authenticate" },
    { name = "the vault", request = "GET https://a.example/vault", rule = "vault-for-staff", expect = "allow" },
]

[[tests]]
name = "lobby and lab"
requests = ["GET https://a.example/lobby", "HEAD https://a.example/lab/x"]
expect = "allow"
[[tests.cases]]
as = { groups = ["staff"] }
privileged = false
[[tests.cases]]
name = "nobody"
requests = ["GET https://a.example/lobby"]
scope = "lobby"

[[tests]]
name = "several"
requests = ["GET https://a.example/vault/x", "GET https://a.example/vault"]
as = { groups = ["staff"] }
expect = "step-up"
scope = "docs"
privileged = false
"#,
    );
    let rows: Vec<_> =
        rows.iter().map(|(name, came_out, at)| (name.as_str(), came_out.as_str(), at.as_str())).collect();
    let wrong_case = "expect should be `allow`, but is `step-up`";
    let wrong_scope = "scope should be `docs`, but is `vault`; privileged should be `false`, but is `true`";
    assert_eq!(
        rows,
        [
            ("who reads docs [1]", "passed", "{}"),
            ("who reads docs [from home]", "rule should be `docs-for-staff`, but is `no rule`", "\"from home\""),
            (
                "who reads docs [3]",
                "rule should be `docs-for-staff`, but is `no rule`",
                "{ as = \"nobody\", expect = \"authenticate\" }"
            ),
            ("who reads docs [the vault]", wrong_case, "\"the vault\""),
            ("lobby and lab [1, GET https://a.example/lobby]", "passed", "[[tests.cases]]"),
            ("lobby and lab [1, HEAD https://a.example/lab/x]", "passed", "[[tests.cases]]"),
            ("lobby and lab [nobody, GET https://a.example/lobby]", "passed", "\"nobody\""),
            ("several [GET https://a.example/vault/x]", wrong_scope, "\"GET https://a.example/vault/x\""),
            ("several [GET https://a.example/vault]", wrong_scope, "\"GET https://a.example/vault\""),
        ]
    );
}

#[test]
fn a_scope_that_does_not_hold_the_request_is_named() {
    let lines =
        "request = \"GET https://a.example/elsewhere\"\nexpect = \"deny\"\nscope = \"docs\"\nprivileged = false";
    assert_eq!(outcome(lines), "scope should be `docs`, but is `no scope`");
}

/// What these tests leave out, line by line.
fn gaps(tests: &str) -> Vec<String> {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("{POLICY}{tests}"));
    let parsed = policy::parse(&sources);
    let rendered = parsed.diagnostics.render(&sources, policy::diagnostics::Style::PLAIN);
    let snapshot = Snapshot::compile(parsed.policy.unwrap_or_else(|| panic!("{rendered}"))).unwrap();
    let mut coverage = Coverage::default();
    coverage.add_policy(&snapshot);
    policy_tests::run_each(&snapshot, &parsed.tests, |_, explanation| coverage.add(explanation));
    let mut lines = Vec::new();
    for (name, rule) in &coverage.rules {
        let matched = std::iter::once(("match", &rule.matched));
        for (keys, seen) in matched.chain(rule.predicates()).chain(rule.requirements()) {
            if seen.never_true() {
                lines.push(format!("{name} {keys}: never true"));
            }
            if seen.never_false() {
                lines.push(format!("{name} {keys}: never false"));
            }
        }
    }
    let unseen = coverage.scopes.iter().chain(&coverage.approvals).filter(|(_, n)| **n == 0);
    lines.extend(unseen.map(|(name, _)| name.clone()));
    let (seen, all) = coverage.outcomes();
    assert_eq!(all - seen, lines.len(), "each outcome that is missing is a line");
    lines
}

/// A predicate counts only where its rule is in question: who is asked for docs says nothing about the vault.
#[test]
fn coverage_names_what_was_never_tried() {
    let of = |rule: &str, tests: &str| -> Vec<String> {
        gaps(tests).into_iter().filter_map(|line| Some(line.strip_prefix(rule)?.trim().to_owned())).collect()
    };
    let docs = "[[tests]]\nname = \"docs\"\nrequest = \"GET /docs\"\nat = 2026-03-02T12:00:00Z\nexpect = \"deny\"\n";
    let cases = |cases: &str| format!("{docs}cases = [{cases}]");
    let staff = "{ as = { groups = [\"staff\"] }, from = \"192.0.2.1\" }";
    assert_eq!(
        of("docs-for-staff", &cases("{ as = \"nobody\", from = \"203.0.113.9\" }")),
        [
            "match: never true",
            "subject: never true",
            "subject.groups: never true",
            // Nobody is in no group, but has no groups either.
            "subject.groups: never false",
            "from: never true",
        ]
        .into_iter()
        .collect::<Vec<_>>()
    );
    assert_eq!(
        of("docs-for-staff", &cases(staff)),
        ["match: never false", "subject: never false", "subject.groups: never false", "from: never false"]
    );
    let other = "{ as = { groups = [\"leads\"] }, from = \"203.0.113.9\" }";
    assert_eq!(of("docs-for-staff", &cases(&format!("{staff}, {other}"))), [""; 0]);
    // Two exceptions with the same key are told apart, and so is what they are made of.
    assert_eq!(
        of("lab-opens-for-leads", docs),
        [
            "match: never true",
            "unless[1]: never true",
            "unless[1]: never false",
            "unless[1].subject: never true",
            "unless[1].subject: never false",
            "unless[1].subject.groups: never true",
            "unless[1].subject.groups: never false",
            "unless[1].during: never true",
            "unless[1].during: never false",
            "unless[2]: never true",
            "unless[2]: never false",
            "unless[2].subject: never true",
            "unless[2].subject: never false",
            "unless[2].subject.groups: never true",
            "unless[2].subject.groups: never false",
        ]
    );
    // A requirement counts where its rule matches; an approval where its grant opened something.
    let vault = "[[tests]]\nname = \"vault\"\nrequest = \"GET /vault\"\nas = { groups = [\"staff\"], login = \"fresh\" }\nexpect = \"allow\"\n";
    assert_eq!(of("vault-needs-fresh", vault), ["match: never false", "login: never false"]);
    assert_eq!(of("leads", vault), [""]);
    let granted = format!("{vault}grants = [{{ scope = \"vault\", approval = \"leads\" }}]");
    assert_eq!(of("leads", &granted), [""; 0]);
    assert!(!gaps(&granted).contains(&"vault".to_owned()));
    assert!(gaps(docs).contains(&"vault".to_owned()));
}

/// With one issuer everybody who is somebody is authenticated; that nobody is not is the other way for it to come out.
#[test]
fn coverage_counts_who_is_authenticated() {
    let rule = "[scopes.counter]\nhosts = \"any\"\npaths = [\"/counter\"]\nmethods = \"read\"\n[[rules]]\nid = \"counter\"\neffect = \"allow\"\nscopes = [\"counter\"]\nsubject = \"authenticated\"\n";
    let tests = "[[tests]]\nname = \"counter\"\nrequest = \"GET /counter\"\ncases = [{ as = { sub = \"x\" }, expect = \"allow\" }, { expect = \"authenticate\" }]\n";
    let missing = gaps(&format!("{rule}{tests}"));
    assert!(!missing.iter().any(|line| line.starts_with("counter")), "{missing:?}");
}
