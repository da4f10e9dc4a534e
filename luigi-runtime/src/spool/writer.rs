//! Appends the records of one thread.
//!
//! A segment is made under a name that readers pass over, locked, begun with its header, and only then renamed: whoever finds a segment without a lock knows that
//! nobody will write there again. A write that the system takes in part is undone, so that a segment holds whole frames as long as its writer lives.

use super::frame;
use super::record::{AllowedRecord, LossCounts, LossRecord, Record, Worth};
use super::segment::{SUFFIX, SegmentHeader, SegmentId, UNFINISHED};
use super::usage::{Spool, Unavailable};
use crate::evaluation_id::ProcessMark;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Room for a report of losses and the longest record.
const BUFFER_BYTES: usize = 2 * frame::HEAD_BYTES + frame::MAX_PAYLOAD_BYTES + LOSS_BYTES;

/// The most that a report of losses takes: nine numbers of at most ten bytes.
const LOSS_BYTES: usize = 128;

/// How long allows are counted before the count becomes a record, in milliseconds.
const COUNT_FOR_MS: i64 = 60_000;

/// When something is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) ms: i64,
}

impl Moment {
    /// By the system's clock.
    pub(crate) fn now() -> Self {
        let ms = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Self { ms }
    }

    fn seconds(self) -> i64 {
        self.ms.div_euclid(1000)
    }
}

/// The way of one thread to the spool.
#[derive(Debug)]
pub(crate) struct Writer {
    spool: Arc<Spool>,
    thread: u32,
    buffer: Box<[u8]>,
    /// What belongs to one process.
    own: Option<Own>,
}

/// What a writer has in one process; a fork begins anew.
#[derive(Debug)]
struct Own {
    process: ProcessMark,
    /// Random; in every segment.
    writer: Option<[u8; 16]>,
    segment: Option<Segment>,
    /// The number of the next frame.
    sequence: u64,
    losses: Option<LossRecord>,
    allowed: Option<AllowedRecord>,
    /// The second in which no segment could be made.
    failed_in: Option<(i64, Unavailable)>,
}

#[derive(Debug)]
struct Segment {
    file: OwnedFd,
    bytes: u64,
}

impl Own {
    fn new(process: ProcessMark) -> Self {
        Self { process, writer: None, segment: None, sequence: 0, losses: None, allowed: None, failed_in: None }
    }
}

