//! Reads a spool, for whoever drains it: lists segments, gives their records one by one from any place on, and says when a segment is done with.
//!
//! A frame that is not whole is either not written yet, torn (its writer is gone, or the machine was), or damaged. Which one follows from the lock of the segment
//! and from what stands behind: after damage the next whole frame is looked for, and sequences tell how many are missing.

use super::frame::{self, Found};
use super::record::Record;
use super::segment::{MAX_SEGMENT_BYTES, NoSegment, SegmentHeader, SegmentId, UNFINISHED};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Where foreign files are put.
const SET_ASIDE: &str = "set-aside";

/// After this long a file is not being made any more.
const UNFINISHED_FOR: Duration = Duration::from_secs(60);

/// How many frames may be missing between two of one segment: as many as it has room for.
const MAX_MISSING: u64 = MAX_SEGMENT_BYTES / frame::HEAD_BYTES as u64;

/// A spool's directory, for reading.
#[derive(Debug)]
pub struct SpoolReader {
    handle: OwnedFd,
}

/// What is in a spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The segments, the oldest first.
    pub segments: Vec<SegmentId>,
    /// The names of files that are no segments by their name.
    pub foreign: Vec<OsString>,
}

/// A place in a segment between two records. Whoever stores it with what was read before it reads each record once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// How many bytes of the segment are before it.
    pub offset: u64,
    /// The sequence of the next record.
    pub sequence: u64,
}

/// What stands at a place in a segment.
#[allow(clippy::large_enum_variant, reason = "nearly every one is a record")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A record.
    Record {
        /// Its number among the frames of its writer.
        sequence: u64,
        /// What it says.
        record: Record<'a>,
    },
    /// Bytes that are no record, where there were some.
    Damaged {
        /// How many bytes.
        bytes: u64,
        /// How many records are missing; `None` if that cannot be told, since no record follows.
        records: Option<u64>,
    },
    /// Nothing yet: the writer is there and may write more.
    Waiting,
    /// Nothing any more: the writer is gone. The segment can be removed.
    Drained {
        /// The bytes at the end of a record that was not written to its end; nobody was told that it was.
        torn_bytes: u64,
    },
}

/// Why a segment cannot be read.
#[derive(Debug)]
pub enum SegmentError {
    /// It is of another version of the format; leave it for a reader of that version.
    Version(u32),
    /// It is not what its name says, or its header is damaged: to be set aside.
    Foreign,
    /// Its writer is gone and wrote no record: it can be removed.
    Empty,
    /// Its writer is there and wrote no header yet.
    Waiting,
    /// The system said no.
    Failed(io::Error),
}

impl std::fmt::Display for SegmentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => write!(f, "it is of version {version} of the format, which is not known here"),
            Self::Foreign => f.write_str("it is no segment, or its header is damaged"),
            Self::Empty => f.write_str("it has no record, and nobody writes to it any more"),
            Self::Waiting => f.write_str("it has no header yet"),
            Self::Failed(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

impl std::error::Error for SegmentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Version(_) | Self::Foreign | Self::Empty | Self::Waiting => None,
        }
    }
}

