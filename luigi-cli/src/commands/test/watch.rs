//! `luigi test --watch`: again whenever a file of the policy changes, until Ctrl-C.
//!
//! Files are asked for their state a few times a second: that sees renames, the swaps of links that configuration systems make, and files that
//! come and go, which a watch on a file does not. Only what the policy is made of is watched: its files and those that it names. What else lies beside them, a
//! report of these very tests say, is nothing to run them for.

use super::run_tests;
use crate::Found;
use crate::args::Test;
use crate::failure::Failure;
use crate::output::print;
use luigi_runtime::policy_files;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// Clears the screen and what has scrolled away, and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

pub(super) fn run(arguments: &Test) -> Result<Found, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Failure::environment)?;
    }
    loop {
        // Taken before the files are read: what changes meanwhile is seen in the next round.
        let beside = beside(&arguments.policy);
        let before = state(&arguments.policy, &beside);
        if io::stdout().is_terminal() {
            print(CLEAR)?;
        }
        match run_tests(arguments) {
            // Nobody reads any more.
            Err(Failure::OutputClosed) => return Ok(Found::Fine),
            Err(failure) => {
                failure.report();
            }
            Ok(_) => {}
        }
        // UNSHOWN: a watch has no end; `tests/watch.rs` has it.
        anstream::eprintln!("watching {}; Ctrl-C ends it", arguments.policy.display());
        loop {
            std::thread::sleep(PERIOD);
            if stop.load(Ordering::Relaxed) {
                return Ok(Found::Fine);
            }
            let now = state(&arguments.policy, &beside);
            // Whoever saves several files, or one in steps, is given the time for it.
            if now != before {
                settle(&arguments.policy, &beside, now);
                break;
            }
        }
    }
}

/// Waits until nothing has changed for a period, or for ten of them.
fn settle(policy: &Path, beside: &[PathBuf], mut last: Vec<FileState>) {
    for _ in 0..10 {
        std::thread::sleep(PERIOD);
        let now = state(policy, beside);
        if now == last {
            return;
        }
        last = now;
    }
}

/// What a change of a file changes: device, inode, length, and the time of the last change with its nanoseconds.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileState {
    path: PathBuf,
    identity: Option<(u64, u64, u64, i64, i64)>,
}

/// The files that the policy names beside its own. Those of a policy that cannot be read are not known; whatever makes it readable changes one of its own.
fn beside(policy: &Path) -> Vec<PathBuf> {
    let folder = if policy.is_dir() { Some(policy) } else { policy.parent() };
    let Ok(sources) = policy_files::read(policy) else { return Vec::new() };
    let names = luigi_core::policy::files_beside(&sources);
    names.into_iter().map(|name| folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name))).collect()
}

/// The states of the policy's files, and of those beside it.
fn state(policy: &Path, beside: &[PathBuf]) -> Vec<FileState> {
    let own = policy_files::files(policy).unwrap_or_else(|_| vec![policy.to_owned()]);
    let of = |path: PathBuf| {
        let found = fs::metadata(&path).ok().filter(|file| !file.is_dir());
        let identity = found.map(|file| (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        FileState { path, identity }
    };
    let mut files: Vec<_> = own.into_iter().chain(beside.iter().cloned()).map(of).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of the tests that is written into the policy's folder is no reason to run them again, and write it again.
    #[test]
    fn only_what_the_policy_is_made_of_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.toml"), "schema = 1\n[networks]\noffice = { file = \"office.txt\" }\n").unwrap();
        fs::write(at("office.txt"), "203.0.113.0/24\n").unwrap();
        for policy in [folder.path(), &at("a.toml")] {
            let beside = beside(policy);
            assert_eq!(beside, [at("office.txt")]);
            let before = state(policy, &beside);
            fs::write(at("report.xml"), policy.display().to_string()).unwrap();
            assert_eq!(state(policy, &beside), before);
            let list = fs::read_to_string(at("office.txt")).unwrap();
            fs::write(at("office.txt"), format!("{list}# one more\n")).unwrap();
            assert_ne!(state(policy, &beside), before);
        }
        let before = state(folder.path(), &[]);
        fs::write(at("b.toml"), "schema = 1\n").unwrap();
        assert_ne!(state(folder.path(), &[]), before, "another file of the policy");
        fs::remove_file(at("b.toml")).unwrap();
        assert_eq!(state(folder.path(), &[]), before);
        fs::remove_file(at("a.toml")).unwrap();
        assert_ne!(state(&at("a.toml"), &[]), before, "it is gone");
    }
}
