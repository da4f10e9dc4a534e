//! Lints: what is legal in a policy and dangerous. What each means, with an example and the cure, stands with its [`Lint`].
//!
//! A finding points at the text and names a cure. It can be accepted where it stands, with a reason; what endangers a privileged scope
//! cannot. Findings are on the safe side of noise: what is not certain from the policy alone is not reported.
//!
//! | file | what it looks at |
//! |---|---|
//! | `findings` | what was found, accepted or not |
//! | `reach` | what allows reach beyond the scopes that they name |
//! | `dead` | what can never have an effect |
//! | `rules` | rules by themselves |
//! | `scopes` | scopes by themselves |
//! | `breadth` | networks that hold every address |
//! | `whole_hosts` | rules that open whole hosts, alone or together |
//! | `persons` | whom rules tell apart, and what lets each of them in |
//! | `approvals` | approvals |
//! | `descriptions` | scopes beside what an API has |
//! | `hosts` | hosts that accept ambiguous targets |
//! | `names` | what nothing names |

mod approvals;
mod breadth;
mod dead;
mod descriptions;
mod findings;
mod hosts;
mod names;
mod persons;
mod reach;
mod rules;
mod scopes;
mod whole_hosts;

use breadth::Openness;
pub use descriptions::Description;
pub use findings::{Accepted, Findings};

use super::expressions::Breadth;
use super::overlaps::Overlaps;
use super::patterns::{Region, Search, Space};
use super::strictness::{is_unconditional, requires_identity};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics, Lint};
use crate::policy::model::{
    ApprovalId, Effect, GroupId, HostId, IssuerId, LoginId, Mode, NetworkId, Policy, Rule, RuleId, ScheduleId, ScopeId,
    ScopeSelector, TableId,
};
use crate::policy::source::{SourceSet, Span};
use crate::policy::{Parsed, ParsedEverywhere, Places};
use crate::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// How long before its end a rule is said to end soon.
pub const SOON_SECONDS: i64 = 14 * 24 * 3600;

/// How many pairs of scopes are looked into exactly.
const MAX_PAIRS: usize = 50_000;

/// How many comparisons one pair of scopes may take.
const MAX_COMPARISONS: usize = 200_000;

/// How many comparisons all pairs with regular expressions may take together.
const MAX_OF_EXPRESSIONS: usize = 10_000_000;

/// How many comparisons it may take to see how broad the regular expressions of all scopes are: some ten thousand for one.
const MAX_OF_BREADTHS: usize = 50_000_000;

/// Looks for everything that is legal and dangerous. With no time, nothing is said about what begins or ends.
///
/// Nothing is found in a policy with errors. What only the policy of all environments together can say, that a scope is out of reach or an
/// acceptance needless, is not said about one of several; [`run_everywhere`] says it.
///
/// # Examples
///
/// ```
/// use luigi_core::analysis::lint;
/// use luigi_core::policy::{SourceSet, parse};
///
/// let mut sources = SourceSet::new();
/// sources.add("policy.toml", "schema = 1\n[groups]\nnobody = \"nobody\"\n");
/// let findings = lint::run(&parse(&sources), &sources, None);
/// assert_eq!(findings.diagnostics.iter().next().unwrap().message, "nothing names group `nobody`");
/// ```
#[must_use]
pub fn run(parsed: &Parsed, sources: &SourceSet, now: Option<Timestamp>) -> Findings {
    run_beside(parsed, sources, now, &[])
}

/// [`run`], with the scopes compared with what APIs have, as their descriptions say.
#[must_use]
pub fn run_beside(
    parsed: &Parsed,
    sources: &SourceSet,
    now: Option<Timestamp>,
    descriptions: &[Description],
) -> Findings {
    let mut found = look(parsed, sources, now, descriptions);
    if parsed.policy.as_ref().is_some_and(|policy| policy.environment.is_some()) {
        let here = |item: &Diagnostic| item.code == Code::Lint(Lint::UnscopedOperation);
        found.diagnostics.retain(|item| here(item) || !is_about_all(item));
    }
    found
}

/// [`run`] for every environment of a policy. Each finding comes once; those that only some environments have name them.
#[must_use]
pub fn run_everywhere(parsed: &ParsedEverywhere, sources: &SourceSet, now: Option<Timestamp>) -> Findings {
    run_everywhere_beside(parsed, sources, now, &[])
}

