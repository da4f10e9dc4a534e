//! Which groups of a policy an identity has, as a set of bits: found out once for each identity and revision, and then a test of one bit.

use crate::identity::Groups;
use crate::policy::model::{GroupId, TableId};
use crate::snapshot::Snapshot;

/// About how many bytes are kept at most.
const MAX_BYTES: usize = 64 * 1024;
/// For how many identities, if that suffices.
const MAX_IDENTITIES: usize = 256;
/// For how many identities, even if that takes more.
const MIN_IDENTITIES: usize = 8;

/// The sets of those identities that were seen last. Working memory of one thread; belongs to the snapshot that it was made to fit last.
#[derive(Debug, Default)]
pub(crate) struct HeldGroups {
    /// Whose set stands in each place; a power of two of places.
    owners: Vec<u64>,
    /// How many words a set has.
    words: usize,
    bits: Vec<u64>,
}

impl HeldGroups {
    /// Makes room for the groups of another snapshot, and forgets those of the one before; allocates only if it takes more than any before.
    pub(crate) fn fit(&mut self, snapshot: &Snapshot) {
        self.words = snapshot.policy.groups.len().div_ceil(64);
        let affordable = MAX_BYTES / (8 * self.words.max(1));
        let identities = affordable.clamp(MIN_IDENTITIES, MAX_IDENTITIES).next_power_of_two();
        self.owners.clear();
        self.owners.resize(identities, Groups::NOBODY);
        self.bits.resize(identities * self.words, 0);
    }

    /// The groups of the snapshot's policy that are among these. [`Self::fit`] comes before.
    pub(crate) fn of(&mut self, groups: &Groups, snapshot: &Snapshot) -> Held<'_> {
        #[allow(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
        let place = groups.number() as usize & (self.owners.len() - 1);
        let bits = &mut self.bits[place * self.words..][..self.words];
        if self.owners[place] != groups.number() {
            self.owners[place] = groups.number();
            bits.fill(0);
            for name in groups.names() {
                for id in snapshot.group_table.named(name, &snapshot.policy.groups) {
                    bits[id.index() / 64] |= 1 << (id.index() % 64);
                }
            }
        }
        Held(bits)
    }
}

/// The groups of a policy that one identity has, but for families.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a>(&'a [u64]);

impl<'a> Held<'a> {
    /// All of them, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = GroupId> + 'a {
        self.0.iter().zip((0..).step_by(64)).flat_map(|(word, first)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(GroupId::from_index(first + bit))
            })
        })
    }

    /// Whether it has this one; never one of a family.
    pub(crate) fn has(self, group: GroupId) -> bool {
        self.0.get(group.index() / 64).is_some_and(|word| word >> (group.index() % 64) & 1 == 1)
    }

    /// How many there are.
    pub(crate) fn count(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Completeness;
    use crate::policy::captures::GroupValue;
    use crate::policy::model::{Group, Policy};

    #[test]
    fn the_sets_are_those_of_the_identity_and_of_the_revision() {
        let snapshot = |values: &[&str]| {
            let groups = values
                .iter()
                .map(|value| Group { name: format!("alias-{value}"), value: GroupValue::Literal((*value).to_owned()) });
            Snapshot::compile(Policy { groups: groups.collect(), ..Policy::default() }).unwrap()
        };
        let few = snapshot(&["a", "b"]);
        let names: Vec<String> = (0..200).map(|n| format!("{}", char::from_u32(0x61 + n).unwrap())).collect();
        let many = snapshot(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let none = snapshot(&[]);
        // More identities than places.
        let identities: Vec<Groups> = (0..3 * MAX_IDENTITIES)
            .map(|n| {
                let held = names.iter().skip(n % 7).step_by(1 + n % 11).map(|name| name.as_str().into());
                Groups::new(held.collect(), Completeness::Complete)
            })
            .collect();
        let mut held_groups = HeldGroups::default();
        for snapshot in [&few, &many, &none, &few] {
            held_groups.fit(snapshot);
            for groups in identities.iter().chain(identities.iter().rev()) {
                let held = held_groups.of(groups, snapshot);
                for (id, group) in snapshot.policy.groups.iter() {
                    let GroupValue::Literal(value) = &group.value else { unreachable!("all are") };
                    assert_eq!(held.has(id), groups.contains(value), "{value} of {groups:?}");
                }
                let one_by_one: Vec<_> =
                    snapshot.policy.groups.iter().map(|(id, _)| id).filter(|id| held.has(*id)).collect();
                assert_eq!(held.iter().collect::<Vec<_>>(), one_by_one);
                assert_eq!(held.count(), one_by_one.len());
            }
        }
    }
}
