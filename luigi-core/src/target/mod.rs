//! What is asked for: host and path in canonical form, or the reason why there is none.
//!
//! Rules see one form of a target. [`canonicalize`] makes it from the bytes of a request: it reads them once, allocates nothing, and
//! borrows the input where that is canonical already. Whatever two sensible servers could read differently is refused with an
//! [`Ambiguity`]; there is no guess. The rules, each with examples, are in docs/SEMANTICS.md under "Targets".
//!
//! | file | what it knows |
//! |---|---|
//! | `form` | the four forms of a request target, and how they go with method and `Host` |
//! | `path` | escapes, dot segments, empty segments |
//! | `words` | many bytes at a time, where nothing is remarkable |
//! | `block` | sixteen bytes, compared at once |
//! | `host` | names, addresses, ports |
//! | `punycode` | whether an `xn--` label encodes a name |
//! | `literal` | the same canonical form for what policy authors write |
//! | `ambiguity` | why there is none |
//!
//! Deliberately absent: Unicode normalisation and case folding of paths. No server in wide use normalises, so a form that
//! did would decide about a resource that is not the one served.

mod ambiguity;
mod block;
mod form;
mod host;
mod literal;
mod path;
mod punycode;
mod words;

pub use ambiguity::Ambiguity;
pub use literal::{SegmentError, ambiguous_segment, canonical_host, canonical_segment};
pub(crate) use words::{segment_length, slashes};

/// The longest target in bytes, as received and in canonical form; a longer one is [`Ambiguity::TooLong`].
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// The longest host name in bytes, without trailing dot (RFC 1035, section 2.3.4); a longer one is [`Ambiguity::BadHost`].
pub const MAX_HOST_BYTES: usize = 253;

/// A target as received, not looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct RawTarget<'a> {
    /// The method token; it decides which forms the target may have.
    pub method: &'a [u8],
    /// The request target as it stood in the request line (RFC 9112, section 3.2): origin-, absolute-, authority- or
    /// asterisk-form. HAProxy hands on HTTP/2 requests in absolute-form.
    pub target: &'a [u8],
    /// The value of the `Host` field, if there is one. A request with several must not come here.
    pub host: Option<&'a [u8]>,
}

/// Room for one canonical target. Made once, used for one request after the other.
///
/// # Allocation
///
/// One heap block of fixed size in [`TargetBuffer::new`]; it never grows.
#[derive(Debug)]
pub struct TargetBuffer {
    bytes: Box<[u8]>,
}

impl TargetBuffer {
    /// Room for the longest target.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: vec![0; 2 * MAX_TARGET_BYTES + MAX_HOST_BYTES].into_boxed_slice() }
    }

    /// The rooms for two readings of a path and the room for the host.
    fn split(&mut self) -> ([&mut [u8]; 2], &mut [u8]) {
        let (first, rest) = self.bytes.split_at_mut(MAX_TARGET_BYTES);
        let (second, host) = rest.split_at_mut(MAX_TARGET_BYTES);
        ([first, second], host)
    }
}

impl Default for TargetBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// A request's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// One form on which every sensible server agrees.
    Canonical(CanonicalTarget<'a>),
    /// Sensible servers could read it differently, in exactly these ways. Refused, unless its host accepts the class: then all
    /// readings are decided.
    Readings(Readings<'a>),
    /// Two sensible servers could read it differently.
    Ambiguous(Ambiguity),
}

impl<'a> Target<'a> {
    /// What a backend gets if the request passes; `None` if it is ambiguous, so that none does.
    #[must_use]
    pub fn forwarded(&self) -> Option<CanonicalTarget<'a>> {
        match self {
            Self::Canonical(target) => Some(*target),
            Self::Readings(readings) => Some(readings.as_it_stands()),
            Self::Ambiguous(_) => None,
        }
    }

    /// Why it is ambiguous, if it is, whether or not its host accepts that.
    #[must_use]
    pub fn ambiguity(&self) -> Option<Ambiguity> {
        match self {
            Self::Canonical(_) => None,
            Self::Readings(readings) => Some(readings.class),
            Self::Ambiguous(class) => Some(*class),
        }
    }
}

/// The readings of a target that is ambiguous in one way. They differ in the path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings<'a> {
    /// In which way; one of [`Ambiguity::ACCEPTABLE`].
    pub class: Ambiguity,
    /// The host of all readings.
    pub host: Host<'a>,
    /// The query of all readings, as received.
    pub query: Option<&'a [u8]>,
    // PERF: paths and no whole targets, since every request is copied with room for all of them.
    pub(crate) paths: Paths<'a>,
}

/// The paths of a target that is ambiguous in one way, one for each reading; see [`Readings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paths<'a> {
    pub(crate) as_it_stands: &'a str,
    pub(crate) decoded: &'a str,
    pub(crate) cut: Option<&'a str>,
}

impl<'a> Readings<'a> {
    /// With what is ambiguous kept as it stands, everything else in canonical form: what a backend gets if the request passes.
    #[must_use]
    pub fn as_it_stands(&self) -> CanonicalTarget<'a> {
        self.with(self.paths.as_it_stands)
    }

    /// As a server reads it that decodes once more than others, takes a backslash for a slash or drops parameters. It has a canonical form: what
    /// would be ambiguous even then has more than two readings.
    #[must_use]
    pub fn decoded(&self) -> CanonicalTarget<'a> {
        self.with(self.paths.decoded)
    }

    /// As a server reads it to which the path ends at the first `;`; `None` if that is one of the others.
    #[must_use]
    pub fn cut(&self) -> Option<CanonicalTarget<'a>> {
        self.paths.cut.map(|path| self.with(path))
    }

    /// Every reading, the one that is forwarded first.
    pub fn all(&self) -> impl Iterator<Item = CanonicalTarget<'a>> + use<'a> {
        [self.as_it_stands(), self.decoded()].into_iter().chain(self.cut())
    }

    fn with(&self, path: &'a str) -> CanonicalTarget<'a> {
        CanonicalTarget { host: self.host, path, query: self.query }
    }
}

