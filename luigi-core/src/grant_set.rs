//! Grants: time-limited permissions that an approval opened, looked up by person.
//!
//! Part of a decision's input. What issues them lives in the control plane; here they are only held and matched.

use crate::policy::model::ContentHash;
use crate::time::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Access to one scope for one person, under one approval, for a limited time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Grant {
    /// Unique; what the ledger calls it.
    pub id: String,
    /// The issuer of the person, as in `iss`.
    pub issuer: String,
    /// The person's subject.
    pub subject: String,
    /// Who acted on the person's behalf when asking: (issuer, subject); the same must act now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<(String, String)>,
    /// The name of the scope.
    pub scope: String,
    /// The scope's content as it was when access was asked for.
    pub scope_hash: ContentHash,
    /// The name of the approval.
    pub approval: String,
    /// The approval's content as it was when access was asked for.
    pub approval_hash: ContentHash,
    /// If narrowed: the one canonical path it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// If narrowed: the networks it may be used from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<IpNet>,
    /// The values of the captures that the approval is per, decoded: it counts for these alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// The first moment it counts.
    pub from: Timestamp,
    /// The first moment it no longer counts.
    pub until: Timestamp,
}

/// An immutable set of grants.
#[derive(Clone, Debug, Default)]
pub struct GrantSet {
    /// Sorted by (issuer, subject).
    grants: Vec<Grant>,
    by_person: HashMap<Box<str>, Vec<(usize, usize)>>,
}

impl GrantSet {
    /// A set of these grants, whatever their order.
    #[must_use]
    pub fn new(mut grants: Vec<Grant>) -> Self {
        grants.sort_by(|a, b| (&a.issuer, &a.subject, &a.id).cmp(&(&b.issuer, &b.subject, &b.id)));
        let mut by_person: HashMap<Box<str>, Vec<(usize, usize)>> = HashMap::new();
        let mut start = 0;
        for run in grants.chunk_by(|a, b| a.issuer == b.issuer && a.subject == b.subject) {
            by_person.entry(run[0].subject.as_str().into()).or_default().push((start, start + run.len()));
            start += run.len();
        }
        Self { grants, by_person }
    }

    /// The grants of one person. Allocates nothing.
    #[must_use]
    #[inline]
    pub fn of(&self, issuer: &str, subject: &str) -> &[Grant] {
        if self.grants.is_empty() { &[] } else { self.run_of(issuer, subject) }
    }

    fn run_of(&self, issuer: &str, subject: &str) -> &[Grant] {
        let runs = self.by_person.get(subject).map_or(&[][..], Vec::as_slice);
        let run = runs.iter().find(|(start, _)| self.grants[*start].issuer == issuer);
        run.map_or(&[], |(start, end)| &self.grants[*start..*end])
    }

    /// How many grants there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }
}
