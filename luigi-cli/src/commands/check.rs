//! `luigi check`: every problem of one policy or several.

use crate::args::Check;
use crate::failure::Failure;
use crate::output::{Format, count, diagnostics, print, print_json, style};
use crate::{Found, load};
use luigi_core::explain::Tone;
use luigi_core::policy::model::Policy;
use luigi_core::snapshot::Snapshot;
use serde_json::json;
use std::path::Path;

pub(crate) fn run(arguments: &Check) -> Result<Found, Failure> {
    let mut found = Found::Fine;
    let mut reports = Vec::new();
    for path in &arguments.policies {
        let report = check(path)?;
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

fn check(path: &Path) -> Result<Report, Failure> {
    let (sources, parsed) = load::read(path)?;
    let tests = parsed.tests.len();
    let mut text = diagnostics(&parsed.diagnostics, &sources);
    let mut json = json!({ "path": path.display().to_string(), "diagnostics": parsed.diagnostics.to_json(&sources) });
    if !text.is_empty() {
        text.push('\n');
    }
    let shown = path.display();
    let (bad, good) = (style(Tone::Bad), style(Tone::Good));
    let problems = parsed.diagnostics.len();
    let compiled = match parsed.policy {
        Some(policy) => {
            let size = Size::of(&policy);
            Snapshot::compile(policy).map(|snapshot| (size, snapshot.revision().to_string())).map_err(|e| e.to_string())
        }
        None => Err(count(problems, "problem")),
    };
    match &compiled {
        Ok((size, revision)) => {
            text.push_str(&format!(
                "{good}fine{good:#}  {shown}: {}, {}, {}, {}, revision {}\n",
                count(size.rules, "rule"),
                count(size.scopes, "scope"),
                count(size.approvals, "approval"),
                count(tests, "test"),
                &revision[..12],
            ));
            json["fine"] = true.into();
            json["revision"] = revision.as_str().into();
            json["rules"] = size.rules.into();
            json["scopes"] = size.scopes.into();
            json["approvals"] = size.approvals.into();
            json["tests"] = tests.into();
        }
        Err(why) => {
            text.push_str(&format!("{bad}not fine{bad:#}  {shown}: {why}\n"));
            json["fine"] = false.into();
            json["error"] = why.as_str().into();
        }
    }
    Ok(Report { fine: compiled.is_ok(), text, json })
}

/// How much there is in a policy.
struct Size {
    rules: usize,
    scopes: usize,
    approvals: usize,
}

impl Size {
    fn of(policy: &Policy) -> Self {
        Self { rules: policy.rules.len(), scopes: policy.scopes.len(), approvals: policy.approvals.len() }
    }
}
