//! `make install`, and the steps of README.md with one's own HAProxy, tried with the installed tree.

use luigi_tests::client::{Client, request};
use luigi_tests::installation::install;
use luigi_tests::readme::{fences, readme};
use luigi_tests::tokens::{Signer, jwks};
use luigi_tests::upstream::Upstream;
use luigi_tests::wait;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const PREFIX: &str = "/opt/luigi";

/// Every file below a folder, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below it").to_str().expect("printable").to_owned());
            }
        }
    }
    found
}

/// A HAProxy that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The steps of README.md, with what differs between a machine and a test's folder put in its place.
struct Steps {
    folder: TempDir,
    installed: PathBuf,
    lines: Vec<String>,
}

impl Steps {
    /// Runs the step that contains these words and returns what it printed.
    fn run(&self, words: &str) -> String {
        let line = self.lines.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no step `{words}`"));
        let folder = self.folder.path().to_str().expect("a printable folder");
        let mut line = line.replace("sudo ", "").replace("/run/haproxy", folder);
        if !rustix::process::geteuid().is_root() {
            line = line.replace(" -g haproxy", "");
        }
        // The places that the command uses if nobody names them.
        if line.contains(" apply ") {
            line.push_str(" --key /var/lib/luigi/feed.key");
        } else if line.contains(" haproxy-config") {
            line.push_str(" --feed /var/lib/luigi/feed --public-key /var/lib/luigi/feed.pub");
        }
        let line = line.replace("/var/lib/luigi", &format!("{folder}/var"));
        let path = format!("{}:{}", self.installed.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output =
            Command::new("sh").args(["-c", &line]).current_dir(folder).env("PATH", path).output().expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The lines of one section of what `luigi haproxy-config` printed.
fn section(printed: &str, heading: &str) -> String {
    let lines = printed.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    lines.take_while(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_steps_of_the_readme_work_with_what_make_installs() {
    let folder = tempfile::Builder::new().prefix("luigi-install-").tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own folder");
    install(&folder.path().join("root"), PREFIX);
    let installed = folder.path().join("root").join(&PREFIX[1..]);

    let present = files(&installed);
    for file in [
        "bin/luigi",
        "lib/luigi/lua53/luigi.so",
        "lib/luigi/lua54/luigi.so",
        "lib/luigi/luigi.lua",
        "lib/luigi/modes.map",
        "lib/luigi/luigi.cfg",
        "lib/libluigi.a",
        "lib/libluigi.so",
        "lib/libluigi.so.0.3",
        "lib/pkgconfig/luigi.pc",
        "lib/cmake/luigi/luigi-config.cmake",
        "lib/cmake/luigi/luigi-config-version.cmake",
        "include/luigi.h",
        "share/doc/luigi/README.md",
        "share/doc/luigi/docs/POLICY.md",
        "share/doc/luigi/docs/plots/decisions-light.svg",
        "share/doc/luigi/LICENSE-MIT",
        "share/luigi/examples/policies/billing.toml",
        "share/luigi/examples/demo/shop.toml",
        "share/man/man1/luigi.1",
        "share/man/man1/luigi-apply.1",
        "share/bash-completion/completions/luigi",
        "share/zsh/site-functions/_luigi",
        "share/fish/vendor_completions.d/luigi.fish",
    ] {
        assert!(present.contains(file), "{file} is missing in {present:#?}");
    }
    // What a package installs must not know where it was made.
    let defaults = fs::read_to_string(installed.join("lib/luigi/luigi.cfg")).expect("it is there");
    assert!(defaults.contains("presetenv LUIGI_HOME \"/opt/luigi/lib/luigi\""), "{defaults}");

    let texts = readme();
    let steps = fences(&texts, "sh").into_iter().find(|fence| fence.contains("sudo")).expect("steps");
    let steps = Steps { folder, installed, lines: steps.lines().map(str::to_owned).collect() };
    let signer = Signer::es256("k");
    fs::write(steps.path("policy.toml"), &fences(&texts, "toml")[0]).expect("our own folder");
    fs::write(steps.path("keys.json"), jwks(&[&signer])).expect("our own folder");

    steps.run("install -d");
    let applied = steps.run("--jwks");
    assert!(applied.contains("mode        observe"), "{applied}");
    let printed = steps.run("haproxy-config");
    let upstream = Upstream::start();
    let address = free_address();
    let own = |name: &str| steps.path(name).display().to_string();
    // As Debian has it: another user, and a folder from which nothing is seen.
    let jail = if rustix::process::geteuid().is_root() {
        fs::create_dir(steps.path("jail")).expect("our own folder");
        format!("    chroot {}\n    user haproxy\n    group haproxy\n", own("jail"))
    } else {
        String::new()
    };
    let configuration = format!(
        "global\n    stats socket {}\n{jail}{}\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
         frontend www\n    bind {address}\n{}    default_backend own\nbackend own\n    server own {}\n",
        own("admin.sock"),
        section(&printed, "# Into the global section"),
        section(&printed, "# Into each frontend"),
        upstream.address(),
    );
    fs::write(steps.path("haproxy.cfg"), configuration).expect("our own folder");
    let log = fs::File::create(steps.path("log")).expect("our own folder");
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(steps.path("haproxy.cfg"));
    for name in ["LUIGI_HOME", "LUIGI_FEED", "LUIGI_PUBLIC_KEY", "LUIGI_POLICY"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor more")).stderr(log);
    let mut haproxy = Running(command.spawn().expect("HAProxy is installed"));
    wait::until("HAProxy listens", || {
        if let Ok(Some(status)) = haproxy.0.try_wait() {
            panic!("HAProxy ended with {status}: {}", fs::read_to_string(steps.path("log")).unwrap_or_default());
        }
        TcpStream::connect(address).is_ok()
    });

    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({"iss": "https://login.example.com", "aud": "shop", "sub": "anna", "groups": ["support"], "exp": now + 600});
    let bearer = format!("Bearer {}", signer.token(&claims));
    let ask = |fields: &[(&str, &str)]| {
        Client::connect(address).exchange(&request("GET", "/orders/7", "shop.example.com", fields)).status
    };
    assert_eq!((ask(&[]), ask(&[("authorization", &bearer)])), (200, 200), "while it observes");
    let status = steps.run("status");
    let has = |status: &str, name: &str, value: &str| {
        status.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim() == value))
    };
    assert!(has(&status, "mode", "observe") && has(&status, "would be refused", "1"), "{status}");
    steps.run("--mode enforce");
    // HAProxy reads the new version as its own user, from inside its jail.
    wait::until("HAProxy enforces", || has(&steps.run("status"), "mode", "enforce"));
    assert_eq!((ask(&[]), ask(&[("authorization", &bearer)])), (401, 200), "while it enforces");
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a listener has an address")
}
