//! What came out of tests, for people.

use super::{Report, coverage};
use crate::output::{count, diagnostics, explanation, style};
use luigi_core::explain::{Detail, Tone};
use luigi_core::policy_tests::TestOutcome;

/// How far an explanation stands to the right of the failure that it belongs to.
const INDENT: usize = 2;

/// A line for each test, then each failure with its place and why it came out like that, then how many there were.
///
/// With `verbose` at 1 the whole trace of the rules that are about the request takes the place of the short why, at 2 that of all rules.
pub(super) fn of(report: &Report<'_>, verbose: u8) -> String {
    let (bad, good, faint) = (style(Tone::Bad), style(Tone::Good), style(Tone::Faint));
    let mut text = String::new();
    for (test, outcome) in &report.results {
        let word = if outcome.has_passed() { format!("{good}passed{good:#}") } else { format!("{bad}FAILED{bad:#}") };
        let place = test.environment.as_ref().map(|name| format!("{faint}  ({name}){faint:#}")).unwrap_or_default();
        text.push_str(&format!("{word}  {}{place}\n", test.name));
    }
    for (test, outcome) in &report.results {
        let problems = diagnostics(&outcome.diagnostics(test, report.sources), report.sources);
        if !problems.is_empty() {
            text.push_str(&format!("\n{problems}"));
        }
        if let TestOutcome::Failed(failure) = outcome {
            text.push('\n');
            let lines = match verbose {
                0 => failure.why(),
                1 => failure.explanation.lines(Detail::Concerned),
                _ => failure.explanation.lines(Detail::Full),
            };
            text.push_str(&explanation(&lines, INDENT));
        }
    }
    if report.results.is_empty() {
        text.push_str("the policy has no tests; `[[tests]]` in docs/POLICY.md says how to write one\n");
        return text;
    }
    let (all, failed) = (report.results.len(), report.failed());
    let style = if failed == 0 { good } else { bad };
    let summary = format!("{style}{} passed, {failed} failed{style:#} of {}", all - failed, count(all, "test"));
    let left_out = match report.left_out {
        0 => String::new(),
        n => format!(", {n} left out"),
    };
    let more = if failed > 0 && verbose == 0 { "; -v shows each rule and predicate" } else { "" };
    text.push_str(&format!("\n{summary}{left_out}{more}\n"));
    if let Some(coverage) = &report.coverage {
        text.push_str(&coverage::text(coverage, verbose));
    }
    text
}
