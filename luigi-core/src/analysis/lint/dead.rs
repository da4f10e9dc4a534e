//! What can never have an effect: rules that nothing meets, exemptions of nobody.

use super::{Linter, Row, concerned, named};
use crate::analysis::contradictions;
use crate::analysis::patterns::Search;
use crate::analysis::strictness::{
    conditions_imply, excludes, is_unconditional, matchers_exclude, matches_nobody, networks_exclude, schedules_exclude,
};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{ClaimTest, Effect, Mode, Rule, RuleId, ScopeId, Subject, SubjectMatcher, TableId};

pub(super) fn look(linter: &mut Linter<'_>) {
    let policy = linter.policy;
    let mut denied: Vec<Option<RuleId>> = vec![None; policy.scopes.len()];
    for (id, rule) in policy.rules.iter() {
        if rule.effect == Effect::Deny && rule.mode == Mode::Enforce && is_unconditional(rule) {
            named(&rule.scopes).iter().for_each(|scope| _ = denied[scope.index()].get_or_insert(id));
        }
    }
    for (id, rule) in policy.rules.iter() {
        let dead = dead(linter, id, rule);
        idle_unless(linter, id, rule);
        if dead == Found::Nothing && rule.effect == Effect::Allow {
            all_denied(linter, id, rule, &denied);
        }
    }
}

/// Whether nothing is left of a scope.
pub(super) fn is_empty(linter: &mut Linter<'_>, scope: ScopeId) -> bool {
    // The parser lets no pattern pass that no request fits.
    !linter.policy.scopes[scope].except.is_empty() && linter.meet(scope, scope, None) == Search::Empty
}

/// Whether a rule was found to be dead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Something,
    Nothing,
}

/// Looks for the first reason why a rule never has an effect.
fn dead(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) -> Found {
    let Some(Reason { key, message, help }) = reason(linter, rule) else { return Found::Nothing };
    let scopes = concerned(&rule.scopes, linter.policy);
    linter.find_error(Lint::DeadRule, &[Row::Rule(id)], &scopes, |linter| {
        Diagnostic::lint(Lint::DeadRule, linter.value(Row::Rule(id), key), message).help(help)
    });
    Found::Something
}

struct Reason {
    key: &'static str,
    message: String,
    help: &'static str,
}

fn reason(linter: &mut Linter<'_>, rule: &Rule) -> Option<Reason> {
    let policy = linter.policy;
    let name = &rule.name;
    let because = |key, message, help| Some(Reason { key, message, help });
    let scopes = named(&rule.scopes);
    if !scopes.is_empty() && scopes.iter().all(|scope| is_empty(linter, *scope)) {
        let message = format!("nothing is left of the scopes of rule `{name}`, so it never matches");
        return because("scopes", message, "leave out less of the scopes, or remove the rule");
    }
    if let Some(methods) = rule.methods {
        let none =
            |linter: &mut Linter<'_>, scope: &ScopeId| linter.meet(*scope, *scope, Some(methods)) == Search::Empty;
        if !scopes.is_empty() && scopes.iter().all(|scope| none(linter, scope)) {
            let message = format!("rule `{name}` has none of its scopes' methods, so it never matches");
            return because("methods", message, "name methods that the scopes have, or leave `methods` out");
        }
    }
    if let Some(Subject::AnyOf(matchers)) = &rule.when.subject {
        if matchers.iter().all(|matcher| matches_nobody(matcher, policy)) {
            let message = format!("rule `{name}` asks for a kind that its issuers never have, so it never matches");
            return because("subject", message, "name the issuers whose subjects are of that kind");
        }
        if matchers.iter().all(|matcher| matches_nobody(matcher, policy) || contradictory(matcher).is_some()) {
            let (one, other) = matchers.iter().find_map(contradictory)?;
            let what = match (one.path.join("."), other.path.join(".")) {
                (one, other) if one == other => format!("a claim `{one}` that nobody has"),
                (one, other) => format!("claims that nobody has together: `{one}` and `{other}`"),
            };
            let message = format!("rule `{name}` asks for {what}");
            return because("subject", message, "write a matcher for each if either will do");
        }
        if matchers_exclude(matchers, &rule.require.subject, policy) {
            let message = format!("nobody whom rule `{name}` matches meets its `require.subject`");
            return because("require", message, "require something of the people that the rule matches");
        }
    }
    if networks_exclude(&rule.when.from, &rule.require.from, policy) {
        let message = format!("rule `{name}` requires a network that its own `from` excludes");
        return because("require", message, "say in one place where requests come from");
    }
    if schedules_exclude(&rule.when.during, &rule.require.during, policy) {
        let message = format!("rule `{name}` requires hours that its own `during` excludes");
        return because("require", message, "say in one place when");
    }
    if contradictions::of_facts(&rule.when.facts, &rule.require.facts).is_some() {
        let message = format!("rule `{name}` requires of a request what its own conditions exclude");
        return because("require", message, "say in one place what a request brings along");
    }
    let rows: Vec<_> = scopes.iter().map(|scope| &policy.scopes[*scope]).collect();
    if let Some(capture) = contradictions::of_captures(&rule.when, &rows, policy) {
        let message = format!("rule `{name}` wants `{capture}` to be what no request has there");
        return because("where", message, "a segment has no `/`, and a label neither dots nor capital letters");
    }
    if let Some(capture) = contradictions::of_issuers(&rule.when, policy) {
        let message = format!("rule `{name}` compares `{capture}` with a claim of other people than it matches");
        return because("where", message, "name the same issuers in `subject` and in `where`");
    }
    if rule.unless.iter().any(|unless| conditions_imply(&rule.when, unless, policy)) {
        let message = format!("`unless` exempts everyone whom rule `{name}` matches, so it never matches");
        return because("unless", message, "exempt fewer, or remove the rule");
    }
    None
}

