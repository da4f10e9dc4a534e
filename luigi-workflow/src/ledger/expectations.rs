//! What checkpoints say that the ledger should be, and which of their lines nobody should believe.
//!
//! A place that is damaged says nothing about entries: its other lines count, and the damaged one is told with its place. What was being written when the
//! machine stopped is the beginning of a line at the end of a file; that is said, and is no damage.

use super::chain::{Chain, Flaw};
use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::Hash;
use super::verify::{Anchor, Verifier};
use luigi_runtime::feed::PublicKey;
use std::collections::BTreeMap;

/// What the ledger's own checkpoints are called.
pub(super) const OWN: &str = "the ledger itself";

/// A line among the checkpoints that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbelieved {
    /// Where the checkpoints were kept.
    pub source: String,
    /// Which line of that place; `None` for the ledger's own checkpoints.
    pub line: Option<u64>,
    /// Why.
    pub why: CheckpointError,
}

impl Unbelieved {
    /// Whether something is wrong with the place. It is not where the last line was not written to its end: that is what a crash leaves.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.why != CheckpointError::Torn
    }
}

impl std::fmt::Display for Unbelieved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {}", self.source, self.why),
            None => write!(f, "a checkpoint in {}: {}", self.source, self.why),
        }
    }
}

/// Checkpoints that are still to be met, by the sequence that they are of.
pub(super) struct Expectations {
    at: BTreeMap<u64, Vec<Expected>>,
    other: Option<Flaw>,
    unbelieved: Vec<Unbelieved>,
}

struct Expected {
    source: String,
    own: bool,
    hash: Hash,
}

impl Expectations {
    /// The checkpoints that a ledger with this id should agree with; of one without an id nobody can tell, so all count as its. `own` are those in the ledger itself.
    pub(super) fn new(verifier: &Verifier, ledger: Option<&str>, own: &[String]) -> Self {
        let mut expected = Self { at: BTreeMap::new(), other: None, unbelieved: Vec::new() };
        if verifier.keys.is_empty() {
            return expected;
        }
        for line in own {
            expected.add(verifier, ledger, OWN, None, line);
        }
        for (source, text) in &verifier.checkpoints {
            for (line, number) in text.split_inclusive('\n').zip(1..) {
                expected.add(verifier, ledger, source, Some(number), line);
            }
        }
        expected
    }

    /// One line, with its end if it has one; it is `line` of its place, or the ledger's own.
    fn add(&mut self, verifier: &Verifier, ledger: Option<&str>, source: &str, line: Option<u64>, text: &str) {
        let is_whole = line.is_none() || text.ends_with('\n');
        let text = text.trim();
        if text.is_empty() && line.is_some() {
            return;
        }
        // Zeros at the end of a file are what a file system leaves of a write that it did not finish.
        let text = if is_whole { text } else { text.trim_end_matches('\0') };
        match believed(&verifier.keys, text) {
            Ok(checkpoint) if ledger.is_none_or(|id| id == checkpoint.ledger) => {
                let met = Expected { source: source.to_owned(), own: line.is_none(), hash: checkpoint.hash };
                self.at.entry(checkpoint.sequence).or_default().push(met);
            }
            Ok(_) => {
                self.other.get_or_insert_with(|| Flaw::OtherLedger { source: source.to_owned() });
            }
            Err(why) => {
                let why = if !is_whole && Checkpoint::is_torn(text) { CheckpointError::Torn } else { why };
                self.unbelieved.push(Unbelieved { source: source.to_owned(), line, why });
            }
        }
    }

    /// The lines that do not count.
    pub(super) fn take_unbelieved(&mut self) -> Vec<Unbelieved> {
        std::mem::take(&mut self.unbelieved)
    }

    /// A place has checkpoints of another ledger.
    pub(super) fn other(&self) -> Option<&Flaw> {
        self.other.as_ref()
    }

    /// Compares the checkpoints of the entry that was followed last with it.
    pub(super) fn met(&mut self, chain: Chain, signed: &mut u64, anchors: &mut Vec<Anchor>) -> Option<Flaw> {
        for Expected { source, own, hash } in self.at.remove(&chain.sequence).into_iter().flatten() {
            if hash != chain.hash {
                return Some(Flaw::OtherThanCheckpoint { source });
            }
            if own {
                *signed = chain.sequence;
            } else {
                match anchors.iter_mut().find(|anchor| anchor.source == source) {
                    Some(anchor) => anchor.upto = chain.sequence,
                    None => anchors.push(Anchor { source, upto: chain.sequence }),
                }
            }
        }
        None
    }

    /// Leaves out the checkpoints of what stands before this entry.
    pub(super) fn begin_with(&mut self, sequence: u64) {
        self.at = self.at.split_off(&sequence);
    }

    /// The first checkpoint that nothing met: the entry that it is of, and its place.
    pub(super) fn first_left(&self) -> Option<(u64, &str)> {
        self.at.iter().find_map(|(at, all)| Some((*at, all.first()?.source.as_str())))
    }
}

/// The checkpoint of a line, if one of the keys signed it.
fn believed(keys: &[PublicKey], line: &str) -> Result<Checkpoint, CheckpointError> {
    let mut tried = keys.iter().map(|key| Checkpoint::verify(line, key));
    tried.find(|tried| !matches!(tried, Err(CheckpointError::OtherKey))).unwrap_or(Err(CheckpointError::OtherKey))
}
