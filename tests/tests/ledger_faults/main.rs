//! Every write, sync, truncation and removal that appending to a ledger makes fails in turn, in five ways: what was acknowledged is there, each record once, the chain is whole, and
//! the next process goes on.

use luigi_tests::ledger::records;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// How many batches are appended: enough that each size of a batch was there.
const BATCHES: u64 = 5;
/// More changes than so many batches make: a loop that goes on longer would never end.
const TOO_MANY: u64 = 2_000;

/// Builds what makes calls fail.
fn shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger_faults/fault.c");
    let library = folder.join("fault.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .output()
        .expect("cc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

fn appender(ledger: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luigi-test-appender"));
    command.arg(ledger).arg("segment").arg(BATCHES.to_string());
    command
}

/// The last number that was acknowledged; 0 if none was.
fn acknowledged(output: &Output) -> u64 {
    let said = String::from_utf8(output.stdout.clone()).expect("numbers");
    said.lines().last().map_or(0, |line| line.parse().expect("a number"))
}

#[test]
fn whatever_fails_nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let shim = shim(folder.path());
    // How many changes there are shows when none is left to be killed at.
    let changes = (1..TOO_MANY).find(|at| !fault(&shim, "kill", *at)).expect("it gets through") - 1;
    assert!(changes > 30, "{changes}");
    let mut gave_up = changes;
    for how in ["torn", "eio", "enospc", "once-eio"] {
        gave_up += (1..=changes).map(|at| u64::from(fault(&shim, how, at))).sum::<u64>();
    }
    println!("changes to files: {changes}; faults: {}; runs that ended by one: {gave_up}", changes * 5);
}

/// Lets the change with this number fail; whether the process ended by it.
fn fault(shim: &Path, how: &str, at: u64) -> bool {
    // In memory where there is such a place: what a real disk would do at a sync is not what is tried here, and there are thousands of them.
    let scene = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let ledger = scene.path().join("ledger.db");
    let mut faulty = appender(&ledger);
    let output = faulty.env("LD_PRELOAD", shim).env("FAULT", how).env("FAULT_AT", at.to_string()).output().unwrap();
    let before = acknowledged(&output);
    // Nothing is acknowledged before there is a ledger.
    let there = if before > 0 { records(&ledger) } else { 0 };
    assert!(there >= before, "{how} at {at}: {there} of {before} are there");
    let again = appender(&ledger).output().unwrap();
    assert!(again.status.success(), "{how} at {at}: {}", String::from_utf8_lossy(&again.stderr));
    let after = acknowledged(&again);
    assert!(after > there, "{how} at {at}: it goes on");
    assert_eq!(records(&ledger), after, "{how} at {at}");
    !output.status.success()
}