impl SpoolReader {
    /// Opens a spool's directory.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(directory, flags, Mode::empty())? })
    }

    /// What is there. Files that are being made are passed over; what a crash left of one is removed after a minute.
    ///
    /// # Errors
    /// Those of the system.
    pub fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
            if [&b"."[..], b"..", SET_ASIDE.as_bytes()].contains(&name.as_bytes()) {
                continue;
            }
            if name.as_bytes().starts_with(UNFINISHED.as_bytes()) && self.is_regular(&name) {
                self.remove_if_abandoned(&name);
            } else if let Some(id) = name.to_str().and_then(SegmentId::of_file_name).filter(|_| self.is_regular(&name))
            {
                listing.segments.push(id);
            } else {
                listing.foreign.push(name);
            }
        }
        listing.segments.sort_unstable();
        listing.foreign.sort_unstable();
        Ok(listing)
    }

    fn is_regular(&self, name: &OsString) -> bool {
        rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    fn remove_if_abandoned(&self, name: &OsString) {
        // A lock that is tried too early would be in the way of the writer's own.
        let Ok(file) = self.file(name) else { return };
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let old = modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age >= UNFINISHED_FOR));
        if old && is_abandoned(&file) {
            let _ = rustix::fs::unlinkat(&self.handle, name, AtFlags::empty());
        }
    }

    fn file(&self, name: &OsString) -> Result<File, Errno> {
        // Whoever writes to the spool could put a link or a FIFO there.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        rustix::fs::openat(&self.handle, name, flags, Mode::empty()).map(File::from)
    }

    /// Opens a segment at its first record.
    ///
    /// # Errors
    /// What is said of it is to be done with it; see [`SegmentError`].
    pub fn segment(&self, id: SegmentId) -> Result<SegmentReader, SegmentError> {
        let file = self.file(&id.file_name().into()).map_err(|error| SegmentError::Failed(error.into()))?;
        if !file.metadata().map_err(SegmentError::Failed)?.is_file() {
            return Err(SegmentError::Foreign);
        }
        // Before its bytes are looked at: what is there when the lock is gone is all.
        let abandoned = is_abandoned(&file);
        let mut start = Vec::new();
        read_at(&file, 0, 1024, &mut start).map_err(SegmentError::Failed)?;
        match SegmentHeader::decode(&start) {
            Err(NoSegment::Short) if abandoned => Err(SegmentError::Empty),
            Err(NoSegment::Short) => Err(SegmentError::Waiting),
            Err(NoSegment::Version(version)) => Err(SegmentError::Version(version)),
            Err(NoSegment::Foreign) => Err(SegmentError::Foreign),
            Ok((header, _)) if header.id != id => Err(SegmentError::Foreign),
            Ok((header, start)) => {
                let owned = OwnedHeader {
                    id: header.id,
                    writer: header.writer,
                    node: header.node.to_owned(),
                    process: header.process,
                    thread: header.thread,
                    started_ms: header.started_ms,
                };
                let start = Position { offset: start.offset, sequence: start.sequence };
                Ok(SegmentReader { file, header: owned, at: start, window: Vec::new(), window_at: start.offset })
            }
        }
    }

    /// Whether nobody writes to a segment any more.
    ///
    /// # Errors
    /// Those of the system.
    pub fn is_abandoned(&self, id: SegmentId) -> io::Result<bool> {
        Ok(is_abandoned(&self.file(&id.file_name().into())?))
    }

    /// Whether the directory is what `path` leads to: another one may have been made in its place.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        let (Ok(held), Ok(there)) = (rustix::fs::fstat(&self.handle), rustix::fs::stat(path)) else { return false };
        (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)
    }

    /// Removes a segment.
    ///
    /// # Errors
    /// Those of the system; that it is not there is none.
    pub fn remove(&self, id: SegmentId) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, id.file_name(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a file that does not belong there into the folder `set-aside`; under what name there. Nothing is overwritten or removed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn set_aside(&self, name: &OsString) -> io::Result<OsString> {
        match rustix::fs::mkdirat(&self.handle, SET_ASIDE, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let aside = rustix::fs::openat(&self.handle, SET_ASIDE, flags, Mode::empty())?;
        let mut there = name.clone();
        for n in 1.. {
            // One process drains a spool, so nobody takes the name in between.
            match rustix::fs::statat(&aside, &there, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => break,
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    there.clone_from(name);
                    there.push(format!(".{n}"));
                }
            }
        }
        rustix::fs::renameat(&self.handle, name, &aside, &there)?;
        Ok(there)
    }
}

/// Reads one segment.
#[derive(Debug)]
pub struct SegmentReader {
    file: File,
    header: OwnedHeader,
    at: Position,
    /// Bytes of the file from `window_at` on.
    window: Vec<u8>,
    window_at: u64,
}

#[derive(Debug)]
struct OwnedHeader {
    id: SegmentId,
    writer: [u8; 16],
    node: String,
    process: u32,
    thread: u32,
    started_ms: i64,
}

/// What is known of the bytes at the position.
enum Seen {
    Frame { end: usize, sequence: u64 },
    Short,
    Damaged,
}

