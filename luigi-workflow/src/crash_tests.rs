//! `apply` is cut short before each of its changes to the disk, one after the other: an engine always opens on one whole version, and the
//! next `apply` succeeds.

use crate::apply::{Applied, ApplyError, ApplyRequest, OnOtherEnvironment, apply_with};
use crate::disk::Change;
use luigi_core::policy::diagnostics::Style;
use luigi_core::time::Timestamp;
use luigi_runtime::{Engine, EngineConfig};
use std::io;
use std::path::Path;
use tempfile::TempDir;

const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "KID", "use": "sig",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn policy(number: u64) -> String {
    format!(
        r#"schema = 1
[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]
default = true
[scopes.open]
hosts = "any"
operations = ["GET /open"]
[[rules]]
id = "open-{number}"
effect = "allow"
scopes = ["open"]
subject = "anyone"
"#
    )
}

/// Applies the policy and keys of this number; the change with the number `fails` is not made, nor is any after it.
fn run(dir: &Path, number: u64, fails: Option<usize>) -> (Result<Applied, ApplyError>, Vec<Change>) {
    std::fs::write(dir.join("policy.toml"), policy(number)).unwrap();
    std::fs::write(dir.join("keys.jwks"), KEYS.replace("KID", &number.to_string())).unwrap();
    let request = ApplyRequest {
        policy: dir.join("policy.toml"),
        feed: dir.join("feed"),
        environment: None,
        on_other_environment: OnOtherEnvironment::Refuse,
        jwks: vec![("corp".to_owned(), dir.join("keys.jwks"))],
        mode: None,
        key: dir.join("state/signing.key"),
        style: Style::PLAIN,
    };
    let mut changes = Vec::new();
    let mut before = |change| {
        if fails.is_some_and(|at| changes.len() >= at) {
            return Err(io::Error::other("the power failed"));
        }
        changes.push(change);
        Ok(())
    };
    let result = apply_with(&request, &mut before, Timestamp::from_unix_seconds(1_772_442_000));
    (result, changes)
}

/// The number of the version that an engine opens on.
fn version(dir: &Path) -> Result<u64, String> {
    let config = EngineConfig::feed(dir.join("feed"), dir.join("state/signing.pub"));
    let version = Engine::open(&config).map_err(|error| error.to_string())?.version();
    let (_, rule) = version.policy().rules.iter().next().unwrap();
    let number = rule.name.trim_start_matches("open-").parse().unwrap();
    assert_eq!(version.trust().issuers().collect::<Vec<_>>(), [("corp", Some(1))], "with its keys");
    assert_eq!(version.generation(), number);
    Ok(number)
}

#[test]
fn a_crash_at_any_step_leaves_one_whole_version() {
    let all = {
        let dir = TempDir::new().unwrap();
        run(dir.path(), 1, None).0.unwrap();
        run(dir.path(), 2, None).0.unwrap();
        let (applied, changes) = run(dir.path(), 3, None);
        applied.unwrap();
        assert_eq!(version(dir.path()), Ok(3));
        changes
    };
    // Two files and the manifest are put; what only the first generation needs is removed.
    let count = |change| all.iter().filter(|made| **made == change).count();
    assert_eq!([Change::Create, Change::Write, Change::SyncFile, Change::Rename].map(count), [3; 4], "{all:?}");
    assert_eq!([Change::SyncDirectory, Change::Remove].map(count), [2, 2], "{all:?}");
    let renamed = all.iter().rposition(|change| *change == Change::Rename).unwrap();

    for fails in 0..all.len() {
        let dir = TempDir::new().unwrap();
        run(dir.path(), 1, None).0.unwrap();
        run(dir.path(), 2, None).0.unwrap();
        let (result, made) = run(dir.path(), 3, Some(fails));
        assert_eq!(made, all[..fails]);
        let expected = if fails <= renamed { 2 } else { 3 };
        assert_eq!(version(dir.path()), Ok(expected), "before change {fails}, {:?}", all[fails]);
        match result {
            // What comes after the renaming of the manifest may fail without failing the whole.
            Ok(applied) => assert!(fails > renamed && applied.warnings.iter().any(|w| w.contains("power failed"))),
            Err(error) => assert!(fails <= renamed && error.to_string().contains("power failed"), "{error}"),
        }
        let next = expected + 1;
        run(dir.path(), next, None).0.unwrap();
        assert_eq!(version(dir.path()), Ok(next), "after a crash before change {fails}");
        let names = std::fs::read_dir(dir.path().join("feed")).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.as_encoded_bytes().starts_with(b".new-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_crash_of_the_first_apply_leaves_no_version_or_a_whole_one() {
    let all = {
        let dir = TempDir::new().unwrap();
        let (applied, changes) = run(dir.path(), 1, None);
        applied.unwrap();
        changes
    };
    let renamed = all.iter().rposition(|change| *change == Change::Rename).unwrap();
    for fails in 0..all.len() {
        let dir = TempDir::new().unwrap();
        let (_, made) = run(dir.path(), 1, Some(fails));
        assert_eq!(made, all[..fails]);
        let opened = version(dir.path());
        assert_eq!(opened.is_ok(), fails > renamed, "before change {fails}, {:?}: {opened:?}", all[fails]);
        let (applied, _) = run(dir.path(), if fails > renamed { 2 } else { 1 }, None);
        applied.unwrap();
        version(dir.path()).unwrap();
    }
}
