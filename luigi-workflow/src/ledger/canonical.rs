//! Canonical JSON (RFC 8785) for the bodies of entries: one text for one value, so that a hash of it means something.
//!
//! Only what a body needs: objects, arrays, strings, booleans and integers that every reader of JSON holds exactly (RFC 7493). No floats, whose text is half of that
//! RFC, and no null: what an entry does not have is left out.

use serde_json::Value;

/// The largest integer that a reader with double precision holds exactly.
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotCanonical {
    /// `null`.
    Null,
    /// A number with a fraction, or one outside ±(2^53 - 1).
    Number,
}

impl std::fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "it holds a null",
            Self::Number => "it holds a number that is no integer within 2^53",
        })
    }
}

/// Appends the canonical form of a value: names sorted by their UTF-16 units, no spaces, the shortest escapes.
pub(crate) fn write(value: &Value, text: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => return Err(NotCanonical::Null),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => {
            let exact = number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_INTEGER);
            if !exact {
                return Err(NotCanonical::Number);
            }
            text.push_str(&number.to_string());
        }
        Value::String(value) => write_string(value, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn write_string(value: &str, text: &mut String) {
    use std::fmt::Write as _;
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn canonical(value: &Value) -> Result<String, NotCanonical> {
        let mut text = String::new();
        write(value, &mut text).map(|()| text)
    }

    #[test]
    fn one_value_has_one_text() {
        let check = |value: Value, expected: Result<&str, NotCanonical>| {
            assert_eq!(canonical(&value).as_deref(), expected.as_deref(), "{value}");
        };
        check(json!({"b": 1, "a": [true, false, -7], "": {}}), Ok(r#"{"":{},"a":[true,false,-7],"b":1}"#));
        check(
            json!("\u{8}\t\n\u{c}\r\"\\/\u{1}\u{1f}\u{7f}é\u{2028}"),
            Ok("\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u001f\u{7f}é\u{2028}\""),
        );
        // The names of RFC 8785, section 3.2.3: by UTF-16 units a pair of surrogates comes before U+FB33.
        check(
            json!({"\u{fb33}": 1, "\u{1f600}": 2, "\u{20ac}": 3, "1": 4}),
            Ok("{\"1\":4,\"€\":3,\"😀\":2,\"\u{fb33}\":1}"),
        );
        check(json!(9_007_199_254_740_991_u64), Ok("9007199254740991"));
        check(json!(-9_007_199_254_740_991_i64), Ok("-9007199254740991"));
        check(json!(9_007_199_254_740_992_u64), Err(NotCanonical::Number));
        check(json!(u64::MAX), Err(NotCanonical::Number));
        check(json!([1.5]), Err(NotCanonical::Number));
        check(json!({"a": null}), Err(NotCanonical::Null));
    }

    proptest! {
        /// What was written reads back as what it was, in one line.
        #[test]
        fn strings_read_back(text in any::<String>(), name in any::<String>()) {
            let value = json!({ name: text });
            let written = canonical(&value).unwrap();
            prop_assert!(!written.bytes().any(|byte| byte < b' '));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
