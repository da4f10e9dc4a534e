//! A process that appends to the ledger is killed at random moments, or its disk is full: what it acknowledged is there, each record once, and the chain is whole.

use luigi_tests::ledger::records;
use luigi_tests::needs::Need;
use luigi_workflow::ledger::{Ledger, Reader};
use std::io::{BufRead as _, BufReader};
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
    for _ in 0..KILLS {
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

        let there = records(&path);
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

/// The disk is full in the middle of a batch; then there is room again.
#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    if !Need::Mounts.is_met() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Until it fails; then there is more room, for twenty batches more. What lies there is copied before the file system goes.
    let script = r#"
        set -eu
        mkdir disk full more
        mount -t tmpfs -o size=600k none disk
        "$APPENDER" disk/ledger.db segment >full/said 2>full/errors && exit 1
        cp disk/ledger.db* full/
        mount -o remount,size=4m disk
        { "$APPENDER" disk/ledger.db segment 2>/dev/null || true; } | head -n 20 >more/said
        cp disk/ledger.db* more/
    "#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .env("APPENDER", env!("CARGO_BIN_EXE_luigi-test-appender"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let errors = std::fs::read_to_string(folder.path().join("full/errors")).unwrap();
    assert!(errors.contains("disk is full"), "{errors}");
    let [full, more] = ["full", "more"].map(|name| {
        let said = std::fs::read_to_string(folder.path().join(name).join("said")).unwrap();
        let acknowledged: u64 = said.lines().last().expect("some batches fit").parse().unwrap();
        let there = records(&folder.path().join(name).join("ledger.db"));
        assert!(there >= acknowledged, "{name}: {there} of {acknowledged} are there");
        (acknowledged, there)
    });
    assert!(more.0 > full.1, "it goes on where it stopped");
    println!("on a full disk: {} acknowledged, {} there; with more room {} and {}", full.0, full.1, more.0, more.1);
}
