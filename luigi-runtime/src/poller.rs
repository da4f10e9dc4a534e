//! What [`Engine::poll`](crate::Engine::poll) does: looks, reads, publishes and frees, one slice a call.
//!
//! INVARIANT (last-holder): an old version is kept here until nobody else holds it, so that it is freed here, in slices, and never in
//! the middle of a decision.

use crate::engine::{Budget, Poll, PollEvent, Shared};
use crate::facts::FactList;
use crate::feed::{Candidate, FeedDirectory, MANIFEST_NAME, Manifest, PublicKey, Refusal, Stamp, Step, rights};
use crate::status::RefusalStatus;
use crate::version::{LiveToken, Origin, Parts, Version};
use luigi_core::snapshot::Retired;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

/// The work of polling, between two slices.
#[derive(Debug)]
pub(crate) struct Poller {
    /// `None` for a policy file, which never changes.
    feed: Option<FeedPoller>,
    retired: Vec<Arc<Version>>,
    freeing: Option<(Retired, LiveToken)>,
    /// What lines lacked when it was told last.
    told: Option<FactList>,
    /// Whether it was told that the feed's writer is silent.
    told_stale: bool,
}

/// The reading side of a feed.
#[derive(Debug)]
pub(crate) struct FeedPoller {
    directory: FeedDirectory,
    key: PublicKey,
    /// The manifest that was looked at last; `None` to look again whatever it is.
    seen: Option<Stamp>,
    candidate: Option<Candidate>,
}

/// What one slice came to.
enum Slice {
    /// Nothing was to be done.
    Idle,
    /// Something was done.
    Worked,
    Published(Box<(Manifest, Parts)>),
    Refused(Refusal),
    /// The feed holds what is in force.
    UpToDate,
}

impl Poller {
    pub(crate) fn of_policy_file() -> Self {
        Self { feed: None, retired: Vec::new(), freeing: None, told: None, told_stale: false }
    }

    pub(crate) fn of_feed(feed: FeedPoller) -> Self {
        Self { feed: Some(feed), retired: Vec::new(), freeing: None, told: None, told_stale: false }
    }

    /// That the feed's writer is silent, or no longer is, if that has not been told yet; from now on it has.
    pub(crate) fn silence_to_tell(&mut self, shared: &Shared) -> Option<PollEvent> {
        let silent = shared.current.load().silent_seconds(crate::now(), shared.stale_after_seconds);
        match (silent, std::mem::replace(&mut self.told_stale, silent.is_some())) {
            (Some(seconds), false) => Some(PollEvent::Stale { seconds }),
            (None, true) => Some(PollEvent::Alive),
            (Some(_), true) | (None, false) => None,
        }
    }

    /// Whether this has not been told yet; from now on it has.
    pub(crate) fn tells(&mut self, lacking: &FactList) -> bool {
        self.told.replace(lacking.clone()).as_ref() != Some(lacking)
    }

    /// One slice of work. A panic in it is counted and refuses what was being read.
    pub(crate) fn slice(&mut self, shared: &Shared, budget: Budget) -> Poll {
        match catch_unwind(AssertUnwindSafe(|| self.unguarded_slice(shared, budget))) {
            Ok(poll) => poll,
            Err(_) => {
                self.freeing = None;
                if let Some(feed) = &mut self.feed {
                    feed.candidate = None;
                }
                shared.tallies.count_failure();
                let event = refuse(shared, "an internal error while reading it".to_owned());
                Poll { next: Poll::PAUSE, event }
            }
        }
    }

    fn unguarded_slice(&mut self, shared: &Shared, budget: Budget) -> Poll {
        let soon = Poll { next: Poll::SOON, event: None };
        if self.free(budget) {
            return soon;
        }
        let Some(feed) = &mut self.feed else { return Poll { next: Poll::PAUSE, event: None } };
        match feed.slice(shared, budget) {
            Slice::Idle => Poll { next: Poll::PAUSE, event: None },
            Slice::Worked => soon,
            Slice::UpToDate => {
                *shared.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Poll { next: Poll::PAUSE, event: None }
            }
            Slice::Refused(refusal) => {
                if refusal.passing {
                    feed.seen = None;
                }
                Poll { next: Poll::PAUSE, event: refuse(shared, refusal.why) }
            }
            Slice::Published(new) => match self.publish(shared, *new) {
                Ok(event) => Poll { next: Poll::SOON, event },
                Err(why) => Poll { next: Poll::PAUSE, event: refuse(shared, why) },
            },
        }
    }

