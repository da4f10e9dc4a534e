//! What it costs to change a policy: checking, compiling, testing, coverage of tests, and the difference between two policies.
//!
//! Groups, each at 100, 1,000 and 10,000 rules of the estate:
//! * `authoring/check`: parse, resolve and lint a text, as `luigi check` does.
//! * `authoring/compile`: from the resolved policy to what decides.
//! * `authoring/test`: ten tests, each decided, and explained by the slow evaluator, which looks at every rule.
//! * `authoring/coverage`: the same tests, with what they never tried.
//! * `authoring/diff-one`: another group in one rule. `authoring/diff-all`: a deny rule about all requests comes.
//! * `authoring/who-can`: one operation, everybody.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use luigi_bench::{NOW, numbered, tested};
use luigi_core::analysis::{Bounds, Known, compare, lint, who_can};
use luigi_core::policy::{Parsed, SourceSet, parse};
use luigi_core::policy_tests::{self, coverage::Coverage};
use luigi_core::snapshot::Snapshot;
use std::hint::black_box;

fn parsed(text: &str) -> (SourceSet, Parsed) {
    let mut sources = SourceSet::new();
    sources.add("estate.toml", text);
    let parsed = parse(&sources);
    (sources, parsed)
}

fn snapshot(text: &str) -> Snapshot {
    let policy = parsed(text).1.policy.expect("the policy of a workload is sound");
    Snapshot::compile(policy).expect("the policy of a workload compiles")
}

fn authoring(c: &mut Criterion) {
    let mut group = c.benchmark_group("authoring");
    group.sample_size(10);
    for rules in [100, 1_000, 10_000] {
        let text = tested(rules);
        group.bench_function(BenchmarkId::new("check", rules), |b| {
            b.iter(|| {
                let (sources, parsed) = parsed(black_box(&text));
                black_box(lint::run(&parsed, &sources, Some(NOW)));
            });
        });
        let (_, parsed) = parsed(&text);
        let policy = parsed.policy.expect("the policy of a workload is sound");
        group.bench_function(BenchmarkId::new("compile", rules), |b| {
            b.iter_batched(|| policy.clone(), |policy| black_box(Snapshot::compile(policy)), BatchSize::PerIteration);
        });
        let compiled = Snapshot::compile(policy).expect("the policy of a workload compiles");
        let tests = &parsed.tests;
        assert!(policy_tests::run(&compiled, tests).iter().all(policy_tests::TestOutcome::has_passed));
        group.bench_function(BenchmarkId::new("test", rules), |b| {
            b.iter(|| black_box(policy_tests::run(&compiled, tests)));
        });
        group.bench_function(BenchmarkId::new("coverage", rules), |b| {
            b.iter(|| {
                let mut coverage = Coverage::default();
                coverage.add_policy(&compiled);
                black_box(policy_tests::run_each(&compiled, tests, |_, explanation| coverage.add(explanation)));
                black_box(coverage.percent())
            });
        });
        let one = snapshot(&text.replacen("group-7\"] }", "group-8\"] }", 1));
        let all = snapshot(&numbered(rules, 1));
        for (name, other) in [("diff-one", &one), ("diff-all", &all)] {
            let comparison = compare(&compiled, other, NOW, Bounds::default());
            assert!(comparison.differs() && comparison.is_complete(), "{name}: {:?}", comparison.gaps);
            group.bench_function(BenchmarkId::new(name, rules), |b| {
                b.iter(|| black_box(compare(&compiled, other, NOW, Bounds::default())));
            });
        }
        let known = Known { source: None, frontend: None, time: None, now: NOW };
        group.bench_function(BenchmarkId::new("who-can", rules), |b| {
            let host = Some("svc-1.example.com");
            b.iter(|| black_box(who_can(&compiled, "GET", host, "/v1/refunds-22/7/lines/1", known, Bounds::default())));
        });
    }
    group.finish();
}

criterion_group!(benches, authoring);
criterion_main!(benches);
