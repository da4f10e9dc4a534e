//! The targets that policies tell apart: one host for all that the same patterns hold, one path for all that the same templates
//! hold, one method for all that stand in the same sets, one frontend for all that the same scopes name.
//!
//! * Hosts: each exact one; for each `x` of a `*.x` or `**.x` one host with a label before it and one with two, since a host is held by
//!   what its longest known suffix and the number of labels before that say; and one that nobody names, which stands for
//!   addresses and for no Host, too.
//! * Paths: the templates that concern a host walk together, segment by segment. A segment is one of the literals that some template
//!   has at that place, or any other; a set of templates in the same place is walked once.
//! * Methods: by the sets of the policy in which they are.
//! * Frontends: of each host those that its scopes name, and one that they do not.
//!
//! Nothing is decided here: which scopes hold a sample is asked of the snapshots.

use super::by_expression::{self, Expressions};
use super::patterns::{self, TooHard};
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, HostProperties, PathTemplate, Policy, ScopeId, Segment, TableId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The most places of one host's templates that are walked.
const MAX_PLACES: usize = 50_000;

/// How many steps of automata and templates may be taken for the hosts of one group, and for all.
const MAX_OF_HOST: usize = 10_000_000;
const MAX_COMPARISONS: usize = 50_000_000;

/// The pattern of every path of a host that no template holds.
pub(super) const OTHER_PATHS: &str = "any other path";

/// What follows the pattern of paths that only hosts which ignore case take for what it says.
const IN_ANOTHER_CASE: &str = " in another case";

/// Methods that stand in the same sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MethodClass {
    /// The methods, in the order of RFC 9110; `other` is every one that nobody names.
    pub(super) names: Vec<String>,
    /// One of them, to send.
    pub(super) token: String,
}

/// What stands for every frontend that the scopes of a host do not name. No frontend is called like that.
const OTHER_FRONTENDS: &str = "any other";

/// Frontends that the same scopes name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrontendClass {
    /// Their names; none if no scope of the host names frontends.
    pub(super) names: Vec<String>,
    /// One of them, to send; `None` if none are told apart.
    pub(super) name: Option<String>,
}

/// A host that stands for those that the same patterns hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostSample {
    /// The host to send.
    pub(super) name: String,
    /// All of them, as a policy writes it; `None` for every host that nobody names.
    pub(super) pattern: Option<String>,
}

/// A path that stands for those that the same templates hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathSample {
    /// The path to send.
    pub(super) path: String,
    /// All of them, as a policy writes it.
    pub(super) pattern: String,
}

/// A scope of one of the policies.
pub(super) type Held = (usize, ScopeId);

/// Values of captures, decoded, that rules or a person tell apart from all others; by the name of the capture.
pub(super) type Special = BTreeMap<String, BTreeSet<String>>;

/// The scopes that differ between the policies, or whatever else narrows the walk; `None` walks everything.
pub(super) type Touched<'t> = Option<&'t HashSet<Held>>;

/// The hosts and paths of some policies.
pub(super) struct Targets<'a> {
    policies: Vec<&'a Policy>,
    any_host: Vec<Held>,
    exact: BTreeMap<&'a str, Vec<Held>>,
    one_label: BTreeMap<&'a str, Vec<Held>>,
    labels: BTreeMap<&'a str, Vec<Held>>,
    /// A label that no pattern has.
    fresh_label: String,
    /// A frontend that no scope names.
    fresh_frontend: String,
    special: &'a Special,
    /// Hosts whose label before the first dot is one of these values.
    special_hosts: BTreeSet<String>,
    expressions: Expressions<'a>,
    /// Names and suffixes of hosts with paths of their own kind, in some policy.
    odd_exact: BTreeSet<&'a str>,
    odd_suffixes: BTreeSet<&'a str>,
}

/// What the policies say about the paths and methods of a host, one after the other.
type Ways = Vec<(bool, bool, bool)>;

/// Hosts with the same templates, and these templates' paths.
#[derive(Clone)]
pub(super) struct HostGroup {
    pub(super) hosts: Vec<HostSample>,
    pub(super) paths: Vec<PathSample>,
    /// The frontends that their scopes tell apart.
    pub(super) frontends: Vec<FrontendClass>,
    /// Why there may be more paths, if there may.
    pub(super) gap: Option<String>,
}

