//! Rules by themselves: what ends, what is weaker than it looks, what is there twice.

use super::persons::persons;
use super::{Linter, Row, SOON_SECONDS, named};
use crate::analysis::strictness::opens_to_anyone;
use crate::analysis::words::{listed, listed_with_more};
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Effect, FactTest, Rule, RuleId, ScopeId, Subject, SubjectMatcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) fn look(linter: &mut Linter<'_>) {
    for (id, rule) in linter.policy.rules.iter() {
        spoofable(linter, id, rule);
        ending(linter, id, rule);
        if rule.effect == Effect::Deny {
            weak_deny(linter, id, rule);
        }
        if rule.effect == Effect::Allow {
            public_email_domain(linter, id, rule);
        }
    }
    identical(linter);
    broad_admin(linter);
}

fn ending(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let (Some(now), Some(ends)) = (linter.now, rule.ends) else { return };
    let left = ends.unix_seconds().saturating_sub(now.unix_seconds());
    let row = [Row::Rule(id)];
    if left <= 0 {
        linter.find(Lint::ExpiredRule, &row, |linter| {
            let message = format!("rule `{}` ended and never matches again", rule.name);
            let problem = Diagnostic::lint(Lint::ExpiredRule, linter.value(Row::Rule(id), "ends"), message);
            problem.help("remove it, or extend it if it is still needed")
        });
    } else if left < SOON_SECONDS {
        linter.find(Lint::EndsSoon, &row, |linter| {
            let days = left / 86_400;
            let when = match days {
                0 => "in less than a day".to_owned(),
                1 => "in a day".to_owned(),
                days => format!("in {days} days"),
            };
            let message = format!("rule `{}` ends {when}", rule.name);
            let problem = Diagnostic::lint(Lint::EndsSoon, linter.value(Row::Rule(id), "ends"), message);
            let after = if rule.effect == Effect::Allow { "closes" } else { "opens" };
            problem.label(format!("what it is about {after} then")).help("extend it, or remove it with a change")
        });
    }
}

/// A rule that depends on what the client writes.
fn spoofable(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let written = |facts: &[FactTest]| {
        facts.iter().find_map(|test| match test {
            FactTest::Header { .. } => Some("headers"),
            FactTest::Query { .. } => Some("query"),
            FactTest::Named { .. } | FactTest::Certificate(_) => None,
        })
    };
    let exempts = rule.unless.iter().any(|unless| written(&unless.facts).is_some());
    let requires = written(&rule.require.facts).is_some();
    let (key, message) = match (rule.effect, written(&rule.when.facts)) {
        (Effect::Deny | Effect::Restrict, Some(key)) => (key, "the client evades rule `{}` by what it sends"),
        // Beside an identity a header narrows; instead of one it is a password that everyone may know.
        (Effect::Allow, Some(key)) if opens_to_anyone(rule) => (key, "anyone can send what rule `{}` asks for"),
        (Effect::Allow, _) if exempts => ("unless", "the client leaves out what keeps it from rule `{}`"),
        (Effect::Deny | Effect::Restrict, _) if exempts => ("unless", "the client exempts itself from rule `{}`"),
        // Whoever it is, what is required is met by sending it.
        (Effect::Allow | Effect::Restrict, _) if requires => ("require", "the client meets what rule `{}` requires"),
        _ => return,
    };
    linter.find(Lint::Spoofable, &[Row::Rule(id)], |linter| {
        let message = message.replace("{}", &rule.name);
        let problem = Diagnostic::lint(Lint::Spoofable, linter.value(Row::Rule(id), key), message);
        let problem = problem.label("written by the client");
        problem.help("use the identity, the network or the path, or accept this if a proxy in front sets it")
    });
}

fn weak_deny(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let Some(Subject::AnyOf(matchers)) = &rule.when.subject else { return };
    let by_subject = |matcher: &SubjectMatcher| !matcher.subjects.is_empty() || !matcher.subject_patterns.is_empty();
    let by_email = |matcher: &SubjectMatcher| !matcher.emails.is_empty() || !matcher.email_domains.is_empty();
    let others = |matcher: &SubjectMatcher| {
        !matcher.groups.is_empty() || !matcher.groups_all.is_empty() || !matcher.claims.is_empty()
    };
    if matchers.iter().any(|matcher| by_subject(matcher) && by_email(matcher)) {
        linter.find(Lint::WeakDeny, &[Row::Rule(id)], |linter| {
            let message = format!("rule `{}` denies only who has both this subject and this address", rule.name);
            let problem = Diagnostic::lint(Lint::WeakDeny, linter.value(Row::Rule(id), "subject"), message);
            problem.help("write a matcher for each: `subject = [{ subjects = [...] }, { emails = [...] }]`")
        });
    } else if matchers.iter().all(|matcher| by_email(matcher) && !others(matcher)) {
        linter.find(Lint::WeakDeny, &[Row::Rule(id)], |linter| {
            let message = format!("rule `{}` denies by e-mail address alone", rule.name);
            let problem = Diagnostic::lint(Lint::WeakDeny, linter.value(Row::Rule(id), "subject"), message);
            problem.label("an address can be changed").help("add a matcher with the `subjects` of these people")
        });
    }
}

