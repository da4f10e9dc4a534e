//! What is said of a panic, for the libraries that other programs load. They catch it at their boundary.

use std::io::Write as _;
use std::sync::Once;

/// From now on one line for a panic, without what the request was about and without a backtrace: finding one's symbols holds a thread too long.
///
/// Each library has a standard library of its own linked in, so it sees no panics but its own.
pub fn keep_short() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            // Not `eprintln!`: it panics if nobody can take the line (a full disk, a journal that is gone), and a panic in here aborts the process.
            let mut errors = std::io::stderr();
            let _ = match panic.location() {
                Some(place) => writeln!(errors, "luigi: panicked at {place}"),
                None => writeln!(errors, "luigi: panicked"),
            };
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;
    use std::process::{Command, Stdio};

    /// Set in the process that panics.
    const PANICS: &str = "LUIGI_TEST_PANICS";

    #[test]
    fn a_panic_that_nobody_can_be_told_of_is_no_more_than_a_panic() {
        if std::env::var_os(PANICS).is_some() {
            keep_short();
            let caught = catch_unwind(|| panic!("a test asked for this"));
            std::process::exit(if caught.is_err() { 42 } else { 1 });
        }
        let full = std::fs::File::create("/dev/full").expect("Linux has a device that is always full");
        let status = Command::new(std::env::current_exe().expect("a test is a file"))
            .args([
                "--exact",
                "panics::tests::a_panic_that_nobody_can_be_told_of_is_no_more_than_a_panic",
                "--nocapture",
            ])
            .env(PANICS, "1")
            .stdout(Stdio::null())
            .stderr(full)
            .status()
            .expect("a test can be started");
        assert_eq!(status.code(), Some(42), "{status}");
    }
}
