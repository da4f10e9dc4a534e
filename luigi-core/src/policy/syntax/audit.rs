//! `[audit]`: what is recorded beyond what always is.

use super::node::{Fields, Node};
use super::{Audit, Syntax};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::Auditing;

/// Reads what one document says. A policy says it once, whichever of its files it is.
pub(super) fn read(top: &Fields<'_>, syntax: &mut Syntax, out: &mut Diagnostics) {
    let Some(node) = top.get("audit") else { return };
    let span = top.key_span("audit").unwrap_or(node.span());
    let Some(fields) = Fields::open(node, "`audit`", &["sample", "query-parameters"], out) else { return };
    if let Some(first) = syntax.audits.first() {
        let problem = Diagnostic::error(Code::DuplicateName, span, "`audit` is defined twice").label("again");
        out.push(problem.also(first.span, "first here"));
    }
    if fields.is_empty() {
        let problem = Diagnostic::error(Code::EmptyValue, span, "`audit` says nothing");
        out.push(problem.help("set `sample` or `query-parameters`, or leave it out"));
    }
    let sample = fields.get("sample").and_then(|node| sample(node, out));
    let parameters = fields.texts("query-parameters", out).unwrap_or_default();
    let mut query_parameters: Vec<String> = parameters.into_iter().map(|text| text.value).collect();
    query_parameters.sort();
    syntax.audits.push(Audit { span, auditing: Auditing { sample, query_parameters } });
}

fn sample(node: Node<'_>, out: &mut Diagnostics) -> Option<u32> {
    let number = node.integer("sample", out)?;
    let sample = u32::try_from(number.value).ok().filter(|sample| *sample > 0);
    if sample.is_none() {
        let problem =
            Diagnostic::error(Code::OutOfRange, number.span, format!("{} is not one of how many", number.value));
        out.push(problem.help("`sample = 100` records one of a hundred allowed requests, `sample = 1` each of them"));
    }
    sample
}
