//! Host patterns, path templates, methods and operations.

use super::node::{Node, Text, quoted};
use crate::method::{MethodSet, MethodTable};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{HostPattern, PathTemplate, Segment};
use std::net::IpAddr;
use std::ops::Range;

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
pub(super) fn operation(text: &Text, out: &mut Diagnostics) -> Option<(Text, PathTemplate)> {
    let Some((method, path)) = text.value.split_once(' ') else {
        let message = format!("{} is not an operation", quoted(&text.value));
        let problem = Diagnostic::error(Code::InvalidOperation, text.span, message);
        out.push(problem.help("write a method, one space, and a path: `\"GET /orders/{id}\"`"));
        return None;
    };
    let fine = check_method(text, 0..method.len(), out);
    let template = path_template(text, text.value.len() - path.len()..text.value.len(), out)?;
    fine.then(|| (Text::new(method.to_owned(), text.part(0..method.len())), template))
}

/// The path template that stands at `range` of the text.
pub(super) fn path_template(text: &Text, range: Range<usize>, out: &mut Diagnostics) -> Option<PathTemplate> {
    let path = &text.value[range.clone()];
    let mut problem = |at: Range<usize>, label: &str, help: String| {
        let message = format!("{} is not a path template", quoted(path));
        let problem =
            Diagnostic::error(Code::InvalidPath, text.part(range.start + at.start..range.start + at.end), message);
        let problem = problem.label(label);
        out.push(if help.is_empty() { problem } else { problem.help(help) });
    };
    if !path.starts_with('/') {
        problem(0..path.len(), "does not begin with `/`", String::new());
        return None;
    }
    let mut template = PathTemplate { segments: Vec::new(), rest: false };
    if path == "/" {
        return Some(template);
    }
    // `/a/` is `/a`.
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
            _ => match segment_of(segment, &template) {
                Ok(segment) => template.segments.push(segment),
                Err((label, help)) => {
                    fine = false;
                    problem(place, &label, help);
                }
            },
        }
    }
    fine.then_some(template)
}

/// A literal or a capture, or what is wrong with it and what to do.
fn segment_of(segment: &str, before: &PathTemplate) -> Result<Segment, (String, String)> {
    let error = |label: &str, help: &str| Err((label.to_owned(), help.to_owned()));
    if segment.is_empty() {
        return error("an empty segment", "requests reach rules with repeated slashes collapsed");
    }
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !identifier || name.len() > 64 {
            return error(
                "not a name for a segment",
                "a name begins with a letter and has letters, digits, `-` and `_`",
            );
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
    canonical_literal(segment).map(Segment::Literal)
}

/// The canonical form of a literal segment.
fn canonical_literal(segment: &str) -> Result<String, (String, String)> {
    let never = |label: &str| {
        Err((label.to_owned(), "a request with this in its path is refused as ambiguous before any rule".to_owned()))
    };
    let mut literal = String::with_capacity(segment.len());
    let bytes = segment.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
                let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2)) else {
                    let help = "an escape is `%` and two hexadecimal digits; the sign itself is `%25`";
                    return Err(("`%` without two hexadecimal digits".to_owned(), help.to_owned()));
                };
                let decoded = u8::try_from(high * 16 + low).unwrap_or(0);
                match decoded {
                    b'/' | b'\\' | b';' | 0..0x20 | 0x7f => return never("an escape that servers read differently"),
                    b'%' if hex(at + 3).is_some() && hex(at + 4).is_some() => {
                        return never("an escape that is escaped itself");
                    }
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                        literal.push(char::from(decoded))
                    }
                    _ => literal.push_str(&format!("%{decoded:02X}")),
                }
                at += 3;
                continue;
            }
            b';' | b'\\' => return never("servers read this differently"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => literal.push(char::from(byte)),
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b'=' | b':' | b'@' => {
                literal.push(char::from(byte))
            }
            _ => {
                let odd = |b: u8| {
                    b.is_ascii_control()
                        || !b.is_ascii()
                        || matches!(b, b' ' | b'"' | b'<' | b'>' | b'^' | b'`' | b'|' | b'[' | b']')
                };
                let encoded: String = bytes
                    .iter()
                    .map(|b| if odd(*b) { format!("%{b:02X}") } else { char::from(*b).to_string() })
                    .collect();
                let label = "a character that stands in paths only as an escape";
                return Err((label.to_owned(), format!("write it as {}", quoted(&encoded))));
            }
        }
        at += 1;
    }
    if literal == "." || literal == ".." {
        let help = "requests reach rules with dot segments resolved";
        return Err(("a dot segment".to_owned(), help.to_owned()));
    }
    Ok(literal)
}

