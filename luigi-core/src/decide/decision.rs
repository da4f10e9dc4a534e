//! What a decision says.

use crate::matchers::Captures;
use crate::policy::model::{ApprovalId, Audit, LoginId, PatternId, Policy, RuleId, ScopeId};
use crate::target::Target;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The decision and the candidate decision on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// What the rules in force answer.
    pub decision: Decision,
    /// What all rules, the observed ones included, would answer.
    pub candidate: Decision,
    /// Whether the target lies in any privileged scope, whichever rule decides. A property of the target, not of the rule.
    pub privileged: bool,
    /// What becomes of the request if no record of it can be taken: what the strictest of the privileged scopes says; [`Audit::BestEffort`] if it is not
    /// privileged.
    pub audit: Audit,
    /// For how many seconds nothing may flow through the connection that the request upgrades until it is closed; `None` if it asks for no
    /// upgrade, if it was refused before all rules, or if no scope that holds it says how long.
    pub tunnel_seconds: Option<u32>,
}

impl Evaluation {
    /// A refusal before all rules, of a request of which nothing is known.
    // PERF: no constant, which would be copied whole, with all the room for advice.
    #[must_use]
    #[inline]
    pub fn refused(reason: Reason) -> Self {
        Self {
            decision: Decision::refused(reason),
            candidate: Decision::refused(reason),
            privileged: false,
            audit: Audit::BestEffort,
            tunnel_seconds: None,
        }
    }

    /// A refusal with nothing said in it yet: so that one which nobody fills denies.
    #[inline]
    pub(super) fn undecided() -> Self {
        Self::refused(Reason::InternalError)
    }

    /// Makes this one in which nothing has been said yet.
    // PERF: of advice nothing is written but that there is none.
    #[inline]
    pub(super) fn forget(&mut self) {
        let Self { decision, candidate, privileged, audit, tunnel_seconds } = self;
        decision.forget();
        candidate.forget();
        (*privileged, *audit, *tunnel_seconds) = (false, Audit::BestEffort, None);
    }

    /// Refuses before all rules.
    #[cold]
    pub(super) fn refuse(&mut self, reason: Reason, privilege: Privilege) {
        (self.decision, self.candidate) = (Decision::refused(reason), Decision::refused(reason));
        (self.privileged, self.audit) = (privilege.is_privileged(), privilege.audit());
    }

    /// Makes the candidate decision, in which nothing has been said yet, the decision.
    #[inline]
    pub(super) fn nothing_observed(&mut self) {
        let Decision { reason, rule, restricted_by, scope, advice } = &self.decision;
        (self.candidate.reason, self.candidate.rule) = (*reason, *rule);
        (self.candidate.restricted_by, self.candidate.scope) = (*restricted_by, *scope);
        // PERF: room for advice is most of a decision, and most have none.
        if advice.is_some() {
            self.candidate.advice = *advice;
        }
    }

    /// What this reading of a target and another one come to: the first denial, if there is one, and privilege if either has it.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let strictest = |a: Decision, b: Decision| if a.allows() && !b.allows() { b } else { a };
        Self {
            decision: strictest(self.decision, other.decision),
            candidate: strictest(self.candidate, other.candidate),
            privileged: self.privileged || other.privileged,
            audit: self.audit.max(other.audit),
            tunnel_seconds: [self.tunnel_seconds, other.tunnel_seconds].into_iter().flatten().min(),
        }
    }
}

/// What a target makes of a request. The stricter, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Privilege {
    /// That of a target in no privileged scope.
    None,
    /// Privileged; without a record the request passes all the same.
    BestEffort,
    /// Privileged; without a record the request is refused.
    AuditRequired,
}

impl Privilege {
    /// As [`Evaluation`] says it.
    pub(super) fn is_privileged(self) -> bool {
        self > Self::None
    }

    /// As [`Evaluation`] says it.
    pub(super) fn audit(self) -> Audit {
        match self {
            Self::AuditRequired => Audit::Required,
            Self::None | Self::BestEffort => Audit::BestEffort,
        }
    }
}

/// An answer with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why. Whether the request may proceed follows from it: see [`Decision::allows`].
    pub reason: Reason,
    /// The determining rule: the one with the smallest id in the class that `reason` names.
    pub rule: Option<RuleId>,
    /// The restrict rule that asked for what is unmet, if one did.
    pub restricted_by: Option<RuleId>,
    /// The scope in which the determining rule holds the request; the smallest if several, `None` for `scopes = "all"`.
    pub scope: Option<ScopeId>,
    /// How this denial could become an allow.
    pub advice: Option<Advice>,
}

impl Decision {
    /// A denial before any rule.
    #[must_use]
    #[inline]
    pub const fn refused(reason: Reason) -> Self {
        Self { reason, rule: None, restricted_by: None, scope: None, advice: None }
    }

