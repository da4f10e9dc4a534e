//! The directory of a spool, as all writers of a process share it: its handle, how much may be in it and how much is.
//!
//! How much is in it is measured, not known: other processes write there as well (both workers during a reload), and whoever drains it takes away. Between
//! two measurements each record is added.

use super::record::{LossCounts, Worth};
use super::segment::{MAX_NODE_BYTES, MAX_SEGMENT_BYTES, SUFFIX, UNFINISHED};
use crate::{OpenError, PollEvent};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use serde::Serialize;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

/// How much may be in a spool, in bytes, unless something else is said: 256 MiB, about half a million records.
pub const DEFAULT_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// The smallest limit, in bytes: with less a few threads would fill it with segments that nobody can remove yet.
pub const MIN_LIMIT_BYTES: u64 = 1024 * 1024;

/// The most of the limit that one segment takes, as a divisor: what is in a segment is taken away when its writer has gone on to the next.
const SEGMENTS: u64 = 16;

/// The part of the limit, in hundredths, beyond which threads let go of segments that are not full.
const SCARCE: u64 = 90;

/// How much of the limit a segment must have then to be worth it, as a divisor.
const WORTH_IT: u64 = 1024;

/// Where decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolConfig {
    /// The directory; opened once, later reached through its handle only. It must be there, and writable for whoever decides.
    pub directory: PathBuf,
    /// How much may be in it, in bytes. See [`DEFAULT_LIMIT_BYTES`].
    pub limit_bytes: u64,
    /// What this machine is called in records; `None` for what it calls itself.
    pub node: Option<String>,
}

impl SpoolConfig {
    /// A spool with [`DEFAULT_LIMIT_BYTES`] on this machine.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), limit_bytes: DEFAULT_LIMIT_BYTES, node: None }
    }
}

/// What an engine says about its spool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpoolStatus {
    /// Its directory, as configured.
    pub path: String,
    /// How many records this process has written.
    pub records: u64,
    /// How many records this process could not write, by what they were worth.
    pub lost: LossCounts,
    /// How much is in the directory, in bytes, by whomever it was written.
    pub bytes: u64,
    /// How much may be.
    pub limit_bytes: u64,
    /// How many segments there were in the directory when it was last looked at.
    pub segments: u64,
    /// Why the last record that could not be written was not; `None` if the last one was.
    pub problem: Option<String>,
}

/// A spool's directory, held open. Shared by all writers of a process.
#[derive(Debug)]
pub(crate) struct Spool {
    handle: OwnedFd,
    path: String,
    node: String,
    limit: u64,
    /// What was measured, and what was written since.
    used: AtomicU64,
    segments: AtomicU64,
    /// The second of the last measurement.
    measured_at: AtomicI64,
    threads: AtomicU32,
    records: AtomicU64,
    lost: [AtomicU64; 6],
    /// How many losses were told of, and in which second that was.
    told: AtomicU64,
    told_at: AtomicI64,
    /// Why the last record was not written: an error number, 0 if it was, or [`FULL`].
    problem: AtomicI32,
}

/// How many seconds pass between two lines in the log about losses.
const TOLD_EVERY_SECONDS: u64 = 60;

/// In place of an error number: the limit is reached.
const FULL: i32 = -1;