/// A host pattern, lower case.
pub(super) fn host_pattern(text: &Text, out: &mut Diagnostics) -> Option<HostPattern> {
    match host_of(&text.value) {
        Ok(host) => Some(host),
        Err((label, help)) => {
            let message = format!("{} is not a host", quoted(&text.value));
            let problem = Diagnostic::error(Code::InvalidHost, text.span, message).label(label);
            out.push(if help.is_empty() { problem } else { problem.help(help) });
            None
        }
    }
}

fn host_of(text: &str) -> Result<HostPattern, (&'static str, String)> {
    let lower = text.to_ascii_lowercase();
    if lower == "any" {
        return Err(("a word, not a host", "`hosts = \"any\"` stands instead of the list".to_owned()));
    }
    if text.contains(['{', '}']) {
        return Err((
            "a placeholder",
            "placeholders in hosts are not part of this version of the policy language".to_owned(),
        ));
    }
    if let Some(inner) = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match inner.parse::<std::net::Ipv6Addr>() {
            Ok(address) => Ok(HostPattern::Exact(address.to_string())),
            Err(_) => Err(("not an IPv6 address", String::new())),
        };
    }
    if let Ok(address) = lower.parse::<IpAddr>() {
        return Ok(HostPattern::Exact(address.to_string()));
    }
    if lower.contains("://") || lower.contains('/') {
        return Err(("a host has neither scheme nor path", "paths stand in `paths` or `operations`".to_owned()));
    }
    if lower.contains(':') {
        return Err(("a host has no port", "rules see hosts without their port".to_owned()));
    }
    if let Some(name) = lower.strip_suffix('.') {
        return Err(("a dot at the end", format!("rules see hosts without it: write {}", quoted(name))));
    }
    if let Some(name) = lower.strip_prefix("**.") {
        return check_labels(name).map(|()| HostPattern::Labels(name.to_owned()));
    }
    if let Some(name) = lower.strip_prefix("*.") {
        return check_labels(name).map(|()| HostPattern::OneLabel(name.to_owned()));
    }
    check_labels(&lower).map(|()| HostPattern::Exact(lower))
}

fn check_labels(name: &str) -> Result<(), (&'static str, String)> {
    if name.contains('*') {
        let help = "`*.` stands for one label and `**.` for one or more, only at the beginning".to_owned();
        return Err(("a wildcard in the middle", help));
    }
    if !name.is_ascii() {
        return Err(("not ASCII", "write the form that is sent, which begins with `xn--`".to_owned()));
    }
    if name.len() > 253 {
        return Err(("longer than 253 characters", String::new()));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(("an empty label", String::new()));
        }
        if label.len() > 63 {
            return Err(("a label is longer than 63 characters", String::new()));
        }
        let odd = |b: u8| !(b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if label.bytes().any(odd) {
            return Err(("a character that host names do not have", String::new()));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(("a label begins or ends with `-`", String::new()));
        }
    }
    if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x")) {
        return Err(("neither a name nor an address", "an IPv4 address is written as four decimal numbers".to_owned()));
    }
    Ok(())
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
        let shown = |template: PathTemplate| {
            let segment = |segment: &Segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Capture(name) => format!("/{{{name}}}"),
                Segment::Any => "/*".to_owned(),
            };
            let path: String = template.segments.iter().map(segment).collect();
            path + if template.rest { "/**" } else { "" }
        };
        for (path, expected) in [
            ("/", Some("")),
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
            ("/a b", None),
            ("/ü", None),
            ("/%2fa", None),
            ("/%5ca", None),
            ("/a;b", None),
            ("/%252fa", None),
            ("/%zz", None),
            ("/%0", None),
            ("/%00", None),
        ] {
            let mut out = Diagnostics::default();
            let found = path_template(&text(path), 0..path.len(), &mut out).map(shown);
            assert_eq!(found.as_deref(), expected, "{path}");
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
            ("{tenant}.example.com", None),
            ("example.com:443", None),
            ("example.com.", None),
            ("https://example.com", None),
            ("example.com/path", None),
            ("-a.com", None),
            ("a..com", None),
            (".com", None),
            ("exämple.com", None),
            ("10.0.1", None),
            ("0x7f.1", None),
            ("[10.0.0.1]", None),
            ("a b", None),
        ] {
            let mut out = Diagnostics::default();
            assert_eq!(host_pattern(&text(host), &mut out), expected, "{host}");
            assert_eq!(out.is_empty(), expected.is_some(), "{host}");
        }
    }
}
