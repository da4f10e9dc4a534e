//! `luigi audit verify`: whether the ledger is what was written, and who vouches for it.

use crate::Found;
use crate::args::VerifyLedger;
use crate::failure::Failure;
use crate::output::{Format, print, print_json, style};
use crate::state;
use luigi_core::explain::Tone;
use luigi_runtime::feed::PublicKey;
use luigi_runtime::regular_file;
use luigi_workflow::ledger::{Anchor, ExportFound, ExportHead, Reader, Unbelieved, Verification, Verifier};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// So many checkpoints that are not believed are told one by one.
const MAX_TOLD: usize = 5;

/// The longest public key file that is read, in bytes.
const MAX_KEY_BYTES: u64 = 4096;

pub(super) fn run(arguments: &VerifyLedger) -> Result<Found, Failure> {
    if !arguments.exported.is_empty() {
        return exported(arguments);
    }
    if let (Some(from), Some(to)) = (arguments.from, arguments.to)
        && from > to
    {
        return Err(Failure::usage("the range is empty: --from is behind --to"));
    }
    let verifier = verifier(&arguments.checkpoints, &arguments.public_key)?;
    let verifier = Verifier { after: arguments.from.map_or(0, |from| from - 1), upto: arguments.to, ..verifier };
    let ledger = &state::ledger(arguments.ledger.as_deref());
    let found = verifier.verify(&Reader::open(ledger)?)?;
    match arguments.format {
        Format::Human => print(&human(&found, ledger))?,
        Format::Json => print_json(&as_json(&found))?,
    }
    Ok(if found.is_fine() { Found::Fine } else { Found::Problems })
}

/// Files of retired entries: each by itself, each after the one before, and the ledger after the last.
fn exported(arguments: &VerifyLedger) -> Result<Found, Failure> {
    let (mut text, mut all, mut fine) = (String::new(), Vec::new(), true);
    let mut before: Option<ExportHead> = None;
    // The same places are compared with each file, and are told of once.
    let mut unbelieved = Vec::new();
    let verifier = verifier(&arguments.checkpoints, &arguments.public_key)?;
    for path in &arguments.exported {
        let ExportFound { head, anchors, unbelieved: lines, broken } = verifier.verify_exported(path)?;
        let joins = before.as_ref().is_none_or(|before| {
            head.ledger == before.ledger && head.first == before.last + 1 && head.previous == before.head
        });
        let why = match &broken {
            Some(broken) => {
                Some(format!("broken at entry {}: {} ({})", broken.sequence, broken.flaw, broken.flaw.code()))
            }
            None if !joins => Some(format!("broken at entry {}: it does not follow the file before", head.first)),
            None => None,
        };
        fine &= why.is_none();
        text += &format!(
            "{}: {}\n",
            path.display(),
            why.clone().unwrap_or_else(|| format!(
                "consistent, entries {} to {}{}",
                head.first,
                head.last,
                if anchors.is_empty() { String::new() } else { format!(", anchored by {}", named(&anchors)) }
            ))
        );
        all.push(json!({
            "file": path.display().to_string(),
            "first": head.first,
            "last": head.last,
            "head": head.head,
            "anchors": anchors_as_json(&anchors),
            "checkpoints-not-believed": unbelieved_as_json(&lines),
            "broken": why,
        }));
        before = Some(head);
        unbelieved = lines;
    }
    fine &= !unbelieved.iter().any(Unbelieved::is_damage);
    if let (Some(ledger), Some(last)) = (&arguments.ledger, before) {
        let reader = Reader::open(ledger)?;
        let found = verifier.verify(&reader)?;
        let joins = reader.begins_behind()? == (last.last, last.head);
        fine &= joins && found.is_fine();
        text += &if joins {
            human(&found, ledger)
        } else {
            format!("{}: it does not begin where the last file ends\n", ledger.display()) + &not_believed(&unbelieved)
        };
        all.push(json!({ "ledger": as_json(&found), "joins": joins }));
    } else {
        text += &not_believed(&unbelieved);
    }
    match arguments.format {
        Format::Human => print(&text)?,
        Format::Json => print_json(&all)?,
    }
    Ok(if fine { Found::Fine } else { Found::Problems })
}

/// What ledgers are compared with.
pub(super) fn verifier(files: &[PathBuf], key_files: &[PathBuf]) -> Result<Verifier, Failure> {
    let keys = match (key_files, state::ledger_public_key()) {
        ([], Some(usual)) => vec![public_key(&usual)?],
        ([], None) if !files.is_empty() => {
            return Err(Failure::usage("whose checkpoints are these? give the public key with --public-key"));
        }
        (given, _) => given.iter().map(|path| public_key(path)).collect::<Result<_, _>>()?,
    };
    let mut checkpoints = Vec::new();
    for path in files {
        let lines = std::fs::read(path).map_err(|error| {
            Failure::environment(format!("cannot read the checkpoints `{}`: {error}", path.display()))
        })?;
        checkpoints.push((format!("`{}`", path.display()), String::from_utf8_lossy(&lines).into_owned()));
    }
    Ok(Verifier { keys, checkpoints, ..Verifier::default() })
}

