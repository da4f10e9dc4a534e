//! `luigi changes`: what each apply changed, from the records that it kept.

use super::apply::word;
use crate::Found;
use crate::args;
use crate::failure::Failure;
use crate::output::{Format, print, print_json, style};
use crate::state;
use luigi_core::explain::Tone;
use luigi_runtime::feed::PublicKey;
use luigi_workflow::changes::{Changes, folder, list, read};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

pub(crate) fn run(arguments: &args::Changes) -> Result<Found, Failure> {
    let key_path = state::public_key(arguments.public_key.as_deref());
    let at = key_path.display();
    let text = std::fs::read_to_string(&key_path)
        .map_err(|error| Failure::environment(format!("cannot read the public key `{at}`: {error}")))?;
    let key =
        PublicKey::parse(&text).map_err(|error| Failure::environment(format!("`{at}` is no public key: {error}")))?;
    let in_full = !arguments.records.is_empty();
    let paths = match in_full {
        true => arguments.records.clone(),
        false => list(&folder(&key_path)).map_err(Failure::environment)?,
    };
    let found: Vec<_> = paths.into_iter().map(|path| (read(&path, &key), path)).collect();
    match arguments.format {
        Format::Json => print_json(&found.iter().map(as_json).collect::<Vec<_>>())?,
        Format::Human if found.is_empty() => {
            print(&format!("no records in {}\n", folder(&key_path).display()))?;
        }
        Format::Human => print(&found.iter().map(|one| human(one, in_full)).collect::<Vec<_>>().concat())?,
    }
    Ok(if found.iter().all(|(record, _)| record.is_ok()) { Found::Fine } else { Found::Problems })
}

fn human((record, path): &(Result<Changes, String>, PathBuf), in_full: bool) -> String {
    let (bold, bad, faint) = (style(Tone::Strong), style(Tone::Bad), style(Tone::Faint));
    let changes = match record {
        Ok(changes) => changes,
        Err(why) => return format!("{bad}not believed{bad:#}  {why}\n"),
    };
    let short = |revision: &str| revision.get(..12).unwrap_or(revision).to_owned();
    let by = changes.by.as_deref().unwrap_or("somebody").escape_debug();
    let mode = match changes.previous_mode {
        Some(previous) if previous != changes.mode => format!("{} (was {})", word(changes.mode), word(previous)),
        Some(_) | None => word(changes.mode).to_owned(),
    };
    let mut text = format!("{bold}generation {}{bold:#}  {}  {by}", changes.generation, changes.applied_at);
    if !in_full {
        let _ = writeln!(text, "  {}  {mode}  {}", short(&changes.new_revision), changes.summary);
        return text;
    }
    let _ = writeln!(text, "\nrevision  {}  (was {})", short(&changes.new_revision), short(&changes.old_revision));
    let _ = writeln!(text, "mode      {mode}");
    let _ = writeln!(text, "{faint}signed, in {}{faint:#}\n\n{}", path.display(), changes.in_words);
    text
}

fn as_json((record, path): &(Result<Changes, String>, PathBuf)) -> serde_json::Value {
    match record {
        Ok(changes) => json!({ "record": path.display().to_string(), "changes": changes }),
        Err(why) => json!({ "record": path.display().to_string(), "not-believed": why }),
    }
}
