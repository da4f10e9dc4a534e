//! `luigi stop`, `luigi unstop`: incident stops into a feed, without touching its policy.
//!
//! A stop is a new generation of the feed that differs in its file of stops and nothing else. The file keeps who made each stop, when and why; stops that
//! are over are dropped when the next one is made or lifted. If there is a ledger, making and lifting are entries of it.
//!
//! INVARIANT (lifted-on-record): a stop is lifted only if its entry could be written, since that opens something. A stop is made in any case: a full disk must not keep
//! anybody from closing a door.

use crate::disk::Disk;
use crate::feed_writer::FeedWriter;
use crate::ledger::{Event, NewEntry, Pending, StopMade, Unstop};
use crate::signing_key::SigningKey;
use luigi_core::policy::model::Policy;
use luigi_core::snapshot::{Loader, Progress, Snapshot};
use luigi_core::stop_set::{MAX_STOPS, Stop, Stopped};
use luigi_core::time::Timestamp;
use luigi_runtime::feed::{Digest, FileKind, Manifest, Stops};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the feed is and what signs it.
#[derive(Clone, Debug)]
pub struct StopsFeed {
    /// The feed, which must have a policy.
    pub feed: PathBuf,
    /// The signing key that the feed was made with.
    pub key: PathBuf,
    /// The ledger that tells of it, which another process may own; `None` if there is none.
    pub ledger: Option<PathBuf>,
}

/// What to stop, in names of the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopWhat {
    /// A scope, by name.
    Scope(String),
    /// A person or program; of the default issuer unless one is named.
    Subject {
        /// The issuer's name in the policy.
        issuer: Option<String>,
        /// The subject.
        subject: String,
    },
    /// A token, by its `jti`.
    TokenId {
        /// The issuer's name in the policy.
        issuer: Option<String>,
        /// The `jti`.
        id: String,
    },
    /// The tokens that were issued before this moment.
    IssuedBefore {
        /// The issuer's name in the policy.
        issuer: Option<String>,
        /// The moment.
        before: Timestamp,
    },
}

/// A stop to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StopRequest {
    /// What to stop.
    pub what: StopWhat,
    /// Until when.
    pub until: Timestamp,
    /// Why; not empty.
    pub reason: String,
    /// Who makes it, for the record.
    pub by: String,
}

/// A stop to lift.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnstopRequest {
    /// The stop's id.
    pub id: String,
    /// Why; not empty.
    pub reason: String,
    /// Who lifts it, for the record.
    pub by: String,
}

/// Whether the ledger tells of what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnRecord {
    /// It does, in this entry.
    Entry(u64),
    /// There is no ledger.
    NoLedger,
    /// It should and does not; plain text, ready to print.
    Lost(String),
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopsChanged {
    /// The stop that was made or lifted.
    pub stop: Stop,
    /// The feed's generation now.
    pub generation: u64,
    /// How many stops are in force now.
    pub in_force: usize,
    /// Whether the ledger tells of it.
    pub on_record: OnRecord,
    /// Warnings, each ready to print.
    pub warnings: Vec<String>,
}

/// Why the stops are as they were. Plain text, ready to print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopsError {
    text: String,
    usage: bool,
}

impl StopsError {
    fn usage(text: impl Into<String>) -> Self {
        Self { text: text.into(), usage: true }
    }

    /// Whether what was asked for is at fault (a scope that the policy lacks, say), not a file.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.usage
    }
}

impl From<String> for StopsError {
    fn from(text: String) -> Self {
        Self { text, usage: false }
    }
}

impl std::fmt::Display for StopsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StopsError {}

/// Makes a stop: it is in force in every engine as soon as that has polled. A ledger that cannot be written keeps nobody from it; [`StopsChanged::on_record`] says so.
///
/// # Errors
/// A feed without a policy or of another key, a name that the policy in force lacks, an end that is not ahead, a reason or somebody that is empty or
/// has control characters, too many stops, or a file that cannot be read or written.
pub fn stop(at: &StopsFeed, request: &StopRequest) -> Result<StopsChanged, StopsError> {
    stop_at(at, None, request, luigi_runtime::now())
}

