//! How HAProxy starts with Luigi: what it refuses to start with, every way in which it may run, and reloads.

use luigi_runtime::Mode;
use luigi_runtime::answer_line::Field;
use luigi_runtime::haproxy_config::{self, PolicySource};
use luigi_tests::client::{Client, request};
use luigi_tests::feed::numbered_policy;
use luigi_tests::haproxy::{Haproxy, Integration, Loading, Process, Setup};
use luigi_tests::installation::{Build, Release, home};
use luigi_tests::load::{Load, TELLING};
use luigi_tests::needs::Need;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{self, HOST, POLICY, ada, bearer, signer};
use luigi_tests::site::Site;
use luigi_tests::wait;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

on_each_haproxy!(
    a_check_fails_with_the_reason,
    a_check_has_no_side_effect,
    every_way_to_run_decides_and_follows_the_feed,
    a_worker_without_rights_follows_the_feed,
    nothing_is_written_to_a_read_only_file_system,
    reloads_during_a_load_lose_no_request,
    the_old_worker_follows_the_feed_until_its_last_request,
    a_policy_file_is_compiled_once,
    the_named_defaults_section_is_the_whole_integration,
    a_listen_section_takes_the_lines,
);

fn a_check_fails_with_the_reason(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), None);
    fs::write(site.path("broken.toml"), "schema = 1\n\n[[rules]]\nid = \"x\"\neffect = \"alow\"\nscopes = [\"y\"]\n")
        .unwrap();
    fs::write(site.path("good.toml"), POLICY).unwrap();
    fs::write(
        site.path("other.pub"),
        fs::read_to_string(site.path("feed.pub")).unwrap().replace(char::is_lowercase, "a"),
    )
    .unwrap();
    let text = |name: &str| site.path(name).to_str().unwrap().to_owned();
    let feed = |directory: &str, key: &str| PolicySource::Feed { directory: text(directory), public_key: text(key) };
    let policy = |name: &str| PolicySource::Policy { path: text(name), environment: None, jwks: Vec::new() };
    let keys = PolicySource::Policy {
        path: text("good.toml"),
        environment: None,
        jwks: vec![("corp".into(), text("nowhere.json"))],
    };
    fs::create_dir(site.path("empty")).unwrap();
    let mode = ("LUIGI_MODE", "sometimes");
    let both = ("LUIGI_FEED", "/somewhere");
    for (source, environment, expected) in [
        // Every problem, with its place and the line it is about.
        (policy("broken.toml"), None, &["broken.toml:5", "effect = \"alow\"", "scopes = [\"y\"]"][..]),
        (policy("nowhere.toml"), None, &["nowhere.toml"]),
        (policy("good.toml"), Some(mode), &["`LUIGI_MODE` is neither `observe` nor `enforce` but `sometimes`"]),
        (policy("good.toml"), Some(both), &["both `LUIGI_FEED` and `LUIGI_POLICY` are set"]),
        (keys, None, &["cannot read the keys `", "nowhere.json"]),
        (feed("nowhere", "feed.pub"), None, &["cannot open the feed `", "nowhere"]),
        (feed("empty", "feed.pub"), None, &["cannot use the feed `", "the manifest cannot be read"]),
        (feed("feed", "nowhere.pub"), None, &["cannot read the public key `"]),
        (feed("feed", "other.pub"), None, &["luigi: cannot use the"]),
    ] {
        let mut setup = Setup::new(release, source);
        setup.environment.extend(environment.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let Some(output) = site.place(setup).check() else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{expected:?}: {said}");
        for words in expected {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}

fn a_check_has_no_side_effect(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let Some(haproxy) = site.start(site.setup(release)) else { return };
    site.apply(&numbered_policy(2), None);
    haproxy.status_with("generation             2");
    let files = || (contents(&site.feed()), contents(&home(Build::Plain)));
    let before = files();
    // The place writes the same configuration with another address; what runs has read its own.
    let Some(output) = site.place(site.setup(release)).check() else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files() == before, "a check leaves every file as it was");
    let status = haproxy.ask("luigi status");
    assert!(
        status.contains("generation             2") && status.contains("mode                   enforce"),
        "{status}"
    );
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn every_way_to_run_decides_and_follows_the_feed(release: Release) {
    for (process, threads, loading) in [
        (Process::Single, 1, Loading::PerThread),
        (Process::Single, 4, Loading::PerThread),
        (Process::Single, 1, Loading::Shared),
        (Process::Single, 2, Loading::Shared),
        (Process::MasterWorker, 2, Loading::PerThread),
        (Process::MasterWorker, 2, Loading::Shared),
    ] {
        let site = Site::new();
        site.apply(&numbered_policy(1), Some(Mode::Enforce));
        let Some(haproxy) = site.start(Setup { process, threads, loading, ..site.setup(release) }) else { return };
        decides_and_follows(&site, &haproxy);
    }
}

/// Asks on several connections, which HAProxy spreads over its threads; then the same after a new policy, then in the other mode.
fn decides_and_follows(site: &Site, haproxy: &Haproxy) {
    for number in [1, 2] {
        let applied = site.apply(&numbered_policy(number), None);
        haproxy.status_with(&format!("revision               {}", applied.revision));
        for connection in 0..8 {
            let mut client = Client::connect(haproxy.address());
            assert_eq!(client.exchange(&request("GET", "/open", HOST, &[])).status, 200);
            let closed = format!("/closed/{number}/{connection}");
            assert_eq!(client.exchange(&request("GET", &closed, HOST, &[])).status, 403);
            let _ = haproxy.log_line(&[&format!("revision={}", &applied.revision[..12]), &closed]);
        }
    }
    assert_eq!(site.upstream().count_with(b"/closed"), 0);
    site.apply(&numbered_policy(2), Some(Mode::Observe));
    haproxy.status_with("mode                   observe");
    assert_eq!(Client::connect(haproxy.address()).exchange(&request("GET", "/closed", HOST, &[])).status, 200);
    haproxy.status_with("versions in memory     1");
    haproxy.status_with("failures               0");
}

fn a_worker_without_rights_follows_the_feed(release: Release) {
    if !Need::Root.is_met() {
        return;
    }
    let group = group_id("haproxy");
    for process in [Process::Single, Process::MasterWorker] {
        let site = Site::new();
        // As an installation lays it out: the group of HAProxy may read the feed, and nobody may write but its owner.
        fs::create_dir(site.feed()).unwrap();
        chown(site.feed(), None, Some(group)).unwrap();
        fs::set_permissions(site.feed(), fs::Permissions::from_mode(0o750)).unwrap();
        site.apply(&numbered_policy(1), Some(Mode::Enforce));
        fs::create_dir(site.path("jail")).unwrap();
        let global = format!("    chroot {}\n    user haproxy\n    group haproxy\n", site.path("jail").display());
        let Some(haproxy) = site.start(Setup { process, global, ..site.setup(release) }) else { return };
        let status = fs::read_to_string(format!("/proc/{}/status", haproxy.worker())).unwrap();
        assert!(status.lines().any(|line| line.starts_with(&format!("Gid:\t{group}"))), "{status}");
        assert_eq!(fs::read_link(format!("/proc/{}/root", haproxy.worker())).unwrap(), site.path("jail"));
        decides_and_follows(&site, &haproxy);

        // A feed that it may not enter any more is told, and what it has stays in force.
        fs::set_permissions(site.feed(), fs::Permissions::from_mode(0o700)).unwrap();
        let status = haproxy.status_with("the manifest cannot be read: Permission denied");
        assert!(status.contains("newest version         refused since"), "{status}");
        assert!(status.contains("mode                   observe"), "{status}");
        assert_eq!(Client::connect(haproxy.address()).exchange(&request("GET", "/closed", HOST, &[])).status, 200);
        fs::set_permissions(site.feed(), fs::Permissions::from_mode(0o750)).unwrap();
        site.apply(&numbered_policy(3), Some(Mode::Enforce));
        let status = haproxy.status_with("mode                   enforce");
        assert!(!status.contains("newest version"), "{status}");
    }
}

fn group_id(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("the package made the group");
    line.split(':').nth(2).unwrap().parse().unwrap()
}

fn nothing_is_written_to_a_read_only_file_system(release: Release) {
    if !Need::Mounts.is_met() {
        return;
    }
    // Everything is read-only in there but the folder for HAProxy's sockets, and the feed in it.
    const SCRIPT: &str = "mount --make-rprivate / && mount --bind $FOLDER $FOLDER && mount --bind $FOLDER/feed $FOLDER/feed && \
                          mount -o remount,bind,ro $FOLDER/feed && mount -o remount,bind,ro / && exec \"$@\"";
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let script = SCRIPT.replace("$FOLDER", site.folder().to_str().unwrap());
    let wrapper: Vec<String> =
        ["unshare", "--mount", "sh", "-c", &script, "sh"].into_iter().map(str::to_owned).collect();
    for file in ["feed/x", "../luigi-test-x"] {
        let path = site.path(file);
        let touched = Command::new(&wrapper[0]).args(&wrapper[1..]).arg("touch").arg(path).output().unwrap();
        assert!(!touched.status.success(), "{file} can be written");
    }
    let Some(haproxy) = site.start(Setup { wrapper, ..site.setup(release) }) else { return };
    decides_and_follows(&site, &haproxy);
}

fn reloads_during_a_load_lose_no_request(release: Release) {
    const CLIENTS: usize = 4;
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = Setup { process: Process::MasterWorker, frontend: TELLING.to_owned(), ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    let load = Load::start(haproxy.address(), CLIENTS);
    load.go_on(10);
    for number in 2..=4 {
        haproxy.reload();
        load.go_on(10);
        site.apply(&numbered_policy(number), None);
        haproxy.status_with(&format!("generation             {number}"));
        load.go_on(10);
    }
    for (client, given) in load.finish().iter().enumerate() {
        assert!(given.iter().all(|given| given.status == 200), "client {client}: {given:?}");
        for number in 1..=4 {
            let rule = format!("open-{number}");
            assert!(given.iter().any(|given| given.field(Field::Rule) == rule), "client {client} never met {rule}");
        }
    }
}

fn the_old_worker_follows_the_feed_until_its_last_request(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = Setup { process: Process::MasterWorker, ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    let old = haproxy.worker();
    let mut held = Client::connect(haproxy.address());
    assert_eq!(held.exchange(&request("GET", "/open?before", HOST, &[])).status, 200);
    // Half a request: the old worker has to wait for the rest of it.
    held.send(b"GET /open?held HTTP/1.1\r\nhost: app.exam");
    let mut late = Client::connect(haproxy.address());
    late.send(b"GET /closed?late HTTP/1.1\r\nhost: app.exam");
    wait::until("the old worker has both connections", || {
        haproxy.ask("show info").lines().any(|line| line.trim() == "CurrConns: 2")
    });
    haproxy.reload();
    assert_ne!(haproxy.worker(), old);
    site.apply(&numbered_policy(2), None);
    haproxy.status_with("generation             2");
    // Each worker says in the log that it took the new version.
    wait::until("both workers took it", || {
        haproxy.log().lines().filter(|line| line.starts_with("luigi: generation 2 is in force")).count() == 2
    });
    assert!(Path::new(&format!("/proc/{old}")).exists(), "the old worker is still there");
    assert_eq!(held.exchange(b"ple.com\r\n\r\n").status, 200);
    assert_eq!(late.exchange(b"ple.com\r\n\r\n").status, 403);
    assert!(haproxy.log_line(&["/open?held"]).contains("rule=open-2"));
    assert!(haproxy.log_line(&["/closed?late"]).contains("luigi=refuse"));
    drop((held, late));
    wait::until("the old worker is gone", || !Path::new(&format!("/proc/{old}")).exists());
}

fn a_policy_file_is_compiled_once(release: Release) {
    for (mode, status) in [(None, 200), (Some("observe"), 200), (Some("enforce"), 401)] {
        let site = people::site();
        fs::write(site.policy_file(), POLICY).unwrap();
        let jwks = vec![("corp".to_owned(), site.path("corp.jwks.json").to_str().unwrap().to_owned())];
        let path = site.policy_file().to_str().unwrap().to_owned();
        let mut setup = Setup::new(release, PolicySource::Policy { path, environment: None, jwks });
        setup.environment.extend(mode.map(|mode| ("LUIGI_MODE".to_owned(), mode.to_owned())));
        let Some(haproxy) = site.start(setup) else { return };
        let mut client = Client::connect(haproxy.address());
        assert_eq!(client.exchange(&request("GET", "/staff/a", HOST, &[])).status, status, "{mode:?}");
        let authorization = bearer(&signer(), &ada());
        let response = client.exchange(&request("GET", "/staff/b", HOST, &[("authorization", &authorization)]));
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.text().contains("x-luigi-subject: ada"), "{}", response.text());
        let status = haproxy.ask("luigi status");
        let expected = format!("policy file            {}", site.policy_file().display());
        assert!(status.contains(&expected) && status.contains("issuer                 corp, 1 key"), "{status}");
    }
}

fn the_named_defaults_section_is_the_whole_integration(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = Setup { integration: Integration::Defaults, ..site.setup(release) };
    let Some(haproxy) = site.start(setup) else { return };
    decides_and_follows(&site, &haproxy);
    let log = haproxy.log();
    assert!(!log.contains("[WARNING]") && !log.contains("[ALERT]"), "{log}");
}

fn a_listen_section_takes_the_lines(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let setup = site.setup(release);
    let (socket, upstream) = (site.path("listen.sock"), site.upstream().address());
    let sections = format!(
        "listen all-in-one\n    bind unix@{}\n{}    server upstream {upstream}\n",
        socket.display(),
        haproxy_config::frontend_lines(&setup.options)
    );
    let Some(_haproxy) = site.start(Setup { sections, ..setup }) else { return };
    let mut client = Client::connect_unix(&socket);
    assert_eq!(client.exchange(&request("GET", "/open", HOST, &[])).status, 200);
    assert_eq!(client.exchange(&request("GET", "/closed", HOST, &[])).status, 403);
    assert_eq!(site.upstream().seen().len(), 1);
}
