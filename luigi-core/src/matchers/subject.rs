//! Who asks: the subject predicates.

use super::captures::{Captured, Captures};
use super::claim::{claim_at, claims_hold, is_elsewhere};
use super::pattern;
use super::standings::{Standing, is_default_issuer};
use crate::identity::{Acting, Actor, Credential, Identity};
use crate::kleene::Kleene;
use crate::policy::captures::{CaptureTest, CaptureValues, GroupValue};
use crate::policy::model::{ActorMatcher, GroupId, IssuerId, Login, Policy, RuleId, Subject, SubjectMatcher, Via};
use crate::snapshot::GroupRules;
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// How far in the future an `auth_time` may lie before it says nothing, in seconds.
const AUTH_TIME_LEEWAY_SECONDS: i64 = 300;

/// The person behind a request as predicates see them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Person<'a> {
    /// No credential.
    Nobody,
    /// A credential that does not say who.
    Unknowable,
    /// A verified identity.
    Known(Known<'a>),
}

/// An identity at the moment of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) identity: &'a Identity,
    /// What the policy makes of it, if somebody has looked that up.
    standing: Option<Standing<'a>>,
    now: Timestamp,
}

impl<'a> Known<'a> {
    /// Who acts on its behalf, if anybody does.
    fn actor(self) -> Option<Acting<'a>> {
        self.identity.actor().map(Actor::acting)
    }

    fn is_delegated(self) -> bool {
        self.identity.actor().is_some()
    }

    /// Whether its issuer is among these; none named means the default issuer.
    fn is_from(&self, issuers: &[IssuerId], policy: &Policy) -> bool {
        match self.standing {
            Some(standing) if issuers.is_empty() => standing.of_default_issuer,
            Some(_) | None => is_issuer_of(issuers, self.identity.issuer(), policy),
        }
    }

    /// Whether the identity has a group, which is not a family.
    #[inline]
    fn has(&self, group: GroupId, policy: &Policy) -> bool {
        if let Some(standing) = self.standing {
            return standing.has(group);
        }
        match &policy.groups[group].value {
            GroupValue::Literal(value) => self.identity.groups().contains(value),
            GroupValue::Family(_) => false,
        }
    }

    /// The first of the rules whose group the identity has.
    #[inline(always)]
    fn first_rule(&self, rules: &GroupRules, policy: &Policy) -> Option<RuleId> {
        /// Up to so many rules it never pays to count the groups.
        const FEW_RULES: usize = 32;
        /// What looking for the rule of a group costs, in tests of one.
        const LOOKUP: usize = 8;
        match self.standing {
            Some(standing) if rules.len() > FEW_RULES && standing.count() * LOOKUP < rules.len() => {
                standing.groups().filter_map(|group| rules.of(group)).min()
            }
            _ => {
                let mut first: Option<RuleId> = None;
                // PERF: a loop is part of its function, where what goes through an iterator is called.
                for (group, rule) in rules.iter() {
                    if first.is_none_or(|first| rule < first) && self.has(group, policy) {
                        first = Some(rule);
                    }
                }
                first
            }
        }
    }
}

impl<'a> Person<'a> {
    #[inline]
    pub(crate) fn of(credential: &Credential<'a>, now: Timestamp) -> Self {
        match credential {
            Credential::Absent => Self::Nobody,
            Credential::Verified(identity) if crate::identity::outlived(identity, now) => Self::Unknowable,
            Credential::Verified(identity) => Self::Known(Known { identity, standing: None, now }),
            Credential::Expired | Credential::Invalid(_) | Credential::Ambiguous | Credential::Deferred => {
                Self::Unknowable
            }
        }
    }

    /// The same, with its standing looked up; nothing comes out differently, only faster.
    #[inline(always)]
    pub(crate) fn look_up_standing(&mut self, look_up: impl FnOnce(&Identity) -> Standing<'a>) {
        if let Self::Known(known) = self {
            known.standing = Some(look_up(known.identity));
        }
    }

