//! Counts of what was decided: written by the thread that decides, added up when somebody asks.
//!
//! Each context has a [`Tally`] of its own that only its thread writes, so that counting needs no lock and shares no cache line.

use crate::answer::{Answer, Outcome};
use luigi_core::decide::Reason;
use luigi_core::target::Ambiguity;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Requests that were refused because the embedder could not hand the answer on; they are in the counts of no reason.
    pub undelivered: u64,
    /// Requests that passed only because the policy is observed: enforcing would have refused them.
    pub would_be_refused: u64,
    /// Requests whose decision is `ambiguous-target`, by the class of the target; every class is there.
    pub ambiguous_targets: BTreeMap<&'static str, AmbiguousTargets>,
    /// Failures of Luigi itself: panics, and what embedders report with [`Engine::count_failure`](crate::Engine::count_failure).
    pub failures: u64,
}

/// What became of the ambiguous targets of one class that no host accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AmbiguousTargets {
    /// How many were refused.
    pub refused: u64,
    /// How many passed only because the policy is observed.
    pub would_be_refused: u64,
}

const REASONS: usize = Reason::ALL.len();
const CLASSES: usize = Ambiguity::ALL.len();

/// The counts of one context.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    decisions: [AtomicU64; REASONS],
    candidates: [AtomicU64; REASONS],
    passed: AtomicU64,
    refused: AtomicU64,
    undelivered: AtomicU64,
    would_be_refused: AtomicU64,
    /// By class: refused, would be refused.
    ambiguous_targets: [[AtomicU64; 2]; CLASSES],
    failures: AtomicU64,
}

impl Tally {
    /// Counts an answer. Only the thread that owns the context may call it.
    pub(crate) fn count(&self, answer: &Answer<'_>) {
        let (decision, candidate) = (answer.decision(), answer.candidate());
        add(&self.decisions[decision.reason as usize], 1);
        add(&self.candidates[candidate.reason as usize], 1);
        match answer.outcome() {
            Outcome::Pass => {
                add(&self.passed, 1);
                if !decision.allows() {
                    add(&self.would_be_refused, 1);
                }
            }
            Outcome::Refuse => add(&self.refused, 1),
        }
        if let (Reason::AmbiguousTarget, Some(class)) = (decision.reason, answer.target().and_then(|it| it.ambiguity()))
        {
            let [refused, would_be_refused] = &self.ambiguous_targets[class as usize];
            match answer.outcome() {
                Outcome::Refuse => add(refused, 1),
                Outcome::Pass => add(would_be_refused, 1),
            }
        }
        if decision.reason == Reason::InternalError {
            add(&self.failures, 1);
        }
    }

    /// Counts a request that was refused because its answer could not be handed on. Only the thread that owns the context may call it.
    #[cold]
    pub(crate) fn count_undelivered(&self) {
        add(&self.refused, 1);
        add(&self.undelivered, 1);
    }

    fn add_to(&self, sum: &mut Counters) {
        let counts = |into: &mut BTreeMap<&'static str, u64>, from: &[AtomicU64; REASONS]| {
            for (reason, count) in Reason::ALL.iter().zip(from) {
                *into.entry(reason.as_str()).or_insert(0) += count.load(Ordering::Relaxed);
            }
        };
        counts(&mut sum.decisions, &self.decisions);
        counts(&mut sum.candidates, &self.candidates);
        sum.passed += self.passed.load(Ordering::Relaxed);
        sum.refused += self.refused.load(Ordering::Relaxed);
        sum.undelivered += self.undelivered.load(Ordering::Relaxed);
        sum.would_be_refused += self.would_be_refused.load(Ordering::Relaxed);
        for (class, [refused, would_be_refused]) in Ambiguity::ALL.iter().zip(&self.ambiguous_targets) {
            let of_class = sum.ambiguous_targets.entry(class.as_str()).or_default();
            of_class.refused += refused.load(Ordering::Relaxed);
            of_class.would_be_refused += would_be_refused.load(Ordering::Relaxed);
        }
        sum.failures += self.failures.load(Ordering::Relaxed);
    }

    fn absorb(&self, other: &Self) {
        let pairs = self.decisions.iter().zip(&other.decisions).chain(self.candidates.iter().zip(&other.candidates));
        let pairs = pairs.chain([
            (&self.passed, &other.passed),
            (&self.refused, &other.refused),
            (&self.undelivered, &other.undelivered),
            (&self.would_be_refused, &other.would_be_refused),
            (&self.failures, &other.failures),
        ]);
        let classes = self.ambiguous_targets.iter().flatten().zip(other.ambiguous_targets.iter().flatten());
        for (into, from) in pairs.chain(classes) {
            into.fetch_add(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// The tallies of all contexts.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    held: Mutex<Vec<Arc<Tally>>>,
    /// What contexts counted that are gone.
    departed: Tally,
    reported_failures: AtomicU64,
}

impl Tallies {
    pub(crate) fn join(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&tally));
        tally
    }

    pub(crate) fn leave(&self, tally: &Arc<Tally>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|other| !Arc::ptr_eq(other, tally));
        self.departed.absorb(tally);
    }

    pub(crate) fn count_failure(&self) {
        self.reported_failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> Counters {
        let mut sum = Counters::default();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.departed.add_to(&mut sum);
        for tally in held.iter() {
            tally.add_to(&mut sum);
        }
        sum.failures += self.reported_failures.load(Ordering::Relaxed);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_classes_count_in_their_own_place() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
        for (at, class) in Ambiguity::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
    }
}
