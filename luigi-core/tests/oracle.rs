//! The compiled decision against the evaluator that spells the semantics out, on policies and requests made from random bytes. What occurs among
//! these is the business of `oracle_coverage`.

use luigi_core::decide::Scratch;
use luigi_core::explain;
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::snapshot::Snapshot;
use proptest::prelude::*;

/// How many requests each policy is asked.
const REQUESTS: usize = 8;

/// Compares both evaluators on the policy and requests that these bytes make.
fn compare(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let policy = policy(&mut choices);
    let snapshot = Snapshot::compile(policy.clone()).expect("generated policies keep to the model");
    let mut scratch = Scratch::for_snapshot(&snapshot);
    for _ in 0..REQUESTS {
        let scenario = Scenario::draw(&policy, &mut choices);
        let request = scenario.request();
        let explanation = explain::evaluate(&policy, &request);
        let decided = snapshot.decide(&request, &mut scratch);
        assert!(
            explanation.evaluation == decided,
            "the evaluators differ\nobvious: {:#?}\ncompiled: {decided:#?}\n{}\n{scenario:#?}\n{policy:#?}",
            explanation.evaluation,
            explanation.lines(explain::Detail::Full).iter().map(|line| format!("{line}\n")).collect::<String>(),
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_decision_is_the_obvious_one(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        compare(&bytes);
    }
}
