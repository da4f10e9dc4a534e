//! What requests bring along beside target and identity: headers, query parameters and facts of the proxy, cut into what rules can tell
//! apart. The client certificate is in `certificates`.
//!
//! What nothing in play looks at a request does not have.

use super::dimension::{Atom, Atoms, Axis, Dimension, MAX_ATOMS, Raw, Setting};
use super::in_play::{InPlay, Passes, Side};
use super::words::listed;
use crate::decide::{FactValue, RequestFacts};
use crate::identity::{ClientCertificate, Fingerprint, SubjectAltNames, VerifiedCertificate};
use crate::kleene::Kleene;
use crate::matchers::{PREFLIGHT_HEADERS, fact_holds};
use crate::policy::model::{Fact, FactTest, Policy, ValueTest};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What a request has of a header, or of a parameter of its query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing.
    #[default]
    Absent,
    /// This value.
    One(String),
    /// Two values.
    Several,
    /// What cannot be known: a header that is not passed, something that some servers take for the parameter.
    Unclear,
}

/// A client certificate; the members of a verified one are `None` if they are not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Certificate {
    NotPassed,
    #[default]
    Absent,
    Unverified,
    Verified {
        subject_dn: Option<String>,
        fingerprint: Option<Fingerprint>,
        /// URIs and DNS names.
        names: Option<(Vec<String>, Vec<String>)>,
    },
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Brought {
    pub(super) headers: BTreeMap<String, Sent>,
    pub(super) query: BTreeMap<String, Sent>,
    pub(super) facts: BTreeMap<String, Option<String>>,
    pub(super) certificate: Certificate,
}

impl Brought {
    /// Takes a setting of one of these dimensions; any other says nothing here.
    pub(super) fn apply(&mut self, setting: &Setting) {
        match setting {
            Setting::Header(name, sent) => drop(self.headers.insert(name.clone(), sent.clone())),
            Setting::Query(name, sent) => drop(self.query.insert(name.clone(), sent.clone())),
            Setting::Fact(name, value) => drop(self.facts.insert(name.clone(), value.clone())),
            Setting::Certificate(certificate) => self.certificate.clone_from(certificate),
            Setting::Preflight(sent) => {
                let headers = PREFLIGHT_HEADERS.map(str::to_owned).into_iter().zip(sent);
                headers.for_each(|(name, sent)| drop(self.headers.insert(name, sent.clone())));
            }
            _ => {}
        }
    }

    /// The query, if there is one.
    pub(super) fn query(&self) -> Option<String> {
        let pairs = self.query.iter().filter_map(|(name, sent)| {
            let name = escaped(name);
            match sent {
                Sent::Absent => None,
                Sent::One(value) => Some(format!("{name}={}", escaped(value))),
                Sent::Several => Some(format!("{name}=1&{name}=2")),
                Sent::Unclear => Some(format!("{name}[]=1")),
            }
        });
        let query = pairs.collect::<Vec<_>>().join("&");
        (!query.is_empty()).then_some(query)
    }

    /// The headers with their values, as far as they are known.
    pub(super) fn header_values(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let values = |sent| match sent {
            &Sent::Absent | &Sent::Unclear => Vec::new(),
            Sent::One(value) => vec![value.as_str()],
            Sent::Several => vec!["one", "another"],
        };
        self.headers.iter().map(move |(name, sent)| (name.as_str(), values(sent))).filter(|(_, all)| !all.is_empty())
    }

