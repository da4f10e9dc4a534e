//! What the rules say: deny first, then what restrict rules ask for, then who is let in.

use super::advice::{Lack, authenticate, best_of};
use super::decision::{Decision, Reason};
use super::scratch::Scratch;
use super::{Case, Rules};
use crate::decide::Source;
use crate::grant_set::Grant;
use crate::kleene::Kleene;
use crate::matchers::{Person, login_meets};
use crate::policy::model::{
    ApprovalId, Conditions, Effect, LoginId, NetworkId, Rule, RuleId, ScheduleId, ScopeId, ScopeSelector,
};

/// Decides by the rules of the scopes in `scratch`.
pub(super) fn weigh(case: &Case<'_>, rules: Rules, scratch: &mut Scratch) -> Decision {
    let found = scratch.take_found();
    let decision = weigh_in(case, rules, &found, scratch);
    scratch.give_back(found);
    decision
}

fn weigh_in(case: &Case<'_>, rules: Rules, found: &[ScopeId], scratch: &mut Scratch) -> Decision {
    let mut decision = match denied(case, rules, found) {
        Some((reason, rule)) => case.decision(reason, rule, scratch),
        None => {
            let blocks = restricted(case, rules, found, scratch);
            allowed(case, rules, found, &blocks, scratch)
        }
    };
    if !decision.allows() && case.person.identity().is_none() {
        decision.advice = authenticate(case, rules, found, scratch);
    }
    decision
}

/// The deny rule that determines, if any is not false.
fn denied(case: &Case<'_>, rules: Rules, found: &[ScopeId]) -> Option<(Reason, RuleId)> {
    let mut denies = Smallest::default();
    let mut may_deny = Smallest::default();
    for id in case.rules(found, Effect::Deny) {
        // Lists are in order of ids, but there are several: what is larger than a rule that denies changes nothing.
        if denies.0.is_some_and(|smallest| smallest < id) {
            continue;
        }
        let rule = case.rule(id);
        if !rules.include(rule) {
            continue;
        }
        match case.matches(rule, Effect::Deny) {
            Kleene::True => denies.offer(id),
            Kleene::Unknown => may_deny.offer(id),
            Kleene::False => {}
        }
    }
    let denied = denies.0.map(|id| (Reason::DeniedByRule, id));
    denied.or(may_deny.0.map(|id| (Reason::DenyRuleUnknown, id)))
}

/// What restrict rules ask for in vain.
#[derive(Default)]
pub(super) struct Blocks {
    /// The smallest rule that asks for each kind.
    pub(super) login: Smallest,
    pub(super) subject: Smallest,
    pub(super) source: Smallest,
    pub(super) schedule: Smallest,
    pub(super) approval: Smallest,
    /// What the smallest rule that asks for a login asks for.
    pub(super) login_asked: Option<LoginId>,
    /// Different logins that are asked for; they are counted in the scratch.
    pub(super) logins: usize,
    /// Units of rule and scope that ask for an approval.
    pub(super) approvals: usize,
    /// Whether the caller may not ask for any alternative of some approval.
    pub(super) out_of_reach: bool,
}

impl Blocks {
    fn any(&self) -> bool {
        let Self { login, subject, source, schedule, approval, .. } = self;
        [login, subject, source, schedule, approval].iter().any(|smallest| smallest.0.is_some())
    }

    /// Whether something is asked for that the caller cannot obtain.
    pub(super) fn incurable(&self) -> bool {
        self.subject.0.is_some() || self.source.0.is_some() || self.schedule.0.is_some() || self.out_of_reach
    }
}

/// The smallest id that was offered.
#[derive(Clone, Copy, Default)]
pub(super) struct Smallest(pub(super) Option<RuleId>);

impl Smallest {
    fn offer(&mut self, id: RuleId) {
        self.0 = Some(self.0.map_or(id, |smallest| smallest.min(id)));
    }
}

