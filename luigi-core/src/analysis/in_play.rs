//! What the rules about one target look at.
//!
//! Everything that a decision depends on is collected here; each kind of it has a dimension. The structs of the model are taken
//! apart without `..` on purpose: whoever adds a predicate to the language is told to say here which dimension stands for it.

use crate::method::MethodSet;
use crate::policy::model::{
    ApprovalId, Conditions, Effect, FactTest, LoginId, NetworkId, Requirements, Rule, RuleId, ScheduleId, ScopeId,
    ScopeSelector, Subject, SubjectMatcher, Via,
};
use crate::snapshot::Snapshot;
use crate::time::Timestamp;

/// One of the policies beside a target: which of its scopes and rules speak about it.
#[derive(Clone)]
pub(super) struct Side<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The scopes that hold the target and method, sorted.
    pub(super) scopes: Vec<ScopeId>,
    /// The rules of these scopes and those about every request, sorted; without those about other methods.
    pub(super) rules: Vec<RuleId>,
}

impl<'a> Side<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, scopes: &[ScopeId], method: MethodSet) -> Self {
        let mut rules = Vec::new();
        let all = scopes.iter().map(|scope| &snapshot.scope_rules[*scope]).chain([&snapshot.rules_for_all]);
        for by_effect in all {
            for effect in [Effect::Deny, Effect::Restrict, Effect::Allow] {
                rules.extend_from_slice(by_effect.with(effect));
                rules.extend_from_slice(by_effect.capturing(effect));
            }
        }
        rules.retain(|id| snapshot.policy.rules[*id].methods.is_none_or(|methods| methods.intersects(method)));
        rules.sort_unstable();
        rules.dedup();
        Self { snapshot, scopes: scopes.to_vec(), rules }
    }

    /// The scopes of a rule that hold the target.
    pub(super) fn scopes_of(&self, rule: &Rule) -> impl Iterator<Item = ScopeId> {
        let named = match &rule.scopes {
            ScopeSelector::All => &[][..],
            ScopeSelector::Named(scopes) => scopes,
        };
        named.iter().copied().filter(|scope| self.scopes.contains(scope))
    }
}

/// The predicates of some rules; the number is that of the side whose policy they belong to.
#[derive(Default)]
pub(super) struct InPlay<'a> {
    pub(super) matchers: Vec<(usize, &'a SubjectMatcher)>,
    /// Whole subjects of deny rules, which look at who acts, too.
    pub(super) denied: Vec<(usize, &'a Subject)>,
    /// Who acts, where a rule asks.
    pub(super) vias: Vec<(usize, &'a Via)>,
    /// Sides with a rule that says "authenticated".
    pub(super) authenticated: Vec<usize>,
    /// Headers, query, certificate, facts.
    pub(super) facts: Vec<(usize, &'a FactTest)>,
    /// Whether some rule has `where`.
    pub(super) tests_captures: bool,
    pub(super) networks: Vec<(usize, NetworkId)>,
    pub(super) schedules: Vec<(usize, ScheduleId)>,
    pub(super) instants: Vec<Timestamp>,
    pub(super) logins: Vec<(usize, LoginId)>,
    /// What a grant could open: a scope, under any of these approvals.
    pub(super) approvals: Vec<(usize, ScopeId, &'a [ApprovalId])>,
}

impl<'a> InPlay<'a> {
    pub(super) fn new(sides: &[Side<'a>]) -> Self {
        let mut all = Self::default();
        for (at, side) in sides.iter().enumerate() {
            for id in &side.rules {
                all.rule(at, side, &side.snapshot.policy.rules[*id]);
            }
        }
        all
    }

    fn rule(&mut self, at: usize, side: &Side<'a>, rule: &'a Rule) {
        let policy = &side.snapshot.policy;
        let Rule { name: _, owner: _, effect, mode: _, scopes: _, methods: _, when, unless, starts, ends, require } =
            rule;
        self.conditions(at, when);
        if *effect == Effect::Deny
            && let Some(subject) = &when.subject
        {
            push(&mut self.denied, (at, subject));
        }
        for conditions in unless {
            self.conditions(at, conditions);
        }
        for instant in starts.iter().chain(ends) {
            push(&mut self.instants, *instant);
        }
        let Requirements { login, subject, from, during, approval, facts } = require;
        facts.iter().for_each(|fact| push(&mut self.facts, (at, fact)));
        if let Some(login) = login {
            push(&mut self.logins, (at, *login));
        }
        for matcher in subject {
            push(&mut self.matchers, (at, matcher));
        }
        from.iter().for_each(|network| push(&mut self.networks, (at, *network)));
        during.iter().for_each(|schedule| push(&mut self.schedules, (at, *schedule)));
        if !approval.is_empty() {
            for scope in side.scopes_of(rule) {
                push(&mut self.approvals, (at, scope, approval.as_slice()));
            }
            for approval in approval {
                self.subject(at, &policy.approvals[*approval].requesters);
            }
        }
    }

    fn conditions(&mut self, at: usize, conditions: &'a Conditions) {
        let Conditions { subject, via, from, during, facts, captures } = conditions;
        self.tests_captures |= !captures.is_empty();
        facts.iter().for_each(|fact| push(&mut self.facts, (at, fact)));
        if let Some(via) = via {
            push(&mut self.vias, (at, via));
        }
        if let Some(subject) = subject {
            self.subject(at, subject);
        }
        from.iter().for_each(|network| push(&mut self.networks, (at, *network)));
        during.iter().for_each(|schedule| push(&mut self.schedules, (at, *schedule)));
    }

    fn subject(&mut self, at: usize, subject: &'a Subject) {
        match subject {
            Subject::Anyone => {}
            Subject::Authenticated => push(&mut self.authenticated, at),
            Subject::AnyOf(matchers) => matchers.iter().for_each(|matcher| push(&mut self.matchers, (at, matcher))),
        }
    }
}

/// Adds what is not there yet; lists are short.
fn push<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
