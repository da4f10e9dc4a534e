//! Rules that open whole hosts: what one person may change on every path, by one rule or by all that let the person in together.
//!
//! Whether a scope holds every path is measured: it is asked about paths such as an application might have, most of which it holds. So an
//! expression that leaves out capital letters, or a template for each depth, is as broad as `/**`.

use super::persons::persons;
use super::{Linter, Row, named};
use crate::analysis::patterns::path_holds;
use crate::analysis::strictness::opens_to_anyone;
use crate::analysis::words::{listed, listed_with_more};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Effect, HostPattern, Policy, Rule, RuleId, Scope, ScopeId, Segment, TableId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// First segments of paths, half of them in each half of the alphabet; few with more than small letters.
const WORDS: [&str; 16] = [
    "abacus",
    "beaker",
    "cactus",
    "dynamo",
    "ember",
    "flute",
    "g0ndola",
    "Kiosk",
    "nectar",
    "oyster",
    "pigment",
    "quartz",
    "saffron",
    "tundra",
    "wombat",
    "x-ray.json",
];

/// What follows them.
const TAILS: [&[&str]; 3] = [&[], &["7"], &["7", "items", "new"]];

const PROBES: usize = WORDS.len() * TAILS.len();

/// The paths that scopes are asked about.
static PATHS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let path = |word: &str, tail: &[&str]| [&[word][..], tail].concat().iter().map(|one| (*one).to_owned()).collect();
    WORDS.iter().flat_map(|word| TAILS.iter().map(move |tail| path(word, tail))).collect()
});

/// Methods that are defined to change nothing, beside those of RFC 9110.
const SAFE: [&str; 9] = ["GET", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"];

/// The methods with which a scope holds each of the paths.
type Held = [MethodSet; PROBES];

/// What is opened of each host, and the first scope that does.
type Hosts<'p> = BTreeMap<&'p HostPattern, (Held, ScopeId)>;

pub(super) fn look(linter: &mut Linter<'_>) {
    let policy = linter.policy;
    let held: Vec<Option<Box<Held>>> =
        policy.scopes.iter().map(|(id, row)| held_by(linter, id, row, &BTreeSet::new())).collect();
    let mut standing: BTreeMap<RuleId, Hosts<'_>> = BTreeMap::new();
    for (id, rule) in policy.rules.iter().filter(|(_, rule)| rule.effect == Effect::Allow) {
        let (granted, always) = opened(linter, rule, &held);
        let said = by_itself(linter, id, rule, &always);
        if said.is_none() {
            granted.iter().find(|hosts| by_itself(linter, id, rule, hosts).is_some());
        }
        if said != Some(Lint::BroadAllow) && !always.is_empty() {
            standing.insert(id, always);
        }
    }
    together(linter, &standing);
}

/// What a rule opens of hosts at least on some of the paths: for each grant that it asks for, and without any.
fn opened<'p>(linter: &Linter<'p>, rule: &Rule, held: &[Option<Box<Held>>]) -> (Vec<Hosts<'p>>, Hosts<'p>) {
    let policy = linter.policy;
    let methods = rule.methods.unwrap_or(MethodSet::ALL);
    let (mut granted, mut always) = (Vec::new(), Hosts::new());
    let scopes = named(&rule.scopes).iter().copied().filter(|scope| held[scope.index()].is_some());
    let scopes: Vec<ScopeId> = scopes.collect();
    if scopes.is_empty() {
        return (granted, always);
    }
    let taken = rule.captures(&policy.groups, &policy.approvals);
    for scope in scopes {
        let row = &policy.scopes[scope];
        let own = if taken.is_empty() { None } else { Some(held_by(linter, scope, row, &taken)) };
        let Some(here) = own.as_ref().unwrap_or(&held[scope.index()]) else { continue };
        // A grant is for one scope.
        let mut alone = Hosts::new();
        let asks = !rule.require.approval.is_empty() || linter.guards(scope).approval;
        let hosts = if asks { &mut alone } else { &mut always };
        for host in &row.hosts {
            // Each is somebody's own where the rule says whose.
            if host.capture().is_some_and(|name| taken.contains(name)) {
                continue;
            }
            let (known, _) = hosts.entry(host).or_insert(([MethodSet::NONE; PROBES], scope));
            known.iter_mut().zip(here.iter()).for_each(|(all, one)| *all = all.union(one.intersection(methods)));
        }
        granted.extend((!alone.is_empty()).then_some(alone));
    }
    (granted, always)
}

