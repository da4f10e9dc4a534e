//! What each apply changed, kept for those who ask later: one file an apply, in the folder of the signing key.
//!
//! Not in the feed: engines have no use for it, and what is not named by a manifest does not stay there.

use crate::disk::{Access, Directory, Disk};
use std::io;
use std::path::{Path, PathBuf};

/// The folder beside the signing key.
const FOLDER: &str = "changes";

/// Keeps what an apply changed; where it lies. `generation` and `revision` are those that it made.
///
/// # Errors
/// If the folder or the file cannot be written.
pub fn record(key: &Path, generation: u64, revision: &str, content: &[u8]) -> io::Result<PathBuf> {
    let folder = key.parent().unwrap_or_else(|| Path::new(".")).join(FOLDER);
    let mut always = |_| Ok(());
    let mut disk = Disk::new(&mut always);
    disk.make_directory(&folder, 0o750)?;
    let directory = Directory::open(&folder)?;
    let name = format!("{generation:06}-{}.json", revision.get(..12).unwrap_or(revision));
    disk.put(&directory, &name, content, Access::Private)?;
    disk.sync(&directory)?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_lies_beside_the_key_and_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("feed.key");
        let path = record(&key, 7, "0123456789abcdef", b"one").unwrap();
        assert_eq!(path, dir.path().join("changes/000007-0123456789ab.json"));
        assert_eq!(record(&key, 7, "0123456789abcdef", b"two").unwrap(), path);
        assert_eq!(std::fs::read(path).unwrap(), b"two");
    }
}
