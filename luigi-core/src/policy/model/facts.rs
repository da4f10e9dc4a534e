//! Facts about requests that a proxy passes only because a policy asks for them, and the tests of them.

use super::FactId;
use crate::identity::Fingerprint;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most facts that a policy may need: every request carries them.
pub const MAX_FACTS: usize = 32;

/// A fact that some rule or scope asks for. Ordered as the [keys](FactKey).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fact {
    /// Whether there is a client certificate, and whether the proxy verified it.
    Certificate,
    /// The SHA-256 of the client certificate.
    CertificateFingerprint,
    /// The subject alternative names of the client certificate.
    CertificateNames,
    /// The distinguished name of the client certificate's subject.
    CertificateSubject,
    /// `[facts.NAME]`: what the proxy knows, one of a closed set of values.
    Named {
        /// Its name.
        name: String,
        /// The values it can have; sorted, never empty.
        values: Vec<String>,
    },
    /// The proxy's frontend that took the request in.
    Frontend,
    /// A header; its name in lower case.
    Header(String),
}

impl Fact {
    /// What it is known by.
    #[must_use]
    pub fn key(&self) -> FactKey<'_> {
        match self {
            Self::Certificate => FactKey::Certificate,
            Self::CertificateFingerprint => FactKey::CertificateFingerprint,
            Self::CertificateNames => FactKey::CertificateNames,
            Self::CertificateSubject => FactKey::CertificateSubject,
            Self::Named { name, values: _ } => FactKey::Named(name),
            Self::Frontend => FactKey::Frontend,
            Self::Header(name) => FactKey::Header(name),
        }
    }
}

/// What a fact is known by: to a policy, to the line that carries it, to people. Displayed as `certificate`, `fact:country`, `header:x-team`; the
/// order is that of the displayed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKey<'a> {
    /// See [`Fact::Certificate`].
    Certificate,
    /// See [`Fact::CertificateFingerprint`].
    CertificateFingerprint,
    /// See [`Fact::CertificateNames`].
    CertificateNames,
    /// See [`Fact::CertificateSubject`].
    CertificateSubject,
    /// See [`Fact::Named`].
    Named(&'a str),
    /// See [`Fact::Frontend`].
    Frontend,
    /// See [`Fact::Header`].
    Header(&'a str),
}

/// The longest name of a fact or header, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The longest name of a frontend, in bytes.
const MAX_FRONTEND_BYTES: usize = 128;

impl<'a> FactKey<'a> {
    /// The fact that is displayed like this, if its name is one that facts and headers have.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        match text {
            "certificate" => Some(Self::Certificate),
            "certificate-fingerprint" => Some(Self::CertificateFingerprint),
            "certificate-names" => Some(Self::CertificateNames),
            "certificate-subject" => Some(Self::CertificateSubject),
            "frontend" => Some(Self::Frontend),
            _ => match text.split_once(':')? {
                ("fact", name) if is_fact_name(name) => Some(Self::Named(name)),
                ("header", name) if is_header_name(name) => Some(Self::Header(name)),
                _ => None,
            },
        }
    }
}

impl fmt::Display for FactKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("certificate"),
            Self::CertificateFingerprint => f.write_str("certificate-fingerprint"),
            Self::CertificateNames => f.write_str("certificate-names"),
            Self::CertificateSubject => f.write_str("certificate-subject"),
            Self::Named(name) => write!(f, "fact:{name}"),
            Self::Frontend => f.write_str("frontend"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// Whether `name` can be that of a `[facts.NAME]`: lower-case letters, digits and `-`, so that a variable of the proxy can be named after it.
#[must_use]
pub fn is_fact_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether `name` can be that of a header that a rule asks for, in lower case: letters, digits, `-` and `_`.
#[must_use]
pub fn is_header_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// Whether `name` can be that of a frontend: what HAProxy takes for the name of a section.
#[must_use]
pub fn is_frontend_name(name: &str) -> bool {
    (1..=MAX_FRONTEND_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

/// A test of one thing about a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FactTest {
    /// A header. Sent several times with different values: unknown.
    Header {
        /// Which: a [`Fact::Header`].
        header: FactId,
        /// What it must be.
        accepts: ValueTest,
    },
    /// A parameter of the query.
    Query {
        /// Its name, decoded.
        parameter: String,
        /// What it must be.
        accepts: ValueTest,
    },
    /// A fact of the proxy's. Not set, or none of its values: unknown.
    Named {
        /// Which: a [`Fact::Named`].
        fact: FactId,
        /// Any of these; sorted, never empty.
        values: Vec<String>,
    },
    /// The client certificate.
    Certificate(CertificateTest),
}

/// What a header or parameter must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ValueTest {
    /// There, with any of these values, compared by bytes. Sorted, never empty.
    In(Vec<String>),
    /// There, with whatever value.
    Present,
    /// Not there.
    Absent,
}

/// Tests of the client certificate, joined by AND; within one list any member will do. Not all are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CertificateTest {
    /// Whether there must be one that the proxy verified, or must not.
    pub verified: Option<bool>,
    /// Distinguished names of the subject, in the form of RFC 2253.
    pub subject_dns: Vec<String>,
    /// URIs among the subject alternative names, with `*`, which never crosses `:` or `/`.
    pub san_uris: Vec<String>,
    /// DNS names among the subject alternative names, in ASCII lower case, with `*`, which never crosses `.`.
    pub san_dns: Vec<String>,
    /// SHA-256 of the whole certificate.
    pub fingerprints: Vec<Fingerprint>,
}

impl CertificateTest {
    /// The facts that the tests look at.
    pub fn needs(&self) -> impl Iterator<Item = Fact> {
        let names = !self.san_uris.is_empty() || !self.san_dns.is_empty();
        let parts = [
            (true, Fact::Certificate),
            (!self.fingerprints.is_empty(), Fact::CertificateFingerprint),
            (names, Fact::CertificateNames),
            (!self.subject_dns.is_empty(), Fact::CertificateSubject),
        ];
        parts.into_iter().filter(|(needed, _)| *needed).map(|(_, fact)| fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_in_the_order_of_their_texts() {
        let texts = [
            "certificate",
            "certificate-fingerprint",
            "certificate-names",
            "certificate-subject",
            "fact:country",
            "fact:country-of-origin",
            "fact:z",
            "frontend",
            "header:1",
            "header:x-team",
            "header:x-team2",
            "header:x_team",
        ];
        assert!(texts.is_sorted());
        let keys = texts.map(|text| FactKey::parse(text).unwrap());
        assert!(keys.is_sorted());
        assert_eq!(keys.map(|key| key.to_string()), texts);
        for text in [
            "",
            "header:",
            "header:X-Team",
            "header:a b",
            "header:a)",
            "header:-a",
            "fact:a_b",
            "fact:1",
            "facts:a",
            "frontends",
        ] {
            assert_eq!(FactKey::parse(text), None, "{text}");
        }
    }
}
