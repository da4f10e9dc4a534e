//! Appends records of a spool to a ledger until it is killed, and prints how far it got after each commit. For tests of what a killed daemon leaves behind.
//!
//! `luigi-test-appender LEDGER SEGMENT [BATCHES]`: goes on where the ledger says that the segment was read up to. Record n ends at offset n and has n in its path.

use luigi_workflow::ledger::{Ledger, NewEntry, SpoolRecord};
use std::io::Write as _;
use std::path::PathBuf;

/// How many records a batch has, in turn.
const BATCHES: [u64; 5] = [1, 7, 2, 40, 3];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().expect("a ledger"));
    let segment = arguments.next().expect("a segment");
    let batches = arguments.next().map_or(usize::MAX, |text| text.parse().expect("a number of batches"));
    let mut ledger = Ledger::open(&path).unwrap_or_else(|error| panic!("{error}"));
    let mut done = ledger.spool_position(&segment).expect("a position").unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for size in BATCHES.into_iter().cycle().take(batches) {
        let records: Vec<_> = (done + 1..=done + size).map(|n| SpoolRecord { end: n, entry: record(n) }).collect();
        ledger.append_from_spool(&segment, &records, done + size).unwrap_or_else(|error| panic!("{error}"));
        done += size;
        writeln!(out, "{done}").and_then(|()| out.flush()).expect("somebody reads");
    }
}

fn record(n: u64) -> NewEntry {
    serde_json::from_value(serde_json::json!({
        "time": "2026-03-02T10:00:00Z",
        "kind": "decision",
        "event": {
            "evaluation": format!("{n:032x}"),
            "node": "edge-1",
            "revision": "5f70bf18",
            "mode": "enforce",
            "decision": "deny",
            "reason": "no-rule-allows",
            "candidate": "deny",
            "candidate-reason": "no-rule-allows",
            "outcome": "refuse",
            "privileged": false,
            "method": "GET",
            "path": format!("/{n}"),
        },
    }))
    .expect("an entry to append")
}
