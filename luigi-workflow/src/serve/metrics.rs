//! What the daemon counts, and how it is: for `/metrics`, `/readyz` and `/healthz`.

use crate::ledger::Head;
use luigi_runtime::spool::DecisionRecord;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whoever may write to the spool may invent words: of so many different ones each is counted by itself, the rest together.
const MOST_LABELS: usize = 500;

/// After so long without a turn of the daemon's own work it does not live.
const ALIVE_FOR: Duration = Duration::from_secs(60);

/// What the threads of a daemon share.
pub(crate) struct Shared {
    pub(crate) metrics: Metrics,
    /// What is wrong with each part; nothing if it works.
    problems: Mutex<BTreeMap<Part, String>>,
    started: Instant,
    /// When the daemon last had a turn, in milliseconds since it was started.
    turned: AtomicU64,
    ready: Gauge,
}

/// A part that can be out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Feed,
    Ledger,
    Policy,
    Spool,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Ledger => "ledger",
            Self::Policy => "policy",
            Self::Spool => "spool",
        }
    }

    /// Whether the daemon is of no use without it: a policy that is refused leaves the last one in force.
    const fn is_vital(self) -> bool {
        match self {
            Self::Feed | Self::Ledger | Self::Spool => true,
            Self::Policy => false,
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}

/// A number that is what it is.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) foreign_files: Counter,
    pub(crate) segments: Gauge,
    pub(crate) segments_removed: Counter,
    pub(crate) waiting_responses: Gauge,
    pub(crate) ledger_errors: Counter,
    pub(crate) checkpoints: Counter,
    pub(crate) checkpoints_not_sent: Counter,
    pub(crate) applies: Counter,
    pub(crate) applies_refused: Counter,
    pub(crate) feed_generation: Gauge,
    pub(crate) feed_heartbeat: Gauge,
    pub(crate) feed_enforced: Gauge,
    pub(crate) feed_stops: Gauge,
    entries: Counter,
    sequence: Gauge,
    commits: Counter,
    commit_microseconds: Counter,
    counted: Mutex<Counted>,
}

/// What the data plane says of itself in its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Decision, reason, outcome, privileged.
    decisions: BTreeMap<(bool, String, bool, bool), u64>,
    /// Status classes.
    responses: BTreeMap<u16, u64>,
    pub(crate) no_responses: u64,
    pub(crate) lost: u64,
    pub(crate) allowed: u64,
}

impl Counted {
    pub(crate) fn decision(&mut self, record: &DecisionRecord<'_>) {
        let key = (record.decision.allows, record.decision.reason.to_owned(), record.passed, record.privileged);
        self.count(key, 1);
    }

    pub(crate) fn response(&mut self, status: u16) {
        *self.responses.entry((status / 100).min(9)).or_default() += 1;
    }

    fn count(&mut self, mut key: (bool, String, bool, bool), n: u64) {
        if self.decisions.len() >= MOST_LABELS && !self.decisions.contains_key(&key) {
            "other".clone_into(&mut key.1);
        }
        *self.decisions.entry(key).or_default() += n;
    }

    fn add(&mut self, other: &Self) {
        for (key, n) in &other.decisions {
            self.count(key.clone(), *n);
        }
        for (class, n) in &other.responses {
            *self.responses.entry(*class).or_default() += n;
        }
        self.no_responses = self.no_responses.saturating_add(other.no_responses);
        self.lost = self.lost.saturating_add(other.lost);
        self.allowed = self.allowed.saturating_add(other.allowed);
    }
}

