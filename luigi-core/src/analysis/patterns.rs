//! Where scopes meet: whether there is a request that lies in some scopes and not in others, and one that does.
//!
//! A [`Region`] is what a scope holds: frontends x hosts x path templates x methods, without what `except` leaves out. A [`Space`] knows the words of
//! one policy or several, so that regions of an old and a new policy can be compared. [`Space::find`] looks for a [`Witness`].
//!
//! How it is exact: where a pattern leaves a segment or a label open, a *fresh* word that no policy names lies in the fewest
//! other patterns, so nothing better can be found there; and a path longer than every template by one segment stands for all longer ones. What is
//! left to try is finite: one pattern of each region that must hold, and patterns that give back what another leaves out. Where scopes have regular
//! expressions, `expressions` has a path for each way in which patterns can hold paths.
//!
//! Deliberately not here: who asks, from where and when. Those are the rules' and belong to whoever asks about rules.

use super::expressions::{self, Breadth, Patterns, Representative};
use crate::matchers::path_regex::PathDfa;
use crate::method::{MethodSet, MethodTable};
use crate::policy::model::{HostPattern, HostProperties, Operation, PathTemplate, Policy, ScopeId, Segment, TableId};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// How many comparisons of patterns one search may take before it gives up. Policies that people write need a few dozen.
pub const MAX_COMPARISONS: usize = 2_000_000;

/// The words of one policy or several, and the methods that they name.
#[derive(Clone, Debug)]
pub struct Space {
    methods: MethodTable,
    /// Literal segments, labels of hosts and frontends: what a fresh word must not be.
    words: HashSet<String>,
    /// The frontends that scopes name.
    frontends: BTreeSet<String>,
}

/// What a scope holds. Cheap to clone; belongs to the [`Space`] that made it.
#[derive(Clone, Debug)]
pub struct Region(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Vec<HostPattern>,
    /// Empty for every one.
    frontends: Vec<String>,
    operations: Vec<Operation>,
    except: Vec<Region>,
    /// The most segments of a template, here or in what is left out.
    longest: usize,
    /// Whole paths by regular expression.
    regex: Option<Arc<Expressions>>,
    /// Whether this or something left out names frontends.
    names_frontends: bool,
    /// Whether this or something left out has regular expressions.
    expressions: bool,
    /// Whether this or something left out is about hosts that ignore case or tell `/a` from `/a/`: templates alone do not say what they hold.
    odd_hosts: bool,
}

/// The regular expressions of a scope.
#[derive(Debug)]
struct Expressions {
    methods: MethodSet,
    dfa: PathDfa,
}

/// A request that lies where one was looked for. Displayed as in a test of a policy: `GET https://host/path`, or the path alone for a
/// request without host; with the frontend behind it, if there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Witness {
    /// The method.
    pub method: String,
    /// The canonical host; `None` for a request without one.
    pub host: Option<String>,
    /// The canonical path.
    pub path: String,
    /// The frontend at which it comes in; `None` if that does not matter.
    pub frontend: Option<String>,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// There is such a request, this one for example.
    Found(Witness),
    /// There is none.
    Empty,
    /// It would have taken more than [`MAX_COMPARISONS`]; or a scope is about hosts with paths of their own kind (`[hosts]`); or only a request
    /// with an ambiguous target fits the regular expressions, which some hosts accept.
    TooHard,
}

impl Search {
    /// The request, if one was found.
    #[must_use]
    pub fn witness(self) -> Option<Witness> {
        match self {
            Self::Found(witness) => Some(witness),
            Self::Empty | Self::TooHard => None,
        }
    }

    /// Whether there may be such a request: one was found, or it could not be ruled out.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Empty)
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, host, path, frontend } = self;
        match host {
            // An IPv6 address stands in brackets.
            Some(host) if host.contains(':') => write!(f, "{method} https://[{host}]{path}"),
            Some(host) => write!(f, "{method} https://{host}{path}"),
            None => write!(f, "{method} {path}"),
        }?;
        frontend.iter().try_for_each(|frontend| write!(f, " at frontend {frontend}"))
    }
}

