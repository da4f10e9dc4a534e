//! Rules around Luigi's: what answers or changes a request before it is decided, and what changes it afterwards.

use super::actions::{Meaning, meaning};
use super::{Look, finding};
use crate::haproxy::evaluate::fits;
use crate::haproxy::printed::Gate;
use crate::haproxy::sections::{Line, Proxy};
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use luigi_runtime::haproxy_config::IdentityHeader;
use std::collections::BTreeSet;

/// Rules that answer a request themselves, or end the rules.
const ANSWERS: [&str; 5] = ["allow", "cache-use", "redirect", "return", "use-service"];

pub(super) fn look(look: &mut Look<'_>) {
    let mut found = Vec::new();
    let decided = look.decided();
    let (headers, has_query) = (decided.headers, !decided.parameters.is_empty());
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
    for (_, line) in proxy.with("tcp-request") {
        let is_content = line.word(1) == "content";
        match meaning(line) {
            Some(("use-service", _)) if is_content => found.push(answered(line)),
            Some(("set-src", _)) if is_content && line.condition().is_none() => found.push(forgeable(line)),
            Some((action, Meaning::Program | Meaning::Unknown)) => found.push(unknown(line, action)),
            Some((_, Meaning::Known)) | None => {}
        }
    }
    found.extend(lenient(gate));
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
            found.push(forgeable(line));
        } else if let Some((action, Meaning::Program | Meaning::Unknown)) = meaning(line) {
            found.push(unknown(line, action));
        } else if let Some(what) = changed(line, true).or_else(|| changed_header(line, headers)) {
            found.push(match what {
                Changed::What(what) => {
                    let message = format!("this changes {what} before it is decided");
                    let help = "put it behind Luigi's lines if scopes are about what clients send; if they are about what comes out here, accept it";
                    finding(HaproxyLint::ChangedBeforeDecision, line.span(), message).help(help)
                }
                Changed::NotUnderstood => unclear(line),
            });
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

fn forgeable(line: &Line) -> Diagnostic {
    let message = "whatever a client sends becomes the source that is decided by";
    let help = "ask for a trusted peer, `if { src 192.0.2.0/24 }`; or remove the line and declare the proxies in the policy, `[proxies]`";
    finding(HaproxyLint::ForgeableSource, line.span(), message).help(help)
}

/// A rule before the decision that may be anything.
fn unknown(line: &Line, action: &str) -> Diagnostic {
    let message =
        format!("whether {} answers or changes requests before they are decided is not known", quoted(action));
    let help = "put it behind Luigi's lines; if it only looks, accept it";
    finding(HaproxyLint::HaproxyNotUnderstood, line.span(), message).help(help)
}

/// A rule that removes headers by an expression that is not understood.
fn unclear(line: &Line) -> Diagnostic {
    let message = format!("which headers {} removes is not worked out", quoted(line.word(2)));
    let help =
        "name the headers, or a beginning of theirs with `-m beg`; if none of them is decided by or Luigi's, accept it";
    finding(HaproxyLint::HaproxyNotUnderstood, line.span(), message).help(help)
}

/// The rule by which Luigi's own rules may fail without a word, if one is in force where they begin.
fn lenient(gate: &Gate<'_>) -> Option<Diagnostic> {
    let modes = gate.rules[..gate.first].iter().map(|(_, line, _)| *line).filter(|line| line.action() == "strict-mode");
    let mut in_force = None;
    for line in modes {
        match line.word(2) {
            "off" => in_force = Some(line),
            _ if line.condition().is_none() => in_force = None,
            _ => {}
        }
    }
    let line = in_force?;
    let message = "with this Luigi's lines may fail to replace the path that was decided, and the request goes on";
    let help = "put it behind Luigi's lines, or `http-request strict-mode on` before them";
    Some(finding(HaproxyLint::LuigiLinesIncomplete, line.span(), message).help(help))
}

/// What is wrong with a line that is evaluated after the decision.
fn after(line: &Line, has_query: bool) -> Option<Diagnostic> {
    let of_host = || ["host".to_owned()].into();
    let sent_name = (line.word(0) == "http-send-name-header").then(|| line.word(1));
    let is_host = sent_name.is_some_and(|name| name.eq_ignore_ascii_case("host"));
    let what = match line.word(0) {
        "http-request" => changed(line, has_query).or_else(|| changed_header(line, &of_host())),
        _ if is_host => Some(Changed::What("the Host".to_owned())),
        _ => None,
    };
    let header = match (header_of(line), sent_name) {
        (_, Some(name)) => is_luigis(name).then_some((name, 1)),
        (Some(name), None) => (is_luigis(name) || removes_luigis(line)).then_some((name, 2)),
        (None, None) => None,
    };
    match (what, header, meaning(line)) {
        (Some(Changed::What(what)), ..) => {
            let message = format!("this changes {what} after it was decided");
            let help = "let servers get what was decided; if nothing comes out that the policy would refuse, accept it with the reason";
            Some(finding(HaproxyLint::ChangedAfterDecision, line.span(), message).help(help))
        }
        (_, Some((header, at)), _) => {
            let message = format!("{} says who asks, and this changes it", quoted(header));
            let help = "use another name; `luigi haproxy-config --headers` chooses which of Luigi's headers are added";
            Some(finding(HaproxyLint::IdentityHeaderChanged, line.word_span(at), message).help(help))
        }
        (Some(Changed::NotUnderstood), ..) => Some(unclear(line)),
        (None, None, Some((action, Meaning::Program | Meaning::Unknown))) => {
            let message = format!("whether {} changes what was decided is not known", quoted(action));
            let help = "let servers get what was decided; if it only looks, accept it with the reason";
            Some(finding(HaproxyLint::HaproxyNotUnderstood, line.span(), message).help(help))
        }
        (None, None, Some((_, Meaning::Known)) | None) => None,
    }
}

/// What a rule changes.
enum Changed {
    What(String),
    /// It removes headers by an expression that is not understood.
    NotUnderstood,
}

/// What of the request line a rule changes.
fn changed(line: &Line, query_matters: bool) -> Option<Changed> {
    let what = match line.action() {
        "set-path" | "replace-path" => "the path",
        "set-pathq" | "replace-pathq" | "set-uri" | "replace-uri" => "the target",
        "normalize-uri" if line.word(2).starts_with("query") && !query_matters => return None,
        "normalize-uri" => "the target",
        "set-query" if query_matters => "the query",
        "set-method" => "the method",
        _ => return None,
    };
    Some(Changed::What(what.to_owned()))
}

/// Which of these headers a rule changes.
fn changed_header(line: &Line, headers: &BTreeSet<String>) -> Option<Changed> {
    let name = header_of(line)?.to_ascii_lowercase();
    let mut is_unclear = false;
    for header in headers {
        match if line.action() == "del-header" { removes(line, header) } else { Some(*header == name) } {
            Some(true) if header == "host" => return Some(Changed::What("the Host".to_owned())),
            Some(true) => return Some(Changed::What(format!("the header `{header}`"))),
            Some(false) => {}
            None => is_unclear = true,
        }
    }
    is_unclear.then_some(Changed::NotUnderstood)
}

/// Whether a `del-header` removes a header; `None` if that is not worked out.
fn removes(line: &Line, header: &str) -> Option<bool> {
    let name = line.word(2);
    let lower = || name.to_ascii_lowercase();
    match if line.word(3) == "-m" { line.word(4) } else { "str" } {
        "str" => Some(header == lower()),
        "beg" => Some(header.starts_with(&lower())),
        "end" => Some(header.ends_with(&lower())),
        "sub" => Some(header.contains(&lower())),
        "reg" => fits(name, false, header),
        _ => None,
    }
}

/// The header that a rule is about.
fn header_of(line: &Line) -> Option<&str> {
    let is_about =
        matches!(line.action(), "add-header" | "del-header" | "replace-header" | "replace-value" | "set-header");
    (line.word(0) == "http-request" && is_about).then(|| line.word(2))
}

/// Whether a rule removes one of Luigi's headers.
fn removes_luigis(line: &Line) -> bool {
    line.action() == "del-header" && IdentityHeader::ALL.iter().any(|header| removes(line, header.name()) == Some(true))
}

/// Whether a name is one of Luigi's headers, or an expression for them.
fn is_luigis(name: &str) -> bool {
    name.to_ascii_lowercase().contains("luigi")
}
