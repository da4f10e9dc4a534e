//! The SQLite file: how it is opened, what is in it, and how an older one becomes a newer one.
//!
//! What is hashed stands in `entries.body`; the other columns of that table are there to find entries by, and verification compares them with the body.

use super::error::LedgerError;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Marks the file as a ledger of Luigi's, for SQLite and for `file`: the bytes of `LuiL`.
const APPLICATION_ID: i32 = 0x4c75_694c;

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// How much of the write-ahead log is kept on the disk for later.
const MAX_LOG_BYTES: i64 = 64 * 1024 * 1024;

/// Where it is kept which version the schema has.
const VERSIONS: &str =
    "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied TEXT NOT NULL, tool TEXT NOT NULL) STRICT;";

/// What makes version n of the schema of version n - 1. Never changed once released: a change is one more.
const MIGRATIONS: [&str; 2] = [
    r"
CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    evaluation TEXT,
    request TEXT,
    grant_id TEXT,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX entries_by_time ON entries (time);
CREATE INDEX entries_by_evaluation ON entries (evaluation) WHERE evaluation IS NOT NULL;
CREATE INDEX entries_by_request ON entries (request) WHERE request IS NOT NULL;
CREATE INDEX entries_by_grant ON entries (grant_id) WHERE grant_id IS NOT NULL;
CREATE TABLE spool_positions (
    segment TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    sequence INTEGER PRIMARY KEY,
    line TEXT NOT NULL
) STRICT;
CREATE TABLE retired (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    head BLOB NOT NULL
) STRICT;
",
    r"
ALTER TABLE spool_positions ADD COLUMN next INTEGER;
CREATE TABLE spool_writers (
    writer TEXT PRIMARY KEY,
    next INTEGER NOT NULL,
    seen TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE kept (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
",
];

/// Opens the database for appending; made if it is not there.
pub(crate) fn open_to_write(path: &Path) -> Result<Connection, LedgerError> {
    make(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| cannot_open(path, &error))?;
    connection.busy_timeout(BUSY)?;
    check(&connection, path)?;
    // Durable commits: in WAL mode FULL syncs the log at every commit, NORMAL only when it is copied back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A long read holds the log back and lets it grow; afterwards it is cut to this.
    connection.pragma_update(None, "journal_size_limit", MAX_LOG_BYTES)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        .map_err(|error| cannot_open(path, &error))?;
    refuse_foreign(&connection, path)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens the database for reading. Never changes it.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, LedgerError> {
    if !path.try_exists().map_err(|error| LedgerError::cannot("open the ledger", path, &error))? {
        return Err(LedgerError::missing(path));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |flags, name: &Path| {
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(BUSY)?;
        // The first look at the file: only now does SQLite find out whether it can be read.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok::<_, rusqlite::Error>(connection)
    };
    let connection = match open(flags, path) {
        // A database in WAL mode that nobody has open wants a file beside it, and this directory takes none from us: then the file alone is the whole of it.
        Err(error)
            if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
                && !log_of(path).exists() =>
        {
            open(flags | OpenFlags::SQLITE_OPEN_URI, Path::new(&immutable(path)))
        }
        opened => opened,
    };
    let connection = connection.map_err(|error| cannot_open(path, &error))?;
    check(&connection, path)?;
    let version = version(&connection)?;
    if version == 0 {
        return Err(LedgerError::content(format!("`{}` is no ledger: it is empty", path.display())));
    }
    refuse_newer(version, path)?;
    refuse_foreign(&connection, path)?;
    Ok(connection)
}

/// Refuses a database that is not built as migrations build it. A trigger could drop what is appended, a view stand in for a table: the chain would know nothing of either.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    // At one moment: somebody else may be making it.
    let transaction = connection.unchecked_transaction()?;
    let (version, found) = (version(&transaction)?, schema(&transaction)?);
    drop(transaction);
    let built = Connection::open_in_memory()?;
    if version > 0 {
        built.execute_batch(VERSIONS)?;
    }
    MIGRATIONS.iter().take(version).try_for_each(|migration| built.execute_batch(migration))?;
    let expected = schema(&built)?;
    let other = found.symmetric_difference(&expected).next();
    let Some((kind, name, _)) = other else { return Ok(()) };
    let at = path.display();
    Err(LedgerError::content(format!(
        "the ledger `{at}` was changed by hand: the {kind} `{name}` is not what luigi makes\nhelp: keep the file as evidence, and take away with `sqlite3` what is not luigi's, or put a copy back"
    )))
}

/// What a database consists of: kind, name, and what made it, whatever the white space. Statistics for SQLite's planner are nobody's.
fn schema(connection: &Connection) -> Result<BTreeSet<(String, String, String)>, LedgerError> {
    let mut statement = connection.prepare(
        "SELECT type, name, coalesce(sql, tbl_name) FROM sqlite_schema WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))",
    )?;
    let rows = statement.query_map([], |row| {
        let made: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, made.split_whitespace().collect::<String>()))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What SQLite finds wrong with the entries and the indexes by which they are found, if anything.
pub(crate) fn disagreement(connection: &Connection) -> Result<Option<String>, LedgerError> {
    let said: String = connection.query_row("PRAGMA integrity_check('entries')", [], |row| row.get(0))?;
    Ok((said != "ok").then_some(said))
}

/// Makes the file, closed to strangers, so that SQLite gives its other files the same mode.
fn make(path: &Path) -> Result<(), LedgerError> {
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    let cannot = |error: std::io::Error| LedgerError::cannot("make the ledger", path, &error);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o750).create(parent).map_err(cannot)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot(error)),
    }
}

/// The write-ahead log of a database.
fn log_of(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The name by which SQLite reads a file that nobody changes.
fn immutable(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut name = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            name.push(char::from(*byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name + "?immutable=1"
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let at = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => LedgerError::content(format!("`{at}` is no ledger: it is no SQLite database")),
        Some(ErrorCode::DatabaseCorrupt) => LedgerError::content(format!("the ledger `{at}` is damaged: {error}")),
        Some(_) | None => LedgerError::cannot("open the ledger", path, error),
    }
}

/// Whether it is a ledger, or an empty file that may become one.
fn check(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let tables = tables.map_err(|error| cannot_open(path, &error))?;
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if tables > 0 && id != APPLICATION_ID {
        return Err(LedgerError::content(format!(
            "`{}` is no ledger: it is a database of another program",
            path.display()
        )));
    }
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// The version of the schema; 0 if there is none yet.
fn version(connection: &Connection) -> Result<usize, LedgerError> {
    let exists: Option<i64> = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'", [], |row| row.get(0))
        .optional()?;
    if exists.is_none() {
        return Ok(0);
    }
    let version: i64 =
        connection.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))?;
    usize::try_from(version).map_err(|_| LedgerError::content("the ledger is damaged: it has no version"))
}

fn refuse_newer(version: usize, path: &Path) -> Result<(), LedgerError> {
    let newest = MIGRATIONS.len();
    if version <= newest {
        return Ok(());
    }
    let at = path.display();
    Err(LedgerError::content(format!(
        "the ledger `{at}` has version {version} of the schema, and this luigi knows up to {newest}\nhelp: use the luigi that wrote it, or a newer one"
    )))
}

/// Brings the schema up to date, in one transaction.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let before = version(connection)?;
    refuse_newer(before, path)?;
    if before == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Somebody else may have been faster.
    let before = version(&transaction)?;
    if before == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(VERSIONS)?;
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(before) {
        transaction.execute_batch(migration)?;
        let version = i64::try_from(index + 1).unwrap_or(i64::MAX);
        let applied = super::entry::time_text(jiff::Timestamp::now());
        transaction.execute("INSERT INTO schema_version VALUES (?1, ?2, ?3)", (version, applied, super::TOOL))?;
    }
    Ok(transaction.commit()?)
}
