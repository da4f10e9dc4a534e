//! How a denial could become an allow.

use super::case::{Case, Place, Rules};
use super::decision::{Advice, MissingApprovals};
use super::lacking::{Blocks, Unmet};
use super::scratch::{Found, Marks};
use crate::kleene::Kleene;
use crate::policy::captures::CaptureTest;
use crate::policy::model::{Conditions, Effect, Rule, RuleId, ScopeId, Subject};

/// How much an allow rule that matches lacks, if all of it can be obtained.
#[derive(Clone, Copy)]
pub(super) struct Lack {
    count: usize,
    rule: RuleId,
    place: Place,
    own: Unmet,
}

impl Lack {
    /// `None` if the rule lacks something that the caller cannot obtain.
    #[allow(clippy::too_many_arguments, reason = "what a rule is weighed by, and where")]
    pub(super) fn of(
        case: &Case<'_>,
        id: RuleId,
        rule: &Rule,
        place: Place,
        own: Unmet,
        blocks: &Blocks,
        found: &Found,
        marks: &Marks,
    ) -> Option<Self> {
        let nobody_may_ask =
            |place: Place| !rule.require.approval.iter().any(|approval| case.may_request(*approval, place));
        let out_of_reach = own.approval && case.places_to_open(rule, place, found, marks).any(nobody_may_ask);
        if blocks.incurable() || own.subject || own.source || own.schedule || own.fact || out_of_reach {
            return None;
        }
        let own_login = own.login.is_some_and(|login| !marks.login_counted(login));
        let count = blocks.logins + usize::from(own_login) + blocks.approvals + usize::from(own.approval);
        Some(Self { count, rule: id, place, own })
    }

    /// The first step: a login before an approval.
    pub(super) fn advice(self, case: &Case<'_>, rules: Rules, found: &Found, blocks: &Blocks, marks: &Marks) -> Advice {
        if let Some(login) = self.own.login.or(blocks.login_asked) {
            return Advice::StepUp { login, rule: self.rule };
        }
        let mut approvals = MissingApprovals::of(case.reading);
        let mut ask = |rule: &Rule, place: Place| {
            for approval in rule.require.approval.iter().copied().filter(|approval| case.may_request(*approval, place))
            {
                if let Some(scope) = place.scope {
                    approvals.insert(scope, approval, case.pattern_to_open(scope, approval, place, found));
                }
            }
        };
        if self.own.approval {
            let rule = case.rule(self.rule);
            case.places_to_open(rule, self.place, found, marks).for_each(|place| ask(rule, place));
        }
        for (id, place) in case.units(found, Effect::Restrict) {
            let rule = case.rule(id);
            if rules.include(rule)
                && !rule.require.approval.is_empty()
                && !case.matches(rule, Effect::Restrict, place).is_false()
                && !case.granted(place, &rule.require.approval)
            {
                ask(rule, place);
            }
        }
        Advice::RequestAccess { approvals, rule: self.rule }
    }
}

/// The one that lacks less; the smaller id if both lack the same.
pub(super) fn best_of(best: Option<Lack>, other: Option<Lack>) -> Option<Lack> {
    match (best, other) {
        (Some(a), Some(b)) if (b.count, b.rule) < (a.count, a.rule) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

/// Whether some identity would be allowed, or could ask: what to tell a caller who has none.
///
/// Everything that depends on who asks is taken as the caller would wish; everything else is as it is.
pub(super) fn authenticate(case: &Case<'_>, rules: Rules, found: &Found, marks: &Marks) -> Option<Advice> {
    let wished = |wish: Kleene, conditions: &Conditions| {
        let by_subject = match (&conditions.subject, &conditions.via) {
            (None | Some(Subject::Anyone), None) => false,
            (Some(Subject::Authenticated | Subject::AnyOf(_)), _) | (_, Some(_)) => true,
        };
        let asks_who = by_subject || conditions.captures.iter().any(CaptureTest::is_about_the_caller);
        if asks_who { wish } else { Kleene::True }
    };
    let best = |rule: &Rule, wish: Kleene, place: Place| {
        let captures = case.captures(place);
        let exempt = |conditions: &Conditions| wished(!wish, conditions);
        if case.in_season(rule) {
            wished(wish, &rule.when).and(case.circumstances(rule, &captures, exempt))
        } else {
            Kleene::False
        }
    };
    let reachable = |rule: &Rule| {
        case.required_from(&rule.require.from).is_true()
            && case.required_during(&rule.require.during).is_true()
            && case.required_facts(&rule.require.facts).is_true()
    };
    let denies = |(id, place)| {
        let rule = case.rule(id);
        rules.include(rule) && !best(rule, Kleene::False, place).is_false()
    };
    let blocks = |(id, place)| {
        let rule = case.rule(id);
        rules.include(rule) && !reachable(rule) && !best(rule, Kleene::False, place).is_false()
    };
    let allows = |scope: &ScopeId| {
        let of_scope = &case.snapshot.scope_rules[*scope];
        let allows_in = |rule: &Rule, place| reachable(rule) && best(rule, Kleene::True, place).is_true();
        of_scope.allowing().map(|id| case.rule(id)).any(|rule| {
            rules.include(rule)
                && case.smallest_scope(rule, marks) == Some(*scope)
                && allows_in(rule, Place::scope(*scope))
        }) || of_scope.capturing(Effect::Allow).iter().map(|id| case.rule(*id)).any(|rule| {
            rules.include(rule) && found.patterns(*scope).iter().any(|place| allows_in(rule, Place::pattern(place)))
        })
    };
    let some_identity = !case.units(found, Effect::Deny).any(denies)
        && !case.units(found, Effect::Restrict).any(blocks)
        // Those of crowds ask for a group and for nothing else.
        && (found.crowds(case.index).any(|crowd| !crowd.by_group.is_empty()) || found.scopes.iter().any(allows));
    some_identity.then_some(Advice::Authenticate)
}
