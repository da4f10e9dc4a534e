//! `luigi audit`, run as a user runs it, on a ledger that has a day of an estate.
//!
//! `UPDATE_GOLDEN=1 cargo test -p luigi-cli --test audit` rewrites `golden-audit/`.

use luigi_workflow::ledger::{Event, Filter, Ledger, LedgerError, NewEntry, Reader};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// The day that the story takes place on: everything but entry 1, which was made just now.
const THAT_DAY: [&str; 4] = ["--since", "2026-03-02", "--until", "2026-03-03"];

struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: TempDir::new().unwrap() };
        Ledger::open(&scene.ledger()).unwrap().append(&story()).unwrap();
        scene
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// `luigi audit COMMAND --ledger ... MORE`; no command for none.
    fn audit(&self, command: &[&str], more: &[&str]) -> Output {
        self.command(command, more).output().unwrap()
    }

    fn command(&self, command: &[&str], more: &[&str]) -> Command {
        let mut luigi = Command::new(env!("CARGO_BIN_EXE_luigi"));
        luigi
            .arg("audit")
            .args(command)
            .arg("--ledger")
            .arg(self.ledger())
            .args(more)
            .env("LOGNAME", "carl")
            .env_remove("SUDO_USER")
            .stdin(Stdio::null());
        luigi
    }

    fn events(&self) -> Vec<Event> {
        let mut all = Vec::new();
        let scanned: Result<(), LedgerError> =
            Reader::open(&self.ledger()).unwrap().scan(0, &Filter::default(), |entry| {
                all.push(entry.event);
                Ok(ControlFlow::Continue(()))
            });
        scanned.unwrap();
        all
    }
}

fn story() -> Vec<NewEntry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../luigi-workflow/tests/ledger/story.jsonl");
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn golden(name: &str, output: &Output) {
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden-audit").join(format!("{name}.txt"));
    let found = text(&output.stdout);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
        return;
    }
    assert_eq!(
        found,
        fs::read_to_string(&path).unwrap_or_default(),
        "{name}: UPDATE_GOLDEN=1 accepts what is printed now"
    );
}

#[test]
fn entries_are_listed_for_people_and_programs() {
    let scene = Scene::new();
    golden("audit", &scene.audit(&[], &THAT_DAY));
    for format in ["json", "csv", "ocsf"] {
        golden(&format!("audit-{format}"), &scene.audit(&[], &[&THAT_DAY[..], &["--format", format]].concat()));
    }
    golden("audit-story-evaluation", &scene.audit(&["story", "6c1f0a9be2d3447a0000000000000003"], &[]));
    golden("audit-story-grant", &scene.audit(&["story", "grant-2"], &[]));
}

