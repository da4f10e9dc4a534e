//! Checkpoints: what the owner of the database can do unnoticed, and what is noticed with a checkpoint that lies elsewhere.

use crate::damage::recompute;
use crate::python::python;
use crate::{Scene, story};
use jiff::{SignedDuration, Timestamp};
use luigi_runtime::feed::PublicKey;
use luigi_workflow::ledger::{
    Anchor, Broken, Cadence, CheckpointKey, Flaw, Hash, Head, Ledger, Reader, Sink, Verification, Verifier,
};
use std::fs;

/// A ledger whose checkpoints go to a file.
struct Anchored {
    scene: Scene,
    key: CheckpointKey,
    sink: Sink,
}

impl Anchored {
    /// The story, with a checkpoint of its entry 10 and one of its last.
    fn new() -> Self {
        let scene = Scene::new();
        let key = CheckpointKey::open(&scene.folder.path().join("keys/ledger.key")).unwrap();
        let sink = Sink::File(scene.folder.path().join("checkpoints"));
        let anchored = Self { scene, key, sink };
        let mut ledger = anchored.scene.open();
        for part in [&story()[..9], &story()[9..]] {
            ledger.append(part).unwrap();
            anchored.checkpoint(&mut ledger);
        }
        anchored
    }

    fn checkpoint(&self, ledger: &mut Ledger) {
        let made = ledger.checkpoint(&self.key, Timestamp::now()).unwrap();
        assert!(made.send(std::slice::from_ref(&self.sink)).is_empty());
    }

    fn lines(&self) -> String {
        fs::read_to_string(self.scene.folder.path().join("checkpoints")).unwrap()
    }

    fn verifier(&self) -> Verifier {
        let key = fs::read_to_string(self.key.public_path()).unwrap();
        let lines = self.lines();
        Verifier {
            keys: vec![PublicKey::parse(&key).unwrap()],
            checkpoints: vec![("elsewhere".to_owned(), lines)],
            ..Verifier::default()
        }
    }

    fn verify(&self) -> Verification {
        self.verifier().verify(&self.scene.read()).unwrap()
    }

    fn broken(&self, sequence: u64, flaw: &Flaw) {
        assert_eq!(self.verify().broken, Some(Broken { sequence, flaw: flaw.clone() }));
    }
}

const ELSEWHERE: &str = "elsewhere";

#[test]
fn checkpoints_elsewhere_vouch_for_what_they_cover() {
    let anchored = Anchored::new();
    let last = story().len() as u64 + 1;
    let found = anchored.verify();
    assert_eq!(found.broken, None);
    assert_eq!(found.anchors, [Anchor { source: ELSEWHERE.to_owned(), upto: last }]);
    assert_eq!((found.anchored(), found.signed), (last, last));
    // What came after the last checkpoint nobody vouches for yet.
    anchored.scene.open().append(&story()).unwrap();
    let found = anchored.verify();
    assert_eq!((found.broken.clone(), found.anchored()), (None, last));
    assert!(found.last > last);
    // Without them the ledger's own say no more than that somebody with its key signed it.
    let alone = Verifier { checkpoints: Vec::new(), ..anchored.verifier() }.verify(&anchored.scene.read()).unwrap();
    assert_eq!((alone.anchored(), alone.signed), (0, last));
}

#[test]
fn rewritten_history_differs_from_the_next_checkpoint() {
    let anchored = Anchored::new();
    anchored.scene.by_hand("DELETE FROM checkpoints");
    recompute(&anchored.scene, 6, |body| body.replace("refuse", "pass"));
    assert_eq!(anchored.scene.verify().broken, None, "by itself it is consistent");
    anchored.broken(10, &Flaw::OtherThanCheckpoint { source: ELSEWHERE.to_owned() });
}

