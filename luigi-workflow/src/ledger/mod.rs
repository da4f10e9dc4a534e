//! The audit ledger: one append-only sequence of entries, each with the hash of the one before.
//!
//! [`Ledger`] appends, [`Reader`] reads, [`Verifier`] says whether what is there is what was written, and who besides the owner of the database vouches for it.
//! docs/LEDGER.md has the format, exact enough for a verifier in another language. What happened is told by the data plane and the rest of the control plane as
//! [`Event`]s; nothing here decides anything.
//!
//! ```
//! use luigi_workflow::ledger::{DaemonStarted, Event, Ledger, NewEntry, Reader, Verifier};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("ledger.db");
//! let mut ledger = Ledger::open(&path)?;
//! let started = DaemonStarted { node: "edge-1".to_owned(), tool: "luigi".to_owned(), process: 17 };
//! let head = ledger.append(&[NewEntry::now(Event::DaemonStarted(started))])?;
//! assert_eq!(head.sequence, 2, "entry 1 says that the ledger was made");
//!
//! let found = Verifier::default().verify(&Reader::open(&path)?)?;
//! assert_eq!((found.broken, found.head), (None, head.hash));
//! # Ok::<(), luigi_workflow::ledger::LedgerError>(())
//! ```

mod anchoring;
mod canonical;
mod chain;
mod checkpoint;
mod database;
mod entry;
mod error;
mod event;
pub mod evidence;
mod expectations;
mod export;
mod fields;
mod filter;
mod masking;
pub mod ocsf;
mod owner;
mod reader;
mod retention;
mod sinks;
mod verify;
mod writer;

pub use anchoring::{Anchored, Cadence, CheckpointKey, not_sent};
pub use chain::Flaw;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Entry, Hash, NewEntry};
pub use error::LedgerError;
pub use event::{
    AccessRequested, Answered, DaemonStarted, DaemonStopped, Decision, DecisionWord, Disclosure, Event, Expired,
    Granted, KeysChanged, Kind, LedgerMade, ModeChanged, Person, PolicyApplied, RecordsLost, Reply, RequestsCounted,
    Response, Retired, Revoked, SecretRotated, SpoolPlace, StopMade, Unstop,
};
pub use expectations::Unbelieved;
pub use export::{ExportFound, ExportHead};
pub use fields::Fields;
pub use filter::Filter;
pub use masking::mask;
pub use reader::Reader;
pub use sinks::Sink;
pub use verify::{Anchor, Broken, Verification, Verifier};
pub(crate) use writer::Pending;
pub use writer::{Batch, Head, Ledger, ReadSegment, SpoolRecord, append_beside};

/// What writes entries: name and version.
pub(crate) const TOOL: &str = concat!("luigi ", env!("CARGO_PKG_VERSION"));