#[test]
fn filters_choose_what_meets_all_of_them() {
    let scene = Scene::new();
    let check = |arguments: &[&str], expected: &[u64]| {
        let output = scene.audit(&[], &[&THAT_DAY[..], &["--format", "json"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let lines = text(&output.stdout).lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert_eq!(lines.map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>(), expected, "{arguments:?}");
    };
    check(&["--who", "anna"], &[6, 7, 9, 10, 12]);
    check(&["--who", "refund-bot"], &[12]);
    check(&["--who", "boris@example.com"], &[14]);
    // What is hidden is not found out letter by letter, but with a reason.
    check(&["--who", "boris@*"], &[]);
    check(&["--who", "b*@example.com"], &[14]);
    check(&["--who", "boris@*", "--unmasked", "ticket 4813"], &[14]);
    check(&["--host", "*.EXAMPLE.com", "--who", "anna"], &[6, 10, 12]);
    check(&["--approver", "lena"], &[7, 8, 9, 10, 12, 14, 15, 18]);
    check(&["--approver", "lena", "--kind", "decision"], &[10, 12]);
    check(&["--scope", "billing", "--decision", "allow"], &[10, 12, 25]);
    check(&["--rule", "on-call"], &[25]);
    check(&["--reason", "no-rule-allows"], &[16]);
    check(&["--host", "*.example.com", "--path", "/billing/*", "--decision", "deny"], &[6]);
    check(&["--grant", "grant-2"], &[24, 25, 26]);
    check(&["--privileged"], &[6, 10, 12, 25]);
    check(&["--kind", "approved", "--kind", "rejected"], &[8, 15, 23]);
    check(&["--kind", "approved", "--limit", "1"], &[23]);
    check(&["--who", "nobody"], &[]);
    let between =
        scene.audit(&[], &["--since", "2026-03-02T10:01:10Z", "--until", "2026-03-02T10:02:00Z", "--format", "json"]);
    assert_eq!(text(&between.stdout).lines().count(), 2);
    for wrong in [["--decision", "maybe"], ["--reason", "because"], ["--kind", "x"], ["--since", "yesterday"]] {
        assert_eq!(scene.audit(&[], &wrong).status.code(), Some(2), "{wrong:?}");
    }
    let nothing = scene.audit(&[], &["--who", "nobody"]);
    assert_eq!(text(&nothing.stdout), "no entries\n");
    assert_eq!(scene.audit(&["story", "no-such"], &[]).status.code(), Some(2));
}

#[test]
fn a_period_that_ends_before_it_begins_is_no_period() {
    let scene = Scene::new();
    let backwards = ["--since", "2026-03-03", "--until", "2026-03-02"];
    for command in [&[][..], &["follow"]] {
        let output = scene.audit(command, &backwards);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(text(&output.stderr).contains("is not before --until"), "{}", text(&output.stderr));
    }
    // It ends by itself, and says nothing.
    let past = scene.audit(&["follow"], &["--until", "2026-03-03"]);
    assert!(past.status.success() && !text(&past.stdout).contains("anna"), "{}", text(&past.stdout));
    let capitals = scene.audit(&["story", "6C1F0A9BE2D3447A0000000000000003"], &[]);
    golden("audit-story-evaluation", &capitals);
}

#[test]
fn what_is_personal_is_masked_until_somebody_says_why_on_the_record() {
    let scene = Scene::new();
    let secrets = ["anna.berg", "203.0.113.9", "Mozilla", "ticket=4812", "boris@", "2001:db8:40:1::17"];
    for format in ["human", "json", "csv", "ocsf"] {
        let masked = scene.audit(&[], &["--format", format]);
        let masked = text(&masked.stdout);
        assert!(secrets.iter().all(|secret| !masked.contains(secret)), "{format}: {masked}");
    }
    let before = scene.events().len();
    for reason in ["", "  "] {
        assert_eq!(scene.audit(&[], &["--unmasked", reason]).status.code(), Some(2));
    }
    assert_eq!(scene.events().len(), before, "nothing was shown, so nothing is on record");

    let shown = scene.audit(&[], &["--format", "json", "--unmasked", "ticket 4813", "--who", "anna"]);
    assert!(
        secrets.iter().filter(|secret| !secret.starts_with("boris")).all(|secret| text(&shown.stdout).contains(secret)),
        "{}",
        text(&shown.stdout)
    );
    let events = scene.events();
    let Some(Event::Disclosure(read)) = events.last() else { panic!("{events:?}") };
    assert_eq!((read.by.as_str(), read.reason.as_str()), ("carl", "ticket 4813"));
    assert!(read.query.starts_with("audit --ledger ") && read.query.ends_with("--who anna"), "{}", read.query);
    assert_eq!(events.len(), before + 1);

    // A ledger that takes no entry shows nothing.
    let missing = scene.folder.path().join("none.db");
    let output = Command::new(env!("CARGO_BIN_EXE_luigi"))
        .args(["audit", "--unmasked", "x", "--by", "carl", "--ledger"])
        .arg(&missing)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), ""));
    assert!(text(&output.stderr).contains("cannot be put on record"), "{}", text(&output.stderr));
}

