//! Policies and requests made from arbitrary bytes, for property tests, fuzzing and benchmarks. Behind the feature `generators`.
//!
//! [`Choices`] turns bytes into decisions, so that whatever shrinks or mutates bytes (proptest, libFuzzer, a seeded
//! generator of random numbers) works on policies. The alphabets are small on purpose: rules, requests and grants that have nothing in
//! common meet in no decision. What is made keeps the invariants of the [model](crate::policy::model), nothing more: a
//! linter would object to most of it.

mod crowds;
mod facts;
mod policies;
mod scenarios;
pub mod spelling;

pub use policies::policy;
pub use scenarios::Scenario;

/// A source of choices: one byte each, zero when the bytes are used up. Zero is always the simplest choice.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    /// Choices made by these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A number below `n`, which is at most 256.
    fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % n
    }

    /// A number from `low` to `high`.
    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// Something that happens `percent` times of a hundred; never when the bytes are used up.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    fn pick<'b, T>(&mut self, from: &'b [T]) -> &'b T {
        &from[self.below(from.len())]
    }

    fn text(&mut self, from: &[&str]) -> String {
        (*self.pick(from)).to_owned()
    }

    /// Some of these, each once, in their order; at least one unless there is none.
    fn some<T: Clone>(&mut self, from: &[T], most: usize) -> Vec<T> {
        let Some(last) = from.len().checked_sub(1) else { return Vec::new() };
        let mut chosen: Vec<usize> = (0..self.between(1, most)).map(|_| self.below(last + 1)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen.into_iter().map(|at| from[at].clone()).collect()
    }

    /// Likewise, but usually none.
    fn few<T: Clone>(&mut self, from: &[T], percent: usize) -> Vec<T> {
        if self.chance(percent) { self.some(from, 2) } else { Vec::new() }
    }
}

const ISSUER_URLS: [&str; 3] = ["https://one.test", "https://two.test", "https://three.test"];
const SUBJECTS: [&str; 6] = ["alice", "bob", "agent:one", "agent:one/two", "é-bot", "a"];
const SUBJECT_PATTERNS: [&str; 6] = ["*", "agent:*", "a*e", "agent:*/*", "*:one", "**-bot"];
const KINDS: [&str; 2] = ["user", "service"];
const EMAILS: [&str; 3] = ["alice@a.test", "bob@b.test", "odd@b.test@a.test"];
const EMAIL_DOMAINS: [&str; 2] = ["a.test", "b.test"];
const GROUP_VALUES: [&str; 4] = ["g-engineering", "g-billing", "g-leads", "g-on-call"];
const FAMILIES: [(&str, &str, &str); 2] = [("t-", "id", "-x"), ("m-", "name", "")];
const CAPTURES: [&str; 2] = ["id", "name"];
const CAPTURED: [&str; 5] = ["a", "x", "*", "b", "c"];
const HOSTS: [&str; 6] = ["a.test", "x.a.test", "y.x.a.test", "test", "b.test", "xa.test"];
const ADDRESSES: [&str; 2] = ["10.0.0.1", "2001:db8::1"];
/// Sorted; requests come in at one more, which no policy names.
const FRONTENDS: [&str; 3] = ["admin", "www", "x"];
const SEGMENTS: [&str; 5] = ["a", "b", "c", "%2A", "B"];
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "GET", "POST", "CONNECT", "PURGE", "REPORT", "get"];
const ACRS: [&str; 2] = ["low", "high"];
const AMRS: [&str; 3] = ["mfa", "hwk", "pwd"];
const CLAIM_PATHS: [&[&str]; 4] = [&["role"], &["scope"], &["org", "unit"], &["org", "unit", "name"]];

/// Moments around which something changes: the ends of working days, both changes of daylight-saving time in Berlin and New York,
/// the turn of the year, a leap day, the ends of the calendar.
const MOMENTS: [i64; 16] = [
    1_772_442_000, // 2026-03-02T09:00:00Z, a Monday
    1_772_434_799, // 2026-03-02T06:59:59Z, 07:59:59 in Berlin
    1_772_434_800, // 2026-03-02T07:00:00Z, 08:00 in Berlin
    1_772_470_799, // 2026-03-02T16:59:59Z
    1_772_470_800, // 2026-03-02T17:00:00Z, 18:00 in Berlin
    1_772_330_400, // 2026-03-01T02:00:00Z, a Sunday
    1_774_745_999, // 2026-03-29T00:59:59Z, the last second of Berlin's winter
    1_774_746_000, // 2026-03-29T01:00:00Z
    1_792_886_400, // 2026-10-25T00:00:00Z, 02:00 in Berlin, for the first time
    1_792_890_000, // 2026-10-25T01:00:00Z, 02:00 in Berlin, for the second time
    1_772_953_200, // 2026-03-08T07:00:00Z, the change in New York
    1_798_758_000, // 2026-12-31T23:00:00Z, midnight in Berlin
    1_709_164_800, // 2024-02-29T00:00:00Z
    0,
    -1,
    253_402_207_200, // 9999-12-30T22:00:00Z
];
