//! Appending: one transaction a call, durable when it returns.

use super::database;
use super::entry::{self, Hash, NewEntry, time_text};
use super::error::LedgerError;
use super::event::{Event, LedgerMade};
use super::fields::Fields;
use super::owner::Owner;
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};

/// A ledger that this process owns and appends to.
///
/// Blocks until what it was given is on the disk. A batch costs one sync, whatever its size: give it everything that waits.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
    _owner: Owner,
}

/// A record of the spool, with where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolRecord {
    /// The offset behind the record in its segment.
    pub end: u64,
    /// What it says.
    pub entry: NewEntry,
}

/// What is appended in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Entries that come from somewhere else than the spool.
    pub entries: Vec<NewEntry>,
    /// What was read of each segment.
    pub segments: Vec<ReadSegment>,
    /// Notes that the owner keeps for itself: names and values.
    pub kept: Vec<(&'static str, String)>,
}

impl Batch {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.segments.iter().map(|segment| segment.records.len()).sum::<usize>()
    }

    /// Whether there is nothing to append, to move on or to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.segments.is_empty() && self.kept.is_empty()
    }
}

/// What was read of a segment since it was read last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSegment {
    /// The segment's name.
    pub segment: String,
    /// What it says, in order.
    pub records: Vec<SpoolRecord>,
    /// Up to where it was read.
    pub upto: u64,
    /// The sequence of the frame there.
    pub next: u64,
    /// Who writes it: 32 hex digits.
    pub writer: String,
}