fn contradictory(matcher: &SubjectMatcher) -> Option<(&ClaimTest, &ClaimTest)> {
    contradictions::of_claims(&matcher.claims.iter().collect::<Vec<_>>())
}

/// An allow whose scopes are denied as a whole. Whoever closes something in a hurry is not stopped by that, so it is a warning.
fn all_denied(linter: &mut Linter<'_>, id: RuleId, rule: &Rule, denied: &[Option<RuleId>]) {
    let scopes = named(&rule.scopes);
    let mut deny = None;
    for scope in scopes {
        let by = denied[scope.index()].or_else(|| around(linter, *scope, rule.methods, denied));
        if by.is_none() {
            return;
        }
        deny = deny.or(by);
    }
    let Some(deny) = deny else { return };
    linter.find_mild(Lint::DeadRule, &[Row::Rule(id), Row::Rule(deny)], |linter| {
        let message = format!("rule `{}` never allows: everything in its scopes is denied", rule.name);
        let problem = Diagnostic::lint(Lint::DeadRule, linter.value(Row::Rule(id), "scopes"), message);
        let problem = problem.also(linter.name(Row::Rule(deny)), "denies everyone");
        problem.help("remove the rule, or say with `ends`, `from` or `unless` when or for whom the deny is meant")
    });
}

/// The deny of one of the scopes around this one, if they leave nothing of it.
fn around(
    linter: &mut Linter<'_>,
    scope: ScopeId,
    methods: Option<MethodSet>,
    denied: &[Option<RuleId>],
) -> Option<RuleId> {
    let others: Vec<ScopeId> =
        linter.overlaps.of(scope).iter().copied().filter(|other| denied[other.index()].is_some()).collect();
    let deny = denied[others.first()?.index()]?;
    linter.pairs_left = linter.pairs_left.checked_sub(1).or_else(|| {
        linter.cut = true;
        None
    })?;
    let within = [linter.regions[scope.index()].clone()];
    let outside: Vec<_> = others.iter().map(|other| linter.regions[other.index()].clone()).collect();
    let left = linter.search(&within, &outside, methods.unwrap_or(MethodSet::ALL));
    (left == Search::Empty).then_some(deny)
}

fn idle_unless(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let policy = linter.policy;
    for unless in &rule.unless {
        let nobody = match &unless.subject {
            Some(Subject::AnyOf(matchers)) => matchers.iter().all(|matcher| matches_nobody(matcher, policy)),
            Some(Subject::Anyone | Subject::Authenticated) | None => false,
        };
        let apart = excludes(&rule.when, unless, policy);
        if !nobody && apart.is_none() {
            continue;
        }
        linter.find(Lint::IdleUnless, &[Row::Rule(id)], |linter| {
            let message = format!("`unless` of rule `{}` exempts nobody whom the rule matches", rule.name);
            let problem = Diagnostic::lint(Lint::IdleUnless, linter.value(Row::Rule(id), "unless"), message);
            let problem = match apart {
                Some(key) => problem.also(linter.value(Row::Rule(id), key), "never holds together with it"),
                None => problem,
            };
            problem.help("exempt somebody whom the rule matches, or leave `unless` out")
        });
        return;
    }
}
