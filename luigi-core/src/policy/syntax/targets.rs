//! Host patterns, path templates, methods and operations.

use super::node::{Node, Text, foreign, quoted};
use super::values::split_port;
use crate::method::{MethodSet, MethodTable};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{HostPattern, PathTemplate, Segment};
use crate::target::{Ambiguity, MAX_TARGET_BYTES, SegmentError, ambiguous_segment, canonical_host, canonical_segment};
use std::net::IpAddr;
use std::ops::Range;

/// The most named segments that a path can have.
const MAX_CAPTURES: usize = 32;

/// Methods as they are written; the policy's own ones get their bits once all are known.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Methods {
    /// A word for a set.
    Named(MethodSet),
    /// A list.
    Listed(Vec<Text>),
}

const NAMED: [(&str, MethodSet); 3] = [("read", MethodSet::READ), ("write", MethodSet::WRITE), ("any", MethodSet::ANY)];

/// `methods = "read"` or a list.
pub(super) fn methods(node: Node<'_>, out: &mut Diagnostics) -> Option<Methods> {
    if let toml::de::DeValue::String(word) = node.value() {
        if MethodTable::default().intern(word).is_some() {
            let message = format!("{} is not a value of `methods`", quoted(word));
            let help =
                format!("write it as a list of one, `[\"{word}\"]`, or one of `\"read\"`, `\"write\"` and `\"any\"`");
            out.push(Diagnostic::error(Code::UnknownWord, node.span(), message).help(help));
            return None;
        }
        return node.word("methods", &NAMED, out).map(Methods::Named);
    }
    let texts = node.texts("methods", out)?;
    let checked: Vec<_> = texts.iter().map(|text| check_method(text, 0..text.value.len(), out)).collect();
    checked.into_iter().all(|fine| fine).then_some(Methods::Listed(texts))
}

fn check_method(text: &Text, range: Range<usize>, out: &mut Diagnostics) -> bool {
    let method = &text.value[range.clone()];
    // A table of its own: only the form matters here.
    if MethodTable::default().intern(method).is_some() {
        return true;
    }
    let upper = method.to_ascii_uppercase();
    let help = if NAMED.iter().any(|(word, _)| *word == method) {
        format!("`\"{method}\"` stands instead of the list: `methods = \"{method}\"`")
    } else if MethodTable::default().intern(&upper).is_some() {
        format!("methods are case-sensitive: did you mean `{upper}`?")
    } else {
        "a method has upper-case letters, digits, `-` and `_`, at most 32".to_owned()
    };
    let message = format!("{} is not a method", quoted(method));
    out.push(Diagnostic::error(Code::InvalidMethod, text.part(range), message).help(help));
    false
}

/// A method and a path template.
pub(super) fn operation(
    text: &Text,
    doubtful: &mut Vec<Doubtful>,
    out: &mut Diagnostics,
) -> Option<(Text, PathTemplate)> {
    let Some((method, path)) = text.value.split_once(' ') else {
        let message = format!("{} is not an operation", quoted(&text.value));
        let problem = Diagnostic::error(Code::InvalidOperation, text.span, message);
        out.push(problem.help("write a method, one space, and a path: `\"GET /orders/{id}\"`"));
        return None;
    };
    let fine = check_method(text, 0..method.len(), out);
    let template = path_template(text, text.value.len() - path.len()..text.value.len(), doubtful, out)?;
    fine.then(|| (Text::new(method.to_owned(), text.part(0..method.len())), template))
}

/// The path template that stands at `range` of the text.
pub(super) fn path_template(
    text: &Text,
    range: Range<usize>,
    doubtful: &mut Vec<Doubtful>,
    out: &mut Diagnostics,
) -> Option<PathTemplate> {
    let path = &text.value[range.clone()];
    let describe = |at: Range<usize>, label: &str, help: String| {
        let message = format!("{} is not a path template", quoted(path));
        let problem =
            Diagnostic::error(Code::InvalidPath, text.part(range.start + at.start..range.start + at.end), message);
        let problem = problem.label(label);
        if help.is_empty() { problem } else { problem.help(help) }
    };
    let mut problem = |at, label: &str, help| out.push(describe(at, label, help));
    if !path.starts_with('/') {
        problem(0..path.len(), "does not begin with `/`", String::new());
        return None;
    }
    if path.len() > MAX_TARGET_BYTES || path.matches('{').count() > MAX_CAPTURES {
        let help = format!("a path has at most {MAX_TARGET_BYTES} bytes and {MAX_CAPTURES} named segments");
        problem(0..path.len(), "longer than any request", help);
        return None;
    }
    let mut template = PathTemplate { segments: Vec::new(), rest: false, slash: false };
    if path == "/" {
        return Some(template);
    }
    // `/a/` is `/a` on all hosts but those that say otherwise.
    let inner = path[1..].strip_suffix('/').unwrap_or(&path[1..]);
    let mut fine = true;
    let mut at = 1;
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        let place = at..at + segment.len();
        at = place.end + 1;
        match (segment, segments.peek()) {
            ("**", None) => template.rest = true,
            ("**", Some(_)) => {
                fine = false;
                problem(place, "`**` stands only at the end", "use `*` for exactly one segment".to_owned());
            }
            ("*", _) => template.segments.push(Segment::Any),
            _ if let Some((class, literal)) = ambiguous_literal(segment) => {
                let help = format!("{}; `[hosts]` can accept the class for a host", class.help());
                doubtful.push((class, describe(place, &SegmentError::Ambiguous(class).to_string(), help)));
                template.segments.push(Segment::Literal(literal));
            }
            _ => match segment_of(segment, &template) {
                Ok(segment) => template.segments.push(segment),
                Err((label, help)) => {
                    fine = false;
                    problem(place, &label, help);
                }
            },
        }
    }
    template.slash = path.ends_with('/') && !template.rest;
    fine.then_some(template)
}

