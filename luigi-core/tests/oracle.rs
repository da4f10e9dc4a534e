//! The compiled decision against the evaluator that spells the semantics out, on policies and requests made from random bytes.

use luigi_core::decide::{Advice, Decision, Reason, Scratch};
use luigi_core::explain::{self, Explanation, Finding, PatternTrace, RuleTrace};
use luigi_core::generators::{Choices, Scenario, policy};
use luigi_core::kleene::Kleene;
use luigi_core::snapshot::Snapshot;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// How many requests each policy is asked.
const REQUESTS: usize = 8;

/// Compares both evaluators on the policy and requests that these bytes make; returns what the slow one found.
fn compare(bytes: &[u8]) -> Vec<Explanation> {
    let mut choices = Choices::new(bytes);
    let policy = policy(&mut choices);
    let snapshot = Snapshot::compile(policy.clone()).expect("generated policies keep to the model");
    let mut scratch = Scratch::for_snapshot(&snapshot);
    let mut explanations = Vec::new();
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
        explanations.push(explanation);
    }
    explanations
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_decision_is_the_obvious_one(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        compare(&bytes);
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

#[test]
fn what_is_generated_reaches_every_outcome_and_every_value_of_every_predicate() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut note = |what: String| *seen.entry(what).or_default() += 1;
    for seed in 0..15000 {
        let bytes = bytes_of(seed);
        let policy = policy(&mut Choices::new(&bytes));
        for explanation in compare(&bytes) {
            note_decision("decision", &explanation.evaluation.decision, &mut note);
            note_decision("candidate", &explanation.evaluation.candidate, &mut note);
            if explanation.evaluation.decision != explanation.evaluation.candidate {
                note("an observed rule makes a difference".to_owned());
            }
            for rule in &explanation.rules {
                note(format!("{:?} {:?}", rule.effect, rule.standing));
                note_patterns(rule, &mut note);
                for finding in &rule.predicates {
                    note_finding("match", finding, &mut note);
                }
                for finding in &rule.requirements {
                    note_finding("require", finding, &mut note);
                }
            }
            for scope in &explanation.scopes {
                if scope.left_out_by.is_some() {
                    note("a scope leaves a request out".to_owned());
                }
                if !scope.only_at.is_empty() {
                    note("a request is not at the frontends of a scope".to_owned());
                }
                let row = policy.scopes.iter().find(|(_, row)| row.name == scope.scope);
                if row.is_some_and(|(_, row)| row.path_regex.is_some() && row.operations.is_empty()) {
                    note("a regular expression holds a request".to_owned());
                }
            }
        }
    }

    let mut wanted: Vec<String> = [
        "an observed rule makes a difference",
        "a scope leaves a request out",
        "a request is not at the frontends of a scope",
        "a regular expression holds a request",
    ]
    .map(str::to_owned)
    .into();
    for effect in ["Allow", "Restrict", "Deny"] {
        wanted.push(format!("{effect} with captures is true"));
        wanted.push(format!("{effect} with captures is unknown"));
        wanted.push(format!("{effect} comes out differently in two patterns"));
    }
    wanted.push("requirements are met in one of two patterns".to_owned());
    wanted.push("an approval is missing for captures".to_owned());
    wanted.push("a grant for captures opens a scope".to_owned());
    for reason in Reason::ALL {
        // What the reading of facts and the engine around decisions answer.
        if !matches!(reason, Reason::MalformedFacts | Reason::InternalError) {
            wanted.push(format!("decision {}", reason.as_str()));
            wanted.push(format!("candidate {}", reason.as_str()));
        }
    }
    for reason in ["no-rule-allows", "denied-by-rule", "deny-rule-unknown", "allow-rule-unknown", "approval-required"] {
        wanted.push(format!("decision {reason}, authenticate"));
    }
    for kind in ["login", "subject", "source", "schedule", "fact", "approval"] {
        wanted.push(format!("decision {kind}-required by a restrict rule"));
    }
    wanted.push("decision login-required, step-up".to_owned());
    wanted.push("decision approval-required, request-access".to_owned());
    wanted.push("several approvals are missing".to_owned());
    let all = [Kleene::False, Kleene::Unknown, Kleene::True];
    let two = [Kleene::False, Kleene::True];
    for (part, key, values) in [
        ("match", "scopes", &two[..]),
        ("match", "methods", &two),
        ("match", "starts", &two),
        ("match", "ends", &two),
        ("match", "subject", &all),
        ("match", "via", &all),
        ("match", "actor", &all),
        ("match", "from", &all),
        ("match", "during", &all),
        ("match", "unless", &all),
        ("match", "where", &two),
        ("match", "claim", &all),
        ("match", "issuers", &two),
        ("match", "kinds", &two),
        ("match", "subjects", &two),
        ("match", "emails", &all),
        ("match", "groups", &all),
        ("match", "groups-all", &all),
        ("match", "claims", &all),
        ("require", "login", &all),
        ("require", "acr-any", &all),
        ("require", "amr-any", &all),
        ("require", "amr-all", &all),
        ("require", "max-age", &all),
        ("require", "subject", &all),
        ("require", "from", &all),
        ("require", "during", &all),
        ("require", "approval", &two),
        ("match", "headers", &all),
        ("match", "query", &all),
        ("match", "facts", &all),
        ("match", "certificate", &all),
        ("match", "verified", &all),
        ("match", "subject-dn", &all),
        ("match", "san-uri", &all),
        ("match", "san-dns", &all),
        ("match", "fingerprint-sha256", &all),
        ("require", "headers", &all),
        ("require", "query", &all),
        ("require", "facts", &all),
        ("require", "certificate", &all),
        ("require", "scope", &two),
        ("require", "grant", &two[..1]),
    ] {
        wanted.extend(values.iter().map(|value| format!("{part} {key} {}", value.as_str())));
    }
    let missing: Vec<&String> = wanted.iter().filter(|what| !seen.contains_key(*what)).collect();
    assert!(missing.is_empty(), "never generated: {missing:#?}\ngenerated: {seen:#?}");
}

