//! The clock is set back by an hour, and forward again, under a running daemon and a running HAProxy. Nothing is lost, nothing waits for an hour, and a daemon that is gone is missed all the same.

use crate::proxy::{ask, evaluation, ready, recording};
use luigi_runtime::{Engine, EngineConfig};
use luigi_tests::compiled::compiled;
use luigi_tests::installation::Release;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{ada, bearer, signer};
use luigi_tests::recorder::Recorder;
use luigi_tests::wait;
use luigi_workflow::ledger::{Event, Reply};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

on_each_haproxy!(a_clock_that_is_set_back_loses_nothing_and_holds_nothing_up);

/// A clock for other processes.
struct Clock {
    library: PathBuf,
    seconds: PathBuf,
}

impl Clock {
    fn new(folder: &Path) -> Self {
        let library = compiled("serve/clock.c", &["-shared", "-fPIC"], folder);
        let clock = Self { library, seconds: folder.join("clock-seconds") };
        fs::write(&clock.seconds, 0i64.to_ne_bytes()).unwrap();
        clock
    }

    /// Sets it so many seconds off, for those that run and those that start.
    fn set(&self, seconds: i64) {
        // Never shorter: processes have it mapped.
        let mut file = fs::OpenOptions::new().write(true).open(&self.seconds).unwrap();
        file.write_all(&seconds.to_ne_bytes()).unwrap();
    }

    fn environment(&self) -> [(String, String); 2] {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        [("LD_PRELOAD".to_owned(), text(&self.library)), ("LUIGI_TEST_CLOCK".to_owned(), text(&self.seconds))]
    }
}

fn a_clock_that_is_set_back_loses_nothing_and_holds_nothing_up(release: Release) {
    const HOUR: i64 = 3600;
    let (site, mut home) = ready(
        "checkpoints = { to = [\"checkpoints\"], interval = \"1s\" }\n[spool]\ndirectory = \"spool\"\nlongest-response = \"5s\"\n",
    );
    let clock = Clock::new(site.folder());
    home.environment.extend(clock.environment());
    let daemon = home.start();
    let mut setup = recording(&site, release);
    setup.environment.extend(clock.environment());
    setup.environment.push(("LUIGI_STALE_AFTER".to_owned(), "4s".to_owned()));
    let Some(haproxy) = site.start(setup) else { return };
    // Valid before, during and after.
    let mut claims = ada();
    for (name, seconds) in [("iat", -2 * HOUR), ("exp", 2 * HOUR)] {
        claims[name] = (luigi_runtime::now().unix_seconds() + seconds).into();
    }
    let token = bearer(&signer(), &claims);
    let ask_console = |path: &str| {
        let answer = ask(haproxy.address(), path, Some(&token));
        assert_eq!(answer.status, 200, "{}", answer.text());
        evaluation(&answer)
    };
    let mut asked = vec![ask_console("/console/before")];
    let silent = Recorder::new(&site.path("spool"), 1 << 24).thread().request("/console/silent").unwrap().to_string();
    asked.push(silent.clone());
    let _ = home.decisions(asked.len());

    clock.set(-HOUR);
    asked.push(ask_console("/console/meanwhile"));
    let of = |id: &str, events: &[Event]| -> Vec<Reply> {
        let replies = events.iter().filter_map(|event| match event {
            Event::Response(response) if response.evaluation == id => Some(response.reply.clone()),
            _ => None,
        });
        replies.collect()
    };
    let events = home.events_with(
        "nobody is waited for until the clock is there again",
        |event| matches!(event, Event::Response(response) if response.evaluation == silent),
    );
    assert_eq!(of(&silent, &events), [Reply::NoResponse]);
    for id in [&asked[0], &asked[2]] {
        assert!(matches!(of(id, &events)[..], [Reply::Received { status: 200, .. }]), "{events:?}");
    }
    // The heartbeat goes on, and HAProxy takes it, and what is applied meanwhile.
    let heartbeat = || {
        Engine::open(&EngineConfig::feed(site.feed(), site.path("feed.pub"))).unwrap().version().heartbeat().unwrap()
    };
    let first = heartbeat();
    wait::until("the heartbeat goes on", || heartbeat() > first);
    let ahead = haproxy.status_with(" s ahead of this clock");
    assert!(!ahead.contains("stale") && !ahead.contains("newest version"), "{ahead}");
    let policy = fs::read_to_string(site.policy_file()).unwrap().replace("id = \"open\"", "id = \"opened\"");
    fs::write(site.policy_file(), policy).unwrap();
    let applied = home.luigi(&["apply", "policy.toml", "--to", "feed", "--key", "feed.key", "--by", "ada"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let status = haproxy.status_with("generation             2");
    assert!(!status.contains("newest version"), "{status}");

    // A daemon that is gone is missed, whatever the clock says, and however short a time ago it applied something.
    daemon.kill();
    let _ = haproxy.status_with(", stale: its writer is silent");
    let daemon = home.start();
    wait::until("it is heard of again", || !haproxy.ask("luigi status").contains("stale"));

    // And forward again.
    clock.set(0);
    asked.push(ask_console("/console/after"));
    let last = asked[3].clone();
    let _ = home.events_with(
        "the last response",
        |event| matches!(event, Event::Response(response) if response.evaluation == last),
    );
    assert!(daemon.stop().success());
    let mut decided = home.decisions(asked.len());
    assert_eq!(decided.len(), asked.len());
    // Of two segments that are drained together either may come first.
    decided[..2].sort();
    asked[..2].sort();
    assert_eq!(decided, asked, "in the order in which they came");
    let entries = home.entries();
    let back = entries.windows(2).filter(|pair| pair[1].time < pair[0].time).count();
    assert!(back >= 1, "times are those of the clock");
    assert!(!entries.iter().any(|entry| matches!(entry.event, Event::RecordsLost(_))), "nothing is lost");
    let verified = home.luigi(&[
        "audit",
        "verify",
        "--ledger",
        "state/ledger/ledger.db",
        "--checkpoints",
        "checkpoints",
        "--public-key",
        "state/ledger.pub",
    ]);
    let verified = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.contains(&format!("anchored by `checkpoints` up to entry {}", entries.len())), "{verified}");
}
