//! Servers whose address is not in the configuration: a rule chooses it (`set-dst`, `set-dst-port`), or the connection does.

use super::ways::{To, ways};
use super::{Look, finding};
use crate::haproxy::conditions::Sample;
use crate::haproxy::evaluate::{Known, Reason};
use crate::haproxy::sections::{Line, Proxy};
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use std::collections::BTreeSet;

/// What of a server's address is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Open {
    Address,
    Port,
}

/// Addresses that stand for the one that a client connected to.
const ANY_ADDRESS: [&str; 5] = ["", "*", "0.0.0.0", "::", "[::]"];

pub(super) fn look(look: &mut Look<'_>) {
    let mut found: Vec<Diagnostic> = Vec::new();
    for (proxy, _) in look.guarded() {
        let known = Known::of(proxy, look.decided());
        let ways = ways(look.config, proxy);
        let mut sections = vec![proxy];
        sections.extend(ways.iter().filter_map(|way| match way.to {
            To::Backend(backend) if !backend.is_same(proxy) => Some(backend),
            To::Backend(_) | To::Elsewhere | To::Computed => None,
        }));
        let open: Vec<(&Line, Open)> = sections.iter().flat_map(|section| open(*section)).collect();
        let mut set: BTreeSet<Open> = BTreeSet::new();
        for line in sections.iter().flat_map(|section| section.lines()).map(|(_, line)| line) {
            let Some((what, expression)) = sets(line) else { continue };
            set.insert(what);
            let Some((server, _)) = open.iter().find(|(_, open)| *open == what) else { continue };
            if let Some(problem) = chosen(line, expression, server, &known) {
                found.push(problem);
            }
        }
        for (server, _) in open.iter().filter(|(_, what)| *what == Open::Address && !set.contains(what)) {
            let message = "the server is whatever address a client connected to";
            let problem = finding(HaproxyLint::UndecidedRouting, server.span(), message);
            found.push(problem.help("name the address of the server"));
        }
    }
    for problem in found {
        if !look.found.contains(&problem) {
            look.found.push(problem);
        }
    }
}

/// The servers of a section that leave their address or port open.
fn open(section: Proxy<'_>) -> Vec<(&Line, Open)> {
    let mut open = Vec::new();
    for (_, line) in section.lines().into_iter().filter(|_| section.has_servers()) {
        let address = match line.word(0) {
            "server" => line.word(2),
            "dispatch" => line.word(1),
            "option" if line.word(1) == "transparent" => "*:*",
            _ => continue,
        };
        let address = ["ipv4@", "ipv6@", "tcp4@", "tcp6@"]
            .iter()
            .find_map(|family| address.strip_prefix(family))
            .unwrap_or(address);
        // A path and a name of the abstract space have no port.
        if address.contains(['/', '$'])
            || address.contains("abns")
            || address.contains("sockpair")
            || address.contains("rhttp")
        {
            continue;
        }
        let colons = address.matches(':').count();
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if colons == 1 || host.ends_with(']') => (host, port),
            // `::` and a bare IPv6 address: the last group is the port to HAProxy.
            Some((host, port)) if port.parse::<u16>().is_ok() && !host.ends_with(':') => (host, port),
            _ => (address, ""),
        };
        if ANY_ADDRESS.contains(&host) {
            open.push((line, Open::Address));
        }
        if port.is_empty() || port == "0" || port == "*" || port.starts_with(['+', '-']) {
            open.push((line, Open::Port));
        }
    }
    open
}

/// What a rule sets of the address that servers leave open, and by which expression.
fn sets(line: &Line) -> Option<(Open, &str)> {
    let at = match line.word(0) {
        "http-request" => 1,
        "tcp-request" => 2,
        _ => return None,
    };
    match line.word(at) {
        "set-dst" => Some((Open::Address, line.word(at + 1))),
        "set-dst-port" => Some((Open::Port, line.word(at + 1))),
        _ => None,
    }
}

/// What is wrong with a rule that chooses where a server is; `None` if it chooses the same for every request.
fn chosen(line: &Line, expression: &str, server: &Line, known: &Known) -> Option<Diagnostic> {
    let sample = Sample::parse(expression);
    let is_constant = sample.as_ref().is_some_and(|sample| {
        matches!(sample.fetch.as_str(), "int" | "ipv4" | "ipv6" | "str") && sample.converters.is_empty()
    });
    if is_constant && line.condition().is_none() {
        return None;
    }
    let undecided = sample.as_ref().map(|sample| known.reason(sample));
    let problem = match undecided {
        Some(Reason::Undecided(what)) => {
            let message = format!("where the server is depends on {}", quoted(&what));
            finding(HaproxyLint::UndecidedRouting, line.span(), message).label("chosen apart from the Host")
        }
        _ => {
            let message = format!("where the server is, is up to {}, which is not worked out", quoted(expression));
            finding(HaproxyLint::HaproxyNotUnderstood, line.span(), message)
        }
    };
    let problem = problem.also(server.span(), "leaves it open");
    Some(problem.help("name the servers in backends and choose these by the Host that is decided"))
}