    /// The identity, if there is one.
    pub(crate) fn identity(self) -> Option<&'a Identity> {
        match self {
            Self::Known(known) => Some(known.identity),
            Self::Nobody | Self::Unknowable => None,
        }
    }

    /// Who acts on the identity's behalf, if anybody does.
    pub(crate) fn actor(self) -> Option<Acting<'a>> {
        match self {
            Self::Known(known) => known.actor(),
            Self::Nobody | Self::Unknowable => None,
        }
    }

    /// Who acts is one of these; false if nobody does.
    pub(crate) fn acts_via(self, via: &Via, policy: &Policy) -> Kleene {
        let known = match self {
            Self::Nobody => return Kleene::False,
            Self::Unknowable => return Kleene::Unknown,
            Self::Known(known) => known,
        };
        match (known.actor(), via) {
            (None, _) => Kleene::False,
            (Some(_), Via::Any) => Kleene::True,
            (Some(actor), Via::AnyOf(matchers)) => {
                any(matchers.iter().map(|matcher| actor_matches(matcher, &actor, policy, known.now)))
            }
        }
    }

    /// The predicate as a condition of an allow rule: a delegated identity is nobody that it could mean, but for `"anyone"`.
    pub(crate) fn is_allowed_as(self, subject: &Subject, policy: &Policy, captures: &Captures<'_>) -> Kleene {
        match self {
            Self::Known(known) if known.is_delegated() => Kleene::from(matches!(subject, Subject::Anyone)),
            _ => self.is(subject, policy, captures),
        }
    }

    /// The predicate as a condition of a deny rule: it holds for who acts as well as for whom.
    pub(crate) fn is_denied_as(self, subject: &Subject, policy: &Policy, captures: &Captures<'_>) -> Kleene {
        let value = self.is(subject, policy, captures);
        match self.actor() {
            Some(actor) if value != Kleene::True => value.or(actor_is(&actor, subject, policy)),
            Some(_) | None => value,
        }
    }

    /// The predicate anywhere else: a delegated identity is judged like its subject.
    pub(crate) fn is(self, subject: &Subject, policy: &Policy, captures: &Captures<'_>) -> Kleene {
        match subject {
            Subject::Anyone => Kleene::True,
            Subject::Authenticated => match self {
                Self::Nobody => Kleene::False,
                Self::Unknowable => Kleene::Unknown,
                Self::Known(known) => known.is_from(&[], policy).into(),
            },
            Subject::AnyOf(matchers) => self.is_any_of(matchers, policy, captures),
        }
    }

    /// As [`Self::is_allowed_as`], for rules that each ask for somebody of the default issuer with one group: the first that lets the person in, or
    /// if it is not known whether one does, the first of all.
    #[inline(always)]
    pub(crate) fn first_by_group(&self, rules: &GroupRules, policy: &Policy) -> Option<(RuleId, Kleene)> {
        if rules.is_empty() {
            return None;
        }
        let first = || rules.iter().map(|(_, rule)| rule).min();
        let known = match self {
            Self::Nobody => return None,
            Self::Unknowable => return first().map(|rule| (rule, Kleene::Unknown)),
            Self::Known(known) => known,
        };
        if known.is_delegated() || !known.is_from(&[], policy) {
            return None;
        }
        match known.first_rule(rules, policy) {
            Some(found) => Some((found, Kleene::True)),
            None if known.identity.groups().complete => None,
            None => first().map(|rule| (rule, Kleene::Unknown)),
        }
    }

    /// As [`Self::has_captured`], as a condition of an allow rule without `via`: whoever acts for somebody has none of that person's claims.
    pub(crate) fn has_captured_in_person(
        self,
        tests: &[CaptureTest],
        policy: &Policy,
        captures: &Captures<'_>,
    ) -> Kleene {
        match self {
            Self::Known(known) if known.is_delegated() => {
                Kleene::from(!tests.iter().any(CaptureTest::is_about_the_caller))
            }
            _ => self.has_captured(tests, policy, captures),
        }
    }

    /// Those tests of captures that are about the caller's claims: all of them.
    pub(crate) fn has_captured(self, tests: &[CaptureTest], policy: &Policy, captures: &Captures<'_>) -> Kleene {
        let mut result = Kleene::True;
        for test in tests {
            let CaptureValues::Claim { path, issuers } = &test.accepts else { continue };
            let value = match self {
                Self::Nobody => Kleene::False,
                Self::Unknowable => Kleene::Unknown,
                Self::Known(known) if !known.is_from(issuers, policy) => Kleene::False,
                Self::Known(known) => match captures.value(&test.capture) {
                    Some(captured) => claim_is(path, known.identity.claims(), captured),
                    None => Kleene::Unknown,
                },
            };
            result = result.and(value);
        }
        result
    }

    /// Whether any matcher matches.
    pub(crate) fn is_any_of(self, matchers: &[SubjectMatcher], policy: &Policy, captures: &Captures<'_>) -> Kleene {
        match self {
            Self::Nobody => Kleene::False,
            Self::Unknowable => Kleene::Unknown,
            Self::Known(known) => any(matchers.iter().map(|matcher| matches(matcher, known, policy, captures))),
        }
    }
}

