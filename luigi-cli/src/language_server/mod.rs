//! `luigi language-server`: what editors ask while somebody writes a policy, over standard input and output (Language Server Protocol 3.17).
//!
//! * `message` finds messages in a stream of bytes, whatever else is in it.
//! * `documents` knows the open texts, finds the policy that a file belongs to, and turns places into the protocol's positions.
//! * `walk` reads texts that may be half written; `names` knows which names they define and use; `keys` asks the schema.
//! * `hover` says what a name stands for.
//!
//! One thread answers one message after the other, and goes on until the editor says `exit` or is gone. What a policy means is the parser's business: problems are
//! those of `luigi check`.

mod documents;
mod hover;
mod keys;
mod message;
mod names;
mod walk;

use crate::schema;
use documents::{Documents, Policy};
use message::Incoming;
use names::{Definition, Kind};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use walk::{End, Event, What};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The editor said `shutdown` and then `exit`, or was gone after the former.
    InOrder,
    /// The editor said `exit` without `shutdown`, or was gone.
    Otherwise,
}

/// Answers over standard input and output until the editor goes.
///
/// # Errors
/// Standard input cannot be read.
pub(crate) fn run() -> io::Result<Ended> {
    serve(&mut io::stdin().lock(), &mut io::stdout().lock())
}

fn serve(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Ended> {
    let mut server = Server::default();
    while let Some(incoming) = message::read(input)? {
        if matches!(&incoming, Incoming::Notification { method, .. } if method == "exit") {
            break;
        }
        let id = match &incoming {
            Incoming::Request { id, .. } => Some(id.clone()),
            Incoming::Notification { .. } | Incoming::Response | Incoming::Wrong { .. } => None,
        };
        // A mistake of ours about one text must not take away the others.
        let outgoing = catch_unwind(AssertUnwindSafe(|| server.take(incoming))).unwrap_or_else(|_| {
            let sorry = "this request was too much; please report it";
            id.map(|id| message::error(id, message::INTERNAL_ERROR, sorry)).into_iter().collect()
        });
        for one in outgoing {
            if message::write(output, one).is_err() {
                // Nobody listens any more.
                return Ok(server.ended());
            }
        }
    }
    Ok(server.ended())
}

/// How far the conversation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Before,
    Open,
    ShutDown,
}

#[derive(Default)]
struct Server {
    stage: Stage,
    documents: Documents,
    schema: Value,
    /// Files that have problems on the editor's screen.
    shown: Vec<PathBuf>,
}

/// Why a request is not answered.
struct Refusal {
    code: i64,
    message: String,
}

impl Refusal {
    fn parameters(message: &str) -> Self {
        Self { code: message::INVALID_PARAMS, message: message.to_owned() }
    }
}

impl Server {
    fn ended(&self) -> Ended {
        if self.stage == Stage::ShutDown { Ended::InOrder } else { Ended::Otherwise }
    }

