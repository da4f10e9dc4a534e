//! Verification: is the ledger what it was, and who besides its owner says so.
//!
//! Reads every entry once, in order, and keeps none. A chain alone proves that nothing was changed by somebody who could not recompute what follows; a
//! checkpoint kept elsewhere proves it against the owner of the database, too.

use super::chain::{Chain, Flaw};
use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::{Entry, Hash};
use super::error::LedgerError;
use super::event::{Event, Retired};
use super::export::{self, ExportFound};
use super::reader::{Reader, RetiredRange};
use luigi_runtime::feed::PublicKey;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// What the ledger's own checkpoints are called.
const OWN: &str = "the ledger itself";

/// What a ledger is compared with.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    /// The keys that checkpoints are signed with, older ones too; without any neither the ledger's own nor others are looked at.
    pub keys: Vec<PublicKey>,
    /// Checkpoints that were kept elsewhere: where, and the lines of that place. Empty lines do not count.
    pub checkpoints: Vec<(String, String)>,
    /// Begin behind this entry and trust its hash; 0 for the whole ledger.
    pub after: u64,
    /// End with this entry.
    pub upto: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The ledger's id.
    pub ledger: Option<String>,
    /// How many entries were read and found to be what they were.
    pub entries: u64,
    /// The last of these; 0 if there is none.
    pub last: u64,
    /// Its hash.
    pub head: Hash,
    /// Up to where entries were retired; 0 if none were.
    pub retired: u64,
    /// Up to where the ledger's own checkpoints are signed; 0 if there are none, or no key.
    pub signed: u64,
    /// Checkpoints kept elsewhere that the ledger agrees with: the last of each place.
    pub anchors: Vec<Anchor>,
    /// The first thing that is wrong.
    pub broken: Option<Broken>,
}

/// A place outside the ledger whose checkpoints agree with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Where.
    pub source: String,
    /// Up to which entry.
    pub upto: u64,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first entry that is not what it was.
    pub sequence: u64,
    /// Why.
    pub flaw: Flaw,
}

impl Verification {
    /// Up to which entry somebody besides the ledger's owner vouches for it; 0 if nobody does.
    #[must_use]
    pub fn anchored(&self) -> u64 {
        self.anchors.iter().map(|anchor| anchor.upto).max().unwrap_or(0)
    }
}

/// Checkpoints that are still to be met, by the sequence that they are of.
pub(crate) struct Expectations {
    at: BTreeMap<u64, Vec<Expected>>,
    /// A place has checkpoints of another ledger.
    other: Option<Flaw>,
}

struct Expected {
    source: String,
    own: bool,
    hash: Hash,
}

impl Verifier {
    /// Verifies a ledger, at one moment of its life.
    ///
    /// # Errors
    /// The database cannot be read, or `after` is no entry. That it is broken is no error.
    pub fn verify(&self, reader: &Reader) -> Result<Verification, LedgerError> {
        reader.at_one_moment(|| self.run(reader))
    }

    /// The checkpoint of a line, if one of the keys signed it.
    fn believe(&self, line: &str) -> Result<Checkpoint, CheckpointError> {
        let mut tried = self.keys.iter().map(|key| Checkpoint::verify(line, key));
        tried.find(|tried| !matches!(tried, Err(CheckpointError::OtherKey))).unwrap_or(Err(CheckpointError::OtherKey))
    }

    /// Verifies a file of retired entries by itself, and against the checkpoints that were kept elsewhere.
    ///
    /// # Errors
    /// It cannot be read, or its first line says that it is something else. That it is broken is no error.
    pub fn verify_exported(&self, path: &Path) -> Result<ExportFound, LedgerError> {
        export::verify(path, self)
    }

