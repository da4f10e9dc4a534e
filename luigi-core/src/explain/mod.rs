//! A slow, obvious evaluator: the meaning of a policy, spelled out, with every rule and predicate on record.
//!
//! [`evaluate`] reads docs/SEMANTICS.md aloud: it walks over all rules of the resolved [`Policy`], computes every predicate and
//! requirement whether or not it matters, and only then looks for the answer. `luigi explain` and failed in-file tests print
//! what it found. It is also the oracle for [`Snapshot::decide`](crate::snapshot::Snapshot::decide), which is why it shares the
//! data types with the fast path and none of its predicates: no index, no bitsets, nothing precomputed, allocation everywhere.
//!
//! The trace ([`Explanation`]) holds names instead of ids, serialises for programs, and renders to [`Line`]s for people.

mod actors;
mod advice;
mod captures;
mod claims;
mod classes;
mod facts;
mod hosts;
mod judge;
mod proxies;
mod render;
mod requirements;
mod scopes;
mod stops;
mod subjects;
mod surroundings;
mod why;

pub use proxies::source;
pub use render::{Detail, Line, Span, Tone};

use crate::decide::{Evaluation, Reason, Request};
use crate::kleene::Kleene;
use crate::policy::model::{Effect, Mode, Policy};
use crate::target::CanonicalTarget;
use serde::Serialize;
use std::collections::BTreeMap;

/// Evaluates a request against every rule of a policy and says how each came out.
///
/// The [`Evaluation`] in it is the one that [`Snapshot::decide`](crate::snapshot::Snapshot::decide) gives for the same policy
/// and request.
#[must_use]
pub fn evaluate(policy: &Policy, request: &Request<'_>) -> Explanation {
    classes::explain(policy, request)
}

/// The names of the scopes that hold a request with this target, as far as that is known.
pub(crate) fn scopes_of<'p>(policy: &'p Policy, request: &Request<'_>, target: &CanonicalTarget<'_>) -> Vec<&'p str> {
    let held = scopes::holding(policy, request, target).scopes;
    held.into_iter().map(|id| policy.scopes[id].name.as_str()).collect()
}

/// An evaluation and everything that led to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// The decision, the candidate and the privilege of the target, in the ids of the policy.
    #[serde(skip)]
    pub evaluation: Evaluation,
    /// What was asked.
    pub request: RequestTrace,
    /// What the rules in force answer.
    pub decision: DecisionTrace,
    /// What all rules, the observed ones included, would answer.
    pub candidate: DecisionTrace,
    /// Whether a privileged scope holds the request.
    pub privileged: bool,
    /// For how many seconds the connection that the request upgrades may be idle, if that has a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel_seconds: Option<u32>,
    /// The readings of an ambiguous target that its host accepts, as it stands first; empty for any other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<ReadingTrace>,
    /// The scopes with an operation that fits the request; those that leave it out again by `except`, or are at other frontends, say so.
    pub scopes: Vec<ScopeTrace>,
    /// Every rule in order of its id; empty if the request was refused before all rules.
    pub rules: Vec<RuleTrace>,
}

impl Explanation {
    /// The names of the scopes that hold the request, without those that leave it out again or are at other frontends.
    pub fn held_scopes(&self) -> impl Iterator<Item = &str> {
        let holds = |one: &&ScopeTrace| one.left_out_by.is_none() && one.only_at.is_empty();
        self.scopes.iter().filter(holds).map(|one| one.scope.as_str())
    }
}

/// The request, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RequestTrace {
    /// The method, control characters escaped.
    pub method: String,
    /// Host and canonical path, or why there is none.
    pub target: String,
    /// What to do about a target that is ambiguous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The peer's address, or that it is unknown.
    pub source: String,
    /// The frontend that took it in, or that it is unknown, if some scope names frontends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    /// Who asks, or why nobody does.
    pub identity: String,
    /// The moment, RFC 3339.
    pub time: String,
}

/// A decision in names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecisionTrace {
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// Its reason.
    pub reason: Reason,
    /// The determining rule.
    pub rule: Option<String>,
    /// The restrict rule that asked for what is unmet.
    pub restricted_by: Option<String>,
    /// The scope in which the determining rule holds the request.
    pub scope: Option<String>,
    /// How a denial could become an allow.
    pub advice: Option<AdviceTrace>,
    /// The decision as a sentence.
    pub because: String,
}

