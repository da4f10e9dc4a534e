//! Writing a version into a feed: immutable files first, the signed manifest last.
//!
//! INVARIANT (whole-versions): at every moment the manifest in the feed is signed, and every file that it names is there and whole. Files
//! are put before the manifest that names them and removed after the one that does not; the generation before stays
//! readable for those who are in the middle of it.

use crate::disk::{Access, Directory, Disk, TEMPORARY};
use crate::signing_key::SigningKey;
use luigi_core::time::Timestamp;
use luigi_runtime::feed::{Digest, FileEntry, FileKind, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest};
use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const LOCK_NAME: &str = ".lock";

/// What the holder of a feed's lock says of itself, if it can be read; whoever said it may be gone.
pub(crate) fn holder_of(feed: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(feed.join(LOCK_NAME)).ok()?.take(4096).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A feed that is locked for writing.
pub(crate) struct FeedWriter {
    path: PathBuf,
    directory: Directory,
    /// What the feed has now.
    current: Option<Manifest>,
    holder: Holder,
    _lock: OwnedFd,
}

/// Who writes: somebody who is gone afterwards, or who goes on saying that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Command,
    Daemon,
}

impl FeedWriter {
    /// Opens a feed, made if it is not there, and locks it against other writers. What the lock says of its holder is for those who find it locked.
    pub(crate) fn open(path: &Path, disk: &mut Disk<'_>) -> Result<Self, String> {
        Self::open_as(path, Holder::Command, &format!("process {}\n", std::process::id()), disk)
    }

    /// As [`open`](Self::open), by a daemon, which has more to say of itself: the first line is for people. From its first change on engines know that it lives.
    pub(crate) fn open_as_daemon(path: &Path, says: &str, disk: &mut Disk<'_>) -> Result<Self, String> {
        Self::open_as(path, Holder::Daemon, says, disk)
    }

    fn open_as(path: &Path, holder: Holder, says: &str, disk: &mut Disk<'_>) -> Result<Self, String> {
        let at = path.display();
        disk.make_directory(path, 0o750).map_err(|error| format!("cannot make the feed `{at}`: {error}"))?;
        let cannot = |error: io::Error| format!("cannot open the feed `{at}`: {error}");
        let directory = Directory::open(path).map_err(cannot)?;
        let lock = directory.lock(LOCK_NAME).map_err(|error| format!("cannot lock the feed `{at}`: {error}"))?;
        let Some(lock) = lock else {
            // UNSHOWN: somebody must be writing at that moment; `tests/tests/feed.rs` has that.
            let holder = holder_of(path).and_then(|text| text.lines().next().map(str::to_owned));
            let holder = holder.filter(|line| !line.trim().is_empty()).unwrap_or_else(|| "somebody else".to_owned());
            return Err(format!("the feed `{at}` is being written by {}", holder.escape_debug()));
        };
        // Only for those who read it: a disk that is full must not keep anybody from working.
        let _ = rustix::fs::ftruncate(&lock, 0).and_then(|()| rustix::io::pwrite(&lock, says.as_bytes(), 0));
        Ok(Self { path: path.to_owned(), directory, current: None, holder, _lock: lock })
    }

    /// Whether the directory is still what its path leads to.
    pub(crate) fn is_in_place(&self) -> bool {
        self.directory.is_at(&self.path)
    }

    /// When a generation that follows `previous` says that it was published, and its heartbeat.
    ///
    /// A heartbeat never goes back, whatever the clock does. It is later than the publishing only where a daemon writes, which engines miss when it falls silent.
    pub(crate) fn moments(&self, now: Timestamp, previous: Option<&Manifest>) -> (Timestamp, Timestamp) {
        let heartbeat = previous.map_or(now, |manifest| now.max(manifest.heartbeat));
        match self.holder {
            Holder::Command => (heartbeat, heartbeat),
            Holder::Daemon => (heartbeat.plus_seconds(-1), heartbeat),
        }
    }

