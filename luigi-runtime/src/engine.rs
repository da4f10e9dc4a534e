//! The engine: one for a process, shared by all its threads.
//!
//! Decisions read the version in force through one `ArcSwap`; whoever calls [`Engine::poll`] brings new versions in, slice by slice
//! (`poller`). Nothing here starts a thread: HAProxy's tasks, or the embedder's own, do the calling.

use crate::carried::Carried;
use crate::config::{EngineConfig, FeedConfig, OpenError, PolicyFileConfig};
use crate::context::Context;
use crate::counters::Tallies;
use crate::facts::FactList;
use crate::feed::{Digest, FeedDirectory, MAX_KEYS_BYTES, PublicKey};
use crate::policy_files;
use crate::poller::{FeedPoller, Poller};
use crate::regular_file;
use crate::spool::{Spool, SpoolConfig};
use crate::status::{RefusalStatus, SourceStatus, Status};
use crate::version::{KeyFile, LiveToken, Origin, Parts, Version};
use arc_swap::ArcSwap;
use luigi_core::identity::KeySet;
use luigi_core::policy::diagnostics::Diagnostics;
use luigi_core::policy::model::Mode;
use luigi_core::snapshot::Snapshot;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest public key file that is read, in bytes.
const MAX_PUBLIC_KEY_BYTES: u64 = 4096;

/// Everything that decisions depend on, kept up to date. Shared by all threads; nothing in it blocks a decision.
///
/// A clone is another handle of the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What handles and contexts share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) current: Arc<ArcSwap<Version>>,
    pub(crate) tallies: Tallies,
    /// How old a heartbeat may be before grants no longer count, in seconds.
    pub(crate) stale_after_seconds: i64,
    pub(crate) refusal: Mutex<Option<RefusalStatus>>,
    pub(crate) live_versions: Arc<AtomicUsize>,
    /// Which facts are passed.
    pub(crate) carried: Carried,
    /// What some line lacked that the policy in force asks for.
    pub(crate) lacking: Mutex<Option<FactList>>,
    /// Where decisions are recorded, if anywhere.
    pub(crate) spool: Option<Arc<Spool>>,
    source: SourceStatus,
    poller: Mutex<Poller>,
}

impl Shared {
    fn lacking(&self) -> MutexGuard<'_, Option<FactList>> {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a line lacks. Whoever has to note it again and again meets a lock that nobody holds for long.
    pub(crate) fn note_lacking(&self, facts: FactList) {
        let mut lacking = self.lacking();
        if lacking.as_ref() != Some(&facts) {
            *lacking = Some(facts);
        }
    }

    /// Another policy may ask for less.
    pub(crate) fn forget_lacking(&self) {
        *self.lacking() = None;
    }

    fn lack_to_tell(&self, poller: &mut Poller) -> Option<PollEvent> {
        let lacking = self.lacking().clone()?;
        poller.tells(&lacking).then_some(PollEvent::LineLacks { facts: lacking })
    }
}

/// How much one call of [`Engine::poll`] may do.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes to read and hash.
    pub bytes: usize,
    /// Records of a snapshot to validate or to free.
    pub records: usize,
}

impl Budget {
    /// All at once: for those who have the thread to themselves.
    pub const UNLIMITED: Self = Self { bytes: usize::MAX, records: usize::MAX };
}

impl Default for Budget {
    /// What a slow machine does in a few milliseconds: 256 KiB, 500 records.
    fn default() -> Self {
        Self { bytes: 256 * 1024, records: 500 }
    }
}

/// What a call of [`Engine::poll`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// When to call again: soon (but let others run) if work is left, else after the usual pause of a second.
    pub next: Duration,
    /// What happened, if it is worth a line in the log.
    pub event: Option<PollEvent>,
}

impl Poll {
    /// Whether work is left.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.next < Self::PAUSE
    }

    pub(crate) const PAUSE: Duration = Duration::from_secs(1);
    pub(crate) const SOON: Duration = Duration::from_millis(1);
}

