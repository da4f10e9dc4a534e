//! Programs and libraries of C that stand between a program and the system, so that calls fail or clocks go wrong.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds one whose source stands in `tests/`; the file that was made, in this folder.
///
/// # Panics
/// If there is no compiler, or it does not compile.
#[must_use]
pub fn compiled(source: &str, options: &[&str], folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let made = folder.join(source.file_stem().expect("the name of a file"));
    let built = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror"])
        .args(options)
        .arg("-o")
        .arg(&made)
        .arg(source)
        .output()
        .expect("cc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    made
}

/// Builds what lets one change of a program to files fail, from outside.
///
/// # Panics
/// As [`compiled`].
#[must_use]
pub fn tracer(folder: &Path) -> PathBuf {
    compiled("serve/fault.c", &[], folder)
}

/// Whether that tracer works here: it lets a write fail, and counts it and a renaming.
pub(crate) fn can_trace() -> bool {
    // Registers are set on x86-64 only.
    if cfg!(not(target_arch = "x86_64")) {
        return false;
    }
    let Ok(folder) = tempfile::tempdir() else { return false };
    let (scene, count) = (folder.path().join("scene"), folder.path().join("count"));
    let program = "mkdir $0 && echo line > $0/one || mv $0/one $0/two && test ! -s $0/two";
    let traced = Command::new(tracer(folder.path()))
        .args(["eio", "1"])
        .args([&scene, &count])
        .args(["--", "sh", "-c", program])
        .arg(&scene)
        .output();
    traced.is_ok_and(|output| output.status.success())
        && std::fs::read_to_string(&count).is_ok_and(|count| count == "2")
}
