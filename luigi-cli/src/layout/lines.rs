//! From statements to lines.

use super::tree::{Item, List, ListKind, Statement, Value};
use unicode_width::UnicodeWidthStr;

/// Lists that would be longer are broken, one item a line.
const WIDTH: usize = 120;

/// By how much the items of a broken list are set in.
const INDENT: usize = 4;

/// Comments behind lines that are longer are not lined up with others.
const ALIGNED: usize = 80;

/// One line and the comment behind it.
#[derive(Default)]
struct Line {
    text: String,
    comment: Option<String>,
}

/// Writes all statements.
pub(super) fn write(statements: &[Statement<'_>]) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        match statement {
            Statement::Blank => blank(&mut lines, statements, at),
            Statement::Comment(text) => {
                // A comment right above a header belongs to it and stands apart from what is before.
                if begins_header(&statements[at..]) && !begins_run(statements, at) {
                    blank_before(&mut lines);
                }
                lines.push(Line { text: (*text).to_owned(), comment: None });
            }
            Statement::Header { text, comment } => {
                if !matches!(at.checked_sub(1).map(|before| &statements[before]), Some(Statement::Comment(_))) {
                    blank_before(&mut lines);
                }
                lines.push(Line { text: text.clone(), comment: comment.map(str::to_owned) });
            }
            Statement::Entry { key, value, comment } => {
                let mut line = Line { text: format!("{key} = "), comment: None };
                push(value, 0, &mut line, &mut lines);
                line.comment = comment.map(str::to_owned);
                lines.push(line);
            }
        }
    }
    while lines.last().is_some_and(|line| line.text.is_empty()) {
        lines.pop();
    }
    align(&lines)
}

/// Whether comments, and nothing else, lie between here and a header.
fn begins_header(statements: &[Statement<'_>]) -> bool {
    let next = statements.iter().find(|statement| !matches!(statement, Statement::Comment(_)));
    matches!(next, Some(Statement::Header { .. }))
}

/// Whether the statement before is a comment, too: what is above it has been dealt with.
fn begins_run(statements: &[Statement<'_>], at: usize) -> bool {
    matches!(at.checked_sub(1).map(|before| &statements[before]), Some(Statement::Comment(_)))
}

/// Empty lines: at most one, none at the beginning and none below a header.
fn blank(lines: &mut Vec<Line>, statements: &[Statement<'_>], at: usize) {
    let before = statements[..at].iter().rev().find(|statement| !matches!(statement, Statement::Blank));
    if !matches!(before, Some(Statement::Header { .. })) || begins_header_after_blank(&statements[at..]) {
        blank_before(lines);
    }
}

/// Whether a header, or a comment, follows the empty lines: an empty table keeps its distance from what follows.
fn begins_header_after_blank(statements: &[Statement<'_>]) -> bool {
    let next = statements.iter().position(|statement| !matches!(statement, Statement::Blank));
    next.is_some_and(|next| begins_header(&statements[next..]))
}

fn blank_before(lines: &mut Vec<Line>) {
    if lines.last().is_some_and(|line| !line.text.is_empty()) {
        lines.push(Line::default());
    }
}

/// Adds a value to the line that has been begun; of a broken list only the last line is left in `line`.
fn push(value: &Value<'_>, indent: usize, line: &mut Line, lines: &mut Vec<Line>) {
    match value {
        Value::Plain(text) => line.text.push_str(text),
        Value::List(list) => match flat(list) {
            Some(flat) if !must_break(list) && fits(list, line, &flat) => line.text.push_str(&flat),
            _ => broken(list, indent, line, lines),
        },
    }
}

/// Whether its author broke the list: an array is kept so. A table is broken only for its comments, as TOML 1.0 has it on one line.
fn must_break(list: &List<'_>) -> bool {
    list.kind == ListKind::Array && list.broken && !list.items.is_empty()
}

fn fits(list: &List<'_>, line: &Line, flat: &str) -> bool {
    // Whether a comma follows is not known here; it does in a broken list.
    list.kind == ListKind::Table || line.text.width() + flat.width() < WIDTH
}

/// The list on one line; `None` if there are comments or lines in it.
fn flat(list: &List<'_>) -> Option<String> {
    let mut items = Vec::new();
    for item in &list.items {
        match item {
            Item::Blank => {}
            Item::Comment(_) | Item::Value { comment: Some(_), .. } => return None,
            Item::Value { key, value, comment: None } => {
                let value = match value {
                    Value::Plain(text) if text.contains('\n') => return None,
                    Value::Plain(text) => (*text).to_owned(),
                    Value::List(list) if must_break(list) => return None,
                    Value::List(list) => flat(list)?,
                };
                items.push(key.as_ref().map_or(value.clone(), |key| format!("{key} = {value}")));
            }
        }
    }
    let items = items.join(", ");
    Some(match list.kind {
        ListKind::Array => format!("[{items}]"),
        ListKind::Table if items.is_empty() => "{}".to_owned(),
        ListKind::Table => format!("{{ {items} }}"),
    })
}

fn broken(list: &List<'_>, indent: usize, line: &mut Line, lines: &mut Vec<Line>) {
    let (open, close, inside) = match list.kind {
        ListKind::Array => ('[', ']', true),
        // What makes a table unfit for one line may be a list inside it, which is broken by itself.
        ListKind::Table => ('{', '}', list.items.iter().any(commented)),
    };
    line.text.push(open);
    if !inside {
        line.text.push(' ');
        let last = list.items.iter().rposition(|item| matches!(item, Item::Value { .. }));
        for (at, item) in list.items.iter().enumerate() {
            if let Item::Value { key, value, .. } = item {
                line.text.extend(key.iter().flat_map(|key| [key.as_str(), " = "]));
                push(value, indent, line, lines);
                line.text.push_str(if Some(at) == last { " " } else { ", " });
            }
        }
        return line.text.push(close);
    }
    lines.push(std::mem::take(line));
    let inner = indent + INDENT;
    for item in &list.items {
        let mut next = Line { text: " ".repeat(inner), comment: None };
        match item {
            Item::Blank => next.text.clear(),
            Item::Comment(text) => next.text.push_str(text),
            Item::Value { key, value, comment } => {
                next.text.extend(key.iter().flat_map(|key| [key.as_str(), " = "]));
                push(value, inner, &mut next, lines);
                next.text.push(',');
                next.comment = comment.map(str::to_owned);
            }
        }
        lines.push(next);
    }
    line.text = format!("{}{close}", " ".repeat(indent));
}

fn commented(item: &Item<'_>) -> bool {
    matches!(item, Item::Comment(_) | Item::Value { comment: Some(_), .. })
}

/// Comments behind lines that follow each other begin in one column.
fn align(lines: &[Line]) -> String {
    let mut text = String::new();
    for run in lines.chunk_by(|a, b| a.comment.is_some() && b.comment.is_some()) {
        let widths = run.iter().map(|line| last_line(&line.text).width());
        let column = widths.max().filter(|width| *width <= ALIGNED);
        for line in run {
            text.push_str(&line.text);
            if let Some(comment) = &line.comment {
                let space = column.map_or(0, |column| column - last_line(&line.text).width());
                text.push_str(&" ".repeat(space + 2));
                text.push_str(comment);
            }
            text.push('\n');
        }
    }
    text
}

/// A string may go over several lines.
fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or(text)
}
