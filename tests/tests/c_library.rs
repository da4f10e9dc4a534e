//! The installed C library, as programs outside the source tree find it: through pkg-config, through CMake, shared and static; and the examples in every
//! language that is here, the HTTP service under load among them.

use luigi_tests::client::{Client, Response, request};
use luigi_tests::feed::{Feed, numbered_policy};
use luigi_tests::installation::{install_library, workspace};
use luigi_tests::spooled::Spooled;
use luigi_tests::tokens::Signer;
use luigi_tests::wait;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const PREFIX: &str = "/opt/luigi";

/// What `make install-library` made, and the examples, in a folder of its own.
struct Installed {
    folder: TempDir,
}

impl Installed {
    /// Installed once for all tests of this process.
    fn get() -> &'static Self {
        static INSTALLED: OnceLock<Installed> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let folder = tempfile::Builder::new().prefix("luigi-c-").tempdir().expect("a temporary folder");
            install_library(folder.path(), PREFIX);
            run(Command::new("cp").arg("-R").arg(workspace().join("examples")).arg(folder.path()));
            Self { folder }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(PREFIX.trim_start_matches('/')).join(name)
    }

    fn example(&self, name: &str) -> PathBuf {
        self.folder.path().join("examples").join(name)
    }

    /// A command that finds the library as if the folder were the root of the system.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(std::env::temp_dir())
            .env("PKG_CONFIG_PATH", self.path("lib/pkgconfig"))
            .env("PKG_CONFIG_SYSROOT_DIR", self.folder.path())
            .env("LD_LIBRARY_PATH", self.path("lib"))
            .env("LUIGI_LIBRARY", self.path("lib/libluigi.so.0.3"));
        command
    }

    /// What pkg-config says, as words.
    fn flags(&self, arguments: &[&str]) -> Vec<String> {
        let output = run(self.command("pkg-config").args(arguments));
        String::from_utf8(output.stdout).expect("text").split_whitespace().map(str::to_owned).collect()
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    output
}

/// One of the examples that decide: it says the same in every language.
fn decides(installed: &Installed, program: &[&Path]) {
    let policy = installed.example("c/policy.toml");
    for (policy, target, says, code) in [
        (&policy, "/shelves/1", "pass: allowed-by-rule anyone-browses\n", 0),
        (&policy, "/orders/1", "refuse: no-rule-allows\n", 1),
        (&policy, "/shelves%2f", "refuse: ambiguous-target\n", 1),
        (&installed.example("c/nowhere.toml"), "/", "", 2),
    ] {
        let mut command = installed.command(program[0]);
        command.args(&program[1..]).arg(policy).args(["GET", "shop.example.com", target]);
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), says, "{command:?}: {err}");
        assert_eq!(output.status.code(), Some(code), "{command:?}: {err}");
        assert_eq!(err.contains("nowhere.toml"), code == 2, "{command:?}: {err}");
    }
}

/// The shared libraries that a program asks for.
fn needed(program: &Path) -> String {
    let output = run(Command::new("readelf").arg("-d").arg(program));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter(|line| line.contains("(NEEDED)")).map(|line| format!("{line}\n")).collect()
}

/// All of these in one test: where each test is a process of its own, each installs.
#[test]
fn programs_outside_the_tree_find_the_library() {
    pkg_config_finds_the_shared_and_the_static_library();
    cmake_finds_both_libraries_and_asks_for_the_version();
    the_example_in_cpp_decides();
    the_example_in_python_decides();
    the_example_in_go_decides();
}

const STRICT: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];

fn pkg_config_finds_the_shared_and_the_static_library() {
    let installed = Installed::get();
    let folder = TempDir::new().expect("a temporary folder");
    let source = installed.example("c/decide.c");
    let shared = folder.path().join("shared");
    let flags = installed.flags(&["--cflags", "--libs", "luigi"]);
    run(installed.command("cc").args(STRICT).arg(&source).args(flags).arg("-o").arg(&shared));
    assert!(needed(&shared).contains("[libluigi.so.0.3]"), "{}", needed(&shared));
    decides(installed, &[&shared]);

    let alone = folder.path().join("static");
    let flags = installed.flags(&["--cflags", "--static", "--libs", "luigi"]);
    let flags = flags.iter().map(|flag| if flag == "-lluigi" { "-l:libluigi.a" } else { flag });
    run(installed.command("cc").args(STRICT).arg(&source).args(flags).arg("-o").arg(&alone));
    assert!(!needed(&alone).contains("luigi"), "{}", needed(&alone));
    decides(installed, &[&alone]);

    let whole = folder.path().join("whole");
    let flags = installed.flags(&["--cflags", "--static", "--libs", "luigi"]);
    run(installed.command("cc").args(STRICT).arg("-static").arg(&source).args(flags).arg("-o").arg(&whole));
    assert_eq!(needed(&whole), "");
    decides(installed, &[&whole]);

    let version = installed.flags(&["--modversion", "luigi"]);
    assert_eq!(version, [env!("CARGO_PKG_VERSION")]);
    let symbols =
        run(Command::new("nm").args(["-g", "--defined-only", "--format=posix"]).arg(installed.path("lib/libluigi.a")));
    let symbols = String::from_utf8(symbols.stdout).expect("text");
    let names = || symbols.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name);
    assert_eq!(names().find(|name| !name.starts_with("luigi_") && !name.contains("[luigi.o]")), None);
    assert!(names().any(|name| name == "luigi_decide"));
}

