//! Client certificates, cut into what rules can tell apart.

use super::brought::{Brought, Certificate, ask};
use super::dimension::{Atom, Atoms, Axis, Dimension, MAX_ATOMS, Raw, Setting};
use super::in_play::Side;
use super::subject_patterns::{Kind, witnesses};
use crate::identity::Fingerprint;
use crate::matchers::{dns_name_fits, subject_fits};
use crate::policy::model::{CertificateTest, FactTest};
use std::collections::BTreeSet;

/// The most names of one kind of which every combination is looked at.
const MAX_COMBINED_NAMES: usize = 5;
/// The most certificates that are looked at.
const MAX_CERTIFICATES: usize = 8_192;

/// One part of a certificate: what it may be, with what it is made of; the first is what nobody asks for, the last what is not known.
type Part<T> = Vec<(Option<T>, Atoms)>;

/// One certificate for each way to meet the tests.
pub(super) fn dimension(sides: &[Side<'_>], tests: &[(usize, &FactTest)]) -> Dimension {
    let asked: Vec<&CertificateTest> = tests
        .iter()
        .filter_map(|(_, test)| match test {
            FactTest::Certificate(test) => Some(test),
            FactTest::Header { .. } | FactTest::Query { .. } | FactTest::Named { .. } => None,
        })
        .collect();
    let atom = |yes: &str, no: &str| Atom { yes: yes.to_owned(), no: no.to_owned() };
    let mut atoms = vec![
        atom("with a verified client certificate", "without a verified client certificate"),
        atom("with a client certificate that is not verified", "without a client certificate that is not verified"),
        atom("of whose client certificate nothing is known", ""),
        atom("of whose client certificate not everything is known", ""),
    ];
    let (verified, unverified, not_passed, partly): (Atoms, Atoms, Atoms, Atoms) = (0b1, 0b10, 0b100, 0b1000);
    let mut gap = None;

    let named: BTreeSet<&str> = asked.iter().flat_map(|test| test.subject_dns.iter().map(String::as_str)).collect();
    let mut subjects: Part<String> = vec![(Some("CN=other".to_owned()), 0)];
    for dn in &named {
        subjects.push((Some((*dn).to_owned()), mark(&mut atoms, &format!("certificate subject `{dn}`"), &mut gap)));
    }
    if named.contains("CN=other") {
        subjects[0] = (Some("CN=nobody that is named".to_owned()), 0);
    }
    subjects.push((None, partly));

    let named: BTreeSet<Fingerprint> = asked.iter().flat_map(|test| test.fingerprints.iter().copied()).collect();
    let free = (0..=u8::MAX).map(|byte| Fingerprint::from([byte; 32])).find(|one| !named.contains(one));
    let mut fingerprints: Part<Fingerprint> = free.map(|one| (Some(one), 0)).into_iter().collect();
    for one in named {
        fingerprints.push((Some(one), mark(&mut atoms, &format!("certificate fingerprint `{one}`"), &mut gap)));
    }
    fingerprints.push((None, partly));

    let uris = asked.iter().flat_map(|test| test.san_uris.iter().map(String::as_str));
    let uris = names("URI", uris.collect(), Kind { separators: b":/", fits: subject_fits }, &mut atoms, &mut gap);
    let dns_names = asked.iter().flat_map(|test| test.san_dns.iter().map(String::as_str));
    let kind = Kind { separators: b".", fits: dns_name_fits };
    let dns_names = names("DNS name", dns_names.collect(), kind, &mut atoms, &mut gap);
    let mut all_names: Part<(Vec<String>, Vec<String>)> = Vec::new();
    for (uris, of_uris) in &uris {
        for (dns_names, of_dns_names) in &dns_names {
            all_names.push((Some((uris.clone(), dns_names.clone())), of_uris | of_dns_names));
        }
    }
    all_names.push((None, partly));

    let signature = |certificate: &Certificate| {
        let brought = Brought { certificate: certificate.clone(), ..Brought::default() };
        ask(sides, tests, &brought)
    };
    let raw = |certificate: Certificate, atoms: Atoms, rank: u32| Raw {
        signature: signature(&certificate),
        setting: Setting::Certificate(certificate),
        atoms,
        rank,
    };
    let mut all = vec![
        raw(Certificate::Absent, 0, 0),
        raw(Certificate::Unverified, unverified, 3),
        raw(Certificate::NotPassed, not_passed, 4),
    ];
    'all: for (subject_dn, of_subject) in &subjects {
        for (fingerprint, of_fingerprint) in &fingerprints {
            for (names, of_names) in &all_names {
                if all.len() > MAX_CERTIFICATES {
                    gap = Some("client certificates of which few things are known".to_owned());
                    break 'all;
                }
                let certificate = Certificate::Verified {
                    subject_dn: subject_dn.clone(),
                    fingerprint: *fingerprint,
                    names: names.clone(),
                };
                let held = verified | of_subject | of_fingerprint | of_names;
                let strange = if held & partly == 0 { 0 } else { 3 };
                all.push(raw(certificate, held, held.count_ones() + strange));
            }
        }
    }
    Dimension::reduce(Axis::Certificate, atoms, gap, all)
}

