//! People as far as rules tell them apart, and which rules let each of them in: for lints about what one person may do over all rules
//! together.
//!
//! A person is one alternative of a matcher: one of its groups, one of its subjects. Whoever is in two groups of different matchers is not
//! looked at; nobody can say who that is from the policy alone.

use crate::analysis::strictness::subject_implies;
use crate::policy::model::{GroupId, Policy, Rule, RuleId, Subject, SubjectMatcher};
use std::collections::{BTreeSet, HashMap};

/// A matcher with more alternatives counts as one person.
const MAX_ALTERNATIVES: usize = 256;

/// How many times a person and a rule are compared, at most.
const MAX_COMPARISONS: usize = 2_000_000;

/// Somebody, and what lets them in.
pub(super) struct Person {
    /// The rules among those that were asked about, sorted.
    pub(super) rules: Vec<RuleId>,
}

impl Person {
    /// Leaves out the rules that let in anyone, or anyone who is known, unless these are all: they say nothing about this person.
    pub(super) fn without_what_all_have(&mut self, policy: &Policy) {
        let is_general =
            |id: &RuleId| !subjects_of(&policy.rules[*id]).iter().any(|one| matches!(one, Subject::AnyOf(_)));
        if !self.rules.iter().all(is_general) {
            self.rules.retain(|id| !is_general(id));
        }
    }
}

/// Everyone whom these allows tell apart, with those of them that let the person in, whoever has most first; and whether not all were looked at.
pub(super) fn persons(policy: &Policy, rules: &[RuleId]) -> (Vec<Person>, bool) {
    let mut people: BTreeSet<Subject> = BTreeSet::new();
    let (mut by_group, mut general): (HashMap<GroupId, Vec<RuleId>>, Vec<RuleId>) = (HashMap::new(), Vec::new());
    for id in rules {
        let subjects = subjects_of(&policy.rules[*id]);
        for subject in &subjects {
            match subject {
                Subject::Anyone | Subject::Authenticated => {
                    people.insert(subject.clone());
                }
                Subject::AnyOf(matchers) => {
                    let alternatives = matchers.iter().flat_map(alternatives);
                    people.extend(alternatives.map(|matcher| Subject::AnyOf(vec![matcher])));
                }
            }
        }
        match subjects.iter().find_map(groups_of) {
            Some(groups) => groups.into_iter().for_each(|group| by_group.entry(group).or_default().push(*id)),
            None => general.push(*id),
        }
    }
    let (mut found, mut left) = (Vec::new(), MAX_COMPARISONS);
    for person in &people {
        // Whoever needs no group is let in by no rule that asks for one.
        let own = groups_of(person).into_iter().flatten();
        let own = own.flat_map(|group| by_group.get(&group).into_iter().flatten());
        let candidates: BTreeSet<RuleId> = general.iter().chain(own).copied().collect();
        let Some(rest) = left.checked_sub(candidates.len()) else { return (ordered(found), true) };
        left = rest;
        let lets_in = |id: &RuleId| {
            subjects_of(&policy.rules[*id]).iter().all(|subject| subject_implies(person, subject, policy))
        };
        found.push(Person { rules: candidates.into_iter().filter(lets_in).collect() });
    }
    (ordered(found), false)
}

fn ordered(mut found: Vec<Person>) -> Vec<Person> {
    found.sort_by(|a, b| b.rules.len().cmp(&a.rules.len()).then_with(|| a.rules.cmp(&b.rules)));
    found
}

/// All of whom somebody must be one to be let in.
fn subjects_of(rule: &Rule) -> Vec<Subject> {
    let mut subjects = vec![rule.when.subject.clone().unwrap_or(Subject::Anyone)];
    if !rule.require.subject.is_empty() {
        subjects.push(Subject::AnyOf(rule.require.subject.clone()));
    }
    subjects
}

/// Groups of which everyone that is meant has at least one; `None` if some need none.
fn groups_of(subject: &Subject) -> Option<Vec<GroupId>> {
    let Subject::AnyOf(matchers) = subject else { return None };
    let of = |matcher: &SubjectMatcher| [&matcher.groups[..], &matcher.groups_all].concat();
    let groups: Vec<Vec<GroupId>> = matchers.iter().map(of).collect();
    (!groups.iter().any(Vec::is_empty)).then(|| groups.concat())
}

/// A matcher for each way to be matched by this one.
fn alternatives(matcher: &SubjectMatcher) -> Vec<SubjectMatcher> {
    fn each<T: Clone>(all: &mut Vec<SubjectMatcher>, list: &[T], put: fn(&mut SubjectMatcher, T)) {
        if list.len() > 1 && all.len().saturating_mul(list.len()) <= MAX_ALTERNATIVES {
            let one = |matcher: &SubjectMatcher, value: &T| {
                let mut matcher = matcher.clone();
                put(&mut matcher, value.clone());
                matcher
            };
            *all = all
                .iter()
                .flat_map(|matcher| list.iter().map(|value| one(matcher, value)).collect::<Vec<_>>())
                .collect();
        }
    }
    let mut all = vec![matcher.clone()];
    each(&mut all, &matcher.groups, |matcher, group| matcher.groups = vec![group]);
    each(&mut all, &matcher.issuers, |matcher, issuer| matcher.issuers = vec![issuer]);
    each(&mut all, &matcher.kinds, |matcher, kind| matcher.kinds = vec![kind]);
    // Two keys that count as one.
    if matcher.subject_patterns.is_empty() {
        each(&mut all, &matcher.subjects, |matcher, subject| matcher.subjects = vec![subject]);
    }
    if matcher.email_domains.is_empty() {
        each(&mut all, &matcher.emails, |matcher, email| matcher.emails = vec![email]);
    }
    all
}
