//! What the rules say: deny first, then what restrict rules ask for, then who is let in.

use super::advice::{Lack, authenticate, best_of};
use super::case::{Case, Place, Rules};
use super::decision::{Decision, Reason};
use super::lacking::{Blocks, Smallest, Unmet};
use super::scratch::{Found, Marks};
use crate::kleene::Kleene;
use crate::policy::model::{Effect, Rule, RuleId, ScopeId, ScopeSelector};
use crate::snapshot::GroupRules;

/// Decides by the rules of the scopes that hold the request; a CORS preflight that the `preflight` scope lets pass, by the deny rules alone.
/// `decision` is one that nothing has been said in yet.
// PERF: decisions are large, for the advice in them, and are filled where they stand.
#[inline(always)]
pub(super) fn weigh(
    case: &Case<'_>,
    rules: Rules,
    preflight: Option<ScopeId>,
    found: &Found,
    marks: &mut Marks,
    decision: &mut Decision,
) {
    if let Some(scope) = preflight {
        return let_pass(case, rules, scope, found, marks, decision);
    }
    // PERF: most scopes have allow rules only.
    let traits = found.traits;
    let denied = if traits.has_rules(Effect::Deny) { denied(case, rules, found) } else { None };
    if let Some((reason, rule)) = denied {
        case.say(decision, reason, rule, found, marks);
    } else {
        let blocks = if traits.has_rules(Effect::Restrict) { restricted(case, rules, found, marks) } else { None };
        match blocks {
            Some(blocks) => lacking(case, rules, found, &blocks, marks, decision),
            None => match met(case, rules, found, marks) {
                Met { by: Smallest(Some(id)), .. } => case.say_allowed(decision, id, found, marks),
                Met { not_yet: false, .. } => decision.reason = Reason::NoRuleAllows,
                Met { not_yet: true, .. } => {
                    marks.begin_logins();
                    lacking(case, rules, found, &Blocks::default(), marks, decision);
                }
            },
        }
    }
    if !decision.allows() && case.person.identity().is_none() {
        decision.advice = authenticate(case, rules, found, marks);
    }
}

/// The candidate decision, where there are observed rules.
#[cold]
pub(super) fn weigh_observed(
    case: &Case<'_>,
    preflight: Option<ScopeId>,
    found: &Found,
    marks: &mut Marks,
    candidate: &mut Decision,
) {
    weigh(case, Rules::All, preflight, found, marks, candidate);
}

/// Decides a CORS preflight that the scope lets pass: only deny rules are asked.
#[cold]
fn let_pass(case: &Case<'_>, rules: Rules, scope: ScopeId, found: &Found, marks: &Marks, decision: &mut Decision) {
    match denied(case, rules, found) {
        Some((reason, rule)) => case.say(decision, reason, rule, found, marks),
        None => *decision = Decision { scope: Some(scope), ..Decision::refused(Reason::Preflight) },
    }
}

/// The deny rule that determines, if any is not false.
fn denied(case: &Case<'_>, rules: Rules, found: &Found) -> Option<(Reason, RuleId)> {
    let mut denies = Smallest::default();
    let mut may_deny = Smallest::default();
    for (id, place) in case.units(found, Effect::Deny) {
        // Lists are in order of ids, but there are several: what is larger than a rule that denies changes nothing.
        if denies.0.is_some_and(|smallest| smallest < id) {
            continue;
        }
        let rule = case.rule(id);
        if !rules.include(rule) {
            continue;
        }
        match case.matches(rule, Effect::Deny, place) {
            Kleene::True => denies.offer(id),
            Kleene::Unknown => may_deny.offer(id),
            Kleene::False => {}
        }
    }
    let denied = denies.0.map(|id| (Reason::DeniedByRule, id));
    denied.or(may_deny.0.map(|id| (Reason::DenyRuleUnknown, id)))
}

/// What restrict rules ask for in vain, if they do.
fn restricted(case: &Case<'_>, rules: Rules, found: &Found, marks: &mut Marks) -> Option<Blocks> {
    let mut blocks = Blocks::default();
    marks.begin_logins();
    for (id, place) in case.units(found, Effect::Restrict) {
        let rule = case.rule(id);
        if !rules.include(rule) || case.matches(rule, Effect::Restrict, place).is_false() {
            continue;
        }
        if let Some(login) = case.unmet_login(rule) {
            if blocks.login.0.is_none_or(|smallest| id < smallest) {
                blocks.login_asked = Some(login);
            }
            blocks.login.offer(id);
            blocks.logins += usize::from(marks.count_login(login));
        }
        if !case.required_subject(rule, place).is_true() {
            blocks.subject.offer(id);
        }
        if !case.required_from(&rule.require.from).is_true() {
            blocks.source.offer(id);
        }
        if !case.required_during(&rule.require.during).is_true() {
            blocks.schedule.offer(id);
        }
        if !case.required_facts(&rule.require.facts).is_true() {
            blocks.fact.offer(id);
        }
        // Approvals are never asked for under `scopes = "all"`.
        if place.scope.is_some() && !rule.require.approval.is_empty() && !case.granted(place, &rule.require.approval) {
            blocks.approval.offer(id);
            blocks.approvals += 1;
            blocks.out_of_reach |= !rule.require.approval.iter().any(|approval| case.may_request(*approval, place));
        }
    }
    blocks.any().then_some(blocks)
}

