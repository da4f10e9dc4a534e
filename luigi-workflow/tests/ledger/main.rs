//! The audit ledger: what is appended is there exactly once, and what is changed afterwards is found.

mod anchors;
mod append;
mod damage;
mod python;
mod retention;
mod torn;

use luigi_workflow::ledger::{Entry, Filter, Ledger, LedgerError, NewEntry, Reader, Verification, Verifier};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A day of an estate: every kind of event that the ledger does not write by itself.
fn story() -> Vec<NewEntry> {
    include_str!("story.jsonl").lines().map(|line| serde_json::from_str(line).expect("an entry to append")).collect()
}

/// A ledger in a folder of its own.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: TempDir::new().expect("a folder") }
    }

    /// A scene whose ledger has the story.
    fn with_story() -> Self {
        let scene = Self::new();
        scene.open().append(&story()).expect("the story is appended");
        scene
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// Opens it. A child of another test holds our locks, too, from its fork until its program begins: that is waited for.
    fn open(&self) -> Ledger {
        let begun = Instant::now();
        loop {
            match Ledger::open(&self.path()) {
                Err(error) if error.is_owned() && begun.elapsed() < Duration::from_secs(60) => std::thread::yield_now(),
                opened => return opened.expect("the ledger opens"),
            }
        }
    }

    fn read(&self) -> Reader {
        Reader::open(&self.path()).expect("the ledger can be read")
    }

    fn verify(&self) -> Verification {
        verify(&self.path())
    }

    /// What is said to whoever wants to read it, and to whoever wants to append.
    fn refusals(&self) -> [String; 2] {
        let read = Reader::open(&self.path()).expect_err("it is not read");
        let opened = Ledger::open(&self.path()).expect_err("it is not appended to");
        [read, opened].map(|error| {
            assert!(error.is_content(), "{error}");
            error.to_string()
        })
    }

    /// Does what somebody with `sqlite3` may do.
    fn by_hand(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path()).expect("the database opens");
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn verify(path: &Path) -> Verification {
    Verifier::default().verify(&Reader::open(path).expect("the ledger can be read")).expect("it can be verified")
}

fn entries(reader: &Reader) -> Vec<Entry> {
    let mut all = Vec::new();
    let scanned: Result<(), LedgerError> = reader.scan(0, &Filter::default(), |entry| {
        all.push(entry);
        Ok(ControlFlow::Continue(()))
    });
    scanned.expect("every entry can be read");
    all
}
