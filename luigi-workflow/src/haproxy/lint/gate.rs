//! Luigi's lines: whether they are all there, as they are printed, and for this policy.

use super::{Look, finding};
use crate::haproxy::printed::Gate;
use crate::haproxy::sections::{Line, Proxy};
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use luigi_core::policy::model::{Fact, Upgrade};
use luigi_runtime::facts::{FactList, variable};
use luigi_runtime::haproxy_config::facts_setting;

/// Where the lines come from.
const PRINT: &str = "`luigi haproxy-config` prints all of them";

pub(super) fn look(look: &mut Look<'_>) {
    let mut found = Vec::new();
    for (proxy, gate) in look.guarded() {
        incomplete(look, proxy, gate, &mut found);
        outdated(look, gate, &mut found);
        facts(look, proxy, gate, &mut found);
    }
    tunnels(look, &mut found);
    modes(look, &mut found);
    // Two frontends may have the same lines from one `defaults` section.
    for problem in found {
        if !look.found.contains(&problem) {
            look.found.push(problem);
        }
    }
}

fn incomplete(look: &Look<'_>, proxy: Proxy<'_>, gate: &Gate<'_>, found: &mut Vec<Diagnostic>) {
    let code = HaproxyLint::LuigiLinesIncomplete;
    let first = gate.rules[gate.first].1;
    let (mut absent, mut told) = (Vec::new(), Vec::new());
    for (printed, meant) in look.printed.missing(gate) {
        match meant {
            Some(line) => {
                told.push(line.span());
                let message = "this line of Luigi's differs from the one that is printed";
                let problem = finding(code, line.span(), message);
                found.push(problem.help(format!("{PRINT}; this one is\n    {}", printed.text)));
            }
            None => absent.push(printed.text.as_str()),
        }
    }
    if !absent.is_empty() {
        let (noun, verb) = if absent.len() == 1 { ("a line", "is") } else { ("lines", "are") };
        let message = format!("{noun} of Luigi's {verb} missing in {}", quoted(proxy.name()));
        let lines: String = absent.iter().map(|text| format!("\n    {text}")).collect();
        let problem = finding(code, first.span(), message).label("the others are here");
        found.push(problem.help(format!("{PRINT}, in their order; what is missing:{lines}")));
    }
    // What is decided has effect by the closing denial.
    let closed = gate.rules.iter().rposition(|(_, line, which)| which.is_some() && line.action() == "deny");
    for (at, (_, line, which)) in gate.rules.iter().enumerate() {
        let (is_between, sets_answer) = (at > gate.first && closed.is_some_and(|end| at < end), sets_answer(line));
        if which.is_none() && (is_between || sets_answer) && !told.contains(&line.span()) {
            let message = if sets_answer {
                "this takes the place of what Luigi was asked or answered"
            } else {
                "this stands between Luigi's lines, where it can let requests through that are about to be refused"
            };
            found.push(
                finding(code, line.span(), message)
                    .help("put it before Luigi's lines or behind them, and leave their variables alone"),
            );
        }
    }
    if let Some(line) = look.printed.misplaced(gate) {
        let problem = finding(
            code,
            line.span(),
            "this line of Luigi's stands before one that belongs before it, or for a second time",
        );
        found.push(problem.help(format!("{PRINT}, each once and in their order: put them in anew")));
    }
}

/// Whether a rule sets or forgets a variable that is Luigi's.
fn sets_answer(line: &Line) -> bool {
    let about = line.word(1).split_once('(').map(|(_, rest)| rest.trim_start());
    line.action().contains("set-var")
        && about.is_some_and(|name| {
            ["txn.luigi.in", "txn.luigi.out", "txn.luigi.begin"].iter().any(|of_ours| name.starts_with(of_ours))
        })
}

/// Rules that change the map by which it is known whether failures are denied.
fn modes(look: &Look<'_>, found: &mut Vec<Diagnostic>) {
    if look.guarded().next().is_none() {
        return;
    }
    let changes = |text: &str| {
        let map = text.strip_prefix("set-map(").or_else(|| text.strip_prefix("del-map("));
        map.is_some_and(|map| map.trim_end_matches(')').ends_with("modes.map"))
    };
    for line in look.config.sections.iter().filter(|section| section.is_proxy()).flat_map(|section| &section.lines) {
        let Some(at) = (1..=2).find(|at| changes(line.word(*at))) else { continue };
        let message = "this changes the map by which Luigi's lines know whether to deny when Luigi fails";
        let problem = finding(HaproxyLint::LuigiLinesIncomplete, line.word_span(at), message);
        found.push(
            problem.help("remove it; Luigi keeps that map up to date, and `luigi apply --mode` switches the mode"),
        );
    }
}