/// The methods with which a scope holds the paths, `None` if there are none. Where a captured segment is one of `taken`, it is somebody's own.
fn held_by(linter: &Linter<'_>, id: ScopeId, scope: &Scope, taken: &BTreeSet<&str>) -> Option<Box<Held>> {
    let is_open = |segment: &Segment| match segment {
        Segment::Literal(_) => false,
        Segment::Capture(name) => !taken.contains(name.as_str()),
        Segment::Any => true,
    };
    let mut open = scope.operations.iter().filter(|one| one.path.segments.iter().all(is_open)).peekable();
    if open.peek().is_none() && scope.path_regex.is_none() {
        return None;
    }
    let mut held = Box::new([MethodSet::NONE; PROBES]);
    for operation in open {
        for (_, held) in PATHS.iter().zip(held.iter_mut()).filter(|(path, _)| path_holds(&operation.path, path)) {
            *held = held.union(operation.methods);
        }
    }
    for (path, held) in PATHS.iter().zip(held.iter_mut()).filter(|_| scope.path_regex.is_some()) {
        *held = held.union(linter.regions[id.index()].methods_of_expressions(&format!("/{}", path.join("/"))));
    }
    held.iter().any(|methods| !methods.is_empty()).then_some(held)
}

/// What is opened of a host on most paths.
#[derive(Clone, Copy)]
struct Whole {
    /// The methods.
    methods: MethodSet,
    /// Whether that is so on every path.
    every: bool,
}

/// The methods with which most of the paths are held, if some of them change something.
fn whole(held: &Held, policy: &Policy) -> Option<Whole> {
    let all = held.iter().copied().fold(MethodSet::NONE, MethodSet::union);
    let changing = |name: &&str| !SAFE.contains(name);
    let bits = |name: &str| policy.methods.resolve(name.as_bytes());
    let count = |name: &str| held.iter().filter(|one| one.intersects(bits(name))).count();
    let most: Vec<&str> = policy.methods.names(all).filter(|name| count(name) > PROBES / 2).collect();
    let every = most.iter().filter(|name| changing(name)).all(|name| count(name) == PROBES);
    let methods = most.iter().fold(MethodSet::NONE, |all, name| all.union(bits(name)));
    most.iter().any(changing).then_some(Whole { methods, every })
}

/// Hosts that are opened as a whole.
struct Opened<'p> {
    hosts: Vec<&'p HostPattern>,
    scope: ScopeId,
    what: String,
    /// Whether there is more than one.
    many: bool,
}

fn opened_whole<'p>(hosts: &Hosts<'p>, policy: &Policy) -> Option<Opened<'p>> {
    let open = hosts.iter().filter_map(|(host, (held, scope))| Some((*host, *scope, whole(held, policy)?)));
    let open: Vec<(&HostPattern, ScopeId, Whole)> = open.collect();
    let (_, scope, _) = open.first()?;
    let is_many = |host: &HostPattern| !matches!(host, HostPattern::Exact(_));
    let every = if open.iter().all(|(.., whole)| whole.every) { "every path" } else { "nearly every path" };
    let methods = open.iter().map(|(.., whole)| whole.methods);
    let all = |set: MethodSet| {
        let mut names = policy.methods.names(set);
        names.all(|name| methods.clone().all(|methods| methods.intersects(policy.methods.resolve(name.as_bytes()))))
    };
    let names = policy.methods.names(methods.clone().fold(MethodSet::NONE, MethodSet::union));
    let names: Vec<&str> = names.filter(|name| !SAFE.contains(name) && *name != "other").collect();
    let methods = match (all(MethodSet::ANY), all(MethodSet::WRITE)) {
        (true, _) => "every method".to_owned(),
        (false, true) => "every method that changes something".to_owned(),
        (false, false) => listed(names, "and"),
    };
    let hosts: Vec<&HostPattern> = open.iter().map(|(host, ..)| *host).collect();
    let what = format!("{methods} on {every} of {}", in_words(&hosts));
    let many = hosts.len() > 1 || hosts.iter().any(|host| is_many(host));
    Some(Opened { scope: *scope, what, many, hosts })
}