impl Space {
    /// The space of these policies together.
    #[must_use]
    pub fn new(policies: &[&Policy]) -> Self {
        let mut space = Self { methods: MethodTable::default(), words: HashSet::new(), frontends: BTreeSet::new() };
        for policy in policies {
            for name in policy.methods.names(MethodSet::ALL).filter(|name| *name != "other") {
                // One that does not fit any more counts as one of the others, in every policy.
                let _ = space.methods.intern(name);
            }
            for (_, scope) in policy.scopes.iter() {
                space.words.extend(scope.frontends.iter().cloned());
                space.frontends.extend(scope.frontends.iter().cloned());
                for host in &scope.hosts {
                    space.words.extend(labels(host).map(str::to_owned));
                }
                let segments = scope.operations.iter().flat_map(|operation| &operation.path.segments);
                for segment in segments {
                    if let Segment::Literal(text) = segment {
                        space.words.insert(text.clone());
                    }
                }
            }
        }
        space
    }

    /// The regions of all scopes of a policy, in the order of their ids.
    ///
    /// # Panics
    /// If scopes leave each other out in a circle, which no policy from the parser does.
    #[must_use]
    pub fn regions(&self, policy: &Policy) -> Vec<Region> {
        let mut made: Vec<Option<Region>> = vec![None; policy.scopes.len()];
        for (id, _) in policy.scopes.iter() {
            // A chain of exceptions may be long where limits have not been checked yet: no recursion.
            let mut open = vec![id];
            while let Some(id) = open.last().copied() {
                assert!(open.len() <= policy.scopes.len(), "scopes leave each other out in a circle");
                let missing = policy.scopes[id].except.iter().find(|other| made[other.index()].is_none());
                if let Some(missing) = missing {
                    open.push(*missing);
                } else {
                    if made[id.index()].is_none() {
                        made[id.index()] = Some(self.region_of(policy, id, &made));
                    }
                    open.pop();
                }
            }
        }
        made.into_iter().map(|region| region.expect("each was made")).collect()
    }

    fn region_of(&self, policy: &Policy, id: ScopeId, made: &[Option<Region>]) -> Region {
        let scope = &policy.scopes[id];
        let operations = scope.operations.iter().map(|operation| Operation {
            methods: self.methods.translate(operation.methods, &policy.methods),
            path: operation.path.clone(),
        });
        let except: Vec<Region> = scope.except.iter().filter_map(|other| made[other.index()].clone()).collect();
        let own = scope.operations.iter().map(|operation| operation.path.segments.len());
        let longest = own.chain(except.iter().map(|region| region.0.longest)).max().unwrap_or(0);
        let odd = |row: &HostProperties| row.ignores_case || row.slash_matters;
        let mut odd_hosts = policy.hosts.iter().filter(|(_, row)| odd(row));
        let odd_hosts = odd_hosts.any(|(_, row)| scope.hosts.iter().any(|host| common_host(host, &row.host).is_some()))
            || except.iter().any(|region| region.0.odd_hosts);
        let expressions = scope.path_regex.is_some() || except.iter().any(|region| region.0.expressions);
        let names_frontends = !scope.frontends.is_empty() || except.iter().any(|region| region.0.names_frontends);
        let (hosts, frontends, operations) = (scope.hosts.clone(), scope.frontends.clone(), operations.collect());
        let regex = scope.path_regex.as_ref().and_then(|regex| {
            let methods = self.methods.translate(regex.methods, &policy.methods);
            let dfa = PathDfa::from_bytes(&regex.automaton.0)?;
            Some(Arc::new(Expressions { methods, dfa }))
        });
        Region(Arc::new(Inner {
            hosts,
            frontends,
            operations,
            except,
            longest,
            regex,
            names_frontends,
            expressions,
            odd_hosts,
        }))
    }

    /// A set of methods of one of the policies in the bits of this space.
    #[must_use]
    pub fn methods(&self, set: MethodSet, policy: &Policy) -> MethodSet {
        self.methods.translate(set, &policy.methods)
    }

