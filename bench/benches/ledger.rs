//! How fast entries reach the disk, and how fast a ledger is verified.
//!
//! `cargo bench -p luigi-bench --bench ledger` prints a table. Each append is durable when it returns; the ledger lies in the target folder, so on a real disk if that folder does. The floor is
//! a file that is appended to and synced with the same bytes in the same batches.

use luigi_workflow::ledger::{Ledger, NewEntry, Reader, SpoolRecord, Verifier};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    // Cargo passes `--bench`; `--test` asks for a short run.
    let short = std::env::args().any(|argument| argument == "--test");
    let seconds = Duration::from_millis(if short { 1 } else { 3_000 });
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    println!("{:>22} {:>14} {:>14} {:>14}", "entries in a batch", "entries/s", "batches/s", "floor, batches/s");
    let mut entries = 0;
    let path = folder.path().join("ledger.db");
    for batch in [1, 100, 1_000] {
        let (appended, took) = append(&path, batch, seconds);
        entries += appended;
        let floor = synced(&folder.path().join("floor"), batch, seconds);
        println!(
            "{batch:>22} {:>14.0} {:>14.0} {floor:>14.0}",
            per_second(appended, took),
            per_second(appended / batch, took)
        );
    }
    let reader = Reader::open(&path).expect("the ledger can be read");
    let started = Instant::now();
    let found = Verifier::default().verify(&reader).expect("it can be verified");
    let took = started.elapsed();
    assert_eq!((found.broken, found.entries), (None, entries + 1));
    println!("{:>22} {:>14.0}", "verified", per_second(found.entries, took));
    let bytes = std::fs::metadata(&path).expect("the ledger").len();
    println!("{:>22} {:>14.0}", "bytes an entry", bytes as f64 / found.entries as f64);
}

/// Appends batches from a spool for this long; how many entries, and how long it took.
fn append(path: &Path, batch: u64, at_least: Duration) -> (u64, Duration) {
    let mut ledger = Ledger::open(path).expect("the ledger opens");
    let segment = format!("segment-{batch}");
    let (mut done, started) = (0, Instant::now());
    while done == 0 || started.elapsed() < at_least {
        let records: Vec<_> =
            (done + 1..=done + batch).map(|n| SpoolRecord { end: n, entry: record(batch, n) }).collect();
        ledger.append_from_spool(&segment, &records, done + batch).expect("the batch is appended");
        done += batch;
    }
    (done, started.elapsed())
}

/// Appends as many bytes to a file and syncs them; batches a second.
fn synced(path: &Path, batch: u64, at_least: Duration) -> f64 {
    let body = serde_json::to_vec(&record(batch, 1)).expect("an entry");
    let bytes = body.repeat(usize::try_from(batch).expect("a batch"));
    let mut file = std::fs::File::create(path).expect("a file");
    let (mut batches, started) = (0, Instant::now());
    while batches == 0 || started.elapsed() < at_least {
        file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the file is written");
        batches += 1;
    }
    per_second(batches, started.elapsed())
}

/// A decision on a privileged scope, as most entries are.
fn record(batch: u64, n: u64) -> NewEntry {
    let text = format!(
        r#"{{"time":"2026-03-02T10:02:00Z","kind":"decision","event":{{"evaluation":"{:032x}","node":"edge-1","revision":"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef","mode":"enforce","decision":"allow","reason":"allowed-by-rule","rule":"billing-staff","scope":"billing","candidate":"allow","candidate-reason":"allowed-by-rule","candidate-rule":"billing-staff","outcome":"pass","privileged":true,"grant":"grant-{}","person":{{"issuer":"https://id.example.com","subject":"00u9x1"}},"source":"203.0.113.9","method":"POST","host":"admin.example.com","path":"/billing/refunds/{n}","user-agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","spool":{{"segment":"edge-1-4711-0-a1b2c3d4","offset":{}}}}}}}"#,
        u128::from(batch) << 64 | u128::from(n),
        n / 50,
        n * 400,
    );
    serde_json::from_str(&text).expect("an entry")
}

fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
