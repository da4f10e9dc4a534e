//! The names that a policy defines, and which names belong where.

use super::walk::{Event, What};
use std::ops::Range;

/// What a name can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Environment,
    Issuer,
    Group,
    Network,
    Schedule,
    Login,
    Scope,
    Tag,
    Approval,
    Fact,
    Rule,
}

/// A place where a name is defined, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) at: Range<usize>,
}

/// The definitions of one file.
pub(super) fn definitions(events: &[Event<'_>]) -> Vec<Definition> {
    let mut found: Vec<Definition> = Vec::new();
    for event in events {
        let path: Vec<&str> = event.path.iter().map(String::as_str).collect();
        let kind = match (&event.what, path.as_slice()) {
            (What::Text(id), ["rules", "id"]) => {
                found.push(Definition { kind: Kind::Rule, name: (*id).to_owned(), at: event.at.clone() });
                continue;
            }
            (What::Text(tag), ["scopes", _, "tags"]) => {
                found.push(Definition { kind: Kind::Tag, name: (*tag).to_owned(), at: event.at.clone() });
                continue;
            }
            (What::Header | What::Key, [table, _]) => match *table {
                "environments" => Kind::Environment,
                "issuers" => Kind::Issuer,
                "groups" => Kind::Group,
                "networks" => Kind::Network,
                "schedules" => Kind::Schedule,
                "logins" => Kind::Login,
                "scopes" => Kind::Scope,
                "approvals" => Kind::Approval,
                "facts" => Kind::Fact,
                _ => continue,
            },
            _ => continue,
        };
        found.push(Definition { kind, name: path[1].to_owned(), at: event.at.clone() });
    }
    found
}

/// What a string at a path names, if it names something. A prefix like `tag:` is the name's own.
pub(super) fn named(path: &[String]) -> &'static [Kind] {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["scopes", _, "except"] | ["tests", .., "grants", "scope"] | ["tests", .., "scope"] => &[Kind::Scope],
        ["rules", "scopes"] => &[Kind::Scope, Kind::Tag],
        ["rules", "environments"] | ["tests", .., "environment"] => &[Kind::Environment],
        ["rules", .., "from"] => &[Kind::Network],
        ["rules", .., "during"] => &[Kind::Schedule],
        ["rules", "require", "approval"] | ["tests", .., "grants", "approval"] => &[Kind::Approval],
        ["rules", "require", "login"] | ["tests", .., "as", "login"] => &[Kind::Login],
        ["tests", .., "rule"] => &[Kind::Rule],
        ["tests", .., "as", "issuer"] => &[Kind::Issuer],
        ["rules" | "approvals" | "tests", .., "groups" | "groups-all"] => &[Kind::Group],
        ["rules" | "approvals", .., "issuers"] => &[Kind::Issuer],
        _ => &[],
    }
}
