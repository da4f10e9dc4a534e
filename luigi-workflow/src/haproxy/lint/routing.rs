//! What chooses the servers of a request, against the Host that its scopes are told apart by.
//!
//! For each host that the policy knows it is worked out which backends a request for it can reach in each frontend, whatever else the request is. A
//! backend is a danger where requests that are decided by different scopes reach it, and where others for the same host go elsewhere, by something
//! that the decision does not see. Conditions on paths and methods are no danger: the decision sees these.

use super::ways::{To, Way, ends, ways};
use super::{Look, finding, is_path, left_over};
use crate::haproxy::conditions::{Comparison, Condition, Term, Test};
use crate::haproxy::evaluate::{Known, Reason, Requests};
use crate::haproxy::sections::{Line, Proxy};
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use luigi_core::policy::model::{Effect, HostPattern, Policy, Scope, ScopeId, ScopeSelector};
use luigi_core::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// How many hosts of a policy are looked at, those first that the configuration names.
const MAX_HOSTS: usize = 500;

/// A host that the policy knows.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// As the policy writes it.
    pub(super) pattern: String,
    /// The host itself, or one that the pattern holds.
    pub(super) name: String,
    pub(super) kind: HostKind,
    /// The scopes with rules that decide requests for it.
    pub(super) scopes: BTreeSet<ScopeId>,
    /// Whether something is allowed on it: what is not cannot get anywhere, and its servers can still be those that others must not reach.
    pub(super) is_open: bool,
}

/// What a host of the policy stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostKind {
    /// Itself.
    Exact,
    /// Some that look like it.
    Pattern,
    /// Whatever no rule names.
    Any,
}

/// A frontend, as far as it chooses servers.
pub(super) struct Plan<'c> {
    proxy: Proxy<'c>,
    known: Known,
    ends: Vec<(&'c Line, Option<Condition>)>,
    pub(super) ways: Vec<Way<'c>>,
    /// The hosts that rules are about here.
    pub(super) hosts: Vec<Host>,
    /// The ways that requests for each of them can take.
    pub(super) taken: Vec<Vec<Route>>,
    /// Whether the host in TLS is always that of the Host.
    compares_sni: bool,
}

/// A way that requests for a host can take.
pub(super) struct Route {
    /// Which of the plan's ways.
    pub(super) way: usize,
    /// What that depends on; empty if all the requests that get so far take it.
    pub(super) reasons: BTreeSet<Reason>,
}

pub(super) fn look(look: &mut Look<'_>) {
    let named = named_in(look);
    let mut plans: Vec<_> = look.guarded().map(|(proxy, _)| Plan::of(look, proxy, &named)).collect();
    for plan in plans.iter_mut().filter(|plan| plan.hosts.len() > MAX_HOSTS) {
        let message = format!("only {MAX_HOSTS} of the {} hosts of the policy were tried here", plan.hosts.len());
        let problem = finding(HaproxyLint::HaproxyNotUnderstood, plan.proxy.section().header, message);
        let help = "those that the configuration names come first; look at how the others are routed yourself, and accept it with what you have found";
        look.found.push(problem.help(help));
        plan.hosts.truncate(MAX_HOSTS);
    }
    let backends = refusals(&plans);
    for plan in &mut plans {
        plan.taken = plan.hosts.iter().map(|host| plan.routes(&host.name, &backends)).collect();
    }
    let (mut said, mut found) = (BTreeSet::new(), Vec::new());
    for plan in &plans {
        within(plan, &mut said, &mut found);
        spellings(plan, &backends, &mut found);
        left_over::look(look.policy, plan, &said, &mut found);
    }
    between(&plans, &said, &mut found);
    received_paths(look, &mut found);
    look.found.extend(found);
}

/// Whether a scope holds requests that come in at a frontend.
fn is_about(scope: &Scope, frontend: &str) -> bool {
    scope.frontends.is_empty() || scope.frontends.iter().any(|name| name == frontend)
}

/// The scopes of the rules with one of these effects.
pub(super) fn scopes_of(policy: &Policy, effects: &[Effect]) -> BTreeSet<ScopeId> {
    let rules = policy.rules.iter().filter(|(_, rule)| effects.contains(&rule.effect));
    let scopes = rules.flat_map(|(_, rule)| match &rule.scopes {
        ScopeSelector::Named(scopes) => scopes.clone(),
        // All requests alike.
        ScopeSelector::All => Vec::new(),
    });
    scopes.collect()
}

