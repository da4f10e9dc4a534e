//! Differences between policies as text, for `luigi diff` and `luigi apply`.

use crate::output::{count, style};
use luigi_core::analysis::{Comparison, Difference, Kind, Structure, TargetWords};
use luigi_core::explain::Tone;
use luigi_workflow::changes::words::kind_word;
pub(crate) use luigi_workflow::changes::words::{answer, conditions};
use std::fmt::Write as _;

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// Everything.
    Full,
    /// The first differences, without examples.
    Short,
}

/// Differences and targets that a short text names.
const SHORT: usize = 6;
/// Targets of one difference that a full text names.
const MOST_TARGETS: usize = 40;

/// What changes for whom.
pub(crate) fn differences(comparison: &Comparison, length: Length) -> String {
    let mut text = String::new();
    let (bold, faint) = (style(Tone::Strong), style(Tone::Faint));
    let all = &comparison.differences;
    let _ = writeln!(text, "{bold}{}{bold:#}", headline(comparison));
    list(&mut text, all, length);
    if !comparison.candidate_differences.is_empty() {
        let all = &comparison.candidate_differences;
        let _ = writeln!(text, "\n{bold}if observed rules were enforced: {}{bold:#}", summary(all));
        list(&mut text, all, length);
    }
    if !comparison.terms.is_empty() {
        let _ = writeln!(text, "\n{bold}said otherwise beside what is decided:{bold:#}");
        let most = if length == Length::Short { SHORT } else { comparison.terms.len() };
        for term in comparison.terms.iter().take(most) {
            let _ = writeln!(text, "  {term}");
        }
        if comparison.terms.len() > most {
            let _ = writeln!(text, "  {faint}and {} more{faint:#}", comparison.terms.len() - most);
        }
    }
    if !comparison.gaps.is_empty() {
        let _ = writeln!(text, "\n{bold}not everything was looked at:{bold:#}");
        let most = if length == Length::Short { SHORT } else { comparison.gaps.len() };
        for gap in comparison.gaps.iter().take(most) {
            let _ = writeln!(text, "  {gap}");
        }
        if comparison.gaps.len() > most {
            let _ = writeln!(text, "  {faint}and {} more{faint:#}", comparison.gaps.len() - most);
        }
    }
    text
}

/// What changes for whom, in one line.
pub(crate) fn headline(comparison: &Comparison) -> String {
    let all = &comparison.differences;
    match (all.is_empty(), comparison.is_complete()) {
        (true, true) => format!("no request is decided otherwise{}", completeness(comparison)),
        (true, false) => {
            "no difference was found, and not everything was looked at: some requests may be decided otherwise"
                .to_owned()
        }
        (false, _) => format!("{}{}", summary(all), completeness(comparison)),
    }
}

fn completeness(comparison: &Comparison) -> &'static str {
    if comparison.is_complete() { ": every kind of request was looked at" } else { ", as far as was looked" }
}

/// `3 differences: 1 opens, 2 close`.
fn summary(all: &[Difference]) -> String {
    let kinds = [
        (Kind::Opens, "open"),
        (Kind::Unprivileged, "take privilege away"),
        (Kind::Closes, "close"),
        (Kind::Privileged, "make privileged"),
        (Kind::Advice, "tell callers something else"),
    ];
    let said = kinds.map(|(kind, word)| (all.iter().filter(|one| one.kind == kind).count(), word));
    let said: Vec<String> = said.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    format!("{}: {}", count(all.len(), "difference"), said.join(", "))
}

fn list(text: &mut String, all: &[Difference], length: Length) {
    let most = if length == Length::Short { SHORT } else { all.len() };
    for difference in all.iter().take(most) {
        text.push('\n');
        one(text, difference, length);
    }
    if all.len() > most {
        let faint = style(Tone::Faint);
        let _ = writeln!(text, "\n{faint}and {}; `luigi diff` shows them{faint:#}", count(all.len() - most, "other"));
    }
}

fn one(text: &mut String, difference: &Difference, length: Length) {
    let word = kind_word(difference.kind);
    let tone = match difference.kind {
        Kind::Opens | Kind::Unprivileged => Tone::Bad,
        Kind::Closes | Kind::Privileged => Tone::Good,
        Kind::Advice => Tone::Doubtful,
    };
    let (mark, bold, faint) = (style(tone), style(Tone::Strong), style(Tone::Faint));
    let who = conditions(&difference.who, &difference.circumstances);
    let _ = writeln!(text, "{mark}{word}{mark:#}  {bold}{who}{bold:#}{faint}{}{faint:#}", remarks(difference));
    targets(text, &difference.targets, if length == Length::Short { SHORT } else { MOST_TARGETS });
    let before = answer(&difference.before, &difference.before_because);
    let after = answer(&difference.after, &difference.after_because);
    let _ = writeln!(text, "  {before} -> {after}");
    if length == Length::Full {
        let _ = writeln!(text, "  {faint}for example: luigi explain POLICY {}{faint:#}", difference.example.options());
    }
}

/// What else is to be known of those who are described, in one pair of parentheses.
fn remarks(difference: &Difference) -> String {
    let said = [
        (difference.privileged, "privileged"),
        (difference.some_already, "for some of them it was so already"),
        (difference.some_denied, "those whom deny rules keep out stay out"),
    ];
    let said: Vec<&str> = said.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect();
    if said.is_empty() { String::new() } else { format!("  ({})", said.join("; ")) }
}

/// Operations, one a line.
pub(crate) fn targets(text: &mut String, targets: &[TargetWords], most: usize) {
    for target in targets.iter().take(most) {
        let _ = writeln!(text, "  {target}");
    }
    if targets.len() > most {
        let _ = writeln!(text, "  and {}", count(targets.len() - most, "other place"));
    }
}

/// What differs in the text of the policies.
pub(crate) fn structure(structure: &Structure) -> String {
    let (bold, mut text) = (style(Tone::Strong), String::new());
    let names = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for table in &structure.tables {
        let said = [("added", &table.added), ("removed", &table.removed), ("changed", &table.changed)];
        let said: Vec<String> = said
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(word, list)| format!("{word} {}", names(list)))
            .collect();
        let _ = writeln!(text, "{bold}{}{bold:#}  {}", table.table, said.join("; "));
    }
    if !structure.grants_end_for_scopes.is_empty() {
        let _ = writeln!(
            text,
            "grants for {} end: the scopes mean something else",
            names(&structure.grants_end_for_scopes)
        );
    }
    if !structure.grants_end_under_approvals.is_empty() {
        let said = names(&structure.grants_end_under_approvals);
        let _ = writeln!(text, "grants under {said} end: the approvals mean something else, or are gone");
    }
    text
}
