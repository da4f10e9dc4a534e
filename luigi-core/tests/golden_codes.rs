//! Every code of a problem and every lint has a golden file that shows it, and the reference says how many there are.
//!
//! What a policy in a file can show is in `tests/diagnostics` and `tests/lints`; here are the codes that need more than that.

use luigi_core::analysis::lint;
use luigi_core::policy::diagnostics::{Code, HaproxyLint, Lint, Style};
use luigi_core::policy::source::Unreadable;
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

/// A policy whose tests leave out one thing after the other, and one that says in its table what a case does not get.
const LEFT_OUT: &str = r#"schema = 1

[issuers.corp]
url = "https://login.example.com"
audiences = ["apps"]

[facts.country]
values = ["AT", "DE"]

[schedules.day]
time-zone = "UTC"
days = ["mon"]
start = "08:00"
end = "18:00"

[scopes.by-day]
hosts = ["a.example.com"]
operations = ["GET /by-day"]

[scopes.by-header]
hosts = ["a.example.com"]
operations = ["GET /by-header"]

[scopes.by-country]
hosts = ["a.example.com"]
operations = ["GET /by-country"]

[scopes.by-certificate]
hosts = ["a.example.com"]
operations = ["GET /by-certificate"]

[scopes.by-frontend]
hosts = ["a.example.com"]
operations = ["GET /by-frontend"]
frontends = ["www"]

[[rules]]
id = "by-day"
effect = "allow"
scopes = ["by-day"]
subject = "authenticated"
during = ["day"]

[[rules]]
id = "by-header"
effect = "allow"
scopes = ["by-header"]
subject = "authenticated"
headers = { x-team = ["blue"] }

[[rules]]
id = "by-country"
effect = "allow"
scopes = ["by-country"]
subject = "authenticated"
facts = { country = ["AT"] }

[[rules]]
id = "by-certificate"
effect = "allow"
scopes = ["by-certificate"]
subject = "authenticated"
certificate = { san-dns = ["a.example.com"] }

[[rules]]
id = "by-frontend"
effect = "allow"
scopes = ["by-frontend"]
subject = "authenticated"

[[tests]]
name = "left out"
requests = [
    "GET https://a.example.com/by-day",
    "GET https://a.example.com/by-header",
    "GET https://a.example.com/by-country",
    "GET https://a.example.com/by-certificate",
    "GET https://a.example.com/by-frontend",
]
as = { sub = "ada" }
expect = "allow"

[[tests]]
name = "not in this case"
request = "GET https://a.example.com/by-header"
headers = {}
expect = "deny"
cases = [
    { name = "nobody", expect = "authenticate" },
    { name = "ada", as = { sub = "ada" }, headers = { x-team = "blue" } },
]
"#;

/// Both tests fail: one comes out otherwise, one leaves out where the request comes from.
fn of_tests(text: &str) -> String {
    rendered(text, |sources| {
        let parsed = parse(sources);
        let snapshot = Snapshot::compile(parsed.policy.expect("it has no problems")).expect("it compiles");
        let outcomes = policy_tests::run(&snapshot, &parsed.tests);
        let each = outcomes.iter().zip(&parsed.tests).map(|(outcome, test)| outcome.diagnostics(test, sources));
        each.fold(Diagnostics::default(), |all, one| all.and(one, sources))
    })
}

