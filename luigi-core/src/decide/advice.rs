//! How a denial could become an allow.

use super::case::{Case, Rules};
use super::decision::{Advice, MissingApproval, MissingApprovals};
use super::lacking::{Blocks, Unmet};
use super::scratch::Scratch;
use crate::kleene::Kleene;
use crate::policy::model::{Conditions, Effect, Rule, RuleId, ScopeId, Subject};

/// How much an allow rule that matches lacks, if all of it can be obtained.
#[derive(Clone, Copy)]
pub(super) struct Lack {
    count: usize,
    rule: RuleId,
    own: Unmet,
}

impl Lack {
    /// `None` if the rule lacks something that the caller cannot obtain.
    pub(super) fn of(
        case: &Case<'_>,
        id: RuleId,
        rule: &Rule,
        own: Unmet,
        blocks: &Blocks,
        scratch: &Scratch,
    ) -> Option<Self> {
        let out_of_reach = own.approval && !rule.require.approval.iter().any(|approval| case.may_request(*approval));
        if blocks.incurable() || own.subject || own.source || own.schedule || own.fact || out_of_reach {
            return None;
        }
        let own_login = own.login.is_some_and(|login| !scratch.login_counted(login));
        let count = blocks.logins + usize::from(own_login) + blocks.approvals + usize::from(own.approval);
        Some(Self { count, rule: id, own })
    }

    /// The first step: a login before an approval.
    pub(super) fn advice(
        self,
        case: &Case<'_>,
        rules: Rules,
        found: &[ScopeId],
        blocks: &Blocks,
        scratch: &Scratch,
    ) -> Advice {
        if let Some(login) = self.own.login.or(blocks.login_asked) {
            return Advice::StepUp { login, rule: self.rule };
        }
        let mut approvals = MissingApprovals::new();
        let mut ask = |rule: &Rule, scope: ScopeId| {
            for approval in rule.require.approval.iter().copied().filter(|approval| case.may_request(*approval)) {
                approvals.insert(MissingApproval { scope, approval });
            }
        };
        if self.own.approval {
            let rule = case.rule(self.rule);
            case.scopes_to_open(rule, scratch).for_each(|scope| ask(rule, scope));
        }
        for (id, scope) in case.units(found, Effect::Restrict) {
            let rule = case.rule(id);
            let Some(scope) = scope else { continue };
            if rules.include(rule)
                && !rule.require.approval.is_empty()
                && !case.matches(rule, Effect::Restrict).is_false()
                && !case.granted(scope, &rule.require.approval)
            {
                ask(rule, scope);
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
pub(super) fn authenticate(case: &Case<'_>, rules: Rules, found: &[ScopeId], scratch: &Scratch) -> Option<Advice> {
    let wished = |wish: Kleene| {
        move |conditions: &Conditions| match (&conditions.subject, &conditions.via) {
            (None | Some(Subject::Anyone), None) => Kleene::True,
            (Some(Subject::Authenticated | Subject::AnyOf(_)), _) | (_, Some(_)) => wish,
        }
    };
    let best = |rule: &Rule, wish: Kleene| {
        let positive = wished(wish)(&rule.when);
        let exempt = wished(!wish);
        if case.in_season(rule) { positive.and(case.circumstances(rule, exempt)) } else { Kleene::False }
    };
    let reachable = |rule: &Rule| {
        case.required_from(&rule.require.from).is_true()
            && case.required_during(&rule.require.during).is_true()
            && case.required_facts(&rule.require.facts).is_true()
    };
    let denies = |id| {
        let rule = case.rule(id);
        rules.include(rule) && !best(rule, Kleene::False).is_false()
    };
    let blocks = |id| {
        let rule = case.rule(id);
        rules.include(rule) && !reachable(rule) && !best(rule, Kleene::False).is_false()
    };
    let allows = |scope: &ScopeId| {
        case.snapshot.scope_rules[*scope].allow.iter().any(|id| {
            let rule = case.rule(*id);
            rules.include(rule)
                && case.smallest_scope(rule, scratch) == Some(*scope)
                && reachable(rule)
                && best(rule, Kleene::True).is_true()
        })
    };
    let some_identity = !case.rules(found, Effect::Deny).any(denies)
        && !case.rules(found, Effect::Restrict).any(blocks)
        && found.iter().any(allows);
    some_identity.then_some(Advice::Authenticate)
}
