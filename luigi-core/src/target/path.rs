//! Paths: escapes, dot segments and empty segments, in one pass from left to right.
//!
//! A path that is canonical already, which nearly all are, is only looked at. At the first segment that is not, what precedes it is
//! copied into the caller's room and the rest is rewritten there, segment by segment.

use super::{Ambiguity, Paths, words};

/// What a raw byte of a path is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    /// Stands for itself: unreserved, or a sub-delimiter, `:` or `@`.
    Plain,
    Slash,
    Question,
    Percent,
    /// Printable, but nothing a URI may hold: `" < > [ ] ^ { | }` and the back quote. Browsers send some of them raw and servers read
    /// both spellings alike, so the escape is the canonical one.
    Escape,
    Semicolon,
    Backslash,
    Hash,
    /// 0x00 to 0x20 and 0x7F.
    Control,
    NonAscii,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Escape; 256];
    let mut byte = 0u8;
    loop {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => Class::Plain,
            b'/' => Class::Slash,
            b'?' => Class::Question,
            b'%' => Class::Percent,
            b';' => Class::Semicolon,
            b'\\' => Class::Backslash,
            b'#' => Class::Hash,
            0..=0x20 | 0x7F => Class::Control,
            0x80..=0xFF => Class::NonAscii,
            _ => Class::Escape,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// The canonical path, and the query as received.
type PathAndQuery<'a> = (&'a str, Option<&'a [u8]>);

/// Where the canonical form of a path is.
#[derive(Clone, Copy)]
struct Written {
    /// Whether it was written into the room; else it is the beginning of the target.
    in_room: bool,
    /// How long it is.
    length: usize,
    /// Where in the target the path ends: at a `?` or at the end.
    end: usize,
}

/// What becomes of escapes of reserved characters that may stand raw in a segment: `%2B`, `%3A` and so on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reserved {
    /// They are decoded: rules see one form of both spellings.
    Decoded,
    /// They stay, in upper case: RFC 3986, section 2.2, does not hold `%2B` and `+` to be the same.
    AsSent,
}

/// What a path comes to, with the query as received.
#[derive(Clone, Copy)]
pub(super) enum Reading<'a> {
    /// One canonical form.
    One(PathAndQuery<'a>),
    /// Several, if the host accepts the class.
    Several(Ambiguity, Paths<'a>, Option<&'a [u8]>),
}

/// The canonical form of `target`, which begins with `/`.
pub(super) fn canonical<'a>(target: &'a [u8], room: &'a mut [u8]) -> Result<PathAndQuery<'a>, Ambiguity> {
    let written = write(target, room)?;
    finish(target, room, written)
}

/// The canonical form of `target`, or both if it is ambiguous in one way that a host may accept.
pub(super) fn read<'a>(
    target: &'a [u8],
    room: &'a mut [u8],
    second_room: &'a mut [u8],
) -> Result<Reading<'a>, Ambiguity> {
    match write(target, room) {
        Ok(written) => finish(target, room, written).map(Reading::One),
        Err(class) => readings(target, class, room, second_room).ok_or(class),
    }
}

/// The canonical form of a path that was found to have one, or whose class is accepted, with escapes of reserved characters as they were sent.
///
/// # Errors
/// [`Ambiguity::TooLong`] if it does not fit into the room.
#[cold]
pub(super) fn as_sent<'a>(path: &[u8], accepted: Option<Ambiguity>, room: &'a mut [u8]) -> Result<&'a str, Ambiguity> {
    let written = rewrite(path, 1, room, accepted, Reserved::AsSent)?;
    str::from_utf8(&room[..written.length]).map_err(|_| Ambiguity::NonAscii)
}

/// Whether a path is another one but for escapes of reserved characters, which the other one has decoded.
pub(super) fn differ_in_reserved_only(sent: &str, decided: &str) -> bool {
    let (mut sent, mut decided) = (sent.as_bytes(), decided.as_bytes());
    while let (Some(one), Some(other)) = (sent.first(), decided.first()) {
        let width = match escape_at(sent, 0) {
            Some(value) if *one != *other && value == *other && class(value) == Class::Plain => 3,
            _ if *one == *other => 1,
            _ => return false,
        };
        (sent, decided) = (&sent[width..], &decided[1..]);
    }
    sent.is_empty() && decided.is_empty()
}

