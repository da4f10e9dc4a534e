//! Records of decisions through a real HAProxy: what is recorded, what survives, and what happens when no record can be taken.

use luigi_runtime::Mode;
use luigi_runtime::facts::FactList;
use luigi_tests::client::{Client, Response, request};
use luigi_tests::haproxy::{Haproxy, Process, Setup};
use luigi_tests::installation::Release;
use luigi_tests::needs::Need;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{HOST, ISSUER, ada, bearer, reason, signer, site};
use luigi_tests::site::Site;
use luigi_tests::spooled::Spooled;
use luigi_tests::wait;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

on_each_haproxy!(
    what_is_worth_a_record_gets_one_and_nothing_else,
    while_observing_everything_passes_with_its_record,
    a_check_leaves_the_spool_empty,
    a_worker_without_rights_records_in_its_jail,
    both_workers_record_during_a_reload,
    whoever_was_answered_is_on_record_though_the_worker_was_killed,
    a_full_spool_closes_what_is_privileged_until_it_is_drained,
    a_full_file_system_closes_what_is_privileged_until_there_is_room,
    everything_is_read_only_but_the_spool,
);

/// `/console/**` is privileged and for staff; `/open/**` for anyone, and the rule `watched` would deny `/open/watched`.
fn policy() -> String {
    format!(
        r#"
schema = 1
[issuers.corp]
url = "{ISSUER}"
audiences = ["app"]
[groups]
staff = "staff"
[scopes.open]
hosts = "any"
paths = ["/open/**"]
methods = "read"
[scopes.watched]
hosts = "any"
paths = ["/open/watched"]
methods = "read"
[scopes.console]
hosts = ["{HOST}"]
paths = ["/console/**"]
methods = "read"
privileged = true
[[rules]]
id = "open"
effect = "allow"
scopes = ["open"]
subject = "anyone"
[[rules]]
id = "watched"
effect = "deny"
scopes = ["watched"]
mode = "observe"
[[rules]]
id = "console"
effect = "allow"
scopes = ["console"]
subject = {{ groups = ["staff"] }}
"#
    )
}

/// A site with the policy in force and a folder for the spool.
fn ready(mode: Mode) -> Site {
    let site = site();
    site.apply(&policy(), Some(mode));
    fs::create_dir(spool(&site)).unwrap();
    site
}

fn spool(site: &Site) -> PathBuf {
    site.path("spool")
}

/// A HAProxy that records.
fn recording(site: &Site, release: Release) -> Setup {
    let mut setup = site.setup(release);
    setup.options.spool = Some(spool(site).to_str().unwrap().to_owned());
    setup.options.facts = FactList::default().with_user_agent();
    setup
}

fn ask(address: SocketAddr, path: &str, token: Option<&str>) -> Response {
    let mut fields = vec![("user-agent", "test/1")];
    fields.extend(token.map(|token| ("authorization", token)));
    Client::connect(address).exchange(&request("GET", path, HOST, &fields))
}

/// The evaluation's id, as the upstream got it and sent it back.
fn evaluation(response: &Response) -> String {
    let text = response.text();
    let line = text.lines().find_map(|line| line.strip_prefix("x-luigi-evaluation: "));
    line.expect("the upstream gets the id").to_owned()
}

