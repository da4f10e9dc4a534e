//! Networks that hold every address, and what asks for them.

use super::{Linter, Row};
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Conditions, FactTest, NetworkId, Policy, Requirements, Subject, TableId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Networks that hold every address, alone or together.
pub(super) fn look(linter: &mut Linter<'_>) {
    let policy = linter.policy;
    let mut by_network: Vec<Vec<Row>> = vec![Vec::new(); policy.networks.len()];
    let mut together = Vec::new();
    for (id, rule) in policy.rules.iter() {
        let lists = [("from", &rule.when.from), ("require", &rule.require.from)];
        for (key, from) in lists.into_iter().chain(rule.unless.iter().map(|unless| ("unless", &unless.from))) {
            let mut alone = false;
            for network in from {
                if linter.openness.all_of(&[*network], policy).is_some() {
                    alone = true;
                    by_network[network.index()].push(Row::Rule(id));
                }
            }
            together.extend(linter.openness.all_of(from, policy).filter(|_| !alone).map(|what| (id, key, what)));
        }
    }
    const CURE: &str = "leave it out where everyone is meant, or name the networks that are";
    for (id, key, what) in together {
        linter.find(Lint::OpenNetwork, &[Row::Rule(id)], |linter| {
            let message = format!("the networks of rule `{}` together hold {what}", policy.rules[id].name);
            let problem = Diagnostic::lint(Lint::OpenNetwork, linter.value(Row::Rule(id), key), message);
            problem.label("keeps nobody out").help(CURE)
        });
    }
    for (id, network) in policy.networks.iter() {
        let Some(what) = linter.openness.all_of(&[id], policy) else { continue };
        let proxy = policy.proxies.iter().find(|(_, proxy)| proxy.networks.contains(&id)).map(|(_, proxy)| proxy);
        let rules = std::mem::take(&mut by_network[id.index()]);
        if proxy.is_none() && rules.is_empty() {
            // That nothing names it is said elsewhere.
            continue;
        }
        // Whoever trusts every peer believes whatever clients say of themselves; no rule can answer for that.
        let rows: Vec<Row> = if proxy.is_some() { Vec::new() } else { rules.clone() };
        let rows = [&[Row::Network(id)], &rows[..]].concat();
        linter.find(Lint::OpenNetwork, &rows, |linter| {
            let message = format!("network `{}` holds {what}", network.name);
            let problem = Diagnostic::lint(Lint::OpenNetwork, linter.name(Row::Network(id)), message);
            let problem = match proxy {
                Some(proxy) => problem.label(format!("whoever comes is believed as proxy `{}`", proxy.name)),
                None => problem.label("keeps nobody out"),
            };
            let problem = match rules.first() {
                Some(rule) => problem.also(linter.value(*rule, "from"), "asks for it"),
                None => problem,
            };
            problem.help(if proxy.is_some() { "name the addresses of the proxies themselves" } else { CURE })
        });
    }
}

/// How much of all addresses networks hold.
pub(super) struct Openness {
    /// By network: addresses of IPv4, and networks of 64 bits among the public addresses of IPv6, at most; overlaps count twice.
    shares: Vec<(u64, u64)>,
}

impl Openness {
    pub(super) fn new(policy: &Policy) -> Self {
        let share = |net: &IpNet| match net {
            IpNet::V4(net) => (1_u64 << (32 - net.prefix_len()), 0),
            IpNet::V6(net) if net.contains(&PUBLIC_V6) => (0, ALL_V6),
            IpNet::V6(net) => (0, 1_u64 << 64_u8.saturating_sub(net.prefix_len()).min(63)),
        };
        let add = |sum: (u64, u64), one: (u64, u64)| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1));
        let shares = policy.networks.iter().map(|(_, row)| row.members.iter().map(share).fold((0, 0), add));
        Self { shares: shares.collect() }
    }

    /// What addresses these networks hold together, if that is all of a kind.
    fn all_of(&self, networks: &[NetworkId], policy: &Policy) -> Option<&'static str> {
        let sum = |share: fn(&(u64, u64)) -> u64| {
            networks.iter().fold(0_u64, |sum, id| sum.saturating_add(share(&self.shares[id.index()])))
        };
        // Lists of whole countries are put together only if they could be enough.
        if sum(|share| share.0) < ALL_V4 && sum(|share| share.1) < ALL_V6 {
            return None;
        }
        let members: Vec<IpNet> = networks.iter().flat_map(|id| policy.networks[*id].members.iter().copied()).collect();
        let merged = IpNet::aggregate(&members);
        let holds = |all: IpNet| merged.iter().any(|net| net.contains(&all));
        match (holds(IpNet::V4(EVERY_V4)), holds(IpNet::V6(PUBLIC_V6))) {
            (true, true) => Some("every address"),
            (true, false) => Some("every IPv4 address"),
            (false, true) => Some("every public IPv6 address"),
            (false, false) => None,
        }
    }

    /// Whether these networks keep nobody out, as none do.
    pub(super) fn lets_all_in(&self, networks: &[NetworkId], policy: &Policy) -> bool {
        networks.is_empty() || self.all_of(networks, policy).is_some()
    }

    /// Whether whoever wants to meets the requirements, if there are any: nothing but networks that hold every address, and what the client writes.
    pub(super) fn is_met_by_all(&self, require: &Requirements, policy: &Policy) -> bool {
        let Requirements { login, subject, from, during, facts, approval } = require;
        let by_anyone = login.is_none() && subject.is_empty() && during.is_empty() && approval.is_empty();
        by_anyone && self.lets_all_in(from, policy) && facts.iter().all(is_written_by_clients)
    }

    /// Whether whoever wants to is exempt.
    pub(super) fn exempts_all(&self, unless: &Conditions, policy: &Policy) -> bool {
        let Conditions { subject, via, from, during, facts, captures } = unless;
        let anyone = matches!(subject, None | Some(Subject::Anyone)) && via.is_none() && captures.is_empty();
        anyone && during.is_empty() && self.lets_all_in(from, policy) && facts.iter().all(is_written_by_clients)
    }
}

fn is_written_by_clients(test: &FactTest) -> bool {
    matches!(test, FactTest::Header { .. } | FactTest::Query { .. })
}

const EVERY_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
const ALL_V4: u64 = 1 << 32;

/// Global unicast: what clients beyond one's own networks have.
const PUBLIC_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const ALL_V6: u64 = 1 << 61;