impl Metrics {
    pub(crate) fn add(&self, counted: &Counted) {
        lock(&self.counted).add(counted);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            metrics: Metrics::default(),
            problems: Mutex::new(BTreeMap::new()),
            started: Instant::now(),
            turned: AtomicU64::new(0),
            ready: Gauge::default(),
        }
    }

    /// Entries were appended in one transaction.
    pub(crate) fn appended(&self, entries: usize, head: Head, took: Duration) {
        self.metrics.entries.add(entries as u64);
        self.metrics.sequence.set(head.sequence);
        self.metrics.commits.add(1);
        self.metrics.commit_microseconds.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The daemon has had a turn.
    pub(crate) fn turn(&self) {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.turned.store(since, Ordering::Relaxed);
    }

    /// Everything was opened, or nothing is any more.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// Notes that a part is out of order, or works again; logs it when that changes.
    pub(crate) fn set_problem(&self, part: Part, problem: Option<String>) {
        let mut problems = lock(&self.problems);
        match problem {
            None => {
                if problems.remove(&part).is_some() {
                    tracing::info!(part = part.as_str(), "works again");
                }
            }
            Some(why) => {
                if problems.get(&part) != Some(&why) {
                    tracing::error!(part = part.as_str(), "{why}");
                    problems.insert(part, why);
                }
            }
        }
    }

    /// Why the daemon does not live; nothing if it does.
    pub(crate) fn dead(&self) -> Option<String> {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        let since = self.started.elapsed().saturating_sub(turned);
        (since > ALIVE_FOR).then(|| format!("nothing was drained for {} s", since.as_secs()))
    }

    /// Why the daemon is not ready, a line each; nothing if it is.
    pub(crate) fn unready(&self) -> Option<String> {
        if self.ready.value() == 0 {
            return Some("it is starting or stopping\n".to_owned());
        }
        let problems = lock(&self.problems);
        let lines = problems.iter().filter(|(part, _)| part.is_vital());
        let lines: String = lines.map(|(part, why)| format!("{}: {}\n", part.as_str(), one_line(why))).collect();
        (!lines.is_empty()).then_some(lines)
    }

    /// All of it in Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        let Metrics {
            foreign_files,
            segments,
            segments_removed,
            waiting_responses,
            ledger_errors,
            checkpoints,
            checkpoints_not_sent,
            applies,
            applies_refused,
            feed_generation,
            feed_heartbeat,
            feed_enforced,
            feed_stops,
            entries,
            sequence,
            commits,
            commit_microseconds,
            counted,
        } = &self.metrics;
        let counted = lock(counted).clone();
        let mut page = Page::default();
        let version = env!("CARGO_PKG_VERSION");
        page.family("luigi_build_info", "gauge", "The version that runs.");
        page.sample("luigi_build_info", &[("version", version)], &1);
        page.family("luigi_up", "gauge", "Whether a part works.");
        {
            let problems = lock(&self.problems);
            for part in [Part::Feed, Part::Ledger, Part::Policy, Part::Spool] {
                page.sample("luigi_up", &[("part", part.as_str())], &u8::from(!problems.contains_key(&part)));
            }
        }
        page.family("luigi_decisions_total", "counter", "Decisions that were recorded and drained.");
        for ((allows, reason, passed, privileged), n) in &counted.decisions {
            let labels = [
                ("decision", if *allows { "allow" } else { "deny" }),
                ("reason", reason.as_str()),
                ("outcome", if *passed { "pass" } else { "refuse" }),
                ("privileged", if *privileged { "true" } else { "false" }),
            ];
            page.sample("luigi_decisions_total", &labels, n);
        }
        page.family(
            "luigi_responses_total",
            "counter",
            "Responses to privileged requests, by the class of their status.",
        );
        for (class, n) in &counted.responses {
            page.sample("luigi_responses_total", &[("class", &format!("{class}xx"))], n);
        }
        let plain: [(&str, &str, &dyn Display, &str); 19] = [
            ("luigi_no_responses_total", "counter", &counted.no_responses, "Privileged requests that nobody answered."),
            ("luigi_records_lost_total", "counter", &counted.lost, "Records that never arrived."),
            (
                "luigi_requests_counted_total",
                "counter",
                &counted.allowed,
                "Requests that passed with a count in place of a record.",
            ),
            (
                "luigi_responses_waiting",
                "gauge",
                &waiting_responses.value(),
                "Privileged requests whose response is waited for.",
            ),
            ("luigi_spool_segments", "gauge", &segments.value(), "Segments in the spool."),
            (
                "luigi_spool_segments_removed_total",
                "counter",
                &segments_removed.0.load(Ordering::Relaxed),
                "Segments that were drained and removed.",
            ),
            (
                "luigi_spool_foreign_files_total",
                "counter",
                &foreign_files.0.load(Ordering::Relaxed),
                "Files that were set aside.",
            ),
            (
                "luigi_ledger_entries_total",
                "counter",
                &entries.0.load(Ordering::Relaxed),
                "Entries that were appended.",
            ),
            ("luigi_ledger_sequence", "gauge", &sequence.value(), "The sequence of the last entry."),
            ("luigi_ledger_commits_total", "counter", &commits.0.load(Ordering::Relaxed), "Transactions."),
            (
                "luigi_ledger_commit_seconds_total",
                "counter",
                &Seconds(commit_microseconds.0.load(Ordering::Relaxed)),
                "How long transactions took.",
            ),
            (
                "luigi_ledger_errors_total",
                "counter",
                &ledger_errors.0.load(Ordering::Relaxed),
                "Transactions that failed, and were made again.",
            ),
            (
                "luigi_checkpoints_total",
                "counter",
                &checkpoints.0.load(Ordering::Relaxed),
                "Checkpoints that were made.",
            ),
            (
                "luigi_checkpoints_not_sent_total",
                "counter",
                &checkpoints_not_sent.0.load(Ordering::Relaxed),
                "Checkpoints that did not get to a place.",
            ),
            ("luigi_applies_total", "counter", &applies.0.load(Ordering::Relaxed), "Changes of what is in force."),
            (
                "luigi_applies_refused_total",
                "counter",
                &applies_refused.0.load(Ordering::Relaxed),
                "Changes that were refused.",
            ),
            ("luigi_feed_generation", "gauge", &feed_generation.value(), "The generation of the feed."),
            (
                "luigi_feed_heartbeat_timestamp_seconds",
                "gauge",
                &feed_heartbeat.value(),
                "The last heartbeat, in seconds since 1970.",
            ),
            ("luigi_feed_enforced", "gauge", &feed_enforced.value(), "Whether the policy is enforced."),
        ];
        for (name, kind, value, help) in plain {
            page.family(name, kind, help);
            page.sample(name, &[], value);
        }
        page.family("luigi_feed_stops", "gauge", "Stops in the feed.");
        page.sample("luigi_feed_stops", &[], &feed_stops.value());
        page.text
    }
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// Microseconds, written as seconds.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &dyn Display) {
        self.text.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{value}\"", if at == 0 { "{" } else { "," });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let shared = Shared::new();
        let mut counted = Counted::default();
        for n in 0..MOST_LABELS + 10 {
            counted.count((false, format!("invented \"{n}\"\n\\"), false, true), 1);
        }
        counted.response(204);
        shared.metrics.add(&counted);
        let text = shared.text();
        assert!(text.contains("luigi_decisions_total{decision=\"deny\",reason=\"invented \\\"7\\\"\\n\\\\\",outcome=\"refuse\",privileged=\"true\"} 1\n"));
        assert!(text.contains("reason=\"other\",outcome=\"refuse\",privileged=\"true\"} 10\n"), "{text}");
        assert!(
            text.contains("luigi_responses_total{class=\"2xx\"} 1\n")
                && text.contains("\nluigi_ledger_commit_seconds_total 0.000000\n")
        );
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }

    #[test]
    fn what_is_out_of_order_is_said() {
        let shared = Shared::new();
        assert!(shared.unready().is_some() && shared.dead().is_none());
        shared.set_ready(true);
        assert_eq!(shared.unready(), None);
        shared.set_problem(Part::Policy, Some("refused".to_owned()));
        assert_eq!(shared.unready(), None, "the last policy is in force");
        shared.set_problem(Part::Ledger, Some("the disk\nis full".to_owned()));
        assert_eq!(shared.unready().as_deref(), Some("ledger: the disk; is full\n"));
        assert!(shared.text().contains("luigi_up{part=\"ledger\"} 0\n"));
        shared.set_problem(Part::Ledger, None);
        assert_eq!(shared.unready(), None);
    }
}
