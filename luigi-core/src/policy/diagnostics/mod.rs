//! What is wrong with a policy: problems with stable codes and places, collected and reported together.
//!
//! What is found in HAProxy's configuration has the same form; whoever reads it makes [`Diagnostics`] of [`Diagnostic::new`].
//!
//! Rendering as text and JSON is in `render`; the codes and what they mean in `code`. Nothing here decides what is a problem.

mod code;
mod haproxy;
mod lints;
mod render;

pub use code::Code;
pub use haproxy::HaproxyLint;
pub use lints::{EXAMPLE_GROUND, Lint};
pub use render::{Color, Style};

use super::source::{SourceSet, Span};
use std::collections::HashMap;

/// The most problems that are kept; of the rest only the number is.
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy can be used, and probably should not be.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Lower case, one line, no period; the user's input in backticks.
    pub message: String,
    /// Where; `None` if there is no text to point at.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
    /// The environments that have it; empty if all have it, or if only one was looked at.
    pub environments: Vec<String>,
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there; may be empty.
    pub text: String,
}

impl Diagnostic {
    pub(crate) fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A problem at a place.
    #[must_use]
    pub fn new(code: Code, severity: Severity, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            secondary: Vec::new(),
            help: None,
            environments: Vec::new(),
        }
    }

    pub(crate) fn lint(lint: Lint, span: Span, message: impl Into<String>) -> Self {
        Self { severity: lint.severity(), ..Self::error(Code::Lint(lint), span, message) }
    }

    /// An error that no place can be shown for.
    pub(crate) fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            help: None,
            environments: Vec::new(),
        }
    }

    /// Says what stands at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Shows another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// The user's input for a message: in backticks, control characters escaped, what is long cut off.
#[must_use]
pub fn quoted(text: &str) -> String {
    super::syntax::quoted(text)
}

/// Whether somebody who accepts a finding says why: three words, or a text without spaces that is as long.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    super::syntax::says_something(text)
}

/// Problems in order of source name and place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    /// How many more there were than are kept.
    omitted: usize,
    /// How many of those were errors.
    omitted_errors: usize,
}

impl Diagnostics {
    /// The problems; at most [`MAX_DIAGNOSTICS`] and one that says how many more there are.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.items.iter()
    }

    /// Problems in order of sources' names and of places.
    #[must_use]
    pub fn of(problems: impl IntoIterator<Item = Diagnostic>, sources: &SourceSet) -> Self {
        let mut all = Self::default();
        problems.into_iter().for_each(|problem| all.push(problem));
        all.finish(sources);
        all
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no problem at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a problem keeps the policy from being used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.omitted_errors > 0 || self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Only the problems of one kind.
    #[must_use]
    pub fn only(mut self, code: Code) -> Self {
        self.items.retain(|item| item.code == code);
        self
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.items.len() < MAX_DIAGNOSTICS {
            self.items.push(diagnostic);
        } else {
            self.omitted += 1;
            self.omitted_errors += usize::from(diagnostic.severity == Severity::Error);
        }
    }

    /// These problems and what else was found, in order.
    #[must_use]
    pub fn and(mut self, other: Self, sources: &SourceSet) -> Self {
        let cut = self.omitted + other.omitted > 0;
        self.items.extend(other.items);
        self.omitted += other.omitted;
        self.omitted_errors += other.omitted_errors;
        if cut {
            self.items.retain(|item| item.code != Code::TooManyProblems);
        }
        self.finish(sources);
        self
    }

    /// Takes the names of environments from those that hold for all.
    pub(crate) fn everywhere(&mut self, these: impl Fn(&Diagnostic) -> bool) {
        self.items.iter_mut().filter(|item| these(item)).for_each(|item| item.environments.clear());
    }

    /// Leaves out what is not wanted.
    pub(crate) fn retain(&mut self, wanted: impl FnMut(&Diagnostic) -> bool) {
        self.items.retain(wanted);
    }

    /// Adds what others found, as far as there is room.
    pub(crate) fn append(&mut self, other: Self) {
        self.omitted += other.omitted;
        self.omitted_errors += other.omitted_errors;
        other.items.into_iter().for_each(|item| self.push(item));
    }

    /// Counts a problem that need not be worded any more.
    pub(crate) fn omit(&mut self, severity: Severity) {
        self.omitted += 1;
        self.omitted_errors += usize::from(severity == Severity::Error);
    }

    /// Whether further problems are only counted: effort that only makes one prettier is wasted.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= MAX_DIAGNOSTICS
    }

    /// The problems of one policy in several environments, each once; what not all of them have names those that do.
    pub(crate) fn merged<'d>(
        each: impl ExactSizeIterator<Item = (Option<&'d str>, &'d Self)>,
        sources: &SourceSet,
    ) -> Self {
        let all = each.len();
        let mut merged = Self::default();
        let mut places: HashMap<&Diagnostic, usize> = HashMap::new();
        let mut found: Vec<(&Diagnostic, Vec<String>)> = Vec::new();
        for (environment, problems) in each {
            merged.omitted = merged.omitted.max(problems.omitted);
            merged.omitted_errors = merged.omitted_errors.max(problems.omitted_errors);
            for item in problems.items.iter().filter(|item| item.code != Code::TooManyProblems) {
                let place = *places.entry(item).or_insert_with(|| {
                    found.push((item, Vec::new()));
                    found.len() - 1
                });
                found[place].1.extend(environment.map(str::to_owned));
            }
        }
        for (item, environments) in found {
            let environments = if environments.len() < all { environments } else { Vec::new() };
            merged.push(Diagnostic { environments, ..item.clone() });
        }
        merged.finish(sources);
        merged
    }

    /// Puts the problems into the order of the sources' names and of places, and says how many were left out.
    pub(crate) fn finish(&mut self, sources: &SourceSet) {
        self.items.sort_by_cached_key(|item| {
            let at = item.primary.as_ref().map(|label| label.span);
            (
                at.map(|span| (sources.name(span.source).to_owned(), span.start, span.end)),
                item.code,
                item.message.clone(),
            )
        });
        self.items.dedup();
        if self.omitted > 0 {
            let message = format!("{} more problems are not shown", self.omitted);
            let mut problem = Diagnostic::without_place(Code::TooManyProblems, message)
                .help("solve some of those above and check again");
            if self.omitted_errors == 0 {
                problem.severity = Severity::Warning;
            }
            self.items.push(problem);
        }
    }
}