/// A feed that somebody holds, and its key.
pub(crate) struct Held<'f> {
    pub(crate) feed: &'f mut FeedWriter,
    pub(crate) key: &'f SigningKey,
}

/// Lifts a stop.
///
/// # Errors
/// No stop with this id, a ledger that cannot be written, or as [`stop`].
pub fn unstop(at: &StopsFeed, request: &UnstopRequest) -> Result<StopsChanged, StopsError> {
    unstop_at(at, None, request, luigi_runtime::now())
}

/// [`stop`], in the feed of whoever holds it.
pub(crate) fn stop_at(
    at: &StopsFeed,
    held: Option<Held<'_>>,
    request: &StopRequest,
    now: Timestamp,
) -> Result<StopsChanged, StopsError> {
    one_line("reason", &request.reason)?;
    one_line("name of who makes the stop", &request.by)?;
    if request.until <= now {
        return Err(StopsError::usage(format!("the stop would end at {}, which is over", request.until)));
    }
    let edit = |stops: &mut Vec<Stop>, policy: &Policy| {
        if stops.len() >= MAX_STOPS {
            return Err(StopsError::usage(format!(
                // UNSHOWN: so many would have to be made first.
                "there are {MAX_STOPS} stops, which is as many as can be; a deny rule can hold more"
            )));
        }
        let what = resolve(&request.what, policy)?;
        let (reason, by) = (request.reason.clone(), request.by.clone());
        let mut stop = Stop { id: String::new(), what, from: now, until: request.until, reason, by };
        stop.id = id_of(&stop, stops);
        stops.push(stop.clone());
        Ok(stop)
    };
    let told = |stop: &Stop| {
        Event::Stop(StopMade {
            id: stop.id.clone(),
            what: stop.what.clone(),
            until: stop.until.to_string(),
            reason: stop.reason.clone(),
            by: stop.by.clone(),
        })
    };
    let mut changed = change(at, held, now, WithoutRecord::Done, edit, told)?;
    changed.warnings.extend(not_issued_yet(&changed.stop, now));
    Ok(changed)
}

/// [`unstop`], likewise.
pub(crate) fn unstop_at(
    at: &StopsFeed,
    held: Option<Held<'_>>,
    request: &UnstopRequest,
    now: Timestamp,
) -> Result<StopsChanged, StopsError> {
    one_line("reason", &request.reason)?;
    one_line("name of who lifts the stop", &request.by)?;
    let edit = |stops: &mut Vec<Stop>, _: &Policy| {
        let place = stops.iter().position(|stop| stop.id == request.id).ok_or_else(|| {
            let known: Vec<_> = stops.iter().map(|stop| format!("`{}`", stop.id)).collect();
            let known =
                if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
            StopsError::usage(format!("there is no stop `{}`\nhelp: {known}", request.id.escape_debug()))
        })?;
        Ok(stops.remove(place))
    };
    let told = |stop: &Stop| {
        Event::Unstop(Unstop { id: stop.id.clone(), by: request.by.clone(), reason: request.reason.clone() })
    };
    change(at, held, now, WithoutRecord::Refused, edit, told)
}

fn one_line(what: &str, text: &str) -> Result<(), StopsError> {
    if text.trim().is_empty() || text.chars().any(char::is_control) || text.len() > 1024 {
        let why = format!("the {what} must be one line that says something, of at most 1,024 bytes");
        return Err(StopsError::usage(why));
    }
    Ok(())
}

/// What a stop does beyond what most people mean by it: tokens that nobody has yet are stopped, too.
fn not_issued_yet(stop: &Stop, now: Timestamp) -> Option<String> {
    let Stopped::IssuedBefore { issuer, before } = &stop.what else { return None };
    let last = (*before).min(stop.until);
    (now < *before).then(|| {
        format!(
            "warning: {before} is in the future: tokens that `{issuer}` issues from now on are stopped, too, so that nobody gets in by logging in again before {last}\nhelp: if \
             that is not meant, lift it with `luigi unstop {} --reason ...` and stop what was issued before {now}",
            stop.id
        )
    })
}