impl<'a> Targets<'a> {
    /// Adds the paths that regular expressions tell apart, where some scope of the hosts has them; what is missing, if something is.
    fn by_expression(
        &self,
        walk: &mut Walk<'a>,
        hosts: &[HostSample],
        held: &[Held],
        touched: Touched<'_>,
        odd: bool,
        left: &mut usize,
    ) -> Option<String> {
        let all = self.expressions.of(held, touched);
        if all.is_empty() {
            return None;
        }
        let scopes = || super::words::listed(all.iter().flat_map(|one| one.scopes.iter().copied()), "and");
        let templates: Vec<(&PathTemplate, bool)> =
            walk.templates.iter().copied().zip(walk.wanted.iter().copied()).collect();
        let special = |capture: &str| self.special_segments(capture).collect();
        let before = (*left).min(MAX_OF_HOST);
        let mut budget = before;
        let found = match odd {
            true => Err(TooHard),
            false => by_expression::samples(&templates, &all, &special, &mut walk.paths, &mut budget),
        };
        match found {
            Ok(only_ambiguous) => {
                *left -= before - budget;
                let mut rows = self.policies.iter().flat_map(|policy| policy.hosts.iter().map(|(_, row)| row));
                let accepts = |row: &HostProperties| {
                    !row.accepts.is_empty() && hosts.iter().any(|host| patterns::holds_host(&row.host, &host.name))
                };
                let gap = only_ambiguous && rows.any(accepts);
                gap.then(|| format!("`path-regex` of {}, of which some fits ambiguous targets alone", scopes()))
            }
            Err(TooHard) => {
                *left -= if odd { 0 } else { before };
                let examples = all.iter().filter_map(|one| Some((one.regex.example()?, &one.scopes)));
                walk.paths.extend(examples.map(|(path, scopes)| {
                    let scopes = super::words::listed(scopes.iter().copied(), "and");
                    PathSample { pattern: format!("{path} and other paths of scope {scopes}"), path }
                }));
                let where_case_matters = if odd { " where case is ignored or a final `/` matters" } else { "" };
                Some(format!("`path-regex` of {}{where_case_matters}, of which one path each is looked at", scopes()))
            }
        }
    }

    /// The special values of a capture as they stand in paths.
    fn special_segments(&self, capture: &str) -> impl Iterator<Item = String> {
        special_segments(self.special, capture)
    }

    pub(super) fn new(policies: Vec<&'a Policy>, special: &'a Special) -> Self {
        let mut targets = Self {
            policies,
            any_host: Vec::new(),
            exact: BTreeMap::new(),
            one_label: BTreeMap::new(),
            labels: BTreeMap::new(),
            fresh_label: String::new(),
            fresh_frontend: String::new(),
            special,
            special_hosts: BTreeSet::new(),
            expressions: Expressions::default(),
            odd_exact: BTreeSet::new(),
            odd_suffixes: BTreeSet::new(),
        };
        for (_, row) in targets.policies.iter().flat_map(|policy| policy.hosts.iter()) {
            match &row.host {
                HostPattern::Any => {}
                HostPattern::Exact(name) => drop(targets.odd_exact.insert(name)),
                HostPattern::OneLabel(name) | HostPattern::Labels(name) | HostPattern::Capture { parent: name, .. } => {
                    targets.odd_suffixes.insert(name);
                }
            }
        }
        targets.expressions = Expressions::new(&targets.policies);
        for (at, policy) in targets.policies.clone().into_iter().enumerate() {
            for (id, scope) in policy.scopes.iter() {
                for host in &scope.hosts {
                    if let HostPattern::Capture { name, parent } = host {
                        let labels = special.get(name).into_iter().flatten().filter(|value| is_label(value));
                        targets.special_hosts.extend(labels.map(|label| format!("{label}.{parent}")));
                    }
                    let held = match host {
                        HostPattern::Any => &mut targets.any_host,
                        HostPattern::Exact(name) => targets.exact.entry(name).or_default(),
                        HostPattern::OneLabel(suffix) | HostPattern::Capture { parent: suffix, .. } => {
                            targets.one_label.entry(suffix).or_default()
                        }
                        HostPattern::Labels(suffix) => targets.labels.entry(suffix).or_default(),
                    };
                    if held.last() != Some(&(at, id)) {
                        held.push((at, id));
                    }
                }
            }
        }
        let names = targets.exact.keys().chain(targets.one_label.keys()).chain(targets.labels.keys());
        let names = names.copied().chain(targets.special_hosts.iter().map(String::as_str));
        let names = names.chain(targets.odd_exact.iter().chain(&targets.odd_suffixes).copied());
        let known: HashSet<&str> = names.flat_map(|name| name.split('.')).collect();
        let scopes = targets.policies.iter().flat_map(|policy| policy.scopes.iter());
        let named: HashSet<&str> = scopes.flat_map(|(_, scope)| &scope.frontends).map(String::as_str).collect();
        targets.fresh_frontend = fresh("other", |name| named.contains(name));
        targets.fresh_label = fresh("other", |label| known.contains(label));
        targets
    }

