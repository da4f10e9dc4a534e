//! One request beside one snapshot: what each rule's predicates and requirements are worth for it.

use super::Source;
use super::decision::{Decision, Reading, Reason};
use super::lacking::Unmet;
use super::request::Request;
use super::scratch::{Found, Marks};
use crate::grant_set::Grant;
use crate::kleene::Kleene;
use crate::matchers::{Captures, Person, fact_holds, login_meets};
use crate::method::MethodSet;
use crate::policy::model::{
    ApprovalId, Conditions, Effect, FactTest, LoginId, Mode, NetworkId, PatternId, Rule, RuleId, ScheduleId, ScopeId,
    ScopeSelector,
};
use crate::snapshot::{HostTraits, Index, Snapshot};
use crate::target::CanonicalTarget;

/// What one decision is about, with everything looked up that more than one rule may ask for.
pub(super) struct Case<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a Request<'a>,
    pub(super) target: &'a CanonicalTarget<'a>,
    /// Which reading of the request's target that is.
    pub(super) reading: Reading,
    /// What the host's servers do with targets.
    pub(super) traits: HostTraits,
    /// The request's method, as a set of one.
    pub(super) method: MethodSet,
    /// Where the scopes were found.
    pub(super) index: &'a Index,
    pub(super) person: Person<'a>,
    /// The person's grants, in force or not.
    pub(super) grants: &'a [Grant],
}

/// Where a rule is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The scope that holds the request; `None` for a rule about all requests.
    pub(super) scope: Option<ScopeId>,
    /// Which of its patterns does; `None` for a rule that takes no captures, to which they are all the same.
    pub(super) pattern: Option<PatternId>,
}

impl Place {
    const ANY: Self = Self { scope: None, pattern: None };

    pub(super) fn scope(scope: ScopeId) -> Self {
        Self { scope: Some(scope), pattern: None }
    }

    pub(super) fn pattern((scope, pattern): &(ScopeId, PatternId)) -> Self {
        Self { scope: Some(*scope), pattern: Some(*pattern) }
    }
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

    /// Says in a decision what determines it. Nothing but a reason may have been said in it before.
    #[inline]
    pub(super) fn say(&self, decision: &mut Decision, reason: Reason, rule: RuleId, found: &Found, marks: &Marks) {
        decision.reason = reason;
        decision.rule = Some(rule);
        decision.scope = self.smallest_scope_by_group(self.rule(rule), found, marks);
    }

    /// The same for an allow rule, which is about no request that no scope holds.
    #[inline]
    pub(super) fn say_allowed(&self, decision: &mut Decision, rule: RuleId, found: &Found, marks: &Marks) {
        decision.reason = Reason::AllowedByRule;
        decision.rule = Some(rule);
        // PERF: nearly always there is one scope, and the rule need not be read.
        decision.scope = found.only().or_else(|| self.smallest_scope_by_group(self.rule(rule), found, marks));
    }

    /// The deny or restrict rules with each place in which they are evaluated.
    pub(super) fn units<'s>(&'s self, found: &'s Found, effect: Effect) -> impl Iterator<Item = (RuleId, Place)> + 's {
        let for_all = self.snapshot.rules_for_all.with(effect).iter().map(|rule| (*rule, Place::ANY));
        let of_scopes = found.scopes.iter().flat_map(move |scope| {
            let rules = &self.snapshot.scope_rules[*scope];
            let plain = rules.against(effect).iter().map(|rule| (*rule, Place::scope(*scope)));
            let capturing = rules.capturing(effect).iter();
            plain.chain(
                capturing.flat_map(|rule| found.patterns(*scope).iter().map(|place| (*rule, Place::pattern(place)))),
            )
        });
        for_all.chain(of_scopes)
    }