    /// A request in all of `within` and in none of `outside`, with one of these methods. Not with CONNECT, which has no path: no scope
    /// holds such a request.
    #[must_use]
    pub fn find(&self, within: &[&Region], outside: &[&Region], methods: MethodSet) -> Search {
        self.find_within(within, outside, methods, MAX_COMPARISONS)
    }

    /// [`Space::find`] with a limit of one's own on the comparisons.
    #[must_use]
    pub fn find_within(&self, within: &[&Region], outside: &[&Region], methods: MethodSet, limit: usize) -> Search {
        if within.iter().chain(outside).any(|region| region.0.odd_hosts) {
            return Search::TooHard;
        }
        self.find_plainly(within, outside, methods, &mut { limit })
    }

    /// [`Space::find_within`] as if all hosts minded case and no host told `/a` from `/a/`: right but for the few requests where that
    /// matters. Good enough to warn; not to prove. What is left of the limit is none if it was too low.
    pub(crate) fn find_plainly(
        &self,
        within: &[&Region],
        outside: &[&Region],
        methods: MethodSet,
        left: &mut usize,
    ) -> Search {
        let methods = methods.without(self.methods.resolve(b"CONNECT"));
        let longest = within.iter().chain(outside).map(|region| region.0.longest).max().unwrap_or(0);
        let mut helpers = Vec::new();
        let mut seen = HashSet::new();
        within.iter().for_each(|region| collect(region, Parity::Holds, false, &mut helpers, &mut seen));
        outside.iter().for_each(|region| collect(region, Parity::LeavesOut, false, &mut helpers, &mut seen));
        let mut search = Searching {
            space: self,
            within,
            outside,
            frontend: None,
            helpers,
            longest,
            left: *left,
            memo: HashMap::new(),
        };
        let found = search.at_frontends(methods);
        *left = if found.is_ok() { search.left } else { 0 };
        found.unwrap_or(Search::TooHard)
    }

    /// A word made from `name` that no policy of the space has as a segment or label.
    fn fresh(&self, name: &str) -> String {
        (1..).map(|n: usize| format!("{name}-{n}")).find(|word| !self.words.contains(word)).expect("words are finite")
    }
}

impl Region {
    /// The hosts.
    #[must_use]
    pub fn hosts(&self) -> &[HostPattern] {
        &self.0.hosts
    }

    /// Whether it, or what it leaves out, has regular expressions.
    pub(crate) fn has_expressions(&self) -> bool {
        self.0.expressions
    }

    /// The methods with which its regular expressions hold a path.
    pub(crate) fn methods_of_expressions(&self, path: &str) -> MethodSet {
        let held = self.0.regex.as_ref().filter(|regex| regex.dfa.holds(path));
        held.map_or(MethodSet::NONE, |regex| regex.methods)
    }

    /// How much its regular expressions hold, if it has some. Spends comparisons; with too few left they count as narrow.
    pub(crate) fn breadth(&self, left: &mut usize) -> Breadth {
        let Some(regex) = &self.0.regex else { return Breadth::Narrow };
        expressions::breadth(&regex.dfa, left).unwrap_or_else(|_| {
            *left = 0;
            Breadth::Narrow
        })
    }

    /// These paths on these hosts; the methods are those of the space.
    pub(crate) fn of(hosts: Vec<HostPattern>, operations: Vec<Operation>) -> Self {
        let longest = operations.iter().map(|operation| operation.path.segments.len()).max().unwrap_or(0);
        Self(Arc::new(Inner {
            hosts,
            frontends: Vec::new(),
            operations,
            except: Vec::new(),
            longest,
            regex: None,
            expressions: false,
            names_frontends: false,
            odd_hosts: false,
        }))
    }

    /// The same with what it leaves out.
    pub(crate) fn whole(&self) -> Self {
        let Inner { hosts, frontends, operations, regex, odd_hosts, .. } = &*self.0;
        let longest = operations.iter().map(|operation| operation.path.segments.len()).max().unwrap_or(0);
        let (hosts, operations, regex) = (hosts.clone(), operations.clone(), regex.clone());
        let expressions = regex.is_some();
        Self(Arc::new(Inner {
            hosts,
            names_frontends: !frontends.is_empty(),
            frontends: frontends.clone(),
            operations,
            except: Vec::new(),
            longest,
            regex,
            expressions,
            odd_hosts: *odd_hosts,
        }))
    }

