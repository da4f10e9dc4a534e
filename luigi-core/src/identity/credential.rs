//! The credential of a request: from its `Authorization` fields to what predicates see.
//!
//! Bearer tokens (RFC 6750, section 2.1) are the only kind yet. Fields of other schemes are the backend's affair and count as absent.

use super::{Credential, TokenCache, Trust};
use crate::time::Timestamp;

/// The `Authorization` fields of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Authorization<'a> {
    /// No such field.
    Absent,
    /// The value of the only one.
    One(&'a [u8]),
    /// Two or more, whatever their schemes: which one a backend believes cannot be known.
    Several,
}

impl<'a> Authorization<'a> {
    /// From the value of any of the fields, and how many there are.
    #[must_use]
    pub fn new(value: &'a [u8], count: usize) -> Self {
        match count {
            0 => Self::Absent,
            1 => Self::One(value),
            _ => Self::Several,
        }
    }
}

/// Without the value: it is a secret of its holder.
impl std::fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::One(_) => "One(..)",
            Self::Several => "Several",
        })
    }
}

/// The credential that a request carries, judged at `now`.
///
/// ```
/// use luigi_core::identity::{Authorization, Credential, TokenCache, TokenCacheLimits, Trust, credential};
/// use luigi_core::time::Timestamp;
///
/// let trust = Trust::nobody();
/// let mut cache = TokenCache::new(TokenCacheLimits::default());
/// let now = Timestamp::from_unix_seconds(1_772_442_000);
/// let basic = Authorization::One(b"Basic Zm9vOmJhcg==");
/// assert!(matches!(credential(basic, &trust, &mut cache, now), Credential::Absent));
/// let bearer = Authorization::One(b"Bearer e30.e30.");
/// assert!(matches!(credential(bearer, &trust, &mut cache, now), Credential::Invalid(_)));
/// ```
///
/// # Allocation
/// None for a token that `cache` holds, and none without a bearer token.
pub fn credential<'c>(
    authorization: Authorization<'_>,
    trust: &Trust,
    cache: &'c mut TokenCache,
    now: Timestamp,
) -> Credential<'c> {
    match authorization {
        Authorization::Absent => Credential::Absent,
        Authorization::Several => Credential::Ambiguous,
        Authorization::One(value) => match bearer_token(value) {
            None => Credential::Absent,
            Some(token) => cache.verify(token, trust, now),
        },
    }
}

/// The token after the scheme `Bearer`, in any case; `None` for other schemes. May be empty or anything else: what is no token is
/// refused where tokens are read.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte))?;
    let end = value.iter().rposition(|byte| !blank(byte))? + 1;
    let (scheme, rest) = value[start..end].split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return None;
    }
    match rest.first() {
        // `Bearerish x` is another scheme. `Bearer` before anything that ends a token name (RFC 9110, section 5.6.2) is this one, if
        // badly written: a lenient backend might read it.
        Some(next) if next.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(next) => None,
        _ => {
            let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
            Some(&rest[spaces..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_is_read() {
        let cases: [(&[u8], Option<&[u8]>); 18] = [
            (b"Bearer a.b.c", Some(b"a.b.c")),
            (b"bearer a.b.c", Some(b"a.b.c")),
            (b"BEARER   a.b.c", Some(b"a.b.c")),
            (b" \tBearer a.b.c \t", Some(b"a.b.c")),
            (b"Bearer", Some(b"")),
            (b"Bearer ", Some(b"")),
            (b"Bearer a b", Some(b"a b")),
            (b"Bearer a, Bearer b", Some(b"a, Bearer b")),
            (b"Bearer\ta.b.c", Some(b"\ta.b.c")),
            (b"Bearer,a.b.c", Some(b",a.b.c")),
            (b"Bearer:a.b.c", Some(b":a.b.c")),
            (b"Bearer\0a", Some(b"\0a")),
            (b"", None),
            (b"   ", None),
            (b"Basic Zm9v", None),
            (b"Bearerish a.b.c", None),
            (b"Bearer-a.b.c", None),
            (b"Bear", None),
        ];
        for (value, token) in cases {
            assert_eq!(bearer_token(value), token, "{}", value.escape_ascii());
        }
    }
}
