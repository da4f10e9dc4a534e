//! The record of what HAProxy passes: which facts the lines carry that were printed for a feed.
//!
//! A file beside the manifest, one line, the first of a line of facts. It is not signed and nobody decides by it: it lets `apply` say at once what
//! a data plane would say later. What is in force is up to the data plane, which knows its own configuration.

use crate::disk::{Access, Directory, Disk};
use luigi_runtime::facts::{BASE, FactList};
use luigi_runtime::regular_file;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file in the feed.
const NAME: &str = "facts";

/// The longest record that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;

fn path(feed: &Path) -> PathBuf {
    feed.join(NAME)
}

/// What was recorded last; `None` if nothing was.
///
/// # Errors
/// A record that cannot be read, or is none.
pub fn read(feed: &Path) -> Result<Option<FactList>, String> {
    let at = path(feed);
    let text = match regular_file::read(&at, MAX_BYTES as u64 + 256) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read `{}`: {error}", at.display())),
    };
    let names = text.strip_suffix('\n').and_then(|line| line.strip_prefix(BASE));
    let names = names.filter(|names| names.len() <= MAX_BYTES && (names.is_empty() || names.starts_with(' ')));
    let not_one = || format!("`{}` is no record of facts; print the lines again with `--to`", at.display());
    FactList::parse(names.ok_or_else(not_one)?).map(Some).map_err(|why| format!("{}: {why}", not_one()))
}

/// Records what the lines carry that are printed now. The feed is made if it is not there.
///
/// # Errors
/// A feed that cannot be written.
pub fn write(feed: &Path, facts: &FactList) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot record the facts in the feed `{}`: {error}", feed.display());
    let mut disk_step = |_| Ok(());
    let mut disk = Disk::new(&mut disk_step);
    disk.make_directory(feed, 0o750).map_err(cannot)?;
    let directory = Directory::open(feed).map_err(cannot)?;
    disk.put(&directory, NAME, format!("{}\n", facts.header()).as_bytes(), Access::LikeDirectory).map_err(cannot)?;
    disk.sync(&directory).map_err(cannot)
}
