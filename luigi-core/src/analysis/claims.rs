//! What tokens may hold beside who somebody is: one dimension for each claim that rules in play look at, or compare with a capture.

use super::dimension::{Atom, Atoms, Axis, Dimension, MAX_ATOMS, Raw, Setting};
use super::in_play::{InPlay, Side};
use super::people::{Probe, subset, subsets};
use crate::policy::captures::{CaptureTest, CaptureValues};
use crate::policy::model::{ClaimTest, ClaimValue, ClaimValues, IssuerId, SubjectMatcher, TableId};
use crate::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The most values of one claim.
pub(super) const MAX_CLAIM_VALUES: usize = 4_096;
/// The last second of the year 9999.
const FAR_AHEAD: i64 = 253_402_300_799;

/// What the names of captures stand for on a target.
pub(super) type Captured = BTreeMap<String, BTreeSet<String>>;

/// A test of a claim. That a claim equals a capture is one of what the target captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) test: ClaimTest,
    /// The capture that the claim must equal.
    pub(super) equal_to: Option<String>,
}

impl Asked {
    /// The tests of matchers and of `where`.
    pub(super) fn of(in_play: &InPlay<'_>, captured: &Captured) -> Vec<Self> {
        let tests = in_play.matchers.iter().flat_map(|(_, matcher)| &matcher.claims);
        let mut all: Vec<Self> = tests.map(|test| Self { test: test.clone(), equal_to: None }).collect();
        for (_, CaptureTest { capture, accepts }) in &in_play.captured {
            let CaptureValues::Claim { path, issuers: _ } = accepts else { continue };
            all.extend(captured.get(capture).into_iter().flatten().map(|value| {
                let accepts = ClaimValues::In(vec![ClaimValue::Text(value.clone())]);
                Self { test: ClaimTest { path: path.clone(), accepts }, equal_to: Some(capture.clone()) }
            }));
        }
        let mut seen = Vec::new();
        all.retain(|one| {
            let is_new = !seen.contains(one);
            if is_new {
                seen.push(one.clone());
            }
            is_new
        });
        all
    }

    /// A test of what a claim of an actor holds.
    pub(super) fn plain(test: &ClaimTest) -> Self {
        Self { test: test.clone(), equal_to: None }
    }

    /// The matcher that asks for nothing else.
    pub(super) fn matcher(&self) -> SubjectMatcher {
        SubjectMatcher { claims: vec![self.test.clone()], ..SubjectMatcher::default() }
    }

    /// What an accepted value is in words, behind "with" and "without".
    pub(super) fn words(&self, value: &ClaimValue) -> String {
        let path = self.test.path.join(".");
        match &self.equal_to {
            Some(capture) => format!("claim `{path}` equal to `{{{capture}}}`"),
            None => format!("claim `{path}` with {}", json(value)),
        }
    }
}

fn json(value: &ClaimValue) -> Value {
    match value {
        ClaimValue::Text(text) => Value::from(text.as_str()),
        ClaimValue::Integer(number) => Value::from(*number),
        ClaimValue::Boolean(flag) => Value::from(*flag),
    }
}

