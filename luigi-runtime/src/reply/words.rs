//! The words for people: what happened, and what they can do about it. English, plain, without names of rules.

use super::{BadCredential, Refusal, Remedy, Wanted};
use luigi_core::decide::Reason;
use luigi_core::identity::InvalidCredential;
use luigi_core::policy::model::{Justification, Login};

/// A short title for a refusal, as a heading and as `title` of a problem object: the same for each reason and remedy.
pub(super) fn title(refusal: &Refusal) -> &'static str {
    match &refusal.remedy {
        Remedy::Authenticate => "Please log in",
        Remedy::NewCredential(BadCredential::Expired) => "Your login has expired",
        Remedy::NewCredential(BadCredential::Invalid(_)) => "Your login is not valid here",
        Remedy::StepUp(_) => "Please log in again",
        Remedy::RequestAccess(_) => "This needs an approval",
        Remedy::Retry => "Please try again",
        Remedy::None => match refusal.reason {
            Reason::MalformedFacts | Reason::AmbiguousTarget | Reason::MethodOverride | Reason::AmbiguousCredential => {
                "This request is not clear"
            }
            Reason::Deferred | Reason::InternalError | Reason::AuditUnavailable => "Please try again",
            Reason::UpgradeRefused => "No lasting connection here",
            Reason::Stopped => "This is closed for now",
            Reason::SourceRequired => "Not from this network",
            Reason::ScheduleRequired => "Not at this time",
            Reason::AllowedByRule
            | Reason::Preflight
            | Reason::DeniedByRule
            | Reason::DenyRuleUnknown
            | Reason::LoginRequired
            | Reason::SubjectRequired
            | Reason::FactRequired
            | Reason::ApprovalRequired
            | Reason::AllowRuleUnknown
            | Reason::FrontendUnknown
            | Reason::NoRuleAllows => "You have no access to this",
        },
    }
}

/// What happened, in a sentence or two.
pub(super) fn detail(refusal: &Refusal) -> String {
    match &refusal.remedy {
        Remedy::Authenticate => {
            "This is open to people who have logged in, and this request came without a login.".to_owned()
        }
        Remedy::NewCredential(BadCredential::Expired) => {
            "The login that came with this request is no longer valid.".to_owned()
        }
        Remedy::NewCredential(BadCredential::Invalid(why)) => {
            format!("The login that came with this request was not accepted: {}.", invalid(*why))
        }
        Remedy::StepUp(login) => format!("You may do this after a login that fits: {}.", self::login(login)),
        Remedy::RequestAccess(_) => "You may do this once somebody has approved it.".to_owned(),
        Remedy::Retry | Remedy::None => match refusal.reason {
            Reason::MalformedFacts => {
                "The request has a form that servers could read in different ways, so it went no further."
            }
            Reason::AmbiguousTarget => {
                "The address has a form that servers could read in different ways, so it went no further."
            }
            Reason::MethodOverride => {
                "The request asks for another method than its own, so it is not clear what it would do."
            }
            Reason::UpgradeRefused => {
                "The request asks for a connection that would last beyond it, and this place does not take any."
            }
            Reason::AmbiguousCredential => "The request carries more than one login, so it is not clear whose it is.",
            Reason::Deferred => "Too many new logins arrived at once. Nothing is wrong with your request.",
            Reason::InternalError => "Access could not be checked because of a fault on our side.",
            Reason::AuditUnavailable => {
                "What is done here is recorded, and no record can be taken at the moment. Nothing is wrong with your request."
            }
            Reason::AllowedByRule | Reason::Preflight => {
                "What you may do here has changed while you asked: it is allowed by now."
            }
            Reason::SourceRequired => "You may do this, but not from the network that you are in now.",
            Reason::ScheduleRequired => "You may do this, but not at this time.",
            Reason::FactRequired => "You may do this, but not with a request or from a device like this one.",
            Reason::Stopped => "Access has been stopped for a while.",
            Reason::DeniedByRule => "Access to this is blocked.",
            Reason::DenyRuleUnknown | Reason::AllowRuleUnknown | Reason::FrontendUnknown => {
                "Something that had to be known to allow this request is not known."
            }
            Reason::LoginRequired | Reason::SubjectRequired | Reason::ApprovalRequired => {
                "What this takes is not something that you can obtain yourself."
            }
            Reason::NoRuleAllows => "Nothing allows you to do this.",
        }
        .to_owned(),
    }
}

