//! `luigi scopes from-openapi`, as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ORDERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/openapi/orders.yaml");

fn from_openapi(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_luigi"))
        .args(["scopes", "from-openapi"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command runs")
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_file_is_written_and_kept_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scopes.toml");
    let to = |arguments: &[&str]| told(&from_openapi(folder.path(), &[arguments, &["--to", "scopes.toml"]].concat()));

    let (code, report) = to(&[ORDERS, "--check"]);
    assert!(code == Some(1) && report.ends_with("4 operations: 4 new, 0 changed, 0 vanished\n"), "{report}");
    assert!(!path.exists(), "checked only");
    assert_eq!(to(&[ORDERS]), (Some(0), report));
    let text = fs::read_to_string(&path).unwrap();
    let printed = from_openapi(folder.path(), &[ORDERS]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), text);
    assert_eq!(to(&[ORDERS, "--check"]), (Some(0), "4 operations: 0 new, 0 changed, 0 vanished\n".to_owned()));
    let laid_out = Command::new(env!("CARGO_BIN_EXE_luigi")).args(["fmt", "--check"]).arg(&path).status().unwrap();
    assert!(laid_out.success(), "what is written is laid out");

    // The document loses an operation; its scope goes when that is asked for.
    let orders = fs::read_to_string(ORDERS).unwrap();
    let shorter = &orders[..orders.find("  /orders/{order}/refund:").unwrap()];
    fs::write(folder.path().join("shorter.yaml"), shorter).unwrap();
    let (code, report) = to(&["shorter.yaml", "--check"]);
    assert!(code == Some(1) && report.starts_with("vanished  refund-order (still there"), "{report}");
    assert_eq!(to(&["shorter.yaml"]).0, Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let (code, report) = to(&["shorter.yaml", "--prune"]);
    assert!(code == Some(0) && report.starts_with("vanished  refund-order (removed)"), "{report}");
    assert!(!fs::read_to_string(&path).unwrap().contains("refund"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), "a: [").unwrap();
    fs::write(folder.path().join("scopes.toml"), "schema = [").unwrap();
    for (arguments, code, says) in [
        (&["a.yaml"][..], 1, "cannot use `a.yaml`: it is not YAML"),
        (&["b.yaml"], 3, "cannot read `b.yaml`"),
        (&[ORDERS, "--to", "scopes.toml"], 1, "`scopes.toml`: it is not TOML"),
        (&[ORDERS, "--check"], 2, "--to"),
    ] {
        let output = from_openapi(folder.path(), arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{complaint}");
        assert!(complaint.contains(says), "{complaint}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("scopes.toml")).unwrap(), "schema = [");
}
