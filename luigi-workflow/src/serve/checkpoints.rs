//! Checkpoints: made by who has the ledger, sent by a thread of their own, since a webhook may take its time.

use super::metrics::Shared;
use super::{Message, Teller};
use crate::ledger::{Anchored, Cadence, CheckpointKey, Event, Ledger, LedgerError, NewEntry, RecordsLost, Sink};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// However many entries there are, a checkpoint costs a transaction and a message: no more than one in this time.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// A place that cannot be reached is an entry when that begins, and after each such time again: one for each checkpoint would be something new to sign each time.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// Makes and sends checkpoints.
pub(super) struct Checkpoints {
    key: CheckpointKey,
    cadence: Cadence,
    last: u64,
    then: Timestamp,
    made: Option<Instant>,
    lines: Option<Sender<Anchored>>,
    sender: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Checkpoints {
    pub(super) fn start(
        key: CheckpointKey,
        sinks: Vec<Sink>,
        cadence: Cadence,
        ledger: Sender<Message>,
        shared: Arc<Shared>,
    ) -> Self {
        let (lines, waiting) = channel();
        let teller = Teller(ledger);
        let counted = Arc::clone(&shared);
        let sender = std::thread::spawn(move || send_all(&waiting, &sinks, &teller, &counted));
        Self {
            key,
            cadence,
            last: 0,
            then: Timestamp::now(),
            made: None,
            lines: Some(lines),
            sender: Some(sender),
            shared,
        }
    }

    /// Makes a checkpoint if there is something new and it is time.
    pub(super) fn make_if_due(&mut self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        let head = ledger.head()?;
        let early = self.made.is_some_and(|made| made.elapsed() < AT_MOST_EVERY);
        if early || !self.cadence.is_due(self.last, self.then, head, Timestamp::now()) {
            return Ok(());
        }
        self.make(ledger)
    }

    fn make(&mut self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        let now = Timestamp::now();
        let anchored = ledger.checkpoint(&self.key, now)?;
        (self.last, self.then, self.made) = (anchored.checkpoint.sequence, now, Some(Instant::now()));
        self.shared.metrics.checkpoints.add(1);
        if let Some(lines) = &self.lines {
            // The thread ends only after this end is dropped.
            let _ = lines.send(anchored);
        }
        Ok(())
    }

    /// Makes the last one and waits until it is sent, or until its places had their time.
    pub(super) fn finish(&mut self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        self.make(ledger)?;
        self.lines = None;
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
        Ok(())
    }
}

/// Checkpoints of a place that is out of reach.
struct Silent {
    since: Timestamp,
    missed: u64,
    said: Instant,
}

fn send_all(waiting: &Receiver<Anchored>, sinks: &[Sink], teller: &Teller, shared: &Shared) {
    let mut silent: BTreeMap<String, Silent> = BTreeMap::new();
    while let Ok(anchored) = waiting.recv() {
        // Only the newest matters: it says all that those before it say.
        let anchored = waiting.try_iter().last().unwrap_or(anchored);
        for sink in sinks {
            let name = sink.to_string();
            match sink.send(&anchored.line) {
                Ok(()) => {
                    if let Some(was) = silent.remove(&name) {
                        tracing::info!(place = name, missed = was.missed, "checkpoints get there again");
                    }
                }
                Err(error) => {
                    shared.metrics.checkpoints_not_sent.add(1);
                    let is_new = !silent.contains_key(&name);
                    let now = Timestamp::now();
                    let state = silent.entry(name).or_insert(Silent { since: now, missed: 0, said: Instant::now() });
                    state.missed += 1;
                    if is_new || state.said.elapsed() >= SAY_AGAIN_AFTER {
                        tracing::error!("{error}");
                        let lost = RecordsLost {
                            count: state.missed,
                            place: "checkpoint".to_owned(),
                            reason: error.to_string(),
                            counts: BTreeMap::new(),
                            since: Some(state.since.to_string()),
                        };
                        teller.tell(vec![NewEntry::now(Event::RecordsLost(lost))]);
                        (state.missed, state.since, state.said) = (0, now, Instant::now());
                    }
                }
            }
        }
    }
}
