//! The numbers of the ABI. Each is written down once and never given another meaning; what goes away leaves a gap.
//!
//! INVARIANT (numbered): C is given these numbers and gives them back as plain integers, since any integer may come from there.

use luigi_core::decide::{Advice, Reason};
use luigi_core::identity::Credential;
use luigi_runtime::{Mode, Outcome};
use std::ffi::CStr;

/// The version of the ABI that this header describes; compare it with what `luigi_abi_version` says of the library. While Luigi is at 0.x the
/// two must be equal.
pub const LUIGI_ABI_VERSION: u32 = 3;

/// The version of Luigi that this header belongs to: the first number.
pub const LUIGI_VERSION_MAJOR: u32 = 0;
/// The second number.
pub const LUIGI_VERSION_MINOR: u32 = 1;
/// The third number.
pub const LUIGI_VERSION_PATCH: u32 = 0;

/// Room for a name (of a rule, a scope, an approval, a login), with the NUL byte behind it. Names of a policy have at most 64 bytes.
pub const LUIGI_NAME_SIZE: usize = 72;

/// Room for a revision: 64 hexadecimal digits and a NUL byte.
pub const LUIGI_REVISION_SIZE: usize = 65;

/// Room for the text of an evaluation id: 32 hexadecimal digits and a NUL byte.
pub const LUIGI_EVALUATION_ID_SIZE: usize = 33;

/// How many missing approvals a decision names.
pub const LUIGI_MAX_MISSING: usize = 8;

/// The longest text that is read, in bytes; a longer one is refused unread.
pub const LUIGI_MAX_TEXT: usize = 1048576;

/// The most elements that an array may have (headers, facts, groups, requests); a longer one is refused unread.
pub const LUIGI_MAX_ITEMS: usize = 4096;

/// How many numbers of reasons the arrays of `luigi_statistics` have room for.
pub const LUIGI_REASON_COUNT: usize = 64;

/// `luigi_features`: engines on policy files, and `luigi_policy_check`.
pub const LUIGI_FEATURE_POLICY_FILES: u64 = 1;
/// `luigi_features`: `luigi_explain`.
pub const LUIGI_FEATURE_EXPLAIN: u64 = 2;

/// What a call came to. `luigi_status_name` has the name of each.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_status {
    /// The call did what it is for.
    LUIGI_STATUS_OK = 0,
    /// A pointer is NULL that must not be, or a text or array is NULL with a length.
    LUIGI_STATUS_NULL = 1,
    /// A `struct_size` is not that of the library: it was not set, or the program was built for another version.
    LUIGI_STATUS_STRUCT_SIZE = 2,
    /// A handle is of another kind, or was never given out.
    LUIGI_STATUS_INVALID_HANDLE = 3,
    /// A handle was closed, or the engine of a context was.
    LUIGI_STATUS_CLOSED = 4,
    /// A context is in use by another thread, or by the call whose callback makes this one.
    LUIGI_STATUS_BUSY = 5,
    /// A text is not UTF-8 that must be.
    LUIGI_STATUS_INVALID_UTF8 = 6,
    /// A text is longer than `LUIGI_MAX_TEXT`, or an array than `LUIGI_MAX_ITEMS`. It was not read.
    LUIGI_STATUS_TOO_LONG = 7,
    /// An argument has no meaning: a number that is none of its enum, members that contradict each other, a pointer that is not aligned.
    LUIGI_STATUS_INVALID_ARGUMENT = 8,
    /// The caller's buffer has too little room.
    LUIGI_STATUS_BUFFER_TOO_SMALL = 9,
    /// A file, key or feed cannot be read or is not to be believed; the error says which and why.
    LUIGI_STATUS_UNUSABLE = 10,
    /// The policy has errors; the error or report has them all, with their places.
    LUIGI_STATUS_POLICY_ERRORS = 11,
    /// The library was built without this feature; see `luigi_features`.
    LUIGI_STATUS_UNSUPPORTED = 12,
    /// There are too many handles of the kind.
    LUIGI_STATUS_TOO_MANY = 13,
    /// Luigi itself failed; the standard error has a line about it. Whatever the call was about is usable as before.
    LUIGI_STATUS_INTERNAL = 14,
    /// The system refused something: a thread could not be started.
    LUIGI_STATUS_SYSTEM = 15,
}

