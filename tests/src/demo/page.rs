//! What the demo prints: chapters, sentences, commands with their output. Coloured on a terminal, plain elsewhere, and never wider than it.

use anstream::{AutoStream, ColorChoice, println};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// Nothing is set wider than this: long lines are hard to read.
const WIDEST: usize = 100;
const INDENT: usize = 2;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
const TITLE: Style = AnsiColor::Cyan.on_default().bold();

/// The page, and what was expected on it.
#[derive(Debug)]
pub(crate) struct Page {
    width: usize,
    chapters: u32,
    checks: usize,
    surprises: Vec<String>,
}

impl Page {
    pub(crate) fn new() -> Self {
        let columns = terminal_size::terminal_size().map_or(WIDEST, |(width, _)| usize::from(width.0));
        Self { width: columns.min(WIDEST), chapters: 0, checks: 0, surprises: Vec::new() }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// What to hand to the option `--color` of commands whose output is shown here.
    pub(crate) fn color(&self) -> &'static str {
        match AutoStream::choice(&std::io::stdout()) {
            ColorChoice::Never => "never",
            ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => "always",
        }
    }

    /// The first line of all.
    pub(crate) fn headline(&self, title: &str, sentence: &str) {
        println!("\n{TITLE}{title}{TITLE:#}");
        self.paragraph(PLAIN, 0, sentence);
    }

    /// A title and what the chapter is about.
    pub(crate) fn chapter(&mut self, title: &str, sentence: &str) {
        self.chapters += 1;
        println!("\n\n{TITLE}{}. {title}{TITLE:#}", self.chapters);
        self.paragraph(PLAIN, 0, sentence);
        println!();
    }

    /// A sentence of its own.
    pub(crate) fn say(&self, text: &str) {
        println!();
        self.paragraph(PLAIN, 0, text);
    }

    /// A line as it is, indented.
    pub(crate) fn line(&self, text: &str) {
        let indent = if text.is_empty() { 0 } else { INDENT };
        println!("{:indent$}{text}", "");
    }

    /// An empty line.
    pub(crate) fn gap(&self) {
        println!();
    }

    /// A name and what there is to say about it, with its continuation lines below.
    pub(crate) fn entry(&self, name: &str, columns: usize, text: &str) {
        let indent = INDENT + columns + 2;
        let lines = wrapped(text, self.width.saturating_sub(indent));
        for (number, line) in lines.iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            println!("{:INDENT$}{STRONG}{name:columns$}{STRONG:#}  {line}", "");
        }
    }

    /// A command as one would type it, broken where the page ends.
    pub(crate) fn command(&self, words: &[&str]) {
        let mut lines = vec![String::new()];
        for word in phrases(words) {
            let line = lines.last_mut().expect("there is a first line");
            // Room for the prompt or the indentation, and for the backslash.
            if line.is_empty() || INDENT + 2 + line.len() + 1 + word.len() + 2 <= self.width {
                let space = if line.is_empty() { "" } else { " " };
                let _ = write!(line, "{space}{word}");
            } else {
                line.push_str(" \\");
                lines.push(format!("    {word}"));
            }
        }
        for (number, line) in lines.iter().enumerate() {
            let prompt = if number == 0 { "$" } else { " " };
            self.line(&format!("{FAINT}{prompt}{FAINT:#} {STRONG}{line}{STRONG:#}"));
        }
    }

    /// The output of a command, as it is; what is too long goes on in the next line, further in.
    pub(crate) fn output(&self, text: &str) {
        for line in text.trim().lines() {
            for line in folded(line.trim_end(), self.width.saturating_sub(INDENT)) {
                self.line(&line);
            }
        }
    }

    /// Something that must be so; what it says is only shown if it is not.
    pub(crate) fn expect(&mut self, holds: bool, what: &str) {
        self.checks += 1;
        if !holds {
            self.line(&format!("{BAD}unexpected:{BAD:#} {what}"));
            self.surprises.push(what.to_owned());
        }
    }

    /// How many things were expected.
    pub(crate) fn checks(&self) -> usize {
        self.checks
    }

    /// What came out otherwise than expected.
    pub(crate) fn surprises(&self) -> &[String] {
        &self.surprises
    }

    /// Why the demo cannot go on.
    pub(crate) fn failure(&self, why: &str) {
        anstream::eprintln!("\n{BAD}The demo cannot go on:{BAD:#} {why}");
    }

    /// A sentence between lines, for what should not stand out.
    pub(crate) fn aside(&self, text: &str) {
        self.paragraph(FAINT, INDENT, text);
    }

    fn paragraph(&self, style: Style, indent: usize, text: &str) {
        for line in wrapped(text, self.width.saturating_sub(indent)) {
            println!("{:indent$}{style}{line}{style:#}", "");
        }
    }
}

