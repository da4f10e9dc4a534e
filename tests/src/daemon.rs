//! `luigi serve`, started as a process of its own in a folder, and what is in its ledger.

use crate::client::{Client, request};
use crate::installation::luigi;
use crate::wait;
use luigi_workflow::ledger::{Entry, Event, Filter, LedgerError, Reader, Verifier};
use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// A folder for a daemon: its configuration, and everything that it makes.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
    /// Words before the command: `unshare --mount ...`.
    pub wrapper: Vec<String>,
    /// Further environment.
    pub environment: Vec<(String, String)>,
}

impl Home {
    /// In this folder, which is there: feed, keys and spool stand where [`Site`](crate::site::Site) has them. `more` is what the configuration says beyond that; the first lines are of the top.
    ///
    /// # Panics
    /// If the configuration cannot be written.
    #[must_use]
    pub fn new(folder: &Path, more: &str) -> Self {
        let home = Self { folder: folder.to_owned(), wrapper: Vec::new(), environment: Vec::new() };
        home.configure(more);
        home
    }

    /// Writes the configuration anew.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "schema = 1\nstate = \"state\"\nfeed = {{ directory = \"feed\", key = \"feed.key\", heartbeat = \"1s\" }}\n\
             http = {{ listen = \"127.0.0.1:0\" }}\nlog = {{ format = \"json\" }}\n{more}\n"
        );
        let text = if more.contains("[spool]") { text } else { text + "[spool]\ndirectory = \"spool\"\n" };
        fs::write(self.config(), text).expect("a file in the test's folder");
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("luigi.toml")
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("state/ledger/ledger.db")
    }

    /// The folder of this daemon.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self) -> Command {
        let words: Vec<PathBuf> = self.wrapper.iter().map(PathBuf::from).chain([luigi()]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["serve", "--config"]).arg(self.config()).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it drains.
    ///
    /// # Panics
    /// If it does not come up; the message has its log.
    #[must_use]
    pub fn start(&self) -> Daemon {
        let log = self.folder.join("serve.log");
        let file = fs::File::create(&log).expect("a file in the test's folder");
        let child = self.command().stdout(Stdio::null()).stderr(file).spawn().expect("the daemon starts");
        let mut daemon = Daemon { child, log };
        let log = wait::for_some("the daemon is up", || {
            let log = daemon.log();
            if let Ok(Some(status)) = daemon.child.try_wait() {
                panic!("it ended with {status}:\n{log}");
            }
            log.contains("\"message\":\"started\"").then_some(log)
        });
        assert!(log.contains("metrics and health are told"), "{log}");
        daemon
    }

    /// Runs one that is expected to end by itself.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn run(&self) -> Output {
        self.command().output().expect("the daemon can be run")
    }

    /// Everything in the ledger, whose chain must be whole.
    ///
    /// # Panics
    /// If there is none, or something is wrong with it.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let reader = Reader::open(&self.ledger()).unwrap_or_else(|error| panic!("{error}"));
        let found = Verifier::default().verify(&reader).expect("it can be verified");
        assert_eq!(found.broken, None);
        let mut entries = Vec::new();
        let read: Result<(), LedgerError> = reader.scan(0, &Filter::default(), |entry| {
            entries.push(entry);
            Ok(ControlFlow::Continue(()))
        });
        read.expect("every entry can be read");
        entries
    }

    /// The events in the ledger.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.entries().into_iter().map(|entry| entry.event).collect()
    }

    /// Waits until the ledger has an event like this; all of them.
    ///
    /// # Panics
    /// If it never has.
    #[must_use]
    pub fn events_with(&self, what: &str, mut is: impl FnMut(&Event) -> bool) -> Vec<Event> {
        wait::for_some(what, || Some(self.events()).filter(|events| events.iter().any(&mut is)))
    }

    /// Waits until the ledger has so many decisions; the evaluations of all, each of which must be there once.
    ///
    /// # Panics
    /// If it never has, or has one twice.
    #[must_use]
    pub fn decisions(&self, at_least: usize) -> Vec<String> {
        let reader = wait::for_some("there is a ledger", || Reader::open(&self.ledger()).ok());
        let all = wait::for_some(&format!("{at_least} decisions are in the ledger"), || {
            // Its end costs nothing to look at.
            if reader.head().ok()?.sequence < at_least as u64 {
                return None;
            }
            let decided = self.events().into_iter().filter_map(|event| match event {
                Event::Decision(decision) => Some(decision.evaluation),
                _ => None,
            });
            Some(decided.collect::<Vec<_>>()).filter(|decided| decided.len() >= at_least)
        });
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len(), "each is there once");
        all
    }

    /// Waits until the spool holds no segment.
    ///
    /// # Panics
    /// If it always does.
    pub fn wait_until_drained(&self) {
        wait::until("the spool is drained", || {
            fs::read_dir(self.folder.join("spool")).is_ok_and(|entries| {
                entries.flatten().all(|entry| entry.path().extension().is_none_or(|ending| ending != "spool"))
            })
        });
    }

    /// Runs another command of `luigi` here.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn luigi(&self, words: &[&str]) -> Output {
        Command::new(luigi()).current_dir(&self.folder).args(words).output().expect("the command can be run")
    }
}

/// A running daemon; killed when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for a line of its log with these words.
    ///
    /// # Panics
    /// If it does not come.
    #[must_use]
    pub fn log_line(&self, words: &[&str]) -> String {
        wait::for_some(&format!("a line of the daemon's log with {words:?}"), || {
            self.log().lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    fn address(&self) -> SocketAddr {
        let line = self.log_line(&["metrics and health are told"]);
        let line: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
        line["address"].as_str().and_then(|text| text.parse().ok()).expect("an address")
    }

    /// Asks it over HTTP: status and text.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn get(&self, path: &str) -> (u16, String) {
        let response = Client::connect(self.address()).exchange(&request("GET", path, "localhost", &[]));
        (response.status, response.text())
    }

    /// The value of a metric; `None` if there is none.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").1;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let process = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(process.expect("a process has a number"), signal).expect("our own process");
    }

    /// Stops it in its tracks, so that it can neither work nor end by itself.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Kills it as a crash would.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn kill(mut self) {
        self.child.kill().expect("our own process");
        self.child.wait().expect("our own process");
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        wait::for_some("the daemon stops", || self.child.try_wait().expect("our own process"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of the daemon:\n{}", self.log());
        }
    }
}
