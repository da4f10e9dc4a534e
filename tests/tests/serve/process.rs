//! The daemon as a process: one at a time, what it tells systemd, how it stops, what it answers over HTTP, and what it says of a wrong configuration.

use luigi_tests::daemon::Home;
use luigi_tests::recorder::Recorder;
use luigi_tests::wait;
use luigi_workflow::ledger::Event;
use std::fs;
use std::os::unix::net::UnixDatagram;
use tempfile::TempDir;

#[test]
fn a_second_daemon_on_a_ledger_or_a_feed_refuses_and_says_who_has_it() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    let daemon = home.start();
    let refused = |home: &Home, words: &[&str]| {
        let output = home.run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?} in {said}");
    };
    let process = format!("process {}", daemon.process());
    refused(&home, &["is owned by", &process]);
    // Another ledger, the same feed.
    home.configure("ledger = { path = \"other/ledger.db\" }\n");
    refused(&home, &["the feed", "is being written by", &process]);
    // Another feed as well; at last another spool, and still the same state.
    let elsewhere = |home: &Home, spool: &str| {
        home.configure(&format!("ledger = {{ path = \"other/ledger.db\" }}\n[spool]\ndirectory = \"{spool}\"\n"));
        let text = fs::read_to_string(home.config()).unwrap();
        let text = text.replace(
            "directory = \"feed\", key = \"feed.key\"",
            "directory = \"other/feed\", key = \"other/feed.key\"",
        );
        fs::write(home.config(), text).unwrap();
    };
    elsewhere(&home, "spool");
    refused(&home, &["cannot open the spool", "another process drains it"]);
    elsewhere(&home, "other/spool");
    refused(&home, &["another daemon listens at", "control.sock", "a `state` of its own"]);
    // What the first one had for itself is left alone.
    assert_eq!(daemon.get("/healthz").0, 200);
    home.configure("");
    daemon.kill();
    let daemon = home.start();
    assert!(daemon.stop().success(), "the locks of one that was killed are free");
}

/// What is no segment is set aside: the ledger would be.
#[test]
fn a_spool_in_which_something_else_lies_is_refused() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    assert!(home.start().stop().success());
    for (spool, named) in
        [("state", "state` lies in it"), ("state/ledger", "ledger.db` lies in it"), (".", "lies in it")]
    {
        home.configure(&format!("[spool]\ndirectory = \"{spool}\"\n"));
        let output = home.run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("cannot open the spool") && said.contains(named), "{said}");
        assert!(home.ledger().exists(), "{spool}");
    }
}

