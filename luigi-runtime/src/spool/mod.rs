//! The spool: a directory to which decisions are appended that must be kept, from every thread that decides.
//!
//! ```text
//! Context ── Record ── Writer ──> one segment a thread ── Directory (limit, counts) ...  SpoolReader ──> whoever drains it
//! ```
//!
//! A record is one frame, written with one `write`: what was answered is in the file, whatever becomes of the process. Nothing is synchronised to a disk,
//! since that could hold a thread of the proxy for seconds. Nothing is written before the first record, so that a check of a configuration leaves no trace.
//! The format is that of docs/SPOOL.md.

mod frame;
mod reader;
mod record;
mod segment;
#[cfg(test)]
mod tests;
mod usage;
mod writer;

pub use frame::{HEAD_BYTES, MAX_PAYLOAD_BYTES};
pub use reader::{Listing, Next, Position, SegmentError, SegmentReader, SpoolReader};
pub use record::{
    AllowedRecord, Caller, DecisionRecord, Judgement, LossCounts, LossRecord, MAX_PATH_BYTES, MAX_TEXT_BYTES, Record,
    ResponseRecord,
};
pub(crate) use record::{Worth, cut, cut_bytes};
pub use segment::{MAGIC, MAX_NODE_BYTES, MAX_SEGMENT_BYTES, PREFIX_BYTES, SegmentHeader, SegmentId, VERSION};
pub(crate) use usage::Spool;
pub use usage::{DEFAULT_LIMIT_BYTES, MIN_LIMIT_BYTES, SpoolConfig, SpoolStatus};
pub(crate) use writer::{Moment, Writer};
