//! Decisions in time, at growing sizes of the estate, beside the hashing of host and path as the floor of any lookup.
//!
//! `cargo bench -p luigi-bench --bench decide -- decide/10000` runs one size (a million rules take a minute to make), `-- adversarial` policies that are as hard as the language lets
//! them be; `floor` is what to compare with. Each iteration is one request of the workload: canonical target, all predicates, decision and
//! candidate decision.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use luigi_bench::adversarial::SHAPES;
use luigi_bench::vast::vast;
use luigi_bench::{Hands, Ready, estate};
use std::cell::OnceCell;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for rules in [10, 1_000, 10_000, 100_000, 1_000_000] {
        // Only if it is asked for: the largest takes a minute.
        let made = OnceCell::new();
        let mut next = (0..1024).cycle();
        group.bench_function(BenchmarkId::from_parameter(rules), |b| {
            let ready = made.get_or_init(|| vast(rules));
            let mut hands = Hands::for_workload(ready);
            b.iter(|| {
                let call = &ready.calls[next.next().expect("a cycle has no end")];
                black_box(ready.decide(black_box(call), &mut hands));
            });
        });
    }
    group.finish();
}

/// The same where the policy makes it as hard as the language lets it, with 10,000 rules.
fn adversarial(c: &mut Criterion) {
    let mut group = c.benchmark_group("adversarial");
    for (shape, workload) in SHAPES {
        let ready = Ready::new(workload(10_000));
        let mut hands = Hands::for_workload(&ready);
        let mut next = (0..ready.calls.len()).cycle();
        group.bench_function(BenchmarkId::from_parameter(shape), |b| {
            b.iter(|| {
                let call = &ready.calls[next.next().expect("a cycle has no end")];
                black_box(ready.decide(black_box(call), &mut hands));
            });
        });
    }
    group.finish();
}

fn floor(c: &mut Criterion) {
    let ready = Ready::new(estate(1_000));
    let state = std::hash::RandomState::new();
    let mut next = (0..ready.calls.len()).cycle();
    let mut group = c.benchmark_group("floor");
    group.bench_function("hash-host-and-path", |b| {
        let fast = foldhash::fast::FixedState::default();
        b.iter(|| {
            let call = &ready.calls[next.next().expect("a cycle has no end")];
            let mut hasher = fast.build_hasher();
            hasher.write(black_box(call.host.as_bytes()));
            hasher.write(black_box(call.target.as_bytes()));
            black_box(hasher.finish())
        });
    });
    group.bench_function("siphash-host-and-path", |b| {
        b.iter(|| {
            let call = &ready.calls[next.next().expect("a cycle has no end")];

            black_box(state.hash_one((black_box(&call.host), black_box(&call.target))))
        });
    });
    group.finish();
}

fn canonical_target(c: &mut Criterion) {
    let mut group = c.benchmark_group("target");
    let cases = [
        (
            "canonical-85-bytes",
            "/v1/orders/8f7e0c52-1f7c-4b7e-9d0e-0d4f1c2a7b11/items/17/lines/42?page=2&sort=asc&size=50",
        ),
        (
            "needs-decoding",
            "/v1/%6frders/./8f7e0c52-1f7c-4b7e-9d0e-0d4f1c2a7b11/x/../items//17/lines/42?page=2&sort=asc",
        ),
    ];
    for (name, target) in cases {
        let mut buffer = luigi_core::target::TargetBuffer::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                let raw = luigi_core::target::RawTarget {
                    method: b"GET",
                    target: black_box(target.as_bytes()),
                    host: Some(black_box(b"orders.example.com")),
                };
                black_box(luigi_core::target::canonicalize(raw, &mut buffer));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decide, adversarial, floor, canonical_target);
criterion_main!(benches);
