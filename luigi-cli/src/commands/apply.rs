//! `luigi apply`: a policy into a feed.

use crate::Found;
use crate::args::Apply;
use crate::failure::Failure;
use crate::output::{Format, count, diagnostic_style, print, print_json, style};
use luigi_core::explain::Tone;
use luigi_core::policy::model::Mode;
use luigi_workflow::apply::{Applied, ApplyErrorKind, ApplyRequest, OnOtherEnvironment, apply};
use serde_json::json;

pub(crate) fn run(arguments: &Apply) -> Result<Found, Failure> {
    let request = ApplyRequest {
        policy: arguments.policy.clone(),
        feed: arguments.feed.clone(),
        environment: arguments.environment.clone(),
        on_other_environment: match arguments.change_environment {
            true => OnOtherEnvironment::Change,
            false => OnOtherEnvironment::Refuse,
        },
        jwks: arguments.jwks.clone(),
        mode: arguments.mode.map(Mode::from),
        key: arguments.key.clone(),
        style: diagnostic_style(),
    };
    let applied = apply(&request).map_err(|error| {
        let text = error.to_string();
        let text = text.trim_end();
        match error.kind() {
            ApplyErrorKind::Policy | ApplyErrorKind::Tests | ApplyErrorKind::Facts => {
                let bad = style(Tone::Bad);
                Failure::Problems(format!("{text}\n\n{bad}not applied{bad:#}: the feed is as it was\n"))
            }
            ApplyErrorKind::Environment => Failure::environment(text),
        }
    })?;
    match arguments.format {
        Format::Human => print(&human(arguments, &applied))?,
        Format::Json => print_json(&json!({
            "revision": applied.revision,
            "previous-revision": applied.previous_revision,
            "generation": applied.generation,
            "mode": word(applied.mode),
            "previous-mode": applied.previous_mode.map(word),
            "environment": applied.environment,
            "rules": applied.rules,
            "tests-passed": applied.tests_passed,
            "warnings": applied.warnings,
            "public-key": applied.public_key.display().to_string(),
            "key-is-new": applied.key_is_new,
        }))?,
    }
    Ok(Found::Fine)
}

fn human(arguments: &Apply, applied: &Applied) -> String {
    let (good, faint) = (style(Tone::Good), style(Tone::Faint));
    let mut text = String::new();
    for warning in &applied.warnings {
        text.push_str(warning.trim_end());
        text.push_str("\n\n");
    }
    let short = |revision: &str| revision.get(..12).unwrap_or(revision).to_owned();
    let before = match &applied.previous_revision {
        Some(previous) if *previous == applied.revision => "  (unchanged)".to_owned(),
        Some(previous) => format!("  (was {})", short(previous)),
        None => String::new(),
    };
    let mode_before = match applied.previous_mode {
        Some(previous) if previous != applied.mode => format!("  (was {})", word(previous)),
        Some(_) | None => String::new(),
    };
    text.push_str(&format!(
        "{good}applied{good:#}     {} to {}\n",
        arguments.policy.display(),
        arguments.feed.display()
    ));
    text.push_str(&format!("revision    {}{before}\n", short(&applied.revision)));
    text.push_str(&format!("generation  {}\n", applied.generation));
    text.push_str(&format!("mode        {}{mode_before}\n", word(applied.mode)));
    if let Some(environment) = &applied.environment {
        text.push_str(&format!("environment {environment}\n"));
    }
    text.push_str(&format!(
        "policy      {}, {} passed\n",
        count(applied.rules, "rule"),
        count(applied.tests_passed, "test")
    ));
    if applied.key_is_new {
        text.push_str(&format!(
            "{faint}A signing key was made:{faint:#} {}{faint}; keep it from proxies. They need its public half:{faint:#} {}\n{faint}The user that HAProxy \
             runs as must be able to read the feed: give {faint:#}{}{faint} its group, and mode 2750.{faint:#}\n",
            arguments.key.display(),
            applied.public_key.display(),
            arguments.feed.display(),
        ));
    }
    if applied.mode == Mode::Observe {
        text.push_str(&format!(
            "{faint}Every request passes and is reported. `--mode enforce` gives decisions effect.{faint:#}\n"
        ));
    }
    text
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}
