//! One immutable version of everything that decisions depend on.

use crate::carried::Carried;
use crate::feed::{Digest, Manifest};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{IssuerKeys, KeySet, Trust};
use luigi_core::policy::model::{Mode, Policy};
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_core::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One version: policy, keys, grants and mode, published together.
#[derive(Debug)]
pub struct Version {
    /// INVARIANT (whole): always there in a version; shared with the versions before and after if they have the same policy.
    snapshot: Arc<Snapshot>,
    key_files: BTreeMap<String, KeyFile>,
    trust: Arc<Trust>,
    grants: GrantSet,
    stops: StopsFile,
    revision: String,
    mode: Mode,
    manifest: Option<Manifest>,
    loaded_at: Timestamp,
    /// When this process saw the heartbeat move to where it is, by a clock that nobody sets.
    heard_at: Instant,
    live: LiveToken,
}

/// What a version is read from: a compiled policy and the keys of its issuers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) keys: BTreeMap<String, KeyFile>,
    pub(crate) stops: StopsFile,
}

/// The stops of a version and the digest of the file that they were read from; without one there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopsFile {
    pub(crate) digest: Option<Digest>,
    pub(crate) stops: Arc<StopSet>,
}

/// The keys of one issuer and the digest of the file that they were read from.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    pub(crate) digest: Digest,
    pub(crate) keys: Arc<KeySet>,
}

/// Where the mode of a version comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    Feed(Manifest),
    PolicyFile(Mode),
}

impl Version {
    /// Puts the parts together.
    pub(crate) fn new(
        parts: Parts,
        origin: Origin,
        carried: &Carried,
        before: Option<&Self>,
        loaded_at: Timestamp,
        live: LiveToken,
    ) -> Result<Self, String> {
        let Parts { snapshot, keys, stops } = parts;
        let snapshot = snapshot.ok_or("there is no compiled policy")?;
        let policy = snapshot.policy();
        carried.check(policy)?;
        if let Some(name) = keys.keys().find(|name| !policy.issuers.iter().any(|(_, issuer)| issuer.name == **name)) {
            return Err(format!("there are keys for `{name}`, which is no issuer of the policy"));
        }
        let trust = match before {
            Some(before) if Arc::ptr_eq(&before.snapshot, &snapshot) && same_keys(&before.key_files, &keys) => {
                Arc::clone(&before.trust)
            }
            Some(_) | None => {
                let issuers = policy.issuers.iter().map(|(_, issuer)| IssuerKeys {
                    name: issuer.name.clone(),
                    trust: issuer.trust.clone(),
                    keys: keys.get(&issuer.name).map(|file| Arc::clone(&file.keys)),
                });
                Arc::new(Trust::new(issuers.collect()).map_err(|error| error.to_string())?)
            }
        };
        if let Origin::Feed(manifest) = &origin
            && manifest.environment != policy.environment
        {
            let name = |one: &Option<String>| {
                one.as_ref().map_or("none".to_owned(), |name| format!("`{}`", name.escape_debug()))
            };
            let (said, found) = (name(&manifest.environment), name(&policy.environment));
            return Err(format!("the manifest is for environment {said}, and its policy was compiled for {found}"));
        }
        let (mode, manifest) = match origin {
            Origin::Feed(manifest) => (manifest.mode, Some(manifest)),
            Origin::PolicyFile(mode) => (mode, None),
        };
        let revision = snapshot.revision().to_string();
        let grants = GrantSet::default();
        let heartbeat = manifest.as_ref().map(|manifest| manifest.heartbeat);
        let heard_at =
            before.filter(|before| before.heartbeat() == heartbeat).map_or_else(Instant::now, |b| b.heard_at);
        Ok(Self {
            snapshot,
            key_files: keys,
            trust,
            grants,
            stops,
            revision,
            mode,
            manifest,
            loaded_at,
            heard_at,
            live,
        })
    }

