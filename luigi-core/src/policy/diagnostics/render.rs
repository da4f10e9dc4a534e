//! Problems as text for people and as JSON for programs.
//!
//! Only the lines around a problem are handed to the renderer, so that the cost follows the number of problems and not the size of
//! the policy.

use super::{Diagnostic, Diagnostics, Label, Severity};
use crate::policy::source::{SourceSet, floor_char_boundary};
use crate::policy::syntax::listed;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

/// How problems are rendered as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences may be used.
    pub color: Color,
    /// How many columns there are.
    pub width: usize,
}

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// No escape sequences at all: pipes, files, logs.
    Never,
    /// ANSI escape sequences.
    Always,
}

impl Style {
    /// No colour, 140 columns.
    pub const PLAIN: Self = Self { color: Color::Never, width: 140 };
}

/// Places of one source that are further apart than this many lines are shown as snippets of their own.
const FAR_LINES: usize = 60;

/// A line longer than this is cut around the place that matters.
const MAX_LINE_BYTES: usize = 2_000;

impl Diagnostics {
    /// The problems as text: file, line, underlined text, code, help; one after another, an empty line between them.
    #[must_use]
    pub fn render(&self, sources: &SourceSet, style: Style) -> String {
        let renderer = match style.color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        }
        .term_width(style.width.max(40));
        let mut text = String::new();
        for item in self.iter() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&render_one(item, sources, &renderer, style.width.max(40)));
            text.push('\n');
        }
        text
    }

    /// The problems as a JSON array.
    ///
    /// Each has `file`, `line`, `column`, `end_line`, `end_column` (all counted from 1, columns in characters; `null` where there is no place),
    /// `code`, `severity`, `message`, `label`, `help` (`null` if there is none) and `related`, the other places; and
    /// `environments`, a list of names, if only some environments of the policy have the problem.
    #[must_use]
    pub fn to_json(&self, sources: &SourceSet) -> serde_json::Value {
        self.iter().map(|item| json_of(item, sources)).collect()
    }
}

fn json_of(item: &Diagnostic, sources: &SourceSet) -> serde_json::Value {
    let place = |label: Option<&Label>| {
        let mut object = serde_json::Map::new();
        let start = label.map(|label| sources.position(label.span));
        let end = label.map(|label| sources.end_position(label.span));
        object.insert("file".into(), label.map(|label| sources.name(label.span.source)).into());
        object.insert("line".into(), start.map(|at| at.line).into());
        object.insert("column".into(), start.map(|at| at.column).into());
        object.insert("end_line".into(), end.map(|at| at.line).into());
        object.insert("end_column".into(), end.map(|at| at.column).into());
        object.insert("label".into(), label.map(|label| label.text.as_str()).filter(|text| !text.is_empty()).into());
        object
    };
    let mut object = place(item.primary.as_ref());
    object.insert("code".into(), item.code.as_str().into());
    object.insert("severity".into(), item.severity.as_str().into());
    object.insert("message".into(), item.message.as_str().into());
    object.insert("help".into(), item.help.as_deref().into());
    let related = item.secondary.iter().map(|label| place(Some(label)).into());
    object.insert("related".into(), serde_json::Value::Array(related.collect()));
    if !item.environments.is_empty() {
        object.insert("environments".into(), item.environments.as_slice().into());
    }
    object.into()
}

fn render_one(item: &Diagnostic, sources: &SourceSet, renderer: &Renderer, width: usize) -> String {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let labels = item.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let labels: Vec<_> = labels.chain(item.secondary.iter().map(|label| (AnnotationKind::Context, label))).collect();

    let mut group = Group::with_title(level.primary_title(item.message.as_str()).id(item.code.as_str()));
    let mut shown = vec![false; labels.len()];
    for at in 0..labels.len() {
        if !shown[at] {
            group = group.element(snippet(&labels, &mut shown, at, sources));
        }
    }
    if !item.environments.is_empty() {
        let text = format!("only in environment {}", listed(item.environments.iter().map(String::as_str), "and"));
        group = group.element(Level::NOTE.message(wrap(&text, width.saturating_sub(16))));
    }
    if let Some(help) = &item.help {
        let lines: Vec<_> = help.split('\n').map(annotate_snippets::normalize_untrusted_str).collect();
        group = group.element(Level::HELP.message(wrap(&lines.join("\n"), width.saturating_sub(16))));
    }
    renderer.render(&[group])
}

/// Breaks lines between words; a line that begins with a space is to be copied as it is.
fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<_> = text
        .split('\n')
        .map(|line| if line.starts_with(' ') { line.to_owned() } else { wrap_line(line, width) })
        .collect();
    lines.join("\n")
}

fn wrap_line(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len() + 8);
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 {
            let (gap, start) = if column + 1 + length > width { ('\n', 0) } else { (' ', column + 1) };
            wrapped.push(gap);
            column = start;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

/// One snippet with the label `first` and every later one near it.
fn snippet<'a>(
    labels: &[(AnnotationKind, &'a Label)],
    shown: &mut [bool],
    first: usize,
    sources: &'a SourceSet,
) -> Snippet<'a, Annotation<'a>> {
    let source = labels[first].1.span.source;
    let line_of = |label: &Label| sources.position(label.span).line - 1;
    let (mut top, mut bottom) = (line_of(labels[first].1), line_of(labels[first].1));
    let mut near = Vec::new();
    for (at, (kind, label)) in labels.iter().enumerate().skip(first) {
        let line = line_of(label);
        if !shown[at] && label.span.source == source && line.abs_diff(top) <= FAR_LINES {
            shown[at] = true;
            near.push((*kind, *label));
            (top, bottom) = (top.min(line), bottom.max(line));
        }
    }

    let mut excerpt = sources.lines(source, top, bottom);
    let text = sources.text(source);
    let mut line_start = top + 1;
    if excerpt.len() > MAX_LINE_BYTES * (bottom - top + 1) {
        // Minified or hostile text: show the surroundings of the first place alone.
        near.truncate(1);
        let at = labels[first].1.span.start as usize;
        excerpt.start = floor_char_boundary(text, at.saturating_sub(200).max(excerpt.start));
        excerpt.end = floor_char_boundary(text, (at + 400).min(excerpt.end));
        line_start = line_of(labels[first].1) + 1;
        // The excerpt may begin on an earlier line than the place.
        line_start -= text[excerpt.start..at.clamp(excerpt.start, excerpt.end)].matches('\n').count();
    }
    let annotations = near.into_iter().map(|(kind, label)| {
        // What spans several lines is underlined in its first line: the eye needs a place to go to, not a frame.
        let start = floor_char_boundary(text, (label.span.start as usize).clamp(excerpt.start, excerpt.end));
        let end = floor_char_boundary(text, (label.span.end as usize).clamp(start, excerpt.end));
        let end = start + text[start..end].find(['\n', '\r']).unwrap_or(end - start);
        let annotation = kind.span(start - excerpt.start..end - excerpt.start);
        if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
    });
    Snippet::source(&text[excerpt.clone()])
        .line_start(line_start)
        .path(sources.name(source))
        .annotations(annotations.collect::<Vec<_>>())
}