impl Writer {
    /// Opens nothing: the segment is made with the first record.
    pub(crate) fn new(spool: &Arc<Spool>) -> Self {
        let thread = spool.next_thread();
        Self { spool: Arc::clone(spool), thread, buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), own: None }
    }

    /// Appends a record. When this returns `Ok` it is in the file, whatever becomes of the process. What was lost before stands in front of it.
    ///
    /// # Allocation
    /// None.
    pub(crate) fn append(&mut self, worth: Worth, record: &Record<'_>, now: Moment) -> Result<(), Unavailable> {
        let appended = self.try_append(worth, Some(record), now);
        if let Err(why) = appended {
            self.lose(worth, why, now);
        }
        appended
    }

    /// Counts a request that passed without a record.
    pub(crate) fn count_allowed(&mut self, now: Moment) {
        let own = self.own();
        match &mut own.allowed {
            Some(allowed) => (allowed.count, allowed.until_ms) = (allowed.count + 1, now.ms),
            None => own.allowed = Some(AllowedRecord { since_ms: now.ms, until_ms: now.ms, count: 1 }),
        }
        self.tell_allowed(now, COUNT_FOR_MS);
    }

    /// Tells what was lost, and what was counted for long enough, if there is room; for threads without requests.
    pub(crate) fn tell(&mut self, now: Moment) {
        let segment = self.own().segment.take();
        // What is appended to a file without a name is lost.
        match segment {
            Some(segment) if segment.is_gone() || self.spool.needs(segment.bytes) => segment.end(),
            segment => self.own().segment = segment,
        }
        self.tell_allowed(now, COUNT_FOR_MS);
        if self.own().losses.is_some() {
            // If it fails the count is still there.
            let _ = self.try_append(Worth::Privileged, None, now);
        }
    }

    fn tell_allowed(&mut self, now: Moment, after_ms: i64) {
        let own = self.own();
        // The distance, so that a clock that is set back does not stop the count for as long.
        let Some(allowed) = own.allowed.filter(|allowed| now.ms.abs_diff(allowed.since_ms) >= after_ms.unsigned_abs())
        else {
            return;
        };
        let record = AllowedRecord { until_ms: now.ms, ..allowed };
        // Else it is kept and told later: a count is never lost for want of room.
        if self.try_append(Worth::Allow, Some(&Record::Allowed(record)), now).is_ok() {
            self.own().allowed = None;
        }
    }

    /// What belongs to this process: nothing of what a parent had. Its segment is closed and not ended, and its counts are the parent's to tell.
    fn own(&mut self) -> &mut Own {
        let here = ProcessMark::now();
        let own = self.own.take().filter(|own| own.process == here);
        self.own.insert(own.unwrap_or_else(|| Own::new(here)))
    }

    fn lose(&mut self, worth: Worth, why: Unavailable, now: Moment) {
        self.spool.note_lost(worth, why);
        let losses = self.own().losses.get_or_insert(LossRecord {
            since_ms: now.ms,
            until_ms: now.ms,
            counts: LossCounts::default(),
        });
        losses.until_ms = now.ms;
        losses.counts.add(worth);
    }

    fn try_append(&mut self, worth: Worth, record: Option<&Record<'_>>, now: Moment) -> Result<(), Unavailable> {
        let own = self.own();
        let (sequence, losses) = (own.sequence, own.losses);
        let mut frames = Frames { buffer: &mut self.buffer, bytes: 0, count: 0, sequence };
        if let Some(losses) = losses {
            frames.push(&Record::Lost(losses))?;
        }
        if let Some(record) = record {
            frames.push(record)?;
        }
        let Frames { bytes, count, .. } = frames;
        if !self.spool.has_room(worth, bytes as u64, now.seconds()) {
            // Whoever drains the spool can take away what this thread has written.
            if let Some(segment) = self.own().segment.take() {
                segment.end();
            }
            return Err(Unavailable::Full);
        }
        let Self { spool, thread, buffer, own } = self;
        let Some(own) = own else { return Err(Unavailable::Failed(Errno::BADF)) };
        let frames = &mut buffer[..bytes];
        let segment = match own.segment.take() {
            Some(segment) if segment.bytes + bytes as u64 <= spool.segment_bytes() => segment,
            full => {
                if let Some(full) = full {
                    full.end();
                }
                let segment = begin(spool, *thread, own, now)?;
                // Its header took a number.
                renumber(frames, own.sequence);
                segment
            }
        };
        let (segment, written) = segment.append(frames);
        own.segment = segment;
        written.map_err(Unavailable::Failed)?;
        own.sequence += count;
        own.losses = None;
        spool.note_written(bytes as u64, count);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Another process' writer is not this one's to speak for, nor has one that never counted anything something to say.
        if self.own.as_ref().is_some_and(|own| own.process == ProcessMark::now()) {
            self.tell_allowed(Moment::now(), 0);
            self.tell(Moment::now());
            if let Some(segment) = self.own.take().and_then(|own| own.segment) {
                segment.end();
            }
        }
    }
}

/// Frames one behind the other.
struct Frames<'a> {
    buffer: &'a mut [u8],
    bytes: usize,
    count: u64,
    sequence: u64,
}

impl Frames<'_> {
    fn push(&mut self, record: &Record<'_>) -> Result<(), Unavailable> {
        let frame = &mut self.buffer[self.bytes..];
        let end = frame.len().min(frame::HEAD_BYTES + frame::MAX_PAYLOAD_BYTES);
        // Texts are cut so that every record fits.
        let length = record.encode(&mut frame[frame::HEAD_BYTES..end]).ok_or(Unavailable::Failed(Errno::MSGSIZE))?;
        frame::seal(frame, length, self.sequence + self.count);
        self.bytes += frame::HEAD_BYTES + length;
        self.count += 1;
        Ok(())
    }
}

