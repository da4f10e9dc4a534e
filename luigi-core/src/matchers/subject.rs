//! Who asks: the subject predicates.

use crate::identity::{Actor, Credential, Identity};
use crate::kleene::Kleene;
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues, Login, Policy, Subject, SubjectMatcher};
use crate::time::Timestamp;
use serde_json::Value;

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
    Known(&'a Identity),
}

impl<'a> Person<'a> {
    pub(crate) fn of(credential: &Credential<'a>, now: Timestamp) -> Self {
        match credential {
            Credential::Absent => Self::Nobody,
            Credential::Verified(identity) if crate::identity::outlived(identity, now) => Self::Unknowable,
            Credential::Verified(identity) => Self::Known(identity),
            Credential::Expired | Credential::Invalid(_) | Credential::Ambiguous | Credential::Deferred => {
                Self::Unknowable
            }
        }
    }

    /// The identity, if there is one.
    pub(crate) fn identity(self) -> Option<&'a Identity> {
        match self {
            Self::Known(identity) => Some(identity),
            Self::Nobody | Self::Unknowable => None,
        }
    }

    /// The predicate as a condition of an allow rule: a delegated identity is nobody that it could mean, but for `"anyone"`.
    pub(crate) fn is_allowed_as(self, subject: &Subject, policy: &Policy) -> Kleene {
        match self {
            Self::Known(identity) if identity.actor().is_some() => Kleene::from(matches!(subject, Subject::Anyone)),
            _ => self.is(subject, policy),
        }
    }

    /// The predicate as a condition of a deny rule: it holds for who acts as well as for whom.
    pub(crate) fn is_denied_as(self, subject: &Subject, policy: &Policy) -> Kleene {
        let value = self.is(subject, policy);
        match self {
            Self::Known(identity) if value != Kleene::True => match identity.actor() {
                Some(actor) => value.or(actor_is(actor, subject, policy)),
                None => value,
            },
            _ => value,
        }
    }

    /// The predicate anywhere else: a delegated identity is judged like its subject.
    pub(crate) fn is(self, subject: &Subject, policy: &Policy) -> Kleene {
        match subject {
            Subject::Anyone => Kleene::True,
            Subject::Authenticated => match self {
                Self::Nobody => Kleene::False,
                Self::Unknowable => Kleene::Unknown,
                Self::Known(identity) => is_default_issuer(identity.issuer(), policy).into(),
            },
            Subject::AnyOf(matchers) => self.is_any_of(matchers, policy),
        }
    }

    /// Whether any matcher matches.
    pub(crate) fn is_any_of(self, matchers: &[SubjectMatcher], policy: &Policy) -> Kleene {
        match self {
            Self::Nobody => Kleene::False,
            Self::Unknowable => Kleene::Unknown,
            Self::Known(identity) => any(matchers.iter().map(|matcher| matches(matcher, identity, policy))),
        }
    }
}

fn is_default_issuer(issuer: &str, policy: &Policy) -> bool {
    policy.default_issuer.is_some_and(|id| policy.issuers[id].trust.url == issuer)
}

fn is_issuer_of(matcher: &SubjectMatcher, issuer: &str, policy: &Policy) -> bool {
    if matcher.issuers.is_empty() {
        return is_default_issuer(issuer, policy);
    }
    matcher.issuers.iter().any(|id| policy.issuers[*id].trust.url == issuer)
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

fn matches(matcher: &SubjectMatcher, identity: &Identity, policy: &Policy) -> Kleene {
    if !is_issuer_of(matcher, identity.issuer(), policy) {
        return Kleene::False;
    }
    if !matcher.kinds.is_empty() && !identity.kind().is_some_and(|kind| matcher.kinds.iter().any(|k| k == kind)) {
        return Kleene::False;
    }
    if !is_subject_of(matcher, identity.subject()) {
        return Kleene::False;
    }
    // From here on predicates may be unknown; a false one still wins.
    let mut result = email_matches(matcher, identity);
    if result == Kleene::False {
        return result;
    }
    let absent = if identity.groups().complete { Kleene::False } else { Kleene::Unknown };
    let has = |group: &crate::policy::model::GroupId| {
        if identity.groups().contains(&policy.groups[*group].value) { Kleene::True } else { absent }
    };
    if !matcher.groups.is_empty() {
        result = result.and(any(matcher.groups.iter().map(has)));
    }
    result = matcher.groups_all.iter().map(has).fold(result, Kleene::and);
    if result == Kleene::False {
        return result;
    }
    let claims = matcher.claims.iter().all(|test| claim_holds(test, identity));
    if claims { result } else { Kleene::False }
}

fn is_subject_of(matcher: &SubjectMatcher, subject: &str) -> bool {
    if matcher.subjects.is_empty() && matcher.subject_patterns.is_empty() {
        return true;
    }
    matcher.subjects.iter().any(|s| s == subject)
        || matcher.subject_patterns.iter().any(|p| pattern_matches(p, subject))
}

/// Whether `text` matches a pattern in which `*` is any run of characters but `:` and `/`.
///
/// One pass with one point to fall back to: the last `*`. Since a `*` cannot cross a separator, falling back past a separator
/// is never needed, so the cost is at most the product of a segment's length and the pattern's.
fn pattern_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && t < text.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if p == pattern.len() && t == text.len() {
            return true;
        } else {
            match star {
                Some((after, from)) if from < text.len() && !matches!(text[from], b':' | b'/') => {
                    star = Some((after, from + 1));
                    p = after;
                    t = from + 1;
                }
                _ => return false,
            }
        }
    }
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

