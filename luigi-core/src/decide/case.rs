//! One request beside one snapshot: what each rule's predicates and requirements are worth for it.

use super::Source;
use super::decision::{Decision, Reason};
use super::lacking::Unmet;
use super::request::Request;
use super::scratch::Scratch;
use crate::grant_set::Grant;
use crate::kleene::Kleene;
use crate::matchers::{Person, fact_holds, login_meets};
use crate::method::MethodSet;
use crate::policy::model::{
    ApprovalId, Conditions, Effect, FactTest, LoginId, Mode, NetworkId, Rule, RuleId, ScheduleId, ScopeId,
    ScopeSelector,
};
use crate::snapshot::{HostTraits, Snapshot};
use crate::target::CanonicalTarget;

/// What one decision is about, with everything looked up that more than one rule may ask for.
pub(super) struct Case<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a Request<'a>,
    pub(super) target: CanonicalTarget<'a>,
    /// What the host's servers do with targets.
    pub(super) traits: HostTraits,
    /// The request's method, as a set of one.
    pub(super) method: MethodSet,
    pub(super) person: Person<'a>,
    /// The person's grants, in force or not.
    pub(super) grants: &'a [Grant],
}

/// Which rules take part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Those in force: the decision.
    InForce,
    /// The observed ones, too: the candidate decision.
    All,
}

impl Rules {
    pub(super) fn include(self, rule: &Rule) -> bool {
        match self {
            Self::All => true,
            Self::InForce => rule.mode == Mode::Enforce,
        }
    }
}

