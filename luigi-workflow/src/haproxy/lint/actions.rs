//! What rules can do, as far as it is known: the actions of HAProxy 2.6 to 3.2 by what they mean for a request. Anything else is said not to be understood.

use crate::haproxy::sections::Line;

/// What an action means for a request that is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that another file of this folder does not look at.
    Known,
    /// Whatever a program makes of it.
    Program,
    /// Nobody knows here.
    Unknown,
}

/// Actions of `http-request`.
const HTTP: [&str; 54] = [
    "add-acl",
    "add-header",
    "allow",
    "auth",
    "cache-use",
    "capture",
    "del-acl",
    "del-header",
    "del-map",
    "deny",
    "disable-l7-retry",
    "do-log",
    "do-resolve",
    "early-hint",
    "normalize-uri",
    "pause",
    "redirect",
    "reject",
    "replace-header",
    "replace-path",
    "replace-pathq",
    "replace-uri",
    "replace-value",
    "return",
    "send-spoe-group",
    "set-bc-mark",
    "set-bc-tos",
    "set-dst",
    "set-dst-port",
    "set-fc-mark",
    "set-fc-tos",
    "set-header",
    "set-log-level",
    "set-map",
    "set-mark",
    "set-method",
    "set-nice",
    "set-path",
    "set-pathq",
    "set-priority-class",
    "set-priority-offset",
    "set-query",
    "set-retries",
    "set-src",
    "set-src-port",
    "set-timeout",
    "set-tos",
    "set-uri",
    "silent-drop",
    "strict-mode",
    "tarpit",
    "use-service",
    "wait-for-body",
    "wait-for-handshake",
];

/// Actions of `tcp-request`, beside those that `http-request` has, too.
const TCP: [&str; 6] = ["accept", "attach-srv", "close", "expect-netscaler-cip", "expect-proxy", "switch-mode"];

/// Beginnings of actions that only count, track or set variables.
const HARMLESS: [&str; 4] = ["sc-", "set-var", "track-sc", "unset-var"];

/// The action of a rule of `http-request` or `tcp-request` and what it means; `None` for other lines.
pub(super) fn meaning(line: &Line) -> Option<(&str, Meaning)> {
    let (at, others): (_, &[&str]) = match (line.word(0), line.word(1)) {
        ("http-request", _) => (1, &[]),
        ("tcp-request", "connection" | "content" | "session") => (2, &TCP),
        _ => return None,
    };
    let word = line.word(at);
    let action = word.split_once('(').map_or(word, |(name, _)| name);
    let is_known = HTTP.contains(&action)
        || others.contains(&action)
        || HARMLESS.iter().any(|beginning| action.starts_with(beginning));
    let meaning = match action {
        _ if is_known => Meaning::Known,
        _ if action.starts_with("lua.") => Meaning::Program,
        _ => Meaning::Unknown,
    };
    Some((action, meaning))
}
