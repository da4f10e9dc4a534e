//! One step of the chain, and what can be wrong with it.

use super::entry::Hash;
use serde::Deserialize;
use std::borrow::Cow;

/// The first thing that is wrong with a ledger. Exhaustive: match it without `_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Body and hash do not belong together, or not to what stands before: one of them was changed.
    Hash,
    /// This entry is missing; the next one that is there has this sequence.
    Gap {
        /// What stands in its place.
        found: u64,
    },
    /// What stands here is the entry with another sequence.
    Reordered {
        /// The sequence in the body.
        body: u64,
    },
    /// A column that entries are found by says something else than the body.
    Column(&'static str),
    /// Body or hash cannot be read at all.
    Unreadable(String),
    /// A checkpoint says another hash: history was rewritten.
    OtherThanCheckpoint {
        /// Where the checkpoint was found.
        source: String,
    },
    /// A checkpoint stands for an entry behind the last one: the end was cut off, or an older copy was put back.
    Truncated {
        /// The sequence of that checkpoint.
        checkpoint: u64,
        /// Where the checkpoint was found.
        source: String,
    },
    /// A checkpoint is of another ledger: this one was made anew.
    OtherLedger {
        /// Where the checkpoint was found.
        source: String,
    },
    /// The oldest entries are gone, and no entry says that they were retired.
    BeginningGone,
    /// It stands before the first entry of the chain, where readers find it and nothing vouches for it.
    BeforeChain,
    /// The database's own tables do not agree: an index, by which entries are found, lacks some or has others.
    Index(String),
}

impl Flaw {
    /// The stable code, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Gap { .. } => "gap",
            Self::Reordered { .. } => "reordered",
            Self::Column(_) => "column",
            Self::Unreadable(_) => "unreadable",
            Self::OtherThanCheckpoint { .. } => "other-than-checkpoint",
            Self::Truncated { .. } => "truncated",
            Self::OtherLedger { .. } => "other-ledger",
            Self::BeginningGone => "beginning-gone",
            Self::BeforeChain => "before-chain",
            Self::Index(_) => "index",
        }
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hash => {
                f.write_str("its hash is not that of its body after the entry before: one of them was changed")
            }
            Self::Gap { found } => write!(f, "it is missing; the next one that is there is {found}"),
            Self::Reordered { body } => write!(f, "the body in its place is that of entry {body}"),
            Self::Column(name) => write!(f, "the column `{name}` differs from the body"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::OtherThanCheckpoint { source } => {
                write!(f, "its hash is not the one in the checkpoint of {source}: history was rewritten")
            }
            Self::Truncated { checkpoint, source } => {
                write!(f, "it is missing, as is what follows: {source} has a checkpoint of entry {checkpoint}")
            }
            Self::OtherLedger { source } => {
                write!(f, "{source} has a checkpoint of another ledger: this one was made anew")
            }
            Self::BeginningGone => f.write_str("what stood before it is gone, and no entry says that it was retired"),
            Self::BeforeChain => {
                f.write_str("it stands before the first entry of the chain: it was put there, or put back, by hand")
            }
            Self::Index(why) => write!(f, "what entries are found by was changed: {why}"),
        }
    }
}

/// The chain as far as it was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The sequence of the last entry that was followed.
    pub(crate) sequence: u64,
    /// Its hash.
    pub(crate) hash: Hash,
}

/// The columns beside a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns<'a> {
    pub(crate) time: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) evaluation: Option<&'a str>,
    pub(crate) request: Option<&'a str>,
    pub(crate) grant: Option<&'a str>,
}

/// What a body says of itself.
#[derive(Deserialize)]
struct Said<'a> {
    sequence: u64,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    event: Ids<'a>,
}

#[derive(Deserialize)]
struct Ids<'a> {
    #[serde(borrow, default)]
    evaluation: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    grant: Option<Cow<'a, str>>,
}

impl Chain {
    /// Before entry 1.
    pub(crate) const START: Self = Self { sequence: 0, hash: Hash::ZERO };

    /// Follows one entry: its body and hash as stored, the sequence and columns that a database has beside them.
    pub(crate) fn follow(&mut self, body: &[u8], hash: &[u8], beside: Option<(u64, Columns<'_>)>) -> Result<(), Flaw> {
        let expected = self.sequence + 1;
        if let Some((sequence, _)) = beside
            && sequence != expected
        {
            return Err(Flaw::Gap { found: sequence });
        }
        let computed = self.hash.next(body);
        let said = serde_json::from_slice::<Said<'_>>(body);
        if let Ok(said) = &said
            && said.sequence != expected
        {
            // Without columns a missing line looks like this.
            return Err(if beside.is_none() && said.sequence > expected {
                Flaw::Gap { found: said.sequence }
            } else {
                Flaw::Reordered { body: said.sequence }
            });
        }
        if hash != computed.as_bytes() {
            return Err(Flaw::Hash);
        }
        let said = said.map_err(|error| Flaw::Unreadable(error.to_string()))?;
        if let Some((_, columns)) = beside {
            let Columns { time, kind, evaluation, request, grant } = columns;
            let pairs = [
                ("time", Some(&said.time), Some(time)),
                ("kind", Some(&said.kind), Some(kind)),
                ("evaluation", said.event.evaluation.as_ref(), evaluation),
                ("request", said.event.request.as_ref(), request),
                ("grant_id", said.event.grant.as_ref(), grant),
            ];
            if let Some((name, ..)) = pairs.into_iter().find(|(_, said, column)| said.map(AsRef::as_ref) != *column) {
                return Err(Flaw::Column(name));
            }
        }
        *self = Self { sequence: expected, hash: computed };
        Ok(())
    }
}