/// None named means the default issuer.
fn is_issuer_of(named: &[IssuerId], issuer: &str, policy: &Policy) -> bool {
    if named.is_empty() {
        return is_default_issuer(issuer, policy);
    }
    named.iter().any(|id| policy.issuers[*id].trust.url == issuer)
}

/// Kleene OR that stops at the first true.
fn any(values: impl Iterator<Item = Kleene>) -> Kleene {
    let mut result = Kleene::False;
    for value in values {
        result = result.or(value);
        if result == Kleene::True {
            break;
        }
    }
    result
}

fn matches(matcher: &SubjectMatcher, known: Known<'_>, policy: &Policy, captures: &Captures<'_>) -> Kleene {
    let identity = known.identity;
    if !known.is_from(&matcher.issuers, policy) {
        return Kleene::False;
    }
    if !matcher.kinds.is_empty() && !identity.kind().is_some_and(|kind| matcher.kinds.iter().any(|k| k == kind)) {
        return Kleene::False;
    }
    if !is_subject_of(&matcher.subjects, &matcher.subject_patterns, identity.subject()) {
        return Kleene::False;
    }
    // From here on predicates may be unknown; a false one still wins.
    let mut result = email_matches(matcher, identity);
    if result == Kleene::False {
        return result;
    }
    let absent = if identity.groups().complete { Kleene::False } else { Kleene::Unknown };
    let has = |group: &GroupId| {
        let present = match &policy.groups[*group].value {
            GroupValue::Literal(_) => known.has(*group, policy),
            GroupValue::Family(family) => match captures.value(&family.capture) {
                Some(captured) => captured.is_in(family, identity.groups().names()),
                None => return Kleene::Unknown,
            },
        };
        if present { Kleene::True } else { absent }
    };
    if !matcher.groups.is_empty() {
        result = result.and(any(matcher.groups.iter().map(has)));
    }
    result = matcher.groups_all.iter().map(has).fold(result, Kleene::and);
    if result == Kleene::False {
        return result;
    }
    result.and(claims_hold(&matcher.claims, identity.claims(), known.now))
}

/// Among these or fitting one of the patterns; anybody if nobody is named.
fn is_subject_of(subjects: &[String], patterns: &[String], subject: &str) -> bool {
    if subjects.is_empty() && patterns.is_empty() {
        return true;
    }
    subjects.iter().any(|s| s == subject) || patterns.iter().any(|p| pattern::subject(p, subject))
}

fn email_matches(matcher: &SubjectMatcher, identity: &Identity) -> Kleene {
    if matcher.emails.is_empty() && matcher.email_domains.is_empty() {
        return Kleene::True;
    }
    let Some(email) = identity.email() else { return Kleene::False };
    let domain = email.address.rsplit_once('@').map(|(_, domain)| domain);
    let named = matcher.emails.iter().any(|e| e.eq_ignore_ascii_case(&email.address))
        || domain.is_some_and(|domain| matcher.email_domains.iter().any(|d| d.eq_ignore_ascii_case(domain)));
    match (named, email.verified) {
        (false, _) | (true, Some(false)) => Kleene::False,
        (true, None) => Kleene::Unknown,
        (true, Some(true)) => Kleene::True,
    }
}

