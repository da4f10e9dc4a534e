//! Reading TOML with places: typed access to tables, lists and values that reports what does not fit.
//!
//! Knows TOML and how problems are worded, nothing about policies but the keys that this version of the language does not have yet.

use super::suggest::suggestion;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::{SourceId, Span, Spanned};
use std::collections::HashMap;
use toml::de::{DeTable, DeValue};

/// A string of the policy with its place.
pub(in crate::policy) type Text = Spanned<String>;

impl Text {
    /// The place of a part of the string, or of all of it if the string is written with escapes.
    pub(in crate::policy) fn part(&self, range: std::ops::Range<usize>) -> Span {
        let Span { source, start, end } = self.span;
        let written = (end - start) as usize;
        // A bare key, "..." and """...""" without escapes; anything with escapes is longer than its value and its quotes.
        let quotes = match written.checked_sub(self.value.len()) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return self.span,
        };
        let start = start as usize + quotes;
        Span::new(source, &(start + range.start..start + range.end.max(range.start)))
    }
}

/// The user's input for a message: in backticks, on one line, not endless.
pub(in crate::policy) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut shown: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    // `escape_debug` also escapes quotes, which need no escape between backticks.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    let more = if text.chars().nth(MAX_CHARS).is_some() { "..." } else { "" };
    format!("`{shown}{more}`")
}

/// The first character that is not ASCII, with what it is: people take it for a letter that it is not.
pub(in crate::policy) fn foreign(text: &str) -> Option<(std::ops::Range<usize>, String)> {
    let (at, c) = text.char_indices().find(|(_, c)| !c.is_ascii())?;
    let what = if c.is_alphabetic() { "not an ASCII letter" } else { "which no name has" };
    Some((at..at + c.len_utf8(), format!("this is U+{:04X}, {what}", u32::from(c))))
}

impl Diagnostic {
    /// Says where a name that stands at the primary place has a letter that only looks like one of those that names have.
    pub(in crate::policy) fn label_foreign(self, name: &str) -> Self {
        match foreign(name) {
            Some((range, what)) => self.label(format!("{}: {what}", quoted(&name[range]))),
            None => self,
        }
    }
}

/// Words for a message: "`a`, `b` and `c`".
pub(in crate::policy) fn listed<'w>(words: impl IntoIterator<Item = &'w str>, last: &str) -> String {
    let words: Vec<_> = words.into_iter().map(quoted).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// A value of a TOML document.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Node<'t> {
    source: SourceId,
    item: &'t toml::Spanned<DeValue<'t>>,
}

impl<'t> Node<'t> {
    pub(super) fn span(self) -> Span {
        Span::new(self.source, &self.item.span())
    }

    /// The place of something in the same source.
    pub(super) fn span_of(self, range: &std::ops::Range<usize>) -> Span {
        Span::new(self.source, range)
    }

    /// Another value of the same source.
    pub(super) fn beside(self, item: &'t toml::Spanned<DeValue<'t>>) -> Self {
        Self { source: self.source, item }
    }

    pub(super) fn value(self) -> &'t DeValue<'t> {
        self.item.get_ref()
    }

    /// What it is, for messages.
    fn kind(self) -> &'static str {
        match self.value() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    pub(super) fn wrong_type(self, key: &str, expected: &str) -> Diagnostic {
        let message = format!("{} must be {expected}, not {}", quoted(key), self.kind());
        Diagnostic::error(Code::WrongType, self.span(), message)
    }

    /// For an item of a list.
    fn wrong_item(self, key: &str, expected: &str) -> Diagnostic {
        let message = format!("{} must hold {expected}, not {}", quoted(key), self.kind());
        Diagnostic::error(Code::WrongType, self.span(), message)
    }

    /// A string; may be empty.
    pub(super) fn any_text(self, key: &str, out: &mut Diagnostics) -> Option<Text> {
        if let DeValue::String(text) = self.value() {
            return Some(Text::new(text.clone().into_owned(), self.span()));
        }
        out.push(self.wrong_type(key, "a string"));
        None
    }