fn note_decision(which: &str, decision: &Decision, note: &mut impl FnMut(String)) {
    let reason = decision.reason.as_str();
    note(format!("{which} {reason}"));
    if let Some(advice) = decision.advice {
        note(format!("{which} {reason}, {}", advice.as_str()));
        if let Advice::RequestAccess { approvals, .. } = advice
            && approvals.iter().count() > 1
        {
            note("several approvals are missing".to_owned());
        }
        if let Advice::RequestAccess { approvals, .. } = advice
            && approvals.iter().any(|missing| missing.pattern.is_some())
        {
            note("an approval is missing for captures".to_owned());
        }
    }
    if decision.restricted_by.is_some() {
        note(format!("{which} {reason} by a restrict rule"));
    }
}

fn note_patterns(rule: &RuleTrace, note: &mut impl FnMut(String)) {
    let effect = rule.effect;
    let all_met = |one: &PatternTrace| one.requirements.iter().all(|finding| finding.value.is_true());
    if let [_, ..] = rule.patterns[..] {
        note(format!("{effect:?} with captures is {}", rule.value.as_str()));
    }
    for (one, other) in rule.patterns.iter().zip(rule.patterns.iter().skip(1)) {
        if one.value != other.value {
            note(format!("{effect:?} comes out differently in two patterns"));
        }
        if all_met(one) != all_met(other) {
            note("requirements are met in one of two patterns".to_owned());
        }
    }
    for finding in rule.patterns.iter().flat_map(|one| &one.requirements) {
        if finding.key == "approval" && finding.value.is_true() {
            note("a grant for captures opens a scope".to_owned());
        }
    }
}

fn note_finding(part: &str, finding: &Finding, note: &mut impl FnMut(String)) {
    note(format!("{part} {} {}", finding.key, finding.value.as_str()));
    finding.parts.iter().for_each(|inner| note_finding(part, inner, note));
}
