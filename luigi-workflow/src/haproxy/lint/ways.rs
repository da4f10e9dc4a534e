//! Which servers can be reached, and from where: ways past Luigi.

use super::{Look, finding};
use crate::haproxy::conditions::Condition;
use crate::haproxy::evaluate::{Decided, Known, Requests};
use crate::haproxy::sections::{Config, Kind, Line, Proxy};
use luigi_core::policy::diagnostics::{Code, Diagnostic, HaproxyLint, Label, quoted};
use luigi_core::policy::source::Span;
use std::collections::BTreeSet;

/// A way from where requests come in to servers.
pub(super) struct Way<'c> {
    /// The line that leads there.
    pub(super) span: Span,
    /// The name of the backend, as it is written.
    pub(super) name: &'c str,
    /// The condition of the line.
    pub(super) condition: Option<Condition>,
    pub(super) to: To<'c>,
}

/// Where a way leads.
#[derive(Clone, Copy)]
pub(super) enum To<'c> {
    Backend(Proxy<'c>),
    /// To a backend that is in none of the files.
    Elsewhere,
    /// To whichever backend an expression names.
    Computed,
}

impl<'c> Way<'c> {
    pub(super) fn backend(&self) -> Option<Proxy<'c>> {
        match self.to {
            To::Backend(proxy) => Some(proxy),
            To::Elsewhere | To::Computed => None,
        }
    }
}

/// The ways from a section, in the order in which HAProxy looks at them; the last one without a condition takes what is left.
pub(super) fn ways<'c>(config: &'c Config, proxy: Proxy<'c>) -> Vec<Way<'c>> {
    let way = |line: &'c Line, condition| {
        let name = line.word(1);
        let to = match config.backend(name) {
            _ if name.contains("%[") => To::Computed,
            Some(backend) => To::Backend(backend),
            None => To::Elsewhere,
        };
        Way { span: line.span(), name, condition, to }
    };
    let rules = proxy.with("use_backend").into_iter();
    let mut ways: Vec<_> = rules.map(|(section, line)| way(line, Condition::of(line, section))).collect();
    match proxy.default_backend() {
        Some(line) => ways.push(way(line, None)),
        None if proxy.has_servers() => {
            let section = proxy.section();
            ways.push(Way { span: section.header, name: &section.name, condition: None, to: To::Backend(proxy) });
        }
        None => {}
    }
    ways
}

/// Rules that end a request without a server.
const ENDS: [&str; 7] = ["deny", "redirect", "reject", "return", "silent-drop", "tarpit", "use-service"];

/// The rules of a section that can end a request without a server.
pub(super) fn ends(proxy: Proxy<'_>) -> Vec<(&Line, Option<Condition>)> {
    let rules = proxy.with("http-request").into_iter();
    // Behind `allow` no rule is looked at any more.
    let looked_at = rules.take_while(|(_, line)| line.action() != "allow");
    let ends = looked_at.filter(|(_, line)| ENDS.contains(&line.action()));
    let old = proxy.with("redirect").into_iter();
    ends.chain(old).map(|(section, line)| (line, Condition::of(line, section))).collect()
}

