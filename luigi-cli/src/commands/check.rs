//! `luigi check`: every problem of one policy or several.

use crate::args::Check;
use crate::failure::Failure;
use crate::output::{Format, count, diagnostics, print, print_json, style};
use crate::{Found, load};
use luigi_core::explain::Tone;
use luigi_core::policy::{Parsed, ParsedEverywhere};
use luigi_core::snapshot::Snapshot;
use serde_json::json;
use std::path::Path;

pub(crate) fn run(arguments: &Check) -> Result<Found, Failure> {
    let mut found = Found::Fine;
    let mut reports = Vec::new();
    for path in &arguments.policies {
        let report = check(path, arguments.environment.as_deref())?;
        if !report.fine {
            found = Found::Problems;
        }
        match arguments.format {
            Format::Human => print(&report.text)?,
            Format::Json => reports.push(report.json),
        }
    }
    if arguments.format == Format::Json {
        print_json(&json!({ "policies": reports }))?;
    }
    Ok(found)
}

struct Report {
    fine: bool,
    text: String,
    json: serde_json::Value,
}

fn check(path: &Path, environment: Option<&str>) -> Result<Report, Failure> {
    let (sources, parsed) = load::read(path, environment)?;
    let ParsedEverywhere { environments, diagnostics: problems } = parsed;
    let mut text = diagnostics(&problems, &sources);
    let mut json = json!({ "path": path.display().to_string(), "diagnostics": problems.to_json(&sources) });
    if !text.is_empty() {
        text.push('\n');
    }
    let mut fine = true;
    let mut each = Vec::new();
    if environments.iter().any(|(_, parsed)| parsed.policy.is_none()) {
        fine = false;
        let why = count(problems.len(), "problem");
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
    Ok(Report { fine, text, json })
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
