//! `luigi apply`: a policy into a feed.

use super::stops::logged_in;
use crate::Found;
use crate::args::Apply;
use crate::differences::{Length, differences, headline, structure};
use crate::failure::Failure;
use crate::load::Deciding;
use crate::output::{Format, count, diagnostic_style, plain, print, print_json, style};
use crate::state;
use luigi_core::analysis::{Bounds, Comparison, compare};
use luigi_core::explain::Tone;
use luigi_core::policy::model::Mode;
use luigi_workflow::apply::{Applied, ApplyErrorKind, ApplyRequest, OnOtherEnvironment};
use luigi_workflow::changes::{Changes, record};
use luigi_workflow::serve::handover;
use serde_json::json;
use std::path::{Path, PathBuf};

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
        key: state::key(arguments.key.as_deref()),
        style: diagnostic_style(),
    };
    let before = if arguments.no_diff { None } else { in_force(&arguments.feed, &public_half(&request.key)) };
    let by = arguments.by.clone().or_else(logged_in).unwrap_or_else(|| "somebody".to_owned());
    let applied = handover::apply(&request, &by).map_err(|error| {
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
    let changes = before.and_then(|before| Kept::new(&before, &request, &applied));
    match arguments.format {
        Format::Human => {
            let mut text = human(arguments, &request.key, &applied);
            if let Some(changes) = &changes {
                text.push_str(&changes.text());
            }
            print(&text)?;
        }
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
            "key": request.key.display().to_string(),
            "key-is-new": applied.key_is_new,
            "changes": changes.as_ref().map(|changes| &changes.comparison),
            "changes-record": changes.as_ref().and_then(|changes| changes.record.as_ref().ok()),
        }))?,
    }
    Ok(Found::Fine)
}

/// How many requests the comparison at an apply may decide: about a second.
const MOST_REQUESTS: usize = 300_000;

/// What an apply changed, and where that is kept.
struct Kept {
    comparison: Comparison,
    record: Result<PathBuf, String>,
}

impl Kept {
    /// Compares what was in force with what is; nothing if somebody else applied something in between.
    fn new(before: &Deciding, request: &ApplyRequest, applied: &Applied) -> Option<Self> {
        let after = in_force(&request.feed, &applied.public_key)?;
        let revisions = [before, &after].map(|one| one.snapshot().revision().to_string());
        if applied.previous_revision.as_ref() != Some(&revisions[0]) || applied.revision != revisions[1] {
            return None;
        }
        let bounds = Bounds { requests: MOST_REQUESTS, ..Bounds::default() };
        let now = luigi_runtime::now();
        let comparison = compare(before.snapshot(), after.snapshot(), now, bounds);
        let [old_revision, new_revision] = revisions;
        let record = serde_json::to_value(&comparison).map_err(|error| error.to_string()).and_then(|all| {
            let changes = Changes {
                applied_at: now,
                by: logged_in(),
                generation: applied.generation,
                mode: applied.mode,
                previous_mode: applied.previous_mode,
                old_revision,
                new_revision,
                complete: comparison.is_complete(),
                summary: headline(&comparison),
                in_words: plain(&in_words(&comparison, Length::Full)),
                comparison: all,
            };
            record(&request.key, &changes)
        });
        Some(Self { comparison, record })
    }

    fn text(&self) -> String {
        let faint = style(Tone::Faint);
        let kept = match &self.record {
            Ok(path) => format!("{faint}kept, signed, in {}{faint:#}\n", path.display()),
            Err(error) => format!("warning: what changed could not be kept: {error}\n"),
        };
        format!("\n{}{kept}", in_words(&self.comparison, Length::Short))
    }
}

fn in_words(comparison: &Comparison, length: Length) -> String {
    structure(&comparison.structure) + &differences(comparison, length)
}

/// What a feed has in force, if it can be read.
fn in_force(feed: &Path, public_key: &Path) -> Option<Deciding> {
    Deciding::feed(feed, public_key).ok()
}

/// Where the public half of a signing key lies.
fn public_half(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

fn human(arguments: &Apply, key: &Path, applied: &Applied) -> String {
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
    if arguments.key.is_none() && !applied.key_is_new {
        text.push_str(&format!("key         {}\n", key.display()));
    }
    if applied.key_is_new {
        text.push_str(&format!(
            "{faint}A signing key was made:{faint:#} {}{faint}; keep it from proxies. They need its public half:{faint:#} {}\n{faint}The user that HAProxy \
             runs as must be able to read the feed: give {faint:#}{}{faint} its group, and mode 2750.{faint:#}\n",
            key.display(),
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

pub(super) fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}