/// What is wrong with the name of a capture.
pub(super) fn not_a_name(of: &str, name: &str) -> String {
    match foreign(name) {
        Some((range, what)) => format!("not a name for {of}; {}: {what}", quoted(&name[range])),
        None => format!("not a name for {of}"),
    }
}

const CAPTURE_NAMES: &str = "a name begins with a letter and has letters, digits, `-` and `_`";

/// Whether a label of a host, a segment of a path or a part of a group can go by this name.
pub(super) fn is_capture_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && name.len() <= 64
}

/// A path that only hosts which accept a class of ambiguous targets have, with the problem that it is on all others.
pub(in crate::policy) type Doubtful = (Ambiguity, Diagnostic);

/// A literal that requests have on hosts which accept its class.
fn ambiguous_literal(segment: &str) -> Option<(Ambiguity, String)> {
    let Err(SegmentError::Ambiguous(class)) = canonical_segment(segment) else { return None };
    Some((class, ambiguous_segment(segment, class)?)).filter(|_| !segment.contains(['{', '}', '*', '?', '#']))
}

/// A literal or a capture, or what is wrong with it and what to do.
fn segment_of(segment: &str, before: &PathTemplate) -> Result<Segment, (String, String)> {
    let error = |label: &str, help: &str| Err((label.to_owned(), help.to_owned()));
    if segment.is_empty() {
        return error("an empty segment", "requests reach rules with repeated slashes collapsed");
    }
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        if !is_capture_name(name) {
            return error(&not_a_name("a segment", name), CAPTURE_NAMES);
        }
        let capture = Segment::Capture(name.to_owned());
        if before.segments.contains(&capture) {
            return error("this name stands twice in the path", "give each segment its own name");
        }
        return Ok(capture);
    }
    if segment.contains(['{', '}']) {
        return error("braces hold a whole segment", "a `{name}` stands for exactly one whole segment");
    }
    if segment.contains('*') {
        return error("`*` stands for a whole segment", "a part of a segment cannot be left open");
    }
    if segment.contains(['?', '#']) {
        return error("a path has neither query nor fragment", "leave out what begins with `?` or `#`");
    }
    match canonical_segment(segment) {
        Ok(literal) => Ok(Segment::Literal(literal)),
        Err(problem) => Err((problem.to_string(), problem.help().to_owned())),
    }
}

/// A host pattern, lower case, or what is wrong with the text and what to do. Variables stand for their values already: what is in braces now
/// is a capture.
pub(in crate::policy) fn host_of(text: &str) -> Result<HostPattern, (String, String)> {
    let error = |label: &str, help: &str| Err((label.to_owned(), help.to_owned()));
    if text == "any" {
        return error("a word, not a host", "`hosts = \"any\"` stands instead of the list");
    }
    if text.contains('/') {
        return error("a host has neither scheme nor path", "paths stand in `paths` or `operations`");
    }
    let (first, name) = first_label(text)?;
    if let Some((range, what)) = foreign(name) {
        let label = format!("{}: {what}", quoted(&name[range]));
        return error(&label, "write the form that is sent, which begins with `xn--`");
    }
    if name.contains(['{', '}']) {
        return error("braces in the wrong place", "`{name}.` stands for the whole first label, only at the beginning");
    }
    if name.contains('*') {
        return error(
            "a wildcard in the wrong place",
            "`*.` stands for one label and `**.` for one or more, only at the beginning",
        );
    }
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    let (_, port) = split_port(name);
    if port.is_some() && !is_address(name) {
        return error("a host has no port", "rules see hosts without their port");
    }
    let Ok(name) = canonical_host(name) else {
        return error("neither the name of a host nor an address", "");
    };
    if !matches!(first, First::Literal) && is_address(&name) {
        return error("an address has no labels", "write a network under `[networks]` for addresses of clients");
    }
    Ok(match first {
        First::Literal => HostPattern::Exact(name),
        First::One => HostPattern::OneLabel(name),
        First::Some => HostPattern::Labels(name),
        First::Capture(label) => HostPattern::Capture { name: label.to_owned(), parent: name },
    })
}

