//! Policies from arbitrary text, up to three files of it: nothing panics, problems can be shown, and there is a policy or an error.
//!
//! An input is the files' texts, separated by NUL. Seeds: `examples/policies` and `luigi-core/tests/diagnostics`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_core::policy::{SourceSet, parse};

fuzz_target!(|text: &str| {
    let mut sources = SourceSet::new();
    for (number, text) in text.splitn(3, '\0').enumerate() {
        sources.add(format!("{number}.toml"), text);
    }
    let parsed = parse(&sources);
    assert_eq!(parsed.policy.is_none(), parsed.diagnostics.has_errors());
    for style in [Style::PLAIN, Style { color: Color::Always, width: 0 }] {
        let shown = parsed.diagnostics.render(&sources, style);
        assert_eq!(shown.is_empty(), parsed.diagnostics.is_empty());
    }
    let json = parsed.diagnostics.to_json(&sources);
    assert_eq!(json.as_array().map(Vec::len), Some(parsed.diagnostics.len()));
});
