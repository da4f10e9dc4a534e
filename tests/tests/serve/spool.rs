//! From the spool into the ledger, by a daemon that is killed, by spools that are damaged.

use luigi_runtime::spool::SpoolReader;
use luigi_tests::daemon::Home;
use luigi_tests::needs::Need;
use luigi_tests::recorder::Recorder;
use luigi_tests::wait;
use luigi_workflow::ledger::{Event, Reply};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

const ROOM: u64 = 256 << 20;

fn home(folder: &Path, more: &str) -> Home {
    fs::create_dir(folder.join("spool")).unwrap();
    Home::new(folder, more)
}

/// The losses in a ledger: how many, and why.
fn losses(events: &[Event]) -> Vec<(u64, String)> {
    let lost = events.iter().filter_map(|event| match event {
        Event::RecordsLost(lost) => Some((lost.count, lost.reason.clone())),
        _ => None,
    });
    lost.collect()
}

#[test]
fn a_daemon_that_is_killed_under_load_has_each_record_once() {
    const KILLS: usize = 12;
    let folder = TempDir::new().unwrap();
    let home = home(folder.path(), "");
    let recorder = Recorder::new(&home.path("spool"), ROOM);
    // Each daemon has something to do, however slow the machine is, and none falls behind.
    const EACH: usize = 600;
    let (stop, allowed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let mut context = recorder.thread();
                let (stop, allowed) = (&stop, &allowed);
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        if acknowledged.len() < allowed.load(Ordering::Relaxed) {
                            let id =
                                context.request(&format!("/console/{thread}/{}", acknowledged.len())).expect("room");
                            context.response(id, 200);
                            acknowledged.push(id.to_string());
                        }
                        // As fast as a busy proxy, not as fast as a thread can.
                        std::thread::sleep(std::time::Duration::from_micros(300));
                    }
                    acknowledged
                })
            })
            .collect();
        for _ in 0..KILLS {
            allowed.fetch_add(EACH, Ordering::Relaxed);
            let daemon = home.start();
            wait::until("it drains", || {
                daemon.metric("luigi_ledger_entries_total").is_some_and(|drained| drained > 300.0)
            });
            daemon.kill();
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(recorder.lost(), 0);
    drop(recorder);
    let daemon = home.start();
    home.wait_until_drained();
    assert!(daemon.stop().success());
    let decided: BTreeSet<String> = home.decisions(acknowledged.len()).into_iter().collect();
    assert_eq!(decided, acknowledged.iter().cloned().collect(), "what was acknowledged, and nothing else");
    let events = home.events();
    let answered: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Response(response) => {
                assert!(
                    matches!(response.reply, Reply::Received { status: 200, milliseconds: Some(_), .. }),
                    "{response:?}"
                );
                Some(&response.evaluation)
            }
            _ => None,
        })
        .collect();
    assert_eq!(answered.len(), acknowledged.len(), "each response once");
    assert_eq!(losses(&events), []);
    let starts = events.iter().filter(|event| matches!(event, Event::DaemonStarted(_))).count();
    let stops = events.iter().filter(|event| matches!(event, Event::DaemonStopped(_))).count();
    assert_eq!((starts, stops), (KILLS + 1, 1), "who was killed did not stop");
}

#[test]
fn a_request_that_nobody_answers_is_said_so_once_also_by_the_next_daemon() {
    let folder = TempDir::new().unwrap();
    let home = home(folder.path(), "[spool]\ndirectory = \"spool\"\nlongest-response = \"1h\"\n");
    let recorder = Recorder::new(&home.path("spool"), ROOM);
    let mut thread = recorder.thread();
    let [silent, late, answered] =
        ["/console/silent", "/console/late", "/console/answered"].map(|path| thread.request(path).unwrap());
    let daemon = home.start();
    let _ = home.decisions(3);
    daemon.kill();
    // The one before read the decisions; this one reads a response, and knows when the decision was made.
    thread.response(answered, 204);
    home.configure("[spool]\ndirectory = \"spool\"\nlongest-response = \"1s\"\n");
    let daemon = home.start();
    let reply = |events: &[Event], id: &str| -> Vec<Reply> {
        let of = events.iter().filter_map(|event| match event {
            Event::Response(response) if response.evaluation == id => Some(response.reply.clone()),
            _ => None,
        });
        of.collect()
    };
    let is_given_up = |event: &Event| matches!(event, Event::Response(response) if response.reply == Reply::NoResponse && response.evaluation == late.to_string());
    let events = home.events_with("the request is given up", is_given_up);
    assert_eq!(reply(&events, &silent.to_string()), [Reply::NoResponse]);
    assert!(matches!(
        reply(&events, &answered.to_string())[..],
        [Reply::Received { status: 204, milliseconds: Some(_), .. }]
    ));
    assert!(daemon.metric("luigi_no_responses_total").is_some_and(|n| n >= 2.0));
    daemon.kill();
    // It was too late, and is on record all the same.
    thread.response(late, 504);
    let daemon = home.start();
    let came = |event: &Event| matches!(event, Event::Response(response) if matches!(response.reply, Reply::Received { status: 504, .. }));
    let events = home.events_with("the late response", came);
    let replies = reply(&events, &late.to_string());
    assert!(
        matches!(replies[..], [Reply::NoResponse, Reply::Received { status: 504, milliseconds: Some(_), .. }]),
        "{replies:?}"
    );
    assert!(daemon.stop().success());
    assert_eq!(reply(&home.events(), &silent.to_string()), [Reply::NoResponse], "once");
}

