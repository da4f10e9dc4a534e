//! How a denial could become an allow.

use super::captures::{Captures, Place, places};
use super::judge::{self, Case, Judged, Kind, Unit};
use super::requirements::Opening;
use super::subjects::{self, Caller, Delegation};
use super::{Standing, surroundings};
use crate::decide::{Advice, MissingApproval, MissingApprovals};
use crate::kleene::Kleene;
use crate::policy::captures::CaptureValues;
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
    let places = judged.units.iter().map(|unit| optimistic_match_in(case, judged, &unit.captures(), wished));
    places.fold(Kleene::False, Kleene::or)
}

fn optimistic_match_in(case: &Case<'_>, judged: &Judged<'_>, captures: &Captures, wished: Kleene) -> Kleene {
    let Rule { when, unless, starts, ends, .. } = judged.rule;
    let in_scope = judged.is_about(case);
    let since = starts.is_none_or(|at| surroundings::starts(at, case.request.time).value.is_true());
    let until = ends.is_none_or(|at| surroundings::ends(at, case.request.time).value.is_true());
    let exception = unless.iter().fold(Kleene::False, |any, entry| any.or(chosen(case, entry, captures, !wished)));
    Kleene::from(in_scope && since && until).and(chosen(case, when, captures, wished)).and(!exception)
}

/// Conditions with the predicates on who asks, unless anyone will do, on claims and on who acts replaced by a wish.
fn chosen(case: &Case<'_>, conditions: &Conditions, captures: &Captures, wish: Kleene) -> Kleene {
    let subject = match conditions.subject {
        None | Some(Subject::Anyone) => Kleene::True,
        Some(Subject::Authenticated | Subject::AnyOf(_)) => wish,
    };
    // Somebody may come back who acts for somebody else, or in person.
    let via = if conditions.via.is_some() { wish } else { Kleene::True };
    let mut value =
        subject.and(via).and(surroundings_are(case, &conditions.from, &conditions.during, &conditions.facts));
    for test in &conditions.captures {
        value = value.and(match &test.accepts {
            CaptureValues::Claim { .. } => wish,
            CaptureValues::In(accepted) => {
                let is = |value: &String| accepted.iter().any(|one| captures.same(one, value)).into();
                captures.get(&test.capture).map_or(Kleene::Unknown, is)
            }
        });
    }
    value
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
    /// What to ask for: one list for each approval requirement that is not met.
    approvals: Vec<Vec<MissingApproval>>,
}

/// The first missing step of the allow rule that lacks least.
fn next_step(case: &Case<'_>, rules: &[&Judged<'_>]) -> Option<Advice> {
    let restricts: Vec<&Judged<'_>> = rules.iter().copied().filter(|one| one.standing() == Standing::Blocks).collect();
    let mut candidates = Vec::new();
    for allow in rules.iter().filter(|one| one.rule.effect == Effect::Allow) {
        for unit in allow.units.iter().filter(|unit| unit.value.is_true()) {
            candidates.extend(lacking(case, allow, unit, &restricts).map(|lacking| (allow.id, lacking)));
        }
    }
    // `min_by_key` keeps the first of equals, and rules come in order of their ids.
    let (rule, lacking) =
        candidates.into_iter().min_by_key(|(_, lacking)| lacking.logins.len() + lacking.approvals.len())?;
    if let Some(login) = lacking.logins.first() {
        return Some(Advice::StepUp { login: *login, rule });
    }
    let mut approvals = MissingApprovals::of(case.reading);
    for MissingApproval { scope, approval, pattern, reading: _ } in lacking.approvals.into_iter().flatten() {
        approvals.insert(scope, approval, pattern);
    }
    Some(Advice::RequestAccess { approvals, rule })
}

/// What stands between an allow rule that is true and an allow; `None` if part of it cannot be obtained.
fn lacking(case: &Case<'_>, allow: &Judged<'_>, unit: &Unit, restricts: &[&Judged<'_>]) -> Option<Lacking> {
    let incurable = [Kind::Subject, Kind::From, Kind::During, Kind::Fact];
    if incurable.into_iter().any(|kind| unit.lacks(kind) || restricts.iter().any(|one| one.lacks(kind))) {
        return None;
    }
    let mut lacking = Lacking { logins: Vec::new(), approvals: Vec::new() };
    let own = Some(allow).filter(|_| unit.lacks(Kind::Login));
    for one in own.into_iter().chain(restricts.iter().copied().filter(|one| one.lacks(Kind::Login))) {
        let login = one.rule.require.login?;
        if !lacking.logins.contains(&login) {
            lacking.logins.push(login);
        }
    }
    if unit.lacks(Kind::Approval) {
        let closed: Vec<&Opening> = closed(unit).collect();
        let privileged = |scope: ScopeId| case.policy.scopes[scope].privileged;
        let any_privileged = allow.scopes.iter().any(|scope| privileged(*scope));
        let wanted: Vec<&Opening> = if any_privileged {
            closed.into_iter().filter(|opening| privileged(opening.scope)).collect()
        } else {
            closed.into_iter().take(1).collect()
        };
        let mut asks = Vec::new();
        for opening in wanted {
            asks.extend(may_ask(case, &allow.rule.require.approval, opening)?);
        }
        lacking.approvals.push(asks);
    }
    for restrict in restricts.iter().filter(|one| one.lacks(Kind::Approval)) {
        for unit in restrict.blocking().filter(|unit| unit.lacks(Kind::Approval)) {
            // `scopes = "all"` has no scope that a grant could open.
            closed(unit).next()?;
            for opening in closed(unit) {
                lacking.approvals.push(may_ask(case, &restrict.rule.require.approval, opening)?);
            }
        }
    }
    Some(lacking)
}

/// What no grant opens.
fn closed(unit: &Unit) -> impl Iterator<Item = &Opening> {
    unit.openings.iter().filter(|one| !one.granted)
}

/// Those of the approvals that the caller may ask for there; `None` if there is none.
fn may_ask(case: &Case<'_>, approvals: &[ApprovalId], opening: &Opening) -> Option<Vec<MissingApproval>> {
    let policy: &Policy = case.policy;
    let may = |id: &ApprovalId| {
        let requesters = &policy.approvals[*id].requesters;
        let (caller, now) = (case.caller, case.request.time);
        subjects::subject(policy, requesters, &opening.captures, caller, Delegation::AsSubject, now).value.is_true()
    };
    let missing = |approval: ApprovalId| {
        let per = &policy.approvals[approval].per;
        let agrees = |place: &Place| place.captures.agree(&opening.captures, per);
        let place = if per.is_empty() { None } else { places(case, opening.scope).into_iter().find(agrees) };
        let pattern = place.map(|place| place.pattern);
        MissingApproval { scope: opening.scope, approval, pattern, reading: case.reading }
    };
    let askable: Vec<MissingApproval> = approvals.iter().copied().filter(may).map(missing).collect();
    (!askable.is_empty()).then_some(askable)
}
