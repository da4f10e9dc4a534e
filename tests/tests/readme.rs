//! What README.md and SECURITY.md say is so: policy, table of crates, links, commands, the tests of the threat model. The steps with one's own
//! HAProxy are tried in install.rs.

use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::{SourceSet, parse};
use luigi_core::snapshot::Snapshot;
use luigi_tests::installation::workspace;
use luigi_tests::readme::{fences, readme};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

#[test]
fn the_policy_has_ten_lines_and_is_fine() {
    let policies = fences(&readme(), "toml");
    let [policy] = policies.as_slice() else { panic!("one policy is expected: {policies:?}") };
    assert_eq!(policy.lines().count(), 10);
    let mut sources = SourceSet::new();
    sources.add("README.md", policy.clone());
    let parsed = parse(&sources);
    assert!(parsed.diagnostics.is_empty(), "{}", parsed.diagnostics.render(&sources, Style::PLAIN));
    Snapshot::compile(parsed.policy.expect("a policy without problems")).expect("it compiles");
}

#[test]
fn the_table_names_every_crate_with_its_folder() {
    let readme = readme();
    let rows = readme.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        Some((cells.next()?, cells.next()?.trim_end_matches('/').to_owned()))
    });
    let rows: BTreeSet<_> = rows.collect();
    assert_eq!(rows, members());
}

/// The members of the workspace: names of crates with their folders.
fn members() -> BTreeSet<(String, String)> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).expect("the manifest");
    let list = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).expect("members").0;
    let folders = list.split(',').map(|folder| folder.trim().trim_matches('"')).filter(|folder| !folder.is_empty());
    let named = folders.map(|folder| {
        let manifest = fs::read_to_string(workspace().join(folder).join("Cargo.toml")).expect("a member's manifest");
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).expect("a crate has a name");
        (name.trim_matches('"').to_owned(), folder.to_owned())
    });
    named.collect()
}

#[test]
fn what_it_links_to_is_there() {
    let readme = readme();
    let links: Vec<_> =
        readme.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect();
    assert!(links.len() > 10, "{links:?}");
    let pictures: Vec<_> = ["src=\"", "srcset=\""]
        .iter()
        .flat_map(|attribute| readme.split(attribute).skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(link, _)| link)
        .collect();
    assert!(!pictures.is_empty());
    for link in links.into_iter().chain(pictures) {
        assert!(workspace().join(link).exists(), "`{link}` leads nowhere");
    }
}

#[test]
fn make_has_the_targets_it_is_asked_for() {
    for line in fences(&readme(), "sh").iter().flat_map(|fence| fence.lines()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let targets = words.windows(2).filter(|pair| pair[0] == "make").map(|pair| pair[1]);
        for target in targets {
            let status =
                Command::new("make").args(["-n", target]).current_dir(workspace()).output().expect("make").status;
            assert!(status.success(), "make {target}");
        }
    }
}

#[test]
fn the_threat_model_names_tests_that_are_there() {
    let root = workspace();
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let names: BTreeSet<_> = text.split('`').skip(1).step_by(2).filter(|name| name.contains("tests/")).collect();
    assert!(names.len() >= 10, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !root.join(name).is_file()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let targets = text.split("fuzz target").skip(1).map(|rest| rest.split('|').next().unwrap_or_default());
    let targets: BTreeSet<_> = targets.flat_map(|rest| rest.split('`').skip(1).step_by(2)).collect();
    let lost: Vec<_> =
        targets.iter().filter(|name| !root.join(format!("fuzz/fuzz_targets/{name}.rs")).is_file()).collect();
    assert!(targets.len() >= 5 && lost.is_empty(), "{targets:?}, {lost:?}");
}
