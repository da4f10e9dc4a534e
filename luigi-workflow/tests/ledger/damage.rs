//! What somebody with `sqlite3` can do to a ledger, and what verification says to it.

use crate::{Scene, story};
use luigi_workflow::ledger::{Broken, Flaw, Hash};

/// Damages a ledger that has the story; the first bad entry is the one named, for the reason given.
fn check(sql: &str, sequence: u64, flaw: Flaw) {
    let scene = Scene::with_story();
    assert_eq!(scene.verify().broken, None);
    scene.by_hand(sql);
    let found = scene.verify();
    assert_eq!(found.broken, Some(Broken { sequence, flaw }), "{sql}");
}

#[test]
fn what_is_edited_deleted_swapped_or_inserted_is_found() {
    let last = story().len() as u64 + 1;
    // Another outcome, another person, one byte of a time: a body that was edited.
    check("UPDATE entries SET body = replace(body, 'refuse', 'pass') WHERE sequence = 6", 6, Flaw::Hash);
    check("UPDATE entries SET body = replace(body, 'anna', 'emma') WHERE sequence = 9", 9, Flaw::Hash);
    check("UPDATE entries SET body = replace(body, '10:20:00', '10:20:01') WHERE sequence = 18", 18, Flaw::Hash);
    check("UPDATE entries SET body = '' WHERE sequence = 18", 18, Flaw::Hash);
    check("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 7", 7, Flaw::Hash);
    check("UPDATE entries SET hash = x'00' WHERE sequence = 7", 7, Flaw::Hash);
    check(
        "UPDATE entries SET hash = zeroblob(32) WHERE sequence = (SELECT max(sequence) FROM entries)",
        last,
        Flaw::Hash,
    );
    // Entries that are gone.
    check("DELETE FROM entries WHERE sequence = 5", 5, Flaw::Gap { found: 6 });
    check("DELETE FROM entries WHERE sequence BETWEEN 5 AND 9", 5, Flaw::Gap { found: 10 });
    check("DELETE FROM entries WHERE sequence < 10", 10, Flaw::BeginningGone);
    check(
        "DELETE FROM entries WHERE sequence = 5; UPDATE entries SET sequence = sequence - 1 WHERE sequence > 5",
        5,
        Flaw::Reordered { body: 6 },
    );
    // Entries where no chain looks, and everybody else does.
    for (at, named) in [(0, 0), (-7, 0)] {
        check(
            &format!(
                "INSERT INTO entries SELECT {at}, time, kind, evaluation, request, grant_id, body, hash FROM entries WHERE sequence = 6"
            ),
            named,
            Flaw::BeforeChain,
        );
    }
    // Two that changed places, with their hashes and without.
    let swap = |columns: &str| {
        format!(
            "UPDATE entries SET ({columns}) = (SELECT {columns} FROM entries AS other WHERE other.sequence = 17 - entries.sequence) WHERE sequence IN (8, 9)"
        )
    };
    check(&swap("body"), 8, Flaw::Reordered { body: 9 });
    check(&swap("time, kind, evaluation, request, grant_id, body, hash"), 8, Flaw::Reordered { body: 9 });
    // One more in between, and one more at the end that nobody chained.
    check(
        "UPDATE entries SET sequence = -sequence WHERE sequence > 9; UPDATE entries SET sequence = 1 - sequence WHERE sequence < 0;
         INSERT INTO entries SELECT 10, time, kind, evaluation, request, grant_id, body, hash FROM entries WHERE sequence = 9",
        10,
        Flaw::Reordered { body: 9 },
    );
    check(
        "INSERT INTO entries SELECT 1 + max(sequence), time, kind, evaluation, request, grant_id, body, hash FROM entries",
        last + 1,
        Flaw::Reordered { body: last },
    );
    // Columns that entries are found by.
    for (set, sequence, column) in [
        ("time = '2026-03-02T10:00:00.000000000Z'", 6, "time"),
        ("kind = 'response'", 6, "kind"),
        ("evaluation = NULL", 6, "evaluation"),
        ("evaluation = 'x'", 2, "evaluation"),
        ("request = 'req-2'", 8, "request"),
        ("grant_id = NULL", 10, "grant_id"),
    ] {
        check(&format!("UPDATE entries SET {set} WHERE sequence = {sequence}"), sequence, Flaw::Column(column));
    }
    check("DELETE FROM entries", 1, Flaw::Unreadable("the ledger has no entries".to_owned()));
}

