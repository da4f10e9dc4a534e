//! The message reader of the language server: whatever bytes come, it reaches their end, says of what is no message that it is none, and reads back what it writes.

use serde_json::Value;

// A file of the command, which is no library; it uses nothing else of it.
#[allow(dead_code, reason = "the command uses all of it")]
#[path = "../../luigi-cli/src/language_server/message.rs"]
mod message;

use message::{INVALID_PARAMS, INVALID_REQUEST, Incoming, PARSE_ERROR};

pub(crate) fn run(input: &[u8]) {
    let mut stream = input;
    let mut messages = 0;
    while let Some(incoming) = message::read(&mut stream).expect("memory can be read") {
        messages += 1;
        match incoming {
            Incoming::Request { id, .. } => assert!(id.is_string() || id.is_i64() || id.is_u64()),
            Incoming::Notification { .. } | Incoming::Response => {}
            Incoming::Wrong { id, code, message } => {
                assert!([PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS].contains(&code) && !message.is_empty());
                assert!(id.is_null() || code != PARSE_ERROR);
            }
        }
        assert!(messages <= input.len(), "each takes a byte at least");
    }
    assert!(stream.is_empty());

    let Ok(Value::Object(object)) = serde_json::from_slice(input) else { return };
    let mut written = Vec::new();
    message::write(&mut written, Value::Object(object.clone())).expect("memory can be written");
    let mut stream = written.as_slice();
    let read = message::read(&mut stream).expect("memory can be read").expect("what was written is there");
    if let (Some(Value::String(said)), None) = (object.get("method"), object.get("id")) {
        let params = object.get("params").cloned().unwrap_or(Value::Null);
        assert_eq!(read, Incoming::Notification { method: said.clone(), params });
    }
    assert!(stream.is_empty());
}