fn claim_holds(test: &ClaimTest, identity: &Identity) -> bool {
    let Some((first, rest)) = test.path.split_first() else { return false };
    let mut value = identity.claims().get(first.as_str());
    for name in rest {
        value = value.and_then(|v| v.as_object()).and_then(|object| object.get(name.as_str()));
    }
    let Some(value) = value else { return false };
    match &test.accepts {
        ClaimValues::In(accepted) => match value {
            Value::Array(items) => items.iter().any(|item| accepted.iter().any(|a| claim_equals(a, item))),
            single => accepted.iter().any(|a| claim_equals(a, single)),
        },
        ClaimValues::Words(accepted) => {
            value.as_str().is_some_and(|text| text.split(' ').any(|word| accepted.iter().any(|a| a == word)))
        }
    }
}

fn claim_equals(accepted: &ClaimValue, value: &Value) -> bool {
    match accepted {
        ClaimValue::Text(text) => value.as_str() == Some(text),
        ClaimValue::Integer(number) => value.as_i64() == Some(*number),
        ClaimValue::Boolean(flag) => value.as_bool() == Some(*flag),
    }
}

/// An actor is known by issuer and subject only; a matcher that asks for more does not match it.
fn actor_is(actor: &Actor, subject: &Subject, policy: &Policy) -> Kleene {
    match subject {
        Subject::Anyone => Kleene::True,
        Subject::Authenticated => is_default_issuer(&actor.issuer, policy).into(),
        Subject::AnyOf(matchers) => any(matchers.iter().map(|matcher| {
            let SubjectMatcher {
                issuers: _,
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
            let named = subjects.is_empty() && subject_patterns.is_empty()
                || actor.subject.as_ref().is_some_and(|s| is_subject_of(matcher, s));
            Kleene::from(is_issuer_of(matcher, &actor.issuer, policy) && !asks_for_more && named)
        })),
    }
}

/// Whether the login behind a request meets a login requirement.
pub(crate) fn login_meets(required: &Login, person: Person<'_>, now: Timestamp) -> Kleene {
    let identity = match person {
        Person::Nobody => return Kleene::False,
        Person::Unknowable => return Kleene::Unknown,
        Person::Known(identity) => identity,
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
    if let Some(max_age) = required.max_age_seconds {
        result = result.and(login.auth_time.map_or(Kleene::Unknown, |at| {
            let age = now.unix_seconds().saturating_sub(at.unix_seconds());
            if age < -AUTH_TIME_LEEWAY_SECONDS { Kleene::Unknown } else { (age <= i64::from(max_age)).into() }
        }));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_do_not_cross_separators() {
        let cases = [
            ("system:serviceaccount:*:web", "system:serviceaccount:prod:web", true),
            ("system:serviceaccount:*:web", "system:serviceaccount:a:b:web", false),
            ("spiffe://x/*/y", "spiffe://x/a/y", true),
            ("spiffe://x/*/y", "spiffe://x/a/b/y", false),
            ("*", "", true),
            ("*", "a", true),
            ("*", "a:b", false),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYbd", false),
            ("a*b*c", "a/b*c", false),
            ("*-*:*", "a-b-c:d", true),
            ("ab*", "a", false),
            ("a**b", "ab", true),
            ("x", "xy", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(pattern_matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
