//! What came out of one evaluation, and what HTTP says about it.

use crate::evaluation_id::EvaluationId;
use crate::facts::Malformed;
use crate::version::Version;
use luigi_core::decide::{Advice, Decision, Evaluation, Reason, Source};
use luigi_core::identity::{Credential, Identity};
use luigi_core::policy::model::{LoginId, Mode};
use luigi_core::target::Target;
use serde::{Deserialize, Serialize};

/// What happens to a request, after the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It goes on to its backend.
    Pass,
    /// It is answered with a refusal.
    Refuse,
}

impl Outcome {
    /// The word for it: `pass` or `refuse`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Refuse => "refuse",
        }
    }
}

/// What a `WWW-Authenticate` field has to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// No credential was sent and some identity would do (RFC 6750, section 3: no error code).
    Authenticate,
    /// The credential is expired or not to be believed: `error="invalid_token"`.
    InvalidToken,
    /// A fresher or stronger login is needed: `error="insufficient_user_authentication"` (RFC 9470).
    StepUp(LoginId),
}

/// The answer to one request. Everything is borrowed from the [`Context`](crate::Context) that gave it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub(crate) id: EvaluationId,
    pub(crate) outcome: Outcome,
    pub(crate) evaluation: Evaluation,
    pub(crate) credential: Credential<'a>,
    pub(crate) source: Source,
    pub(crate) target: Option<Target<'a>>,
    pub(crate) rewritten: Option<&'a str>,
    pub(crate) malformed: Option<Malformed>,
    pub(crate) version: &'a Version,
}

impl<'a> Answer<'a> {
    /// What happens to the request, after the mode.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Names this evaluation in logs and the ledger.
    #[must_use]
    pub fn id(&self) -> EvaluationId {
        self.id
    }

    /// Decision and candidate decision.
    #[must_use]
    pub fn evaluation(&self) -> &Evaluation {
        &self.evaluation
    }