/// What the rules in force answer.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_answer {
    /// They do not allow the request.
    LUIGI_DENY = 0,
    /// They allow it.
    LUIGI_ALLOW = 1,
}

/// What is to happen to the request, after the mode of the policy.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_outcome {
    /// Refuse it.
    LUIGI_REFUSE = 0,
    /// Let it pass: it is allowed, or the policy is only observed.
    LUIGI_PASS = 1,
}

/// Why a decision came out as it did. `luigi_reason_name` has the stable code of each, as logs have it.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_reason {
    /// Nothing was decided: the call failed.
    LUIGI_REASON_NONE = 0,
    /// An allow rule is true, and all requirements are met.
    LUIGI_REASON_ALLOWED_BY_RULE = 1,
    /// A CORS preflight that the scope lets pass.
    LUIGI_REASON_PREFLIGHT = 2,
    /// A deny rule is true.
    LUIGI_REASON_DENIED_BY_RULE = 3,
    /// A deny rule is unknown, so it may be true.
    LUIGI_REASON_DENY_RULE_UNKNOWN = 4,
    /// A login requirement is not met.
    LUIGI_REASON_LOGIN_REQUIRED = 5,
    /// A required subject is not met.
    LUIGI_REASON_SUBJECT_REQUIRED = 6,
    /// A required network is not met.
    LUIGI_REASON_SOURCE_REQUIRED = 7,
    /// A required schedule is not met.
    LUIGI_REASON_SCHEDULE_REQUIRED = 8,
    /// A required header, parameter, certificate or fact is not met.
    LUIGI_REASON_FACT_REQUIRED = 9,
    /// No grant meets a required approval.
    LUIGI_REASON_APPROVAL_REQUIRED = 10,
    /// An allow rule is unknown, and none is true.
    LUIGI_REASON_ALLOW_RULE_UNKNOWN = 11,
    /// No allow rule is true or unknown.
    LUIGI_REASON_NO_RULE_ALLOWS = 12,
    /// The facts about the request do not have the form they must have.
    LUIGI_REASON_MALFORMED_FACTS = 13,
    /// Two sensible servers could read the target differently.
    LUIGI_REASON_AMBIGUOUS_TARGET = 14,
    /// The request asks for another method than its own, and its host refuses that.
    LUIGI_REASON_METHOD_OVERRIDE = 15,
    /// The request asks for an upgrade of its connection, or may, and a scope that holds it refuses that.
    LUIGI_REASON_UPGRADE_REFUSED = 16,
    /// A credential was sent twice.
    LUIGI_REASON_AMBIGUOUS_CREDENTIAL = 17,
    /// Too many credentials wait for verification; worth a retry.
    LUIGI_REASON_DEFERRED = 18,
    /// An incident stop holds.
    LUIGI_REASON_STOPPED = 19,
    /// Luigi itself failed.
    LUIGI_REASON_INTERNAL_ERROR = 20,
    /// A scope that names frontends may hold the request, and at which frontend it came in is not known.
    LUIGI_REASON_FRONTEND_UNKNOWN = 21,
    /// The request is privileged and no record of it could be taken.
    LUIGI_REASON_AUDIT_UNAVAILABLE = 22,
}

/// How a denial could become an allow.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_advice {
    /// It could not, as far as is known; or it is no denial.
    LUIGI_ADVICE_NONE = 0,
    /// Come back with an identity.
    LUIGI_ADVICE_AUTHENTICATE = 1,
    /// Log in again, as the decision's `login` says.
    LUIGI_ADVICE_STEP_UP = 2,
    /// Ask for the approvals in the decision's `missing`.
    LUIGI_ADVICE_REQUEST_ACCESS = 3,
}

