//! Messages on a stream of bytes: JSON-RPC 2.0 in the frames of the Language Server Protocol.
//!
//! Whatever comes, the next message is found: what is no message is told as such, and never ends the stream. Uses nothing else of this command, so that it can be
//! fuzzed by itself.

use serde_json::Value;
use std::io::{self, BufRead, Read, Write};

/// The longest message that is read, in bytes: some times the largest policy file.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The longest line of a head.
const MAX_LINE: u64 = 8 * 1024;

/// What came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// Somebody asks, and waits for the answer under this id: a number or a text.
    Request { id: Value, method: String, params: Value },
    /// Somebody tells.
    Notification { method: String, params: Value },
    /// Somebody answers what was never asked.
    Response,
    /// No message; what to say of it, and to whom (`null` if that is not known).
    Wrong { id: Value, code: i64, message: String },
}

/// Codes of errors, as JSON-RPC and the protocol number them.
pub(crate) const PARSE_ERROR: i64 = -32_700;
pub(crate) const INVALID_REQUEST: i64 = -32_600;
pub(crate) const METHOD_NOT_FOUND: i64 = -32_601;
pub(crate) const INVALID_PARAMS: i64 = -32_602;
pub(crate) const INTERNAL_ERROR: i64 = -32_603;
pub(crate) const NOT_INITIALIZED: i64 = -32_002;

/// The next message; `None` at the end, also in the middle of a message.
///
/// # Errors
/// The stream cannot be read.
pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let Some(length) = head(stream)? else { return Ok(None) };
    let length = match length {
        Head::Length(length) => length,
        Head::Wrong(why) => return Ok(Some(parse_error(why))),
    };
    if length > MAX_BYTES {
        io::copy(&mut stream.take(length), &mut io::sink())?;
        return Ok(Some(parse_error(format!("a message of {length} bytes is longer than {MAX_BYTES}"))));
    }
    let mut body = Vec::new();
    // Memory follows what comes, not what is announced.
    if (stream.take(length).read_to_end(&mut body)? as u64) < length {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_slice(&body) {
        Ok(value) => message(value),
        Err(error) => parse_error(format!("the message is not JSON: {error}")),
    }))
}

/// Writes one message, whole.
///
/// # Errors
/// The stream cannot be written.
pub(crate) fn write(stream: &mut impl Write, mut message: Value) -> io::Result<()> {
    message["jsonrpc"] = "2.0".into();
    let body = message.to_string();
    write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    stream.flush()
}

/// The answer to a request.
pub(crate) fn answer(id: Value, result: Value) -> Value {
    object([("id", id), ("result", result)])
}

/// The answer to a request that cannot be answered.
pub(crate) fn error(id: Value, code: i64, message: impl Into<String>) -> Value {
    object([("id", id), ("error", object([("code", code.into()), ("message", Value::String(message.into()))]))])
}

/// Something that nobody asked for.
pub(crate) fn notification(method: &str, params: Value) -> Value {
    object([("method", method.into()), ("params", params)])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

enum Head {
    Length(u64),
    Wrong(String),
}

/// The lines in front of a message. A message whose head is wrong is passed over up to the next head: its body, if it has one, is taken for lines that mean nothing.
fn head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let (mut length, mut wrong) = (None, None::<String>);
    loop {
        let mut line = Vec::new();
        stream.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(wrong.map(Head::Wrong));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() && line.ends_with(b"\n") {
            match (length, wrong) {
                (Some(length), _) => return Ok(Some(Head::Length(length))),
                (None, Some(why)) => return Ok(Some(Head::Wrong(why))),
                // An empty line between messages.
                (None, None) => {
                    wrong = None;
                    continue;
                }
            }
        }
        // Behind a body that was passed over the next head begins on the same line.
        let name = text.to_ascii_lowercase().rfind("content-length:");
        match name {
            Some(at) => match text[at + "content-length:".len()..].trim().parse() {
                Ok(announced) => length = Some(announced),
                Err(_) => wrong = Some("Content-Length is no number of bytes".to_owned()),
            },
            None if text.to_ascii_lowercase().starts_with("content-type:") => {}
            None => {
                wrong.get_or_insert_with(|| "a message begins with Content-Length and an empty line".to_owned());
            }
        }
    }
}

fn parse_error(message: impl Into<String>) -> Incoming {
    Incoming::Wrong { id: Value::Null, code: PARSE_ERROR, message: message.into() }
}