    /// A string that is not empty.
    pub(super) fn text(self, key: &str, out: &mut Diagnostics) -> Option<Text> {
        let text = self.any_text(key, out)?;
        if text.value.trim().is_empty() {
            out.push(Diagnostic::error(Code::EmptyValue, text.span, format!("{} is empty", quoted(key))));
            return None;
        }
        Some(text)
    }

    /// A string of a list, not empty.
    fn item_text(self, key: &str, out: &mut Diagnostics) -> Option<Text> {
        match self.value() {
            DeValue::String(_) => self.text(key, out),
            _ => {
                out.push(self.wrong_item(key, "strings"));
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(self, key: &str, words: &[(&str, T)], out: &mut Diagnostics) -> Option<T> {
        let text = self.any_text(key, out)?;
        self.word_of(&text, key, words, out)
    }

    pub(super) fn word_of<T: Copy>(
        self,
        text: &Text,
        key: &str,
        words: &[(&str, T)],
        out: &mut Diagnostics,
    ) -> Option<T> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let all = || words.iter().map(|(word, _)| *word);
        let message = format!("{} is not a value of {}", quoted(&text.value), quoted(key));
        let help = match suggestion(&text.value, all()) {
            Some(word) => format!("did you mean {}? it can be {}", quoted(word), listed(all(), "or")),
            None => format!("it can be {}", listed(all(), "or")),
        };
        out.push(Diagnostic::error(Code::UnknownWord, text.span, message).help(help));
        None
    }

    pub(super) fn boolean(self, key: &str, out: &mut Diagnostics) -> Option<Spanned<bool>> {
        if let DeValue::Boolean(value) = self.value() {
            return Some(Spanned::new(*value, self.span()));
        }
        out.push(self.wrong_type(key, "`true` or `false`"));
        None
    }

    pub(super) fn integer(self, key: &str, out: &mut Diagnostics) -> Option<Spanned<i64>> {
        let DeValue::Integer(value) = self.value() else {
            out.push(self.wrong_type(key, "an integer"));
            return None;
        };
        // TOML allows underscores between digits and a leading plus sign.
        let digits = value.as_str().replace('_', "");
        let Ok(number) = i64::from_str_radix(&digits, value.radix()) else {
            out.push(Diagnostic::error(
                Code::OutOfRange,
                self.span(),
                format!("{} does not fit into 64 bits", quoted(key)),
            ));
            return None;
        };
        Some(Spanned::new(number, self.span()))
    }

    /// The items of a list that is not empty.
    pub(super) fn list(self, key: &str, of: &str, out: &mut Diagnostics) -> Option<Vec<Node<'t>>> {
        let DeValue::Array(array) = self.value() else {
            let mut problem = self.wrong_type(key, &format!("a list of {of}"));
            if let DeValue::String(text) = self.value() {
                problem = problem.help(format!("write it as a list of one: `[\"{}\"]`", text.escape_debug()));
            }
            out.push(problem);
            return None;
        };
        if array.is_empty() {
            let message = format!("{} is an empty list", quoted(key));
            let help = "an empty list could mean nothing or everything: name what is meant, or leave out a key that is not needed";
            out.push(Diagnostic::error(Code::EmptyValue, self.span(), message).help(help));
            return None;
        }
        Some(array.iter().map(|item| Node { source: self.source, item }).collect())
    }

    /// The items of a list, which may be empty; none if it is something else.
    pub(super) fn items(self) -> impl Iterator<Item = Node<'t>> {
        let items = match self.value() {
            DeValue::Array(array) => Some(array.iter()),
            _ => None,
        };
        items.into_iter().flatten().map(move |item| Node { source: self.source, item })
    }

