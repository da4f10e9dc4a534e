//! A process that appends to the ledger is killed at random moments, again and again: what it acknowledged is there, each record once, and the chain is whole.

use luigi_workflow::ledger::{Event, Filter, Ledger, LedgerError, Reader, Verifier};
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::process::{Command, Stdio};

const KILLS: u64 = 60;
const SEGMENT: &str = "edge-1-4711-0-a1b2c3d4";

#[test]
fn a_killed_daemon_loses_nothing_that_it_acknowledged_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut acknowledged = 0;
    let mut behind = 0;
    // Numbers that look random and are the same each time (Knuth's MMIX generator).
    let mut state = 0x4c75_6967_6921_u64;
    for round in 0..KILLS {
        let mut child = Command::new(env!("CARGO_BIN_EXE_luigi-test-appender"))
            .arg(&path)
            .arg(SEGMENT)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the appender starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wait = |lines: &mut dyn Iterator<Item = std::io::Result<String>>| {
            let line = lines.next().expect("it goes on until it is killed").unwrap();
            acknowledged = line.parse::<u64>().unwrap();
        };
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..1 + (state >> 33) % 6 {
            wait(&mut lines);
        }
        // Somewhere in the next batch, or after it.
        for _ in 0..(state >> 40) % 200_000 {
            std::hint::spin_loop();
        }
        child.kill().expect("SIGKILL");
        child.wait().unwrap();
        for line in lines {
            acknowledged = line.unwrap().parse().unwrap();
        }

        let reader = Reader::open(&path).unwrap();
        let found = Verifier::default().verify(&reader).unwrap();
        assert_eq!(found.broken, None, "after kill {round}");
        let mut next = 1;
        let scanned: Result<(), LedgerError> = reader.scan(1, &Filter::default(), |entry| {
            let Event::Decision(decision) = &entry.event else { panic!("{entry:?}") };
            assert_eq!(decision.path, format!("/{next}"), "each once, in order");
            next += 1;
            Ok(ControlFlow::Continue(()))
        });
        scanned.unwrap();
        let there = next - 1;
        assert!(there >= acknowledged, "{there} of {acknowledged} acknowledged are there");
        behind += u64::from(there > acknowledged);
    }
    let position = Ledger::open(&path).unwrap().spool_position(SEGMENT).unwrap();
    let there = Reader::open(&path).unwrap().head().unwrap().sequence - 1;
    assert_eq!(position, Some(there), "the position goes with the entries");
    println!(
        "kills: {KILLS}; acknowledged: {acknowledged}; in the ledger: {there}; killed between commit and acknowledgement: {behind}"
    );
}