impl Spool {
    /// Opens the directory and writes nothing.
    pub(crate) fn open(config: &SpoolConfig) -> Result<Self, OpenError> {
        let path = config.directory.display().to_string();
        let problem = |what: &dyn std::fmt::Display| OpenError::new(format!("cannot use the spool `{path}`: {what}"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(&config.directory, flags, Mode::empty())
            .map_err(|error| problem(&std::io::Error::from(error)))?;
        if config.limit_bytes < MIN_LIMIT_BYTES {
            return Err(problem(&format_args!("its limit is below {MIN_LIMIT_BYTES} bytes")));
        }
        let node = match &config.node {
            Some(node) => node.clone(),
            None => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        };
        if node.is_empty() || node.len() > MAX_NODE_BYTES {
            return Err(problem(&format_args!("the name of the node must have 1 to {MAX_NODE_BYTES} bytes")));
        }
        let spool = Self {
            handle,
            path,
            node,
            limit: config.limit_bytes,
            used: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            measured_at: AtomicI64::new(i64::MIN),
            threads: AtomicU32::new(0),
            records: AtomicU64::new(0),
            lost: Default::default(),
            told: AtomicU64::new(0),
            told_at: AtomicI64::new(i64::MIN),
            problem: AtomicI32::new(0),
        };
        spool.measure().map_err(|error| OpenError::new(format!("cannot read the spool `{}`: {error}", spool.path)))?;
        Ok(spool)
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// How long a segment may become, in bytes.
    pub(crate) fn segment_bytes(&self) -> u64 {
        MAX_SEGMENT_BYTES.min(self.limit / SEGMENTS)
    }

    /// Whether a segment of this length should be let go of, so that it can be taken away.
    pub(crate) fn needs(&self, bytes: u64) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit / 100 * SCARCE && bytes >= self.limit / WORTH_IT
    }

    /// The number of another writer.
    pub(crate) fn next_thread(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether there is room for `bytes` more that are worth this much. Looks again into the directory if it does not seem so, once a second.
    pub(crate) fn has_room(&self, worth: Worth, bytes: u64, now_seconds: i64) -> bool {
        self.fits(worth, bytes) || (self.measure_if_due(now_seconds) && self.fits(worth, bytes))
    }

    fn fits(&self, worth: Worth, bytes: u64) -> bool {
        let allowed = self.limit / 100 * worth.share();
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= allowed
    }

    pub(crate) fn note_written(&self, bytes: u64, records: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        if self.problem.load(Ordering::Relaxed) != 0 {
            self.problem.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn note_lost(&self, worth: Worth, why: Unavailable) {
        self.lost[worth as usize].fetch_add(1, Ordering::Relaxed);
        let problem = match why {
            Unavailable::Full => FULL,
            Unavailable::Failed(error) => error.raw_os_error(),
        };
        self.problem.store(problem, Ordering::Relaxed);
    }

    /// Looks into the directory, unless that was done in this second; `true` if it was looked at now.
    pub(crate) fn measure_if_due(&self, now_seconds: i64) -> bool {
        let last = self.measured_at.swap(now_seconds, Ordering::Relaxed);
        last != now_seconds && self.measure().is_ok()
    }

    /// Adds up what is in the directory. Allocates nothing: a request may have to wait for it. Two threads that do it at once do no harm, and a lock would
    /// stay locked in a process that forks meanwhile.
    fn measure(&self) -> Result<(), Errno> {
        let before = self.used.load(Ordering::Relaxed);
        let (bytes, segments) = self.add_up()?;
        // What other threads wrote meanwhile is in the sum or not; counting it twice until the next time does no harm.
        let meanwhile = self.used.load(Ordering::Relaxed).saturating_sub(before);
        self.used.store(bytes.saturating_add(meanwhile), Ordering::Relaxed);
        self.segments.store(segments, Ordering::Relaxed);
        Ok(())
    }

    fn add_up(&self) -> Result<(u64, u64), Errno> {
        // Another handle: the place in a directory belongs to the handle, which threads and forks share.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, ".", flags, Mode::empty())?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let mut entries = RawDir::new(&handle, &mut buffer);
        let (mut bytes, mut segments) = (0u64, 0);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            let is_segment = name.to_bytes().ends_with(SUFFIX.as_bytes());
            if !is_segment && !name.to_bytes().starts_with(UNFINISHED.as_bytes()) {
                continue;
            }
            match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                    bytes = bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
                    segments += u64::from(is_segment);
                }
                // Something else, or drained meanwhile.
                Ok(_) | Err(_) => {}
            }
        }
        Ok((bytes, segments))
    }

    /// What was lost since that was told last, if a minute is over.
    pub(crate) fn losses_to_tell(&self, now_seconds: i64) -> Option<PollEvent> {
        let status = self.status();
        let total = status.lost.total();
        let records = total.saturating_sub(self.told.load(Ordering::Relaxed));
        if records == 0 || now_seconds.abs_diff(self.told_at.load(Ordering::Relaxed)) < TOLD_EVERY_SECONDS {
            return None;
        }
        self.told.store(total, Ordering::Relaxed);
        self.told_at.store(now_seconds, Ordering::Relaxed);
        let why = status.problem.unwrap_or_else(|| "the limit was reached, or the system took no more".to_owned());
        Some(PollEvent::RecordsLost { records, why })
    }

    pub(crate) fn status(&self) -> SpoolStatus {
        let lost = |worth: Worth| self.lost[worth as usize].load(Ordering::Relaxed);
        SpoolStatus {
            path: self.path.clone(),
            records: self.records.load(Ordering::Relaxed),
            lost: LossCounts {
                allows: lost(Worth::Allow),
                would_be_denials: lost(Worth::WouldBeDenial),
                denials: lost(Worth::Denial),
                privileged_denials: lost(Worth::PrivilegedDenial),
                responses: lost(Worth::Response),
                privileged: lost(Worth::Privileged),
            },
            bytes: self.used.load(Ordering::Relaxed),
            limit_bytes: self.limit,
            segments: self.segments.load(Ordering::Relaxed),
            problem: match self.problem.load(Ordering::Relaxed) {
                0 => None,
                FULL => Some("the limit is reached".to_owned()),
                error => Some(std::io::Error::from_raw_os_error(error).to_string()),
            },
        }
    }
}

/// Why a record could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// What it is worth does not get it any of the room that is left.
    Full,
    /// The system said no.
    Failed(Errno),
}
