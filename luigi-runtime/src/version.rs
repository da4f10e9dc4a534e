//! One immutable version of everything that decisions depend on.

use luigi_core::policy::model::{Mode, Policy};
use luigi_core::time::Timestamp;

/// One version: policy, keys, grants and mode, published together.
#[derive(Debug)]
pub struct Version {
    pub(crate) policy: Policy,
    pub(crate) revision: String,
    pub(crate) mode: Mode,
    pub(crate) epoch: u64,
    pub(crate) generation: u64,
    pub(crate) loaded_at: Timestamp,
    pub(crate) heartbeat: Option<Timestamp>,
}

impl Version {
    /// The policy, for names and descriptions.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The revision of the compiled policy, in hex.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether decisions have effect.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many times the feed was published in its epoch; 0 for a policy file.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When this engine published the version.
    #[must_use]
    pub fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    /// When the feed's writer last said that it lives; `None` for a policy file.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Timestamp> {
        self.heartbeat
    }
}
