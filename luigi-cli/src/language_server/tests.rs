use super::{Ended, documents, message, serve};
use serde_json::{Value, json};
use std::io::{BufReader, PipeReader, PipeWriter, Read as _};
use std::path::{Path, PathBuf};

/// An editor and the server it talks to.
struct Editor {
    to: Option<PipeWriter>,
    from: BufReader<PipeReader>,
    server: Option<std::thread::JoinHandle<Ended>>,
    next: i32,
}

impl Editor {
    fn start() -> Self {
        let ((theirs, to), (from, mut back)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let server = std::thread::spawn(move || serve(&mut BufReader::new(theirs), &mut back).unwrap());
        let mut editor = Self { to: Some(to), from: BufReader::new(from), server: Some(server), next: 0 };
        let capabilities = editor.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(capabilities["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn send(&mut self, message: Value) {
        message::write(self.to.as_mut().unwrap(), message).unwrap();
    }

    fn receive(&mut self) -> Value {
        receive(&mut self.from).expect("the server lives")
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        self.send(request(self.next, method, params));
        loop {
            let message = self.receive();
            if message["id"] == self.next {
                assert_eq!(message["error"], Value::Null);
                return message["result"].clone();
            }
        }
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(message::notification(method, params));
    }

    /// Opens a text and returns the problems that are told, by the names of their files.
    fn open(&mut self, path: &Path, text: &str) -> Vec<(String, Vec<String>)> {
        self.tell("textDocument/didOpen", json!({ "textDocument": { "uri": documents::uri(path), "text": text } }));
        let mut told = Vec::new();
        loop {
            let report = self.receive();
            assert_eq!(report["method"], "textDocument/publishDiagnostics");
            let file = documents::path(report["params"]["uri"].as_str().unwrap()).unwrap();
            let problems = report["params"]["diagnostics"].as_array().unwrap().iter();
            let problem = |problem: &Value| {
                format!(
                    "{}:{} {}",
                    problem["range"]["start"]["line"],
                    problem["range"]["start"]["character"],
                    problem["code"].as_str().unwrap()
                )
            };
            told.push((file.file_name().unwrap().to_str().unwrap().to_owned(), problems.map(problem).collect()));
            if file == path {
                return told;
            }
        }
    }

    /// Asks about the place of `|` in a text that is opened without it.
    fn at(&mut self, method: &str, path: &Path, marked: &str) -> Value {
        let (before, after) = marked.split_once('|').unwrap();
        self.open(path, &format!("{before}{after}"));
        let position = documents::range(before, &(before.len()..before.len()))["start"].clone();
        self.ask(method, json!({ "textDocument": { "uri": documents::uri(path) }, "position": position }))
    }

    fn completions(&mut self, path: &Path, marked: &str) -> Vec<String> {
        let items = self.at("textDocument/completion", path, marked);
        items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.server.take().unwrap().join().unwrap(), Ended::InOrder);
    }
}

/// The next message as it stands in its frame.
fn receive(from: &mut impl std::io::BufRead) -> Option<Value> {
    let (mut head, mut empty) = (String::new(), String::new());
    if from.read_line(&mut head).unwrap() == 0 {
        return None;
    }
    from.read_line(&mut empty).unwrap();
    assert_eq!(empty, "\r\n");
    let length = head.strip_prefix("Content-Length: ").unwrap().trim_end().parse().unwrap();
    let mut body = Vec::new();
    assert_eq!(from.take(length).read_to_end(&mut body).unwrap() as u64, length);
    let message: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(message["jsonrpc"], "2.0");
    Some(message)
}

/// What the server says to these bytes, all of it, and how it ends.
fn said(bytes: &[u8]) -> (Vec<Value>, Ended) {
    let mut output = Vec::new();
    let ended = serve(&mut &bytes[..], &mut output).unwrap();
    let mut from = output.as_slice();
    (std::iter::from_fn(|| receive(&mut from)).collect(), ended)
}

/// Messages in their frames.
fn framed(messages: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    messages.iter().for_each(|message| message::write(&mut bytes, message.clone()).unwrap());
    bytes
}

fn request(id: i32, method: &str, params: Value) -> Value {
    let mut message = message::notification(method, params);
    message["id"] = id.into();
    message
}

const POLICY: &str = r#"schema = 1

[issuers.okta]
url = "https://example.okta.com"
audiences = ["orders"]

[groups]
engineering = "engineering"
on-call = "on-call-sre"

[networks]
office = ["203.0.113.0/24"]

[scopes.orders]
hosts = ["orders.example.com"]
paths = ["/v1/orders/{id}"]
methods = "read"

# Whoever builds it.
[[rules]]
id = "engineers-read"
effect = "allow"
scopes = ["orders"]
subject = { groups = ["engineering"] }
from = ["office"]
"#;

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn problems_come_and_go_as_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "policy.toml", POLICY);
    let mut editor = Editor::start();
    assert_eq!(editor.open(&path, POLICY), [("policy.toml".to_owned(), vec![])]);
    let wrong = POLICY
        .replace("groups = [\"engineering\"]", "groups = [\"enginering\"]")
        .replace("[\"office\"]\n", "[\"offfice\"]\n");
    let told = editor.open(&path, &wrong);
    assert_eq!(
        told,
        [("policy.toml".to_owned(), vec!["23:22 unknown-name".to_owned(), "24:8 unknown-name".to_owned()])]
    );
    assert_eq!(editor.open(&path, POLICY), [("policy.toml".to_owned(), vec![])]);
}

