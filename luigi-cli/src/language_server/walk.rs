//! Where one is in a text that may be half written: tables, keys and the strings under them.
//!
//! Reads tokens and forgives: whatever is missing, what follows the next table header is read as it is meant.

use std::ops::Range;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// Something that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event<'t> {
    pub(super) what: What<'t>,
    /// The names of tables and keys that lead there, the key itself included.
    pub(super) path: Vec<String>,
    /// Where, in bytes; of a string with its quotes.
    pub(super) at: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'t> {
    /// `[table]` or `[[list]]`.
    Header,
    /// A key.
    Key,
    /// A string on one line, as it is written between its quotes.
    Text(&'t str),
}

/// Where a text ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End<'t> {
    /// Where a key belongs; with the table's path and what has been written of the key.
    Key(Vec<String>, &'t str),
    /// In a string; with the path and what has been written of the string.
    Text(Vec<String>, &'t str),
    /// Where a value begins, with the path.
    Value(Vec<String>),
    /// Anywhere else: in a header or a comment.
    Elsewhere,
}

/// Reads a text.
pub(super) fn events(text: &str) -> Vec<Event<'_>> {
    Walk::new(text).all().events
}

/// Where the text before a cursor ends.
pub(super) fn end(before: &str) -> End<'_> {
    let walk = Walk::new(before).all();
    let path = walk.path();
    match walk.last {
        Last::Comment => End::Elsewhere,
        Last::OpenText(at) => End::Text(path, &before[at..]),
        Last::Other => match &walk.key {
            Reading::Key { begun, .. } => End::Key(path, begun.map_or("", |at| before[at..].trim_start())),
            Reading::Header => End::Elsewhere,
            Reading::Value => End::Value(path),
        },
    }
}

struct Walk<'t> {
    text: &'t str,
    events: Vec<Event<'t>>,
    /// The path of the table.
    table: Vec<String>,
    /// The key of the statement and, for each bracket that is open, the key inside of it (none in an array).
    open: Vec<Frame>,
    statement: Vec<String>,
    key: Reading,
    last: Last,
}

struct Frame {
    array: bool,
    key: Vec<String>,
}

enum Reading {
    Key { names: Vec<String>, begun: Option<usize> },
    Header,
    Value,
}

#[derive(Clone, Copy)]
enum Last {
    Other,
    Comment,
    /// A string that has no end, from behind its quote on.
    OpenText(usize),
}

impl<'t> Walk<'t> {
    fn new(text: &'t str) -> Self {
        let key = Reading::Key { names: Vec::new(), begun: None };
        Self {
            text,
            events: Vec::new(),
            table: Vec::new(),
            open: Vec::new(),
            statement: Vec::new(),
            key,
            last: Last::Other,
        }
    }

    fn path(&self) -> Vec<String> {
        let inner = self.open.iter().flat_map(|frame| &frame.key);
        self.table.iter().chain(&self.statement).chain(inner).cloned().collect()
    }

    fn all(mut self) -> Self {
        let tokens = Source::new(self.text).lex().into_vec();
        let mut header_begins = 0;
        for (number, token) in tokens.iter().enumerate() {
            let at = token.span().start()..token.span().end();
            let written = &self.text[at.clone()];
            let line_begins = at.start == 0 || self.text.as_bytes()[at.start - 1] == b'\n';
            // A header at the beginning of a line ends whatever was not finished before it.
            if line_begins && !self.open.is_empty() && begins_statement(&self.text[at.start..]) {
                self.next_statement();
            }
            let open_text = matches!(token.kind(), TokenKind::BasicString | TokenKind::LiteralString)
                && (written.len() < 2 || !written.ends_with(&written[..1]));
            self.last = match token.kind() {
                TokenKind::Comment => Last::Comment,
                TokenKind::Eof => self.last,
                _ if open_text => Last::OpenText(at.start + 1),
                _ => Last::Other,
            };
            match (token.kind(), &mut self.key) {
                (TokenKind::Eof | TokenKind::Whitespace | TokenKind::Comment, _) => {}
                (TokenKind::Newline, _) if self.open.is_empty() => self.next_statement(),
                (TokenKind::Newline, _) => {}
                (TokenKind::LeftSquareBracket, Reading::Key { names, .. })
                    if names.is_empty() && self.open.is_empty() =>
                {
                    self.key = Reading::Header;
                    self.table.clear();
                    header_begins = at.start;
                }
                (TokenKind::RightSquareBracket, Reading::Header) => {
                    let next = tokens.get(number + 1).map(toml_parser::lexer::Token::kind);
                    if next != Some(TokenKind::RightSquareBracket) {
                        let path = self.table.clone();
                        self.events.push(Event { what: What::Header, path, at: header_begins..at.end });
                    }
                }
                (TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString, Reading::Header) => {
                    self.table.push(unquoted(written).to_owned());
                }
                (
                    TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString,
                    Reading::Key { names, begun },
                ) => {
                    names.push(unquoted(written).to_owned());
                    begun.get_or_insert(at.start);
                }
                (TokenKind::Equals, Reading::Key { names, begun }) => {
                    let names = std::mem::take(names);
                    let begins = begun.unwrap_or(at.start);
                    let ends = self.text[..at.start].trim_end().len();
                    self.key = Reading::Value;
                    match self.open.last_mut() {
                        Some(frame) => frame.key = names,
                        None => self.statement = names,
                    }
                    let path = self.path();
                    self.events.push(Event { what: What::Key, path, at: begins..ends.max(begins) });
                }
                (TokenKind::BasicString | TokenKind::LiteralString, Reading::Value) => {
                    let path = self.path();
                    self.events.push(Event { what: What::Text(unquoted(written)), path, at });
                }
                (TokenKind::LeftSquareBracket, Reading::Value) => {
                    self.open.push(Frame { array: true, key: Vec::new() });
                }
                (TokenKind::LeftCurlyBracket, Reading::Value) => {
                    self.open.push(Frame { array: false, key: Vec::new() });
                    self.key = Reading::Key { names: Vec::new(), begun: None };
                }
                (TokenKind::Comma, _) => {
                    if let Some(frame) = self.open.last_mut().filter(|frame| !frame.array) {
                        frame.key.clear();
                        self.key = Reading::Key { names: Vec::new(), begun: None };
                    }
                }
                (
                    TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket,
                    Reading::Value | Reading::Key { .. },
                ) => {
                    self.open.pop();
                    self.key = Reading::Value;
                }
                _ => {}
            }
        }
        self
    }

