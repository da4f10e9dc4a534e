//! Headers, query, client certificate and facts of the proxy's.

use super::subjects::pattern_fits;
use super::{Finding, listed, quoted};
use crate::decide::{FactValue, RequestFacts};
use crate::identity::{ClientCertificate, VerifiedCertificate};
use crate::kleene::Kleene;
use crate::policy::model::{CertificateTest, Fact, FactTest, Policy, ValueTest};

/// How many pairs of a query count.
const MOST_PAIRS: usize = 256;

/// How a test came out.
pub(super) fn fact(policy: &Policy, test: &FactTest, facts: &RequestFacts<'_>, query: Option<&[u8]>) -> Finding {
    match test {
        FactTest::Header { header: id, accepts } => {
            let (Fact::Header(name), value) = (&policy.facts[*id], facts.value(*id)) else {
                return Finding::new("headers", Kleene::Unknown, "the policy asks for something that is no header");
            };
            header(name, value, accepts)
        }
        FactTest::Query { parameter: name, accepts } => {
            let query = query.unwrap_or_default();
            let one = parameter(&pairs(query, b"&"), name, accepts);
            let other = parameter(&pairs(query, b"&;"), name, accepts);
            if one.value == other.value {
                one
            } else {
                Finding::new("query", Kleene::Unknown, format!("{} depends on whether `;` joins pairs", quoted(name)))
            }
        }
        FactTest::Named { fact: id, values } => {
            let Fact::Named { name, values: known } = &policy.facts[*id] else {
                return Finding::new("facts", Kleene::Unknown, "the policy asks for something that is no fact");
            };
            named(name, known, facts.value(*id), values)
        }
        FactTest::Certificate(test) => certificate(test, facts.certificate),
    }
}

fn text(value: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(value))
}

fn any_equal(value: &[u8], values: &[String]) -> bool {
    values.iter().any(|one| one.as_bytes() == value)
}

fn header(name: &str, value: FactValue<'_>, accepts: &ValueTest) -> Finding {
    let (result, because) = match (value, accepts) {
        (FactValue::NotPassed, _) => (Kleene::Unknown, "is not passed".to_owned()),
        (FactValue::Absent, ValueTest::Absent) => (Kleene::True, "is absent".to_owned()),
        (FactValue::Absent, ValueTest::In(_) | ValueTest::Present) => (Kleene::False, "is absent".to_owned()),
        (FactValue::One(_) | FactValue::Several, ValueTest::Present) => (Kleene::True, "is there".to_owned()),
        (FactValue::One(_) | FactValue::Several, ValueTest::Absent) => (Kleene::False, "is there".to_owned()),
        (FactValue::Several, ValueTest::In(_)) => {
            (Kleene::Unknown, "was sent several times, not known to be alike".to_owned())
        }
        (FactValue::One(value), ValueTest::In(values)) => {
            (any_equal(value, values).into(), format!("is {}", text(value)))
        }
    };
    Finding::new("headers", result, format!("{} {because}", quoted(name)))
}

fn named(name: &str, known: &[String], value: FactValue<'_>, accepted: &[String]) -> Finding {
    let (result, because) = match value {
        FactValue::NotPassed => (Kleene::Unknown, "is not passed".to_owned()),
        FactValue::Absent | FactValue::Several => (Kleene::Unknown, "is not set".to_owned()),
        FactValue::One(value) if any_equal(value, known) => {
            (any_equal(value, accepted).into(), format!("is {}", text(value)))
        }
        FactValue::One(value) => (Kleene::Unknown, format!("is {}, which is none of its values", text(value))),
    };
    Finding::new("facts", result, format!("{} {because}", quoted(name)))
}

