//! A slow, obvious canonical form of targets: the oracle for `luigi_core::target` in property tests and in the fuzz target.
//!
//! It splits first, decodes each segment whole, and really works out both orders of dropping empty and dot segments instead of
//! reasoning about them. It says only that a target is refused, not why.

use luigi_core::target::{MAX_TARGET_BYTES, RawTarget};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Host (`None` if absent), path and query of a target that is not refused.
pub(crate) type Answer = (Option<String>, String, Option<Vec<u8>>);

/// The canonical form of a target, `None` if it is refused.
pub(crate) fn canonical(raw: RawTarget<'_>) -> Option<Answer> {
    let answer = unlimited(raw)?;
    (raw.target.len() <= MAX_TARGET_BYTES && answer.1.len() <= MAX_TARGET_BYTES).then_some(answer)
}

fn unlimited(raw: RawTarget<'_>) -> Option<Answer> {
    if raw.method.to_ascii_uppercase() != raw.method {
        return None;
    }
    if !raw.target.iter().all(|b| (0x21..=0x7E).contains(b) && *b != b'#') {
        return None;
    }
    let target = str::from_utf8(raw.target).ok()?;
    let field = match raw.host {
        None | Some(b"") => None,
        Some(field) => Some(host_and_port(str::from_utf8(field).ok()?)?),
    };
    if raw.method == b"CONNECT" {
        let (host, port) = host_and_port(target)?;
        let agrees = match field {
            Some((name, field_port)) => name == host && (field_port.is_none() || field_port == port),
            None => raw.host.is_none(),
        };
        return (agrees && port.is_some()).then(|| (Some(host), String::new(), None));
    }
    let field_host = field.clone().map(|(host, _)| host);
    if raw.method == b"OPTIONS" && target == "*" {
        return Some((field_host, "*".to_owned(), None));
    }
    if target.starts_with('/') {
        let (path, query) = path_and_query(target)?;
        return Some((field_host, path, query));
    }
    let (scheme, rest) = target.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
    let (host, port) = host_and_port(&rest[..end])?;
    let (name, field_port) = field?;
    if name != host || field_port.unwrap_or(default_port) != port.unwrap_or(default_port) {
        return None;
    }
    let (path, query) = match &rest[end..] {
        "" if raw.method == b"OPTIONS" => ("*".to_owned(), None),
        tail if tail.starts_with('/') => path_and_query(tail)?,
        "" => ("/".to_owned(), None),
        _ => return None,
    };
    Some((Some(host), path, query))
}

fn path_and_query(target: &str) -> Option<(String, Option<Vec<u8>>)> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.as_bytes().to_vec())),
        None => (target, None),
    };
    if path.starts_with("//") {
        return None;
    }
    let segments: Vec<String> = path.split('/').skip(1).map(decoded).collect::<Option<_>>()?;
    let is_dots = |segment: &String| segment == "." || segment == "..";
    for (index, pair) in segments.windows(2).enumerate() {
        let second_is_last = index + 2 == segments.len();
        if (pair[0].is_empty() && is_dots(&pair[1])) || (is_dots(&pair[0]) && pair[1].is_empty() && !second_is_last) {
            return None;
        }
    }
    let (last, inner) = segments.split_last()?;
    let names: Vec<&String> = inner.iter().filter(|segment| !segment.is_empty()).chain([last]).collect();
    let collapsed_first = without_dots(names)?;
    let collapsed_last = without_dots(segments.iter().collect())?;
    let collapsed_last: Vec<&String> = collapsed_last.into_iter().filter(|segment| !segment.is_empty()).collect();
    if collapsed_first.iter().filter(|segment| !segment.is_empty()).ne(collapsed_last.iter()) {
        return None;
    }
    let mut path: String = collapsed_last.iter().map(|segment| format!("/{}", encoded(segment))).collect();
    if path.is_empty() || last.is_empty() || is_dots(last) {
        path.push('/');
    }
    Some((path, query))
}

fn without_dots(segments: Vec<&String>) -> Option<Vec<&String>> {
    let mut kept = Vec::new();
    for segment in segments {
        match segment.as_str() {
            "." => {}
            ".." => {
                kept.pop()?;
            }
            _ => kept.push(segment),
        }
    }
    Some(kept)
}

