//! From what stands in tokens to the groups of the policy that it means.

use super::text_table::{TextTable, hash};
use crate::policy::captures::GroupValue;
use crate::policy::model::{Group, GroupId, Table, TableId};

/// The groups that are one text; families are not here.
#[derive(Debug, Default)]
pub(crate) struct GroupTable {
    by_value: TextTable,
    /// For each group the one before it that has the same value.
    same: Vec<Option<GroupId>>,
    /// The last group of each value.
    last: Vec<GroupId>,
}

impl GroupTable {
    /// Adds the next group; `groups` holds those before it.
    pub(super) fn add(&mut self, group: &Group, groups: &Table<GroupId, Group>) {
        self.same.push(None);
        let GroupValue::Literal(value) = &group.value else { return };
        let id = GroupId::from_index(groups.len());
        match self.find(value, groups) {
            Some(at) => self.same[id.index()] = Some(std::mem::replace(&mut self.last[at], id)),
            None => {
                let at = u32::try_from(self.last.len()).expect("a table has fewer than 2^32 rows");
                self.by_value.insert(hash(value.as_bytes()), at);
                self.last.push(id);
            }
        }
    }

    /// Where `last` has the groups of a value.
    fn find(&self, value: &str, groups: &Table<GroupId, Group>) -> Option<usize> {
        let is_it = |at: u32| match &groups[self.last[at as usize]].value {
            GroupValue::Literal(known) => known == value,
            GroupValue::Family(_) => false,
        };
        self.by_value.find(hash(value.as_bytes()), is_it).map(|at| at as usize)
    }

    /// The groups with this value in tokens.
    pub(crate) fn named(&self, value: &str, groups: &Table<GroupId, Group>) -> impl Iterator<Item = GroupId> {
        let last = self.find(value, groups).map(|at| self.last[at]);
        std::iter::successors(last, |id| self.same[id.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_of_a_value_is_found() {
        let mut groups = Table::default();
        let mut table = GroupTable::default();
        for (name, value) in [("a", "staff"), ("b", "guests"), ("c", "staff"), ("d", "staff")] {
            let group = Group { name: name.into(), value: GroupValue::Literal(value.into()) };
            table.add(&group, &groups);
            groups.push(group);
        }
        let named = |value| table.named(value, &groups).map(TableId::index).collect::<Vec<_>>();
        assert_eq!(named("staff"), [3, 2, 0]);
        assert_eq!(named("guests"), [1]);
        assert_eq!(named("nobody"), [0; 0]);
    }
}
