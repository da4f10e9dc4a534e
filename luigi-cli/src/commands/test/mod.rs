//! `luigi test`: the tests that stand in a policy.
//!
//! Running them is `luigi-core`'s; here is which to run and how to print what came out: for people in `text`, for programs in `json` and
//! `junit`.

mod coverage;
mod json;
mod junit;
mod record;
mod text;
mod watch;

use crate::args::{Test, TestFormat};
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::{Found, load};
use luigi_core::policy::test_case::TestCase;
use luigi_core::policy::{ParsedEverywhere, SourceSet};
use luigi_core::policy_tests::coverage::Coverage;
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;

pub(crate) fn run(arguments: &Test) -> Result<Found, Failure> {
    if arguments.watch {
        watch::run(arguments)
    } else if arguments.record.is_empty() {
        run_tests(arguments)
    } else {
        record::run(arguments)
    }
}

fn run_tests(arguments: &Test) -> Result<Found, Failure> {
    let (sources, parsed) = load::read(&arguments.policy, arguments.environment.as_deref())?;
    let ParsedEverywhere { environments, diagnostics } = parsed;
    let (mut snapshots, mut tests) = (Vec::new(), Vec::new());
    for (environment, parsed) in environments {
        let Some(policy) = parsed.policy else { return Err(load::refused(&diagnostics, &sources)) };
        let snapshot = Snapshot::compile(policy).map_err(|error| Failure::Problems(format!("error: {error}\n")))?;
        snapshots.push((environment, snapshot));
        tests.extend(parsed.tests);
    }
    let (chosen, left_out) = choose(&tests, &arguments.filter)?;
    let mut coverage = (arguments.coverage || arguments.fail_under.is_some()).then(Coverage::default);
    let mut results = Vec::new();
    for (environment, snapshot) in &snapshots {
        let here = chosen.iter().copied().filter(|test| test.environment == *environment);
        if let Some(coverage) = &mut coverage {
            coverage.add_policy(snapshot);
        }
        let outcomes = policy_tests::run_each(snapshot, here.clone(), |_, explanation| {
            if let Some(coverage) = &mut coverage {
                coverage.add(explanation);
            }
        });
        results.extend(here.zip(outcomes));
    }
    let report = Report { sources: &sources, results, left_out, coverage };
    match arguments.format {
        TestFormat::Human => print(&text::of(&report, arguments.verbose))?,
        TestFormat::Json => print_json(&json::of(&report))?,
        TestFormat::Junit => print(&junit::of(&report)?)?,
    }
    let covered = report.coverage.as_ref().is_none_or(|coverage| is_covered(coverage, arguments.fail_under));
    Ok(if report.failed() == 0 && covered { Found::Fine } else { Found::Problems })
}

/// Whether the tests tried as much as was asked for; complains if not.
fn is_covered(coverage: &Coverage, least: Option<f64>) -> bool {
    let Some(least) = least.filter(|least| coverage.percent() < *least) else { return true };
    anstream::eprintln!("error: the tests cover {}, less than {least} %", coverage::percent(coverage));
    false
}

/// The tests to run, and how many are left out.
fn choose<'t>(tests: &'t [TestCase], filter: &[String]) -> Result<(Vec<&'t TestCase>, usize), Failure> {
    let wanted = |test: &&TestCase| filter.is_empty() || filter.iter().any(|part| test.name.contains(part.as_str()));
    let chosen: Vec<_> = tests.iter().filter(wanted).collect();
    if chosen.is_empty() && !filter.is_empty() {
        let parts: Vec<_> = filter.iter().map(|part| format!("`{}`", part.escape_debug())).collect();
        let among = match tests.len() {
            0 => "the policy has no tests".to_owned(),
            n => format!("none of {n} tests has {} in its name", parts.join(" or ")),
        };
        return Err(Failure::usage(among));
    }
    let left_out = tests.len() - chosen.len();
    Ok((chosen, left_out))
}

/// What came out.
struct Report<'r> {
    sources: &'r SourceSet,
    results: Vec<(&'r TestCase, TestOutcome)>,
    /// How many tests `--filter` left out.
    left_out: usize,
    /// What the tests tried, if it was asked for.
    coverage: Option<Coverage>,
}

impl Report<'_> {
    fn failed(&self) -> usize {
        self.results.iter().filter(|(_, outcome)| !outcome.has_passed()).count()
    }
}
