//! What the tests of a policy never tried: rules that never matched, predicates that never came out one way, scopes without a request.
//!
//! Everything here comes from the traces of [`explain`](crate::explain): whatever predicate has a finding there is counted, without this
//! file knowing which predicates there are. A predicate counts in requests that its rule is about, a requirement where its rule matches
//! or may match; elsewhere they decide nothing.

use super::probes;
use crate::explain::{Explanation, Finding, RuleTrace, Standing};
use crate::kleene::Kleene;
use crate::policy::model::ScopeSelector;
use crate::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;

/// How often something came out each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// True or met.
    #[serde(rename = "true")]
    pub yes: u64,
    /// False or unmet.
    #[serde(rename = "false")]
    pub no: u64,
    /// Unknown.
    pub unknown: u64,
    /// Whether it is true whatever is asked.
    #[serde(skip)]
    always: bool,
}

impl Seen {
    fn count(&mut self, value: Kleene) {
        match value {
            Kleene::True => self.yes += 1,
            Kleene::False => self.no += 1,
            Kleene::Unknown => self.unknown += 1,
        }
    }

    /// Whether it could have come out false and never did.
    #[must_use]
    pub fn never_false(&self) -> bool {
        self.no == 0 && !self.always
    }

    /// Whether it never came out true.
    #[must_use]
    pub fn never_true(&self) -> bool {
        self.yes == 0
    }

    fn outcomes(&self) -> (usize, usize) {
        let seen = usize::from(!self.never_true()) + usize::from(self.no > 0);
        (seen, if self.always { 1 } else { 2 })
    }
}

/// What became of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCoverage {
    /// How its match came out, over all requests.
    pub matched: Seen,
    /// Its predicates and what they are made of, by their keys from the outside in: `subject.groups`, `unless[2].from`.
    predicates: BTreeMap<Place, Seen>,
    /// Its requirements, by their keys.
    requirements: BTreeMap<Place, Seen>,
}

impl RuleCoverage {
    /// The predicates in the order of the trace.
    pub fn predicates(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.predicates.iter().map(|(place, seen)| (place.keys.as_str(), seen))
    }

    /// The requirements in the order of the trace; true means met.
    pub fn requirements(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.requirements.iter().map(|(place, seen)| (place.keys.as_str(), seen))
    }
}

/// Where a finding stands in the trace of its rule: ordered as there, known by its keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    indexes: Vec<usize>,
    keys: String,
}

/// What the tests of a policy tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Rules by their ids.
    pub rules: BTreeMap<String, RuleCoverage>,
    /// Scopes, and how many requests each holds.
    pub scopes: BTreeMap<String, u64>,
    /// Approvals that some rule requires, and how often a grant under each met a requirement.
    pub approvals: BTreeMap<String, u64>,
}

impl Coverage {
    /// Adds a policy of which nothing has been tried yet. With several environments, each adds its own.
    pub fn add_policy(&mut self, snapshot: &Snapshot) {
        let policy = snapshot.policy();
        for (_, scope) in policy.scopes.iter() {
            self.scopes.entry(scope.name.clone()).or_default();
        }
        for (_, rule) in policy.rules.iter() {
            self.rules.entry(rule.name.clone()).or_default();
            for id in &rule.require.approval {
                self.approvals.entry(policy.approvals[*id].name.clone()).or_default();
            }
        }
        // What rules are made of shows once somebody asks.
        for explanation in probes(policy) {
            for trace in &explanation.rules {
                self.walk(trace, |seen, _| *seen);
            }
        }
        for (_, rule) in policy.rules.iter() {
            if let Some(coverage) = self.rules.get_mut(&rule.name) {
                let everywhere = matches!(rule.scopes, ScopeSelector::All);
                coverage.matched.always = everywhere && coverage.predicates.is_empty();
            }
        }
    }

