//! Counts of what was decided: written by the thread that decides, added up when somebody asks.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counts since the engine was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counters {
    /// Evaluations by the decision's reason; every reason is there.
    pub decisions: BTreeMap<&'static str, u64>,
    /// Evaluations by the candidate decision's reason; every reason is there.
    pub candidates: BTreeMap<&'static str, u64>,
    /// Requests that passed.
    pub passed: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that passed only because the policy is observed: enforcing would have refused them.
    pub would_be_refused: u64,
    /// Failures of Luigi itself: panics, and what embedders report with [`Engine::count_failure`](crate::Engine::count_failure).
    pub failures: u64,
}
