//! The verifier in Python, which shares nothing with ours but the documented format, says the same.

use crate::Scene;
use crate::damage::recompute;
use luigi_workflow::ledger::Verification;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether `examples/verify-ledger.py` finds nothing wrong, and what it prints.
pub(crate) fn python(files: &[&Path], checkpoints: Option<&Path>) -> (bool, String) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/verify-ledger.py");
    let mut command = Command::new("python3");
    command.arg(script).args(files);
    if let Some(path) = checkpoints {
        command.arg("--checkpoints").arg(path);
    }
    let output = command.output().expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn it_finds_what_ours_finds() {
    let scene = Scene::with_story();
    let found = scene.verify();
    let (fine, text) = python(&[&scene.path()], None);
    assert!(fine && text.contains(&format!("entries 1 to {}, head {}", found.last, found.head)), "{text}");

    for (sql, expected) in [
        ("UPDATE entries SET body = replace(body, 'refuse', 'pass') WHERE sequence = 6", "broken at 6: hash"),
        ("DELETE FROM entries WHERE sequence = 6", "broken at 6: it is missing"),
        ("DELETE FROM entries WHERE sequence < 6", "broken at 1: it is missing"),
        ("UPDATE entries SET evaluation = 'x' WHERE sequence = 6", "broken at 6: a column differs"),
        ("UPDATE entries SET body = 'x' WHERE sequence = 1", "broken at 1: hash"),
        ("DELETE FROM entries", "broken at 1: there are no entries"),
        (
            "INSERT INTO entries SELECT 0, time, kind, evaluation, request, grant_id, body, hash FROM entries WHERE sequence = 6",
            "broken at 1",
        ),
        (
            "DELETE FROM entries WHERE sequence < 6; INSERT INTO retired SELECT 1, 5, 9, zeroblob(32)",
            "broken at 6: hash",
        ),
    ] {
        let scene = Scene::with_story();
        scene.by_hand(sql);
        let (fine, text) = python(&[&scene.path()], None);
        assert!(!fine && text.contains(expected), "{sql}: {text}");
        assert_ne!(scene.verify().broken, None);
    }
}

/// Both say that a ledger whose beginning is gone needs an entry that says so.
#[test]
fn a_beginning_that_is_gone_must_be_on_record() {
    let scene = Scene::with_story();
    scene.by_hand(
        "INSERT INTO retired SELECT 1, sequence, 9, hash FROM entries WHERE sequence = 5; DELETE FROM entries WHERE sequence < 6",
    );
    let (fine, text) = python(&[&scene.path()], None);
    assert!(!fine && text.contains("no entry says"), "{text}");
    let broken = scene.verify().broken.expect("ours finds it, too");
    assert_eq!((broken.sequence, broken.flaw.code()), (6, "beginning-gone"));
}

#[test]
fn it_compares_checkpoints() {
    let scene = Scene::with_story();
    let found = scene.verify();
    let line = |found: &Verification| {
        let (key, ledger, signature) = ("0".repeat(16), "0".repeat(32), "x".repeat(86));
        format!("luigi-checkpoint 1 ed25519 {key} {ledger} {} {} 2026 {signature}\n", found.last, found.head)
    };
    let checkpoints = scene.folder.path().join("checkpoints");
    std::fs::write(&checkpoints, line(&found)).unwrap();
    assert!(python(&[&scene.path()], Some(&checkpoints)).0);
    recompute(&scene, 6, |body| body.replace("refuse", "pass"));
    assert!(python(&[&scene.path()], None).0, "by itself it is consistent");
    let (fine, text) = python(&[&scene.path()], Some(&checkpoints));
    assert!(
        !fine && text.contains(&format!("broken at {}: another hash than in the checkpoint", found.last)),
        "{text}"
    );
    // Whoever rewrites history goes on signing it: the place then has two that contradict each other.
    let rewritten = scene.verify();
    std::fs::write(&checkpoints, std::fs::read_to_string(&checkpoints).unwrap() + &line(&rewritten)).unwrap();
    let (fine, text) = python(&[&scene.path()], Some(&checkpoints));
    assert!(!fine && text.contains("another hash than in the checkpoint"), "{text}");
    scene.by_hand("DELETE FROM entries WHERE sequence > 20");
    let (fine, text) = python(&[&scene.path()], Some(&checkpoints));
    assert!(!fine && text.contains("broken at 21: it is missing, a checkpoint goes further"), "{text}");
}
