use super::{documents, serve};
use lsp_server::{Connection, Message, Notification, Request};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// An editor and the server it talks to.
struct Editor {
    connection: Connection,
    server: Option<std::thread::JoinHandle<()>>,
    next: i32,
}

impl Editor {
    fn start() -> Self {
        let (server, connection) = Connection::memory();
        let server = std::thread::spawn(move || serve(&server).expect("the protocol is spoken"));
        let mut editor = Self { connection, server: Some(server), next: 0 };
        let capabilities = editor.ask("initialize", json!({ "capabilities": {} }));
        assert_eq!(capabilities["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let request = Request::new(self.next.into(), method.to_owned(), params);
        self.connection.sender.send(request.into()).unwrap();
        loop {
            if let Message::Response(response) = self.connection.receiver.recv().unwrap() {
                return response.response_result.expect("an answer");
            }
        }
    }

    fn tell(&self, method: &str, params: Value) {
        self.connection.sender.send(Notification::new(method.to_owned(), params).into()).unwrap();
    }

    /// Opens a text and returns the problems that are told, by the names of their files.
    fn open(&self, path: &Path, text: &str) -> Vec<(String, Vec<String>)> {
        self.tell("textDocument/didOpen", json!({ "textDocument": { "uri": documents::uri(path), "text": text } }));
        let mut told = Vec::new();
        loop {
            let Message::Notification(report) = self.connection.receiver.recv().unwrap() else { panic!("a report") };
            let file = documents::path(report.params["uri"].as_str().unwrap()).unwrap();
            let problems = report.params["diagnostics"].as_array().unwrap().iter();
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
        self.server.take().unwrap().join().unwrap();
    }
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
    let editor = Editor::start();
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