/// Something that happened while polling; displayed as a line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollEvent {
    /// A new version is in force.
    Published {
        /// Its revision, in hex.
        revision: String,
        /// Its generation.
        generation: u64,
        /// Its mode.
        mode: Mode,
        /// The environment that its policy was compiled for, if it has any.
        environment: Option<String>,
    },
    /// A new version was refused; the last good one stays in force. Told once for each reason.
    Refused {
        /// Why.
        why: String,
    },
    /// Decisions are not recorded that should be. Told at most once a minute.
    RecordsLost {
        /// How many since this was told last.
        records: u64,
        /// Why the last of them was lost.
        why: String,
    },
    /// The feed's writer, which said before that it lives, has not said so for longer than `stale-after`. Told once.
    Stale {
        /// How many seconds ago it said so last.
        seconds: i64,
    },
    /// The feed's writer, of which that was told, says again that it lives.
    Alive,
    /// A line carried less than the policy in force asks for: what its rules ask for there is unknown. Told once for each list.
    LineLacks {
        /// What is missing.
        facts: FactList,
    },
}

impl std::fmt::Display for PollEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Published { revision, generation, mode, environment } => {
                write!(f, "generation {generation} is in force: revision {revision:.12}, mode {}", mode.as_str())?;
                environment.iter().try_for_each(|name| write!(f, ", environment {name}"))
            }
            Self::Refused { why } => write!(f, "a new version was refused, the last good one stays in force: {why}"),
            Self::RecordsLost { records, why } => write!(
                f,
                "{records} records of decisions could not be taken, requests of privileged scopes are denied where theirs is missing: {why}"
            ),
            Self::Stale { seconds } => write!(
                f,
                "the feed's writer has said nothing for {seconds} s: what it could take back, grants and sessions, no longer counts, and new policies may not arrive"
            ),
            Self::Alive => f.write_str("the feed's writer is heard of again"),
            Self::LineLacks { facts } => write!(
                f,
                "a line of facts lacks what the policy asks for, so it is unknown: {facts}; put the lines that `luigi haproxy-config` prints for the policy into \
                 every frontend"
            ),
        }
    }
}

impl Engine {
    /// Opens the engine: reads the first version whole, and every path that it will ever need.
    ///
    /// # Errors
    /// A directory, key or file that cannot be read; a feed without a valid version; a policy with errors.
    pub fn open(config: &EngineConfig) -> Result<Self, OpenError> {
        match config {
            EngineConfig::Feed(feed) => Self::open_feed(feed),
            EngineConfig::PolicyFile(file) => Self::open_policy_file(file),
        }
    }

