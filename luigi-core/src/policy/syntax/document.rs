//! From text to TOML documents, and from the TOML parser's complaints to ours.

use super::nesting;
use super::node::foreign;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::{
    MAX_SOURCE_BYTES, MAX_TOTAL_BYTES, SourceId, SourceSet, Span, Unreadable, floor_char_boundary,
};
use std::collections::HashSet;
use std::ops::Range;
use toml::de::DeTable;

/// A document and how far it is to be believed.
pub(super) struct Document<'s> {
    pub(super) source: SourceId,
    pub(super) root: toml::Spanned<DeTable<'s>>,
    /// Whether everything in the text is in `root`; only repeated keys may be missing.
    pub(super) whole: bool,
}

/// Reads every source that is not too large.
pub(super) fn read_all<'s>(sources: &'s SourceSet, out: &mut Diagnostics) -> Option<Vec<Document<'s>>> {
    let mut whole = true;
    for (id, Unreadable { code, message, help, line }) in sources.unreadable() {
        let text = sources.text(id);
        let at = line.as_ref().map_or(0..0, |(_, shown)| text.len() - shown.len()..text.len());
        out.push(Diagnostic::error(*code, Span::new(id, &at), message.as_str()).help(*help));
        whole = false;
    }
    if sources.is_empty() && whole {
        out.push(Diagnostic::without_place(Code::NoSource, "there is no policy file"));
        return None;
    }
    let total = sources.total_bytes();
    if total > MAX_TOTAL_BYTES {
        let message = format!("the files of the policy have {total} bytes together, more than {MAX_TOTAL_BYTES}");
        out.push(Diagnostic::without_place(Code::SourceTooLarge, message));
        return None;
    }
    // Nothing is parsed before all of it is known to be of bounded size.
    let mut tables_left = nesting::MAX_TABLES;
    let bounded: Vec<bool> = sources.ids().map(|id| is_bounded(id, sources.text(id), &mut tables_left, out)).collect();
    if bounded.contains(&false) {
        return None;
    }
    let documents: Vec<_> = sources.ids().map(|id| read(id, sources.text(id), out)).collect();
    documents.into_iter().collect::<Option<Vec<_>>>().filter(|_| whole)
}

fn is_bounded(source: SourceId, text: &str, tables_left: &mut usize, out: &mut Diagnostics) -> bool {
    if text.len() > MAX_SOURCE_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_SOURCE_BYTES}", text.len());
        let problem = Diagnostic::error(Code::SourceTooLarge, Span::new(source, &(0..0)), message);
        out.push(problem.help("spread the policy over several files of a directory"));
        return false;
    }
    match nesting::check(source, text, tables_left) {
        Ok(()) => true,
        Err(problem) => {
            out.push(*problem);
            false
        }
    }
}

fn read<'s>(source: SourceId, text: &'s str, out: &mut Diagnostics) -> Option<Document<'s>> {
    let (root, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let mut whole = true;
    // Lines with a problem and headers that stand there twice: what follows from one mistake is not reported as more of them.
    let (mut broken_line, mut repeated_headers) = (None, HashSet::new());
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let start = floor_char_boundary(text, span.start);
        let end = floor_char_boundary(text, span.end.max(start));
        // UNSHOWN: the parser's words.
        if error.message() == "duplicate key" {
            let problem = Diagnostic::error(
                Code::DuplicateName,
                Span::new(source, &(start..end)),
                format!("{} is defined twice", super::node::quoted(&text[start..end])),
            );
            let problem = problem.label("again");
            let first = if out.is_full() { First::Unknown } else { first_definition(text, start, end) };
            match first {
                First::Header(first) => {
                    repeated_headers.insert(line_start(text, start));
                    out.push(problem.also(Span::new(source, &first), "first here"));
                }
                First::Key(first) => out.push(problem.also(Span::new(source, &first), "first here")),
                First::NotUnder(header) if repeated_headers.contains(&header) => {}
                First::NotUnder(_) | First::Unknown => out.push(problem),
            }
        } else {
            whole = false;
            let line = line_start(text, start);
            if broken_line.replace(line) == Some(line) {
                continue;
            }
            let end = if start == end { next_char_end(text, start) } else { end };
            let problem =
                Diagnostic::error(Code::TomlSyntax, Span::new(source, &(start..end)), lower_case(error.message()));
            let in_array = error.message().contains("array") && text[line..start].trim().is_empty();
            let problem = if in_array { problem.help("is the list above closed with `]`?") } else { problem };
            out.push(match foreign(&text[start..end]) {
                Some((_, what)) => problem.label(what).help(ASCII_KEYS),
                None => problem,
            });
        }
    }
    Some(Document { source, root, whole })
}

const ASCII_KEYS: &str =
    "keys are written with the letters a-z and A-Z, digits, `-` and `_`; others look alike and are not";

/// The end of the character at `at`, unless a line ends there.
fn next_char_end(text: &str, at: usize) -> usize {
    match text[at..].chars().next() {
        None | Some('\n' | '\r') => at,
        Some(c) => at + c.len_utf8(),
    }
}

/// Our messages begin in lower case and are one line.
fn lower_case(message: &str) -> String {
    let message = message.lines().collect::<Vec<_>>().join(", ");
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where something was defined before.
enum First {
    /// A table, by this header.
    Header(Range<usize>),
    /// A key, here.
    Key(Range<usize>),
    /// A key, but not since the header that begins here.
    NotUnder(usize),
    /// Nowhere near.
    Unknown,
}

/// Where the key at `start..end` was defined before: a best effort by looking at the lines above, since the TOML parser does not say.
fn first_definition(text: &str, start: usize, end: usize) -> First {
    const LOOK_BACK_BYTES: usize = 1024 * 1024;
    let line_start = line_start(text, start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let begin = floor_char_boundary(text, line_start.saturating_sub(LOOK_BACK_BYTES));
    let header = |line: &str| line.trim_start().starts_with('[');
    let without_comment = |line: &'_ str| line.split('#').next().unwrap_or("").trim().to_owned();

    let own = &text[line_start..line_end];
    let own_header = header(own).then(|| without_comment(own));
    let mut at = line_start;
    for line in text[begin..line_start].split_inclusive('\n').rev() {
        at -= line.len();
        let indent = line.len() - line.trim_start().len();
        match &own_header {
            Some(own) if header(line) && without_comment(line) == *own => {
                return First::Header(at + indent..at + line.trim_end().len());
            }
            Some(_) => {}
            None if header(line) => return First::NotUnder(at),
            None => {
                let key = &text[start..end];
                let rest = line.trim_start().strip_prefix(key);
                if rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.'])) {
                    return First::Key(at + indent..at + indent + key.len());
                }
            }
        }
    }
    First::Unknown
}
