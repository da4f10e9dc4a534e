//! What of the language the oracle sees: everything that a policy can say, every value of every predicate, every reason and advice occurs
//! among the policies and requests that [`oracle`](../oracle.rs) compares the two evaluators on. docs/FUZZING.md has the table.
//!
//! The structs of the model are taken apart without `..` on purpose: whoever adds a key to the language is told to say here what must occur of it.

#[path = "oracle_coverage/model.rs"]
mod model;
#[path = "oracle_coverage/outcomes.rs"]
mod outcomes;

use luigi_core::decide::Scratch;
use luigi_core::explain::{self, Explanation};
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::policy::model::Policy;
use luigi_core::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many policies are made, and how many requests each is asked.
const POLICIES: u64 = 15_000;
const REQUESTS: usize = 8;

/// How often something occurred, by its part of the language and what it is.
#[derive(Default)]
struct Seen(BTreeMap<(String, String), usize>);

impl Seen {
    fn note(&mut self, part: impl Into<String>, what: impl Into<String>) {
        *self.0.entry((part.into(), what.into())).or_default() += 1;
    }
}

/// SplitMix64: enough for bytes that must be the same on every run.
fn bytes_of(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..160)
        .flat_map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()
        })
        .collect()
}

/// The policy and requests that these bytes make, decided by both evaluators alike.
fn explanations(bytes: &[u8]) -> (Policy, Vec<Explanation>) {
    let mut choices = Choices::new(bytes);
    let policy = policy(&mut choices);
    let snapshot = Snapshot::compile(policy.clone()).expect("generated policies keep to the model");
    let mut scratch = Scratch::for_snapshot(&snapshot);
    let mut all = Vec::new();
    for _ in 0..REQUESTS {
        let scenario = Scenario::draw(&policy, &mut choices);
        let request = scenario.request();
        let explanation = explain::evaluate(&policy, &request);
        assert_eq!(explanation.evaluation, snapshot.decide(&request, &mut scratch), "{scenario:#?}\n{policy:#?}");
        all.push(explanation);
    }
    (policy, all)
}

#[test]
fn what_is_generated_is_the_whole_language() {
    let mut seen = Seen::default();
    for seed in 0..POLICIES {
        let (policy, explanations) = explanations(&bytes_of(seed));
        model::note(&policy, &mut seen);
        explanations.iter().for_each(|explanation| outcomes::note(&policy, explanation, &mut seen));
    }
    let wanted = wanted();
    let missing: Vec<_> = wanted.iter().filter(|what| !seen.0.contains_key(*what)).collect();
    assert!(missing.is_empty(), "never generated: {missing:#?}\ngenerated: {:#?}", seen.0);
    // What is said of the model is in the table, all of it.
    let parts: Vec<&str> = model::TABLE.iter().map(|(part, _)| *part).collect();
    let unknown: Vec<_> =
        seen.0.keys().filter(|what| parts.contains(&what.0.as_str()) && !wanted.contains(*what)).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:#?}");
}

fn wanted() -> Vec<(String, String)> {
    let rows = model::TABLE.iter();
    let rows = rows.flat_map(|(part, all)| all.iter().map(move |what| ((*part).to_owned(), (*what).to_owned())));
    rows.chain(outcomes::wanted()).collect()
}

#[test]
fn the_table_has_every_reason() {
    let mut reasons: Vec<&str> = outcomes::reasons().collect();
    let mut told = outcomes::reasons_in_table().to_vec();
    reasons.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, reasons);
}

#[test]
fn the_page_says_what_is_covered() {
    let mut table = "| part | what occurs |\n|---|---|\n".to_owned();
    for (part, all) in model::TABLE.iter().chain(outcomes::TABLE) {
        let _ = writeln!(table, "| {part} | {} |", all.join(", "));
    }
    let page = include_str!("../../docs/FUZZING.md");
    assert!(page.contains(&table), "docs/FUZZING.md has another table than\n{table}");
}
