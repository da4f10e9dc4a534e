//! The 128 bits that name one evaluation in logs, headers and the ledger.
//!
//! One half is random and drawn at a thread's first evaluation, which is after the fork of a HAProxy worker; the other
//! counts. A process that forks later draws again, so that parent and child never give the same id.

use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt::Write as _;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Names one evaluation: a random half for the process and thread, and a counter. Printed as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvaluationId {
    random: u64,
    counter: u64,
}

impl EvaluationId {
    /// Which evaluation of its context it names, counted from one.
    pub(crate) fn count(self) -> u64 {
        self.counter
    }

    /// The 16 bytes, in the order in which they are printed.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.random) << 64 | u128::from(self.counter)).to_be_bytes()
    }

    /// The id of these bytes, whoever gave it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let [random, counter] =
            [&bytes[..8], &bytes[8..]].map(|half| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        Self { random, counter }
    }

    /// The digits as which it is printed, in ASCII.
    // PERF: formatted by the standard library they took a tenth of what a line of facts costs.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.to_bytes();
        std::array::from_fn(|at| DIGITS[usize::from(bytes[at / 2] >> (4 * (1 - at % 2)) & 15)])
    }

    /// The id that is printed as `text`; `None` if that is not 32 hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = std::str::from_utf8(text).ok().filter(|text| text.len() == 32)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let (random, counter) = digits.split_at(16);
        Some(Self { random: u64::from_str_radix(random, 16).ok()?, counter: u64::from_str_radix(counter, 16).ok()? })
    }
}

impl std::fmt::Display for EvaluationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.digits().iter().try_for_each(|digit| f.write_char(char::from(*digit)))
    }
}

/// Gives the ids of one context.
#[derive(Debug)]
pub(crate) struct EvaluationIds {
    drawn: Option<(u64, ProcessMark)>,
    counter: u64,
}

impl EvaluationIds {
    /// Nothing is drawn before the first id is asked for.
    pub(crate) fn new() -> Self {
        watch_forks();
        Self { drawn: None, counter: 0 }
    }

    /// The next id. Draws random bits if none were drawn in this process; should the system have none (it never happened on a
    /// running Linux), the id has a random half of zero and the next call tries again.
    pub(crate) fn next(&mut self) -> EvaluationId {
        let here = ProcessMark::now();
        let random = match self.drawn {
            Some((random, there)) if there == here => random,
            Some(_) | None => {
                let mut bytes = [0; 8];
                let drawn = SystemRandom::new().fill(&mut bytes).is_ok();
                let random = if drawn { u64::from_ne_bytes(bytes) } else { 0 };
                self.drawn = drawn.then_some((random, here));
                random
            }
        };
        self.counter += 1;
        EvaluationId { random, counter: self.counter }
    }
}

/// Tells a process from its forks: what was marked in a parent is of another process in its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessMark(u64);

/// How often this process or one of its ancestors forked since the handler was registered.
static FORKS: AtomicU64 = AtomicU64::new(0);
static FORKS_ARE_WATCHED: AtomicBool = AtomicBool::new(false);

impl ProcessMark {
    /// The mark of the process that asks. A child that was made past the C library's `fork` (by `vfork`, `_Fork`, `clone`) has its parent's.
    #[must_use]
    pub fn now() -> Self {
        // PERF: a load instead of `getpid`, which is a system call of 50 ns and more.
        if FORKS_ARE_WATCHED.load(Ordering::Relaxed) || watch_forks() {
            Self(FORKS.load(Ordering::Relaxed))
        } else {
            Self(u64::from(std::process::id()) | 1 << 32)
        }
    }
}

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Whether forks are watched from now on.
#[cold]
fn watch_forks() -> bool {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handler is a function of this library that touches one atomic, which is allowed between fork and exec;
        // if the library is unloaded, libc takes the handler away with it.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
        FORKS_ARE_WATCHED.store(failed == 0, Ordering::Relaxed);
    });
    FORKS_ARE_WATCHED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::io::{Read as _, Write as _};

    #[test]
    fn ids_are_distinct_within_and_between_contexts() {
        let (mut a, mut b) = (EvaluationIds::new(), EvaluationIds::new());
        let ids: HashSet<String> = (0..100).flat_map(|_| [a.next(), b.next()]).map(|id| id.to_string()).collect();
        assert_eq!(ids.len(), 200);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }

    #[test]
    fn the_bytes_of_an_id_are_those_that_are_printed() {
        let id = EvaluationId { random: 0x0102_0304_0506_0708, counter: 0x090a_0b0c_0d0e_0f10 };
        assert_eq!(id.to_bytes(), std::array::from_fn(|n| u8::try_from(n + 1).unwrap()));
        assert_eq!(id.to_string(), "0102030405060708090a0b0c0d0e0f10");
        assert_eq!(EvaluationId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn a_fork_draws_again() {
        let mut ids = EvaluationIds::new();
        let first = ids.next();
        let (mut theirs, mut ours) = std::io::pipe().unwrap();
        // SAFETY: the child does nothing but draw an id, write it to the pipe and end without running exit handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let id = ids.next();
            let sent = ours.write_all(&id.random.to_ne_bytes()).is_ok();
            // SAFETY: ends the child; nothing is left to clean up.
            unsafe { libc::_exit(i32::from(!sent)) };
        }
        drop(ours);
        let mut random = [0; 8];
        theirs.read_exact(&mut random).unwrap();
        // SAFETY: `child` is a child of this process that nobody else waits for.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
        assert_ne!(u64::from_ne_bytes(random), first.random);
        assert_eq!(ids.next().random, first.random, "the parent keeps its half");
    }
}