/// A segment decoded once; `None` if anything in it may not be there.
fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b';' | b'\\' => return None,
            b'%' => {
                let digits = tail.get(..2)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
                rest = &tail[2..];
            }
            _ => bytes.push(*first),
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    if text.chars().any(|c| c.is_control() || matches!(c, '/' | '\\' | ';')) || text.split('%').skip(1).any(is_escape) {
        return None;
    }
    Some(text)
}

/// Whether a percent sign before this text would be an escape.
fn is_escape(text: &str) -> bool {
    let digits = |from: usize, to: usize| {
        text.as_bytes().get(from..to).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    digits(0, 2) || (text.starts_with(['u', 'U']) && digits(1, 5))
}

fn encoded(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ if b"-._~!$&'()*+,=:@".contains(&byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Whether a label is no A-label, or one of a name beyond ASCII that nothing in it turns into ASCII or into a dot, hides or controls.
fn encodes_a_name(label: &str) -> bool {
    let Some(encoded) = label.strip_prefix("xn--") else { return true };
    let Some(name) = unpunycoded(encoded) else { return false };
    let odd = |c: char| {
        let code = u32::from(c);
        let mapped = [0x2024, 0x3002, 0xFF61].contains(&code) || (0xFF01..=0xFF5E).contains(&code);
        let hidden = [0xAD, 0x200B, 0x200E, 0x200F, 0xFEFF].contains(&code)
            || (0x2028..=0x202E).contains(&code)
            || (0x2060..=0x206F).contains(&code)
            || (0xFE00..=0xFE0F).contains(&code);
        mapped || hidden || c.is_control() || c.is_whitespace()
    };
    !name.is_ascii() && !name.chars().any(odd)
}

/// RFC 3492, by inserting one character after the other.
fn unpunycoded(encoded: &str) -> Option<String> {
    let (basic, digits) = match encoded.rsplit_once('-') {
        Some(("", _)) => return None,
        Some(split) => split,
        None => ("", encoded),
    };
    let mut name: Vec<char> = basic.chars().collect();
    let mut digits = digits.chars();
    let (mut n, mut i, mut bias) = (128_u64, 0_u64, 72_u64);
    while !digits.as_str().is_empty() {
        let old = i;
        let (mut w, mut k) = (1_u64, 36_u64);
        loop {
            let digit = digits.next()?.to_digit(36)?;
            // Letters come first.
            let digit = u64::from(if digit < 10 { digit + 26 } else { digit - 10 });
            i += digit * w;
            if i > u64::from(u32::MAX) {
                return None;
            }
            let t = if k <= bias + 1 {
                1
            } else if k >= bias + 26 {
                26
            } else {
                k - bias
            };
            if digit < t {
                break;
            }
            w *= 36 - t;
            k += 36;
        }
        let length = name.len() as u64 + 1;
        let mut delta = if old == 0 { (i - old) / 700 } else { (i - old) / 2 };
        delta += delta / length;
        bias = 0;
        while delta > 455 {
            delta /= 35;
            bias += 36;
        }
        bias += 36 * delta / (delta + 38);
        n += i / length;
        i %= length;
        name.insert(usize::try_from(i).ok()?, char::from_u32(u32::try_from(n).ok()?)?);
        i += 1;
    }
    Some(name.into_iter().collect())
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let colon = match text.rfind(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(colon);
    let port = match port {
        "" | ":" => None,
        _ => {
            let port = port.strip_prefix(':')?;
            let number: u16 = port.parse().ok()?;
            if number == 0 || number.to_string() != port {
                return None;
            }
            Some(number)
        }
    };
    if let Some(literal) = host.strip_prefix('[') {
        let address: Ipv6Addr = literal.strip_suffix(']')?.parse().ok()?;
        return address.to_ipv4_mapped().is_none().then(|| (address.to_string(), port));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let shape = |label: &&str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if name.len() > 253 || !labels.iter().all(shape) || !labels.iter().all(|label| encodes_a_name(label)) {
        return None;
    }
    let last = labels[labels.len() - 1];
    let number = last
        .strip_prefix("0x")
        .map_or(last.chars().all(|c| c.is_ascii_digit()), |digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    if number && !host.parse::<Ipv4Addr>().is_ok_and(|address| address.to_string() == host) {
        return None;
    }
    Some((name, port))
}