    /// Reads what the feed has now. It must be of this key, or engines would refuse what is written next.
    pub(crate) fn read(&mut self, key: &SigningKey) -> Result<Option<&Manifest>, String> {
        let at = self.path.display();
        let bytes = match self.bytes(MANIFEST_NAME, MAX_MANIFEST_BYTES + 1) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read the manifest of `{at}`: {error}")),
        };
        let manifest = Manifest::verify(&bytes, &key.public).map_err(|error| {
            format!("the feed `{at}` is not continued: {error}\nhelp: give the key that it was made with, or make a new feed")
        })?;
        Ok(Some(self.current.insert(manifest)))
    }

    /// The content of a file that the feed should have, found to be what its name says.
    pub(crate) fn content(&self, entry: &FileEntry, kind: FileKind) -> Result<Vec<u8>, String> {
        let name = entry.sha256.file_name(kind);
        let path = self.path.join(&name);
        let bytes = self
            .bytes(&name, kind.max_bytes())
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        if Digest::of(&bytes) != entry.sha256 {
            return Err(format!("`{}` is damaged: its content is not what its name says", path.display()));
        }
        Ok(bytes)
    }

    /// Puts a file, unless it is there already, undamaged.
    pub(crate) fn put(&self, bytes: &[u8], kind: FileKind, disk: &mut Disk<'_>) -> Result<FileEntry, String> {
        let entry = FileEntry { sha256: Digest::of(bytes), bytes: bytes.len() as u64 };
        let name = entry.sha256.file_name(kind);
        if entry.bytes > kind.max_bytes() {
            // UNSHOWN: 256 MiB, or as many keys.
            return Err(format!("a {} of {} bytes is more than engines read", kind.suffix(), entry.bytes));
        }
        if self.bytes(&name, kind.max_bytes()).is_ok_and(|held| held == bytes) {
            return Ok(entry);
        }
        self.put_named(&name, bytes, disk)?;
        Ok(entry)
    }

    /// Puts the manifest: from here on the new version is what engines read.
    pub(crate) fn publish(&self, manifest: &Manifest, key: &SigningKey, disk: &mut Disk<'_>) -> Result<(), String> {
        let bytes = manifest.sign(&key.pair);
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            // UNSHOWN: 64 KiB are hundreds of issuers.
            return Err(format!("a manifest of {} bytes is more than engines read", bytes.len()));
        }
        self.sync(disk)?;
        self.put_named(MANIFEST_NAME, &bytes, disk)
    }

    /// After publishing: makes the manifest's name last, and removes what neither this manifest nor the one before it names.
    pub(crate) fn tidy(&self, published: &Manifest, disk: &mut Disk<'_>) -> Result<(), String> {
        self.sync(disk)?;
        let cannot = |error: io::Error| format!("cannot tidy up the feed `{}`: {error}", self.path.display());
        let needed: BTreeSet<String> = self.current.iter().flat_map(Manifest::files).chain(published.files()).collect();
        for name in self.directory.names().map_err(cannot)? {
            let ours = FileKind::ALL.iter().any(|kind| {
                let stem = name.strip_suffix(kind.suffix()).and_then(|name| name.strip_suffix('.'));
                stem.is_some_and(|stem| Digest::try_from(stem.to_owned()).is_ok())
            });
            if (ours && !needed.contains(&name)) || name.starts_with(TEMPORARY) {
                disk.remove(&self.directory, &name).map_err(cannot)?;
            }
        }
        Ok(())
    }

    fn put_named(&self, name: &str, bytes: &[u8], disk: &mut Disk<'_>) -> Result<(), String> {
        let path = self.path.join(name);
        disk.put(&self.directory, name, bytes, Access::LikeDirectory)
            .map_err(|error| format!("cannot write `{}`: {error}", path.display()))
    }

    fn sync(&self, disk: &mut Disk<'_>) -> Result<(), String> {
        disk.sync(&self.directory).map_err(|error| format!("cannot sync the feed `{}`: {error}", self.path.display()))
    }

    fn bytes(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.directory.file(name)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