fn what_is_worth_a_record_gets_one_and_nothing_else(release: Release) {
    let site = ready(Mode::Enforce);
    let Some(haproxy) = site.start(recording(&site, release)) else { return };
    let _ = haproxy.status_with("audit                  ");
    assert_eq!(fs::read_dir(spool(&site)).unwrap().count(), 0, "nothing before the first record");
    let (address, token) = (haproxy.address(), bearer(&signer(), &ada()));
    assert_eq!(ask(address, "/open/a", None).status, 200);
    assert_eq!(ask(address, "/open/watched", None).status, 200);
    assert_eq!(ask(address, "/closed?secret=hunter2", None).status, 403);
    assert_eq!(ask(address, "/x/..%2fy?secret=hunter2", None).status, 400);
    let let_in = ask(address, "/console/a?secret=hunter2", Some(&token));
    assert_eq!(let_in.status, 200);
    assert_eq!(ask(address, "/console/b", None).status, 401);
    assert_eq!(ask(address, "/console/c", Some("Bearer no.such.token")).status, 401);

    let spooled = wait::for_some("the response is recorded", || {
        Some(Spooled::read(&spool(&site))).filter(|spooled| spooled.response_to(&evaluation(&let_in)).is_some())
    });
    assert_eq!(spooled.decisions.len(), 6, "{:?}", spooled.decisions);
    let console = spooled.decision("GET app.example.com/console/a");
    assert_eq!(console.evaluation, evaluation(&let_in));
    assert_eq!(
        (console.reason.as_str(), console.rule.as_str(), console.scope.as_str()),
        ("allowed-by-rule", "console", "console")
    );
    assert!(console.privileged && console.passed && console.enforced && console.candidate_allows);
    assert_eq!(console.caller, Some((ISSUER.to_owned(), "ada".to_owned())));
    assert_eq!((console.source, console.user_agent.as_str()), (Some([127, 0, 0, 1].into()), "test/1"));
    assert_eq!(console.process, haproxy.worker());
    assert_eq!(spooled.response_to(&console.evaluation), Some((200, "echo")));
    let nobody = spooled.decision("GET app.example.com/console/b");
    assert!(nobody.privileged && !nobody.passed);
    assert_eq!(
        (nobody.reason.as_str(), nobody.credential.as_str(), &nobody.caller),
        ("no-rule-allows", "absent", &None)
    );
    assert_eq!(spooled.decision("GET app.example.com/console/c").credential, "invalid");
    let watched = spooled.decision("GET app.example.com/open/watched");
    assert!(watched.passed && !watched.candidate_allows && !watched.privileged);
    let closed = spooled.decision("GET app.example.com/closed");
    assert_eq!((closed.reason.as_str(), closed.passed), ("no-rule-allows", false));
    let ambiguous = spooled.decision("GET ");
    assert_eq!((ambiguous.reason.as_str(), ambiguous.received.as_str()), ("ambiguous-target", "/x/..%2fy"));
    // What was refused was answered by Luigi itself, and that is in the record.
    assert_eq!(spooled.responses.len(), 1, "{:?}", spooled.responses);

    for entry in fs::read_dir(spool(&site)).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for secret in ["hunter2", "no.such.token", token.rsplit('.').next().unwrap()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
    }
    let status = haproxy.ask("luigi status");
    assert!(status.contains(&format!("audit                  {}", spool(&site).display())), "{status}");
    assert!(status.contains(" written, 0 lost") && status.contains("failures               0"), "{status}");
}

fn while_observing_everything_passes_with_its_record(release: Release) {
    let site = ready(Mode::Observe);
    let Some(haproxy) = site.start(recording(&site, release)) else { return };
    for path in ["/closed", "/console/a", "/open/a"] {
        assert_eq!(ask(haproxy.address(), path, None).status, 200, "{path}");
    }
    let spooled = Spooled::read(&spool(&site));
    assert_eq!(spooled.decisions.len(), 2);
    for path in ["/closed", "/console/a"] {
        let decided = spooled.decision(&format!("GET app.example.com{path}"));
        assert!(decided.passed && !decided.enforced && decided.reason == "no-rule-allows", "{decided:?}");
    }
}

fn a_check_leaves_the_spool_empty(release: Release) {
    let site = ready(Mode::Enforce);
    let Some(output) = site.place(recording(&site, release)).check() else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(spool(&site)).unwrap().count(), 0);
    fs::remove_dir(spool(&site)).unwrap();
    let output = site.place(recording(&site, release)).check().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("cannot use the spool `"), "{said}");
}

fn group_id(name: &str) -> u32 {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let line = groups.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("the package made the group");
    line.split(':').nth(2).unwrap().parse().unwrap()
}

fn a_worker_without_rights_records_in_its_jail(release: Release) {
    if !Need::Root.is_met() {
        return;
    }
    let group = group_id("haproxy");
    for process in [Process::Single, Process::MasterWorker] {
        let site = ready(Mode::Enforce);
        // As docs/SPOOL.md lays it out: HAProxy's group may write, and what it writes belongs to the group.
        chown(spool(&site), None, Some(group)).unwrap();
        fs::set_permissions(spool(&site), fs::Permissions::from_mode(0o2770)).unwrap();
        fs::create_dir(site.path("jail")).unwrap();
        let global = format!("    chroot {}\n    user haproxy\n    group haproxy\n", site.path("jail").display());
        let Some(haproxy) = site.start(Setup { process, global, ..recording(&site, release) }) else { return };
        let token = bearer(&signer(), &ada());
        let answered = ask(haproxy.address(), "/console/a", Some(&token));
        assert_eq!(answered.status, 200, "{}", answered.text());
        let spooled = Spooled::read(&spool(&site));
        assert_eq!(spooled.decision("GET app.example.com/console/a").evaluation, evaluation(&answered));
        assert_eq!(spooled.processes, BTreeSet::from([haproxy.worker()]), "the master recorded nothing");
    }
}