#[test]
fn an_end_that_was_cut_off_is_behind_a_checkpoint() {
    let anchored = Anchored::new();
    anchored.scene.by_hand("DELETE FROM checkpoints; DELETE FROM entries WHERE sequence > 12");
    assert_eq!(anchored.scene.verify().broken, None, "by itself it is consistent");
    let checkpoint = story().len() as u64 + 1;
    anchored.broken(13, &Flaw::Truncated { checkpoint, source: ELSEWHERE.to_owned() });
    // Who cuts off entries and forgets the ledger's own checkpoints needs no other.
    let careless = Anchored::new();
    careless.scene.by_hand("DELETE FROM entries WHERE sequence > 12");
    let alone = Verifier { checkpoints: Vec::new(), ..careless.verifier() }.verify(&careless.scene.read()).unwrap();
    let flaw = Flaw::Truncated { checkpoint, source: "the ledger itself".to_owned() };
    assert_eq!(alone.broken, Some(Broken { sequence: 13, flaw }));
}

#[test]
fn an_older_copy_put_back_is_behind_a_checkpoint() {
    let anchored = Anchored::new();
    let copy = anchored.scene.folder.path().join("copy.db");
    anchored.scene.by_hand(&format!("VACUUM INTO '{}'", copy.display()));
    let before = anchored.verify().last;
    let mut ledger = anchored.scene.open();
    ledger.append(&story()).unwrap();
    anchored.checkpoint(&mut ledger);
    drop(ledger);
    for ending in ["-wal", "-shm"] {
        fs::remove_file(anchored.scene.folder.path().join(format!("ledger.db{ending}"))).ok();
    }
    fs::rename(&copy, anchored.scene.path()).unwrap();
    assert_eq!(anchored.scene.verify().broken, None, "the copy is whole");
    let checkpoint = before + story().len() as u64;
    anchored.broken(before + 1, &Flaw::Truncated { checkpoint, source: ELSEWHERE.to_owned() });
}

#[test]
fn a_ledger_that_was_made_anew_is_another_one() {
    let anchored = Anchored::new();
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(anchored.scene.folder.path().join(format!("ledger.db{ending}"))).ok();
    }
    anchored.scene.open().append(&story()).unwrap();
    anchored.broken(1, &Flaw::OtherLedger { source: ELSEWHERE.to_owned() });
}

/// What is wrong with the first entry is said, though nobody can tell then which ledger it is.
#[test]
fn a_damaged_first_entry_makes_no_other_ledger() {
    for (sql, sequence, code) in [
        ("UPDATE entries SET body = 'x' WHERE sequence = 1", 1, "hash"),
        ("UPDATE entries SET body = replace(body, '\"ledger\":\"', '\"ledger\":\"0') WHERE sequence = 1", 1, "hash"),
        ("DELETE FROM entries WHERE sequence = 1", 2, "beginning-gone"),
        ("DELETE FROM entries", 1, "truncated"),
    ] {
        let anchored = Anchored::new();
        anchored.scene.by_hand(sql);
        let broken = anchored.verify().broken.expect("it is found");
        assert_eq!((broken.sequence, broken.flaw.code()), (sequence, code), "{sql}");
    }
}

/// The id is printed by whoever verifies, and stands in a body that the owner may have written.
#[test]
fn an_id_that_is_none_is_not_repeated() {
    let anchored = Anchored::new();
    recompute(&anchored.scene, 1, |body| body.replace("\"ledger\":\"", "\"ledger\":\"\\u001b[2J"));
    let found = anchored.scene.verify();
    assert_eq!((found.broken, found.ledger), (None, None));
    assert_eq!(anchored.verify().broken.map(|broken| broken.flaw.code()), Some("other-than-checkpoint"));
}

#[test]
fn checkpoints_of_another_key_are_not_believed() {
    let anchored = Anchored::new();
    let other = CheckpointKey::open(&anchored.scene.folder.path().join("keys/other.key")).unwrap();
    let key = PublicKey::parse(&fs::read_to_string(other.public_path()).unwrap()).unwrap();
    let found = Verifier { keys: vec![key], ..anchored.verifier() }.verify(&anchored.scene.read()).unwrap();
    assert_eq!((&found.broken, found.anchored(), found.signed), (&None, 0, 0));
    let told: Vec<String> = found.unbelieved.iter().map(ToString::to_string).collect();
    let own = "a checkpoint in the ledger itself: another key signed it";
    let elsewhere = |line| format!("elsewhere, line {line}: another key signed it");
    assert_eq!(told, [own.to_owned(), own.to_owned(), elsewhere(1), elsewhere(2)]);
    assert!(!found.is_fine());
}

