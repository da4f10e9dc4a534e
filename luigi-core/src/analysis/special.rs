//! Values of captures that must be looked at one by one, because something tells them from all others: rules that name them, or a person
//! who has them.

use super::claims::Captured;
use super::targets::Special;
use crate::identity::Identity;
use crate::matchers::claim_at;
use crate::policy::captures::{CaptureTest, CaptureValues};
use crate::policy::model::{ClaimValue, ClaimValues, Policy, Rule, Subject, SubjectMatcher};
use serde_json::Value;
use std::collections::BTreeSet;

/// The most values of one capture.
const MAX_VALUES: usize = 64;

/// The values that rules name: those that `where` accepts, and those of claims and subjects that it compares with a capture. The captures of
/// which there are more than are looked at are said, too.
pub(super) fn of_rules(policies: &[&Policy]) -> (Special, BTreeSet<String>) {
    let mut special = Special::new();
    for policy in policies {
        let rules = || policy.rules.iter().map(|(_, rule)| rule);
        for CaptureTest { capture, accepts } in rules().flat_map(tests) {
            let values = special.entry(capture.clone()).or_default();
            match accepts {
                CaptureValues::In(accepted) => values.extend(accepted.iter().cloned()),
                CaptureValues::Claim { path, issuers: _ } => {
                    let mut issuers = policy.issuers.iter();
                    let is_subject = issuers.any(|(_, issuer)| issuer.trust.claims.subject == *path);
                    for policy in policies {
                        for matcher in matchers(policy) {
                            values.extend(matcher.subjects.iter().filter(|_| is_subject).cloned());
                            values.extend(named(matcher, path));
                        }
                    }
                }
            }
        }
    }
    bounded(special)
}

/// The values that a person has, and those that rules accept whoever asks.
pub(super) fn of_person(policy: &Policy, person: Option<&Identity>) -> (Special, BTreeSet<String>) {
    let mut special = Special::new();
    for CaptureTest { capture, accepts } in policy.rules.iter().flat_map(|(_, rule)| tests(rule)) {
        let values = special.entry(capture.clone()).or_default();
        match accepts {
            CaptureValues::In(accepted) => values.extend(accepted.iter().cloned()),
            CaptureValues::Claim { path, issuers: _ } => {
                match person.and_then(|person| claim_at(path, person.claims())) {
                    Some(Value::String(text)) => drop(values.insert(text.clone())),
                    Some(Value::Array(items)) => {
                        values.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    _ => {}
                }
            }
        }
    }
    for family in policy.groups.iter().filter_map(|(_, group)| group.value.family()) {
        let held = person.map(|person| person.groups().names()).unwrap_or_default();
        let values = held.iter().filter_map(|group| family.captured(group)).map(str::to_owned);
        special.entry(family.capture.clone()).or_default().extend(values);
    }
    bounded(special)
}

/// The special values that a target captures, under their names.
pub(super) fn held(special: &Special, captured: &Captured) -> Vec<(String, String)> {
    let pairs = captured.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let is_special = |(name, value): &(&String, &String)| special.get(*name).is_some_and(|all| all.contains(*value));
    pairs.filter(is_special).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What `where` asks in a rule.
fn tests(rule: &Rule) -> impl Iterator<Item = &CaptureTest> {
    std::iter::once(&rule.when).chain(&rule.unless).flat_map(|conditions| &conditions.captures)
}

/// Everybody whom rules and approvals name.
fn matchers(policy: &Policy) -> impl Iterator<Item = &SubjectMatcher> {
    let conditions = policy.rules.iter().flat_map(|(_, rule)| std::iter::once(&rule.when).chain(&rule.unless));
    let requesters = policy.approvals.iter().map(|(_, approval)| &approval.requesters);
    let subjects = conditions.filter_map(|conditions| conditions.subject.as_ref()).chain(requesters);
    let matchers = subjects.flat_map(|subject| match subject {
        Subject::Anyone | Subject::Authenticated => &[][..],
        Subject::AnyOf(matchers) => matchers,
    });
    matchers.chain(policy.rules.iter().flat_map(|(_, rule)| &rule.require.subject))
}

/// The texts that a matcher accepts of a claim.
fn named<'m>(matcher: &'m SubjectMatcher, path: &'m [String]) -> impl Iterator<Item = String> + 'm {
    matcher.claims.iter().filter(move |test| test.path == path).flat_map(|test| match &test.accepts {
        ClaimValues::In(values) => values
            .iter()
            .filter_map(|value| match value {
                ClaimValue::Text(text) => Some(text.clone()),
                ClaimValue::Integer(_) | ClaimValue::Boolean(_) => None,
            })
            .collect(),
        ClaimValues::Words(words) => words.clone(),
        ClaimValues::Present | ClaimValues::Absent | ClaimValues::AfterNow => Vec::new(),
    })
}

/// No more values than are looked at, and the captures of which there are more.
fn bounded(mut special: Special) -> (Special, BTreeSet<String>) {
    let mut cut = BTreeSet::new();
    for (name, values) in &mut special {
        if values.len() > MAX_VALUES {
            cut.insert(name.clone());
            *values = std::mem::take(values).into_iter().take(MAX_VALUES).collect();
        }
    }
    (special, cut)
}
