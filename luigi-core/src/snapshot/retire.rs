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
    drop_last(table.rows_mut(), limit);
    table.is_empty()
}

/// Drops up to `limit` items from the end, and gives back room that is empty once there is some.
// PERF: to give back 40 MB at once holds a thread for 10 ms: `cargo bench -p luigi-bench --bench swap`.
pub(super) fn drop_last<T>(items: &mut Vec<T>, limit: usize) {
    const WORTH_GIVING_BACK: usize = 1 << 20;
    items.truncate(items.len().saturating_sub(limit));
    if (items.capacity() - items.len()) * size_of::<T>() >= WORTH_GIVING_BACK {
        items.shrink_to_fit();
    }
}