/// A thing too many of each kind, one policy after the other.
fn limits() -> String {
    let list = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<Vec<_>>().join(", ");
    let quoted = |prefix: &'static str| move |n: usize| format!("\"{prefix}{n}\"");
    let hosts = |n: usize| list(n, &|n| format!("\"h{n}.example.com\""));
    let scope = |name: usize, hosts: &str, paths: &str| {
        format!("[scopes.s{name}]\nhosts = [{hosts}]\npaths = [{paths}]\nmethods = \"read\"\n")
    };
    let families: String = (0..257).map(|n| format!("g{n} = \"f{n}-{{tenant}}\"\n")).collect();
    let headers = list(33, &|n| format!("x-{n} = [\"a\"]"));
    let rule = |more: &str| format!("[[rules]]\nid = \"r\"\neffect = \"deny\"\nscopes = \"all\"\n{more}\n");
    let tagged: String = (0..2_100)
        .map(|n| {
            format!(
                "[scopes.s{n}]\nhosts = [\"h{n}.example.com\"]\npaths = [\"/a\"]\nmethods = \"read\"\ntags = [\"t\"]\n"
            )
        })
        .collect();
    let rules: String =
        (0..2_000).map(|n| format!("[[rules]]\nid = \"r{n}\"\neffect = \"deny\"\nscopes = [\"tag:t\"]\n")).collect();
    let cases = [
        format!("[groups]\n{families}"),
        rule(&format!("headers = {{ {headers} }}")),
        format!(
            "[scopes.s]\nhosts = \"any\"\npaths = [\"/\"]\nmethods = [{}]\n",
            list(55, &|n| format!("\"M{n:03}\""))
        ),
        scope(0, &hosts(300), &list(300, &quoted("/p"))),
        (0..18).map(|n| scope(n, &hosts(200), &list(300, &quoted("/p")))).collect(),
        format!("{tagged}{rules}"),
        format!(
            "[[tests]]\nname = \"many\"\nexpect = \"deny\"\nrequests = [{}]\ncases = [{}]\n",
            list(301, &quoted("GET /")),
            list(333, &|n| format!("{{ name = \"c{n}\" }}")),
        ),
        format!("k = [{}]\n", "[],".repeat(1_000_001)),
        format!(
            "[scopes.s]\nhosts = \"any\"\nmethods = \"read\"\npath-regex = [{}]\n",
            list(12, &|n| {
                let letter = char::from(b'a' + u8::try_from(n).expect("few"));
                format!("\"/.*{letter}[^/]{{8}}\"")
            })
        ),
    ];
    let each = cases.iter().map(|text| {
        let shown = rendered(&format!("schema = 1\n{text}"), |sources| parse(sources).diagnostics);
        // Lines of a thousand hosts say nothing.
        let short = shown.lines().filter(|line| line.len() < 400).map(|line| format!("{line}\n"));
        short.collect::<String>()
    });
    each.collect::<Vec<_>>().join("\n")
}

fn limit_of_networks() -> String {
    let mut sources = sources("schema = 1\n[networks]\nedge = { file = \"edge.txt\" }\n");
    let list: String = (0..100_001).map(|n| format!("10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255)).collect();
    sources.add_beside("edge.txt", "edge.txt", list);
    parse(&sources).diagnostics.render(&sources, Style::PLAIN)
}

fn limit_of_all_files() -> String {
    let mut sources = SourceSet::new();
    for n in 0..9 {
        sources.add(format!("{n}.toml"), format!("schema = 1\n# {}\n", "x".repeat(7_900 * 1024)));
    }
    parse(&sources).diagnostics.render(&sources, Style::PLAIN)
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
    let unreadable = |name: &str, why: Unreadable| {
        let mut sources = sources("schema = 1\nscope = [\n");
        sources.add_unreadable(name, why);
        parse(&sources).diagnostics.render(&sources, Style::PLAIN)
    };
    let missing = Unreadable {
        code: Code::SourceUnreadable,
        message: "cannot read `teams.toml`: no such file".to_owned(),
        help: "name a file that is there and may be read",
        line: None,
    };
    let latin = Unreadable {
        code: Code::WrongEncoding,
        message: "`latin.toml` is not UTF-8 in line 7".to_owned(),
        help: "save it as UTF-8",
        line: Some((7, "staff = \"b\u{fffd}ro\"".to_owned())),
    };
    let cases = [
        // What is wrong with the texts that can be read is found all the same.
        ("source-unreadable", unreadable("teams.toml", missing)),
        ("wrong-encoding", unreadable("latin.toml", latin)),
        ("no-source", parse(&nothing).diagnostics.render(&nothing, Style::PLAIN)),
        (
            "source-too-large",
            rendered(&format!("schema = 1\n# {}\n", "x".repeat(8 << 20)), |sources| parse(sources).diagnostics),
        ),
        ("too-many-problems", rendered(&keys, |sources| parse(sources).diagnostics.only(Code::TooManyProblems))),
        ("no-environments", rendered("schema = 1\n", |sources| parse_for(sources, Some("prod")).diagnostics)),
        (
            "networks-not-read",
            rendered("schema = 1\n[networks]\nedge = { file = \"edge.txt\" }\n", |sources| parse(sources).diagnostics),
        ),
        ("limits", limits()),
        ("limit-of-networks", limit_of_networks()),
        ("limit-of-all-files", limit_of_all_files()),
        ("environment-not-chosen", rendered(environments, |sources| parse(sources).diagnostics)),
        ("environment-unknown", rendered(environments, |sources| parse_for(sources, Some("prod")).diagnostics)),
        ("tests", of_tests(TESTED)),
        ("tests-left-out", of_tests(LEFT_OUT)),
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
    let haproxy = count(|code| matches!(code, Code::Haproxy(_)));
    let others = count(|code| !matches!(code, Code::Lint(_) | Code::Haproxy(_)));
    let expected = format!(
        "There are {} lints of policies, {} of HAProxy's configuration and {} other codes; golden files show what {lints}, {haproxy} and {others} of them look like, and every text that goes with them.",
        Lint::ALL.len(),
        HaproxyLint::ALL.len(),
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
