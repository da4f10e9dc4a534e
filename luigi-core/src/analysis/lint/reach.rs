//! What allows reach beyond the scopes that they name, and what holds for whoever reaches a scope.

use super::{Linter, Row, named};
use crate::analysis::patterns::{Search, common_host, common_path};
use crate::analysis::strictness::{implies, opens_to_anyone, subject_implies};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Effect, HostPattern, Mode, PathTemplate, Rule, RuleId, ScopeId, Segment, Subject};

pub(super) fn look(linter: &mut Linter<'_>) {
    for (id, rule) in linter.policy.rules.iter() {
        match rule.effect {
            Effect::Allow => {
                inside(linter, id, rule);
                for scope in named(&rule.scopes) {
                    for other in linter.overlaps.of(*scope).to_vec() {
                        if !named(&rule.scopes).contains(&other) {
                            beyond(linter, id, rule, *scope, other);
                        }
                    }
                }
            }
            Effect::Deny => {
                evadable_deny(linter, id, rule);
                observed_escape(linter, id, rule);
            }
            Effect::Restrict => observed_escape(linter, id, rule),
        }
    }
    unreachable(linter);
}

/// An allow on the privileged scopes that it names.
fn inside(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let policy = linter.policy;
    let privileged = || named(&rule.scopes).iter().copied().filter(|scope| policy.scopes[*scope].privileged);
    let anyone = opens_to_anyone(rule);
    for scope in privileged().filter(|_| anyone) {
        if linter.guards(scope).identity {
            continue;
        }
        let row = &policy.scopes[scope];
        linter.find_unacceptable(Lint::PrivilegedOpen, &[Row::Rule(id), Row::Scope(scope)], |linter| {
            let message = format!("rule `{}` opens privileged scope `{}` to anyone", rule.name, row.name);
            let problem = Diagnostic::lint(Lint::PrivilegedOpen, linter.value(Row::Rule(id), "subject"), message)
                .label("without identity");
            let problem = problem.also(linter.name(Row::Scope(scope)), "privileged");
            problem.help("say who, or require a `login`, a `subject` or an `approval`")
        });
    }
    let anywhere = linter.openness.lets_all_in(&rule.when.from, policy);
    if anyone || !linter.openness.is_met_by_all(&rule.require, policy) || !anywhere || !rule.when.during.is_empty() {
        return;
    }
    let standing: Vec<ScopeId> = privileged().filter(|scope| !linter.guards(*scope).any).collect();
    if let Some(scope) = standing.first().copied() {
        linter.find(Lint::StandingAccess, &[Row::Rule(id), Row::Scope(scope)], |linter| {
            let what = match standing.len() {
                1 => format!("privileged scope `{}`", policy.scopes[scope].name),
                many => format!("{many} privileged scopes"),
            };
            let nothing = match rule.require.is_empty() && rule.when.from.is_empty() {
                true => "nothing",
                false => "nothing that keeps anybody out",
            };
            let message = format!("rule `{}` opens {what} and requires {nothing}", rule.name);
            let problem = Diagnostic::lint(Lint::StandingAccess, linter.name(Row::Rule(id)), message);
            let problem = problem.also(linter.name(Row::Scope(scope)), "privileged");
            problem.help("add `require` with an `approval`, a `login` or a network, or a restrict rule that does for whoever lets in")
        });
    }
}

