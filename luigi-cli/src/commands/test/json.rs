//! What came out of tests, for programs; the members are documented in docs/CLI.md.

use super::{Report, coverage};
use luigi_core::policy::test_case::TestCase;
use luigi_core::policy_tests::TestOutcome;
use serde_json::{Value, json};

pub(super) fn of(report: &Report<'_>) -> Value {
    let tests: Vec<_> = report.results.iter().map(|(test, outcome)| one(test, outcome, report)).collect();
    let failed = report.failed();
    let passed = tests.len() - failed;
    let mut object = json!({ "tests": tests, "passed": passed, "failed": failed, "left-out": report.left_out });
    if let Some(coverage) = &report.coverage {
        object["coverage"] = coverage::json(coverage);
    }
    object
}

fn one(test: &TestCase, outcome: &TestOutcome, report: &Report<'_>) -> Value {
    let at = report.sources.position(test.span);
    let mut result = json!({
        "name": test.name,
        "file": report.sources.name(test.span.source),
        "line": at.line,
        "passed": outcome.has_passed(),
    });
    if let Some(environment) = &test.environment {
        result["environment"] = environment.as_str().into();
    }
    match outcome {
        TestOutcome::Passed => {}
        TestOutcome::MissingFact { rule, fact } => {
            result["missing"] = json!({ "fact": fact.as_str(), "rule": rule });
        }
        TestOutcome::MissingFrontend { scope } => {
            result["missing"] = json!({ "fact": "frontend", "scope": scope });
        }
        TestOutcome::Failed(failure) => {
            let mismatches = failure.mismatches.iter();
            result["mismatches"] =
                mismatches.map(|m| json!({ "key": m.key, "expected": m.expected, "found": m.found })).collect();
            result["why"] = failure.why().iter().map(ToString::to_string).collect();
            result["explanation"] = json!(failure.explanation);
        }
    }
    if !outcome.has_passed() {
        result["diagnostics"] = outcome.diagnostics(test, report.sources).to_json(report.sources);
    }
    result
}