    /// One host for all that the same patterns hold.
    fn hosts(&self) -> Vec<HostSample> {
        let fresh = &self.fresh_label;
        let sample = |name: String, pattern: String| HostSample { name, pattern: Some(pattern) };
        let names: BTreeSet<&str> = self
            .exact
            .keys()
            .chain(&self.odd_exact)
            .copied()
            .chain(self.special_hosts.iter().map(String::as_str))
            .collect();
        let mut hosts: Vec<HostSample> =
            names.into_iter().map(|name| sample(name.to_owned(), name.to_owned())).collect();
        let suffixes: BTreeSet<&str> =
            self.one_label.keys().chain(self.labels.keys()).chain(&self.odd_suffixes).copied().collect();
        for suffix in suffixes {
            hosts.push(sample(format!("{fresh}.{suffix}"), format!("*.{suffix}")));
            hosts.push(sample(format!("{fresh}.{fresh}.{suffix}"), format!("**.*.{suffix}")));
        }
        hosts.push(HostSample { name: format!("{fresh}.invalid"), pattern: None });
        hosts
    }

    /// What the policies say about a host.
    fn ways(&self, host: &str) -> Ways {
        let of = |policy: &&Policy| {
            let rows = || policy.hosts.iter().map(|(_, row)| row).filter(|row| patterns::holds_host(&row.host, host));
            let some = |is: fn(&HostProperties) -> bool| rows().any(is);
            (some(|row| row.ignores_case), some(|row| row.slash_matters), some(|row| row.refuses_method_override))
        };
        self.policies.iter().map(of).collect()
    }

    /// The scopes with a pattern that holds the host, sorted.
    fn held(&self, host: &str) -> Vec<Held> {
        let mut held: BTreeSet<Held> = self.any_host.iter().copied().collect();
        held.extend(self.exact.get(host).into_iter().flatten());
        // What is before a suffix of an address is no label; no suffix of a policy is one of an address either.
        let mut rest = host;
        let mut labels = 0;
        while let Some((_, suffix)) = rest.split_once('.') {
            rest = suffix;
            labels += 1;
            if labels == 1 {
                held.extend(self.one_label.get(suffix).into_iter().flatten());
            }
            held.extend(self.labels.get(suffix).into_iter().flatten());
        }
        held.into_iter().collect()
    }

    /// The frontends that these scopes tell apart.
    fn frontends(&self, held: &[Held]) -> Vec<FrontendClass> {
        let named = held.iter().map(|(policy, scope)| self.policies[*policy].scopes[*scope].frontends.as_slice());
        frontend_classes(&named.collect::<Vec<_>>(), &self.fresh_frontend)
    }

    /// Every host with every path, host by host; those alone that a touched scope may hold, if some are named.
    pub(super) fn groups(&self, touched: Touched<'_>, mut visit: impl FnMut(&HostGroup)) {
        // A host whose label is special is like no other.
        let mut groups: HashMap<(Vec<Held>, Option<String>, Ways), Vec<HostSample>> = HashMap::new();
        let mut order = Vec::new();
        for host in self.hosts() {
            let held = self.held(&host.name);
            if touched.is_some_and(|touched| !held.iter().any(|one| touched.contains(one))) {
                continue;
            }
            let key = (held, self.special_hosts.get(&host.name).cloned(), self.ways(&host.name));
            let hosts = groups.entry(key.clone()).or_default();
            if hosts.is_empty() {
                order.push(key);
            }
            hosts.push(host);
        }
        let mut left = MAX_COMPARISONS;
        for key in order {
            let Some(hosts) = groups.remove(&key) else { continue };
            let (held, _, ways) = key;
            // Where all ignore case, or none does, the snapshots see to it.
            let case_differs = ways.iter().any(|(case, ..)| *case != ways[0].0);
            let folds: Vec<bool> = ways.iter().map(|(case, ..)| case_differs && *case).collect();
            let mut walk = Walk::new(&self.policies, &held, touched, self.special, &folds);
            walk.all_places();
            let gap = walk.cut.then(|| "more kinds of paths than are looked at".to_owned());
            let odd = ways.iter().any(|(case, slash, _)| *case || *slash);
            let by_expression = self.by_expression(&mut walk, &hosts, &held, touched, odd, &mut left);
            if ways.iter().any(|(_, slash, _)| *slash) {
                walk.with_final_slashes();
            }
            visit(&HostGroup {
                hosts,
                paths: walk.paths,
                frontends: self.frontends(&held),
                gap: by_expression.or(gap),
            });
        }
    }
}