    /// A list of strings, not empty, none of them empty or there twice.
    pub(super) fn texts(self, key: &str, out: &mut Diagnostics) -> Option<Vec<Text>> {
        let items = self.list(key, "strings", out)?;
        let texts: Vec<_> = items.iter().map(|item| item.item_text(key, out)).collect();
        let mut first: HashMap<&str, Span> = HashMap::new();
        for text in texts.iter().flatten() {
            if let Some(earlier) = first.insert(&text.value, text.span) {
                let message = format!("{} stands twice in {}", quoted(&text.value), quoted(key));
                let problem = Diagnostic::error(Code::DuplicateItem, text.span, message);
                out.push(problem.label("again").also(earlier, "first here"));
            }
        }
        texts.into_iter().collect()
    }

    /// The path of a claim: names, of which several may be equal.
    pub(super) fn claim_path(self, key: &str, out: &mut Diagnostics) -> Option<Vec<String>> {
        if let DeValue::String(text) = self.value() {
            let help =
                format!("a path is an array of names, since names may contain dots: `[\"{}\"]`", text.escape_debug());
            out.push(self.wrong_type(key, "a list of names").help(help));
            return None;
        }
        let items = self.list(key, "names", out)?;
        if items.len() > 16 {
            out.push(Diagnostic::error(Code::InvalidClaim, self.span(), "the path of a claim has more than 16 names"));
            return None;
        }
        let names: Vec<_> = items.iter().map(|item| item.item_text(key, out).map(|text| text.value)).collect();
        names.into_iter().collect()
    }

    /// A point in time: date, time and offset.
    pub(super) fn instant(self, key: &str, out: &mut Diagnostics) -> Option<Spanned<jiff::Timestamp>> {
        let expected = "a date and time with an offset";
        let example = "write it like `2026-12-24T18:00:00Z` or `2026-12-24T18:00:00+01:00`, without quotes";
        let DeValue::Datetime(value) = self.value() else {
            out.push(self.wrong_type(key, expected).help(example));
            return None;
        };
        if value.offset.is_none() {
            let message = format!("{} must be {expected}", quoted(key));
            let label = "without an offset this is another moment in every time zone";
            out.push(Diagnostic::error(Code::WrongType, self.span(), message).label(label).help(example));
            return None;
        }
        match value.to_string().parse() {
            Ok(at) => Some(Spanned::new(at, self.span())),
            Err(_) => {
                let message = format!("{} is not a point in time that exists", quoted(&value.to_string()));
                out.push(Diagnostic::error(Code::WrongType, self.span(), message).help(example));
                None
            }
        }
    }

    /// A calendar date.
    pub(super) fn date(self, key: &str, out: &mut Diagnostics) -> Option<Spanned<jiff::civil::Date>> {
        let example = "write dates like `2026-12-24`, without quotes";
        if let DeValue::Datetime(value) = self.value()
            && value.time.is_none()
            && let Ok(date) = value.to_string().parse()
        {
            return Some(Spanned::new(date, self.span()));
        }
        out.push(self.wrong_item(key, "dates").help(example));
        None
    }
}

/// A TOML table whose keys have been checked.
pub(in crate::policy) struct Fields<'t> {
    source: SourceId,
    table: &'t DeTable<'t>,
    span: Span,
    /// What the table is, for messages: "rule `x`".
    what: String,
    /// The table that says what this one leaves open; it has been checked by itself.
    base: Option<&'t DeTable<'t>>,
}

/// Keys that a policy of a later version may have.
const LATER: &[&str] = &["upgrade"];

impl<'t> Fields<'t> {
    /// The top level of a document.
    pub(super) fn of_document(source: SourceId, table: &'t DeTable<'t>, known: &[&str], out: &mut Diagnostics) -> Self {
        Self::of_document_named(source, table, "the policy", known, out)
    }

    /// The top level of a document that is called something else than a policy.
    pub(super) fn of_document_named(
        source: SourceId,
        table: &'t DeTable<'t>,
        what: &str,
        known: &[&str],
        out: &mut Diagnostics,
    ) -> Self {
        let span = Span::new(source, &(0..0));
        let fields = Self { source, table, span, what: what.to_owned(), base: None };
        fields.refuse_unknown(known, out);
        fields
    }

