//! Appending, owning, and what a spool that is read twice comes to.

use crate::{Scene, entries, story};
use luigi_workflow::ledger::{
    Event, Hash, Kind, Ledger, LedgerMade, NewEntry, Reader, Retired, SpoolRecord, append_beside,
};
use std::collections::BTreeSet;

#[test]
fn every_kind_reads_back_as_it_was_written() {
    let made = Event::LedgerMade(LedgerMade { ledger: "00".repeat(16), tool: "luigi".to_owned() });
    let retired = Retired {
        ledger: "00".repeat(16),
        first: 1,
        last: 9,
        previous: Hash::ZERO.to_string(),
        head: Hash::ZERO.to_string(),
        file: "ledger-1-9.jsonl".to_owned(),
        sha256: "00".repeat(32),
    };
    let mut all = story();
    all.extend([made, Event::Retired(retired)].map(NewEntry::now));
    let kinds: BTreeSet<Kind> = all.iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, BTreeSet::from(Kind::ALL), "the story has every kind");

    let scene = Scene::new();
    let head = scene.open().append(&all).unwrap();
    assert_eq!(head.sequence, all.len() as u64 + 1);
    let read = entries(&scene.read());
    for (number, (entry, appended)) in read.iter().skip(1).zip(&all).enumerate() {
        assert_eq!(entry.sequence, number as u64 + 2);
        assert_eq!((entry.time, &entry.event), (appended.time, &appended.event));
        let word = serde_json::to_value(&appended.event).unwrap()["kind"].clone();
        assert_eq!(word, appended.event.kind().as_str());
        assert_eq!(Kind::parse(appended.event.kind().as_str()), Some(appended.event.kind()));
    }
    let found = scene.verify();
    assert_eq!((found.broken, found.entries, found.head), (None, head.sequence, head.hash));
}

#[test]
fn the_bytes_of_the_first_entries_are_those_of_the_documented_format() {
    let scene = Scene::with_story();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let row = |sequence: i64| -> (String, Vec<u8>) {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.query_row("SELECT body, hash FROM entries WHERE sequence = ?1", [sequence], read).unwrap()
    };
    let (first, hash) = row(1);
    let mut hashed = b"luigi-ledger/1\n".to_vec();
    hashed.extend([0; 32]);
    hashed.extend(first.as_bytes());
    assert_eq!(ring::digest::digest(&ring::digest::SHA256, &hashed).as_ref(), hash);
    let (second, next) = row(2);
    assert_eq!(
        second,
        r#"{"event":{"node":"edge-1","process":4712,"tool":"luigi 0.1.0"},"kind":"daemon-started","sequence":2,"time":"2026-03-02T08:55:00.000000000Z"}"#
    );
    let mut hashed = b"luigi-ledger/1\n".to_vec();
    hashed.extend(&hash);
    hashed.extend(second.as_bytes());
    assert_eq!(ring::digest::digest(&ring::digest::SHA256, &hashed).as_ref(), next);
}

#[test]
fn a_batch_is_appended_whole_or_not_at_all() {
    let scene = Scene::with_story();
    let mut ledger = scene.open();
    let before = ledger.head().unwrap();
    let mut batch = story();
    // 2^53: not every reader of JSON holds it.
    batch.push(NewEntry::now(
        serde_json::from_str(
            r#"{"kind": "records-lost", "event": {"count": 9007199254740992, "place": "x", "reason": "y"}}"#,
        )
        .unwrap(),
    ));
    let error = ledger.append(&batch).unwrap_err();
    assert!(error.is_usage(), "{error}");
    assert_eq!(ledger.head().unwrap(), before);
    assert_eq!(scene.verify().last, before.sequence);
}

#[test]
fn a_second_owner_is_refused_and_told_who_is_the_first() {
    let scene = Scene::new();
    let ledger = scene.open();
    let error = Ledger::open(&scene.path()).unwrap_err();
    assert!(error.is_owned());
    let (text, process) = (error.to_string(), std::process::id());
    assert!(text.contains(&format!("is owned by process {process} since 20")), "{text}");
    // Commands put on record what they do, whoever owns the ledger.
    append_beside(&scene.path(), &story()[..1]).unwrap();
    drop(ledger);
    assert_eq!(scene.open().head().unwrap().sequence, 2);
    assert_eq!(scene.verify().broken, None);
}