    #[inline]
    fn forget(&mut self) {
        let Self { reason, rule, restricted_by, scope, advice } = self;
        (*reason, *rule, *restricted_by, *scope, *advice) = (Reason::InternalError, None, None, None, None);
    }

    /// Whether the request may proceed.
    #[must_use]
    pub const fn allows(&self) -> bool {
        matches!(self.reason, Reason::AllowedByRule | Reason::Preflight)
    }
}

/// Why a decision came out as it did. Exhaustive: match it without `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// An allow rule is true and all its requirements and those of every restrict rule are met.
    AllowedByRule,
    /// A CORS preflight for what a scope holds that lets them pass, and no deny rule is in the way.
    Preflight,
    /// A deny rule is true.
    DeniedByRule,
    /// A deny rule is unknown, so it may be true.
    DenyRuleUnknown,
    /// An allow rule is true but a login requirement is not met.
    LoginRequired,
    /// An allow rule is true but a required subject is not met.
    SubjectRequired,
    /// An allow rule is true but a required network is not met.
    SourceRequired,
    /// An allow rule is true but a required schedule is not met.
    ScheduleRequired,
    /// An allow rule is true but a required header, parameter, certificate or fact is not met.
    FactRequired,
    /// An allow rule is true but no grant meets a required approval.
    ApprovalRequired,
    /// An allow rule is unknown, none is true.
    AllowRuleUnknown,
    /// No allow rule is true or unknown.
    NoRuleAllows,
    /// The facts about the request do not have the form they must have.
    MalformedFacts,
    /// Two sensible servers could read the target differently.
    AmbiguousTarget,
    /// A scope that names frontends may hold the request, and at which frontend it came in is not known.
    FrontendUnknown,
    /// The request asks for another method than its own, and its host refuses that.
    MethodOverride,
    /// The request asks for an upgrade of its connection, or may, and a scope that holds it refuses that.
    UpgradeRefused,
    /// A credential was sent twice.
    AmbiguousCredential,
    /// Too many credentials wait for verification; worth a retry.
    Deferred,
    /// An incident stop holds for the scope, for who asks or acts, or for the token.
    Stopped,
    /// Something inside failed; never because of what a policy says.
    InternalError,
    /// The request is privileged and no record of it could be taken. Never said by [`Snapshot::decide`](crate::snapshot::Snapshot::decide), which
    /// records nothing: whoever keeps records makes it of what was decided.
    AuditUnavailable,
}

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Self; 22] = [
        Self::AllowedByRule,
        Self::Preflight,
        Self::DeniedByRule,
        Self::DenyRuleUnknown,
        Self::LoginRequired,
        Self::SubjectRequired,
        Self::SourceRequired,
        Self::ScheduleRequired,
        Self::FactRequired,
        Self::ApprovalRequired,
        Self::AllowRuleUnknown,
        Self::NoRuleAllows,
        Self::MalformedFacts,
        Self::AmbiguousTarget,
        Self::FrontendUnknown,
        Self::MethodOverride,
        Self::UpgradeRefused,
        Self::AmbiguousCredential,
        Self::Deferred,
        Self::Stopped,
        Self::InternalError,
        Self::AuditUnavailable,
    ];

    /// The stable code, as in logs and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowedByRule => "allowed-by-rule",
            Self::Preflight => "preflight",
            Self::DeniedByRule => "denied-by-rule",
            Self::DenyRuleUnknown => "deny-rule-unknown",
            Self::LoginRequired => "login-required",
            Self::SubjectRequired => "subject-required",
            Self::SourceRequired => "source-required",
            Self::ScheduleRequired => "schedule-required",
            Self::FactRequired => "fact-required",
            Self::ApprovalRequired => "approval-required",
            Self::AllowRuleUnknown => "allow-rule-unknown",
            Self::NoRuleAllows => "no-rule-allows",
            Self::MalformedFacts => "malformed-facts",
            Self::AmbiguousTarget => "ambiguous-target",
            Self::FrontendUnknown => "frontend-unknown",
            Self::MethodOverride => "method-override",
            Self::UpgradeRefused => "upgrade-refused",
            Self::AmbiguousCredential => "ambiguous-credential",
            Self::Deferred => "deferred",
            Self::Stopped => "stopped",
            Self::InternalError => "internal-error",
            Self::AuditUnavailable => "audit-unavailable",
        }
    }
}

/// How a denial could become an allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Come back with an identity: some identity would be allowed, or could ask.
    Authenticate,
    /// Log in again, like this. The rule that asks for it is the decision's or a restrict rule.
    StepUp {
        /// The first unmet login requirement: the allow rule's own, else that of the restrict rule with the smallest id.
        login: LoginId,
        /// The allow rule that lacks least.
        rule: RuleId,
    },
    /// Ask for these approvals.
    RequestAccess {
        /// All that are missing, once each.
        approvals: MissingApprovals,
        /// The allow rule that lacks least.
        rule: RuleId,
    },
}