    /// Hands what a policy asks for to `ask`, of a request that came in at this frontend.
    pub(super) fn with_facts<T>(
        &self,
        policy: &Policy,
        frontend: Option<&str>,
        ask: impl FnOnce(RequestFacts<'_>) -> T,
    ) -> T {
        let value = |fact: &Fact| match fact {
            Fact::Header(name) => match self.headers.get(name).map_or(&Sent::Absent, |sent| sent) {
                Sent::Absent => FactValue::Absent,
                Sent::One(value) => FactValue::One(value.as_bytes()),
                Sent::Several => FactValue::Several,
                Sent::Unclear => FactValue::NotPassed,
            },
            Fact::Named { name, values: _ } => {
                let value = self.facts.get(name).and_then(Option::as_ref);
                value.map_or(FactValue::NotPassed, |value| FactValue::One(value.as_bytes()))
            }
            Fact::Frontend => frontend.map_or(FactValue::NotPassed, |name| FactValue::One(name.as_bytes())),
            Fact::Certificate | Fact::CertificateFingerprint | Fact::CertificateNames | Fact::CertificateSubject => {
                FactValue::NotPassed
            }
        };
        let values: Vec<FactValue<'_>> = policy.facts.iter().map(|(_, fact)| value(fact)).collect();
        let encoded = self.certificate.names();
        let certificate = match &self.certificate {
            Certificate::NotPassed => ClientCertificate::NotPassed,
            Certificate::Absent => ClientCertificate::Absent,
            Certificate::Unverified => ClientCertificate::Unverified,
            Certificate::Verified { subject_dn, fingerprint, names: _ } => {
                ClientCertificate::Verified(VerifiedCertificate {
                    subject_dn: subject_dn.as_deref(),
                    fingerprint_sha256: *fingerprint,
                    names: encoded.as_deref().and_then(SubjectAltNames::of_names),
                })
            }
        };
        ask(RequestFacts { values: &values, certificate: &certificate })
    }
}

impl Certificate {
    /// The alternative names as they stand in a certificate.
    fn names(&self) -> Option<Vec<u8>> {
        let Self::Verified { names: Some((uris, dns_names)), .. } = self else { return None };
        Some(SubjectAltNames::encode(uris.iter().map(String::as_str), dns_names.iter().map(String::as_str)))
    }
}

impl Certificate {
    /// As tests and options describe it; `None` if nothing is known.
    pub(super) fn described(&self) -> Option<Value> {
        match self {
            Self::NotPassed => None,
            Self::Absent => Some(Value::from("none")),
            Self::Unverified => Some(Value::from("unverified")),
            Self::Verified { subject_dn, fingerprint, names } => {
                let mut parts = Map::new();
                let mut put =
                    |key: &str, value: Option<Value>| drop(value.map(|value| parts.insert(key.to_owned(), value)));
                put("subject-dn", subject_dn.as_deref().map(Value::from));
                put("fingerprint-sha256", fingerprint.map(|one| Value::from(one.to_string())));
                let (uris, dns_names) =
                    names.as_ref().map_or((&[][..], &[][..]), |(uris, names)| (&uris[..], &names[..]));
                put("san-uri", (!uris.is_empty()).then(|| Value::from(uris)));
                put("san-dns", (!dns_names.is_empty()).then(|| Value::from(dns_names)));
                Some(Value::Object(parts))
            }
        }
    }
}

/// Everything but unreserved characters escaped.
pub(super) fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Some tests; the number is that of the side whose policy they belong to.
type Tests<'a> = Vec<(usize, &'a FactTest)>;

