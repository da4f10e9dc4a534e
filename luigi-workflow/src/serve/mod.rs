//! `luigi serve`: the daemon that drains the spool into the ledger, publishes the feed and sends checkpoints.
//!
//! ```text
//!  spool ── drain ──> convert ──> ledger ──> checkpoints ──> file, log host, webhook
//!                                   ▲
//!  luigi apply ── control ──> feed ─┘ ──> feed directory (heartbeat, what changed)
//!                              ▲
//!                 policy file ─┘                             http: /metrics, /readyz, /healthz
//! ```
//!
//! Threads and no more: the ledger has one writer, which blocks on the disk, so the thread that [`run`] is called on owns it and drains; others hand it entries through a channel. A second
//! thread has the feed, a third sends checkpoints, each that asks for a change has one for as long as it takes, and HTTP has one with a small runtime of its own. None of them is needed by
//! a proxy: with the daemon gone they go on with the feed as it is.

mod checkpoints;
mod control;
mod convert;
mod drain;
mod feed;
pub mod handover;
mod http;
mod in_force;
mod metrics;
mod notify;
mod responses;

use crate::ledger::{
    Batch, Cadence, CheckpointKey, DaemonStarted, DaemonStopped, Event, Ledger, LedgerError, NewEntry, Reader,
};
use checkpoints::Checkpoints;
use drain::{Drain, DrainError};
use feed::FeedKeeper;
use in_force::IN_FORCE;
use jiff::{SignedDuration, Timestamp};
use luigi_core::daemon_config::{DaemonConfig, RetentionSettings};
use metrics::{Part, Shared};
use notify::Supervisor;
use responses::{Responses, SETTLED};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a daemon that has caught up waits before it looks into the spool again.
const IDLE: Duration = Duration::from_millis(50);

/// How long it waits after the spool or the ledger failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// How often the feed is looked after.
const FEED_EVERY: Duration = Duration::from_millis(250);

/// How often old entries are looked for.
const RETIRE_EVERY: Duration = Duration::from_secs(60);

/// The most entries that are retired in one go: draining waits meanwhile.
const RETIRE_AT_ONCE: u64 = 50_000;

/// A daemon that is told to stop drains what is there for at most this long.
const LAST_DRAIN: Duration = Duration::from_secs(20);

