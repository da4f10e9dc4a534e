//! What each apply changed, kept for those who ask later: one signed file an apply, in the folder of the signing key.
//!
//! Not in the feed: engines have no use for it, and what is not named by a manifest does not stay there. The signature is that of the feed's key, so that whoever
//! cannot publish a policy cannot write what one is said to have changed, either. That a record is missing it does not show; the ledger does.

pub mod words;

use crate::disk::{Access, Directory, Disk};
use crate::signing_key::SigningKey;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use luigi_runtime::feed::{PublicKey, Sealed};
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The folder beside the signing key.
const FOLDER: &str = "changes";

/// How the names of records end.
const SUFFIX: &str = "changes";

const RECORD: Sealed =
    Sealed { word: "luigi-changes", name: "record of what an apply changed", max_bytes: 64 * 1024 * 1024 };

/// What one apply changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Changes {
    /// When.
    pub applied_at: Timestamp,
    /// Who, as far as the command knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The generation of the feed that it made.
    pub generation: u64,
    /// The mode since then.
    pub mode: Mode,
    /// The mode before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_mode: Option<Mode>,
    /// The revision before, in hex.
    pub old_revision: String,
    /// The revision since then, in hex.
    pub new_revision: String,
    /// Whether every kind of request was looked at.
    pub complete: bool,
    /// What changes for whom, in one line.
    pub summary: String,
    /// The same as text.
    pub in_words: String,
    /// The same for programs.
    pub comparison: serde_json::Value,
}

impl Changes {
    /// The name of the file that keeps it.
    fn file_name(&self) -> String {
        let revision = self.new_revision.get(..12).unwrap_or(&self.new_revision);
        format!("{:06}-{revision}.{SUFFIX}", self.generation)
    }
}

/// Where the records of a feed lie, by either half of its key.
#[must_use]
pub fn folder(key: &Path) -> PathBuf {
    key.parent().unwrap_or_else(|| Path::new(".")).join(FOLDER)
}

/// Keeps what an apply changed, signed with `key`; where it lies.
///
/// # Errors
/// If there is no such key, or the folder or the file cannot be written. Plain text, ready to print.
///
/// # Panics
/// Never: a record has nothing that JSON cannot say.
pub fn record(key: &Path, changes: &Changes) -> Result<PathBuf, String> {
    let folder = folder(key);
    let cannot = |error: std::io::Error| format!("cannot write to `{}`: {error}", folder.display());
    if !key.exists() {
        return Err(format!("there is no signing key `{}`", key.display()));
    }
    let mut always = |_| Ok(());
    let mut disk = Disk::new(&mut always);
    let key = SigningKey::open(key, &mut disk)?;
    let mut payload = serde_json::to_vec(changes).expect("a record is texts and numbers");
    payload.push(b'\n');
    let sealed = RECORD.seal(&payload, &key.pair);
    if sealed.len() as u64 > RECORD.max_bytes {
        // UNSHOWN: no comparison is as long as that.
        return Err(format!("a record of {} bytes is more than would be read", sealed.len()));
    }
    disk.make_directory(&folder, 0o750).map_err(cannot)?;
    let directory = Directory::open(&folder).map_err(cannot)?;
    let name = changes.file_name();
    disk.put(&directory, &name, &sealed, Access::Private).map_err(cannot)?;
    disk.sync(&directory).map_err(cannot)?;
    Ok(folder.join(name))
}

/// Reads a record and believes it only if `key` signed it, under the name that it has.
///
/// # Errors
/// A file that cannot be read, is no record, or is not believed. Plain text, ready to print.
pub fn read(path: &Path, key: &PublicKey) -> Result<Changes, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(RECORD.max_bytes + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let refused = |why: String| format!("`{}` is not believed: {why}", path.display());
    let payload = RECORD.open(&bytes, key).map_err(|error| refused(error.to_string()))?;
    let changes: Changes =
        serde_json::from_slice(payload).map_err(|error| refused(format!("the record is malformed: {error}")))?;
    let name = changes.file_name();
    if path.file_name().and_then(|found| found.to_str()) != Some(name.as_str()) {
        return Err(refused(format!("the record was written as `{name}`")));
    }
    Ok(changes)
}

/// The records in a folder, oldest generation first. Empty if there is no such folder: nothing was recorded.
///
/// # Errors
/// The folder cannot be read. Plain text, ready to print.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("cannot read the folder `{}`: {error}", folder.display());
    let names = match Directory::open(folder) {
        Ok(directory) => directory.names().map_err(cannot)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(cannot(error)),
    };
    let ours = |name: &String| Path::new(name).extension().is_some_and(|ext| ext == SUFFIX) && !name.starts_with('.');
    // In order of generations also where one has more digits than others.
    let mut names: Vec<_> = names.into_iter().filter(ours).collect();
    names.sort_by_key(|name| (name.find('-'), name.clone()));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(generation: u64) -> Changes {
        Changes {
            applied_at: Timestamp::from_unix_seconds(4_000_000_000),
            by: Some("ada".to_owned()),
            generation,
            mode: Mode::Enforce,
            previous_mode: Some(Mode::Observe),
            old_revision: "f".repeat(64),
            new_revision: "0123456789abcdef".to_owned(),
            complete: true,
            summary: "no request is decided otherwise".to_owned(),
            in_words: "no request is decided otherwise".to_owned(),
            comparison: serde_json::json!({ "differences": [] }),
        }
    }

    fn key(folder: &Path, name: &str) -> (PathBuf, PublicKey) {
        let path = folder.join(name);
        let mut always = |_| Ok(());
        let key = SigningKey::open(&path, &mut Disk::new(&mut always)).unwrap();
        (path, key.public)
    }

    #[test]
    fn a_record_lies_beside_the_key_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let (key, public) = key(dir.path(), "feed.key");
        let path = record(&key, &changes(7)).unwrap();
        assert_eq!(path, dir.path().join("changes/000007-0123456789ab.changes"));
        assert_eq!(read(&path, &public), Ok(changes(7)));
        let again = Changes { by: None, ..changes(7) };
        assert_eq!(record(&key, &again), Ok(path.clone()), "replaced whole");
        assert_eq!(read(&path, &public), Ok(again));
        record(&key, &changes(12)).unwrap();
        record(&key, &changes(1_234_567)).unwrap();
        std::fs::write(dir.path().join("changes/notes.txt"), "mine").unwrap();
        let listed: Vec<_> =
            list(&folder(&key)).unwrap().iter().map(|path| read(path, &public).unwrap().generation).collect();
        assert_eq!(listed, [7, 12, 1_234_567]);
        assert_eq!(list(&dir.path().join("nowhere")), Ok(Vec::new()));
    }

    #[test]
    fn what_somebody_else_wrote_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, public) = key(dir.path(), "feed.key");
        let (_, theirs) = key(dir.path(), "other.key");
        let path = record(&ours, &changes(7)).unwrap();
        let good = std::fs::read(&path).unwrap();
        assert!(read(&path, &theirs).unwrap_err().contains("is signed with key"));
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(read(&path, &public).is_err(), "byte {at}");
        }
        // Another apply's record under this name.
        std::fs::write(&path, &good).unwrap();
        let other = dir.path().join("changes/000008-0123456789ab.changes");
        std::fs::copy(&path, &other).unwrap();
        assert!(read(&other, &public).unwrap_err().contains("was written as `000007-0123456789ab.changes`"));
        assert!(record(&dir.path().join("no.key"), &changes(9)).unwrap_err().contains("no signing key"));
        assert!(!dir.path().join("no.key").exists());
    }
}
