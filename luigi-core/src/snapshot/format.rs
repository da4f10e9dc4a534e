//! The serialised snapshot: a header, then the rows of every table, each with its length, so that they can be read in slices.
//!
//! ```text
//! "LUIGIPOL"  format version: u32  header: row  issuers  groups  networks  proxies  schedules  logins  hosts  scopes  approvals  facts  rules
//! row = length in bytes: u32, postcard encoding
//! ```
//! Integers are little-endian. The index is not part of it: it is built while the rows are read. Another version is refused; there is no
//! migration, since whoever has the policy can compile it again.

use super::build::{Builder, Problem};
use super::{Revision, Snapshot};
use crate::method::MethodTable;
use crate::policy::model::{Auditing, IssuerId, Policy};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;

const MAGIC: &[u8; 8] = b"LUIGIPOL";
const VERSION: u32 = 1;

/// What stands before the tables.
#[derive(Serialize, Deserialize)]
struct Header {
    environment: Option<String>,
    auditing: Auditing,
    methods: MethodTable,
    default_issuer: Option<IssuerId>,
    /// The number of rows of each table, in order.
    rows: [u32; TABLES],
}

pub(super) const TABLES: usize = 11;

pub(super) fn encode(policy: &Policy) -> Vec<u8> {
    let count = |n: usize| u32::try_from(n).expect("a table has fewer than 2^32 rows");
    let Policy {
        environment,
        auditing,
        methods,
        issuers,
        default_issuer,
        groups,
        networks,
        proxies,
        schedules,
        logins,
        hosts,
        scopes,
        approvals,
        facts,
        rules,
    } = policy;
    let header = Header {
        environment: environment.clone(),
        auditing: auditing.clone(),
        methods: methods.clone(),
        default_issuer: *default_issuer,
        rows: [
            count(issuers.len()),
            count(groups.len()),
            count(networks.len()),
            count(proxies.len()),
            count(schedules.len()),
            count(logins.len()),
            count(hosts.len()),
            count(scopes.len()),
            count(approvals.len()),
            count(facts.len()),
            count(rules.len()),
        ],
    };
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    put(&mut out, &header);
    issuers.iter().for_each(|(_, row)| put(&mut out, row));
    groups.iter().for_each(|(_, row)| put(&mut out, row));
    networks.iter().for_each(|(_, row)| put(&mut out, row));
    proxies.iter().for_each(|(_, row)| put(&mut out, row));
    schedules.iter().for_each(|(_, row)| put(&mut out, row));
    logins.iter().for_each(|(_, row)| put(&mut out, row));
    hosts.iter().for_each(|(_, row)| put(&mut out, row));
    scopes.iter().for_each(|(_, row)| put(&mut out, row));
    approvals.iter().for_each(|(_, row)| put(&mut out, row));
    facts.iter().for_each(|(_, row)| put(&mut out, row));
    rules.iter().for_each(|(_, row)| put(&mut out, row));
    out
}

