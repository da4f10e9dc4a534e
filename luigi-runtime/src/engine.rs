//! The engine: one for a process, shared by all its threads.

use crate::config::{EngineConfig, OpenError};
use crate::context::Context;
use crate::counters::Counters;
use crate::status::{SourceStatus, Status};
use crate::version::Version;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// Everything that decisions depend on, kept up to date. Shared by all threads; nothing in it blocks a decision.
#[derive(Debug)]
pub struct Engine {
    current: Arc<ArcSwap<Version>>,
}

/// How much one call of [`Engine::poll`] may do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes to read and hash.
    pub bytes: usize,
    /// Records of a snapshot to validate or to free.
    pub records: usize,
}

impl Default for Budget {
    /// What a slow machine does in a few milliseconds: 256 KiB, 2,000 records.
    fn default() -> Self {
        Self { bytes: 256 * 1024, records: 2_000 }
    }
}

/// What a call of [`Engine::poll`] found.
#[derive(Clone, Debug)]
pub struct Poll {
    /// When to call again: at once (but let others run) if work is left, else after the usual pause.
    pub next: Duration,
    /// What happened, if it is worth a line in the log.
    pub event: Option<PollEvent>,
}

/// Something that happened while polling; its text is a line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollEvent {
    /// A new version is in force.
    Published {
        /// Its revision, in hex.
        revision: String,
        /// Its generation.
        generation: u64,
    },
    /// A new version was refused; the last good one stays in force. Told once for each reason.
    Refused {
        /// Why.
        why: String,
    },
}

impl Engine {
    /// Opens the engine: reads the first version whole, and every path that it will ever need.
    ///
    /// # Errors
    /// A directory, key or file that cannot be read; a feed without a valid version; a policy with errors.
    pub fn open(_config: &EngineConfig) -> Result<Self, OpenError> {
        Err(OpenError::new("not yet"))
    }

    /// What a thread needs to evaluate requests; make one for each thread.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self)
    }

    /// The version in force.
    #[must_use]
    pub fn version(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// Looks for a new version and works on it for at most one slice. One thread at a time does; others return at once.
    pub fn poll(&self, _budget: Budget) -> Poll {
        Poll { next: Duration::from_secs(1), event: None }
    }

    /// The state of the engine.
    #[must_use]
    pub fn status(&self) -> Status {
        let version = self.version();
        Status {
            mode: version.mode(),
            revision: version.revision().to_owned(),
            generation: version.generation(),
            epoch: version.epoch(),
            source: SourceStatus::PolicyFile(String::new()),
            loaded_at: version.loaded_at(),
            heartbeat_age_seconds: None,
            refusal: None,
            rules: version.policy().rules.len(),
            issuers: std::collections::BTreeMap::new(),
            live_versions: 1,
            counters: Counters::default(),
        }
    }

    /// Counts a failure that happened outside: in the glue between an embedder and the engine.
    pub fn count_failure(&self) {}

    pub(crate) fn current(&self) -> &Arc<ArcSwap<Version>> {
        &self.current
    }
}