/// Numbers whole frames from `sequence` on.
fn renumber(mut frames: &mut [u8], mut sequence: u64) {
    while let frame::Found::Frame { payload, .. } = frame::read(frames) {
        let length = payload.len();
        frame::seal(frames, length, sequence);
        sequence += 1;
        frames = &mut frames[frame::HEAD_BYTES + length..];
    }
}

/// Makes the next segment, if none could be made in this second it is not tried again.
fn begin(spool: &Spool, thread: u32, own: &mut Own, now: Moment) -> Result<Segment, Unavailable> {
    if let Some((second, why)) = own.failed_in
        && second == now.seconds()
    {
        return Err(why);
    }
    let begun = try_begin(spool, thread, own, now).map_err(Unavailable::Failed);
    own.failed_in = begun.as_ref().err().map(|why| (now.seconds(), *why));
    begun
}

fn try_begin(spool: &Spool, thread: u32, own: &mut Own, now: Moment) -> Result<Segment, Errno> {
    let writer = match own.writer {
        Some(writer) => writer,
        None => *own.writer.insert(random()?),
    };
    let id = SegmentId::new(now.ms, random()?);
    let header =
        SegmentHeader { id, writer, node: spool.node(), process: std::process::id(), thread, started_ms: now.ms };
    let mut start = [0; 512];
    let length = header.encode(own.sequence, &mut start).ok_or(Errno::MSGSIZE)?;
    let (unfinished, name) = (Name::of(UNFINISHED, id, "")?, Name::of("", id, SUFFIX)?);

    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let rights = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    let file = rustix::fs::openat(spool.handle(), unfinished.as_str(), flags, rights)?;
    let finish = || {
        // Whatever the umask is: whoever drains the spool belongs to the directory's group.
        rustix::fs::fchmod(&file, rights)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        if write(&file, &start[..length])? < length {
            return Err(Errno::NOSPC);
        }
        rustix::fs::renameat(spool.handle(), unfinished.as_str(), spool.handle(), name.as_str())
    };
    if let Err(error) = finish() {
        let _ = rustix::fs::unlinkat(spool.handle(), unfinished.as_str(), AtFlags::empty());
        return Err(error);
    }
    spool.note_written(length as u64, 0);
    own.sequence += 1;
    Ok(Segment { file, bytes: length as u64 })
}

fn random<const N: usize>() -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Errno::AGAIN)?;
    Ok(bytes)
}

/// A file name that is put together without allocation.
struct Name {
    bytes: [u8; 48],
    length: usize,
}

impl Name {
    fn of(prefix: &str, id: SegmentId, suffix: &str) -> Result<Self, Errno> {
        let mut name = Self { bytes: [0; 48], length: 0 };
        write!(name, "{prefix}{id}{suffix}").map_err(|_| Errno::NAMETOOLONG)?;
        Ok(name)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl std::fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl Segment {
    /// Appends all of `frames` or nothing. There is no segment any more if what was written in part could not be undone.
    fn append(self, frames: &[u8]) -> (Option<Self>, Result<(), Errno>) {
        let Self { file, bytes } = self;
        let error = match write(&file, frames) {
            Ok(written) if written == frames.len() => {
                return (Some(Self { file, bytes: bytes + written as u64 }), Ok(()));
            }
            // A file system that is full takes what fits.
            Ok(_) => Errno::NOSPC,
            Err(error) => error,
        };
        let undone = rustix::fs::ftruncate(&file, bytes).is_ok();
        (undone.then_some(Self { file, bytes }), Err(error))
    }

    /// Says that it is complete. Closing it would not be enough: a lock is held until it is let go of, or until every process that has inherited the file has closed it.
    fn end(self) {
        // If it fails there is still the closing.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }

    /// Whether nobody can find the segment any more: it was removed, or its directory was.
    fn is_gone(&self) -> bool {
        rustix::fs::fstat(&self.file).is_ok_and(|stat| stat.st_nlink == 0)
    }
}

/// One `write`; asked again only if a signal came before anything was written.
fn write(file: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    loop {
        match rustix::io::write(file, bytes) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
