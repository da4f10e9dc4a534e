//! `luigi audit story`: everything that hangs together with one request or grant.

use super::{Printer, open};
use crate::Found;
use crate::args::Story;
use crate::failure::Failure;

pub(super) fn run(arguments: &Story) -> Result<Found, Failure> {
    let reader = open(&arguments.shown.source)?;
    let mut entries = reader.story(&arguments.id)?;
    if entries.is_empty() {
        // Evaluation ids are in lower case, and some who copy them make capitals of them.
        entries = reader.story(&arguments.id.to_ascii_lowercase())?;
    }
    if entries.is_empty() {
        let id = arguments.id.escape_debug();
        return Err(Failure::usage(format!("the ledger has no evaluation, access request or grant `{id}`")));
    }
    let mut printer = Printer::new(&arguments.shown);
    entries.into_iter().try_for_each(|entry| printer.print(entry))?;
    Ok(Found::Fine)
}
