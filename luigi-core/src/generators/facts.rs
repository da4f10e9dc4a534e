//! Facts, tests of them, and requests that have some.

use super::{Choices, FRONTENDS, METHODS};
use crate::decide::FactValue;
use crate::identity::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
use crate::matchers::{METHOD_OVERRIDE_HEADERS, PREFLIGHT_HEADERS};
use crate::policy::model::{CertificateTest, Fact, FactTest, Policy, ValueTest};
use std::sync::LazyLock;

const HEADERS: [&str; 2] = ["x-team", "x-version"];
const VALUES: [&str; 4] = ["a", "a b", "b", "é"];
const COUNTRIES: [&str; 3] = ["AT", "DE", "FR"];
const PARAMETERS: [&str; 2] = ["v", "team"];
const PAIRS: [&str; 20] = [
    "v=a",
    "v=b",
    "team=a",
    "v",
    "v=",
    "V=a",
    "v=%61",
    "v=a+b",
    "v=a%20b",
    "v=%",
    "%=a",
    "x=1;v=a",
    "v=%C3%A9",
    "team=%61",
    "v[]=b",
    "+V=b",
    "v%00x=a",
    "team+[=a",
    "%5Fmethod=put",
    "+.METHOD[]",
];
const SUBJECT_DNS: [&str; 2] = ["CN=job", "CN=web,O=Example"];
const URIS: [&str; 3] = ["spiffe://a.test/web", "spiffe://a.test/ns/job", "spiffe://b.test/web"];
const URI_PATTERNS: [&str; 4] = ["spiffe://a.test/web", "spiffe://a.test/*", "spiffe://*/web", "spiffe://a.test/*/*b"];
const DNS_NAMES: [&str; 3] = ["web.a.test", "Job.A.test", "x.y.a.test"];
const DNS_PATTERNS: [&str; 4] = ["web.a.test", "*.a.test", "j*b.a.test", "*.*.a.test"];

/// Every fact that a generated rule may ask for.
pub(super) fn table(choices: &mut Choices<'_>) -> Vec<Fact> {
    let mut facts =
        vec![Fact::Certificate, Fact::CertificateFingerprint, Fact::CertificateNames, Fact::CertificateSubject];
    let values = COUNTRIES[..choices.between(1, 3)].iter().map(|value| (*value).to_owned()).collect();
    facts.push(Fact::Named { name: "country".to_owned(), values });
    facts.push(Fact::Frontend);
    facts.extend(
        HEADERS
            .iter()
            .chain(&PREFLIGHT_HEADERS)
            .chain(&METHOD_OVERRIDE_HEADERS)
            .map(|name| Fact::Header((*name).to_owned())),
    );
    facts.sort();
    facts
}

/// Usually no test.
pub(super) fn tests(policy: &Policy, choices: &mut Choices<'_>, percent: usize) -> Vec<FactTest> {
    if !choices.chance(percent) {
        return Vec::new();
    }
    let many = if choices.chance(20) { 2 } else { 1 };
    let mut tests: Vec<FactTest> = (0..many).map(|_| test(policy, choices)).collect();
    tests.sort();
    tests.dedup();
    tests
}

