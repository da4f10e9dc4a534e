//! The texts of a policy: named sources, and places in them.
//!
//! Where the texts come from is not decided here: reading files is the caller's, so that the parser stays pure.

use super::diagnostics::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The most bytes that one source may have.
pub const MAX_SOURCE_BYTES: usize = 8 * 1024 * 1024;

/// The most bytes that all sources of a policy may have together.
pub const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// The most bytes that one file beside the policy's own may have: a list of networks.
pub const MAX_BESIDE_BYTES: usize = 4 * 1024 * 1024;

/// The most files that a policy may name beside its own.
pub const MAX_FILES_BESIDE: usize = 1_000;

/// The texts of one policy, each under the name that diagnostics show. Their order means nothing.
#[derive(Clone, Debug, Default)]
pub struct SourceSet {
    sources: Vec<Source>,
    /// Files that the policy's own texts name, by the paths that they write: which source it is, or why there is none.
    beside: BTreeMap<String, Result<SourceId, String>>,
    /// Files of the policy itself without text, and why.
    unreadable: Vec<(SourceId, Unreadable)>,
}

/// Why a file of a policy has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What kind of problem.
    pub code: Code,
    /// What is wrong: lower case, without period.
    pub message: String,
    /// The cure.
    pub help: &'static str,
    /// The line at fault, counted from 1, and what of it can be shown; `None` if it is the whole file.
    pub line: Option<(usize, String)>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Where each line begins, in bytes; never empty.
    lines: Vec<usize>,
}

/// One source of a [`SourceSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A place in a source, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl SourceSet {
    /// A set without sources.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under a name, usually the path of its file.
    ///
    /// Sizes are not checked here but when the set is parsed, so that too large a text is a diagnostic like any other.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.sources.push(Source { name: name.into(), text, lines });
        SourceId(u32::try_from(self.sources.len() - 1).expect("fewer than 2^32 sources"))
    }

    /// Says why a file of the policy has no text. The policy has that as an error, and is none until all of it can be read.
    pub fn add_unreadable(&mut self, name: impl Into<String>, why: Unreadable) -> SourceId {
        let text = why.line.as_ref().map(|(line, text)| "\n".repeat(line.saturating_sub(1)) + text);
        let id = self.add(name, text.unwrap_or_default());
        self.unreadable.push((id, why));
        id
    }

    /// The files without text, and why.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = (SourceId, &Unreadable)> {
        self.unreadable.iter().map(|(id, why)| (*id, why))
    }

    /// Puts another text in the place of the one under this name; `false` if there is none.
    pub fn replace(&mut self, name: &str, text: &str) -> bool {
        let Some(at) = self.sources.iter().position(|source| source.name == name) else { return false };
        let mut one = Self::default();
        one.add(name, text);
        self.sources[at] = one.sources.remove(0);
        true
    }

    /// Adds the text of a file that the policy names by `path`, under the name that diagnostics show. It is no text of the policy itself.
    pub fn add_beside(
        &mut self,
        path: impl Into<String>,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> SourceId {
        let id = self.add(name, text);
        self.beside.insert(path.into(), Ok(id));
        id
    }

    /// Says why a file that the policy names cannot be read: lower case, without period. The policy has an error where it names the file.
    pub fn add_unreadable_beside(&mut self, path: impl Into<String>, why: impl Into<String>) {
        self.beside.insert(path.into(), Err(why.into()));
    }

    /// The file that the policy names by `path`, or why it cannot be read; `None` if nobody tried.
    #[must_use]
    pub fn beside(&self, path: &str) -> Option<Result<SourceId, &str>> {
        self.beside.get(path).map(|found| found.as_ref().copied().map_err(String::as_str))
    }

    /// The texts of the policy itself, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + use<> {
        let all = (0..u32::try_from(self.sources.len()).expect("fewer than 2^32 sources")).map(SourceId);
        let beside: BTreeSet<SourceId> =
            self.beside.values().filter_map(|found| found.as_ref().ok().copied()).collect();
        let unreadable: BTreeSet<SourceId> = self.unreadable.iter().map(|(id, _)| *id).collect();
        all.filter(move |id| !beside.contains(id) && !unreadable.contains(id))
    }

    /// How many texts the policy itself has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids().count()
    }

    /// Whether the policy has no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids().next().is_none()
    }

    /// How many bytes all texts have together, those beside the policy's own included.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.sources.iter().map(|source| source.text.len()).sum()
    }

    /// The name of a source.
    #[must_use]
    pub fn name(&self, id: SourceId) -> &str {
        &self.sources[id.0 as usize].name
    }

    /// The text of a source.
    #[must_use]
    pub fn text(&self, id: SourceId) -> &str {
        &self.sources[id.0 as usize].text
    }

    /// The text at a place; empty if the place is not in the source.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// Where a place begins.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.position_of(span.source, span.start as usize)
    }

    /// Where a place ends: the position after its last character.
    #[must_use]
    pub fn end_position(&self, span: Span) -> Position {
        self.position_of(span.source, span.end as usize)
    }

    fn position_of(&self, id: SourceId, at: usize) -> Position {
        let source = &self.sources[id.0 as usize];
        let at = floor_char_boundary(&source.text, at);
        let line = source.lines.partition_point(|start| *start <= at).max(1) - 1;
        let column = source.text[source.lines[line]..at].chars().count() + 1;
        Position { line: line + 1, column }
    }

    /// The bytes of the lines `first..=last`, counted from 0, without the last line's end.
    pub(super) fn lines(&self, id: SourceId, first: usize, last: usize) -> Range<usize> {
        let source = &self.sources[id.0 as usize];
        let start = source.lines[first.min(source.lines.len() - 1)];
        let end = source.lines.get(last + 1).map_or(source.text.len(), |next| next - 1);
        start..end.max(start)
    }
}

impl Span {
    /// The place `range` of a source.
    pub(super) fn new(source: SourceId, range: &Range<usize>) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { source, start: clamp(range.start), end: clamp(range.end.max(range.start)) }
    }
}

/// The largest boundary between characters that is not after `at`.
pub(super) fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A value and the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

impl<T> Spanned<T> {
    pub(super) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let mut sources = SourceSet::new();
        let id = sources.add("p.toml", "a\nbü=c\r\n\nd");
        for (at, line, column) in
            [(0, 1, 1), (1, 1, 2), (2, 2, 1), (3, 2, 2), (5, 2, 3), (9, 3, 1), (10, 4, 1), (11, 4, 2)]
        {
            assert_eq!(sources.position(Span::new(id, &(at..at))), Position { line, column }, "{at}");
        }
        // In the middle of a character, and past the end.
        assert_eq!(sources.position(Span::new(id, &(4..4))), Position { line: 2, column: 2 });
        assert_eq!(sources.position(Span::new(id, &(99..99))), Position { line: 4, column: 2 });
        assert_eq!(sources.position(Span::new(sources.ids().next().unwrap(), &(0..0))).line, 1);
    }
}