/// What a value is, as JSON-RPC has it.
fn message(value: Value) -> Incoming {
    let Value::Object(mut members) = value else {
        let message = match value {
            Value::Array(_) => "several messages in one are not known here",
            _ => "a message is an object",
        };
        return Incoming::Wrong { id: Value::Null, code: INVALID_REQUEST, message: message.to_owned() };
    };
    let id = members.remove("id");
    let good_id = id.clone().filter(|id| id.is_string() || id.is_i64() || id.is_u64());
    let wrong = |code: i64, message: &str| Incoming::Wrong {
        id: good_id.clone().unwrap_or(Value::Null),
        code,
        message: message.to_owned(),
    };
    let params = members.remove("params").unwrap_or(Value::Null);
    match (members.remove("method"), id) {
        (Some(Value::String(method)), None) => Incoming::Notification { method, params },
        (Some(Value::String(method)), Some(_)) => match &good_id {
            None => wrong(INVALID_REQUEST, "an id is a number or a text"),
            Some(_) if !(params.is_object() || params.is_array() || params.is_null()) => {
                wrong(INVALID_PARAMS, "params are an object or an array")
            }
            Some(id) => Incoming::Request { id: id.clone(), method, params },
        },
        (Some(_), _) => wrong(INVALID_REQUEST, "a method is a text"),
        (None, Some(_)) if members.contains_key("result") || members.contains_key("error") => Incoming::Response,
        (None, _) => wrong(INVALID_REQUEST, "a message has a method"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn all(bytes: &[u8]) -> Vec<Incoming> {
        let mut stream = bytes;
        std::iter::from_fn(|| read(&mut stream).unwrap()).collect()
    }

    fn code(incoming: &Incoming) -> Option<i64> {
        match incoming {
            Incoming::Wrong { code, .. } => Some(*code),
            Incoming::Request { .. } | Incoming::Notification { .. } | Incoming::Response => None,
        }
    }

    #[test]
    fn messages_are_told_apart() {
        let is = |body: &str, expected: Incoming| assert_eq!(all(framed(body).as_bytes()), [expected], "{body}");
        let wrong = |id: Value, code: i64, message: &str| Incoming::Wrong { id, code, message: message.to_owned() };
        is(
            r#"{"id":1,"method":"m","params":{"a":1}}"#,
            Incoming::Request { id: 1.into(), method: "m".to_owned(), params: json!({ "a": 1 }) },
        );
        is(
            r#"{"id":"x","method":"m"}"#,
            Incoming::Request { id: "x".into(), method: "m".to_owned(), params: Value::Null },
        );
        is(r#"{"method":"m","params":7}"#, Incoming::Notification { method: "m".to_owned(), params: 7.into() });
        is(r#"{"id":1,"result":null}"#, Incoming::Response);
        is(r#"{"id":1,"error":{}}"#, Incoming::Response);
        is(r#"{"id":1,"method":"m","params":7}"#, wrong(1.into(), INVALID_PARAMS, "params are an object or an array"));
        is(r#"{"id":null,"method":"m"}"#, wrong(Value::Null, INVALID_REQUEST, "an id is a number or a text"));
        is(r#"{"id":1.5,"method":"m"}"#, wrong(Value::Null, INVALID_REQUEST, "an id is a number or a text"));
        is(r#"{"id":4,"method":7}"#, wrong(4.into(), INVALID_REQUEST, "a method is a text"));
        is(r#"{"id":4}"#, wrong(4.into(), INVALID_REQUEST, "a message has a method"));
        is("[]", wrong(Value::Null, INVALID_REQUEST, "several messages in one are not known here"));
        is("7", wrong(Value::Null, INVALID_REQUEST, "a message is an object"));
    }

    #[test]
    fn the_message_after_a_wrong_one_is_read() {
        let good = framed(r#"{"method":"m"}"#);
        for (wrong, codes) in [
            (framed("{"), vec![PARSE_ERROR]),
            // A wrong length costs the next message, too, and no more.
            (format!("Content-Length: 16\r\n\r\n{{\"method\":\"n\"}}{good}"), vec![PARSE_ERROR, PARSE_ERROR]),
            (format!("Content-Length: 12\r\n\r\n{{\"method\":\"n\"}}{good}"), vec![PARSE_ERROR]),
            (framed(&"[".repeat(100_000)), vec![PARSE_ERROR]),
            ("Content-Length: many\r\n\r\n".to_owned(), vec![PARSE_ERROR]),
            ("Content-Length: -1\r\n\r\n".to_owned(), vec![PARSE_ERROR]),
            ("Content-Length: 99999999999999999999\r\n\r\n".to_owned(), vec![PARSE_ERROR]),
            ("hello\r\n\r\n".to_owned(), vec![PARSE_ERROR]),
            ("X-Other: 1\r\n\r\n".to_owned(), vec![PARSE_ERROR]),
            // Head and body of one without its length: the next head stands behind the body.
            ("Content-Type: a\r\nLength: 14\r\n\r\n{\"method\":\"m\"}".to_owned(), vec![PARSE_ERROR]),
            (format!("{}\r\n\r\n", "x".repeat(100_000)), vec![PARSE_ERROR]),
            ("\r\n\n\r\n".to_owned(), vec![]),
            (String::new(), vec![]),
            ("Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n".to_owned(), vec![]),
            ("content-length:1\n\n7".to_owned(), vec![INVALID_REQUEST]),
        ] {
            let found = all(format!("{wrong}{good}").as_bytes());
            let said: Vec<_> = found.iter().filter_map(code).collect();
            assert_eq!(said, codes, "{wrong:.60} {found:?}");
            assert_eq!(found.last(), Some(&Incoming::Notification { method: "m".to_owned(), params: Value::Null }));
        }
    }

    #[test]
    fn a_stream_that_ends_anywhere_is_an_end() {
        let whole = framed(r#"{"method":"m"}"#);
        for at in 0..whole.len() {
            assert!(all(&whole.as_bytes()[..at]).iter().all(|one| code(one).is_some()), "{at}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let length = MAX_BYTES + 1;
        let head = format!("Content-Length: {length}\r\n\r\n");
        let good = framed(r#"{"method":"m"}"#);
        let long = head.as_bytes().chain(io::repeat(b' ').take(length)).chain(good.as_bytes());
        let mut stream = io::BufReader::new(long);
        assert_eq!(code(&read(&mut stream).unwrap().unwrap()), Some(PARSE_ERROR));
        assert!(matches!(read(&mut stream).unwrap(), Some(Incoming::Notification { .. })));
        // Nor is memory taken for what is only announced.
        let announced = format!("Content-Length: {MAX_BYTES}\r\n\r\n{{");
        assert_eq!(read(&mut announced.as_bytes()).unwrap(), None);
    }
}
