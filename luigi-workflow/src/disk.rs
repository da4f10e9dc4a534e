//! Writing files so that a crash at any moment leaves the old or the new one, whole.
//!
//! Every change to the disk goes through [`Disk`] and announces itself first; tests let each of these steps fail in turn.

use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// What is about to be changed; for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    MakeDirectory,
    Create,
    Write,
    SyncFile,
    Rename,
    SyncDirectory,
    Remove,
}

/// The way to the disk.
pub(crate) struct Disk<'a> {
    before: &'a mut dyn FnMut(Change) -> io::Result<()>,
}

impl<'a> Disk<'a> {
    /// A disk on which `before` may forbid each change.
    pub(crate) fn new(before: &'a mut dyn FnMut(Change) -> io::Result<()>) -> Self {
        Self { before }
    }

    /// Makes a directory and what leads there, closed to strangers, unless it is there already.
    pub(crate) fn make_directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        if path.is_dir() {
            return Ok(());
        }
        (self.before)(Change::MakeDirectory)?;
        std::fs::DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    /// Puts a file in place: whole, on the disk, and under its name only then. What was there before is replaced.
    pub(crate) fn put(&mut self, directory: &Directory, name: &str, bytes: &[u8], access: Access) -> io::Result<()> {
        let temporary = format!("{TEMPORARY}{name}");
        (self.before)(Change::Create)?;
        directory.remove_if_there(&temporary)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&directory.handle, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        match access {
            Access::Private => {}
            Access::LikeDirectory => directory.share(&file)?,
            Access::Public => rustix::fs::fchmod(&file, Mode::from_raw_mode(0o644))?,
        }
        (self.before)(Change::Write)?;
        file.write_all(bytes)?;
        (self.before)(Change::SyncFile)?;
        file.sync_all()?;
        (self.before)(Change::Rename)?;
        rustix::fs::renameat(&directory.handle, &temporary, &directory.handle, name)?;
        Ok(())
    }

    /// Makes the names in a directory last.
    pub(crate) fn sync(&mut self, directory: &Directory) -> io::Result<()> {
        (self.before)(Change::SyncDirectory)?;
        Ok(rustix::fs::fsync(&directory.handle)?)
    }

    /// Takes a file away.
    pub(crate) fn remove(&mut self, directory: &Directory, name: &str) -> io::Result<()> {
        (self.before)(Change::Remove)?;
        directory.remove_if_there(name)
    }
}

/// How the name of a file begins while it is written.
pub(crate) const TEMPORARY: &str = ".new-";

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner only.
    Private,
    /// Its owner, and whoever may read its directory; it belongs to the directory's group.
    LikeDirectory,
    /// Everybody.
    Public,
}

/// A directory that is written to.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: OwnedFd,
    mode: u32,
    group: u32,
}

impl Directory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&handle)?;
        Ok(Self { handle, mode: stat.st_mode, group: stat.st_gid })
    }

    /// Opens a file for reading.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(File::from(rustix::fs::openat(&self.handle, name, flags, Mode::empty())?))
    }

    /// Holds the lock of this directory until the result is dropped; `None` if somebody else holds it.
    pub(crate) fn lock(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this directory is what `path` leads to.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let (Ok(held), Ok(there)) = (rustix::fs::fstat(&self.handle), rustix::fs::stat(path)) else { return false };
        (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)
    }

    /// Waits for, and then is, the only one to hold this directory, until `self` is dropped.
    pub(crate) fn hold(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.handle, rustix::fs::FlockOperation::LockExclusive)?)
    }

    /// The names of all that lies here, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.handle)? {
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn remove_if_there(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a new file to those who may read this directory.
    fn share(&self, file: impl AsFd) -> io::Result<()> {
        if rustix::fs::fstat(&file)?.st_gid != self.group {
            rustix::fs::fchown(&file, None, Some(rustix::fs::Gid::from_raw(self.group)))?;
        }
        Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(0o600 | self.mode & 0o044))?)
    }
}