/// [`run_everywhere`], with the scopes compared with what APIs have.
#[must_use]
pub fn run_everywhere_beside(
    parsed: &ParsedEverywhere,
    sources: &SourceSet,
    now: Option<Timestamp>,
    descriptions: &[Description],
) -> Findings {
    let look = |parsed| look(parsed, sources, now, descriptions);
    let mut each: Vec<_> = parsed.environments.iter().map(|(name, parsed)| (name.as_deref(), look(parsed))).collect();
    // What has no place is told apart by what it says.
    let what = |item: &Diagnostic| match &item.primary {
        Some(label) => (item.code, Some(label.span), String::new()),
        None => (item.code, None, item.message.clone()),
    };
    let mut said: HashMap<_, usize> = HashMap::new();
    for item in each.iter().flat_map(|(_, found)| found.diagnostics.iter()).filter(|item| is_about_all(item)) {
        *said.entry(what(item)).or_default() += 1;
    }
    let all = each.len();
    for (place, (_, found)) in each.iter_mut().enumerate() {
        found.diagnostics.retain(|item| !is_about_all(item) || (place == 0 && said[&what(item)] == all));
    }
    let mut accepted: BTreeMap<(Span, Lint), Accepted> = BTreeMap::new();
    for one in each.iter().flat_map(|(_, found)| found.accepted.iter().cloned()) {
        let known = accepted.entry((one.span, one.lint)).or_insert_with(|| one.clone());
        known.findings = known.findings.max(one.findings);
    }
    let mut diagnostics = Diagnostics::merged(each.iter().map(|(name, found)| (*name, &found.diagnostics)), sources);
    diagnostics.everywhere(is_about_all);
    Findings { diagnostics, accepted: findings::in_order(accepted.into_values(), sources) }
}

/// Whether it is so only if it is so in every environment.
fn is_about_all(item: &Diagnostic) -> bool {
    matches!(item.code, Code::Lint(Lint::NeedlessAccept | Lint::UnreachableScope | Lint::UnscopedOperation))
}

fn look(parsed: &Parsed, sources: &SourceSet, now: Option<Timestamp>, descriptions: &[Description]) -> Findings {
    let Some(policy) = &parsed.policy else { return Findings::default() };
    let mut linter = Linter::new(policy, &parsed.places, sources, now, descriptions);
    reach::look(&mut linter);
    dead::look(&mut linter);
    rules::look(&mut linter);
    scopes::look(&mut linter);
    hosts::look(&mut linter);
    breadth::look(&mut linter);
    whole_hosts::look(&mut linter);
    approvals::look(&mut linter);
    names::look(&mut linter);
    descriptions::look(&mut linter);
    linter.finish()
}

/// A row that findings are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Row {
    Issuer(IssuerId),
    Group(GroupId),
    Network(NetworkId),
    Schedule(ScheduleId),
    Login(LoginId),
    Host(HostId),
    Scope(ScopeId),
    Approval(ApprovalId),
    Rule(RuleId),
}

/// A policy as lints see it.
struct Linter<'p> {
    policy: &'p Policy,
    places: &'p Places,
    sources: &'p SourceSet,
    now: Option<Timestamp>,
    descriptions: &'p [Description],
    space: Space,
    regions: Vec<Region>,
    overlaps: Overlaps,
    /// How much the regular expressions of each scope hold.
    breadths: Vec<Breadth>,
    openness: Openness,
    /// What holds for whoever is let in to a scope, by scope.
    guards: Vec<Guards>,
    /// What holds for all requests.
    guards_of_all: Guards,
    /// The allows that name each scope.
    allows: Vec<Vec<RuleId>>,
    /// Whether pairs of scopes meet, where that is known.
    meetings: HashMap<(ScopeId, ScopeId), Search>,
    pairs_left: usize,
    /// How many comparisons are left for pairs with regular expressions.
    expressions_left: usize,
    /// Whether something was not looked at.
    cut: bool,
    errors: Vec<Diagnostic>,
    warnings: Diagnostics,
    accepted: BTreeMap<(Row, Lint), Accepted>,
}

/// What holds for a whole scope, whoever lets in.
#[derive(Clone, Copy, Debug, Default)]
struct Guards {
    /// A restrict that always applies, or a deny of everyone who is not exempt, which is how some say who may be let in at all.
    any: bool,
    /// A restrict that always applies and that only somebody with an identity can meet.
    identity: bool,
    /// A restrict that always applies and asks for an approval.
    approval: bool,
}

impl Guards {
    fn or(self, other: Self) -> Self {
        Self {
            any: self.any || other.any,
            identity: self.identity || other.identity,
            approval: self.approval || other.approval,
        }
    }
}

