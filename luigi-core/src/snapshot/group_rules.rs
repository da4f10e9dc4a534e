//! The allow rules of one scope that ask for one group and for nothing else, by group: nearly all rules of most policies are like that.
//!
//! Which group somebody has is not known here; see [`crate::matchers`].

use crate::policy::model::{GroupId, RuleId};
use smallvec::SmallVec;

/// Of the rules for one group the first, since the others never say anything else. In order of groups.
#[derive(Debug, Default)]
pub(crate) struct GroupRules(SmallVec<[(GroupId, RuleId); 2]>);

impl GroupRules {
    /// Adds a rule, unless one before is for the same group; those before have smaller ids.
    pub(super) fn add(&mut self, group: GroupId, rule: RuleId) -> bool {
        let place = self.0.binary_search_by_key(&group, |(group, _)| *group);
        if let Err(at) = place {
            self.0.insert(at, (group, rule));
        }
        place.is_err()
    }

    /// Those of these rules, in whatever order they are.
    pub(super) fn of_rules(mut rules: Vec<(GroupId, RuleId)>) -> Self {
        rules.sort_unstable();
        rules.dedup_by_key(|(group, _)| *group);
        Self(rules.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (GroupId, RuleId)> {
        self.0.iter().copied()
    }

    /// The rule that lets this group in.
    pub(crate) fn of(&self, group: GroupId) -> Option<RuleId> {
        self.0.binary_search_by_key(&group, |(group, _)| *group).ok().map(|at| self.0[at].1)
    }
}