    /// What captures hold in a place.
    pub(super) fn captures(&self, place: Place) -> Captures<'_> {
        let pattern = place.scope.zip(place.pattern);
        match pattern.and_then(|(scope, pattern)| self.snapshot.policy.scopes[scope].pattern(pattern)) {
            Some((host, path)) => Captures::new(host, path, *self.target).ignoring_case(self.traits.ignores_case),
            None => Captures::NONE,
        }
    }

    /// The first of a rule's scopes that holds the request.
    pub(super) fn smallest_scope(&self, rule: &Rule, marks: &Marks) -> Option<ScopeId> {
        self.smallest_scope_by(rule, |scope| marks.holds(scope))
    }

    /// The same for a rule that asks for one group and for nothing else: scopes that are taken together have no others.
    pub(super) fn smallest_scope_by_group(&self, rule: &Rule, found: &Found, marks: &Marks) -> Option<ScopeId> {
        self.smallest_scope_by(rule, |scope| marks.holds(scope) || found.is_in_crowd(scope, self.index))
    }

    fn smallest_scope_by(&self, rule: &Rule, holds: impl Fn(ScopeId) -> bool) -> Option<ScopeId> {
        match &rule.scopes {
            ScopeSelector::All => None,
            ScopeSelector::Named(scopes) => scopes.iter().copied().find(|scope| holds(*scope)),
        }
    }

    /// Whether a rule matches the request in a place that holds it.
    pub(super) fn matches(&self, rule: &Rule, effect: Effect, place: Place) -> Kleene {
        if !self.in_season(rule) {
            return Kleene::False;
        }
        let (policy, captures) = (&self.snapshot.policy, &self.captures(place));
        // Only an allow rule that says `via` means subjects for whom somebody else acts.
        let in_person = effect == Effect::Allow && rule.when.via.is_none();
        let subject = match (&rule.when.subject, effect) {
            (None, _) => Kleene::True,
            (Some(subject), Effect::Allow) if in_person => self.person.is_allowed_as(subject, policy, captures),
            (Some(subject), Effect::Deny) => self.person.is_denied_as(subject, policy, captures),
            (Some(subject), Effect::Allow | Effect::Restrict) => self.person.is(subject, policy, captures),
        };
        let who = subject.and(self.via(&rule.when));
        if who.is_false() {
            return who;
        }
        let claims = if in_person {
            self.person.has_captured_in_person(&rule.when.captures, policy, captures)
        } else {
            self.person.has_captured(&rule.when.captures, policy, captures)
        };
        let unless = |conditions: &Conditions| {
            let subject = conditions.subject.as_ref();
            let subject = subject.map_or(Kleene::True, |subject| self.person.is(subject, policy, captures));
            subject.and(self.via(conditions)).and(self.person.has_captured(&conditions.captures, policy, captures))
        };
        who.and(claims).and(self.circumstances(rule, captures, unless))
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
    pub(super) fn circumstances(
        &self,
        rule: &Rule,
        captures: &Captures<'_>,
        unless_who: impl Fn(&Conditions) -> Kleene,
    ) -> Kleene {
        let mut result = self.required_from(&rule.when.from).and(captures.are_in(&rule.when.captures));
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
                .and(self.required_facts(&exemption.facts))
                .and(captures.are_in(&exemption.captures));
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

    pub(super) fn required_subject(&self, rule: &Rule, place: Place) -> Kleene {
        if rule.require.subject.is_empty() {
            return Kleene::True;
        }
        self.person.is_any_of(&rule.require.subject, &self.snapshot.policy, &self.captures(place))
    }

    pub(super) fn unmet_login(&self, rule: &Rule) -> Option<LoginId> {
        let login = rule.require.login?;
        let met = login_meets(&self.snapshot.policy.logins[login], self.person, self.request.time);
        (!met.is_true()).then_some(login)
    }

    /// What an allow rule requires in a place and is not met.
    pub(super) fn unmet(&self, rule: &Rule, place: Place, found: &Found, marks: &Marks) -> Unmet {
        Unmet {
            login: self.unmet_login(rule),
            subject: !self.required_subject(rule, place).is_true(),
            source: !self.required_from(&rule.require.from).is_true(),
            schedule: !self.required_during(&rule.require.during).is_true(),
            fact: !self.required_facts(&rule.require.facts).is_true(),
            approval: !rule.require.approval.is_empty()
                && self.places_to_open(rule, place, found, marks).next().is_some(),
        }
    }

    /// Where an allow rule that is evaluated in `place` still needs a grant under one of its approvals: every privileged scope that holds
    /// the request; without any of those the scope of the place, for rules that take no captures the smallest, unless some scope is open.
    ///
    /// In another scope than that of the place, the captures of any of its patterns will do.
    pub(super) fn places_to_open<'s>(
        &'s self,
        rule: &'s Rule,
        place: Place,
        found: &'s Found,
        marks: &'s Marks,
    ) -> impl Iterator<Item = Place> + 's {
        let scopes = match &rule.scopes {
            ScopeSelector::All => &[][..],
            ScopeSelector::Named(scopes) => scopes,
        };
        let holding = move || scopes.iter().copied().filter(|scope| marks.holds(*scope));
        let privileged = move |scope: &ScopeId| self.snapshot.policy.scopes[*scope].privileged;
        let closed = move |place: Place| !self.granted(place, &rule.require.approval);
        let to_open = move |scope: ScopeId| {
            if place.pattern.is_none() {
                return Some(Place::scope(scope)).filter(|place| closed(*place));
            }
            if place.scope == Some(scope) {
                return Some(place).filter(|place| closed(*place));
            }
            let patterns = found.patterns(scope);
            let first = patterns.first().map(Place::pattern);
            first.filter(|_| patterns.iter().all(|pattern| closed(Place::pattern(pattern))))
        };
        let any_privileged = holding().any(|scope| privileged(&scope));
        let all = holding().filter(move |scope| any_privileged && privileged(scope)).filter_map(to_open);
        let one = match (any_privileged, place.pattern) {
            (true, _) => None,
            (false, Some(_)) => place.scope.and_then(to_open),
            (false, None) => {
                holding().all(|scope| to_open(scope).is_some()).then(|| holding().next()).flatten().map(Place::scope)
            }
        };
        all.chain(one)
    }

    /// Whether a grant opens the scope of a place, with its captures, under one of the approvals.
    pub(super) fn granted(&self, place: Place, approvals: &[ApprovalId]) -> bool {
        let Some(scope) = place.scope else { return false };
        !self.grants.is_empty() && {
            let captures = self.captures(place);
            self.grants.iter().any(|grant| self.opens(grant, scope, approvals, &captures))
        }
    }

    fn opens(&self, grant: &Grant, scope: ScopeId, approvals: &[ApprovalId], captures: &Captures<'_>) -> bool {
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
            approval.content_hash == grant.approval_hash
                && approval.name == grant.approval
                && captures.are_those_of(grant, &approval.per)
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

    /// Whether the caller may ask for the approval in a place.
    pub(super) fn may_request(&self, approval: ApprovalId, place: Place) -> bool {
        match self.person {
            Person::Nobody | Person::Unknowable => false,
            Person::Known(_) => {
                let policy = &self.snapshot.policy;
                self.person.is(&policy.approvals[approval].requesters, policy, &self.captures(place)).is_true()
            }
        }
    }

    /// For which pattern of a scope to ask so that an approval opens a place; `None` if that does not matter. Of patterns with the same values the
    /// first one stands for all.
    pub(super) fn pattern_to_open(
        &self,
        scope: ScopeId,
        approval: ApprovalId,
        place: Place,
        found: &Found,
    ) -> Option<PatternId> {
        let per = &self.snapshot.policy.approvals[approval].per;
        if per.is_empty() {
            return None;
        }
        let values = self.captures(place);
        let agrees = |other: &&(ScopeId, PatternId)| {
            let others = self.captures(Place::pattern(other));
            per.iter().all(|name| values.value(name).zip(others.value(name)).is_some_and(|(a, b)| a.is_same(b)))
        };
        found.patterns(scope).iter().find(agrees).map(|(_, id)| *id)
    }
}