/// Host and path in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CanonicalTarget<'a> {
    /// The host, without port.
    pub host: Host<'a>,
    /// Begins with `/`; no empty and no dot segment; unreserved characters and harmless sub-delimiters decoded, escapes
    /// upper-case; ASCII. A final `/` stays, though rules do not see it. `*` for the asterisk-form, empty for the authority-form:
    /// neither is in any scope.
    pub path: &'a str,
    /// What follows the first `?`, as received.
    pub query: Option<&'a [u8]>,
}

impl<'a> CanonicalTarget<'a> {
    /// The segments of the path, without the empty one behind a final `/`; `/` has none.
    ///
    /// Returns `None` for the asterisk-form and the authority-form. They have no path, not even an empty one: no scope holds
    /// them, `/**` neither.
    #[must_use]
    pub fn segments(&self) -> Option<Segments<'a>> {
        let rest = self.path.strip_prefix('/')?;
        Some(Segments { rest: rest.strip_suffix('/').unwrap_or(rest) })
    }
}

/// The segments of a canonical path, from left to right; none is empty. See [`CanonicalTarget::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a str,
}

impl<'a> Segments<'a> {
    /// What [`Iterator::next`] has not returned yet, joined by `/`.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (segment, rest) = self.rest.split_once('/').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(segment)
    }
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

/// The canonical form of a target, or why there is none.
///
/// Total: every input has an answer, and none panics. The query is looked at only for bytes that cannot stand in a target.
///
/// # Allocation
///
/// None. A path or host that is canonical already is borrowed from `raw`, any other is written into `buffer`.
///
/// # Examples
///
/// ```
/// use luigi_core::target::{Ambiguity, Host, RawTarget, Target, TargetBuffer, canonicalize};
///
/// let mut buffer = TargetBuffer::new();
/// let raw = RawTarget { method: b"GET", target: b"/x/%2e%2E/%61dmin?q=%2f", host: Some(b"Example.COM:443") };
/// let Target::Canonical(target) = canonicalize(raw, &mut buffer) else { panic!() };
/// assert_eq!(target.host, Host::Name("example.com"));
/// assert_eq!(target.path, "/admin");
/// assert_eq!(target.query, Some(&b"q=%2f"[..]));
///
/// let raw = RawTarget { method: b"GET", target: b"/admin;v=1/x", host: None };
/// let Target::Readings(readings) = canonicalize(raw, &mut buffer) else { panic!() };
/// assert_eq!(readings.class, Ambiguity::MatrixParameter);
/// let paths: Vec<&str> = readings.all().map(|reading| reading.path).collect();
/// assert_eq!(paths, ["/admin;v=1/x", "/admin/x", "/admin"]);
///
/// let raw = RawTarget { method: b"GET", target: b"/%00", host: None };
/// assert_eq!(canonicalize(raw, &mut buffer), Target::Ambiguous(Ambiguity::ControlByte));
/// ```
#[must_use]
#[inline]
pub fn canonicalize<'a>(raw: RawTarget<'a>, buffer: &'a mut TargetBuffer) -> Target<'a> {
    if let Some(target) = form::borrowed(raw) {
        return Target::Canonical(target);
    }
    match form::canonical(raw, buffer) {
        Ok(target) => target,
        Err(ambiguity) => Target::Ambiguous(ambiguity),
    }
}

/// The path as a backend is to get it: canonical, but escapes of reserved characters (`%2B`, `%3A`, `%2C` ...) stay as they were sent, in upper case.
///
/// Rules see `+` for `%2B`, since most servers do. What is forwarded must not decide for the others: RFC 3986, section 2.2, lets nobody decode them on the
/// way. `path` is the path as received, without authority and query; `target` is what [`canonicalize`] made of it.
///
/// # Errors
/// [`Ambiguity::TooLong`] if it is longer than the room; [`Ambiguity::BadForm`] if it is not the path of this target; the class of a target that is ambiguous.
///
/// # Allocation
/// None.
///
/// # Examples
///
/// ```
/// use luigi_core::target::{RawTarget, TargetBuffer, as_forwarded, canonicalize};
///
/// let mut buffer = TargetBuffer::new();
/// let target = canonicalize(RawTarget { method: b"GET", target: b"/x/../%61%2bb", host: None }, &mut buffer);
/// assert_eq!(as_forwarded(b"/x/../%61%2bb", &target, &mut [0; 64]), Ok("/a%2Bb"));
/// ```
pub fn as_forwarded<'a>(path: &[u8], target: &Target<'_>, room: &'a mut [u8]) -> Result<&'a str, Ambiguity> {
    let (decided, class) = match target {
        Target::Canonical(target) => (target.path, None),
        Target::Readings(readings) => (readings.paths.as_it_stands, Some(readings.class)),
        Target::Ambiguous(class) => return Err(*class),
    };
    let sent = path::as_sent(if path.is_empty() { b"/" } else { path }, class, room)?;
    // Whatever a caller takes for the path, nothing else than was decided goes on.
    if path::differ_in_reserved_only(sent, decided) { Ok(sent) } else { Err(Ambiguity::BadForm) }
}