    /// The paths, and the methods on each.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.0.operations
    }
}

/// What both templates hold, or `None` if that is nothing. Names of segments are kept.
#[must_use]
pub fn common_path(a: &PathTemplate, b: &PathTemplate) -> Option<PathTemplate> {
    let (short, long) = if a.segments.len() <= b.segments.len() { (a, b) } else { (b, a) };
    if short.segments.len() < long.segments.len() && !short.rest {
        return None;
    }
    let mut segments = Vec::with_capacity(long.segments.len());
    for (at, segment) in long.segments.iter().enumerate() {
        segments.push(match (segment, short.segments.get(at)) {
            (Segment::Literal(one), Some(Segment::Literal(other))) if one != other => return None,
            (Segment::Any | Segment::Capture(_), Some(other @ Segment::Literal(_)))
            | (Segment::Any, Some(other @ Segment::Capture(_))) => other.clone(),
            (segment, _) => segment.clone(),
        });
    }
    Some(PathTemplate { segments, rest: short.rest && long.rest, slash: false })
}

/// What both patterns hold, or `None` if that is nothing.
#[must_use]
pub fn common_host(a: &HostPattern, b: &HostPattern) -> Option<HostPattern> {
    use HostPattern::{Any, Capture, Exact, Labels, OneLabel};
    // A label under a name is one label.
    let unnamed = |host: &HostPattern| match host {
        Capture { parent, .. } => Some(OneLabel(parent.clone())),
        Any | Exact(_) | OneLabel(_) | Labels(_) => None,
    };
    if let Some(one) = unnamed(a) {
        return if a == b || *b == Any { Some(a.clone()) } else { common_host(&one, b) };
    }
    if let Some(other) = unnamed(b) {
        return if *a == Any { Some(b.clone()) } else { common_host(a, &other) };
    }
    let below = |name: &str, parent: &str| name == parent || is_below(name, parent);
    match (a, b) {
        (Any, other) | (other, Any) => Some(other.clone()),
        (Exact(one), Exact(other)) | (OneLabel(one), OneLabel(other)) => (one == other).then(|| a.clone()),
        (Exact(name), wild @ (OneLabel(_) | Labels(_))) | (wild @ (OneLabel(_) | Labels(_)), Exact(name)) => {
            host_holds(wild, &Place::of(name)).then(|| Exact(name.clone()))
        }
        (OneLabel(parent), Labels(wide)) | (Labels(wide), OneLabel(parent)) => {
            below(parent, wide).then(|| OneLabel(parent.clone()))
        }
        (Labels(one), Labels(other)) if below(one, other) => Some(a.clone()),
        (Labels(one), Labels(other)) => below(other, one).then(|| b.clone()),
        // Neither is left.
        (Capture { .. }, _) | (_, Capture { .. }) => None,
    }
}

/// Whether a frontend is one of these; none are every one.
fn is_at(frontends: &[String], frontend: &String) -> bool {
    frontends.is_empty() || frontends.contains(frontend)
}

/// Whether `name` ends in `.parent`.
fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// The labels that a pattern names.
fn labels(host: &HostPattern) -> impl Iterator<Item = &str> {
    let name = match host {
        HostPattern::Any => "",
        HostPattern::Exact(name)
        | HostPattern::OneLabel(name)
        | HostPattern::Labels(name)
        | HostPattern::Capture { parent: name, .. } => name,
    };
    name.split('.')
}

/// The host of one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Name(String),
    Address(String),
    Absent,
}

impl Place {
    fn of(name: &str) -> Self {
        if name.parse::<IpAddr>().is_ok() { Self::Address(name.to_owned()) } else { Self::Name(name.to_owned()) }
    }

    fn host(&self) -> Option<String> {
        match self {
            Self::Name(name) | Self::Address(name) => Some(name.clone()),
            Self::Absent => None,
        }
    }
}