#[test]
fn a_file_of_a_folder_is_seen_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (common, rules) = POLICY.split_at(POLICY.find("# Whoever").unwrap());
    let rules = file(&folder, "rules.toml", &format!("schema = 1\n{rules}"));
    let common = file(&folder, "common.toml", common);
    let mut editor = Editor::start();
    let text = std::fs::read_to_string(&rules).unwrap();
    assert_eq!(editor.open(&rules, &text), [("rules.toml".to_owned(), vec![])]);
    // The other file, changed and not saved, makes this one wrong.
    let renamed = std::fs::read_to_string(&common).unwrap().replace("office =", "offices =");
    editor.open(&common, &renamed);
    let told = editor.open(&rules, &text);
    assert!(told.contains(&("rules.toml".to_owned(), vec!["7:8 unknown-name".to_owned()])), "{told:?}");
    let target = editor.at("textDocument/definition", &rules, &text.replace("\"orders\"", "\"ord|ers\""));
    assert_eq!(target["uri"], documents::uri(&common));
    assert_eq!(target["range"]["start"], json!({ "line": 13, "character": 0 }));
}

#[test]
fn names_keys_and_words_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "policy.toml", POLICY);
    let mut editor = Editor::start();
    let rule = |end: &str| format!("{POLICY}\n[[rules]]\nid = \"new\"\n{end}");
    assert_eq!(editor.completions(&path, &rule("subject = { groups = [\"|")), ["engineering", "on-call"]);
    assert_eq!(editor.completions(&path, &rule("from = [\"|")), ["office"]);
    assert_eq!(editor.completions(&path, &rule("scopes = [\"|")), ["all", "orders"]);
    assert_eq!(editor.completions(&path, &rule("effect = |")), ["allow", "restrict", "deny"]);
    let keys = editor.completions(&path, &rule("eff|"));
    assert!(keys.contains(&"effect".to_owned()) && keys.contains(&"unless".to_owned()), "{keys:?}");
    assert!(editor.completions(&path, &rule("subject = { |")).contains(&"groups-all".to_owned()));
    assert_eq!(editor.completions(&path, &rule("# |")), Vec::<String>::new());
}

