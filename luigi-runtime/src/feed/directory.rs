//! The directory handle through which a feed is read: after opening never a path again, so that chroot changes nothing.

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A feed's directory, held open.
#[derive(Debug)]
pub(crate) struct FeedDirectory {
    handle: OwnedFd,
}

/// What `stat` says of a file, fine enough to notice any replacement: two files are never equal in all of it unless one is
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl FeedDirectory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// What a file looks like from outside; follows symbolic links, as Kubernetes makes them.
    pub(crate) fn stamp(&self, name: &str) -> io::Result<Stamp> {
        Ok(Stamp::of(&rustix::fs::statat(&self.handle, name, AtFlags::empty())?))
    }

    /// Whether the directory is nowhere any more. The handle goes on, whatever stands under the path now: after `chroot` that cannot be looked at.
    pub(crate) fn is_unlinked(&self) -> bool {
        rustix::fs::fstat(&self.handle).is_ok_and(|stat| stat.st_nlink == 0)
    }

    /// Opens a file for reading, with its length.
    pub(crate) fn file(&self, name: &str) -> io::Result<(File, Stamp)> {
        // Non-blocking, or a FIFO in its place would hold the thread for ever.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(&self.handle, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok((File::from(file), Stamp::of(&stat)))
    }
}

impl Stamp {
    /// How long the file is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types differ between architectures")]
    fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }
}
