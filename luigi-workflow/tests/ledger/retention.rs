//! Retention: what leaves the ledger verifies where it went, and the rest verifies from there.

use crate::python::python;
use crate::{Scene, entries, story};
use jiff::Timestamp;
use luigi_runtime::feed::PublicKey;
use luigi_workflow::ledger::{Broken, CheckpointKey, Event, ExportFound, Flaw, Hash, LedgerError, Verifier};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(scene: &Scene) -> PathBuf {
    scene.folder.path().join("retired")
}

fn verify_export(file: &Path) -> Result<ExportFound, LedgerError> {
    Verifier::default().verify_exported(file)
}

/// Twice the story, of which the first ten and the next fifteen entries were retired.
fn retired_twice() -> (Scene, [PathBuf; 2]) {
    let scene = Scene::with_story();
    let mut ledger = scene.open();
    let (_, first) = ledger.retire(10, &folder(&scene)).unwrap();
    ledger.append(&story()).unwrap();
    let (_, second) = ledger.retire(25, &folder(&scene)).unwrap();
    (scene, [first, second])
}

#[test]
fn what_is_retired_verifies_by_itself_and_joins() {
    let scene = Scene::with_story();
    let before = entries(&scene.read());
    let whole = scene.verify();
    let mut ledger = scene.open();
    let (retired, file) = ledger.retire(10, &folder(&scene)).unwrap();
    assert_eq!((retired.first, retired.last), (1, 10));
    assert_eq!(file.file_name().unwrap(), "ledger-1-10.jsonl");
    let digest = ring::digest::digest(&ring::digest::SHA256, &fs::read(&file).unwrap());
    assert_eq!(retired.sha256, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>());

    let after = entries(&scene.read());
    assert_eq!(after[..after.len() - 1], before[10..]);
    assert_eq!(after.last().unwrap().event, Event::Retired(retired.clone()));
    let found = scene.verify();
    assert_eq!((found.broken, found.retired, found.last), (None, 10, whole.last + 1));
    assert_eq!(found.ledger, whole.ledger, "it is still the same ledger");

    let export = verify_export(&file).unwrap();
    assert_eq!(export.broken, None);
    assert_eq!(Some(&export.head.ledger), whole.ledger.as_ref());
    assert_eq!(export.head.head, retired.head);
    // The bodies are those that were there.
    let lines = fs::read_to_string(&file).unwrap();
    for (line, entry) in lines.lines().skip(1).zip(&before) {
        assert!(line.contains(&entry.body().unwrap()), "{line}");
    }

    // Once more: the entry that said so may go, too.
    let (scene, [first, second]) = retired_twice();
    assert_eq!(verify_export(&second).unwrap().broken, None);
    assert_eq!(scene.verify().broken, None);
    assert_eq!(verify_export(&second).unwrap().head.previous, verify_export(&first).unwrap().head.head);
    let (fine, text) = python(&[&first, &second, &scene.path()], None);
    assert!(fine && text.lines().count() == 3, "{text}");
    let (fine, text) = python(&[&second, &first], None);
    assert!(!fine && text.contains("it does not follow the file before"), "{text}");
}

#[test]
fn what_was_changed_in_an_exported_file_is_found() {
    let (_scene, [file, _]) = retired_twice();
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let check = |changed: String, sequence: u64, code: &str, says: &str| {
        fs::write(&file, changed).unwrap();
        let Broken { sequence: found, flaw } = verify_export(&file).unwrap().broken.unwrap_or_else(|| panic!("{says}"));
        assert_eq!((found, flaw.code()), (sequence, code), "{says}");
        assert!(!python(&[&file], None).0, "{says}");
    };
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    check(text.replace("\"refuse\"", "\"pass\""), 6, "hash", "an edited body");
    check(joined(&[&lines[..5], &lines[6..]].concat()), 5, "gap", "a line is gone");
    check(joined(&lines[..10]), 10, "unreadable", "the last line is gone");
    check(joined(&[&lines[..], &lines[10..]].concat()), 11, "unreadable", "a line too many");
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    check(joined(&swapped), 4, "gap", "two lines changed places");
    let head = verify_head(&text);
    check(text.replacen(&head, &"0".repeat(64), 1), 10, "hash", "another head");
    fs::write(&file, "{}\n").unwrap();
    assert!(verify_export(&file).unwrap_err().is_content());
}

fn verify_head(text: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    line["luigi-ledger"]["head"].as_str().unwrap().to_owned()
}

#[test]
fn a_beginning_that_was_forged_is_found() {
    let check = |sql: &str, expected: Broken| {
        let (scene, _) = retired_twice();
        scene.by_hand(sql);
        assert_eq!(scene.verify().broken, Some(expected), "{sql}");
    };
    let gone = |sequence| Broken { sequence, flaw: Flaw::BeginningGone };
    check("DELETE FROM retired", gone(26));
    check("UPDATE retired SET entry = entry - 1 WHERE first > 1", gone(26));
    check("UPDATE retired SET head = zeroblob(32) WHERE first > 1", Broken { sequence: 26, flaw: Flaw::Hash });
    // False ones where the retired ones were.
    check(
        "INSERT INTO entries SELECT 7, time, kind, evaluation, request, grant_id, body, hash FROM entries WHERE sequence = 30",
        Broken { sequence: 7, flaw: Flaw::BeforeChain },
    );
    // Some more entries that nobody retired.
    check(
        "INSERT INTO retired SELECT 26, sequence, 40, hash FROM entries WHERE sequence = 30; DELETE FROM entries WHERE sequence <= 30",
        gone(31),
    );
}