#[test]
fn hovering_shows_what_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "policy.toml", POLICY);
    let mut editor = Editor::start();
    let mut hover = |from: &str, to: &str| {
        let shown = editor.at("textDocument/hover", &path, &POLICY.replace(from, to));
        shown["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    let rule = hover("\"engineers-read\"", "\"engin|eers-read\"");
    assert!(rule.starts_with("```toml\n[[rules]]\nid = \"engineers-read\"\n"), "{rule}");
    assert!(
        rule.ends_with("from = [\"office\"]\n```\n\nRequests:\n\n* `GET, HEAD orders.example.com/v1/orders/{id}`\n"),
        "{rule}"
    );
    let scope = hover("scopes = [\"orders\"]", "scopes = [\"or|ders\"]");
    assert!(scope.starts_with("```toml\n[scopes.orders]\n") && scope.contains("methods = \"read\"\n```"), "{scope}");
    assert_eq!(hover("[\"office\"]\n", "[\"of|fice\"]\n"), "```toml\noffice = [\"203.0.113.0/24\"]\n```");
    assert!(hover("effect =", "eff|ect =").contains("`deny` refuses"));
    assert_eq!(hover("# Whoever", "# Who|ever"), "");
}

#[test]
fn texts_are_laid_out_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "policy.toml", "");
    let mut editor = Editor::start();
    let edits = editor.at("textDocument/formatting", &path, "schema=1\n|");
    assert_eq!(edits[0]["newText"], "schema = 1\n");
    assert_eq!(editor.at("textDocument/formatting", &path, "schema = [\n|"), json!([]));
}

/// The ids and codes of errors, in order.
fn refused(messages: &[Value]) -> Vec<(Value, i64)> {
    let errors = messages.iter().filter(|message| message["error"].is_object());
    errors.map(|message| (message["id"].clone(), message["error"]["code"].as_i64().unwrap())).collect()
}

#[test]
fn a_conversation_is_held_in_order() {
    let (place, open) = (
        json!({ "uri": "file:///tmp/none/policy.toml" }),
        json!({ "textDocument": { "uri": "file:///tmp/none/policy.toml", "text": "schema = 1\n" } }),
    );
    let (said_, ended) = said(&framed(&[
        request(1, "textDocument/hover", json!({ "textDocument": place, "position": { "line": 0, "character": 0 } })),
        message::notification("textDocument/didOpen", open.clone()),
        request(2, "initialize", json!({})),
        request(3, "initialize", json!({})),
        message::notification("initialized", json!({})),
        message::notification("$/setTrace", json!({ "value": "off" })),
        message::notification("textDocument/didOpen", open),
        json!({ "id": 9, "result": null }),
        request(4, "shutdown", Value::Null),
        request(5, "textDocument/hover", json!({ "textDocument": place, "position": { "line": 0, "character": 0 } })),
        request(6, "shutdown", Value::Null),
        message::notification("exit", Value::Null),
        request(7, "textDocument/hover", json!({})),
    ]));
    assert_eq!(
        refused(&said_),
        [(1.into(), message::NOT_INITIALIZED), (3.into(), -32_600), (5.into(), -32_600), (6.into(), -32_600)]
    );
    assert_eq!(said_.iter().filter(|message| message["method"].is_string()).count(), 1, "{said_:?}");
    assert_eq!(said_.iter().find(|message| message["id"] == 4).unwrap()["result"], Value::Null);
    assert_eq!(ended, Ended::InOrder);
}

#[test]
fn without_shutdown_it_does_not_end_in_order() {
    let initialize = request(1, "initialize", json!({}));
    let exit = message::notification("exit", Value::Null);
    for (messages, expected) in [
        (vec![], Ended::Otherwise),
        (vec![exit.clone()], Ended::Otherwise),
        (vec![initialize.clone(), exit], Ended::Otherwise),
        (vec![initialize.clone()], Ended::Otherwise),
        (vec![initialize, request(2, "shutdown", Value::Null)], Ended::InOrder),
    ] {
        assert_eq!(said(&framed(&messages)).1, expected, "{messages:?}");
    }
}

