//! The real command, for tests of several files; each uses a part of this.

#![allow(dead_code, unreachable_pub, reason = "no file of tests uses all of it")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder beside the tests.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The command, run among the files of `data/`.
pub fn luigi() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luigi"));
    command.current_dir(folder("data")).env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR");
    command
}

/// Runs it to its end with this as its input.
pub fn run(command: &mut Command, input: impl AsRef<[u8]>) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().expect("it has an input").write_all(input.as_ref());
    child.wait_with_output().expect("the command ends")
}

/// What it printed.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}