fn restricted(case: &Case<'_>, rules: Rules, found: &[ScopeId], scratch: &mut Scratch) -> Blocks {
    let mut blocks = Blocks::default();
    scratch.begin_logins();
    for (id, scope) in case.units(found, Effect::Restrict) {
        let rule = case.rule(id);
        if !rules.include(rule) || case.matches(rule, Effect::Restrict).is_false() {
            continue;
        }
        if let Some(login) = case.unmet_login(rule) {
            if blocks.login.0.is_none_or(|smallest| id < smallest) {
                blocks.login_asked = Some(login);
            }
            blocks.login.offer(id);
            blocks.logins += usize::from(scratch.count_login(login));
        }
        if !case.required_subject(rule).is_true() {
            blocks.subject.offer(id);
        }
        if !case.required_from(&rule.require.from).is_true() {
            blocks.source.offer(id);
        }
        if !case.required_during(&rule.require.during).is_true() {
            blocks.schedule.offer(id);
        }
        // Approvals are never asked for under `scopes = "all"`.
        if let Some(scope) = scope
            && !rule.require.approval.is_empty()
            && !case.granted(scope, &rule.require.approval)
        {
            blocks.approval.offer(id);
            blocks.approvals += 1;
            blocks.out_of_reach |= !rule.require.approval.iter().any(|approval| case.may_request(*approval));
        }
    }
    blocks
}

/// Which requirements of an allow rule are not met.
#[derive(Clone, Copy)]
pub(super) struct Unmet {
    pub(super) login: Option<LoginId>,
    pub(super) subject: bool,
    pub(super) source: bool,
    pub(super) schedule: bool,
    pub(super) approval: bool,
}

impl Unmet {
    fn any(self) -> bool {
        self.login.is_some() || self.subject || self.source || self.schedule || self.approval
    }
}

fn allowed(case: &Case<'_>, rules: Rules, found: &[ScopeId], blocks: &Blocks, scratch: &Scratch) -> Decision {
    let blocked = blocks.any();
    let mut met = Smallest::default();
    let mut unmet = Smallest::default();
    let mut unknown = Smallest::default();
    let mut least: Option<Lack> = None;
    for scope in found {
        for id in &case.snapshot.scope_rules[*scope].allow {
            let rule = case.rule(*id);
            // A rule of several scopes is looked at in the first of them; its requirements look at all.
            if !rules.include(rule) || case.smallest_scope(rule, scratch) != Some(*scope) {
                continue;
            }
            match case.matches(rule, Effect::Allow) {
                Kleene::False => continue,
                Kleene::Unknown => {
                    unknown.offer(*id);
                    continue;
                }
                Kleene::True => {}
            }
            let lacks = case.unmet(rule, scratch);
            if !blocked && !lacks.any() {
                met.offer(*id);
            } else {
                unmet.offer(*id);
                least = best_of(least, Lack::of(case, *id, rule, lacks, blocks, scratch));
            }
        }
    }
    if let Some(id) = met.0 {
        return case.decision(Reason::AllowedByRule, id, scratch);
    }
    if let Some(id) = unmet.0 {
        let (reason, restricted_by) = first_unmet(case.unmet(case.rule(id), scratch), blocks);
        let mut decision = case.decision(reason, id, scratch);
        decision.restricted_by = restricted_by;
        decision.advice = least.map(|lack| lack.advice(case, rules, found, blocks, scratch));
        return decision;
    }
    match unknown.0 {
        Some(id) => case.decision(Reason::AllowRuleUnknown, id, scratch),
        None => Decision::refused(Reason::NoRuleAllows),
    }
}

