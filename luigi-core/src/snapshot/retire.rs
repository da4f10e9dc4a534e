//! Freeing a snapshot in slices, so that no thread is held while a large one goes.

use super::Snapshot;
use crate::policy::model::{Table, TableId};

/// A snapshot that is being taken apart.
#[derive(Debug)]
pub struct Retired {
    snapshot: Snapshot,
}

impl Retired {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot }
    }

    /// Frees up to about `max_records` rows; `true` when only small things are left, which go with `self`.
    pub fn step(&mut self, max_records: usize) -> bool {
        let s = &mut self.snapshot;
        s.index.shrink(max_records)
            && s.folded_index.as_mut().is_none_or(|index| index.shrink(max_records))
            && emptied(&mut s.scope_rules, max_records)
            && emptied(&mut s.policy.rules, max_records)
            && emptied(&mut s.policy.scopes, max_records)
            && emptied(&mut s.policy.hosts, max_records)
            && emptied(&mut s.policy.groups, max_records)
            && emptied(&mut s.policy.approvals, max_records)
            && emptied(&mut s.policy.networks, max_records)
            && emptied(&mut s.networks, max_records)
    }
}

/// Drops up to `limit` rows; whether the table is empty now.
fn emptied<Id: TableId, Row>(table: &mut Table<Id, Row>, limit: usize) -> bool {
    for _ in 0..limit {
        if table.pop().is_none() {
            return true;
        }
    }
    table.is_empty()
}
