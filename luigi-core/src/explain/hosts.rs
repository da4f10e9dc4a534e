//! What the servers behind a host do with targets, by asking every entry of `[hosts]`.

use super::scopes::host_fits;
use crate::decide::{FactValue, Request};
use crate::policy::model::{FactKey, Policy};
use crate::target::{Ambiguity, Host};

/// What is said about one host.
pub(super) struct HostWays {
    pub(super) ignores_case: bool,
    pub(super) slash_matters: bool,
    pub(super) accepts: Vec<Ambiguity>,
    pub(super) refuses_method_override: bool,
}

impl HostWays {
    pub(super) fn of(policy: &Policy, host: Host<'_>) -> Self {
        let rows: Vec<_> = policy.hosts.iter().map(|(_, row)| row).filter(|row| host_fits(&row.host, host)).collect();
        Self {
            ignores_case: rows.iter().any(|row| row.ignores_case),
            slash_matters: rows.iter().any(|row| row.slash_matters),
            accepts: rows.iter().flat_map(|row| row.accepts.iter().copied()).collect(),
            refuses_method_override: rows.iter().any(|row| row.refuses_method_override),
        }
    }

    /// Whether two paths, or segments of paths, are one but for a final `/`.
    pub(super) fn same(&self, a: &str, b: &str) -> bool {
        if self.ignores_case { a.eq_ignore_ascii_case(b) } else { a == b }
    }

    /// The path without the final `/` that means nothing.
    pub(super) fn meant<'p>(&self, path: &'p str) -> &'p str {
        if self.slash_matters || path == "/" { path } else { path.strip_suffix('/').unwrap_or(path) }
    }
}

/// Whether a header or a parameter of the query is there, or may be, that servers take another method from.
pub(super) fn asks_for_another_method(policy: &Policy, request: &Request<'_>, query: Option<&[u8]>) -> bool {
    let absent = |name: &str| {
        let mut facts = policy.facts.iter();
        let fact = facts.find(|(_, fact)| fact.key() == FactKey::Header(name));
        fact.is_some_and(|(id, _)| request.facts.value(id) == FactValue::Absent)
    };
    if !absent("x-http-method-override") || !absent("x-http-method") || !absent("x-method-override") {
        return true;
    }
    let query = String::from_utf8_lossy(query.unwrap_or_default()).into_owned();
    query.split(['&', ';']).any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        let name = percent_decoded(&name.replace('+', " ")).to_lowercase();
        let name = name.trim_start_matches(' ');
        let Some(rest) = name.strip_prefix(['_', '.', '[']).and_then(|name| name.strip_prefix("method")) else {
            return false;
        };
        rest.is_empty() || rest.starts_with(['[', '\0'])
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
