//! The compiled decision against the evaluator that spells the semantics out, as luigi-core/tests/oracle.rs does with random bytes: here
//! coverage chooses them.

use luigi_core::decide::Scratch;
use luigi_core::explain;
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::snapshot::Snapshot;

const REQUESTS: usize = 4;

pub(crate) fn run(input: &[u8]) {
    let mut choices = Choices::new(input);
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
            "the evaluators differ\nobvious: {:#?}\ncompiled: {decided:#?}\n{scenario:#?}\n{policy:#?}",
            explanation.evaluation,
        );
    }
}