/// Whether a claim is the value of a capture: a string, or one of several in an array.
fn claim_is(path: &[String], claims: &Map<String, Value>, captured: Captured<'_>) -> Kleene {
    match claim_at(path, claims) {
        None if is_elsewhere(path, claims) => Kleene::Unknown,
        Some(Value::String(text)) => captured.is(text).into(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).any(|text| captured.is(text)).into(),
        None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Kleene::False,
    }
}

/// As a matcher of subjects sees an actor, of whom nothing is known but issuer and subject: one that asks for more does not match it,
/// unless it names it by its subject, too; then that is not known.
pub(crate) fn actor_is(actor: &Acting<'_>, subject: &Subject, policy: &Policy) -> Kleene {
    match subject {
        Subject::Anyone => Kleene::True,
        Subject::Authenticated if !actor.legible => Kleene::Unknown,
        Subject::Authenticated => is_default_issuer(actor.issuer, policy).into(),
        Subject::AnyOf(matchers) => any(matchers.iter().map(|matcher| {
            let SubjectMatcher {
                issuers,
                kinds,
                subjects,
                subject_patterns,
                emails,
                email_domains,
                groups,
                groups_all,
                claims,
            } = matcher;
            let asks_for_more = !kinds.is_empty()
                || !emails.is_empty()
                || !email_domains.is_empty()
                || !groups.is_empty()
                || !groups_all.is_empty()
                || !claims.is_empty();
            let named = is_actor(issuers, subjects, subject_patterns, actor, policy);
            match asks_for_more {
                false => named,
                // It is the one that was named; whether the rest holds of it, nobody knows.
                true if !subjects.is_empty() || !subject_patterns.is_empty() => named.and(Kleene::Unknown),
                true => Kleene::False,
            }
        })),
    }
}

fn actor_matches(matcher: &ActorMatcher, actor: &Acting<'_>, policy: &Policy, now: Timestamp) -> Kleene {
    let ActorMatcher { issuers, subjects, subject_patterns, claims } = matcher;
    let named = is_actor(issuers, subjects, subject_patterns, actor, policy);
    if named != Kleene::True || claims.is_empty() {
        return named;
    }
    // Without a claim that says who acts there is nothing that could be absent from it.
    named.and(actor.claims.map_or(Kleene::Unknown, |members| claims_hold(claims, members, now)))
}

fn is_actor(
    issuers: &[IssuerId],
    subjects: &[String],
    patterns: &[String],
    actor: &Acting<'_>,
    policy: &Policy,
) -> Kleene {
    if !actor.legible {
        return Kleene::Unknown;
    }
    let named = subjects.is_empty() && patterns.is_empty()
        || actor.subject.is_some_and(|subject| is_subject_of(subjects, patterns, subject));
    Kleene::from(is_issuer_of(issuers, actor.issuer, policy) && named)
}

/// Whether the login behind a request meets a login requirement.
pub(crate) fn login_meets(required: &Login, person: Person<'_>, now: Timestamp) -> Kleene {
    let identity = match person {
        Person::Nobody => return Kleene::False,
        Person::Unknowable => return Kleene::Unknown,
        Person::Known(known) => known.identity,
    };
    let login = identity.login();
    let mut result = Kleene::True;
    if !required.acr_any.is_empty() {
        let acr = login.acr.as_deref();
        result = result.and(acr.map_or(Kleene::Unknown, |acr| required.acr_any.iter().any(|a| a == acr).into()));
    }
    if !required.amr_any.is_empty() {
        result = result.and(login.amr.as_ref().map_or(Kleene::Unknown, |amr| {
            amr.iter().any(|method| required.amr_any.iter().any(|a| **a == **method)).into()
        }));
    }
    if !required.amr_all.is_empty() {
        result = result.and(login.amr.as_ref().map_or(Kleene::Unknown, |amr| {
            required.amr_all.iter().all(|a| amr.iter().any(|method| **a == **method)).into()
        }));
    }
    if let Some(max_age) = required.max_age_seconds {
        result = result.and(login.auth_time.map_or(Kleene::Unknown, |at| {
            let age = now.unix_seconds().saturating_sub(at.unix_seconds());
            if age < -AUTH_TIME_LEEWAY_SECONDS { Kleene::Unknown } else { (age <= i64::from(max_age)).into() }
        }));
    }
    result
}
