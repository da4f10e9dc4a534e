//! What the rules say: deny first, then what restrict rules ask for, then who is let in.

use super::advice::{Lack, authenticate, best_of};
use super::case::{Case, Rules};
use super::decision::{Decision, Reason};
use super::lacking::{Blocks, Smallest, Unmet};
use super::scratch::Scratch;
use crate::kleene::Kleene;
use crate::policy::model::{Effect, RuleId, ScopeId};

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
        if !case.required_facts(&rule.require.facts).is_true() {
            blocks.fact.offer(id);
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
