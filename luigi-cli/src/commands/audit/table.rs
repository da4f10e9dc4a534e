//! Entries as a table that fits the terminal.

use super::sentence;
use crate::output::style;
use luigi_core::explain::Tone;
use luigi_workflow::ledger::Entry;
use terminal_size::{Width, terminal_size};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

const KIND_WIDTH: usize = 16;
const SEQUENCE_WIDTH: usize = 8;

/// Rows as wide as the terminal; whole if there is none.
pub(super) struct Table {
    width: Option<usize>,
}

impl Table {
    pub(super) fn for_terminal() -> Self {
        Self { width: terminal_size().map(|(Width(columns), _)| usize::from(columns)) }
    }

    pub(super) fn head(&self) -> String {
        let strong = style(Tone::Strong);
        let head = format!("{:>SEQUENCE_WIDTH$}  {:<20}  {:<KIND_WIDTH$}  what", "entry", "time", "kind");
        format!("{strong}{}{strong:#}\n", self.cut(&head))
    }

    pub(super) fn row(&self, entry: &Entry) -> String {
        let (sentence, tone) = sentence::of(&entry.event);
        let time = format!("{:.0}", entry.time);
        let row = format!(
            "{:>SEQUENCE_WIDTH$}  {time:<20}  {:<KIND_WIDTH$}  {}",
            entry.sequence,
            entry.kind().as_str(),
            printable(&sentence)
        );
        let style = style(tone);
        format!("{style}{}{style:#}\n", self.cut(&row))
    }

    fn cut(&self, text: &str) -> String {
        let Some(width) = self.width.filter(|width| text.width() > *width) else { return text.to_owned() };
        let mut used = 1;
        let fitting = text.chars().take_while(|character| {
            used += character.width().unwrap_or(0);
            used <= width
        });
        fitting.chain(['…']).collect()
    }
}

/// What is in entries comes from outside: nothing of it may move the cursor or turn the text around.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => shown.push(character),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n\u{202e}c 'é'"), "a\\u{1b}[2Jb\\r\\n\\u{202e}c 'é'");
    }

    #[test]
    fn rows_fit() {
        let table = Table { width: Some(10) };
        assert_eq!(table.cut("0123456789"), "0123456789");
        assert_eq!(table.cut("0123456789a"), "012345678…");
        assert_eq!(table.cut("漢字漢字漢字"), "漢字漢字…");
        assert_eq!(Table { width: None }.cut("0123456789a"), "0123456789a");
    }
}
