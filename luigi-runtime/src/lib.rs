//! What embedders hold: one [`Engine`] for the process and one [`Context`] for each thread.
//!
//! The engine publishes immutable [`Version`]s (compiled policy, keys, grants, mode) through one `ArcSwap`; a context turns
//! the [`Facts`] of a request into an [`Answer`] without locking or allocating. Files are read here and nowhere below: a
//! feed through a directory handle that is opened before any chroot, a policy file once at the start. Nothing here opens a
//! socket or starts a thread, and the one place that is written to is the [`spool`].

mod answer;
pub mod answer_line;
mod carried;
mod config;
mod context;
mod counters;
mod engine;
mod evaluation_id;
pub mod facts;
pub mod feed;
pub mod haproxy_config;
pub mod haproxy_log;
pub mod panics;
pub mod policy_files;
mod poller;
mod recording;
pub mod regular_file;
pub mod reply;
mod request;
pub mod response_line;
pub mod spool;
mod status;
mod version;

pub use answer::{Answer, Challenge, Outcome};
pub use carried::Carried;
pub use config::{DEFAULT_STALE_AFTER, EngineConfig, FeedConfig, OpenError, PolicyFileConfig};
pub use context::{Context, Delivery};
pub use counters::{AmbiguousTargets, Counters};
pub use engine::{Budget, Engine, Poll, PollEvent};
pub use evaluation_id::{EvaluationId, ProcessMark};
pub use luigi_core::policy::model::Mode;
pub use luigi_core::time::Timestamp;
pub use request::{Caller, FactSource, Facts};
pub use status::{RefusalStatus, SourceStatus, Status};
pub use version::Version;

/// The time as decisions take it, from the system's clock.
#[must_use]
pub fn now() -> Timestamp {
    let seconds = match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    };
    Timestamp::from_unix_seconds(seconds)
}
