//! Every code of a problem and every lint has a golden file that shows it, and the reference says how many there are.
//!
//! What a policy in a file can show is in `tests/diagnostics` and `tests/lints`; here are the codes that need more than that.

use luigi_core::analysis::lint;
use luigi_core::policy::diagnostics::{Code, Lint, Style};
use luigi_core::policy::{Diagnostics, SourceSet, parse, parse_everywhere, parse_for};
use luigi_core::policy_tests;
use luigi_core::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn sources(text: &str) -> SourceSet {
    let mut sources = SourceSet::new();
    sources.add("policy.toml", text);
    sources
}

fn rendered(text: &str, diagnostics: impl FnOnce(&SourceSet) -> Diagnostics) -> String {
    let sources = sources(text);
    diagnostics(&sources).render(&sources, Style::PLAIN)
}

const TESTED: &str = r#"schema = 1

[issuers.corp]
url = "https://login.example.com"
audiences = ["apps"]

[networks]
office = ["203.0.113.0/24"]

[scopes.orders]
hosts = ["orders.example.com"]
operations = ["GET /orders"]

[[rules]]
id = "orders-from-the-office"
effect = "allow"
scopes = ["orders"]
subject = "authenticated"
from = ["office"]

[[tests]]
name = "nobody is asked who they are"
request = "GET https://orders.example.com/orders"
from = "203.0.113.9"
expect = "allow"

[[tests]]
name = "somewhere"
request = "GET https://orders.example.com/orders"
as = { sub = "ada" }
expect = "allow"
"#;

/// Both tests fail: one comes out otherwise, one leaves out where the request comes from.
fn of_tests() -> String {
    rendered(TESTED, |sources| {
        let parsed = parse(sources);
        let snapshot = Snapshot::compile(parsed.policy.expect("it has no problems")).expect("it compiles");
        let outcomes = policy_tests::run(&snapshot, &parsed.tests);
        let each = outcomes.iter().zip(&parsed.tests).map(|(outcome, test)| outcome.diagnostics(test, sources));
        each.fold(Diagnostics::default(), |all, one| all.and(one, sources))
    })
}

fn cut_short() -> String {
    let mut text = "schema = 1\n".to_owned();
    for n in 0..1_500 {
        let _ = write!(text, "[scopes.s{n}]\nhosts = \"any\"\npaths = [\"/**\"]\nmethods = \"any\"\n");
    }
    rendered(&text, |sources| lint::run(&parse(sources), sources, None).diagnostics.only(Code::Lint(Lint::CutShort)))
}

const BESIDE: &str = r#"schema = 1

[environments]
production = { domain = "example.com" }
staging = { domain = "staging.example.com" }

[scopes.orders]
hosts = ["orders.{domain}"]
paths = ["/orders", "/orders/{id}"]
methods = "any"

[scopes.reports]
hosts = ["**.{domain}"]
path-regex = ['/reports/[0-9]+.*']
methods = "read"

# No more than the document has; and one operation that it has not, named on purpose.
[scopes.invoices]
hosts = ["orders.{domain}"]
paths = ["/invoices/{id}"]
methods = ["GET", "HEAD"]

[scopes.health]
hosts = ["orders.{domain}"]
operations = ["GET /healthz"]

# Elsewhere.
[scopes.wiki]
hosts = ["wiki.example.net"]
paths = ["/**"]
methods = "read"
accept = { product = "there is no document of the wiki" }
"#;

/// As the command makes it of an OpenAPI document.
const DOCUMENT: &str = r#"schema = 1
[scopes.list-orders]
hosts = ["orders.example.com"]
operations = ["GET /orders"]
[scopes.create-order]
hosts = ["orders.example.com"]
operations = ["POST /orders"]
[scopes.get-order]
hosts = ["orders.example.com"]
operations = ["GET /orders/{orderId}"]
[scopes.get-invoice]
hosts = ["orders.example.com"]
operations = ["GET /invoices/{invoiceId}"]
[scopes.delete-invoice]
hosts = ["orders.example.com"]
operations = ["DELETE /invoices/{invoiceId}"]
[scopes.report]
hosts = ["orders.example.com"]
operations = ["GET /reports/{number}"]
[scopes.purge]
hosts = ["orders.example.com"]
operations = ["PURGE /cache"]
[scopes.somewhere]
hosts = "any"
operations = ["GET /orders/{id}/files/**"]
"#;

