//! `luigi audit evidence`: what an auditor asks for about a period, as files in a folder or one object of JSON.

use super::{csv, open, verify};
use crate::Found;
use crate::args::Evidence as Arguments;
use crate::failure::Failure;
use crate::output::{Format, print, print_json};
use luigi_workflow::ledger::evidence::{Approval, Evidence, EvidenceRequest, gather};
use luigi_workflow::ledger::{Entry, Unbelieved};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

pub(super) fn run(arguments: &Arguments) -> Result<Found, Failure> {
    if arguments.since >= arguments.until {
        return Err(Failure::usage("the period is empty: --since is not before --until"));
    }
    let reader = open(&arguments.source)?;
    let verifier = verify::verifier(&arguments.checkpoints, &arguments.public_key)?;
    let request = EvidenceRequest {
        since: arguments.since,
        until: arguments.until,
        seed: arguments.seed.clone(),
        sample: arguments.sample,
        masked: arguments.source.unmasked.is_none(),
    };
    let evidence = gather(&reader, &request, &verifier)?;
    let summary = summary(&evidence, &request);
    match &arguments.to {
        Some(folder) => {
            write(folder, &evidence, &summary)?;
            match arguments.format {
                Format::Human => print(&human(&evidence, folder))?,
                Format::Json => print_json(&summary)?,
            }
        }
        None => print_json(&whole(&evidence, &summary)?)?,
    }
    Ok(if evidence.verification.is_fine() { Found::Fine } else { Found::Problems })
}

/// What an auditor must not take an empty table for.
fn notes(evidence: &Evidence) -> Vec<&'static str> {
    let none = "no access request, approval or grant is on record in this period; this version of luigi issues none, so each access that was allowed rests on standing rules of the policy";
    let unanchored =
        "nobody but the owner of the ledger vouches for it: no checkpoint that was kept elsewhere was compared";
    let damaged =
        "among the checkpoints that were compared are lines that nobody should believe: see `checkpoints-not-believed`";
    let verification = &evidence.verification;
    let notes = [
        evidence.approvals.is_empty().then_some(none),
        (verification.broken.is_none() && verification.anchors.is_empty()).then_some(unanchored),
        verification.unbelieved.iter().any(Unbelieved::is_damage).then_some(damaged),
    ];
    notes.into_iter().flatten().collect()
}

/// The figures, and how the sample was drawn.
fn summary(evidence: &Evidence, request: &EvidenceRequest) -> Value {
    let ended = |state: &str| evidence.approvals.iter().filter(|approval| approval.state == state).count();
    let longest = evidence.approvals.iter().filter_map(|approval| approval.open_seconds).max();
    json!({
        "since": request.since.to_string(),
        "until": request.until.to_string(),
        "made": jiff::Timestamp::now().to_string(),
        "tool": concat!("luigi ", env!("CARGO_PKG_VERSION")),
        "masked": request.masked,
        "notes": notes(evidence),
        "verification": verify::as_json(&evidence.verification),
        "privileged-accesses": evidence.accesses.len(),
        "approvals": {
            "all": evidence.approvals.len(),
            "revoked": ended("revoked"),
            "expired": ended("expired"),
            "open": ended("open"),
            "rejected": ended("rejected"),
            "pending": ended("pending"),
            "self-approved": evidence.approvals.iter().filter(|approval| approval.self_approved).count(),
            "longest-open-seconds": longest,
        },
        "changes": evidence.changes.len(),
        "record": evidence.record.len(),
        "sample": {
            "seed": request.seed,
            "size": evidence.sample.len(),
            "drawn": "the privileged accesses with the smallest SHA-256 of SEED:SEQUENCE",
        },
    })
}

fn whole(evidence: &Evidence, summary: &Value) -> Result<Value, Failure> {
    let list = |entries: &[Entry]| -> Result<Value, Failure> {
        let bodies = entries.iter().map(|entry| {
            let body = entry.body()?;
            serde_json::from_str::<Value>(&body).map_err(Failure::environment)
        });
        Ok(Value::Array(bodies.collect::<Result<_, _>>()?))
    };
    Ok(json!({
        "summary": summary,
        "privileged-accesses": list(&evidence.accesses)?,
        "approvals": evidence.approvals,
        "changes": list(&evidence.changes)?,
        "record": list(&evidence.record)?,
        "sample": list(&evidence.sample)?,
    }))
}

fn write(folder: &Path, evidence: &Evidence, summary: &Value) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::environment(format!("cannot write the evidence to `{}`: {error}", folder.display()))
    };
    fs::create_dir_all(folder).map_err(cannot)?;
    let table = |name: &str, entries: &[Entry]| -> Result<(), Failure> {
        let mut text = csv::head().map_err(Failure::environment)?;
        for entry in entries {
            text += &csv::row(entry).map_err(Failure::environment)?;
        }
        fs::write(folder.join(name), text).map_err(cannot)
    };
    table("privileged-accesses.csv", &evidence.accesses)?;
    table("changes.csv", &evidence.changes)?;
    table("record.csv", &evidence.record)?;
    table("sample.csv", &evidence.sample)?;
    fs::write(folder.join("approvals.csv"), approvals(&evidence.approvals)?).map_err(cannot)?;
    let summary = serde_json::to_string_pretty(summary).map_err(Failure::environment)?;
    fs::write(folder.join("summary.json"), summary + "\n").map_err(cannot)
}

fn approvals(approvals: &[Approval]) -> Result<String, Failure> {
    const NAMES: [&str; 16] = [
        "request",
        "grant",
        "subject",
        "scope",
        "approval",
        "justification",
        "asked",
        "approvers",
        "rejected",
        "opened",
        "until",
        "ended",
        "state",
        "open-seconds",
        "uses",
        "self-approved",
    ];
    let mut text = csv::line(NAMES.map(str::to_owned).into_iter()).map_err(Failure::environment)?;
    for approval in approvals {
        let value = serde_json::to_value(approval).map_err(Failure::environment)?;
        let cells = NAMES.map(|name| match value.get(name) {
            Some(Value::Array(items)) => {
                csv::harmless(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
            }
            other => csv::cell(other),
        });
        text += &csv::line(cells.into_iter()).map_err(Failure::environment)?;
    }
    Ok(text)
}

fn human(evidence: &Evidence, folder: &Path) -> String {
    let Evidence { verification, accesses, approvals, changes, record, sample } = evidence;
    let state = match &verification.broken {
        Some(broken) => format!("broken at entry {}: {}", broken.sequence, broken.flaw),
        None if verification.anchored() == 0 => "consistent, not anchored".to_owned(),
        None => format!("consistent, anchored up to entry {}", verification.anchored()),
    };
    format!(
        "ledger               {state}\nprivileged accesses  {}\napprovals            {}\nchanges              {}\nabout the record     {}\nsample               {}\nwritten to           {}\n",
        accesses.len(),
        approvals.len(),
        changes.len(),
        record.len(),
        sample.len(),
        folder.display()
    ) + &verify::not_believed(&verification.unbelieved)
        + &notes(evidence).iter().map(|note| format!("note                 {note}\n")).collect::<String>()
}
