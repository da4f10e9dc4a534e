//! What an engine says about itself.

use crate::counters::Counters;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

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
    /// The issuers, with the number of usable keys of each; `None` if no keys were given.
    pub issuers: BTreeMap<String, Option<usize>>,
    /// How many versions are held in memory, the one in force included.
    pub live_versions: usize,
    /// What was decided since the engine was opened.
    pub counters: Counters,
}

/// Where a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub why: String,
}

impl Status {
    /// The status as text, one fact a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name:<22} {value}").expect("writing to memory does not fail");
        };
        line("mode", &mode_name(self.mode));
        line("revision", &self.revision);
        match &self.source {
            SourceStatus::Feed(path) => {
                line("feed", path);
                line("generation", &self.generation);
                line("epoch", &epoch(self.epoch));
            }
            SourceStatus::PolicyFile(path) => {
                line("policy file", &format_args!("{path} (changes need a restart; a feed takes them as it runs)"));
            }
        }
        line("loaded at", &self.loaded_at);
        if let Some(age) = self.heartbeat_age_seconds {
            line("heartbeat", &format_args!("{age} s ago"));
        }
        match &self.refusal {
            None => line("newest version", &"in force"),
            Some(refusal) => line("newest version", &format_args!("refused since {}: {}", refusal.since, refusal.why)),
        }
        line("audit", &"off");
        line("rules", &self.rules);
        for (name, keys) in &self.issuers {
            match keys {
                Some(1) => line("issuer", &format_args!("{name}, 1 key")),
                Some(keys) => line("issuer", &format_args!("{name}, {keys} keys")),
                None => line("issuer", &format_args!("{name}, no keys: its tokens are refused")),
            }
        }
        line("versions in memory", &self.live_versions);
        line("passed", &self.counters.passed);
        line("refused requests", &self.counters.refused);
        line("would be refused", &self.counters.would_be_refused);
        line("failures", &self.counters.failures);
        for (what, counts) in [("decision", &self.counters.decisions), ("candidate", &self.counters.candidates)] {
            for (reason, count) in counts.iter().filter(|(_, count)| **count > 0) {
                line(what, &format_args!("{reason} {count}"));
            }
        }
        text
    }
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

fn epoch(seconds: u64) -> String {
    match i64::try_from(seconds) {
        Ok(seconds) => Timestamp::from_unix_seconds(seconds).to_string(),
        Err(_) => seconds.to_string(),
    }
}