    /// The compiled policy.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The policy, for names and descriptions.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        self.snapshot.policy()
    }

    /// Whose tokens are believed, and with which keys.
    #[must_use]
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Every grant in force.
    #[must_use]
    pub fn grants(&self) -> &GrantSet {
        &self.grants
    }

    /// Every stop, in force or over.
    #[must_use]
    pub fn stops(&self) -> &StopSet {
        &self.stops.stops
    }

    /// The revision of the compiled policy, in hex.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether decisions have effect.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.epoch)
    }

    /// How many times the feed was published in its epoch; 0 for a policy file.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.generation)
    }

    /// When this engine published the version.
    #[must_use]
    pub fn loaded_at(&self) -> Timestamp {
        self.loaded_at
    }

    /// When the feed's writer last said that it lives; `None` for a policy file.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Timestamp> {
        self.manifest.as_ref().map(|manifest| manifest.heartbeat)
    }

    /// For how many seconds the feed's writer has been silent, if that is longer than `stale_after_seconds`. A feed whose heartbeat never moved was applied by a command, and
    /// nobody has to be heard of.
    pub(crate) fn silent_seconds(&self, now: Timestamp, stale_after_seconds: i64) -> Option<i64> {
        let manifest = self.manifest.as_ref()?;
        let age = silence(manifest.heartbeat, now, self.heard_at.elapsed());
        (manifest.heartbeat > manifest.published_at && age >= stale_after_seconds).then_some(age)
    }

    /// How many seconds ago the feed's writer last said that it lives; less than zero if by this clock that is still to come, by more than a second.
    pub(crate) fn heartbeat_age(&self, now: Timestamp) -> Option<i64> {
        let heartbeat = self.heartbeat()?;
        let said = now.unix_seconds().saturating_sub(heartbeat.unix_seconds());
        // A daemon that takes over a feed of this very second says by the next one that it lives.
        Some(if said < -1 { said } else { silence(heartbeat, now, self.heard_at.elapsed()) })
    }

    /// Whether the feed's writer has been heard of in the last `stale_after_seconds`, so that what it may have taken back meanwhile is known.
    pub(crate) fn is_heard_of(&self, now: Timestamp, stale_after_seconds: i64) -> bool {
        self.heartbeat().is_some_and(|at| silence(at, now, self.heard_at.elapsed()) < stale_after_seconds)
    }

    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What the version was read from, to be taken over by the next.
    pub(crate) fn parts(&self) -> Parts {
        Parts { snapshot: Some(Arc::clone(&self.snapshot)), keys: self.key_files.clone(), stops: self.stops.clone() }
    }

    /// Takes the version apart; what is left to free in slices.
    pub(crate) fn into_remains(self) -> (Arc<Snapshot>, LiveToken) {
        (self.snapshot, self.live)
    }
}

/// How long ago a heartbeat was, in seconds: as it says itself, or as long as it has been seen not to move if that is longer. A clock that was set back makes heartbeats be of
/// the future, and a writer that is gone must not count as alive until the clock is there.
fn silence(heartbeat: Timestamp, now: Timestamp, unmoved: Duration) -> i64 {
    let said = now.unix_seconds().saturating_sub(heartbeat.unix_seconds());
    said.max(i64::try_from(unmoved.as_secs()).unwrap_or(i64::MAX))
}

fn same_keys(a: &BTreeMap<String, KeyFile>, b: &BTreeMap<String, KeyFile>) -> bool {
    let digests =
        |files: &BTreeMap<String, KeyFile>| files.iter().map(|(k, v)| (k.clone(), v.digest)).collect::<Vec<_>>();
    digests(a) == digests(b)
}

/// Counts how many versions are in memory.
#[derive(Debug)]
pub(crate) struct LiveToken(Arc<AtomicUsize>);

impl LiveToken {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for LiveToken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_of_the_future_ages_like_any_other() {
        let at = Timestamp::from_unix_seconds;
        let check = |heartbeat, now, unmoved, expected| {
            assert_eq!(silence(at(heartbeat), at(now), Duration::from_secs(unmoved)), expected);
        };
        check(1000, 1007, 2, 7);
        // The clock was set back by an hour.
        check(4600, 1000, 0, 0);
        check(4600, 1070, 70, 70);
        // And forward: whoever started a moment ago believes what the heartbeat says.
        check(1000, 4600, 1, 3600);
    }
}
