//! Standard output: colours and width follow the terminal, what is piped is plain.

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use luigi_core::explain::{Line, Tone};
use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::{self, Diagnostics};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use terminal_size::{Width, terminal_size};

/// Whether to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes this the choice for everything that is printed from now on.
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// How to print results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// Writes text to standard output, without its colours if nobody would see them.
///
/// That nobody reads any more is no error: what was found still decides the exit code.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Text without its colours.
pub(crate) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Writes a value to standard output as indented JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    print(&format!("{}\n", without_controls(&serde_json::to_string_pretty(value)?)))
}

/// Text whose characters can neither move the cursor nor turn the text around: as `\u202e`, which to JSON is the same character. Lines stay lines.
pub(crate) fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if turns || character.is_control() && character != '\n' {
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Problems of a policy as text, coloured and as wide as the terminal.
pub(crate) fn diagnostics(diagnostics: &Diagnostics, sources: &SourceSet) -> String {
    diagnostics.render(sources, diagnostic_style())
}

/// As wide as the terminal, and coloured: who prints takes the colours away if nobody would see them.
pub(crate) fn diagnostic_style() -> diagnostics::Style {
    let width = terminal_size().map_or(diagnostics::Style::PLAIN.width, |(Width(columns), _)| usize::from(columns));
    diagnostics::Style { color: diagnostics::Color::Always, width }
}

/// Lines of an explanation, coloured; each ended, and indented by so many columns.
pub(crate) fn explanation(lines: &[Line], indent: usize) -> String {
    let mut text = String::new();
    for line in lines {
        if line.spans.iter().any(|span| !span.text.is_empty()) {
            let _ = write!(text, "{:indent$}", "");
        }
        for span in &line.spans {
            let style = style(span.tone);
            let _ = write!(text, "{style}{}{style:#}", span.text);
        }
        text.push('\n');
    }
    text
}

/// How a tone looks on a terminal.
pub(crate) const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Doubtful => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
    }
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_terminals_is_spelled_out_and_stays_the_same_json() {
        let hostile = "a\u{9b}2Jb\u{7f}\u{202e}c\u{2066}d é 漢";
        let json = serde_json::to_string(hostile).unwrap();
        let shown = without_controls(&json);
        assert_eq!(shown, "\"a\\u009b2Jb\\u007f\\u202ec\\u2066d é 漢\"");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hostile);
        assert_eq!(without_controls("a,b\r\n\u{1b}[2J\n"), "a,b\\u000d\n\\u001b[2J\n");
    }
}
