//! Files that retired entries go to: a line that says what they are, then one line an entry, each with its hash.
//!
//! `{"luigi-ledger":{"first":..,"head":..,"last":..,"ledger":..,"previous":..,"version":1}}`, then `{"body":BODY,"hash":"64 hex digits"}` with the bytes of the body as
//! they were hashed. Such a file verifies by itself, and joins the one before and the one after, or the ledger, by its hashes.

use super::chain::{Chain, Flaw};
use super::entry::Hash;
use super::error::LedgerError;
use super::expectations::{Expectations, Unbelieved};
use super::verify::{Anchor, Broken, Verifier};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

const BEFORE_BODY: &[u8] = b"{\"body\":";
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const BEHIND_HASH: &[u8] = b"\"}";

/// What an exported file says that it is. The members are in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHead {
    /// The first entry.
    pub first: u64,
    /// The hash of the last one, in hex.
    pub head: String,
    /// The last entry.
    pub last: u64,
    /// The ledger's id.
    pub ledger: String,
    /// The hash before the first one, in hex.
    pub previous: String,
    /// The version of the format: 1.
    pub version: u64,
}

#[derive(Serialize, Deserialize)]
struct HeadLine {
    #[serde(rename = "luigi-ledger")]
    head: ExportHead,
}

/// What came of verifying an exported file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFound {
    /// What it says that it is.
    pub head: ExportHead,
    /// Checkpoints kept elsewhere that the file agrees with: the last of each place.
    pub anchors: Vec<Anchor>,
    /// Lines among these checkpoints that do not count.
    pub unbelieved: Vec<Unbelieved>,
    /// The first entry that is not what it was.
    pub broken: Option<Broken>,
}

pub(crate) fn write_head(out: &mut dyn Write, head: &ExportHead) -> std::io::Result<()> {
    let line = serde_json::to_string(&HeadLine { head: head.clone() }).map_err(std::io::Error::other)?;
    writeln!(out, "{line}")
}

pub(crate) fn write_entry(out: &mut dyn Write, body: &[u8], hash: &Hash) -> std::io::Result<()> {
    let hash = hash.to_string();
    for part in [BEFORE_BODY, body, BEFORE_HASH, hash.as_bytes(), BEHIND_HASH, b"\n"] {
        out.write_all(part)?;
    }
    Ok(())
}

/// Verifies an exported file, from its first line to its last: see [`Verifier::verify_exported`].
pub(crate) fn verify(path: &Path, verifier: &Verifier) -> Result<ExportFound, LedgerError> {
    let cannot = |error: std::io::Error| LedgerError::cannot("read the exported entries", path, &error);
    verify_lines(BufReader::new(File::open(path).map_err(cannot)?), path, verifier)
}

fn verify_lines(mut lines: impl BufRead, path: &Path, verifier: &Verifier) -> Result<ExportFound, LedgerError> {
    let cannot = |error: std::io::Error| LedgerError::cannot("read the exported entries", path, &error);
    let no_export = || LedgerError::content(format!("`{}` has no exported entries of format 1", path.display()));
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).map_err(cannot)?;
    let HeadLine { head } = serde_json::from_slice(&line).map_err(|_| no_export())?;
    let previous = Hash::parse(&head.previous).ok_or_else(no_export)?;
    if head.version != 1 || head.first == 0 || head.last < head.first {
        return Err(no_export());
    }
    let mut chain = Chain { sequence: head.first - 1, hash: previous };
    let mut anchors = Vec::new();
    let mut expected = Expectations::new(verifier, Some(&head.ledger), &[]);
    let unbelieved = expected.take_unbelieved();
    if let Some(flaw) = expected.other() {
        let broken = Some(Broken { sequence: head.first, flaw: flaw.clone() });
        return Ok(ExportFound { head, anchors, unbelieved, broken });
    }
    let broken = loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break (chain.sequence < head.last).then(|| Flaw::Unreadable("the file ends before it".to_owned()));
        }
        if chain.sequence == head.last {
            break Some(Flaw::Unreadable("the file goes on behind what it says is its last entry".to_owned()));
        }
        let Some((body, hash)) = take_apart(&line) else {
            break Some(Flaw::Unreadable("its line does not have the form of one".to_owned()));
        };
        if let Err(flaw) = chain.follow(body, hash.as_bytes(), None) {
            break Some(flaw);
        }
        if let Some(flaw) = expected.met(chain, &mut 0, &mut anchors) {
            chain.sequence -= 1;
            break Some(flaw);
        }
    };
    let broken = broken.map(|flaw| Broken { sequence: chain.sequence + 1, flaw });
    let other_end = broken.is_none() && chain.hash.to_string() != head.head;
    let broken = broken.or_else(|| other_end.then_some(Broken { sequence: head.last, flaw: Flaw::Hash }));
    Ok(ExportFound { head, anchors, unbelieved, broken })
}

fn take_apart(line: &[u8]) -> Option<(&[u8], Hash)> {
    let rest = line.strip_prefix(BEFORE_BODY)?.strip_suffix(b"\n")?.strip_suffix(BEHIND_HASH)?;
    let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
    Some((rest.strip_suffix(BEFORE_HASH)?, Hash::parse(std::str::from_utf8(hash).ok()?)?))
}
