//! Rules around Luigi's: what answers or changes a request before it is decided, and what changes it afterwards.

use super::{Look, finding};
use crate::haproxy::printed::Gate;
use crate::haproxy::sections::{Line, Proxy};
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use luigi_core::policy::model::{FactTest, Policy};
use std::collections::BTreeSet;

/// Rules that answer a request themselves, or end the rules.
const ANSWERS: [&str; 5] = ["allow", "cache-use", "redirect", "return", "use-service"];

pub(super) fn look(look: &mut Look<'_>) {
    let mut found = Vec::new();
    let headers = look.decided_headers();
    let has_query = asks_for_query(look.policy);
    // Backends may be reached from several frontends: each line is looked at once.
    let mut seen = BTreeSet::new();
    for (proxy, gate) in look.guarded() {
        before(proxy, gate, &headers, &mut found);
        // What is collected is what is decided.
        let own = gate.rules[gate.first..].iter().filter(|(_, _, which)| which.is_none()).map(|(_, line, _)| *line);
        for line in own.filter(|line| seen.insert(line.span())) {
            found.extend(after(line, has_query));
        }
        for way in super::ways::ways(look.config, proxy) {
            let Some(backend) = way.backend().filter(|backend| !backend.is_same(proxy)) else { continue };
            let is_printed = look.printed.find(backend);
            for (_, line) in backend.lines() {
                let ours = is_printed
                    .iter()
                    .flat_map(|gate| &gate.rules)
                    .any(|(_, rule, which)| which.is_some() && std::ptr::eq(*rule, line));
                if !ours && seen.insert(line.span()) {
                    found.extend(after(line, has_query));
                }
            }
        }
    }
    found.dedup();
    look.found.extend(found);
}

fn before(proxy: Proxy<'_>, gate: &Gate<'_>, headers: &BTreeSet<String>, found: &mut Vec<Diagnostic>) {
    let services = proxy.with("tcp-request");
    let services = services.iter().filter(|(_, line)| line.word(1) == "content" && line.word(2) == "use-service");
    for (_, line) in services {
        found.push(answered(line));
    }
    for (at, (_, line, which)) in gate.rules[..gate.decided].iter().enumerate() {
        if which.is_some() {
            continue;
        }
        let action = line.action();
        let only_to_https = action == "redirect" && line.word(2) == "scheme" && line.word(3) == "https";
        if ANSWERS.contains(&action) && !only_to_https {
            found.push(answered(line));
        } else if at >= gate.first {
            // Changes are looked for behind the facts, too.
        } else if action == "set-src" && line.condition().is_none() {
            let message = "whatever a client sends becomes the source that is decided by";
            let help = "ask for a trusted peer, `if { src 192.0.2.0/24 }`; or remove the line and declare the proxies in the policy, `[proxies]`";
            found.push(finding(HaproxyLint::ForgeableSource, line.span(), message).help(help));
        } else if action.starts_with("lua.") {
            let message =
                format!("whether {} answers or changes requests before they are decided is not known", quoted(action));
            let help = "put it behind Luigi's lines; if it only looks, accept it";
            found.push(finding(HaproxyLint::HaproxyNotUnderstood, line.span(), message).help(help));
        } else if let Some(what) = changed(line, true).or_else(|| changed_header(line, headers)) {
            let message = format!("this changes {what} before it is decided");
            let help = "put it behind Luigi's lines if scopes are about what clients send; if they are about what comes out here, accept it";
            found.push(finding(HaproxyLint::ChangedBeforeDecision, line.span(), message).help(help));
        }
    }
}

fn answered(line: &Line) -> Diagnostic {
    let what = match line.action() {
        "allow" => "what this lets through is not decided",
        _ => "what this answers is not decided",
    };
    finding(HaproxyLint::AnsweredBeforeDecision, line.span(), what).help("put it behind Luigi's lines")
}

/// What is wrong with a line that is evaluated after the decision.
fn after(line: &Line, has_query: bool) -> Option<Diagnostic> {
    let of_host = || ["host".to_owned()].into();
    let sends_name = line.word(0) == "http-send-name-header" && line.word(1).eq_ignore_ascii_case("host");
    let what = match line.word(0) {
        "http-request" => changed(line, has_query).or_else(|| changed_header(line, &of_host())),
        _ if sends_name => Some("the Host".to_owned()),
        _ => None,
    };
    if let Some(what) = what {
        let message = format!("this changes {what} after it was decided");
        let help = "let servers get what was decided; if nothing comes out that the policy would refuse, accept it with the reason";
        return Some(finding(HaproxyLint::ChangedAfterDecision, line.span(), message).help(help));
    }
    let header = header_of(line).filter(|name| is_luigis(name))?;
    let message = format!("{} says who asks, and this changes it", quoted(header));
    let help = "use another name; `luigi haproxy-config --headers` chooses which of Luigi's headers are added";
    Some(finding(HaproxyLint::IdentityHeaderChanged, line.word_span(2), message).help(help))
}

/// What of the request line a rule changes.
fn changed(line: &Line, query_matters: bool) -> Option<String> {
    let what = match line.action() {
        "set-path" | "replace-path" => "the path",
        "set-pathq" | "replace-pathq" | "set-uri" | "replace-uri" => "the target",
        "normalize-uri" if line.word(2).starts_with("query") && !query_matters => return None,
        "normalize-uri" => "the target",
        "set-query" if query_matters => "the query",
        "set-method" => "the method",
        _ => return None,
    };
    Some(what.to_owned())
}

/// Which of these headers a rule changes.
fn changed_header(line: &Line, headers: &BTreeSet<String>) -> Option<String> {
    let name = header_of(line)?.to_ascii_lowercase();
    let method = line.words.iter().position(|word| word.text == "-m").map(|at| line.word(at + 1));
    let hit = headers.iter().find(|header| match method {
        None | Some("str") => **header == name,
        Some("beg") => header.starts_with(&name),
        Some("end") => header.ends_with(&name),
        Some("sub") => header.contains(&name),
        // What is removed can only be missing; a regular expression is not worked out for that.
        Some(_) => false,
    });
    let hit = hit?;
    Some(if hit == "host" { "the Host".to_owned() } else { format!("the header `{hit}`") })
}

/// The header that a rule is about.
fn header_of(line: &Line) -> Option<&str> {
    let is_about =
        matches!(line.action(), "add-header" | "del-header" | "replace-header" | "replace-value" | "set-header");
    (line.word(0) == "http-request" && is_about).then(|| line.word(2))
}

/// Whether a name is one of Luigi's headers, or an expression for them.
fn is_luigis(name: &str) -> bool {
    name.to_ascii_lowercase().contains("luigi")
}

/// Whether a rule of the policy looks at the query.
fn asks_for_query(policy: &Policy) -> bool {
    let is_query = |test: &FactTest| matches!(test, FactTest::Query { .. });
    policy.rules.iter().any(|(_, rule)| {
        let conditions = std::iter::once(&rule.when).chain(&rule.unless);
        conditions.flat_map(|conditions| &conditions.facts).chain(&rule.require.facts).any(is_query)
    })
}