/// The hosts that rules are about, where requests come in at this frontend.
fn hosts_of(policy: &Policy, frontend: &str, named: &BTreeSet<String>) -> Vec<Host> {
    let here = |effects: &[Effect]| -> BTreeSet<ScopeId> {
        scopes_of(policy, effects).into_iter().filter(|id| is_about(&policy.scopes[*id], frontend)).collect()
    };
    let (opened, ruled) = (here(&[Effect::Allow]), here(&[Effect::Allow, Effect::Restrict, Effect::Deny]));
    let patterns: BTreeSet<&HostPattern> = ruled.iter().flat_map(|id| &policy.scopes[*id].hosts).collect();
    let mut hosts: Vec<Host> = patterns
        .into_iter()
        .map(|pattern| {
            let name = sample(pattern);
            let scopes =
                ruled.iter().copied().filter(|id| policy.scopes[*id].hosts.iter().any(|held| holds(held, &name)));
            let scopes: BTreeSet<ScopeId> = scopes.collect();
            let kind = match pattern {
                HostPattern::Exact(_) => HostKind::Exact,
                HostPattern::Any => HostKind::Any,
                HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. } => HostKind::Pattern,
            };
            Host { pattern: pattern.to_string(), is_open: !scopes.is_disjoint(&opened), scopes, name, kind }
        })
        .collect();
    // What is clearest to read comes first, and is what findings show.
    hosts.sort_by_key(|host| (!named.contains(&host.name), host.kind != HostKind::Exact));
    hosts
}

/// A host that a pattern holds.
fn sample(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => "elsewhere.example".to_owned(),
        HostPattern::Exact(name) => name.clone(),
        HostPattern::OneLabel(parent) | HostPattern::Labels(parent) | HostPattern::Capture { parent, .. } => {
            format!("some.{parent}")
        }
    }
}

fn holds(pattern: &HostPattern, host: &str) -> bool {
    let label = |parent: &str| host.strip_suffix(parent).and_then(|label| label.strip_suffix('.'));
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(name) => name == host,
        HostPattern::Labels(parent) => label(parent).is_some(),
        HostPattern::OneLabel(parent) | HostPattern::Capture { parent, .. } => {
            label(parent).is_some_and(|label| !label.contains('.'))
        }
    }
}

/// Every word of the configuration that could be a host.
fn named_in(look: &Look<'_>) -> BTreeSet<String> {
    let sections = look.config.sections.iter().filter(|section| section.is_proxy());
    let words = sections.flat_map(|section| &section.lines).flat_map(|line| &line.words);
    words.filter(|word| word.text.contains('.')).map(|word| word.text.to_ascii_lowercase()).collect()
}

/// What backends refuse themselves, by their names.
type Refusals<'c> = BTreeMap<&'c str, Vec<(&'c Line, Option<Condition>)>>;

fn refusals<'c>(plans: &[Plan<'c>]) -> Refusals<'c> {
    let backends = plans.iter().flat_map(|plan| plan.ways.iter().filter(|way| way.span != plan.proxy.section().header));
    backends.filter_map(Way::backend).map(|backend| (backend.name(), ends(backend))).collect()
}

impl<'c> Plan<'c> {
    fn of(look: &Look<'c>, proxy: Proxy<'c>, named: &BTreeSet<String>) -> Self {
        let ends = ends(proxy);
        let compares_sni = ends.iter().filter_map(|(_, condition)| condition.as_ref()).any(refuses_other_names);
        Self {
            proxy,
            known: Known::of(proxy, look.decided()),
            ends,
            ways: ways(look.config, proxy),
            hosts: hosts_of(look.policy, proxy.name(), named),
            taken: Vec::new(),
            compares_sni,
        }
    }

