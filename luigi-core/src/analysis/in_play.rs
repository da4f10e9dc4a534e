//! What the rules about one target look at.
//!
//! Everything that a decision depends on is collected here; each kind of it has a dimension. The structs of the model are taken
//! apart without `..` on purpose: whoever adds a predicate to the language is told to say here which dimension stands for it.

use super::targets::MethodClass;
use crate::decide::Scratch;
use crate::method::MethodSet;
use crate::policy::captures::CaptureTest;
use crate::policy::model::{
    ApprovalId, Conditions, Effect, FactTest, LoginId, NetworkId, Requirements, Rule, RuleId, ScheduleId, ScopeId,
    ScopeSelector, Subject, SubjectMatcher, Upgrade, Via,
};
use crate::snapshot::Snapshot;
use crate::target::CanonicalTarget;
use crate::time::Timestamp;

/// One of the policies beside a target: which of its scopes and rules speak about it.
#[derive(Clone)]
pub(super) struct Side<'a> {
    pub(super) snapshot: &'a Snapshot,
    /// The scopes that hold the target and method, sorted.
    pub(super) scopes: Vec<ScopeId>,
    /// The rules of these scopes and those about every request, sorted; without those about other methods.
    pub(super) rules: Vec<RuleId>,
    /// The methods for which a preflight on the target passes unless a deny rule holds; none unless the method is OPTIONS.
    pub(super) preflights: Vec<Passes>,
}

/// What of a policy speaks about a target: scopes, rules, and the methods for which preflights pass.
pub(super) type Speaking = (Vec<ScopeId>, Vec<RuleId>, Vec<Passes>);

/// A method for which a preflight passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Passes {
    /// The methods that are like it.
    pub(super) names: Vec<String>,
    /// One of them, to send.
    pub(super) token: String,
    /// Whether a privileged scope holds what is asked for.
    pub(super) privileged: bool,
    /// Whether a scope that holds what is asked for refuses upgrades.
    pub(super) refuses_upgrade: bool,
}

impl Passes {
    /// Whether it is one of these methods.
    pub(super) fn is(&self, method: &str) -> bool {
        self.token == method || self.names.iter().any(|name| name == method)
    }
}

impl<'a> Side<'a> {
    /// What speaks about a target at a frontend, with a method of one of these classes.
    pub(super) fn at(
        snapshot: &'a Snapshot,
        target: &CanonicalTarget<'_>,
        method: &str,
        frontend: Option<&str>,
        classes: &[MethodClass],
        scratch: &mut Scratch,
    ) -> Self {
        let resolve = |token: &str| snapshot.policy.methods.resolve(token.as_bytes());
        let bits = resolve(method);
        let mut side = Self::new(snapshot, snapshot.scopes_holding(target, bits, frontend, scratch), bits);
        if method == "OPTIONS" && snapshot.headers.preflight.is_some() {
            for MethodClass { names, token } in classes {
                let scopes = snapshot.scopes_holding(target, resolve(token), frontend, scratch).iter();
                let scopes: Vec<_> = scopes.map(|scope| &snapshot.policy.scopes[*scope]).collect();
                if scopes.iter().any(|scope| scope.preflight) {
                    let privileged = scopes.iter().any(|scope| scope.privileged);
                    let refuses_upgrade = scopes.iter().any(|scope| scope.upgrade == Upgrade::Refuse);
                    let (names, token) = (names.clone(), token.clone());
                    side.preflights.push(Passes { names, token, privileged, refuses_upgrade });
                }
            }
        }
        side
    }

    fn new(snapshot: &'a Snapshot, scopes: &[ScopeId], method: MethodSet) -> Self {
        let mut rules = Vec::new();
        for of_scope in scopes.iter().map(|scope| &snapshot.scope_rules[*scope]) {
            rules.extend(of_scope.allowing());
            rules.extend_from_slice(of_scope.capturing(Effect::Allow));
            for effect in [Effect::Deny, Effect::Restrict] {
                rules.extend_from_slice(of_scope.against(effect));
                rules.extend_from_slice(of_scope.capturing(effect));
            }
        }
        for effect in [Effect::Deny, Effect::Restrict] {
            rules.extend_from_slice(snapshot.rules_for_all.with(effect));
        }
        rules.retain(|id| snapshot.policy.rules[*id].methods.is_none_or(|methods| methods.intersects(method)));
        rules.sort_unstable();
        rules.dedup();
        Self { snapshot, scopes: scopes.to_vec(), rules, preflights: Vec::new() }
    }

    /// The side of a policy where this speaks.
    pub(super) fn of(snapshot: &'a Snapshot, (scopes, rules, preflights): &Speaking) -> Self {
        Self { snapshot, scopes: scopes.clone(), rules: rules.clone(), preflights: preflights.clone() }
    }

    /// What speaks.
    pub(super) fn speaking(self) -> Speaking {
        (self.scopes, self.rules, self.preflights)
    }

    /// Whether a scope that holds the target, or what a preflight on it asks for, refuses upgrades.
    pub(super) fn refuses_upgrade(&self) -> bool {
        let scopes = &self.snapshot.policy.scopes;
        self.scopes.iter().any(|scope| scopes[*scope].upgrade == Upgrade::Refuse)
            || self.preflights.iter().any(|preflight| preflight.refuses_upgrade)
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
    /// Claims that must equal a capture. What else `where` asks is known of a target.
    pub(super) captured: Vec<(usize, &'a CaptureTest)>,
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
        captures.iter().filter(|test| test.is_about_the_caller()).for_each(|test| push(&mut self.captured, (at, test)));
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
