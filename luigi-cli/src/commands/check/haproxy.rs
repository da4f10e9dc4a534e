//! `luigi check --haproxy`: HAProxy's configuration in front of one policy.

use super::{Acceptance, Report, in_numbers, not_fine, numbers};
use crate::args::Check;
use crate::failure::Failure;
use crate::load;
use crate::output::{count, diagnostics, style};
use luigi_core::explain::Tone;
use luigi_workflow::haproxy::{self, Findings};
use serde_json::json;
use std::path::Path;

/// What is found in the configuration; `None` if there is none to look at, or if the policy has errors: its own report says so.
pub(super) fn check(arguments: &Check) -> Result<Option<Report>, Failure> {
    let [policy] = &arguments.policies[..] else {
        return if arguments.haproxy.is_empty() {
            Ok(None)
        } else {
            Err(Failure::usage("`--haproxy` is about one policy, and there are several"))
        };
    };
    if arguments.haproxy.is_empty() {
        return Ok(None);
    }
    let sources = haproxy::read(&arguments.haproxy).map_err(Failure::environment)?;
    let (_, parsed) = load::read(policy, arguments.environment.as_deref())?;
    let [(environment, parsed)] = &parsed.environments[..] else { return Err(environment_needed()) };
    if environment.is_some() && arguments.environment.is_none() {
        return Err(environment_needed());
    }
    let Some(policy) = &parsed.policy else { return Ok(None) };

    let Findings { diagnostics: problems, accepted, frontends, backends } = haproxy::check(&sources, policy);
    let mut text = diagnostics(&problems, &sources);
    if !text.is_empty() {
        text.push('\n');
    }
    let accepted: Vec<_> = accepted
        .iter()
        .map(|one| Acceptance {
            code: one.code,
            message: &one.message,
            findings: one.findings,
            reason: &one.reason,
            span: one.span,
        })
        .collect();
    if arguments.accepted {
        text.extend(accepted.iter().map(|one| one.line(&sources)));
    }
    let (errors, warnings) = numbers(&problems);
    let fine = errors == 0 && (warnings == 0 || !arguments.deny_warnings);
    let files: Vec<_> = sources.ids().map(|id| sources.name(id)).collect();
    let mut json = json!({
        "files": files,
        "fine": fine,
        "diagnostics": problems.to_json(&sources),
        "accepted": accepted.iter().map(|one| one.json(&sources)).collect::<Vec<_>>(),
        "frontends": frontends,
        "backends": backends,
    });
    let names = files.join(", ");
    if fine {
        let good = style(Tone::Good);
        let sizes = format!("{}, {}", count(frontends, "frontend"), count(backends, "backend"));
        text.push_str(&format!("{good}fine{good:#}  {names}: {sizes}\n"));
    } else {
        let why = in_numbers(errors, warnings);
        text.push_str(&not_fine(Path::new(&names), None, &why));
        json["error"] = why.into();
    }
    Ok(Some(Report { fine, missing: false, text, json }))
}

/// A configuration belongs to one environment.
fn environment_needed() -> Failure {
    Failure::usage(
        "the policy has environments, and a configuration of HAProxy belongs to one of them\nhelp: choose it with `--environment NAME`",
    )
}
