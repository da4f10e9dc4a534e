//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before a test gives up. Nothing is ever expected to take that long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer.
///
/// # Panics
/// If there is none after [`PATIENCE`]; the message says what was waited for.
pub fn for_some<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks again and again until the answer is yes.
///
/// # Panics
/// As [`for_some`].
pub fn until(what: &str, mut ask: impl FnMut() -> bool) {
    for_some(what, || ask().then_some(()));
}