/// Takes an atom for something that a certificate has; none, and a gap, if there are too many.
fn mark(atoms: &mut Vec<Atom>, what: &str, gap: &mut Option<String>) -> Atoms {
    if atoms.len() == MAX_ATOMS {
        *gap = Some(format!("{MAX_ATOMS} things that certificates may have"));
        return 0;
    }
    atoms.push(Atom { yes: format!("with {what}"), no: format!("without {what}") });
    1 << (atoms.len() - 1)
}

/// Sets of names, one for each way to fit the patterns.
fn names(
    what: &str,
    patterns: BTreeSet<&str>,
    kind: Kind,
    atoms: &mut Vec<Atom>,
    gap: &mut Option<String>,
) -> Vec<(Vec<String>, Atoms)> {
    let patterns: Vec<&str> = patterns.into_iter().collect();
    let mut sets = vec![(Vec::new(), 0)];
    if patterns.is_empty() {
        return sets;
    }
    let marks: Vec<Atoms> = patterns
        .iter()
        .map(|pattern| {
            let how = if pattern.contains('*') { format!("a {what} like") } else { format!("the {what}") };
            mark(atoms, &format!("{how} `{pattern}` in the client certificate"), gap)
        })
        .collect();
    let (texts, complete) = witnesses(&patterns, kind);
    let made_of = |text: &str| {
        let fitting = patterns.iter().zip(&marks).filter(|(pattern, _)| (kind.fits)(pattern, text));
        fitting.fold(0, |set: Atoms, (_, mark)| set | mark)
    };
    let mut texts: Vec<(String, Atoms)> =
        texts.into_iter().map(|text| (made_of(&text), text)).map(|(m, t)| (t, m)).collect();
    texts.retain(|(_, held)| *held != 0);
    if !complete || texts.len() > MAX_COMBINED_NAMES {
        *gap = Some(format!("client certificates with one or two {what}s of each kind"));
    }
    if texts.len() <= MAX_COMBINED_NAMES {
        for set in 1..1_u32 << texts.len() {
            let held = texts.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, one)| one);
            let (names, of_names): (Vec<String>, Vec<Atoms>) = held.cloned().unzip();
            sets.push((names, of_names.into_iter().fold(0, |all, one| all | one)));
        }
    } else {
        for (at, (one, of_one)) in texts.iter().enumerate() {
            sets.push((vec![one.clone()], *of_one));
            for (other, of_other) in &texts[at + 1..] {
                sets.push((vec![one.clone(), other.clone()], of_one | of_other));
            }
        }
    }
    sets
}
