//! The way of records from the spool into the ledger.
//!
//! INVARIANT (drained-once): a segment is read on from where the ledger says that it was read, what was read is appended in the transaction that moves this place on, and a segment is removed
//! only after its end is there. Whatever fails in between, everything that is open is forgotten and read again from the places in the ledger.

use super::convert::{self, Origin};
use super::metrics::{Counted, Shared};
use super::responses::{Moment, Responses, SETTLED};
use crate::ledger::{Batch, Ledger, LedgerError, NewEntry, ReadSegment, SpoolRecord};
use luigi_runtime::spool::{Next, Position, Record, SegmentError, SegmentId, SegmentReader, SpoolReader};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The most records of a transaction, and of a segment in a row.
const MOST_RECORDS: usize = 4_000;

/// After so many bytes of segments a transaction is closed, so that memory stays bounded whatever records there are.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The most segments that are open at a time; the others wait for their turn.
const MOST_OPEN: usize = 256;

/// A spool that is being drained.
pub(super) struct Drain {
    path: PathBuf,
    reader: SpoolReader,
    /// Nobody else drains it as long as this is open.
    lock: File,
    open: BTreeMap<SegmentId, Open>,
    /// Segments and files that stay where they are, of which that was told.
    left: BTreeSet<String>,
}

/// A spool for us alone: two that drain one have each a part of the records, or both have all.
fn alone(path: &Path) -> io::Result<(SpoolReader, File)> {
    let lock = File::open(path)?;
    lock.try_lock().map_err(|refused| match refused {
        TryLockError::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "another process drains it"),
        TryLockError::Error(error) => error,
    })?;
    Ok((SpoolReader::open(path)?, lock))
}

/// A segment that is being read.
struct Open {
    reader: SegmentReader,
    name: String,
    node: String,
    writer: String,
    process: u32,
    /// The sequence of its header: those of one writer are read in this order.
    first: u64,
    /// Whether it is known what came before it.
    joined: bool,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    /// How many entries were appended.
    pub(super) entries: usize,
    /// Whether everything that was in the spool when it began is in the ledger.
    pub(super) caught_up: bool,
}

/// What is appended together.
#[derive(Default)]
struct Pending {
    batch: Batch,
    counted: Counted,
    bytes: u64,
    drained: Vec<SegmentId>,
}