#[test]
fn only_what_is_whole_and_not_the_last_entry_is_retired() {
    let scene = Scene::with_story();
    let mut ledger = scene.open();
    let head = ledger.head().unwrap();
    for upto in [0, head.sequence, head.sequence + 1] {
        assert!(ledger.retire(upto, &folder(&scene)).unwrap_err().is_usage(), "{upto}");
    }
    scene.by_hand("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 7");
    let error = ledger.retire(10, &folder(&scene)).unwrap_err();
    assert!(error.is_content() && error.to_string().contains("entry 7 is broken"), "{error}");
    assert_eq!(ledger.head().unwrap(), head);
    ledger.retire(6, &folder(&scene)).unwrap();
    assert!(ledger.retire(6, &folder(&scene)).unwrap_err().is_usage(), "those are gone already");
}

/// The file is there, and the daemon was killed before the entries left.
#[test]
fn what_was_written_before_a_crash_is_written_again() {
    let scene = Scene::with_story();
    let mut ledger = scene.open();
    fs::create_dir(folder(&scene)).unwrap();
    fs::write(folder(&scene).join("ledger-1-10.jsonl"), "half a fi").unwrap();
    fs::write(folder(&scene).join("ledger-1-10.new"), "half a fi").unwrap();
    let (_, file) = ledger.retire(10, &folder(&scene)).unwrap();
    assert_eq!(verify_export(&file).unwrap().broken, None);
    assert_eq!(scene.verify().broken, None);
}

#[test]
fn entries_before_a_time_are_those_that_nothing_older_follows() {
    let scene = Scene::with_story();
    let ledger = scene.open();
    let at = |text: &str| ledger.last_before(text.parse::<Timestamp>().unwrap()).unwrap();
    // Entry 1 was made just now, later than what the story tells of.
    assert_eq!(at("2026-03-02T10:00:00Z"), None);
    scene.by_hand("UPDATE entries SET time = '2026-03-01T00:00:00.000000000Z' WHERE sequence = 1");
    assert_eq!(at("2026-03-01T00:00:00Z"), None);
    assert_eq!(at("2026-03-02T10:00:00Z"), Some(6));
    assert_eq!(at("2026-03-02T10:01:10Z"), Some(7));
    assert_eq!(at("2027-01-01T00:00:00Z"), Some(story().len() as u64 + 1));
}

#[test]
fn checkpoints_go_on_vouching_after_retention() {
    let scene = Scene::with_story();
    let mut ledger = scene.open();
    let key = CheckpointKey::open(&scene.folder.path().join("keys/ledger.key")).unwrap();
    let early = ledger.checkpoint(&key, Timestamp::now()).unwrap();
    ledger.append(&story()).unwrap();
    let late = ledger.checkpoint(&key, Timestamp::now()).unwrap();
    ledger.retire(early.checkpoint.sequence + 3, &folder(&scene)).unwrap();
    let public = PublicKey::parse(&fs::read_to_string(key.public_path()).unwrap()).unwrap();
    let lines = format!("{}\n{}\n", early.line, late.line);
    let verifier =
        Verifier { keys: vec![public], checkpoints: vec![("elsewhere".to_owned(), lines)], ..Verifier::default() };
    let found = verifier.verify(&scene.read()).unwrap();
    assert_eq!((found.broken.clone(), found.anchored()), (None, late.checkpoint.sequence));
    let checkpoints = scene.folder.path().join("checkpoints");
    fs::write(&checkpoints, &late.line).unwrap();
    let exported: &Path = &folder(&scene).join(format!("ledger-1-{}.jsonl", early.checkpoint.sequence + 3));
    let (fine, text) = python(&[exported, &scene.path()], Some(&checkpoints));
    assert!(fine, "{text}");
    // The checkpoint of what was retired speaks of the file that it went to.
    let found = verifier.verify_exported(exported).unwrap();
    assert_eq!((found.broken, found.anchors.len(), found.anchors[0].upto), (None, 1, early.checkpoint.sequence));
    // A damaged line of that place is told beside it.
    let mut damaged = verifier.clone();
    damaged.checkpoints[0].1.insert_str(0, "Nothing\n");
    let found = damaged.verify_exported(exported).unwrap();
    assert_eq!((found.broken, found.anchors.len(), found.unbelieved.len()), (None, 1, 1));
    forge(exported);
    assert_eq!(verify_export(exported).unwrap().broken, None, "by itself it is whole");
    let broken = verifier.verify_exported(exported).unwrap().broken.expect("the checkpoint says otherwise");
    assert_eq!((broken.sequence, broken.flaw.code()), (early.checkpoint.sequence, "other-than-checkpoint"));
}

/// Edits an exported file as whoever owns it can: with everything hashed anew.
fn forge(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let (head, entries) = text.split_once('\n').unwrap();
    let mut hash = Hash::ZERO;
    let mut forged = String::new();
    for line in entries.lines() {
        let body = line[8..line.len() - 75].replace("refuse", "pass");
        hash = hash.next(body.as_bytes());
        forged += &format!("{{\"body\":{body},\"hash\":\"{hash}\"}}\n");
    }
    let at = head.find("\"head\":\"").unwrap() + 8;
    fs::write(file, format!("{}{hash}{}\n{forged}", &head[..at], &head[at + 64..])).unwrap();
}
