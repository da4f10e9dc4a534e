//! Many scopes of one node, taken as one.
//!
//! Where several scopes have the same path, nearly all of them are alike: they have allow rules that ask for one group each, and nothing more is to be
//! said about any of them. Whoever looks for the first rule that lets somebody in need not go through them one by one.
//!
//! What a crowd answers is what its scopes would answer together; which of them holds is asked only for the rule that determines.

use super::GroupRules;
use crate::policy::model::{GroupId, RuleId, Scope, ScopeId, Upgrade};

/// Scopes with the same patterns, methods and traits.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// In order.
    scopes: Vec<ScopeId>,
    /// The allow rules of all of them.
    pub(crate) by_group: GroupRules,
    /// What the strictest of them says.
    pub(crate) upgrade: Upgrade,
}

impl Crowd {
    /// Whether it has this scope.
    pub(crate) fn has(&self, scope: ScopeId) -> bool {
        self.scopes.binary_search(&scope).is_ok()
    }

    /// In order.
    pub(crate) fn scopes(&self) -> &[ScopeId] {
        &self.scopes
    }
}

/// What of a scope matters to a crowd, if it may be in one.
pub(super) struct Member<'a> {
    pub(super) rules: &'a GroupRules,
    pub(super) upgrade: Upgrade,
}

impl<'a> Member<'a> {
    /// `rules` are those of the scope, if all of them are in it; whether other scopes leave it out, or it has rules that deny, has been looked at.
    pub(super) fn of(scope: &Scope, rules: &'a GroupRules) -> Option<Self> {
        (!scope.preflight).then_some(Self { rules, upgrade: scope.upgrade })
    }
}

/// A crowd in the making.
#[derive(Debug)]
pub(super) struct Gathering {
    scopes: Vec<ScopeId>,
    rules: Vec<(GroupId, RuleId)>,
    upgrade: Upgrade,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { scopes: Vec::new(), rules: Vec::new(), upgrade: Upgrade::Allow }
    }
}

impl Gathering {
    pub(super) fn add(&mut self, scope: ScopeId, member: &Member<'_>) {
        self.scopes.push(scope);
        self.rules.extend(member.rules.iter());
        self.upgrade = self.upgrade.min(member.upgrade);
    }

    pub(super) fn finish(mut self) -> Crowd {
        self.scopes.sort_unstable();
        Crowd { scopes: self.scopes, by_group: GroupRules::of_rules(self.rules), upgrade: self.upgrade }
    }
}
