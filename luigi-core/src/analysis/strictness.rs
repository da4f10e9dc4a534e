//! Whether one rule lets in only whom another lets in as well, and whether two conditions exclude each other.
//!
//! Both answers are on the safe side for what lints do with them: "implies" and "excludes" are certain, their absence is not. Only what
//! the rules say is compared, never what a directory holds.

use super::contradictions;
use crate::policy::model::{
    Conditions, FactTest, Network, NetworkId, Policy, Requirements, Rule, Schedule, ScheduleId, Subject, SubjectMatcher,
};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// Whether the rule lets in people without an identity: its subject is anyone, and it requires nothing that takes one, not even a client
/// certificate.
pub(crate) fn opens_to_anyone(rule: &Rule) -> bool {
    let known_by_certificate = rule.when.facts.iter().chain(&rule.require.facts).any(|test| match test {
        FactTest::Certificate(test) => test.verified != Some(false),
        FactTest::Header { .. } | FactTest::Query { .. } | FactTest::Named { .. } => false,
    });
    matches!(rule.when.subject, None | Some(Subject::Anyone))
        && !requires_identity(&rule.require)
        && !known_by_certificate
}

/// Whether the requirements can be met by somebody with an identity only.
pub(crate) fn requires_identity(require: &Requirements) -> bool {
    require.login.is_some() || !require.subject.is_empty() || !require.approval.is_empty()
}

/// Whether the rule applies to each request of its scopes, whoever, wherever, whenever.
pub(crate) fn is_unconditional(rule: &Rule) -> bool {
    let mut when = rule.when.clone();
    when.subject = None;
    matches!(rule.when.subject, None | Some(Subject::Anyone))
        && when == Conditions::default()
        && rule.unless.is_empty()
        && rule.methods.is_none()
        && rule.starts.is_none()
        && rule.ends.is_none()
}

/// Whether everyone whom `strict` lets in is let in by `lax` as well, where both are about the request.
pub(crate) fn implies(strict: &Rule, lax: &Rule, policy: &Policy) -> bool {
    let subjects_of = |rule: &Rule| {
        let mut subjects: Vec<Subject> = rule.when.subject.iter().cloned().collect();
        if !rule.require.subject.is_empty() {
            subjects.push(Subject::AnyOf(rule.require.subject.clone()));
        }
        subjects
    };
    let (ours, theirs) = (subjects_of(strict), subjects_of(lax));
    let subject = theirs.iter().all(|lax| ours.iter().any(|strict| subject_implies(strict, lax, policy)));
    let list = |lax: &[NetworkId], also: &[NetworkId], a: &[NetworkId], b: &[NetworkId]| {
        [lax, also].iter().all(|lax| lax.is_empty() || [a, b].iter().any(|own| is_narrower(own, lax)))
    };
    let from = list(&lax.when.from, &lax.require.from, &strict.when.from, &strict.require.from);
    let hours = |lax: &[ScheduleId]| {
        lax.is_empty() || [&strict.when.during, &strict.require.during].iter().any(|own| is_narrower(own, lax))
    };
    let during = hours(&lax.when.during) && hours(&lax.require.during);
    let login = lax.require.login.is_none() || lax.require.login == strict.require.login;
    let approval = lax.require.approval.is_empty() || is_narrower(&strict.require.approval, &lax.require.approval);
    let unless = lax.unless.iter().all(|one| strict.unless.contains(one));
    let starts = lax.starts.is_none_or(|lax| strict.starts.is_some_and(|own| own >= lax));
    let ends = lax.ends.is_none_or(|lax| strict.ends.is_some_and(|own| own <= lax));
    let tests_of = |rule: &Rule| rule.when.facts.iter().chain(&rule.require.facts).cloned().collect::<Vec<_>>();
    let ours = tests_of(strict);
    let facts = tests_of(lax).iter().all(|test| ours.contains(test));
    // A rule about people who act for others is about nobody else.
    let via = strict.when.via == lax.when.via;
    // What is not compared one by one must be the same, or not be there in the lax rule.
    let rest = rest_of_conditions(&lax.when) == Conditions::default()
        || rest_of_conditions(&lax.when) == rest_of_conditions(&strict.when);
    subject && from && during && facts && via && login && approval && unless && starts && ends && rest
}

/// Whether `own` says something, and nothing that `wide` does not.
fn is_narrower<Id: PartialEq>(own: &[Id], wide: &[Id]) -> bool {
    !own.is_empty() && own.iter().all(|id| wide.contains(id))
}

