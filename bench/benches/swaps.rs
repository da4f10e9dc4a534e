//! What decisions take while the policy in force is replaced a thousand times a second, beside what they take while it stays: `cargo bench -p luigi-bench --bench swaps`.
//!
//! Two snapshots that are made before take turns in an `ArcSwap`; the thread that decides looks at it before each decision, as contexts do. After each swap it
//! has to find out again what the policy makes of everybody who asks. Rounds with and without swaps alternate, so that other load on the machine moves both.

use arc_swap::{ArcSwap, Cache};
use luigi_bench::{Hands, Ready, Workload, estate, numbered};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(1);

/// What one kind of round came to.
#[derive(Default)]
struct Found {
    /// Nanoseconds of each decision.
    took: Vec<u32>,
    swaps: u32,
    lasted: Duration,
}

impl Found {
    fn at(&mut self, of_thousand: usize) -> u32 {
        self.took.sort_unstable();
        self.took[(self.took.len() - 1) * of_thousand / 1000]
    }
}

fn main() {
    // Cargo passes `--bench`; `--test` asks for a short run.
    let short = std::env::args().any(|argument| argument == "--test");
    let (sizes, rounds, decisions): (&[usize], _, _) =
        if short { (&[10], 1, 10_000) } else { (&[1_000, 10_000], 9, 400_000) };
    println!("| rules | swaps a second | median, ns | 99th percentile, ns | median of those without swaps, times |");
    println!("|---:|---:|---:|---:|---:|");
    for &rules in sizes {
        let [mut still, mut swapped] = measure(rules, rounds, decisions);
        let (before, after) = (still.at(500), swapped.at(500));
        for (found, median) in [(&mut still, before), (&mut swapped, after)] {
            let a_second = f64::from(found.swaps) / found.lasted.as_secs_f64();
            let times = f64::from(median) / f64::from(before);
            println!("| {rules} | {a_second:.0} | {median} | {} | {times:.2} |", found.at(990));
        }
    }
}

fn measure(rules: usize, rounds: usize, decisions: usize) -> [Found; 2] {
    let edition = |edition| Arc::new(Ready::new(Workload { policy: numbered(rules, edition), ..estate(rules) }));
    let editions = [edition(1), edition(2)];
    let in_force = ArcSwap::from(Arc::clone(&editions[0]));
    let (swapping, over, swaps) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
    let mut found = [Found::default(), Found::default()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = Instant::now();
            for edition in editions.iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                if swapping.load(Ordering::Relaxed) {
                    in_force.store(Arc::clone(edition));
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
                next += EVERY;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let mut cache = Cache::new(&in_force);
        let mut hands = Hands::for_workload(&editions[0]);
        for round in 0..=2 * rounds {
            let kind = round % 2;
            swapping.store(kind == 1, Ordering::Relaxed);
            let (before, started) = (swaps.load(Ordering::Relaxed), Instant::now());
            let mut took = Vec::with_capacity(decisions);
            for at in 0..decisions {
                let started = Instant::now();
                let ready = cache.load();
                black_box(ready.decide(black_box(&ready.calls[at % ready.calls.len()]), &mut hands));
                took.push(u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
            // The first round warms up.
            if round > 0 {
                found[kind].took.append(&mut took);
                found[kind].swaps += swaps.load(Ordering::Relaxed) - before;
                found[kind].lasted += started.elapsed();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    found
}