    /// Takes one message in and gives what is to be said.
    fn take(&mut self, incoming: Incoming) -> Vec<Value> {
        match incoming {
            Incoming::Request { id, method, params } => {
                let answered = self.request(&method, &params);
                vec![match answered {
                    Ok(result) => message::answer(id, result),
                    Err(Refusal { code, message }) => message::error(id, code, message),
                }]
            }
            Incoming::Notification { method, params } if self.stage == Stage::Open => self.note(&method, &params),
            Incoming::Notification { .. } | Incoming::Response => Vec::new(),
            Incoming::Wrong { id, code, message } => vec![message::error(id, code, message)],
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<Value, Refusal> {
        match (self.stage, method) {
            (Stage::Before, "initialize") => {
                self.stage = Stage::Open;
                self.schema = schema::value();
                Ok(json!({
                    "capabilities": {
                        "positionEncoding": "utf-16",
                        "textDocumentSync": { "openClose": true, "change": 1, "save": true },
                        "completionProvider": { "triggerCharacters": ["\"", ":"] },
                        "hoverProvider": true,
                        "definitionProvider": true,
                        "documentFormattingProvider": true,
                    },
                    "serverInfo": { "name": "luigi", "version": env!("CARGO_PKG_VERSION") },
                }))
            }
            (Stage::Before, _) => {
                Err(Refusal { code: message::NOT_INITIALIZED, message: "the first request is `initialize`".to_owned() })
            }
            (Stage::Open, "initialize") => {
                Err(Refusal { code: message::INVALID_REQUEST, message: "that was said already".to_owned() })
            }
            (Stage::Open, "shutdown") => {
                self.stage = Stage::ShutDown;
                Ok(Value::Null)
            }
            (Stage::Open, _) => self.answer(method, params),
            (Stage::ShutDown, _) => {
                Err(Refusal { code: message::INVALID_REQUEST, message: "after `shutdown` comes `exit`".to_owned() })
            }
        }
    }

    fn note(&mut self, method: &str, params: &Value) -> Vec<Value> {
        let document = &params["textDocument"];
        let Some(path) = document["uri"].as_str().and_then(documents::path) else { return Vec::new() };
        match method {
            "textDocument/didOpen" => match document["text"].as_str() {
                Some(text) => self.documents.open(&path, text),
                None => return Vec::new(),
            },
            "textDocument/didChange" => {
                // Whole texts are asked for, so the last change is the text.
                let changes = params["contentChanges"].as_array();
                match changes.and_then(|changes| changes.last()?["text"].as_str()) {
                    Some(text) => self.documents.open(&path, text),
                    None => return Vec::new(),
                }
            }
            "textDocument/didClose" => self.documents.close(&path),
            "textDocument/didSave" => {}
            _ => return Vec::new(),
        }
        self.report(&path)
    }

    /// The problems of the policy that a file belongs to, file by file; those without any are told, too, if they had some.
    fn report(&mut self, path: &Path) -> Vec<Value> {
        let policy = self.documents.policy(path);
        let mut files = policy.files();
        let gone: Vec<_> = self
            .shown
            .iter()
            .filter(|shown| shown.parent() == path.parent() && !files.contains(shown))
            .cloned()
            .collect();
        files.extend(gone);
        let mut reports = Vec::new();
        for file in files {
            let problems = policy.problems(&file);
            let had = self.shown.iter().position(|shown| *shown == file);
            match (problems.is_empty(), had) {
                (true, Some(at)) => drop(self.shown.swap_remove(at)),
                (true, None) if file != path => continue,
                (true, None) | (false, Some(_)) => {}
                (false, None) => self.shown.push(file.clone()),
            }
            let params = json!({ "uri": documents::uri(&file), "diagnostics": problems });
            reports.push(message::notification("textDocument/publishDiagnostics", params));
        }
        reports
    }

    fn answer(&self, method: &str, params: &Value) -> Result<Value, Refusal> {
        let at_a_place = match method {
            "textDocument/completion" | "textDocument/hover" | "textDocument/definition" => true,
            "textDocument/formatting" => false,
            _ => {
                let message = format!("`{}` is not known here", method.escape_debug());
                return Err(Refusal { code: message::METHOD_NOT_FOUND, message });
            }
        };
        let uri = params["textDocument"]["uri"].as_str();
        let uri = uri.ok_or_else(|| Refusal::parameters("`textDocument.uri` is missing, or is no text"))?;
        let place = &params["position"];
        if at_a_place && !(place["line"].is_u64() && place["character"].is_u64()) {
            return Err(Refusal::parameters("`position` has a `line` and a `character`, both numbers from 0 on"));
        }
        // What is not open, or no file, has nothing to be said about.
        let path = documents::path(uri);
        let text = path.as_deref().and_then(|path| self.documents.text(path));
        let (Some(path), Some(text)) = (path, text) else { return Ok(Value::Null) };
        let at = documents::offset(text, place);
        Ok(match method {
            "textDocument/completion" => self.completions(&path, &text[..at]),
            "textDocument/hover" => self.hover(&path, text, at),
            "textDocument/definition" => self.definition(&path, text, at),
            _ => formatted(&path, text),
        })
    }

    fn completions(&self, path: &Path, before: &str) -> Value {
        let item = |label: &str, kind: u8, detail: Option<&str>, insert: Option<String>| {
            let mut item = json!({ "label": label, "kind": kind });
            if let Some(detail) = detail {
                item["documentation"] = detail.into();
            }
            if let Some(insert) = insert {
                item["insertText"] = insert.into();
            }
            item
        };
        // `CompletionItemKind` of the protocol.
        const KEYWORD: u8 = 14;
        const PROPERTY: u8 = 10;
        const REFERENCE: u8 = 18;
        match walk::end(before) {
            End::Key(table, _) => {
                let keys = keys::keys(&self.schema, &table);
                keys.into_iter()
                    .map(|key| item(key.name, PROPERTY, key.meaning, Some(format!("{} = ", key.name))))
                    .collect()
            }
            End::Value(key) => {
                let words = keys::words(&self.schema, &key);
                words.into_iter().map(|word| item(word, KEYWORD, None, Some(format!("\"{word}\"")))).collect()
            }
            End::Text(key, _) => {
                let policy = self.documents.policy(path);
                let words = keys::words(&self.schema, &key).into_iter().map(|word| item(word, KEYWORD, None, None));
                let kinds = names::named(&key);
                let mut names: Vec<_> = policy
                    .definitions()
                    .into_iter()
                    .filter(|(_, definition)| kinds.contains(&definition.kind))
                    .map(|(_, definition)| spelled(&key, &definition))
                    .collect();
                names.sort_unstable();
                names.dedup();
                words.chain(names.iter().map(|name| item(name, REFERENCE, None, None))).collect()
            }
            End::Elsewhere => json!([]),
        }
    }

    fn hover(&self, path: &Path, text: &str, at: usize) -> Value {
        let events = walk::events(text);
        let Some(event) = event_at(&events, at) else { return Value::Null };
        let shown = match &event.what {
            What::Key if event.path.len() != 2 || keys::key_meaning(&self.schema, &event.path).is_some() => {
                keys::key_meaning(&self.schema, &event.path).map(str::to_owned)
            }
            _ => {
                let policy = self.documents.policy(path);
                meant(&policy, path, event).and_then(|(file, definition)| hover::about(&policy, &file, &definition))
            }
        };
        match shown {
            Some(shown) => json!({
                "contents": { "kind": "markdown", "value": shown },
                "range": documents::range(text, &event.at),
            }),
            None => Value::Null,
        }
    }

    fn definition(&self, path: &Path, text: &str, at: usize) -> Value {
        let events = walk::events(text);
        let policy = self.documents.policy(path);
        let found = event_at(&events, at).and_then(|event| meant(&policy, path, event));
        match found {
            Some((file, definition)) => {
                json!({ "uri": documents::uri(&file), "range": documents::range(policy.text(&file), &definition.at) })
            }
            None => Value::Null,
        }
    }
}

/// A name as it is written under a key: tags have a prefix in rules.
fn spelled(key: &[String], definition: &Definition) -> String {
    let rule = key.first().is_some_and(|table| table == "rules");
    if definition.kind == Kind::Tag && rule { format!("tag:{}", definition.name) } else { definition.name.clone() }
}

fn event_at<'e, 't>(events: &'e [Event<'t>], at: usize) -> Option<&'e Event<'t>> {
    events.iter().find(|event| event.at.contains(&at) || event.at.end == at)
}

/// The definition that a place is, or refers to.
fn meant(policy: &Policy, path: &Path, event: &Event<'_>) -> Option<(PathBuf, Definition)> {
    let all = policy.definitions();
    if let Some(own) = all.iter().find(|(file, definition)| file == path && definition.at == event.at) {
        return Some(own.clone());
    }
    let What::Text(written) = event.what else { return None };
    let kinds = names::named(&event.path);
    // A value of a family stands behind the group's name.
    let group = written.split(':').next().unwrap_or(written);
    all.into_iter().find(|(_, definition)| {
        kinds.contains(&definition.kind)
            && (spelled(&event.path, definition) == written
                || (definition.kind == Kind::Group && definition.name == group))
    })
}

/// The edits that put a text into its usual layout.
fn formatted(path: &Path, text: &str) -> Value {
    match crate::layout::layout(&path.display().to_string(), text) {
        Ok(written) if written != text => {
            json!([{ "range": documents::range(text, &(0..text.len())), "newText": written }])
        }
        Ok(_) | Err(_) => json!([]),
    }
}

#[cfg(test)]
mod tests;
