//! From the facts that a line carries to those that a policy asks for.

use crate::facts::{CarriedFact, FactList, MoreFacts};
use crate::request::FactSource;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use luigi_core::decide::FactValue;
use luigi_core::identity::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
use luigi_core::policy::model::{Fact, FactKey, MAX_FACTS, Policy};

/// Which facts whoever calls an engine passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Carried {
    /// Whatever a policy asks for: whoever calls describes requests and does not pass on those of a proxy.
    #[default]
    Everything,
    /// These, as the lines of a proxy's configuration do. A version that needs others is not taken.
    Only(FactList),
}

impl Carried {
    /// What to answer to a policy that needs more than is passed.
    pub(crate) fn check(&self, policy: &Policy) -> Result<(), String> {
        let Self::Only(carried) = self else { return Ok(()) };
        let lacking = carried.lacks(&FactList::of_policy(policy));
        if lacking.is_empty() {
            return Ok(());
        }
        Err(format!(
            "it asks for what the configuration of HAProxy does not pass: {lacking}; print its lines for this policy with `luigi haproxy-config`, put \
             them into the configuration, and reload HAProxy"
        ))
    }
}

/// What a request carries of what a policy asks for.
pub(crate) struct Passed<'a> {
    values: [FactValue<'a>; MAX_FACTS],
    len: usize,
    /// The client certificate.
    pub(crate) certificate: ClientCertificate<'a>,
    /// Whether the line lacks something that the policy asks for.
    pub(crate) incomplete: bool,
}

impl<'a> Passed<'a> {
    /// For a policy that asks for nothing.
    pub(crate) const NOTHING: Self = Self {
        values: [FactValue::NotPassed; MAX_FACTS],
        len: 0,
        certificate: ClientCertificate::NotPassed,
        incomplete: false,
    };

    /// The values in the order of the policy's facts.
    pub(crate) fn values(&self) -> &[FactValue<'a>] {
        &self.values[..self.len]
    }

    /// What an embedder has. It passes on whatever it is asked for: what it does not know is unknown, and no line lacks it.
    pub(crate) fn from_source(policy: &Policy, source: &'a dyn FactSource) -> Self {
        let mut passed = Self { len: policy.facts.len().min(MAX_FACTS), ..Self::NOTHING };
        let mut asks_for_certificate = false;
        for ((_, fact), value) in policy.facts.iter().zip(&mut passed.values) {
            match fact {
                Fact::Header(_) | Fact::Named { .. } | Fact::Frontend => *value = source.value(fact.key()),
                Fact::Certificate
                | Fact::CertificateFingerprint
                | Fact::CertificateNames
                | Fact::CertificateSubject => asks_for_certificate = true,
            }
        }
        if asks_for_certificate {
            passed.certificate = source.certificate();
        }
        passed
    }

    /// Both the policy's facts and those of a line are in the order of their keys, so they are gone through side by side.
    /// `certificate` becomes the certificate itself, if it is asked for; it keeps its room.
    pub(crate) fn of(policy: &Policy, carried: MoreFacts<'a>, certificate: &'a mut Vec<u8>) -> Self {
        let mut passed = Self { len: policy.facts.len().min(MAX_FACTS), ..Self::NOTHING };
        let mut state = None;
        let mut known = VerifiedCertificate::default();
        let mut encoded = None;
        let mut carried = carried.iter().peekable();
        for ((_, fact), value) in policy.facts.iter().zip(&mut passed.values) {
            let key = fact.key();
            while carried.next_if(|(other, _)| *other < key).is_some() {}
            let Some((_, found)) = carried.next_if(|(other, _)| *other == key) else {
                passed.incomplete = true;
                continue;
            };
            match (fact, found) {
                (Fact::Header(_), CarriedFact::Header { count, last, before }) => *value = header(count, last, before),
                (Fact::Named { .. } | Fact::Frontend, CarriedFact::Value(text)) => {
                    *value = text.map_or(FactValue::Absent, FactValue::One);
                }
                (Fact::Certificate, CarriedFact::Certificate { used, verify }) => state = Some((used, verify)),
                (Fact::CertificateFingerprint, CarriedFact::Value(Some(text))) => {
                    known.fingerprint_sha256 = Fingerprint::parse(text);
                }
                (Fact::CertificateSubject, CarriedFact::Value(Some(text))) => {
                    known.subject_dn = std::str::from_utf8(text).ok();
                }
                (Fact::CertificateNames, CarriedFact::Value(Some(text))) => encoded = Some(text),
                // A part of a certificate that is not there; nothing else has a key of another kind.
                _ => {}
            }
        }
        if let Some(encoded) = encoded
            && let Ok(der) = decoded(encoded, certificate)
        {
            known.names = SubjectAltNames::of_certificate(der);
        }
        passed.certificate = match state {
            None => ClientCertificate::NotPassed,
            Some((false, _)) => ClientCertificate::Absent,
            Some((true, 0)) => ClientCertificate::Verified(known),
            Some((true, _)) => ClientCertificate::Unverified,
        };
        passed
    }
}

fn header<'a>(count: u32, last: &'a [u8], before: &'a [u8]) -> FactValue<'a> {
    match count {
        0 => FactValue::Absent,
        1 => FactValue::One(last),
        2 if last == before => FactValue::One(last),
        // Of three and more not all are carried.
        _ => FactValue::Several,
    }
}

fn decoded<'a>(text: &[u8], room: &'a mut Vec<u8>) -> Result<&'a [u8], base64::DecodeSliceError> {
    room.resize(text.len(), 0);
    let length = STANDARD.decode_slice(text, room)?;
    Ok(&room[..length])
}

/// The facts of a policy that the line lacks, for people.
pub(crate) fn lacking(policy: &Policy, carried: MoreFacts<'_>) -> FactList {
    let keys: Vec<FactKey<'_>> = carried.iter().map(|(key, _)| key).collect();
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    // What was read from a line is a list of facts.
    FactList::parse(&names.join(" "))
        .unwrap_or_else(|_| FactList::of_policy(policy))
        .lacks(&FactList::of_policy(policy))
}