fn cmake_finds_both_libraries_and_asks_for_the_version() {
    let installed = Installed::get();
    let folder = TempDir::new().expect("a temporary folder");
    let build = folder.path().join("build");
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", installed.path("").display());
    run(installed.command("cmake").arg("-S").arg(installed.example("c")).arg("-B").arg(&build).arg(&prefix));
    run(installed.command("cmake").arg("--build").arg(&build));
    for name in ["decide", "decide-static", "decide-cpp"] {
        decides(installed, &[&build.join(name)]);
        assert_eq!(needed(&build.join(name)).contains("libluigi"), name != "decide-static", "{name}");
    }
    for (wanted, found) in [("0.1", true), ("0.1.0", true), ("0.2", false), ("0.1.99", false), ("1.0", false)] {
        let list =
            format!("cmake_minimum_required(VERSION 3.16)\nproject(x C)\nfind_package(luigi {wanted} REQUIRED)\n");
        std::fs::write(folder.path().join("CMakeLists.txt"), list).expect("our own folder");
        let output = installed
            .command("cmake")
            .arg("-S")
            .arg(folder.path())
            .arg("-B")
            .arg(folder.path().join(wanted))
            .arg(&prefix)
            .output()
            .expect("cmake is installed");
        assert_eq!(output.status.success(), found, "{wanted}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Whether a command is there; says loudly if it is not.
fn is_here(command: &str, what: &str) -> bool {
    let found = Command::new(command).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED: `{command}` is not here, {what} was not tried");
    }
    found
}

fn the_example_in_cpp_decides() {
    let installed = Installed::get();
    let folder = TempDir::new().expect("a temporary folder");
    let program = folder.path().join("decide");
    let mut compile = installed.command("c++");
    compile.args(["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]).arg(installed.example("cpp/decide.cpp"));
    run(compile.args(installed.flags(&["--cflags", "--libs", "luigi"])).arg("-o").arg(&program));
    decides(installed, &[&program]);
}

fn the_example_in_python_decides() {
    if !is_here("python3", "the example in Python") {
        return;
    }
    let installed = Installed::get();
    decides(installed, &[Path::new("python3"), &installed.example("python/decide.py")]);
}

fn the_example_in_go_decides() {
    if !is_here("go", "the example in Go") {
        return;
    }
    let installed = Installed::get();
    let folder = TempDir::new().expect("a temporary folder");
    let program = folder.path().join("decide");
    let mut build = installed.command("go");
    build.args(["build", "-o"]).arg(&program).arg(installed.example("go/decide.go"));
    // cgo takes flags that it knows; where the library lies in this test is none of those.
    build.env("CGO_CFLAGS_ALLOW", ".*").env("CGO_LDFLAGS_ALLOW", ".*").env("CGO_ENABLED", "1");
    run(build.env("GO111MODULE", "off").env("GOCACHE", folder.path().join("cache")).env("HOME", folder.path()));
    decides(installed, &[&program]);
}

/// The HTTP service, which ends with the test.
struct Guard {
    process: Child,
    address: SocketAddr,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Guard {
    /// `None`, with a word on the standard error, if libmicrohttpd cannot be had here.
    fn start(folder: &Path, feed: &Feed, spool: Option<&Path>) -> Option<Self> {
        let need = Command::new(workspace().join("tests/tools/need")).arg(":libmicrohttpd-dev").status();
        if !need.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED: libmicrohttpd cannot be had here, the HTTP service in C was not tried");
            return None;
        }
        let installed = Installed::get();
        let program = folder.join("guard");
        // Debian has no other place for libmicrohttpd than the compiler's own.
        let flags = installed.flags(&["--cflags", "--libs", "luigi"]);
        let mut compile = installed.command("cc");
        compile.args(STRICT).arg("-D_DEFAULT_SOURCE").arg(installed.example("c/guard.c"));
        run(compile.args(flags).args(["-lmicrohttpd", "-pthread", "-o"]).arg(&program));
        let mut command = installed.command(&program);
        command.arg("0").arg(feed.feed()).arg(feed.path("state/signing.pub")).args(spool).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it was compiled");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let port = line.trim().strip_prefix("listening on port ").unwrap_or_else(|| panic!("{line}"));
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
        Some(Self { process, address })
    }

    fn get(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        Self::get_from(self.address, target, fields)
    }

    fn get_from(address: SocketAddr, target: &str, fields: &[(&str, &str)]) -> Response {
        Client::connect(address).exchange(&request("GET", target, "app.example.com", fields))
    }
}

/// The credential of somebody in `staff`.
fn bearer(signer: &Signer) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = serde_json::json!({
        "iss": "https://id.example.com", "aud": "app", "sub": "ada", "groups": ["staff"], "exp": now + 600,
    });
    format!("Bearer {}", signer.token(&claims))
}

#[test]
fn the_http_service_follows_the_feed_under_load() {
    let (folder, feed, signer) = (TempDir::new().expect("a temporary folder"), Feed::new(), Signer::es256("one"));
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).expect("the policy is sound");
    feed.apply_with_keys(&numbered_policy(1), &[&signer]).expect("the policy is sound");
    let Some(guard) = Guard::start(folder.path(), &feed, None) else { return };

    // Each answer is of one version, and none of an older one than the answer before on the same connection has been.
    let (done, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(guard.address);
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let response = client.exchange(&request("GET", "/./open?x", "app.example.com", &[]));
                    assert_eq!(
                        (response.status, response.text().as_str()),
                        (200, "this is /open\n"),
                        "{}",
                        response.head
                    );
                    let rule = response.header("x-rule").and_then(|rule| rule.strip_prefix("open-"));
                    let number: u64 = rule.and_then(|number| number.parse().ok()).expect("the rule that decided");
                    assert!(number >= last, "{number} after {last}");
                    last = number;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 2..=6 {
            feed.apply(&numbered_policy(number)).expect("the policy is sound");
            let rule = format!("open-{number}");
            wait::until("the new version decides", || guard.get("/open", &[]).header("x-rule") == Some(&rule));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(answers.load(Ordering::Relaxed) > 20);

    let bearer = bearer(&signer);
    let staff = guard.get("/staff/a", &[("authorization", &bearer)]);
    assert_eq!((staff.status, staff.header("x-rule")), (200, Some("staff")), "{}", staff.head);
    let nobody = guard.get("/staff/a", &[("accept", "text/html")]);
    assert_eq!(nobody.status, 401);
    assert!(nobody.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{}", nobody.head);
    assert!(nobody.text().contains("<html"), "{}", nobody.text());
    assert!(nobody.header("x-luigi-evaluation").is_some_and(|id| nobody.text().contains(id)), "{}", nobody.head);
    for (target, fields, status) in [
        ("/staff/a", &[("authorization", &*bearer), ("authorization", &bearer)][..], 400),
        ("/staff%2fa", &[("authorization", &bearer)], 400),
        ("/nowhere", &[("authorization", &bearer)], 403),
    ] {
        let response = guard.get(target, fields);
        assert_eq!(response.status, status, "{target}: {}", response.head);
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.head);
    }
}

/// Each path is for one family of addresses, and recorded.
const BY_ADDRESS: &str = r#"
schema = 1
[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]
[groups]
staff = "staff"
[networks]
four = ["127.0.0.0/8"]
six = ["::1/128"]
[scopes.four]
hosts = ["app.example.com"]
operations = ["GET /four"]
privileged = true
[scopes.six]
hosts = ["app.example.com"]
operations = ["GET /six"]
privileged = true
[[rules]]
id = "over-ipv4"
effect = "allow"
scopes = ["four"]
subject = { groups = ["staff"] }
from = ["four"]
[[rules]]
id = "over-ipv6"
effect = "allow"
scopes = ["six"]
subject = { groups = ["staff"] }
from = ["six"]
"#;

#[test]
fn the_http_service_knows_where_requests_come_from_and_records_them() {
    let (folder, feed, signer) = (TempDir::new().expect("a temporary folder"), Feed::new(), Signer::es256("one"));
    feed.apply_in(BY_ADDRESS, luigi_runtime::Mode::Enforce).expect("the policy is sound");
    feed.apply_with_keys(BY_ADDRESS, &[&signer]).expect("the policy is sound");
    let bearer = bearer(&signer);
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).expect("our own folder");
    let Some(guard) = Guard::start(folder.path(), &feed, Some(&spool)) else { return };
    let mut sources = vec![(guard.address, "/four", "/six")];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        sources.push((SocketAddr::from((Ipv6Addr::LOCALHOST, guard.address.port())), "/six", "/four"));
    } else {
        eprintln!("SKIPPED: there is no IPv6 here, the HTTP service in C was tried over IPv4 only");
    }
    for (address, passes, is_refused) in &sources {
        let passed = Guard::get_from(*address, passes, &[("authorization", &bearer)]);
        assert_eq!(passed.status, 200, "{address} {passes}: {}", passed.head);
        let refused = Guard::get_from(*address, is_refused, &[("authorization", &bearer)]);
        assert_eq!(refused.status, 403, "{address} {is_refused}: {}", refused.head);
    }
    drop(guard);
    let spooled = Spooled::read(&spool);
    assert_eq!(spooled.decisions.len(), 2 * sources.len(), "{spooled:?}");
    for decided in &spooled.decisions {
        assert!(decided.privileged, "{decided:?}");
        assert!(decided.source.is_some_and(|source| source.is_loopback()), "{decided:?}");
        assert_eq!(decided.passed, spooled.response_to(&decided.evaluation) == Some((200, "guard")), "{decided:?}");
        assert_eq!(
            decided.passed,
            decided.request.ends_with("/six") == decided.source.is_some_and(|source| source.is_ipv6())
        );
    }
}
