//! How long a thread is held while a policy is swapped in: every call that a proxy's poll task makes, timed on its own.
//!
//! `cargo bench -p luigi-bench --bench swap` prints a table; Linux only. The proxy calls `Engine::poll` with the default budget and lets requests pass
//! between two calls, so the longest single call is the longest that a request can wait. Times of calls are processor time of the thread, so that other
//! load on the machine does not count as work.

use luigi_bench::{files_of, numbered};
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_runtime::{Budget, Carried, Engine, EngineConfig, FeedConfig};
use luigi_workflow::apply::{ApplyRequest, OnOtherEnvironment, apply};
use std::path::Path;
use std::time::{Duration, Instant};

/// The processor time that this thread has used.
fn processor_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on Linux, and `now` is a timespec to write to.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    assert_eq!(status, 0, "threads have a clock");
    let part = |value: i64| u64::try_from(value).expect("a thread's time is not negative");
    Duration::from_secs(part(now.tv_sec)) + Duration::from_nanos(part(now.tv_nsec))
}

fn main() {
    // Cargo passes `--bench`; `--test` asks for a short run.
    let short = std::env::args().any(|argument| argument == "--test");
    let sizes: &[usize] = if short { &[10] } else { &[10, 1_000, 10_000, 100_000] };
    println!("{:>8} {:>12} {:>25} {:>35}", "", "", "until it is in force", "until the old one is freed");
    println!(
        "{:>8} {:>12} {:>8} {:>12} {:>12} {:>8} {:>12} {:>12}",
        "rules", "apply", "slices", "all", "longest", "slices", "all", "longest"
    );
    for rules in sizes {
        swap(*rules);
    }
}

fn swap(rules: usize) {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let policy = folder.path().join("policy");
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

    let (mut loading, mut freeing) = (Vec::new(), Vec::new());
    // The old version is freed in slices, too, after the new one is in force.
    loop {
        let slices = if engine.version().revision() == before { &mut loading } else { &mut freeing };
        let started = processor_time();
        let poll = engine.poll(Budget::default());
        slices.push(processor_time().saturating_sub(started));
        if !poll.is_busy() {
            break;
        }
    }
    assert_ne!(engine.version().revision(), before, "the new policy is in force");
    print!("{rules:>8} {:>9.1} ms", milliseconds(applied));
    for slices in [loading, freeing] {
        let (all, longest) = (slices.iter().sum(), slices.iter().max().copied().unwrap_or_default());
        print!(" {:>8} {:>9.2} ms {:>9.3} ms", slices.len(), milliseconds(all), milliseconds(longest));
    }
    println!();
}

/// Applies the text; how long that took.
fn publish(policy: &Path, feed: &Path, text: &str) -> Duration {
    // As a folder of files, since one file may have 8 MiB.
    std::fs::create_dir_all(policy).expect("a folder in the temporary folder");
    for (name, text) in files_of(text) {
        std::fs::write(policy.join(name), text).expect("a file in the temporary folder");
    }
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