/// The words of a command, an option together with its value.
fn phrases(words: &[&str]) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    for word in words {
        match phrases.last_mut() {
            Some(phrase)
                if phrase.starts_with(['-', '<']) && !phrase.contains(' ') && !word.starts_with(['-', '<']) =>
            {
                let _ = write!(phrase, " {word}");
            }
            Some(_) | None => phrases.push((*word).to_owned()),
        }
    }
    phrases
}

/// A text in lines of at most so many columns; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                let _ = write!(line, " {word}");
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A line of output in lines of at most so many columns, broken at spaces. Sequences that colour take no column.
fn folded(line: &str, columns: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len() + 6;
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while let Some(at) = break_of(&rest, columns, indent) {
        let tail = format!("{:indent$}{}", "", &rest[at + 1..]);
        rest.truncate(at);
        lines.push(std::mem::replace(&mut rest, tail));
    }
    lines.push(rest);
    lines
}

/// The last space, behind the indentation, before which a line that is too long fits.
fn break_of(line: &str, columns: usize, indent: usize) -> Option<usize> {
    let (mut column, mut in_sequence, mut space) = (0, false, None);
    for (at, c) in line.char_indices() {
        match c {
            '\u{1b}' => in_sequence = true,
            _ if in_sequence => in_sequence = c != 'm',
            _ if column == columns => return space,
            _ => {
                if c == ' ' && column > indent {
                    space = Some(at);
                }
                column += 1;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stay_with_their_values() {
        let words = ["luigi", "explain", "policy", "--request", "'GET /'", "--full", "--token", "-", "<", "bea.token"];
        let expected = ["luigi", "explain", "policy", "--request 'GET /'", "--full", "--token", "-", "< bea.token"];
        assert_eq!(phrases(&words), expected);
    }

    #[test]
    fn output_is_folded_at_spaces_and_colours_take_no_column() {
        let check = |line: &str, columns, expected: &[&str]| assert_eq!(folded(line, columns), expected, "{line}");
        check("deny  login required here", 25, &["deny  login required here"]);
        check("deny  login required here", 24, &["deny  login required", "      here"]);
        check("deny  login required here", 15, &["deny  login", "      required", "      here"]);
        check("\u{1b}[31mdeny\u{1b}[0m  login required", 20, &["\u{1b}[31mdeny\u{1b}[0m  login required"]);
        check("\u{1b}[31mdeny\u{1b}[0m  login required", 19, &["\u{1b}[31mdeny\u{1b}[0m  login", "      required"]);
        check("nowhere-to-break-in-this", 10, &["nowhere-to-break-in-this"]);
    }

    #[test]
    fn lines_are_as_long_as_they_may_be() {
        let check = |columns, expected: &[&str]| assert_eq!(wrapped("who  may pass\nwhich gate", columns), expected);
        check(100, &["who may pass which gate"]);
        check(12, &["who may pass", "which gate"]);
        check(11, &["who may", "pass which", "gate"]);
        check(1, &["who", "may", "pass", "which", "gate"]);
        assert_eq!(wrapped("  ", 10), Vec::<String>::new());
    }
}
