//! The one process that owns a ledger.
//!
//! A lock on a file beside the database, which says who holds it. It keeps a second daemon away. Commands that append one entry (a disclosure, a stop) need no
//! ownership: the head is read and the entry written in one transaction, and SQLite lets only one of those happen at a time.

use super::entry::time_text;
use super::error::LedgerError;
use crate::disk::Directory;
use luigi_runtime::regular_file;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

/// Holds the lock until it is dropped; the kernel drops it for a process that is killed.
#[derive(Debug)]
pub(crate) struct Owner {
    _lock: File,
}

impl Owner {
    /// Becomes the owner of the ledger at `path`.
    pub(crate) fn become_for(path: &Path) -> Result<Self, LedgerError> {
        let cannot = |error: std::io::Error| LedgerError::cannot("lock the ledger", path, &error);
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| LedgerError::usage(format!("`{}` names no ledger", path.display())))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = format!("{name}.lock");
        let directory = Directory::open(parent).map_err(cannot)?;
        let Some(lock) = directory.lock(&name).map_err(cannot)? else {
            return Err(owned(path, &parent.join(name)));
        };
        let mut lock = File::from(lock);
        lock.set_len(0).map_err(cannot)?;
        let (process, now) = (std::process::id(), time_text(jiff::Timestamp::now()));
        writeln!(lock, "process {process} since {now}").map_err(cannot)?;
        Ok(Self { _lock: lock })
    }
}

fn owned(path: &Path, lock: &Path) -> LedgerError {
    let mut holder = String::new();
    let read = regular_file::open(lock).and_then(|file| file.take(200).read_to_string(&mut holder));
    let holder = match read {
        Ok(_) if !holder.trim().is_empty() => holder.trim().escape_debug().to_string(),
        Ok(_) | Err(_) => "another process".to_owned(),
    };
    LedgerError::owned(format!(
        "the ledger `{}` is owned by {holder}\nhelp: stop that one first; one process owns a ledger",
        path.display()
    ))
}
