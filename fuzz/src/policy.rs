//! Policies from arbitrary text, up to three files of it and a list of networks beside them: there is a policy or an error, problems can be shown, lints look
//! at it and show what they find, and a policy that compiles
//! is the same one after writing and reading.
//!
//! An input is the files' texts, separated by NUL.

use super::snapshot::load;
use luigi_core::analysis::lint;
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_core::policy::{Parsed, SourceSet, parse_everywhere};
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut sources = SourceSet::new();
    for (number, text) in text.splitn(4, '\0').enumerate() {
        if number < 3 {
            sources.add(format!("{number}.toml"), text);
        } else {
            sources.add_beside("list.txt", "list.txt", text);
        }
    }
    let everywhere = parse_everywhere(&sources);
    assert!(everywhere.environments.len() > 1 || everywhere.diagnostics == everywhere.environments[0].1.diagnostics);
    for (name, parsed) in everywhere.environments {
        assert_eq!(
            parsed.policy.as_ref().and_then(|policy| policy.environment.clone()),
            name.filter(|_| parsed.policy.is_some())
        );
        one(&sources, parsed);
    }
}

/// What a policy is in one of its environments.
fn one(sources: &SourceSet, parsed: Parsed) {
    assert_eq!(parsed.policy.is_none(), parsed.diagnostics.has_errors());
    for style in [Style::PLAIN, Style { color: Color::Always, width: 0 }] {
        let shown = parsed.diagnostics.render(sources, style);
        assert_eq!(shown.is_empty(), parsed.diagnostics.is_empty());
    }
    let json = parsed.diagnostics.to_json(sources);
    assert_eq!(json.as_array().map(Vec::len), Some(parsed.diagnostics.len()));

    let findings = lint::run(&parsed, sources, Some(Timestamp::from_unix_seconds(1_767_225_600)));
    let shown = findings.diagnostics.render(sources, Style::PLAIN);
    assert_eq!(shown.is_empty(), findings.diagnostics.is_empty());
    assert!(parsed.policy.is_some() || (findings.diagnostics.is_empty() && findings.accepted.is_empty()));

    let Some(policy) = parsed.policy else { return };
    match Snapshot::compile(policy.clone()) {
        Ok(snapshot) => {
            assert_eq!(*snapshot.policy(), policy);
            let read = load(snapshot.encode(), 7).expect("what was written can be read");
            assert_eq!(*read.policy(), policy);
            assert_eq!(read.revision(), snapshot.revision());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
