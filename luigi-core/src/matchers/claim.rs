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

fn claim_holds(test: &ClaimTest, claims: &Map<String, Value>, _now: Timestamp) -> Kleene {
    let Some((first, rest)) = test.path.split_first() else { return Kleene::False };
    let mut value = claims.get(first.as_str());
    for name in rest {
        value = value.and_then(|v| v.as_object()).and_then(|object| object.get(name.as_str()));
    }
    let Some(value) = value else { return Kleene::False };
    match &test.accepts {
        ClaimValues::In(accepted) => match value {
            Value::Array(items) => items.iter().any(|item| accepted.iter().any(|a| claim_equals(a, item))).into(),
            single => accepted.iter().any(|a| claim_equals(a, single)).into(),
        },
        ClaimValues::Words(accepted) => {
            value.as_str().is_some_and(|text| text.split(' ').any(|word| accepted.iter().any(|a| a == word))).into()
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
