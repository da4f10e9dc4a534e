//! Captures: which patterns of a scope hold a request, and what they name.

use super::claims::{claim_at, is_elsewhere};
use super::hosts::HostWays;
use super::judge::Case;
use super::subjects::{Caller, Delegation, issuers};
use super::{Finding, quoted, scopes};
use crate::kleene::Kleene;
use crate::policy::captures::{CaptureTest, CaptureValues, GroupFamily};
use crate::policy::model::{HostPattern, PathPattern, PatternId, Policy, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and what they stand for, decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Captures {
    pub(super) values: BTreeMap<String, String>,
    /// Whether the host ignores the case of ASCII letters.
    ignores_case: bool,
}

impl Captures {
    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    /// Whether two texts are one to this host.
    pub(super) fn same(&self, one: &str, other: &str) -> bool {
        if self.ignores_case { one.eq_ignore_ascii_case(other) } else { one == other }
    }

    /// Whether the values of these names are the same.
    pub(super) fn agree(&self, other: &Self, names: &[String]) -> bool {
        names.iter().all(|name| match (self.get(name), other.get(name)) {
            (Some(one), Some(another)) => self.same(one, another),
            (None, _) | (_, None) => false,
        })
    }

    /// Whether a group is the family's for what is captured. No group of a family has a slash where the capture stands.
    pub(super) fn are_of(&self, family: &GroupFamily, group: &str) -> Option<bool> {
        let captured = self.get(&family.capture)?;
        let middle = family.captured(group);
        Some(!captured.contains('/') && middle.is_some_and(|middle| self.same(middle, captured)))
    }
}

/// A pattern of a scope that holds the request.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) scope: ScopeId,
    pub(super) pattern: PatternId,
    pub(super) captures: Captures,
}

impl Place {
    /// The pattern as it is written: host and path.
    pub(super) fn written(&self, policy: &Policy) -> String {
        let pattern = policy.scopes[self.scope].pattern(self.pattern);
        pattern.map_or_else(String::new, |(host, path)| format!("{host}{path}"))
    }
}

/// The patterns of a scope that hold the request, in their order.
pub(super) fn places(case: &Case<'_>, scope: ScopeId) -> Vec<Place> {
    let method = case.policy.methods.resolve(case.request.method);
    let ways = HostWays::of(case.policy, case.target.host);
    let mut places = Vec::new();
    for (pattern, host, path) in case.policy.scopes[scope].patterns() {
        if scopes::pattern_fits(host, path, method, &case.target, &ways) {
            places.push(Place {
                scope,
                pattern,
                captures: Captures { values: named(host, path, &case.target), ignores_case: ways.ignores_case },
            });
        }
    }
    places
}

/// What a pattern names in a target that it holds.
fn named(host: &HostPattern, path: PathPattern<'_>, target: &CanonicalTarget<'_>) -> BTreeMap<String, String> {
    let mut named = BTreeMap::new();
    if let (HostPattern::Capture { name, parent }, Host::Name(whole)) = (host, target.host)
        && let Some(label) = scopes::labels_before(whole, parent)
    {
        named.insert(name.clone(), label.to_owned());
    }
    let relative = target.path.trim_start_matches('/');
    let wanted = path.template().map_or(&[][..], |template| &template.segments);
    for (wanted, segment) in wanted.iter().zip(relative.split('/')) {
        if let Segment::Capture(name) = wanted {
            named.insert(name.clone(), decoded(segment));
        }
    }
    named
}

/// A segment without escapes.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment;
    while let Some(c) = rest.chars().next() {
        let escape = rest.get(1..3).filter(|digits| c == '%' && digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            None => {
                bytes.extend(c.to_string().bytes());
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The tests of `where`, each with its value.
pub(super) fn tests(
    policy: &Policy,
    tests: &[CaptureTest],
    captures: &Captures,
    caller: Caller<'_>,
    delegation: Delegation,
) -> Vec<Finding> {
    tests.iter().map(|test| one_test(policy, test, captures, caller, delegation)).collect()
}

fn one_test(
    policy: &Policy,
    test: &CaptureTest,
    captures: &Captures,
    caller: Caller<'_>,
    delegation: Delegation,
) -> Finding {
    let name = quoted(&test.capture);
    let captured = captures.get(&test.capture);
    match &test.accepts {
        CaptureValues::In(accepted) => {
            let Some(captured) = captured else { return unheld("where", &test.capture) };
            let held = accepted.iter().any(|one| captures.same(one, captured));
            let is = if held { "is" } else { "is none of those named:" };
            Finding::new("where", held, format!("{name} {is} {}", quoted(captured)))
        }
        CaptureValues::Claim { path, issuers: wanted } => {
            let identity = match caller {
                Caller::Known(identity) => identity,
                Caller::Nobody | Caller::Unproven(_) => {
                    let (value, because) = caller.missing().unwrap_or((Kleene::Unknown, String::new()));
                    return Finding::new("claim", value, because);
                }
            };
            if identity.actor().is_some() && delegation == Delegation::Refused {
                return Finding::new("claim", false, "whoever acts for somebody has none of that person's claims");
            }
            let from = issuers(policy, wanted, identity.issuer());
            if from.value.is_false() {
                return Finding::new("claim", false, from.because);
            }
            let Some(captured) = captured else { return unheld("claim", &test.capture) };
            let claim = format!("claim {}", quoted(&path.join(" > ")));
            let Some(value) = claim_at(path, identity.claims()) else {
                if is_elsewhere(path, identity.claims()) {
                    let because = format!("{claim} is not in the token, which says that it stands elsewhere");
                    return Finding::new("claim", Kleene::Unknown, because);
                }
                return Finding::new("claim", false, format!("{claim} is absent"));
            };
            let held = match value {
                Value::String(text) => captures.same(text, captured),
                Value::Array(members) => {
                    members.iter().filter_map(Value::as_str).any(|text| captures.same(text, captured))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
            };
            let holds = if held { "which holds it" } else { "which does not hold it" };
            let because = format!("{name} is {}; {claim}, {holds}: {}", quoted(captured), quoted(&value.to_string()));
            Finding::new("claim", held, because)
        }
    }
}

fn unheld(key: &'static str, capture: &str) -> Finding {
    Finding::new(key, Kleene::Unknown, format!("no pattern holds the request, so there is no {}", quoted(capture)))
}

/// "`tenant` is `acme`": the values of captures, for people.
pub(super) fn shown<'a>(captures: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let shown = captures.into_iter().map(|(name, value)| format!("{} is {}", quoted(name), quoted(value)));
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether a grant is for the values of the captures that an approval is per, or what speaks against it.
pub(super) fn granted_for(
    granted: &BTreeMap<String, String>,
    per: &[String],
    captures: &Captures,
) -> Result<(), String> {
    let granted_here = Captures { values: granted.clone(), ..captures.clone() };
    if granted.len() == per.len() && captures.agree(&granted_here, per) {
        return Ok(());
    }
    let of = if granted.is_empty() { "nothing in particular".to_owned() } else { shown(granted) };
    Err(format!("is for other captures: {of}"))
}
