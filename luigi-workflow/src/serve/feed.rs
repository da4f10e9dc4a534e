//! The feed, held by the daemon: changes on behalf of those who ask, the heartbeat, and the policy file that is kept in force.

use super::in_force::{self, IN_FORCE, InForce};
use super::metrics::{Part, Shared};
use super::{Message, ServeError};
use crate::apply::{
    Applied, ApplyError, ApplyErrorKind, ApplyRequest, Feed, OnOtherEnvironment, Unchanged, apply_brought,
};
use crate::brought::Brought;
use crate::disk::{Change, Disk};
use crate::feed_writer::FeedWriter;
use crate::signing_key::SigningKey;
use crate::stops::{self, Held, OnRecord, StopRequest, StopsChanged, StopsError, StopsFeed, UnstopRequest};
use luigi_core::daemon_config::{DaemonConfig, FeedSettings, PolicySettings};
use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::model::Mode;
use luigi_runtime::feed::Manifest;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

/// How long a change waits for its entry. It is in force before that.
const ON_RECORD: Duration = Duration::from_secs(20);

/// So soon comes the heartbeat after a change, which looks whether all is on record, and one that could not be published.
const HEARTBEAT_AGAIN: Duration = Duration::from_secs(1);

/// Files of a policy that nobody touched for so long are taken for whole. A policy that is cut off may be a policy, too, and a wrong one.
const SETTLED: Duration = Duration::from_secs(1);

/// After so long a policy is tried again that could not be applied for want of a disk, a file or a right.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// The feed in the hands of the daemon.
pub(crate) struct FeedKeeper {
    settings: FeedSettings,
    holder: String,
    writer: FeedWriter,
    key: SigningKey,
    on_record: Option<InForce>,
    ledger: Sender<Message>,
    ledger_path: PathBuf,
    shared: Arc<Shared>,
    heartbeat_at: Instant,
    /// Why the last heartbeat could not be published.
    silent: Option<String>,
    followed: Option<Followed>,
}

/// A policy file that is kept in force.
struct Followed {
    settings: PolicySettings,
    /// How its files look from outside, as of the last apply; `None` before the first.
    applied: Option<Vec<Look>>,
    /// As of the last look: files that are still being written change from one to the next.
    seen: Vec<Look>,
    /// Since when they look like that.
    since: Instant,
    /// Not tried before this: the last time something else than the policy was at fault.
    not_before: Instant,
    /// Lists of networks that the policy names.
    beside: Vec<PathBuf>,
}

type Look = (PathBuf, Option<(u64, u64, u64, Option<SystemTime>)>);

fn allow(_: Change) -> io::Result<()> {
    Ok(())
}

impl FeedKeeper {
    /// Takes the feed. `on_record` is what the ledger last heard of it.
    pub(super) fn open(
        config: &DaemonConfig,
        holder: String,
        on_record: Option<String>,
        ledger: Sender<Message>,
        shared: Arc<Shared>,
    ) -> Result<Self, ServeError> {
        let settings = config.feed.clone();
        let mut before = allow;
        let mut disk = Disk::new(&mut before);
        let mut writer =
            FeedWriter::open_as_daemon(&settings.directory, &holder, &mut disk).map_err(ServeError::environment)?;
        let key = SigningKey::open(&settings.key, &mut disk).map_err(ServeError::environment)?;
        writer.read(&key).map_err(ServeError::environment)?;
        let on_record = match on_record {
            None => None,
            Some(text) => Some(serde_json::from_str(&text).map_err(|error| {
                ServeError::environment(format!("the ledger's note `{IN_FORCE}` is damaged: {error}"))
            })?),
        };
        let followed = config.policy.clone().map(|settings| Followed {
            settings,
            applied: None,
            seen: Vec::new(),
            since: Instant::now(),
            not_before: Instant::now(),
            beside: Vec::new(),
        });
        let (heartbeat_at, ledger_path) = (Instant::now(), config.ledger.path.clone());
        let silent = None;
        Ok(Self {
            settings,
            holder,
            writer,
            key,
            on_record,
            ledger,
            ledger_path,
            shared,
            heartbeat_at,
            silent,
            followed,
        })
    }