/// All dimensions of what a request brings along that matter here.
pub(super) fn dimensions(sides: &[Side<'_>], in_play: &InPlay<'_>) -> Vec<Dimension> {
    let (mut headers, mut facts): (BTreeMap<&str, Tests<'_>>, BTreeMap<&str, Tests<'_>>) = Default::default();
    let (mut parameters, mut certificates): (BTreeMap<&str, Tests<'_>>, Tests<'_>) = Default::default();
    for one in &in_play.facts {
        let (side, test) = one;
        let named = |id| &sides[*side].snapshot.policy().facts[id];
        match test {
            FactTest::Header { header, accepts: _ } => {
                if let Fact::Header(name) = named(*header) {
                    headers.entry(name).or_default().push(*one);
                }
            }
            FactTest::Query { parameter, accepts: _ } => parameters.entry(parameter).or_default().push(*one),
            FactTest::Named { fact, values: _ } => {
                if let Fact::Named { name, values: _ } = named(*fact) {
                    facts.entry(name).or_default().push(*one);
                }
            }
            FactTest::Certificate(_) => certificates.push(*one),
        }
    }
    let mut all = Vec::new();
    let passes: Vec<&[Passes]> = sides.iter().map(|side| &side.preflights[..]).collect();
    if passes.iter().any(|passes| !passes.is_empty()) {
        let tests = PREFLIGHT_HEADERS.map(|name| headers.remove(name).unwrap_or_default());
        all.push(preflights(sides, &passes, &tests));
    }
    all.extend(headers.into_iter().map(|(name, tests)| header(sides, name, &tests)));
    let alike = parameters_alike(sides, &parameters);
    all.extend(parameters.into_iter().map(|(name, tests)| query(sides, name, &tests)));
    if let (Some(names), Some(last)) = (alike, all.last_mut()) {
        last.gap = Some(format!("query parameters {names} one at a time, which some servers take for each other"));
    }
    all.extend(facts.into_iter().map(|(name, tests)| fact(sides, name, &tests)));
    if !certificates.is_empty() {
        all.push(super::certificates::dimension(sides, &certificates));
    }
    all
}

/// What each test says about a request that brings this along.
pub(super) fn ask(sides: &[Side<'_>], tests: &[(usize, &FactTest)], brought: &Brought) -> Vec<u8> {
    let query = brought.query();
    let query = query.as_deref().map(str::as_bytes);
    let each = tests.iter().map(|(side, test)| {
        let policy = sides[*side].snapshot.policy();
        match brought.with_facts(policy, None, |facts| fact_holds(test, &facts, query, policy)) {
            Kleene::False => 0,
            Kleene::Unknown => 1,
            Kleene::True => 2,
        }
    });
    each.collect()
}

fn ask_setting(sides: &[Side<'_>], tests: &[(usize, &FactTest)], setting: &Setting) -> Vec<u8> {
    let mut brought = Brought::default();
    brought.apply(setting);
    ask(sides, tests, &brought)
}

/// Values that no test tells apart, together.
fn alike<'v>(values: impl IntoIterator<Item = &'v str>, ask: impl Fn(&str) -> Vec<u8>) -> Vec<Vec<&'v str>> {
    let mut classes: Vec<(Vec<u8>, Vec<&str>)> = Vec::new();
    for value in values {
        let said = ask(value);
        match classes.iter_mut().find(|(known, _)| *known == said) {
            Some((_, class)) => class.push(value),
            None => classes.push((said, vec![value])),
        }
    }
    classes.into_iter().map(|(_, class)| class).collect()
}

/// The values that tests of a header or parameter accept.
fn accepted<'t>(tests: &[(usize, &'t FactTest)]) -> BTreeSet<&'t str> {
    let accepts = tests.iter().filter_map(|(_, test)| match test {
        FactTest::Header { header: _, accepts } | FactTest::Query { parameter: _, accepts } => Some(accepts),
        FactTest::Named { .. } | FactTest::Certificate(_) => None,
    });
    let values = accepts.flat_map(|accepts| match accepts {
        ValueTest::In(values) => &values[..],
        ValueTest::Present | ValueTest::Absent => &[],
    });
    values.map(String::as_str).collect()
}

/// A value that nothing accepts.
fn another(values: &BTreeSet<&str>) -> String {
    let numbered = (0_u64..).map(|n| if n == 0 { "other".to_owned() } else { format!("other{n}") });
    numbered.take(values.len() + 1).find(|text| !values.contains(text.as_str())).unwrap_or_default()
}

/// What may be sent, with what it is made of and how far from ordinary it is.
type Sendable = (Sent, Atoms, u32);

