//! Retention: the oldest entries go to a file and leave the ledger, and the chain goes on from their hash.
//!
//! INVARIANT (retired-on-record): entries leave only in the transaction that appends the entry which says where they went and what their hash was. Verification
//! begins at that hash only if that entry says the same.

use super::chain::Chain;
use super::entry::{Hash, NewEntry};
use super::error::LedgerError;
use super::event::{Event, Retired};
use super::export::{self, ExportHead};
use super::reader::{self, Reader, RetiredRange};
use super::verify::Verifier;
use super::writer::{self, Ledger};
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

impl Ledger {
    /// Writes all entries up to `upto` that are still here to a file in `folder`, verifies that file, and removes them here. The last entry stays: a ledger is never empty.
    ///
    /// The ledger is verified up to there before: what is broken is evidence, and stays. A crash leaves the entries in the ledger, and perhaps a file that is
    /// written again later.
    ///
    /// # Errors
    /// There is nothing to retire, the ledger is broken, or a file or the database cannot be written.
    pub fn retire(&mut self, upto: u64, folder: &Path) -> Result<(Retired, PathBuf), LedgerError> {
        let reader = Reader::open(self.path())?;
        let range = reader.last_retired()?;
        let begin = range.map_or(Chain::START, |RetiredRange { last, head, .. }| Chain { sequence: last, hash: head });
        let first = begin.sequence + 1;
        let head = writer::head(self.connection())?;
        if upto < first || upto >= head.sequence {
            return Err(LedgerError::usage(format!(
                "only entries from {first} up to {} can be retired",
                head.sequence.saturating_sub(1)
            )));
        }
        let found = Verifier { upto: Some(upto), ..Verifier::default() }.verify(&reader)?;
        if let Some(broken) = found.broken {
            return Err(LedgerError::content(format!(
                "entry {} is broken, so nothing is retired: {}",
                broken.sequence, broken.flaw
            )));
        }
        let ledger = reader
            .ledger_id()?
            .ok_or_else(|| LedgerError::content("the ledger is damaged: no entry says which one it is"))?;
        let export = ExportHead {
            first,
            head: found.head.to_string(),
            last: upto,
            ledger: ledger.clone(),
            previous: begin.hash.to_string(),
            version: 1,
        };
        std::fs::create_dir_all(folder).map_err(|error| LedgerError::cannot("make the folder", folder, &error))?;
        let file = format!("ledger-{first}-{upto}.jsonl");
        let path = folder.join(&file);
        let sha256 = write(&reader, &export, &path)?;
        let written = Verifier::default().verify_exported(&path)?;
        if written.broken.is_some() || written.head != export {
            return Err(LedgerError::environment(format!("`{}` is not what was written to it", path.display())));
        }
        let retired = Retired { ledger, first, last: upto, previous: export.previous, head: export.head, file, sha256 };
        self.remove(&retired, found.head)?;
        Ok((retired, path))
    }

    /// The last entry of which all that come before it and itself are older than `time`; `None` if the first is not.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn last_before(&self, time: Timestamp) -> Result<Option<u64>, LedgerError> {
        let time = super::entry::time_text(time);
        let query = "SELECT coalesce((SELECT min(sequence) FROM entries WHERE time >= ?1), (SELECT max(sequence) FROM entries) + 1) - 1, (SELECT min(sequence) FROM entries)";
        let (last, first): (i64, i64) =
            self.connection().query_row(query, [time], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(u64::try_from(last).ok().filter(|_| last >= first))
    }

    fn remove(&mut self, retired: &Retired, head: Hash) -> Result<(), LedgerError> {
        let transaction = self.transaction()?;
        // Nobody else may have done it meanwhile.
        if reader::last_retired(&transaction)?.map_or(0, |range| range.last) + 1 != retired.first {
            return Err(LedgerError::owned("entries were retired by somebody else meanwhile"));
        }
        let event = Event::Retired(retired.clone());
        let said = writer::append(&transaction, &[NewEntry { time: Timestamp::now(), event }])?;
        let number = |n: u64| i64::try_from(n).map_err(|_| LedgerError::usage("the ledger has no sequences left"));
        let (first, last, entry) = (number(retired.first)?, number(retired.last)?, number(said.sequence)?);
        transaction
            .execute("INSERT INTO retired VALUES (?1, ?2, ?3, ?4)", (first, last, entry, head.as_bytes().as_slice()))?;
        transaction.execute("DELETE FROM entries WHERE sequence <= ?1", [last])?;
        transaction.execute("DELETE FROM checkpoints WHERE sequence < ?1", [last])?;
        Ok(transaction.commit()?)
    }
}

/// Writes the file whole, under its name only when it is on the disk; its SHA-256 in hex.
fn write(reader: &Reader, head: &ExportHead, path: &Path) -> Result<String, LedgerError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let cannot = |error: std::io::Error| LedgerError::cannot("write the retired entries to", path, &error);
    let temporary = path.with_extension("new");
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary).map_err(cannot)?;
    let mut out = Hashed { file: BufWriter::new(file), context: Context::new(&SHA256) };
    export::write_head(&mut out, head).map_err(cannot)?;
    let stopped = reader.stored(head.first - 1, |sequence, _, body, hash| {
        if sequence > head.last {
            return ControlFlow::Break(Ok(()));
        }
        let hash = Hash::from_bytes(hash).unwrap_or(Hash::ZERO);
        match export::write_entry(&mut out, body, &hash) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    })?;
    stopped.unwrap_or(Ok(())).map_err(cannot)?;
    let Hashed { file, context } = out;
    let file = file.into_inner().map_err(|error| cannot(error.into_error()))?;
    file.sync_all().map_err(cannot)?;
    std::fs::rename(&temporary, path).map_err(cannot)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A file whose content is hashed as it is written.
struct Hashed {
    file: BufWriter<File>,
    context: Context,
}

impl std::io::Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.context.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