    /// What the rules in force answer; the mode of the policy plays no part.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.evaluation.decision
    }

    /// What all rules, the observed ones included, would answer.
    #[must_use]
    pub fn candidate(&self) -> &Decision {
        &self.evaluation.candidate
    }

    /// The mode of the version that answered.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.version.mode()
    }

    /// The version that answered.
    #[must_use]
    pub fn version(&self) -> &'a Version {
        self.version
    }

    /// What the request carried to say who asks, after verification.
    #[must_use]
    pub fn credential(&self) -> Credential<'a> {
        self.credential
    }

    /// Where the request comes from, as decided: the peer, or what a trusted proxy says.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Who asks, if a credential was verified.
    #[must_use]
    pub fn identity(&self) -> Option<&'a Identity> {
        match self.credential {
            Credential::Verified(identity) => Some(identity),
            Credential::Absent
            | Credential::Expired
            | Credential::Invalid(_)
            | Credential::Ambiguous
            | Credential::Deferred => None,
        }
    }

    /// Host and path in canonical form or why there is none; `None` if the evaluation did not come that far.
    #[must_use]
    pub fn target(&self) -> Option<Target<'a>> {
        self.target
    }

    /// The name of the decision's determining rule.
    #[must_use]
    pub fn rule_name(&self) -> Option<&'a str> {
        self.name_of_rule(self.evaluation.decision.rule)
    }

    /// The name of the candidate decision's determining rule.
    #[must_use]
    pub fn candidate_rule_name(&self) -> Option<&'a str> {
        self.name_of_rule(self.evaluation.candidate.rule)
    }

    /// The name of the scope in which the determining rule holds the request.
    #[must_use]
    pub fn scope_name(&self) -> Option<&'a str> {
        let id = self.evaluation.decision.scope?;
        self.version.policy().scopes.row(id).map(|scope| scope.name.as_str())
    }

    /// The path that the backend must get in place of the one that was received, so that it sees what was decided: the canonical
    /// path with escapes of reserved characters as they were sent, where it differs from the received one and the decision has effect. `None` while observing, which changes nothing.
    #[must_use]
    pub fn path_to_forward(&self) -> Option<&'a str> {
        match (self.outcome, self.mode()) {
            (Outcome::Pass, Mode::Enforce) => self.rewritten,
            (Outcome::Refuse, _) | (Outcome::Pass, Mode::Observe) => None,
        }
    }

    /// For how many seconds nothing may flow through the connection that the request upgrades until the proxy has to close it; `None` if
    /// it upgrades none, if there is no limit, and while observing, which changes nothing.
    #[must_use]
    pub fn tunnel_seconds(&self) -> Option<u32> {
        match (self.outcome, self.mode()) {
            (Outcome::Pass, Mode::Enforce) => self.evaluation.tunnel_seconds,
            (Outcome::Refuse, _) | (Outcome::Pass, Mode::Observe) => None,
        }
    }

    /// What is wrong with the request itself, as a stable code: how its facts are malformed, why its target is ambiguous, why its
    /// credential is not believed; the first of these that applies.
    #[must_use]
    pub fn detail(&self) -> Option<&'static str> {
        if let Some(why) = self.malformed {
            return Some(why.as_str());
        }
        if let (Reason::AmbiguousTarget, Some(why)) =
            (self.decision().reason, self.target.and_then(|it| it.ambiguity()))
        {
            return Some(why.as_str());
        }
        match self.credential {
            Credential::Invalid(why) => Some(why.as_str()),
            Credential::Absent
            | Credential::Verified(_)
            | Credential::Expired
            | Credential::Ambiguous
            | Credential::Deferred => None,
        }
    }

    /// What to challenge the caller for, if the decision is a denial that a better credential could change.
    #[must_use]
    pub fn challenge(&self) -> Option<Challenge> {
        match self.evaluation.decision.reason {
            // A deny rule that exempts some identity can be cured by one; a better token in place of a bad one is not promised to.
            Reason::DeniedByRule => {
                let absent = matches!(self.credential, Credential::Absent);
                let advised = matches!(self.evaluation.decision.advice, Some(Advice::Authenticate));
                return (absent && advised).then_some(Challenge::Authenticate);
            }
            Reason::AllowedByRule
            | Reason::Preflight
            | Reason::MalformedFacts
            | Reason::AmbiguousTarget
            | Reason::MethodOverride
            | Reason::FrontendUnknown
            | Reason::UpgradeRefused
            | Reason::AmbiguousCredential
            | Reason::Deferred
            | Reason::Stopped
            | Reason::InternalError
            | Reason::AuditUnavailable => return None,
            Reason::DenyRuleUnknown
            | Reason::LoginRequired
            | Reason::SubjectRequired
            | Reason::SourceRequired
            | Reason::ScheduleRequired
            | Reason::FactRequired
            | Reason::ApprovalRequired
            | Reason::AllowRuleUnknown
            | Reason::NoRuleAllows => {}
        }
        if matches!(self.credential, Credential::Expired | Credential::Invalid(_)) {
            return Some(Challenge::InvalidToken);
        }
        match self.evaluation.decision.advice {
            Some(Advice::Authenticate) => Some(Challenge::Authenticate),
            Some(Advice::StepUp { login, .. }) => Some(Challenge::StepUp(login)),
            Some(Advice::RequestAccess { .. }) | None => None,
        }
    }

    /// The HTTP status for the decision, whatever the mode makes of it: 200 if it allows.
    ///
    /// | status | when |
    /// |---|---|
    /// | 400 | the request itself is at fault: malformed facts, an ambiguous target, a method override, two credentials |
    /// | 401 | there is a [`challenge`](Self::challenge): nobody, an expired or invalid token, a login that is too weak or too old |
    /// | 403 | any other denial; also under an invalid token if a deny rule is true, since a better token would not help |
    /// | 503 | too many verifications at once, or a failure of our own, or no record could be taken: worth a retry |
    #[must_use]
    pub fn status_code(&self) -> u16 {
        match self.evaluation.decision.reason {
            Reason::AllowedByRule | Reason::Preflight => 200,
            Reason::MalformedFacts | Reason::AmbiguousTarget | Reason::MethodOverride | Reason::AmbiguousCredential => {
                400
            }
            Reason::Deferred | Reason::InternalError | Reason::AuditUnavailable => 503,
            Reason::FrontendUnknown
            | Reason::UpgradeRefused
            | Reason::Stopped
            | Reason::DeniedByRule
            | Reason::DenyRuleUnknown
            | Reason::LoginRequired
            | Reason::SubjectRequired
            | Reason::SourceRequired
            | Reason::ScheduleRequired
            | Reason::FactRequired
            | Reason::ApprovalRequired
            | Reason::AllowRuleUnknown
            | Reason::NoRuleAllows => {
                if self.challenge().is_some() {
                    401
                } else {
                    403
                }
            }
        }
    }

    fn name_of_rule(&self, rule: Option<luigi_core::policy::model::RuleId>) -> Option<&'a str> {
        self.version.policy().rules.row(rule?).map(|rule| rule.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, EngineConfig};
    use luigi_core::decide::{MissingApprovals, Reading};
    use luigi_core::identity::InvalidCredential;
    use luigi_core::policy::model::{Audit, RuleId, TableId as _};

    #[test]
    fn the_status_follows_from_reason_credential_and_advice() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("policy.toml");
        std::fs::write(&path, "schema = 1\n").unwrap();
        let engine = Engine::open(&EngineConfig::policy_file(path)).unwrap();
        let mut context = engine.context();
        let answer = context.evaluate_malformed(Malformed::CutOff, crate::now());
        let (login, rule) = (LoginId::from_index(0), RuleId::from_index(0));
        let step_up = Some(Advice::StepUp { login, rule });
        let ask = Some(Advice::RequestAccess { approvals: MissingApprovals::of(Reading::AsItStands), rule });
        let invalid = Credential::Invalid(InvalidCredential::BadSignature);
        let (none, authenticate) = (None, Some(Advice::Authenticate));
        for (reason, credential, advice, status, challenge) in [
            (Reason::AllowedByRule, Credential::Absent, none, 200, None),
            (Reason::AllowedByRule, invalid, none, 200, None),
            (Reason::NoRuleAllows, Credential::Absent, none, 403, None),
            (Reason::NoRuleAllows, Credential::Absent, authenticate, 401, Some(Challenge::Authenticate)),
            (Reason::NoRuleAllows, invalid, none, 401, Some(Challenge::InvalidToken)),
            (Reason::AllowRuleUnknown, Credential::Expired, none, 401, Some(Challenge::InvalidToken)),
            (Reason::DenyRuleUnknown, Credential::Expired, none, 401, Some(Challenge::InvalidToken)),
            (Reason::DenyRuleUnknown, Credential::Absent, none, 403, None),
            (Reason::DeniedByRule, invalid, none, 403, None),
            (Reason::LoginRequired, Credential::Absent, step_up, 401, Some(Challenge::StepUp(login))),
            (Reason::ApprovalRequired, Credential::Absent, ask, 403, None),
            (Reason::SourceRequired, Credential::Absent, none, 403, None),
            (Reason::UpgradeRefused, invalid, none, 403, None),
            (Reason::FrontendUnknown, invalid, none, 403, None),
            (Reason::MalformedFacts, Credential::Absent, none, 400, None),
            (Reason::AmbiguousTarget, invalid, none, 400, None),
            (Reason::AmbiguousCredential, Credential::Ambiguous, none, 400, None),
            (Reason::Deferred, Credential::Deferred, none, 503, None),
            (Reason::InternalError, Credential::Absent, none, 503, None),
            (Reason::AuditUnavailable, invalid, authenticate, 503, None),
        ] {
            let decision = Decision { advice, ..Decision::refused(reason) };
            let evaluation = Evaluation {
                decision,
                candidate: decision,
                privileged: false,
                audit: Audit::BestEffort,
                tunnel_seconds: None,
            };
            let answer = Answer { evaluation, credential, ..answer };
            assert_eq!((answer.status_code(), answer.challenge()), (status, challenge), "{reason:?} {credential:?}");
        }
    }
}
