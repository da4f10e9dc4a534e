//! When a checkpoint is due, and making one.

use super::checkpoint::Checkpoint;
use super::entry::NewEntry;
use super::error::LedgerError;
use super::reader;
use super::sinks::Sink;
use super::writer::{self, Head, Ledger};
use crate::disk::Disk;
use crate::signing_key::SigningKey;
use jiff::{SignedDuration, Timestamp};
use ring::signature::Ed25519KeyPair;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The key that checkpoints are signed with.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    public_path: PathBuf,
}

impl CheckpointKey {
    /// Reads the key (PKCS #8); made if it is not there, its public half beside it with the ending `.pub`.
    ///
    /// # Errors
    /// It cannot be read or written, or is no Ed25519 key.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let key = SigningKey::open(path, &mut Disk::new(&mut |_| Ok(()))).map_err(LedgerError::environment)?;
        Ok(Self { pair: key.pair, public_path: key.public_path })
    }

    /// Where the public half lies.
    #[must_use]
    pub fn public_path(&self) -> &Path {
        &self.public_path
    }
}

impl std::fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointKey").field("public_path", &self.public_path).finish_non_exhaustive()
    }
}

/// How often checkpoints are made: after so many entries or so long, whichever comes first, and only if there is something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// After so many entries.
    pub entries: u64,
    /// After so long.
    pub interval: SignedDuration,
}

impl Default for Cadence {
    /// 1,000 entries or a minute: what can be rewritten unnoticed is at most that.
    fn default() -> Self {
        Self { entries: 1_000, interval: SignedDuration::from_mins(1) }
    }
}

impl Cadence {
    /// Whether a checkpoint is due at `now`, after one of entry `last` at `then`.
    #[must_use]
    pub fn is_due(&self, last: u64, then: Timestamp, head: Head, now: Timestamp) -> bool {
        let new = head.sequence.saturating_sub(last);
        // A clock that went back must not stop checkpoints.
        new > 0 && (new >= self.entries || now.duration_since(then).abs() >= self.interval)
    }
}

/// A checkpoint that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed line, without its end.
    pub line: String,
}

impl Ledger {
    /// Signs where the ledger stands and keeps the line. Nothing is sent: see [`Anchored::send`].
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub fn checkpoint(&mut self, key: &CheckpointKey, now: Timestamp) -> Result<Anchored, LedgerError> {
        let transaction = self.transaction()?;
        let head = writer::head(&transaction)?;
        let ledger = reader::ledger_id(&transaction)?;
        let ledger =
            ledger.ok_or_else(|| LedgerError::content("the ledger is damaged: no entry says which one it is"))?;
        let checkpoint = Checkpoint { ledger, sequence: head.sequence, hash: head.hash, time: now };
        let line = checkpoint.sign(&key.pair);
        let sequence = i64::try_from(head.sequence).unwrap_or(i64::MAX);
        transaction.execute(
            "INSERT INTO checkpoints VALUES (?1, ?2) ON CONFLICT DO UPDATE SET line = excluded.line",
            (sequence, &line),
        )?;
        transaction.commit()?;
        Ok(Anchored { checkpoint, line })
    }
}

impl Anchored {
    /// Sends the line to every place; what went wrong, for each that it did not get to.
    #[must_use]
    pub fn send(&self, sinks: &[Sink]) -> Vec<LedgerError> {
        sinks.iter().filter_map(|sink| sink.send(&self.line).err()).collect()
    }
}

/// What the ledger says about a checkpoint that did not get to its place: nothing is as silent as a witness that stopped listening.
#[must_use]
pub fn not_sent(error: &LedgerError) -> NewEntry {
    use super::event::{Event, RecordsLost};
    NewEntry::now(Event::RecordsLost(RecordsLost {
        count: 1,
        place: "checkpoint".to_owned(),
        reason: error.to_string(),
        counts: BTreeMap::new(),
        since: None,
    }))
}