/// Whether decisions have effect.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_mode {
    /// Every request passes; what would have happened is told and counted.
    LUIGI_MODE_OBSERVE = 1,
    /// What is denied is refused.
    LUIGI_MODE_ENFORCE = 2,
}

/// What became of the credential of a request.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_credential {
    /// It was not looked at.
    LUIGI_CREDENTIAL_NONE = 0,
    /// There was none.
    LUIGI_CREDENTIAL_ABSENT = 1,
    /// It was verified, or the identity was asserted.
    LUIGI_CREDENTIAL_VERIFIED = 2,
    /// It is genuine, but its time is over.
    LUIGI_CREDENTIAL_EXPIRED = 3,
    /// It is not to be believed; the decision's `detail` says why.
    LUIGI_CREDENTIAL_INVALID = 4,
    /// It was sent twice.
    LUIGI_CREDENTIAL_AMBIGUOUS = 5,
    /// It was not verified, because too many verifications were asked for at once.
    LUIGI_CREDENTIAL_DEFERRED = 6,
}

/// How urgent a line of the log is.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_log_level {
    /// Somebody should look: a new version of the policy was refused, or Luigi itself failed.
    LUIGI_LOG_ERROR = 1,
    /// Something works other than was meant.
    LUIGI_LOG_WARNING = 2,
    /// All is well: a new version is in force.
    LUIGI_LOG_NOTICE = 3,
}

/// How a text is written.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_format {
    /// For people.
    LUIGI_FORMAT_TEXT = 1,
    /// For programs.
    LUIGI_FORMAT_JSON = 2,
}

/// How much `luigi_engine_poll` may do.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_poll {
    /// One slice of a few milliseconds at most, for event loops.
    LUIGI_POLL_SLICE = 1,
    /// Everything there is to do, for threads that may take their time.
    LUIGI_POLL_ALL = 2,
}

/// Whether a request asks for an upgrade of its connection (WebSocket).
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_upgrade {
    /// As its headers say; without headers it may.
    LUIGI_UPGRADE_AS_HEADERS_SAY = 0,
    /// It does not.
    LUIGI_UPGRADE_NO = 1,
    /// It does.
    LUIGI_UPGRADE_YES = 2,
}

/// What is known of a client certificate.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_certificate_state {
    /// The client presented none.
    LUIGI_CERTIFICATE_ABSENT = 1,
    /// The client presented one, and nobody verified it: whatever stands in it proves nothing.
    LUIGI_CERTIFICATE_UNVERIFIED = 2,
    /// The caller verified it: chain, validity, revocation.
    LUIGI_CERTIFICATE_VERIFIED = 3,
}

/// Whether something is so, as far as is known.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum luigi_truth {
    /// It is not known.
    LUIGI_UNKNOWN = 0,
    /// It is not so.
    LUIGI_FALSE = 1,
    /// It is so.
    LUIGI_TRUE = 2,
}

impl luigi_status {
    /// Every status. Not public, or the header would have it.
    pub(crate) const ALL: [Self; 16] = [
        Self::LUIGI_STATUS_OK,
        Self::LUIGI_STATUS_NULL,
        Self::LUIGI_STATUS_STRUCT_SIZE,
        Self::LUIGI_STATUS_INVALID_HANDLE,
        Self::LUIGI_STATUS_CLOSED,
        Self::LUIGI_STATUS_BUSY,
        Self::LUIGI_STATUS_INVALID_UTF8,
        Self::LUIGI_STATUS_TOO_LONG,
        Self::LUIGI_STATUS_INVALID_ARGUMENT,
        Self::LUIGI_STATUS_BUFFER_TOO_SMALL,
        Self::LUIGI_STATUS_UNUSABLE,
        Self::LUIGI_STATUS_POLICY_ERRORS,
        Self::LUIGI_STATUS_UNSUPPORTED,
        Self::LUIGI_STATUS_TOO_MANY,
        Self::LUIGI_STATUS_INTERNAL,
        Self::LUIGI_STATUS_SYSTEM,
    ];

