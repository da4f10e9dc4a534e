//! The cookbook: every policy in it is clean, passes its tests in every environment, and does what the page says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn page() -> String {
    fs::read_to_string(workspace().join("docs/COOKBOOK.md")).unwrap()
}

fn luigi(arguments: &[impl AsRef<std::ffi::OsStr>]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luigi")).current_dir(workspace()).args(arguments).output().unwrap()
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
        let tested = luigi(&["test", policy]);
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

#[test]
fn commands_print_what_the_page_says() {
    let page = page();
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut seen = 0;
    // `--watch` does not end by itself.
    for block in blocks.filter(|block| !block.contains("--watch")) {
        for example in block.split("$ ").filter(|example| !example.is_empty()) {
            let (command, expected) = example.split_once('\n').unwrap();
            let output = luigi(&words(command)[1..]);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(!expected.is_empty() && said.starts_with(expected), "{command}\n{said}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}