fn host_holds(pattern: &HostPattern, place: &Place) -> bool {
    match (pattern, place) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(text), Place::Name(name) | Place::Address(name)) => text == name,
        (HostPattern::OneLabel(parent) | HostPattern::Capture { parent, .. }, Place::Name(name)) => {
            is_below(name, parent) && !name[..name.len() - parent.len() - 1].contains('.')
        }
        (HostPattern::Labels(parent), Place::Name(name)) => is_below(name, parent),
        (HostPattern::Exact(_), Place::Absent)
        | (
            HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. },
            Place::Address(_) | Place::Absent,
        ) => false,
    }
}

/// Whether a pattern holds a canonical host, by its text.
pub(super) fn holds_host(pattern: &HostPattern, host: &str) -> bool {
    host_holds(pattern, &Place::of(host))
}

pub(super) fn path_holds(template: &PathTemplate, path: &[String]) -> bool {
    let enough =
        if template.rest { path.len() >= template.segments.len() } else { path.len() == template.segments.len() };
    enough
        && template.segments.iter().zip(path).all(|(wanted, segment)| match wanted {
            Segment::Literal(text) => text == segment,
            Segment::Capture(_) | Segment::Any => true,
        })
}

/// Whether a region adds to what is looked for or takes away from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Parity {
    Holds,
    LeavesOut,
}

/// The regions that give back what others leave out: to lie in one of them can be what a witness needs.
fn collect<'r>(
    region: &'r Region,
    parity: Parity,
    below: bool,
    helpers: &mut Vec<&'r Region>,
    seen: &mut HashSet<(*const Inner, Parity)>,
) {
    // What must hold is always part of a pattern that is tried; only what stands below it helps.
    if below && !seen.insert((Arc::as_ptr(&region.0), parity)) {
        return;
    }
    if below && parity == Parity::Holds {
        helpers.push(region);
    }
    let other = if parity == Parity::Holds { Parity::LeavesOut } else { Parity::Holds };
    region.0.except.iter().for_each(|except| collect(except, other, true, helpers, seen));
}

/// The limit on comparisons is used up.
pub(super) struct TooHard;

struct Searching<'s> {
    space: &'s Space,
    within: &'s [&'s Region],
    outside: &'s [&'s Region],
    /// Where requests come in; `None` if that does not matter.
    frontend: Option<String>,
    helpers: Vec<&'s Region>,
    longest: usize,
    left: usize,
    /// What regions hold at the point that is being looked at.
    memo: HashMap<*const Inner, MethodSet>,
}

/// A product of a host pattern, a path template and methods.
#[derive(Clone)]
struct Cell {
    host: HostPattern,
    path: PathTemplate,
}