    /// A word for it.
    pub(crate) const fn name(self) -> &'static CStr {
        match self {
            Self::LUIGI_STATUS_OK => c"ok",
            Self::LUIGI_STATUS_NULL => c"null",
            Self::LUIGI_STATUS_STRUCT_SIZE => c"struct-size",
            Self::LUIGI_STATUS_INVALID_HANDLE => c"invalid-handle",
            Self::LUIGI_STATUS_CLOSED => c"closed",
            Self::LUIGI_STATUS_BUSY => c"busy",
            Self::LUIGI_STATUS_INVALID_UTF8 => c"invalid-utf8",
            Self::LUIGI_STATUS_TOO_LONG => c"too-long",
            Self::LUIGI_STATUS_INVALID_ARGUMENT => c"invalid-argument",
            Self::LUIGI_STATUS_BUFFER_TOO_SMALL => c"buffer-too-small",
            Self::LUIGI_STATUS_UNUSABLE => c"unusable",
            Self::LUIGI_STATUS_POLICY_ERRORS => c"policy-errors",
            Self::LUIGI_STATUS_UNSUPPORTED => c"unsupported",
            Self::LUIGI_STATUS_TOO_MANY => c"too-many",
            Self::LUIGI_STATUS_INTERNAL => c"internal",
            Self::LUIGI_STATUS_SYSTEM => c"system",
        }
    }

    /// What it means, in words.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::LUIGI_STATUS_OK => "the call did what it is for",
            Self::LUIGI_STATUS_NULL => "a pointer is NULL that must not be, or a text or array is NULL with a length",
            Self::LUIGI_STATUS_STRUCT_SIZE => "a `struct_size` is not that of the library",
            Self::LUIGI_STATUS_INVALID_HANDLE => "a handle is of another kind, or was never given out",
            Self::LUIGI_STATUS_CLOSED => "a handle was closed",
            Self::LUIGI_STATUS_BUSY => "a context is in use",
            Self::LUIGI_STATUS_INVALID_UTF8 => "a text is not UTF-8",
            Self::LUIGI_STATUS_TOO_LONG => "a text or an array is longer than is read",
            Self::LUIGI_STATUS_INVALID_ARGUMENT => "an argument has no meaning",
            Self::LUIGI_STATUS_BUFFER_TOO_SMALL => "a buffer has too little room",
            Self::LUIGI_STATUS_UNUSABLE => "a file, key or feed cannot be used",
            Self::LUIGI_STATUS_POLICY_ERRORS => "the policy has errors",
            Self::LUIGI_STATUS_UNSUPPORTED => "the library was built without this feature",
            Self::LUIGI_STATUS_TOO_MANY => "there are too many handles of the kind",
            Self::LUIGI_STATUS_INTERNAL => "a failure inside luigi; the standard error has a line about it",
            Self::LUIGI_STATUS_SYSTEM => "the system refused something",
        }
    }
}

