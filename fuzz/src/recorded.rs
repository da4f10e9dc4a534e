//! The reader of recorded requests (`luigi test --record`): lines of JSON and of HAProxy's log, whatever is in them. What is made of them is TOML, and tests that can be run.
//!
//! An input is text, one request a line.

use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::policy_tests;
use luigi_core::policy_tests::record::Recorder;
use luigi_core::snapshot::Snapshot;
use luigi_runtime::haproxy_log;

// A file of the command, which is no library; it uses nothing else of it.
#[path = "../../luigi-cli/src/commands/test/record/json_line.rs"]
mod json_line;

const POLICY: &str = r#"schema = 1
[issuers.corp]
url = "https://login.example.com"
audiences = ["shop"]
default = true
[groups]
staff = "staff"
members = "tenant-{tenant}"
[facts.country]
values = ["AT", "DE"]
[networks]
office = ["203.0.113.0/24"]
[scopes.orders]
hosts = ["shop.example.com"]
paths = ["/orders/**"]
methods = "any"
[scopes.tenant]
hosts = ["{customer}.example.com"]
paths = ["/t/{tenant}/**", "/u/{name}"]
methods = "read"
[scopes.console]
hosts = "any"
path-regex = ["/console/[a-z]+"]
methods = "any"
frontends = ["console"]
[[rules]]
id = "staff"
effect = "allow"
scopes = ["orders", "console"]
subject = [{ groups = ["staff"] }, { emails = ["ada@example.com"] }, { claims = [{ path = ["level"], in = [1, "a", true] }] }]
[[rules]]
id = "from-the-office"
effect = "restrict"
scopes = ["orders"]
require = { from = ["office"], facts = { country = ["AT"] } }
[[rules]]
id = "headers"
effect = "deny"
scopes = ["tenant"]
headers = { x-team = ["blue"] }
accept = { spoofable = "only an example to be fuzzed" }
[[rules]]
id = "query"
effect = "allow"
scopes = ["tenant"]
subject = "authenticated"
query = { debug = { present = false } }
"#;

pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut sources = SourceSet::new();
    sources.add("policy.toml", POLICY);
    let mut recorder = Recorder::new(&sources, None).unwrap_or_else(|why| panic!("{why}"));
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('{') {
            match json_line::read(line) {
                Ok(observed) => drop(recorder.add(&observed).map_err(|why| assert!(!why.to_string().is_empty()))),
                Err(why) => assert!(!why.is_empty() && !why.contains('\n')),
            }
        } else if let Err(why) = haproxy_log::parse(line) {
            assert!(!why.to_string().is_empty());
        }
    }
    let tests: String = recorder.written().into_iter().map(|(_, test)| test + "\n").collect();
    sources.add("recorded.toml", format!("schema = 1\n{tests}"));
    let parsed = parse(&sources);
    assert!(parsed.diagnostics.iter().all(|problem| problem.code != Code::TomlSyntax), "{tests}");
    if let Some(policy) = parsed.policy {
        let snapshot = Snapshot::compile(policy).expect("the policy compiles without tests, too");
        assert_eq!(policy_tests::run(&snapshot, &parsed.tests).len(), parsed.tests.len());
    }
}
