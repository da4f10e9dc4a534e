//! The ABI from C: programs against the header and the shared library, compiled in every way that may make a difference.

mod support;

use luigi_runtime::feed::{MANIFEST_NAME, Manifest};
use luigi_tests::feed::{Feed, numbered_policy};
use luigi_tests::installation::c_library;
use luigi_tests::spooled::{Decided, Spooled};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use support::{Build, Workshop, run, shop, started, text, valgrind, valgrind_of_forks};

const EVERY_WAY: [Build; 5] = [Build::C, Build::Cpp, Build::Optimised, Build::Address, Build::Thread];

#[test]
fn what_the_header_promises_works() {
    let workshop = Workshop::new();
    let (keys, token) = workshop.token();
    let broken = workshop.broken();
    let arguments = [text(&shop()), text(&keys), &token, text(&broken)].map(str::to_owned);
    for build in EVERY_WAY {
        run(started(&workshop.compile("api", build)).args(&arguments));
    }
    run(valgrind(&workshop.compile("api", Build::C)).args(&arguments));
}

#[test]
fn misuse_is_answered() {
    let workshop = Workshop::new();
    let (pipe, broken) = (workshop.pipe(), workshop.broken());
    for build in EVERY_WAY {
        run(started(&workshop.compile("misuse", build)).args([&shop(), &pipe]));
        run(started(&workshop.compile("statuses", build)).args([&shop(), &broken]));
    }
    run(valgrind(&workshop.compile("misuse", Build::C)).args([&shop(), &pipe]));
    run(valgrind(&workshop.compile("statuses", Build::C)).args([&shop(), &broken]));
}

/// With a library that fails on demand; no installed one does.
#[test]
fn a_failure_inside_is_a_status_and_decisions_are_denials() {
    let workshop = Workshop::with(&c_library(&["policy-files", "explain", "faults"]));
    for build in EVERY_WAY {
        run(started(&workshop.compile("faults", build)).arg(shop()));
    }
    run(valgrind(&workshop.compile("faults", Build::C)).arg(shop()));
    let installed = std::fs::read(support::shared_library()).expect("it is built");
    let word = b"LUIGI_FAULT";
    assert!(!installed.windows(word.len()).any(|bytes| bytes == word), "an ordinary library fails on demand");
}

#[test]
fn a_library_without_features_follows_a_feed_and_says_what_it_lacks() {
    let workshop = Workshop::with(&c_library(&[]));
    let feed = Feed::new();
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).unwrap();
    for build in EVERY_WAY {
        let mut command = started(&workshop.compile("bare", build));
        run(command.args([&feed.feed(), &feed.path("state/signing.pub"), &shop()]));
    }
}

#[test]
fn a_feed_that_cannot_be_believed_is_ignored_with_a_reason() {
    let workshop = Workshop::new();
    let feed = Feed::new();
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).unwrap();
    let good = std::fs::read_to_string(feed.feed().join(MANIFEST_NAME)).unwrap();
    let foreign = Feed::new();
    foreign.apply(&numbered_policy(1)).unwrap();
    let older = Manifest { epoch: 1, ..feed.manifest() };
    let not_signed = "the signature of the manifest does not verify";
    let bad: [(&str, Vec<u8>, &str); 6] = [
        ("half", good[..good.len() / 2].into(), not_signed),
        ("empty", Vec::new(), "the file is not a manifest"),
        ("later", good.replacen("manifest 1", "manifest 2", 1).into(), "the manifest has format `2`"),
        ("foreign", foreign.manifest().sign(&foreign.key()), "the one that is trusted is"),
        ("edited", good.replacen("enforce", "observe", 1).into(), not_signed),
        ("older", older.sign(&feed.key()), "is older than"),
    ];
    let good = workshop.write("good", &good);
    let mut arguments = vec![feed.feed(), feed.path("state/signing.pub"), good];
    for (name, bytes, why) in bad {
        arguments.extend([workshop.write(name, bytes), why.into()]);
    }
    arguments.extend([workshop.folder("folder"), "not a regular file".into()]);
    for build in EVERY_WAY {
        run(started(&workshop.compile("refused", build)).args(&arguments));
    }
}

#[test]
fn decisions_allocate_nothing() {
    let workshop = Workshop::new();
    let (keys, token) = workshop.token();
    for build in [Build::C, Build::Optimised] {
        let program = workshop.compile("no_allocation", build);
        run(started(&program).args([&shop(), &keys]).arg(&token));
        let spool = workshop.folder(&format!("spool-{build:?}"));
        run(started(&program).args([&shop(), &keys]).arg(&token).arg(&spool));
        assert_eq!(Spooled::read(&spool).responses.len(), 3 * 12);
    }
}