/// What becomes of a change that the ledger cannot tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutRecord {
    Done,
    Refused,
}

/// Publishes a generation that differs in its stops alone, on record.
fn change(
    at: &StopsFeed,
    held_by_caller: Option<Held<'_>>,
    now: Timestamp,
    without_record: WithoutRecord,
    edit: impl FnOnce(&mut Vec<Stop>, &Policy) -> Result<Stop, StopsError>,
    told: impl FnOnce(&Stop) -> Event,
) -> Result<StopsChanged, StopsError> {
    // Neither a feed nor a key is made here: a stop in a feed that nobody reads stops nothing.
    for (what, path) in [("feed", &at.feed), ("signing key", &at.key)] {
        if !path.exists() {
            return Err(format!("there is no {what} `{}`\nhelp: `luigi apply` makes both", path.display()).into());
        }
    }
    let mut allowed = |_| Ok(());
    let mut disk = Disk::new(&mut allowed);
    let (mut own_feed, own_key);
    let (feed, key) = match held_by_caller {
        Some(Held { feed, key }) => (feed, key),
        None => {
            own_feed = FeedWriter::open(&at.feed, &mut disk)?;
            own_key = SigningKey::open(&at.key, &mut disk)?;
            (&mut own_feed, &own_key)
        }
    };
    let none = || format!("the feed `{}` has no policy yet\nhelp: `luigi apply` gives it one", at.feed.display());
    let previous = feed.read(key)?.cloned().ok_or_else(none)?;
    let snapshot = load(feed.content(&previous.policy, FileKind::Policy)?)?;
    let mut current = held(feed, &previous)?.stops;
    current.retain(|stop| now < stop.until);
    let changed = edit(&mut current, snapshot.policy())?;
    let in_force = current.iter().filter(|stop| stop.is_in_force(now)).count();
    let entry = if current.is_empty() {
        None
    } else {
        Some(feed.put(&Stops { stops: current }.to_bytes(), FileKind::Stops, &mut disk)?)
    };
    // UNSHOWN: nobody makes 2^64 generations.
    let generation = previous.generation.checked_add(1).ok_or_else(|| "the feed has no generations left".to_owned())?;
    let tool = concat!("luigi ", env!("CARGO_PKG_VERSION")).to_owned();
    let (published_at, heartbeat) = feed.moments(now, Some(&previous));
    let manifest = Manifest { generation, stops: entry, published_at, heartbeat, tool, ..previous };
    let told = [NewEntry::now(told(&changed))];
    let begin = || at.ledger.as_ref().map(|ledger| Pending::begin(ledger, &told)).transpose();
    let begun = match without_record {
        // A door is closed first and told of then: a ledger may keep one waiting.
        WithoutRecord::Done => None,
        // INVARIANT (lifted-on-record): established here.
        WithoutRecord::Refused => {
            Some(begin().map_err(|error| format!("nothing was changed, since it cannot be put on record: {error}"))?)
        }
    };
    feed.publish(&manifest, key, &mut disk)?;
    let pending = begun.map_or_else(begin, Ok);
    let on_record = match pending.and_then(|pending| pending.map(Pending::commit).transpose()) {
        Ok(Some(head)) => OnRecord::Entry(head.sequence),
        Ok(None) => OnRecord::NoLedger,
        Err(error) => OnRecord::Lost(error.to_string()),
    };
    let mut warnings = Vec::new();
    if let Err(why) = feed.tidy(&manifest, &mut disk) {
        warnings.push(format!("warning: the change is in force, but {why}"));
    }
    Ok(StopsChanged { stop: changed, generation, in_force, on_record, warnings })
}

/// The stops that a manifest names, found to be what they should be.
pub(crate) fn held(feed: &FeedWriter, manifest: &Manifest) -> Result<Stops, String> {
    match &manifest.stops {
        None => Ok(Stops::default()),
        Some(entry) => Stops::read(&feed.content(entry, FileKind::Stops)?).map_err(|error| error.to_string()),
    }
}

