//! How deeply a text nests, found before it is parsed: a parser makes a table for each part of a dotted key, so that few bytes could take much memory.
//!
//! Knows strings and comments of TOML and nothing else of it; whether the text is TOML, the parser says.

use crate::policy::diagnostics::{Code, Diagnostic};
use crate::policy::source::{SourceId, Span};
use std::ops::Range;

/// The most parts of a dotted key or of the name of a table.
const MAX_PARTS: usize = 16;

/// How deeply lists and tables may lie in each other.
const MAX_DEPTH: usize = 32;

/// The most tables and lists that all files of a policy may have together.
pub(super) const MAX_TABLES: usize = 1_000_000;

/// Takes the tables and lists of a text from those that are left.
///
/// # Errors
/// The text nests too deeply, or has more than are left.
pub(super) fn check(source: SourceId, text: &str, left: &mut usize) -> Result<(), Box<Diagnostic>> {
    let problem =
        |code, at: Range<usize>, message: String| Box::new(Diagnostic::error(code, Span::new(source, &at), message));
    let bytes = text.as_bytes();
    let (mut depth, mut parts, mut key) = (0_usize, 1_usize, 0_usize);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length),
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'.' => parts += 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if matches!(byte, b'.' | b'[' | b'{') {
            *left = left.checked_sub(1).ok_or_else(|| {
                let message = format!("the policy has more than {MAX_TABLES} tables and lists");
                problem(Code::SourceTooLarge, at..at + 1, message)
            })?;
        }
        if parts > MAX_PARTS {
            let message = format!("a key has more than {MAX_PARTS} parts");
            let problem = problem(Code::NestedTooDeeply, key..at + 1, message);
            return Err(Box::new(
                problem.help("no key of a policy lies so deep; a name with dots in it stands in quotes"),
            ));
        }
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} lists and tables lie in each other");
            return Err(Box::new(
                problem(Code::NestedTooDeeply, at..at + 1, message).help("nothing in a policy lies so deep"),
            ));
        }
        at += 1;
        if matches!(byte, b'\n' | b'=' | b',' | b'[' | b']' | b'{' | b'}') {
            (parts, key) = (1, at);
        }
    }
    Ok(())
}

/// Where the string that begins here ends; at the end of the line if it is not closed there and may not go on.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let several = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if several { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !several => return at,
            _ if byte == quote && !several => return at + 1,
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => {
                // Up to two quotes may stand before those that close.
                let more = bytes[at + 3..].iter().take(2).take_while(|byte| **byte == quote).count();
                return at + 3 + more;
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source::SourceSet;

    fn code(text: &str, mut left: usize) -> Option<(&'static str, usize)> {
        let mut sources = SourceSet::new();
        let id = sources.add("t", text);
        let problem = check(id, text, &mut left).err()?;
        Some((problem.code.as_str(), problem.primary?.span.start as usize))
    }

    #[test]
    fn only_what_nests_is_counted() {
        let parts = |n: usize| vec!["a"; n].join(".");
        for (text, expected) in [
            (format!("[{}]", parts(16)), None),
            (format!("x = 1\n[{}]", parts(17)), Some(("nested-too-deeply", 7))),
            (format!("{} = 1", parts(17)), Some(("nested-too-deeply", 0))),
            (format!("x = {{ {} = 1 }}", parts(17)), Some(("nested-too-deeply", 5))),
            (vec!["\"a.b\""; 17].join(" . "), Some(("nested-too-deeply", 0))),
            (format!("x = \"{}\"", parts(99)), None),
            (format!("x = '{}'", parts(99)), None),
            (format!("# {}\nx = 1", parts(99)), None),
            (format!("x = \"\"\"\n{}\"\"\"\"\"\ny.z = 1", parts(99)), None),
            (format!("x = '''\n'{}'''", parts(99)), None),
            (format!("x = \"\\\"{}\"", parts(99)), None),
            (format!("x = \"a\n{} = 1", parts(17)), Some(("nested-too-deeply", 7))),
            (format!("x = [{}]", vec!["1.5"; 99].join(", ")), None),
            (format!("x = {}{}", "[".repeat(32), "]".repeat(32)), None),
            (format!("x = {}", "[{".repeat(17)), Some(("nested-too-deeply", 36))),
            ("x = '".to_owned(), None),
            ("x = \"\\".to_owned(), None),
        ] {
            assert_eq!(code(&text, 1_000), expected, "{text}");
        }
        assert_eq!(code("[a]\n[a.b]\nx = [1, [2]]", 5), None);
        assert_eq!(code("[a]\n[a.b]\nx = [1, [2]]", 4), Some(("source-too-large", 18)));
    }
}