#[test]
fn verification_names_the_first_bad_entry() {
    let scene = Scene::new();
    let fine = scene.audit(&["verify"], &[]);
    assert_eq!(fine.status.code(), Some(0), "{}", text(&fine.stderr));
    assert!(
        text(&fine.stdout).starts_with("consistent, not anchored: nobody but its owner vouches for it\n"),
        "{}",
        text(&fine.stdout)
    );
    let json = scene.audit(&["verify"], &["--format", "json", "--from", "5", "--to", "9"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["state"], &json["entries"], &json["last"]), (&"not-anchored".into(), &5.into(), &9.into()));

    let connection = rusqlite::Connection::open(scene.ledger()).unwrap();
    connection.execute("UPDATE entries SET body = replace(body, 'anna', 'emma') WHERE sequence = 7", []).unwrap();
    let broken = scene.audit(&["verify"], &[]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        text(&broken.stdout).starts_with("broken at entry 7: its hash is not that of its body"),
        "{}",
        text(&broken.stdout)
    );
    let json = scene.audit(&["verify"], &["--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&json["state"], &json["broken"]["sequence"], &json["broken"]["code"]),
        (&"broken".into(), &7.into(), &"hash".into())
    );
    assert_eq!(scene.audit(&["verify"], &["--from", "8"]).status.code(), Some(0), "what stands before is trusted");
    assert_eq!(scene.audit(&["verify"], &["--to", "6"]).status.code(), Some(0));
    assert_eq!(scene.audit(&["verify"], &["--from", "900"]).status.code(), Some(2));
    assert_eq!(scene.audit(&["verify"], &["--from", "8", "--to", "6"]).status.code(), Some(2), "a range of nothing");

    fs::remove_file(scene.ledger()).unwrap();
    assert_eq!(scene.audit(&["verify"], &[]).status.code(), Some(3));
}

#[test]
fn follow_prints_what_is_appended() {
    let scene = Scene::new();
    let mut follow =
        scene.command(&["follow"], &["--format", "json", "--kind", "granted"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut ledger = Ledger::open(&scene.ledger()).unwrap();
    // It says nothing of when it has begun, so entries come until it has printed some.
    let enough = Arc::new(AtomicBool::new(false));
    let appender = std::thread::spawn({
        let enough = Arc::clone(&enough);
        move || {
            while !enough.load(Ordering::Relaxed) {
                ledger.append(&story()).unwrap();
            }
        }
    });
    for _ in 0..3 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["kind"], "granted");
        assert!(line["sequence"].as_u64().unwrap() > story().len() as u64 + 1, "what was there before is not printed");
    }
    enough.store(true, Ordering::Relaxed);
    follow.kill().unwrap();
    follow.wait().unwrap();
    appender.join().unwrap();
}

#[test]
fn evidence_of_a_period_is_what_an_auditor_asks_for() {
    let scene = Scene::new();
    let period = ["--since", "2026-03-02", "--until", "2026-03-03", "--seed", "2026-Q1", "--sample", "2"];
    let whole = scene.audit(&["evidence"], &period);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stderr));
    let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
    let sequences = |list: &str| {
        whole[list].as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(sequences("privileged-accesses"), [6, 10, 12, 25]);
    assert_eq!(sequences("changes"), [3, 4, 5, 17, 19, 20]);
    assert_eq!(sequences("record"), [2, 21, 27, 28, 29]);
    // The two with the smallest SHA-256 of `2026-Q1:SEQUENCE`, as any program computes it.
    let sample = Command::new("python3")
        .args(["-c", "import hashlib; print(sorted(sorted([6, 10, 12, 25], key=lambda n: hashlib.sha256(f'2026-Q1:{n}'.encode()).digest())[:2]))"])
        .output()
        .unwrap();
    assert_eq!(format!("{:?}\n", sequences("sample")), text(&sample.stdout));
    assert_eq!(whole["summary"]["verification"]["state"], "not-anchored");
    assert!(!whole.to_string().contains("anna.berg"), "masked unless somebody says why");

    let approvals = whole["approvals"].as_array().unwrap();
    let [first, second, third] = &approvals[..] else { panic!("{approvals:?}") };
    assert_eq!((&first["state"], &first["open-seconds"], &first["uses"]), (&"revoked".into(), &1130.into(), &2.into()));
    assert_eq!(first["approvers"], serde_json::json!(["lena at 2026-03-02T10:01:10Z"]));
    assert_eq!((&second["state"], &second["open-seconds"]), (&"rejected".into(), &Value::Null));
    assert_eq!(
        (&third["state"], &third["self-approved"], &third["open-seconds"]),
        (&"expired".into(), &true.into(), &3600.into())
    );

    let folder = scene.folder.path().join("evidence");
    let written = scene.audit(&["evidence"], &[&period[..], &["--to", folder.to_str().unwrap()]].concat());
    assert!(text(&written.stdout).contains("privileged accesses  4\n"), "{}", text(&written.stdout));
    let mut names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        ["approvals.csv", "changes.csv", "privileged-accesses.csv", "record.csv", "sample.csv", "summary.json"]
    );
    let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap().lines().count();
    assert_eq!((lines("approvals.csv"), lines("privileged-accesses.csv"), lines("sample.csv")), (4, 5, 3));
    let summary: Value = serde_json::from_str(&fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["approvals"]["self-approved"], &summary["sample"]["seed"]), (&1.into(), &"2026-Q1".into()));

    assert_eq!(scene.audit(&["evidence"], &["--since", "2026-03-03", "--until", "2026-03-02"]).status.code(), Some(2));
    let connection = rusqlite::Connection::open(scene.ledger()).unwrap();
    connection.execute("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 25", []).unwrap();
    let broken = scene.audit(&["evidence"], &period);
    assert_eq!(broken.status.code(), Some(1), "evidence from a broken ledger says so");
}

