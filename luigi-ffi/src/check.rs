//! Checking a policy without an engine.

use crate::boundary::{Failure, explained};
use crate::numbers::luigi_status;
use crate::pointers;
use crate::types::{luigi_check_options, luigi_check_report, luigi_error, luigi_string};
#[cfg(feature = "policy-files")]
use luigi_core::{
    policy::diagnostics::{Diagnostics, Severity, Style},
    policy::model::Policy,
    policy::source::SourceSet,
    snapshot::Snapshot,
};

/// Checks a policy as `luigi check` does: every problem and every lint at once, with file, line, underlined text, code and help.
///
/// `options`: what to check; read during the call.
/// `report`: gets what was found; nothing in it if the policy could not be read. Free its `text` with `luigi_string_free`.
/// `error`: gets words if the policy could not be read or cannot be used; may be NULL.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK` if the policy can be used, whatever warnings there are;
/// `LUIGI_STATUS_POLICY_ERRORS` if it has errors: the report has them;
/// `LUIGI_STATUS_UNUSABLE` if it cannot be read, or is neither a regular file nor a directory;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `policy` is missing, `format` is none of `luigi_format`, or a pointer is not aligned;
/// `LUIGI_STATUS_UNSUPPORTED` if the library lacks `LUIGI_FEATURE_POLICY_FILES`;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_policy_check(
    options: *const luigi_check_options,
    report: *mut luigi_check_report,
    error: *mut luigi_error,
) -> luigi_status {
    let check = || {
        // SAFETY: the caller's promise, as the header states it.
        let report = unsafe { pointers::output(report) }?;
        (report.errors, report.warnings, report.text) = (0, 0, luigi_string::NONE);
        // SAFETY: as above.
        unsafe { checked(pointers::input(options)?, report) }
    };
    // SAFETY: as above.
    unsafe { explained(error, check) }
}

/// # Safety
/// The caller's promise about the texts in `options`.
#[cfg(feature = "policy-files")]
unsafe fn checked(options: &luigi_check_options, report: &mut luigi_check_report) -> Result<(), Failure> {
    use crate::engine::{path_of, wants_json};
    use crate::numbers::luigi_status::{LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_UNUSABLE};
    use luigi_core::analysis::lint;
    use luigi_core::policy::{parse_everywhere, parse_for};
    use luigi_runtime::policy_files;

    // SAFETY: passed on.
    let (policy, environment) = unsafe { (pointers::bytes(options.policy)?, pointers::text(options.environment)?) };
    let policy = path_of(policy)?.ok_or_else(|| Failure::new(LUIGI_STATUS_INVALID_ARGUMENT, "`policy` is missing"))?;
    let json = match options.format {
        0 => false,
        format => wants_json(format)?,
    };
    let unusable = |why: String| Failure::new(LUIGI_STATUS_UNUSABLE, why);
    let sources = policy_files::read(&policy).map_err(|error| unusable(error.to_string()))?;
    let now = Some(luigi_runtime::now());
    let (problems, policies) = match environment {
        Some(name) => {
            let parsed = parse_for(&sources, Some(name));
            let found = lint::run(&parsed, &sources, now);
            (parsed.diagnostics.and(found.diagnostics, &sources), vec![parsed.policy])
        }
        None => {
            let parsed = parse_everywhere(&sources);
            let found = lint::run_everywhere(&parsed, &sources, now);
            let policies = parsed.environments.into_iter().map(|(_, parsed)| parsed.policy).collect();
            (parsed.diagnostics.and(found.diagnostics, &sources), policies)
        }
    };
    tell(problems, policies.into_iter().flatten(), &sources, json, report)
}

/// Whether the policies can be compiled that were made of the sources, and with that all that is wrong.
#[cfg(feature = "policy-files")]
fn tell(
    problems: Diagnostics,
    policies: impl Iterator<Item = Policy>,
    sources: &SourceSet,
    json: bool,
    report: &mut luigi_check_report,
) -> Result<(), Failure> {
    let problems = if problems.has_errors() {
        problems
    } else {
        let found = policies.filter_map(|policy| Snapshot::compile(policy).err()).map(|error| error.diagnostic());
        problems.and(Diagnostics::of(found, sources), sources)
    };
    report.errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    report.warnings = problems.len() - report.errors;
    let diagnostics = problems.to_json(sources);
    let text = problems.render(sources, Style::PLAIN);
    report.text = luigi_string::give(if json { diagnostics.to_string() } else { text.clone() });
    if problems.has_errors() {
        return Err(Failure {
            status: luigi_status::LUIGI_STATUS_POLICY_ERRORS,
            message: text,
            diagnostics: Some(diagnostics),
        });
    }
    Ok(())
}

/// # Safety
/// None.
#[cfg(not(feature = "policy-files"))]
unsafe fn checked(_: &luigi_check_options, _: &mut luigi_check_report) -> Result<(), Failure> {
    Err(luigi_status::LUIGI_STATUS_UNSUPPORTED.into())
}

#[cfg(all(test, feature = "policy-files"))]
mod tests {
    use super::*;
    use luigi_core::policy::parse_for;

    /// The parser knows the limits of compiled policies, too, so that none that it made is at hand: it is made wrong here.
    #[test]
    fn what_cannot_be_compiled_is_a_problem_like_any_other() {
        let text = "schema = 1\n[schedules.day]\ntime-zone = \"Europe/Berlin\"\ndays = [\"mon\"]\nstart = \"08:00\"\nend = \"18:00\"\n";
        let mut sources = SourceSet::new();
        sources.add("policy.toml", text);
        let parsed = parse_for(&sources, None);
        let mut policy = parsed.policy.expect("it has no errors");
        policy.schedules = policy
            .schedules
            .into_rows()
            .map(|mut schedule| {
                schedule.time_zone = "Europe/Nowhere".to_owned();
                schedule
            })
            .collect();
        for json in [false, true] {
            let mut report = luigi_check_report {
                struct_size: size_of::<luigi_check_report>(),
                errors: 0,
                warnings: 0,
                text: luigi_string::NONE,
            };
            let policies = std::iter::once(policy.clone());
            let failure = tell(Diagnostics::default(), policies, &sources, json, &mut report).unwrap_err();
            assert_eq!((failure.status, report.errors), (luigi_status::LUIGI_STATUS_POLICY_ERRORS, 1));
            assert!(failure.message.contains("time zone `Europe/Nowhere`"), "{}", failure.message);
            let diagnostics = failure.diagnostics.expect("there is one");
            assert_eq!(diagnostics[0]["code"], "unknown-time-zone", "{diagnostics}");
            assert!(report.text.length > 0);
            assert_eq!(report.text.take_back(), Ok(()));
        }
    }
}