    /// The checkpoints that a ledger with this id should agree with; of one without an id nobody can tell, so all count as its. `own` are those in the ledger itself.
    pub(crate) fn expectations(&self, ledger: Option<&str>, own: &[String]) -> Result<Expectations, Flaw> {
        let mut expected = Expectations { at: BTreeMap::new(), other: None };
        let own = (OWN.to_owned(), own.join("\n"));
        let sources = std::iter::once(&own).chain(&self.checkpoints).enumerate();
        for (index, (source, lines)) in sources.filter(|_| !self.keys.is_empty()) {
            for (line, number) in lines.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
                let source = source.clone();
                match self.believe(line.trim_end()) {
                    Ok(checkpoint) if ledger.is_none_or(|id| id == checkpoint.ledger) => {
                        let met = Expected { source, own: index == 0, hash: checkpoint.hash };
                        expected.at.entry(checkpoint.sequence).or_default().push(met);
                    }
                    Ok(_) => expected.other = expected.other.take().or(Some(Flaw::OtherLedger { source })),
                    Err(error) => {
                        let source = if index == 0 { source } else { format!("{source}, line {number}") };
                        return Err(Flaw::Checkpoint { source, why: error.to_string() });
                    }
                }
            }
        }
        Ok(expected)
    }

    fn run(&self, reader: &Reader) -> Result<Verification, LedgerError> {
        let retired = reader.last_retired()?;
        let mut chain = match (self.after, retired) {
            (0, None) => Chain::START,
            (0, Some(RetiredRange { last, head, .. })) => Chain { sequence: last, hash: head },
            (after, _) => {
                let hash = reader.hash(after)?;
                let hash =
                    hash.ok_or_else(|| LedgerError::usage(format!("the ledger has no entry {after} to begin behind")))?;
                Chain { sequence: after, hash }
            }
        };
        // An entry that cannot be read says nothing; what is wrong with it the chain will tell.
        let ledger = reader.ledger_id().unwrap_or_default();
        let begin = chain.sequence;
        let mut found = Verification {
            ledger: ledger.clone(),
            entries: 0,
            last: begin,
            head: chain.hash,
            retired: retired.map_or(0, |range| range.last),
            signed: 0,
            anchors: Vec::new(),
            broken: None,
        };
        if let Some(sequence) = reader.first_until(found.retired)? {
            found.broken = Some(Broken { sequence, flaw: Flaw::BeforeChain });
            return Ok(found);
        }
        let mut expected = match self.expectations(ledger.as_deref(), &reader.checkpoint_lines()?) {
            Ok(expected) => expected,
            Err(flaw) => {
                found.broken = Some(Broken { sequence: begin + 1, flaw });
                return Ok(found);
            }
        };
        if let Some(flaw) = expected.met(chain, &mut found.signed, &mut found.anchors) {
            found.broken = Some(Broken { sequence: begin, flaw });
            return Ok(found);
        }
        // Older checkpoints are about entries that are not here.
        expected.at = expected.at.split_off(&(begin + 1));
        // Behind an entry that was begun with nothing about the retired ones is in question.
        let mut on_record = self.after > 0 || retired.is_none();
        let walked = reader.stored(begin, |sequence, columns, body, hash| {
            if self.upto.is_some_and(|upto| sequence > upto) {
                return ControlFlow::Break(None);
            }
            let expected_sequence = chain.sequence + 1;
            if let Err(flaw) = chain.follow(body, hash, Some((sequence, columns))) {
                // What comes first is not there, and nothing says why.
                let flaw =
                    if expected_sequence == 1 && matches!(flaw, Flaw::Gap { .. }) { Flaw::BeginningGone } else { flaw };
                let sequence = if flaw == Flaw::BeginningGone { sequence } else { expected_sequence };
                return ControlFlow::Break(Some(Broken { sequence, flaw }));
            }
            if let Some(range) = retired.filter(|range| range.entry == sequence) {
                on_record |= says(body, &range);
            }
            found.entries += 1;
            found.last = chain.sequence;
            found.head = chain.hash;
            match expected.met(chain, &mut found.signed, &mut found.anchors) {
                Some(flaw) => ControlFlow::Break(Some(Broken { sequence, flaw })),
                None => ControlFlow::Continue(()),
            }
        });
        found.broken = match walked {
            Ok(stopped) => stopped.flatten(),
            Err(error) => Some(Broken { sequence: chain.sequence + 1, flaw: Flaw::Unreadable(error.to_string()) }),
        };
        if found.broken.is_none() && self.upto.is_none() {
            if let Some((checkpoint, first)) =
                expected.at.into_iter().next().and_then(|(at, all)| Some((at, all.into_iter().next()?)))
            {
                let flaw = Flaw::Truncated { checkpoint, source: first.source };
                found.broken = Some(Broken { sequence: chain.sequence + 1, flaw });
            } else if !on_record {
                found.broken = Some(Broken { sequence: begin + 1, flaw: Flaw::BeginningGone });
            } else if self.after == 0 && found.entries == 0 {
                found.broken = Some(Broken {
                    sequence: begin + 1,
                    flaw: Flaw::Unreadable("the ledger has no entries".to_owned()),
                });
            }
        }
        // The first bad entry is named: one that was damaged is that before the whole is another ledger.
        if let Some(flaw) = expected.other
            && found.broken.as_ref().is_none_or(|broken| broken.sequence > begin + 1)
        {
            found.broken = Some(Broken { sequence: begin + 1, flaw });
        }
        Ok(found)
    }
}

impl Expectations {
    /// A checkpoint of another ledger.
    pub(crate) fn other(&self) -> Option<&Flaw> {
        self.other.as_ref()
    }

    /// Compares the checkpoints of the entry that was followed last with it.
    pub(crate) fn met(&mut self, chain: Chain, signed: &mut u64, anchors: &mut Vec<Anchor>) -> Option<Flaw> {
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
}

/// Whether the body of an entry says that this range was retired.
fn says(body: &[u8], range: &RetiredRange) -> bool {
    let entry = std::str::from_utf8(body).ok().and_then(|body| Entry::parse(body).ok());
    match entry.map(|entry| entry.event) {
        Some(Event::Retired(Retired { last, head, .. })) => last == range.last && head == range.head.to_string(),
        Some(_) | None => false,
    }
}