/// The readings of a target that is ambiguous as `class` says; `None` if there are others than those of the class.
#[cold]
fn readings<'a>(
    target: &'a [u8],
    class: Ambiguity,
    room: &'a mut [u8],
    second_room: &'a mut [u8],
) -> Option<Reading<'a>> {
    if !class.is_acceptable() {
        return None;
    }
    // A dot segment that only comes to be when what is forwarded is decoded would be a third reading: some servers remove it, and some leave it,
    // after decoding, where it is. To these `/admin%2F../public` is in `/admin`.
    let stands = rewrite(target, 1, room, Some(class), Reserved::Decoded).ok()?;
    // Some servers take the path to end at the first `;`. Where that is another path before dot segments are removed than afterwards there is a further reading.
    let whole = &target[..target.iter().position(|byte| *byte == b'?').unwrap_or(target.len())];
    let semicolon = |path: &[u8]| path.iter().position(|byte| *byte == b';').unwrap_or(path.len());
    if class == Ambiguity::MatrixParameter {
        let before = &whole[..semicolon(whole)];
        let written = write(before, second_room).ok()?;
        let (before, _) = finish(before, second_room, written).ok()?;
        if before.as_bytes() != &room[..semicolon(&room[..stands.length])] {
            return None;
        }
    }
    // A backslash is forwarded as an escape.
    let as_forwarded = if class == Ambiguity::Backslash { Ambiguity::EncodedBackslash } else { class };
    let length = decode_once_more(&room[..stands.length], as_forwarded, second_room)?;
    if second_room[..length].split(|byte| *byte == b'/').any(is_spelt_dots) {
        return None;
    }
    // What is decoded once more is read as strictly as any path: whatever is ambiguous in it would be a third reading, too.
    let length = decode_once_more(target, class, room)?;
    let decoded = rewrite(&room[..length], 1, second_room, None, Reserved::Decoded).ok()?;
    let stands = rewrite(target, 1, room, Some(class), Reserved::Decoded).ok()?;
    let (as_it_stands, query) = finish(target, room, stands).ok()?;
    let decoded = str::from_utf8(&second_room[..decoded.length]).ok()?;
    let cut = as_it_stands.split(';').next().filter(|cut| class == Ambiguity::MatrixParameter && *cut != decoded);
    Some(Reading::Several(class, Paths { as_it_stands, decoded, cut }, query))
}

/// Writes the path as a server reads it that decodes it once more than others, or that drops parameters; returns its length.
fn decode_once_more(target: &[u8], class: Ambiguity, room: &mut [u8]) -> Option<usize> {
    let mut output = Output { room, length: 0 };
    let mut at = 0;
    while let Some(&byte) = target.get(at).filter(|byte| **byte != b'?') {
        let escaped = escape_at(target, at);
        let replaced = match (class, byte, escaped) {
            (Ambiguity::EncodedSlash, _, Some(b'/')) | (Ambiguity::EncodedBackslash, _, Some(b'\\')) => Some((b'/', 3)),
            (Ambiguity::Backslash, b'\\', _) => Some((b'/', 1)),
            (Ambiguity::DoubleEncoding, _, Some(b'%')) => Some((b'%', 3)),
            (Ambiguity::MatrixParameter, b';', _) => {
                let rest = &target[at..];
                at += rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
                continue;
            }
            _ => None,
        };
        let width = match (replaced, escaped) {
            (Some((byte, width)), _) => {
                output.push(byte).ok()?;
                width
            }
            (None, escaped) => {
                // An escape is one thing: its digits begin no other.
                let width = if escaped.is_some() { 3 } else { 1 };
                for &byte in &target[at..at + width] {
                    output.push(byte).ok()?;
                }
                width
            }
        };
        at += width;
    }
    Some(output.length)
}