/// Clients that ask for something privileged until they are told to stop; what each of them was answered.
struct Crowd {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    fn start(address: SocketAddr) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let token = bearer(&signer(), &ada());
        let clients = (0..4).map(|client| {
            let (stop, answered, token) = (Arc::clone(&stop), Arc::clone(&answered), token.clone());
            std::thread::spawn(move || {
                let mut evaluations = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let Ok(stream) = std::net::TcpStream::connect(address) else { continue };
                    drop(stream);
                    let response = ask(address, &format!("/console/{client}/{}", evaluations.len()), Some(&token));
                    // A worker that is killed answers nothing.
                    if response.status == 200 {
                        evaluations.push(evaluation(&response));
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
                evaluations
            })
        });
        let clients = clients.collect();
        Self { stop, answered, clients }
    }

    fn go_on(&self, more: usize) {
        let goal = self.answered.load(Ordering::Relaxed) + more;
        wait::until("the clients go on", || self.answered.load(Ordering::Relaxed) >= goal);
    }

    /// The evaluation of each answer.
    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("a client does not panic")).collect()
    }
}

/// Each of these evaluations has one record.
fn are_on_record(spooled: &Spooled, evaluations: &[String]) {
    let recorded: Vec<&str> = spooled.decisions.iter().map(|decided| decided.evaluation.as_str()).collect();
    let distinct: BTreeSet<&str> = recorded.iter().copied().collect();
    assert_eq!(distinct.len(), recorded.len(), "no evaluation is recorded twice");
    let missing: Vec<_> = evaluations.iter().filter(|id| !distinct.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "{} of {} answers are not on record", missing.len(), evaluations.len());
}

fn both_workers_record_during_a_reload(release: Release) {
    let site = ready(Mode::Enforce);
    let Some(haproxy) = site.start(Setup { process: Process::MasterWorker, ..recording(&site, release) }) else {
        return;
    };
    let token = bearer(&signer(), &ada());
    let old = haproxy.worker();
    let mut held = Client::connect(haproxy.address());
    held.send(format!("GET /console/held HTTP/1.1\r\nauthorization: {token}\r\nhost: app.exam").as_bytes());
    wait::until("the old worker has the connection", || {
        haproxy.ask("show info").lines().any(|line| line.trim() == "CurrConns: 1")
    });
    let crowd = Crowd::start(haproxy.address());
    crowd.go_on(20);
    haproxy.reload();
    let new = haproxy.worker();
    crowd.go_on(20);
    assert_eq!(held.exchange(b"ple.com\r\n\r\n").status, 200);
    crowd.go_on(20);
    let evaluations = crowd.finish();
    let spooled = Spooled::read(&spool(&site));
    are_on_record(&spooled, &evaluations);
    assert_eq!(spooled.decision("GET app.example.com/console/held").process, old);
    assert!(spooled.processes.contains(&new), "{:?}", spooled.processes);
    assert!(spooled.processes.is_subset(&BTreeSet::from([old, new])), "{:?}", spooled.processes);
    assert_eq!(spooled.lost.total(), 0);
}

