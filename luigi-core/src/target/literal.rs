//! The canonical form of what policy authors write: literal path segments and hosts.
//!
//! The same code makes it as for requests, so that a literal and the request for it cannot be canonicalised differently. Authors may
//! write Unicode and spaces as such. A literal that no request can reach is an error, not a rule that never matches.

use super::host::Authority;
use super::{Ambiguity, Host, MAX_HOST_BYTES, MAX_TARGET_BYTES, path};
use std::fmt::{self, Write};

/// Why a literal segment of a path template cannot be compared with any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentError {
    /// There is nothing in it.
    Empty,
    /// `.` or `..`, literal or encoded: no canonical path has them.
    Dots,
    /// A `/`: that ends a segment.
    Slash,
    /// A `?`: that begins the query.
    Query,
    /// Every request for it is refused for this reason.
    Ambiguous(Ambiguity),
}

impl SegmentError {
    /// One line of advice for the author.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Empty => "empty segments are collapsed in requests; write one `/`",
            Self::Dots => "dot segments are removed from requests; write the path without them",
            Self::Slash => "write one segment at a time; `/` separates them",
            Self::Query => "paths are compared without the query; a question mark in a name is `%3F`",
            Self::Ambiguous(class) => class.help(),
        }
    }
}

impl fmt::Display for SegmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty path segment"),
            Self::Dots => f.write_str("dot segment in a path template"),
            Self::Slash => f.write_str("`/` inside a path segment"),
            Self::Query => f.write_str("`?` in a path template"),
            Self::Ambiguous(class) => write!(f, "requests for this path are refused as `{class}`"),
        }
    }
}

impl std::error::Error for SegmentError {}

/// A literal path segment in the form in which requests are compared with it.
///
/// Unicode and spaces become upper-case escapes; whatever escapes the author wrote are treated like those of a request.
/// Placeholders (`{name}`, `*`) are the caller's business: a `*` stays, braces become escapes.
///
/// # Errors
///
/// If no request can ever have this segment: see [`SegmentError`].
///
/// # Examples
///
/// ```
/// use luigi_core::target::{Ambiguity, SegmentError, canonical_segment};
///
/// assert_eq!(canonical_segment("café").unwrap(), "caf%C3%A9");
/// assert_eq!(canonical_segment("a%2Db").unwrap(), "a-b");
/// assert_eq!(canonical_segment("a%2fb"), Err(SegmentError::Ambiguous(Ambiguity::EncodedSlash)));
/// ```
pub fn canonical_segment(text: &str) -> Result<String, SegmentError> {
    match text {
        "" => return Err(SegmentError::Empty),
        _ if text.contains('/') => return Err(SegmentError::Slash),
        _ if text.contains('?') => return Err(SegmentError::Query),
        _ => {}
    }
    let target = requested(text);
    if target.len() > MAX_TARGET_BYTES {
        return Err(SegmentError::Ambiguous(Ambiguity::TooLong));
    }
    let mut room = vec![0; MAX_TARGET_BYTES];
    match path::canonical(target.as_bytes(), &mut room) {
        Ok((path, _)) if path.len() > 1 => Ok(path[1..].to_owned()),
        Ok(_) | Err(Ambiguity::ClimbsAboveRoot) => Err(SegmentError::Dots),
        Err(class) => Err(SegmentError::Ambiguous(class)),
    }
}

/// A literal path segment as requests for it stand where their host accepts `class`; `None` if they are refused even there.
///
/// # Examples
///
/// ```
/// use luigi_core::target::{Ambiguity, ambiguous_segment};
///
/// assert_eq!(ambiguous_segment("stats;csv", Ambiguity::MatrixParameter).unwrap(), "stats;csv");
/// assert_eq!(ambiguous_segment("a%2fb", Ambiguity::EncodedSlash).unwrap(), "a%2Fb");
/// assert_eq!(ambiguous_segment("a%2fb", Ambiguity::MatrixParameter), None);
/// ```
#[must_use]
pub fn ambiguous_segment(text: &str, class: Ambiguity) -> Option<String> {
    if text.contains(['/', '?']) {
        return None;
    }
    let target = requested(text);
    let (mut room, mut second_room) = (vec![0; MAX_TARGET_BYTES], vec![0; MAX_TARGET_BYTES]);
    match path::read(target.as_bytes(), &mut room, &mut second_room) {
        Ok(path::Reading::Several(found, paths, _)) if found == class => Some(paths.as_it_stands[1..].to_owned()),
        Ok(_) | Err(_) => None,
    }
}

/// A segment as it looks in a request: Unicode and spaces as escapes.
fn requested(text: &str) -> String {
    let mut target = String::with_capacity(text.len() + 1);
    target.push('/');
    for byte in text.bytes() {
        match byte {
            b' ' | 0x80.. => {
                // Writing to a string cannot fail.
                let _ = write!(target, "%{byte:02X}");
            }
            _ => target.push(char::from(byte)),
        }
    }
    target
}