/// What may be sent, in words, and why that is not all; `what` is what people call it.
fn sent(
    what: &str,
    tests: &[(usize, &FactTest)],
    ask: impl Fn(&Sent) -> Vec<u8>,
) -> (Vec<Sendable>, Vec<Atom>, Option<String>) {
    let values = accepted(tests);
    let mut classes = alike(values.iter().copied(), |value| ask(&Sent::One(value.to_owned())));
    let gap = (classes.len() > MAX_ATOMS - 3).then(|| format!("{} values of {what}", classes.len()));
    classes.truncate(MAX_ATOMS - 3);
    let atom = |yes: String, no: String| Atom { yes, no };
    let mut atoms = vec![
        atom(format!("with {what}"), format!("without {what}")),
        atom(format!("with different values in {what}"), String::new()),
        atom(format!("with something of which nobody can tell whether it is {what}"), String::new()),
    ];
    let (there, several, unclear): (Atoms, Atoms, Atoms) = (0b001, 0b010, 0b100);
    let mut all = vec![(Sent::Absent, 0, 0)];
    for class in classes {
        let names = listed(class.iter().copied(), "or");
        all.push((Sent::One(class[0].to_owned()), there | 1 << atoms.len(), 1));
        atoms.push(atom(format!("with {names} in {what}"), format!("without {names} in {what}")));
    }
    all.push((Sent::One(another(&values)), there, 2));
    all.push((Sent::Several, there | several, 3));
    all.push((Sent::Unclear, unclear, 4));
    (all, atoms, gap)
}

