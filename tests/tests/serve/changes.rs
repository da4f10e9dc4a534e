//! What is in force, changed through a daemon, beside it and by it: everything is on record with who did it and what changes for whom.

use luigi_runtime::feed::{Manifest, PublicKey};
use luigi_runtime::{Engine, EngineConfig, FeedConfig, Mode};
use luigi_tests::daemon::Home;
use luigi_tests::feed::numbered_policy;
use luigi_tests::tokens::{Signer, jwks};
use luigi_tests::wait;
use luigi_workflow::ledger::{Event, PolicyApplied};
use std::fs;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const APPLY: [&str; 6] = ["apply", "policy.toml", "--to", "feed", "--key", "feed.key"];

fn luigi(home: &Home, words: &[&str]) -> String {
    let output = home.luigi(words);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    said
}

fn put_policy(home: &Home, number: u64) {
    fs::write(home.path("policy.toml"), numbered_policy(number)).unwrap();
}

fn applied(events: &[Event]) -> Vec<&PolicyApplied> {
    let all = events.iter().filter_map(|event| match event {
        Event::PolicyApplied(applied) => Some(applied),
        _ => None,
    });
    all.collect()
}

fn manifest(home: &Home) -> Manifest {
    let key = PublicKey::parse(&fs::read_to_string(home.path("feed.pub")).unwrap()).unwrap();
    Manifest::verify(&fs::read(home.path("feed/manifest")).unwrap(), &key).unwrap()
}

/// A feed that was applied by hand in the second in which a daemon takes it over: nobody is told of a clock that is wrong.
#[test]
fn a_heartbeat_is_not_said_to_be_ahead_of_a_clock_that_is_right() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    put_policy(&home, 1);
    luigi(&home, &APPLY);
    let daemon = home.start();
    let mut seen = manifest(&home).heartbeat;
    for number in 2..5 {
        put_policy(&home, number);
        luigi(&home, &APPLY);
        for _ in 0..2 {
            seen = wait::for_some("the heartbeat goes on", || {
                let engine = Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).ok()?;
                let status = engine.status();
                assert!(status.heartbeat_age_seconds >= Some(0), "{}", status.to_text());
                let heartbeat = engine.version().heartbeat()?;
                (heartbeat > seen).then_some(heartbeat)
            });
        }
    }
    assert!(daemon.stop().success());
}

/// The daemon is killed as soon as a change is in force.
#[test]
fn a_daemon_that_goes_right_after_a_change_is_missed() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    let daemon = home.start();
    put_policy(&home, 1);
    luigi(&home, &APPLY);
    daemon.kill();
    let engine = EngineConfig::feed(home.path("feed"), home.path("feed.pub"));
    let EngineConfig::Feed(config) = engine else { panic!("a feed") };
    let config = FeedConfig { stale_after: Duration::from_secs(1), ..config };
    let engine = Engine::open(&EngineConfig::Feed(config)).unwrap();
    wait::until("it is missed", || {
        let _ = engine.poll_until_idle();
        engine.status().to_text().contains(", stale: its writer is silent")
    });
}