    fn publish(&mut self, shared: &Shared, (manifest, parts): (Manifest, Parts)) -> Result<Option<PollEvent>, String> {
        let before = shared.current.load_full();
        let live = LiveToken::new(&shared.live_versions);
        let new = Version::new(parts, Origin::Feed(manifest), &shared.carried, Some(&before), crate::now(), live)?;
        let event = ((new.epoch(), new.generation()) != (before.epoch(), before.generation())).then(|| {
            let environment = new.policy().environment.clone();
            let (revision, generation) = (new.revision().to_owned(), new.generation());
            PollEvent::Published { revision, generation, mode: new.mode(), environment }
        });
        drop(before);
        // INVARIANT (last-holder): the old version goes into `retired` with its last reference from here.
        self.retired.push(shared.current.swap(Arc::new(new)));
        shared.forget_lacking();
        self.told = None;
        *shared.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(event)
    }

    /// Frees one slice of an old version; whether there was one to free.
    fn free(&mut self, budget: Budget) -> bool {
        if let Some((retired, _)) = &mut self.freeing {
            if retired.step(budget.records) {
                self.freeing = None;
            }
            return true;
        }
        let Some(at) = self.retired.iter().position(|version| Arc::strong_count(version) == 1) else { return false };
        match Arc::try_unwrap(self.retired.swap_remove(at)) {
            Ok(version) => {
                let (snapshot, live) = version.into_remains();
                // Another version may still have the same policy; the last one frees it.
                if let Ok(snapshot) = Arc::try_unwrap(snapshot) {
                    self.freeing = Some((snapshot.retire(), live));
                }
            }
            Err(held) => self.retired.push(held),
        }
        true
    }
}

/// Notes a refusal; the event, unless the same was told before.
fn refuse(shared: &Shared, why: String) -> Option<PollEvent> {
    let mut standing = shared.refusal.lock().unwrap_or_else(PoisonError::into_inner);
    if standing.as_ref().is_some_and(|refusal| refusal.why == why) {
        return None;
    }
    *standing = Some(RefusalStatus { since: crate::now(), why: why.clone() });
    Some(PollEvent::Refused { why })
}

impl FeedPoller {
    pub(crate) fn new(directory: FeedDirectory, key: PublicKey) -> Self {
        Self { directory, key, seen: None, candidate: None }
    }

    /// The first version, all at once.
    pub(crate) fn first(&mut self) -> Result<(Manifest, Parts), String> {
        let why = |refusal: Refusal| refusal.why;
        self.seen = self.directory.stamp(MANIFEST_NAME).ok();
        let candidate = Candidate::begin(&self.directory, &self.key, None).map_err(why)?;
        let mut candidate = candidate.ok_or("there is nothing new")?;
        loop {
            if let Step::Done(done) = candidate.step(&self.directory, Budget::UNLIMITED).map_err(why)? {
                return Ok(*done);
            }
        }
    }

    fn slice(&mut self, shared: &Shared, budget: Budget) -> Slice {
        if let Some(mut candidate) = self.candidate.take() {
            return match candidate.step(&self.directory, budget) {
                Ok(Step::More) => {
                    self.candidate = Some(candidate);
                    Slice::Worked
                }
                Ok(Step::Done(done)) => Slice::Published(done),
                Err(refusal) => Slice::Refused(refusal),
            };
        }
        let stamp = match self.directory.stamp(MANIFEST_NAME) {
            Ok(stamp) => stamp,
            Err(error) => {
                if self.directory.is_unlinked() {
                    let why = "the feed's directory was taken away: what runs must be reloaded to see one that is made in its place";
                    return Slice::Refused(Refusal::passing(why));
                }
                let help = match rights(&error) {
                    "" => "; if the feed's directory was replaced, what runs must be reloaded",
                    rights => rights,
                };
                return Slice::Refused(Refusal::passing(format!("the manifest cannot be read: {error}{help}")));
            }
        };
        if self.seen == Some(stamp) {
            return Slice::Idle;
        }
        // Taken before the manifest is read: a manifest that is renamed into place meanwhile has another stamp and is read next.
        self.seen = Some(stamp);
        let current = shared.current.load();
        let parts = current.parts();
        match Candidate::begin(&self.directory, &self.key, current.manifest().map(|manifest| (manifest, &parts))) {
            Ok(Some(candidate)) => {
                self.candidate = Some(candidate);
                Slice::Worked
            }
            Ok(None) => Slice::UpToDate,
            Err(refusal) => Slice::Refused(refusal),
        }
    }
}
