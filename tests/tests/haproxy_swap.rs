//! New policies while HAProxy runs and requests come: taken at once and whole, or refused while the last good one stays.

use luigi_core::policy::diagnostics::Style;
use luigi_runtime::Mode;
use luigi_runtime::answer_line::Field;
use luigi_runtime::feed::{MANIFEST_NAME, Manifest, PublicKey};
use luigi_tests::client::{Client, request};
use luigi_tests::feed::numbered_policy;
use luigi_tests::haproxy::{Haproxy, Setup};
use luigi_tests::installation::Release;
use luigi_tests::load::{Load, TELLING};
use luigi_tests::on_each_haproxy;
use luigi_tests::people::HOST;
use luigi_tests::site::Site;
use luigi_workflow::apply::{ApplyRequest, OnOtherEnvironment, apply};
use std::fs;
use std::path::Path;

on_each_haproxy!(
    policies_are_swapped_during_a_load,
    a_broken_policy_changes_nothing,
    a_damaged_or_foreign_or_old_version_is_refused_and_the_last_good_one_stays,
);

fn policies_are_swapped_during_a_load(release: Release) {
    const CLIENTS: usize = 4;
    const POLICIES: u64 = 5;
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = Setup { frontend: TELLING.to_owned(), ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    let worker = haproxy.worker();
    let load = Load::start(haproxy.address(), CLIENTS);
    load.go_on(10);
    for number in 2..=POLICIES {
        let applied = site.apply(&numbered_policy(number), None);
        haproxy.status_with(&format!("revision               {}", applied.revision));
        load.go_on(10);
    }
    let answers = load.finish();
    assert_eq!(haproxy.worker(), worker);
    for (client, given) in answers.iter().enumerate() {
        assert!(given.iter().all(|given| given.status == 200), "client {client}: {given:?}");
        let rules: Vec<&str> = given.iter().map(|given| given.field(Field::Rule)).collect();
        assert!(rules.is_sorted(), "client {client} saw an old policy after a new one: {rules:?}");
        let mut seen = rules;
        seen.dedup();
        let expected: Vec<String> = (1..=POLICIES).map(|number| format!("open-{number}")).collect();
        assert_eq!(seen, expected, "client {client}");
        for given in given {
            let watched = given.field(Field::Rule).replace("open", "watched");
            assert_eq!(given.field(Field::CandidateRule), watched, "decision and candidate are from one version");
        }
    }
    // What is no longer in force is let go of, by idle threads too.
    haproxy.status_with("versions in memory     1");
    haproxy.status_with("failures               0");
}

fn a_broken_policy_changes_nothing(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let manifest = || fs::read(site.feed().join(MANIFEST_NAME)).expect("there is a manifest");
    let before = manifest();
    for (broken, code) in [
        ("schema = 1\n[[rules]]\nid = \"x\"\n", "effect"),
        ("schema = ", "error"),
        (&numbered_policy(2).replace("[\"staff\"]", "[\"stuff\"]"), "stuff"),
    ] {
        let error = site.try_apply(broken, None).expect_err("the policy is broken").to_string();
        assert!(error.contains("policy.toml") && error.contains(code), "{error}");
        assert_eq!(manifest(), before, "the feed is as it was");
    }
    assert_eq!(rule(&haproxy), "open-1");
    let status = haproxy.ask("luigi status");
    assert!(status.contains("generation             1") && !status.contains("newest version"), "{status}");
}

fn a_damaged_or_foreign_or_old_version_is_refused_and_the_last_good_one_stays(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let first = fs::read(site.feed().join(MANIFEST_NAME)).expect("there is a manifest");
    site.apply(&numbered_policy(2), None);
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    let good = fs::read(site.feed().join(MANIFEST_NAME)).expect("there is a manifest");

    // The next generation, made elsewhere with the same key; and one of somebody else's.
    let next = made_aside(&site, "next", "feed.key", 3);
    let foreign = made_aside(&site, "foreign", "foreign.key", 3);

    /// What is wrong, how it comes to be, and what the status says of it.
    type Refusal<'a> = (&'a str, Box<dyn Fn() + 'a>, &'a str);
    let refusals: [Refusal<'_>; 9] = [
        ("no manifest", Box::new(|| fs::remove_file(site.feed().join(MANIFEST_NAME)).expect("ours")), "cannot be read"),
        ("an empty one", Box::new(|| put(&site, MANIFEST_NAME, b"")), "the file is not a manifest"),
        (
            "half of one",
            Box::new(|| put(&site, MANIFEST_NAME, &good[..good.len() / 2])),
            "the signature of the manifest does not verify",
        ),
        (
            "of a later format",
            Box::new(|| {
                let text = String::from_utf8(next.0.clone()).expect("a manifest is text");
                put(&site, MANIFEST_NAME, text.replacen("luigi-manifest 1", "luigi-manifest 2", 1).as_bytes());
            }),
            "the manifest has format `2`; what reads it knows format 1",
        ),
        (
            "one that cannot be read",
            Box::new(|| {
                fs::remove_file(site.feed().join(MANIFEST_NAME)).expect("ours");
                fs::create_dir(site.feed().join(MANIFEST_NAME)).expect("ours");
            }),
            "not a regular file",
        ),
        ("of another key", Box::new(|| put(&site, MANIFEST_NAME, &foreign.0)), "is signed with key"),
        ("an older one", Box::new(|| put(&site, MANIFEST_NAME, &first)), "generation 1 is older than 2"),
        ("without its policy", Box::new(|| put(&site, MANIFEST_NAME, &next.0)), "cannot be read"),
        (
            "with a damaged policy",
            Box::new(|| {
                let mut damaged = next.2.clone();
                let middle = damaged.len() / 2;
                damaged[middle] ^= 1;
                put(&site, &next.1, &damaged);
                put(&site, MANIFEST_NAME, &next.0);
            }),
            "is damaged",
        ),
    ];
    for (name, action, why) in refusals {
        action();
        let status = haproxy.status_with(why);
        assert!(status.contains("newest version         refused since"), "{name}: {status}");
        assert!(status.contains("generation             2"), "{name}: {status}");
        let _ = haproxy.log_line(&["luigi: a new version was refused, the last good one stays in force", why]);
        assert_eq!(rule(&haproxy), "open-2", "{name}");
        let _ = fs::remove_dir(site.feed().join(MANIFEST_NAME));
    }

    // As soon as the feed is whole again, what it holds is in force.
    put(&site, &next.1, &next.2);
    put(&site, MANIFEST_NAME, &next.0);
    let status = haproxy.status_with("generation             3");
    assert!(!status.contains("newest version"), "{status}");
    assert_eq!(rule(&haproxy), "open-3");
}