    /// The keys of a table that has its name under one of them: "rule `x`" if it is there, "a rule" otherwise.
    pub(super) fn open_named(
        node: Node<'t>,
        kind: &str,
        key: &str,
        known: &[&str],
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let name = node.value().as_table().and_then(|table| table.get(key)).filter(|name| name.get_ref().is_str());
        let what = name
            .and_then(|name| name.get_ref().as_str())
            .map_or(format!("a {kind}"), |name| format!("{kind} {}", quoted(name)));
        let mut fields = Self::open(node, &what, known, out)?;
        if let Some(name) = name {
            fields.span = Span::new(node.source, &name.span());
        }
        Some(fields)
    }

    /// The keys of a table, which must be among `known`.
    pub(super) fn open(node: Node<'t>, what: &str, known: &[&str], out: &mut Diagnostics) -> Option<Self> {
        let DeValue::Table(table) = node.value() else {
            out.push(Self::not_a_table(node, what));
            return None;
        };
        let fields = Self { source: node.source, table, span: node.span(), what: what.to_owned(), base: None };
        fields.refuse_unknown(known, out);
        Some(fields)
    }

    /// A table of named entries, whose keys are the user's own.
    pub(super) fn entries(node: Node<'t>, what: &str, out: &mut Diagnostics) -> Vec<(Text, Node<'t>)> {
        let DeValue::Table(table) = node.value() else {
            out.push(Self::not_a_table(node, what));
            return Vec::new();
        };
        let entry = |(key, item): (&toml::Spanned<_>, &'t _)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            (
                Text::new(name.clone().into_owned(), Span::new(node.source, &key.span())),
                Node { source: node.source, item },
            )
        };
        table.iter().map(entry).collect()
    }

    fn not_a_table(node: Node<'_>, what: &str) -> Diagnostic {
        let message = format!("{what} must be a table, not {}", node.kind());
        Diagnostic::error(Code::WrongType, node.span(), message)
    }

    fn refuse_unknown(&self, known: &[&str], out: &mut Diagnostics) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let message = format!("unknown key {} in {}", quoted(name), self.what);
            let help = if LATER.contains(&name) {
                format!("{} is not part of this version of the policy language", quoted(name))
            } else if out.is_full() {
                String::new()
            } else if let Some(close) = suggestion(name, known.iter().copied()) {
                format!("did you mean {}?", quoted(close))
            } else {
                format!("the keys known here are {}", listed(known.iter().copied(), "and"))
            };
            let problem = Diagnostic::error(Code::UnknownKey, Span::new(self.source, &key.span()), message).help(help);
            out.push(problem.label_foreign(name));
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The same table, with every key that it leaves out taken from `base`, a table of the same document.
    pub(super) fn over(self, base: &Self) -> Self {
        Self { base: Some(base.table), ..self }
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'t>> {
        let item = self.table.get(key).or_else(|| self.base?.get(key));
        item.map(|item| Node { source: self.source, item })
    }

    /// The place of a key.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        let found = self.table.get_key_value(key).or_else(|| self.base?.get_key_value(key));
        found.map(|(key, _)| Span::new(self.source, &key.span()))
    }

    /// A key that must be there.
    pub(super) fn require(&self, key: &str, help: &str, out: &mut Diagnostics) -> Option<Node<'t>> {
        let found = self.get(key);
        if found.is_none() {
            let message = format!("{} has no {}", self.what, quoted(key));
            out.push(Diagnostic::error(Code::MissingKey, self.span, message).help(help));
        }
        found
    }

    pub(super) fn text(&self, key: &str, out: &mut Diagnostics) -> Option<Text> {
        self.get(key)?.text(key, out)
    }

    pub(super) fn texts(&self, key: &str, out: &mut Diagnostics) -> Option<Vec<Text>> {
        self.get(key)?.texts(key, out)
    }

    /// A description: any string, for people.
    pub(super) fn description(&self, out: &mut Diagnostics) {
        self.get("description").map(|node| node.any_text("description", out));
    }
}
