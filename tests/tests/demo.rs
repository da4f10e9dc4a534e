//! `make demo` does what it says, and leaves nothing behind, however it ends.

use luigi_tests::installation::{Build, home, luigi};
use luigi_tests::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luigi-demo"));
    command.arg("--luigi").arg(luigi()).arg("--home").arg(home(Build::Plain)).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The temporary folder that the demo says it uses.
fn folder(printed: &str) -> Option<PathBuf> {
    printed.split_whitespace().find(|word| word.contains("/luigi-demo-")).map(PathBuf::from)
}

/// Whether a process runs whose arguments name this folder.
fn is_used(folder: &Path) -> bool {
    let folder = folder.to_str().expect("a printable folder");
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|arguments| String::from_utf8_lossy(&arguments).contains(folder))
}

#[track_caller]
fn assert_gone(folder: &Path) {
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(!is_used(folder), "a process is left that uses {}", folder.display());
}

#[test]
fn the_demo_shows_what_it_promises() {
    let output = demo(&[]).output().expect("the demo can be started");
    let printed = String::from_utf8(output.stdout).expect("text");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaints}");
    assert_eq!(complaints, "");
    for line in [
        "2. Observe",
        "  nobody  GET  /orders/7         200     authenticate    no-rule-allows",
        "12 of 12 requests reached the upstream; 10 would have been denied.",
        "3. Enforce",
        "  $ luigi apply policy --to feed --key feed.key --mode enforce",
        "  mode        enforce  (was observe)",
        "  nobody  GET  /orders/7         401     authenticate    no-rule-allows",
        "  anna    GET  /orders/7         200     allow           allowed-by-rule    staff-reads-orders",
        "  ben     POST /orders/7/refund  403     request-access  approval-required  refunds-by-finance",
        "  dave    GET  /orders/7         403     deny            denied-by-rule     stolen-laptop",
        "2 of 12 requests reached the upstream. It never heard of the 10 others.",
        "  approval          finance-lead",
        "  x-luigi-subject: anna",
        "  restrict refunds-need-mfa  blocks",
        "  failed    0",
        ": anna 200, carl 403",
        ": anna 200, carl 200",
        "  error[unknown-name]: there is no scope `ordres`",
        "     = help: did you mean `orders`?",
        "  not applied: the feed is as it was",
        "  mode                   enforce",
        "  failures               0",
        "9. On record",
        "changed the mode from observe",
        "opens for ",
        "consistent, anchored by `checkpoints` up to entry ",
        "broken at entry ",
        "That was Luigi: ",
    ] {
        assert!(printed.contains(line), "no `{line}` in\n{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "colours where nobody sees them");
    let widest = printed.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
    assert!(widest.chars().count() <= 100, "wider than a page: {widest}");
    assert_gone(&folder(&printed).expect("the demo says where it is"));
}

#[test]
fn without_its_parts_the_demo_fails() {
    let output = Command::new(env!("CARGO_BIN_EXE_luigi-demo"))
        .args(["--luigi", "/nowhere/luigi", "--home", "/nowhere"])
        .output()
        .expect("the demo can be started");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no `/nowhere/luigi`"));
}

#[test]
fn a_policy_that_decides_otherwise_is_noticed() {
    // A `luigi` that does nothing: the first step cannot succeed, and the folder must be gone all the same.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = demo(&[]);
    command.args(["--luigi", "/bin/false"]).env("TMPDIR", folder.path());
    let output = command.output().expect("the demo can be started");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(folder.path()).expect("our folder").count(), 0);
}

/// A demo that goes on running, with what it printed until it waits.
fn kept() -> (Child, String) {
    let mut child = demo(&["--keep"]).spawn().expect("the demo can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped"));
    let mut printed = String::new();
    // The demo prints nothing after this sentence before it is told to stop.
    while !printed.contains("Ctrl-C stops and removes everything.") {
        let read = lines.read_line(&mut printed).expect("text");
        assert!(read > 0, "the demo has ended:\n{printed}");
    }
    // What comes later has to go somewhere.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (child, printed)
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has an identifier");
    kill_process(pid, signal).expect("our own process");
}

#[test]
fn a_kept_demo_answers_curl_until_ctrl_c() {
    let (mut child, printed) = kept();
    let folder = folder(&printed).expect("the demo says where it is");
    let ask = |command: &str| {
        let output = Command::new("sh").args(["-c", command]).current_dir(&folder).output().expect("a shell");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let commands: Vec<_> = printed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("$ "))
        .filter(|line| line.starts_with("curl"))
        .collect();
    let statuses: Vec<_> = commands.iter().map(|command| ask(command)[..12].to_owned()).collect();
    assert_eq!(statuses, ["HTTP/1.1 200", "HTTP/1.1 403", "HTTP/1.1 401"], "{commands:?}");
    // What is said to be the configuration is one, for whoever starts a HAProxy with it.
    let checked =
        Command::new("/usr/sbin/haproxy").args(["-c", "-f", "haproxy.cfg"]).current_dir(&folder).env_clear().output();
    let checked = checked.expect("HAProxy can be started");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().expect("our own child").code(), Some(0), "{printed}");
    assert_gone(&folder);
}

#[test]
fn haproxy_does_not_outlive_a_killed_demo() {
    let (mut child, printed) = kept();
    let folder = folder(&printed).expect("the demo says where it is");
    assert!(is_used(&folder), "HAProxy runs in the folder");
    signal(&child, Signal::KILL);
    child.wait().expect("our own child");
    wait::until("HAProxy is gone", || !is_used(&folder));
    fs::remove_dir_all(&folder).expect("a killed demo cannot remove its folder");
}