/// An allow on `broad`, which has a pattern in common with `scope`, which the rule does not name.
fn beyond(linter: &mut Linter<'_>, id: RuleId, rule: &Rule, broad: ScopeId, scope: ScopeId) {
    let (wide, row) = (&linter.policy.scopes[broad], &linter.policy.scopes[scope]);
    let guards = linter.guards(scope);
    let anyone = opens_to_anyone(rule);
    let swallows = !guards.any && is_laxer(linter, rule, scope);
    let relevant = if row.privileged { (anyone && !guards.identity) || swallows } else { swallows };
    if !relevant {
        return;
    }
    let surrounds = surrounds(linter, broad, scope);
    if !row.privileged && surrounds == Surrounds::Not {
        return;
    }
    let witness = match linter.meet(broad, scope, rule.methods) {
        Search::Found(witness) => witness,
        Search::Empty
            if anyone
                && row.privileged
                && surrounds == Surrounds::AsTree
                && linter.openness.lets_all_in(&rule.when.from, linter.policy) =>
        {
            return open_beside(linter, id, rule, broad, scope);
        }
        Search::Empty | Search::TooHard => return,
    };
    let rows = [Row::Rule(id), Row::Scope(scope), Row::Scope(broad)];
    let problem = |linter: &Linter<'_>, lint: Lint, message: String| {
        let problem = Diagnostic::lint(lint, linter.value(Row::Rule(id), "scopes"), message);
        let privileged = if row.privileged { "privileged" } else { "the narrower scope" };
        problem.label(format!("`{witness}` is in both")).also(linter.name(Row::Scope(scope)), privileged)
    };
    let leave_out = format!("add `except = [\"{}\"]` to scope `{}`", row.name, wide.name);
    if row.privileged && anyone && !guards.identity {
        linter.find_unacceptable(Lint::PrivilegedOpen, &rows, |linter| {
            let message = format!(
                "rule `{}` opens `{witness}` to anyone, and privileged scope `{}` holds it",
                rule.name, row.name
            );
            let other = format!("add `except = [\"{}\"]` to scope `{}`", wide.name, row.name);
            let help = format!("{other} if that is meant to be open, or {leave_out}");
            problem(linter, Lint::PrivilegedOpen, message).help(help)
        });
    } else if row.privileged {
        linter.find_unacceptable(Lint::SwallowedScope, &rows, |linter| {
            let message = format!(
                "rule `{}` reaches privileged scope `{}`, whose own rules ask for more: `{witness}`",
                rule.name, row.name
            );
            let help = format!("{leave_out}, or write a restrict rule for `{}`", row.name);
            problem(linter, Lint::SwallowedScope, message).help(help)
        });
    } else {
        let lint = if surrounds == Surrounds::ByCapture { Lint::CaptureOverlap } else { Lint::SwallowedScope };
        linter.find(lint, &rows, |linter| {
            let message = format!(
                "rule `{}` lets in to scope `{}`, too, whose own rules ask for more: `{witness}`",
                rule.name, row.name
            );
            let help = format!("{leave_out}, or write a restrict rule for `{}`", row.name);
            problem(linter, lint, message).help(help)
        });
    }
}

/// An allow for anyone around a privileged scope that only `except` keeps out.
fn open_beside(linter: &mut Linter<'_>, id: RuleId, rule: &Rule, broad: ScopeId, scope: ScopeId) {
    let (wide, row) = (&linter.policy.scopes[broad], &linter.policy.scopes[scope]);
    linter.find_unacceptable(Lint::OpenAllow, &[Row::Rule(id), Row::Scope(broad)], |linter| {
        let message = format!("rule `{}` opens everything around privileged scope `{}` to anyone", rule.name, row.name);
        let problem = Diagnostic::lint(Lint::OpenAllow, linter.value(Row::Rule(id), "subject"), message);
        let problem = problem.also(linter.name(Row::Scope(broad)), "holds every path beside it");
        let problem = problem.also(linter.name(Row::Scope(scope)), "privileged");
        problem.help(format!("name in scope `{}` the paths that are public", wide.name))
    });
}

/// Whether the rule lets in somebody whom no allow that names the scope does. A scope that nobody is meant to enter has
/// no such rule; only privileged ones are then worth a word.
fn is_laxer(linter: &Linter<'_>, rule: &Rule, scope: ScopeId) -> bool {
    let own = &linter.allows[scope_index(scope)];
    if own.is_empty() {
        return linter.policy.scopes[scope].privileged;
    }
    !own.iter().any(|own| implies(rule, &linter.policy.rules[*own], linter.policy))
}

fn scope_index(scope: ScopeId) -> usize {
    crate::policy::model::TableId::index(scope)
}