/// A value as a segment of a canonical path; `None` if none can hold it.
fn canonical(value: &str) -> Option<String> {
    let refused = |byte: u8| byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b'%');
    let can = !matches!(value, "" | "." | "..") && !value.bytes().any(refused);
    can.then(|| super::brought::escaped(value))
}

/// The special values of a capture as they stand in paths.
fn special_segments(special: &Special, capture: &str) -> impl Iterator<Item = String> {
    special.get(capture).into_iter().flatten().filter_map(|value| canonical(value))
}

fn is_label(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !value.is_empty() && value.len() <= 63 && value.bytes().all(plain)
}

/// A name that is not taken: `base`, or `base` with a number.
fn fresh(base: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(base) {
        return base.to_owned();
    }
    (1_u64..).map(|n| format!("{base}{n}")).find(|name| !taken(name)).unwrap_or_else(|| base.to_owned())
}

/// The templates of some scopes walking together.
struct Walk<'a> {
    special: &'a Special,
    templates: Vec<&'a PathTemplate>,
    /// Whether case is nothing to the policy that has the template, where it is something to another.
    folds: Vec<bool>,
    /// Whether a touched scope has the template.
    wanted: Vec<bool>,
    paths: Vec<PathSample>,
    seen: HashSet<Seen>,
    cut: bool,
}

/// How deep, which templates go on, which take everything, and where special values stand.
type Seen = (usize, Vec<usize>, Vec<usize>, Vec<(usize, String)>);

/// Where the templates are.
#[derive(Clone)]
struct Place {
    depth: usize,
    /// Templates whose segments fit so far.
    alive: Vec<usize>,
    /// Templates whose `**` takes everything from here on.
    rest: Vec<usize>,
    /// Special values that some capture holds, with their depth.
    special: Vec<(usize, String)>,
    path: String,
    pattern: String,
    /// Whether a literal is written in another case.
    in_another_case: bool,
}