#[test]
fn a_running_daemon_is_handed_what_commands_change() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "");
    let daemon = home.start();
    put_policy(&home, 1);
    fs::write(home.path("corp.json"), jwks(&[&Signer::es256("a")])).unwrap();
    let said = luigi(&home, &[&APPLY[..], &["--by", "ada", "--jwks", "corp=corp.json"]].concat());
    assert!(said.contains("generation  1") && said.contains("mode        observe"), "{said}");
    // From the first moment on a daemon that goes is missed.
    let open = || Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).unwrap();
    let manifest = manifest(&home);
    assert!(manifest.heartbeat > manifest.published_at, "{manifest:?}");
    assert!(!open().status().to_text().contains("ahead of this clock"));
    // It is on record when the command returns.
    let events = home.events();
    let [first] = applied(&events)[..] else { panic!("{events:?}") };
    assert_eq!((first.by.as_str(), first.mode, &first.previous), ("ada (user 0)", Mode::Observe, &None));
    assert!(
        events.iter().any(|event| matches!(event, Event::KeysChanged(keys) if keys.issuer == "corp" && keys.keys == 1)),
        "{events:?}"
    );

    // A policy that opens something, and the mode.
    let opened = numbered_policy(1)
        + "[[rules]]\nid = \"staff-too\"\neffect = \"allow\"\nscopes = [\"staff\"]\nsubject = \"authenticated\"\n";
    fs::write(home.path("policy.toml"), opened).unwrap();
    luigi(&home, &[&APPLY[..], &["--by", "ben", "--mode", "enforce"]].concat());
    let events = home.events();
    let second = applied(&events)[1];
    assert_eq!((second.by.as_str(), second.previous.as_ref()), ("ben (user 0)", Some(&first.revision)));
    assert!(
        second
            .changes
            .iter()
            .any(|change| change.starts_with("opens for ") && change.contains("app.example.com/staff/**")),
        "{:?}",
        second.changes
    );
    assert!(second.changes.iter().any(|change| change == "rules: added `staff-too`"), "{:?}", second.changes);
    let flip = events.iter().find_map(|event| match event {
        Event::ModeChanged(changed) => Some((changed.from, changed.to, changed.by.as_str())),
        _ => None,
    });
    assert_eq!(flip, Some((Mode::Observe, Mode::Enforce, "ben (user 0)")));

    // Stops.
    let place = ["--to", "feed", "--key", "feed.key", "--by", "cleo"];
    let said =
        luigi(&home, &[&["stop", "--scope", "staff", "--until", "1h", "--reason", "INC-7"], &place[..]].concat());
    let id = said.lines().find_map(|line| line.strip_prefix("id ")).unwrap().trim().to_owned();
    luigi(&home, &[&["unstop", &id, "--reason", "found it"], &place[..]].concat());
    let events = home.events();
    assert!(events.iter().any(
        |event| matches!(event, Event::Stop(stop) if stop.id == id && stop.by == "cleo (user 0)" && stop.reason == "INC-7")
    ));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Unstop(unstop) if unstop.id == id && unstop.by == "cleo (user 0)" && unstop.reason == "found it"))
    );

    // What is wrong with a policy is told as without a daemon, and nothing changes.
    fs::write(home.path("policy.toml"), numbered_policy(2).replace("anyone", "anybody")).unwrap();
    let refused = home.luigi(&APPLY);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("policy.toml:") && said.contains("not applied: the feed is as it was"), "{said}");
    assert_eq!(applied(&home.events()).len(), 2);
    assert_eq!(daemon.metric("luigi_applies_refused_total"), Some(1.0));
    // An engine takes what the daemon published.
    let engine = Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).unwrap();
    assert_eq!((engine.status().mode, engine.status().generation), (Mode::Enforce, 4));
    let first = engine.version().heartbeat();
    wait::until("its heart beats for engines", || {
        let _ = engine.poll_until_idle();
        engine.status().refusal.is_none() && engine.version().heartbeat() > first
    });
    assert!(!engine.status().stale);
    assert!(daemon.stop().success());
    // Without it the command does it by itself.
    put_policy(&home, 3);
    let said = luigi(&home, &APPLY);
    assert!(said.contains("generation  5"), "{said}");
    let daemon = home.start();
    let events = home.events_with(
        "what changed meanwhile",
        |event| matches!(event, Event::PolicyApplied(applied) if applied.generation == 5),
    );
    let last = applied(&events).last().copied().unwrap().clone();
    assert!(
        last.by.contains("while no daemon ran") && last.changes.iter().any(|change| change.starts_with("closes for ")),
        "{last:?}"
    );
    assert!(daemon.stop().success());
}