/// How patterns of one scope hold those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Surrounds {
    /// Not at all, or the two are the same, or neither is the broader.
    Not,
    /// A named segment stands where the other has a literal, or a host pattern is broader.
    ByCapture,
    /// A `**` holds it.
    AsTree,
}

/// How the broader scope holds the other one, as far as patterns say.
fn surrounds(linter: &mut Linter<'_>, broad: ScopeId, scope: ScopeId) -> Surrounds {
    let (wide, narrow) = (&linter.policy.scopes[broad], &linter.policy.scopes[scope]);
    let holds_host = |a: &HostPattern, b: &HostPattern| common_host(a, b).as_ref() == Some(b);
    let pairs = wide.hosts.len().saturating_mul(narrow.hosts.len());
    // Lists of thousands of hosts or paths are generated; their products are not looked at one by one.
    if pairs.max(wide.operations.len().saturating_mul(narrow.operations.len())) > super::MAX_COMPARISONS {
        return Surrounds::AsTree;
    }
    let hosts = || wide.hosts.iter().flat_map(|a| narrow.hosts.iter().map(move |b| (a, b)));
    if !hosts().any(|(a, b)| common_host(a, b).is_some()) {
        return Surrounds::Not;
    }
    let broader_host = hosts().any(|(a, b)| a != b && holds_host(a, b));
    let mut found = Surrounds::Not;
    for a in &wide.operations {
        for b in narrow.operations.iter().filter(|b| a.methods.intersects(b.methods)) {
            if !holds_path(&a.path, &b.path) {
                continue;
            }
            let kind = if !holds_path(&b.path, &a.path) {
                if a.path.rest { Surrounds::AsTree } else { Surrounds::ByCapture }
            } else if broader_host {
                Surrounds::AsTree
            } else {
                Surrounds::Not
            };
            found = found.max(kind);
        }
    }
    if found == Surrounds::Not && (wide.path_regex.is_some() || narrow.path_regex.is_some()) {
        return surrounds_by_expression(linter, broad, scope);
    }
    found
}

/// The same where only expressions say it: the broader scope holds all of the other one, and more, of the methods that it has.
fn surrounds_by_expression(linter: &mut Linter<'_>, broad: ScopeId, scope: ScopeId) -> Surrounds {
    let row = &linter.policy.scopes[broad];
    let methods = row.operations.iter().map(|operation| operation.methods);
    let methods =
        methods.chain(row.path_regex.iter().map(|regex| regex.methods)).fold(MethodSet::NONE, MethodSet::union);
    let [wide, narrow] = [broad, scope].map(|id| linter.regions[scope_index(id)].whole());
    let (wide, narrow) = ([wide], [narrow]);
    let beyond = linter.search(&narrow, &wide, methods);
    if beyond == Search::Empty && linter.search(&wide, &narrow, methods).witness().is_some() {
        Surrounds::AsTree
    } else {
        Surrounds::Not
    }
}

/// Whether a template holds everything that another holds.
fn holds_path(wide: &PathTemplate, narrow: &PathTemplate) -> bool {
    common_path(wide, narrow).is_some_and(|common| {
        let same = |a: &Segment, b: &Segment| match (a, b) {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Literal(_), _) | (_, Segment::Literal(_)) => false,
            _ => true,
        };
        common.rest == narrow.rest
            && common.segments.len() == narrow.segments.len()
            && common.segments.iter().zip(&narrow.segments).all(|(a, b)| same(a, b))
    })
}

