//! `[environments]`: where a policy is in force, and what its hosts are called there.

use super::node::{Fields, Node, Text, quoted};
use super::{Entry, Environment, Syntax, values};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::places::Place;

/// Reads the environments of one document.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    let Some(node) = top.get("environments") else { return };
    let entries = Fields::entries(node, "`environments`", out);
    if entries.is_empty() && node.value().as_table().is_some() {
        let problem = Diagnostic::error(Code::EmptyValue, node.span(), "`environments` is an empty table");
        out.push(
            problem.help("name the environments, like `production = { domain = \"example.com\" }`, or leave it out"),
        );
    }
    for (name, node) in entries {
        values::check_name(&name, "an environment", out);
        let item = environment(node, &name, out);
        let place = Place::new(name.span, Vec::new(), Vec::new());
        syntax.environments.push(Entry { name, item, place });
    }
}

fn environment(node: Node<'_>, name: &Text, out: &mut Diagnostics) -> Option<Environment> {
    let what = format!("environment {}", quoted(&name.value));
    let is_table = node.value().as_table().is_some();
    let mut variables = Vec::new();
    for (variable, node) in Fields::entries(node, &what, out) {
        check_variable(&variable, out);
        let value = node.text(&variable.value, out).and_then(|text| value_of(&variable, &text, out));
        variables.push((variable, value));
    }
    is_table.then_some(Environment { variables })
}

/// A name that can stand in braces.
fn check_variable(name: &Text, out: &mut Diagnostics) {
    let fine = name.value.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.value.len() <= 64
        && name.value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !fine {
        let message = format!("{} is not a name for a variable", quoted(&name.value));
        let problem = Diagnostic::error(Code::InvalidVariable, name.span, message);
        out.push(problem.help("a name begins with a letter and has letters, digits, `-` and `_`, at most 64"));
    }
}

/// A part of a host: labels and dots, in lower case.
fn value_of(variable: &Text, value: &Text, out: &mut Diagnostics) -> Option<Text> {
    const MAX_BYTES: usize = 253;
    let lower = value.value.to_ascii_lowercase();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let label = if lower.contains(odd) {
        "not a letter, digit, `-`, `_` or `.`"
    } else if lower.split('.').any(str::is_empty) {
        "a dot too many"
    } else if lower.len() > MAX_BYTES {
        "longer than any host"
    } else {
        return Some(Text::new(lower, value.span));
    };
    let message = format!("{} is not a part of a host", quoted(&value.value));
    let at = lower.find(odd).map_or(value.span, |at| value.part(at..at + 1));
    let problem = Diagnostic::error(Code::InvalidVariable, at, message).label(label);
    let help =
        format!("write what stands for `{{{}}}` in hosts, like \"staging.example.com\" or \"eu-1\"", variable.value);
    out.push(problem.help(help));
    None
}
