//! Takes from a recorded request whatever the answer does not depend on.

use super::{Outcome, Recorder};
use crate::policy::model::{Policy, Subject, SubjectMatcher};
use crate::policy::test_case::{TestCase, TestCredential, TestIdentity};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses for documentation (RFC 5737, RFC 3849), which are nobody's.
const NOBODYS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

impl Recorder {
    /// Makes a test say no more than its outcome depends on.
    ///
    /// Each thing is taken away by itself and stays away if the outcome is the same without it. Whatever a predicate looks at is kept
    /// that way, whichever predicates there are.
    pub(super) fn reduce(&mut self, test: &mut TestCase, outcome: &Outcome) {
        if let Some((path, query)) = test.target.clone().split_once('?')
            && !self.attempt(test, outcome, |test| test.target = path.to_owned())
        {
            for parameter in query.split('&') {
                self.attempt(test, outcome, |test| test.target = without_parameter(&test.target, parameter));
            }
        }
        self.attempt(test, outcome, |test| test.facts.headers = None);
        self.attempt(test, outcome, |test| test.facts.facts = None);
        self.attempt(test, outcome, |test| test.facts.frontend = None);
        for (name, _) in test.facts.headers.clone().into_iter().flatten() {
            self.attempt(test, outcome, |test| remove(&mut test.facts.headers, &name));
        }
        for (name, _) in test.facts.facts.clone().into_iter().flatten() {
            self.attempt(test, outcome, |test| remove(&mut test.facts.facts, &name));
        }
        if let Some(from) = test.from
            && !self.attempt(test, outcome, |test| test.from = None)
        {
            let instead = stand_ins(self.snapshot().policy(), from);
            let _ = instead.into_iter().any(|address| self.attempt(test, outcome, |test| test.from = Some(address)));
        }
        self.attempt(test, outcome, |test| test.at = None);
        for grant in test.grants.clone() {
            self.attempt(test, outcome, |test| test.grants.retain(|one| *one != grant));
        }
        let TestCredential::Identity(person) = test.credential.clone() else { return };
        if !self.attempt_person(test, outcome, |person| person.subject = "test".to_owned()) {
            let patterns = subject_patterns(self.snapshot().policy());
            let _ = patterns.into_iter().any(|pattern| {
                self.attempt_person(test, outcome, |person| person.subject = pattern.replace('*', "test"))
            });
        }
        if let Some(email) = &person.email
            && !self.attempt_person(test, outcome, |person| person.email = None)
            && let Some((_, domain)) = email.rsplit_once('@')
        {
            self.attempt_person(test, outcome, |person| person.email = Some(format!("test@{domain}")));
        }
        self.attempt_person(test, outcome, |person| person.kind = None);
        self.attempt_person(test, outcome, |person| person.login = None);
        for name in person.claims.keys() {
            self.attempt_person(test, outcome, |person| {
                person.claims.remove(name);
            });
        }
        for name in person.via.iter().flat_map(|actor| actor.claims.keys()) {
            self.attempt_person(test, outcome, |person| {
                if let Some(actor) = &mut person.via {
                    actor.claims.remove(name);
                }
            });
        }
    }

    /// Makes a change if the outcome stays as it is; whether it was made.
    fn attempt(&mut self, test: &mut TestCase, outcome: &Outcome, change: impl FnOnce(&mut TestCase)) -> bool {
        let mut changed = test.clone();
        change(&mut changed);
        let same = self.outcome(&changed).as_ref() == Ok(outcome);
        if same {
            *test = changed;
        }
        same
    }

    fn attempt_person(
        &mut self,
        test: &mut TestCase,
        outcome: &Outcome,
        change: impl FnOnce(&mut TestIdentity),
    ) -> bool {
        self.attempt(test, outcome, |test| {
            if let TestCredential::Identity(person) = &mut test.credential {
                change(person);
            }
        })
    }
}

fn remove<V>(named: &mut Option<Vec<(String, V)>>, name: &str) {
    if let Some(entries) = named {
        entries.retain(|(held, _)| held != name);
    }
}

/// The target without a parameter of its query.
fn without_parameter(target: &str, parameter: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let others: Vec<&str> = query.split('&').filter(|one| *one != parameter).collect();
    format!("{path}?{}", others.join("&"))
}

/// Addresses that may do instead of a real one: the first of a network of the policy that holds it, or nobody's.
fn stand_ins(policy: &Policy, address: IpAddr) -> Vec<IpAddr> {
    let members = policy.networks.iter().flat_map(|(_, network)| &network.members);
    let holding = members.filter(|network| network.contains(&address));
    let mut instead: Vec<IpAddr> = holding.filter_map(|network| network.hosts().next()).collect();
    instead.extend(NOBODYS);
    instead
}

/// The patterns of subjects in rules.
fn subject_patterns(policy: &Policy) -> Vec<String> {
    let mut patterns = Vec::new();
    let mut add = |matchers: &[SubjectMatcher]| {
        patterns.extend(matchers.iter().flat_map(|one| one.subject_patterns.iter().cloned()));
    };
    for (_, rule) in policy.rules.iter() {
        for conditions in std::iter::once(&rule.when).chain(&rule.unless) {
            if let Some(Subject::AnyOf(matchers)) = &conditions.subject {
                add(matchers);
            }
        }
        add(&rule.require.subject);
    }
    patterns.sort();
    patterns.dedup();
    patterns
}
