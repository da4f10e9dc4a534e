//! Definitions that nothing names.

use super::{Linter, Row, named};
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::TableId;

pub(super) fn look(linter: &mut Linter<'_>) {
    let policy = linter.policy;
    let mut rows: Vec<(Row, &str, &str)> = Vec::new();
    // Tokens of the default issuer are what rules mean that name none.
    let issuers = policy.issuers.iter().filter(|(id, _)| policy.default_issuer != Some(*id));
    rows.extend(issuers.map(|(id, row)| (Row::Issuer(id), "issuer", row.name.as_str())));
    rows.extend(policy.groups.iter().map(|(id, row)| (Row::Group(id), "group", row.name.as_str())));
    rows.extend(policy.networks.iter().map(|(id, row)| (Row::Network(id), "network", row.name.as_str())));
    rows.extend(policy.schedules.iter().map(|(id, row)| (Row::Schedule(id), "schedule", row.name.as_str())));
    rows.extend(policy.logins.iter().map(|(id, row)| (Row::Login(id), "login", row.name.as_str())));
    rows.extend(policy.scopes.iter().map(|(id, row)| (Row::Scope(id), "scope", row.name.as_str())));
    rows.extend(policy.approvals.iter().map(|(id, row)| (Row::Approval(id), "approval", row.name.as_str())));
    // A rule may name scopes by what they have in common.
    let mut in_rules = vec![false; policy.scopes.len()];
    for (_, rule) in policy.rules.iter() {
        named(&rule.scopes).iter().for_each(|scope| in_rules[scope.index()] = true);
    }
    for (row, kind, name) in rows {
        let selected = matches!(row, Row::Scope(id) if in_rules[id.index()]);
        if linter.place(row).is_named || selected {
            continue;
        }
        linter.find(Lint::Unused, &[row], |linter| {
            let message = format!("nothing names {kind} `{name}`");
            Diagnostic::lint(Lint::Unused, linter.name(row), message).help("use it or remove it")
        });
    }
}