/// A host of a policy in the form in which requests are compared with it: a name in lower case without trailing dot, or the canonical
/// text of an address (IPv6 with or without brackets, the result has none).
///
/// Wildcards and placeholders are the caller's business.
///
/// # Errors
///
/// [`Ambiguity::BadHost`] or [`Ambiguity::Userinfo`] if no request can ever have this host; a port counts as such, since rules do
/// not see it.
///
/// # Examples
///
/// ```
/// use luigi_core::target::{Ambiguity, canonical_host};
///
/// assert_eq!(canonical_host("Admin.Example.com.").unwrap(), "admin.example.com");
/// assert_eq!(canonical_host("[2001:DB8:0::1]").unwrap(), "2001:db8::1");
/// assert_eq!(canonical_host("example.com:8080"), Err(Ambiguity::BadHost));
/// ```
pub fn canonical_host(text: &str) -> Result<String, Ambiguity> {
    let bracketed;
    let text = match text.parse::<std::net::Ipv6Addr>() {
        Ok(_) => {
            bracketed = format!("[{text}]");
            &bracketed
        }
        Err(_) => text,
    };
    let authority = Authority::parse(text.as_bytes())?;
    if authority.port.is_some() || text.ends_with(':') {
        return Err(Ambiguity::BadHost);
    }
    let mut room = [0; MAX_HOST_BYTES];
    match authority.canonical(&mut room)? {
        Host::Name(host) | Host::Address(host) => Ok(host.to_owned()),
        Host::Absent => Err(Ambiguity::BadHost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_authors_become_those_of_requests_or_errors() {
        use SegmentError::{Ambiguous, Dots, Empty, Query, Slash};
        let cases: &[(&str, Result<&str, SegmentError>)] = &[
            ("orders", Ok("orders")),
            (".well-known", Ok(".well-known")),
            ("...", Ok("...")),
            ("café", Ok("caf%C3%A9")),
            ("cafe\u{301}", Ok("cafe%CC%81")),
            ("日本", Ok("%E6%97%A5%E6%9C%AC")),
            ("caf%c3%a9", Ok("caf%C3%A9")),
            ("a%2Db", Ok("a-b")),
            ("1:cancel", Ok("1:cancel")),
            ("1%3acancel", Ok("1:cancel")),
            ("my file", Ok("my%20file")),
            ("my%20file", Ok("my%20file")),
            ("a*b", Ok("a*b")),
            ("{x}", Ok("%7Bx%7D")),
            ("100%25", Ok("100%25")),
            ("what%3F", Ok("what%3F")),
            ("", Err(Empty)),
            (".", Err(Dots)),
            ("..", Err(Dots)),
            ("%2e", Err(Dots)),
            ("%2E.", Err(Dots)),
            ("a/b", Err(Slash)),
            ("a?b", Err(Query)),
            ("a%2fb", Err(Ambiguous(Ambiguity::EncodedSlash))),
            ("a\\b", Err(Ambiguous(Ambiguity::Backslash))),
            ("a;v=1", Err(Ambiguous(Ambiguity::MatrixParameter))),
            ("a#b", Err(Ambiguous(Ambiguity::Fragment))),
            ("100%", Err(Ambiguous(Ambiguity::InvalidEscape))),
            ("%252e", Err(Ambiguous(Ambiguity::DoubleEncoding))),
            ("%ff", Err(Ambiguous(Ambiguity::InvalidUtf8))),
            ("a\tb", Err(Ambiguous(Ambiguity::ControlByte))),
            ("a\u{85}b", Err(Ambiguous(Ambiguity::ControlByte))),
        ];
        for &(text, expected) in cases {
            assert_eq!(canonical_segment(text), expected.map(str::to_owned), "{text:?}");
        }
        let long = "x".repeat(MAX_TARGET_BYTES);
        assert_eq!(canonical_segment(&long), Err(Ambiguous(Ambiguity::TooLong)));
        assert_eq!(Ambiguous(Ambiguity::Fragment).to_string(), "requests for this path are refused as `fragment`");
    }

    #[test]
    fn hosts_of_authors_become_those_of_requests_or_errors() {
        let cases = [
            ("example.com", Some("example.com")),
            ("EXAMPLE.com.", Some("example.com")),
            ("xn--mnchen-3ya.example", Some("xn--mnchen-3ya.example")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("2001:DB8::0:1", Some("2001:db8::1")),
            ("[2001:DB8::0:1]", Some("2001:db8::1")),
            ("", None),
            ("example.com:80", None),
            ("example.com:", None),
            ("[::1]:", None),
            ("münchen.example", None),
            ("127.1", None),
            ("*.example.com", None),
            ("user@example.com", None),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical_host(text).ok().as_deref(), expected, "{text:?}");
        }
    }
}
