//! What an engine says about itself.

use crate::counters::Counters;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// The state of an engine at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Whether decisions have effect.
    pub mode: Mode,
    /// The revision of the policy in force, in hex.
    pub revision: String,
    /// How many times the feed was published in its epoch; 0 for a policy file.
    pub generation: u64,
    /// When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
    pub epoch: u64,
    /// Where the policy comes from.
    pub source: SourceStatus,
    /// When the version in force was published in this process.
    pub loaded_at: Timestamp,
    /// How many seconds ago the feed's writer last said that it lives; `None` for a policy file.
    pub heartbeat_age_seconds: Option<i64>,
    /// Why the newest version in the feed is not in force; `None` if it is.
    pub refusal: Option<RefusalStatus>,
    /// How many rules the policy has.
    pub rules: usize,
    /// The issuers, with the number of keys of each.
    pub issuers: BTreeMap<String, usize>,
    /// How many versions are held in memory, the one in force included.
    pub live_versions: usize,
    /// What was decided since the engine was opened.
    pub counters: Counters,
}

/// Where a policy comes from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "path")]
pub enum SourceStatus {
    /// A feed.
    Feed(String),
    /// A policy file, which is read only when the engine opens.
    PolicyFile(String),
}

/// A refusal that still stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusalStatus {
    /// When it was first refused.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

impl Status {
    /// The status as text, one fact a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("revision {}\n", self.revision)
    }
}
