//! From real requests through a real HAProxy into the ledger.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_tests::client::{Client, Response, request};
use luigi_tests::daemon::Home;
use luigi_tests::haproxy::{Process, Setup};
use luigi_tests::installation::{Release, luigi};
use luigi_tests::needs::Need;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, ISSUER, ada, bearer, signer, site};
use luigi_tests::site::Site;
use luigi_tests::wait;
use luigi_workflow::ledger::{Decision, DecisionWord, Event, Reply};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

on_each_haproxy!(
    what_is_asked_in_a_jail_is_in_the_ledger,
    old_and_new_worker_write_while_the_daemon_is_killed,
    a_proxy_says_after_what_time_it_misses_the_daemon,
    everything_works_without_rights,
    everything_works_on_a_read_only_root,
);

/// `/console/**` is privileged and for staff, `/open/**` for anyone.
fn policy() -> String {
    format!(
        "schema = 1
[issuers.corp]
url = \"{ISSUER}\"
audiences = [\"app\"]
[groups]
staff = \"staff\"
[scopes.open]
hosts = \"any\"
paths = [\"/open/**\"]
methods = \"read\"
[scopes.console]
hosts = [\"{HOST}\"]
paths = [\"/console/**\"]
methods = \"read\"
privileged = true
[[rules]]
id = \"open\"
effect = \"allow\"
scopes = [\"open\"]
subject = \"anyone\"
[[rules]]
id = \"console\"
effect = \"allow\"
scopes = [\"console\"]
subject = {{ groups = [\"staff\"] }}
"
    )
}

pub(crate) fn ready(more: &str) -> (Site, Home) {
    let site = site();
    site.apply(&policy(), Some(Mode::Enforce));
    fs::create_dir(site.path("spool")).unwrap();
    let home = Home::new(site.folder(), more);
    (site, home)
}

pub(crate) fn recording(site: &Site, release: Release) -> Setup {
    let mut setup = site.setup(release);
    setup.options.spool = Some(site.path("spool").to_str().unwrap().to_owned());
    setup.options.facts = FactList::default().with_user_agent();
    setup
}

pub(crate) fn ask(address: SocketAddr, path: &str, token: Option<&str>) -> Response {
    let mut fields = vec![("user-agent", "test/1")];
    fields.extend(token.map(|token| ("authorization", token)));
    Client::connect(address).exchange(&request("GET", path, HOST, &fields))
}

pub(crate) fn evaluation(response: &Response) -> String {
    let text = response.text();
    text.lines()
        .find_map(|line| line.strip_prefix("x-luigi-evaluation: "))
        .expect("the upstream gets the id")
        .to_owned()
}

fn group_id(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("the package made the group");
    line.split(':').nth(2).unwrap().parse().unwrap()
}

fn decision(events: &[Event], path: &str) -> Decision {
    let mut found = events.iter().filter_map(|event| match event {
        Event::Decision(decision) if decision.path.as_deref() == Some(path) => Some((**decision).clone()),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(decision), None) => decision,
        (found, more) => panic!("not one decision on {path}: {found:?} {more:?} of {events:?}"),
    }
}

fn reply(events: &[Event], evaluation: &str) -> Option<Reply> {
    events.iter().find_map(|event| match event {
        Event::Response(response) if response.evaluation == evaluation => Some(response.reply.clone()),
        _ => None,
    })
}

fn what_is_asked_in_a_jail_is_in_the_ledger(release: Release) {
    if !Need::Root.is_met() {
        return;
    }
    let (site, home) = ready("");
    chown(site.path("spool"), None, Some(group_id("haproxy"))).unwrap();
    fs::set_permissions(site.path("spool"), fs::Permissions::from_mode(0o2770)).unwrap();
    fs::create_dir(site.path("jail")).unwrap();
    let global = format!("    chroot {}\n    user haproxy\n    group haproxy\n", site.path("jail").display());
    let mut setup = Setup { process: Process::MasterWorker, global, ..recording(&site, release) };
    // A privileged backend that nobody listens at: HAProxy answers by itself.
    setup.frontend = "    use_backend gone if { path /console/gone }\n".to_owned();
    setup.sections = "backend gone\n    server gone 127.0.0.1:1\n".to_owned();
    let Some(haproxy) = site.start(setup) else { return };
    let daemon = home.start();
    let mut follow = Command::new(luigi())
        .args(["audit", "follow", "--format", "json", "--ledger"])
        .arg(home.ledger())
        .args(["--kind", "decision"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut followed = BufReader::new(follow.stdout.take().unwrap()).lines();
    let (address, token) = (haproxy.address(), bearer(&signer(), &ada()));
    // `follow` says nothing until there is something: ask until it does.
    let heard = AtomicBool::new(false);
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !heard.load(Ordering::Relaxed) {
                assert_eq!(ask(address, "/closed?secret=hunter2", None).status, 403);
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        let line = followed.next().unwrap().unwrap();
        heard.store(true, Ordering::Relaxed);
        line
    });
    assert!(first.contains("\"path\":\"/closed\"") && first.contains("\"reason\":\"no-rule-allows\""), "{first}");
    assert!(!first.contains("hunter2"), "{first}");
    let let_in = ask(address, "/console/a", Some(&token));
    assert_eq!(let_in.status, 200);
    assert_eq!(ask(address, "/console/b", None).status, 401);
    assert_eq!(ask(address, "/console/gone", Some(&token)).status, 503);
    let line = followed.find(|line| line.as_ref().is_ok_and(|line| line.contains("/console/gone"))).unwrap().unwrap();
    assert!(line.contains("\"privileged\":true"), "{line}");
    let _ = follow.kill();
    let _ = follow.wait();

    let id = evaluation(&let_in);
    // HAProxy tries for seconds before it gives up.
    let is_503 = |event: &Event| matches!(event, Event::Response(response) if matches!(response.reply, Reply::Received { status: 503, .. }));
    let _ = home.events_with("HAProxy's own response", is_503);
    let events = home
        .events_with("the response", |event| matches!(event, Event::Response(response) if response.evaluation == id));
    let console = decision(&events, "/console/a");
    assert_eq!(console.evaluation, id);
    assert_eq!(
        (console.decision, console.rule.as_deref(), console.scope.as_deref()),
        (DecisionWord::Allow, Some("console"), Some("console"))
    );
    assert_eq!(
        console.person.as_ref().map(|person| (person.issuer.as_str(), person.subject.as_str())),
        Some((ISSUER, "ada"))
    );
    assert_eq!((console.source.as_deref(), console.user_agent.as_deref()), (Some("127.0.0.1"), Some("test/1")));
    assert!(console.privileged && console.mode == Mode::Enforce);
    let Some(Reply::Received { status: 200, backend, milliseconds: Some(_) }) = reply(&events, &id) else {
        panic!("{events:?}")
    };
    assert_eq!(backend.as_deref(), Some("echo"));
    let gone = decision(&events, "/console/gone").evaluation;
    assert!(matches!(reply(&events, &gone), Some(Reply::Received { status: 503, .. })), "{:?}", reply(&events, &gone));
    let refused = decision(&events, "/console/b");
    assert_eq!(
        (refused.decision, refused.credential.as_deref(), refused.person),
        (DecisionWord::Deny, Some("absent"), None)
    );
    assert_eq!(reply(&events, &refused.evaluation), None, "what was refused was answered by Luigi");

    // As an operator would read it.
    let audit = |words: &[&str]| {
        let output =
            Command::new(luigi()).arg("audit").args(words).arg("--ledger").arg(home.ledger()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let listed = audit(&["--privileged", "--decision", "allow"]);
    assert!(listed.contains("allow ada GET app.example.com/console/a"), "{listed}");
    let story = audit(&["story", &id]);
    assert!(story.contains("answered with 200 from echo after "), "{story}");
    assert!(audit(&["verify"]).starts_with("consistent"));
    assert_eq!(daemon.metric("luigi_no_responses_total"), Some(0.0));
    assert!(daemon.metric("luigi_responses_total{class=\"2xx\"}").is_some_and(|n| n >= 1.0));
    let _ = haproxy.status_with("lost");
    assert!(daemon.stop().success());
}

/// Clients that ask for something privileged until they are told to stop.
fn crowd<T>(address: SocketAddr, meanwhile: impl FnOnce(&dyn Fn(usize)) -> T) -> (Vec<String>, T) {
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let token = bearer(&signer(), &ada());
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (stop, answered, token) = (&stop, &answered, token.as_str());
                scope.spawn(move || {
                    let mut evaluations = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let response = ask(address, &format!("/console/{client}/{}", evaluations.len()), Some(token));
                        assert_eq!(response.status, 200, "{}", response.text());
                        evaluations.push(evaluation(&response));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    evaluations
                })
            })
            .collect();
        let go_on = |more: usize| {
            let goal = answered.load(Ordering::Relaxed) + more;
            wait::until("the clients go on", || answered.load(Ordering::Relaxed) >= goal);
        };
        let done = meanwhile(&go_on);
        stop.store(true, Ordering::Relaxed);
        (clients.into_iter().flat_map(|client| client.join().unwrap()).collect(), done)
    })
}

fn old_and_new_worker_write_while_the_daemon_is_killed(release: Release) {
    let (site, home) = ready("");
    let Some(haproxy) = site.start(Setup { process: Process::MasterWorker, ..recording(&site, release) }) else {
        return;
    };
    let old = haproxy.worker();
    // A request that the old worker has taken and not decided when it is reloaded.
    let token = bearer(&signer(), &ada());
    let mut held = Client::connect(haproxy.address());
    held.send(format!("GET /console/held HTTP/1.1\r\nauthorization: {token}\r\nhost: app.exam").as_bytes());
    let (answers, daemon) = crowd(haproxy.address(), |go_on| {
        let daemon = home.start();
        go_on(30);
        daemon.kill();
        haproxy.reload();
        go_on(30);
        let daemon = home.start();
        assert_eq!(held.exchange(b"ple.com\r\n\r\n").status, 200);
        go_on(30);
        daemon.kill();
        go_on(30);
        home.start()
    });
    let decided: BTreeSet<String> = home.decisions(answers.len() + 1).into_iter().collect();
    let missing: Vec<_> = answers.iter().filter(|id| !decided.contains(*id)).collect();
    assert!(
        missing.is_empty() && decided.len() == answers.len() + 1,
        "{} missing of {}, {} there",
        missing.len(),
        answers.len(),
        decided.len()
    );
    let events = home.events_with("each has its response", {
        let answers = answers.len();
        let mut seen = BTreeSet::new();
        move |event| {
            if let Event::Response(response) = event {
                seen.insert(response.evaluation.clone());
            }
            seen.len() > answers
        }
    });
    assert_ne!(haproxy.worker(), old);
    assert!(!events.iter().any(|event| matches!(event, Event::RecordsLost(_))), "nothing is lost");
    let _ = decision(&events, "/console/held");
    assert!(daemon.stop().success());
}

fn a_proxy_says_after_what_time_it_misses_the_daemon(release: Release) {
    let (site, home) = ready("");
    let daemon = home.start();
    wait::until("it is ready", || daemon.get("/readyz").0 == 200);
    let mut setup = recording(&site, release);
    setup.environment.push(("LUIGI_STALE_AFTER".to_owned(), "6s".to_owned()));
    let Some(haproxy) = site.start(setup) else { return };
    let heartbeat = |status: &str| status.lines().find(|line| line.starts_with("heartbeat ")).map(str::to_owned);
    wait::until("the daemon is heard of", || {
        heartbeat(&haproxy.ask("luigi status")).is_some_and(|line| !line.contains("stale"))
    });
    daemon.kill();
    // Long before the minute that it is without the setting: this waits for half of that.
    let status = haproxy.status_with(", stale: its writer is silent");
    let age = heartbeat(&status).and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    assert!(age.is_some_and(|age| (6..60).contains(&age)), "{status}");
}

/// Everything as somebody who is nobody, and without chroot.
fn everything_works_without_rights(release: Release) {
    let (site, mut home) = ready("");
    let mut setup = recording(&site, release);
    if Need::Root.is_met() {
        let nobody = 65_534;
        let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"].map(str::to_owned).to_vec();
        (setup.wrapper, home.wrapper) = (wrapper.clone(), wrapper);
        for entry in [site.folder().to_owned(), site.feed(), site.path("spool")] {
            chown(&entry, Some(nobody), Some(nobody)).unwrap();
        }
        for folder in [site.feed(), site.folder().to_owned()] {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                std::os::unix::fs::lchown(entry.path(), Some(nobody), Some(nobody)).unwrap();
            }
        }
    }
    let daemon = home.start();
    let Some(haproxy) = site.start(setup) else { return };
    let token = bearer(&signer(), &ada());
    let answered = ask(haproxy.address(), "/console/a", Some(&token));
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(home.decisions(1), [evaluation(&answered)]);
    wait::until("it is ready", || daemon.get("/readyz").0 == 200);
    assert!(daemon.stop().success());
}

/// One tmpfs for everything that is written; the root cannot be written to.
fn everything_works_on_a_read_only_root(release: Release) {
    if !Need::Mounts.is_met() {
        return;
    }
    let (site, mut home) = ready("");
    // The folder of the test stands for the tmpfs: HAProxy and daemon have mounts of their own and share nothing else.
    let script = format!(
        "mount --make-rprivate / && mount --rbind {0} {0} && mount -o remount,bind,ro / && if touch /luigi-test 2>/dev/null; then exit 9; fi; exec \"$@\"",
        site.folder().display()
    );
    let wrapper = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    home.wrapper.clone_from(&wrapper);
    let daemon = home.start();
    let Some(haproxy) = site.start(Setup { wrapper, ..recording(&site, release) }) else { return };
    let token = bearer(&signer(), &ada());
    let answered = ask(haproxy.address(), "/console/a", Some(&token));
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(home.decisions(1), [evaluation(&answered)]);
    assert!(daemon.stop().success());
}
