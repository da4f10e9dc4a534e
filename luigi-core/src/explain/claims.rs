//! What claims hold: of a token, or of the `act` in it.

use super::{Finding, quoted};
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues};
use crate::time::Timestamp;
use serde_json::{Map, Value};

/// Whether the claims hold what the test asks for.
pub(super) fn claim(test: &ClaimTest, claims: &Map<String, Value>, _now: Timestamp) -> Finding {
    let name = format!("claim {}", quoted(&test.path.join(" > ")));
    let Some(value) = claim_at(&test.path, claims) else {
        return Finding::new("claims", false, format!("{name} is absent"));
    };
    let held = match &test.accepts {
        ClaimValues::In(accepted) => accepted.iter().any(|one| match value {
            Value::Array(members) => members.iter().any(|member| same(one, member)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => same(one, value),
        }),
        ClaimValues::Words(accepted) => match value {
            Value::String(text) => text.split(' ').any(|word| accepted.iter().any(|one| one == word)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
        },
    };
    let holds = if held { "holds an accepted value" } else { "holds no accepted value" };
    Finding::new("claims", held, format!("{name} {holds}: {}", quoted(&value.to_string())))
}

fn claim_at<'a>(path: &[String], claims: &'a Map<String, Value>) -> Option<&'a Value> {
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
