//! `luigi fmt`, as a user runs it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn fmt(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_luigi"))
        .arg("fmt")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn files_are_changed_where_they_must_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("policy")).unwrap();
    fs::write(path("policy/a.toml"), "schema=1\n").unwrap();
    fs::write(path("policy/b.toml"), "schema = 1\n").unwrap();
    fs::set_permissions(path("policy/a.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("policy/a.toml", path("link.toml")).unwrap();

    assert_eq!(told(&fmt(folder.path(), &["--check", "policy"], "")), (Some(1), "policy/a.toml\n".to_owned()));
    assert_eq!(fs::read_to_string(path("policy/a.toml")).unwrap(), "schema=1\n", "checked only");
    assert_eq!(told(&fmt(folder.path(), &["link.toml"], "")), (Some(0), "link.toml\n".to_owned()));
    assert!(path("link.toml").is_symlink());
    assert_eq!(fs::read_to_string(path("policy/a.toml")).unwrap(), "schema = 1\n");
    assert_eq!(fs::metadata(path("policy/a.toml")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(told(&fmt(folder.path(), &["policy"], "")), (Some(0), String::new()));
    assert_eq!(told(&fmt(folder.path(), &["--check", "policy"], "")), (Some(0), String::new()));
    assert_eq!(fs::read_dir(path("policy")).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = Path::new(".");
    assert_eq!(told(&fmt(folder, &["-"], "schema=1 # v\n")), (Some(0), "schema = 1  # v\n".to_owned()));
    assert_eq!(told(&fmt(folder, &["--check", "-"], "schema=1\n")).0, Some(1));
}

#[test]
fn what_is_not_toml_stays_as_it_is_and_the_others_are_done() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "schema = [\n").unwrap();
    fs::write(folder.path().join("b.toml"), "schema=1\n").unwrap();
    let (code, printed) = told(&fmt(folder.path(), &["."], ""));
    assert_eq!(code, Some(1));
    assert!(printed.contains("error[toml-syntax]") && printed.contains("a.toml:"), "{printed}");
    assert_eq!(fs::read_to_string(folder.path().join("a.toml")).unwrap(), "schema = [\n");
    assert_eq!(fs::read_to_string(folder.path().join("b.toml")).unwrap(), "schema = 1\n");
    let missing = fmt(folder.path(), &["c.toml"], "");
    assert_eq!(missing.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read `c.toml`"));
}