/// Whether every issuer takes its subjects from this claim: then it is who asks that tells what stands there.
pub(super) fn is_subject(sides: &[Side<'_>], path: &[String]) -> bool {
    let mut issuers = sides.iter().flat_map(|side| side.snapshot.policy().issuers.iter());
    issuers.all(|(_, issuer)| issuer.trust.claims.subject == path)
}

/// Tests, by the name at the top of the token.
pub(super) fn by_name(tests: Vec<Asked>) -> BTreeMap<String, Vec<Asked>> {
    let mut by_name: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for asked in tests {
        if let Some(name) = asked.test.path.first() {
            let tests = by_name.entry(name.clone()).or_default();
            if !tests.contains(&asked) {
                tests.push(asked);
            }
        }
    }
    by_name
}

/// One dimension for each claim at the top of a token, whatever is looked at inside.
pub(super) fn dimensions(sides: &[Side<'_>], in_play: &InPlay<'_>, captured: &Captured) -> Vec<Dimension> {
    let mut tests = Asked::of(in_play, captured);
    tests.retain(|asked| !is_subject(sides, &asked.test.path));
    let dimension = |(name, tests): (String, Vec<Asked>)| {
        let (tokens, mut atoms, gap) = values(&name, &tests);
        let Some(policy) = sides.iter().map(|side| side.snapshot.policy()).find(|policy| !policy.issuers.is_empty())
        else {
            return Dimension::reduce(Axis::Claim, Vec::new(), None, []);
        };
        let probe = Probe {
            parts: tests
                .iter()
                .map(|asked| (policy, SubjectMatcher { issuers: vec![IssuerId::from_index(0)], ..asked.matcher() }))
                .collect(),
        };
        let asked = |claims: Map<String, Value>| probe.ask("somebody", |person| person.claims(claims.clone()));
        let elsewhere = Raw {
            signature: asked(
                [("_claim_names".to_owned(), serde_json::json!({ &name: "elsewhere" }))].into_iter().collect(),
            ),
            setting: Setting::ClaimElsewhere(name.clone()),
            atoms: 1 << atoms.len().min(MAX_ATOMS - 1),
            rank: 3,
        };
        atoms.push(Atom { yes: format!("whose claim `{name}` stands elsewhere"), no: String::new() });
        let raw = tokens.into_iter().map(|(token, atoms, rank)| Raw {
            signature: asked(token.iter().map(|value| (name.clone(), value.clone())).collect()),
            setting: Setting::Claim(name.clone(), token),
            atoms,
            rank,
        });
        Dimension::reduce(Axis::Claim, atoms, gap, raw.chain([elsewhere]))
    };
    let mut all: Vec<Dimension> = by_name(tests).into_iter().map(dimension).collect();
    all.retain(|dimension| !dimension.choices.is_empty());
    all
}

/// What may stand under a name at the top of a token: nothing, or something with its atoms and rank.
#[allow(clippy::type_complexity, reason = "three lists that belong together here alone")]
pub(super) fn values(name: &str, tests: &[Asked]) -> (Vec<(Option<Value>, Atoms, u32)>, Vec<Atom>, Option<String>) {
    let mut gap = None;
    let mut atoms: Vec<Atom> = Vec::new();
    let mut paths: BTreeMap<&[String], Vec<&Asked>> = BTreeMap::new();
    for asked in tests {
        paths.entry(&asked.test.path).or_default().push(asked);
    }
    let mut tokens: Vec<(Option<Value>, Atoms, u32)> = vec![(None, 0, 0)];
    for (path, tests) in paths {
        let (values, complete) = values_at(path, &tests, &mut atoms);
        let mut next = tokens.clone();
        for (token, held, rank) in &tokens {
            for (value, more, further) in &values {
                if let Some(token) = with_value(token.as_ref(), &path[1..], value) {
                    next.push((Some(token), held | more, rank + further));
                }
            }
        }
        if !complete || next.len() > MAX_CLAIM_VALUES {
            gap = Some(format!("values of claim `{name}`"));
            next.sort_by_key(|(.., rank)| *rank);
            next.truncate(MAX_CLAIM_VALUES);
        }
        tokens = next;
    }
    (tokens, atoms, gap)
}

/// The values that tests of one path tell apart: each, and several together, as an array or as words.
fn values_at(path: &[String], tests: &[&Asked], atoms: &mut Vec<Atom>) -> (Vec<(Value, Atoms, u32)>, bool) {
    let (mut items, mut words): (Vec<(&ClaimValue, Vec<String>)>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut held, mut moments) = (false, false);
    for asked in tests {
        match &asked.test.accepts {
            ClaimValues::In(values) => {
                for value in values {
                    let said = asked.words(value);
                    match items.iter_mut().find(|(known, _)| *known == value) {
                        None => items.push((value, vec![said])),
                        Some((_, known)) if known.contains(&said) => {}
                        Some((_, known)) => known.push(said),
                    }
                }
            }
            ClaimValues::Words(some) => words.extend(some.iter().map(String::as_str)),
            ClaimValues::Present | ClaimValues::Absent => held = true,
            ClaimValues::AfterNow => (held, moments) = (true, true),
        }
    }
    words.sort_unstable();
    words.dedup();
    let path = path.join(".");
    let first = atoms.len();
    let said = items.iter().map(|(_, said)| said.join(" and with "));
    for what in said.chain(words.iter().map(|word| format!("word `{word}` in claim `{path}`"))) {
        atoms.push(Atom { yes: format!("with {what}"), no: format!("without {what}") });
    }
    if atoms.len() > MAX_ATOMS {
        atoms.truncate(MAX_ATOMS);
        return (Vec::new(), false);
    }
    let mut tokens: Vec<(Value, u32)> = Vec::new();
    let mut token = |value: Value, rank: u32| {
        if !tokens.iter().any(|(known, _)| *known == value) {
            tokens.push((value, rank));
        }
    };
    let (sets, all_items) = subsets(items.len(), &[]);
    for (set, rank) in sets.into_iter().filter(|(set, _)| *set != 0) {
        let held: Vec<Value> = (0..items.len()).filter(|at| subset(set, *at)).map(|at| json(items[at].0)).collect();
        if let [one] = &held[..] {
            token(one.clone(), rank);
        }
        // A list has no words and is no moment.
        if held.len() > 1 || !words.is_empty() || moments {
            token(Value::Array(held), rank + 1);
        }
    }
    let (sets, all_words) = subsets(words.len(), &[]);
    let other = (1..).map(|n: u32| format!("other-{n}")).find(|word| !words.contains(&word.as_str()));
    for (set, rank) in sets.into_iter().filter(|(set, _)| *set != 0) {
        let held: Vec<&str> = (0..words.len()).filter(|at| subset(set, *at)).map(|at| words[at]).collect();
        token(Value::from(held.join(" ")), rank);
        // The text as a whole may be accepted, too: the same words in one that is not.
        if !items.is_empty() {
            token(Value::from(held.into_iter().chain(other.as_deref()).collect::<Vec<_>>().join(" ")), rank + 1);
        }
    }
    let holds = |value: &Value| {
        let is = |item: &ClaimValue| match value {
            Value::Array(members) => members.contains(&json(item)),
            single => *single == json(item),
        };
        let spoken = value.as_str().map(|text| text.split(' ').collect::<Vec<_>>()).unwrap_or_default();
        let held = items.iter().map(|(item, _)| is(item)).chain(words.iter().map(|word| spoken.contains(word)));
        held.enumerate().fold(0, |set: Atoms, (at, held)| set | Atoms::from(held) << (first + at))
    };
    let mut values: Vec<(Value, Atoms, u32)> =
        tokens.into_iter().map(|(value, rank)| (value.clone(), holds(&value), rank)).collect();
    // Whether such a one is later changes with the time of the request.
    let no_moments = !moments || items.iter().all(|(item, _)| !is_moment(item));
    // That it is there, and nothing else: a text that is no moment either.
    if held {
        let atom = atoms.len();
        atoms.push(Atom { yes: format!("with a claim `{path}`"), no: format!("without a claim `{path}`") });
        values.iter_mut().for_each(|(_, held, _)| *held |= 1 << atom.min(MAX_ATOMS - 1));
        values.push((Value::from("something else"), 1 << atom.min(MAX_ATOMS - 1), 1));
        if moments {
            let later = atoms.len();
            atoms.push(Atom { yes: format!("whose `{path}` is later"), no: format!("whose `{path}` is not later") });
            let there = 1 << atom.min(MAX_ATOMS - 1);
            values.push((Value::from(FAR_AHEAD), there | 1 << later.min(MAX_ATOMS - 1), 1));
            values.push((Value::from(0), there, 2));
        }
        if atoms.len() > MAX_ATOMS {
            atoms.truncate(MAX_ATOMS);
            return (Vec::new(), false);
        }
    }
    (values, all_items && all_words && no_moments)
}

fn is_moment(item: &ClaimValue) -> bool {
    match item {
        ClaimValue::Text(text) => Timestamp::from_rfc3339(text).is_some(),
        ClaimValue::Integer(_) => true,
        ClaimValue::Boolean(_) => false,
    }
}

/// The claim with a value put in at a path, unless something else stands in the way.
fn with_value(claim: Option<&Value>, path: &[String], value: &Value) -> Option<Value> {
    match (path, claim) {
        ([], None) => Some(value.clone()),
        ([], Some(_)) => None,
        ([name, rest @ ..], claim) => {
            let mut object = match claim {
                None => Map::new(),
                Some(Value::Object(object)) => object.clone(),
                Some(_) => return None,
            };
            let inner = with_value(object.get(name), rest, value)?;
            object.insert(name.clone(), inner);
            Some(Value::Object(object))
        }
    }
}