/// What one can do next, in a sentence or two.
pub(super) fn next_step(refusal: &Refusal) -> &'static str {
    match &refusal.remedy {
        Remedy::Authenticate => "Log in, then open this page again.",
        Remedy::NewCredential(_) | Remedy::StepUp(_) => "Log out and log in again, then open this page again.",
        Remedy::RequestAccess(_) => {
            "Ask for an approval listed below, and say what you need it for. Then open this page again."
        }
        Remedy::Retry => "Wait a moment, then open this page again.",
        Remedy::None => {
            "If you think you should have access, tell the people who run this service, and give them the reference below."
        }
    }
}

/// What a login must have been like: `with one of mfa, hwk, at most 15 minutes ago`.
pub(super) fn login(login: &Login) -> String {
    let mut parts = Vec::new();
    if !login.amr_any.is_empty() {
        parts.push(format!("with {}", one_of(&login.amr_any)));
    }
    if !login.amr_all.is_empty() {
        parts.push(format!("with {}", login.amr_all.join(" and ")));
    }
    if !login.acr_any.is_empty() {
        parts.push(format!("at level {}", one_of(&login.acr_any)));
    }
    if let Some(seconds) = login.max_age_seconds {
        parts.push(format!("at most {} ago", duration(seconds)));
    }
    parts.join(", ")
}

fn one_of(names: &[String]) -> String {
    match names {
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// What an approval gives and asks.
pub(super) fn terms(wanted: &Wanted) -> String {
    let time = if wanted.duration_seconds == wanted.max_duration_seconds {
        format!("opens for {}", duration(wanted.duration_seconds))
    } else {
        format!("opens for {}, at most {}", duration(wanted.duration_seconds), duration(wanted.max_duration_seconds))
    };
    match wanted.justification {
        Justification::Required => format!("{time}; a justification is required"),
        Justification::Optional => time,
    }
}

/// `90 seconds`, `15 minutes`, `4 hours`, `2 days`: the largest unit that is exact.
fn duration(seconds: u32) -> String {
    let (count, unit) = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")]
        .into_iter()
        .find(|(size, _)| seconds.is_multiple_of(*size) && seconds >= *size)
        .map_or((0, "second"), |(size, unit)| (seconds / size, unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Why a credential is not believed, for whoever sent it.
pub(super) fn invalid(why: InvalidCredential) -> &'static str {
    match why {
        InvalidCredential::Malformed => "the token is malformed",
        InvalidCredential::TooLong => "the token is too long",
        InvalidCredential::UnknownIssuer => "the token is from an issuer that is not trusted here",
        InvalidCredential::UnknownKey => "the token is signed with a key that is not known here",
        InvalidCredential::KeysUnavailable => "the keys of the token's issuer are not available",
        InvalidCredential::AlgorithmNotAllowed => "the token's algorithm is not accepted",
        InvalidCredential::ForbiddenHeader => "the token has a header that is not accepted",
        InvalidCredential::TypeNotAllowed => "the token is of a type that is not accepted",
        InvalidCredential::BadSignature => "the token's signature does not verify",
        InvalidCredential::WrongAudience => "the token is meant for another service",
        InvalidCredential::NotYetValid => "the token is not valid yet",
        InvalidCredential::MissingClaim => "the token lacks a claim that it must have",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (60, "1 minute"),
            (900, "15 minutes"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