/// Where anyone can have an address.
const PUBLIC_DOMAINS: [&str; 16] = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "yahoo.com",
    "icloud.com",
    "me.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "mail.com",
    "mail.ru",
    "proton.me",
    "protonmail.com",
];

fn public_email_domain(linter: &mut Linter<'_>, id: RuleId, rule: &Rule) {
    let Some(Subject::AnyOf(matchers)) = &rule.when.subject else { return };
    let domains = matchers.iter().flat_map(|matcher| &matcher.email_domains);
    let Some(domain) = domains.into_iter().find(|domain| PUBLIC_DOMAINS.contains(&domain.as_str())) else { return };
    linter.find(Lint::PublicEmailDomain, &[Row::Rule(id)], |linter| {
        let message = format!("rule `{}` lets in whoever has an address at `{domain}`", rule.name);
        let problem = Diagnostic::lint(Lint::PublicEmailDomain, linter.value(Row::Rule(id), "subject"), message);
        problem.label("anyone can have one").help("name the people by `emails` or `subjects`, or a group")
    });
}

/// Rules that differ in nothing but their ids.
fn identical(linter: &mut Linter<'_>) {
    // Bucketed by what is cheap to compare; the whole is compared within a bucket of few.
    let mut buckets: HashMap<String, Vec<RuleId>> = HashMap::new();
    let policy = linter.policy;
    for (id, rule) in policy.rules.iter() {
        let key = format!("{:?}", Rule { name: String::new(), owner: None, ..rule.clone() });
        buckets.entry(key).or_default().push(id);
    }
    let mut same: Vec<Vec<RuleId>> = buckets.into_values().filter(|ids| ids.len() > 1).collect();
    same.sort();
    for ids in same {
        for id in &ids[1..] {
            let (first, second) = (&policy.rules[ids[0]].name, &policy.rules[*id].name);
            linter.find(Lint::IdenticalRules, &[Row::Rule(*id), Row::Rule(ids[0])], |linter| {
                let message = format!("rule `{second}` says what `{first}` says");
                let problem = Diagnostic::lint(Lint::IdenticalRules, linter.name(Row::Rule(*id)), message);
                problem.also(linter.name(Row::Rule(ids[0])), "the same").help("remove one of them")
            });
        }
    }
}

/// People who can use every privileged scope, or nearly.
fn broad_admin(linter: &mut Linter<'_>) {
    const FEW: usize = 3;
    let policy = linter.policy;
    let privileged = policy.scopes.iter().filter(|(_, scope)| scope.privileged).count();
    if privileged < FEW {
        return;
    }
    let mut opened: BTreeMap<RuleId, BTreeSet<ScopeId>> = BTreeMap::new();
    for (id, rule) in policy.rules.iter() {
        if rule.effect != Effect::Allow || !rule.require.approval.is_empty() {
            continue;
        }
        let is_open = |scope: &&ScopeId| policy.scopes[**scope].privileged && !linter.guards(**scope).approval;
        let scopes: BTreeSet<ScopeId> = named(&rule.scopes).iter().filter(is_open).copied().collect();
        if !scopes.is_empty() {
            opened.insert(id, scopes);
        }
    }
    let (people, cut) = persons(policy, &opened.keys().copied().collect::<Vec<_>>());
    linter.cut |= cut;
    let mut said: Vec<BTreeSet<RuleId>> = Vec::new();
    for person in people {
        let scopes: BTreeSet<ScopeId> = person.rules.iter().flat_map(|id| &opened[id]).copied().collect();
        // All but one of many is hardly less than all.
        if scopes.len() < FEW || scopes.len() * 4 <= privileged * 3 {
            continue;
        }
        let rules: BTreeSet<RuleId> = person.rules.into_iter().collect();
        if said.iter().any(|more| rules.is_subset(more)) {
            continue;
        }
        let rows: Vec<Row> = rules.iter().copied().map(Row::Rule).collect();
        let mut each = rules.iter().copied();
        let Some(first) = each.next() else { continue };
        linter.find(Lint::BroadAdmin, &rows, |linter| {
            let all = match scopes.len() == privileged {
                true => format!("all {privileged}"),
                false => format!("{} of {privileged}", scopes.len()),
            };
            let name = |id: RuleId| policy.rules[id].name.as_str();
            let message = match rules.len() {
                1 => format!("whom rule `{}` matches can use {all} privileged scopes", name(first)),
                _ => {
                    let names = rules.iter().take(FEW).map(|id| name(*id));
                    let names = match rules.len().saturating_sub(FEW) {
                        0 => listed(names, "and"),
                        more => listed_with_more(names, &format!("{more} more")),
                    };
                    format!("rules {names} together let the same people use {all} privileged scopes")
                }
            };
            let problem = Diagnostic::lint(Lint::BroadAdmin, linter.value(Row::Rule(first), "subject"), message);
            let others = each.take(FEW - 1).map(|id| linter.value(Row::Rule(id), "subject"));
            let problem = others.fold(problem, |problem, span| problem.also(span, "and this"));
            problem.help("divide the scopes among groups, or require an approval for each")
        });
        said.push(rules);
    }
}