pub(super) fn look(look: &mut Look<'_>) {
    let binds: BTreeSet<String> = look.guarded().flat_map(|(proxy, _)| addresses(proxy)).collect();
    let mut found = Vec::new();
    for entrance in look.entrances.iter().filter(|entrance| entrance.gate.is_none()) {
        let proxy = entrance.proxy;
        let is_http = proxy.is_http();
        if (is_http && ends_all(proxy)) || (!is_http && rejects_all(proxy)) {
            continue;
        }
        let leads_past = |way: &Way<'_>| match way.to {
            To::Backend(backend) => backend.has_servers() && !leads_back(backend, &binds),
            To::Elsewhere | To::Computed => true,
        };
        let Some(way) = ways(look.config, proxy).into_iter().find(leads_past) else { continue };
        let message =
            format!("what comes in at {} reaches {} without a decision", quoted(proxy.name()), quoted(way.name));
        let why = if is_http { "none of Luigi's lines" } else { "in tcp mode, where HAProxy sees no requests" };
        let mut problem = finding(HaproxyLint::UnguardedFrontend, proxy.section().header, message).label(why);
        if way.span != proxy.section().header {
            problem = problem.also(way.span, "leads to servers");
        }
        let guards = look.guarded().find_map(|(guard, _)| {
            let mut same = ways(look.config, guard).into_iter();
            same.find(|other| other.name == way.name && !guard.is_same(proxy)).map(|other| (guard, other.span))
        });
        if let Some((guard, span)) = guards {
            problem = problem.also(span, format!("what comes in at {} is decided", quoted(guard.name())));
        }
        let help = if is_http {
            "put Luigi's lines in, `luigi haproxy-config` prints them; or refuse everything here that needs a decision"
        } else {
            "let an http frontend with Luigi's lines take these connections; if no policy is about what is behind this port, accept it"
        };
        found.push(problem.help(help));
    }
    if found.is_empty() && look.guarded().next().is_none() {
        found.push(nothing_guarded(look.config));
    }
    look.found.extend(found);
}

/// That there is no place where anything is decided.
fn nothing_guarded(config: &Config) -> Diagnostic {
    let lint = HaproxyLint::NoLuigiLines;
    let message = "no frontend here has Luigi's lines, so that nothing is decided";
    let place = config.sections.first().map(|section| Label { span: section.header, text: String::new() });
    let problem = Diagnostic {
        code: Code::Haproxy(lint),
        severity: lint.severity(),
        message: message.to_owned(),
        primary: place,
        secondary: Vec::new(),
        help: None,
        environments: Vec::new(),
    };
    problem.help(
        "name every file of the configuration, in the order of `haproxy -f`; `luigi haproxy-config` prints the lines",
    )
}

/// Whether every request is answered before it reaches a server.
fn ends_all(proxy: Proxy<'_>) -> bool {
    let known = Known::of(proxy, Decided::default());
    let requests = Requests { host: "", sni: None };
    ends(proxy).iter().any(|(_, condition)| {
        // A condition on the host may hold for some hosts only.
        let about_host = condition.iter().flat_map(Condition::comparisons).any(|test| test.sample.header().is_some());
        !about_host && !known.outcome(condition.as_ref(), requests).can_fail
    })
}

/// Whether every connection is refused.
fn rejects_all(proxy: Proxy<'_>) -> bool {
    proxy.with("tcp-request").iter().any(|(_, line)| line.word(2) == "reject" && line.condition().is_none())
}

/// Whether all servers of a backend are frontends where requests are decided.
fn leads_back(backend: Proxy<'_>, binds: &BTreeSet<String>) -> bool {
    let lines = backend.lines();
    let servers = lines.iter().filter(|(_, line)| matches!(line.word(0), "server" | "server-template" | "dispatch"));
    let back = |line: &Line| {
        let address = plain(if line.word(0) == "dispatch" { line.word(1) } else { line.word(2) });
        let local =
            address.rsplit_once(':').filter(|(host, _)| matches!(*host, "127.0.0.1" | "localhost" | "[::1]" | "::1"));
        binds.contains(address) || local.is_some_and(|(_, port)| binds.contains(&format!("*:{port}")))
    };
    let mut all = servers.map(|(_, line)| line.word(0) != "server-template" && back(line)).peekable();
    all.peek().is_some() && all.all(|back| back) && backend.section().kind != Kind::Listen
}

/// Where a section listens.
fn addresses(proxy: Proxy<'_>) -> Vec<String> {
    let binds = proxy.with("bind").into_iter();
    let all = binds.flat_map(|(_, line)| line.word(1).split(',')).map(plain);
    all.map(|address| match address.rsplit_once(':') {
        Some(("" | "*" | "0.0.0.0" | "::" | "[::]", port)) => format!("*:{port}"),
        _ => address.to_owned(),
    })
    .collect()
}

/// An address without what only says of which family it is.
fn plain(address: &str) -> &str {
    ["ipv4@", "ipv6@", "unix@", "tcp4@", "tcp6@"]
        .iter()
        .find_map(|prefix| address.strip_prefix(prefix))
        .unwrap_or(address)
}