/// Bodies whose bytes are changed, one after the other.
#[test]
fn no_byte_of_a_body_can_be_another() {
    let scene = Scene::with_story();
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let bodies: Vec<(i64, Vec<u8>)> = {
        let mut statement = connection.prepare("SELECT sequence, CAST(body AS BLOB) FROM entries").unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let reader = scene.read();
    let mut faults = 0;
    for (sequence, body) in &bodies {
        // A stride that visits every part of a body and each byte of the shorter ones.
        for index in (0..body.len()).step_by(1 + body.len() / 200) {
            let mut changed = body.clone();
            changed[index] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            connection.execute("UPDATE entries SET body = ?1 WHERE sequence = ?2", (&changed, sequence)).unwrap();
            let found = luigi_workflow::ledger::Verifier::default().verify(&reader).unwrap();
            let broken = found.broken.unwrap_or_else(|| panic!("not found: {changed}"));
            assert_eq!(i64::try_from(broken.sequence), Ok(*sequence), "{changed}");
            faults += 1;
        }
        connection.execute("UPDATE entries SET body = CAST(?1 AS TEXT) WHERE sequence = ?2", (body, sequence)).unwrap();
    }
    assert_eq!(scene.verify().broken, None, "everything was put back");
    println!("bytes changed and found: {faults}");
    assert!(faults > 2_000, "{faults}");
}

/// Whoever can recompute the chain leaves one that is consistent: that is what checkpoints are for.
#[test]
fn a_chain_that_was_recomputed_is_consistent_and_anchored_by_nobody() {
    let scene = Scene::with_story();
    recompute(&scene, 6, |body| body.replace("refuse", "pass"));
    let found = scene.verify();
    assert_eq!((found.broken.clone(), found.anchored(), found.signed), (None, 0, 0));
}

/// Edits a body as the owner of the database can: with everything that follows hashed anew.
pub(crate) fn recompute(scene: &Scene, sequence: i64, edit: impl Fn(&str) -> String) {
    let connection = rusqlite::Connection::open(scene.path()).unwrap();
    let mut hash = Hash::ZERO;
    let last: i64 = connection.query_row("SELECT max(sequence) FROM entries", [], |row| row.get(0)).unwrap();
    for at in 1..=last {
        let mut body: String =
            connection.query_row("SELECT body FROM entries WHERE sequence = ?1", [at], |row| row.get(0)).unwrap();
        if at == sequence {
            let edited = edit(&body);
            assert_ne!(edited, body);
            body = edited;
        }
        hash = hash.next(body.as_bytes());
        connection
            .execute(
                "UPDATE entries SET body = ?1, hash = ?2 WHERE sequence = ?3",
                (&body, hash.as_bytes().as_slice(), at),
            )
            .unwrap();
    }
}

/// An index that is another table's, so that nobody finds an entry by its evaluation that is there and in the chain.
#[test]
fn an_entry_that_its_index_lacks_is_found() {
    let scene = Scene::with_story();
    scene.by_hand(
        "CREATE TABLE other (sequence INTEGER PRIMARY KEY, evaluation TEXT);
         INSERT INTO other SELECT sequence, evaluation FROM entries WHERE sequence <> 6;
         CREATE INDEX others ON other (evaluation) WHERE evaluation IS NOT NULL;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'others') WHERE name = 'entries_by_evaluation';
         DELETE FROM sqlite_schema WHERE name IN ('other', 'others');",
    );
    let broken = scene.verify().broken.expect("it is broken");
    assert_eq!((broken.sequence, broken.flaw.code()), (6, "index"), "{}", broken.flaw);
}

/// Without any key, too.
#[test]
fn an_end_that_is_gone_is_missed_by_the_ledgers_own_checkpoint() {
    let last = story().len() as u64 + 1;
    check(
        "INSERT INTO checkpoints SELECT max(sequence), 'whatever' FROM entries; DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
        last,
        Flaw::Truncated { checkpoint: last, source: "the ledger itself".to_owned() },
    );
}

#[test]
fn a_database_with_anything_that_is_not_a_ledgers_is_not_read_and_not_appended_to() {
    for (sql, named) in [
        ("CREATE TRIGGER mine BEFORE INSERT ON entries BEGIN SELECT raise(IGNORE); END", "trigger `mine`"),
        (
            "CREATE TABLE other AS SELECT * FROM entries; DROP TABLE entries; CREATE VIEW entries AS SELECT * FROM other WHERE kind <> 'disclosure'",
            "`entries",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON entries BEGIN SELECT raise(IGNORE); END; PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET name = 'sqlite_stat1', sql = replace(sql, 'mine', 'sqlite_stat1') WHERE name = 'mine'",
            "trigger `sqlite_stat1`",
        ),
        ("DROP INDEX entries_by_time", "index `entries_by_time`"),
        (
            "DROP INDEX entries_by_time; CREATE INDEX entries_by_time ON entries (time) WHERE sequence > 3",
            "index `entries_by_time`",
        ),
    ] {
        let scene = Scene::with_story();
        scene.by_hand(sql);
        for error in scene.refusals() {
            assert!(error.contains("was changed by hand") && error.contains(named), "{sql}: {error}");
        }
    }
    // What helps SQLite to plan is nobody's business.
    let scene = Scene::with_story();
    scene.by_hand("ANALYZE");
    assert_eq!(scene.verify().broken, None);
}
