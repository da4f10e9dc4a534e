//! The daemon is killed, or its disk fails, at every change that it makes to a file; HAProxy at every change that it makes to the spool; and both. After each, what was acknowledged is in the ledger once.
//!
//! `fault.c` counts system calls from outside, since not every part asks for them through a library that could be put in between.

use crate::proxy::{ask, evaluation, ready, recording};
use luigi_runtime::spool::SpoolReader;
use luigi_runtime::{Engine, EngineConfig};
use luigi_tests::compiled::tracer;
use luigi_tests::daemon::Home;
use luigi_tests::feed::numbered_policy;
use luigi_tests::installation::{Release, luigi};
use luigi_tests::needs::Need;
use luigi_tests::on_each_haproxy;
use luigi_tests::people::{ada, bearer, signer};
use luigi_tests::recorder::Recorder;
use luigi_tests::wait;
use luigi_workflow::ledger::Event;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

on_each_haproxy!(whatever_haproxy_is_killed_at_was_answered_to_nobody_or_is_on_record);

/// More changes than a daemon makes here: a loop that goes on longer would never end.
const TOO_MANY: u64 = 2_000;

/// What a shell says of a process that was killed.
const KILLED: i32 = 128 + 9;

/// In memory where there is such a place: what a real disk does at a sync is not what is tried here, and there are thousands of them.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

/// Spool and policy as they are before the daemon is started.
struct Before {
    folder: TempDir,
    acknowledged: BTreeSet<String>,
}

impl Before {
    /// Three segments, one of which has a record at its end that was not written whole.
    fn new() -> Self {
        let folder = scratch();
        let spool = folder.path().join("spool");
        fs::create_dir(&spool).unwrap();
        let recorder = Recorder::new(&spool, 64 << 20);
        let mut acknowledged = BTreeSet::new();
        for thread in 0..3 {
            let mut context = recorder.thread();
            for request in 0..20 {
                let id = context.request(&format!("/console/{thread}/{request}")).expect("room");
                context.response(id, 200);
                acknowledged.insert(id.to_string());
            }
        }
        assert_eq!(recorder.lost(), 0);
        drop(recorder);
        let segments = SpoolReader::open(&spool).unwrap().list().unwrap().segments;
        let torn = spool.join(segments[1].file_name());
        let mut bytes = fs::read(&torn).unwrap();
        bytes.extend_from_within(12..40);
        fs::write(torn, bytes).unwrap();
        fs::write(folder.path().join("policy.toml"), numbered_policy(1)).unwrap();
        Self { folder, acknowledged }
    }

    /// A copy to do with as one likes.
    fn scene(&self) -> (TempDir, Home) {
        let scene = scratch();
        fs::create_dir(scene.path().join("spool")).unwrap();
        for entry in fs::read_dir(self.folder.path().join("spool")).unwrap().flatten() {
            fs::copy(entry.path(), scene.path().join("spool").join(entry.file_name())).unwrap();
        }
        fs::copy(self.folder.path().join("policy.toml"), scene.path().join("policy.toml")).unwrap();
        let home = Home::new(
            scene.path(),
            "policy = { path = \"policy.toml\" }\ncheckpoints = { entries = 10, interval = \"1s\" }\n",
        );
        (scene, home)
    }

    /// Lets one change of a daemon fail and starts another one after it; the number of changes that the first one made, and whether it ended by the fault.
    fn fault(&self, tracer: &Path, how: &str, at: u64) -> (u64, bool) {
        let (scene, home) = self.scene();
        let what = format!("{how} at {at}");
        let outside = scratch();
        let (log, count) = (outside.path().join("log"), outside.path().join("count"));
        let mut faulty = Command::new(tracer)
            .args([how, &at.to_string()])
            .arg(scene.path())
            .arg(&count)
            .arg("--")
            .arg(luigi())
            .args(["serve", "--config"])
            .arg(home.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .expect("the tracer starts");
        let mut told = false;
        let status = wait::for_some(&format!("{what}: it ends"), || {
            if let Some(status) = faulty.try_wait().unwrap() {
                return Some(status);
            }
            let done = !has_segments(&scene.path().join("spool")) && scene.path().join("feed/manifest").exists();
            if done && !told {
                told = true;
                let process = i32::try_from(faulty.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
                rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
            }
            None
        });
        let code = status.code().unwrap_or(-1);
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let is_kill = matches!(how, "kill" | "torn");
        assert!(code == 0 || (is_kill && code == KILLED) || (!is_kill && code == 3), "{what}: {status}\n{}", said());
        assert!(!said().contains("panicked"), "{what}: {}", said());
        let changes = fs::read_to_string(&count).unwrap().parse().unwrap();

        let daemon = home.start();
        home.wait_until_drained();
        wait::until("there is a feed", || {
            Engine::open(&EngineConfig::feed(home.path("feed"), home.path("feed.pub"))).is_ok()
        });
        assert!(daemon.stop().success(), "{what}");
        let (mut decided, mut answered) = (BTreeSet::new(), BTreeSet::new());
        for event in home.events() {
            match event {
                Event::Decision(decision) => assert!(decided.insert(decision.evaluation), "{what}: a decision twice"),
                Event::Response(response) => {
                    assert!(answered.insert(response.evaluation), "{what}: a response twice");
                }
                Event::RecordsLost(lost) => panic!("{what}: {lost:?}"),
                _ => {}
            }
        }
        assert_eq!(decided, self.acknowledged, "{what}");
        assert_eq!(answered, self.acknowledged, "{what}");
        (changes, code != 0)
    }
}

fn has_segments(spool: &Path) -> bool {
    fs::read_dir(spool)
        .is_ok_and(|all| all.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "spool")))
}

