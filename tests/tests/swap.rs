//! Decisions while versions change: each answer is from one whole version, and nothing old is left in memory.

use luigi_runtime::facts::MoreFacts;
use luigi_runtime::{Budget, Facts};
use luigi_tests::feed::{Feed, numbered_policy};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const THREADS: usize = 8;
const SWAPS: u64 = 60;

const OPEN: Facts<'_> = Facts {
    method: b"GET",
    target: b"/open",
    host: Some(b"app.example.com"),
    host_count: 1,
    source: Some(b"203.0.113.9"),
    authorization: None,
    authorization_count: 0,
    upgrade_count: Some(0),
    more: MoreFacts::NONE,
    source_of_more: None,
};

#[test]
fn every_answer_is_from_one_whole_version() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    let stop = AtomicBool::new(false);
    let seen: [AtomicU64; THREADS] = std::array::from_fn(|_| AtomicU64::new(0));
    let wait_for = |generation: u64| {
        while seen.iter().any(|seen| seen.load(Ordering::Acquire) < generation) {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        for seen in &seen {
            scope.spawn(|| {
                let mut context = engine.context();
                let now = luigi_runtime::now();
                let (mut last, mut answers) = (0, 0_u64);
                while !stop.load(Ordering::Relaxed) {
                    let answer = context.evaluate(&OPEN, now);
                    let generation = answer.version().generation();
                    assert!(generation >= last, "{generation} after {last}");
                    assert_eq!(answer.rule_name().unwrap(), format!("open-{generation}"));
                    assert_eq!(answer.candidate_rule_name().unwrap(), format!("watched-{generation}"));
                    assert!(answer.decision().allows() && !answer.candidate().allows());
                    last = generation;
                    answers += 1;
                    seen.store(generation, Ordering::Release);
                    // Any thread may be the one that polls.
                    if answers.is_multiple_of(64) {
                        engine.poll(Budget { bytes: 100, records: 1 });
                    }
                }
            });
        }
        for generation in 2..=SWAPS {
            feed.apply(&numbered_policy(generation)).unwrap();
            // Some versions are passed over, some are seen by everybody.
            if generation % 5 == 0 || generation == SWAPS {
                wait_for(generation);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    engine.poll_until_idle();
    let status = engine.status();
    assert_eq!((status.live_versions, status.refusal, status.counters.failures), (1, None, 0));
    assert_eq!(status.counters.decisions["allowed-by-rule"], status.counters.passed);
}

#[test]
fn an_old_version_goes_once_its_last_context_has_looked() {
    let feed = Feed::new();
    feed.apply(&numbered_policy(1)).unwrap();
    let engine = feed.engine().unwrap();
    let mut context = engine.context();
    for generation in 2..=4 {
        feed.apply(&numbered_policy(generation)).unwrap();
        engine.poll_until_idle();
    }
    assert_eq!(engine.status().live_versions, 2, "the context still has the first");
    assert_eq!(context.evaluate(&OPEN, luigi_runtime::now()).version().generation(), 4);
    engine.poll_until_idle();
    assert_eq!(engine.status().live_versions, 1);

    feed.apply(&numbered_policy(5)).unwrap();
    engine.poll_until_idle();
    assert_eq!(engine.status().live_versions, 2);
    context.refresh();
    engine.poll_until_idle();
    assert_eq!(engine.status().live_versions, 1, "without a request");
}

#[test]
fn a_version_is_read_and_freed_in_slices() {
    let feed = Feed::new();
    let large = |number: u64| {
        use std::fmt::Write as _;
        let mut text = numbered_policy(number);
        for n in 0..300 {
            writeln!(
                text,
                "[[rules]]\nid = \"more-{n}\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"authenticated\""
            )
            .unwrap();
        }
        text
    };
    feed.apply(&large(1)).unwrap();
    let engine = feed.engine().unwrap();
    feed.apply(&large(2)).unwrap();
    let bytes = feed.manifest().policy.bytes;
    let budget = Budget { bytes: 1000, records: 10 };
    let (mut before, mut after) = (0, 0);
    while engine.version().generation() == 1 {
        assert!(engine.poll(budget).is_busy() || before == 0);
        before += 1;
    }
    while engine.poll(budget).is_busy() {
        after += 1;
    }
    assert!(before > bytes / 1000 + 30, "{before} slices to read {bytes} bytes and validate 300 rules");
    assert!(after > 30, "{after} slices to free 300 rules");
    assert_eq!(engine.status().live_versions, 1);
}
