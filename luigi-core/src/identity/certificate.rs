//! The TLS client certificate of a connection, as far as the proxy passes it on.
//!
//! The proxy verifies chains, validity and revocation; nothing here does. What is taken out of the certificate itself are the names of its
//! subject (RFC 5280, section 4.2.1.6), because HAProxy has no fetch for them in the versions that Luigi supports. It is done without a
//! library: none gives URIs without allocating. Reading is total: what is not understood makes the names unknown.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The client certificate of the connection that a request came on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate<'a> {
    /// Whoever passes the facts says nothing about certificates: everything about them is unknown.
    #[default]
    NotPassed,
    /// The client presented none, or the connection has no TLS.
    Absent,
    /// The client presented one that the proxy did not verify: whatever stands in it proves nothing.
    Unverified,
    /// The proxy verified it.
    Verified(VerifiedCertificate<'a>),
}

/// What is known of a certificate that the proxy verified. `None` is what the proxy does not pass, or what could not be read: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifiedCertificate<'a> {
    /// The subject's distinguished name in the form of RFC 2253, most specific part first: `CN=web,O=Example`.
    pub subject_dn: Option<&'a str>,
    /// The SHA-256 of the whole certificate.
    pub fingerprint_sha256: Option<Fingerprint>,
    /// Its subject alternative names.
    pub names: Option<SubjectAltNames<'a>>,
}

/// The SHA-256 of a certificate in DER. Displayed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// A fingerprint of 64 hex digits, in either case, with or without a colon between each two.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let stride = match text.len() {
            64 => 2,
            95 if text.iter().skip(2).step_by(3).all(|byte| *byte == b':') => 3,
            _ => return None,
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks(stride)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The subject alternative names of a certificate: URIs and DNS names, all of them ASCII; names of other kinds are passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubjectAltNames<'a> {
    /// INVARIANT (names-read): the content of a `GeneralNames`, element after element, URIs and DNS names in ASCII.
    encoded: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
/// 2.5.29.17.
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

impl<'a> SubjectAltNames<'a> {
    /// The names in a certificate in DER; none if it has no such extension. `None` if it cannot be read, has the extension twice, or has a name
    /// that is not ASCII.
    ///
    /// # Allocation
    /// None.
    #[must_use]
    pub fn of_certificate(der: &'a [u8]) -> Option<Self> {
        let (SEQUENCE, certificate, []) = element(der)? else { return None };
        let (SEQUENCE, to_be_signed, _) = element(certificate)? else { return None };
        let mut found = None;
        for part in Elements(to_be_signed) {
            let (tag, content) = part?;
            if tag != EXTENSIONS {
                continue;
            }
            let (SEQUENCE, extensions, []) = element(content)? else { return None };
            for extension in Elements(extensions) {
                let (SEQUENCE, extension) = extension? else { return None };
                let (OBJECT_IDENTIFIER, id, _) = element(extension)? else { return None };
                if id != SUBJECT_ALT_NAME {
                    continue;
                }
                // What stands between, if anything, says whether the extension is critical.
                let (OCTET_STRING, value) = Elements(extension).last()?? else { return None };
                let (SEQUENCE, names, []) = element(value)? else { return None };
                if found.replace(Self::of_names(names)?).is_some() {
                    return None;
                }
            }
        }
        Some(found.unwrap_or_default())
    }

    /// The names in what [`encode`](Self::encode) returns; `None` if they are not ASCII.
    #[must_use]
    pub fn of_names(encoded: &'a [u8]) -> Option<Self> {
        for name in Elements(encoded) {
            let (tag, content) = name?;
            if matches!(tag, DNS_NAME | URI) && !content.is_ascii() {
                return None;
            }
        }
        Some(Self { encoded })
    }

    /// Names as they would stand in a certificate: for those that somebody describes.
    #[must_use]
    pub fn encode<'n>(
        uris: impl IntoIterator<Item = &'n str>,
        dns_names: impl IntoIterator<Item = &'n str>,
    ) -> Vec<u8> {
        let uris = uris.into_iter().map(|uri| (URI, uri));
        let mut encoded = Vec::new();
        for (tag, name) in uris.chain(dns_names.into_iter().map(|name| (DNS_NAME, name))) {
            encoded.push(tag);
            let length = (name.len() as u64).to_be_bytes();
            let significant = &length[length.iter().position(|byte| *byte != 0).unwrap_or(7)..];
            if name.len() >= 0x80 {
                encoded.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            }
            encoded.extend_from_slice(significant);
            encoded.extend_from_slice(name.as_bytes());
        }
        encoded
    }

    /// The URIs, such as a SPIFFE ID, in the order of the certificate.
    pub fn uris(self) -> impl Iterator<Item = &'a str> {
        self.of_kind(URI)
    }

    /// The DNS names, in the order of the certificate and as they are written there.
    pub fn dns_names(self) -> impl Iterator<Item = &'a str> {
        self.of_kind(DNS_NAME)
    }

    fn of_kind(self, kind: u8) -> impl Iterator<Item = &'a str> {
        let contents = Elements(self.encoded).flatten().filter(move |(tag, _)| *tag == kind);
        contents.filter_map(|(_, content)| std::str::from_utf8(content).ok())
    }
}