#[test]
fn what_does_not_belong_into_the_spool_is_set_aside_and_what_is_of_another_version_stays() {
    let folder = TempDir::new().unwrap();
    let home = home(folder.path(), "");
    let spool = home.path("spool");
    let name = |digit: &str| format!("{}.spool", digit.repeat(32));
    fs::write(spool.join("notes.txt"), "mine").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", spool.join(name("1"))).unwrap();
    fs::write(spool.join(name("2")), b"luigi-sp\x02\0\0\0what a later one writes").unwrap();
    fs::write(spool.join(name("3")), b"no segment at all, whatever its name says").unwrap();
    let daemon = home.start();
    let events = home.events_with("the damaged one is told", |event| matches!(event, Event::RecordsLost(_)));
    let told = losses(&events);
    assert!(told.len() == 1 && told[0].1.contains("set aside"), "{told:?}");
    let aside = spool.join("set-aside");
    wait::until("all of it is set aside", || aside.join("notes.txt").exists() && aside.join(name("3")).exists());
    assert_eq!(fs::read_to_string(aside.join("notes.txt")).unwrap(), "mine");
    assert!(fs::symlink_metadata(aside.join(name("1"))).is_ok_and(|link| link.is_symlink()));
    assert!(spool.join(name("2")).exists());
    let _ = daemon.log_line(&["it is left in the spool", "version 2"]);
    assert_eq!(daemon.metric("luigi_spool_foreign_files_total"), Some(2.0));
    // Others go on meanwhile.
    let recorder = Recorder::new(&spool, ROOM);
    let id = recorder.thread().request("/console/a").unwrap();
    assert_eq!(home.decisions(1), [id.to_string()]);
    assert!(daemon.stop().success());
}

#[test]
fn what_is_damaged_or_gone_is_told_with_its_number() {
    let folder = TempDir::new().unwrap();
    let home = home(folder.path(), "");
    let spool = home.path("spool");
    // Several segments of one writer.
    let recorder = Recorder::new(&spool, 1 << 20);
    let mut thread = recorder.thread();
    let mut written = 0;
    while SpoolReader::open(&spool).unwrap().list().unwrap().segments.len() < 4 {
        thread.request(&format!("/console/{written}")).expect("room");
        written += 1;
    }
    drop(thread);
    drop(recorder);
    let segments = SpoolReader::open(&spool).unwrap().list().unwrap().segments;
    let in_one = {
        let reader = SpoolReader::open(&spool).unwrap();
        let mut segment = reader.segment(segments[1]).unwrap();
        let mut records = 0;
        while let luigi_runtime::spool::Next::Record { .. } = segment.next().unwrap() {
            records += 1;
        }
        records
    };
    // The second is deleted; in the third a byte is flipped.
    fs::remove_file(spool.join(segments[1].file_name())).unwrap();
    let third = spool.join(segments[2].file_name());
    let mut bytes = fs::read(&third).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&third, bytes).unwrap();
    let daemon = home.start();
    home.wait_until_drained();
    let there = home.decisions(written - in_one - 1).len();
    assert_eq!(there, written - in_one - 1);
    let told = losses(&home.events());
    // The header of the one that is gone had a number, too.
    assert!(
        told.iter().any(|(count, why)| *count == in_one as u64 + 1 && why.contains("are gone")),
        "{told:?}, {in_one}"
    );
    assert!(told.iter().any(|(count, why)| *count == 1 && why.contains("damaged")), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
    // Nothing of this is told again.
    daemon.kill();
    let daemon = home.start();
    assert!(daemon.stop().success());
    assert_eq!(losses(&home.events()).len(), 2);
}

#[test]
fn a_disk_that_is_full_loses_nothing_and_is_told() {
    if !Need::Mounts.is_met() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let mut home = home(folder.path(), "");
    fs::create_dir_all(home.path("state/ledger")).unwrap();
    let script = format!(
        "mount --make-rprivate / && mount -t tmpfs -o size=400k none {} && exec \"$@\"",
        home.path("state/ledger").display()
    );
    home.wrapper = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    let recorder = Recorder::new(&home.path("spool"), ROOM);
    let mut thread = recorder.thread();
    let daemon = home.start();
    let written: BTreeSet<String> =
        (0..3_000).map(|n| thread.request(&format!("/console/{n}")).unwrap().to_string()).collect();
    wait::until("it is not ready", || {
        let (status, text) = daemon.get("/readyz");
        status == 503 && text.contains("ledger: ")
    });
    assert_eq!(daemon.get("/healthz").0, 200, "it only waits for room");
    // Room, in the daemon's own mounts.
    let process = daemon.process().to_string();
    let mount = std::process::Command::new("nsenter")
        .args(["--mount", "--target", &process, "mount", "-o", "remount,size=64m"])
        .arg(home.path("state/ledger"))
        .status();
    assert!(mount.unwrap().success());
    wait::until("everything is in the ledger", || {
        daemon.metric(
            "luigi_decisions_total{decision=\"allow\",reason=\"allowed-by-rule\",outcome=\"pass\",privileged=\"true\"}",
        ) == Some(3000.0)
    });
    // What lies there goes with the daemon's mounts.
    for name in ["ledger.db", "ledger.db-wal"] {
        let there = Path::new("/proc")
            .join(&process)
            .join("root")
            .join(home.path("state/ledger").strip_prefix("/").unwrap())
            .join(name);
        fs::copy(there, home.path(name)).unwrap();
    }
    let copy = luigi_workflow::ledger::Reader::open(&home.path("ledger.db")).unwrap();
    let mut found = BTreeSet::new();
    copy.scan(
        0,
        &luigi_workflow::ledger::Filter::default(),
        |entry| -> Result<_, luigi_workflow::ledger::LedgerError> {
            if let Event::Decision(decision) = entry.event {
                assert!(found.insert(decision.evaluation), "once");
            }
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )
    .unwrap();
    assert_eq!(found, written);
}
