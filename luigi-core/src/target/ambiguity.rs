//! Why a target is refused: an exhaustive list with stable codes and a line of help for each.
//!
//! A class says what two servers could disagree about, not which attack it is. Nothing here looks at a request; the classes are
//! found in `form`, `path` and `host`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a target is refused. Exhaustive: match it without `_`.
///
/// Where several apply, the first that is found is named: length, method and form first, then the request target from left to right,
/// then the `Host` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ambiguity {
    /// `%2F` in the path: some servers split there, others do not.
    EncodedSlash,
    /// `%5C` in the path: some servers split there, others do not.
    EncodedBackslash,
    /// A backslash in the path or the authority: browsers and some servers read it as `/`.
    Backslash,
    /// An encoded percent sign that, decoded a second time, becomes another escape: `%252e`.
    DoubleEncoding,
    /// A control byte in path or query, or an encoded one in the path (NUL, CR, LF, U+0085 and so on), or a raw space.
    ControlByte,
    /// `%` without two hexadecimal digits in the path; servers keep it, drop it or answer 400.
    InvalidEscape,
    /// Escapes in the path that are not UTF-8: overlong, cut off, surrogates, Latin-1.
    InvalidUtf8,
    /// A raw byte from 0x80: a URI is ASCII.
    NonAscii,
    /// `;` in the path, literal or encoded: servlet containers drop what follows it from the segment, others do not.
    MatrixParameter,
    /// `#`: a fragment is never sent; some servers cut there, others do not.
    Fragment,
    /// A dot segment that would leave the root: RFC 3986 ignores it, others refuse it or follow it.
    ClimbsAboveRoot,
    /// An empty segment next to a dot segment, or one that a dot segment would remove: the order of the two steps matters.
    EmptySegment,
    /// A path that begins with `//`: URL parsers take what follows for a host, others collapse it.
    NetworkPath,
    /// The authority of the request target and the `Host` field differ, or there is no field beside an absolute-form.
    HostMismatch,
    /// The host is no name of letters, digits, `-`, `_` and `.`, and no address in its usual form; or an `xn--` label encodes no name; or the port is no port.
    BadHost,
    /// A user name before the host (`user@host`): parsers disagree about where the host begins.
    Userinfo,
    /// A scheme that is neither `http` nor `https`.
    UnknownScheme,
    /// Longer than [`MAX_TARGET_BYTES`](super::MAX_TARGET_BYTES), as received or in canonical form.
    TooLong,
    /// None of the four forms of RFC 9112, section 3.2, or not the one that goes with the method.
    BadForm,
    /// A method with a small letter: methods have case, but some servers take `delete` for `DELETE`.
    MethodCase,
}

impl Ambiguity {
    /// Every class, in order.
    pub const ALL: [Self; 20] = [
        Self::EncodedSlash,
        Self::EncodedBackslash,
        Self::Backslash,
        Self::DoubleEncoding,
        Self::ControlByte,
        Self::InvalidEscape,
        Self::InvalidUtf8,
        Self::NonAscii,
        Self::MatrixParameter,
        Self::Fragment,
        Self::ClimbsAboveRoot,
        Self::EmptySegment,
        Self::NetworkPath,
        Self::HostMismatch,
        Self::BadHost,
        Self::Userinfo,
        Self::UnknownScheme,
        Self::TooLong,
        Self::BadForm,
        Self::MethodCase,
    ];

    /// Those that a host may accept: each has exactly two readings, as it stands and decoded once more.
    pub const ACCEPTABLE: [Self; 5] =
        [Self::EncodedSlash, Self::EncodedBackslash, Self::Backslash, Self::DoubleEncoding, Self::MatrixParameter];

    /// Whether a host may accept it.
    #[must_use]
    pub fn is_acceptable(self) -> bool {
        Self::ACCEPTABLE.contains(&self)
    }