fn write(target: &[u8], room: &mut [u8]) -> Result<Written, Ambiguity> {
    let at = words::skip_plain_path(target, 1);
    match target.get(at) {
        // The segment that is open here begins with no dot.
        None | Some(b'?') => Ok(Written { in_room: false, length: at, end: at }),
        Some(_) => write_by_bytes(target, at, room),
    }
}

/// Goes on at `at`; what stands before it is plain.
fn write_by_bytes(target: &[u8], mut at: usize, room: &mut [u8]) -> Result<Written, Ambiguity> {
    // INVARIANT (plain-prefix): target[..segment] is canonical and ends with `/`.
    let mut segment = target[..at].iter().rposition(|byte| *byte == b'/').map_or(at, |slash| slash + 1);
    while let Some(byte) = target.get(at) {
        match class(*byte) {
            Class::Plain => at += 1,
            Class::Slash => {
                let name = &target[segment..at];
                if name.is_empty() || is_dot(name) || is_dot_dot(name) {
                    return rewrite(target, segment, room, None, Reserved::Decoded);
                }
                at += 1;
                segment = at;
            }
            Class::Question => break,
            Class::Percent
            | Class::Escape
            | Class::Semicolon
            | Class::Backslash
            | Class::Hash
            | Class::Control
            | Class::NonAscii => return rewrite(target, segment, room, None, Reserved::Decoded),
        }
    }
    let last = &target[segment..at];
    if is_dot(last) || is_dot_dot(last) {
        return rewrite(target, segment, room, None, Reserved::Decoded);
    }
    Ok(Written { in_room: false, length: at, end: at })
}

/// What a segment before the one at hand was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Name,
    Empty,
    Dots,
}

/// Writes the canonical form of `target`, whose part before `segment` is canonical already (plain-prefix). What is ambiguous as `accepted` says
/// is kept as it stands.
#[cold]
fn rewrite(
    target: &[u8],
    segment: usize,
    room: &mut [u8],
    accepted: Option<Ambiguity>,
    reserved: Reserved,
) -> Result<Written, Ambiguity> {
    let mut output = Output { room, length: 0 };
    for &byte in &target[..segment] {
        output.push(byte)?;
    }
    let mut at = segment;
    let mut before = Before::Name;
    // Where in the output an empty segment was dropped last. No `..` may remove anything before it: whether that removes the
    // empty segment or a name depends on whether a server collapses first.
    // INVARIANT (collapsed): collapsed_at <= output.length.
    let mut collapsed_at = 0;
    loop {
        // INVARIANT (open): here the output ends with `/`.
        let start = output.length;
        at = decode_segment(target, at, &mut output, accepted, reserved)?;
        let is_last = target.get(at) != Some(&b'/');
        let name = output.since(start);
        if is_dot(name) || is_dot_dot(name) {
            if before == Before::Empty {
                return Err(Ambiguity::EmptySegment);
            }
            let parent = is_dot_dot(name);
            output.length = start;
            if parent {
                if start == 1 {
                    return Err(Ambiguity::ClimbsAboveRoot);
                }
                output.pop_segment();
                if output.length < collapsed_at {
                    return Err(Ambiguity::EmptySegment);
                }
            }
            before = Before::Dots;
        } else if is_last {
            // A name, or the nothing behind a final `/`.
        } else if name.is_empty() {
            if before == Before::Dots {
                return Err(Ambiguity::EmptySegment);
            }
            if at == 1 {
                return Err(Ambiguity::NetworkPath);
            }
            collapsed_at = start;
            before = Before::Empty;
        } else {
            output.push(b'/')?;
            before = Before::Name;
        }
        if is_last {
            break;
        }
        at += 1;
    }
    Ok(Written { in_room: true, length: output.length, end: at })
}