    /// The ways that requests for a host can take, the host written like this.
    fn routes(&self, received: &str, backends: &Refusals<'_>) -> Vec<Route> {
        let plain = received.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let requests = Requests { host: received, sni: self.compares_sni.then_some(plain.as_str()) };
        let refuses =
            |(_, condition): &(&Line, Option<Condition>)| !self.known.outcome(condition.as_ref(), requests).can_fail;
        let mut routes = Vec::new();
        if self.ends.iter().any(refuses) {
            return routes;
        }
        for (at, way) in self.ways.iter().enumerate() {
            let outcome = self.known.outcome(way.condition.as_ref(), requests);
            let is_refused = backends.get(way.name).is_some_and(|ends| ends.iter().any(refuses));
            if outcome.can_hold && !is_refused {
                routes.push(Route { way: at, reasons: outcome.reasons });
            }
            if !outcome.can_fail {
                break;
            }
        }
        routes
    }

    /// Whether requests that other scopes decide take a way: its servers are those of another host. An expression may lead to any.
    fn is_others(&self, route: &Route, host: &Host) -> bool {
        let takes = |routes: &[Route]| routes.iter().any(|other| self.name(other) == self.name(route));
        let mut others = self.hosts.iter().zip(&self.taken).filter(|(other, _)| other.scopes != host.scopes);
        matches!(self.ways[route.way].to, To::Computed) || others.any(|(_, routes)| takes(routes))
    }

    /// Whether a line chooses servers by the Host.
    pub(super) fn tells_hosts_apart(&self) -> bool {
        self.ways.iter().filter_map(|way| way.condition.as_ref()).any(|condition| self.known.asks_for_host(condition))
    }

    pub(super) fn name(&self, route: &Route) -> &'c str {
        self.ways[route.way].name
    }

    fn backends(&self, routes: &[Route]) -> BTreeSet<&'c str> {
        routes.iter().map(|route| self.name(route)).collect()
    }
}

/// Whether a rule with this condition refuses every request whose host in TLS is another than something else: `unless { ssl_fc_sni,strcmp(...) eq 0 }`,
/// or `if !{ ... }`.
fn refuses_other_names(condition: &Condition) -> bool {
    let is_equal = |test: &Test| match test {
        Test::Sample(Comparison { sample, values, .. }) => {
            let compares =
                sample.fetch == "ssl_fc_sni" && sample.converters.last().is_some_and(|(name, _)| name == "strcmp");
            compares && matches!(&values.iter().map(String::as_str).collect::<Vec<_>>()[..], ["0"] | ["eq", "0"])
        }
        Test::Constant(_) | Test::Predefined(_) | Test::Unreadable(_) => false,
    };
    let is_term = |term: &Term, is_negated: bool| term.is_negated == is_negated && term.tests.iter().all(is_equal);
    match (condition.is_unless, &condition.alternatives[..]) {
        (true, [terms]) => terms.iter().any(|term| is_term(term, false)),
        (true, _) => false,
        (false, alternatives) => alternatives.iter().any(|terms| matches!(&terms[..], [term] if is_term(term, true))),
    }
}

/// Whether requests for these hosts are decided by different scopes.
fn are_told_apart<'h>(mut hosts: impl Iterator<Item = &'h Host>) -> bool {
    let first = hosts.next();
    first.is_some_and(|first| hosts.any(|host| host.scopes != first.scopes))
}