#[test]
fn systemd_hears_that_it_is_ready_lives_and_stops() {
    let folder = TempDir::new().unwrap();
    let mut home = Home::new(folder.path(), "");
    let path = home.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    home.environment = vec![
        ("NOTIFY_SOCKET".to_owned(), path.to_str().unwrap().to_owned()),
        ("WATCHDOG_USEC".to_owned(), "400000".to_owned()),
    ];
    let hear = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("it says something");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let daemon = home.start();
    let mut heard = hear();
    while heard == "WATCHDOG=1" {
        heard = hear();
    }
    assert!(heard.starts_with("READY=1\n"), "{heard}");
    assert_eq!((hear(), hear()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    let stopped = std::thread::spawn(move || daemon.stop());
    while hear() == "WATCHDOG=1" {}
    assert!(stopped.join().unwrap().success());
}

#[test]
fn a_daemon_that_is_told_to_stop_drains_says_so_and_sends_a_checkpoint() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("spool")).unwrap();
    let home =
        Home::new(folder.path(), "checkpoints = { to = [\"anchors\", \"/nowhere/at/all\"], interval = \"1h\" }\n");
    let daemon = home.start();
    daemon.freeze();
    let recorder = Recorder::new(&home.path("spool"), 64 << 20);
    let mut thread = recorder.thread();
    let written: Vec<_> = (0..500).map(|n| thread.request(&format!("/console/{n}")).unwrap().to_string()).collect();
    let process = i32::try_from(daemon.process()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::CONT).unwrap();
    assert!(daemon.stop().success());
    assert_eq!(home.decisions(500), written);
    let entries = home.entries();
    assert!(matches!(entries.last().unwrap().event, Event::DaemonStopped(_)), "{:?}", entries.last());
    let verified = home.luigi(&[
        "audit",
        "verify",
        "--ledger",
        "state/ledger/ledger.db",
        "--checkpoints",
        "anchors",
        "--public-key",
        "state/ledger.pub",
    ]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(
        verified.status.success() && said.contains(&format!("anchored by `anchors` up to entry {}", entries.len())),
        "{said}"
    );
    // The other place is told of once the next one runs and finds it still out of reach.
    let daemon = home.start();
    let told = |event: &Event| matches!(event, Event::RecordsLost(lost) if lost.place == "checkpoint" && lost.reason.contains("/nowhere/at/all"));
    home.configure("checkpoints = { to = [\"/nowhere/at/all\"], interval = \"1s\" }\n");
    assert!(daemon.stop().success());
    let daemon = home.start();
    let _ = home.events_with("a place that is out of reach", told);
    assert!(daemon.metric("luigi_checkpoints_not_sent_total").is_some_and(|n| n >= 1.0));
}

#[test]
fn health_and_metrics_are_told() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    let daemon = home.start();
    assert_eq!(daemon.get("/healthz"), (200, "alive\n".to_owned()));
    wait::until("it says why it is not ready", || {
        let (status, text) = daemon.get("/readyz");
        status == 503 && text.contains("has no policy yet")
    });
    fs::write(home.path("policy.toml"), luigi_tests::feed::numbered_policy(1)).unwrap();
    let applied = home.luigi(&["apply", "policy.toml", "--to", "feed", "--key", "feed.key", "--by", "ada"]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    wait::until("it is ready", || daemon.get("/readyz").0 == 200);
    assert_eq!(daemon.metric("luigi_feed_generation"), Some(1.0));
    assert_eq!(daemon.metric("luigi_up{part=\"feed\"}"), Some(1.0));
    assert_eq!(daemon.get("/nothing").0, 404);
    // The heartbeat goes on.
    let first = daemon.metric("luigi_feed_heartbeat_timestamp_seconds").unwrap();
    wait::until("the heart beats", || daemon.metric("luigi_feed_heartbeat_timestamp_seconds").unwrap() > first);
}

#[test]
fn a_wrong_configuration_is_told_as_a_wrong_policy_is() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    fs::write(home.config(), "schema = 1\n[feed]\nhartbeat = \"5s\"\n[spool]\nlongest-response = \"soon\"\n").unwrap();
    let output = home.run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in [
        "error[unknown-key]: unknown key `hartbeat` in `feed`",
        "luigi.toml:3:1",
        "error[invalid-duration]: `soon` is not a duration",
        "luigi.toml:5:20",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let checked = home.luigi(&["check", "luigi.toml"]);
    let found = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(1));
    assert!(found.contains("unknown key `hartbeat`") && found.contains("not fine  luigi.toml: 2 errors"), "{found}");
}

#[test]
fn old_entries_are_retired_to_files_that_verify() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "retention = { keep = \"30d\", to = \"retired\" }\n");
    {
        let mut ledger = luigi_workflow::ledger::Ledger::open(&home.ledger()).unwrap();
        let old = [(90, "a"), (60, "b"), (31, "c"), (29, "d")].map(|(days, secret)| days_ago(days, secret));
        ledger.append(&old).unwrap();
        // Entry 1 was made just now, and what stands behind it goes only with it.
        ledger.retire(1, &home.path("retired")).unwrap();
    }
    let daemon = home.start();
    let is_theirs = |event: &Event| matches!(event, Event::Retired(retired) if (retired.first, retired.last) == (2, 4));
    let events = home.events_with("old entries are retired", is_theirs);
    let Some(Event::Retired(retired)) = events.iter().find(|event| is_theirs(event)) else { panic!("{events:?}") };
    let file = format!("retired/{}", retired.file);
    let all = [
        "audit",
        "verify",
        "--exported",
        "retired/ledger-1-1.jsonl",
        "--exported",
        &file,
        "--ledger",
        "state/ledger/ledger.db",
    ];
    let verified = home.luigi(&all);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    assert!(daemon.stop().success());
    let kept: Vec<_> = home.events().into_iter().filter(|event| matches!(event, Event::SecretRotated(_))).collect();
    assert!(matches!(&kept[..], [Event::SecretRotated(secret)] if secret.secret == "d"), "{kept:?}");
}

/// Something that happened so many days ago.
fn days_ago(days: i64, secret: &str) -> luigi_workflow::ledger::NewEntry {
    let time = luigi_runtime::now().plus_seconds(-days * 86_400);
    serde_json::from_value(serde_json::json!({
        "time": time.to_string(),
        "kind": "secret-rotated",
        "event": { "secret": secret, "by": "ada" },
    }))
    .expect("an entry")
}