/// The number of a reason.
pub(crate) const fn reason_number(reason: Reason) -> luigi_reason {
    match reason {
        Reason::AllowedByRule => luigi_reason::LUIGI_REASON_ALLOWED_BY_RULE,
        Reason::Preflight => luigi_reason::LUIGI_REASON_PREFLIGHT,
        Reason::DeniedByRule => luigi_reason::LUIGI_REASON_DENIED_BY_RULE,
        Reason::DenyRuleUnknown => luigi_reason::LUIGI_REASON_DENY_RULE_UNKNOWN,
        Reason::LoginRequired => luigi_reason::LUIGI_REASON_LOGIN_REQUIRED,
        Reason::SubjectRequired => luigi_reason::LUIGI_REASON_SUBJECT_REQUIRED,
        Reason::SourceRequired => luigi_reason::LUIGI_REASON_SOURCE_REQUIRED,
        Reason::ScheduleRequired => luigi_reason::LUIGI_REASON_SCHEDULE_REQUIRED,
        Reason::FactRequired => luigi_reason::LUIGI_REASON_FACT_REQUIRED,
        Reason::ApprovalRequired => luigi_reason::LUIGI_REASON_APPROVAL_REQUIRED,
        Reason::AllowRuleUnknown => luigi_reason::LUIGI_REASON_ALLOW_RULE_UNKNOWN,
        Reason::NoRuleAllows => luigi_reason::LUIGI_REASON_NO_RULE_ALLOWS,
        Reason::MalformedFacts => luigi_reason::LUIGI_REASON_MALFORMED_FACTS,
        Reason::AmbiguousTarget => luigi_reason::LUIGI_REASON_AMBIGUOUS_TARGET,
        Reason::FrontendUnknown => luigi_reason::LUIGI_REASON_FRONTEND_UNKNOWN,
        Reason::MethodOverride => luigi_reason::LUIGI_REASON_METHOD_OVERRIDE,
        Reason::UpgradeRefused => luigi_reason::LUIGI_REASON_UPGRADE_REFUSED,
        Reason::AmbiguousCredential => luigi_reason::LUIGI_REASON_AMBIGUOUS_CREDENTIAL,
        Reason::Deferred => luigi_reason::LUIGI_REASON_DEFERRED,
        Reason::Stopped => luigi_reason::LUIGI_REASON_STOPPED,
        Reason::InternalError => luigi_reason::LUIGI_REASON_INTERNAL_ERROR,
        Reason::AuditUnavailable => luigi_reason::LUIGI_REASON_AUDIT_UNAVAILABLE,
    }
}

pub(crate) const fn advice_number(advice: Option<&Advice>) -> luigi_advice {
    match advice {
        None => luigi_advice::LUIGI_ADVICE_NONE,
        Some(Advice::Authenticate) => luigi_advice::LUIGI_ADVICE_AUTHENTICATE,
        Some(Advice::StepUp { .. }) => luigi_advice::LUIGI_ADVICE_STEP_UP,
        Some(Advice::RequestAccess { .. }) => luigi_advice::LUIGI_ADVICE_REQUEST_ACCESS,
    }
}

pub(crate) const fn answer_number(allows: bool) -> luigi_answer {
    if allows { luigi_answer::LUIGI_ALLOW } else { luigi_answer::LUIGI_DENY }
}

pub(crate) const fn outcome_number(outcome: Outcome) -> luigi_outcome {
    match outcome {
        Outcome::Pass => luigi_outcome::LUIGI_PASS,
        Outcome::Refuse => luigi_outcome::LUIGI_REFUSE,
    }
}

pub(crate) const fn mode_number(mode: Mode) -> luigi_mode {
    match mode {
        Mode::Observe => luigi_mode::LUIGI_MODE_OBSERVE,
        Mode::Enforce => luigi_mode::LUIGI_MODE_ENFORCE,
    }
}

pub(crate) const fn credential_number(credential: Credential<'_>) -> luigi_credential {
    match credential {
        Credential::Absent => luigi_credential::LUIGI_CREDENTIAL_ABSENT,
        Credential::Verified(_) => luigi_credential::LUIGI_CREDENTIAL_VERIFIED,
        Credential::Expired => luigi_credential::LUIGI_CREDENTIAL_EXPIRED,
        Credential::Invalid(_) => luigi_credential::LUIGI_CREDENTIAL_INVALID,
        Credential::Ambiguous => luigi_credential::LUIGI_CREDENTIAL_AMBIGUOUS,
        Credential::Deferred => luigi_credential::LUIGI_CREDENTIAL_DEFERRED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_from_one_and_fit_into_statistics() {
        let (later, numbers): (Vec<_>, Vec<_>) =
            Reason::ALL.into_iter().map(|reason| reason_number(reason) as i32).partition(|number| *number > 20);
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "a reason that came or went must not move the others");
        // Those that came later stand elsewhere in the order of reasons.
        assert_eq!(later, [21, 22]);
        assert!(numbers.len() + later.len() < LUIGI_REASON_COUNT);
    }

    #[test]
    fn the_header_is_of_this_version() {
        let version = format!("{LUIGI_VERSION_MAJOR}.{LUIGI_VERSION_MINOR}.{LUIGI_VERSION_PATCH}");
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
    }
}