impl Searching<'_> {
    fn spend(&mut self, comparisons: usize) -> Result<(), TooHard> {
        self.left = self.left.checked_sub(comparisons).ok_or(TooHard)?;
        Ok(())
    }

    /// Looks at each frontend that may tell the regions apart, at one that nobody names first.
    fn at_frontends(&mut self, methods: MethodSet) -> Result<Search, TooHard> {
        if !self.within.iter().chain(self.outside).any(|region| region.0.names_frontends) {
            return self.search(methods);
        }
        let space = self.space;
        let mut all = Search::Empty;
        for frontend in std::iter::once(space.fresh("other")).chain(space.frontends.iter().cloned()) {
            if !self.within.iter().all(|region| is_at(&region.0.frontends, &frontend)) {
                continue;
            }
            self.frontend = Some(frontend);
            match self.search(methods)? {
                Search::Found(witness) => return Ok(Search::Found(witness)),
                Search::TooHard => all = Search::TooHard,
                Search::Empty => {}
            }
        }
        Ok(all)
    }

    fn search(&mut self, methods: MethodSet) -> Result<Search, TooHard> {
        match self.run(methods)? {
            Some(witness) => Ok(Search::Found(witness)),
            // What templates do not lead to may still fit an expression.
            None if self.within.iter().chain(self.outside).any(|region| region.0.expressions) => {
                self.by_representatives(methods)
            }
            None => Ok(Search::Empty),
        }
    }

    fn run(&mut self, methods: MethodSet) -> Result<Option<Witness>, TooHard> {
        let within = self.within;
        let mut hosts = vec![HostPattern::Any];
        for region in within {
            self.spend(hosts.len() * region.0.hosts.len())?;
            let both = hosts.iter().flat_map(|one| region.0.hosts.iter().filter_map(|other| common_host(one, other)));
            hosts = both.collect();
            hosts.sort_unstable();
            hosts.dedup();
        }
        let mut paths = vec![(PathTemplate { segments: Vec::new(), rest: true, slash: false }, methods)];
        for region in within {
            // Expressions may hold anything: other regions say where to look.
            let anywhere = region.0.regex.as_ref().map(|regex| Operation {
                methods: regex.methods,
                path: PathTemplate { segments: Vec::new(), rest: true, slash: false },
            });
            self.spend(paths.len() * (region.0.operations.len() + 1))?;
            let both = paths.iter().flat_map(|(path, methods)| {
                region.0.operations.iter().chain(&anywhere).filter_map(|operation| {
                    let methods = methods.intersection(operation.methods);
                    let path = common_path(path, &operation.path).filter(|_| !methods.is_empty())?;
                    Some((path, methods))
                })
            });
            paths = both.collect();
        }
        for (path, _) in paths {
            for host in &hosts {
                let cell = Cell { host: host.clone(), path: path.clone() };
                let found = self.in_cell(&cell, methods, 0)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// Looks at one path for each combination of patterns, at one place for each combination of hosts. Of two patterns of hosts with a host in
    /// common one holds the other, so the fresh places of each are all there are.
    fn by_representatives(&mut self, methods: MethodSet) -> Result<Search, TooHard> {
        let mut regions: Vec<&Region> = Vec::new();
        let mut open: Vec<&Region> = self.outside.iter().chain(self.within).rev().copied().collect();
        let mut seen = HashSet::new();
        while let Some(region) = open.pop() {
            if seen.insert(Arc::as_ptr(&region.0)) {
                regions.push(region);
                open.extend(&region.0.except);
            }
        }
        fn patterns(region: &Region) -> Patterns<'_> {
            Patterns {
                templates: region.0.operations.iter().map(|operation| &operation.path).collect(),
                expressions: region.0.regex.iter().map(|regex| &regex.dfa).collect(),
            }
        }
        let (mut required, mut others) = (Vec::new(), Vec::new());
        for region in &regions {
            let is_within = self.within.iter().any(|within| Arc::ptr_eq(&within.0, &region.0));
            let list =
                if is_within && required.len() < expressions::MAX_REQUIRED { &mut required } else { &mut others };
            list.push(patterns(region));
        }
        let paths = expressions::representatives(&required, &others, &mut self.left)?;
        let hosts: Vec<&HostPattern> =
            regions.iter().flat_map(|region| &region.0.hosts).chain([&HostPattern::Any]).collect();
        self.spend(hosts.len() * (self.within.len() + 1))?;
        let mut places: Vec<Place> = hosts.into_iter().flat_map(|host| self.fresh_places(host)).collect();
        let within = self.within;
        places.retain(|place| within.iter().all(|region| region.0.hosts.iter().any(|host| host_holds(host, place))));
        places.sort();
        places.dedup();
        for doubtful in [false, true] {
            for Representative { path, .. } in paths.iter().filter(|one| one.is_doubtful == doubtful) {
                let segments: Vec<String> =
                    path[1..].split('/').filter(|one| !one.is_empty()).map(str::to_owned).collect();
                for place in &places {
                    let found = self.methods_at(place, &segments)?.intersection(methods);
                    if let Some(method) = self.space.methods.example(found) {
                        let (host, path, frontend) = (place.host(), path.clone(), self.frontend.clone());
                        let witness = Witness { method: method.to_owned(), host, path, frontend };
                        return Ok(if doubtful { Search::TooHard } else { Search::Found(witness) });
                    }
                }
            }
        }
        Ok(Search::Empty)
    }

    /// Looks at the points of a cell that lie in the fewest other patterns, then at the parts of it that `helpers[from..]` give back.
    fn in_cell(&mut self, cell: &Cell, methods: MethodSet, from: usize) -> Result<Option<Witness>, TooHard> {
        let lengths = if cell.path.rest {
            cell.path.segments.len()..=self.longest.max(cell.path.segments.len()) + 1
        } else {
            cell.path.segments.len()..=cell.path.segments.len()
        };
        for length in lengths {
            let path = self.fresh_path(&cell.path, length);
            for place in self.fresh_places(&cell.host) {
                let found = self.methods_at(&place, &path)?.intersection(methods);
                if let Some(method) = self.space.methods.example(found) {
                    let path = format!("/{}", path.join("/"));
                    return Ok(Some(Witness {
                        method: method.to_owned(),
                        host: place.host(),
                        path,
                        frontend: self.frontend.clone(),
                    }));
                }
            }
        }
        for at in from..self.helpers.len() {
            let Inner { hosts, operations, .. } = &*self.helpers[at].0.clone();
            for host in hosts {
                self.spend(1)?;
                let Some(host) = common_host(&cell.host, host) else { continue };
                for operation in operations {
                    self.spend(1)?;
                    let Some(path) = common_path(&cell.path, &operation.path) else { continue };
                    let found = self.in_cell(&Cell { host: host.clone(), path }, methods, at + 1)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(None)
    }

    fn fresh_path(&self, template: &PathTemplate, length: usize) -> Vec<String> {
        let mut path: Vec<String> = template
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => text.clone(),
                Segment::Capture(name) => self.space.fresh(name),
                Segment::Any => self.space.fresh("any"),
            })
            .collect();
        while path.len() < length {
            path.push(self.space.fresh("any"));
        }
        path
    }

    fn fresh_places(&self, host: &HostPattern) -> Vec<Place> {
        let word = || self.space.fresh("any");
        match host {
            HostPattern::Any => vec![Place::Name(format!("{}.example", word())), Place::Absent],
            HostPattern::Exact(name) => vec![Place::of(name)],
            HostPattern::OneLabel(parent) => vec![Place::Name(format!("{}.{parent}", word()))],
            HostPattern::Capture { name, parent } => {
                vec![Place::Name(format!("{}.{parent}", self.space.fresh(&name.to_ascii_lowercase())))]
            }
            HostPattern::Labels(parent) => {
                let one = format!("{}.{parent}", word());
                vec![Place::Name(one.clone()), Place::Name(format!("{}.{one}", word()))]
            }
        }
    }

    /// The methods that lie within all and outside all at this place and path.
    fn methods_at(&mut self, place: &Place, path: &[String]) -> Result<MethodSet, TooHard> {
        self.memo.clear();
        let (within, outside) = (self.within, self.outside);
        let mut methods = MethodSet::ALL;
        for region in within {
            methods = methods.intersection(self.region_at(region, place, path)?);
        }
        for region in outside {
            methods = methods.without(self.region_at(region, place, path)?);
        }
        Ok(methods)
    }

    fn region_at(&mut self, region: &Region, place: &Place, path: &[String]) -> Result<MethodSet, TooHard> {
        let key = Arc::as_ptr(&region.0);
        if let Some(known) = self.memo.get(&key) {
            return Ok(*known);
        }
        let inner = &*region.0;
        self.spend(1 + inner.hosts.len())?;
        let mut methods = MethodSet::NONE;
        let is_here = self.frontend.as_ref().is_none_or(|frontend| is_at(&inner.frontends, frontend));
        if is_here && inner.hosts.iter().any(|host| host_holds(host, place)) {
            self.spend(inner.operations.len())?;
            let here = inner.operations.iter().filter(|operation| path_holds(&operation.path, path));
            methods = here.map(|operation| operation.methods).fold(MethodSet::NONE, MethodSet::union);
            if let Some(regex) = inner.regex.as_ref().filter(|regex| regex.dfa.holds(&format!("/{}", path.join("/")))) {
                methods = methods.union(regex.methods);
            }
        }
        if !methods.is_empty() {
            for except in &inner.except {
                methods = methods.without(self.region_at(except, place, path)?);
            }
        }
        self.memo.insert(key, methods);
        Ok(methods)
    }
}