impl Case<'_> {
    pub(super) fn rule(&self, id: RuleId) -> &Rule {
        &self.snapshot.policy.rules[id]
    }

    pub(super) fn decision(&self, reason: Reason, rule: RuleId, scratch: &Scratch) -> Decision {
        let scope = self.smallest_scope_by(self.rule(rule), |scope| scratch.holds(scope));
        Decision { reason, rule: Some(rule), restricted_by: None, scope, advice: None }
    }

    /// The deny or restrict rules of the scopes and of all requests; a rule of several scopes comes once for each.
    pub(super) fn rules<'s>(&'s self, found: &'s [ScopeId], effect: Effect) -> impl Iterator<Item = RuleId> + 's {
        self.units(found, effect).map(|(rule, _)| rule)
    }

    /// The deny or restrict rules with the scope in which each is met.
    pub(super) fn units<'s>(
        &'s self,
        found: &'s [ScopeId],
        effect: Effect,
    ) -> impl Iterator<Item = (RuleId, Option<ScopeId>)> + 's {
        let for_all = self.snapshot.rules_for_all.with(effect).iter().map(|rule| (*rule, None));
        let of_scopes = found.iter().flat_map(move |scope| {
            self.snapshot.scope_rules[*scope].with(effect).iter().map(|rule| (*rule, Some(*scope)))
        });
        for_all.chain(of_scopes)
    }

    /// The first of a rule's scopes that holds the request.
    pub(super) fn smallest_scope(&self, rule: &Rule, scratch: &Scratch) -> Option<ScopeId> {
        self.smallest_scope_by(rule, |scope| scratch.holds(scope))
    }

    fn smallest_scope_by(&self, rule: &Rule, holds: impl Fn(ScopeId) -> bool) -> Option<ScopeId> {
        match &rule.scopes {
            ScopeSelector::All => None,
            ScopeSelector::Named(scopes) => scopes.iter().copied().find(|scope| holds(*scope)),
        }
    }

    /// Whether a rule whose scope holds the request matches it.
    pub(super) fn matches(&self, rule: &Rule, effect: Effect) -> Kleene {
        if !self.in_season(rule) {
            return Kleene::False;
        }
        let policy = &self.snapshot.policy;
        let subject = match (&rule.when.subject, effect) {
            (None, _) => Kleene::True,
            // Only an allow rule that says `via` means subjects for whom somebody else acts.
            (Some(subject), Effect::Allow) if rule.when.via.is_none() => self.person.is_allowed_as(subject, policy),
            (Some(subject), Effect::Deny) => self.person.is_denied_as(subject, policy),
            (Some(subject), Effect::Allow | Effect::Restrict) => self.person.is(subject, policy),
        };
        let who = subject.and(self.via(&rule.when));
        if who.is_false() {
            return who;
        }
        let unless = |conditions: &Conditions| match &conditions.subject {
            Some(subject) => self.person.is(subject, policy).and(self.via(conditions)),
            None => self.via(conditions),
        };
        who.and(self.circumstances(rule, unless))
    }

    /// Who acts; true if the conditions do not ask.
    fn via(&self, conditions: &Conditions) -> Kleene {
        conditions.via.as_ref().map_or(Kleene::True, |via| self.person.acts_via(via, &self.snapshot.policy))
    }

    /// Method and validity: what is never unknown.
    pub(super) fn in_season(&self, rule: &Rule) -> bool {
        let now = self.request.time;
        rule.methods.is_none_or(|methods| methods.intersects(self.method))
            && rule.starts.is_none_or(|starts| starts <= now)
            && rule.ends.is_none_or(|ends| now < ends)
    }

    /// Everything of a rule's conditions but who asks and who acts; `unless_who` says what those of an exemption are worth.
    pub(super) fn circumstances(&self, rule: &Rule, unless_who: impl Fn(&Conditions) -> Kleene) -> Kleene {
        let mut result = self.required_from(&rule.when.from);
        if !result.is_false() {
            result = result.and(self.required_during(&rule.when.during));
        }
        if !result.is_false() {
            result = result.and(self.required_facts(&rule.when.facts));
        }
        for exemption in &rule.unless {
            if result.is_false() {
                break;
            }
            let exempt = self
                .required_from(&exemption.from)
                .and(self.required_during(&exemption.during))
                .and(self.required_facts(&exemption.facts));
            result = result.and(!unless_who(exemption).and(exempt));
        }
        result
    }

    /// Any of these networks; true if none is named.
    pub(super) fn required_from(&self, networks: &[NetworkId]) -> Kleene {
        if networks.is_empty() {
            return Kleene::True;
        }
        match self.request.source {
            Source::Unknown => Kleene::Unknown,
            Source::Address(address) => networks.iter().any(|id| self.snapshot.networks[*id].contains(address)).into(),
        }
    }

    /// Any of these schedules; true if none is named.
    pub(super) fn required_during(&self, schedules: &[ScheduleId]) -> Kleene {
        if schedules.is_empty() {
            return Kleene::True;
        }
        let mut result = Kleene::False;
        for id in schedules {
            let now = self.snapshot.hours[*id].contains(&self.snapshot.policy.schedules[*id], self.request.time);
            result = result.or(now.map_or(Kleene::Unknown, Kleene::from));
        }
        result
    }

    /// All of these tests; true if there is none.
    pub(super) fn required_facts(&self, tests: &[FactTest]) -> Kleene {
        let mut result = Kleene::True;
        for test in tests {
            if result.is_false() {
                break;
            }
            result = result.and(fact_holds(test, &self.request.facts, self.target.query, &self.snapshot.policy));
        }
        result
    }

    pub(super) fn required_subject(&self, rule: &Rule) -> Kleene {
        if rule.require.subject.is_empty() {
            return Kleene::True;
        }
        self.person.is_any_of(&rule.require.subject, &self.snapshot.policy)
    }

    pub(super) fn unmet_login(&self, rule: &Rule) -> Option<LoginId> {
        let login = rule.require.login?;
        let met = login_meets(&self.snapshot.policy.logins[login], self.person, self.request.time);
        (!met.is_true()).then_some(login)
    }

    pub(super) fn unmet(&self, rule: &Rule, scratch: &Scratch) -> Unmet {
        Unmet {
            login: self.unmet_login(rule),
            subject: !self.required_subject(rule).is_true(),
            source: !self.required_from(&rule.require.from).is_true(),
            schedule: !self.required_during(&rule.require.during).is_true(),
            fact: !self.required_facts(&rule.require.facts).is_true(),
            approval: !rule.require.approval.is_empty() && self.scopes_to_open(rule, scratch).next().is_some(),
        }
    }

    /// The scopes of an allow rule that still need a grant under one of its approvals: every privileged one that holds the
    /// request; without any of those the smallest, unless some scope is open.
    pub(super) fn scopes_to_open<'s>(
        &'s self,
        rule: &'s Rule,
        scratch: &'s Scratch,
    ) -> impl Iterator<Item = ScopeId> + 's {
        let scopes = match &rule.scopes {
            ScopeSelector::All => &[][..],
            ScopeSelector::Named(scopes) => scopes,
        };
        let holding = move || scopes.iter().copied().filter(|scope| scratch.holds(*scope));
        let privileged = move |scope: &ScopeId| self.snapshot.policy.scopes[*scope].privileged;
        let closed = move |scope: &ScopeId| !self.granted(*scope, &rule.require.approval);
        let any_privileged = holding().any(|scope| privileged(&scope));
        let all = holding().filter(move |scope| any_privileged && privileged(scope) && closed(scope));
        let one = (!any_privileged && holding().all(|scope| closed(&scope))).then(|| holding().next()).flatten();
        all.chain(one)
    }

    /// Whether a grant opens the scope under one of the approvals.
    pub(super) fn granted(&self, scope: ScopeId, approvals: &[ApprovalId]) -> bool {
        self.grants.iter().any(|grant| self.opens(grant, scope, approvals))
    }

    fn opens(&self, grant: &Grant, scope: ScopeId, approvals: &[ApprovalId]) -> bool {
        let policy = &self.snapshot.policy;
        let now = self.request.time;
        let scope = &policy.scopes[scope];
        let same_actor = match (self.person.actor(), &grant.actor) {
            (None, None) => true,
            (Some(acting), Some((issuer, subject))) => {
                acting.legible && acting.issuer == issuer && acting.subject == Some(subject.as_str())
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        let under = |approval: &ApprovalId| {
            let approval = &policy.approvals[*approval];
            approval.content_hash == grant.approval_hash && approval.name == grant.approval
        };
        let from_there = grant.networks.is_empty()
            || match self.request.source {
                Source::Unknown => false,
                Source::Address(address) => grant.networks.iter().any(|network| network.contains(&address)),
            };
        grant.from <= now
            && now < grant.until
            && grant.scope_hash == scope.content_hash
            && grant.scope == scope.name
            && same_actor
            && approvals.iter().any(under)
            && grant.path.as_deref().is_none_or(|path| self.traits.same_path(path, self.target.path))
            && from_there
    }

    /// Whether the caller may ask for the approval.
    pub(super) fn may_request(&self, approval: ApprovalId) -> bool {
        match self.person {
            Person::Nobody | Person::Unknowable => false,
            Person::Known(_) => {
                let policy = &self.snapshot.policy;
                self.person.is(&policy.approvals[approval].requesters, policy).is_true()
            }
        }
    }
}
