//! `luigi test --watch`: again whenever a file of the policy changes, until Ctrl-C.
//!
//! Files are asked for their state a few times a second: that sees renames, the swaps of links that configuration systems make, and files that
//! come and go, which a watch on a file does not.

use super::run_tests;
use crate::Found;
use crate::args::Test;
use crate::failure::Failure;
use crate::output::print;
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
        let before = state(&arguments.policy);
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
            let now = state(&arguments.policy);
            // Whoever saves several files, or one in steps, is given the time for it.
            if now != before {
                settle(&arguments.policy, now);
                break;
            }
        }
    }
}

/// Waits until nothing has changed for a period, or for ten of them.
fn settle(policy: &Path, mut last: Vec<FileState>) {
    for _ in 0..10 {
        std::thread::sleep(PERIOD);
        let now = state(policy);
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

/// The files of the policy's folder, or the policy and the folder that it lies in: files that it names may lie there, too.
fn state(policy: &Path) -> Vec<FileState> {
    let folder = if policy.is_dir() {
        policy
    } else {
        policy.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let of = |path: PathBuf| {
        let found = fs::metadata(&path).ok();
        let identity = found.map(|file| (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        FileState { path, identity }
    };
    // Folders change with every file in them.
    let mut files: Vec<_> = entries.filter(|path| !path.is_dir()).chain([policy.to_owned()]).map(of).collect();
    files.retain(|file| !file.path.is_dir());
    files.sort();
    files
}
