//! `luigi stop`, `luigi stops`, `luigi unstop`: incident stops in a feed.

use crate::Found;
use crate::args::{Stop, StoppedFeed, Stops, Unstop};
use crate::failure::Failure;
use crate::output::{Format, count, print, print_json, style};
use crate::state;
use luigi_core::explain::Tone;
use luigi_core::policy::model::Policy;
use luigi_core::stop_set::{Stop as Made, Stopped};
use luigi_runtime::{Engine, EngineConfig, Timestamp};
use luigi_workflow::serve::handover;
use luigi_workflow::stops::{OnRecord, StopRequest, StopWhat, StopsChanged, StopsError, StopsFeed, UnstopRequest};
use serde_json::{Value, json};

pub(crate) fn stop(arguments: &Stop) -> Result<Found, Failure> {
    let issuer = arguments.issuer.clone();
    let what = match (&arguments.scope, &arguments.subject, &arguments.token_id, arguments.issued_before) {
        (Some(scope), ..) => StopWhat::Scope(scope.clone()),
        (_, Some(subject), ..) => StopWhat::Subject { issuer, subject: subject.clone() },
        (_, _, Some(id), _) => StopWhat::TokenId { issuer, id: id.clone() },
        (_, _, _, Some(before)) => StopWhat::IssuedBefore { issuer, before },
        // UNSHOWN: the parser of arguments refuses that.
        (None, None, None, None) => return Err(Failure::usage("say what to stop")),
    };
    let by = who(arguments.by.as_deref(), "makes")?;
    let until = arguments.until.moment(luigi_runtime::now());
    let request = StopRequest { what, until, reason: arguments.reason.clone(), by };
    let changed = handover::stop(&at(&arguments.feed), &request).map_err(failure)?;
    told("stopped", &changed, arguments.format)
}

pub(crate) fn unstop(arguments: &Unstop) -> Result<Found, Failure> {
    let by = who(arguments.by.as_deref(), "lifts")?;
    let request = UnstopRequest { id: arguments.id.clone(), reason: arguments.reason.clone(), by };
    let changed = handover::unstop(&at(&arguments.feed), &request).map_err(failure)?;
    told("lifted", &changed, arguments.format)
}

pub(crate) fn list(arguments: &Stops) -> Result<Found, Failure> {
    let engine = Engine::open(&EngineConfig::feed(&arguments.feed, state::public_key(arguments.public_key.as_deref())))
        .map_err(Failure::environment)?;
    let (version, now) = (engine.version(), luigi_runtime::now());
    // As they were made.
    let mut stops: Vec<&Made> = version.stops().stops().iter().collect();
    stops.sort_by_key(|stop| (stop.from, stop.until));
    match arguments.format {
        Format::Json => {
            let all: Vec<Value> = stops.into_iter().map(|stop| as_json(stop, now)).collect();
            print_json(&json!({ "stops": all }))?;
        }
        Format::Human if stops.is_empty() => print("no stops\n")?,
        Format::Human => {
            let lines = stops.into_iter().map(|stop| human(stop, version.policy(), now));
            print(&lines.collect::<String>())?;
        }
    }
    Ok(Found::Fine)
}

fn at(feed: &StoppedFeed) -> StopsFeed {
    let key = state::key(feed.key.as_deref());
    let ledger = state::ledger_beside(&key, feed.ledger.as_deref());
    StopsFeed { feed: feed.feed.clone(), key, ledger }
}

fn who(named: Option<&str>, does: &str) -> Result<String, Failure> {
    let none = || Failure::usage(format!("who {does} the stop? give a name with --by"));
    named.map(str::to_owned).or_else(logged_in).ok_or_else(none)
}

fn failure(error: StopsError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::environment(error) }
}

/// Who sits at the terminal: behind `sudo`, if it says so.
pub(crate) fn logged_in() -> Option<String> {
    let names = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.into_iter().find(|name| !name.trim().is_empty())
}

fn told(what: &str, changed: &StopsChanged, format: Format) -> Result<Found, Failure> {
    let StopsChanged { stop, generation, in_force, on_record, warnings } = changed;
    match format {
        Format::Json => print_json(&json!({
            what: as_json(stop, luigi_runtime::now()),
            "generation": generation,
            "in-force": in_force,
            "entry": match on_record { OnRecord::Entry(sequence) => Some(sequence), OnRecord::NoLedger | OnRecord::Lost(_) => None },
            "warnings": warnings,
        }))?,
        Format::Human => {
            let (good, warnings) = (style(Tone::Good), warnings.iter().map(|text| format!("{}\n\n", text.trim_end())));
            let mut text: String = warnings.collect();
            text.push_str(&format!("{good}{what:<12}{good:#}{}\n", about(&stop.what)));
            text.push_str(&format!("id          {}\n", stop.id));
            text.push_str(&format!("until       {}\n", stop.until));
            text.push_str(&format!("generation  {generation}, {} in force\n", count(*in_force, "stop")));
            match on_record {
                OnRecord::Entry(sequence) => text.push_str(&format!("ledger      entry {sequence}\n")),
                OnRecord::NoLedger => text.push_str("ledger      none: only the feed tells of it\n"),
                OnRecord::Lost(_) => {}
            }
            print(&text)?;
        }
    }
    match on_record {
        OnRecord::Entry(_) | OnRecord::NoLedger => Ok(Found::Fine),
        OnRecord::Lost(why) => Err(Failure::environment(format!(
            "it is in force, but the ledger does not tell of it: {why}\nhelp: write down who did it and why; the feed keeps that only until the stop is over"
        ))),
    }
}

fn human(stop: &Made, policy: &Policy, now: Timestamp) -> String {
    let state = if stop.is_in_force(now) { "" } else { "  (over)" };
    let lacking = match &stop.what {
        Stopped::Scope(name) if !policy.scopes.iter().any(|(_, scope)| scope.name == *name) => {
            "  (the policy in force has no such scope: it stops nothing)"
        }
        _ => "",
    };
    format!(
        "{}  {}{state}{lacking}\n    until {}, by {} at {}: {}\n",
        stop.id,
        about(&stop.what),
        stop.until,
        stop.by,
        stop.from,
        stop.reason
    )
}

/// What is stopped, in words.
pub(crate) fn about(what: &Stopped) -> String {
    let quoted = |text: &str| format!("`{}`", text.escape_debug());
    match what {
        Stopped::Scope(name) => format!("scope {}", quoted(name)),
        Stopped::Subject { issuer, subject } => format!("subject {} of {issuer}", quoted(subject)),
        Stopped::TokenId { issuer, id } => format!("token {} of {issuer}", quoted(id)),
        Stopped::IssuedBefore { issuer, before } => format!("tokens of {issuer} issued before {before}"),
    }
}

fn as_json(stop: &Made, now: Timestamp) -> Value {
    json!({
        "id": stop.id,
        "what": stop.what,
        "from": stop.from.to_string(),
        "until": stop.until.to_string(),
        "in-force": stop.is_in_force(now),
        "reason": stop.reason,
        "by": stop.by,
    })
}