/// The first requirement that is not met, in the order login, subject, from, during, approval, and the restrict rule that asked
/// for it, if the allow rule did not.
fn first_unmet(own: Unmet, blocks: &Blocks) -> (Reason, Option<RuleId>) {
    let kinds = [
        (Reason::LoginRequired, own.login.is_some(), blocks.login),
        (Reason::SubjectRequired, own.subject, blocks.subject),
        (Reason::SourceRequired, own.source, blocks.source),
        (Reason::ScheduleRequired, own.schedule, blocks.schedule),
    ];
    for (reason, own, restrict) in kinds {
        if own {
            return (reason, None);
        }
        if restrict.0.is_some() {
            return (reason, restrict.0);
        }
    }
    (Reason::ApprovalRequired, if own.approval { None } else { blocks.approval.0 })
}

impl Case<'_> {
    pub(super) fn rule(&self, id: RuleId) -> &Rule {
        &self.snapshot.policy.rules[id]
    }

    fn decision(&self, reason: Reason, rule: RuleId, scratch: &Scratch) -> Decision {
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
        let subject = match (&rule.when.subject, effect) {
            (None, _) => Kleene::True,
            (Some(subject), Effect::Allow) => self.person.is_allowed_as(subject, &self.snapshot.policy),
            (Some(subject), Effect::Deny) => self.person.is_denied_as(subject, &self.snapshot.policy),
            (Some(subject), Effect::Restrict) => self.person.is(subject, &self.snapshot.policy),
        };
        if subject.is_false() {
            return subject;
        }
        let unless = |conditions: &Conditions| match &conditions.subject {
            Some(subject) => self.person.is(subject, &self.snapshot.policy),
            None => Kleene::True,
        };
        subject.and(self.circumstances(rule, unless))
    }

    /// Method and validity: what is never unknown.
    pub(super) fn in_season(&self, rule: &Rule) -> bool {
        let now = self.request.time;
        rule.methods.is_none_or(|methods| methods.intersects(self.method))
            && rule.starts.is_none_or(|starts| starts <= now)
            && rule.ends.is_none_or(|ends| now < ends)
    }

    /// Everything of a rule's conditions but its subject; `unless_subject` says what the subject of an exemption is worth.
    pub(super) fn circumstances(&self, rule: &Rule, unless_subject: impl Fn(&Conditions) -> Kleene) -> Kleene {
        let mut result = self.required_from(&rule.when.from);
        if !result.is_false() {
            result = result.and(self.required_during(&rule.when.during));
        }
        for exemption in &rule.unless {
            if result.is_false() {
                break;
            }
            let exempt = self.required_from(&exemption.from).and(self.required_during(&exemption.during));
            result = result.and(!unless_subject(exemption).and(exempt));
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

    fn required_subject(&self, rule: &Rule) -> Kleene {
        if rule.require.subject.is_empty() {
            return Kleene::True;
        }
        self.person.is_any_of(&rule.require.subject, &self.snapshot.policy)
    }

    fn unmet_login(&self, rule: &Rule) -> Option<LoginId> {
        let login = rule.require.login?;
        let met = login_meets(&self.snapshot.policy.logins[login], self.person, self.request.time);
        (!met.is_true()).then_some(login)
    }

    fn unmet(&self, rule: &Rule, scratch: &Scratch) -> Unmet {
        Unmet {
            login: self.unmet_login(rule),
            subject: !self.required_subject(rule).is_true(),
            source: !self.required_from(&rule.require.from).is_true(),
            schedule: !self.required_during(&rule.require.during).is_true(),
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
        let same_actor = match (self.person.identity().and_then(|identity| identity.actor()), &grant.actor) {
            (None, None) => true,
            (Some(acting), Some((issuer, subject))) => {
                *acting.issuer == **issuer && acting.subject.as_deref() == Some(subject.as_str())
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
            && grant.path.as_deref().is_none_or(|path| same_path(path, self.target.path))
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

/// `/a` and `/a/` are one to rules.
fn same_path(a: &str, b: &str) -> bool {
    a.strip_suffix('/').unwrap_or(a) == b.strip_suffix('/').unwrap_or(b)
}
