//! Hosts: names, addresses and ports, as they stand in a `Host` field or in an authority.
//!
//! Strict on purpose: what resolvers and proxies spell in several ways (`0x7f.1`, `127.1`, `[::ffff:127.0.0.1]`, raw or
//! percent-encoded Unicode) has no canonical form here. Names are not resolved and A-labels (`xn--`) are compared as they stand: they are
//! the ASCII form already. One that encodes no name is none.

use super::{Ambiguity, Host, MAX_HOST_BYTES, punycode, words};
use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest label in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// A host that is the canonical form of a name already, as nearly all are; `None` if that takes a closer look.
#[inline(always)]
pub(super) fn canonical_name(text: &[u8]) -> Option<Host<'_>> {
    // No label can be too long, nor the name.
    if text.len() > MAX_LABEL_BYTES {
        return None;
    }
    // No number begins with a letter.
    let (name, last_label) = words::plain_name(text)?;
    text.get(last_label).is_some_and(u8::is_ascii_lowercase).then_some(Host::Name(name))
}

/// A valid host with its port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority<'a> {
    host: Form<'a>,
    pub(super) port: Option<u16>,
}

/// A valid host.
#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    /// Letters of either case; without trailing dot.
    Name(&'a str),
    /// In canonical text.
    V4(&'a str),
    V6(Ipv6Addr),
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:` or `host:port`.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Ambiguity> {
        if text.contains(&b'@') {
            return Err(Ambiguity::Userinfo);
        }
        let text = str::from_utf8(text).map_err(|_| Ambiguity::BadHost)?;
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (literal, port) = bracketed.split_once(']').ok_or(Ambiguity::BadHost)?;
                (Form::V6(parse_ipv6(literal)?), port)
            }
            None => {
                let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
                (parse_name_or_ipv4(host)?, port)
            }
        };
        Ok(Self { host, port: parse_port(port)? })
    }

    /// Whether both name the same host; ports are not compared.
    pub(super) fn same_host(&self, other: &Self) -> bool {
        match (self.host, other.host) {
            (Form::Name(a), Form::Name(b)) => a.eq_ignore_ascii_case(b),
            (Form::V4(a), Form::V4(b)) => a == b,
            (Form::V6(a), Form::V6(b)) => a == b,
            (Form::Name(_) | Form::V4(_) | Form::V6(_), _) => false,
        }
    }

    /// The canonical host, written into `room` unless it can be borrowed.
    pub(super) fn canonical(self, room: &'a mut [u8]) -> Result<Host<'a>, Ambiguity> {
        match self.host {
            Form::Name(name) if !name.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Host::Name(name)),
            Form::Name(name) => {
                let room = room.get_mut(..name.len()).ok_or(Ambiguity::BadHost)?;
                room.copy_from_slice(name.as_bytes());
                room.make_ascii_lowercase();
                str::from_utf8(room).map(Host::Name).map_err(|_| Ambiguity::BadHost)
            }
            Form::V4(address) => Ok(Host::Address(address)),
            Form::V6(address) => {
                let mut cursor = Cursor { room, written: 0 };
                write!(cursor, "{address}").map_err(|_| Ambiguity::BadHost)?;
                let Cursor { room, written } = cursor;
                str::from_utf8(&room[..written]).map(Host::Address).map_err(|_| Ambiguity::BadHost)
            }
        }
    }
}

/// Formats into a fixed slice.
struct Cursor<'a> {
    room: &'a mut [u8],
    written: usize,
}

impl Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room.get_mut(self.written..self.written + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.written += text.len();
        Ok(())
    }
}

fn parse_ipv6(literal: &str) -> Result<Ipv6Addr, Ambiguity> {
    // The library's parser takes neither zone ids nor IPvFuture; that suits us.
    let address: Ipv6Addr = literal.parse().map_err(|_| Ambiguity::BadHost)?;
    // An IPv4 address in disguise: a virtual host for the one is not one for the other, but both reach the same socket.
    if address.to_ipv4_mapped().is_some() {
        return Err(Ambiguity::BadHost);
    }
    Ok(address)
}

fn parse_name_or_ipv4(host: &str) -> Result<Form<'_>, Ambiguity> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() || name.len() > MAX_HOST_BYTES {
        return Err(Ambiguity::BadHost);
    }
    let mut label = 0;
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => label += 1,
            b'.' if label > 0 => label = 0,
            _ => return Err(Ambiguity::BadHost),
        }
        if label > MAX_LABEL_BYTES {
            return Err(Ambiguity::BadHost);
        }
    }
    let last = &name[name.len() - label..];
    if last.is_empty() || !name.split('.').all(|label| punycode::is_sound(label.as_bytes())) {
        return Err(Ambiguity::BadHost);
    }
    if !ends_in_number(last) {
        return Ok(Form::Name(name));
    }
    // The library's parser takes four decimal numbers without leading zeros and nothing else. With a trailing dot an
    // address is a name to some and an address to others.
    match host.parse::<Ipv4Addr>() {
        Ok(_) => Ok(Form::V4(host)),
        Err(_) => Err(Ambiguity::BadHost),
    }
}

/// Whether a host with this last label is an IPv4 address to a WHATWG URL parser or to `inet_aton`.
fn ends_in_number(last_label: &str) -> bool {
    let hexadecimal = last_label.strip_prefix("0x").or_else(|| last_label.strip_prefix("0X"));
    hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        || last_label.bytes().all(|b| b.is_ascii_digit())
}

/// Reads what stands behind the host: nothing, `:` or `:port`.
fn parse_port(text: &str) -> Result<Option<u16>, Ambiguity> {
    if text.is_empty() || text == ":" {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').ok_or(Ambiguity::BadHost)?;
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Ambiguity::BadHost);
    }
    digits.parse().map(Some).map_err(|_| Ambiguity::BadHost)
}
