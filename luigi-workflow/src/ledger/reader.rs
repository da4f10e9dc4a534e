//! Reading a ledger, while others append to it or nobody does.

use super::chain::Columns;
use super::database;
use super::entry::{Entry, Hash, time_text};
use super::error::LedgerError;
use super::event::Event;
use super::filter::{self, Filter};
use super::writer::{self, Head};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A ledger that is only read. Any number of these may be open, also beside its owner.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// A range of entries that were written to a file and removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetiredRange {
    pub(crate) last: u64,
    /// The entry that says so.
    pub(crate) entry: u64,
    pub(crate) head: Hash,
}

impl Reader {
    /// Opens a ledger for reading. Nothing in it is changed.
    ///
    /// # Errors
    /// There is none, it is no ledger or one of a newer version, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Ok(Self { connection: database::open_to_read(path)?, path: path.to_owned() })
    }

    /// Where the ledger lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with the indexes by which entries are found, if anything.
    pub(super) fn disagreement(&self) -> Result<Option<String>, LedgerError> {
        database::disagreement(&self.connection)
    }

    /// Where the ledger stands; sequence 0 if it is empty.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn head(&self) -> Result<Head, LedgerError> {
        writer::head(&self.connection)
    }

    /// The ledger's id; `None` if neither its first entry nor the one that retired it says one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn ledger_id(&self) -> Result<Option<String>, LedgerError> {
        ledger_id(&self.connection)
    }

    /// What the entries that are here begin behind: the last retired one and its hash in hex; 0 and zeros if none were retired.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn begins_behind(&self) -> Result<(u64, String), LedgerError> {
        let range = self.last_retired()?;
        Ok(range.map_or((0, Hash::ZERO.to_string()), |range| (range.last, range.head.to_string())))
    }

    /// Calls `each` with the entries after `sequence` that the filter lets through, in order, until it breaks.
    ///
    /// # Errors
    /// An entry that cannot be read, or what `each` returns.
    pub fn scan<E: From<LedgerError>>(
        &self,
        after: u64,
        filter: &Filter,
        mut each: impl FnMut(Entry) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        self.walk(Direction::Forwards { after }, filter, &mut each)
    }

    /// The last `limit` entries that the filter lets through, in order.
    ///
    /// # Errors
    /// An entry that cannot be read.
    pub fn last(&self, limit: usize, filter: &Filter) -> Result<Vec<Entry>, LedgerError> {
        let mut found = Vec::new();
        if limit > 0 {
            self.walk(Direction::Backwards, filter, &mut |entry| -> Result<_, LedgerError> {
                found.push(entry);
                Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        found.reverse();
        Ok(found)
    }

    /// One entry; `None` if there is none with this sequence.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn entry(&self, sequence: u64) -> Result<Option<Entry>, LedgerError> {
        let Ok(sequence) = i64::try_from(sequence) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT body FROM entries WHERE sequence = ?1")?;
        let body: Option<String> = statement.query_row([sequence], |row| row.get(0)).optional()?;
        body.as_deref().map(Entry::parse).transpose()
    }

    /// Everything that hangs together with an evaluation, an access request or a grant: from the denial over request, approvals, grant and each use to its end.
    /// Empty if nothing has this id.
    ///
    /// # Errors
    /// An entry that cannot be read.
    pub fn story(&self, id: &str) -> Result<Vec<Entry>, LedgerError> {
        let mut statements = [
            self.connection.prepare("SELECT body FROM entries WHERE evaluation = ?1")?,
            self.connection.prepare("SELECT body FROM entries WHERE request = ?1")?,
            self.connection.prepare("SELECT body FROM entries WHERE grant_id = ?1")?,
        ];
        let mut found = BTreeMap::new();
        let (mut known, mut waiting) = (BTreeSet::from([id.to_owned()]), vec![id.to_owned()]);
        while let Some(id) = waiting.pop() {
            for statement in &mut statements {
                let mut rows = statement.query([&id])?;
                while let Some(row) = rows.next()? {
                    let entry = Entry::parse(&row.get::<_, String>(0)?)?;
                    let fields = super::fields::Fields::of(&entry.event);
                    for id in [fields.evaluation, fields.request, fields.grant].into_iter().flatten() {
                        if known.insert(id.to_owned()) {
                            waiting.push(id.to_owned());
                        }
                    }
                    found.insert(entry.sequence, entry);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    fn walk<E: From<LedgerError>>(
        &self,
        direction: Direction,
        filter: &Filter,
        each: &mut dyn FnMut(Entry) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let database = |error: rusqlite::Error| LedgerError::from(error);
        let answered = match &filter.approver {
            Some(approver) => self.answered_by(approver, filter.masked)?,
            None => BTreeSet::new(),
        };
        let (after, order) = match direction {
            Direction::Forwards { after } => (after, "ASC"),
            Direction::Backwards => (0, "DESC"),
        };
        let statement = format!(
            "SELECT body FROM entries WHERE sequence > ?1 AND (?2 IS NULL OR time >= ?2) AND (?3 IS NULL OR time < ?3) AND (?4 IS NULL OR evaluation = ?4) ORDER BY sequence {order}"
        );
        let (since, until) = (filter.since.map(time_text), filter.until.map(time_text));
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&statement).map_err(database)?;
        let mut rows = statement.query((after, since, until, &filter.evaluation)).map_err(database)?;
        while let Some(row) = rows.next().map_err(database)? {
            let body = row.get_ref(0).and_then(|value| Ok(value.as_str()?)).map_err(database)?;
            let entry = Entry::parse(body)?;
            if filter.passes(&entry, &answered) && each(entry)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The access requests that an approver answered, and the grants that came of them.
    fn answered_by(&self, approver: &str, masked: bool) -> Result<BTreeSet<String>, LedgerError> {
        let mut found = BTreeSet::new();
        let query = "SELECT body FROM entries WHERE kind IN ('approved', 'rejected', 'granted') ORDER BY sequence";
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let entry = Entry::parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
            let entry = if masked && approver.contains('*') { super::mask(entry) } else { entry };
            let fields = super::fields::Fields::of(&entry.event);
            if fields.approver.is_some_and(|name| filter::matches(approver, name)) {
                found.extend(fields.request.map(str::to_owned));
            } else if fields.request.is_some_and(|request| found.contains(request)) {
                found.extend(fields.grant.map(str::to_owned));
            }
        }
        Ok(found)
    }

    /// Calls `each` with what is stored of the entries after `sequence`: sequence, columns, body, hash.
    pub(crate) fn stored<B>(
        &self,
        after: u64,
        mut each: impl FnMut(u64, Columns<'_>, &[u8], &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, time, kind, evaluation, request, grant_id, body, hash FROM entries WHERE sequence > ?1 ORDER BY sequence",
        )?;
        let mut rows = statement.query([i64::try_from(after).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let sequence = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            let columns = Columns {
                time: text(row, 1)?.unwrap_or_default(),
                kind: text(row, 2)?.unwrap_or_default(),
                evaluation: text(row, 3)?,
                request: text(row, 4)?,
                grant: text(row, 5)?,
            };
            if let ControlFlow::Break(value) =
                each(sequence, columns, row.get_ref(6)?.as_bytes()?, row.get_ref(7)?.as_bytes()?)
            {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The first row at or before `sequence`; rows with a negative sequence count as 0.
    pub(crate) fn first_until(&self, sequence: u64) -> Result<Option<u64>, LedgerError> {
        let mut statement = self.connection.prepare("SELECT min(sequence) FROM entries WHERE sequence <= ?1")?;
        let first: Option<i64> =
            statement.query_row([i64::try_from(sequence).unwrap_or(i64::MAX)], |row| row.get(0))?;
        Ok(first.map(|first| u64::try_from(first).unwrap_or(0)))
    }

    /// The hash column of an entry.
    pub(crate) fn hash(&self, sequence: u64) -> Result<Option<Hash>, LedgerError> {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached("SELECT hash FROM entries WHERE sequence = ?1")?;
        let hash: Option<Vec<u8>> = statement.query_row([sequence], |row| row.get(0)).optional()?;
        Ok(hash.and_then(|hash| Hash::from_bytes(&hash)))
    }

    /// The checkpoints that the ledger itself holds, oldest first.
    pub(crate) fn checkpoint_lines(&self) -> Result<Vec<String>, LedgerError> {
        // As bytes: what is no UTF-8 is no checkpoint, and is told like others that are none.
        let mut statement = self.connection.prepare("SELECT CAST(line AS BLOB) FROM checkpoints ORDER BY sequence")?;
        let lines = statement
            .query_map([], |row| row.get(0).map(|line: Vec<u8>| String::from_utf8_lossy(&line).into_owned()))?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// The entry that the ledger's own last checkpoint is of, whether or not anybody should believe it.
    pub(super) fn last_checkpoint(&self) -> Result<Option<u64>, LedgerError> {
        let last: Option<i64> =
            self.connection.query_row("SELECT max(sequence) FROM checkpoints", [], |row| row.get(0))?;
        Ok(last.and_then(|last| u64::try_from(last).ok()))
    }

    pub(crate) fn last_retired(&self) -> Result<Option<RetiredRange>, LedgerError> {
        last_retired(&self.connection)
    }

    /// Reads within one transaction, so that nothing is retired meanwhile.
    pub(crate) fn at_one_moment<T>(&self, read: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let read = read()?;
        transaction.finish()?;
        Ok(read)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forwards { after: u64 },
    Backwards,
}

fn text<'r>(row: &'r Row<'_>, index: usize) -> Result<Option<&'r str>, rusqlite::Error> {
    Ok(row.get_ref(index)?.as_str_or_null()?)
}

pub(crate) fn last_retired(connection: &Connection) -> Result<Option<RetiredRange>, LedgerError> {
    let found = connection
        .query_row("SELECT last, entry, head FROM retired ORDER BY first DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((last, entry, head)) = found else { return Ok(None) };
    let damaged = || LedgerError::content("the ledger is damaged: the table `retired` is not what it should be");
    let number = |n: i64| u64::try_from(n).map_err(|_| damaged());
    Ok(Some(RetiredRange {
        last: number(last)?,
        entry: number(entry)?,
        head: Hash::from_bytes(&head).ok_or_else(damaged)?,
    }))
}

/// The ledger's id, from its first entry or from the entry that retired that one. What does not look like one is none: it is printed by whoever verifies.
pub(crate) fn ledger_id(connection: &Connection) -> Result<Option<String>, LedgerError> {
    let says = match last_retired(connection)? {
        Some(range) => range.entry,
        None => 1,
    };
    let mut statement = connection.prepare_cached("SELECT body FROM entries WHERE sequence = ?1")?;
    let body: Option<String> =
        statement.query_row([i64::try_from(says).unwrap_or(i64::MAX)], |row| row.get(0)).optional()?;
    let entry = body.as_deref().map(Entry::parse).transpose()?;
    let id = match entry.map(|entry| entry.event) {
        Some(Event::LedgerMade(made)) => Some(made.ledger),
        Some(Event::Retired(retired)) => Some(retired.ledger),
        Some(_) | None => None,
    };
    let is_one = |id: &String| id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    Ok(id.filter(is_one))
}
