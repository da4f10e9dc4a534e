//! What claims must hold: of a token, or of the `act` in it.

use crate::kleene::Kleene;
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Whether all the tests hold of these claims.
pub(super) fn claims_hold(tests: &[ClaimTest], claims: &Map<String, Value>, now: Timestamp) -> Kleene {
    let mut result = Kleene::True;
    for test in tests {
        result = result.and(claim_holds(test, claims, now));
        if result.is_false() {
            break;
        }
    }
    result
}

/// The claim at the end of a path of names.
pub(crate) fn claim_at<'a>(path: &[String], claims: &'a Map<String, Value>) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let mut value = claims.get(first.as_str());
    for name in rest {
        value = value.and_then(|v| v.as_object()).and_then(|object| object.get(name.as_str()));
    }
    value
}

fn claim_holds(test: &ClaimTest, claims: &Map<String, Value>, now: Timestamp) -> Kleene {
    let Some(value) = claim_at(&test.path, claims) else {
        return match test.accepts {
            _ if is_elsewhere(&test.path, claims) => Kleene::Unknown,
            ClaimValues::Absent => Kleene::True,
            ClaimValues::In(_) | ClaimValues::Words(_) | ClaimValues::Present | ClaimValues::AfterNow => Kleene::False,
        };
    };
    match &test.accepts {
        ClaimValues::In(accepted) => match value {
            Value::Array(items) => items.iter().any(|item| accepted.iter().any(|a| claim_equals(a, item))).into(),
            single => accepted.iter().any(|a| claim_equals(a, single)).into(),
        },
        ClaimValues::Words(accepted) => {
            value.as_str().is_some_and(|text| text.split(' ').any(|word| accepted.iter().any(|a| a == word))).into()
        }
        ClaimValues::Present => Kleene::True,
        ClaimValues::Absent => Kleene::False,
        ClaimValues::AfterNow => moment(value).map_or(Kleene::Unknown, |at| (at > now).into()),
    }
}

/// Whether the token says that it leaves the claim out although there is one (distributed claims, OpenID Connect Core 1.0, section 5.6.2).
pub(super) fn is_elsewhere(path: &[String], claims: &Map<String, Value>) -> bool {
    match claims.get("_claim_names") {
        None => false,
        Some(Value::Object(names)) => path.first().is_some_and(|name| names.contains_key(name)),
        Some(_) => true,
    }
}

/// The second in which a claim's moment lies; `None` if it is none.
fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, and JSON has no NaN")]
        Value::Number(number) => match number.as_i64() {
            Some(seconds) => Some(Timestamp::from_unix_seconds(seconds)),
            None => number.as_f64().map(|seconds| Timestamp::from_unix_seconds(seconds.floor() as i64)),
        },
        Value::String(text) => Timestamp::from_rfc3339(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn claim_equals(accepted: &ClaimValue, value: &Value) -> bool {
    match accepted {
        ClaimValue::Text(text) => value.as_str() == Some(text),
        ClaimValue::Integer(number) => value.as_i64() == Some(*number),
        ClaimValue::Boolean(flag) => value.as_bool() == Some(*flag),
    }
}