impl<'p> Linter<'p> {
    fn new(
        policy: &'p Policy,
        places: &'p Places,
        sources: &'p SourceSet,
        now: Option<Timestamp>,
        descriptions: &'p [Description],
    ) -> Self {
        let policies: Vec<&Policy> =
            std::iter::once(policy).chain(descriptions.iter().map(|one| &one.operations)).collect();
        let space = Space::new(&policies);
        let regions = space.regions(policy);
        let overlaps = Overlaps::new(policy);
        let mut breadths_left = MAX_OF_BREADTHS;
        let breadths: Vec<Breadth> = regions.iter().map(|region| region.breadth(&mut breadths_left)).collect();
        let openness = Openness::new(policy);
        let mut guards = vec![Guards::default(); policy.scopes.len()];
        let mut guards_of_all = Guards::default();
        let mut allows = vec![Vec::new(); policy.scopes.len()];
        for (id, rule) in policy.rules.iter() {
            let enforced = rule.mode == Mode::Enforce;
            let always = enforced
                && is_unconditional(rule)
                && rule.effect == Effect::Restrict
                && !openness.is_met_by_all(&rule.require, policy);
            let but_for_unless = Rule { unless: Vec::new(), ..rule.clone() };
            let exempting = enforced
                && rule.effect == Effect::Deny
                && !rule.unless.is_empty()
                && !rule.unless.iter().any(|unless| openness.exempts_all(unless, policy))
                && is_unconditional(&but_for_unless);
            let added = Guards {
                any: always || exempting,
                identity: always && requires_identity(&rule.require),
                approval: always && !rule.require.approval.is_empty(),
            };
            match &rule.scopes {
                ScopeSelector::All => guards_of_all = guards_of_all.or(added),
                ScopeSelector::Named(scopes) => {
                    for scope in scopes {
                        guards[scope.index()] = guards[scope.index()].or(added);
                        if rule.effect == Effect::Allow {
                            allows[scope.index()].push(id);
                        }
                    }
                }
            }
        }
        Self {
            policy,
            places,
            sources,
            now,
            descriptions,
            cut: overlaps.cut || breadths_left == 0,
            overlaps,
            space,
            regions,
            breadths,
            openness,
            guards,
            guards_of_all,
            allows,
            meetings: HashMap::new(),
            pairs_left: MAX_PAIRS,
            expressions_left: MAX_OF_EXPRESSIONS,
            errors: Vec::new(),
            warnings: Diagnostics::default(),
            accepted: BTreeMap::new(),
        }
    }

    fn guards(&self, scope: ScopeId) -> Guards {
        self.guards[scope.index()].or(self.guards_of_all)
    }

    /// Whether there is a request in both scopes, with one of these methods.
    fn meet(&mut self, a: ScopeId, b: ScopeId, methods: Option<MethodSet>) -> Search {
        let key = (a.min(b), a.max(b));
        if methods.is_none()
            && let Some(known) = self.meetings.get(&key)
        {
            return known.clone();
        }
        let Some(left) = self.pairs_left.checked_sub(1) else {
            self.cut = true;
            return Search::TooHard;
        };
        self.pairs_left = left;
        let within = [&self.regions[a.index()], &self.regions[b.index()]];
        let within = if a == b { within[..1].to_vec() } else { within.to_vec() };
        let found =
            self.search(&within.into_iter().cloned().collect::<Vec<_>>(), &[], methods.unwrap_or(MethodSet::ALL));
        if methods.is_none() {
            self.meetings.insert(key, found.clone());
        }
        found
    }

    /// Whether there is a request in all of some regions and in none of others, with one of these methods.
    fn search(&mut self, within: &[Region], outside: &[Region], methods: MethodSet) -> Search {
        self.search_at_most(within, outside, methods, MAX_COMPARISONS)
    }

    fn search_at_most(&mut self, within: &[Region], outside: &[Region], methods: MethodSet, limit: usize) -> Search {
        let set = self.space.methods(methods, self.policy);
        let with_expressions = within.iter().chain(outside).any(Region::has_expressions);
        let limit = if with_expressions { limit.min(self.expressions_left) } else { limit };
        let mut left = limit;
        let (within, outside): (Vec<_>, Vec<_>) = (within.iter().collect(), outside.iter().collect());
        let found = self.space.find_plainly(&within, &outside, set, &mut left);
        if with_expressions {
            self.expressions_left -= limit - left;
        }
        self.cut |= left == 0;
        found
    }
}

/// The scopes that a rule is about, each of them if it is about all.
fn concerned(scopes: &ScopeSelector, policy: &Policy) -> Vec<ScopeId> {
    match scopes {
        ScopeSelector::All => policy.scopes.iter().map(|(id, _)| id).collect(),
        ScopeSelector::Named(scopes) => scopes.clone(),
    }
}

/// The scopes of a rule, none if it is about all.
fn named(scopes: &ScopeSelector) -> &[ScopeId] {
    match scopes {
        ScopeSelector::All => &[],
        ScopeSelector::Named(scopes) => scopes,
    }
}