#[test]
fn whatever_change_of_the_daemon_fails_each_record_is_in_the_ledger_once() {
    if !Need::Tracing.is_met() {
        return;
    }
    let folder = scratch();
    let (tracer, before) = (tracer(folder.path()), Before::new());
    let (changes, ended) = before.fault(&tracer, "none", 0);
    assert!(changes > 60 && !ended, "{changes}");
    // Each change is one that it is killed at; of the other ways each has every eighth.
    let mut faults: Vec<(&str, u64)> = (1..=changes).map(|at| ("kill", at)).collect();
    for (first, how) in [(1, "torn"), (2, "eio"), (3, "enospc")] {
        faults.extend((first..=changes).step_by(8).map(|at| (how, at)));
    }
    assert!((faults.len() as u64) < TOO_MANY);
    let (tried, ended, left) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(faults.into_iter()));
    std::thread::scope(|scope| {
        // A daemon waits more than it works: for a second until its policy is whole, for its heartbeat.
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    // A thread that panicked leaves it as it was.
                    let next = left.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                    let Some((how, at)) = next else { return };
                    let (_, by_fault) = before.fault(&tracer, how, at);
                    tried.fetch_add(1, Ordering::Relaxed);
                    ended.fetch_add(by_fault.into(), Ordering::Relaxed);
                }
            });
        }
    });
    let (tried, ended, each) = (tried.into_inner(), ended.into_inner(), 2 * before.acknowledged.len() as u64);
    assert!(ended > changes / 2, "{ended} of {tried}");
    println!(
        "changes of a daemon to files: {changes}; faults: {tried}; daemons that ended by one: {ended}; records in: {}; out: {}, each once",
        tried * each,
        tried * each
    );
}

fn whatever_haproxy_is_killed_at_was_answered_to_nobody_or_is_on_record(release: Release) {
    if !Need::Tracing.is_met() {
        return;
    }
    let folder = scratch();
    let tracer = tracer(folder.path());
    let (site, home) = ready("");
    let token = bearer(&signer(), &ada());
    let mut daemon = home.start();
    let (mut acknowledged, mut asked) = (Vec::new(), 0);
    // A segment is begun, renamed, and written to twice a request.
    let faults: Vec<(&str, u64)> = (1..=8).map(|at| ("kill", at)).chain([1, 3, 4, 7].map(|at| ("torn", at))).collect();
    for (round, (how, at)) in faults.iter().enumerate() {
        let mut setup = recording(&site, release);
        setup.wrapper = [tracer.to_str().unwrap(), how, &at.to_string(), site.path("spool").to_str().unwrap()]
            .map(str::to_owned)
            .to_vec();
        setup.wrapper.extend([folder.path().join("count").display().to_string(), "--".to_owned()]);
        let Some(haproxy) = site.start(setup) else { return };
        let before = acknowledged.len();
        while TcpStream::connect(haproxy.address()).is_ok() {
            assert!(acknowledged.len() - before < 20, "{how} at {at}: it is killed");
            asked += 1;
            let response = ask(haproxy.address(), &format!("/console/{round}/{asked}"), Some(&token));
            match response.status {
                200 => acknowledged.push(evaluation(&response)),
                0 => wait::until("it is gone", || TcpStream::connect(haproxy.address()).is_err()),
                other => panic!("{how} at {at}: {other}: {}", response.text()),
            }
        }
        // Every other time both are killed.
        if round % 2 == 1 {
            daemon.kill();
            daemon = home.start();
        }
    }
    home.wait_until_drained();
    assert!(daemon.stop().success());
    let decided: BTreeSet<String> = home.decisions(acknowledged.len()).into_iter().collect();
    let missing: Vec<_> = acknowledged.iter().filter(|id| !decided.contains(*id)).collect();
    assert!(missing.is_empty(), "{} of {} are missing", missing.len(), acknowledged.len());
    assert!(decided.len() <= asked, "{} of {asked}", decided.len());
    let lost = home.events().into_iter().find(|event| matches!(event, Event::RecordsLost(_)));
    assert_eq!(lost, None, "what nobody was told of is not lost");
    println!(
        "kills of HAProxy: {}, of both: {}; requests: {asked}; answered: {}; in the ledger: {}, each once",
        faults.len(),
        faults.len() / 2,
        acknowledged.len(),
        decided.len()
    );
}