/// Where a ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The sequence of the last entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Ledger {
    /// Opens the ledger and becomes its owner; made if it is not there.
    ///
    /// # Errors
    /// Another process owns it (the error names that process), it is no ledger or one of a newer version, or a file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            use std::os::unix::fs::DirBuilderExt as _;
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(parent);
            made.map_err(|error| LedgerError::cannot("make a directory for the ledger", path, &error))?;
        }
        let owner = Owner::become_for(path)?;
        let mut connection = database::open_to_write(path)?;
        begin(&mut connection)?;
        Ok(Self { connection, path: path.to_owned(), _owner: owner })
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ledger stands.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn head(&self) -> Result<Head, LedgerError> {
        head(&self.connection)
    }

    /// Appends entries in one transaction: all of them are on the disk when it returns, or none is in the ledger.
    ///
    /// # Errors
    /// An event that cannot be written, or a database that cannot.
    pub fn append(&mut self, entries: &[NewEntry]) -> Result<Head, LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        let head = append(&transaction, entries)?;
        transaction.commit()?;
        Ok(head)
    }

    /// Appends the records of a segment that it has not yet, and stores that the segment was read up to `upto`, in one transaction.
    ///
    /// Records that end at or before the stored position are in the ledger already and are left out, so a call that is made again changes nothing.
    /// A position never goes back.
    ///
    /// # Errors
    /// As [`Ledger::append`]; a record that ends behind `upto`.
    pub fn append_from_spool(
        &mut self,
        segment: &str,
        records: &[SpoolRecord],
        upto: u64,
    ) -> Result<Head, LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        let head = append_segment(&transaction, segment, records, upto, None)?;
        transaction.commit()?;
        Ok(head)
    }

    /// Appends a batch in one transaction: entries, records with the positions up to which segments were read, and notes. All of it is on the disk when it returns, or nothing is in the ledger.
    ///
    /// Records and positions as in [`Ledger::append_from_spool`].
    ///
    /// # Errors
    /// As [`Ledger::append_from_spool`].
    pub fn append_batch(&mut self, batch: &Batch) -> Result<Head, LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        let mut head = append(&transaction, &batch.entries)?;
        let seen = time_text(Timestamp::now());
        for ReadSegment { segment, records, upto, next, writer } in &batch.segments {
            head = append_segment(&transaction, segment, records, *upto, Some(*next))?;
            transaction
                .prepare_cached("INSERT INTO spool_writers VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET next = max(next, excluded.next), seen = excluded.seen")?
                .execute((writer, column(*next)?, &seen))?;
        }
        for (name, value) in &batch.kept {
            transaction
                .prepare_cached("INSERT INTO kept VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
                .execute((name, value))?;
        }
        transaction.commit()?;
        Ok(head)
    }

    /// A note that [`Batch::kept`] left; `None` if there is none of this name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn kept(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM kept WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Where to go on in a segment: offset and sequence of the next frame; `None` if it is to be read from its start.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn spool_place(&self, segment: &str) -> Result<Option<(u64, u64)>, LedgerError> {
        let mut held = self
            .connection
            .prepare_cached("SELECT position, next FROM spool_positions WHERE segment = ?1 AND next IS NOT NULL")?;
        let held = held.query_row([segment], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()?;
        held.map(|(position, next)| Ok((number(position)?, number(next)?))).transpose()
    }

    /// The sequence of the next frame of a writer of the spool; `None` if nothing of it was read.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn spool_writer(&self, writer: &str) -> Result<Option<u64>, LedgerError> {
        let mut next = self.connection.prepare_cached("SELECT next FROM spool_writers WHERE writer = ?1")?;
        let next: Option<i64> = next.query_row([writer], |row| row.get(0)).optional()?;
        next.map(number).transpose()
    }

    /// Forgets writers of the spool of which nothing was read since this time.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_writers(&mut self, since: Timestamp) -> Result<(), LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        transaction.execute("DELETE FROM spool_writers WHERE seen < ?1", [time_text(since)])?;
        Ok(transaction.commit()?)
    }

    /// When the decision on an evaluation was made; `None` if there is none in the ledger.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn decided_at(&self, evaluation: &str) -> Result<Option<Timestamp>, LedgerError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT time FROM entries WHERE evaluation = ?1 AND kind = 'decision' LIMIT 1")?;
        let time: Option<String> = statement.query_row([evaluation], |row| row.get(0)).optional()?;
        Ok(time.as_deref().and_then(entry::parse_time))
    }

    /// Up to where a segment's records are in the ledger; `None` if none are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn spool_position(&self, segment: &str) -> Result<Option<u64>, LedgerError> {
        position(&self.connection, segment)
    }

    /// Forgets the positions of segments that are gone from the spool. Call it after a segment was removed, never before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_segments(&mut self, gone: &[&str]) -> Result<(), LedgerError> {
        let transaction = immediate(&mut self.connection)?;
        for segment in gone {
            transaction.execute("DELETE FROM spool_positions WHERE segment = ?1", [segment])?;
        }
        Ok(transaction.commit()?)
    }

    /// The segments whose positions are held, sorted.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn segments(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.connection.prepare("SELECT segment FROM spool_positions ORDER BY segment")?;
        let segments = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(segments)
    }

    pub(crate) fn transaction(&mut self) -> Result<Transaction<'_>, LedgerError> {
        immediate(&mut self.connection)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Appends entries to a ledger that another process may own: for commands that put on record what they do.
///
/// # Errors
/// There is no ledger, or it cannot be written.
pub fn append_beside(path: &Path, entries: &[NewEntry]) -> Result<Head, LedgerError> {
    Pending::begin(path, entries)?.commit()
}

/// Entries that become part of a ledger once what they tell of was done: dropped without [`Pending::commit`] they were never there.
///
/// Between the two nobody else appends, so what happens there must not take long.
#[derive(Debug)]
pub(crate) struct Pending {
    connection: Connection,
    head: Head,
}

impl Pending {
    /// Writes entries into a ledger that another process may own, and keeps them back.
    ///
    /// # Errors
    /// There is no ledger, or it cannot be written.
    pub(crate) fn begin(path: &Path, entries: &[NewEntry]) -> Result<Self, LedgerError> {
        if !path.try_exists().map_err(|error| LedgerError::cannot("open the ledger", path, &error))? {
            return Err(LedgerError::missing(path));
        }
        let mut connection = database::open_to_write(path)?;
        begin(&mut connection)?;
        // Ended by `commit`, or by SQLite when the connection is closed.
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let head = append(&connection, entries)?;
        Ok(Self { connection, head })
    }