#[test]
fn a_checkpoint_elsewhere_finds_what_the_chain_cannot() {
    let scene = Scene::new();
    let at = |name: &str| scene.folder.path().join(name).display().to_string();
    let (key, public_key, elsewhere) = (at("ledger.key"), at("ledger.pub"), at("checkpoints"));
    let made = scene.audit(&["checkpoint"], &["--key", &key, "--to", &elsewhere]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(text(&made.stdout), fs::read_to_string(&elsewhere).unwrap());
    let verify = || scene.audit(&["verify"], &["--checkpoints", &elsewhere, "--public-key", &public_key]);
    let last = story().len() + 1;
    let fine = verify();
    assert!(
        text(&fine.stdout).starts_with(&format!("consistent, anchored by `{elsewhere}` up to entry {last}\n")),
        "{}",
        text(&fine.stdout)
    );
    assert_eq!(
        scene.audit(&["verify"], &["--checkpoints", &elsewhere]).status.code(),
        Some(2),
        "a checkpoint without a key says nothing"
    );

    // A damaged line is said, and that not all is well; what was not written to its end is said alone.
    let line = fs::read_to_string(&elsewhere).unwrap();
    for (lines, code, state, told) in [
        (
            format!("{line}luigi-check"),
            0,
            "anchored",
            "checkpoints left out: `PLACE`, line 2: it was not written to its end\n",
        ),
        (
            format!("{}\n{line}", &line[..40]),
            1,
            "checkpoints-damaged",
            "checkpoints damaged: `PLACE`, line 1: it is no checkpoint of format 1 (checkpoint)\n",
        ),
    ] {
        fs::write(&elsewhere, lines).unwrap();
        let found = verify();
        let (printed, told) = (text(&found.stdout), told.replace("PLACE", &elsewhere));
        let head = format!("consistent, anchored by `{elsewhere}` up to entry {last}");
        assert!(printed.starts_with(&head) && printed.contains(&told), "{printed}");
        assert_eq!((found.status.code(), printed.contains("; checkpoints are damaged\n")), (Some(code), code == 1));
        let given = ["--checkpoints", &elsewhere, "--public-key", &public_key];
        let json = scene.audit(&["verify"], &[&given[..], &["--format", "json"]].concat());
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!((&json["state"], &json["anchored"]), (&state.into(), &last.into()));
        assert_eq!(json["checkpoints-not-believed"][0]["damage"], code == 1);
        let folder = at("evidence");
        let period = ["--since", "2026-03-02", "--until", "2026-03-03", "--to", &folder];
        let evidence = scene.audit(&["evidence"], &[&given[..], &period].concat());
        assert!(text(&evidence.stdout).contains(&told), "{}", text(&evidence.stdout));
        assert_eq!(evidence.status.code(), Some(code));
    }
    fs::write(&elsewhere, &line).unwrap();

    let connection = rusqlite::Connection::open(scene.ledger()).unwrap();
    connection.execute_batch("DELETE FROM entries WHERE sequence > 20; DELETE FROM checkpoints").unwrap();
    assert_eq!(scene.audit(&["verify"], &[]).status.code(), Some(0));
    let broken = verify();
    assert_eq!(broken.status.code(), Some(1));
    assert!(
        text(&broken.stdout).starts_with("broken at entry 21: it is missing, as is what follows"),
        "{}",
        text(&broken.stdout)
    );

    // A place that cannot be reached is said, and put on record.
    let nowhere = at("no/such/folder");
    let failed = scene.audit(&["checkpoint"], &["--key", &key, "--to", &nowhere]);
    assert_eq!(failed.status.code(), Some(3));
    assert!(matches!(scene.events().last(), Some(Event::RecordsLost(lost)) if lost.reason.contains(&nowhere)));
}

#[test]
fn retired_entries_verify_where_they_went_and_join() {
    let scene = Scene::new();
    let folder = scene.folder.path().join("retired");
    let to = folder.to_str().unwrap();
    let retire = |more: &[&str]| scene.audit(&["retire"], &[&["--to", to], more].concat());
    assert_eq!(retire(&[]).status.code(), Some(2), "nobody said which");
    // Entry 1 was made just now.
    assert_eq!(text(&retire(&["--before", "2026-03-02"]).stdout), "nothing is that old\n");
    for upto in ["10", "20"] {
        let output = retire(&["--upto", upto]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with("retired  entries "), "{}", text(&output.stdout));
    }
    assert_eq!(retire(&["--upto", "20"]).status.code(), Some(2));
    let at = |name: &str| folder.join(name).display().to_string();
    let (first, second) = (at("ledger-1-10.jsonl"), at("ledger-11-20.jsonl"));
    let verify = |files: &[&str]| {
        let files: Vec<&str> = files.iter().flat_map(|file| ["--exported", *file]).collect();
        scene.audit(&["verify"], &files)
    };
    let joined = verify(&[&first, &second]);
    assert_eq!(joined.status.code(), Some(0), "{}", text(&joined.stdout));
    assert!(text(&joined.stdout).contains("retired     entries up to 20\n"), "{}", text(&joined.stdout));
    assert_eq!(verify(&[&second, &first]).status.code(), Some(1));
    let apart = verify(&[&first]);
    assert!(
        apart.status.code() == Some(1) && text(&apart.stdout).contains("does not begin where the last file ends"),
        "{}",
        text(&apart.stdout)
    );
    let spoilt = fs::read_to_string(&first).unwrap().replace("approval-required", "no-rule-allows");
    fs::write(&first, spoilt).unwrap();
    let broken = verify(&[&first, &second]);
    assert!(
        broken.status.code() == Some(1) && text(&broken.stdout).contains("broken at entry 6"),
        "{}",
        text(&broken.stdout)
    );

    let owner = Ledger::open(&scene.ledger()).unwrap();
    let refused = retire(&["--upto", "22"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        text(&refused.stderr).contains(&format!("is owned by process {}", std::process::id())),
        "{}",
        text(&refused.stderr)
    );
    drop(owner);
}

/// Whoever may read the file but not write to its folder reads it, and sees no entry less for it.
#[test]
fn a_ledger_is_read_from_a_folder_that_takes_no_files() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let scene = Scene::new();
    // Root may write anywhere, so it becomes somebody else for this; and the command must lie where that one finds it.
    let luigi = scene.folder.path().join("luigi");
    fs::copy(env!("CARGO_BIN_EXE_luigi"), &luigi).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&scene.ledger(), 0o644);
    set(scene.folder.path(), 0o555);
    for ending in ["-wal", "-shm"] {
        assert!(!scene.folder.path().join(format!("ledger.db{ending}")).exists(), "its owner has gone");
    }
    let mut command = Command::new(&luigi);
    command.args(["audit", "verify", "--ledger"]).arg(scene.ledger());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output();
    set(scene.folder.path(), 0o755);
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains(&format!("entries     {0}, 1 to {0}\n", story().len() + 1)),
        "{}",
        text(&output.stdout)
    );
}
