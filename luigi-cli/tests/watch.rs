//! `luigi test --watch`, driven as a process: it runs again when the policy changes, and ends at Ctrl-C.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than anything here takes on a machine that does something else.
const PATIENCE: Duration = Duration::from_secs(60);

struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(policy: &std::path::Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luigi"));
        let command = command.args(["test", "--watch"]).arg(policy).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    /// Waits for a line with these words; no control sequence may come before.
    fn wait_for(&self, words: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line with `{words}`"));
            assert!(!line.contains('\u{1b}'), "the screen is cleared on terminals only: {line:?}");
            if line.contains(words) {
                return;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn policy(expect: &str) -> String {
    format!("schema = 1\n[[tests]]\nname = \"nobody gets in\"\nrequest = \"GET /\"\nexpect = \"{expect}\"\n")
}

#[test]
fn tests_run_again_when_a_file_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    fs::write(&path, policy("deny")).unwrap();
    let mut watching = Watching::start(folder.path());
    watching.wait_for("1 passed, 0 failed of 1 test");
    fs::write(&path, policy("allow")).unwrap();
    watching.wait_for("0 passed, 1 failed of 1 test");
    // As editors and configuration systems do it: another file takes the place of this one.
    let next = folder.path().join("next");
    fs::write(&next, policy("deny")).unwrap();
    fs::rename(&next, &path).unwrap();
    watching.wait_for("1 passed, 0 failed of 1 test");
    // What cannot be read is said, and watched on.
    fs::write(&path, "schema = ").unwrap();
    fs::write(folder.path().join("b.toml"), policy("deny").replace("nobody", "no one")).unwrap();
    fs::write(&path, policy("deny")).unwrap();
    watching.wait_for("2 passed, 0 failed of 2 tests");

    let pid = watching.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(watching.child.wait().unwrap().code(), Some(0));
}
