//! The four forms of a request target (RFC 9112, section 3.2), and how they go with the method and the `Host` field.

use super::host::{Authority, canonical_name};
use super::path::{self, Reading};
use super::{Ambiguity, CanonicalTarget, Host, MAX_TARGET_BYTES, RawTarget, Readings, Target, TargetBuffer, words};

/// A target in origin-form that is canonical already for certain, as nearly all are; `None` if that takes a closer look.
#[inline]
pub(super) fn borrowed(raw: RawTarget<'_>) -> Option<CanonicalTarget<'_>> {
    let RawTarget { method, target, host } = raw;
    if target.first() != Some(&b'/')
        || target.len() > MAX_TARGET_BYTES
        || !method.iter().all(u8::is_ascii_uppercase)
        || method == b"CONNECT"
    {
        return None;
    }
    let host = canonical_name(host?)?;
    let (path, query) = words::plain_path_and_query(target)?;
    Some(CanonicalTarget { host, path, query })
}

/// The canonical form of a target of any form, or its two readings.
#[inline(never)]
pub(super) fn canonical<'a>(raw: RawTarget<'a>, buffer: &'a mut TargetBuffer) -> Result<Target<'a>, Ambiguity> {
    let RawTarget { method, target, host } = raw;
    if target.len() > MAX_TARGET_BYTES {
        return Err(Ambiguity::TooLong);
    }
    // A method that a rule denies would pass in another case as one that no rule knows, and do what it does at servers that ignore case.
    if method.iter().any(u8::is_ascii_lowercase) {
        return Err(Ambiguity::MethodCase);
    }
    let (path_rooms, host_room) = buffer.split();
    if method == b"CONNECT" {
        return connect(target, host, host_room).map(Target::Canonical);
    }
    match target {
        [b'/', ..] => {
            let [room, second_room] = path_rooms;
            let reading = path::read(target, room, second_room)?;
            joined(reading, host_field(host, host_room))
        }
        b"*" if method == b"OPTIONS" => {
            Ok(Target::Canonical(CanonicalTarget { host: host_field(host, host_room)?, path: "*", query: None }))
        }
        _ => absolute(method, target, host, path_rooms, host_room),
    }
}

/// A path and its host. What is wrong with the path comes before what is wrong with the host.
fn joined<'a>(reading: Reading<'a>, host: Result<Host<'a>, Ambiguity>) -> Result<Target<'a>, Ambiguity> {
    match reading {
        Reading::One((path, query)) => Ok(Target::Canonical(CanonicalTarget { host: host?, path, query })),
        Reading::Several(class, paths, query) => {
            Ok(Target::Readings(Readings { class, host: host.map_err(|_| class)?, query, paths }))
        }
    }
}

/// The canonical host of a `Host` field. An empty one says that there is no host (RFC 9112, section 3.2).
fn host_field<'a>(value: Option<&'a [u8]>, room: &'a mut [u8]) -> Result<Host<'a>, Ambiguity> {
    match value {
        None | Some(b"") => Ok(Host::Absent),
        Some(value) => match canonical_name(value) {
            Some(host) => Ok(host),
            None => Authority::parse(value)?.canonical(room),
        },
    }
}

/// `scheme://authority/path?query`, as proxies are asked and as HAProxy shows HTTP/2.
fn absolute<'a>(
    method: &[u8],
    target: &'a [u8],
    host: Option<&'a [u8]>,
    path_rooms: [&'a mut [u8]; 2],
    host_room: &'a mut [u8],
) -> Result<Target<'a>, Ambiguity> {
    let (default_port, rest) = scheme(target)?;
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#' | b'\\')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let authority = Authority::parse(authority)?;
    let [room, second_room] = path_rooms;
    let reading = match rest {
        // RFC 9112, section 3.2.4: this is how a proxy is asked for `*`.
        [] if method == b"OPTIONS" => Reading::One(("*", None)),
        [] => Reading::One(("/", None)),
        [b'/', ..] => path::read(rest, room, second_room)?,
        // HAProxy 2.6 takes the authority to end at the first `/`, so that `http://a?x=/admin` would have the path `/admin` there.
        [b'?', ..] => return Err(Ambiguity::BadForm),
        [b'\\', ..] => return Err(Ambiguity::Backslash),
        // Only `#` is left of the bytes that end an authority.
        _ => return Err(Ambiguity::Fragment),
    };
    joined(reading, agreed(authority, default_port, host, host_room))
}

/// The host of an authority with which the `Host` field agrees.
fn agreed<'a>(
    authority: Authority<'a>,
    default_port: u16,
    field: Option<&[u8]>,
    host_room: &'a mut [u8],
) -> Result<Host<'a>, Ambiguity> {
    // No field beside an authority, or an empty one, disagrees with it, too: servers that look at the field alone take the virtual host of those that name
    // none. Some ignore the authority, and HAProxy 2.6 drops it where it replaces an empty path.
    let Some(value) = field.filter(|value| !value.is_empty()) else {
        return Err(Ambiguity::HostMismatch);
    };
    let field = Authority::parse(value)?;
    let same_port = authority.port.unwrap_or(default_port) == field.port.unwrap_or(default_port);
    if !same_port || !authority.same_host(&field) {
        return Err(Ambiguity::HostMismatch);
    }
    authority.canonical(host_room)
}

/// The default port of the scheme, and what follows `://`.
fn scheme(target: &[u8]) -> Result<(u16, &[u8]), Ambiguity> {
    let colon = target.iter().position(|&b| b == b':').ok_or(Ambiguity::BadForm)?;
    let (name, rest) = target.split_at(colon);
    let rest = rest.strip_prefix(b"://").ok_or(Ambiguity::BadForm)?;
    let shape = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    if !name.first().is_some_and(u8::is_ascii_alphabetic) || !name.iter().all(shape) {
        return Err(Ambiguity::BadForm);
    }
    // `ws` and `wss` never stand in a request: a WebSocket begins as http, in HTTP/2 as well (RFC 8441).
    if name.eq_ignore_ascii_case(b"https") {
        Ok((443, rest))
    } else if name.eq_ignore_ascii_case(b"http") {
        Ok((80, rest))
    } else {
        Err(Ambiguity::UnknownScheme)
    }
}

/// `host:port`, the one form of CONNECT (RFC 9112, section 3.2.3). It has no path, so no scope holds it.
fn connect<'a>(
    target: &'a [u8],
    host: Option<&'a [u8]>,
    host_room: &'a mut [u8],
) -> Result<CanonicalTarget<'a>, Ambiguity> {
    if target.is_empty() || target == b"*" || target.iter().any(|b| matches!(b, b'/' | b'?' | b'#')) {
        return Err(Ambiguity::BadForm);
    }
    let authority = Authority::parse(target)?;
    if authority.port.is_none() {
        return Err(Ambiguity::BadForm);
    }
    if let Some(value) = host {
        // There is no scheme here that could tell a default port, so a field without port agrees with any.
        if value.is_empty() {
            return Err(Ambiguity::HostMismatch);
        }
        let field = Authority::parse(value)?;
        if !authority.same_host(&field) || field.port.is_some_and(|port| Some(port) != authority.port) {
            return Err(Ambiguity::HostMismatch);
        }
    }
    Ok(CanonicalTarget { host: authority.canonical(host_room)?, path: "", query: None })
}
