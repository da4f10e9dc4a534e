//! What a line carries beyond what every line does.

use super::{Malformed, exactly, length, number};
use luigi_core::decide::HeaderLines;
use luigi_core::policy::model::{FactKey, MAX_FACTS};

/// The facts of a request that only some policies ask for, as they stand in its line. Nothing is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct MoreFacts<'a> {
    /// INVARIANT (facts-read): what [`read`] went over to the end.
    names: &'a str,
    counts: &'a [u8],
    values: &'a [u8],
}

/// One of these facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedFact<'a> {
    /// A header.
    Header {
        /// How many of this name there are.
        count: u32,
        /// The last of them; empty if there is none.
        last: &'a [u8],
        /// The one before it; empty if there is none.
        before: &'a [u8],
    },
    /// A fact of the proxy's, its frontend, or a part of the client certificate; `None` if there is nothing to tell.
    Value(Option<&'a [u8]>),
    /// The client certificate.
    Certificate {
        /// Whether the client presented one.
        used: bool,
        /// OpenSSL's result of verifying it; 0 is fine, also where there was nothing to verify.
        verify: u32,
    },
}

/// Reads the facts of these names: `counts` is the line that tells of their lengths, `values` the fields, each with a line feed behind it.
pub(super) fn read<'a>(names: &'a str, counts: &'a [u8], values: &'a [u8]) -> Result<MoreFacts<'a>, Malformed> {
    let mut reader = Reader::new(names, counts, values);
    let mut before = None;
    for n in 0.. {
        match reader.next()? {
            None => break,
            Some((key, _)) if n < MAX_FACTS && before < Some(key) => before = Some(key),
            Some(_) => return Err(Malformed::WrongVersion),
        }
    }
    reader.end()?;
    Ok(MoreFacts { names, counts, values })
}

impl<'a> MoreFacts<'a> {
    /// None.
    pub const NONE: Self = Self { names: "", counts: &[], values: &[] };

    /// What there is of a header; `None` if it is not carried.
    #[must_use]
    pub fn header(self, wanted: &str) -> Option<HeaderLines<'a>> {
        self.iter().find_map(|(key, fact)| match fact {
            CarriedFact::Header { count, last, before } if key == FactKey::Header(wanted) => {
                Some(HeaderLines { count, last, before })
            }
            CarriedFact::Header { .. } | CarriedFact::Value(_) | CarriedFact::Certificate { .. } => None,
        })
    }

    /// The facts in the order of their keys.
    pub fn iter(self) -> impl Iterator<Item = (FactKey<'a>, CarriedFact<'a>)> {
        let mut reader = Reader::new(self.names, self.counts, self.values);
        std::iter::from_fn(move || reader.next().ok().flatten())
    }
}

struct Reader<'a> {
    names: std::str::Split<'a, char>,
    counts: std::slice::Split<'a, u8, fn(&u8) -> bool>,
    values: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(names: &'a str, counts: &'a [u8], values: &'a [u8]) -> Self {
        let is_space: fn(&u8) -> bool = |byte| *byte == b' ';
        let mut all = names.split(' ');
        if names.is_empty() {
            all.next();
        }
        let mut words = counts.split(is_space);
        if counts.is_empty() && names.is_empty() {
            words.next();
        }
        Self { names: all, counts: words, values }
    }

    fn next(&mut self) -> Result<Option<(FactKey<'a>, CarriedFact<'a>)>, Malformed> {
        let Some(name) = self.names.next() else { return Ok(None) };
        let key = FactKey::parse(name).ok_or(Malformed::WrongVersion)?;
        let fact = match key {
            FactKey::Certificate => {
                // Both are empty on a connection without TLS.
                let (used, verify) = (self.word()?, self.word()?);
                let used = match used {
                    b"" | b"0" => false,
                    b"1" => true,
                    _ => return Err(Malformed::BadCount),
                };
                let verify = if verify.is_empty() && !used { 0 } else { number(verify)? };
                CarriedFact::Certificate { used, verify }
            }
            FactKey::Header(_) => {
                let count = number(self.word()?)?;
                let last = length(self.word()?, count)?;
                let before = length(self.word()?, count.saturating_sub(1))?;
                CarriedFact::Header { count, last: self.value(last)?, before: self.value(before)? }
            }
            FactKey::CertificateFingerprint
            | FactKey::CertificateNames
            | FactKey::CertificateSubject
            | FactKey::Frontend
            | FactKey::Named(_) => match self.word()? {
                b"" => {
                    self.value(0)?;
                    CarriedFact::Value(None)
                }
                length => CarriedFact::Value(Some(self.value(number(length)?)?)),
            },
        };
        Ok(Some((key, fact)))
    }

    fn word(&mut self) -> Result<&'a [u8], Malformed> {
        self.counts.next().ok_or(Malformed::BadCount)
    }

    fn value(&mut self, length: u32) -> Result<&'a [u8], Malformed> {
        let (value, rest) = exactly(self.values, length)?;
        self.values = rest;
        Ok(value)
    }

    /// Nothing may be left.
    fn end(mut self) -> Result<(), Malformed> {
        if self.counts.next().is_some() {
            return Err(Malformed::BadCount);
        }
        if self.values.is_empty() { Ok(()) } else { Err(Malformed::LengthMismatch) }
    }
}
