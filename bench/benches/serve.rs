//! Whether the daemon keeps up: records that HAProxy's threads would write, drained into a ledger on a real disk by a `luigi serve` in a process of its own.
//!
//! `cargo bench -p luigi-bench --bench serve` tries two things and prints what came of them: a daemon that was down for an hour at 200 records a second, and 20,000 records a second while it runs. Each record must be in
//! the ledger once and the chain whole, or this panics. Spool on tmpfs, ledger in the target folder.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use luigi_core::daemon_config;
use luigi_core::policy::SourceSet;
use luigi_tests::recorder::Recorder;
use luigi_workflow::ledger::{Event, Filter, LedgerError, Reader, Verifier};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVE: &str = "--serve-with";

/// How many threads write: as many as a HAProxy would have here.
const THREADS: u64 = 2;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, config] = &arguments[..]
        && flag == SERVE
    {
        return serve(Path::new(config));
    }
    let short = arguments.iter().any(|argument| argument == "--test");
    let (missed, rate, seconds) = if short { (2_000, 2_000, 1) } else { (720_000, 20_000, 30) };
    catch_up(missed);
    keep_up(rate, seconds);
}

/// What `luigi serve` does, in this program: it is built with the benchmarks.
fn serve(config: &Path) {
    let mut sources = SourceSet::new();
    sources.add("luigi.toml", std::fs::read_to_string(config).expect("the configuration"));
    let (config, problems) = daemon_config::parse(&sources, config.parent().expect("it lies in a folder"));
    let config = config.unwrap_or_else(|| panic!("{problems:?}"));
    luigi_workflow::serve::run(&config, &AtomicBool::new(false)).unwrap_or_else(|error| panic!("{error}"));
}

struct Scene {
    /// On a disk, if the target folder is.
    folder: TempDir,
    spool: TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let spool = TempDir::new_in("/dev/shm").expect("a folder on tmpfs");
        let text = format!(
            "schema = 1\nstate = \"state\"\n[spool]\ndirectory = {:?}\n[http]\nlisten = \"off\"\n[log]\nlevel = \"error\"\n",
            spool.path()
        );
        std::fs::write(folder.path().join("luigi.toml"), text).expect("a file in a temporary folder");
        Self { folder, spool }
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("state/ledger/ledger.db")
    }

    fn start(&self) -> Daemon {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .arg(SERVE)
            .arg(self.folder.path().join("luigi.toml"))
            .stderr(Stdio::null())
            .spawn();
        Daemon(child.expect("the daemon starts"))
    }

    /// How many entries the ledger has; none before it is there.
    fn entries(&self) -> u64 {
        Reader::open(&self.ledger()).and_then(|reader| reader.head()).map_or(0, |head| head.sequence)
    }

    /// Each record once, in a chain that is whole.
    fn check(&self, requests: u64) {
        let reader = Reader::open(&self.ledger()).expect("the ledger can be read");
        assert_eq!(Verifier::default().verify(&reader).expect("it can be verified").broken, None);
        let (mut decided, mut answered) = (BTreeSet::new(), BTreeSet::new());
        let read: Result<(), LedgerError> = reader.scan(0, &Filter::default(), |entry| {
            match entry.event {
                Event::Decision(decision) => assert!(decided.insert(decision.evaluation), "a decision twice"),
                Event::Response(response) => assert!(answered.insert(response.evaluation), "a response twice"),
                Event::RecordsLost(lost) => panic!("{lost:?}"),
                _ => {}
            }
            Ok(ControlFlow::Continue(()))
        });
        read.expect("every entry can be read");
        assert_eq!((decided.len() as u64, answered == decided), (requests, true), "each record once");
    }
}

struct Daemon(Child);

impl Daemon {
    /// The most memory that it had, in KiB.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says so");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How long it was on a processor.
    fn processor(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("it runs").flatten();
        let on = |task: std::fs::DirEntry| -> Option<f64> {
            let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<f64>().ok()
        };
        tasks.filter_map(on).sum::<f64>() / 1e9
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// So many records are there when the daemon starts: half of them decisions, half of them responses.
fn catch_up(records: u64) {
    let scene = Scene::new();
    let recorder = Recorder::new(scene.spool.path(), 4 << 30);
    write(&recorder, records / 2, None);
    assert_eq!(recorder.lost(), 0);
    drop(recorder);
    let bytes: u64 = std::fs::read_dir(scene.spool.path())
        .expect("the spool")
        .flatten()
        .map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
        .sum();
    let started = Instant::now();
    let daemon = scene.start();
    // Entry 1 made the ledger, entry 2 says that the daemon was started.
    while scene.entries() < records + 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = started.elapsed().as_secs_f64();
    let (peak, processor) = (daemon.peak(), daemon.processor());
    drop(daemon);
    scene.check(records / 2);
    println!("caught up with {records} records of {} MB in {seconds:.1} s", bytes / 1_000_000);
    println!(
        "    {:>9.0} records a second to the disk, {:.1} us of a processor each",
        records as f64 / seconds,
        processor * 1e6 / records as f64
    );
    println!("    {:>9} MiB of memory at most", peak / 1024);
}

/// So many records a second while the daemon runs.
fn keep_up(rate: u64, seconds: u64) {
    let scene = Scene::new();
    let daemon = scene.start();
    while scene.entries() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let recorder = Recorder::new(scene.spool.path(), 256 << 20);
    let records = rate * seconds;
    let stop = AtomicBool::new(false);
    let (mut behind, mut took, mut last) = (0, 0.0, 0.0);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !stop.load(Ordering::Relaxed) {
                let bytes: u64 = std::fs::read_dir(scene.spool.path())
                    .expect("the spool")
                    .flatten()
                    .map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
                    .sum();
                most = most.max(bytes);
                std::thread::sleep(Duration::from_millis(50));
            }
            most
        });
        let started = Instant::now();
        write(&recorder, records / 2, Some(rate / 2));
        took = started.elapsed().as_secs_f64();
        let written = Instant::now();
        while scene.entries() < records + 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        last = written.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        behind = watch.join().expect("it only looks");
    });
    assert_eq!(recorder.lost(), 0, "nothing was given up for want of room");
    let (peak, processor) = (daemon.peak(), daemon.processor());
    drop(daemon);
    scene.check(records / 2);
    println!("kept up with {records} records at {:.0} a second", records as f64 / took);
    println!(
        "    {:>9.2} s after the last was written all were on the disk; {:.1} us of a processor each",
        last,
        processor * 1e6 / records as f64
    );
    println!(
        "    {:>9} MB in the spool at most, segments that are being written included; {} MiB of memory at most",
        behind / 1_000_000,
        peak / 1024
    );
}

/// Writes requests with their responses, spread over the threads, at most so many a second.
fn write(recorder: &Recorder, requests: u64, rate: Option<u64>) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut context = recorder.thread();
            let mine = requests / THREADS + u64::from(thread < requests % THREADS);
            scope.spawn(move || {
                let started = Instant::now();
                for n in 0..mine {
                    if let Some(rate) = rate
                        && n % 100 == 0
                    {
                        let due = Duration::from_secs_f64(n as f64 * THREADS as f64 / rate as f64);
                        std::thread::sleep(due.saturating_sub(started.elapsed()));
                    }
                    let id = context.request(&format!("/console/{thread}/accounts/{n}")).expect("room");
                    context.response(id, 200);
                }
            });
        }
    });
}
