//! Headers, query, client certificate and what else the proxy knows.

use super::{pattern, query};
use crate::decide::{FactValue, RequestFacts};
use crate::identity::{ClientCertificate, VerifiedCertificate};
use crate::kleene::Kleene;
use crate::policy::model::{CertificateTest, Fact, FactTest, Policy, ValueTest};

/// Whether a test holds; `query` is that of the target, as received.
pub(crate) fn fact_holds(test: &FactTest, facts: &RequestFacts<'_>, query: Option<&[u8]>, policy: &Policy) -> Kleene {
    match test {
        FactTest::Header { header, accepts } => header_is(facts.value(*header), accepts),
        FactTest::Query { parameter, accepts } => query::parameter_is(query, parameter, accepts),
        FactTest::Named { fact, values } => match (facts.value(*fact), &policy.facts[*fact]) {
            (FactValue::One(value), Fact::Named { name: _, values: known }) if is_one_of(value, known) => {
                is_one_of(value, values).into()
            }
            _ => Kleene::Unknown,
        },
        FactTest::Certificate(test) => certificate_is(test, facts.certificate),
    }
}

fn header_is(value: FactValue<'_>, accepts: &ValueTest) -> Kleene {
    let present = match value {
        FactValue::NotPassed => return Kleene::Unknown,
        FactValue::Absent => false,
        FactValue::One(_) | FactValue::Several => true,
    };
    match (accepts, value) {
        (ValueTest::Present, _) => present.into(),
        (ValueTest::Absent, _) => (!present).into(),
        (ValueTest::In(_), FactValue::Several) => Kleene::Unknown,
        (ValueTest::In(values), FactValue::One(value)) => is_one_of(value, values).into(),
        (ValueTest::In(_), FactValue::Absent | FactValue::NotPassed) => Kleene::False,
    }
}

/// `values` are sorted.
fn is_one_of(value: &[u8], values: &[String]) -> bool {
    values.binary_search_by(|one| one.as_bytes().cmp(value)).is_ok()
}

fn certificate_is(test: &CertificateTest, certificate: &ClientCertificate<'_>) -> Kleene {
    let CertificateTest { verified, subject_dns, san_uris, san_dns, fingerprints } = test;
    let parts = !(subject_dns.is_empty() && san_uris.is_empty() && san_dns.is_empty() && fingerprints.is_empty());
    let is_verified = |is: bool| Kleene::from(verified.is_none_or(|wanted| wanted == is));
    match certificate {
        ClientCertificate::NotPassed => Kleene::Unknown,
        ClientCertificate::Absent => is_verified(false).and((!parts).into()),
        ClientCertificate::Unverified => is_verified(false).and(if parts { Kleene::Unknown } else { Kleene::True }),
        ClientCertificate::Verified(certificate) => is_verified(true).and(parts_are(test, certificate)),
    }
}

fn parts_are(test: &CertificateTest, certificate: &VerifiedCertificate<'_>) -> Kleene {
    let VerifiedCertificate { subject_dn, fingerprint_sha256, names } = certificate;
    let known = |value: Option<bool>| value.map_or(Kleene::Unknown, Kleene::from);
    let mut result = Kleene::True;
    if !test.subject_dns.is_empty() {
        result = result.and(known(subject_dn.map(|dn| is_one_of(dn.as_bytes(), &test.subject_dns))));
    }
    if !test.fingerprints.is_empty() {
        let fits = fingerprint_sha256.map(|fingerprint| test.fingerprints.binary_search(&fingerprint).is_ok());
        result = result.and(known(fits));
    }
    if !test.san_uris.is_empty() {
        let fits = |uri: &str| test.san_uris.iter().any(|wanted| pattern::subject(wanted, uri));
        result = result.and(known(names.map(|names| names.uris().any(fits))));
    }
    if !test.san_dns.is_empty() {
        let fits = |name: &str| test.san_dns.iter().any(|wanted| pattern::dns_name(wanted, name));
        result = result.and(known(names.map(|names| names.dns_names().any(fits))));
    }
    result
}
