//! What is under test: the HAProxys, and the module as it would be installed for them.
//!
//! The module is built here, once for each Lua, because HAProxy loads it as a file: cargo cannot hand a `cdylib` to a test. Tests run in several
//! processes at once, so whatever lands in the target folder is made under a file lock and renamed into place.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A HAProxy that Luigi must work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// HAProxy 2.6 with Lua 5.3: what this machine has installed.
    Debian12,
    /// HAProxy 3.0 with Lua 5.4: fetched from Debian's next suite, installed nowhere.
    Debian13,
}

impl Release {
    /// The command that starts it; `None` if it cannot be had here.
    ///
    /// # Panics
    /// If the machine's own HAProxy is missing.
    #[must_use]
    pub fn command(self) -> Option<PathBuf> {
        match self {
            Self::Debian12 => {
                let path = PathBuf::from("/usr/sbin/haproxy");
                assert!(path.exists(), "no /usr/sbin/haproxy: apt-get install haproxy");
                Some(path)
            }
            Self::Debian13 => {
                static FETCHED: OnceLock<Option<PathBuf>> = OnceLock::new();
                FETCHED.get_or_init(|| fetch("trixie")).clone()
            }
        }
    }
}

fn fetch(suite: &str) -> Option<PathBuf> {
    let destination = target_folder().join("haproxy").join(suite);
    let _lock = Lock::take("fetch-haproxy");
    let tool = workspace().join("tests/tools/fetch-haproxy");
    let fetched = Command::new(tool).arg(suite).arg(&destination).status().is_ok_and(|status| status.success());
    fetched.then(|| destination.join("haproxy"))
}

/// Which build of the module a test wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As it is installed.
    Plain,
    /// With faults that a test can ask for; never installed.
    Faults,
}

/// A folder laid out as an installation is: glue, mode map and the module for each Lua (`LUIGI_HOME`).
///
/// # Panics
/// If the module does not build.
#[must_use]
pub fn home(build: Build) -> PathBuf {
    static PLAIN: OnceLock<PathBuf> = OnceLock::new();
    static FAULTS: OnceLock<PathBuf> = OnceLock::new();
    match build {
        Build::Plain => PLAIN.get_or_init(|| assemble("plain", "")).clone(),
        Build::Faults => FAULTS.get_or_init(|| assemble("faults", ",faults")).clone(),
    }
}

/// The command `luigi`, built here for the same reason as the module.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn luigi() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let _lock = Lock::take("modules");
            build(&["--package", "luigi-cli"]).join("luigi")
        })
        .clone()
}

/// The shared C library with other features than its own, built here for the same reason.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn c_library(features: &[&str]) -> PathBuf {
    let _lock = Lock::take("modules");
    let joined = features.join(",");
    let built = build(&["--package", "luigi-ffi", "--no-default-features", "--features", &joined]);
    let kept = target_folder().join("luigi-c-libraries").join(format!("libluigi-{}.so", features.join("-")));
    put(&built.join("libluigi_ffi.so"), &kept);
    kept
}

/// Runs `make install` into a folder, as a package would be made, and without optimising.
///
/// # Panics
/// If it fails.
pub fn install(destination: &Path, prefix: &str) {
    make("install", destination, prefix);
}

/// Runs `make install-library` likewise.
///
/// # Panics
/// If it fails.
pub fn install_library(destination: &Path, prefix: &str) {
    make("install-library", destination, prefix);
}

fn make(target: &str, destination: &Path, prefix: &str) {
    let _lock = Lock::take("modules");
    let output = Command::new("make")
        .current_dir(workspace())
        .args([target, "PROFILE=dev", "LUAS=lua53 lua54"])
        .arg(format!("DESTDIR={}", destination.display()))
        .arg(format!("PREFIX={prefix}"))
        .env("CARGO_TARGET_DIR", target_folder().join("lua-modules"))
        .output()
        .expect("make can be started");
    assert!(output.status.success(), "make {target} failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn assemble(name: &str, features: &str) -> PathBuf {
    let _lock = Lock::take("modules");
    let home = target_folder().join("luigi-home").join(name);
    for lua in ["lua53", "lua54"] {
        let built = build_module(&format!("{lua}{features}"));
        put(&built, &home.join(lua).join("luigi.so"));
    }
    let shipped = workspace().join("luigi-lua/haproxy");
    for entry in fs::read_dir(shipped).expect("the glue is in the workspace") {
        let entry = entry.expect("a readable folder");
        put(&entry.path(), &home.join(entry.file_name()));
    }
    home
}

fn build_module(features: &str) -> PathBuf {
    build(&["--package", "luigi-lua", "--no-default-features", "--features", features]).join("libluigi.so")
}

/// Builds what these arguments name and returns the folder it is in; one of its own, so that no other build of the workspace is disturbed.
fn build(what: &[&str]) -> PathBuf {
    let target = target_folder().join("lua-modules");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace())
        .args(["build", "--quiet"])
        .args(what)
        .arg("--target-dir")
        .arg(&target)
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "cargo build {what:?} failed");
    target.join("debug")
}

/// Copies a file unless it is there already. A HAProxy may be running with the old one, so it is replaced and not overwritten.
fn put(from: &Path, to: &Path) {
    let wanted = fs::read(from).expect("a built or shipped file");
    if fs::read(to).is_ok_and(|present| present == wanted) {
        return;
    }
    fs::create_dir_all(to.parent().expect("a file is in a folder")).expect("a folder in the target folder");
    let new = to.with_extension("new");
    fs::write(&new, wanted).expect("a file in the target folder");
    fs::rename(&new, to).expect("a file can be renamed");
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// Where cargo builds, found from where the running test or command lies.
fn target_folder() -> PathBuf {
    let running = std::env::current_exe().expect("a test is a file");
    let folder = running.parent().expect("target/PROFILE/deps/TEST or target/PROFILE/COMMAND");
    let profile = folder.parent().filter(|_| folder.ends_with("deps")).unwrap_or(folder);
    profile.parent().expect("target/PROFILE").to_owned()
}

/// A lock between test processes, held until dropped.
struct Lock {
    _file: File,
}

impl Lock {
    fn take(name: &str) -> Self {
        let file = File::create(target_folder().join(format!(".{name}.lock"))).expect("a file in the target folder");
        flock(&file, FlockOperation::LockExclusive).expect("a lock between test processes");
        Self { _file: file }
    }
}
