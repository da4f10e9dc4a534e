//! What a denied caller is sent: something to go on with.
//!
//! A browser gets a page, a program `application/problem+json` (RFC 9457) with the members of the AuthZEN Access Request and Approval
//! Profile; both get the right status, `WWW-Authenticate` where a better credential would help, and the evaluation's id to quote.
//! Everything from outside is escaped here, for HTML, JSON and header values alike.
//!
//! | file | what it knows |
//! |---|---|
//! | `words` | the words for people: what happened, what one can do |
//! | `html` | the page |
//! | `problem` | the problem object |
//! | `challenge` | `WWW-Authenticate` |
//! | `accept` | which of the two a caller wants |
//!
//! Callers learn what they asked for, the reason's code, and the scope, approvals and login that would help. They do not learn
//! the rule, groups, networks, hours or approvers: the evaluation's id leads the operator there.

mod accept;
mod challenge;
mod html;
mod problem;
mod words;

use crate::answer::{Answer, Challenge};
use crate::request::Facts;
use luigi_core::decide::{Advice, Reason};
use luigi_core::identity::{Credential, InvalidCredential};
use luigi_core::policy::model::{Approval, Justification, Login};
use luigi_core::target::Host;
use luigi_core::time::Timestamp;
use std::collections::BTreeMap;

/// A response that takes the place of the backend's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// Names and values, free of control bytes; names are in lower case and once each.
    pub headers: Vec<(&'static str, String)>,
    /// The body, UTF-8.
    pub body: String,
}

/// The reply to a request that was refused.
///
/// `facts` are those that the answer is about; `None` if they were malformed. `accept` is the value of the `Accept` header: only a caller
/// that would rather have HTML than JSON gets a page. An answer that allows is one that
/// came out otherwise when it was looked at again, under a newer policy or a later time: still a 403, as the refused request was counted and
/// logged, with the advice to try again.
#[must_use]
pub fn render(answer: &Answer<'_>, facts: Option<&Facts<'_>>, accept: Option<&[u8]>, now: Timestamp) -> Reply {
    Refusal::of(answer, facts, now).render(accept)
}

/// What there is to say about a refusal; all a reply is made of.
#[derive(Clone, Debug)]
struct Refusal {
    status: u16,
    reason: Reason,
    remedy: Remedy,
    evaluation: String,
    at: Timestamp,
    /// The method and what the caller asked for, `host/path` in canonical form, as far as there is one.
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    subject: Option<Subject>,
}

/// Who was refused, to themselves.
#[derive(Clone, Debug)]
struct Subject {
    issuer: String,
    subject: String,
    email: Option<String>,
    kind: Option<String>,
}

/// How the caller could get an allow.
#[derive(Clone, Debug)]
enum Remedy {
    /// Not at all, as far as Luigi knows.
    None,
    /// With an identity.
    Authenticate,
    /// With a credential that is valid.
    NewCredential(BadCredential),
    /// With a login like this.
    StepUp(Login),
    /// With these approvals.
    RequestAccess(Vec<Wanted>),
    /// With the same request, later.
    Retry,
}

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BadCredential {
    Expired,
    Invalid(InvalidCredential),
}

/// An approval that would open a scope.
#[derive(Clone, Debug)]
struct Wanted {
    scope: String,
    approval: String,
    /// The values that a grant must be for: those of the captures that the approval is per.
    captures: BTreeMap<String, String>,
    justification: Justification,
    duration_seconds: u32,
    max_duration_seconds: u32,
}