/// Joins a canonical path and what follows it, which is nothing or begins with `?`.
fn finish<'a>(target: &'a [u8], room: &'a [u8], written: Written) -> Result<PathAndQuery<'a>, Ambiguity> {
    let (path, rest) = target.split_at(written.end);
    let path = if written.in_room { &room[..written.length] } else { path };
    // Only ASCII is ever kept or written, so this cannot fail; if it did, refusing would be right.
    let path = str::from_utf8(path).map_err(|_| Ambiguity::NonAscii)?;
    match rest {
        [_, query @ ..] => Ok((path, Some(checked_query(query)?))),
        [] => Ok((path, None)),
    }
}

/// The query, if it holds nothing that ends a target or is never in one. Its escapes are the application's business.
pub(super) fn checked_query(query: &[u8]) -> Result<&[u8], Ambiguity> {
    for &byte in query {
        match class(byte) {
            Class::Plain
            | Class::Slash
            | Class::Question
            | Class::Percent
            | Class::Escape
            | Class::Semicolon
            | Class::Backslash => {}
            Class::Hash => return Err(Ambiguity::Fragment),
            Class::Control => return Err(Ambiguity::ControlByte),
            Class::NonAscii => return Err(Ambiguity::NonAscii),
        }
    }
    Ok(query)
}

/// Whether a segment is `.` or `..`, or an escape makes it so.
fn is_spelt_dots(segment: &[u8]) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while let Some(tail) = rest.strip_prefix(b".").or_else(|| (escape_at(rest, 0) == Some(b'.')).then(|| &rest[3..])) {
        rest = tail;
        dots += 1;
    }
    rest.is_empty() && (dots == 1 || dots == 2)
}

fn is_dot(segment: &[u8]) -> bool {
    segment == b"."
}

fn is_dot_dot(segment: &[u8]) -> bool {
    segment == b".."
}

/// Copies one segment into `output` in canonical form, dots included. Returns where in `target` it ends: at a `/`, at a `?` or
/// at the end.
fn decode_segment(
    target: &[u8],
    mut at: usize,
    output: &mut Output<'_>,
    accepted: Option<Ambiguity>,
    reserved: Reserved,
) -> Result<usize, Ambiguity> {
    let start = output.length;
    let mut percent_sign = false;
    while let Some(&byte) = target.get(at) {
        match class(byte) {
            Class::Slash | Class::Question => break,
            Class::Plain => {
                output.push(byte)?;
                at += 1;
            }
            Class::Escape => {
                output.push_escape(byte)?;
                at += 1;
            }
            Class::Percent => {
                let value = escape_at(target, at).ok_or(Ambiguity::InvalidEscape)?;
                percent_sign |= value == b'%';
                at = decode_escape(target, at, value, output, accepted, reserved)?;
            }
            Class::Semicolon if accepted == Some(Ambiguity::MatrixParameter) => {
                output.push(byte)?;
                at += 1;
            }
            Class::Backslash if accepted == Some(Ambiguity::Backslash) => {
                output.push_escape(byte)?;
                at += 1;
            }
            Class::Semicolon => return Err(Ambiguity::MatrixParameter),
            Class::Backslash => return Err(Ambiguity::Backslash),
            Class::Hash => return Err(Ambiguity::Fragment),
            Class::Control => return Err(Ambiguity::ControlByte),
            Class::NonAscii => return Err(Ambiguity::NonAscii),
        }
    }
    if percent_sign && accepted != Some(Ambiguity::DoubleEncoding) && decodes_twice(output.since(start)) {
        return Err(Ambiguity::DoubleEncoding);
    }
    Ok(at)
}

