//! How a denial could become an allow.

use super::judge::{self, Case, Judged, Kind};
use super::subjects::{self, Caller, Delegation};
use super::{Standing, surroundings};
use crate::decide::{Advice, MissingApproval, MissingApprovals};
use crate::kleene::Kleene;
use crate::policy::model::{
    ApprovalId, Conditions, Effect, FactTest, LoginId, NetworkId, Policy, Requirements, Rule, ScheduleId, ScopeId,
    Subject,
};

/// Advice on a denial that no deny rule made, or that was made without an identity.
///
/// `rules` are those that take part, `denied` says whether a deny rule is true or unknown.
pub(super) fn advise(case: &Case<'_>, rules: &[&Judged<'_>], denied: bool) -> Option<Advice> {
    match case.caller {
        Caller::Nobody | Caller::Unproven(_) => some_identity_would_do(case, rules).then_some(Advice::Authenticate),
        Caller::Known(_) if denied => None,
        Caller::Known(_) => next_step(case, rules),
    }
}

/// Whether the rules would let some identity pass, with whatever logins and grants it needs.
///
/// Each predicate on the subject is taken for what suits the caller best, each by itself: someone may exist for whom they
/// all come out that way.
fn some_identity_would_do(case: &Case<'_>, rules: &[&Judged<'_>]) -> bool {
    let mut allowed = false;
    for judged in rules {
        let rule = judged.rule;
        let surroundings_met = || {
            let Requirements { from, during, facts, .. } = &rule.require;
            surroundings_are(case, from, during, facts).is_true()
        };
        match rule.effect {
            Effect::Deny => {
                if !optimistic_match(case, judged, Kleene::False).is_false() {
                    return false;
                }
            }
            Effect::Restrict => {
                if !optimistic_match(case, judged, Kleene::False).is_false() && !surroundings_met() {
                    return false;
                }
            }
            Effect::Allow => {
                allowed |= optimistic_match(case, judged, Kleene::True).is_true() && surroundings_met();
            }
        }
    }
    allowed
}

/// The rule's match if its own subject predicate comes out as `wished`, and those of its exceptions the other way round.
fn optimistic_match(case: &Case<'_>, judged: &Judged<'_>, wished: Kleene) -> Kleene {
    let Rule { when, unless, starts, ends, .. } = judged.rule;
    let in_scope = judged.is_about(case);
    let since = starts.is_none_or(|at| surroundings::starts(at, case.request.time).value.is_true());
    let until = ends.is_none_or(|at| surroundings::ends(at, case.request.time).value.is_true());
    let exception = unless.iter().fold(Kleene::False, |any, entry| any.or(chosen(case, entry, !wished)));
    Kleene::from(in_scope && since && until).and(chosen(case, when, wished)).and(!exception)
}

/// Conditions with the predicates on who asks, unless anyone will do, and on who acts replaced by a wish.
fn chosen(case: &Case<'_>, conditions: &Conditions, wish: Kleene) -> Kleene {
    let subject = match conditions.subject {
        None | Some(Subject::Anyone) => Kleene::True,
        Some(Subject::Authenticated | Subject::AnyOf(_)) => wish,
    };
    // Somebody may come back who acts for somebody else, or in person.
    let via = if conditions.via.is_some() { wish } else { Kleene::True };
    subject.and(via).and(surroundings_are(case, &conditions.from, &conditions.during, &conditions.facts))
}

fn surroundings_are(case: &Case<'_>, from: &[NetworkId], during: &[ScheduleId], facts: &[FactTest]) -> Kleene {
    let mut value = Kleene::True;
    if !from.is_empty() {
        value = value.and(surroundings::from(case.policy, from, case.request.source).value);
    }
    if !during.is_empty() {
        value = value.and(surroundings::during(case.policy, during, case.request.time).value);
    }
    facts.iter().fold(value, |all, test| all.and(judge::fact(case, test).value))
}

/// What an allow rule still needs, if the caller can obtain all of it.
struct Lacking {
    /// Own first, then those of restrict rules in order of their ids; distinct.
    logins: Vec<LoginId>,
    approvals: Vec<Unopened>,
}