/// The rule that decides a request now, from the log.
fn rule(haproxy: &Haproxy) -> String {
    let response = Client::connect(haproxy.address()).exchange(&request("GET", "/open", HOST, &[]));
    assert_eq!(response.status, 200, "{}", response.text());
    let text = response.text();
    let (_, rest) = text.split_once("x-luigi-evaluation: ").expect("the upstream shows what it saw");
    let line = haproxy.log_line(&[&format!("evaluation={}", &rest[..32])]);
    line.split_once(" rule=").expect("the log has the rule").1.split(' ').next().unwrap_or_default().to_owned()
}

/// A copy of the feed with one more policy, made with this key: its manifest, and the compiled policy with its file name.
fn made_aside(site: &Site, name: &str, key: &str, number: u64) -> (Vec<u8>, String, Vec<u8>) {
    let (feed, policy) = (site.path(name), site.path(&format!("{name}.toml")));
    if key == "feed.key" {
        copy_folder(&site.feed(), &feed);
    }
    fs::write(&policy, numbered_policy(number)).expect("a file in the test's folder");
    let key = site.path(key);
    let applied = apply(&ApplyRequest {
        policy,
        feed: feed.clone(),
        environment: None,
        on_other_environment: OnOtherEnvironment::Refuse,
        jwks: Vec::new(),
        mode: Some(Mode::Enforce),
        key,
        style: Style::PLAIN,
    });
    let applied = applied.unwrap_or_else(|error| panic!("{error}"));
    let manifest = fs::read(feed.join(MANIFEST_NAME)).expect("there is a manifest");
    let public = fs::read_to_string(applied.public_key).expect("there is a public key");
    let verified = Manifest::verify(&manifest, &PublicKey::parse(&public).expect("it is a key")).expect("it is signed");
    let file = verified.files().next().expect("a manifest names a policy");
    let bytes = fs::read(feed.join(&file)).expect("the policy is in the feed");
    (manifest, file, bytes)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder in the test's folder");
    for entry in fs::read_dir(from).expect("the feed can be read") {
        let entry = entry.expect("a readable folder");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file in the test's folder");
    }
}

/// Puts a file into the feed in one step.
fn put(site: &Site, name: &str, bytes: &[u8]) {
    let new = site.path("new");
    fs::write(&new, bytes).expect("a file in the test's folder");
    fs::rename(new, site.feed().join(name)).expect("files can be renamed");
}
