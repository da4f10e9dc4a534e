//! Privileged requests that passed and were not answered yet, as far as the ledger knows.
//!
//! INVARIANT (settled): every privileged decision that passed and stands before the note [`SETTLED`] of the ledger has an entry about its response. The note goes with the
//! entries that it speaks of in one transaction and never says too much, so after a crash nothing is asked twice and nothing is forgotten.

use super::convert;
use crate::ledger::{Event, Filter, LedgerError, NewEntry, Reader, Reply, Response};
use jiff::Timestamp;
use luigi_runtime::{EvaluationId, Outcome};
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

/// The note of the ledger: the first entry that may be about a request without an answer.
pub(super) const SETTLED: &str = "responses-settled-before";

/// How many requests are waited for at a time. Beyond that the oldest are given up early; a response that comes later is on record all the same.
const MOST: usize = 250_000;

/// Requests that are waited for.
#[derive(Debug)]
pub(super) struct Responses {
    longest_ms: i64,
    /// When each was decided, and the entry at or behind which its decision stands.
    waiting: HashMap<[u8; 16], (i64, u64)>,
    /// In the order of the ledger; those that were answered meanwhile are still here.
    order: VecDeque<[u8; 16]>,
}

impl Responses {
    /// What the ledger leaves open.
    pub(super) fn load(reader: &Reader, settled: Option<&str>, longest: Duration) -> Result<Self, LedgerError> {
        let longest_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let mut responses = Self { longest_ms, waiting: HashMap::new(), order: VecDeque::new() };
        let now = Timestamp::now().as_millisecond();
        let after = settled.and_then(|text| text.parse::<u64>().ok()).unwrap_or(1).saturating_sub(1);
        reader.scan(after, &Filter::default(), |entry| {
            match &entry.event {
                Event::Decision(decision) if decision.privileged && decision.outcome == Outcome::Pass => {
                    if let Some(id) = EvaluationId::parse(decision.evaluation.as_bytes()) {
                        responses.expect(id.to_bytes(), entry.time.as_millisecond().min(now), entry.sequence);
                    }
                }
                Event::Response(Response { evaluation, reply: Reply::Received { .. } | Reply::NoResponse }) => {
                    if let Some(id) = EvaluationId::parse(evaluation.as_bytes()) {
                        responses.waiting.remove(&id.to_bytes());
                    }
                }
                _ => {}
            }
            Ok::<_, LedgerError>(ControlFlow::Continue(()))
        })?;
        Ok(responses)
    }

    /// A request passed whose decision will stand at or behind this entry. A time that is ahead would hold up all others: give one that is not.
    pub(super) fn expect(&mut self, id: [u8; 16], decided_ms: i64, sequence: u64) {
        if self.waiting.insert(id, (decided_ms, sequence)).is_none() {
            self.order.push_back(id);
        }
    }

    /// It was answered: when it was decided, if it was waited for.
    pub(super) fn answered(&mut self, id: [u8; 16]) -> Option<i64> {
        self.waiting.remove(&id).map(|(decided, _)| decided)
    }

    /// Entries about those that are not waited for any longer, of everything that was in the spool at `now`.
    pub(super) fn give_up(&mut self, now: Timestamp) -> Vec<NewEntry> {
        let end = now.as_millisecond().saturating_sub(self.longest_ms);
        let mut given_up = Vec::new();
        // In the order of the ledger, which is nearly that of time: one that is early waits for those before it.
        while let Some(id) = self.order.front().copied() {
            match self.waiting.get(&id) {
                Some((decided, _)) if *decided > end && self.waiting.len() <= MOST => break,
                Some(_) => {
                    self.waiting.remove(&id);
                    given_up.push(convert::no_response(id, now));
                }
                None => {}
            }
            self.order.pop_front();
        }
        given_up
    }

    /// How many are waited for.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first entry that may be about a request without an answer, if the next one appended is `next`.
    pub(super) fn settled_before(&mut self, next: u64) -> u64 {
        while let Some(id) = self.order.front() {
            match self.waiting.get(id) {
                Some((_, sequence)) => return (*sequence).min(next),
                None => self.order.pop_front(),
            };
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(longest_seconds: i64) -> Responses {
        Responses { longest_ms: longest_seconds * 1000, waiting: HashMap::new(), order: VecDeque::new() }
    }

    #[test]
    fn what_is_answered_is_not_given_up() {
        let mut responses = none(60);
        for n in 0..3 {
            responses.expect([n; 16], i64::from(n) * 1000, 10 + u64::from(n));
        }
        assert_eq!(responses.settled_before(20), 10);
        assert_eq!((responses.answered([0; 16]), responses.answered([0; 16])), (Some(0), None));
        assert_eq!(responses.settled_before(20), 11);
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(responses.give_up(at(60)).is_empty());
        let given_up = responses.give_up(at(61));
        assert_eq!(given_up, [convert::no_response([1; 16], at(61))]);
        assert_eq!((responses.len(), responses.settled_before(20)), (1, 12));
        assert_eq!(responses.give_up(at(1000)).len(), 1);
        assert_eq!((responses.len(), responses.settled_before(20)), (0, 20));
    }

    #[test]
    fn memory_is_bounded() {
        let mut responses = none(60);
        let id = |n: usize| u128::try_from(n).unwrap().to_be_bytes();
        (0..MOST + 2).for_each(|n| responses.expect(id(n), 0, 1));
        assert_eq!(responses.give_up(Timestamp::from_second(1).unwrap()).len(), 2);
        assert_eq!(responses.len(), MOST);
    }
}