/// Reads a public key.
fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let at = path.display();
    let bytes = regular_file::read(path, MAX_KEY_BYTES)
        .map_err(|error| Failure::environment(format!("cannot read the public key `{at}`: {error}")))?;
    PublicKey::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|error| Failure::environment(format!("`{at}` is no public key: {error}")))
}

fn human(found: &Verification, ledger: &Path) -> String {
    let (good, doubtful, bad) = (style(Tone::Good), style(Tone::Doubtful), style(Tone::Bad));
    let mut text = String::new();
    let but = if found.is_fine() { String::new() } else { format!("; {bad}checkpoints are damaged{bad:#}") };
    match &found.broken {
        Some(broken) => {
            text +=
                &format!("{bad}broken at entry {}{bad:#}: {} ({})\n", broken.sequence, broken.flaw, broken.flaw.code());
        }
        None if found.anchors.is_empty() => {
            text += &format!(
                "{good}consistent{good:#}, {doubtful}not anchored{doubtful:#}: nobody but its owner vouches for it{but}\n"
            );
        }
        None => {
            text += &format!("{good}consistent{good:#}, anchored by {}{but}\n", named(&found.anchors));
        }
    }
    text += &format!(
        "ledger      {}\n",
        found.ledger.as_deref().map_or_else(|| ledger.display().to_string(), str::to_owned)
    );
    text += &format!("entries     {}", found.entries);
    text += &if found.entries == 0 {
        "\n".to_owned()
    } else {
        format!(", {} to {}\n", found.last + 1 - found.entries, found.last)
    };
    if found.retired > 0 {
        text += &format!("retired     entries up to {}\n", found.retired);
    }
    if found.signed > 0 {
        text += &format!("signed      up to entry {}, by checkpoints in the ledger itself\n", found.signed);
    }
    text += &format!("head        {}\n", found.head);
    text + &not_believed(&found.unbelieved)
}

/// Lines among the checkpoints that do not count, the first few of them.
pub(super) fn not_believed(all: &[Unbelieved]) -> String {
    let (bad, doubtful) = (style(Tone::Bad), style(Tone::Doubtful));
    let mut text = String::new();
    for one in all.iter().take(MAX_TOLD) {
        text += &if one.is_damage() {
            format!("checkpoints {bad}damaged{bad:#}: {one} (checkpoint)\n")
        } else {
            format!("checkpoints {doubtful}left out{doubtful:#}: {one}\n")
        };
    }
    match all.len().saturating_sub(MAX_TOLD) {
        0 => text,
        more => text + &format!("checkpoints {bad}and {more} more{bad:#} that are not to be believed\n"),
    }
}

/// Who vouches for it, in words.
fn named(anchors: &[Anchor]) -> String {
    let all = anchors.iter().map(|anchor| format!("{} up to entry {}", anchor.source, anchor.upto));
    all.collect::<Vec<_>>().join(", ")
}

fn anchors_as_json(anchors: &[Anchor]) -> Vec<Value> {
    anchors.iter().map(|anchor| json!({ "source": anchor.source, "upto": anchor.upto })).collect()
}

fn unbelieved_as_json(all: &[Unbelieved]) -> Vec<Value> {
    let one = |one: &Unbelieved| json!({ "source": one.source, "line": one.line, "why": one.why.to_string(), "damage": one.is_damage() });
    all.iter().map(one).collect()
}

pub(super) fn as_json(found: &Verification) -> Value {
    let state = match &found.broken {
        Some(_) => "broken",
        None if !found.is_fine() => "checkpoints-damaged",
        None if found.anchors.is_empty() => "not-anchored",
        None => "anchored",
    };
    json!({
        "state": state,
        "ledger": found.ledger,
        "entries": found.entries,
        "last": found.last,
        "head": found.head.to_string(),
        "retired": found.retired,
        "signed": found.signed,
        "anchored": found.anchored(),
        "anchors": anchors_as_json(&found.anchors),
        "checkpoints-not-believed": unbelieved_as_json(&found.unbelieved),
        "broken": found.broken.as_ref().map(|broken| json!({
            "sequence": broken.sequence,
            "code": broken.flaw.code(),
            "why": broken.flaw.to_string(),
        })),
    })
}
