//! What is said about captures: `where`, the values of `[groups]`, `per` and the captures of grants in tests.

use super::node::{Fields, Node, Text, quoted};
use super::tables::strings;
use super::targets::{is_capture_name, not_a_name};
use crate::policy::captures::{GroupFamily, GroupValue};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::source::Span;
use toml::de::DeValue;

/// A test of a capture in `where`.
pub(in crate::policy) struct CaptureTest {
    pub(in crate::policy) capture: Text,
    pub(in crate::policy) accepts: CaptureValues,
}

/// What a capture must be.
pub(in crate::policy) enum CaptureValues {
    In(Vec<String>),
    Claim { span: Span, path: Vec<String>, issuers: Vec<Text> },
}

/// `where = { user = { claim = "sub" }, version = { in = ["v1"] } }`.
pub(super) fn tests(node: Node<'_>, out: &mut Diagnostics) -> Vec<CaptureTest> {
    let entries = Fields::entries(node, "`where`", out);
    if entries.is_empty() && matches!(node.value(), DeValue::Table(_)) {
        let problem = Diagnostic::error(Code::EmptyValue, node.span(), "`where` is an empty table");
        out.push(problem.help("name a capture and what it must be: `where = { user = { claim = \"sub\" } }`"));
    }
    let tests = entries.into_iter().filter_map(|(name, node)| test(name, node, out));
    tests.collect()
}

fn test(capture: Text, node: Node<'_>, out: &mut Diagnostics) -> Option<CaptureTest> {
    let what = format!("the test of {}", quoted(&capture.value));
    let fields = Fields::open(node, &what, &["claim", "in", "issuers"], out)?;
    if !is_capture_name(&capture.value) {
        let message = format!("{} is not the name of a capture", quoted(&capture.value));
        let problem = Diagnostic::error(Code::InvalidName, capture.span, message).label_foreign(&capture.value);
        out.push(problem.help("write the name that stands in braces in the paths or hosts of the scopes"));
        return None;
    }
    let accepts = match (fields.get("claim"), fields.get("in")) {
        (Some(node), None) => {
            let path = match node.value() {
                DeValue::String(_) => node.text("claim", out).map(|name| vec![name.value]),
                _ => node.claim_path("claim", out),
            };
            let issuers = fields.texts("issuers", out).unwrap_or_default();
            CaptureValues::Claim { span: node.span(), path: path?, issuers }
        }
        (None, Some(_)) => {
            if let Some(span) = fields.key_span("issuers") {
                let problem = Diagnostic::error(Code::MisplacedKey, span, format!("{what} asks for no claim"));
                out.push(problem.label("says whose `claim` counts"));
            }
            CaptureValues::In(strings(fields.texts("in", out)?))
        }
        (Some(claim), Some(_)) => {
            let span = fields.key_span("in").unwrap_or(claim.span());
            let problem = Diagnostic::error(Code::ConflictingKeys, span, format!("{what} has both `claim` and `in`"));
            out.push(problem.help("write two rules if either will do"));
            return None;
        }
        (None, None) => {
            let problem =
                Diagnostic::error(Code::MissingKey, fields.span(), format!("{what} compares it with nothing"));
            out.push(problem.help("add `claim = \"sub\"` or `in = [\"x\", \"y\"]`"));
            return None;
        }
    };
    Some(CaptureTest { capture, accepts })
}

/// `per = ["user"]`.
pub(super) fn per(fields: &Fields<'_>, out: &mut Diagnostics) -> Vec<String> {
    let names = fields.texts("per", out).unwrap_or_default();
    for name in names.iter().filter(|name| !is_capture_name(&name.value)) {
        let message = format!("{} is not the name of a capture", quoted(&name.value));
        let problem = Diagnostic::error(Code::InvalidName, name.span, message).label_foreign(&name.value);
        out.push(problem.help("write the name without braces, like `per = [\"user\"]` for the path `/users/{user}`"));
    }
    strings(names)
}

/// What stands in tokens for a group: a text, or one with a capture in it.
pub(super) fn group_value(value: &Text, out: &mut Diagnostics) -> Option<GroupValue> {
    let text = &value.value;
    if text.chars().any(char::is_control) || text.trim() != text {
        let message = format!("{} is not the name of a group", quoted(text));
        let problem = Diagnostic::error(Code::InvalidGroup, value.span, message);
        out.push(problem.label("a control character, or a space at the beginning or end"));
        return None;
    }
    let mut problem = |range: std::ops::Range<usize>, label: &str, help: &str| {
        let message = format!("{} is not the name of a group", quoted(text));
        out.push(Diagnostic::error(Code::InvalidGroup, value.part(range), message).label(label).help(help));
        None
    };
    let Some(open) = text.find(['{', '}']) else { return Some(GroupValue::Literal(text.clone())) };
    let unbalanced = "a family names one capture, like `tenant-{tenant}`";
    let rest = &text[open + 1..];
    let Some(end) = rest.find(['{', '}']).filter(|end| text[open..].starts_with('{') && rest[*end..].starts_with('}'))
    else {
        return problem(open..text.len(), "braces that hold nothing", unbalanced);
    };
    let (capture, suffix) = (&rest[..end], &rest[end + 1..]);
    if !is_capture_name(capture) {
        let help = "a name begins with a letter and has letters, digits, `-` and `_`";
        return problem(open..open + end + 2, &not_a_name("a capture", capture), help);
    }
    if suffix.contains(['{', '}']) {
        return problem(open + end + 2..text.len(), "a second capture", unbalanced);
    }
    let family =
        GroupFamily { prefix: text[..open].to_owned(), capture: capture.to_owned(), suffix: suffix.to_owned() };
    Some(GroupValue::Family(family))
}

/// `captures = { user = "99" }` of a grant in a test.
pub(super) fn values(node: Node<'_>, out: &mut Diagnostics) -> Vec<(Text, Text)> {
    let entries = Fields::entries(node, "`captures`", out);
    entries.into_iter().filter_map(|(name, node)| Some((name, node.text("captures", out)?))).collect()
}