    /// Adds how one test was decided.
    pub fn add(&mut self, explanation: &Explanation) {
        for scope in explanation.held_scopes() {
            *self.scopes.entry(scope.to_owned()).or_default() += 1;
        }
        for trace in &explanation.rules {
            let in_question = trace.concerned;
            let asked = trace.concerned && trace.standing != Standing::Silent;
            self.rules.entry(trace.rule.clone()).or_default().matched.count(trace.value);
            self.walk(trace, |seen, what| {
                let mut seen = *seen;
                match what {
                    Role::Predicate(value) if in_question => seen.count(value),
                    // A requirement that is unknown is unmet.
                    Role::Requirement(value) if asked => seen.count(value.is_true().into()),
                    Role::Predicate(_) | Role::Requirement(_) => {}
                }
                seen
            });
            if asked {
                trace.requirements.iter().for_each(|finding| self.grants(finding));
            }
        }
    }

    /// Visits every predicate and requirement of a rule.
    fn walk(&mut self, trace: &RuleTrace, visit: impl Fn(&Seen, Role) -> Seen) {
        let rule = self.rules.entry(trace.rule.clone()).or_default();
        // Whether its scopes hold the request is what the coverage of scopes says.
        let predicates: Vec<&Finding> = trace.predicates.iter().filter(|one| one.key != "scopes").collect();
        let outside = Place { indexes: Vec::new(), keys: String::new() };
        descend(&outside, &predicates, &mut |place, finding| {
            let seen = rule.predicates.entry(place).or_default();
            *seen = visit(seen, Role::Predicate(finding.value));
        });
        for (index, finding) in trace.requirements.iter().enumerate() {
            let place = Place { indexes: vec![index], keys: finding.key.to_owned() };
            let seen = rule.requirements.entry(place).or_default();
            *seen = visit(seen, Role::Requirement(finding.value));
        }
    }

    /// Counts the approvals whose grants met a requirement.
    fn grants(&mut self, finding: &Finding) {
        if let Some(approval) = &finding.approval {
            *self.approvals.entry(approval.clone()).or_default() += 1;
        }
        finding.parts.iter().for_each(|part| self.grants(part));
    }

    /// How many outcomes the tests have seen, and how many there are: true and false of each rule and predicate, met and unmet of each
    /// requirement, a request in each scope, a grant under each approval.
    #[must_use]
    pub fn outcomes(&self) -> (usize, usize) {
        let rules = self.rules.values().flat_map(|rule| {
            std::iter::once(&rule.matched).chain(rule.predicates.values()).chain(rule.requirements.values())
        });
        let counted = self.scopes.values().chain(self.approvals.values()).map(|n| (usize::from(*n > 0), 1));
        rules.map(Seen::outcomes).chain(counted).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// What share of the outcomes the tests have seen, in percent; all of nothing.
    #[must_use]
    pub fn percent(&self) -> f64 {
        match self.outcomes() {
            (_, 0) => 100.0,
            // Far below 2^52: as many as there are keys in a policy.
            (seen, all) => seen as f64 * 100.0 / all as f64,
        }
    }
}

/// What a finding is to its rule.
enum Role {
    Predicate(Kleene),
    Requirement(Kleene),
}

/// Visits findings and their parts, but for those that can only come out one way. One of several with the same key has its number, counted from one.
fn descend(outside: &Place, findings: &[&Finding], visit: &mut impl FnMut(Place, &Finding)) {
    for (index, finding) in findings.iter().enumerate() {
        let alike = |among: &[&Finding]| among.iter().filter(|one| one.key == finding.key).count();
        let number = if alike(findings) > 1 { format!("[{}]", alike(&findings[..=index])) } else { String::new() };
        let dot = if outside.keys.is_empty() { "" } else { "." };
        let mut place =
            Place { indexes: outside.indexes.clone(), keys: format!("{}{dot}{}{number}", outside.keys, finding.key) };
        place.indexes.push(index);
        let parts: Vec<&Finding> = finding.parts.iter().collect();
        if !finding.fixed {
            visit(place.clone(), finding);
        }
        descend(&place, &parts, visit);
    }
}
