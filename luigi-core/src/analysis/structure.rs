//! What two policies consist of, compared by name: what came, what went, what is no longer the same, and which grants end with it.

use super::fingerprint::Fingerprints;
use crate::policy::model::{HostProperties, Policy};
use serde::Serialize;
use std::collections::BTreeMap;

/// The differences of two policies' tables. Lists are sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Structure {
    /// One entry for each kind of thing in which something differs: `rules`, `scopes`, `groups` ...
    pub tables: Vec<TableChanges>,
    /// Scopes that have another content: grants for them end.
    pub grants_end_for_scopes: Vec<String>,
    /// Approvals that have another content, or are gone: grants under them end.
    pub grants_end_under_approvals: Vec<String>,
}

/// What differs in one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableChanges {
    /// The table as a policy calls it.
    pub table: &'static str,
    /// Names that only the new policy has.
    pub added: Vec<String>,
    /// Names that only the old policy has.
    pub removed: Vec<String>,
    /// Names that mean something else in the new policy.
    pub changed: Vec<String>,
}

impl Structure {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether grants that may have been given end.
    #[must_use]
    pub fn ends_grants(&self) -> bool {
        !self.grants_end_for_scopes.is_empty() || !self.grants_end_under_approvals.is_empty()
    }

    pub(super) fn compare(old: &Policy, new: &Policy) -> Self {
        let (before, after) = (Fingerprints::new(old), Fingerprints::new(new));
        let mut structure = Self::default();
        macro_rules! table {
            ($table:ident, $how:ident) => {
                let rows = |policy: &Policy, fingerprints: &Fingerprints<'_>| {
                    let row = |row: &_| fingerprints.$how(row);
                    policy.$table.iter().map(|(_, one)| (one.name.clone(), row(one))).collect::<BTreeMap<_, _>>()
                };
                structure.table(stringify!($table), &rows(old, &before), &rows(new, &after));
            };
        }
        table!(rules, rule);
        table!(scopes, scope);
        table!(approvals, row);
        table!(groups, row);
        table!(networks, row);
        table!(proxies, row);
        table!(schedules, row);
        table!(logins, row);
        table!(issuers, row);
        let hosts = |policy: &Policy| {
            let row = |(_, row): (_, &HostProperties)| (row.host.to_string(), format!("{row:?}"));
            policy.hosts.iter().map(row).collect::<BTreeMap<_, _>>()
        };
        structure.table("hosts", &hosts(old), &hosts(new));
        let hash = |rows: &mut dyn Iterator<Item = (&String, [u8; 32])>| {
            rows.map(|(name, hash)| (name.clone(), hash)).collect::<BTreeMap<_, _>>()
        };
        let scopes =
            |policy: &Policy| hash(&mut policy.scopes.iter().map(|(_, scope)| (&scope.name, scope.content_hash.0)));
        let approvals = |policy: &Policy| {
            hash(&mut policy.approvals.iter().map(|(_, approval)| (&approval.name, approval.content_hash.0)))
        };
        let ended = |old: BTreeMap<String, [u8; 32]>, new: BTreeMap<String, [u8; 32]>| {
            old.into_iter().filter(|(name, hash)| new.get(name) != Some(hash)).map(|(name, _)| name).collect()
        };
        // A grant is for a scope that some rule asks an approval for.
        let opened: Vec<&str> = old
            .rules
            .iter()
            .filter(|(_, rule)| !rule.require.approval.is_empty())
            .flat_map(|(_, rule)| match &rule.scopes {
                crate::policy::model::ScopeSelector::All => &[][..],
                crate::policy::model::ScopeSelector::Named(scopes) => scopes,
            })
            .map(|scope| old.scopes[*scope].name.as_str())
            .collect();
        structure.grants_end_for_scopes = ended(scopes(old), scopes(new));
        structure.grants_end_for_scopes.retain(|name| opened.contains(&name.as_str()));
        structure.grants_end_under_approvals = ended(approvals(old), approvals(new));
        structure
    }

    fn table(&mut self, table: &'static str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) {
        let only = |here: &BTreeMap<String, String>, there: &BTreeMap<String, String>| {
            here.keys().filter(|name| !there.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let changed = old.iter().filter(|(name, row)| new.get(*name).is_some_and(|other| other != *row));
        let changes = TableChanges {
            table,
            added: only(new, old),
            removed: only(old, new),
            changed: changed.map(|(name, _)| name.clone()).collect(),
        };
        if !changes.added.is_empty() || !changes.removed.is_empty() || !changes.changed.is_empty() {
            self.tables.push(changes);
        }
    }
}
