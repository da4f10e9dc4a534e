//! The tables of docs/SEMANTICS.md about what scopes hold: each row is a test of both evaluators.

use luigi_core::decide::{Request, RequestFacts, Scratch, Source};
use luigi_core::explain;
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::Credential;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_core::target::{RawTarget, TargetBuffer, canonicalize};
use luigi_core::time::Timestamp;

/// The cells of the rows below a heading, without their backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SEMANTICS.md")).unwrap();
    let (_, below) = page.split_once(heading).expect("the page has the table");
    let rows = below.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        // `\\|` is a bar in a cell.
        let row = row.replace("\\|", "\u{1}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|")).collect()
    };
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty());
    rows
}

fn snapshot(policy: &str) -> Snapshot {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", format!("schema = 1\n{policy}"));
    let parsed = parse(&sources);
    let problems = parsed.diagnostics.render(&sources, luigi_core::policy::diagnostics::Style::PLAIN);
    Snapshot::compile(parsed.policy.unwrap_or_else(|| panic!("{problems}"))).unwrap()
}

/// Whether both evaluators allow the request; nobody asks.
fn allowed(snapshot: &Snapshot, method: &str, target: &str, host: &str) -> bool {
    let mut buffer = TargetBuffer::new();
    let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host: Some(host.as_bytes()) };
    let request = Request {
        method: raw.method,
        target: canonicalize(raw, &mut buffer),
        source: Source::Unknown,
        credential: Credential::Absent,
        time: Timestamp::from_unix_seconds(1_772_442_000),
        grants: &GrantSet::default(),
        facts: RequestFacts::NONE,
    };
    let decided = snapshot.decide(&request, &mut Scratch::for_snapshot(snapshot));
    assert_eq!(decided, explain::evaluate(snapshot.policy(), &request).evaluation, "{method} {host}{target}");
    decided.decision.allows()
}

/// Everyone may do what one scope holds.
fn open(scope: &str) -> Snapshot {
    snapshot(&format!(
        "[scopes.open]\n{scope}\n[[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n"
    ))
}

#[test]
fn regular_expressions_hold_what_the_page_says() {
    let mut rows = 0;
    for row in table("| expression | path | held |\n") {
        let [expression, path, held] = &row[..] else { panic!("{row:?}") };
        let snapshot = open(&format!("hosts = \"any\"\npath-regex = ['{expression}']\nmethods = \"any\""));
        let method = if path == "*" { "OPTIONS" } else { "GET" };
        assert_eq!(allowed(&snapshot, method, path, "example.com"), held == "yes", "{row:?}");
        rows += 1;
    }
    assert!(rows > 15);
}

#[test]
fn a_scope_has_templates_and_expressions_with_one_set_of_methods() {
    let snapshot =
        open("hosts = [\"*.example.com\"]\npaths = [\"/a/{id}\"]\npath-regex = [\"/b[0-9]\"]\nmethods = \"read\"");
    for (method, path, host, expected) in [
        ("GET", "/a/x", "x.example.com", true),
        ("HEAD", "/b7", "x.example.com", true),
        ("POST", "/b7", "x.example.com", false),
        ("GET", "/b7", "example.com", false),
        ("GET", "/c", "x.example.com", false),
    ] {
        assert_eq!(allowed(&snapshot, method, path, host), expected, "{method} {host}{path}");
    }
}