    fn next_statement(&mut self) {
        self.open.clear();
        self.statement.clear();
        self.key = Reading::Key { names: Vec::new(), begun: None };
    }
}

/// Whether a line looks like a header, or like a key with a value.
fn begins_statement(line: &str) -> bool {
    let line = line.lines().next().unwrap_or_default();
    if let Some(inner) = line.strip_prefix('[') {
        let name = inner.trim_start_matches('[').trim_start();
        return name.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(']') && !line.contains(',');
    }
    let name = line.trim_end_matches(|c| c != '=').trim_end_matches('=').trim_end();
    line.starts_with(|c: char| c.is_ascii_lowercase())
        && line.contains('=')
        && !name.contains(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
}

/// A string without its quotes, or a bare key.
fn unquoted(written: &str) -> &str {
    let inner = written.strip_prefix(['"', '\'']).unwrap_or(written);
    if inner.len() < written.len() { inner.strip_suffix(['"', '\'']).unwrap_or(inner) } else { inner }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let event = |event: Event<'_>| match event.what {
            What::Header => format!("[{}]", event.path.join(".")),
            What::Key => event.path.join("."),
            What::Text(value) => format!("{}={value}", event.path.join(".")),
        };
        events(text).into_iter().map(event).collect()
    }

    #[test]
    fn tables_keys_and_strings_are_found() {
        assert_eq!(
            shown(
                "schema = 1\n[scopes.\"a\"]\nhosts = [\"x\", 'y']\n[[rules]]\nsubject = [{ groups = [\"g\"] }, { claims = [{ path = [\"p\"] }] }]\n"
            ),
            [
                "schema",
                "[scopes.a]",
                "scopes.a.hosts",
                "scopes.a.hosts=x",
                "scopes.a.hosts=y",
                "[rules]",
                "rules.subject",
                "rules.subject.groups",
                "rules.subject.groups=g",
                "rules.subject.claims",
                "rules.subject.claims.path",
                "rules.subject.claims.path=p",
            ]
        );
    }

    #[test]
    fn what_follows_something_unfinished_is_read() {
        let after =
            ["[[rules]]", "[scopes.b]"].map(|header| format!("[scopes.a]\nhosts = [\"x\",\n{header}\nid = \"r\"\n"));
        assert!(shown(&after[0]).contains(&"rules.id=r".to_owned()), "{:?}", shown(&after[0]));
        assert!(shown(&after[1]).contains(&"scopes.b.id=r".to_owned()), "{:?}", shown(&after[1]));
        assert!(shown("[a]\nb = { c = [\nd = \"e\"\n").contains(&"a.d=e".to_owned()));
        assert!(shown("[a]\nb = \"open\nd = \"e\"\n").contains(&"a.d=e".to_owned()));
    }

    #[test]
    fn the_end_of_a_text_says_what_is_being_written() {
        let path = |names: &str| names.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(end("[[rules]]\nscopes = [\"a\", \"or"), End::Text(path("rules.scopes"), "or"));
        assert_eq!(end("[[rules]]\nsubject = { groups = [\""), End::Text(path("rules.subject.groups"), ""));
        assert_eq!(end("[[rules]]\nsubject = { gr"), End::Key(path("rules.subject"), "gr"));
        assert_eq!(end("[[rules]]\nsubject = { groups = [\"a\"], "), End::Key(path("rules.subject"), ""));
        assert_eq!(end("[[rules]]\neff"), End::Key(path("rules"), "eff"));
        assert_eq!(end("[[rules]]\neffect = "), End::Value(path("rules.effect")));
        assert_eq!(end(""), End::Key(Vec::new(), ""));
        assert_eq!(end("a = 1 # x"), End::Elsewhere);
        assert_eq!(end("[sco"), End::Elsewhere);
    }
}