/// Ways within one frontend that something else than the Host leads to; their places are put into `said`.
fn within(plan: &Plan<'_>, said: &mut BTreeSet<Span>, found: &mut Vec<Diagnostic>) {
    let are_apart = are_told_apart(plan.hosts.iter());
    for (at, way) in plan.ways.iter().enumerate() {
        // Hosts for which it is open whether this way is taken, with what it depends on.
        let open: Vec<(&Host, &[Route], &Route)> = plan
            .hosts
            .iter()
            .zip(&plan.taken)
            .filter_map(|(host, routes)| Some((host, &routes[..], routes.iter().find(|route| route.way == at)?)))
            .filter(|(_, _, route)| !route.reasons.is_empty())
            .collect();
        // The last way is where most go.
        let elsewhere =
            |routes: &[Route]| routes.iter().rev().map(|route| plan.name(route)).find(|name| *name != way.name);
        let not_understood = open.iter().flat_map(|(_, _, route)| &route.reasons).find_map(|reason| match reason {
            Reason::NotUnderstood(what) => Some(what),
            Reason::Decided | Reason::Circumstance | Reason::Undecided(_) => None,
        });
        let is_computed = matches!(way.to, To::Computed) && plan.taken.iter().flatten().any(|route| route.way == at);
        let matters = are_apart && (is_computed || open.iter().any(|(_, routes, _)| elsewhere(routes).is_some()));
        if matters && (is_computed || not_understood.is_some()) {
            let message = match not_understood {
                Some(what) if !is_computed => format!(
                    "whether requests go to {} depends on {}, which is not worked out",
                    quoted(way.name),
                    quoted(what)
                ),
                _ => format!("which servers get a request is up to {}, which is not worked out", quoted(way.name)),
            };
            said.insert(way.span);
            let help = "see that no request for one host gets to the servers of another, and accept it with what you have found";
            found.push(finding(HaproxyLint::HaproxyNotUnderstood, way.span, message).help(help));
        }
        let undecided = |route: &Route| {
            route.reasons.iter().find_map(|reason| match reason {
                Reason::Undecided(what) => Some(what.clone()),
                Reason::Decided | Reason::Circumstance | Reason::NotUnderstood(_) => None,
            })
        };
        let by_undecided: Vec<_> = open.iter().filter(|(_, _, route)| undecided(route).is_some()).collect();
        if !are_told_apart(by_undecided.iter().map(|(host, _, _)| *host)) {
            continue;
        }
        // A host that the condition does not name shows the danger best.
        let values: BTreeSet<String> =
            way.condition.iter().flat_map(Condition::comparisons).flat_map(|test| &test.values).cloned().collect();
        let is_named = |host: &Host| values.iter().any(|value| value.eq_ignore_ascii_case(&host.name));
        let witnesses = by_undecided
            .iter()
            .filter(|(host, _, _)| host.is_open)
            .filter_map(|(host, routes, route)| Some((*host, elsewhere(routes)?, undecided(route)?)));
        let Some((host, other, what)) = witnesses.min_by_key(|(host, _, _)| is_named(host)) else { continue };
        said.insert(way.span);
        let message = format!(
            "whether requests for {} go to {} depends on {}",
            quoted(&host.pattern),
            quoted(way.name),
            quoted(&what)
        );
        let other_way = plan.ways.iter().find(|way| way.name == other).map_or(way.span, |way| way.span);
        let problem = finding(HaproxyLint::UndecidedRouting, way.span, message).label("chosen apart from the Host");
        let problem = problem.also(other_way, format!("else they can go to {}", quoted(other)));
        let meant = plan.hosts.iter().find(|host| is_named(host));
        found.push(problem.help(format!(
            "they are all decided by the scopes of {}; ask for the Host of these servers\n    {}",
            quoted(&host.pattern),
            condition_for(meant)
        )));
    }
}

/// A condition that holds for every spelling of a host; for a pattern, what it looks like.
pub(super) fn condition_for(host: Option<&Host>) -> String {
    let host = host.filter(|host| host.kind == HostKind::Exact).map_or("NAME", |host| host.name.as_str());
    format!("{{ req.hdr(host),host_only,lower -m str {host} {host}. }}")
}

/// Spellings of a host that are decided as the host and routed otherwise.
fn spellings(plan: &Plan<'_>, backends: &Refusals<'_>, found: &mut Vec<Diagnostic>) {
    let mut said: BTreeSet<Span> = BTreeSet::new();
    for (host, routes) in plan.hosts.iter().zip(&plan.taken).filter(|(host, _)| host.is_open) {
        let usual = plan.backends(routes);
        let name = &host.name;
        let is_address = name.starts_with('[') || name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let dotted = (!is_address).then(|| format!("{name}."));
        let spellings = [Some(name.to_ascii_uppercase()), Some(format!("{name}:8443")), dotted];
        for spelling in spellings.into_iter().flatten() {
            let others = plan.routes(&spelling, backends);
            let strays = others.iter().filter(|route| !usual.contains(plan.name(route)) && plan.is_others(route, host));
            // One that is certain shows it best.
            let Some(stray) = strays.min_by_key(|route| !route.reasons.is_empty()) else { continue };
            // The condition that tells them apart is that of a way that only the plain host takes.
            let missed = routes.iter().map(|route| route.way).find(|way| others.iter().all(|route| route.way != *way));
            let span = plan.ways[missed.unwrap_or(stray.way)].span;
            if !said.insert(span) {
                continue;
            }
            let message =
                format!("`Host: {spelling}` is decided as {} and goes to {}", quoted(name), quoted(plan.name(stray)));
            let mut problem = finding(HaproxyLint::HostSpelling, span, message);
            if missed.is_some() {
                problem = problem.label("does not hold for it").also(plan.ways[stray.way].span, "leads there");
            }
            let help =
                format!("compare without port and case, and name the final dot\n    {}", condition_for(Some(host)));
            found.push(problem.help(help));
        }
    }
}

