//! Power that fails: the log of the database ends anywhere, or has bytes that were never written.

use crate::{Scene, story, verify};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// How many entries each batch has.
const BATCH: usize = 5;

/// How long a page is in the log, with the head before it; the log's own head has 32 bytes.
const FRAME: usize = 4096 + 24;

/// A database and its log after some commits, as they lie on the disk while the owner lives.
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
    /// After each commit: the length of the log, and the last sequence.
    commits: Vec<(usize, u64)>,
}

impl Files {
    fn new() -> Self {
        let scene = Scene::new();
        let mut ledger = scene.open();
        let log = scene.folder.path().join("ledger.db-wal");
        let length = || fs::metadata(&log).map_or(0, |metadata| usize::try_from(metadata.len()).unwrap());
        let mut commits = vec![(length(), ledger.head().unwrap().sequence)];
        for batch in story().chunks(BATCH) {
            let head = ledger.append(batch).unwrap();
            commits.push((length(), head.sequence));
        }
        Self { database: fs::read(scene.path()).unwrap(), log: fs::read(&log).unwrap(), commits }
    }

    /// What a ledger with this log has: its last entry, after a verification.
    fn last_with(&self, folder: &Path, log: &[u8]) -> u64 {
        let path = folder.join("ledger.db");
        fs::remove_file(folder.join("ledger.db-shm")).ok();
        fs::write(&path, &self.database).unwrap();
        fs::write(folder.join("ledger.db-wal"), log).unwrap();
        let found = verify(&path);
        assert_eq!(found.broken, None, "a log of {} bytes", log.len());
        found.last
    }

    /// The last entry that was acknowledged when the log was this long.
    fn acknowledged(&self, length: usize) -> u64 {
        self.commits.iter().rfind(|(end, _)| *end <= length).map_or(0, |(_, last)| *last)
    }
}

#[test]
fn wherever_the_log_ends_the_ledger_is_whole_up_to_a_commit() {
    let files = Files::new();
    let folder = TempDir::new().unwrap();
    let [.., (before, _), (end, _)] = files.commits[..] else { panic!("two commits") };
    assert_eq!(end, files.log.len());
    let mut cuts = 0;
    // Every byte at the end and around the head of each page of the last commit, some of the others.
    let near = |length: usize| end - length < 1_000 || (length - 32) % FRAME < 40;
    for length in (before..=end).filter(|length| near(*length) || length % 61 == 0) {
        assert_eq!(files.last_with(folder.path(), &files.log[..length]), files.acknowledged(length), "cut at {length}");
        cuts += 1;
    }
    println!("logs cut and opened: {cuts}");
    assert!(cuts > 1_000, "{cuts}");
}

#[test]
fn a_log_with_bytes_that_were_never_written_is_whole_up_to_a_commit() {
    let files = Files::new();
    let folder = TempDir::new().unwrap();
    let [.., (before, acknowledged), (end, last)] = files.commits[..] else { panic!("two commits") };
    let mut spoilt = 0;
    for index in (before..end).step_by(23) {
        let mut log = files.log.clone();
        log[index] ^= 0x40;
        let found = files.last_with(folder.path(), &log);
        assert_eq!(found, acknowledged, "byte {index}: the commit before the spoilt one is the last");
        spoilt += 1;
    }
    assert_eq!(files.last_with(folder.path(), &files.log), last);
    println!("logs spoilt and opened: {spoilt}");
    assert!(spoilt > 300, "{spoilt}");
}
