//! JSON that every parser reads alike: no member name twice, nothing after the value.
//!
//! Parsers differ on which of two members with one name counts (RFC 8259, section 4), so an attacker who gets a repeated
//! name signed could show one value to Luigi and another to the backend. Such a text is refused. Depth is bounded by
//! `serde_json`, size by the callers.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads one object; `None` if the text is anything else.
pub(super) fn object(text: &[u8]) -> Option<Map<String, Value>> {
    match value(text) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}

/// Reads one value.
pub(super) fn value(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<Unambiguous>(text).map(|value| value.0)
}

struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value without repeated member names")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unambiguous(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(member))) = access.next_entry::<String, _>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("member `{}` stands twice", name.escape_debug())));
            }
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_are_refused_at_any_depth_and_all_else_reads_as_serde_json_does() {
        let repeated =
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"a":{"b":[{"c":1,"c":2}]}}]"#, r#"{"":0,"":0}"#];
        for text in repeated {
            assert!(value(text.as_bytes()).unwrap_err().to_string().contains("stands twice"), "{text}");
        }
        let plain = [
            r#"{"a":[null,true,-1,18446744073709551615,1.5e3,"x\n",{}],"b":{"a":1}}"#,
            "1",
            "\"s\"",
            "9223372036854775808",
            "-9223372036854775809",
        ];
        for text in plain {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in ["", "{", "{} {}", "{\"a\":1,}", "1e999", "nul", "{\"\u{1}\":1}", &"[".repeat(200)] {
            assert!(value(text.as_bytes()).is_err(), "{text}");
        }
        assert!(value(b"\"\xff\"").is_err(), "not UTF-8");
        assert!(object(b"[1]").is_none());
    }
}