    /// Applies a policy that somebody brought.
    pub(super) fn apply(&mut self, request: &ApplyRequest, brought: &Brought, by: &str) -> Result<Applied, ApplyError> {
        let mut applied = self.apply_as(request, brought, Unchanged::Publish)?;
        applied.warnings.extend(self.put_on_record(by).err());
        if let Some(followed) = &self.followed {
            let path = followed.settings.path.display();
            applied
                .warnings
                .push(format!("warning: the daemon follows `{path}`: its next change takes the place of this"));
        }
        Ok(applied)
    }

    fn apply_as(
        &mut self,
        request: &ApplyRequest,
        brought: &Brought,
        unchanged: Unchanged,
    ) -> Result<Applied, ApplyError> {
        self.keep_in_place().map_err(ApplyError::environment)?;
        let request =
            ApplyRequest { feed: self.settings.directory.clone(), key: self.settings.key.clone(), ..request.clone() };
        let mut before = allow;
        let epoch_after = self.on_record.as_ref().map(InForce::epoch);
        let feed = Feed::Held { writer: &mut self.writer, unchanged, epoch_after };
        let applied = apply_brought(&request, brought, feed, &mut Disk::new(&mut before), luigi_runtime::now());
        let metrics = &self.shared.metrics;
        match &applied {
            Ok(applied) => {
                metrics.applies.add(1);
                self.heartbeat_at = Instant::now() + HEARTBEAT_AGAIN.min(self.settings.heartbeat);
                tracing::info!(
                    revision = applied.revision,
                    generation = applied.generation,
                    mode = applied.mode.as_str(),
                    "a policy is in force"
                );
            }
            Err(_) => metrics.applies_refused.add(1),
        }
        applied
    }

    /// Makes a stop.
    pub(super) fn stop(&mut self, request: &StopRequest) -> Result<StopsChanged, StopsError> {
        self.change_stops(&request.by, |at, held| stops::stop_at(at, Some(held), request, luigi_runtime::now()))
    }

    /// Lifts a stop.
    pub(super) fn unstop(&mut self, request: &UnstopRequest) -> Result<StopsChanged, StopsError> {
        self.change_stops(&request.by, |at, held| stops::unstop_at(at, Some(held), request, luigi_runtime::now()))
    }