/// What became of the place's lines: whether the result is fine, and up to where it is anchored, by ours and by the verifier in Python.
fn with_lines(anchored: &Anchored, lines: &str) -> (bool, u64, Vec<String>) {
    let verifier = Verifier { checkpoints: vec![(ELSEWHERE.to_owned(), lines.to_owned())], ..anchored.verifier() };
    let found = verifier.verify(&anchored.scene.read()).unwrap();
    assert_eq!(found.broken, None, "no entry is broken: {lines}");
    assert_eq!(found.entries, found.last, "each entry is verified: {lines}");
    let place = anchored.scene.folder.path().join("damaged");
    fs::write(&place, lines).unwrap();
    let (fine, text) = python(&[&anchored.scene.path()], Some(&place));
    assert_eq!(fine, found.is_fine(), "{lines}: {text}");
    assert!(text.contains(&format!("consistent, entries 1 to {}", found.last)), "{text}");
    for unbelieved in &found.unbelieved {
        let how = if unbelieved.is_damage() { "damaged" } else { "left out" };
        let told = format!("{}, line {}: {how}", place.display(), unbelieved.line.unwrap());
        assert!(text.contains(&told), "{told}: {text}");
    }
    assert_eq!(text.lines().filter(|line| line.contains(", line ")).count(), found.unbelieved.len(), "{text}");
    (found.is_fine(), found.anchored(), found.unbelieved.iter().map(ToString::to_string).collect())
}

/// The machine stopped while a checkpoint was appended: its beginning is said and left out, and what stands before it counts.
#[test]
fn a_last_checkpoint_that_was_not_written_to_its_end_is_left_out() {
    let anchored = Anchored::new();
    let lines = anchored.lines();
    let [first, second] = &lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    for end in (1..second.len()).step_by(7).chain([second.len() - 1]) {
        let told = vec!["elsewhere, line 2: it was not written to its end".to_owned()];
        let torn = &second[..end];
        assert_eq!(with_lines(&anchored, &format!("{first}\n{torn}")), (true, 10, told.clone()));
        assert_eq!(with_lines(&anchored, &format!("{first}\n{torn}\0\0\0")), (true, 10, told));
    }
    // The end of a line may be missing alone.
    let last = story().len() as u64 + 1;
    assert_eq!(with_lines(&anchored, &format!("{first}\n{second}")), (true, last, Vec::new()));
}

/// A line that is no beginning of one, or stands elsewhere, is damage: of the place and not of an entry.
#[test]
fn a_damaged_checkpoint_is_told_with_its_line_and_the_others_count() {
    let anchored = Anchored::new();
    let last = story().len() as u64 + 1;
    let lines = anchored.lines();
    let [first, second] = &lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    let told = |line: u64| vec![format!("elsewhere, line {line}: it is no checkpoint of format 1")];
    for damaged in ["Not\u{fffd}hing", &first[..40], &first[1..], &first.replace(' ', "\t")] {
        assert_eq!(with_lines(&anchored, &format!("{damaged}\n\n{second}\n")), (false, last, told(1)));
        assert_eq!(with_lines(&anchored, &format!("{first}\n\n{damaged}\n{second}")), (false, last, told(3)));
        assert_eq!(with_lines(&anchored, &format!("{first}\n{damaged}\n")), (false, 10, told(2)));
    }
    assert_eq!(with_lines(&anchored, &format!("{first}\nNothing")), (false, 10, told(2)));
    assert_eq!(with_lines(&anchored, &format!("{first}{second}\n")), (false, 0, told(1)));
    // Python does not look at signatures.
    let forged = first.replace(" 10 ", " 11 ");
    let checkpoints = vec![(ELSEWHERE.to_owned(), format!("{forged}\n{second}\n"))];
    let found = Verifier { checkpoints, ..anchored.verifier() }.verify(&anchored.scene.read()).unwrap();
    assert_eq!((&found.broken, found.anchored(), found.is_fine()), (&None, last, false));
    assert_eq!(found.unbelieved[0].to_string(), "elsewhere, line 1: its signature does not verify");
    // What is broken is told all the same.
    anchored.scene.by_hand("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 7");
    let checkpoints = vec![(ELSEWHERE.to_owned(), format!("Nothing\n{lines}"))];
    let found = Verifier { checkpoints, ..anchored.verifier() }.verify(&anchored.scene.read()).unwrap();
    assert_eq!(found.broken, Some(Broken { sequence: 7, flaw: Flaw::Hash }));
    assert_eq!(found.unbelieved.len(), 1);
}