/// Copies the escape of `value` at `at`, or the escapes of the character that begins there; returns where they end.
///
/// RFC 3986 calls `%21` and `!` different, but hardly a server does: most decode the whole path and then compare. If the two were
/// different here a rule about `/v1/jobs/1:cancel` could be passed with `%3A`. So whatever may stand raw in a segment is decoded, but for what is
/// forwarded: a server that decodes paths like forms takes `+` for a space, and one that splits at commas does so before it decodes.
/// `;` is refused in both spellings, `/` and `\` because they split. What may never stand raw in a path (`?`, `#`, space, quotes,
/// brackets) stays an escape.
fn decode_escape(
    target: &[u8],
    at: usize,
    value: u8,
    output: &mut Output<'_>,
    accepted: Option<Ambiguity>,
    reserved: Reserved,
) -> Result<usize, Ambiguity> {
    let is_unreserved = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
    match class(value) {
        Class::Plain if reserved == Reserved::AsSent && !is_unreserved => output.push_escape(value)?,
        Class::Plain => output.push(value)?,
        Class::Escape | Class::Question | Class::Hash | Class::Percent => output.push_escape(value)?,
        Class::Control if value == b' ' => output.push_escape(value)?,
        Class::Control => return Err(Ambiguity::ControlByte),
        Class::Slash if accepted == Some(Ambiguity::EncodedSlash) => output.push_escape(value)?,
        Class::Backslash if accepted == Some(Ambiguity::EncodedBackslash) => output.push_escape(value)?,
        Class::Slash => return Err(Ambiguity::EncodedSlash),
        Class::Backslash => return Err(Ambiguity::EncodedBackslash),
        // Refused also where `;` is accepted: servers that drop parameters before they decode keep this one, a third reading.
        Class::Semicolon => return Err(Ambiguity::MatrixParameter),
        Class::NonAscii => return decode_character(target, at, value, output),
    }
    Ok(at + 3)
}

/// Copies the escapes of one character of two to four bytes of UTF-8, of which `lead` at `at` is the first.
fn decode_character(target: &[u8], at: usize, lead: u8, output: &mut Output<'_>) -> Result<usize, Ambiguity> {
    let length = match lead {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return Err(Ambiguity::InvalidUtf8),
    };
    let mut bytes = [lead, 0, 0, 0];
    for (index, byte) in bytes.iter_mut().enumerate().take(length).skip(1) {
        *byte = escape_at(target, at + 3 * index).ok_or(Ambiguity::InvalidUtf8)?;
    }
    let text = str::from_utf8(&bytes[..length]).map_err(|_| Ambiguity::InvalidUtf8)?;
    // The C1 controls: NEL is a line break to some.
    if text.chars().any(char::is_control) {
        return Err(Ambiguity::ControlByte);
    }
    for &byte in &bytes[..length] {
        output.push_escape(byte)?;
    }
    Ok(at + 3 * length)
}

/// The byte that the escape at `at` stands for; `None` if there is none.
fn escape_at(target: &[u8], at: usize) -> Option<u8> {
    match target.get(at..at + 3)? {
        &[b'%', high, low] => Some(hex_value(high)? << 4 | hex_value(low)?),
        _ => None,
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether a canonical segment, decoded once, holds an escape: `%xx`, or IIS's `%uxxxx`.
fn decodes_twice(segment: &[u8]) -> bool {
    // Each `%` of a canonical segment begins an escape, so `%25` is never a piece of another one.
    let hexadecimal = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    segment.windows(5).any(|w| w.starts_with(b"%25") && hexadecimal(&w[3..]))
        || segment.windows(8).any(|w| w.starts_with(b"%25") && matches!(w[3], b'u' | b'U') && hexadecimal(&w[4..]))
}

/// What has been written of a path.
struct Output<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Output<'_> {
    fn push(&mut self, byte: u8) -> Result<(), Ambiguity> {
        *self.room.get_mut(self.length).ok_or(Ambiguity::TooLong)? = byte;
        self.length += 1;
        Ok(())
    }

    fn push_escape(&mut self, byte: u8) -> Result<(), Ambiguity> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.push(b'%')?;
        self.push(DIGITS[usize::from(byte >> 4)])?;
        self.push(DIGITS[usize::from(byte & 15)])
    }

    fn since(&self, start: usize) -> &[u8] {
        &self.room[start..self.length]
    }

    /// Removes the last segment; the output ends with `/` before (open) and after.
    fn pop_segment(&mut self) {
        let open = &self.room[..self.length - 1];
        self.length = open.iter().rposition(|&b| b == b'/').map_or(1, |slash| slash + 1);
    }
}
