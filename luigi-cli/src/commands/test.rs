//! `luigi test`: the tests that stand in a policy.

use crate::args::Test;
use crate::failure::Failure;
use crate::output::{self, Format, count, diagnostics, print, print_json, style};
use crate::{Found, load};
use luigi_core::explain::{Detail, Tone};
use luigi_core::policy::SourceSet;
use luigi_core::policy::test_case::TestCase;
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;
use serde_json::{Value, json};

/// How far an explanation stands to the right of the failure that it belongs to.
const INDENT: usize = 2;

pub(crate) fn run(arguments: &Test) -> Result<Found, Failure> {
    let (sources, parsed) = load::read(&arguments.policy)?;
    let Some(policy) = parsed.policy else {
        return Err(Failure::Problems(diagnostics(&parsed.diagnostics, &sources)));
    };
    let snapshot = Snapshot::compile(policy).map_err(|error| Failure::Problems(format!("error: {error}\n")))?;
    let outcomes = policy_tests::run(&snapshot, &parsed.tests);
    let results: Vec<_> = parsed.tests.iter().zip(&outcomes).collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.has_passed()).count();
    match arguments.format {
        Format::Human => print(&human(&results, failed, &sources))?,
        Format::Json => {
            let tests: Vec<_> = results.iter().map(|(test, outcome)| as_json(test, outcome, &sources)).collect();
            print_json(&json!({ "tests": tests, "passed": results.len() - failed, "failed": failed }))?;
        }
    }
    Ok(if failed == 0 { Found::Fine } else { Found::Problems })
}

/// A line for each test, then each failure with its place and how the decision came about.
fn human(results: &[(&TestCase, &TestOutcome)], failed: usize, sources: &SourceSet) -> String {
    let (bad, good) = (style(Tone::Bad), style(Tone::Good));
    let mut text = String::new();
    for (test, outcome) in results {
        let word = if outcome.has_passed() { format!("{good}passed{good:#}") } else { format!("{bad}FAILED{bad:#}") };
        text.push_str(&format!("{word}  {}\n", test.name));
    }
    for (test, outcome) in results {
        let problems = diagnostics(&outcome.diagnostics(test, sources), sources);
        if !problems.is_empty() {
            text.push_str(&format!("\n{problems}"));
        }
        if let TestOutcome::Failed(failure) = outcome {
            text.push('\n');
            text.push_str(&output::explanation(&failure.explanation.lines(Detail::Concerned), INDENT));
        }
    }
    if results.is_empty() {
        text.push_str("the policy has no tests; `[[tests]]` in docs/POLICY.md says how to write one\n");
        return text;
    }
    let style = if failed == 0 { good } else { bad };
    let all = results.len();
    text.push_str(&format!("\n{style}{} passed, {failed} failed{style:#} of {}\n", all - failed, count(all, "test")));
    text
}

fn as_json(test: &TestCase, outcome: &TestOutcome, sources: &SourceSet) -> Value {
    let mut result = json!({ "name": test.name, "passed": outcome.has_passed() });
    match outcome {
        TestOutcome::Passed => {}
        TestOutcome::MissingFact { rule, fact } => {
            result["missing"] = json!({ "fact": fact.as_str(), "rule": rule });
        }
        TestOutcome::Failed(failure) => {
            let mismatches = failure.mismatches.iter();
            result["mismatches"] =
                mismatches.map(|m| json!({ "key": m.key, "expected": m.expected, "found": m.found })).collect();
            result["explanation"] = json!(failure.explanation);
        }
    }
    if !outcome.has_passed() {
        result["diagnostics"] = outcome.diagnostics(test, sources).to_json(sources);
    }
    result
}