impl Drain {
    /// Opens the spool; its directory is made if it is not there. `others` are the places of what is not the spool's: whatever lies in a spool and is no segment is set aside.
    pub(super) fn open(path: &Path, others: &[&Path]) -> io::Result<Self> {
        if !path.exists() {
            use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
            std::fs::DirBuilder::new().recursive(true).mode(0o770).create(path)?;
            // Records belong to whoever drains, whichever process wrote them.
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o2770))?;
        }
        let spool = path.canonicalize()?;
        // What is not there yet lies where its nearest folder does.
        let lies = |other: &Path| other.ancestors().find_map(|there| there.canonicalize().ok());
        if let Some(other) = others.iter().find(|other| lies(other).is_some_and(|there| there.starts_with(&spool))) {
            let why = format!(
                "`{}` lies in it\nhelp: give the spool a directory of its own, or what is there would be set aside",
                other.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let (reader, lock) = alone(path)?;
        reader.list()?;
        Ok(Self { path: path.to_owned(), reader, lock, open: BTreeMap::new(), left: BTreeSet::new() })
    }

    /// Forgets what was read but not appended.
    pub(super) fn forget(&mut self) {
        self.open.clear();
    }

    /// Reads what is there and appends it. After an error [`forget`](Self::forget) must be called, and `responses` loaded anew.
    pub(super) fn pass(
        &mut self,
        ledger: &mut Ledger,
        responses: &mut Responses,
        shared: &Shared,
    ) -> Result<Pass, DrainError> {
        if !self.reader.is_at(&self.path) {
            tracing::error!(spool = %self.path.display(), "another directory is in the place of the spool; what was not read of the old one is lost");
            self.open.clear();
            (self.reader, self.lock) = alone(&self.path).map_err(DrainError::Spool)?;
        }
        let listing = self.reader.list().map_err(DrainError::Spool)?;
        for name in &listing.foreign {
            match self.reader.set_aside(name) {
                Ok(there) => {
                    shared.metrics.foreign_files.add(1);
                    tracing::warn!(file = ?name, set_aside = ?there, "a file that does not belong into the spool was set aside");
                }
                Err(error) => self.leave(&name.to_string_lossy(), &error.to_string()),
            }
        }
        self.open.retain(|id, _| listing.segments.binary_search(id).is_ok());
        let mut pending = Pending::default();
        let mut caught_up = true;
        for id in &listing.segments {
            if self.open.len() >= MOST_OPEN {
                caught_up = false;
                break;
            }
            if !self.open.contains_key(id) {
                self.begin(*id, ledger, &mut pending).map_err(DrainError::Ledger)?;
            }
        }
        shared.metrics.segments.set(listing.segments.len() as u64);
        let mut pass = Pass::default();
        for id in self.open.keys().copied().collect::<Vec<_>>() {
            if self.is_behind_another(id) {
                caught_up = false;
                continue;
            }
            let Some(open) = self.open.get_mut(&id) else { continue };
            caught_up &= read(id, open, ledger, responses, &mut pending)?;
            if pending.batch.len() >= MOST_RECORDS || pending.bytes >= MOST_BYTES {
                pass.entries += self.append(&mut pending, ledger, responses, shared)?;
            }
        }
        if caught_up {
            let given_up = responses.give_up(Moment::now());
            pending.counted.no_responses += given_up.len() as u64;
            pending.batch.entries.extend(given_up);
        }
        pass.entries += self.append(&mut pending, ledger, responses, shared)?;
        pass.caught_up = caught_up;
        shared.metrics.waiting_responses.set(responses.len() as u64);
        Ok(pass)
    }

    /// Opens a segment where it was left.
    fn begin(&mut self, id: SegmentId, ledger: &mut Ledger, pending: &mut Pending) -> Result<(), LedgerError> {
        let name = id.to_string();
        match self.reader.segment(id) {
            Ok(mut reader) => {
                let start = reader.position();
                let header = reader.header();
                let writer = header.writer.iter().map(|byte| format!("{byte:02x}")).collect();
                let (node, process) = (header.node.to_owned(), header.process);
                let place = ledger.spool_place(&name)?;
                if let Some((offset, sequence)) = place {
                    reader.seek(Position { offset, sequence });
                }
                let (first, joined) = (start.sequence.saturating_sub(1), place.is_some());
                self.left.remove(&name);
                self.open.insert(id, Open { reader, name, node, writer, process, first, joined });
            }
            Err(SegmentError::Empty) => pending.drained.push(id),
            Err(SegmentError::Waiting) => {}
            Err(error @ SegmentError::Foreign) => {
                // Whoever still writes there would write on.
                let is_let_go_of = self.reader.is_abandoned(id).unwrap_or(false);
                match is_let_go_of.then(|| self.reader.set_aside(&id.file_name().into())) {
                    Some(Ok(there)) => {
                        let reason = format!(
                            "{error}; it was set aside as {}, with an unknown number of records",
                            there.display()
                        );
                        tracing::error!(segment = name, "{reason}");
                        pending.batch.entries.push(convert::unreadable(1, &name, reason));
                    }
                    Some(Err(failed)) => self.leave(&name, &failed.to_string()),
                    None => self.leave(&name, &error.to_string()),
                }
            }
            Err(error @ (SegmentError::Version(_) | SegmentError::Failed(_))) => self.leave(&name, &error.to_string()),
        }
        Ok(())
    }

    /// Says once that something stays where it is.
    fn leave(&mut self, name: &str, why: &str) {
        if self.left.insert(name.to_owned()) {
            tracing::error!(file = name, "it is left in the spool: {why}");
        }
    }

    /// Whether an earlier segment of the same writer is still being read.
    fn is_behind_another(&self, id: SegmentId) -> bool {
        let Some(this) = self.open.get(&id) else { return false };
        self.open.values().any(|other| other.writer == this.writer && other.first < this.first)
    }

    /// Appends what is pending and removes the segments whose end is then in the ledger.
    fn append(
        &mut self,
        pending: &mut Pending,
        ledger: &mut Ledger,
        responses: &mut Responses,
        shared: &Shared,
    ) -> Result<usize, DrainError> {
        let Pending { mut batch, counted, drained, bytes: _ } = std::mem::take(pending);
        let appended = batch.len();
        if !batch.is_empty() {
            let next = ledger.head().map_err(DrainError::Ledger)?.sequence + 1;
            batch.kept.push((SETTLED, responses.settled_before(next).to_string()));
            let started = std::time::Instant::now();
            let head = ledger.append_batch(&batch).map_err(DrainError::Ledger)?;
            shared.appended(appended, head, started.elapsed());
            shared.metrics.add(&counted);
        }
        for id in &drained {
            self.open.remove(id);
            self.reader.remove(*id).map_err(DrainError::Spool)?;
        }
        let names: Vec<String> = drained.iter().map(ToString::to_string).collect();
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            ledger.forget_segments(&names).map_err(DrainError::Ledger)?;
            shared.metrics.segments_removed.add(names.len() as u64);
        }
        Ok(appended)
    }

    /// Forgets the places of segments that are gone: whoever removed one was stopped before it could say so.
    pub(super) fn tidy(&self, ledger: &mut Ledger) -> Result<(), DrainError> {
        let there: BTreeSet<String> =
            self.reader.list().map_err(DrainError::Spool)?.segments.iter().map(ToString::to_string).collect();
        let held = ledger.segments().map_err(DrainError::Ledger)?;
        let gone: Vec<&str> = held.iter().map(String::as_str).filter(|name| !there.contains(*name)).collect();
        ledger.forget_segments(&gone).map_err(DrainError::Ledger)
    }
}