    /// As [`open`](Self::open), for those who read nothing but feeds: a program that calls only this needs nothing of the policy language.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_feed(config: &FeedConfig) -> Result<Self, OpenError> {
        open_feed(config)
    }

    /// As [`open`](Self::open), for a policy file.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn open_policy_file(config: &PolicyFileConfig) -> Result<Self, OpenError> {
        open_policy_file(config)
    }

    /// What a thread needs to evaluate requests; make one for each thread.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(&self.shared)
    }

    /// The version in force.
    ///
    /// Whoever keeps it keeps its memory: threads that evaluate use [`Engine::context`] instead.
    #[must_use]
    pub fn version(&self) -> Arc<Version> {
        self.shared.current.load_full()
    }

    /// Looks for a new version and works on it for at most one slice. One thread at a time does; for others, and for an engine on
    /// a policy file, there is nothing to do.
    pub fn poll(&self, budget: Budget) -> Poll {
        match self.shared.poller.try_lock() {
            Ok(mut poller) => {
                let mut poll = poller.slice(&self.shared, budget);
                if poll.event.is_none() {
                    poll.event = self.shared.lack_to_tell(&mut poller);
                }
                if let Some(spool) = &self.shared.spool {
                    let now = crate::now().unix_seconds();
                    spool.measure_if_due(now);
                    poll.event = poll.event.or_else(|| spool.losses_to_tell(now));
                }
                if poll.event.is_none() {
                    poll.event = poller.silence_to_tell(&self.shared);
                }
                poll
            }
            Err(_) => Poll { next: Poll::PAUSE, event: None },
        }
    }

    /// Polls until no work is left; the last event. For those who may block: tests and tools, never a proxy's thread.
    pub fn poll_until_idle(&self) -> Option<PollEvent> {
        let mut last = None;
        loop {
            let poll = self.poll(Budget::UNLIMITED);
            let busy = poll.is_busy();
            last = poll.event.or(last);
            if !busy {
                return last;
            }
        }
    }

    /// The state of the engine.
    #[must_use]
    pub fn status(&self) -> Status {
        let version = self.version();
        let now = crate::now();
        if let Some(spool) = &self.shared.spool {
            // Whoever asks need not have polled.
            spool.measure_if_due(now.unix_seconds());
        }
        Status {
            mode: version.mode(),
            revision: version.revision().to_owned(),
            environment: version.policy().environment.clone(),
            generation: version.generation(),
            epoch: version.epoch(),
            source: self.shared.source.clone(),
            loaded_at: version.loaded_at(),
            heartbeat_age_seconds: version.heartbeat_age(now),
            stale: version.silent_seconds(now, self.shared.stale_after_seconds).is_some(),
            refusal: self.shared.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            stops: version.stops().in_force(now),
            facts: match &self.shared.carried {
                Carried::Everything => None,
                Carried::Only(facts) => Some(facts.to_string()),
            },
            lacking: self.shared.lacking().as_ref().map(ToString::to_string),
            rules: version.policy().rules.len(),
            issuers: version.trust().issuers().map(|(name, keys)| (name.to_owned(), keys)).collect(),
            live_versions: self.shared.live_versions.load(Ordering::Relaxed),
            audit: self.shared.spool.as_ref().map(|spool| spool.status()),
            counters: self.shared.tallies.sum(),
        }
    }

    /// Counts a failure that happened outside: in the glue between an embedder and the engine.
    pub fn count_failure(&self) {
        self.shared.tallies.count_failure();
    }
}

/// How a public key is come by.
const KEY_HELP: &str = "help: it is the file ending in `.pub` that `luigi apply` names; the command takes it as `--public-key`, HAProxy as `LUIGI_PUBLIC_KEY`";

fn open_feed(config: &FeedConfig) -> Result<Engine, OpenError> {
    let (directory, key_path) = (config.directory.display(), config.public_key.display());
    let key = regular_file::read(&config.public_key, MAX_PUBLIC_KEY_BYTES)
        .map_err(|error| OpenError::new(format!("cannot read the public key `{key_path}`: {error}\n{KEY_HELP}")))?;
    let key = std::str::from_utf8(&key)
        .map_err(|_| "it is not UTF-8".to_owned())
        .and_then(|text| PublicKey::parse(text).map_err(|error| error.to_string()))
        .map_err(|why| OpenError::new(format!("cannot use the public key `{key_path}`: {why}\n{KEY_HELP}")))?;
    let feed = FeedDirectory::open(&config.directory)
        .map_err(|error| OpenError::new(format!("cannot open the feed `{directory}`: {error}")))?;
    if lies_in(&config.public_key, &config.directory) {
        let why = format!(
            "the public key `{key_path}` lies in the feed `{directory}`: whoever writes the one could replace the other"
        );
        return Err(OpenError::new(why));
    }
    let mut poller = FeedPoller::new(feed, key);
    let (manifest, parts) =
        poller.first().map_err(|why| OpenError::new(format!("cannot use the feed `{directory}`: {why}")))?;
    let live_versions = Arc::new(AtomicUsize::new(0));
    let version = Version::new(
        parts,
        Origin::Feed(manifest),
        &config.carried,
        None,
        crate::now(),
        LiveToken::new(&live_versions),
    )
    .map_err(|why| OpenError::new(format!("cannot use the feed `{directory}`: {why}")))?;
    let source = SourceStatus::Feed(directory.to_string());
    let around = Around {
        spool: open_spool(config.spool.as_ref())?,
        stale_after_seconds: i64::try_from(config.stale_after.as_secs()).unwrap_or(i64::MAX),
        carried: config.carried.clone(),
    };
    Ok(engine(version, Poller::of_feed(poller), source, live_versions, around))
}

