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
use std::time::{Duration, Instant};

/// The note of the ledger: the first entry that may be about a request without an answer.
pub(super) const SETTLED: &str = "responses-settled-before";

/// How many requests are waited for at a time. Beyond that the oldest are given up early; a response that comes later is on record all the same.
const MOST: usize = 250_000;

/// Requests that are waited for.
#[derive(Debug)]
pub(super) struct Responses {
    longest: Duration,
    waiting: HashMap<[u8; 16], Waiting>,
    /// In the order of the ledger; those that were answered meanwhile are still here.
    order: VecDeque<[u8; 16]>,
}

/// A request that is waited for.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    decided_ms: i64,
    /// By a clock that nobody sets: one that goes back must not make it wait longer, nor one that goes forward shorter.
    given_up_at: Instant,
    /// The entry at or behind which its decision stands.
    sequence: u64,
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) time: Timestamp,
    pub(super) steady: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { time: Timestamp::now(), steady: Instant::now() }
    }
}

impl Responses {
    /// What the ledger leaves open.
    pub(super) fn load(reader: &Reader, settled: Option<&str>, longest: Duration) -> Result<Self, LedgerError> {
        let mut responses = Self { longest, waiting: HashMap::new(), order: VecDeque::new() };
        let now = Moment::now();
        let after = settled.and_then(|text| text.parse::<u64>().ok()).unwrap_or(1).saturating_sub(1);
        reader.scan(after, &Filter::default(), |entry| {
            match &entry.event {
                Event::Decision(decision) if decision.privileged && decision.outcome == Outcome::Pass => {
                    if let Some(id) = EvaluationId::parse(decision.evaluation.as_bytes()) {
                        responses.expect(id.to_bytes(), entry.time.as_millisecond(), entry.sequence, now);
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

    /// A request passed whose decision will stand at or behind this entry. How long it has waited already the clock says, as far as it can be believed: one that was decided in the future
    /// waits from now on.
    pub(super) fn expect(&mut self, id: [u8; 16], decided_ms: i64, sequence: u64, now: Moment) {
        let age_ms = now.time.as_millisecond().saturating_sub(decided_ms);
        let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
        let given_up_at = now.steady + self.longest.saturating_sub(age);
        if self.waiting.insert(id, Waiting { decided_ms, given_up_at, sequence }).is_none() {
            self.order.push_back(id);
        }
    }

    /// It was answered: when it was decided, if it was waited for.
    pub(super) fn answered(&mut self, id: [u8; 16]) -> Option<i64> {
        self.waiting.remove(&id).map(|waiting| waiting.decided_ms)
    }

    /// Entries about those that are not waited for any longer, of everything that was in the spool at `now`.
    pub(super) fn give_up(&mut self, now: Moment) -> Vec<NewEntry> {
        let mut given_up = Vec::new();
        // In the order of the ledger, which is nearly that of time: one that is early waits for those before it.
        while let Some(id) = self.order.front().copied() {
            match self.waiting.get(&id) {
                Some(waiting) if waiting.given_up_at > now.steady && self.waiting.len() <= MOST => break,
                Some(_) => {
                    self.waiting.remove(&id);
                    given_up.push(convert::no_response(id, now.time));
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
                Some(waiting) => return waiting.sequence.min(next),
                None => self.order.pop_front(),
            };
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(longest_seconds: u64) -> Responses {
        let longest = Duration::from_secs(longest_seconds);
        Responses { longest, waiting: HashMap::new(), order: VecDeque::new() }
    }

    /// A moment so many seconds after the first, if nobody set the clock.
    fn at(first: Instant, seconds: u64) -> Moment {
        let time = Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
        Moment { time, steady: first + Duration::from_secs(seconds) }
    }

    #[test]
    fn what_is_answered_is_not_given_up() {
        let (mut responses, first) = (none(60), Instant::now());
        for n in 0..3 {
            responses.expect([n; 16], i64::from(n) * 1000, 10 + u64::from(n), at(first, 2));
        }
        assert_eq!(responses.settled_before(20), 10);
        assert_eq!((responses.answered([0; 16]), responses.answered([0; 16])), (Some(0), None));
        assert_eq!(responses.settled_before(20), 11);
        assert!(responses.give_up(at(first, 60)).is_empty());
        let given_up = responses.give_up(at(first, 61));
        assert_eq!(given_up, [convert::no_response([1; 16], at(first, 61).time)]);
        assert_eq!((responses.len(), responses.settled_before(20)), (1, 12));
        assert_eq!(responses.give_up(at(first, 1000)).len(), 1);
        assert_eq!((responses.len(), responses.settled_before(20)), (0, 20));
    }

    #[test]
    fn a_clock_that_is_set_changes_nothing_about_how_long_is_waited() {
        let (mut responses, first) = (none(60), Instant::now());
        responses.expect([1; 16], 5_000_000, 1, at(first, 5000));
        let set = |seconds, second| Moment { time: Timestamp::from_second(second).unwrap(), ..at(first, seconds) };
        // An hour forward.
        assert!(responses.give_up(set(5001, 8600)).is_empty());
        // An hour back; what is decided then waits as long as any other, and so does what a clock that is ahead decided.
        responses.expect([2; 16], 1_400_000, 2, set(5002, 1400));
        responses.expect([3; 16], 9_000_000, 3, set(5002, 1400));
        assert_eq!(responses.give_up(set(5060, 1458)).len(), 1);
        assert!(responses.give_up(set(5061, 1459)).is_empty());
        assert_eq!(responses.give_up(set(5062, 1460)).len(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut responses, first) = (none(60), Instant::now());
        let id = |n: usize| u128::try_from(n).unwrap().to_be_bytes();
        (0..MOST + 2).for_each(|n| responses.expect(id(n), 0, 1, at(first, 0)));
        assert_eq!(responses.give_up(at(first, 1)).len(), 2);
        assert_eq!(responses.len(), MOST);
    }
}
