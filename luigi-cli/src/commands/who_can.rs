//! `luigi who-can`: who is let in to one operation, and under which circumstances.

use crate::Found;
use crate::args::WhoCan;
use crate::differences::conditions;
use crate::failure::Failure;
use crate::load::Deciding;
use crate::output::{Format, print, print_json, style};
use crate::question::{Asker, Question};
use crate::state;
use luigi_core::analysis::{self, Bounds, Known, Way, who_can};
use luigi_core::decide::Source;
use luigi_core::explain::Tone;
use luigi_core::target::{Host, Readings, Target};
use std::fmt::Write as _;

pub(crate) fn run(arguments: &WhoCan) -> Result<Found, Failure> {
    let now = luigi_runtime::now();
    let request = format!("{} {}", arguments.method, arguments.url);
    let question = Question::new(&request, Asker::Nobody, None, now, Vec::new()).map_err(Failure::usage)?;
    let public_key = state::public_key(arguments.public_key.as_deref());
    let deciding = Deciding::policy_or_feed(&arguments.policy, arguments.environment.as_deref(), &public_key)?;
    let snapshot = deciding.snapshot();
    let mut prepared =
        question.prepare(snapshot.policy(), deciding.trust(), None, deciding.stops()).map_err(Failure::usage)?;
    let target = match prepared.request().target {
        Target::Canonical(target) => target,
        Target::Readings(Readings { class, .. }) | Target::Ambiguous(class) => {
            return Err(Failure::usage(format!("`{request}` is refused as `{}`: {}", class.as_str(), class.help())));
        }
    };
    let host = match target.host {
        Host::Absent => None,
        Host::Name(text) | Host::Address(text) => Some(text),
    };
    let (frontend, source) = (arguments.frontend.as_deref(), arguments.from.map(Source::from_address));
    let known = Known { frontend, source, time: arguments.at, now };
    let bounds = Bounds { requests_per_situation: arguments.limit, requests: arguments.limit };
    let found = who_can(snapshot, &arguments.method, host, target.path, known, bounds);
    match arguments.format {
        Format::Human => print(&human(&request, &found))?,
        Format::Json => print_json(&found)?,
    }
    Ok(Found::Fine)
}

fn human(request: &str, found: &analysis::WhoCan) -> String {
    let (bold, bad, faint) = (style(Tone::Strong), style(Tone::Bad), style(Tone::Faint));
    let mut text = String::new();
    let scopes: Vec<String> = found.scopes.iter().map(|name| format!("`{name}`")).collect();
    let scopes = if scopes.is_empty() { "in no scope".to_owned() } else { format!("in {}", scopes.join(", ")) };
    let privileged = if found.privileged { ", privileged" } else { "" };
    let _ = writeln!(text, "{bold}{request}{bold:#}  {faint}{scopes}{privileged}{faint:#}");
    if found.allowed.is_empty() {
        let _ = writeln!(text, "{bad}nobody{bad:#}");
    }
    let ways = |text: &mut String, word: &str, tone, ways: &[Way]| {
        let mark = style(tone);
        for way in ways {
            let because: Vec<String> = way.because.iter().map(ToString::to_string).collect();
            let who = conditions(&way.who, &way.circumstances);
            let _ = writeln!(text, "{mark}{word}{mark:#}  {who}  {faint}({}){faint:#}", because.join("; "));
        }
    };
    ways(&mut text, "allow", Tone::Good, &found.allowed);
    ways(&mut text, "deny ", Tone::Bad, &found.denied);
    if !found.allowed.is_empty() && !found.denied.is_empty() {
        let _ = writeln!(text, "{faint}Whoever is denied is denied, whatever else holds.{faint:#}");
    }
    gaps(&mut text, &found.gaps);
    text
}

/// What was not looked at.
pub(crate) fn gaps(text: &mut String, gaps: &[String]) {
    if !gaps.is_empty() {
        let bold = style(Tone::Strong);
        let _ = writeln!(text, "\n{bold}not everything was looked at:{bold:#}");
        gaps.iter().for_each(|gap| {
            let _ = writeln!(text, "  {gap}");
        });
    }
}