fn header(sides: &[Side<'_>], name: &str, tests: &[(usize, &FactTest)]) -> Dimension {
    let setting = |sent: &Sent| Setting::Header(name.to_owned(), sent.clone());
    let ask = |sent: &Sent| ask_setting(sides, tests, &setting(sent));
    let (all, atoms, gap) = sent(&format!("header `{name}`"), tests, ask);
    let raw =
        all.into_iter().map(|(sent, atoms, rank)| Raw { setting: setting(&sent), atoms, rank, signature: ask(&sent) });
    Dimension::reduce(Axis::Header, atoms, gap, raw)
}

fn query(sides: &[Side<'_>], name: &str, tests: &[(usize, &FactTest)]) -> Dimension {
    let setting = |sent: &Sent| Setting::Query(name.to_owned(), sent.clone());
    let ask = |sent: &Sent| ask_setting(sides, tests, &setting(sent));
    let (all, atoms, gap) = sent(&format!("query parameter `{name}`"), tests, ask);
    let raw =
        all.into_iter().map(|(sent, atoms, rank)| Raw { setting: setting(&sent), atoms, rank, signature: ask(&sent) });
    Dimension::reduce(Axis::Query, atoms, gap, raw)
}

/// Two parameters of which the one makes the other doubtful.
fn parameters_alike(sides: &[Side<'_>], parameters: &BTreeMap<&str, Tests<'_>>) -> Option<String> {
    let nothing = Brought::default();
    let disturbs = |one: &str, tests: &Tests<'_>| {
        [Sent::One("other".to_owned()), Sent::Unclear]
            .into_iter()
            .any(|sent| ask_setting(sides, tests, &Setting::Query(one.to_owned(), sent)) != ask(sides, tests, &nothing))
    };
    let names: BTreeSet<&str> = parameters
        .keys()
        .flat_map(|one| parameters.iter().map(move |(other, tests)| (one, other, tests)))
        .filter(|(one, other, tests)| one != other && disturbs(one, tests))
        .flat_map(|(one, other, _)| [*one, *other])
        .collect();
    (!names.is_empty()).then(|| listed(names, "and"))
}

fn fact(sides: &[Side<'_>], name: &str, tests: &[(usize, &FactTest)]) -> Dimension {
    let tables = sides.iter().flat_map(|side| side.snapshot.policy().facts.iter());
    let values: BTreeSet<&str> = tables
        .filter_map(|(_, fact)| match fact {
            Fact::Named { name: own, values } if own == name => Some(values),
            _ => None,
        })
        .flatten()
        .map(String::as_str)
        .collect();
    let setting = |value: Option<&str>| Setting::Fact(name.to_owned(), value.map(str::to_owned));
    let ask = |value: Option<&str>| ask_setting(sides, tests, &setting(value));
    let mut classes = alike(values, |value| ask(Some(value)));
    let gap = (classes.len() >= MAX_ATOMS).then(|| format!("{} values of fact `{name}`", classes.len()));
    classes.truncate(MAX_ATOMS - 1);
    let mut atoms = vec![Atom { yes: format!("where `{name}` is not known"), no: String::new() }];
    let mut raw = vec![Raw { setting: setting(None), atoms: 1, rank: 3, signature: ask(None) }];
    for class in classes {
        raw.push(Raw {
            setting: setting(Some(class[0])),
            atoms: 1 << atoms.len(),
            rank: 1,
            signature: ask(Some(class[0])),
        });
        let names = listed(class, "or");
        atoms.push(Atom { yes: format!("where `{name}` is {names}"), no: format!("where `{name}` is not {names}") });
    }
    Dimension::reduce(Axis::Fact, atoms, gap, raw)
}

/// Whether a request is a preflight that passes, together with what rules see in the headers that make it one.
fn preflights(sides: &[Side<'_>], passes: &[&[Passes]], tests: &[Tests<'_>; 2]) -> Dimension {
    let all_tests: Tests<'_> = tests.iter().flatten().copied().collect();
    let signature = |sent: &[Sent; 2]| {
        let mut said = ask_setting(sides, &all_tests, &Setting::Preflight(sent.clone()));
        said.extend(passes.iter().map(|passes| match sent {
            [Sent::One(_), Sent::One(method)] => {
                let held = passes.iter().find(|one| one.is(method));
                held.map_or(0, |one| 1 + u8::from(one.privileged))
            }
            _ => 0,
        }));
        said
    };
    // Methods whose preflights come out alike are one.
    let mut methods: Vec<(Vec<u8>, Vec<&Passes>)> = Vec::new();
    for one in passes.iter().copied().flatten() {
        let said = signature(&[Sent::One("other".to_owned()), Sent::One(one.token.clone())]);
        match methods.iter_mut().find(|(known, _)| *known == said) {
            Some((_, class)) if class.iter().any(|known| known.token == one.token) => {}
            Some((_, class)) => class.push(one),
            None => methods.push((said, vec![one])),
        }
    }
    let gap = (methods.len() > MAX_ATOMS / 2).then(|| format!("preflights for {} kinds of methods", methods.len()));
    methods.truncate(MAX_ATOMS / 2);
    let mut atoms: Vec<Atom> = methods
        .iter()
        .map(|(_, class)| {
            let names = class.iter().flat_map(|one| &one.names);
            let names = listed(names.map(|name| if name == "other" { "any other method" } else { name }), "or");
            Atom { yes: format!("as a preflight for {names}"), no: format!("not as a preflight for {names}") }
        })
        .collect();
    let mut parts: Vec<Vec<Sendable>> = Vec::new();
    let mut further = None;
    for (name, tests) in PREFLIGHT_HEADERS.iter().zip(tests) {
        let (mut all, own, gap) = sent(&format!("header `{name}`"), tests, |sent| {
            ask_setting(sides, tests, &Setting::Header((*name).to_owned(), sent.clone()))
        });
        further = further.or(gap);
        // Where no rule looks at the header it is nothing but a part of a preflight.
        let shift = if tests.is_empty() { None } else { Some(atoms.len()) };
        let shifted = |held: Atoms| shift.and_then(|by| held.checked_shl(u32::try_from(by).ok()?)).unwrap_or(0);
        all.iter_mut().for_each(|(_, held, _)| *held = shifted(*held));
        if shift.is_some() {
            atoms.extend(own);
        }
        parts.push(all);
    }
    atoms.truncate(MAX_ATOMS);
    let other =
        parts[1].iter().find(|(sent, _, rank)| matches!(sent, Sent::One(_)) && *rank == 2).map_or(0, |one| one.1);
    parts[1].extend(methods.iter().map(|(_, class)| (Sent::One(class[0].token.clone()), other, 1)));
    let mut raw = Vec::new();
    for (origin, of_origin, far) in &parts[0] {
        for (method, of_method, further) in &parts[1] {
            let sent = [origin.clone(), method.clone()];
            let class = match &sent {
                [Sent::One(_), Sent::One(method)] => {
                    methods.iter().position(|(_, class)| class.iter().any(|one| one.is(method)))
                }
                _ => None,
            };
            let is_one = class.map_or(0, |at| 1 << at);
            raw.push(Raw {
                signature: signature(&sent),
                setting: Setting::Preflight(sent),
                atoms: of_origin | of_method | is_one,
                rank: far + further,
            });
        }
    }
    Dimension::reduce(Axis::Preflight, atoms, gap.or(further), raw)
}