/// One approval requirement that is not met.
struct Unopened {
    scopes: Vec<ScopeId>,
    alternatives: Vec<ApprovalId>,
}

/// The first missing step of the allow rule that lacks least.
fn next_step(case: &Case<'_>, rules: &[&Judged<'_>]) -> Option<Advice> {
    let restricts: Vec<&Judged<'_>> = rules.iter().copied().filter(|one| one.standing() == Standing::Blocks).collect();
    let allows = rules.iter().filter(|one| one.rule.effect == Effect::Allow && one.value.is_true());
    // `min_by_key` keeps the first of equals, and rules come in order of their ids.
    let (rule, lacking) = allows
        .filter_map(|allow| Some((allow.id, lacking(case, allow, &restricts)?)))
        .min_by_key(|(_, lacking)| lacking.logins.len() + lacking.approvals.len())?;
    if let Some(login) = lacking.logins.first() {
        return Some(Advice::StepUp { login: *login, rule });
    }
    let mut approvals = MissingApprovals::new();
    for unopened in &lacking.approvals {
        for scope in &unopened.scopes {
            for approval in &unopened.alternatives {
                approvals.insert(MissingApproval { scope: *scope, approval: *approval });
            }
        }
    }
    Some(Advice::RequestAccess { approvals, rule })
}

/// What stands between an allow rule that is true and an allow; `None` if part of it cannot be obtained.
fn lacking(case: &Case<'_>, allow: &Judged<'_>, restricts: &[&Judged<'_>]) -> Option<Lacking> {
    let asking = || std::iter::once(allow).chain(restricts.iter().copied());
    let incurable = |one: &Judged<'_>| {
        [Kind::Subject, Kind::From, Kind::During, Kind::Fact].into_iter().any(|kind| one.lacks(kind))
    };
    if asking().any(incurable) {
        return None;
    }
    let mut lacking = Lacking { logins: Vec::new(), approvals: Vec::new() };
    for one in asking() {
        if one.lacks(Kind::Login) {
            let login = one.rule.require.login?;
            if !lacking.logins.contains(&login) {
                lacking.logins.push(login);
            }
        }
    }
    if allow.lacks(Kind::Approval) {
        let closed = closed_scopes(allow);
        let privileged: Vec<ScopeId> =
            allow.scopes.iter().copied().filter(|id| case.policy.scopes[*id].privileged).collect();
        let scopes = if privileged.is_empty() {
            closed.into_iter().take(1).collect()
        } else {
            closed.into_iter().filter(|id| privileged.contains(id)).collect()
        };
        lacking.approvals.push(Unopened { scopes, alternatives: may_ask(case, &allow.rule.require.approval)? });
    }
    for restrict in restricts.iter().filter(|one| one.lacks(Kind::Approval)) {
        let closed = closed_scopes(restrict);
        if closed.is_empty() {
            // `scopes = "all"` has no scope that a grant could open.
            return None;
        }
        for scope in closed {
            let alternatives = may_ask(case, &restrict.rule.require.approval)?;
            lacking.approvals.push(Unopened { scopes: vec![scope], alternatives });
        }
    }
    Some(lacking)
}

/// The rule's scopes that hold the request and that no grant opens.
fn closed_scopes(judged: &Judged<'_>) -> Vec<ScopeId> {
    judged.openings.iter().filter(|one| !one.granted).map(|one| one.scope).collect()
}

/// Those of the approvals that the caller may ask for; `None` if there is none.
fn may_ask(case: &Case<'_>, approvals: &[ApprovalId]) -> Option<Vec<ApprovalId>> {
    let policy: &Policy = case.policy;
    let may = |id: &ApprovalId| {
        let requesters = &policy.approvals[*id].requesters;
        subjects::subject(policy, requesters, case.caller, Delegation::AsSubject, case.request.time).value.is_true()
    };
    let askable: Vec<ApprovalId> = approvals.iter().copied().filter(may).collect();
    (!askable.is_empty()).then_some(askable)
}