/// A deny about certain people where others need not say who they are.
fn evadable_deny(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    if matches!(rule.when.subject, None | Some(Subject::Anyone)) {
        return;
    }
    for scope in named(&rule.scopes) {
        if linter.guards(*scope).identity {
            continue;
        }
        let mut reached: Vec<ScopeId> = vec![*scope];
        reached.extend(linter.overlaps.of(*scope));
        for other in reached {
            let open = linter.allows[scope_index(other)].iter().copied();
            let open = open.into_iter().find(|allow| opens_to_anyone(&linter.policy.rules[*allow]));
            let Some(open) = open else { continue };
            let Search::Found(witness) = linter.meet(*scope, other, rule.methods) else { continue };
            let allow = &linter.policy.rules[open];
            linter.find(Lint::EvadableDeny, &[Row::Rule(id), Row::Rule(open)], |linter| {
                let message = format!("whoever rule `{}` denies sends `{witness}` without a token", rule.name);
                let problem = Diagnostic::lint(Lint::EvadableDeny, linter.value(Row::Rule(id), "subject"), message);
                let problem =
                    problem.also(linter.value(Row::Rule(open), "subject"), format!("`{}` lets anyone in", allow.name));
                problem.help(format!("let `{}` ask for an identity, or leave the deny away", allow.name))
            });
            return;
        }
    }
}

/// An exemption for people whose allow is only observed.
fn observed_escape(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    if rule.mode == Mode::Observe {
        return;
    }
    for unless in &rule.unless {
        let Some(exempt @ Subject::AnyOf(_)) = &unless.subject else { continue };
        let mut meant: Vec<RuleId> = Vec::new();
        for scope in named(&rule.scopes) {
            let mut reached: Vec<ScopeId> = vec![*scope];
            reached.extend(linter.overlaps.of(*scope));
            let allows = reached.iter().flat_map(|scope| linter.allows[scope_index(*scope)].iter().copied());
            meant.extend(allows.filter(|allow| {
                let subject = linter.policy.rules[*allow].when.subject.as_ref();
                subject.is_some_and(|subject| {
                    *subject != Subject::Anyone && subject_implies(subject, exempt, linter.policy)
                })
            }));
        }
        let observed = |allow: &RuleId| linter.policy.rules[*allow].mode == Mode::Observe;
        let Some(allow) = meant.first().copied().filter(|_| meant.iter().all(observed)) else { continue };
        let scopes = [named(&rule.scopes), named(&linter.policy.rules[allow].scopes)].concat();
        linter.find_error(Lint::ObservedEscape, &[Row::Rule(id), Row::Rule(allow)], &scopes, |linter| {
            let name = &linter.policy.rules[allow].name;
            let message =
                format!("rule `{}` exempts whom only `{name}` is meant to let in, which is observed", rule.name);
            let problem = Diagnostic::lint(Lint::ObservedEscape, linter.value(Row::Rule(id), "unless"), message);
            let problem = problem.label("in force").also(linter.value(Row::Rule(allow), "mode"), "not in force");
            problem.help(format!("enforce `{name}`, or observe `{}` as well", rule.name))
        });
    }
}

/// Scopes with rules that nothing opens.
fn unreachable(linter: &mut Linter<'_>) {
    let mut about: Vec<Option<RuleId>> = vec![None; linter.policy.scopes.len()];
    for (id, rule) in linter.policy.rules.iter().filter(|(_, rule)| rule.effect != Effect::Allow) {
        for scope in named(&rule.scopes) {
            about[scope_index(*scope)].get_or_insert(id);
        }
    }
    for (scope, row) in linter.policy.scopes.iter() {
        let Some(rule) = about[scope_index(scope)] else { continue };
        if !linter.allows[scope_index(scope)].is_empty() {
            continue;
        }
        let others: Vec<ScopeId> = linter.overlaps.of(scope).to_vec();
        let opened = others.into_iter().any(|other| {
            !linter.allows[scope_index(other)].is_empty() && linter.meet(scope, other, None).is_possible()
        });
        if opened {
            continue;
        }
        linter.find(Lint::UnreachableScope, &[Row::Scope(scope), Row::Rule(rule)], |linter| {
            let message = format!("no rule lets anyone in to scope `{}`", row.name);
            let problem = Diagnostic::lint(Lint::UnreachableScope, linter.name(Row::Scope(scope)), message);
            let problem = problem.also(linter.name(Row::Rule(rule)), "changes nothing there");
            problem.help("write the allow that is missing, or remove the rules that are left")
        });
    }
}