/// The elements of a DER encoding, one after the other; `None` for the first that cannot be read, which is the last.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = element(self.0);
        self.0 = read.map_or(&[], |(_, _, rest)| rest);
        Some(read.map(|(tag, content, _)| (tag, content)))
    }
}

/// Tag, content and what follows; lengths are definite, as DER has them.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags of several bytes do not occur in certificates.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sequence(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut out = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short @ 0..0x80) => out.push(short),
            Ok(long) => out.extend([0x81, long]),
            Err(_) => {
                out.push(0x82);
                out.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            }
        }
        out.extend(content);
        out
    }

    fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
        sequence(SEQUENCE, &[&sequence(OBJECT_IDENTIFIER, &[id]), &[1, 1, 0xff], &sequence(OCTET_STRING, &[value])])
    }

    fn names(uris: &[&str], dns: &[&str]) -> Vec<u8> {
        sequence(SEQUENCE, &[&SubjectAltNames::encode(uris.iter().copied(), dns.iter().copied())])
    }

    fn certificate(extensions: &[Vec<u8>]) -> Vec<u8> {
        let parts: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let extensions = sequence(EXTENSIONS, &[&sequence(SEQUENCE, &parts)]);
        let to_be_signed = sequence(SEQUENCE, &[&[0xa0, 3, 2, 1, 2], &[2, 1, 7], &[0x30, 0], &extensions]);
        sequence(SEQUENCE, &[&to_be_signed, &[0x30, 0], &[3, 1, 0]])
    }

    #[test]
    fn names_are_found_in_their_order_and_other_extensions_passed_over() {
        let long = format!("spiffe://example.org/{}", "x".repeat(300));
        let der = certificate(&[
            extension(&[0x55, 0x1d, 0x0f], &[3, 2, 5, 0xa0]),
            extension(&SUBJECT_ALT_NAME, &names(&["spiffe://example.org/web", &long], &["Web.example.org"])),
        ]);
        let found = SubjectAltNames::of_certificate(&der).unwrap();
        assert!(found.uris().eq(["spiffe://example.org/web", &long]));
        assert!(found.dns_names().eq(["Web.example.org"]));
        let none = certificate(&[extension(&[0x55, 0x1d, 0x0f], &[])]);
        assert_eq!(SubjectAltNames::of_certificate(&none), Some(SubjectAltNames::default()));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let good = extension(&SUBJECT_ALT_NAME, &names(&["a:b"], &[]));
        let der = certificate(std::slice::from_ref(&good));
        for end in 0..der.len() {
            assert_eq!(SubjectAltNames::of_certificate(&der[..end]), None, "cut at {end}");
        }
        assert_eq!(SubjectAltNames::of_certificate(&[&der[..], &[0]].concat()), None, "something behind it");
        assert_eq!(SubjectAltNames::of_certificate(&certificate(&[good.clone(), good])), None, "twice");
        let odd = certificate(&[extension(&SUBJECT_ALT_NAME, &names(&["a:é"], &[]))]);
        assert_eq!(SubjectAltNames::of_certificate(&odd), None, "not ASCII");
        let indefinite = certificate(&[extension(&SUBJECT_ALT_NAME, &[0x30, 0x80, 0, 0])]);
        assert_eq!(SubjectAltNames::of_certificate(&indefinite), None, "an indefinite length");
    }

    #[test]
    fn fingerprints_are_read_as_tools_write_them() {
        let lower = "0123456789abcdef".repeat(4);
        let expected = Fingerprint::parse(lower.as_bytes()).unwrap();
        assert_eq!(expected.to_string(), lower);
        let pairs: Vec<String> =
            lower.as_bytes().chunks(2).map(|p| String::from_utf8_lossy(p).to_uppercase()).collect();
        for text in [lower.to_uppercase(), pairs.join(":")] {
            assert_eq!(Fingerprint::parse(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [&lower[1..], &format!("{lower}0"), &lower.replace('0', "g"), &pairs.join(" "), ""] {
            assert_eq!(Fingerprint::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, with: u8) {
            let _ = SubjectAltNames::of_certificate(&bytes);
            let mut der = certificate(&[extension(&SUBJECT_ALT_NAME, &names(&["a:b", "c:d"], &["e"]))]);
            if let Some(byte) = der.get_mut(at) {
                *byte = with;
            }
            if let Some(names) = SubjectAltNames::of_certificate(&der) {
                let _ = names.uris().chain(names.dns_names()).count();
            }
        }
    }
}