/// Hosts that go to different servers in two frontends: said once of each two, at the one that tells less apart.
fn between(plans: &[Plan<'_>], said: &BTreeSet<Span>, found: &mut Vec<Diagnostic>) {
    let mut said = said.clone();
    for (at, one) in plans.iter().enumerate() {
        for two in &plans[..at] {
            let (here, there) = if one.ways.len() <= two.ways.len() { (one, two) } else { (two, one) };
            let stray = strays(here, there).map(|stray| (here, there, stray));
            let Some((here, there, (way, host, other))) = stray.or_else(|| Some((there, here, strays(there, here)?)))
            else {
                continue;
            };
            if !said.insert(way.span) {
                continue;
            }
            let message = format!(
                "requests for {} that come in at {} can go to {}",
                quoted(&host.pattern),
                quoted(here.proxy.name()),
                quoted(way.name)
            );
            let elsewhere = format!("those at {} go to {}", quoted(there.proxy.name()), quoted(other.name));
            let problem = finding(HaproxyLint::UndecidedRouting, way.span, message).also(other.span, elsewhere);
            found.push(problem.help(cure_between(host, here.proxy.name())));
        }
    }
}

/// The first way of a frontend that takes requests of several scopes which go elsewhere in another frontend; one of their hosts, and where they go there.
fn strays<'p, 'c>(here: &'p Plan<'c>, there: &'p Plan<'c>) -> Option<(&'p Way<'c>, &'p Host, &'p Way<'c>)> {
    here.ways.iter().enumerate().filter(|(_, way)| !matches!(way.to, To::Computed)).find_map(|(at, way)| {
        let takers =
            here.hosts.iter().zip(&here.taken).filter(|(_, routes)| routes.iter().any(|route| route.way == at));
        // A host of which scopes here alone are about belongs to the way.
        let (mut strays, mut own) = (Vec::new(), Vec::new());
        for (host, _) in takers {
            let Some(known) = there.hosts.iter().position(|known| known.name == host.name) else {
                own.push(host);
                continue;
            };
            let routes = &there.taken[known];
            if let Some(last) = routes.last().filter(|_| !there.backends(routes).contains(way.name)) {
                strays.push((host, &there.ways[last.way]));
            }
        }
        let (host, other) = *strays.iter().find(|(host, _)| host.is_open)?;
        are_told_apart(strays.iter().map(|(host, _)| *host).chain(own)).then_some((way, host, other))
    })
}

/// What to do about a host that goes to different servers in two frontends.
fn cure_between(host: &Host, here: &str) -> String {
    format!(
        "they are all decided by the scopes of {}; if it is not a host of {}, name the `frontends` of these scopes, or refuse it there\n    http-request deny if {}",
        quoted(&host.pattern),
        quoted(here),
        condition_for(Some(host))
    )
}

/// Paths that choose servers as they were received, where the decision is about canonical ones.
fn received_paths(look: &Look<'_>, found: &mut Vec<Diagnostic>) {
    for (proxy, gate) in look.guarded().filter(|(_, gate)| !gate.forwards_canonical(look.printed)) {
        let by_path =
            |way: &Way<'_>| way.condition.iter().flat_map(Condition::comparisons).any(|test| is_path(&test.sample));
        let Some(way) = ways(look.config, proxy).into_iter().find(by_path) else { continue };
        let message = format!("the path as it was received chooses {}, and another one was decided", quoted(way.name));
        let problem = finding(HaproxyLint::ReceivedPathRouted, way.span, message);
        let problem = problem.also(gate.rules[gate.decided].1.span(), "the canonical path is decided");
        found.push(problem.help(
            "print Luigi's lines without `--forward received`, so that HAProxy goes on with the path that was decided",
        ));
    }
}