/// What a host pattern begins with.
enum First<'t> {
    Literal,
    One,
    Some,
    Capture(&'t str),
}

/// What stands before the literal part of a host, and that part.
fn first_label(text: &str) -> Result<(First<'_>, &str), (String, String)> {
    if let Some((label, name)) = text.strip_prefix('{').and_then(|rest| rest.split_once("}.")) {
        if !is_capture_name(label) {
            return Err((not_a_name("a label", label), CAPTURE_NAMES.to_owned()));
        }
        return Ok((First::Capture(label), name));
    }
    let wildcard = |prefix, first| text.strip_prefix(prefix).map(|name| (first, name));
    Ok(wildcard("**.", First::Some).or_else(|| wildcard("*.", First::One)).unwrap_or((First::Literal, text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::{SourceSet, Span};

    fn text(value: &str) -> Text {
        let mut sources = SourceSet::new();
        let id = sources.add("t", value);
        Text::new(value.to_owned(), Span::new(id, &(0..value.len())))
    }

    #[test]
    fn path_templates_are_canonical_or_refused() {
        for (path, expected) in [
            ("/", Some("/")),
            ("/**", Some("/**")),
            ("/a/", Some("/a")),
            ("/v1/orders/{id}/items/**", Some("/v1/orders/{id}/items/**")),
            ("/a/*/b", Some("/a/*/b")),
            ("/%61%7e%c3%bc", Some("/a~%C3%BC")),
            ("/a:b@c!$&'()+,=", Some("/a:b@c!$&'()+,=")),
            ("/100%25", Some("/100%25")),
            ("/pkg.Service/Method", Some("/pkg.Service/Method")),
            ("", None),
            ("a", None),
            ("//", None),
            ("/a//b", None),
            ("/a/../b", None),
            ("/%2e%2E/b", None),
            ("/**/a", None),
            ("/a*", None),
            ("/a{b}", None),
            ("/{}", None),
            ("/{1a}", None),
            ("/{a}/{a}", None),
            ("/a?b", None),
            ("/a#b", None),
            ("/a b", Some("/a%20b")),
            ("/ü", Some("/%C3%BC")),
            ("/%2fa", None),
            ("/%5ca", None),
            ("/a;b", None),
            ("/%252fa", None),
            ("/%zz", None),
            ("/%0", None),
            ("/%00", None),
        ] {
            let mut out = Diagnostics::default();
            let mut doubtful = Vec::new();
            let found =
                path_template(&text(path), 0..path.len(), &mut doubtful, &mut out).map(|template| template.to_string());
            doubtful.into_iter().for_each(|(_, problem)| out.push(problem));
            assert_eq!(found.filter(|_| out.is_empty()).as_deref(), expected, "{path}");
            assert_eq!(out.is_empty(), expected.is_some(), "{path}");
        }
    }

    #[test]
    fn hosts_are_names_wildcards_or_addresses() {
        let exact = |name: &str| Some(HostPattern::Exact(name.to_owned()));
        for (host, expected) in [
            ("Orders.Example.com", exact("orders.example.com")),
            ("localhost", exact("localhost")),
            ("my_host.internal", exact("my_host.internal")),
            ("*.example.com", Some(HostPattern::OneLabel("example.com".to_owned()))),
            ("**.svc.example.com", Some(HostPattern::Labels("svc.example.com".to_owned()))),
            ("10.0.0.20", exact("10.0.0.20")),
            ("[2001:DB8::1]", exact("2001:db8::1")),
            ("2001:db8:0::1", exact("2001:db8::1")),
            ("any", None),
            ("*", None),
            ("**", None),
            ("a.*.com", None),
            (
                "{tenant}.Example.com",
                Some(HostPattern::Capture { name: "tenant".to_owned(), parent: "example.com".to_owned() }),
            ),
            ("{tenant}", None),
            ("{tenant}.", None),
            ("{}.example.com", None),
            ("{1}.example.com", None),
            ("a{tenant}.example.com", None),
            ("{tenant}a.example.com", None),
            ("a.{tenant}.example.com", None),
            ("{a}.{b}.example.com", None),
            ("{tenant}.*.example.com", None),
            ("{tenant}.10.0.0.1", None),
            ("example.com:443", None),
            ("example.com.", exact("example.com")),
            ("*.10.0.0.1", None),
            ("https://example.com", None),
            ("example.com/path", None),
            ("a..com", None),
            (".com", None),
            ("exämple.com", None),
            ("10.0.1", None),
            ("0x7f.1", None),
            ("[10.0.0.1]", None),
            ("a b", None),
        ] {
            assert_eq!(host_of(host).ok(), expected, "{host}");
        }
    }
}
