//! The cookbook: every policy in it is clean, passes its tests in every environment, and does what the page says.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page() -> String {
    fs::read_to_string(workspace().join("docs/COOKBOOK.md")).unwrap()
}

fn luigi(arguments: &[impl AsRef<std::ffi::OsStr>]) -> Output {
    luigi_in(&workspace(), arguments)
}

fn policies() -> Vec<String> {
    let entries = fs::read_dir(workspace().join("examples/policies")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    paths.sort();
    paths.iter().map(|name| format!("examples/policies/{name}")).collect()
}

#[test]
fn every_policy_is_clean_tested_and_on_the_page() {
    let page = page();
    let policies = policies();
    assert!(policies.len() >= 15, "{policies:?}");
    for policy in &policies {
        let checked = luigi(&["check", policy]);
        let said = String::from_utf8(checked.stdout).unwrap();
        assert!(checked.status.success() && said.lines().all(|line| line.starts_with("fine ")), "{said}");
        // Each rule, predicate and requirement is true in one test and false in another.
        let tested = luigi(&["test", policy, "--fail-under", "100"]);
        let said = String::from_utf8(tested.stdout).unwrap();
        assert!(tested.status.success() && said.contains(" passed, 0 failed of "), "{policy}: {said}");
        assert!(page.contains(&format!("](../{policy})")), "the page does not name {policy}");
        assert!(page.matches(policy.as_str()).count() > 1, "the page has no command for {policy}");
        if policy.ends_with(".toml") {
            let text = fs::read_to_string(workspace().join(policy)).unwrap();
            assert!(text.lines().take(2).all(|line| line.starts_with("# ")), "{policy} does not say what it shows");
        }
    }
}

/// The words of a command, as a shell takes them: quotes of either kind, nothing else.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ' ' => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            Some(_) | None => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// A folder to which commands can write, with the examples in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(workspace().join("examples"), folder.path().join("examples")).unwrap();
    folder
}

fn luigi_in(folder: &Path, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luigi")).current_dir(folder).args(arguments).output().unwrap()
}

/// The stops that the page makes hold in the feed, one by one until they are lifted.
#[test]
fn the_stops_of_the_page_stop_and_are_lifted() {
    let (page, folder) = (page(), folder());
    let chapter = page.split("\n## An incident\n").nth(1).unwrap().split("\n## ").next().unwrap();
    for command in chapter.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let output = luigi_in(folder.path(), &words(command)[1..]);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let decided = |request: &str, sub: &str| {
        let question =
            serde_json::json!({ "request": request, "as": { "sub": sub, "groups": ["support", "responders"] } });
        let mut child = Command::new(env!("CARGO_BIN_EXE_luigi"))
            .current_dir(folder.path())
            .args(["decide", "--feed", "feed", "--public-key", "feed.pub"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
        answer["reason"].as_str().unwrap().to_owned()
    };
    let (export, read) = ("POST https://console.example.com/exports", "GET https://console.example.com/customers/7");
    assert_eq!((decided(export, "u-7"), decided(read, "u-7")), ("stopped".to_owned(), "allowed-by-rule".to_owned()));
    assert_eq!(decided(read, "00u9x1"), "stopped");
    let listed = luigi_in(folder.path(), &["stops", "--from", "feed", "--public-key", "feed.pub", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    for stop in listed["stops"].as_array().unwrap() {
        let id = stop["id"].as_str().unwrap();
        let lift = ["unstop", id, "--to", "feed", "--key", "feed.key", "--reason", "INC-4711 is over", "--by", "anna"];
        assert!(luigi_in(folder.path(), &lift).status.success());
    }
    assert_eq!(
        (decided(export, "u-7"), decided(read, "00u9x1")),
        ("allowed-by-rule".to_owned(), "denied-by-rule".to_owned())
    );
}

#[test]
fn commands_print_what_the_page_says() {
    let (page, folder) = (page(), folder());
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut seen = 0;
    // `--watch` does not end by itself.
    for block in blocks.filter(|block| !block.contains("--watch")) {
        for example in block.split("$ ").filter(|example| !example.is_empty()) {
            let (command, expected) = example.split_once('\n').unwrap();
            let output = luigi_in(folder.path(), &words(command)[1..]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(!expected.is_empty() && said.starts_with(expected), "{command}\n{said}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}
