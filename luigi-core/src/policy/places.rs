//! Where the rows of a policy stand in its text, and which findings about them are accepted: what lints point at.
//!
//! Kept beside the [model](super::model), not in it: a place is no part of what a policy means.

use super::diagnostics::Lint;
use super::model::{ApprovalId, GroupId, HostId, IssuerId, LoginId, NetworkId, RuleId, ScheduleId, ScopeId, Table};
use super::source::{SourceSet, Span};

/// The places of every row of a policy, in the order of the tables.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub(crate) issuers: Table<IssuerId, Place>,
    pub(crate) groups: Table<GroupId, Place>,
    pub(crate) networks: Table<NetworkId, Place>,
    pub(crate) schedules: Table<ScheduleId, Place>,
    pub(crate) logins: Table<LoginId, Place>,
    pub(crate) hosts: Table<HostId, Place>,
    pub(crate) scopes: Table<ScopeId, Place>,
    pub(crate) approvals: Table<ApprovalId, Place>,
    pub(crate) rules: Table<RuleId, Place>,
}

/// Where one row stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: Span,
    /// Its keys and their values.
    keys: Box<[(Span, Span)]>,
    /// Whether something names it, tests aside.
    pub(crate) is_named: bool,
    /// What is accepted about it.
    pub(crate) accepts: Vec<Acceptance>,
}

/// A finding that is all right.
#[derive(Clone, Debug)]
pub(crate) struct Acceptance {
    pub(crate) lint: Lint,
    /// The place of the lint's code.
    pub(crate) span: Span,
    /// Why.
    pub(crate) reason: String,
}

impl Place {
    pub(super) fn new(name: Span, keys: Vec<(Span, Span)>, accepts: Vec<Acceptance>) -> Self {
        Self { name, keys: keys.into(), is_named: false, accepts }
    }

    /// The same place, of something that is named or is not.
    pub(super) fn named(&self, is_named: bool) -> Self {
        Self { is_named, ..self.clone() }
    }

    /// The place of a key's value, or of the name if the key is not there.
    pub(crate) fn value(&self, key: &str, sources: &SourceSet) -> Span {
        let found = self.keys.iter().find(|(span, _)| sources.slice(*span).trim_matches(['"', '\'']) == key);
        found.map_or(self.name, |(_, value)| *value)
    }
}