/// Whether the lines carry what the policy asks for, and `LUIGI_FACTS` says so.
fn outdated(look: &Look<'_>, gate: &Gate<'_>, found: &mut Vec<Diagnostic>) {
    let needed = &look.printed.needed;
    let Some(carried) = &gate.carried else { return };
    let Some((_, line, _)) = gate.rules.iter().find(|(_, line, _)| line.word(1) == "set-var-fmt(txn.luigi.in)") else {
        return;
    };
    let setting = setting(look);
    let global = format!("in `global`, before `lua-load-per-thread`:\n{}", facts_setting(needed).trim_end());
    let lacking = carried.lacks(needed);
    if !lacking.is_empty() {
        let message = format!("the rules ask for what this line does not carry: `{lacking}`");
        let help = format!("put this line in its place\n    {}\n{global}", look.printed.facts().text);
        found.push(finding(HaproxyLint::LuigiLinesOutdated, line.word_span(1), message).help(help));
        return;
    }
    let (said, place) = match setting {
        Some(line) => (FactList::parse(line.word(2)).unwrap_or_default(), line.span()),
        // Where there is no `global` section, these are not all files.
        None if look.config.global().next().is_none() => return,
        None => (FactList::default(), line.word_span(1)),
    };
    let unsaid = said.lacks(needed);
    if !unsaid.is_empty() {
        let message = format!("`LUIGI_FACTS` does not say that the lines carry `{unsaid}`");
        found.push(finding(HaproxyLint::LuigiLinesOutdated, place, message).help(format!("put {global}")));
    }
}

/// The line that sets `LUIGI_FACTS`.
fn setting<'c>(look: &Look<'c>) -> Option<&'c Line> {
    let sets = |line: &&Line| matches!(line.word(0), "setenv" | "presetenv") && line.word(1) == "LUIGI_FACTS";
    look.config.global().filter(sets).last()
}

/// Whether the facts that HAProxy is to know are set before they are collected.
fn facts(look: &Look<'_>, proxy: Proxy<'_>, gate: &Gate<'_>, found: &mut Vec<Diagnostic>) {
    for (_, fact) in look.policy.facts.iter() {
        let Fact::Named { name, .. } = fact else { continue };
        let variable = variable(name);
        let sets = |line: &Line| {
            let inside = line.word(1).split_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
            line.action().starts_with("set-var")
                && inside.and_then(|text| text.split(',').next()) == Some(variable.as_str())
        };
        let in_http = gate.rules[..gate.first].iter().any(|(_, line, _)| sets(line));
        // `tcp-request content set-var(...)` comes before, too.
        let in_tcp = proxy
            .with("tcp-request")
            .iter()
            .any(|(_, line)| line.words.iter().any(|word| word.text.contains(&format!("({variable}"))));
        if in_http || in_tcp {
            continue;
        }
        let message = format!(
            "{} sets `{variable}` nowhere before Luigi's lines, so the fact `{name}` stays unknown",
            quoted(proxy.name())
        );
        let problem = finding(HaproxyLint::FactNotSet, proxy.section().header, message);
        let problem = problem.also(gate.rules[gate.first].1.word_span(1), "before this line");
        found.push(problem.help(format!("set it before: `http-request set-var({variable}) ...`")));
    }
}

/// Whether backends close connections that a scope lets be idle for some time only.
fn tunnels(look: &Look<'_>, found: &mut Vec<Diagnostic>) {
    let limits = look.policy.scopes.iter().any(|(_, scope)| matches!(scope.upgrade, Upgrade::Outlive { .. }));
    if !limits {
        return;
    }
    for (proxy, _) in look.guarded() {
        for way in super::ways::ways(look.config, proxy) {
            let Some(backend) = way.backend() else { continue };
            let Some(printed) = look.printed.missing_tunnel(backend) else { continue };
            let message = format!(
                "{} does not close upgraded connections that are idle for longer than the policy says",
                quoted(backend.name())
            );
            let problem = finding(HaproxyLint::LuigiLinesOutdated, backend.section().header, message);
            found.push(
                problem.help(format!(
                    "put this line in if connections to its servers may be upgraded\n    {}",
                    printed.text
                )),
            );
        }
    }
}