    /// Changes the stops. Their entry is written with them, as by a command: one that is lifted waits for its entry, one that is made for nothing.
    fn change_stops(
        &mut self,
        by: &str,
        change: impl FnOnce(&StopsFeed, Held<'_>) -> Result<StopsChanged, StopsError>,
    ) -> Result<StopsChanged, StopsError> {
        self.keep_in_place()?;
        let at = StopsFeed {
            feed: self.settings.directory.clone(),
            key: self.settings.key.clone(),
            ledger: Some(self.ledger_path.clone()),
        };
        let changed = change(&at, Held { feed: &mut self.writer, key: &self.key });
        let metrics = &self.shared.metrics;
        let mut changed = changed.inspect_err(|_| metrics.applies_refused.add(1))?;
        metrics.applies.add(1);
        self.heartbeat_at = Instant::now() + HEARTBEAT_AGAIN.min(self.settings.heartbeat);
        tracing::info!(stop = changed.stop.id, generation = changed.generation, "the stops were changed");
        // What the ledger was to tell and does not is found missing at the next heartbeat, and told then.
        if matches!(changed.on_record, OnRecord::Entry(_)) {
            changed.warnings.extend(self.put_on_record(by).err());
        }
        Ok(changed)
    }

    /// Whatever is due: another directory in the place of the feed, a changed policy file, the heartbeat.
    pub(super) fn tick(&mut self) {
        match self.keep_in_place() {
            Ok(()) => {
                self.follow();
                if Instant::now() >= self.heartbeat_at {
                    self.silent = self.heartbeat().err();
                }
                self.shared.set_problem(Part::Feed, self.silent.clone());
            }
            Err(why) => self.shared.set_problem(Part::Feed, Some(why)),
        }
    }

    /// Puts on record what is in force and is not there yet; a warning if that cannot be done now. It is tried again at each heartbeat.
    pub(super) fn put_on_record(&mut self, by: &str) -> Result<(), String> {
        let Some(manifest) = self.writer.read(&self.key)?.cloned() else { return Ok(()) };
        self.show(&manifest);
        let in_force = InForce::of(&self.writer, &manifest)?;
        self.shared.metrics.feed_stops.set(in_force.stops() as u64);
        if self.on_record.as_ref() == Some(&in_force) {
            return Ok(());
        }
        let before = self.on_record.as_ref();
        let entries = in_force::changes(&self.writer, before, &in_force, manifest.generation, by, luigi_runtime::now());
        let entries =
            in_force::not_told(&self.ledger_path, entries, before, &in_force).map_err(|error| error.to_string())?;
        let note = serde_json::to_string(&in_force).map_err(|error| error.to_string())?;
        let (done, told) = sync_channel(1);
        let message = Message::Append { entries, kept: vec![(IN_FORCE, note)], done };
        let late = |why: &str| format!("warning: it is in force, and not in the ledger yet: {why}");
        self.ledger.send(message).map_err(|_| late("the daemon stops"))?;
        match told.recv_timeout(ON_RECORD) {
            Ok(Ok(())) => {
                self.on_record = Some(in_force);
                Ok(())
            }
            Ok(Err(why)) => Err(late(&why)),
            Err(_) => Err(late("it is busy")),
        }
    }

    /// Notices that the directory is another one: systemd may have taken it away with the service that made it.
    fn keep_in_place(&mut self) -> Result<(), String> {
        if self.writer.is_in_place() {
            return Ok(());
        }
        let at = self.settings.directory.display().to_string();
        tracing::error!(
            feed = at,
            "the feed's directory was taken away or replaced; proxies that hold the old one must be reloaded"
        );
        let mut before = allow;
        let mut disk = Disk::new(&mut before);
        self.writer = FeedWriter::open_as_daemon(&self.settings.directory, &self.holder, &mut disk)?;
        if let Some(followed) = &mut self.followed {
            followed.applied = None;
        }
        Ok(())
    }

    fn heartbeat(&mut self) -> Result<(), String> {
        // Tried again soon if this one fails.
        self.heartbeat_at = Instant::now() + HEARTBEAT_AGAIN;
        let Some(current) = self.writer.read(&self.key)?.cloned() else {
            return Err(format!(
                "the feed `{}` has no policy yet: `luigi apply` gives it one",
                self.settings.directory.display()
            ));
        };
        // After a clock went back it goes on from where it was, a second at a time until the clock is there: engines refuse one that goes back, and one that stays says nothing.
        let heartbeat = luigi_runtime::now().max(current.heartbeat.plus_seconds(1));
        let manifest = Manifest { heartbeat, ..current };
        let mut before = allow;
        self.writer.publish(&manifest, &self.key, &mut Disk::new(&mut before))?;
        self.heartbeat_at = Instant::now() + self.settings.heartbeat;
        // What somebody changed while no daemon ran, or could not be put on record then.
        if let Err(why) = self.put_on_record("unknown: it was changed while no daemon ran") {
            tracing::warn!("{why}");
        }
        Ok(())
    }

    fn show(&self, manifest: &Manifest) {
        let metrics = &self.shared.metrics;
        metrics.feed_generation.set(manifest.generation);
        metrics.feed_heartbeat.set(u64::try_from(manifest.heartbeat.unix_seconds()).unwrap_or(0));
        metrics.feed_enforced.set((manifest.mode == Mode::Enforce).into());
    }

    /// Applies the policy file if it is another one than before, and nobody is writing to it.
    fn follow(&mut self) {
        let Some(followed) = &mut self.followed else { return };
        let (found, now) = (looks(followed), Instant::now());
        if followed.seen != found {
            (followed.seen, followed.since) = (found.clone(), now);
        }
        // As the daemon starts, files that were not touched lately need not be watched first.
        let settled = now.duration_since(followed.since) >= SETTLED || (followed.applied.is_none() && are_old(&found));
        if !settled || followed.applied.as_ref() == Some(&found) || now < followed.not_before {
            return;
        }
        followed.beside = beside(&followed.settings);
        let before = followed.applied.replace(looks(followed));
        let settings = followed.settings.clone();
        let jwks: Vec<_> = settings.jwks.iter().map(|(issuer, path)| (issuer.clone(), path.clone())).collect();
        let request = ApplyRequest {
            policy: settings.path.clone(),
            feed: self.settings.directory.clone(),
            environment: settings.environment.clone(),
            on_other_environment: OnOtherEnvironment::Refuse,
            jwks,
            mode: settings.mode,
            key: self.settings.key.clone(),
            style: Style::PLAIN,
        };
        let brought = Brought::read(&request.policy, &request.jwks).map_err(ApplyError::environment);
        if let Some(followed) = &mut self.followed
            && followed.applied.as_ref() != Some(&looks(followed))
        {
            // Somebody wrote while it was read.
            followed.applied = before;
            return;
        }
        let applied = brought.and_then(|brought| self.apply_as(&request, &brought, Unchanged::LeaveAlone));
        match applied {
            Ok(applied) => {
                for warning in &applied.warnings {
                    tracing::warn!("{}", warning.trim_end());
                }
                self.shared.set_problem(Part::Policy, None);
                let by = format!("the daemon, which follows {}", settings.path.display());
                if let Err(why) = self.put_on_record(&by) {
                    tracing::warn!("{why}");
                }
            }
            Err(error) => {
                if error.kind() == ApplyErrorKind::Environment
                    && let Some(followed) = &mut self.followed
                {
                    (followed.applied, followed.not_before) = (before, Instant::now() + TRY_AGAIN_AFTER);
                }
                let why = format!(
                    "`{}` is not applied, what was in force stays: {}",
                    settings.path.display(),
                    error.to_string().trim_end()
                );
                self.shared.set_problem(Part::Policy, Some(why));
            }
        }
    }
}

/// How a policy, what it names and its keys look from outside.
fn looks(followed: &Followed) -> Vec<Look> {
    let settings = &followed.settings;
    let mut paths = luigi_runtime::policy_files::files(&settings.path).unwrap_or_else(|_| vec![settings.path.clone()]);
    paths.extend(followed.beside.iter().chain(settings.jwks.values()).cloned());
    let looked = |path: PathBuf| {
        let look = look(&path);
        (path, look)
    };
    paths.into_iter().map(looked).collect()
}

/// Whether nobody touched any of these lately, as far as their times tell.
fn are_old(looks: &[Look]) -> bool {
    let times = looks.iter().filter_map(|(_, look)| look.and_then(|(_, _, _, time)| time));
    // One of the future is no old one.
    times.into_iter().all(|time| time.elapsed().is_ok_and(|age| age >= SETTLED))
}

/// The files that a policy names.
fn beside(settings: &PolicySettings) -> Vec<PathBuf> {
    let Ok(sources) = luigi_runtime::policy_files::read(&settings.path) else { return Vec::new() };
    let folder = if settings.path.is_dir() { Some(settings.path.as_path()) } else { settings.path.parent() };
    let place = |name: String| folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name));
    luigi_core::policy::files_beside(&sources).into_iter().map(place).collect()
}

fn look(path: &std::path::Path) -> Option<(u64, u64, u64, Option<SystemTime>)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.len(), metadata.modified().ok()))
}