#[test]
fn appends_of_owner_and_commands_make_one_chain() {
    const EACH: usize = 40;
    let scene = Scene::new();
    let mut ledger = scene.open();
    let (path, entry) = (scene.path(), story().remove(0));
    let beside = std::thread::spawn({
        let entry = entry.clone();
        move || {
            for _ in 0..EACH {
                append_beside(&path, std::slice::from_ref(&entry)).unwrap();
            }
        }
    });
    for _ in 0..EACH {
        ledger.append(std::slice::from_ref(&entry)).unwrap();
    }
    beside.join().unwrap();
    let found = scene.verify();
    assert_eq!((found.broken, found.entries), (None, 2 * EACH as u64 + 1));
}

#[test]
fn a_segment_that_is_read_again_is_in_the_ledger_once() {
    let scene = Scene::new();
    let mut ledger = scene.open();
    let records: Vec<SpoolRecord> = (1..=10).map(|n| SpoolRecord { end: n * 100, entry: story().remove(4) }).collect();
    let count = |ledger: &Ledger| ledger.head().unwrap().sequence - 1;
    ledger.append_from_spool("a", &records[..4], 400).unwrap();
    assert_eq!((count(&ledger), ledger.spool_position("a").unwrap()), (4, Some(400)));
    // The daemon was killed before it heard of the commit, and reads the same again.
    ledger.append_from_spool("a", &records[..4], 400).unwrap();
    assert_eq!(count(&ledger), 4);
    // Or it begins earlier and gets further.
    ledger.append_from_spool("a", &records[2..7], 700).unwrap();
    assert_eq!((count(&ledger), ledger.spool_position("a").unwrap()), (7, Some(700)));
    // A position never goes back.
    ledger.append_from_spool("a", &records[..1], 100).unwrap();
    assert_eq!((count(&ledger), ledger.spool_position("a").unwrap()), (7, Some(700)));
    // Another segment is another matter, and so is a stretch without records.
    ledger.append_from_spool("b", &records[..1], 100).unwrap();
    ledger.append_from_spool("b", &[], 250).unwrap();
    assert_eq!((count(&ledger), ledger.spool_position("b").unwrap()), (8, Some(250)));
    assert!(ledger.append_from_spool("b", &records[5..6], 300).unwrap_err().is_usage());
    assert_eq!(ledger.segments().unwrap(), ["a", "b"]);
    ledger.forget_segments(&["a"]).unwrap();
    assert_eq!((ledger.spool_position("a").unwrap(), count(&ledger)), (None, 8));
    assert_eq!(scene.verify().broken, None);
}

#[test]
fn what_is_no_ledger_is_refused() {
    let scene = Scene::new();
    let path = scene.path();
    assert!(Reader::open(&path).unwrap_err().is_missing());
    assert!(append_beside(&path, &story()).unwrap_err().is_missing());
    assert!(!path.exists(), "asking does not make one");

    std::fs::write(&path, "schema = 1\n".repeat(1000)).unwrap();
    for error in [Reader::open(&path).unwrap_err(), Ledger::open(&path).unwrap_err()] {
        assert!(error.is_content() && error.to_string().contains("no SQLite database"), "{error}");
    }
    std::fs::write(&path, "").unwrap();
    let error = Reader::open(&path).unwrap_err();
    assert!(error.is_content() && error.to_string().contains("it is empty"), "{error}");

    std::fs::remove_file(&path).unwrap();
    scene.by_hand("CREATE TABLE somebody_elses (a);");
    for error in [Reader::open(&path).unwrap_err(), Ledger::open(&path).unwrap_err()] {
        assert!(error.is_content() && error.to_string().contains("another program"), "{error}");
    }
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let scene = Scene::with_story();
    scene.by_hand("INSERT INTO schema_version VALUES (3, 'later', 'luigi 9')");
    for error in [Reader::open(&scene.path()).unwrap_err(), Ledger::open(&scene.path()).unwrap_err()] {
        assert!(error.is_content() && error.to_string().contains("has version 3 of the schema"), "{error}");
    }
}

#[test]
fn its_files_are_closed_to_strangers() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::with_story();
    let _open = scene.open();
    for entry in std::fs::read_dir(scene.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "{:?}", entry.file_name());
    }
}