/// What a policy makes of the stops in a feed: a warning for each in force that it has no scope for.
pub(crate) fn without_scope(stops: &Stops, policy: &Policy, now: Timestamp) -> Vec<String> {
    let lacking = |stop: &&Stop| match &stop.what {
        Stopped::Scope(name) => now < stop.until && !policy.scopes.iter().any(|(_, scope)| scope.name == *name),
        Stopped::Subject { .. } | Stopped::TokenId { .. } | Stopped::IssuedBefore { .. } => false,
    };
    let told = |stop: &Stop| match &stop.what {
        Stopped::Scope(name) => {
            format!(
                "warning: stop `{}` is about scope `{name}`, which the policy no longer has: it stops nothing\nhelp: stop what took its place, or lift it with `luigi unstop {} --reason ...`",
                stop.id, stop.id
            )
        }
        Stopped::Subject { .. } | Stopped::TokenId { .. } | Stopped::IssuedBefore { .. } => String::new(),
    };
    stops.stops.iter().filter(lacking).map(told).collect()
}

pub(crate) fn load(bytes: Vec<u8>) -> Result<Box<Snapshot>, String> {
    let mut loader = Loader::new(bytes);
    loop {
        match loader.step(usize::MAX).map_err(|error| error.to_string())? {
            Progress::More => {}
            Progress::Done(snapshot) => return Ok(snapshot),
        }
    }
}

fn resolve(what: &StopWhat, policy: &Policy) -> Result<Stopped, StopsError> {
    let issuer = |name: &Option<String>| match name {
        Some(name) => {
            let found = policy.issuers.iter().find(|(_, issuer)| issuer.name == *name);
            found.map(|(_, issuer)| issuer.trust.url.clone()).ok_or_else(|| {
                let known: Vec<_> = policy.issuers.iter().map(|(_, issuer)| issuer.name.as_str()).collect();
                unknown("issuer", name, &known)
            })
        }
        None => policy
            .default_issuer
            .map(|id| policy.issuers[id].trust.url.clone())
            .ok_or_else(|| StopsError::usage("the policy has no default issuer\nhelp: name the issuer with --issuer")),
    };
    Ok(match what {
        StopWhat::Scope(name) => {
            let mut scopes = policy.scopes.iter().map(|(_, scope)| scope.name.as_str());
            if !scopes.any(|known| known == name) {
                let known: Vec<_> = policy.scopes.iter().map(|(_, scope)| scope.name.as_str()).collect();
                return Err(unknown("scope", name, &known));
            }
            Stopped::Scope(name.clone())
        }
        StopWhat::Subject { issuer: of, subject } => Stopped::Subject { issuer: issuer(of)?, subject: subject.clone() },
        StopWhat::TokenId { issuer: of, id } => Stopped::TokenId { issuer: issuer(of)?, id: id.clone() },
        StopWhat::IssuedBefore { issuer: of, before } => Stopped::IssuedBefore { issuer: issuer(of)?, before: *before },
    })
}

fn unknown(what: &str, name: &str, known: &[&str]) -> StopsError {
    let known: Vec<_> = known.iter().take(20).map(|one| format!("`{one}`")).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    StopsError::usage(format!("the policy in force has no {what} `{}`\nhelp: {known}", name.escape_debug()))
}

/// A short id that no other stop has.
fn id_of(stop: &Stop, others: &[Stop]) -> String {
    let text = Stops { stops: vec![stop.clone()] }.to_bytes();
    let digest = Digest::of(&text).to_string();
    // Two equal stops made in one second differ in their ids all the same.
    let mut ids = (0..).map(|n| if n == 0 { digest[..8].to_owned() } else { format!("{}-{n}", &digest[..8]) });
    ids.find(|id| others.iter().all(|other| other.id != *id)).unwrap_or(digest)
}

#[cfg(test)]
mod tests;