/// Why a pass did not end.
#[derive(Debug)]
pub(super) enum DrainError {
    /// The spool cannot be read.
    Spool(io::Error),
    /// The ledger cannot be written.
    Ledger(LedgerError),
}

/// Reads a segment as far as it goes, or as is fair to the others; whether it was read to its end.
fn read(
    id: SegmentId,
    open: &mut Open,
    ledger: &Ledger,
    responses: &mut Responses,
    pending: &mut Pending,
) -> Result<bool, DrainError> {
    let before = open.reader.position();
    let mut records = Vec::new();
    let mut missing: Vec<NewEntry> = Vec::new();
    // The place in a new segment is kept at once, and with it that what came before was told.
    let is_new = !open.joined;
    if is_new {
        let expected = ledger.spool_writer(&open.writer).map_err(DrainError::Ledger)?.unwrap_or(0);
        if open.first > expected {
            let count = open.first - expected;
            let reason = format!(
                "up to {count} records of process {} on {} are gone: what it wrote before this segment is not there",
                open.process, open.node
            );
            tracing::error!(segment = open.name, "{reason}");
            pending.counted.lost = pending.counted.lost.saturating_add(count);
            missing.push(convert::unreadable(count, &open.name, reason));
        }
        open.joined = true;
    }
    let Open { reader, name, node, .. } = open;
    let (now, head) = (Moment::now(), ledger.head().map_err(DrainError::Ledger)?.sequence);
    let end = loop {
        let offset = reader.position().offset;
        let full = records.len() >= MOST_RECORDS || offset - before.offset >= MOST_BYTES;
        // What is missing before a record goes with it.
        if full && missing.is_empty() {
            break End::NotYet;
        }
        let origin = Origin { node, segment: name, offset };
        let entry = match reader.next().map_err(DrainError::Spool)? {
            Next::Record { record, .. } => entry(&record, origin, responses, ledger, now, head, &mut pending.counted)?,
            Next::Damaged { bytes, records } => {
                let reason = match records {
                    Some(count) => format!("{bytes} bytes at {offset} are damaged, where {count} records were"),
                    None => format!("{bytes} bytes at {offset} are damaged; how many records they were cannot be told"),
                };
                tracing::error!(segment = name, "{reason}");
                let count = records.unwrap_or(1);
                pending.counted.lost = pending.counted.lost.saturating_add(count);
                let entry = convert::unreadable(count, name, reason);
                if bytes == 0 {
                    // The place does not move on: it goes with the record that follows.
                    missing.push(entry);
                    continue;
                }
                entry
            }
            Next::Waiting => break End::Read,
            Next::Drained { torn_bytes } => {
                if torn_bytes > 0 {
                    // Nobody was told that it was written.
                    tracing::info!(segment = name, torn_bytes, "a record was not written to its end");
                }
                break End::Drained;
            }
        };
        let end = reader.position().offset;
        records.extend(missing.drain(..).map(|entry| SpoolRecord { end, entry }));
        records.push(SpoolRecord { end, entry });
    };
    let after = open.reader.position();
    pending.bytes += after.offset - before.offset;
    // Nothing followed: then there is no place for them to go with.
    pending.batch.entries.append(&mut missing);
    if after != before || is_new || matches!(end, End::Drained) {
        pending.batch.segments.push(ReadSegment {
            segment: open.name.clone(),
            records,
            upto: after.offset,
            next: after.sequence,
            writer: open.writer.clone(),
        });
    }
    if matches!(end, End::Drained) {
        pending.drained.push(id);
    }
    Ok(!matches!(end, End::NotYet))
}

/// How far a segment was read.
enum End {
    NotYet,
    Read,
    Drained,
}

fn entry(
    record: &Record<'_>,
    origin: Origin<'_>,
    responses: &mut Responses,
    ledger: &Ledger,
    now: Moment,
    head: u64,
    counted: &mut Counted,
) -> Result<NewEntry, DrainError> {
    Ok(match record {
        Record::Decision(record) => {
            counted.decision(record);
            if record.privileged && record.passed {
                responses.expect(record.evaluation, record.at_ms, head + 1, now);
            }
            convert::decision(record, origin)
        }
        Record::Response(record) => {
            counted.response(record.status);
            let decided = match responses.answered(record.evaluation) {
                Some(decided) => Some(decided),
                // It comes late, or its decision was read before this process was there.
                None => {
                    let id = convert::evaluation(record.evaluation);
                    let time = ledger.decided_at(&id).map_err(DrainError::Ledger)?;
                    time.map(|time| time.as_millisecond())
                }
            };
            convert::response(record, decided)
        }
        Record::Lost(record) => {
            counted.lost = counted.lost.saturating_add(convert::total(&record.counts));
            convert::lost(record, origin.segment)
        }
        Record::Allowed(record) => {
            counted.allowed = counted.allowed.saturating_add(record.count);
            convert::counted(record, origin.segment)
        }
    })
}
