//! Checkpoints: what the owner of the database can do unnoticed, and what is noticed with a checkpoint that lies elsewhere.

use crate::damage::recompute;
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

    fn verifier(&self) -> Verifier {
        let key = fs::read_to_string(self.key.public_path()).unwrap();
        let lines = fs::read_to_string(self.scene.folder.path().join("checkpoints")).unwrap();
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
    let Some(Broken { sequence: 1, flaw: Flaw::Checkpoint { why, .. } }) = found.broken else { panic!("{found:?}") };
    assert_eq!(why, "another key signed it");
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
    assert!(anchored.verify().broken.is_some(), "the new one alone does not do");
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
