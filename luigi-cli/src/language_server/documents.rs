//! The open texts, the policies that they belong to, and places in the protocol's terms.

use super::names::{Definition, definitions};
use super::walk;
use luigi_core::policy::diagnostics::{Diagnostic, Label, Severity};
use luigi_core::policy::source::Span;
use luigi_core::policy::{ParsedEverywhere, SourceSet, parse_everywhere};
use luigi_runtime::policy_files;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What the editor has open.
#[derive(Debug, Default)]
pub(super) struct Documents(HashMap<PathBuf, String>);

impl Documents {
    pub(super) fn open(&mut self, path: &Path, text: &str) {
        self.0.insert(path.to_owned(), text.to_owned());
    }

    pub(super) fn close(&mut self, path: &Path) {
        self.0.remove(path);
    }

    pub(super) fn text(&self, path: &Path) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The policy that a file belongs to: the file alone or all files of its folder, whichever leaves it fewer problems.
    pub(super) fn policy(&self, path: &Path) -> Policy {
        let alone = Policy::of(self.sources(path, path));
        if alone.count(path) == 0 {
            return alone;
        }
        let Some(folder) = path.parent() else { return alone };
        let together = Policy::of(self.sources(folder, path));
        if together.count(path) < alone.count(path) { together } else { alone }
    }

    /// The texts at `root`, `path` among them, as the editor has them.
    fn sources(&self, root: &Path, path: &Path) -> SourceSet {
        let mut sources = policy_files::read(root).unwrap_or_default();
        for (open, text) in &self.0 {
            let name = open.display().to_string();
            if !sources.replace(&name, text) && open == path {
                sources.add(name, text.as_str());
            }
        }
        sources
    }
}

/// Texts that are one policy, with what the parser says.
pub(super) struct Policy {
    pub(super) sources: SourceSet,
    pub(super) parsed: ParsedEverywhere,
}

impl Policy {
    fn of(sources: SourceSet) -> Self {
        Self { parsed: parse_everywhere(&sources), sources }
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.sources.ids().map(|id| self.sources.name(id).into()).collect()
    }

    /// The text of a file; empty if it is not one of the policy's.
    pub(super) fn text(&self, file: &Path) -> &str {
        let id = self.sources.ids().find(|id| Path::new(self.sources.name(*id)) == file);
        id.map_or("", |id| self.sources.text(id))
    }

    /// Every definition, with its file.
    pub(super) fn definitions(&self) -> Vec<(PathBuf, Definition)> {
        let of = |file: PathBuf| {
            let found = definitions(&walk::events(self.text(&file)));
            found.into_iter().map(move |definition| (file.clone(), definition)).collect::<Vec<_>>()
        };
        self.files().into_iter().flat_map(of).collect()
    }

    fn count(&self, file: &Path) -> usize {
        self.parsed.diagnostics.iter().filter(|problem| self.is_in(problem, file)).count()
    }

    /// Problems without a place belong to every file.
    fn is_in(&self, problem: &Diagnostic, file: &Path) -> bool {
        problem.primary.as_ref().is_none_or(|label| Path::new(self.sources.name(label.span.source)) == file)
    }

    /// The problems of one file, as the protocol has them.
    pub(super) fn problems(&self, file: &Path) -> Vec<Value> {
        let problems = self.parsed.diagnostics.iter().filter(|problem| self.is_in(problem, file));
        problems.map(|problem| self.problem(problem)).collect()
    }

    fn problem(&self, problem: &Diagnostic) -> Value {
        let mut message = problem.message.clone();
        if let Some(label) = problem.primary.as_ref().filter(|label| !label.text.is_empty()) {
            message = format!("{message}: {}", label.text);
        }
        if let Some(help) = &problem.help {
            message = format!("{message}\nhelp: {help}");
        }
        let related: Vec<_> = problem.secondary.iter().map(|label| self.related(label)).collect();
        json!({
            "range": problem.primary.as_ref().map_or(json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } }), |label| self.range(label.span)),
            "severity": match problem.severity { Severity::Error => 1, Severity::Warning => 2 },
            "code": problem.code.as_str(),
            "source": "luigi",
            "message": message,
            "relatedInformation": related,
        })
    }

    fn related(&self, label: &Label) -> Value {
        let file = Path::new(self.sources.name(label.span.source));
        json!({ "location": { "uri": uri(file), "range": self.range(label.span) }, "message": label.text })
    }

    fn range(&self, span: Span) -> Value {
        range(self.sources.text(span.source), &(span.start as usize..span.end as usize))
    }
}

/// A place in bytes, from a position in lines and UTF-16 code units; the nearest one that there is.
pub(super) fn offset(text: &str, position: &Value) -> usize {
    let number = |key: &str| position[key].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let (line, character) = (number("line"), number("character"));
    let begins = if line == 0 { Some(0) } else { text.match_indices('\n').nth(line - 1).map(|(at, _)| at + 1) };
    let Some(begins) = begins else { return text.len() };
    let mut units = 0;
    for (at, c) in text[begins..].char_indices() {
        if units >= character || c == '\n' {
            return begins + at;
        }
        units += c.len_utf16();
    }
    text.len()
}

/// A range in bytes as the protocol has it.
pub(super) fn range(text: &str, at: &Range<usize>) -> Value {
    let position = |at: usize| {
        let before = &text[..text.floor_char_boundary(at.min(text.len()))];
        let line_begins = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count();
        json!({ "line": line, "character": before[line_begins..].encode_utf16().count() })
    };
    json!({ "start": position(at.start), "end": position(at.end) })
}

/// The path of a `file:` URI.
pub(super) fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // An authority, if there is one, is this machine.
    let path = &rest[rest.find('/')?..];
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let decoded = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    Some(PathBuf::from(std::ffi::OsString::from(String::from_utf8(bytes).ok()?)))
}

/// The `file:` URI of a path.
pub(super) fn uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf16() {
        let text = "a\nü😀x\n";
        let position = |line: usize, character: usize| json!({ "line": line, "character": character });
        for (at, line, character) in [(0, 0, 0), (2, 1, 0), (4, 1, 1), (8, 1, 3), (9, 1, 4), (10, 2, 0)] {
            assert_eq!(offset(text, &position(line, character)), at);
            assert_eq!(range(text, &(at..at))["start"], position(line, character));
        }
        assert_eq!(offset(text, &position(1, 99)), 9, "no further than the line");
        assert_eq!(offset(text, &position(9, 0)), 10);
    }

    #[test]
    fn uris_are_paths() {
        for (uri_text, path_text) in [("file:///a/b%20c/%C3%BC.toml", "/a/b c/ü.toml"), ("file://localhost/a", "/a")] {
            assert_eq!(path(uri_text), Some(path_text.into()));
        }
        assert_eq!(uri(Path::new("/a/b c/ü.toml")), "file:///a/b%20c/%C3%BC.toml");
        assert_eq!(path("untitled:1"), None);
    }
}