/// What allow rules come to that may lack something.
#[derive(Default)]
struct Met {
    /// The smallest that is true and lacks nothing.
    by: Smallest,
    /// Whether another one is unknown, or true and lacks something.
    not_yet: bool,
}

impl Met {
    fn offer(&mut self, id: RuleId, value: Kleene) {
        match value {
            Kleene::True => self.by.offer(id),
            Kleene::Unknown => self.not_yet = true,
            Kleene::False => {}
        }
    }

    /// Whether rules from this one on make no difference.
    fn is_settled_before(&self, id: RuleId) -> bool {
        self.by.0.is_some_and(|smallest| smallest < id)
    }
}

// PERF: what a rule lacks is found out only where none is met: most requests are let in, or no rule is about who asks.
#[inline(always)]
fn met(case: &Case<'_>, rules: Rules, found: &Found, marks: &Marks) -> Met {
    let mut met = Met::default();
    let mut others = false;
    for scope in &found.scopes {
        let of_scope = &case.snapshot.scope_rules[*scope];
        if let Some((id, value)) = case.person.first_by_group(&of_scope.by_group, &case.snapshot.policy) {
            met.offer(id, value);
        }
        others |= !of_scope.allow_by_group_only();
    }
    if found.has_crowds() {
        met_in_crowds(case, found, &mut met);
    }
    if others {
        met_by_more(case, rules, found, marks, &mut met);
    }
    met
}

/// Adds what the allow rules come to of scopes that are taken together.
#[cold]
fn met_in_crowds(case: &Case<'_>, found: &Found, met: &mut Met) {
    for crowd in found.crowds(case.index) {
        if let Some((id, value)) = case.person.first_by_group(&crowd.by_group, &case.snapshot.policy) {
            met.offer(id, value);
        }
    }
}

/// Adds what the allow rules come to that are not among those by group.
#[inline(never)]
fn met_by_more(case: &Case<'_>, rules: Rules, found: &Found, marks: &Marks, met: &mut Met) {
    let in_place = |rule: &Rule, place: Place| {
        let value = case.matches(rule, Effect::Allow, place);
        // True, but it lacks something.
        if value.is_true() && case.unmet(rule, place, found, marks).any() { Kleene::Unknown } else { value }
    };
    for scope in &found.scopes {
        let of_scope = &case.snapshot.scope_rules[*scope];
        // A rule of several scopes is looked at in the first of them; its requirements look at all.
        let is_first = |rule: &Rule| rules.include(rule) && case.smallest_scope(rule, marks) == Some(*scope);
        for id in &of_scope.allow_by_more {
            if met.is_settled_before(*id) {
                break;
            }
            let rule = case.rule(*id);
            if is_first(rule) {
                met.offer(*id, in_place(rule, Place::scope(*scope)));
            }
        }
        for id in of_scope.capturing(Effect::Allow) {
            if met.is_settled_before(*id) {
                break;
            }
            let rule = case.rule(*id);
            if let ScopeSelector::Named(scopes) = &rule.scopes
                && is_first(rule)
            {
                let places = scopes.iter().flat_map(|scope| found.patterns(*scope)).map(Place::pattern);
                met.offer(*id, places.fold(Kleene::False, |joined, place| joined.or(in_place(rule, place))));
            }
        }
    }
}

