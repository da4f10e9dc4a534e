//! What an engine says about itself.

use crate::counters::{AmbiguousTargets, Counters};
use crate::spool::{LossCounts, SpoolStatus};
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
    /// The environment that the policy was compiled for; `None` if it has none.
    pub environment: Option<String>,
    /// How many times the feed was published in its epoch; 0 for a policy file.
    pub generation: u64,
    /// When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
    pub epoch: u64,
    /// Where the policy comes from.
    pub source: SourceStatus,
    /// When the version in force was published in this process.
    pub loaded_at: Timestamp,
    /// How many seconds ago the feed's writer last said that it lives, less than zero if by this clock that is still to come; `None` for a policy file.
    pub heartbeat_age_seconds: Option<i64>,
    /// Whether the feed's writer, which said before that it lives, has been silent for longer than `stale-after`: then grants and sessions do not count.
    pub stale: bool,
    /// Why the newest version in the feed is not in force; `None` if it is.
    pub refusal: Option<RefusalStatus>,
    /// How many stops are in force.
    pub stops: usize,
    /// Which facts the configuration says that lines carry beyond those that every line does; `None` if it does not matter.
    pub facts: Option<String>,
    /// What some line lacked that a policy in force asked for.
    pub lacking: Option<String>,
    /// How many rules the policy has.
    pub rules: usize,
    /// The issuers, with the number of usable keys of each; `None` if no keys were given.
    pub issuers: BTreeMap<String, Option<usize>>,
    /// How many versions are held in memory, the one in force included.
    pub live_versions: usize,
    /// Where decisions are recorded and how that goes; `None` if nothing is recorded.
    pub audit: Option<SpoolStatus>,
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
    /// The same for programs: one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a status has string keys only")
    }

    /// How long ago the feed's writer last said that it lives, and whether it is missed, in words; `None` for a policy file.
    #[must_use]
    pub fn heartbeat(&self) -> Option<String> {
        let age = self.heartbeat_age_seconds?;
        let stale = if self.stale { ", stale: its writer is silent" } else { "" };
        // Ahead: a clock was set back, this one or the writer's.
        let (age, when) = (age.unsigned_abs(), if age < 0 { "s ahead of this clock" } else { "s ago" });
        Some(format!("{age} {when}{stale}"))
    }

    /// The status as text, one fact a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name:<22} {value}").expect("writing to memory does not fail");
        };
        line("mode", &self.mode.as_str());
        line("revision", &self.revision);
        if let Some(environment) = &self.environment {
            line("environment", environment);
        }
        match &self.source {
            SourceStatus::Feed(path) => {
                line("feed", path);
                line("generation", &self.generation);
                line("feed made at", &epoch(self.epoch));
            }
            SourceStatus::PolicyFile(path) => {
                line("policy file", &format_args!("{path} (read once; only a feed is followed)"));
            }
        }
        line("in force since", &self.loaded_at);
        if let Some(heartbeat) = self.heartbeat() {
            line("heartbeat", &heartbeat);
        }
        if let Some(refusal) = &self.refusal {
            line("newest version", &format_args!("refused since {}: {}", refusal.since, refusal.why));
        }
        line("stops in force", &self.stops);
        if let Some(facts) = self.facts.as_ref().filter(|facts| !facts.is_empty()) {
            line("further facts", facts);
        }
        if let Some(lacking) = &self.lacking {
            line("lines lack", &format_args!("{lacking}: unknown to rules; print the lines again"));
        }
        match &self.audit {
            None => line("audit", &"off"),
            Some(spool) => {
                line("audit", &spool.path);
                line("records", &format_args!("{} written, {} lost", spool.records, spool.lost.total()));
                for (name, count) in named(&spool.lost).into_iter().filter(|(_, count)| *count > 0) {
                    line("records lost", &format_args!("{name} {count}"));
                }
                let SpoolStatus { bytes, limit_bytes, segments, .. } = spool;
                line("spool", &format_args!("{bytes} of {limit_bytes} bytes, segments: {segments}"));
                if let Some(problem) = &spool.problem {
                    line("audit problem", problem);
                }
            }
        }
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
        line("refused", &self.counters.refused);
        if self.counters.undelivered > 0 {
            line("undelivered", &self.counters.undelivered);
        }
        line("would be refused", &self.counters.would_be_refused);
        line("failures", &self.counters.failures);
        for (class, AmbiguousTargets { refused, would_be_refused }) in &self.counters.ambiguous_targets {
            match (refused, would_be_refused) {
                (0, 0) => {}
                (refused, 0) => line("ambiguous target", &format_args!("{class}, {refused} refused")),
                (0, others) => line("ambiguous target", &format_args!("{class}, {others} would be refused")),
                (refused, others) => {
                    line("ambiguous target", &format_args!("{class}, {refused} refused, {others} would be refused"));
                }
            }
        }
        for (what, counts) in [("decision", &self.counters.decisions), ("candidate", &self.counters.candidates)] {
            for (reason, count) in counts.iter().filter(|(_, count)| **count > 0) {
                line(what, &format_args!("{reason} {count}"));
            }
        }
        text
    }
}

