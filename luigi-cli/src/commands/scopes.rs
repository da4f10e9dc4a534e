//! `luigi scopes from-openapi`: one scope for each operation of an API.

use crate::args::{FromOpenapi, Scopes};
use crate::failure::Failure;
use crate::openapi::{Changes, Said, Vanished, merge, read};
use crate::output::{count, print};
use crate::{Found, files};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

pub(crate) fn run(arguments: &Scopes) -> Result<Found, Failure> {
    match arguments {
        Scopes::FromOpenapi(arguments) => from_openapi(arguments),
    }
}

fn from_openapi(arguments: &FromOpenapi) -> Result<Found, Failure> {
    let shown = arguments.description.display();
    let text = read_text(&arguments.description)?;
    let description = read(&text).map_err(|why| Failure::Problems(format!("error: cannot use `{shown}`: {why}\n")))?;
    let old = match &arguments.to {
        None => String::new(),
        Some(path) => match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            old => old.map_err(|error| Failure::environment(format!("cannot read `{}`: {error}", path.display())))?,
        },
    };
    let vanished = if arguments.prune { Vanished::Remove } else { Vanished::Keep };
    let target = arguments.to.as_deref().map_or_else(|| shown.to_string(), |path| path.display().to_string());
    let (new, changes) = merge(&old, &description, &arguments.hosts, vanished)
        .map_err(|why| Failure::Problems(format!("error: `{target}`: {why}\n")))?;
    let report = report(&changes, arguments.prune);
    for problem in &description.problems {
        anstream::eprintln!("warning: `{shown}`: {problem}");
    }
    match &arguments.to {
        None => {
            print(&new)?;
            anstream::eprint!("{report}");
        }
        Some(_) if arguments.check => print(&report)?,
        Some(path) => {
            if new != old {
                files::replace(path, &new)
                    .map_err(|error| Failure::environment(format!("cannot write `{}`: {error}", path.display())))?;
            }
            print(&report)?;
        }
    }
    let stale = new != old || (!changes.vanished.is_empty() && !arguments.prune);
    Ok(if arguments.check && stale { Found::Problems } else { Found::Fine })
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let read = if path.as_os_str() == "-" { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    read.map_err(|error| Failure::environment(format!("cannot read `{}`: {error}", path.display())))
}

fn report(changes: &Changes, pruned: bool) -> String {
    let mut text = String::new();
    for name in &changes.new {
        text.push_str(&format!("new       {name}\n"));
    }
    for (name, before, after) in &changes.changed {
        text.push_str(&format!("changed   {name}: {} -> {}\n", before.join(", "), after.join(", ")));
    }
    for Said { scope, key, before, document, taken } in &changes.said {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (before, document) = (or_none(before), or_none(document));
        match taken {
            true => text.push_str(&format!("changed   {scope}: {key} {before} -> {document}\n")),
            false => text.push_str(&format!("kept      {scope}: {key} {before}; the document has {document}\n")),
        }
    }
    if changes.noted > 0 {
        let scopes = count(changes.noted, "scope");
        text.push_str(&format!("noted     {scopes}: hosts, tags and description follow the document from now on\n"));
    }
    for name in &changes.vanished {
        let fate = if pruned { "removed" } else { "still there; `--prune` takes it away" };
        text.push_str(&format!("vanished  {name} ({fate})\n"));
    }
    let taken = changes.said.iter().filter(|said| said.taken).map(|said| &said.scope);
    let changed: BTreeSet<&String> = changes.changed.iter().map(|(name, ..)| name).chain(taken).collect();
    text.push_str(&format!(
        "{}: {} new, {} changed, {} vanished\n",
        count(changes.new.len() + changed.len() + changes.same, "operation"),
        changes.new.len(),
        changed.len(),
        changes.vanished.len()
    ));
    text
}
