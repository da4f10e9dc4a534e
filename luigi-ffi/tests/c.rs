//! The ABI from C: programs against the header and the shared library, compiled in every way that may make a difference.

mod support;

use luigi_tests::feed::{Feed, numbered_policy};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use support::{Build, Workshop, run, shop, started, text, valgrind};

const EVERY_WAY: [Build; 5] = [Build::C, Build::Cpp, Build::Optimised, Build::Address, Build::Thread];

/// Two errors, the first in line 4.
const BROKEN: &str = "schema = 1\n[[rules]]\nid = \"lockdown\"\neffect = \"denny\"\nscopes = \"al\"\n";

#[test]
fn what_the_header_promises_works() {
    let workshop = Workshop::new();
    let (keys, token) = workshop.token();
    let broken = workshop.write("broken.toml", BROKEN);
    let arguments = [text(&shop()), text(&keys), &token, text(&broken)].map(str::to_owned);
    for build in EVERY_WAY {
        run(started(&workshop.compile("api", build)).args(&arguments));
    }
    run(valgrind(&workshop.compile("api", Build::C)).args(&arguments));
}

#[test]
fn misuse_is_answered() {
    let workshop = Workshop::new();
    for build in EVERY_WAY {
        run(started(&workshop.compile("misuse", build)).arg(shop()));
    }
    run(valgrind(&workshop.compile("misuse", Build::C)).arg(shop()));
}

#[test]
fn decisions_allocate_nothing() {
    let workshop = Workshop::new();
    let (keys, token) = workshop.token();
    for build in [Build::C, Build::Optimised] {
        run(started(&workshop.compile("no_allocation", build)).args([&shop(), &keys]).arg(&token));
    }
}

/// Runs the program and applies a new version whenever it has seen the one before.
fn under_way(mut command: Command, generations: u64) {
    let feed = Feed::new();
    feed.apply_in(&numbered_policy(1), luigi_runtime::Mode::Enforce).unwrap();
    let public_key = feed.path("state/signing.pub");
    command.args([&feed.feed(), &public_key]).arg(generations.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        assert_eq!(line.expect("text"), seen.to_string());
        seen += 1;
        feed.apply(&numbered_policy(seen + 1)).unwrap();
    }
    let status = child.wait().expect("a child");
    assert!(status.success(), "{command:?}: {status}");
    assert_eq!(seen, generations + 1);
}

#[test]
fn threads_share_engines_while_others_swap_and_close() {
    let workshop = Workshop::new();
    for build in EVERY_WAY {
        let program = workshop.compile("threads", build);
        under_way(started(&program), 5);
    }
    let program = workshop.compile("threads", Build::C);
    under_way(valgrind(&program), 2);
}
