//! The compiled, immutable policy: the [model](crate::policy::model) and what decisions need beside it.
//!
//! * [`Snapshot`] is made by [`Snapshot::compile`], or read back by a [`Loader`] in slices; both build it through the same
//!   `Builder`, one row at a time.
//! * `index` finds the scopes that hold a request in time that follows the length of the request, not the size of the policy.
//! * `format` is the serialised form; `retire` frees a snapshot in slices.
//!
//! Decisions are made in [`crate::decide`]. The index and the serialised form stand behind narrow doors (`Index::visit`,
//! [`Snapshot::encode`], [`Loader`]) so that either can be replaced.

mod build;
mod crowd;
mod format;
mod group_rules;
mod group_table;
mod hosts;
mod index;
mod retire;
mod scope_rules;
mod scope_traits;
mod text_table;

pub use build::CompileError;
pub use format::{LoadError, Loader, Progress};
pub use retire::Retired;

use crate::matchers::{LocalHours, METHOD_OVERRIDE_HEADERS, NetworkSet, PREFLIGHT_HEADERS, TrustedProxies};
use crate::policy::model::{FactId, FactKey, NetworkId, Policy, ScheduleId, ScopeId, Table};
pub(crate) use crowd::Crowd;
pub(crate) use group_rules::GroupRules;
use group_table::GroupTable;
use hosts::HostTable;
pub(crate) use hosts::{HostTraits, fold_into};
pub(crate) use index::{CrowdId, Held, Index};
pub(crate) use scope_rules::{RulesByEffect, ScopeRules};
pub(crate) use scope_traits::ScopeTraits;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// How deeply `except` may nest. Bounds the recursion of decisions.
pub const MAX_EXCEPT_DEPTH: usize = 16;
/// How many segments a path template may have. Bounds the recursion of the index.
pub const MAX_TEMPLATE_SEGMENTS: usize = 64;
/// How many pairs of a host and an operation one scope may have. Bounds what is done between two slices of loading.
pub const MAX_SCOPE_OPERATIONS: usize = 65_536;
/// How many such pairs all scopes may have together. Bounds the memory of the index.
pub const MAX_POLICY_OPERATIONS: usize = 1 << 20;
/// How many scopes all rules may name together, those of tags counted one by one. Each scope lists its rules and each rule its scopes.
pub const MAX_RULE_SCOPES: usize = 1 << 22;

/// A compiled policy. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Snapshot {
    pub(crate) policy: Policy,
    pub(crate) index: Index,
    /// The index for hosts that ignore case, if the policy has some.
    pub(crate) folded_index: Option<Index>,
    pub(crate) hosts: HostTable,
    pub(crate) group_table: GroupTable,
    pub(crate) headers: HeaderFacts,
    /// The frontend of a request, if some scope names frontends.
    pub(crate) frontend: Option<FactId>,
    /// The rules of each scope.
    pub(crate) scope_rules: Table<ScopeId, ScopeRules>,
    pub(crate) scope_traits: Table<ScopeId, ScopeTraits>,
    /// The deny and restrict rules about every request.
    pub(crate) rules_for_all: RulesByEffect,
    /// What these rules are like.
    pub(crate) traits_for_all: ScopeTraits,
    /// How many patterns there are in scopes of which it matters which pattern holds a request: no more are found at once.
    pub(crate) patterns: usize,
    pub(crate) networks: Table<NetworkId, NetworkSet>,
    pub(crate) proxies: TrustedProxies,
    pub(crate) hours: Table<ScheduleId, LocalHours>,
    revision: Revision,
    pub(crate) number: SnapshotNumber,
}

/// Tells a snapshot from every other one of the process.
// PERF: compared in every decision, where a revision has 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotNumber(u64);

impl SnapshotNumber {
    /// A number that no snapshot had before.
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where the headers are that the language itself asks for; `None` if the policy has no use for them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeaderFacts {
    /// Who asks and for which method, if some scope lets preflights pass.
    pub(crate) preflight: Option<[FactId; 2]>,
    pub(crate) method_overrides: [Option<FactId>; 3],
}

impl HeaderFacts {
    fn of(policy: &Policy) -> Self {
        let place = |name: &str| {
            let mut facts = policy.facts.iter();
            facts.find(|(_, fact)| fact.key() == FactKey::Header(name)).map(|(id, _)| id)
        };
        let [origin, method] = PREFLIGHT_HEADERS.map(place);
        let wanted = policy.scopes.iter().any(|(_, scope)| scope.preflight);
        Self {
            preflight: origin.zip(method).filter(|_| wanted).map(|(origin, method)| [origin, method]),
            method_overrides: METHOD_OVERRIDE_HEADERS.map(place),
        }
    }
}

impl Snapshot {
    /// Compiles a policy.
    ///
    /// # Errors
    /// If the policy exceeds a limit of this module; the error names the scope. A policy that came from the parser has no
    /// other reason to fail; one that was put together by other means may also refer to what is not there.
    pub fn compile(policy: Policy) -> Result<Self, CompileError> {
        build::compile(policy)
    }

    /// The policy that was compiled.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What identifies the policy's content.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The serialised form: the same bytes for the same policy on every machine; their SHA-256 is the revision.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        format::encode(&self.policy)
    }

    /// Takes the snapshot apart, to be freed in slices.
    #[must_use]
    pub fn retire(self) -> Retired {
        Retired::new(self)
    }
}

/// SHA-256 of a serialised snapshot. Displayed as 64 hexadecimal digits, or as the first `n` with `{:.n}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(crate::policy::model::ContentHash);

impl Revision {
    /// The revision of these bytes.
    #[must_use]
    pub fn of(encoded: &[u8]) -> Self {
        Self::from_digest(ring::digest::digest(&ring::digest::SHA256, encoded))
    }

    pub(crate) fn from_digest(digest: ring::digest::Digest) -> Self {
        let bytes = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        Self(crate::policy::model::ContentHash(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(64).min(64);
        for at in 0..digits {
            let byte = self.0.0[at / 2];
            let nibble = if at % 2 == 0 { byte >> 4 } else { byte & 0xf };
            write!(f, "{nibble:x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({self:.12})")
    }
}

#[cfg(test)]
mod tests;
