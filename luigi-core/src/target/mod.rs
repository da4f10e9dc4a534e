//! What is asked for: host and path in canonical form, or the reason why there is none.

/// A request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// One form on which every sensible server agrees.
    Canonical(CanonicalTarget<'a>),
    /// Two sensible servers could read it differently.
    Ambiguous(Ambiguity),
}

/// Host and path in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanonicalTarget<'a> {
    /// The host, without port.
    pub host: Host<'a>,
    /// Begins with `/`; no empty and no dot segment; unreserved characters decoded, escapes upper-case; ASCII. A final `/`
    /// stays, though rules do not see it. `*` for the asterisk-form, empty for the authority-form: neither is in any scope.
    pub path: &'a str,
    /// What follows the first `?`, as received.
    pub query: Option<&'a [u8]>,
}

/// The host of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// There was none.
    Absent,
    /// A name in lower case, without trailing dot.
    Name(&'a str),
    /// An IP literal in canonical text; IPv6 without brackets.
    Address(&'a str),
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ambiguity {
    /// Placeholder.
    TooLong,
}