fn open_policy_file(config: &PolicyFileConfig) -> Result<Engine, OpenError> {
    let sources = policy_files::read(&config.path).map_err(|error| OpenError::new(error.to_string()))?;
    let parsed = luigi_core::policy::parse_for(&sources, config.environment.as_deref());
    let policy = parsed.policy.ok_or_else(|| OpenError::of_policy(&parsed.diagnostics, &sources))?;
    let snapshot = Snapshot::compile(policy)
        .map_err(|error| OpenError::of_policy(&Diagnostics::of([error.diagnostic()], &sources), &sources))?;
    let mut keys = BTreeMap::new();
    for (issuer, path) in &config.jwks {
        let file = read_keys(path).map_err(OpenError::new)?;
        if keys.insert(issuer.clone(), file).is_some() {
            return Err(OpenError::new(format!("issuer `{issuer}` is given keys twice")));
        }
    }
    let parts = Parts { snapshot: Some(Arc::new(snapshot)), keys, ..Parts::default() };
    let live_versions = Arc::new(AtomicUsize::new(0));
    let origin = Origin::PolicyFile(config.mode);
    let version = Version::new(parts, origin, &config.carried, None, crate::now(), LiveToken::new(&live_versions));
    let version = version.map_err(OpenError::new)?;
    let source = SourceStatus::PolicyFile(config.path.display().to_string());
    let spool = open_spool(config.spool.as_ref())?;
    let around = Around { spool, stale_after_seconds: 0, carried: config.carried.clone() };
    Ok(engine(version, Poller::of_policy_file(), source, live_versions, around))
}

/// What an engine keeps of its configuration.
struct Around {
    spool: Option<Arc<Spool>>,
    stale_after_seconds: i64,
    carried: Carried,
}

fn open_spool(config: Option<&SpoolConfig>) -> Result<Option<Arc<Spool>>, OpenError> {
    config.map(|config| Spool::open(config).map(Arc::new)).transpose()
}

fn engine(
    version: Version,
    poller: Poller,
    source: SourceStatus,
    live_versions: Arc<AtomicUsize>,
    around: Around,
) -> Engine {
    let Around { spool, stale_after_seconds, carried } = around;
    let current = Arc::new(ArcSwap::from_pointee(version));
    let poller = Mutex::new(poller);
    let (tallies, refusal, lacking) = (Tallies::default(), Mutex::new(None), Mutex::new(None));
    let shared = Shared {
        current,
        tallies,
        stale_after_seconds,
        refusal,
        live_versions,
        carried,
        lacking,
        spool,
        source,
        poller,
    };
    Engine { shared: Arc::new(shared) }
}

fn read_keys(path: &Path) -> Result<KeyFile, String> {
    let at = path.display();
    let bytes =
        regular_file::read(path, MAX_KEYS_BYTES).map_err(|error| format!("cannot read the keys `{at}`: {error}"))?;
    let keys = KeySet::from_jwks(&bytes).map_err(|error| format!("cannot use the keys `{at}`: {error}"))?;
    Ok(KeyFile { digest: Digest::of(&bytes), keys: Arc::new(keys) })
}

/// Whether a file lies in a directory, whatever links lead there. Both exist.
fn lies_in(file: &Path, directory: &Path) -> bool {
    match (file.canonicalize(), directory.canonicalize()) {
        (Ok(file), Ok(directory)) => file.starts_with(directory),
        (Ok(_) | Err(_), _) => false,
    }
}
