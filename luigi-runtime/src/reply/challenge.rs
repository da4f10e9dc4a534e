//! `WWW-Authenticate`: RFC 6750 for missing and bad tokens, RFC 9470 for logins that are too weak or too old.

use super::{BadCredential, Refusal, Remedy, words};
use std::fmt::Write;

/// The value of the field, for a refusal that a better credential would cure.
pub(super) fn of(refusal: &Refusal) -> Option<String> {
    let mut value = String::from("Bearer");
    parameter(&mut value, " ", "realm", refusal.host.as_deref().unwrap_or("luigi"));
    match &refusal.remedy {
        Remedy::None | Remedy::RequestAccess(_) | Remedy::Retry => return None,
        // RFC 6750, section 3: a request without a credential is told no error.
        Remedy::Authenticate => {}
        Remedy::NewCredential(why) => {
            parameter(&mut value, ", ", "error", "invalid_token");
            parameter(&mut value, ", ", "error_description", description(*why));
        }
        Remedy::StepUp(login) => {
            parameter(&mut value, ", ", "error", "insufficient_user_authentication");
            parameter(&mut value, ", ", "error_description", &words::login(login));
            if !login.acr_any.is_empty() {
                parameter(&mut value, ", ", "acr_values", &login.acr_any.join(" "));
            }
            if let Some(seconds) = login.max_age_seconds {
                // Writing to a string cannot fail.
                let _ = write!(value, ", max_age=\"{seconds}\"");
            }
        }
    }
    Some(value)
}

fn description(why: BadCredential) -> &'static str {
    match why {
        BadCredential::Expired => "the token has expired",
        BadCredential::Invalid(why) => words::invalid(why),
    }
}

/// A parameter as a quoted string (RFC 9110, section 5.6.4). RFC 6750 allows no quote and no backslash in descriptions, and header
/// values are ASCII: those characters become `?`.
fn parameter(value: &mut String, separator: &str, name: &str, text: &str) {
    value.push_str(separator);
    value.push_str(name);
    value.push_str("=\"");
    value.extend(text.chars().map(|c| if matches!(c, ' '..='~') && c != '"' && c != '\\' { c } else { '?' }));
    value.push('"');
}