fn put<T: Serialize>(out: &mut Vec<u8>, row: &T) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    *out = postcard::to_extend(row, std::mem::take(out)).expect("writing to memory does not fail");
    let length = u32::try_from(out.len() - start - 4).expect("a row is shorter than 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// How far a [`Loader`] has come.
#[derive(Debug)]
pub enum Progress {
    /// There is more to do.
    More,
    /// All was read and found sound.
    Done(Box<Snapshot>),
}

/// Reads a serialised snapshot in slices, checking everything that decisions rely on.
pub struct Loader {
    bytes: Vec<u8>,
    at: usize,
    digest: ring::digest::Context,
    digested: usize,
    rows: [u32; TABLES],
    table: usize,
    builder: Builder,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("read", &self.at).field("of", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// How many bytes are hashed in the time that one record takes.
const BYTES_PER_RECORD: usize = 512;

/// How much of a row is read in the time that a short one takes: a row with thousands of networks or operations counts for many.
pub(super) const ROW_BYTES_PER_RECORD: usize = 128;

impl Loader {
    /// Begins with the whole serialised form, of which nothing is looked at yet.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let digest = ring::digest::Context::new(&ring::digest::SHA256);
        Self { bytes, at: 0, digest, digested: 0, rows: [0; TABLES], table: 0, builder: Builder::default() }
    }

    /// Goes on for about `max_records` records; 256 take well under a millisecond. At least one is done.
    ///
    /// # Errors
    /// If the bytes are not a snapshot of this version, are damaged or cut off, refer to what is not there or exceed a limit. After an
    /// error the loader is of no further use.
    pub fn step(&mut self, max_records: usize) -> Result<Progress, LoadError> {
        let max_records = max_records.max(1);
        if self.at == 0 {
            self.begin()?;
        }
        let mut done = 0;
        while done < max_records {
            while self.table < TABLES && self.rows[self.table] == 0 {
                self.table += 1;
            }
            if self.table == TABLES {
                return self.end(max_records - done);
            }
            let start = self.at;
            self.row()?;
            self.rows[self.table] -= 1;
            done += 1 + (self.at - start) / ROW_BYTES_PER_RECORD;
        }
        Ok(Progress::More)
    }

    fn begin(&mut self) -> Result<(), LoadError> {
        let Some((magic, rest)) = self.bytes.split_first_chunk::<8>() else { return Err(LoadError::NotASnapshot) };
        let Some((version, _)) = rest.split_first_chunk::<4>() else { return Err(LoadError::NotASnapshot) };
        if magic != MAGIC {
            return Err(LoadError::NotASnapshot);
        }
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(LoadError::OtherVersion(version));
        }
        self.at = MAGIC.len() + 4;
        let header: Header = self.take()?;
        self.rows = header.rows;
        // No row takes less than its length and a byte: a header that promises more rows than there can be gets no room for them.
        let possible = (self.bytes.len() - self.at) / 5;
        self.builder.make_room(self.rows.map(|rows| (rows as usize).min(possible)));
        self.builder.methods(header.methods)?;
        if header.default_issuer.is_some_and(|id| crate::policy::model::TableId::index(id) >= self.rows[0] as usize) {
            return Err(Problem::Inconsistent { what: "the default issuer is not there" }.into());
        }
        if header.auditing.sample == Some(0) {
            return Err(Problem::Inconsistent { what: "one of no requests is recorded" }.into());
        }
        self.builder.policy.environment = header.environment;
        self.builder.policy.auditing = header.auditing;
        self.builder.policy.default_issuer = header.default_issuer;
        Ok(())
    }

    fn row(&mut self) -> Result<(), LoadError> {
        match self.table {
            0 => self.take().and_then(|row| Ok(self.builder.issuer(row)?)),
            1 => self.take().and_then(|row| Ok(self.builder.group(row)?)),
            2 => self.take().and_then(|row| Ok(self.builder.network(row)?)),
            3 => self.take().and_then(|row| Ok(self.builder.proxy(row)?)),
            4 => self.take().and_then(|row| Ok(self.builder.schedule(row)?)),
            5 => self.take().and_then(|row| Ok(self.builder.login(row)?)),
            6 => self.take().and_then(|row| Ok(self.builder.host(row)?)),
            7 => self.take().and_then(|row| Ok(self.builder.scope(row)?)),
            8 => self.take().and_then(|row| Ok(self.builder.approval(row)?)),
            9 => self.take().and_then(|row| Ok(self.builder.fact(row)?)),
            _ => self.take().and_then(|row| Ok(self.builder.rule(row)?)),
        }
    }

    fn take<T: DeserializeOwned>(&mut self) -> Result<T, LoadError> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(LoadError::Damaged)?;
        let length = u32::from_le_bytes(*length) as usize;
        let row = rest.get(..length).ok_or(LoadError::Damaged)?;
        match postcard::take_from_bytes(row) {
            Ok((value, [])) => {
                self.at += 4 + length;
                Ok(value)
            }
            Ok(_) | Err(_) => Err(LoadError::Damaged),
        }
    }

    /// After the last row: the index and the hash.
    fn end(&mut self, records: usize) -> Result<Progress, LoadError> {
        if self.at != self.bytes.len() {
            return Err(LoadError::Damaged);
        }
        if !self.builder.settle(records)? {
            return Ok(Progress::More);
        }
        let until = self.bytes.len().min(self.digested + records.saturating_mul(BYTES_PER_RECORD));
        self.digest.update(&self.bytes[self.digested..until]);
        self.digested = until;
        if until < self.bytes.len() {
            return Ok(Progress::More);
        }
        let revision = Revision::from_digest(self.digest.clone().finish());
        Ok(Progress::Done(Box::new(std::mem::take(&mut self.builder).finish(revision))))
    }
}

/// Why bytes are not a snapshot that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// They do not begin like one.
    NotASnapshot,
    /// They are one of another version of the format.
    OtherVersion(u32),
    /// They are cut off, or a row is not what it should be.
    Damaged,
    /// A row was read but cannot be right, or exceeds a limit.
    Unsound(super::CompileError),
}

impl From<Problem> for LoadError {
    fn from(problem: Problem) -> Self {
        Self::Unsound(super::CompileError::new(problem))
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => write!(f, "not a compiled policy"),
            Self::OtherVersion(version) => write!(
                f,
                "a compiled policy of format version {version}, where this build reads {VERSION}; apply the policy again with the same release of Luigi"
            ),
            Self::Damaged => write!(f, "the compiled policy is damaged or cut off"),
            Self::Unsound(error) => write!(f, "the compiled policy is unsound: {error}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unsound(error) => Some(error),
            Self::NotASnapshot | Self::OtherVersion(_) | Self::Damaged => None,
        }
    }
}