#[test]
fn a_policy_file_is_followed_and_one_that_is_broken_leaves_the_last_in_force() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "policy = { path = \"policy.toml\", mode = \"enforce\" }\n");
    put_policy(&home, 1);
    let daemon = home.start();
    let events = home.events_with("the policy is applied", |event| matches!(event, Event::PolicyApplied(_)));
    assert!(
        applied(&events)[0].by.starts_with("the daemon, which follows ") && applied(&events)[0].mode == Mode::Enforce
    );
    put_policy(&home, 2);
    let second = |event: &Event| matches!(event, Event::PolicyApplied(applied) if applied.generation == 2);
    let _ = home.events_with("the next one is applied", second);
    fs::write(home.path("policy.toml"), "schema = 1\n[[rules]]\n").unwrap();
    let _ = daemon.log_line(&["is not applied, what was in force stays"]);
    assert_eq!(daemon.metric("luigi_up{part=\"policy\"}"), Some(0.0));
    wait::until("it is ready all the same", || daemon.get("/readyz").0 == 200);
    put_policy(&home, 3);
    let third = |event: &Event| matches!(event, Event::PolicyApplied(applied) if applied.generation == 3);
    let _ = home.events_with("a good one is applied again", third);
    assert_eq!(daemon.metric("luigi_up{part=\"policy\"}"), Some(1.0));
    // Started anew with what is in force already it changes nothing.
    assert!(daemon.stop().success());
    let daemon = home.start();
    wait::until("it is ready", || daemon.get("/readyz").0 == 200);
    assert!(daemon.stop().success());
    assert_eq!(applied(&home.events()).len(), 3);
    assert_eq!(fs::read_to_string(home.path("feed/manifest")).unwrap().matches("\"generation\": 3").count(), 1);
}

/// Cut off behind its first rules it is a policy that says something else.
#[test]
fn a_policy_that_is_being_written_is_not_applied_before_it_is_whole() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "policy = { path = \"policy.toml\" }\n");
    put_policy(&home, 1);
    let daemon = home.start();
    let _ = home.events_with("the policy is applied", |event| matches!(event, Event::PolicyApplied(_)));
    // Twelve parts, each of which is a policy: the daemon looks several times in between.
    let mut file = fs::File::create(home.path("policy.toml")).unwrap();
    std::io::Write::write_all(&mut file, numbered_policy(2).as_bytes()).unwrap();
    for part in 0..12 {
        let written = Instant::now();
        std::thread::sleep(Duration::from_millis(300));
        let generation = daemon.metric("luigi_feed_generation");
        // A machine so busy that this took as long as the daemon waits shows nothing.
        if written.elapsed() >= Duration::from_millis(900) {
            break;
        }
        assert_eq!(generation, Some(1.0), "part {part}");
        std::io::Write::write_all(&mut file, format!("# {part}\n").as_bytes()).unwrap();
    }
    let second = |event: &Event| matches!(event, Event::PolicyApplied(applied) if applied.generation == 2);
    let _ = home.events_with("the whole one is applied", second);
    assert!(daemon.stop().success());
}

#[test]
fn a_feed_that_is_taken_away_is_an_alarm_and_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let home = Home::new(folder.path(), "policy = { path = \"policy.toml\" }\n");
    put_policy(&home, 1);
    let daemon = home.start();
    let _ = home.events_with("the policy is applied", |event| matches!(event, Event::PolicyApplied(_)));
    let held = Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).unwrap();
    fs::remove_dir_all(home.path("feed")).unwrap();
    let _ = daemon.log_line(&["the feed's directory was taken away or replaced"]);
    wait::until("there is a feed again", || {
        Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).is_ok()
    });
    wait::until("whoever holds the old one says so", || {
        let _ = held.poll_until_idle();
        held.status().refusal.is_some_and(|refusal| refusal.why.contains("was taken away"))
    });
    let anew = |event: &Event| matches!(event, Event::PolicyApplied(applied) if applied.changes == ["the feed was made anew with the same policy"]);
    let _ = home.events_with("it is on record", anew);
    assert!(daemon.stop().success());
}
