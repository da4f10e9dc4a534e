//! Targets from arbitrary bytes: the answer is that of the slow implementation, and canonical once is canonical for ever.
//!
//! An input is a method, a target and a `Host` field, separated by LF; without a second LF there is no `Host` field.

#[path = "../../luigi-core/tests/reference/target.rs"]
mod reference;

use luigi_core::target::{CanonicalTarget, Host, RawTarget, Target, TargetBuffer, canonicalize};

pub(crate) fn run(input: &[u8]) {
    let mut parts = input.splitn(3, |&byte| byte == b'\n');
    let method = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or_default();
    let raw = RawTarget { method, target, host: parts.next() };

    let mut buffer = TargetBuffer::new();
    let expected = reference::canonical(raw);
    let Target::Canonical(found) = canonicalize(raw, &mut buffer) else {
        assert_eq!(expected, None, "refused");
        return;
    };
    assert_eq!(expected, Some(owned(&found)));

    let CanonicalTarget { host, path, query } = found;
    assert!(path.is_ascii());
    if path.is_empty() {
        return;
    }
    if path != "*" {
        assert!(path.starts_with('/') && !path.contains("//") && !path.contains([';', '\\', '#', '?', ' ']));
        assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")));
    }
    let mut line = path.as_bytes().to_vec();
    line.extend(query.iter().flat_map(|query| [b"?", *query].concat()));
    // A query can make a target too long where the canonical path is longer than the received one.
    if line.len() > luigi_core::target::MAX_TARGET_BYTES {
        return;
    }
    let field = match host {
        Host::Absent => None,
        Host::Address(address) if address.contains(':') => Some(format!("[{address}]")),
        Host::Name(host) | Host::Address(host) => Some(host.to_owned()),
    };
    let again = RawTarget { method, target: &line, host: field.as_deref().map(str::as_bytes) };
    let mut buffer = TargetBuffer::new();
    assert_eq!(canonicalize(again, &mut buffer), Target::Canonical(found));
}

fn owned(target: &CanonicalTarget<'_>) -> reference::Answer {
    let host = match target.host {
        Host::Absent => None,
        Host::Name(host) | Host::Address(host) => Some(host.to_owned()),
    };
    (host, target.path.to_owned(), target.query.map(<[u8]>::to_vec))
}
