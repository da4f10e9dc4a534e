//! `luigi fmt`: policy files in their usual layout.

use crate::args::Fmt;
use crate::failure::Failure;
use crate::layout::layout;
use crate::output::{self, print};
use crate::{Found, files};
use luigi_runtime::policy_files;
use std::fs;
use std::io::Read as _;
use std::path::Path;

pub(crate) fn run(arguments: &Fmt) -> Result<Found, Failure> {
    let mut found = Found::Fine;
    for path in &arguments.paths {
        if path.as_os_str() == "-" {
            found = found.and(standard_input(arguments.check)?);
            continue;
        }
        for file in policy_files::files(path).map_err(Failure::environment)? {
            found = found.and(one_file(&file, arguments.check)?);
        }
    }
    Ok(found)
}

fn standard_input(check: bool) -> Result<Found, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::environment(format!("cannot read standard input: {error}")))?;
    let Some(written) = laid_out("<standard input>", &text)? else { return Ok(Found::Problems) };
    if check {
        return differs(&text, &written, "<standard input>");
    }
    print(&written)?;
    Ok(Found::Fine)
}

/// Prints the name of a file that was changed, or would be.
fn one_file(file: &Path, check: bool) -> Result<Found, Failure> {
    let name = file.display().to_string();
    let fails = |what: &str, error: std::io::Error| Failure::environment(format!("cannot {what} `{name}`: {error}"));
    let text = fs::read_to_string(file).map_err(|error| fails("read", error))?;
    let Some(written) = laid_out(&name, &text)? else { return Ok(Found::Problems) };
    if check {
        return differs(&text, &written, &name);
    }
    if written != text {
        files::replace(file, &written).map_err(|error| fails("write", error))?;
        print(&format!("{name}\n"))?;
    }
    Ok(Found::Fine)
}

fn differs(text: &str, written: &str, name: &str) -> Result<Found, Failure> {
    if text == written {
        return Ok(Found::Fine);
    }
    print(&format!("{name}\n"))?;
    Ok(Found::Problems)
}

/// The text in its layout; `None` if it is not TOML, which has been said then.
fn laid_out(name: &str, text: &str) -> Result<Option<String>, Failure> {
    match layout(name, text) {
        Ok(written) => Ok(Some(written)),
        Err(unreadable) => {
            print(&output::diagnostics(&unreadable.diagnostics, &unreadable.sources))?;
            Ok(None)
        }
    }
}
