//! The real command beside what it finds in place: a feed, pipes and devices, a HAProxy.

mod the_command;

use std::fs;
use std::process::{Command, Output, Stdio};
use the_command::{folder, luigi, run, text};

#[test]
fn a_policy_goes_into_a_feed_and_its_status_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (feed, key, public_key) = (at("feed"), at("feed.key"), at("feed.pub"));
    let apply = |policy: &str, more: &[&str]| {
        run(luigi().args(["apply", policy, "--to", &feed, "--key", &key, "--format", "json"]).args(more), "")
    };
    let json = |output: &Output| -> serde_json::Value {
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let first = json(&apply("shop.toml", &[]));
    assert_eq!(first["mode"], "observe");
    assert_eq!((&first["previous-revision"], &first["tests-passed"]), (&serde_json::Value::Null, &3.into()));
    assert_eq!(first["public-key"], public_key.as_str());
    let second = json(&apply("shop.toml", &["--mode", "enforce"]));
    assert_eq!((&second["mode"], &second["previous-mode"]), (&"enforce".into(), &"observe".into()));
    assert_eq!(second["previous-revision"], first["revision"]);

    let status = || run(luigi().args(["status", &feed, "--public-key", &public_key, "--format", "json"]), "");
    let now = json(&status());
    assert_eq!((&now["mode"], &now["revision"], &now["rules"]), (&"enforce".into(), &second["revision"], &4.into()));
    assert_eq!(now["generation"], second["generation"]);

    for (policy, says) in [("broken.toml", "unknown-name"), ("failing.toml", "staff read orders from anywhere")] {
        let refused = apply(policy, &[]);
        assert_eq!(refused.status.code(), Some(1), "{policy}");
        assert!(text(&refused.stderr).contains(says), "{policy}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("not applied: the feed is as it was"), "{policy}");
    }
    // But for the time that has passed.
    let [before, after] = [now.clone(), json(&status())].map(|mut status| {
        status["heartbeat-age-seconds"].take();
        status
    });
    assert_eq!(after, before);

    let question = r#"{"request": "GET https://shop.example.com/orders/7", "as": {"groups": ["staff"]}}"#;
    let decided = run(luigi().args(["decide", "--feed", &feed, "--public-key", &public_key]), question);
    assert!(text(&decided.stdout).starts_with(r#"{"decision":"allow""#), "{}", text(&decided.stdout));
    let revision = now["revision"].as_str().unwrap();
    assert!(text(&decided.stdout).contains(revision), "{}", text(&decided.stdout));

    for arguments in
        [&["status", &feed, "--public-key", &public_key][..], &["apply", "shop.toml", "--to", &feed, "--key", &key]]
    {
        let output = run(luigi().args(arguments), "");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("enforce"), "{}", text(&output.stdout));
    }
    let wrong_key = run(luigi().args(["status", &feed, "--public-key", &key]), "");
    assert_eq!(wrong_key.status.code(), Some(3), "{}", text(&wrong_key.stdout));
}

/// What a timer or a service starts must not wait for somebody to write to a pipe, nor read a device without end.
#[test]
fn what_must_be_a_file_and_is_a_pipe_or_a_device_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let pipe = at("pipe.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let (feed, key) = (at("feed"), at("feed.key"));
    let applied = run(luigi().args(["apply", "shop.toml", "--to", &feed, "--key", &key]), "");
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    let here = at("");
    let keys = format!("corp={pipe}");
    for (arguments, names) in [
        (&["check", &pipe][..], "a pipe"),
        (&["check", &here], "a pipe"),
        (&["check", "/dev/zero"], "a device"),
        (&["check", "shop.toml", "--haproxy", &pipe], "a pipe"),
        (&["explain", "shop.toml", "-r", "GET https://shop.example.com/", "--jwks", &keys], "a pipe"),
        (&["apply", "shop.toml", "--to", &feed, "--key", &pipe], "a pipe"),
        (&["apply", "shop.toml", "--to", &feed, "--key", &key, "--jwks", &keys], "a pipe"),
        (&["status", &feed, "--public-key", &pipe], "a pipe"),
        (&["audit", "verify", "--public-key", &pipe], "a pipe"),
    ] {
        // Whatever waits is ended, with a status of its own.
        let mut command = Command::new("timeout");
        command.arg("60").arg(env!("CARGO_BIN_EXE_luigi")).current_dir(folder("data"));
        let output = run(command.args(arguments), "");
        // What is wrong with a policy is what `check` was asked for.
        let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(matches!(output.status.code(), Some(1..=9)), "{arguments:?}: {}: {told}", output.status);
        assert!(told.contains(&format!("it is {names}, and must be a regular file")), "{arguments:?}: {told}");
    }
}

#[test]
fn stops_are_terms_of_a_feed() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (key, public_key) = (at("feed.key"), at("feed.pub"));
    for feed in ["old", "new"] {
        let output = run(luigi().args(["apply", "shop.toml", "--to", &at(feed), "--key", &key]), "");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let diff = |old: &str, new: &str| {
        let output = run(luigi().args(["diff", old, new, "--public-key", &public_key, "--exit-code"]), "");
        (output.status.code(), text(&output.stdout).to_owned())
    };
    assert_eq!(diff(&at("old"), &at("new")).0, Some(0));
    let stop = [
        "stop",
        "--scope",
        "orders",
        "--until",
        "4h",
        "--reason",
        "a leak",
        "--by",
        "ada",
        "--to",
        &at("new"),
        "--key",
        &key,
    ];
    let output = run(luigi().args(stop), "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    for (old, new, says) in [("old", "new", "nothing -> scope `orders` until"), ("new", "old", "until")] {
        let (code, said) = diff(&at(old), &at(new));
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("what is denied whatever rules say: ") && said.contains(says), "{said}");
    }
    // Whoever applies a policy leaves the stops as they are.
    assert_eq!(diff(&at("new"), "shop.toml").0, Some(0));
}

#[test]
fn a_haproxy_without_luigi_is_told_from_one_with() {
    let directory = tempfile::tempdir().unwrap();
    let (config, socket) = (directory.path().join("haproxy.cfg"), directory.path().join("stats"));
    let lines = format!(
        "global\n    stats socket {}\ndefaults\n    mode http\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\n\
         frontend f\n    bind unix@{}/f\n",
        socket.display(),
        directory.path().display(),
    );
    fs::write(&config, lines).unwrap();
    let mut haproxy =
        Command::new("haproxy").arg("-f").arg(&config).stderr(Stdio::null()).spawn().expect("haproxy is installed");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(std::time::Instant::now() < until, "HAProxy does not listen");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = run(luigi().args(["status", "--socket"]).arg(&socket), "");
    haproxy.kill().unwrap();
    haproxy.wait().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("has no Luigi loaded"), "{}", text(&output.stderr));
}
