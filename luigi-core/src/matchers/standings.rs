//! What a policy makes of an identity whatever it asks for: found out once for each identity and revision, and then a test of one bit.

use crate::identity::{Identity, IdentityNumber};
use crate::policy::model::{GroupId, Policy, TableId};
use crate::snapshot::Snapshot;

/// About how many bytes are kept at most.
const MAX_BYTES: usize = 64 * 1024;
/// For how many identities, if that suffices.
const MAX_IDENTITIES: usize = 256;
/// For how many identities, even if that takes more.
const MIN_IDENTITIES: usize = 8;

/// The standings of those identities that were seen last. Working memory of one thread; belongs to the snapshot that it was made to fit last.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    /// A power of two of places.
    places: Vec<Place>,
    /// How many words the groups of an identity take.
    words: usize,
    groups: Vec<u64>,
}

/// Whose standing it is, and what of it takes one bit.
#[derive(Clone, Copy, Debug)]
struct Place {
    owner: u64,
    of_default_issuer: bool,
}

impl Standings {
    /// Makes room for the groups of another snapshot, and forgets what was so under the one before; allocates only if it takes more than any before.
    pub(crate) fn fit(&mut self, snapshot: &Snapshot) {
        self.words = snapshot.policy.groups.len().div_ceil(64);
        let affordable = MAX_BYTES / (8 * self.words.max(1));
        let identities = affordable.clamp(MIN_IDENTITIES, MAX_IDENTITIES).next_power_of_two();
        self.places.clear();
        self.places.resize(identities, Place { owner: IdentityNumber::NOBODY.get(), of_default_issuer: false });
        self.groups.resize(identities * self.words, 0);
    }

    /// What the snapshot's policy makes of an identity. [`Self::fit`] comes before.
    #[inline]
    pub(crate) fn of(&mut self, identity: &Identity, snapshot: &Snapshot) -> Standing<'_> {
        let owner = identity.number.get();
        #[allow(clippy::cast_possible_truncation, reason = "the lowest bits are what is wanted")]
        let at = owner as usize & (self.places.len() - 1);
        if self.places[at].owner != owner {
            self.find_out(at, identity, snapshot);
        }
        let groups = &self.groups[at * self.words..][..self.words];
        Standing { groups, of_default_issuer: self.places[at].of_default_issuer }
    }

    #[cold]
    fn find_out(&mut self, at: usize, identity: &Identity, snapshot: &Snapshot) {
        let of_default_issuer = is_default_issuer(identity.issuer(), &snapshot.policy);
        self.places[at] = Place { owner: identity.number.get(), of_default_issuer };
        let groups = &mut self.groups[at * self.words..][..self.words];
        groups.fill(0);
        for name in identity.groups().names() {
            for id in snapshot.group_table.named(name, &snapshot.policy.groups) {
                groups[id.index() / 64] |= 1 << (id.index() % 64);
            }
        }
    }
}

/// Whether an issuer is the one that rules mean which name none.
pub(super) fn is_default_issuer(issuer: &str, policy: &Policy) -> bool {
    policy.default_issuer.is_some_and(|id| policy.issuers[id].trust.url == issuer)
}

/// What a policy makes of one identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    /// Which groups of the policy it has, but for families: a bit each.
    groups: &'a [u64],
    /// Whether its issuer is the one that rules mean which name none.
    pub(super) of_default_issuer: bool,
}

impl<'a> Standing<'a> {
    /// All of its groups, in order.
    pub(crate) fn groups(self) -> impl Iterator<Item = GroupId> + 'a {
        self.groups.iter().zip((0..).step_by(64)).flat_map(|(word, first)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(GroupId::from_index(first + bit))
            })
        })
    }

    /// Whether it has this group; never one of a family.
    pub(crate) fn has(self, group: GroupId) -> bool {
        self.groups.get(group.index() / 64).is_some_and(|word| word >> (group.index() % 64) & 1 == 1)
    }

    /// How many groups it has.
    pub(crate) fn count(self) -> usize {
        self.groups.iter().map(|word| word.count_ones() as usize).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Completeness, Groups};
    use crate::policy::captures::GroupValue;
    use crate::policy::model::Group;
    use crate::time::Timestamp;

    #[test]
    fn standings_are_those_of_the_identity_and_of_the_revision() {
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
        let identities: Vec<Identity> = (0..3 * MAX_IDENTITIES)
            .map(|n| {
                let held = names.iter().skip(n % 7).step_by(1 + n % 11).map(|name| name.as_str().into());
                Identity::assert("test", "https://id.example.com", "ada", Timestamp::from_unix_seconds(0))
                    .groups(Groups::new(held.collect(), Completeness::Complete))
                    .finish()
            })
            .collect();
        let mut standings = Standings::default();
        for snapshot in [&few, &many, &none, &few] {
            standings.fit(snapshot);
            for identity in identities.iter().chain(identities.iter().rev()) {
                let standing = standings.of(identity, snapshot);
                for (id, group) in snapshot.policy.groups.iter() {
                    let GroupValue::Literal(value) = &group.value else { unreachable!("all are") };
                    assert_eq!(standing.has(id), identity.groups().contains(value), "{value} of {identity:?}");
                }
                let one_by_one: Vec<_> =
                    snapshot.policy.groups.iter().map(|(id, _)| id).filter(|id| standing.has(*id)).collect();
                assert_eq!(standing.groups().collect::<Vec<_>>(), one_by_one);
                assert_eq!(standing.count(), one_by_one.len());
            }
        }
    }
}
