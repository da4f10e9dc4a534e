//! `[hosts]`: what the servers behind certain hosts do with targets.

use super::node::{Fields, Node, Text, listed, quoted};
use super::{Host, Syntax};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::Spanned;
use crate::target::Ambiguity;

const KEYS: [&str; 6] = ["paths", "trailing-slash", "accept-ambiguous", "method-override", "description", "accept"];

/// Reads the table `hosts` of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    let Some(node) = top.get("hosts") else { return };
    for (name, node) in Fields::entries(node, "`hosts`", out) {
        syntax.hosts.extend(host(name, node, out));
    }
}

fn host(name: Text, node: Node<'_>, out: &mut Diagnostics) -> Option<Host> {
    let what = format!("host {}", quoted(&name.value));
    // `[hosts.legacy.example.com]` is a table `legacy` with a table `example` to TOML.
    if let toml::de::DeValue::Table(table) = node.value()
        && table.iter().any(|(key, item)| item.get_ref().is_table() && !KEYS.contains(&&**key.get_ref()))
    {
        let problem = Diagnostic::error(Code::UnknownKey, name.span, format!("{what} has tables in it"));
        out.push(problem.help("a name with dots is written in quotes: `[hosts.\"legacy.example.com\"]`"));
        return None;
    }
    let fields = Fields::open(node, &what, &KEYS, out)?;
    fields.description(out);
    let mut word = |key: &str, words: &[(&str, bool)]| {
        let node = fields.get(key)?;
        node.word(key, words, out).map(|value| Spanned::new(value, node.span()))
    };
    let ignores_case = word("paths", &[("ignore-case", true), ("exact", false)]);
    let slash_matters = word("trailing-slash", &[("distinct", true), ("same", false)]);
    let refuses_method_override = word("method-override", &[("refuse", true), ("ignore", false)]);
    let accepts = fields.get("accept-ambiguous").and_then(|node| accepted(node, out));
    if KEYS[..4].iter().all(|key| fields.get(key).is_none()) {
        let problem = Diagnostic::error(Code::EmptyValue, name.span, format!("{what} says nothing"));
        out.push(problem.help(format!("set at least one of {}", listed(KEYS[..4].iter().copied(), "and"))));
    }
    let place = node.place(name.span, out);
    Some(Host { host: name, ignores_case, slash_matters, accepts, refuses_method_override, place })
}

fn accepted(node: Node<'_>, out: &mut Diagnostics) -> Option<Spanned<Vec<Ambiguity>>> {
    let words = Ambiguity::ACCEPTABLE.map(|class| (class.as_str(), class));
    let texts = node.texts("accept-ambiguous", out)?;
    let mut classes = Vec::new();
    for text in &texts {
        match Ambiguity::ALL.into_iter().find(|class| class.as_str() == text.value) {
            Some(class) if !class.is_acceptable() => {
                let message = format!("{} cannot be accepted", quoted(&text.value));
                let problem = Diagnostic::error(Code::UnknownWord, text.span, message);
                let problem = problem.label("such a target has no two readings that could both be decided");
                out.push(
                    problem.help(format!("what can be is {}", listed(words.iter().map(|(word, _)| *word), "and"))),
                );
            }
            Some(_) | None => classes.extend(node.word_of(text, "accept-ambiguous", &words, out)),
        }
    }
    classes.sort_unstable();
    Some(Spanned::new(classes, node.span()))
}
