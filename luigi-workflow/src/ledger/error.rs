//! Why something about a ledger could not be done.

use super::event::Kind;
use std::fmt::Display;
use std::path::Path;

/// Why something about a ledger could not be done. Plain text, ready to print; advice stands on a line of its own that begins with `help: `.
#[derive(Debug)]
pub struct LedgerError {
    kind: LedgerErrorKind,
    text: String,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LedgerErrorKind {
    /// There is no ledger at that place.
    Missing,
    /// Another process owns the ledger.
    Owned,
    /// What is there is no ledger, one of a newer version, or a damaged one.
    Content,
    /// What was asked for makes no sense.
    Usage,
    /// A file or directory is at fault.
    Environment,
}

impl LedgerError {
    pub(crate) fn missing(path: &Path) -> Self {
        Self { kind: LedgerErrorKind::Missing, text: format!("there is no ledger at `{}`", path.display()) }
    }

    pub(crate) fn owned(text: impl Into<String>) -> Self {
        Self { kind: LedgerErrorKind::Owned, text: text.into() }
    }

    pub(crate) fn content(text: impl Into<String>) -> Self {
        Self { kind: LedgerErrorKind::Content, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { kind: LedgerErrorKind::Usage, text: text.into() }
    }

    pub(crate) fn environment(text: impl Into<String>) -> Self {
        Self { kind: LedgerErrorKind::Environment, text: text.into() }
    }

    pub(crate) fn cannot(what: &str, path: &Path, error: &dyn Display) -> Self {
        Self::environment(format!("cannot {what} `{}`: {error}", path.display()))
    }

    pub(crate) fn event(kind: Kind, why: &dyn Display) -> Self {
        Self::usage(format!("an entry `{}` cannot be written: {why}", kind.as_str()))
    }

    pub(crate) fn body(why: &dyn Display) -> Self {
        Self::content(format!("the body of an entry cannot be read: {why}"))
    }

    /// Whether there is no ledger at that place.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.kind == LedgerErrorKind::Missing
    }

    /// Whether another process owns the ledger.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.kind == LedgerErrorKind::Owned
    }

    /// Whether what is there is no ledger, one of a newer version, or a damaged one.
    #[must_use]
    pub fn is_content(&self) -> bool {
        self.kind == LedgerErrorKind::Content
    }

    /// Whether what was asked for makes no sense.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.kind == LedgerErrorKind::Usage
    }
}

impl Display for LedgerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LedgerError {}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::content(format!("the ledger is damaged: {error}")),
            Some(_) | None => Self::environment(format!("the ledger's database: {error}")),
        }
    }
}
