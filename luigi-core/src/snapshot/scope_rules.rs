//! Which rules there are about a scope, sorted by what has to be asked of them.

use super::group_rules::GroupRules;
use crate::policy::model::{Conditions, Effect, GroupId, Mode, Rule, RuleId, Subject, SubjectMatcher};
use smallvec::SmallVec;

/// The rules about one scope. In each list they are in order of their ids.
// PERF: nearly all scopes have a rule or two that let a group in, so that nothing else than this has to be read: it fits into one line of the cache.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct ScopeRules {
    /// Of the allow rules those that let in whoever of the default issuer has one certain group, ask for nothing else and are in force.
    pub(crate) by_group: GroupRules,
    /// The allow rules that are not like that and take no captures.
    pub(crate) allow_by_more: SmallVec<[RuleId; 2]>,
    more: Option<Box<More>>,
}

const _: () = assert!(size_of::<ScopeRules>() == 64);

/// What most scopes do not have.
#[derive(Debug, Default)]
struct More {
    /// Those that take no captures. Of the allow rules those by group that say nothing which an earlier one for the same group does not.
    plain: RulesByEffect,
    /// Those that take captures: they are evaluated once for each pattern that holds a request.
    capturing: RulesByEffect,
}

/// Rules in order of their ids, by effect.
#[derive(Debug, Default)]
pub(crate) struct RulesByEffect {
    deny: Vec<RuleId>,
    restrict: Vec<RuleId>,
    allow: Vec<RuleId>,
}

impl RulesByEffect {
    /// Adds a rule; those before have smaller ids.
    pub(super) fn add(&mut self, id: RuleId, effect: Effect) {
        let rules = match effect {
            Effect::Deny => &mut self.deny,
            Effect::Restrict => &mut self.restrict,
            Effect::Allow => &mut self.allow,
        };
        rules.push(id);
    }

    /// The rules of this effect.
    pub(crate) fn with(&self, effect: Effect) -> &[RuleId] {
        match effect {
            Effect::Deny => &self.deny,
            Effect::Restrict => &self.restrict,
            Effect::Allow => &self.allow,
        }
    }
}

impl ScopeRules {
    /// Adds a rule that takes no captures; those before have smaller ids.
    pub(super) fn add(&mut self, id: RuleId, rule: &Rule) {
        if rule.effect == Effect::Allow {
            match only_group(rule) {
                None => return self.allow_by_more.push(id),
                Some(group) if self.by_group.add(group, id) => return,
                Some(_) => {}
            }
        }
        self.more.get_or_insert_default().plain.add(id, rule.effect);
    }

    /// Adds a rule that takes captures; those before have smaller ids.
    pub(super) fn add_capturing(&mut self, id: RuleId, effect: Effect) {
        self.more.get_or_insert_default().capturing.add(id, effect);
    }

    /// Whether all allow rules are among those by group.
    #[inline]
    pub(crate) fn allow_by_group_only(&self) -> bool {
        self.allow_by_more.is_empty() && self.capturing(Effect::Allow).is_empty()
    }

    /// Whether all allow rules are among those by group, and none takes captures.
    pub(super) fn are_by_group(&self) -> bool {
        self.allow_by_more.is_empty() && !self.take_captures()
    }

    /// Whether there are rules that take captures.
    pub(super) fn take_captures(&self) -> bool {
        [Effect::Deny, Effect::Restrict, Effect::Allow].iter().any(|effect| !self.capturing(*effect).is_empty())
    }

    /// The rules that take captures.
    #[inline]
    pub(crate) fn capturing(&self, effect: Effect) -> &[RuleId] {
        self.more.as_ref().map_or(&[], |more| more.capturing.with(effect))
    }

    /// The rules that deny or restrict and take no captures.
    pub(crate) fn against(&self, effect: Effect) -> &[RuleId] {
        debug_assert!(effect != Effect::Allow, "these are in several lists");
        self.more.as_ref().map_or(&[], |more| more.plain.with(effect))
    }

    /// The allow rules that take no captures, in whatever order.
    pub(crate) fn allowing(&self) -> impl Iterator<Item = RuleId> {
        let outdone = self.more.as_ref().map_or(&[][..], |more| more.plain.with(Effect::Allow));
        let by_group = self.by_group.iter().map(|(_, rule)| rule);
        by_group.chain(self.allow_by_more.iter().copied()).chain(outdone.iter().copied())
    }
}

/// The group that is all that an allow rule in force asks for, under the default issuer. Families are captures, which such rules do not take.
fn only_group(rule: &Rule) -> Option<GroupId> {
    let Rule { name: _, owner: _, effect: _, mode, scopes: _, methods, when, unless, starts, ends, require } = rule;
    let Conditions { subject, via, from, during, facts, captures } = when;
    let Some(Subject::AnyOf(matchers)) = subject else { return None };
    let [SubjectMatcher { groups, .. }] = &matchers[..] else { return None };
    let [group] = groups[..] else { return None };
    let only = SubjectMatcher { groups: vec![group], ..SubjectMatcher::default() };
    let nothing_else = matchers[0] == only
        && *mode == Mode::Enforce
        && methods.is_none()
        && via.is_none()
        && from.is_empty()
        && during.is_empty()
        && facts.is_empty()
        && captures.is_empty()
        && unless.is_empty()
        && starts.is_none()
        && ends.is_none()
        && require.is_empty();
    nothing_else.then_some(group)
}
