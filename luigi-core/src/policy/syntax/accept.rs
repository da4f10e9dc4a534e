//! Where a table stands, and the findings about it that are accepted: `accept = { lint = "reason" }`.

use super::node::{Fields, Node, listed, quoted};
use super::suggest::suggestion;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics, Lint};
use crate::policy::places::{Acceptance, Place};
use crate::policy::source::Span;
use toml::de::DeValue;

impl Node<'_> {
    /// The place of a row under this name.
    pub(super) fn place(self, name: Span, out: &mut Diagnostics) -> Place {
        let DeValue::Table(table) = self.value() else { return Place::new(name, Vec::new(), Vec::new()) };
        let keys = table.iter().map(|(key, value)| (self.span_of(&key.span()), self.span_of(&value.span()))).collect();
        let accepts = table.get("accept").map(|item| accept(self.beside(item), out)).unwrap_or_default();
        Place::new(name, keys, accepts)
    }
}

fn accept(node: Node<'_>, out: &mut Diagnostics) -> Vec<Acceptance> {
    let mut accepted = Vec::new();
    for (code, reason) in Fields::entries(node, "`accept`", out) {
        let reason = reason.text(&code.value, out);
        let lint = Lint::find(&code.value);
        let Some(lint) = lint.filter(|lint| lint.can_be_accepted()) else {
            out.push(not_acceptable(&code.value, code.span, lint));
            continue;
        };
        let Some(reason) = reason else { continue };
        if !says_something(&reason.value) {
            let message = format!("{} is no reason", quoted(&reason.value));
            let help = format!("say in a few words why what `{}` finds is all right here", lint.as_str());
            out.push(Diagnostic::error(Code::EmptyReason, reason.span, message).help(help));
        }
        accepted.push(Acceptance { lint, span: code.span, reason: reason.value });
    }
    accepted
}

fn not_acceptable(code: &str, span: Span, lint: Option<Lint>) -> Diagnostic {
    if let Some(lint) = lint {
        let message = format!("`{}` cannot be accepted", lint.as_str());
        let help = format!("`luigi check --explain {}` says what to do about it", lint.as_str());
        return Diagnostic::error(Code::UnknownLint, span, message).help(help);
    }
    let codes = || Lint::ALL.iter().filter(|lint| lint.can_be_accepted()).map(|lint| lint.as_str());
    let help = match suggestion(code, codes()) {
        Some(close) => format!("did you mean {}?", quoted(close)),
        None => format!("the lints are {}", listed(codes(), "and")),
    };
    Diagnostic::error(Code::UnknownLint, span, format!("{} is not a lint", quoted(code))).help(help)
}

/// At least three words, whatever the language; a text without spaces must be as long as three would be.
pub(in crate::policy) fn says_something(reason: &str) -> bool {
    let words = reason.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic));
    let is_ascii = reason.is_ascii();
    words.count() >= 3 || (!is_ascii && reason.chars().filter(|c| c.is_alphabetic()).count() >= 8)
}

#[cfg(test)]
mod tests {
    use super::says_something;

    #[test]
    fn a_reason_has_words() {
        for (reason, fine) in [
            ("the console is one program", true),
            ("audited by hand, INC-4711", true),
            ("このコンソールは一つのプログラムです", true),
            ("ok", false),
            ("todo todo", false),
            ("- - - - -", false),
            ("1 2 3 4", false),
            ("x", false),
        ] {
            assert_eq!(says_something(reason), fine, "{reason}");
        }
    }
}