impl<'a> Walk<'a> {
    fn new(policies: &[&'a Policy], held: &[Held], touched: Touched<'_>, special: &'a Special, folds: &[bool]) -> Self {
        let mut templates: BTreeMap<(&PathTemplate, bool), bool> = BTreeMap::new();
        for one in held {
            let wanted = touched.is_none_or(|touched| touched.contains(one));
            for operation in &policies[one.0].scopes[one.1].operations {
                *templates.entry((&operation.path, folds[one.0])).or_default() |= wanted;
            }
        }
        let (templates, wanted): (Vec<_>, Vec<_>) = templates.into_iter().unzip();
        let (templates, folds) = templates.into_iter().unzip();
        Self { special, templates, folds, wanted, paths: Vec::new(), seen: HashSet::new(), cut: false }
    }

    /// Each path with a final `/`, too.
    fn with_final_slashes(&mut self) {
        let slashed = |sample: &PathSample| PathSample {
            path: format!("{}/", sample.path),
            pattern: match sample.pattern.strip_suffix(IN_ANOTHER_CASE) {
                _ if sample.pattern == OTHER_PATHS => format!("{OTHER_PATHS} that ends in `/`"),
                Some(pattern) => format!("{pattern}/{IN_ANOTHER_CASE}"),
                None => format!("{}/", sample.pattern),
            },
        };
        let more: Vec<PathSample> = self.paths.iter().filter(|sample| sample.path != "/").map(slashed).collect();
        self.paths.extend(more);
    }

    fn all_places(&mut self) {
        let root = Place {
            depth: 0,
            alive: (0..self.templates.len()).collect(),
            rest: Vec::new(),
            special: Vec::new(),
            path: String::new(),
            pattern: String::new(),
            in_another_case: false,
        };
        let mut open = vec![root];
        while let Some(mut place) = open.pop() {
            let ends = |at: &usize| self.templates[*at].segments.len() == place.depth;
            place.rest.extend(place.alive.iter().copied().filter(|at| ends(at) && self.templates[*at].rest));
            place.rest.sort_unstable();
            let depth = if place.alive.is_empty() { 0 } else { place.depth };
            if !self.seen.insert((depth, place.alive.clone(), place.rest.clone(), place.special.clone())) {
                continue;
            }
            if self.seen.len() > MAX_PLACES {
                self.cut = true;
                return;
            }
            let root = |text: &str| if text.is_empty() { "/".to_owned() } else { text.to_owned() };
            // Where no template goes on, everything below is like this.
            let (pattern, goes_on) = match place.alive.is_empty() {
                true if place.rest.is_empty() && place.depth > 0 => (OTHER_PATHS.to_owned(), false),
                true => (format!("{}/**", place.pattern), false),
                false => (root(&place.pattern), true),
            };
            let case = if place.in_another_case && pattern != OTHER_PATHS { IN_ANOTHER_CASE } else { "" };
            self.paths.push(PathSample { path: root(&place.path), pattern: format!("{pattern}{case}") });
            if goes_on {
                self.steps(&place, &mut open);
            }
        }
    }

    fn is_special(&self, segment: &Segment, text: &str) -> bool {
        match segment {
            Segment::Capture(name) => special_segments(self.special, name).any(|value| value == text),
            Segment::Literal(_) | Segment::Any => false,
        }
    }

    /// The places one segment further; any other segment is looked at first, since it gives the wider pattern.
    fn steps(&self, place: &Place, open: &mut Vec<Place>) {
        let going_on: Vec<usize> =
            place.alive.iter().copied().filter(|at| self.templates[*at].segments.len() > place.depth).collect();
        let segment = |at: &usize| &self.templates[*at].segments[place.depth];
        let literals: BTreeSet<String> = going_on
            .iter()
            .flat_map(|at| match segment(at) {
                Segment::Literal(text) => vec![text.clone()],
                Segment::Capture(name) => special_segments(self.special, name).collect(),
                Segment::Any => Vec::new(),
            })
            .collect();
        // A segment in another case stands for all that are written otherwise.
        let mut texts: BTreeMap<String, Option<&String>> = literals.iter().map(|text| (text.clone(), None)).collect();
        if self.folds.contains(&true) {
            let other = |literal| in_another_case(literal, &literals);
            texts.extend(literals.iter().filter_map(|literal| Some((other(literal)?, Some(literal)))));
        }
        let is_wanted = |alive: &[usize]| alive.iter().chain(&place.rest).any(|at| self.wanted[*at]);
        for (literal, written) in texts.iter().rev() {
            let fits = |at: &usize| match segment(at) {
                Segment::Literal(text) => text == literal || self.folds[*at] && text.eq_ignore_ascii_case(literal),
                Segment::Capture(_) | Segment::Any => true,
            };
            let alive: Vec<usize> = going_on.iter().copied().filter(fits).collect();
            if is_wanted(&alive) {
                let mut next = place.step(literal, written.unwrap_or(literal), alive);
                next.in_another_case |= written.is_some();
                if going_on.iter().any(|at| self.is_special(segment(at), literal)) {
                    next.special.push((place.depth, literal.clone()));
                }
                open.push(next);
            }
        }
        let others: Vec<usize> =
            going_on.iter().copied().filter(|at| !matches!(segment(at), Segment::Literal(_))).collect();
        let name = others.iter().find_map(|at| match segment(at) {
            Segment::Capture(name) => Some(name.as_str()),
            Segment::Literal(_) | Segment::Any => None,
        });
        let other = fresh(name.unwrap_or("other"), |text| literals.contains(text));
        let pattern = name.map_or_else(|| "*".to_owned(), |name| format!("{{{name}}}"));
        // What no template holds is one target, wherever it lies; it matters only to rules about every request.
        let in_no_template = others.is_empty() && place.rest.is_empty();
        if is_wanted(&others) || in_no_template && self.wanted.iter().all(|wanted| *wanted) {
            open.push(place.step(&other, &pattern, others));
        }
    }
}

/// The segment with the case of one letter changed, as no literal has it.
fn in_another_case(literal: &str, literals: &BTreeSet<String>) -> Option<String> {
    let mut escaped = 0_u8;
    for (at, letter) in literal.char_indices() {
        // The digits of escapes are in upper case everywhere.
        if letter == '%' {
            escaped = 3;
        }
        let is_digit = escaped > 0;
        escaped = escaped.saturating_sub(1);
        if is_digit || !letter.is_ascii_alphabetic() {
            continue;
        }
        let swapped =
            if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() };
        let other = format!("{}{swapped}{}", &literal[..at], &literal[at + 1..]);
        if !literals.contains(&other) {
            return Some(other);
        }
    }
    None
}

