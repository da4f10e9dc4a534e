//! The facts of requests that nobody sent: as tests, the command line and the stats socket describe them.

use crate::decide::{FactValue, HeaderLines};
use crate::identity::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
use crate::kleene::Kleene;
use crate::policy::model::{Fact, FactKey, Policy, is_frontend_name};

/// What a description says of headers, facts, the client certificate and the frontend. A member that is `None` says nothing, so everything about it is
/// unknown; one that is there says all: what it does not name, the request does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedFacts {
    /// Headers with their values in the order of the request; names in lower case.
    pub headers: Option<Vec<(String, Vec<String>)>>,
    /// Facts with their values.
    pub facts: Option<Vec<(String, String)>>,
    /// The client certificate.
    pub certificate: Option<DescribedCertificate>,
    /// The name of the frontend that took the request in.
    pub frontend: Option<String>,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DescribedCertificate {
    /// There is none.
    Absent,
    /// There is one that the proxy did not verify.
    Unverified,
    /// The proxy verified it.
    Verified {
        /// The subject's distinguished name.
        subject_dn: Option<String>,
        /// Its fingerprint.
        fingerprint: Option<Fingerprint>,
        /// Its alternative names, as [`SubjectAltNames::encode`] makes them.
        names: Vec<u8>,
    },
}

impl DescribedCertificate {
    fn verified() -> Self {
        Self::Verified { subject_dn: None, fingerprint: None, names: Vec::new() }
    }
}

impl DescribedFacts {
    /// Takes one word of a description: `header:NAME`, `fact:NAME`, `certificate` (`none`, `unverified` or `verified`), `certificate-subject`,
    /// `certificate-fingerprint`, `san-uri`, `san-dns` or `frontend`, with its value. `header:none` and `fact:none` say that there are none.
    ///
    /// # Errors
    /// A name that is none of these, or a value that cannot be.
    pub fn describe(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "header:none" => {
                self.headers.get_or_insert_default();
            }
            "fact:none" => {
                self.facts.get_or_insert_default();
            }
            "certificate" => {
                self.certificate = Some(match value {
                    "none" => DescribedCertificate::Absent,
                    "unverified" => DescribedCertificate::Unverified,
                    "verified" => DescribedCertificate::verified(),
                    _ => return Err("`certificate` is `none`, `unverified` or `verified`".to_owned()),
                });
            }
            "frontend" if is_frontend_name(value) => self.frontend = Some(value.to_owned()),
            "frontend" => return Err(format!("`{}` is no name of a frontend", value.escape_debug())),
            "certificate-subject" | "certificate-fingerprint" | "san-uri" | "san-dns" => return self.part(name, value),
            _ => match FactKey::parse(&name.to_ascii_lowercase()) {
                Some(FactKey::Header(name)) => {
                    let headers = self.headers.get_or_insert_default();
                    headers.push((name.to_owned(), vec![value.to_owned()]));
                }
                Some(FactKey::Named(name)) => {
                    self.facts.get_or_insert_default().push((name.to_owned(), value.to_owned()));
                }
                _ => return Err(format!("`{name}` is not known")),
            },
        }
        Ok(())
    }

    /// A part of a certificate, which is a verified one then.
    fn part(&mut self, name: &str, value: &str) -> Result<(), String> {
        let certificate = self.certificate.get_or_insert_with(DescribedCertificate::verified);
        let DescribedCertificate::Verified { subject_dn, fingerprint, names } = certificate else {
            return Err(format!("`{name}` is for a certificate that is verified"));
        };
        match name {
            "certificate-subject" => *subject_dn = Some(value.to_owned()),
            "certificate-fingerprint" => {
                let parsed = Fingerprint::parse(value.as_bytes());
                *fingerprint = Some(parsed.ok_or_else(|| format!("`{value}` is not a SHA-256 fingerprint"))?);
            }
            _ if !value.is_ascii() => return Err("names in certificates are ASCII".to_owned()),
            "san-uri" => names.extend(SubjectAltNames::encode([value], [])),
            _ => names.extend(SubjectAltNames::encode([], [value])),
        }
        Ok(())
    }

    /// The values of the facts that a policy asks for, in their order.
    #[must_use]
    pub fn values(&self, policy: &Policy) -> Vec<FactValue<'_>> {
        policy.facts.iter().map(|(_, fact)| self.value(fact)).collect()
    }

    fn value(&self, fact: &Fact) -> FactValue<'_> {
        match fact {
            Fact::Header(wanted) => {
                let Some(headers) = &self.headers else { return FactValue::NotPassed };
                let mut values = headers.iter().filter(|(name, _)| name == wanted).flat_map(|(_, values)| values);
                match values.next() {
                    None => FactValue::Absent,
                    Some(first) if values.all(|other| other == first) => FactValue::One(first.as_bytes()),
                    Some(_) => FactValue::Several,
                }
            }
            Fact::Named { name: wanted, values: _ } => {
                let Some(facts) = &self.facts else { return FactValue::NotPassed };
                let found = facts.iter().find(|(name, _)| name == wanted);
                found.map_or(FactValue::Absent, |(_, value)| FactValue::One(value.as_bytes()))
            }
            Fact::Frontend => {
                self.frontend.as_ref().map_or(FactValue::NotPassed, |name| FactValue::One(name.as_bytes()))
            }
            Fact::Certificate | Fact::CertificateFingerprint | Fact::CertificateNames | Fact::CertificateSubject => {
                FactValue::NotPassed
            }
        }
    }

    /// What the request has of a header; `None` if nothing is said about headers.
    #[must_use]
    pub fn header_lines(&self, wanted: &str) -> Option<HeaderLines<'_>> {
        let headers = self.headers.as_ref()?.iter().filter(|(name, _)| name == wanted);
        let mut lines = HeaderLines { count: 0, last: b"", before: b"" };
        for value in headers.flat_map(|(_, values)| values) {
            lines = HeaderLines { count: lines.count + 1, last: value.as_bytes(), before: lines.last };
        }
        Some(lines)
    }

    /// Whether the request asks for an upgrade: whether a header is described that does. Unlike other headers this one is not there if
    /// nothing is said about headers, since hardly any request has it.
    #[must_use]
    pub fn upgrade(&self) -> Kleene {
        let mut headers = self.headers.iter().flatten();
        headers.any(|(name, values)| name == "upgrade" && !values.is_empty()).into()
    }

    /// The client certificate.
    #[must_use]
    pub fn certificate(&self) -> ClientCertificate<'_> {
        match &self.certificate {
            None => ClientCertificate::NotPassed,
            Some(DescribedCertificate::Absent) => ClientCertificate::Absent,
            Some(DescribedCertificate::Unverified) => ClientCertificate::Unverified,
            Some(DescribedCertificate::Verified { subject_dn, fingerprint, names }) => {
                ClientCertificate::Verified(VerifiedCertificate {
                    // What is not described is something else than a rule could ask for.
                    subject_dn: Some(subject_dn.as_deref().unwrap_or("")),
                    fingerprint_sha256: Some(fingerprint.unwrap_or(Fingerprint::from([0; 32]))),
                    names: SubjectAltNames::of_names(names),
                })
            }
        }
    }
}