/// Whether everyone of `strict` is one of `lax`.
pub(crate) fn subject_implies(strict: &Subject, lax: &Subject, policy: &Policy) -> bool {
    match (strict, lax) {
        (_, Subject::Anyone) => true,
        (Subject::Anyone, _) => false,
        (Subject::Authenticated, Subject::Authenticated) => true,
        (Subject::Authenticated, Subject::AnyOf(_)) => false,
        (Subject::AnyOf(matchers), Subject::Authenticated) => {
            let default: Vec<_> = policy.default_issuer.into_iter().collect();
            matchers.iter().all(|matcher| matcher.issuers.is_empty() || matcher.issuers == default)
        }
        (Subject::AnyOf(strict), Subject::AnyOf(lax)) => {
            strict.iter().all(|one| lax.iter().any(|other| matcher_implies(one, other, policy)))
        }
    }
}

/// Whether everyone that `strict` matches is matched by `lax`.
pub(crate) fn matcher_implies(strict: &SubjectMatcher, lax: &SubjectMatcher, policy: &Policy) -> bool {
    let issuers = |matcher: &SubjectMatcher| -> BTreeSet<_> {
        if matcher.issuers.is_empty() {
            policy.default_issuer.into_iter().collect()
        } else {
            matcher.issuers.iter().copied().collect()
        }
    };
    let any = |own: &[String], wide: &[String]| own.iter().all(|one| wide.contains(one));
    // Two keys that count as one.
    let pair = |lax: [&[String]; 2], own: [&[String]; 2]| {
        let said = |keys: [&[String]; 2]| keys.iter().any(|key| !key.is_empty());
        !said(lax) || (said(own) && any(own[0], lax[0]) && any(own[1], lax[1]))
    };
    let groups = lax.groups.is_empty()
        || is_narrower(&strict.groups, &lax.groups)
        || strict.groups_all.iter().any(|group| lax.groups.contains(group));
    let groups_all = lax
        .groups_all
        .iter()
        .all(|group| strict.groups_all.contains(group) || (strict.groups.len() == 1 && strict.groups.contains(group)));
    issuers(strict).is_subset(&issuers(lax))
        && (lax.kinds.is_empty() || is_narrower(&strict.kinds, &lax.kinds))
        && pair([&lax.subjects, &lax.subject_patterns], [&strict.subjects, &strict.subject_patterns])
        && pair([&lax.emails, &lax.email_domains], [&strict.emails, &strict.email_domains])
        && groups
        && groups_all
        && lax.claims.iter().all(|claim| strict.claims.contains(claim))
        && rest_of_matcher(lax, strict)
}

/// Whether what is not compared one by one is the same, or not there in the lax matcher.
fn rest_of_matcher(lax: &SubjectMatcher, strict: &SubjectMatcher) -> bool {
    let rest = |matcher: &SubjectMatcher| {
        let mut rest = matcher.clone();
        rest.issuers.clear();
        rest.kinds.clear();
        rest.subjects.clear();
        rest.subject_patterns.clear();
        rest.emails.clear();
        rest.email_domains.clear();
        rest.groups.clear();
        rest.groups_all.clear();
        rest.claims.clear();
        rest
    };
    rest(lax) == SubjectMatcher::default() || rest(lax) == rest(strict)
}

/// The predicates that are not compared one by one.
fn rest_of_conditions(conditions: &Conditions) -> Conditions {
    let mut rest = conditions.clone();
    rest.subject = None;
    rest.from.clear();
    rest.during.clear();
    rest.via = None;
    rest.facts.clear();
    rest
}

/// Whether whatever meets `strict` meets `lax`.
pub(crate) fn conditions_imply(strict: &Conditions, lax: &Conditions, policy: &Policy) -> bool {
    let subject = match (&strict.subject, &lax.subject) {
        (_, None) => true,
        (None, Some(lax)) => *lax == Subject::Anyone,
        (Some(strict), Some(lax)) => subject_implies(strict, lax, policy),
    };
    subject
        && (lax.from.is_empty() || networks_imply(&strict.from, &lax.from, policy))
        && (lax.during.is_empty() || is_narrower(&strict.during, &lax.during))
        && (lax.via.is_none() || lax.via == strict.via)
        && lax.facts.iter().all(|test| strict.facts.contains(test))
        && rest_of_conditions(lax) == Conditions::default()
}

/// Whether every address of one list is in a network of the other.
fn networks_imply(strict: &[NetworkId], lax: &[NetworkId], policy: &Policy) -> bool {
    let members =
        |ids: &[NetworkId]| ids.iter().flat_map(|id| policy.networks[*id].members.clone()).collect::<Vec<_>>();
    let few = |ids: &[NetworkId]| ids.iter().map(|id| policy.networks[*id].members.len()).sum::<usize>() <= 1_000;
    is_narrower(strict, lax)
        || (!strict.is_empty() && few(strict) && few(lax) && {
            let wide = IpNet::aggregate(&members(lax));
            members(strict).iter().all(|net| wide.iter().any(|wide| wide.contains(net)))
        })
}