impl Place {
    fn step(&self, segment: &str, pattern: &str, alive: Vec<usize>) -> Self {
        Self {
            depth: self.depth + 1,
            alive,
            rest: self.rest.clone(),
            special: self.special.clone(),
            path: format!("{}/{segment}", self.path),
            pattern: format!("{}/{pattern}", self.pattern),
            in_another_case: self.in_another_case,
        }
    }
}

/// Every frontend, by which of the lists name it; an empty list tells none apart.
fn frontend_classes(lists: &[&[String]], fresh: &str) -> Vec<FrontendClass> {
    let names: BTreeSet<&String> = lists.iter().copied().flatten().collect();
    if names.is_empty() {
        return vec![FrontendClass { names: Vec::new(), name: None }];
    }
    let mut by_lists: BTreeMap<Vec<bool>, Vec<String>> = BTreeMap::new();
    for name in names {
        let stands = lists.iter().map(|list| list.contains(name)).collect();
        by_lists.entry(stands).or_default().push(name.clone());
    }
    let classes = by_lists.into_values().map(|names| FrontendClass { name: names.first().cloned(), names });
    let others = FrontendClass { names: vec![OTHER_FRONTENDS.to_owned()], name: Some(fresh.to_owned()) };
    classes.chain([others]).collect()
}

/// The frontends that the scopes of a policy tell apart.
pub(super) fn every_frontend(policy: &Policy) -> Vec<FrontendClass> {
    let named: Vec<&[String]> = policy.scopes.iter().map(|(_, scope)| scope.frontends.as_slice()).collect();
    let names: HashSet<&str> = named.iter().copied().flatten().map(String::as_str).collect();
    frontend_classes(&named, &fresh("other", |name| names.contains(name)))
}

/// Every method, by the sets of the policies in which it stands.
pub(super) fn method_classes(policies: &[&Policy]) -> Vec<MethodClass> {
    let mut names: Vec<String> = Vec::new();
    for policy in policies {
        for name in policy.methods.names(MethodSet::ALL) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    // `other` behind what the second policy names.
    names.sort_by_key(|name| name == "other");
    let other = fresh("UNNAMED", |token| names.iter().any(|name| name == token));
    let sets: Vec<Vec<MethodSet>> = policies
        .iter()
        .map(|policy| {
            let operations = policy.scopes.iter().flat_map(|(_, scope)| scope.operations.iter().map(|one| one.methods));
            let mut sets: Vec<MethodSet> =
                operations.chain(policy.rules.iter().filter_map(|(_, rule)| rule.methods)).collect();
            let mut seen = HashSet::new();
            sets.retain(|set| seen.insert(*set));
            sets
        })
        .collect();
    // Then OPTIONS is like no other method.
    let passes_preflights = policies.iter().any(|policy| policy.scopes.iter().any(|(_, scope)| scope.preflight));
    let mut classes: Vec<(Vec<bool>, MethodClass)> = Vec::new();
    for name in names {
        let token = if name == "other" { &other } else { &name };
        let stands = |(policy, sets): (&&Policy, &Vec<MethodSet>)| {
            let method = policy.methods.resolve(token.as_bytes());
            sets.iter().map(|set| set.intersects(method)).collect::<Vec<_>>()
        };
        let mut signature: Vec<bool> = policies.iter().zip(&sets).flat_map(stands).collect();
        signature.push(passes_preflights && token == "OPTIONS");
        match classes.iter_mut().find(|(known, _)| *known == signature) {
            Some((_, class)) => class.names.push(name),
            None => classes.push((signature, MethodClass { token: token.clone(), names: vec![name] })),
        }
    }
    classes.into_iter().map(|(_, class)| class).collect()
}

/// The scopes of a policy as places in it.
pub(super) fn every_scope(policy: &Policy) -> impl Iterator<Item = ScopeId> {
    (0..policy.scopes.len()).map(ScopeId::from_index)
}
