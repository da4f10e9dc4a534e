//! What a ledger has that `luigi-test-appender` appended to.

use luigi_workflow::ledger::{Event, Filter, LedgerError, Reader, Verifier};
use std::ops::ControlFlow;
use std::path::Path;

/// How many records there are. Each must be there once and in order, and the chain whole.
///
/// # Panics
/// Something is not as it must be.
#[must_use]
pub fn records(path: &Path) -> u64 {
    let reader = Reader::open(path).unwrap_or_else(|error| panic!("{error}"));
    let found = Verifier::default().verify(&reader).expect("it can be verified");
    assert_eq!(found.broken, None);
    let mut next = 1;
    let scanned: Result<(), LedgerError> = reader.scan(1, &Filter::default(), |entry| {
        let Event::Decision(decision) = &entry.event else { panic!("{entry:?}") };
        assert_eq!(decision.path, Some(format!("/{next}")), "each once, in order");
        next += 1;
        Ok(ControlFlow::Continue(()))
    });
    scanned.expect("every entry can be read");
    next - 1
}
