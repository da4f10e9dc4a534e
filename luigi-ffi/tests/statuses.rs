//! What the header says that a function returns is what it returns: the statuses of each function's documentation against those that the programs of `tests/c` make it give.

mod support;

use luigi_tests::feed::{Feed, numbered_policy};
use luigi_tests::installation::c_library;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use support::{Build, Workshop, run, shop, started, workspace};

/// The statuses that a comment names.
fn statuses(comment: &str) -> BTreeSet<String> {
    let names = comment.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    let names = names.filter_map(|name| name.strip_prefix("LUIGI_STATUS_"));
    names.map(|name| name.to_lowercase().replace('_', "-")).collect()
}

/// Each function that returns a status, with those behind `Returns` in its documentation.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let header = std::fs::read_to_string(workspace().join("include/luigi.h")).expect("the header");
    let mut found = BTreeMap::new();
    for (at, _) in header.match_indices("\nluigi_status luigi_") {
        let name = header[at + "\nluigi_status ".len()..].split('(').next().expect("a function").to_owned();
        let comment = header[..at].rsplit("/**").next().expect("a comment");
        let returns =
            comment.split_once("* Returns\n").unwrap_or_else(|| panic!("{name} does not say what it returns")).1;
        found.insert(name, statuses(returns));
    }
    found
}

/// Runs a program and adds what it made functions return.
fn add(found: &mut BTreeMap<String, BTreeSet<String>>, log: &Path, command: &mut Command) {
    run(command.env("LUIGI_PROVOKED", log));
    for line in std::fs::read_to_string(log).expect("the program made it").lines() {
        let (name, status) = line.split_once(' ').expect("a name and a status");
        found.entry(name.to_owned()).or_default().insert(status.to_owned());
    }
}

#[test]
fn each_function_returns_what_it_says_and_nothing_else() {
    let mut found = BTreeMap::new();
    let workshop = Workshop::new();
    let log = workshop.path("provoked");
    let broken = workshop.broken();
    let mut misuse = started(&workshop.compile("misuse", Build::C));
    add(&mut found, &log, misuse.args([&shop(), &workshop.pipe()]));
    add(&mut found, &log, started(&workshop.compile("statuses", Build::C)).args([&shop(), &broken]));
    let failing = Workshop::with(&c_library(&["policy-files", "explain", "faults"]));
    add(&mut found, &log, started(&failing.compile("faults", Build::C)).arg(shop()));
    let bare = Workshop::with(&c_library(&[]));
    let feed = Feed::new();
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).expect("the policy is sound");
    let mut command = started(&bare.compile("bare", Build::C));
    add(&mut found, &log, command.args([&feed.feed(), &feed.path("state/signing.pub"), &shop()]));

    let documented = documented();
    assert!(documented.len() >= 22, "{:?}", documented.keys());
    let mut differences = String::new();
    for (name, promised) in &documented {
        let given = found.remove(name).unwrap_or_default();
        for status in given.difference(promised) {
            differences += &format!("{name} returns {status}, which its documentation does not name\n");
        }
        for status in promised.difference(&given) {
            differences += &format!("no program makes {name} return {status}, which its documentation names\n");
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(found.is_empty(), "functions that are not in the header: {found:?}");
}