impl Refusal {
    fn of(answer: &Answer<'_>, facts: Option<&Facts<'_>>, now: Timestamp) -> Self {
        let policy = answer.version().policy();
        let allowed = answer.decision().allows();
        let advice = answer.decision().advice;
        let remedy = match (answer.challenge(), answer.credential()) {
            _ if allowed => Remedy::Retry,
            (Some(Challenge::InvalidToken), Credential::Invalid(why)) => {
                Remedy::NewCredential(BadCredential::Invalid(why))
            }
            (Some(Challenge::InvalidToken), _) => Remedy::NewCredential(BadCredential::Expired),
            (Some(Challenge::Authenticate), _) => Remedy::Authenticate,
            (Some(Challenge::StepUp(login)), _) => {
                policy.logins.row(login).map_or(Remedy::Authenticate, |login| Remedy::StepUp(login.clone()))
            }
            (None, _) => match (advice, answer.decision().reason) {
                (Some(Advice::RequestAccess { approvals, .. }), _) => {
                    let wanted = approvals.iter().filter_map(|missing| {
                        let scope = policy.scopes.row(missing.scope)?;
                        let approval = policy.approvals.row(missing.approval)?;
                        let captures = answer.target().map(|target| missing.captures(policy, &target));
                        Some(Wanted::new(&scope.name, approval, captures.unwrap_or_default()))
                    });
                    Remedy::RequestAccess(wanted.collect())
                }
                (_, Reason::Deferred | Reason::InternalError | Reason::AuditUnavailable) => Remedy::Retry,
                (_, _) => Remedy::None,
            },
        };
        let (host, path) = match answer.target().and_then(|target| target.forwarded()) {
            Some(target) if answer.decision().reason != Reason::AmbiguousTarget => {
                let host = match target.host {
                    Host::Absent => None,
                    Host::Name(host) | Host::Address(host) => Some(host.to_owned()),
                };
                (host, Some(target.path.to_owned()))
            }
            Some(_) | None => (None, None),
        };
        Self {
            status: if allowed { 403 } else { answer.status_code() },
            reason: answer.decision().reason,
            remedy,
            evaluation: answer.id().to_string(),
            at: now,
            method: facts.map(|facts| String::from_utf8_lossy(facts.method).into_owned()),
            host,
            path,
            subject: answer.identity().map(|identity| Subject {
                issuer: identity.issuer().to_owned(),
                subject: identity.subject().to_owned(),
                email: identity.email().map(|email| email.address.as_ref().to_owned()),
                kind: identity.kind().map(str::to_owned),
            }),
        }
    }

    fn render(&self, accept: Option<&[u8]>) -> Reply {
        let (content_type, body) = match accept::preferred(accept) {
            accept::Preferred::Page => ("text/html; charset=utf-8", html::page(self)),
            accept::Preferred::Problem => ("application/problem+json", problem::object(self)),
        };
        let mut headers = vec![
            ("content-type", content_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("vary", "accept".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("x-luigi-evaluation", self.evaluation.clone()),
        ];
        if content_type.starts_with("text/html") {
            headers.push(("content-security-policy", html::content_security_policy()));
            headers.push(("referrer-policy", "no-referrer".to_owned()));
        }
        if let Some(challenge) = challenge::of(self) {
            headers.push(("www-authenticate", challenge));
        }
        if matches!(self.remedy, Remedy::Retry) {
            headers.push(("retry-after", RETRY_AFTER_SECONDS.to_string()));
        }
        Reply { status: self.status, headers, body }
    }

    /// `host/path`, or what there is of it.
    fn place(&self) -> Option<String> {
        let path = self.path.as_deref()?;
        Some(format!("{}{path}", self.host.as_deref().unwrap_or_default()))
    }
}

/// Verifications that had to wait are through long before.
const RETRY_AFTER_SECONDS: u32 = 1;

impl Wanted {
    fn new(scope: &str, approval: &Approval, captures: BTreeMap<String, String>) -> Self {
        Self {
            scope: scope.to_owned(),
            approval: approval.name.clone(),
            captures,
            justification: approval.justification,
            duration_seconds: approval.duration_seconds,
            max_duration_seconds: approval.max_duration_seconds,
        }
    }
}

#[cfg(test)]
mod tests;