/// What is recorded of the programs' decisions, and what becomes of those that cannot be.
const RECORDED: &str = "schema = 1
[scopes.open]
hosts = \"any\"
paths = [\"/open/**\"]
methods = \"read\"
[scopes.watched]
hosts = \"any\"
paths = [\"/open/watched\"]
methods = \"read\"
[scopes.console]
hosts = [\"shop.example.com\"]
paths = [\"/console/**\"]
methods = \"read\"
privileged = true
[scopes.logs]
hosts = [\"shop.example.com\"]
paths = [\"/logs/**\"]
methods = \"read\"
privileged = true
audit = \"best-effort\"
[[rules]]
id = \"all\"
effect = \"allow\"
scopes = [\"open\", \"console\", \"logs\"]
subject = \"anyone\"
[[rules]]
id = \"watched\"
effect = \"deny\"
scopes = [\"watched\"]
mode = \"observe\"
";

/// The program reads its spool itself, as docs/SPOOL.md says; here Luigi's own reader does, and finds the same.
#[test]
fn decisions_are_in_the_spool_and_what_is_privileged_passes_with_a_record_only() {
    let workshop = Workshop::new();
    let policy = workshop.write("recorded.toml", RECORDED);
    let check = |name: &str, command: &dyn Fn(&std::path::Path) -> Command, build| {
        let (spool, full) = (workshop.folder(&format!("segments-{name}")), workshop.folder(&format!("full-{name}")));
        let blocker = full.join("00000000000000000000000000000000.spool");
        std::fs::File::create(&blocker).and_then(|file| file.set_len(2 << 20)).expect("our own folder");
        let output = run(command(&workshop.compile("spool", build)).args([&policy, &spool, &full, &blocker]));
        let told = String::from_utf8(output.stdout).expect("text");
        let spooled = Spooled::read(&spool);
        assert_eq!(spooled.node, "edge-1");
        assert_eq!((spooled.segments, spooled.allowed), (2, 1), "{spooled:?}");
        assert_eq!(told.lines().count(), spooled.decisions.len(), "{told}{spooled:?}");
        for line in told.lines() {
            let [id, outcome, path] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let of_it = |decided: &&Decided| match id {
                "-" => decided.request.ends_with(path),
                id => decided.evaluation == id,
            };
            let decided = spooled.decisions.iter().find(of_it).unwrap_or_else(|| panic!("{line}: {spooled:?}"));
            assert_eq!(decided.passed, outcome == "pass", "{line}");
            assert!(decided.request.ends_with(path) || decided.received == path, "{line}: {decided:?}");
            assert_eq!(decided.privileged, path.starts_with("/console") || path.starts_with("/logs"), "{line}");
            assert!(decided.enforced, "{line}");
            if id != "-" {
                let caller = Some(("https://login.example.com".to_owned(), "ada".to_owned()));
                assert_eq!((&decided.caller, decided.source), (&caller, "203.0.113.9".parse().ok()), "{line}");
            }
            let response = (decided.privileged && decided.passed).then_some((201, "console-1"));
            assert_eq!(spooled.response_to(&decided.evaluation), response, "{line}");
        }
        let after = Spooled::read(&full);
        assert!(after.lost.privileged >= 2, "what was lost is told as soon as there is room: {after:?}");
        assert_eq!(after.decisions.len(), 1, "{after:?}");
    };
    for build in EVERY_WAY {
        check(&format!("{build:?}"), &started, build);
    }
    check("valgrind", &valgrind, Build::C);
}

/// A child goes on with what its parent opened: with records, ids and a thread of its own.
#[test]
fn a_fork_has_what_its_parent_opened_and_a_segment_and_a_thread_of_its_own() {
    let workshop = Workshop::new();
    let policy = workshop.write("recorded.toml", RECORDED);
    let check = |name: &str, command: &dyn Fn(&std::path::Path) -> Command, build| {
        let spool = workshop.folder(&format!("segments-of-forks-{name}"));
        let mut command = command(&workshop.compile("fork", build));
        under_way(command.args([&policy, &spool]), None);
        let spooled = Spooled::read(&spool);
        assert_eq!(spooled.segments, 3, "{spooled:?}");
        let mut requests: Vec<&str> =
            spooled.decisions.iter().filter_map(|decided| decided.request.rsplit('/').next()).collect();
        requests.sort_unstable();
        assert_eq!(requests, ["after", "at-last", "before", "of-the-child"]);
        assert_eq!(spooled.responses.len(), 1);
    };
    // ThreadSanitizer knows nothing of threads that a child starts.
    for build in EVERY_WAY.into_iter().filter(|build| *build != Build::Thread) {
        check(&format!("{build:?}"), &started, build);
    }
    check("valgrind", &valgrind_of_forks, Build::C);
}

#[test]
fn a_library_that_is_closed_stays_where_it_is() {
    let workshop = Workshop::new();
    for build in EVERY_WAY {
        run(started(&workshop.compile_alone("unload", build)).args([support::shared_library(), shop()]));
    }
}

/// Runs the program and applies a new version whenever it has seen the one before.
fn under_way(command: &mut Command, generations: Option<u64>) {
    let feed = Feed::new();
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).unwrap();
    let public_key = feed.path("state/signing.pub");
    command.args([&feed.feed(), &public_key]).args(generations.map(|count| count.to_string()));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        assert_eq!(line.expect("text"), seen.to_string());
        seen += 1;
        feed.apply(&numbered_policy(seen + 1)).unwrap();
    }
    let status = child.wait().expect("a child");
    assert!(status.success(), "{command:?}: {status}");
    assert_eq!(seen, generations.unwrap_or(0) + 1);
}

#[test]
fn threads_share_engines_while_others_swap_and_close() {
    let workshop = Workshop::new();
    for build in EVERY_WAY {
        let program = workshop.compile("threads", build);
        under_way(&mut started(&program), Some(5));
    }
    let program = workshop.compile("threads", Build::C);
    under_way(&mut valgrind(&program), Some(2));
}
