//! `luigi audit follow`: entries as they are appended.

use super::{Printer, filter, open};
use crate::Found;
use crate::args::AuditFilters;
use crate::failure::Failure;
use std::ops::ControlFlow;
use std::time::Duration;

/// How often the ledger is looked at. SQLite tells nobody of changes.
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &AuditFilters) -> Result<Found, Failure> {
    let (reader, filter) = (open(&arguments.shown.source)?, filter(arguments)?);
    let mut seen = reader.head()?.sequence;
    let mut printer = Printer::new(&arguments.shown);
    printer.begin()?;
    // Entries are no older than the moment at which they are appended.
    while filter.until.is_none_or(|until| jiff::Timestamp::now() < until) {
        let head = reader.head()?.sequence;
        if head > seen {
            reader.scan(seen, &filter, |entry| {
                printer.print(entry)?;
                Ok::<_, Failure>(ControlFlow::Continue(()))
            })?;
            seen = head;
        }
        std::thread::sleep(INTERVAL);
    }
    Ok(Found::Fine)
}