fn whoever_was_answered_is_on_record_though_the_worker_was_killed(release: Release) {
    let site = ready(Mode::Enforce);
    let Some(haproxy) = site.start(recording(&site, release)) else { return };
    let crowd = Crowd::start(haproxy.address());
    crowd.go_on(100);
    let worker = i32::try_from(haproxy.worker()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();
    let evaluations = crowd.finish();
    assert!(evaluations.len() >= 100);
    // Whatever was being written when it was killed is a torn end, and was answered to nobody.
    are_on_record(&Spooled::read(&spool(&site)), &evaluations);
}

/// Asks for what is open, closed and privileged: status and reason of each.
fn asked_for_everything(haproxy: &Haproxy) -> [String; 3] {
    let token = bearer(&signer(), &ada());
    ["/open/a", "/closed", "/console/a"].map(|path| {
        let response = ask(haproxy.address(), path, Some(&token));
        format!("{} {}", response.status, reason(&response))
    })
}

const AS_USUAL: [&str; 3] = ["200 ", "403 no-rule-allows", "200 "];
const FULL: [&str; 3] = ["200 ", "403 no-rule-allows", "503 audit-unavailable"];

fn a_full_spool_closes_what_is_privileged_until_it_is_drained(release: Release) {
    let site = ready(Mode::Enforce);
    let mut setup = recording(&site, release);
    setup.environment.push(("LUIGI_SPOOL_LIMIT".to_owned(), "1m".to_owned()));
    let Some(haproxy) = site.start(setup) else { return };
    assert_eq!(asked_for_everything(&haproxy), AS_USUAL);
    let (long, token) = ("x".repeat(8000), bearer(&signer(), &ada()));
    let mut client = Client::connect(haproxy.address());
    let mut ask_long = |path: &str| {
        let fields = [("authorization", token.as_str())];
        client.exchange(&request("GET", &format!("{path}/{long}"), HOST, &fields)).status
    };
    // Denials of what is not privileged are given up first, and change nothing for those that are let in.
    wait::until("denials are lost", || {
        ask_long("/closed") == 403 && haproxy.ask("luigi status").contains("records lost           denials")
    });
    assert_eq!(asked_for_everything(&haproxy), AS_USUAL);
    wait::until("nothing privileged passes", || ask_long("/console") == 503);
    // A few short ones still find room.
    wait::until("nothing at all passes", || asked_for_everything(&haproxy) == FULL);
    let status = haproxy.ask("luigi status");
    assert!(
        status.contains("audit problem          the limit is reached") && status.contains("audit-unavailable"),
        "{status}"
    );
    let _ = haproxy.log_line(&["luigi=refuse", "reason=audit-unavailable"]);
    let _ = haproxy.log_line(&["luigi: ", "records of decisions could not be taken"]);

    let before = Spooled::read(&spool(&site));
    let reader = luigi_runtime::spool::SpoolReader::open(&spool(&site)).unwrap();
    wait::until("there is room again", || {
        // Threads let go of what they hold; what nobody writes to can be taken away.
        for id in reader.list().unwrap().segments {
            let mut segment = reader.segment(id).unwrap();
            let drained = loop {
                match segment.next().unwrap() {
                    luigi_runtime::spool::Next::Record { .. } => {}
                    next => break matches!(next, luigi_runtime::spool::Next::Drained { .. }),
                }
            };
            if drained {
                reader.remove(id).unwrap();
            }
        }
        asked_for_everything(&haproxy) == AS_USUAL
    });
    assert!(before.lost.total() > 0 || before.decisions.len() > 10);
    wait::until("what was lost is told", || {
        let lost = Spooled::read(&spool(&site)).lost;
        lost.denials > 0 && lost.privileged > 0
    });
}

/// A mount namespace with a small file system of its own at `$SPOOL`, and everything else as `$REST` makes it.
fn in_a_namespace(site: &Site, rest: &str, kilobytes: u32) -> Vec<String> {
    let script = format!(
        "mount --make-rprivate / && mount -t tmpfs -o size={kilobytes}k,mode=777 luigi $SPOOL && {rest} exec \"$@\""
    );
    let script =
        script.replace("$SPOOL", spool(site).to_str().unwrap()).replace("$FOLDER", site.folder().to_str().unwrap());
    ["unshare", "--mount", "sh", "-c", &script, "sh"].into_iter().map(str::to_owned).collect()
}

/// The spool as the process sees it, which has mounts of its own.
fn seen_by(haproxy: &Haproxy, site: &Site) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", haproxy.worker()));
    root.join(spool(site).strip_prefix("/").unwrap())
}

fn a_full_file_system_closes_what_is_privileged_until_there_is_room(release: Release) {
    if !Need::Mounts.is_met() {
        return;
    }
    let site = ready(Mode::Enforce);
    let wrapper = in_a_namespace(&site, "", 256);
    let Some(haproxy) = site.start(Setup { wrapper, threads: 1, ..recording(&site, release) }) else { return };
    assert_eq!(asked_for_everything(&haproxy), AS_USUAL);
    let directory = seen_by(&haproxy, &site);
    // Under a name that whoever reads a spool passes over.
    let filler = directory.join("set-aside");
    fill(&filler);
    let token = bearer(&signer(), &ada());
    // The rest of the last page still takes a few.
    wait::until("nothing privileged passes", || ask(haproxy.address(), "/console/a", Some(&token)).status == 503);
    assert_eq!(asked_for_everything(&haproxy), FULL);
    let status = haproxy.ask("luigi status");
    assert!(status.contains("audit problem          No space left on device"), "{status}");
    fs::remove_file(&filler).unwrap();
    wait::until("there is room again", || asked_for_everything(&haproxy) == AS_USUAL);
    let spooled = Spooled::read(&directory);
    assert!(spooled.lost.privileged > 0 && spooled.lost.denials > 0, "{:?}", spooled.lost);
}

/// Takes all the room there is.
fn fill(file: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(file).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}

fn everything_is_read_only_but_the_spool(release: Release) {
    if !Need::Mounts.is_met() {
        return;
    }
    let site = ready(Mode::Enforce);
    // HAProxy's sockets are in the folder of the test; nothing else can be written to.
    let rest = "mount --rbind $FOLDER $FOLDER && mount -o remount,bind,ro / &&";
    let wrapper = in_a_namespace(&site, rest, 4096);
    let Some(haproxy) = site.start(Setup { wrapper, ..recording(&site, release) }) else { return };
    assert_eq!(asked_for_everything(&haproxy), AS_USUAL);
    let spooled = Spooled::read(&seen_by(&haproxy, &site));
    assert_eq!(spooled.decisions.len(), 2, "{:?}", spooled.decisions);
    assert_eq!(fs::read_dir(spool(&site)).unwrap().count(), 0, "it is on the file system of its own");
}
