//! `luigi check`: every problem of one policy or several, and of HAProxy's configuration in front of one.

mod haproxy;

use crate::args::Check;
use crate::commands::codes;
use crate::failure::Failure;
use crate::openapi;
use crate::output::{Format, count, diagnostics, print, print_json, style};
use crate::{Found, load};
use luigi_core::analysis::lint::{self, Accepted, Description, Findings};
use luigi_core::daemon_config;
use luigi_core::explain::Tone;
use luigi_core::policy::diagnostics::{Code, Diagnostics, Severity};
use luigi_core::policy::source::Span;
use luigi_core::policy::{Parsed, ParsedEverywhere, SourceSet};
use luigi_core::snapshot::Snapshot;
use serde_json::json;
use std::fs;
use std::path::Path;

pub(crate) fn run(arguments: &Check) -> Result<Found, Failure> {
    if let Some(code) = &arguments.explain {
        return codes::explain(code, arguments.format);
    }
    let descriptions = arguments.openapi.iter().map(|path| described(path)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Found::Fine;
    let mut said = |report: Report| {
        if report.missing {
            found = Found::Missing;
        } else if !report.fine && found == Found::Fine {
            found = Found::Problems;
        }
        match arguments.format {
            Format::Human => print(&report.text).map(|()| None),
            Format::Json => Ok(Some(report.json)),
        }
    };
    // Before anything is printed: what is wrong with the command line is all there is to say then.
    let haproxy = haproxy::check(arguments)?;
    let mut reports = Vec::new();
    for path in &arguments.policies {
        reports.extend(said(check(path, arguments, &descriptions))?);
    }
    let mut json = json!({ "policies": reports });
    if let Some(report) = haproxy {
        json["haproxy"] = said(report)?.into();
    }
    if arguments.format == Format::Json {
        print_json(&json)?;
    }
    Ok(found)
}

struct Report {
    fine: bool,
    /// Whether a file of the policy is not there, or may not be read.
    missing: bool,
    text: String,
    json: serde_json::Value,
}

fn check(path: &Path, arguments: &Check, descriptions: &[Description]) -> Report {
    // One that cannot be read is told as policies are.
    if path.is_file()
        && fs::read_to_string(path).is_ok_and(|text| daemon_config::is_one(path, &text))
        && let Ok((sources, (_, problems))) = load::daemon_config(path)
    {
        return check_config(path, arguments, &sources, &problems);
    }
    let (sources, parsed, missing) = load::read_all(path, arguments.environment.as_deref());
    let Findings { diagnostics: found, accepted } = lints(&parsed, &sources, arguments, descriptions);
    let ParsedEverywhere { environments, diagnostics: problems } = parsed;
    let problems = problems.and(found, &sources);
    let mut text = diagnostics(&problems, &sources);
    let mut json = json!({ "path": path.display().to_string(), "diagnostics": problems.to_json(&sources) });
    let accepted: Vec<_> = accepted.iter().map(Acceptance::of_lint).collect();
    json["accepted"] = accepted.iter().map(|one| one.json(&sources)).collect();
    if !text.is_empty() {
        text.push('\n');
    }
    if arguments.accepted {
        text.extend(accepted.iter().map(|one| one.line(&sources)));
    }
    let (errors, warnings) = numbers(&problems);
    let mut fine = errors == 0 && (warnings == 0 || !arguments.deny_warnings);
    let mut each = Vec::new();
    if environments.iter().any(|(_, parsed)| parsed.policy.is_none()) || !fine {
        fine = false;
        let why = in_numbers(errors, warnings);
        text.push_str(&not_fine(path, None, &why));
        json["error"] = why.into();
    } else {
        for (environment, parsed) in environments {
            let compiled = compiled(parsed);
            let mut entry = json!({ "fine": compiled.is_ok() });
            match compiled {
                Ok(size) => {
                    text.push_str(&size.line(path, environment.as_deref()));
                    size.put_into(&mut entry);
                }
                Err(why) => {
                    fine = false;
                    text.push_str(&not_fine(path, environment.as_deref(), &why));
                    entry["error"] = why.into();
                }
            }
            match environment {
                Some(name) => {
                    entry["environment"] = name.into();
                    each.push(entry);
                }
                // Without environments what is known about the one policy stands beside its path.
                None => merge(&mut json, entry),
            }
        }
    }
    json["fine"] = fine.into();
    if !each.is_empty() {
        json["environments"] = each.into();
    }
    Report { fine, missing, text, json }
}

/// A configuration of the daemon. Whether its directories are there only the daemon's user knows.
fn check_config(path: &Path, arguments: &Check, sources: &SourceSet, problems: &Diagnostics) -> Report {
    let mut text = diagnostics(problems, sources);
    if !text.is_empty() {
        text.push('\n');
    }
    let (errors, warnings) = numbers(problems);
    let fine = errors == 0 && (warnings == 0 || !arguments.deny_warnings);
    if fine {
        let good = style(Tone::Good);
        text.push_str(&format!("{good}fine{good:#}  {}: a configuration of the daemon\n", path.display()));
    } else {
        text.push_str(&not_fine(path, None, &in_numbers(errors, warnings)));
    }
    let json = json!({
        "path": path.display().to_string(),
        "kind": "configuration",
        "diagnostics": problems.to_json(sources),
        "fine": fine,
    });
    Report { fine, missing: false, text, json }
}

/// What an API has. What the document has and no scope could hold is said on the way.
fn described(path: &Path) -> Result<Description, Failure> {
    let shown = path.display();
    let unusable = |why| Failure::Problems(format!("error: cannot use `{shown}`: {why}\n"));
    let text =
        fs::read_to_string(path).map_err(|error| Failure::environment(format!("cannot read `{shown}`: {error}")))?;
    let description = openapi::read(&text).map_err(unusable)?;
    for problem in &description.problems {
        anstream::eprintln!("warning: `{shown}`: {problem}");
    }
    if description.operations.iter().any(|operation| operation.hosts.is_empty()) {
        anstream::eprintln!(
            "warning: `{shown}`: no server says on which host some operations are: what scopes open beyond them is not looked for"
        );
    }
    let operations = description.policy().map_err(unusable)?;
    Ok(Description { name: shown.to_string(), operations })
}

/// What is legal and dangerous, now. Of one environment alone nothing is said that only all of them can tell.
fn lints(parsed: &ParsedEverywhere, sources: &SourceSet, arguments: &Check, descriptions: &[Description]) -> Findings {
    let now = Some(luigi_runtime::now());
    match &parsed.environments[..] {
        [(_, one)] if arguments.environment.is_some() => lint::run_beside(one, sources, now, descriptions),
        _ => lint::run_everywhere_beside(parsed, sources, now, descriptions),
    }
}

/// How many errors there are, and how many warnings.
fn numbers(problems: &Diagnostics) -> (usize, usize) {
    let errors = problems.iter().filter(|item| item.severity == Severity::Error).count();
    (errors, problems.len() - errors)
}

/// What is not fine, in numbers.
fn in_numbers(errors: usize, warnings: usize) -> String {
    match (errors, warnings) {
        (errors, 0) => count(errors, "error"),
        (0, warnings) => format!("{}, which are denied", count(warnings, "warning")),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

/// A finding that is accepted, in a policy or in HAProxy's configuration.
struct Acceptance<'a> {
    code: Code,
    message: &'a str,
    findings: usize,
    reason: &'a str,
    span: Span,
}

impl<'a> Acceptance<'a> {
    fn of_lint(accepted: &'a Accepted) -> Self {
        let Accepted { lint, message, findings, reason, span } = accepted;
        Self { code: Code::Lint(*lint), message, findings: *findings, reason, span: *span }
    }

    fn line(&self, sources: &SourceSet) -> String {
        let (good, faint) = (style(Tone::Good), style(Tone::Faint));
        let (file, line) = (sources.name(self.span.source), sources.position(self.span).line);
        let more = match self.findings {
            1 => String::new(),
            many => format!(" (and {} more)", many - 1),
        };
        let code = self.code.as_str();
        format!(
            "{good}accepted[{code}]{good:#}: {}{more}\n  {faint}{file}:{line}{faint:#} because: {}\n",
            self.message, self.reason
        )
    }

    fn json(&self, sources: &SourceSet) -> serde_json::Value {
        json!({
            "code": self.code.as_str(),
            "message": self.message,
            "findings": self.findings,
            "reason": self.reason,
            "file": sources.name(self.span.source),
            "line": sources.position(self.span).line,
        })
    }
}

fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    if let (Some(into), serde_json::Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

fn named(path: &Path, environment: Option<&str>) -> String {
    let path = path.display();
    environment.map_or_else(|| path.to_string(), |name| format!("{path} ({name})"))
}

fn not_fine(path: &Path, environment: Option<&str>, why: &str) -> String {
    let bad = style(Tone::Bad);
    format!("{bad}not fine{bad:#}  {}: {why}\n", named(path, environment))
}

/// Compiles a policy that has no errors, or says why it cannot be.
fn compiled(parsed: Parsed) -> Result<Size, String> {
    // UNSHOWN: whoever asks has looked for that.
    let policy = parsed.policy.ok_or("the policy has errors")?;
    let size = Size {
        rules: policy.rules.len(),
        scopes: policy.scopes.len(),
        approvals: policy.approvals.len(),
        tests: parsed.tests.len(),
        revision: String::new(),
    };
    let snapshot = Snapshot::compile(policy).map_err(|error| error.to_string())?;
    Ok(Size { revision: snapshot.revision().to_string(), ..size })
}

/// How much there is in a policy, and which one it is.
struct Size {
    rules: usize,
    scopes: usize,
    approvals: usize,
    tests: usize,
    revision: String,
}

impl Size {
    fn line(&self, path: &Path, environment: Option<&str>) -> String {
        let good = style(Tone::Good);
        format!(
            "{good}fine{good:#}  {}: {}, {}, {}, {}, revision {}\n",
            named(path, environment),
            count(self.rules, "rule"),
            count(self.scopes, "scope"),
            count(self.approvals, "approval"),
            count(self.tests, "test"),
            &self.revision[..12],
        )
    }

    fn put_into(&self, entry: &mut serde_json::Value) {
        entry["revision"] = self.revision.as_str().into();
        entry["rules"] = self.rules.into();
        entry["scopes"] = self.scopes.into();
        entry["approvals"] = self.approvals.into();
        entry["tests"] = self.tests.into();
    }
}
