//! The tables of docs/SEMANTICS.md, run through both evaluators.

use luigi_core::decide::{Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::grant_set::{Grant, GrantSet};
use luigi_core::identity::{Credential, Identity, Login};
use luigi_core::kleene::Kleene;
use luigi_core::policy::model::{ContentHash, Policy};
use luigi_core::policy::{self, SourceSet};
use luigi_core::snapshot::Snapshot;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

/// What all rows share; the rules follow.
const ESTATE: &str = r#"
schema = 1
[issuers.login]
url = "https://login.example.com"
audiences = ["a"]
[groups]
leads = "leads"
[networks]
here = ["192.0.2.0/24"]
[scopes.this]
hosts = "any"
operations = ["GET /this"]
[scopes.other]
hosts = "any"
operations = ["GET /other"]
[approvals.one]
approvers = { groups = ["leads"] }
duration = "30m"
[approvals.two]
approvers = { groups = ["leads"] }
duration = "1h"
"#;

/// The rows of the first table after the line that begins with `before`.
fn table(before: &str) -> Vec<Vec<String>> {
    let page = include_str!("../../docs/SEMANTICS.md");
    let from = page.find(before).unwrap_or_else(|| panic!("`{before}` is in docs/SEMANTICS.md"));
    let rows =
        page[from..].lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|l| l.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect())
        .collect()
}

fn parse(rules: &str) -> Policy {
    let mut sources = SourceSet::new();
    sources.add("table.toml", format!("{ESTATE}{rules}"));
    let parsed = policy::parse(&sources);
    parsed
        .policy
        .unwrap_or_else(|| panic!("{}", parsed.diagnostics.render(&sources, policy::diagnostics::Style::PLAIN)))
}

fn kleene(word: &str) -> Kleene {
    match word {
        "false" => Kleene::False,
        "unknown" => Kleene::Unknown,
        "true" => Kleene::True,
        other => panic!("`{other}` is no value"),
    }
}

/// The grant that a cell speaks of.
fn grants(policy: &Policy, cell: &str) -> GrantSet {
    let scope = policy.scopes.iter().find(|(_, scope)| scope.name == "this").unwrap().1;
    let approval = policy.approvals.iter().find(|(_, approval)| approval.name == "one").unwrap().1;
    let mut grant = Grant {
        id: "g".into(),
        issuer: "https://login.example.com".into(),
        subject: "ada".into(),
        actor: None,
        scope: scope.name.clone(),
        scope_hash: scope.content_hash,
        approval: approval.name.clone(),
        approval_hash: approval.content_hash,
        path: Some("/this/".into()),
        networks: vec![],
        captures: std::collections::BTreeMap::new(),
        from: NOW,
        until: NOW.plus_seconds(1),
    };
    let changed = ContentHash([7; 32]);
    match cell {
        "none" => return GrantSet::default(),
        "matching" => {}
        "expired" => grant.until = NOW,
        "not yet valid" => grant.from = NOW.plus_seconds(1),
        "another person's" => grant.subject = "eve".into(),
        "for another scope" => {
            let other = policy.scopes.iter().find(|(_, scope)| scope.name == "other").unwrap().1;
            (grant.scope, grant.scope_hash) = (other.name.clone(), other.content_hash);
        }
        "under another approval" => {
            let other = policy.approvals.iter().find(|(_, approval)| approval.name == "two").unwrap().1;
            (grant.approval, grant.approval_hash) = (other.name.clone(), other.content_hash);
        }
        "for the scope as it was" => grant.scope_hash = changed,
        "under the approval as it was" => grant.approval_hash = changed,
        "through somebody acting" => grant.actor = Some(("https://login.example.com".into(), "bot".into())),
        "for another path" => grant.path = Some("/that".into()),
        "for another network" => grant.networks = vec!["203.0.113.0/24".parse().unwrap()],
        other => panic!("`{other}` is no grant that this test knows"),
    }
    GrantSet::new(vec![grant])
}

fn check(title: &str, rules: &str, rows: usize) {
    let policy = parse(rules);
    let snapshot = Snapshot::compile(policy.clone()).unwrap();
    let ada = Identity::assert("test", "https://login.example.com", "ada", NOW.plus_seconds(60)).finish();
    let table = table(title);
    assert_eq!(table.len(), rows, "rows of the table after `{title}`");
    for row in table {
        let [value, grant, decision, reason, advice] = row.as_slice() else { panic!("five cells: {row:?}") };
        let source = match kleene(value) {
            Kleene::True => Source::from_address("192.0.2.7".parse().unwrap()),
            Kleene::Unknown => Source::Unknown,
            Kleene::False => Source::from_address("198.51.100.7".parse().unwrap()),
        };
        let mut buffer = TargetBuffer::new();
        let target =
            canonicalize(RawTarget { method: b"GET", target: b"/this", host: Some(b"x.example") }, &mut buffer);
        let grants = grants(&policy, grant);
        let credential = Credential::Verified(&ada);
        let request = Request {
            method: b"GET",
            target,
            upgrade: Kleene::False,
            source,
            credential,
            time: NOW,
            grants: &grants,
            stops: luigi_core::stop_set::StopSet::NONE,
            facts: RequestFacts::NONE,
        };
        let fast = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        let slow = explain::evaluate(&policy, &request).evaluation;
        assert_eq!(fast, slow, "the two evaluators on {row:?}");
        let found = fast.decision;
        assert_eq!(if found.allows() { "allow" } else { "deny" }, decision, "{row:?}");
        assert_eq!(found.reason.as_str(), reason, "{row:?}");
        assert_eq!(found.advice.map_or("none", |advice| advice.as_str()), advice, "{row:?}");
    }
}