/// Which part of two conditions cannot hold together.
pub(crate) fn excludes(a: &Conditions, b: &Conditions, policy: &Policy) -> Option<&'static str> {
    let subject = match (&a.subject, &b.subject) {
        (Some(Subject::AnyOf(a)), Some(Subject::AnyOf(b))) => matchers_exclude(a, b, policy),
        _ => false,
    };
    if subject {
        return Some("subject");
    }
    if networks_exclude(&a.from, &b.from, policy) {
        return Some("from");
    }
    let during = schedules_exclude(&a.during, &b.during, policy).then_some("during");
    during.or_else(|| contradictions::of_facts(&a.facts, &b.facts).map(key_of))
}

/// Which key a test of what a request brings along stands under.
fn key_of(test: &FactTest) -> &'static str {
    match test {
        FactTest::Header { .. } => "headers",
        FactTest::Query { .. } => "query",
        FactTest::Named { .. } => "facts",
        FactTest::Certificate(_) => "certificate",
    }
}

/// Whether nobody is matched by one of each.
pub(crate) fn matchers_exclude(a: &[SubjectMatcher], b: &[SubjectMatcher], policy: &Policy) -> bool {
    let exclude = |a: &SubjectMatcher, b: &SubjectMatcher| {
        let issuers = |matcher: &SubjectMatcher| -> Vec<_> {
            if matcher.issuers.is_empty() {
                policy.default_issuer.into_iter().collect()
            } else {
                matcher.issuers.clone()
            }
        };
        let disjoint = |a: &[String], b: &[String]| !a.is_empty() && !b.is_empty() && !a.iter().any(|x| b.contains(x));
        !issuers(a).iter().any(|issuer| issuers(b).contains(issuer))
            || disjoint(&a.kinds, &b.kinds)
            || contradictions::of_matchers(a, b)
            || (a.subject_patterns.is_empty() && b.subject_patterns.is_empty() && disjoint(&a.subjects, &b.subjects))
            || (a.email_domains.is_empty() && b.email_domains.is_empty() && disjoint(&a.emails, &b.emails))
    };
    !a.is_empty() && !b.is_empty() && a.iter().all(|one| b.iter().all(|other| exclude(one, other)))
}

/// Whether no address lies in a network of each.
pub(crate) fn networks_exclude(a: &[NetworkId], b: &[NetworkId], policy: &Policy) -> bool {
    let members = |ids: &[NetworkId]| -> usize { ids.iter().map(|id| policy.networks[*id].members.len()).sum() };
    // Lists as long as those of whole countries are not compared in pairs.
    if a.is_empty() || b.is_empty() || members(a).saturating_mul(members(b)) > 1_000_000 {
        return false;
    }
    let overlap = |a: &Network, b: &Network| {
        a.members.iter().any(|one| b.members.iter().any(|other| one.contains(other) || other.contains(one)))
    };
    !a.iter().any(|one| b.iter().any(|other| overlap(&policy.networks[*one], &policy.networks[*other])))
}

/// Whether no moment lies in a schedule of each.
pub(crate) fn schedules_exclude(a: &[ScheduleId], b: &[ScheduleId], policy: &Policy) -> bool {
    let exclude = |a: &Schedule, b: &Schedule| {
        let plain = |one: &Schedule| one.start < one.end;
        let days = a.days.0 & b.days.0 == 0;
        let hours = a.end <= b.start || b.end <= a.start;
        a.time_zone == b.time_zone && plain(a) && plain(b) && (days || hours)
    };
    let apart = |one: &ScheduleId, other: &ScheduleId| exclude(&policy.schedules[*one], &policy.schedules[*other]);
    !a.is_empty() && !b.is_empty() && a.iter().all(|one| b.iter().all(|other| apart(one, other)))
}

/// Whether the matcher can match nobody: the kinds that it asks for are none that its issuers declare.
pub(crate) fn matches_nobody(matcher: &SubjectMatcher, policy: &Policy) -> bool {
    let mut issuers =
        matcher.issuers.iter().copied().chain(matcher.issuers.is_empty().then_some(policy.default_issuer).flatten());
    !matcher.kinds.is_empty()
        && issuers.all(|id| {
            let trust = &policy.issuers[id].trust;
            trust.claims.kind.is_none() && trust.kind.as_ref().is_none_or(|kind| !matcher.kinds.contains(kind))
        })
}