    /// Makes the entries part of the ledger: they are on the disk when it returns.
    ///
    /// # Errors
    /// The database cannot be written; the entries are not there.
    pub(crate) fn commit(self) -> Result<Head, LedgerError> {
        self.connection.execute_batch("COMMIT")?;
        Ok(self.head)
    }
}

fn immediate(connection: &mut Connection) -> Result<Transaction<'_>, LedgerError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Entry 1, unless it was written already.
fn begin(connection: &mut Connection) -> Result<(), LedgerError> {
    let transaction = immediate(connection)?;
    if head(&transaction)?.sequence == 0 {
        let mut id = [0; 16];
        SystemRandom::new()
            .fill(&mut id)
            .map_err(|_| LedgerError::environment("cannot make a ledger: the system has no random bits"))?;
        let ledger = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let made = Event::LedgerMade(LedgerMade { ledger, tool: super::TOOL.to_owned() });
        append(&transaction, &[NewEntry { time: Timestamp::now(), event: made }])?;
        transaction.commit()?;
    }
    Ok(())
}

/// The last entry, or what retired entries left; sequence 0 if there was never any.
pub(crate) fn head(connection: &Connection) -> Result<Head, LedgerError> {
    let mut last = connection.prepare_cached("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1")?;
    let Some((sequence, hash)) =
        last.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()?
    else {
        return Ok(Head { sequence: 0, hash: Hash::ZERO });
    };
    let damaged = || LedgerError::content("the ledger is damaged: its last entry has no hash");
    Ok(Head {
        sequence: u64::try_from(sequence).map_err(|_| damaged())?,
        hash: Hash::from_bytes(&hash).ok_or_else(damaged)?,
    })
}

/// Appends within a transaction that has the write lock, so that nothing comes between head and entries.
pub(crate) fn append<'a>(
    transaction: &Connection,
    entries: impl IntoIterator<Item = &'a NewEntry>,
) -> Result<Head, LedgerError> {
    let mut head = head(transaction)?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO entries (sequence, time, kind, evaluation, request, grant_id, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for NewEntry { time, event } in entries {
        let next = head.sequence + 1;
        let body = entry::body(next, *time, event)?;
        let hash = head.hash.next(body.as_bytes());
        let fields = Fields::of(event);
        let sequence = i64::try_from(next).map_err(|_| LedgerError::usage("the ledger has no sequences left"))?;
        let (time, kind) = (time_text(*time), event.kind().as_str());
        insert.execute((
            sequence,
            time,
            kind,
            fields.evaluation,
            fields.request,
            fields.grant,
            body,
            hash.as_bytes().as_slice(),
        ))?;
        head = Head { sequence: next, hash };
    }
    Ok(head)
}

/// The records of a segment that are not in the ledger yet, and how far it was read.
fn append_segment(
    transaction: &Transaction<'_>,
    segment: &str,
    records: &[SpoolRecord],
    upto: u64,
    next: Option<u64>,
) -> Result<Head, LedgerError> {
    if let Some(record) = records.iter().find(|record| record.end > upto) {
        let segment = segment.escape_debug();
        return Err(LedgerError::usage(format!(
            "a record of `{segment}` ends at {}, behind what was read: {upto}",
            record.end
        )));
    }
    let held = position(transaction, segment)?.unwrap_or(0);
    let new: Vec<_> = records.iter().filter(|record| record.end > held).map(|record| &record.entry).collect();
    let head = append(transaction, new)?;
    if upto > held {
        let next = next.map(column).transpose()?;
        transaction
            .prepare_cached("INSERT INTO spool_positions VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET position = excluded.position, next = excluded.next")?
            .execute((segment, column(upto)?, next))?;
    }
    Ok(head)
}

fn column(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| LedgerError::usage("a number is larger than the database holds"))
}

fn number(column: i64) -> Result<u64, LedgerError> {
    u64::try_from(column).map_err(|_| LedgerError::content("the ledger is damaged: a position is negative"))
}

fn position(connection: &Connection, segment: &str) -> Result<Option<u64>, LedgerError> {
    let mut held = connection.prepare_cached("SELECT position FROM spool_positions WHERE segment = ?1")?;
    let held: Option<i64> = held.query_row([segment], |row| row.get(0)).optional()?;
    held.map(number).transpose()
}