impl SegmentReader {
    /// Who wrote it.
    #[must_use]
    pub fn header(&self) -> SegmentHeader<'_> {
        let OwnedHeader { id, writer, ref node, process, thread, started_ms } = self.header;
        SegmentHeader { id, writer, node, process, thread, started_ms }
    }

    /// Where the next record is looked for: behind everything that [`next`](Self::next) gave.
    #[must_use]
    pub fn position(&self) -> Position {
        self.at
    }

    /// Goes on at a place that [`position`](Self::position) gave before.
    pub fn seek(&mut self, position: Position) {
        self.at = position;
        self.window.clear();
        self.window_at = position.offset;
    }

    /// What stands at the position; goes behind it if that is a record or damage.
    ///
    /// # Errors
    /// Those of the system; the position stays.
    #[allow(clippy::should_implement_trait, reason = "what is given borrows from the reader, and it can fail")]
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        let mut seen = self.look()?;
        let mut abandoned = false;
        if !matches!(seen, Seen::Frame { .. }) {
            // Before its bytes are looked at again: what is there when the lock is gone is all.
            abandoned = is_abandoned(&self.file);
            seen = self.look_again()?;
        }
        match seen {
            Seen::Frame { end, sequence } if sequence == self.at.sequence => Ok(self.take(end, sequence)),
            // A whole frame, and some before it are not there.
            Seen::Frame { sequence, .. } => {
                let records = sequence.checked_sub(self.at.sequence);
                self.at.sequence = sequence;
                Ok(Next::Damaged { bytes: 0, records })
            }
            Seen::Short if !abandoned => Ok(Next::Waiting),
            Seen::Short | Seen::Damaged => self.behind_damage(matches!(seen, Seen::Short), abandoned),
        }
    }

    /// The frame at the position, which ends at `end` of the window.
    fn take(&mut self, end: usize, sequence: u64) -> Next<'_> {
        let start = self.index();
        let bytes = (end - start) as u64;
        self.at = Position { offset: self.at.offset + bytes, sequence: sequence + 1 };
        match Record::decode(&self.window[start + frame::HEAD_BYTES..end]) {
            Some(record) => Next::Record { sequence, record },
            // Whoever wrote it meant something else: nothing that a flipped bit could do.
            None => Next::Damaged { bytes, records: Some(1) },
        }
    }

    /// Goes to the next whole frame behind what is none.
    fn behind_damage(&mut self, short: bool, abandoned: bool) -> io::Result<Next<'_>> {
        self.fill(usize::try_from(MAX_SEGMENT_BYTES).unwrap_or(usize::MAX))?;
        let start = self.index();
        let rest = &self.window[start..];
        let expected = self.at.sequence;
        let later = |sequence: u64| sequence >= expected && sequence - expected <= MAX_MISSING;
        let found = (1..rest.len()).find_map(|skip| {
            // The sequence first: it costs less than a checksum.
            let (_, sequence) =
                rest[skip..].get(8..)?.split_first_chunk::<8>().map(|(it, _)| ((), u64::from_le_bytes(*it)))?;
            let whole = later(sequence) && matches!(frame::read(&rest[skip..]), Found::Frame { .. });
            whole.then_some((skip as u64, sequence))
        });
        if let Some((bytes, sequence)) = found {
            self.at = Position { offset: self.at.offset + bytes, sequence };
            return Ok(Next::Damaged { bytes, records: Some(sequence - expected) });
        }
        let bytes = rest.len() as u64;
        if !abandoned {
            return Ok(Next::Waiting);
        }
        // A file system that was not unmounted may leave zeros where a record was to be.
        if short || rest.iter().all(|byte| *byte == 0) {
            return Ok(Next::Drained { torn_bytes: bytes });
        }
        self.at.offset += bytes;
        Ok(Next::Damaged { bytes, records: None })
    }

    /// What stands at the position, as far as the window goes and, if that is not far enough, the file.
    fn look(&mut self) -> io::Result<Seen> {
        match self.seen() {
            Seen::Short => self.look_again(),
            seen @ (Seen::Frame { .. } | Seen::Damaged) => Ok(seen),
        }
    }

    /// What stands at the position of the file as it is now.
    fn look_again(&mut self) -> io::Result<Seen> {
        self.window.clear();
        self.window_at = self.at.offset;
        self.fill(256 * 1024)?;
        Ok(self.seen())
    }

    fn seen(&self) -> Seen {
        let start = self.index();
        match frame::read(&self.window[start..]) {
            // Whatever has an earlier number, or one from far ahead, is not of this place.
            Found::Frame { sequence, .. }
                if sequence < self.at.sequence || sequence - self.at.sequence > MAX_MISSING =>
            {
                Seen::Damaged
            }
            Found::Frame { sequence, payload } => {
                Seen::Frame { end: start + frame::HEAD_BYTES + payload.len(), sequence }
            }
            Found::Short => Seen::Short,
            Found::Damaged => Seen::Damaged,
        }
    }

    /// Where the position is in the window.
    fn index(&self) -> usize {
        usize::try_from(self.at.offset - self.window_at).unwrap_or(usize::MAX).min(self.window.len())
    }

    /// Reads until the window has `bytes` behind the position, or all there are.
    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        let there = self.window.len() - self.index();
        if there < bytes {
            let end = self.window_at + self.window.len() as u64;
            read_at(&self.file, end, bytes - there, &mut self.window)?;
        }
        Ok(())
    }
}

/// Appends up to `limit` bytes of the file to `buffer`.
fn read_at(file: &File, mut offset: u64, limit: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let (start, end) = (buffer.len(), buffer.len() + limit);
    let available = usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    buffer.resize(start + available.min(limit), 0);
    let mut at = start;
    while at < buffer.len() {
        match file.read_at(&mut buffer[at..], offset) {
            Ok(0) => break,
            Ok(read) => (at, offset) = (at + read, offset + read as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                buffer.truncate(start);
                return Err(error);
            }
        }
    }
    debug_assert!(at <= end);
    buffer.truncate(at);
    Ok(())
}

/// Whether no writer holds the file. The lock is let go of at once: writers begin files of their own.
fn is_abandoned(file: &File) -> bool {
    let free = rustix::fs::flock(file, FlockOperation::NonBlockingLockShared).is_ok();
    if free {
        let _ = rustix::fs::flock(file, FlockOperation::Unlock);
    }
    free
}
