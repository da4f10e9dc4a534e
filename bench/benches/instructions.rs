//! Decisions in instructions, as valgrind counts them: the same on every machine of an architecture, whatever else it does.
//!
//! Each measures the whole workload of 1,024 requests, all of whose people asked before; divide by 1,024 for one. Needs valgrind and `gungraun-runner` of the version in Cargo.lock;
//! `bench/run` takes care of both.

#![allow(missing_docs, unused_qualifications, reason = "what the macros make")]

use gungraun::{library_benchmark, library_benchmark_group, main};
use luigi_bench::{Hands, Ready, estate};
use std::hint::black_box;

fn ready(rules: usize) -> (Ready, Hands) {
    let ready = Ready::new(estate(rules));
    let mut hands = Hands::for_workload(&ready);
    for call in &ready.calls {
        black_box(ready.decide(call, &mut hands));
    }
    (ready, hands)
}

#[library_benchmark]
#[bench::rules_10(ready(10))]
#[bench::rules_1000(ready(1_000))]
#[bench::rules_10000(ready(10_000))]
fn decide((ready, mut hands): (Ready, Hands)) -> (Ready, Hands) {
    for call in &ready.calls {
        black_box(ready.decide(black_box(call), &mut hands));
    }
    // Given back, so that freeing is not counted.
    (ready, hands)
}

library_benchmark_group!(name = decisions, benchmarks = decide);
main!(library_benchmark_groups = decisions);
