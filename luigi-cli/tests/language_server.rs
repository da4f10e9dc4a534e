//! `luigi language-server` as an editor starts it: bytes in, bytes out, exit codes.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

fn framed(body: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What it says to these bytes, and how it exits.
fn converse(input: &str) -> (String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_luigi"))
        .arg("language-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    (said, child.wait().unwrap().code().unwrap())
}

#[test]
fn what_is_said_and_how_it_exits_is_what_the_protocol_says() {
    let initialize = framed(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#);
    let (shutdown, exit) =
        (framed(r#"{"jsonrpc":"2.0","id":"last","method":"shutdown"}"#), framed(r#"{"method":"exit"}"#));
    let hello = r#"{"id":1,"jsonrpc":"2.0","result":{"capabilities":{"completionProvider":{"triggerCharacters":["\"",":"]},"definitionProvider":true,"documentFormattingProvider":true,"hoverProvider":true,"positionEncoding":"utf-16","textDocumentSync":{"change":1,"openClose":true,"save":true}},"serverInfo":{"name":"luigi","version":"0.1.0"}}}"#;
    let bye = r#"{"id":"last","jsonrpc":"2.0","result":null}"#;
    let unknown = framed(r#"{"jsonrpc":"2.0","id":2,"method":"no/such"}"#);
    let unknown_said = r#"{"error":{"code":-32601,"message":"`no/such` is not known here"},"id":2,"jsonrpc":"2.0"}"#;
    let broken_said = r#"{"error":{"code":-32700,"message":"the message is not JSON: EOF while parsing an object at line 1 column 1"},"id":null,"jsonrpc":"2.0"}"#;
    let early_said =
        r#"{"error":{"code":-32002,"message":"the first request is `initialize`"},"id":2,"jsonrpc":"2.0"}"#;
    for (said, answers, code) in [
        (format!("{initialize}{shutdown}{exit}"), vec![hello, bye], 0),
        (
            format!("{initialize}{}{unknown}{shutdown}{exit}", framed("{")),
            vec![hello, broken_said, unknown_said, bye],
            0,
        ),
        (format!("{unknown}{initialize}{exit}{unknown}"), vec![early_said, hello], 1),
        (initialize.clone(), vec![hello], 1),
        (format!("{initialize}{shutdown}"), vec![hello, bye], 0),
        (String::new(), vec![], 1),
        (
            "GET / HTTP/1.1\r\nHost: x\r\n".to_owned(),
            vec![
                r#"{"error":{"code":-32700,"message":"a message begins with Content-Length and an empty line"},"id":null,"jsonrpc":"2.0"}"#,
            ],
            1,
        ),
    ] {
        let expected: String = answers.into_iter().map(framed).collect();
        assert_eq!(converse(&said), (expected, code), "{said}");
    }
}

#[test]
fn an_editor_that_does_not_listen_any_more_ends_it() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = Command::new(env!("CARGO_BIN_EXE_luigi"))
        .arg("language-server")
        .stdin(Stdio::piped())
        .stdout(writer)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let initialize = framed(r#"{"id":1,"method":"initialize","params":{}}"#);
    // Until it is gone: its input stays open.
    while stdin.write_all(initialize.as_bytes()).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
