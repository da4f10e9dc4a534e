//! Who acts for the subject.

use super::claims::claim;
use super::subjects::{Caller, issuers, subject_listed};
use super::{Finding, quoted};
use crate::identity::Actor;
use crate::kleene::Kleene;
use crate::policy::model::{ActorMatcher, Policy, Subject, SubjectMatcher, Via};
use crate::time::Timestamp;

/// Whether whoever acts is one of those wanted.
pub(super) fn via(policy: &Policy, wanted: &Via, caller: Caller<'_>, now: Timestamp) -> Finding {
    let identity = match caller {
        Caller::Known(identity) => identity,
        Caller::Nobody | Caller::Unproven(_) => {
            let (value, because) = caller.missing().unwrap_or((Kleene::Unknown, String::new()));
            return Finding::new("via", value, because);
        }
    };
    let Some(actor) = identity.actor() else {
        return Finding::new("via", false, "the subject comes in person");
    };
    let matchers = match wanted {
        Via::Any => return Finding::new("via", true, format!("{} acts for the subject", chain(actor))),
        Via::AnyOf(matchers) => matchers,
    };
    let mut tried: Vec<Finding> = matchers.iter().map(|one| matcher(policy, one, actor, now)).collect();
    let value = tried.iter().fold(Kleene::False, |any, one| any.or(one.value));
    let because = match tried.iter().find(|one| one.value == value) {
        Some(decisive) if !value.is_false() => decisive.because.clone(),
        _ => tried.iter().map(|one| one.because.as_str()).collect::<Vec<_>>().join("; "),
    };
    let parts = if tried.len() == 1 { tried.remove(0).parts } else { tried };
    Finding::new("via", value, format!("{} acts for the subject: {because}", chain(actor))).with_parts(parts)
}

fn matcher(policy: &Policy, wanted: &ActorMatcher, actor: &Actor, now: Timestamp) -> Finding {
    if !actor.legible {
        return Finding::new("actor", Kleene::Unknown, "what the token says of it cannot be read");
    }
    let mut parts = vec![issuers(policy, &wanted.issuers, &actor.issuer)];
    if !wanted.subjects.is_empty() || !wanted.subject_patterns.is_empty() {
        parts.push(match actor.subject.as_deref() {
            None => Finding::new("subjects", false, "it has no subject"),
            Some(subject) => {
                let held = subject_listed(&wanted.subjects, &wanted.subject_patterns, subject);
                let is = if held { "is" } else { "is not" };
                Finding::new("subjects", held, format!("its subject {} {is} among those named", quoted(subject)))
            }
        });
    }
    parts.extend(wanted.claims.iter().map(|test| claim(test, &actor.claims, now)));
    let value = parts.iter().fold(Kleene::True, |all, part| all.and(part.value));
    let telling: Vec<&str> =
        parts.iter().filter(|part| part.value == value).map(|part| part.because.as_str()).collect();
    let because = if value.is_true() { telling.join(", ") } else { telling[0].to_owned() };
    Finding::new("actor", value, because).with_parts(parts)
}

/// What a predicate on subjects says of the actor: only issuer and subject can be asked of it.
pub(super) fn as_subject(policy: &Policy, wanted: &Subject, actor: &Actor) -> Kleene {
    let of_issuer =
        |named: &[_]| if actor.legible { issuers(policy, named, &actor.issuer).value } else { Kleene::Unknown };
    let matchers = match wanted {
        Subject::Anyone => return Kleene::True,
        Subject::Authenticated => return of_issuer(&[]),
        Subject::AnyOf(matchers) => matchers,
    };
    let mut any = Kleene::False;
    for matcher in matchers {
        let SubjectMatcher {
            issuers: wanted_issuers,
            kinds,
            subjects,
            subject_patterns,
            emails,
            email_domains,
            groups,
            groups_all,
            claims,
        } = matcher;
        let asks_more = !kinds.is_empty()
            || !emails.is_empty()
            || !email_domains.is_empty()
            || !groups.is_empty()
            || !groups_all.is_empty()
            || !claims.is_empty();
        let named = match &actor.subject {
            _ if !actor.legible => Kleene::Unknown,
            _ if subjects.is_empty() && subject_patterns.is_empty() => Kleene::True,
            Some(subject) => subject_listed(subjects, subject_patterns, subject).into(),
            None => Kleene::False,
        };
        let rest = match (asks_more, subjects.len() + subject_patterns.len()) {
            (false, _) => Kleene::True,
            (true, 0) => Kleene::False,
            (true, _) => Kleene::Unknown,
        };
        any = any.or(of_issuer(wanted_issuers).and(named).and(rest));
    }
    any
}

/// The actor, and through whom: `a`, for whom `b` had acted.
pub(super) fn chain(actor: &Actor) -> String {
    let before: Vec<String> = actor.before().map(|one| actor_name(&one)).collect();
    let mut text = actor_name(actor);
    if !before.is_empty() {
        text.push_str(&format!(" (after {})", before.join(", before that ")));
    }
    text
}

pub(super) fn actor_name(actor: &Actor) -> String {
    match actor.subject.as_deref() {
        Some(subject) => quoted(subject),
        None if actor.legible => "an actor without a subject".to_owned(),
        None => "an actor that cannot be read".to_owned(),
    }
}