#[test]
fn what_makes_no_sense_is_answered_and_the_next_request_is_too() {
    let place = json!({ "uri": "file:///tmp/none/policy.toml" });
    let at = |position: Value| json!({ "textDocument": place, "position": position });
    let mut bytes = framed(&[request(1, "initialize", json!({}))]);
    let mut expected = Vec::new();
    let mut id = 1;
    for (method, params, code) in [
        ("workspace/symbol", json!({}), -32_601),
        ("$/unknown", json!({}), -32_601),
        ("", json!({}), -32_601),
        ("textDocument/hover", json!({}), -32_602),
        ("textDocument/hover", Value::Null, -32_602),
        ("textDocument/hover", json!([1, 2]), -32_602),
        ("textDocument/hover", json!("text"), -32_602),
        ("textDocument/hover", at(json!(null)), -32_602),
        ("textDocument/hover", at(json!({ "line": -1, "character": 0 })), -32_602),
        ("textDocument/definition", at(json!({ "line": 0, "character": 1.5 })), -32_602),
        ("textDocument/completion", at(json!({ "line": "0", "character": 0 })), -32_602),
        ("textDocument/completion", json!({ "textDocument": 7, "position": { "line": 0, "character": 0 } }), -32_602),
        ("textDocument/formatting", json!({ "textDocument": { "uri": null } }), -32_602),
    ] {
        id += 1;
        bytes.extend(framed(&[request(id, method, params)]));
        expected.push((id.into(), code));
    }
    for wrong in [
        b"Content-Length: 9\r\n\r\nnot json!".as_slice(),
        b"Content-Length: 2\r\n\r\n\xff\xfe",
        b"Content-Length: x\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ] {
        bytes.extend(wrong);
        expected.push((Value::Null, -32_700));
    }
    // Notifications that make no sense are not answered: nobody waits.
    for (method, params) in [
        ("textDocument/didOpen", json!({ "textDocument": { "uri": 7 } })),
        ("textDocument/didOpen", json!({ "textDocument": { "uri": "file:///tmp/none/policy.toml" } })),
        ("textDocument/didOpen", json!({ "textDocument": { "uri": "file:", "text": "" } })),
        ("textDocument/didOpen", json!({ "textDocument": { "uri": "file:///%", "text": "" } })),
        ("textDocument/didChange", json!({ "textDocument": place, "contentChanges": 1 })),
        ("textDocument/didChange", json!({ "textDocument": place, "contentChanges": [] })),
        ("textDocument/didClose", json!(7)),
        ("nobody/knows", json!(null)),
    ] {
        bytes.extend(framed(&[json!({ "method": method, "params": params })]));
    }
    bytes.extend(framed(&[
        request(90, "textDocument/hover", at(json!({ "line": u64::MAX, "character": u64::MAX }))),
        request(
            91,
            "textDocument/hover",
            json!({ "textDocument": { "uri": "untitled:1" }, "position": { "line": 0, "character": 0 } }),
        ),
        request(92, "shutdown", Value::Null),
    ]));
    let (answers, ended) = said(&bytes);
    assert_eq!(refused(&answers), expected);
    let last: Vec<_> =
        answers.iter().filter(|message| message["id"].as_i64() >= Some(90)).map(|message| &message["result"]).collect();
    assert_eq!(last, [&Value::Null; 3]);
    assert_eq!(ended, Ended::InOrder);
}

/// Whatever an editor holds while somebody types, at every place of it.
#[test]
fn every_beginning_of_a_text_is_survived_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "policy.toml", POLICY);
    let uri = documents::uri(&path);
    let mut bytes = framed(&[request(1, "initialize", json!({}))]);
    let mut asked = 0;
    for end in (0..POLICY.len()).step_by(7) {
        let text = &POLICY[..end];
        let position = documents::range(text, &(end..end))["start"].clone();
        let at = json!({ "textDocument": { "uri": uri }, "position": position });
        bytes.extend(framed(&[
            message::notification("textDocument/didOpen", json!({ "textDocument": { "uri": uri, "text": text } })),
            request(2, "textDocument/completion", at.clone()),
            request(3, "textDocument/hover", at.clone()),
            request(4, "textDocument/definition", at),
            request(5, "textDocument/formatting", json!({ "textDocument": { "uri": uri } })),
        ]));
        asked += 4;
    }
    let (answers, _) = said(&bytes);
    assert_eq!(refused(&answers), []);
    assert_eq!(answers.iter().filter(|message| message["id"].as_i64() > Some(1)).count(), asked);
}
