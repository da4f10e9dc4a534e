//! From text to statements: headers, keys and their values, comments and blank lines, in their order.
//!
//! The text must be TOML; of anything else no more is promised than that reading it ends.

use std::iter::Peekable;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// One line of a document, or several if it is a value that goes over lines.
#[derive(Debug)]
pub(super) enum Statement<'t> {
    /// One or more empty lines.
    Blank,
    /// A comment with a line of its own.
    Comment(&'t str),
    /// `[table]` or `[[list.of.tables]]`, without space inside.
    Header { text: String, comment: Option<&'t str> },
    /// `key = value`.
    Entry { key: String, value: Value<'t>, comment: Option<&'t str> },
}

/// What stands behind `=` or in a list.
#[derive(Debug)]
pub(super) enum Value<'t> {
    /// A string, number, boolean or time, as it is written.
    Plain(&'t str),
    /// An array or an inline table.
    List(List<'t>),
}

/// An array or an inline table.
#[derive(Debug)]
pub(super) struct List<'t> {
    pub(super) kind: ListKind,
    /// Whether its first item stands on a line of its own: its author wanted it so.
    pub(super) broken: bool,
    pub(super) items: Vec<Item<'t>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Array,
    Table,
}

/// What stands in a list.
#[derive(Debug)]
pub(super) enum Item<'t> {
    /// An empty line between items.
    Blank,
    /// A comment with a line of its own.
    Comment(&'t str),
    /// An item, with its key in a table, and the comment behind it on its line.
    Value { key: Option<String>, value: Value<'t>, comment: Option<&'t str> },
}

/// Reads a whole text.
pub(super) fn read(text: &str) -> Vec<Statement<'_>> {
    let tokens = Source::new(text).lex().into_vec();
    let tokens =
        tokens.into_iter().map(|token| Token { kind: token.kind(), at: token.span().start()..token.span().end() });
    Reader {
        text,
        tokens: tokens.filter(|token| token.kind != TokenKind::Eof).collect::<Vec<_>>().into_iter().peekable(),
    }
    .document()
}

struct Token {
    kind: TokenKind,
    at: std::ops::Range<usize>,
}

struct Reader<'t> {
    text: &'t str,
    tokens: Peekable<std::vec::IntoIter<Token>>,
}

impl<'t> Reader<'t> {
    fn document(mut self) -> Vec<Statement<'t>> {
        let mut statements = Vec::new();
        loop {
            self.skip_space();
            let Some(kind) = self.peek() else { return statements };
            match kind {
                TokenKind::Newline => {
                    self.tokens.next();
                    statements.push(Statement::Blank);
                    continue;
                }
                TokenKind::Comment => {
                    let comment = self.comment();
                    statements.extend(comment.map(Statement::Comment));
                }
                TokenKind::LeftSquareBracket => {
                    let text = self.until(&[TokenKind::Comment, TokenKind::Newline]);
                    let comment = self.comment();
                    statements.push(Statement::Header { text, comment });
                }
                _ => {
                    let key = self.until(&[TokenKind::Equals, TokenKind::Newline]);
                    self.take(TokenKind::Equals);
                    self.skip_space();
                    let value = self.value();
                    self.skip_space();
                    let comment = self.comment();
                    statements.push(Statement::Entry { key, value, comment });
                }
            }
            // The end of the statement's line.
            self.skip_space();
            self.take(TokenKind::Newline);
        }
    }

    fn peek(&mut self) -> Option<TokenKind> {
        self.tokens.peek().map(|token| token.kind)
    }

    fn skip_space(&mut self) {
        while self.take(TokenKind::Whitespace) {}
    }

    fn take(&mut self, kind: TokenKind) -> bool {
        self.tokens.next_if(|token| token.kind == kind).is_some()
    }

    fn comment(&mut self) -> Option<&'t str> {
        let text = self.text;
        self.tokens.next_if(|token| token.kind == TokenKind::Comment).map(|token| text[token.at].trim_end())
    }

    /// The tokens before one of these kinds, without the space between them: a key, or a header.
    fn until(&mut self, ends: &[TokenKind]) -> String {
        let mut read = String::new();
        while let Some(token) = self.tokens.next_if(|token| !ends.contains(&token.kind)) {
            if token.kind != TokenKind::Whitespace {
                read.push_str(&self.text[token.at]);
            }
        }
        read
    }

    fn value(&mut self) -> Value<'t> {
        match self.peek() {
            Some(TokenKind::LeftSquareBracket) => {
                Value::List(self.list(ListKind::Array, TokenKind::RightSquareBracket))
            }
            Some(TokenKind::LeftCurlyBracket) => Value::List(self.list(ListKind::Table, TokenKind::RightCurlyBracket)),
            _ => Value::Plain(self.plain()),
        }
    }

    /// Everything up to what can only stand behind a value; a time may have a space and a fraction a dot inside.
    fn plain(&mut self) -> &'t str {
        let begin = self.tokens.peek().map_or(self.text.len(), |token| token.at.start);
        let mut end = begin;
        while let Some(token) = self.tokens.next_if(|token| {
            !matches!(
                token.kind,
                TokenKind::Comma
                    | TokenKind::RightSquareBracket
                    | TokenKind::RightCurlyBracket
                    | TokenKind::Newline
                    | TokenKind::Comment
            )
        }) {
            end = token.at.end;
        }
        self.text[begin..end].trim_end()
    }

    fn list(&mut self, kind: ListKind, close: TokenKind) -> List<'t> {
        self.tokens.next();
        self.skip_space();
        let broken = matches!(self.peek(), Some(TokenKind::Newline | TokenKind::Comment));
        let mut items: Vec<Item<'t>> = Vec::new();
        // Line ends since the last thing that was read: two are a blank line, none means that a comment belongs to the item before it.
        let mut line_ends = usize::from(broken);
        while let Some(token) = self.peek() {
            match token {
                TokenKind::Whitespace | TokenKind::Comma => {
                    self.tokens.next();
                    continue;
                }
                TokenKind::Newline => {
                    self.tokens.next();
                    line_ends += 1;
                    continue;
                }
                _ if token == close => {
                    self.tokens.next();
                    break;
                }
                TokenKind::Comment => {
                    let Some(text) = self.comment() else { break };
                    match items.last_mut() {
                        Some(Item::Value { comment: comment @ None, .. }) if line_ends == 0 => *comment = Some(text),
                        _ => {
                            blank(&mut items, line_ends);
                            items.push(Item::Comment(text));
                        }
                    }
                }
                _ => {
                    blank(&mut items, line_ends);
                    let key = (kind == ListKind::Table).then(|| {
                        let key = self.until(&[TokenKind::Equals, TokenKind::Newline]);
                        self.take(TokenKind::Equals);
                        self.skip_space();
                        key
                    });
                    let value = self.value();
                    items.push(Item::Value { key, value, comment: None });
                }
            }
            line_ends = 0;
        }
        List { kind, broken, items }
    }
}

fn blank(items: &mut Vec<Item<'_>>, line_ends: usize) {
    if line_ends > 1 && !items.is_empty() {
        items.push(Item::Blank);
    }
}