/// The ledger's own checkpoints are in its owner's hands.
#[test]
fn a_damaged_checkpoint_in_the_ledger_is_told_and_the_others_count() {
    let anchored = Anchored::new();
    let last = story().len() as u64 + 1;
    for line in ["''", "'x'", "CAST(x'ff0a' AS TEXT)", "substr(line, 1, 60)"] {
        anchored.scene.by_hand(&format!("UPDATE checkpoints SET line = {line} WHERE sequence = 10"));
        let found = anchored.verify();
        assert_eq!((&found.broken, found.anchored(), found.signed, found.is_fine()), (&None, last, last, false));
        assert_eq!(
            found.unbelieved[0].to_string(),
            "a checkpoint in the ledger itself: it is no checkpoint of format 1",
            "{line}"
        );
    }
}

/// A key that was replaced goes on being believed for what it signed.
#[test]
fn checkpoints_of_an_older_key_count_if_it_is_given() {
    let mut anchored = Anchored::new();
    let old = anchored.verifier();
    anchored.key = CheckpointKey::open(&anchored.scene.folder.path().join("keys/new.key")).unwrap();
    let mut ledger = anchored.scene.open();
    ledger.append(&story()).unwrap();
    anchored.checkpoint(&mut ledger);
    let keys = [old.keys, anchored.verifier().keys].concat();
    let found = Verifier { keys, ..anchored.verifier() }.verify(&anchored.scene.read()).unwrap();
    assert_eq!((found.broken.clone(), found.anchored()), (None, found.last));
    assert!(!anchored.verify().is_fine(), "the new one alone does not do");
}

#[test]
fn a_place_that_takes_no_checkpoint_is_named() {
    let anchored = Anchored::new();
    let nowhere = Sink::File(anchored.scene.folder.path().join("no/such/folder"));
    let made = anchored.scene.open().checkpoint(&anchored.key, Timestamp::now()).unwrap();
    let [error] = &made.send(&[anchored.sink.clone(), nowhere.clone()])[..] else { panic!("one did not get there") };
    assert!(error.to_string().contains(&format!("cannot send a checkpoint to `{nowhere}`")), "{error}");
    let head = anchored.scene.open().append(&[luigi_workflow::ledger::not_sent(error)]).unwrap();
    let said = Reader::open(&anchored.scene.path()).unwrap().entry(head.sequence).unwrap().unwrap();
    assert!(said.body().unwrap().contains("no/such/folder"));
}

#[test]
fn checkpoints_are_due_after_so_many_entries_or_so_long() {
    let cadence = Cadence { entries: 100, interval: SignedDuration::from_secs(60) };
    let then = Timestamp::from_second(1_772_442_000).unwrap();
    let check = |new: u64, seconds: i64, expected: bool| {
        let head = Head { sequence: 500 + new, hash: Hash::ZERO };
        let now = then + SignedDuration::from_secs(seconds);
        assert_eq!(cadence.is_due(500, then, head, now), expected, "{new} entries, {seconds} s");
    };
    check(0, 3_600, false);
    check(1, 59, false);
    check(1, 60, true);
    check(99, 0, false);
    check(100, 0, true);
    check(1, -3_600, true);
}