/// The counts with their names, as JSON has them.
fn named(lost: &LossCounts) -> [(&'static str, u64); 6] {
    let LossCounts { allows, would_be_denials, denials, privileged_denials, responses, privileged } = *lost;
    [
        ("allows", allows),
        ("would-be-denials", would_be_denials),
        ("denials", denials),
        ("privileged-denials", privileged_denials),
        ("responses", responses),
        ("privileged", privileged),
    ]
}

fn epoch(seconds: u64) -> String {
    match i64::try_from(seconds) {
        Ok(seconds) => Timestamp::from_unix_seconds(seconds).to_string(),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_one_fact_a_line() {
        let at = Timestamp::from_unix_seconds(1_772_442_000);
        let mut status = Status {
            mode: Mode::Enforce,
            revision: "3f".repeat(32),
            environment: Some("production".to_owned()),
            generation: 7,
            epoch: 1_772_000_000,
            source: SourceStatus::Feed("/var/lib/luigi/feed".to_owned()),
            loaded_at: at,
            heartbeat_age_seconds: Some(12),
            stale: false,
            refusal: Some(RefusalStatus {
                since: at,
                why: "generation 6 is older than 7, which is in force".to_owned(),
            }),
            stops: 2,
            facts: Some("header:x-team".to_owned()),
            lacking: Some("header:x-team".to_owned()),
            rules: 41,
            issuers: BTreeMap::from([("okta".to_owned(), Some(2)), ("ci".to_owned(), None)]),
            live_versions: 1,
            audit: None,
            counters: Counters {
                decisions: BTreeMap::from([("allowed-by-rule", 90), ("no-rule-allows", 10), ("deferred", 0)]),
                candidates: BTreeMap::from([("allowed-by-rule", 100)]),
                passed: 90,
                refused: 10,
                undelivered: 0,
                would_be_refused: 0,
                ambiguous_targets: BTreeMap::from([
                    ("backslash", AmbiguousTargets { refused: 0, would_be_refused: 7 }),
                    ("control-byte", AmbiguousTargets::default()),
                    ("encoded-slash", AmbiguousTargets { refused: 3, would_be_refused: 0 }),
                    ("matrix-parameter", AmbiguousTargets { refused: 1, would_be_refused: 2 }),
                ]),
                failures: 0,
            },
        };
        let expected = "\
mode                   enforce
revision               3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f
environment            production
feed                   /var/lib/luigi/feed
generation             7
feed made at           2026-02-25T06:13:20Z
in force since         2026-03-02T09:00:00Z
heartbeat              12 s ago
newest version         refused since 2026-03-02T09:00:00Z: generation 6 is older than 7, which is in force
stops in force         2
further facts          header:x-team
lines lack             header:x-team: unknown to rules; print the lines again
audit                  off
rules                  41
issuer                 ci, no keys: its tokens are refused
issuer                 okta, 2 keys
versions in memory     1
passed                 90
refused                10
would be refused       0
failures               0
ambiguous target       backslash, 7 would be refused
ambiguous target       encoded-slash, 3 refused
ambiguous target       matrix-parameter, 1 refused, 2 would be refused
decision               allowed-by-rule 90
decision               no-rule-allows 10
candidate              allowed-by-rule 100
";
        assert_eq!(status.to_text(), expected);
        status.stale = true;
        let stale = expected.replace("12 s ago\n", "12 s ago, stale: its writer is silent\n");
        assert_eq!(status.to_text(), stale);
        status.stale = false;
        status.audit = Some(SpoolStatus {
            path: "/run/luigi/spool".to_owned(),
            records: 12,
            lost: LossCounts { denials: 3, privileged: 1, ..LossCounts::default() },
            bytes: 5000,
            limit_bytes: 300_000,
            segments: 2,
            problem: Some("the limit is reached".to_owned()),
        });
        let expected = expected.replace(
            "audit                  off\n",
            "\
audit                  /run/luigi/spool
records                12 written, 4 lost
records lost           denials 3
records lost           privileged 1
spool                  5000 of 300000 bytes, segments: 2
audit problem          the limit is reached
",
        );
        assert_eq!(status.to_text(), expected);
        status.source = SourceStatus::PolicyFile("/etc/luigi/policy.toml".to_owned());
        status.heartbeat_age_seconds = Some(-3593);
        assert!(
            status.to_text().contains("heartbeat              3593 s ahead of this clock\n"),
            "{}",
            status.to_text()
        );
        (status.heartbeat_age_seconds, status.refusal) = (None, None);
        let text = status.to_text();
        assert!(text.contains("policy file            /etc/luigi/policy.toml (read once"), "{text}");
        assert!(
            !text.contains("newest version") && !text.contains("heartbeat") && !text.contains("generation"),
            "{text}"
        );
    }
}