pub(super) fn test(policy: &Policy, choices: &mut Choices<'_>) -> FactTest {
    let place = |wanted: &dyn Fn(&Fact) -> bool| policy.facts.iter().find(|(_, fact)| wanted(fact)).map(|(id, _)| id);
    match choices.below(4) {
        0 => {
            let name = choices.text(&HEADERS);
            let header = place(&|fact| matches!(fact, Fact::Header(own) if *own == name));
            FactTest::Header { header: header.expect("the table has every header"), accepts: value_test(choices) }
        }
        1 => FactTest::Query { parameter: choices.text(&PARAMETERS), accepts: value_test(choices) },
        2 => {
            let fact = place(&|fact| matches!(fact, Fact::Named { .. })).expect("the table has a fact");
            let Fact::Named { name: _, values } = &policy.facts[fact] else { unreachable!("found as one") };
            FactTest::Named { fact, values: choices.some(values, 2) }
        }
        _ => FactTest::Certificate(certificate_test(choices)),
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn value_test(choices: &mut Choices<'_>) -> ValueTest {
    match choices.below(4) {
        2 => ValueTest::Present,
        3 => ValueTest::Absent,
        _ => ValueTest::In(choices.some(&owned(&VALUES), 2)),
    }
}

fn fingerprint(choices: &mut Choices<'_>) -> Fingerprint {
    Fingerprint::from([u8::from(choices.chance(30)); 32])
}

fn certificate_test(choices: &mut Choices<'_>) -> CertificateTest {
    let mut test = CertificateTest::default();
    for _ in 0..if choices.chance(25) { 2 } else { 1 } {
        match choices.below(5) {
            0 => test.verified = Some(!choices.chance(40)),
            1 => test.subject_dns = choices.some(&owned(&SUBJECT_DNS), 1),
            2 => test.san_uris = choices.some(&owned(&URI_PATTERNS), 2),
            3 => test.san_dns = choices.some(&owned(&DNS_PATTERNS), 2),
            _ => test.fingerprints = vec![fingerprint(choices)],
        }
    }
    test
}

/// The encodings of all sets of names.
static NAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let of = |set: usize, names: [&'static str; 3]| {
        names.into_iter().enumerate().filter(move |(n, _)| set >> n & 1 == 1).map(|(_, name)| name)
    };
    (0..64).map(|set| SubjectAltNames::encode(of(set >> 3, URIS), of(set & 7, DNS_NAMES))).collect()
});

pub(super) fn query(choices: &mut Choices<'_>) -> Option<String> {
    if choices.chance(30) {
        return None;
    }
    let pairs: Vec<String> = (0..choices.below(4)).map(|_| choices.text(&PAIRS)).collect();
    let mut query = pairs.join(if choices.chance(5) { ";" } else { "&" });
    if choices.chance(1) {
        query.push_str(&"&x".repeat(260));
    }
    Some(query)
}

/// Values for the facts of a policy; now and then not all of them.
pub(super) fn values(policy: &Policy, choices: &mut Choices<'_>) -> Vec<FactValue<'static>> {
    let passed = if choices.chance(5) { choices.below(policy.facts.len() + 1) } else { policy.facts.len() };
    let value = |(_, fact): (_, &Fact)| match (choices.below(10), fact) {
        (0 | 3.., Fact::Frontend) => FactValue::One(choices.pick(&FRONTENDS).as_bytes()),
        (1, _) => FactValue::NotPassed,
        (2, _) => FactValue::Absent,
        (3, _) => FactValue::Several,
        (_, Fact::Header(name)) if METHOD_OVERRIDE_HEADERS.contains(&name.as_str()) => FactValue::Absent,
        (_, Fact::Header(name)) if name == PREFLIGHT_HEADERS[1] => FactValue::One(choices.pick(&METHODS).as_bytes()),
        (_, Fact::Named { .. }) => FactValue::One(choices.pick(&["DE", "AT", "FR", "XX"]).as_bytes()),
        _ => FactValue::One(choices.pick(&VALUES).as_bytes()),
    };
    policy.facts.iter().take(passed).map(value).collect()
}

pub(super) fn certificate(choices: &mut Choices<'_>) -> ClientCertificate<'static> {
    match choices.below(8) {
        1 => ClientCertificate::NotPassed,
        2 => ClientCertificate::Absent,
        3 => ClientCertificate::Unverified,
        _ => ClientCertificate::Verified(VerifiedCertificate {
            subject_dn: (!choices.chance(15)).then(|| *choices.pick(&SUBJECT_DNS)),
            fingerprint_sha256: (!choices.chance(15)).then(|| fingerprint(choices)),
            names: (!choices.chance(15)).then(|| SubjectAltNames::of_names(&NAMES[choices.below(64)])).flatten(),
        }),
    }
}
