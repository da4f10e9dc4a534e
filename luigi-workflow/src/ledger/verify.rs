//! Verification: is the ledger what it was, and who besides its owner says so.
//!
//! Reads every entry once, in order, and keeps none. A chain alone proves that nothing was changed by somebody who could not recompute what follows; a
//! checkpoint kept elsewhere proves it against the owner of the database, too.

use super::chain::{Chain, Flaw};
use super::entry::{Entry, Hash};
use super::error::LedgerError;
use super::event::{Event, Retired};
use super::expectations::{Expectations, OWN, Unbelieved};
use super::export::{self, ExportFound};
use super::reader::{Reader, RetiredRange};
use luigi_runtime::feed::PublicKey;
use std::ops::ControlFlow;
use std::path::Path;

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
    /// Lines among the checkpoints that do not count, the ledger's own first.
    pub unbelieved: Vec<Unbelieved>,
    /// The first entry that is not what it was.
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

    /// Whether nothing is wrong, neither with the entries nor with the places of checkpoints.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.broken.is_none() && !self.unbelieved.iter().any(Unbelieved::is_damage)
    }
}

impl Verifier {
    /// Verifies a ledger, at one moment of its life.
    ///
    /// # Errors
    /// The database cannot be read, or `after` is no entry. That it is broken is no error.
    pub fn verify(&self, reader: &Reader) -> Result<Verification, LedgerError> {
        reader.at_one_moment(|| self.run(reader))
    }

    /// Verifies a file of retired entries by itself, and against the checkpoints that were kept elsewhere.
    ///
    /// # Errors
    /// It cannot be read, or its first line says that it is something else. That it is broken is no error.
    pub fn verify_exported(&self, path: &Path) -> Result<ExportFound, LedgerError> {
        export::verify(path, self)
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
            unbelieved: Vec::new(),
            broken: None,
        };
        let mut expected = Expectations::new(self, ledger.as_deref(), &reader.checkpoint_lines()?);
        found.unbelieved = expected.take_unbelieved();
        if let Some(sequence) = reader.first_until(found.retired)? {
            found.broken = Some(Broken { sequence, flaw: Flaw::BeforeChain });
            return Ok(found);
        }
        if let Some(flaw) = expected.met(chain, &mut found.signed, &mut found.anchors) {
            found.broken = Some(Broken { sequence: begin, flaw });
            return Ok(found);
        }
        // Older checkpoints are about entries that are not here.
        expected.begin_with(begin + 1);
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
            if let Some((checkpoint, source)) = expected.first_left() {
                let flaw = Flaw::Truncated { checkpoint, source: source.to_owned() };
                found.broken = Some(Broken { sequence: chain.sequence + 1, flaw });
            } else if let Some(checkpoint) = reader.last_checkpoint()?.filter(|last| *last > chain.sequence) {
                // Nobody needs a key to see that what it is of is not there.
                let flaw = Flaw::Truncated { checkpoint, source: OWN.to_owned() };
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
        // The chain is read in the order of entries, and stories, filters and the like by index.
        if found.broken.is_none()
            && let Some(why) = reader.disagreement()?
        {
            found.broken = Some(Broken { sequence: row_of(&why).unwrap_or(begin + 1), flaw: Flaw::Index(why) });
        }
        // The first bad entry is named: one that was damaged is that before the whole is another ledger.
        if let Some(flaw) = expected.other()
            && found.broken.as_ref().is_none_or(|broken| broken.sequence > begin + 1)
        {
            found.broken = Some(Broken { sequence: begin + 1, flaw: flaw.clone() });
        }
        Ok(found)
    }
}

/// The entry that SQLite names, as in `row 8 missing from index entries_by_time`.
fn row_of(why: &str) -> Option<u64> {
    why.strip_prefix("row ")?.split(' ').next()?.parse().ok()
}

/// Whether the body of an entry says that this range was retired.
fn says(body: &[u8], range: &RetiredRange) -> bool {
    let entry = std::str::from_utf8(body).ok().and_then(|body| Entry::parse(body).ok());
    match entry.map(|entry| entry.event) {
        Some(Event::Retired(Retired { last, head, .. })) => last == range.last && head == range.head.to_string(),
        Some(_) | None => false,
    }
}