#[test]
fn kleenes_tables() {
    let rows = table("## False, unknown, true");
    assert_eq!(rows.len(), 9);
    for row in rows {
        let [a, b, and, or, not] = [&row[0], &row[1], &row[2], &row[3], &row[4]].map(|cell| kleene(cell));
        assert_eq!((a.and(b), a.or(b), !a), (and, or, not), "{row:?}");
    }
}

#[test]
fn an_allow_rule_that_requires_an_approval() {
    let rules = "[[rules]]\nid = \"r\"\neffect = \"allow\"\nscopes = [\"this\"]\nsubject = \"authenticated\"\nfrom = [\"here\"]\nrequire = { approval = [\"one\"] }\n";
    check("An **allow** rule", rules, 16);
}

#[test]
fn a_restrict_rule_beside_an_allow_rule() {
    let rules = "[[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"this\"]\nsubject = \"authenticated\"\n\
                 [[rules]]\nid = \"r\"\neffect = \"restrict\"\nscopes = [\"this\"]\nfrom = [\"here\"]\nrequire = { approval = [\"one\"] }\n";
    check("A **restrict** rule", rules, 7);
}

#[test]
fn a_deny_rule_beside_an_allow_rule() {
    let rules = "[[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"this\"]\nsubject = \"authenticated\"\nrequire = { approval = [\"one\"] }\n\
                 [[rules]]\nid = \"r\"\neffect = \"deny\"\nscopes = [\"this\"]\nfrom = [\"here\"]\n";
    check("A **deny** rule", rules, 6);
}

/// A login as a row of the table has it.
fn login([acr, amr, age]: [&str; 3]) -> Login {
    let seconds = |text: &str| -> i64 {
        let unit = |part: &str| match part.split_at(part.len() - 1) {
            (number, "m") => number.parse::<i64>().unwrap() * 60,
            (number, _) => number.parse::<i64>().unwrap(),
        };
        text.split(' ').map(unit).sum()
    };
    let auth_time = match age.rsplit_once(' ') {
        Some((age, "ago")) => Some(NOW.plus_seconds(-seconds(age))),
        Some((age, "ahead")) => Some(NOW.plus_seconds(seconds(age))),
        _ => (age == "now").then_some(NOW),
    };
    let amr = match amr {
        "none" => None,
        "empty" => Some(Vec::new()),
        methods => Some(methods.split(' ').map(Into::into).collect()),
    };
    Login { auth_time, acr: (acr != "none").then(|| acr.into()), amr }
}

#[test]
fn logins_are_met_as_the_page_says() {
    let rows = table("### Logins");
    assert_eq!(rows.len(), 19);
    for row in rows {
        let [asked, acr, amr, age, met] = row.as_slice() else { panic!("five cells: {row:?}") };
        let policy = parse(&format!(
            "[[rules]]\nid = \"r\"\neffect = \"allow\"\nscopes = [\"this\"]\nsubject = \"authenticated\"\nrequire = {{ login = \"l\" }}\n[logins.l]\n{}\n",
            asked.replace(", amr", "\namr").replace(", max", "\nmax")
        ));
        let snapshot = Snapshot::compile(policy.clone()).unwrap();
        let ada = Identity::assert("test", "https://login.example.com", "ada", NOW.plus_seconds(60));
        let ada = ada.login(login([acr, amr, age])).finish();
        let mut buffer = TargetBuffer::new();
        let target =
            canonicalize(RawTarget { method: b"GET", target: b"/this", host: Some(b"x.example") }, &mut buffer);
        let request = Request {
            method: b"GET",
            target,
            upgrade: Kleene::False,
            source: Source::Unknown,
            credential: Credential::Verified(&ada),
            time: NOW,
            grants: &GrantSet::default(),
            stops: luigi_core::stop_set::StopSet::NONE,
            facts: RequestFacts::NONE,
        };
        let fast = snapshot.decide(&request, &mut Scratch::for_snapshot(&snapshot));
        let slow = explain::evaluate(&policy, &request);
        assert_eq!(fast, slow.evaluation, "the two evaluators on {row:?}");
        // Unknown is not met; which of the two it is the slow evaluator says.
        let found = slow.rules.iter().flat_map(|rule| &rule.requirements).find(|one| one.key == "login");
        assert_eq!(found.map(|one| one.value), Some(kleene(met)), "{row:?}");
        assert_eq!(fast.decision.allows(), kleene(met) == Kleene::True, "{row:?}");
        let advice = fast.decision.advice.map_or("none", |advice| advice.as_str());
        assert_eq!(advice, if fast.decision.allows() { "none" } else { "step-up" }, "{row:?}");
    }
}