/// Says that a rule opens whole hosts by itself, many of them or one.
fn by_itself(linter: &mut Linter<'_>, id: RuleId, rule: &Rule, hosts: &Hosts<'_>) -> Option<Lint> {
    let Opened { scope, what, many, .. } = opened_whole(hosts, linter.policy)?;
    let anyone = if opens_to_anyone(rule) { " to anyone" } else { "" };
    let lint = if many { Lint::BroadAllow } else { Lint::WholeHost };
    // What a grant for a privileged scope opens is said of the scope.
    if !many && linter.policy.scopes[scope].privileged {
        return None;
    }
    linter.find(lint, &[Row::Rule(id), Row::Scope(scope)], |linter| {
        let message = format!("rule `{}` opens {what}{anyone}", rule.name);
        let problem = Diagnostic::lint(lint, linter.value(Row::Rule(id), "scopes"), message);
        let problem = problem.also(linter.name(Row::Scope(scope)), "every path");
        problem.help(match many {
            true => "name the operations that are needed, or write a scope for each host and say who uses it",
            false => "name the operations that are needed, or accept this and say why it is one thing",
        })
    });
    Some(lint)
}

/// What the rules that let the same people in open together, where none of them does by itself.
fn together(linter: &mut Linter<'_>, standing: &BTreeMap<RuleId, Hosts<'_>>) {
    const FEW: usize = 3;
    let policy = linter.policy;
    let (people, cut) = persons(policy, &standing.keys().copied().collect::<Vec<_>>());
    linter.cut |= cut;
    let alone: BTreeMap<RuleId, BTreeSet<&HostPattern>> = standing
        .iter()
        .map(|(id, hosts)| {
            let open = opened_whole(hosts, policy);
            (*id, open.into_iter().flat_map(|open| open.hosts).collect())
        })
        .collect();
    let mut said: Vec<BTreeSet<RuleId>> = Vec::new();
    for mut person in people {
        person.without_what_all_have(policy);
        if person.rules.len() < 2 {
            continue;
        }
        let mut hosts = Hosts::new();
        for (host, (held, scope)) in person.rules.iter().flat_map(|id| &standing[id]) {
            let (known, _) = hosts.entry(host).or_insert(([MethodSet::NONE; PROBES], *scope));
            known.iter_mut().zip(held).for_each(|(all, one)| *all = all.union(*one));
        }
        let Some(Opened { hosts: open, what, many, .. }) = opened_whole(&hosts, policy) else { continue };
        // One host that one of the rules opens was said of that rule.
        if !many && person.rules.iter().any(|id| alone[id].contains(open[0])) {
            continue;
        }
        let takes_part = |id: &RuleId| standing[id].keys().any(|host| open.contains(host));
        let rules: BTreeSet<RuleId> = person.rules.into_iter().filter(takes_part).collect();
        if said.iter().any(|more| rules.is_subset(more)) {
            continue;
        }
        let lint = if many { Lint::BroadAllow } else { Lint::WholeHost };
        let scopes: BTreeSet<ScopeId> =
            rules.iter().flat_map(|id| standing[id].values().map(|(_, scope)| *scope)).collect();
        let rows: Vec<Row> = rules.iter().copied().map(Row::Rule).chain(scopes.into_iter().map(Row::Scope)).collect();
        let names: Vec<&str> = rules.iter().map(|id| policy.rules[*id].name.as_str()).collect();
        let names = match names.len().saturating_sub(FEW) {
            0 => listed(names, "and"),
            more => listed_with_more(names[..FEW].iter().copied(), &format!("{more} more")),
        };
        let mut each = rules.iter().copied();
        let first = each.next();
        linter.find(lint, &rows, |linter| {
            let message = format!("rules {names} together open {what} to the same people");
            let span = first.map(|id| linter.value(Row::Rule(id), "scopes"));
            let problem = match span {
                Some(span) => Diagnostic::lint(lint, span, message),
                None => return Diagnostic::without_place(crate::policy::diagnostics::Code::Lint(lint), message),
            };
            let others = each.take(FEW - 1).map(|id| linter.value(Row::Rule(id), "scopes"));
            let problem = others.fold(problem, |problem, span| problem.also(span, "and this"));
            problem.help("name the operations that are needed, or divide the hosts among people")
        });
        said.push(rules);
    }
}

/// Some of the hosts, in words.
fn in_words(hosts: &[&HostPattern]) -> String {
    const FEW: usize = 3;
    if hosts.iter().take(FEW).any(|host| **host == HostPattern::Any) {
        return "any host".to_owned();
    }
    let shown: Vec<String> = hosts.iter().take(FEW).map(ToString::to_string).collect();
    match hosts.len().saturating_sub(FEW) {
        0 => listed(shown.iter().map(String::as_str), "and"),
        more => listed_with_more(shown.iter().map(String::as_str), &format!("{more} more")),
    }
}
