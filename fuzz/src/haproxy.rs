//! HAProxy's configuration from arbitrary bytes: it is read in front of a policy, what is found can be shown, and every finding is about some text.
//!
//! A NUL stands for the lines that are printed for the policy, so that inputs get past the question whether there are any.

use luigi_core::policy::diagnostics::{HaproxyLint, Style};
use luigi_core::policy::model::Policy;
use luigi_core::policy::{SourceSet, parse};
use luigi_runtime::facts::FactList;
use luigi_runtime::haproxy_config::{Options, frontend_lines};
use luigi_workflow::haproxy;
use std::sync::OnceLock;

/// The policy of the examples, and the lines for it.
fn policy() -> &'static (Policy, String) {
    static POLICY: OnceLock<(Policy, String)> = OnceLock::new();
    POLICY.get_or_init(|| {
        let mut sources = SourceSet::new();
        sources.add("policy.toml", HaproxyLint::EXAMPLE_POLICY);
        let policy = parse(&sources).policy.expect("the examples stand behind a policy");
        let lines = frontend_lines(&Options { facts: FactList::of_policy(&policy), ..Options::default() });
        (policy, lines)
    })
}

pub(crate) fn run(input: &[u8]) {
    let (policy, lines) = policy();
    let text = String::from_utf8_lossy(input).replace('\0', &format!("\n{lines}"));
    let mut sources = SourceSet::new();
    sources.add("haproxy.cfg", text);
    let findings = haproxy::check(&sources, policy);
    let shown = findings.diagnostics.render(&sources, Style::PLAIN);
    assert_eq!(shown.is_empty(), findings.diagnostics.is_empty());
    let json = findings.diagnostics.to_json(&sources);
    assert_eq!(json.as_array().map(Vec::len), Some(findings.diagnostics.len()));
    for item in findings.diagnostics.iter() {
        assert!(!item.message.contains('\n') && !item.message.ends_with('.'), "{}", item.message);
        if let Some(label) = &item.primary {
            assert!(!sources.slice(label.span).is_empty(), "{}", item.message);
        }
    }
    for accepted in &findings.accepted {
        assert!(accepted.findings > 0 && sources.slice(accepted.span).starts_with('#'));
    }
}