/// A pair of a query, decoded as far as it is escaped correctly.
struct Pair {
    name: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

/// The pairs of a query, and whether these are all.
fn pairs(query: &[u8], joined_by: &[u8]) -> (Vec<Pair>, bool) {
    let parts: Vec<&[u8]> = query.split(|byte| joined_by.contains(byte)).collect();
    let read = parts.iter().take(MOST_PAIRS).filter(|part| !part.is_empty()).map(|part| {
        let mut halves = part.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        Pair { name: unescaped(name), value: unescaped(value) }
    });
    (read.collect(), parts.len() <= MOST_PAIRS)
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'%' => {
                let digits = std::str::from_utf8(text.get(at + 1..at + 3)?).ok()?;
                if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 3;
            }
            b'+' => {
                out.push(b' ');
                at += 1;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some(out)
}

/// Whether another name is the wanted one to servers that ignore case, or to PHP.
fn is_taken_for(other: &[u8], wanted: &[u8]) -> bool {
    let spaces = other.iter().take_while(|byte| **byte == b' ').count();
    let folded = |name: &[u8]| -> Vec<u8> {
        name.iter().map(|byte| if b" .[".contains(byte) { b'_' } else { byte.to_ascii_lowercase() }).collect()
    };
    let other = &other[spaces..];
    match other.split_at_checked(wanted.len()) {
        Some((name, rest)) => folded(name) == folded(wanted) && (rest.is_empty() || rest[0] == b'[' || rest[0] == 0),
        None => false,
    }
}

fn parameter((pairs, all): &(Vec<Pair>, bool), name: &str, accepts: &ValueTest) -> Finding {
    let wanted = name.as_bytes();
    let named = |pair: &&Pair| pair.name.as_deref() == Some(wanted);
    let values: Vec<Option<&[u8]>> = pairs.iter().filter(named).map(|pair| pair.value.as_deref()).collect();
    let may_be = |pair: &Pair| match pair.name.as_deref() {
        None => true,
        Some(other) => other != wanted && is_taken_for(other, wanted),
    };
    let doubt = if !all {
        Some("the query has too many pairs")
    } else if pairs.iter().any(may_be) {
        Some("another name may mean it, too")
    } else {
        None
    };
    let (result, because) = match (accepts, &values[..], doubt) {
        (ValueTest::Present, [_, ..], _) => (Kleene::True, "is there".to_owned()),
        (ValueTest::Absent, [_, ..], _) => (Kleene::False, "is there".to_owned()),
        (_, _, Some(doubt)) => (Kleene::Unknown, format!("is unclear: {doubt}")),
        (ValueTest::Absent, [], None) => (Kleene::True, "is absent".to_owned()),
        (ValueTest::In(_) | ValueTest::Present, [], None) => (Kleene::False, "is absent".to_owned()),
        (ValueTest::In(accepted), [first, others @ ..], None) => match first {
            Some(value) if others.iter().all(|other| other == first) => {
                (any_equal(value, accepted).into(), format!("is {}", text(value)))
            }
            Some(_) if others.iter().all(Option::is_some) => {
                (Kleene::Unknown, "is there several times with different values".to_owned())
            }
            Some(_) | None => (Kleene::Unknown, "is not escaped correctly".to_owned()),
        },
    };
    Finding::new("query", result, format!("{} {because}", quoted(name)))
}

fn certificate(test: &CertificateTest, held: &ClientCertificate<'_>) -> Finding {
    let mut parts = Vec::new();
    if let Some(wanted) = test.verified {
        let (is, because) = match held {
            ClientCertificate::NotPassed => (None, "whether there is a client certificate is not passed"),
            ClientCertificate::Absent => (Some(false), "there is no client certificate"),
            ClientCertificate::Unverified => (Some(false), "the client certificate is not verified"),
            ClientCertificate::Verified(_) => (Some(true), "the client certificate is verified"),
        };
        parts.push(Finding::new("verified", is.map_or(Kleene::Unknown, |is| (is == wanted).into()), because));
    }
    let mut part = |key: &'static str,
                    is_asked: bool,
                    judge: &dyn Fn(&VerifiedCertificate<'_>) -> Option<(bool, String)>| {
        if !is_asked {
            return;
        }
        let (value, because) = match held {
            ClientCertificate::NotPassed => {
                (Kleene::Unknown, "whether there is a client certificate is not passed".to_owned())
            }
            ClientCertificate::Absent => (Kleene::False, "there is no client certificate".to_owned()),
            ClientCertificate::Unverified => (Kleene::Unknown, "the client certificate is not verified".to_owned()),
            ClientCertificate::Verified(certificate) => match judge(certificate) {
                Some((holds, what)) => (holds.into(), what),
                None => (Kleene::Unknown, format!("the {key} of the client certificate is not passed or not readable")),
            },
        };
        parts.push(Finding::new(key, value, because));
    };
    part("subject-dn", !test.subject_dns.is_empty(), &|certificate| {
        let dn = certificate.subject_dn?;
        Some((test.subject_dns.iter().any(|one| one == dn), format!("the subject is {}", quoted(dn))))
    });
    part("san-uri", !test.san_uris.is_empty(), &|certificate| {
        let uris: Vec<&str> = certificate.names?.uris().collect();
        let fits = uris.iter().any(|uri| test.san_uris.iter().any(|pattern| pattern_fits(pattern, uri)));
        Some((fits, format!("its URIs are {}", or_none(&uris))))
    });
    part("san-dns", !test.san_dns.is_empty(), &|certificate| {
        let names: Vec<&str> = certificate.names?.dns_names().collect();
        let fits = names.iter().any(|name| test.san_dns.iter().any(|pattern| name_fits(pattern, name)));
        Some((fits, format!("its host names are {}", or_none(&names))))
    });
    part("fingerprint-sha256", !test.fingerprints.is_empty(), &|certificate| {
        let fingerprint = certificate.fingerprint_sha256?;
        Some((test.fingerprints.contains(&fingerprint), format!("its fingerprint is {fingerprint}")))
    });
    let value = parts.iter().fold(Kleene::True, |all, part| all.and(part.value));
    let mut telling: Vec<&str> =
        parts.iter().filter(|part| part.value == value).map(|part| part.because.as_str()).collect();
    telling.dedup();
    Finding::new("certificate", value, telling.join(", ")).with_parts(parts)
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { listed(names.iter().copied(), "and") }
}

/// Label by label, since a `*` stays within its label.
fn name_fits(pattern: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let (wanted, held): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), name.split('.').collect());
    wanted.len() == held.len() && wanted.iter().zip(held).all(|(wanted, held)| label_fits(wanted, held))
}

fn label_fits(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((before, after)) => {
            let Some(rest) = label.strip_prefix(before) else { return false };
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| label_fits(after, &rest[at..]))
        }
    }
}
