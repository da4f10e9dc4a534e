//! Where requests come from behind trusted proxies: the table of docs/SEMANTICS.md, both evaluators on random lists, and tests in a policy.

use luigi_core::decide::{HeaderLines, Source};
use luigi_core::explain;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::{Loader, Progress, Snapshot};
use proptest::prelude::*;

const POLICY: &str = r#"
schema = 1
[networks]
v4 = ["10.0.0.0/8"]
v6 = ["2001:db8::/32"]
clients = ["203.0.113.0/24"]
[proxies.one]
networks = ["v4"]
source = "X-Forwarded-For"
[proxies.two]
networks = ["v6"]
source = "x-forwarded-for"
[scopes.s]
hosts = "any"
operations = ["GET /"]
[[rules]]
id = "clients"
effect = "allow"
scopes = ["s"]
subject = "anyone"
from = ["clients"]
"#;

fn snapshot() -> Snapshot {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", POLICY);
    let policy = parse(&sources).policy.expect("a policy without errors");
    let facts: Vec<String> = policy.facts.iter().map(|(_, fact)| fact.key().to_string()).collect();
    assert_eq!(facts, ["header:x-forwarded-for"]);
    // Through the form in which it is published.
    let mut loader = Loader::new(Snapshot::compile(policy).unwrap().encode());
    loop {
        match loader.step(1000).unwrap() {
            Progress::More => {}
            Progress::Done(snapshot) => return *snapshot,
        }
    }
}

fn lines<'a>(lines: &[&'a [u8]]) -> HeaderLines<'a> {
    let nth_last = |n: usize| lines.len().checked_sub(n).map_or(&b""[..], |at| lines[at]);
    HeaderLines { count: u32::try_from(lines.len()).unwrap(), last: nth_last(1), before: nth_last(2) }
}

/// What both evaluators say.
fn source(snapshot: &Snapshot, peer: Source, header: Option<HeaderLines<'_>>) -> Source {
    let asked = |name: &str| {
        assert_eq!(name, "x-forwarded-for");
        header
    };
    let found = snapshot.source(peer, asked);
    assert_eq!(found, explain::source(snapshot.policy(), peer, asked), "{peer:?} {header:?}");
    found
}

fn address(cell: &str) -> Source {
    if cell == "unknown" { Source::Unknown } else { Source::from_address(cell.parse().unwrap()) }
}

#[test]
fn sources_are_what_the_page_says() {
    let snapshot = snapshot();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SEMANTICS.md")).unwrap();
    let (_, below) =
        page.split_once("| peer | `X-Forwarded-For` | source |\n|---|---|---|\n").expect("the table is there");
    let rows: Vec<&str> = below.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [peer, header, expected] = cells[..] else { panic!("{row}") };
        let text = header.trim_matches('`');
        let sent: Vec<&[u8]> = match header {
            "none" | "not passed" => Vec::new(),
            _ => text.split(" / ").map(str::as_bytes).collect(),
        };
        let header = (header != "not passed").then(|| lines(&sent));
        let found = source(&snapshot, address(peer.trim_matches('`')), header);
        assert_eq!(found, address(expected.trim_matches('`')), "{row}");
    }
}

/// Addresses of proxies and others, and what is none.
const ELEMENTS: &[&str] = &[
    "10.0.0.1",
    "10.0.0.1:80",
    "203.0.113.9",
    "203.0.113.9:080",
    "2001:db8::1",
    "[2001:db8::1]:443",
    "[2001:db9::1]",
    "::ffff:10.0.0.1",
    "",
    " ",
    "unknown",
    "10.0.0.1:",
    "[2001:db8::1",
    "[10.0.0.1]",
    "2001:db9::1:80",
    "10.0.0.1 x",
    "[::1]80",
    "10.0.0.1:99999",
    "[fe80::1%1]:80",
    "\u{a0}10.0.0.1",
    "10.0.0.1:+80",
];

fn element() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(ELEMENTS).prop_map(str::to_owned), 1 => "[0-9a-f:.\\[\\] \t]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_find_the_same_source(
        peer in prop::sample::select(&["10.9.9.9", "2001:db8::9", "192.0.2.1", "unknown"][..]),
        sent in prop::collection::vec(prop::collection::vec(element(), 1..4), 0..4),
    ) {
        let sent: Vec<String> = sent.into_iter().map(|elements| elements.join(",")).collect();
        let sent: Vec<&[u8]> = sent.iter().map(String::as_bytes).collect();
        source(&snapshot(), address(peer), Some(lines(&sent)));
    }
}

#[test]
fn tests_in_a_policy_say_what_the_peer_is() {
    let tests = [
        ("peer = \"10.0.0.1\"\nheaders = { x-forwarded-for = \"203.0.113.9\" }", "allow", true),
        ("peer = \"10.0.0.1\"\nheaders = { X-Forwarded-For = [\"203.0.113.9\", \"10.0.0.7\"] }", "allow", true),
        ("peer = \"192.0.2.1\"\nheaders = { x-forwarded-for = \"203.0.113.9\" }", "deny", true),
        ("peer = \"192.0.2.1\"\nheaders = { x-forwarded-for = \"203.0.113.9\" }", "allow", false),
        ("from = \"203.0.113.9\"\nheaders = { x-forwarded-for = \"198.51.100.1\" }", "allow", true),
    ];
    for (says, expect, passes) in tests {
        let mut sources = SourceSet::new();
        sources.add(
            "policy.toml",
            format!("{POLICY}\n[[tests]]\nname = \"t\"\nrequest = \"GET /\"\n{says}\nexpect = \"{expect}\"\n"),
        );
        let parsed = parse(&sources);
        let snapshot = Snapshot::compile(parsed.policy.expect("a policy without errors")).unwrap();
        let outcomes = policy_tests::run(&snapshot, &parsed.tests);
        assert_eq!(outcomes[0] == TestOutcome::Passed, passes, "{says} {expect}: {outcomes:?}");
    }
}
