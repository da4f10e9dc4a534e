//! Entries: the bytes of a body, and the hash that chains it to the entry before.
//!
//! INVARIANT (chain): `hash_n = SHA-256("luigi-ledger/1\n" || hash_{n-1} || body_n)` over the bytes as stored, with 32 zero bytes before entry 1. A body holds
//! its own sequence, time and kind, so that nothing about an entry is outside the hash. [`Verifier`](super::Verifier) relies on it, and
//! so does whoever reads docs/LEDGER.md.

use super::canonical;
use super::error::LedgerError;
use super::event::{Event, Kind};
use jiff::Timestamp;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What stands before the bytes that are hashed: names the format, so that no other hash of Luigi's can be taken for one of these.
const DOMAIN: &[u8] = b"luigi-ledger/1\n";

/// Something to append: when it happened, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    /// When it happened, by the clock of whoever saw it. The order of entries is that of their sequence.
    pub time: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl NewEntry {
    /// Something that happens now.
    #[must_use]
    pub fn now(event: Event) -> Self {
        Self { time: Timestamp::now(), event }
    }
}

/// An entry, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place: 1, 2, 3 ...
    pub sequence: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What makes up a body, as JSON has it.
#[derive(Serialize, Deserialize)]
struct Body<E> {
    sequence: u64,
    time: String,
    #[serde(flatten)]
    event: E,
}

/// The body of an entry: one line of canonical JSON.
///
/// # Errors
/// An integer in it is larger than every reader of JSON holds.
pub(crate) fn body(sequence: u64, time: Timestamp, event: &Event) -> Result<String, LedgerError> {
    let body = Body { sequence, time: time_text(time), event };
    let value = serde_json::to_value(body).map_err(|error| LedgerError::event(event.kind(), &error))?;
    let mut text = String::with_capacity(512);
    canonical::write(&value, &mut text).map_err(|error| LedgerError::event(event.kind(), &error))?;
    Ok(text)
}

/// A time as it stands in entries: RFC 3339 in UTC with nine digits, so that the order of texts is the order of times.
pub(crate) fn time_text(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// Reads a time as it stands in entries, and no other spelling of it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::from_str(text).ok().filter(|time| time_text(*time) == text)
}

impl Entry {
    /// The body: one line of canonical JSON.
    ///
    /// # Errors
    /// An integer in it is larger than every reader of JSON holds.
    pub fn body(&self) -> Result<String, LedgerError> {
        body(self.sequence, self.time, &self.event)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// It is not JSON, or not of a kind and shape that this version knows.
    pub fn parse(body: &str) -> Result<Self, LedgerError> {
        let Body::<Event> { sequence, time, event } =
            serde_json::from_str(body).map_err(|error| LedgerError::body(&error))?;
        let time = parse_time(&time)
            .ok_or_else(|| LedgerError::body(&format_args!("`{}` is no time", time.escape_debug())))?;
        Ok(Self { sequence, time, event })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.event.kind()
    }
}

/// The hash of an entry, and with it of all before it. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before entry 1.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of an entry with this body after one with the hash `self`.
    #[must_use]
    pub fn next(&self, body: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(DOMAIN);
        context.update(&self.0);
        context.update(body);
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }

    /// The hash with these bytes; `None` if they are not 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