impl Advice {
    /// The word for it: `authenticate`, `step-up` or `request-access`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::StepUp { .. } => "step-up",
            Self::RequestAccess { .. } => "request-access",
        }
    }
}

/// An approval that is missing for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingApproval {
    /// The scope it must open.
    pub scope: ScopeId,
    /// The approval; where a rule accepts either of several, each that the caller may ask for is listed.
    pub approval: ApprovalId,
    /// If the approval is per capture: the pattern of the scope that has the values, the first of those that agree in them.
    pub pattern: Option<PatternId>,
    /// The reading of the target that was denied, and whose captures these are.
    pub reading: Reading,
}

/// Which reading of a target a decision is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// The only one, or of several the one that keeps what is ambiguous as it stands.
    #[default]
    AsItStands,
    /// Of several the one that is decoded once more.
    Decoded,
    /// Of three the one that ends at the first `;`.
    Cut,
}

impl MissingApproval {
    /// The values that a grant must be for: those of the captures that the approval is per, decoded.
    ///
    /// `policy` and `target` are those of the decision. Allocates.
    #[must_use]
    pub fn captures(&self, policy: &Policy, target: &Target<'_>) -> BTreeMap<String, String> {
        let target = match (target, self.reading) {
            (Target::Canonical(target), _) => *target,
            (Target::Readings(readings), Reading::AsItStands) => readings.as_it_stands(),
            (Target::Readings(readings), Reading::Decoded) => readings.decoded(),
            (Target::Readings(readings), Reading::Cut) => readings.cut().unwrap_or(readings.decoded()),
            (Target::Ambiguous(_), _) => return BTreeMap::new(),
        };
        let pattern = self.pattern.and_then(|id| policy.scopes.row(self.scope)?.pattern(id));
        let (Some((host, path)), Some(approval)) = (pattern, policy.approvals.row(self.approval)) else {
            return BTreeMap::new();
        };
        let captures = Captures::new(host, path, target);
        approval.per.iter().filter_map(|name| Some((name.clone(), captures.value(name)?.to_string()))).collect()
    }
}

/// Up to [`MissingApprovals::CAPACITY`] missing approvals, sorted by scope and approval, once each, all of one reading.
///
/// Kept inline so that a decision allocates nothing. If more are missing the smallest are kept: once those are granted, the next
/// denial names the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingApprovals {
    // PERF: the reading stands here once, since every decision is copied with room for all of them.
    items: [Option<(ScopeId, ApprovalId, Option<PatternId>)>; Self::CAPACITY],
    reading: Reading,
}

impl MissingApprovals {
    /// How many are kept.
    pub const CAPACITY: usize = 8;

    /// None, of a reading.
    #[must_use]
    pub const fn of(reading: Reading) -> Self {
        Self { items: [None; Self::CAPACITY], reading }
    }

    /// Adds one, unless it is there already. The pattern is as in [`MissingApproval`].
    pub fn insert(&mut self, scope: ScopeId, approval: ApprovalId, pattern: Option<PatternId>) {
        let mut carried = Some((scope, approval, pattern));
        for slot in &mut self.items {
            match (*slot, carried) {
                (_, None) => return,
                (Some(held), Some(new)) if held == new => return,
                (Some(held), Some(new)) if held < new => {}
                _ => std::mem::swap(slot, &mut carried),
            }
        }
    }

    /// The missing approvals in order.
    pub fn iter(&self) -> impl Iterator<Item = MissingApproval> {
        let reading = self.reading;
        let items = self.items.iter().flatten();
        items.map(move |(scope, approval, pattern)| MissingApproval {
            scope: *scope,
            approval: *approval,
            pattern: *pattern,
            reading,
        })
    }
}

// INVARIANT (small-decisions): both decisions are copied on their way to the caller, several times.
const _: () = assert!(size_of::<Evaluation>() <= 256);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::TableId;

    #[test]
    fn missing_approvals_are_sorted_distinct_and_bounded() {
        let missing = |scope, approval| MissingApproval {
            scope: ScopeId::from_index(scope),
            approval: ApprovalId::from_index(approval),
            pattern: None,
            reading: Reading::Decoded,
        };
        let mut list = MissingApprovals::of(Reading::Decoded);
        let add = |list: &mut MissingApprovals, MissingApproval { scope, approval, pattern, reading: _ }| {
            list.insert(scope, approval, pattern);
        };
        for n in [5, 3, 9, 3, 5, 1] {
            add(&mut list, missing(0, n));
        }
        assert!(list.iter().eq([1, 3, 5, 9].map(|n| missing(0, n))));
        for n in 10..30 {
            add(&mut list, missing(1, n));
        }
        add(&mut list, missing(0, 0));
        assert_eq!(list.iter().count(), MissingApprovals::CAPACITY);
        assert!(list.iter().take(5).eq([0, 1, 3, 5, 9].map(|n| missing(0, n))));
    }

    #[test]
    fn reasons_have_distinct_codes_that_serde_uses_too() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
