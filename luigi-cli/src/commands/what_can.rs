//! `luigi what-can`: what somebody may do, at once or after what.

use super::who_can::gaps;
use crate::Found;
use crate::args::WhatCan;
use crate::differences::targets;
use crate::failure::Failure;
use crate::load::Deciding;
use crate::output::{Format, print, print_json, style};
use crate::question::{Asker, Question};
use crate::state;
use luigi_core::analysis::{self, Bounds, Known, what_can};
use luigi_core::decide::Source;
use luigi_core::explain::Tone;
use luigi_core::identity::Credential;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Operations of one kind that are named.
const MOST_TARGETS: usize = 40;

pub(crate) fn run(arguments: &WhatCan) -> Result<Found, Failure> {
    let now = luigi_runtime::now();
    let asker = asker(arguments)?;
    let at = arguments.at.unwrap_or(now);
    let question = Question::new("GET /", asker, None, at, Vec::new()).map_err(Failure::usage)?;
    let public_key = state::public_key(arguments.public_key.as_deref());
    let deciding = Deciding::policy_or_feed(&arguments.policy, arguments.environment.as_deref(), &public_key)?;
    let snapshot = deciding.snapshot();
    let mut prepared =
        question.prepare(snapshot.policy(), deciding.trust(), None, deciding.stops()).map_err(Failure::usage)?;
    let request = prepared.request();
    let asker = match request.credential {
        Credential::Verified(identity) if identity.login().auth_time.is_some() => {
            analysis::Asker::LoginAsGiven(identity)
        }
        Credential::Verified(identity) => analysis::Asker::AnyLogin(identity),
        _ => analysis::Asker::Nobody,
    };
    let (frontend, source) = (arguments.frontend.as_deref(), arguments.from.map(Source::from_address));
    let known = Known { frontend, source, time: arguments.at, now };
    let bounds = Bounds { requests: arguments.limit, ..Bounds::default() };
    let found = what_can(snapshot, asker, known, bounds);
    match arguments.format {
        Format::Human => print(&human(&found))?,
        Format::Json => print_json(&found)?,
    }
    Ok(Found::Fine)
}

/// Who is described, by `--as` or piece by piece.
fn asker(arguments: &WhatCan) -> Result<Asker, Failure> {
    if let Some(asker) = &arguments.asker {
        return Ok(asker.clone());
    }
    let mut person = Map::new();
    if !arguments.groups.is_empty() {
        person.insert("groups".to_owned(), Value::from(arguments.groups.clone()));
    }
    for (key, value) in [
        ("sub", &arguments.subject),
        ("issuer", &arguments.issuer),
        ("email", &arguments.email),
        ("login", &arguments.login),
    ] {
        if let Some(value) = value {
            person.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    if person.is_empty() { Ok(Asker::Nobody) } else { Asker::from_json(Value::Object(person)).map_err(Failure::usage) }
}

fn human(found: &analysis::WhatCan) -> String {
    let (bold, faint) = (style(Tone::Strong), style(Tone::Faint));
    let mut text = String::new();
    if found.allowed.is_empty() {
        let _ = writeln!(text, "{bold}nothing{bold:#}");
    }
    for operations in &found.allowed {
        let how = if operations.circumstances.is_empty() {
            "at once".to_owned()
        } else {
            operations.circumstances.join(", ")
        };
        let names = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let privileged = if operations.privileged { ", privileged" } else { "" };
        // No rule lets preflights pass, and no scope need hold them, but what they ask for.
        let by = match (&operations.scopes[..], &operations.rules[..]) {
            ([], _) => format!("what is asked for has `preflight`{privileged}"),
            (scopes, []) => format!("{}{privileged}; what is asked for has `preflight`", names(scopes)),
            (scopes, rules) => format!("{}{privileged}; by {}", names(scopes), names(rules)),
        };
        let _ = writeln!(text, "{bold}{how}{bold:#}  {faint}({by}){faint:#}");
        targets(&mut text, &operations.targets, MOST_TARGETS);
    }
    gaps(&mut text, &found.gaps);
    text
}