fn beside_a_document() -> String {
    let operations = parse(&sources(DOCUMENT)).policy.expect("it has no problems");
    let description = lint::Description { name: "orders.yaml".to_owned(), operations };
    rendered(BESIDE, |sources| {
        let parsed = parse_everywhere(sources);
        let found = lint::run_everywhere_beside(&parsed, sources, None, std::slice::from_ref(&description)).diagnostics;
        let beside = [Lint::Product, Lint::UnscopedOperation, Lint::NeedlessAccept];
        let each = beside.into_iter().map(|lint| found.clone().only(Code::Lint(lint)));
        each.fold(Diagnostics::default(), |all, one| all.and(one, sources))
    })
}

#[test]
fn what_is_accepted_beside_a_document_is_not_needless_without_it() {
    let (sources, document) = (sources(BESIDE), sources(DOCUMENT));
    let parsed = parse_everywhere(&sources);
    let needless = |found: lint::Findings| found.diagnostics.only(Code::Lint(Lint::NeedlessAccept)).len();
    assert_eq!(needless(lint::run_everywhere(&parsed, &sources, None)), 0);
    let operations = parse(&document).policy.expect("it has no problems");
    let description = lint::Description { name: "orders.yaml".to_owned(), operations };
    assert_eq!(needless(lint::run_everywhere_beside(&parsed, &sources, None, &[description])), 1);
}

#[test]
fn what_needs_more_than_a_file_looks_as_the_golden_files_say() {
    let nothing = SourceSet::new();
    let keys: String = (0..1_100).fold("schema = 1\n".to_owned(), |text, n| text + &format!("k{n} = 1\n"));
    let environments = "schema = 1\n[environments]\nproduction = {}\nstaging = {}\n";
    let cases = [
        ("no-source", parse(&nothing).diagnostics.render(&nothing, Style::PLAIN)),
        (
            "source-too-large",
            rendered(&format!("schema = 1\n# {}\n", "x".repeat(8 << 20)), |sources| parse(sources).diagnostics),
        ),
        ("too-many-problems", rendered(&keys, |sources| parse(sources).diagnostics.only(Code::TooManyProblems))),
        ("environment-not-chosen", rendered(environments, |sources| parse(sources).diagnostics)),
        ("environment-unknown", rendered(environments, |sources| parse_for(sources, Some("prod")).diagnostics)),
        ("tests", of_tests()),
        ("cut-short", cut_short()),
        ("beside-a-document", beside_a_document()),
    ];
    let mut different = Vec::new();
    for (name, text) in cases {
        let golden = tests().join("golden").join(name).with_extension("txt");
        assert!(!text.is_empty(), "{name}");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(golden, text).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(text.as_str()) {
            different.push(format!("{name}:\n{text}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

/// The codes that golden files show in the first line of a problem.
fn shown() -> BTreeSet<Code> {
    let mut shown = BTreeSet::new();
    // What is found in HAProxy's configuration is shown where it is looked for.
    for folder in ["diagnostics", "lints", "golden", "../../luigi-workflow/tests/haproxy"] {
        for entry in fs::read_dir(tests().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ext| ext != "txt") {
                continue;
            }
            let text = fs::read_to_string(path).unwrap();
            let codes = text.lines().filter_map(|line| {
                let rest = line.strip_prefix("error[").or_else(|| line.strip_prefix("warning["))?;
                Code::find(rest.split_once("]: ")?.0)
            });
            shown.extend(codes);
        }
    }
    shown
}

#[test]
fn every_code_is_shown_and_counted_in_the_reference() {
    let shown = shown();
    let missing: Vec<&str> = Code::every().filter(|code| !shown.contains(code)).map(Code::as_str).collect();
    assert!(missing.is_empty(), "no golden file shows {missing:?}");
    let count = |is: fn(&Code) -> bool| shown.iter().filter(|code| is(code)).count();
    let lints = count(|code| matches!(code, Code::Lint(_)));
    let others = count(|code| !matches!(code, Code::Lint(_) | Code::Haproxy(_)));
    let expected = format!(
        "There are {} lints and {} other codes; golden files show what {lints} and {others} of them look like.",
        Lint::ALL.len(),
        Code::ALL.len(),
    );
    let path = tests().join("../../docs/POLICY.md");
    let page = fs::read_to_string(&path).unwrap();
    const BEGIN: &str = "There are ";
    let line = page.lines().find(|line| line.starts_with(BEGIN)).expect("the reference says how many there are");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, page.replace(line, &expected)).unwrap();
    } else {
        assert_eq!(line, expected);
    }
}
