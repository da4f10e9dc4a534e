//! `luigi diff`: what changes for whom between two policies.

use crate::Found;
use crate::args::Diff;
use crate::commands::stops::about;
use crate::differences::{Length, differences, structure};
use crate::failure::Failure;
use crate::load::Deciding;
use crate::output::{self, Format, print, print_json, style};
use crate::state;
use luigi_core::analysis::{Bounds, Comparison, Term, compare};
use luigi_core::explain::{Detail, Tone};
use luigi_core::policy::model::Policy;
use luigi_core::stop_set::{Stop, StopSet};
use luigi_core::time::Timestamp;
use serde_json::json;
use std::fmt::Write as _;

pub(crate) fn run(arguments: &Diff) -> Result<Found, Failure> {
    let environment = arguments.environment.as_deref();
    let public_key = state::public_key(arguments.public_key.as_deref());
    let (old, before) = Deciding::compared(&arguments.old, environment, &public_key)?;
    let (new, after) = Deciding::compared(&arguments.new, environment, &public_key)?;
    if let Some(name) = environment.filter(|_| !before && !after) {
        let name = name.escape_debug();
        return Err(Failure::usage(format!("neither policy has environments, so `{name}` cannot be chosen")));
    }
    let now = arguments.at.unwrap_or_else(luigi_runtime::now);
    let bounds = Bounds { requests: arguments.limit, ..Bounds::default() };
    let mut comparison = compare(old.snapshot(), new.snapshot(), now, bounds);
    // A policy on a file has no keys and no stops with it.
    if let (Deciding::Feed(old), Deciding::Feed(new)) = (&old, &new) {
        let keys = old.trust().changed_keys(new.trust()).map(|(name, added, gone)| Term {
            of: "issuer",
            name: name.to_owned(),
            what: "keys",
            before: format!("{gone} that are gone"),
            after: format!("{added} that are new"),
        });
        comparison.terms.extend(keys);
        comparison.terms.extend(stops(old.stops(), new.stops(), now));
    }
    match arguments.format {
        Format::Human => {
            let mut text = structure(&comparison.structure);
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&differences(&comparison, Length::Full));
            if arguments.explain {
                text.push_str(&explanations(&comparison, [old.snapshot().policy(), new.snapshot().policy()]));
            }
            print(&text)?;
        }
        Format::Json => print_json(&json!({
            "complete": comparison.is_complete(),
            "from": now.to_string(),
            "old-revision": old.snapshot().revision().to_string(),
            "new-revision": new.snapshot().revision().to_string(),
            "comparison": comparison,
        }))?,
    }
    Ok(if arguments.exit_code && !comparison.leaves_all_as_it_is() { Found::Differences } else { Found::Fine })
}

/// What is stopped on one side alone.
fn stops(old: &StopSet, new: &StopSet, now: Timestamp) -> Vec<Term> {
    let counts = |stop: &&Stop| stop.until > now;
    let missing = |here: &StopSet, stop: &Stop| !here.stops().iter().filter(counts).any(|one| one == stop);
    let term = |stop: &Stop, before: String, after: String| Term {
        of: "stop",
        name: stop.id.clone(),
        what: "what is denied whatever rules say",
        before,
        after,
    };
    let what = |stop: &Stop| format!("{} until {}", about(&stop.what), stop.until);
    let none = || "nothing".to_owned();
    let gone = old.stops().iter().filter(counts).filter(|stop| missing(new, stop));
    let come = new.stops().iter().filter(counts).filter(|stop| missing(old, stop));
    gone.map(|stop| term(stop, what(stop), none())).chain(come.map(|stop| term(stop, none(), what(stop)))).collect()
}

/// How each example comes to its decisions.
fn explanations(comparison: &Comparison, [old, new]: [&Policy; 2]) -> String {
    const INDENT: usize = 4;
    let bold = style(Tone::Strong);
    let mut text = String::new();
    for difference in comparison.differences.iter().chain(&comparison.candidate_differences) {
        let _ = writeln!(text, "\n{bold}{}{bold:#}", difference.example.options());
        for (word, policy) in [("before", old), ("after", new)] {
            let lines = difference.example.explain(policy).lines(Detail::Concerned);
            let _ = writeln!(text, "  {word}\n{}", output::explanation(&lines, INDENT).trim_end());
        }
    }
    text
}
