//! `luigi language-server`: what editors ask while somebody writes a policy, over standard input and output (Language Server Protocol 3.17).
//!
//! * `documents` knows the open texts, finds the policy that a file belongs to, and turns places into the protocol's positions.
//! * `walk` reads texts that may be half written; `names` knows which names they define and use; `keys` asks the schema.
//! * `hover` says what a name stands for.
//!
//! One thread answers one message after the other. What a policy means is the parser's business: problems are those of `luigi check`.

mod documents;
mod hover;
mod keys;
mod names;
mod walk;

use crate::schema;
use documents::{Documents, Policy};
use lsp_server::{Connection, Message, Notification, Request, Response};
use names::{Definition, Kind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use walk::{End, Event, What};

/// Answers until the editor goes.
///
/// # Errors
/// The other side does not speak the protocol.
pub(crate) fn run() -> Result<(), String> {
    let (connection, threads) = Connection::stdio();
    serve(&connection).map_err(|error| error.to_string())?;
    drop(connection);
    threads.join().map_err(|error| error.to_string())
}

fn serve(connection: &Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let capabilities = json!({
        "textDocumentSync": { "openClose": true, "change": 1, "save": true },
        "completionProvider": { "triggerCharacters": ["\"", ":"] },
        "hoverProvider": true,
        "definitionProvider": true,
        "documentFormattingProvider": true,
    });
    connection.initialize(capabilities)?;
    let mut server = Server { documents: Documents::default(), schema: schema::value(), shown: Vec::new() };
    for message in &connection.receiver {
        match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request)? {
                    return Ok(());
                }
                connection.sender.send(server.answer(request).into())?;
            }
            Message::Notification(notification) => {
                for report in server.note(&notification) {
                    connection.sender.send(report.into())?;
                }
            }
            Message::Response(_) => {}
        }
    }
    Ok(())
}

struct Server {
    documents: Documents,
    schema: Value,
    /// Files that have problems on the editor's screen.
    shown: Vec<PathBuf>,
}

impl Server {
    fn note(&mut self, notification: &Notification) -> Vec<Notification> {
        let document = &notification.params["textDocument"];
        let Some(path) = document["uri"].as_str().and_then(documents::path) else { return Vec::new() };
        match notification.method.as_str() {
            "textDocument/didOpen" => self.documents.open(&path, document["text"].as_str().unwrap_or_default()),
            "textDocument/didChange" => {
                // Whole texts are asked for, so the last change is the text.
                let changes = notification.params["contentChanges"].as_array();
                if let Some(text) = changes.and_then(|changes| changes.last()?["text"].as_str()) {
                    self.documents.open(&path, text);
                }
            }
            "textDocument/didClose" => self.documents.close(&path),
            "textDocument/didSave" => {}
            _ => return Vec::new(),
        }
        self.report(&path)
    }

    /// The problems of the policy that a file belongs to, file by file; those without any are told, too, if they had some.
    fn report(&mut self, path: &Path) -> Vec<Notification> {
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
            reports.push(Notification::new("textDocument/publishDiagnostics".to_owned(), params));
        }
        reports
    }

    fn answer(&self, request: Request) -> Response {
        let place = &request.params["position"];
        let path = request.params["textDocument"]["uri"].as_str().and_then(documents::path);
        let text = path.as_deref().and_then(|path| self.documents.text(path));
        let (Some(path), Some(text)) = (path, text) else { return Response::new_ok(request.id, Value::Null) };
        let at = documents::offset(text, place);
        let answer = match request.method.as_str() {
            "textDocument/completion" => self.completions(&path, &text[..at]),
            "textDocument/hover" => self.hover(&path, text, at),
            "textDocument/definition" => self.definition(&path, text, at),
            "textDocument/formatting" => formatted(&path, text),
            _ => {
                let message = format!("`{}` is not known here", request.method);
                return Response::new_err(request.id, lsp_server::ErrorCode::MethodNotFound as i32, message);
            }
        };
        Response::new_ok(request.id, answer)
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
