//! A segment: one file of one writer. Its name, and what stands before its records.
//!
//! ```text
//! magic     8 bytes: `luigi-sp`
//! version   u32, little-endian
//! frame     whose payload is a [`SegmentHeader`]; its sequence is one less than that of the first record
//! frames    with a [`Record`](super::Record) each
//! ```

use super::frame;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of the format of segments and records. A reader takes no other.
pub const VERSION: u32 = 1;

/// How every segment begins.
pub const MAGIC: [u8; 8] = *b"luigi-sp";

/// A writer begins another segment before one would grow beyond this, in bytes; earlier where the limit of the spool is low.
pub const MAX_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// The bytes before the first frame.
pub const PREFIX_BYTES: usize = 12;

/// The longest name of a node, in bytes.
pub const MAX_NODE_BYTES: usize = 255;

/// How the name of a segment ends.
pub(crate) const SUFFIX: &str = ".spool";

/// How the name of a file begins that is no segment yet.
pub(crate) const UNFINISHED: &str = ".new-";

/// Names a segment: six bytes of the time it was begun, in milliseconds since the Unix epoch, and ten random ones. Printed as 32 hex digits, so that
/// names sort by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId([u8; 16]);

impl SegmentId {
    pub(crate) fn new(at_ms: i64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The id of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, in the order in which they are printed.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id of the segment that has this name; `None` if no segment has.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(SUFFIX)?;
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let plain = digits.len() == 32 && digits.bytes().all(lower);
        plain.then(|| u128::from_str_radix(digits, 16).ok())?.map(|number| Self(number.to_be_bytes()))
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{self}{SUFFIX}")
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// Who wrote a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentHeader<'a> {
    /// The segment itself, as in the name of its file.
    pub id: SegmentId,
    /// Drawn by each writer at its first segment: the same in all segments of one writer, and its sequence goes on from one to the next.
    pub writer: [u8; 16],
    /// The name of the machine, as configured or as it calls itself.
    pub node: &'a str,
    /// The process id of the writer.
    pub process: u32,
    /// Which of the process's writers it is: one for each thread.
    pub thread: u32,
    /// When the segment was begun, in milliseconds since the Unix epoch.
    pub started_ms: i64,
}

impl<'a> SegmentHeader<'a> {
    /// Writes the start of a segment, up to its first record, to the start of `buffer`; how many bytes, or `None` if it has no room.
    pub(crate) fn encode(&self, sequence: u64, buffer: &mut [u8]) -> Option<usize> {
        let (prefix, rest) = buffer.split_at_mut_checked(PREFIX_BYTES)?;
        prefix[..8].copy_from_slice(&MAGIC);
        prefix[8..].copy_from_slice(&VERSION.to_le_bytes());
        let length = postcard::to_slice(self, rest.get_mut(frame::HEAD_BYTES..)?).ok()?.len();
        frame::seal(rest, length, sequence);
        Some(PREFIX_BYTES + frame::HEAD_BYTES + length)
    }

    /// Reads the start of a segment: who wrote it, where its first record begins, and that record's sequence.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<(Self, Start), NoSegment> {
        if bytes.len() < PREFIX_BYTES {
            return Err(if MAGIC.starts_with(&bytes[..bytes.len().min(8)]) {
                NoSegment::Short
            } else {
                NoSegment::Foreign
            });
        }
        let (prefix, rest) = bytes.split_at(PREFIX_BYTES);
        let (magic, version) = prefix.split_at(8);
        if magic != MAGIC {
            return Err(NoSegment::Foreign);
        }
        let version = version.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        if version != VERSION {
            return Err(NoSegment::Version(version));
        }
        match frame::read(rest) {
            frame::Found::Short => Err(NoSegment::Short),
            frame::Found::Damaged => Err(NoSegment::Foreign),
            frame::Found::Frame { sequence, payload } => {
                let (header, left) = postcard::take_from_bytes(payload).map_err(|_| NoSegment::Foreign)?;
                let bytes = PREFIX_BYTES + frame::HEAD_BYTES + payload.len();
                let start = Start { offset: bytes as u64, sequence: sequence.wrapping_add(1) };
                if left.is_empty() { Ok((header, start)) } else { Err(NoSegment::Foreign) }
            }
        }
    }
}

/// Where the first record of a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) offset: u64,
    pub(crate) sequence: u64,
}

/// Why a file does not begin like a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSegment {
    /// It ends before its header does.
    Short,
    /// It is a segment of another version of the format.
    Version(u32),
    /// It is something else, or its header is damaged.
    Foreign,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader<'static> {
        let id = SegmentId::new(0x0102_0304_0506, [0xab; 10]);
        SegmentHeader { id, writer: [3; 16], node: "edge-1", process: 300, thread: 2, started_ms: -1 }
    }

    #[test]
    fn names_sort_by_age_and_are_read_back() {
        let id = header().id;
        assert_eq!(id.file_name(), "010203040506abababababababababab.spool");
        assert_eq!(SegmentId::of_file_name(&id.file_name()), Some(id));
        assert_eq!(SegmentId::from_bytes(id.to_bytes()), id);
        assert!(id < SegmentId::new(0x0102_0304_0507, [0; 10]));
        for odd in [
            "",
            ".spool",
            "010203040506ABABABABABABABABABAB.spool",
            "010203040506abababababababababab",
            "+10203040506abababababababababab.spool",
        ] {
            assert_eq!(SegmentId::of_file_name(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_bytes_of_a_header_stay_what_they_are() {
        let mut buffer = [0; 128];
        let length = header().encode(41, &mut buffer).unwrap();
        let payload = [&header().id.to_bytes()[..], &[3; 16], b"\x06edge-1\xac\x02\x02\x01"].concat();
        let mut framed = vec![0; frame::HEAD_BYTES];
        framed.extend(&payload);
        frame::seal(&mut framed, payload.len(), 41);
        assert_eq!(&buffer[..length], [b"luigi-sp\x01\0\0\0", &framed[..]].concat());
        let (read, start) = SegmentHeader::decode(&buffer[..length]).unwrap();
        assert_eq!((read, start), (header(), Start { offset: length as u64, sequence: 42 }));
    }

    #[test]
    fn what_is_no_segment_is_told_from_one_that_is_not_there_yet() {
        let mut buffer = [0; 128];
        let length = header().encode(0, &mut buffer).unwrap();
        for end in 0..length {
            assert_eq!(SegmentHeader::decode(&buffer[..end]), Err(NoSegment::Short), "{end}");
        }
        for (at, expected) in
            [(0, NoSegment::Foreign), (8, NoSegment::Version(0)), (PREFIX_BYTES + 20, NoSegment::Foreign)]
        {
            let mut changed = buffer;
            changed[at] ^= 1;
            assert_eq!(SegmentHeader::decode(&changed[..length]), Err(expected), "{at}");
        }
        assert_eq!(SegmentHeader::decode(b"GIF89a"), Err(NoSegment::Foreign));
    }
}
