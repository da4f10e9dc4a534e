//! How long a thread is held while a policy is swapped in: every call that a proxy's poll task makes, timed on its own.
//!
//! `cargo bench -p luigi-bench --bench swap` prints a table. The proxy calls `Engine::poll` with the default budget and lets requests pass between
//! two calls, so the longest single call is the longest that a request can wait.

use luigi_bench::numbered;
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_runtime::{Budget, Carried, Engine, EngineConfig, FeedConfig};
use luigi_workflow::apply::{ApplyRequest, OnOtherEnvironment, apply};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    // Cargo passes `--bench`; `--test` asks for a short run.
    let short = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] = if short { &[10] } else { &[10, 1_000, 10_000] };
    println!("{:>8} {:>12} {:>8} {:>14} {:>14} {:>14}", "rules", "apply", "slices", "all slices", "longest", "median");
    for rules in sizes {
        swap(*rules);
    }
}

fn swap(rules: usize) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let policy = folder.path().join("policy.toml");
    let feed = folder.path().join("feed");
    publish(&policy, &feed, &numbered(rules, 1));
    let public_key = folder.path().join("signing.pub");
    let config = FeedConfig {
        directory: feed.clone(),
        public_key,
        stale_after: Duration::from_secs(60),
        carried: Carried::Everything,
        spool: None,
    };
    let engine = Engine::open(&EngineConfig::Feed(config)).expect("the feed is sound");
    let before = engine.version().revision().to_owned();
    let applied = publish(&policy, &feed, &numbered(rules, 2));

    let mut slices = Vec::new();
    // The old version is freed in slices, too, after the new one is in force.
    loop {
        let started = Instant::now();
        let poll = engine.poll(Budget::default());
        slices.push(started.elapsed());
        if !poll.is_busy() {
            break;
        }
    }
    assert_ne!(engine.version().revision(), before, "the new policy is in force");
    slices.sort();
    println!(
        "{rules:>8} {:>9.1} ms {:>8} {:>11.2} ms {:>11.3} ms {:>11.3} ms",
        milliseconds(applied),
        slices.len(),
        milliseconds(slices.iter().sum()),
        milliseconds(slices[slices.len() - 1]),
        milliseconds(slices[slices.len() / 2]),
    );
}

/// Applies the text; how long that took.
fn publish(policy: &Path, feed: &Path, text: &str) -> Duration {
    std::fs::write(policy, text).expect("a file in the temporary folder");
    let request = ApplyRequest {
        policy: policy.to_owned(),
        feed: feed.to_owned(),
        environment: None,
        on_other_environment: OnOtherEnvironment::Refuse,
        jwks: Vec::new(),
        mode: None,
        key: policy.with_file_name("signing.key"),
        style: Style { color: Color::Never, width: 120 },
    };
    let started = Instant::now();
    apply(&request).unwrap_or_else(|error| panic!("the policy is refused:\n{error}"));
    started.elapsed()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
