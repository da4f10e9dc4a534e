//! What filters, stories and tables look at, whatever the kind of an event.

use super::event::{
    AccessRequested, Answered, DaemonStarted, DaemonStopped, Decision, DecisionWord, Disclosure, Event, Expired,
    Granted, KeysChanged, LedgerMade, ModeChanged, Person, PolicyApplied, RecordsLost, RequestsCounted, Response,
    Retired, Revoked, SecretRotated, StopMade, Unstop,
};
use luigi_core::stop_set::Stopped;

/// The fields of an event that have the same meaning in every kind that has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Who: the subject, who acts for it, the approver, or who did it by name.
    pub who: [Option<&'a str>; 2],
    /// The issuer of the subject.
    pub issuer: Option<&'a str>,
    /// The approver.
    pub approver: Option<&'a str>,
    /// The scope.
    pub scope: Option<&'a str>,
    /// The determining rule.
    pub rule: Option<&'a str>,
    /// The decision.
    pub decision: Option<DecisionWord>,
    /// Why.
    pub reason: Option<&'a str>,
    /// The host.
    pub host: Option<&'a str>,
    /// The path.
    pub path: Option<&'a str>,
    /// The evaluation id.
    pub evaluation: Option<&'a str>,
    /// The access request's id.
    pub request: Option<&'a str>,
    /// The grant's id.
    pub grant: Option<&'a str>,
}

fn subject(person: &Person) -> Option<&str> {
    Some(&person.subject)
}

impl<'a> Fields<'a> {
    /// The fields of an event. Takes it apart without `..`, so that a new field is not forgotten here.
    #[must_use]
    pub fn of(event: &'a Event) -> Self {
        let by = |name: &'a str| Self { who: [Some(name), None], ..Self::default() };
        match event {
            Event::Decision(decision) => {
                let Decision {
                    evaluation,
                    node: _,
                    revision: _,
                    mode: _,
                    decision,
                    reason,
                    rule,
                    scope,
                    candidate: _,
                    candidate_reason: _,
                    candidate_rule: _,
                    advice: _,
                    outcome: _,
                    privileged: _,
                    grant,
                    person,
                    actor,
                    credential: _,
                    asserted_by: _,
                    detail: _,
                    source: _,
                    method: _,
                    host,
                    path,
                    received,
                    query: _,
                    user_agent: _,
                    cut: _,
                    spool: _,
                } = &**decision;
                Self {
                    who: [person.as_ref().and_then(subject), actor.as_ref().and_then(subject)],
                    issuer: person.as_ref().map(|person| person.issuer.as_str()),
                    scope: scope.as_deref(),
                    rule: rule.as_deref(),
                    decision: Some(*decision),
                    reason: Some(reason),
                    host: host.as_deref(),
                    path: path.as_deref().or(received.as_deref()),
                    evaluation: Some(evaluation),
                    grant: grant.as_deref(),
                    ..Self::default()
                }
            }
            Event::Response(Response { evaluation, reply: _ }) => {
                Self { evaluation: Some(evaluation), ..Self::default() }
            }
            Event::PolicyApplied(PolicyApplied {
                revision: _,
                previous: _,
                generation: _,
                by: name,
                mode: _,
                environment: _,
                changes: _,
            }) => by(name),
            Event::ModeChanged(ModeChanged { from: _, to: _, generation: _, by: name }) => by(name),
            Event::Stop(StopMade { id: _, what, until: _, reason: _, by: name }) => {
                let (stopped, scope) = match what {
                    Stopped::Scope(scope) => (None, Some(scope.as_str())),
                    Stopped::Subject { issuer: _, subject } => (Some(subject.as_str()), None),
                    Stopped::TokenId { issuer: _, id: _ } | Stopped::IssuedBefore { issuer: _, before: _ } => {
                        (None, None)
                    }
                };
                Self { who: [Some(name), stopped], scope, ..Self::default() }
            }
            Event::Unstop(Unstop { id: _, by: name, reason: _ }) => by(name),
            Event::AccessRequested(AccessRequested {
                request,
                evaluation,
                person,
                scope,
                approval: _,
                captures: _,
                seconds: _,
                justification: _,
            }) => Self {
                who: [subject(person), None],
                issuer: Some(&person.issuer),
                scope: Some(scope),
                evaluation: evaluation.as_deref(),
                request: Some(request),
                ..Self::default()
            },
            Event::Approved(Answered { request, approver, via: _, comment: _ })
            | Event::Rejected(Answered { request, approver, via: _, comment: _ }) => Self {
                who: [subject(approver), None],
                approver: subject(approver),
                request: Some(request),
                ..Self::default()
            },
            Event::Granted(Granted { grant, request, person, scope, approval: _, captures: _, from: _, until: _ }) => {
                Self {
                    who: [subject(person), None],
                    issuer: Some(&person.issuer),
                    scope: Some(scope),
                    request: request.as_deref(),
                    grant: Some(grant),
                    ..Self::default()
                }
            }
            Event::Revoked(Revoked { grant, by: name, reason: _ }) => Self { grant: Some(grant), ..by(name) },
            Event::Expired(Expired { grant }) => Self { grant: Some(grant), ..Self::default() },
            Event::SecretRotated(SecretRotated { secret: _, by: name })
            | Event::KeysChanged(KeysChanged { issuer: _, keys: _, sha256: _, by: name }) => by(name),
            Event::Disclosure(Disclosure { by: name, reason: _, query: _ }) => by(name),
            Event::LedgerMade(LedgerMade { ledger: _, tool: _ })
            | Event::RecordsLost(RecordsLost { count: _, place: _, reason: _, counts: _, since: _ })
            | Event::RequestsCounted(RequestsCounted { count: _, since: _, place: _ })
            | Event::DaemonStarted(DaemonStarted { node: _, tool: _, process: _ })
            | Event::DaemonStopped(DaemonStopped { node: _, process: _ })
            | Event::Retired(Retired { ledger: _, first: _, last: _, previous: _, head: _, file: _, sha256: _ }) => {
                Self::default()
            }
        }
    }
}