/// Writers of the spool of which nothing was heard for so long are forgotten.
const FORGET_WRITERS_AFTER: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What other threads ask of the one that has the ledger.
enum Message {
    /// Append entries and keep notes; say when they are on the disk.
    Append { entries: Vec<NewEntry>, kept: Vec<(&'static str, String)>, done: SyncSender<Result<(), String>> },
    /// Append entries, as soon as it can be done.
    Tell(Vec<NewEntry>),
}

/// Why a daemon could not start or go on. Plain text, ready to print.
#[derive(Debug)]
pub struct ServeError {
    text: String,
}

impl ServeError {
    fn environment(text: impl Display) -> Self {
        Self { text: text.to_string() }
    }
}

impl Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ServeError {}

impl From<LedgerError> for ServeError {
    fn from(error: LedgerError) -> Self {
        Self::environment(error)
    }
}

/// Serves until `stop` is set, then drains what is there, says so in the ledger and returns.
///
/// # Errors
/// Another process has the ledger or the feed (the error names it), or something that is needed to start cannot be opened. What fails later is logged, told by `/readyz` and tried again.
pub fn run(config: &DaemonConfig, stop: &AtomicBool) -> Result<(), ServeError> {
    let shared = Arc::new(Shared::new());
    let supervisor = Supervisor::from_environment();
    let mut ledger = Ledger::open(&config.ledger.path)?;
    let key = CheckpointKey::open(&config.ledger.key)?;
    let sinks = config.checkpoints.to.iter().map(|place| place.parse()).collect::<Result<Vec<_>, LedgerError>>()?;
    let (sender, messages) = channel();
    let socket = config.state.join(control::SOCKET);
    let holder = format!("process {}, luigi serve\nsocket {}\n", std::process::id(), absolute(&socket).display());
    let in_force = ledger.kept(IN_FORCE)?;
    let feed = FeedKeeper::open(config, holder, in_force, sender.clone(), Arc::clone(&shared))?;
    let of_others = [&config.state, &config.ledger.path, &config.ledger.key, &config.feed.directory, &config.feed.key];
    let spool = Drain::open(&config.spool.directory, &of_others.map(PathBuf::as_path)).map_err(|error| {
        ServeError::environment(format!("cannot open the spool `{}`: {error}", config.spool.directory.display()))
    })?;
    let feed = Arc::new(Mutex::new(feed));
    let listener = control::bind(&socket).map_err(ServeError::environment)?;
    let http = match config.listen {
        Some(address) => Some(http::Server::start(address, Arc::clone(&shared)).map_err(ServeError::environment)?),
        None => None,
    };

    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let process = std::process::id();
    let tool = crate::ledger::TOOL.to_owned();
    ledger.append(&[NewEntry::now(Event::DaemonStarted(DaemonStarted { node: node.clone(), tool, process }))])?;
    let threads = Arc::new(AtomicBool::new(false));
    let first_look = Arc::new(AtomicBool::new(false));
    let looking_after = {
        let (feed, threads, first_look) = (Arc::clone(&feed), Arc::clone(&threads), Arc::clone(&first_look));
        std::thread::spawn(move || {
            while !threads.load(Ordering::Relaxed) {
                feed.lock().unwrap_or_else(PoisonError::into_inner).tick();
                first_look.store(true, Ordering::Relaxed);
                std::thread::sleep(FEED_EVERY);
            }
        })
    };
    control::serve(listener, feed, Arc::clone(&threads));
    let cadence = Cadence {
        entries: config.checkpoints.entries,
        interval: SignedDuration::try_from(config.checkpoints.interval).unwrap_or(SignedDuration::MAX),
    };
    let checkpoints = Checkpoints::start(key, sinks, cadence, sender, Arc::clone(&shared));
    if let Some(http) = &http {
        tracing::info!(address = %http.address, "metrics and health are told");
    }
    tracing::info!(process, node, ledger = %config.ledger.path.display(), feed = %config.feed.directory.display(), spool = %config.spool.directory.display(), "started");

    let mut keeper = Keeper {
        ledger,
        spool,
        responses: None,
        checkpoints,
        retention: config.retention.clone(),
        longest_response: config.spool.longest_response,
        messages,
        untold: Vec::new(),
        shared: Arc::clone(&shared),
        next_retirement: Instant::now(),
    };
    keeper.tidy();
    let mut told = Instant::now();
    let mut announced = false;
    while !stop.load(Ordering::Relaxed) {
        let pause = keeper.turn();
        if !announced && first_look.load(Ordering::Relaxed) {
            announced = true;
            shared.set_ready(true);
            supervisor.tell("READY=1\nSTATUS=draining the spool");
        }
        if supervisor.every.is_some_and(|every| told.elapsed() >= every.min(Duration::from_secs(1))) {
            told = Instant::now();
            supervisor.tell("WATCHDOG=1");
        }
        keeper.wait(pause);
    }

    supervisor.tell("STOPPING=1");
    shared.set_ready(false);
    threads.store(true, Ordering::Relaxed);
    let _ = std::fs::remove_file(&socket);
    // It may be waiting for its entries to be appended.
    while !looking_after.is_finished() {
        keeper.answer();
        std::thread::sleep(Duration::from_millis(5));
    }
    let end = Instant::now() + LAST_DRAIN;
    while Instant::now() < end && keeper.turn().is_zero() {
        supervisor.tell("WATCHDOG=1");
    }
    let stopped = NewEntry::now(Event::DaemonStopped(DaemonStopped { node, process }));
    keeper.ledger.append(&[stopped])?;
    keeper.checkpoints.finish(&mut keeper.ledger)?;
    tracing::info!(process, "stopped");
    Ok(())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The thread that has the ledger.
struct Keeper {
    ledger: Ledger,
    spool: Drain,
    /// `None` until they are loaded, and after something failed.
    responses: Option<Responses>,
    checkpoints: Checkpoints,
    retention: Option<RetentionSettings>,
    longest_response: Duration,
    messages: Receiver<Message>,
    /// Entries that could not be appended yet.
    untold: Vec<NewEntry>,
    shared: Arc<Shared>,
    next_retirement: Instant,
}

impl Keeper {
    /// Does what there is to do, for a while; how long to wait before the next turn.
    fn turn(&mut self) -> Duration {
        self.shared.turn();
        self.answer();
        let pass = match self.drain() {
            Ok(pass) => {
                self.shared.set_problem(Part::Spool, None);
                self.shared.set_problem(Part::Ledger, None);
                pass
            }
            Err(error) => {
                self.spool.forget();
                self.responses = None;
                match error {
                    DrainError::Spool(error) => {
                        self.shared.set_problem(Part::Spool, Some(format!("cannot drain the spool: {error}")));
                    }
                    DrainError::Ledger(error) => {
                        self.shared.metrics.ledger_errors.add(1);
                        self.shared.set_problem(Part::Ledger, Some(error.to_string()));
                    }
                }
                return AFTER_FAILURE;
            }
        };
        if let Err(error) = self.checkpoints.make_if_due(&mut self.ledger) {
            self.shared.set_problem(Part::Ledger, Some(error.to_string()));
        }
        if Instant::now() >= self.next_retirement {
            self.next_retirement = Instant::now() + RETIRE_EVERY;
            if self.retire() {
                self.next_retirement = Instant::now();
            }
        }
        // What comes meanwhile is one transaction: each costs a sync, however little is in it.
        if pass.caught_up { IDLE } else { Duration::ZERO }
    }

    fn drain(&mut self) -> Result<drain::Pass, DrainError> {
        if !self.untold.is_empty() {
            self.ledger.append(&self.untold).map_err(DrainError::Ledger)?;
            self.untold.clear();
        }
        let responses = match &mut self.responses {
            Some(responses) => responses,
            None => {
                let load = || -> Result<Responses, LedgerError> {
                    let settled = self.ledger.kept(SETTLED)?;
                    let settled = match settled {
                        Some(settled) => settled,
                        // Nothing was drained into this ledger before.
                        None => (self.ledger.head()?.sequence + 1).to_string(),
                    };
                    Responses::load(&Reader::open(self.ledger.path())?, Some(&settled), self.longest_response)
                };
                self.responses.insert(load().map_err(DrainError::Ledger)?)
            }
        };
        self.spool.pass(&mut self.ledger, responses, &self.shared)
    }

    /// Answers whoever asked for something, without waiting.
    fn answer(&mut self) {
        loop {
            match self.messages.try_recv() {
                Ok(message) => self.hear(message),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Waits for so long, or until somebody asks for something.
    fn wait(&mut self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        match self.messages.recv_timeout(pause) {
            Ok(message) => self.hear(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(pause),
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Append { entries, kept, done } => {
                let count = entries.len();
                let batch = Batch { entries, segments: Vec::new(), kept };
                let started = Instant::now();
                let appended = self.ledger.append_batch(&batch);
                if let Ok(head) = &appended {
                    self.shared.appended(count, *head, started.elapsed());
                }
                // Whoever asked may have given up waiting.
                let _ = done.send(appended.map(drop).map_err(|error| error.to_string()));
            }
            Message::Tell(entries) => self.untold.extend(entries),
        }
    }

    /// What is done once, at the start.
    fn tidy(&mut self) {
        let done = self.spool.tidy(&mut self.ledger).and_then(|()| {
            let since = Timestamp::now().checked_sub(FORGET_WRITERS_AFTER).unwrap_or(Timestamp::MIN);
            self.ledger.forget_writers(since).map_err(DrainError::Ledger)
        });
        match done {
            Ok(()) => {}
            Err(DrainError::Spool(error)) => tracing::warn!("cannot tidy up: {error}"),
            Err(DrainError::Ledger(error)) => tracing::warn!("cannot tidy up: {error}"),
        }
    }

    /// Writes entries that are old enough to a file; whether there are more of them.
    fn retire(&mut self) -> bool {
        let Some(settings) = &self.retention else { return false };
        let retire = |ledger: &mut Ledger| -> Result<bool, LedgerError> {
            let keep = SignedDuration::try_from(settings.keep).unwrap_or(SignedDuration::MAX);
            let before = Timestamp::now().checked_sub(keep).unwrap_or(Timestamp::MIN);
            let (behind, _) = Reader::open(ledger.path())?.begins_behind()?;
            let Some(last) = ledger.last_before(before)? else { return Ok(false) };
            // Requests that may still be answered are looked for in the ledger.
            let settled = ledger.kept(SETTLED)?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX);
            let last = last.min(ledger.head()?.sequence - 1).min(settled.saturating_sub(1));
            if last <= behind {
                return Ok(false);
            }
            let upto = last.min(behind + RETIRE_AT_ONCE);
            let (retired, path) = ledger.retire(upto, &settings.to)?;
            tracing::info!(first = retired.first, last = retired.last, file = %path.display(), "entries were retired");
            Ok(upto < last)
        };
        match retire(&mut self.ledger) {
            Ok(more) => more,
            Err(error) => {
                tracing::error!("no entries were retired: {error}");
                false
            }
        }
    }
}

/// Sends messages for those who only tell.
#[derive(Clone)]
struct Teller(Sender<Message>);

impl Teller {
    fn tell(&self, entries: Vec<NewEntry>) {
        // Nobody listens any more when the daemon stops; what matters then is told on the way.
        let _ = self.0.send(Message::Tell(entries));
    }
}
