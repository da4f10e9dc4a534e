//! What claims hold: of a token, or of the `act` in it.

use super::{Finding, quoted};
use crate::kleene::Kleene;
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Whether the claims hold what the test asks for.
pub(super) fn claim(test: &ClaimTest, claims: &Map<String, Value>, now: Timestamp) -> Finding {
    let name = format!("claim {}", quoted(&test.path.join(" > ")));
    let Some(value) = claim_at(&test.path, claims) else {
        if is_elsewhere(&test.path, claims) {
            let because = format!("{name} is not in the token, which says that it stands elsewhere");
            return Finding::new("claims", Kleene::Unknown, because);
        }
        return Finding::new("claims", test.accepts == ClaimValues::Absent, format!("{name} is absent"));
    };
    let shown = quoted(&value.to_string());
    match &test.accepts {
        ClaimValues::In(accepted) => accepts(&name, &shown, accepted.iter().any(|one| held(one, value))),
        ClaimValues::Words(accepted) => {
            let words = value.as_str().map(|text| text.split(' ').collect::<Vec<_>>()).unwrap_or_default();
            accepts(&name, &shown, accepted.iter().any(|one| words.contains(&one.as_str())))
        }
        ClaimValues::Present => Finding::new("claims", true, format!("{name} is there")),
        ClaimValues::Absent => Finding::new("claims", false, format!("{name} is there")),
        ClaimValues::AfterNow => match moment(value) {
            None => Finding::new("claims", Kleene::Unknown, format!("{name} is not a time: {shown}")),
            Some(at) if at > now.unix_seconds() => {
                Finding::new("claims", true, format!("{name} is still ahead: {shown}"))
            }
            Some(_) => Finding::new("claims", false, format!("{name} is over: {shown}")),
        },
    }
}

/// Whether the token leaves the claim out and says so.
pub(super) fn is_elsewhere(path: &[String], claims: &Map<String, Value>) -> bool {
    claims.get("_claim_names").is_some_and(|names| match names {
        Value::Object(names) => path.first().is_some_and(|first| names.contains_key(first)),
        _ => true,
    })
}

fn accepts(name: &str, shown: &str, held: bool) -> Finding {
    let holds = if held { "holds an accepted value" } else { "holds no accepted value" };
    Finding::new("claims", held, format!("{name} {holds}: {shown}"))
}

/// Whether a claim is this, or an array that holds it.
fn held(accepted: &ClaimValue, value: &Value) -> bool {
    match value {
        Value::Array(members) => members.iter().any(|member| same(accepted, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => same(accepted, value),
    }
}

/// The whole seconds of a number.
pub(super) fn numeric_date(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, and JSON has no NaN")]
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}

/// Seconds since 1970: a number, a date (its beginning in UTC), or a date and time with an offset.
fn moment(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(_) => return numeric_date(value),
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // What the library reads beyond RFC 3339 is cut off by the shape.
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (shape, zone) = match shape.strip_suffix('Z') {
        Some(local) => (local, true),
        None => match shape.len().checked_sub(6).and_then(|at| shape.split_at_checked(at)) {
            Some((local, "+00:00" | "-00:00")) => (local, true),
            _ => (shape.as_str(), false),
        },
    };
    let fraction = |rest: &str| {
        rest.is_empty() || rest.len() > 1 && rest.strip_prefix('.').is_some_and(|f| f.bytes().all(|b| b == b'0'))
    };
    if shape == "0000-00-00" && !zone {
        return format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    }
    let rest = shape.strip_prefix("0000-00-00T00:00:00")?;
    if !zone || !fraction(rest) || &text[17..19] == "60" {
        return None;
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond().div_euclid(1_000_000_000)).ok()
}

pub(super) fn claim_at<'a>(path: &[String], claims: &'a Map<String, Value>) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
}

/// Types are strict, and a number with a fraction or exponent is no integer.
fn same(accepted: &ClaimValue, value: &Value) -> bool {
    match accepted {
        ClaimValue::Text(text) => value.as_str() == Some(text),
        ClaimValue::Integer(integer) => value.as_i64() == Some(*integer),
        ClaimValue::Boolean(boolean) => value.as_bool() == Some(*boolean),
    }
}