/// Decides where no allow rule is true without lacking anything: what those lack that are true, and whether one may be.
#[inline(never)]
fn lacking(case: &Case<'_>, rules: Rules, found: &Found, blocks: &Blocks, marks: &Marks, decision: &mut Decision) {
    let mut unmet: Option<(RuleId, Unmet)> = None;
    let mut unknown = Smallest::default();
    let mut least: Option<Lack> = None;
    let mut weigh = |id: RuleId, (value, lacks, lack): (Kleene, Unmet, Option<Lack>)| match value {
        Kleene::False => {}
        Kleene::Unknown => unknown.offer(id),
        Kleene::True => {
            if unmet.is_none_or(|(smallest, _)| id < smallest) {
                unmet = Some((id, lacks));
            }
            least = best_of(least, lack);
        }
    };
    let by_group = |by_group: &GroupRules, scope: Option<ScopeId>| {
        let (id, value) = case.person.first_by_group(by_group, &case.snapshot.policy)?;
        let (rule, lacks) = (case.rule(id), Unmet::default());
        let scope = scope.or_else(|| case.smallest_scope_by_group(rule, found, marks));
        let lack = scope.filter(|_| value.is_true()).map(Place::scope);
        let lack = lack.and_then(|place| Lack::of(case, id, rule, place, lacks, blocks, found, marks));
        Some((id, (value, lacks, lack)))
    };
    for crowd in found.crowds(case.index) {
        if let Some((id, value)) = by_group(&crowd.by_group, None) {
            weigh(id, value);
        }
    }
    for scope in &found.scopes {
        let of_scope = &case.snapshot.scope_rules[*scope];
        if let Some((id, value)) = by_group(&of_scope.by_group, Some(*scope)) {
            weigh(id, value);
        }
        let is_first = |rule: &Rule| rules.include(rule) && case.smallest_scope(rule, marks) == Some(*scope);
        for id in &of_scope.allow_by_more {
            let rule = case.rule(*id);
            if is_first(rule) {
                weigh(*id, in_place(case, *id, rule, Place::scope(*scope), found, blocks, marks));
            }
        }
        for id in of_scope.capturing(Effect::Allow) {
            let rule = case.rule(*id);
            if is_first(rule) {
                weigh(*id, in_patterns(case, *id, rule, found, blocks, marks));
            }
        }
    }
    if let Some((id, lacks)) = unmet {
        let (reason, restricted_by) = first_unmet(lacks, blocks);
        case.say(decision, reason, id, found, marks);
        decision.restricted_by = restricted_by;
        decision.advice = least.map(|lack| lack.advice(case, rules, found, blocks, marks));
        return;
    }
    match unknown.0 {
        Some(id) => case.say(decision, Reason::AllowRuleUnknown, id, found, marks),
        None => decision.reason = Reason::NoRuleAllows,
    }
}

/// An allow rule in one place: whether it matches, what it lacks, and what of that can be obtained.
fn in_place(
    case: &Case<'_>,
    id: RuleId,
    rule: &Rule,
    place: Place,
    found: &Found,
    blocks: &Blocks,
    marks: &Marks,
) -> (Kleene, Unmet, Option<Lack>) {
    let value = case.matches(rule, Effect::Allow, place);
    if !value.is_true() {
        return (value, Unmet::default(), None);
    }
    let lacks = case.unmet(rule, place, found, marks);
    let is_met = !lacks.any() && !blocks.any();
    let lack = if is_met { None } else { Lack::of(case, id, rule, place, lacks, blocks, found, marks) };
    (value, lacks, lack)
}

/// An allow rule that takes captures, in each pattern of its scopes that holds the request, joined by OR. Where it matches and lacks something
/// in each, it is reported as in the pattern that lacks no subject, else no approval, else in the first.
fn in_patterns(
    case: &Case<'_>,
    id: RuleId,
    rule: &Rule,
    found: &Found,
    blocks: &Blocks,
    marks: &Marks,
) -> (Kleene, Unmet, Option<Lack>) {
    let mut joined = (Kleene::False, Unmet::default(), None);
    let ScopeSelector::Named(scopes) = &rule.scopes else { return joined };
    for place in scopes.iter().flat_map(|scope| found.patterns(*scope)).map(Place::pattern) {
        let (value, lacks, lack) = in_place(case, id, rule, place, found, blocks, marks);
        if value.is_true() && (!joined.0.is_true() || lacks.in_this_place() < joined.1.in_this_place()) {
            joined.1 = lacks;
        }
        joined.0 = joined.0.or(value);
        joined.2 = best_of(joined.2, lack);
    }
    joined
}

/// The first requirement that is not met, in the order login, subject, from, during, facts, approval, and the restrict rule that asked
/// for it, if the allow rule did not.
fn first_unmet(own: Unmet, blocks: &Blocks) -> (Reason, Option<RuleId>) {
    let kinds = [
        (Reason::LoginRequired, own.login.is_some(), blocks.login),
        (Reason::SubjectRequired, own.subject, blocks.subject),
        (Reason::SourceRequired, own.source, blocks.source),
        (Reason::ScheduleRequired, own.schedule, blocks.schedule),
        (Reason::FactRequired, own.fact, blocks.fact),
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