    /// The stable code, as in logs and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EncodedSlash => "encoded-slash",
            Self::EncodedBackslash => "encoded-backslash",
            Self::Backslash => "backslash",
            Self::DoubleEncoding => "double-encoding",
            Self::ControlByte => "control-byte",
            Self::InvalidEscape => "invalid-escape",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::NonAscii => "non-ascii",
            Self::MatrixParameter => "matrix-parameter",
            Self::Fragment => "fragment",
            Self::ClimbsAboveRoot => "climbs-above-root",
            Self::EmptySegment => "empty-segment",
            Self::NetworkPath => "network-path",
            Self::HostMismatch => "host-mismatch",
            Self::BadHost => "bad-host",
            Self::Userinfo => "userinfo",
            Self::UnknownScheme => "unknown-scheme",
            Self::TooLong => "too-long",
            Self::BadForm => "bad-form",
            Self::MethodCase => "method-case",
        }
    }

    /// One line that tells an operator what it means and what the sender can do.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::EncodedSlash => {
                "`%2F` splits the path on some servers and not on others; send such names in the query"
            }
            Self::EncodedBackslash => {
                "`%5C` splits the path on some servers and not on others; use `/` or another character"
            }
            Self::Backslash => "a backslash is a `/` to browsers and to some servers; send `/`",
            Self::DoubleEncoding => "the path looks encoded twice; a server that decodes twice would see another path",
            Self::ControlByte => {
                "the target has a control byte, an encoded one or a raw space; no ordinary client sends these"
            }
            Self::InvalidEscape => "`%` must be followed by two hexadecimal digits; a percent sign itself is `%25`",
            Self::InvalidUtf8 => "the escapes in the path are not UTF-8; the client should encode the path as UTF-8",
            Self::NonAscii => "the target has raw bytes beyond ASCII; the client should send them as escapes of UTF-8",
            Self::MatrixParameter => {
                "some servers drop `;` and what follows from a path segment; use the query instead"
            }
            Self::Fragment => "`#` and what follows is for the browser alone; a `#` in a name is `%23`",
            Self::ClimbsAboveRoot => "the path has more `..` than segments before them; no ordinary client sends this",
            Self::EmptySegment => {
                "`//` beside `.` or `..` gives different paths on different servers; send the path without them"
            }
            Self::NetworkPath => {
                "a path that begins with `//` is a host name to some servers; look for a base URL ending in `/`"
            }
            Self::HostMismatch => {
                "the request target names a host, and the Host field another one, another port or none; they must be the same"
            }
            Self::BadHost => {
                "the host must be an ASCII name (`xn--` as IDNA has it), a dotted IPv4 or a bracketed IPv6 address; with a port or not"
            }
            Self::Userinfo => "the host is preceded by a user name; credentials belong into the Authorization field",
            Self::UnknownScheme => "only `http` and `https` are known in a request target",
            Self::TooLong => "the target is longer than 16 KiB; send long data in the body",
            Self::BadForm => {
                "the target must begin with `/` or be an http URL; `*` is for OPTIONS, `host:port` for CONNECT"
            }
            Self::MethodCase => "some servers take `delete` for `DELETE`; methods are written in upper case",
        }
    }
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn classes_have_distinct_codes_that_serde_uses_too_and_one_line_of_help() {
        for class in Ambiguity::ALL {
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
            let help = class.help();
            assert!(!help.is_empty() && help.len() <= 120 && !help.contains('\n') && !help.ends_with('.'), "{help}");
        }
        assert_eq!(Ambiguity::ALL.iter().collect::<BTreeSet<_>>().len(), Ambiguity::ALL.len());
        assert_eq!(Ambiguity::ALL.map(Ambiguity::help).iter().collect::<BTreeSet<_>>().len(), Ambiguity::ALL.len());
        assert!(Ambiguity::TooLong.help().contains(&format!("{} KiB", crate::target::MAX_TARGET_BYTES / 1024)));
    }
}