/// Advice in names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum AdviceTrace {
    /// Come back with an identity.
    Authenticate,
    /// Log in again.
    StepUp {
        /// The login requirement.
        login: String,
        /// The allow rule that lacks least.
        rule: String,
    },
    /// Ask for approvals.
    RequestAccess {
        /// All that are missing.
        approvals: Vec<MissingTrace>,
        /// The allow rule that lacks least.
        rule: String,
    },
}

/// An approval that is missing for a scope, in names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingTrace {
    /// The scope it must open.
    pub scope: String,
    /// The approval.
    pub approval: String,
    /// The values of the captures that it is per.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
}

/// One reading of an ambiguous target, and what came out for it. The first denial holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadingTrace {
    /// The canonical path.
    pub path: String,
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// Its reason.
    pub reason: Reason,
}

/// A scope with an operation that fits the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScopeTrace {
    /// The scope's name.
    pub scope: String,
    /// Whether it is privileged.
    pub privileged: bool,
    /// The first scope of its `except` that holds the request; if there is one, this scope does not.
    pub left_out_by: Option<String>,
    /// The frontends that it names, if the request is not known to have come in at one of them; then this scope does not hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_at: Vec<String>,
}

/// One rule and how it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleTrace {
    /// The rule's id.
    pub rule: String,
    /// Whose file it stands in, if the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Whether it is in force.
    pub mode: Mode,
    /// Whether its scopes hold the request; if not, it is about something else.
    pub concerned: bool,
    /// Those of its scopes that hold the request; empty for `scopes = "all"`.
    pub scopes: Vec<String>,
    /// Whether it matches: all predicates by Kleene's AND.
    pub value: Kleene,
    /// What that comes to.
    pub standing: Standing,
    /// Its predicates; for a rule that takes captures with those that tell most.
    pub predicates: Vec<Finding>,
    /// Its requirements, likewise; unknown counts as unmet.
    pub requirements: Vec<Finding>,
    /// For a rule that takes captures: each pattern of its scopes that holds the request, and how the rule came out there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternTrace>,
}

/// A rule with the captures of one pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PatternTrace {
    /// The scope that has the pattern.
    pub scope: String,
    /// The pattern as it is written: host and path.
    pub pattern: String,
    /// What its captures hold, decoded.
    pub captures: BTreeMap<String, String>,
    /// Whether the rule matches.
    pub value: Kleene,
    /// Its predicates.
    pub predicates: Vec<Finding>,
    /// Its requirements; unknown counts as unmet.
    pub requirements: Vec<Finding>,
}

/// What a rule comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It does not match.
    Silent,
    /// A deny rule that is true.
    Denies,
    /// A deny rule that is unknown: it denies, because it may be true.
    MayDeny,
    /// A restrict rule that is not false and whose requirements are met.
    Satisfied,
    /// A restrict rule that is not false and of whose requirements one is not true: nothing is allowed.
    Blocks,
    /// An allow rule that is true with its own requirements met.
    Allows,
    /// An allow rule that is true and of whose requirements one is not true.
    Unmet,
    /// An allow rule that is unknown: it does not allow.
    MayAllow,
}

/// A predicate or requirement, its value and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What was looked at: a key of the policy language, or `grant`.
    pub key: &'static str,
    /// How it came out.
    pub value: Kleene,
    /// Why, in half a sentence.
    pub because: String,
    /// What it is made of, if that says more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Finding>,
    /// The approval whose grant made it true, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Whether it comes out true whatever is asked, with this policy: `"anyone"`, or the issuer where there is only one.
    #[serde(skip)]
    pub fixed: bool,
}

impl Finding {
    fn new(key: &'static str, value: impl Into<Kleene>, because: impl Into<String>) -> Self {
        Self { key, value: value.into(), because: because.into(), parts: Vec::new(), approval: None, fixed: false }
    }

    fn with_parts(self, parts: Vec<Self>) -> Self {
        Self { parts, ..self }
    }

    fn by_approval(self, approval: &str) -> Self {
        Self { approval: Some(approval.to_owned()), ..self }
    }

    /// With `fixed`: nobody could ask so that it came out otherwise.
    fn fixed_if(self, fixed: bool) -> Self {
        Self { fixed, ..self }
    }
}

/// Text from a request in backticks: control and other unprintable characters escaped, long text cut.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut out = String::from("`");
    for (n, c) in text.chars().enumerate() {
        if n == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '`' | '\'' | '"' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out.push('`');
    out
}

/// Names in backticks, joined by commas, the last two by `word`.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(quoted).collect();
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {word} {last}", names.join(", ")),
    }
}

/// `1 rule`, `2 rules`.
fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
