//! A version on its way in: read, hashed and validated in slices, from a manifest that is believed.
//!
//! Files that the version in force already holds are taken over, so that a changed mode or a heartbeat costs nothing. Nothing is
//! parsed before its digest was found to be the signed one.

use super::{
    Digest, FeedDirectory, FileEntry, FileKind, MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, PublicKey, Stops,
};
use crate::engine::Budget;
use crate::version::{KeyFile, Parts, StopsFile};
use luigi_core::identity::KeySet;
use luigi_core::snapshot::{Loader, Progress};
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;

/// Why a version is not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) why: String,
    /// Whether it may be only a matter of time (a file that is still on its way): then the next poll looks again, else
    /// only when the manifest changes.
    pub(crate) passing: bool,
}

impl Refusal {
    pub(crate) fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), passing: false }
    }

    pub(crate) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), passing: true }
    }
}

/// How far a slice has brought a [`Candidate`].
#[derive(Debug)]
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// Everything is there and sound.
    Done(Box<(Manifest, Parts)>),
}

/// A version that is being read.
#[derive(Debug)]
pub(crate) struct Candidate {
    manifest: Manifest,
    /// What the version in force has; empty at the start.
    held: Parts,
    ready: Parts,
    /// The keys still to be read, last first.
    keys: Vec<(String, FileEntry)>,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Whatever is next.
    Next,
    Reading(Box<Reading>, Purpose),
    Validating(Box<Loader>),
}

#[derive(Debug)]
enum Purpose {
    Policy,
    Keys(String),
    Stops,
}

/// What to do about a feed that was readable at the start and is not for the user that a proxy has become.
pub(crate) fn rights(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the user that the proxy runs as must be able to enter and read the feed: give the directory its group (chgrp) and mode 2750, \
             and apply again"
        }
        _ => "",
    }
}

impl Candidate {
    /// Reads the manifest and looks what of it is already held. One slice.
    pub(crate) fn begin(
        directory: &FeedDirectory,
        key: &PublicKey,
        in_force: Option<(&Manifest, &Parts)>,
    ) -> Result<Option<Self>, Refusal> {
        let bytes = manifest_bytes(directory)
            .map_err(|error| Refusal::passing(format!("the manifest cannot be read: {error}{}", rights(&error))))?;
        let manifest = Manifest::verify(&bytes, key).map_err(|error| Refusal::lasting(error.to_string()))?;
        if manifest.policy.bytes > FileKind::Policy.max_bytes() {
            return Err(Refusal::lasting("the compiled policy is longer than 256 MiB"));
        }
        if manifest.keys.values().any(|entry| entry.bytes > FileKind::Keys.max_bytes()) {
            return Err(Refusal::lasting("a key set is longer than 64 KiB"));
        }
        if manifest.stops.is_some_and(|entry| entry.bytes > FileKind::Stops.max_bytes()) {
            return Err(Refusal::lasting("the file of stops is longer than 512 KiB"));
        }
        if let Some((current, _)) = in_force
            && !is_newer(&manifest, current)?
        {
            return Ok(None);
        }
        let keys = manifest.keys.iter().map(|(issuer, entry)| (issuer.clone(), *entry)).rev().collect();
        let held = in_force.map_or_else(Parts::default, |(_, parts)| parts.clone());
        Ok(Some(Self { manifest, held, ready: Parts::default(), keys, work: Work::Next }))
    }

    /// Goes on for one slice.
    pub(crate) fn step(&mut self, directory: &FeedDirectory, budget: Budget) -> Result<Step, Refusal> {
        match std::mem::replace(&mut self.work, Work::Next) {
            Work::Next => return self.next(directory),
            Work::Reading(mut reading, purpose) => match reading.step(budget.bytes)? {
                None => self.work = Work::Reading(reading, purpose),
                Some(bytes) => match purpose {
                    Purpose::Policy => self.work = Work::Validating(Box::new(Loader::new(bytes))),
                    Purpose::Keys(issuer) => {
                        let keys = KeySet::from_jwks(&bytes)
                            .map_err(|error| Refusal::lasting(format!("the keys of issuer `{issuer}`: {error}")))?;
                        let file = KeyFile { digest: reading.expected.sha256, keys: Arc::new(keys) };
                        self.ready.keys.insert(issuer, file);
                    }
                    Purpose::Stops => {
                        let stops = Stops::read(&bytes).map_err(|error| Refusal::lasting(error.to_string()))?;
                        let digest = Some(reading.expected.sha256);
                        self.ready.stops = StopsFile { digest, stops: Arc::new(stops.into_set()) };
                    }
                },
            },
            Work::Validating(mut loader) => {
                match loader.step(budget.records).map_err(|error| Refusal::lasting(error.to_string()))? {
                    Progress::More => self.work = Work::Validating(loader),
                    Progress::Done(snapshot) => {
                        if snapshot.revision().to_string() != self.manifest.policy.sha256.to_string() {
                            return Err(Refusal::lasting("the compiled policy is not the one that its name says"));
                        }
                        self.ready.snapshot = Some(Arc::new(*snapshot));
                    }
                }
            }
        }
        Ok(Step::More)
    }

    fn next(&mut self, directory: &FeedDirectory) -> Result<Step, Refusal> {
        if self.ready.snapshot.is_none() {
            let digest = self.manifest.policy.sha256;
            match self.held.snapshot.take() {
                Some(held) if held.revision().to_string() == digest.to_string() => self.ready.snapshot = Some(held),
                Some(_) | None => {
                    let reading = Reading::open(directory, self.manifest.policy, FileKind::Policy)?;
                    self.work = Work::Reading(Box::new(reading), Purpose::Policy);
                }
            }
            return Ok(Step::More);
        }
        let Some((issuer, entry)) = self.keys.pop() else {
            if let Some(entry) = self.manifest.stops
                && self.ready.stops.digest != Some(entry.sha256)
            {
                if self.held.stops.digest == Some(entry.sha256) {
                    self.ready.stops = std::mem::take(&mut self.held.stops);
                } else {
                    let reading = Reading::open(directory, entry, FileKind::Stops)?;
                    self.work = Work::Reading(Box::new(reading), Purpose::Stops);
                }
                return Ok(Step::More);
            }
            self.held = Parts::default();
            return Ok(Step::Done(Box::new((self.manifest.clone(), std::mem::take(&mut self.ready)))));
        };
        match self.held.keys.remove(&issuer) {
            Some(held) if held.digest == entry.sha256 => {
                self.ready.keys.insert(issuer, held);
            }
            Some(_) | None => {
                let reading = Reading::open(directory, entry, FileKind::Keys)?;
                self.work = Work::Reading(Box::new(reading), Purpose::Keys(issuer));
            }
        }
        Ok(Step::More)
    }
}

/// Whether a manifest has something to say beyond the one in force. It never goes back.
fn is_newer(manifest: &Manifest, current: &Manifest) -> Result<bool, Refusal> {
    let place = |m: &Manifest| (m.epoch, m.generation);
    let (new, old) = (place(manifest), place(current));
    if new < old {
        let what = if new.0 < old.0 { "epoch" } else { "generation" };
        let (new, old) = if new.0 < old.0 { (new.0, old.0) } else { (new.1, old.1) };
        return Err(Refusal::lasting(format!("{what} {new} is older than {old}, which is in force")));
    }
    if new > old {
        return Ok(true);
    }
    let same = Manifest { heartbeat: current.heartbeat, ..manifest.clone() } == *current;
    if !same {
        return Err(Refusal::lasting(format!("generation {} has another content than the one in force", new.1)));
    }
    if manifest.heartbeat < current.heartbeat {
        return Err(Refusal::lasting("the heartbeat goes back"));
    }
    Ok(manifest.heartbeat > current.heartbeat)
}

fn manifest_bytes(directory: &FeedDirectory) -> io::Result<Vec<u8>> {
    let (file, _) = directory.file(MANIFEST_NAME)?;
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that is being read and hashed.
struct Reading {
    name: String,
    expected: FileEntry,
    file: File,
    bytes: Vec<u8>,
    digest: ring::digest::Context,
}

impl Reading {
    fn open(directory: &FeedDirectory, expected: FileEntry, kind: FileKind) -> Result<Self, Refusal> {
        let name = expected.sha256.file_name(kind);
        let (file, stamp) = directory
            .file(&name)
            .map_err(|error| Refusal::passing(format!("`{name}` cannot be read: {error}{}", rights(&error))))?;
        if stamp.bytes() != expected.bytes {
            let why = format!("`{name}` has {} bytes, the manifest says {}", stamp.bytes(), expected.bytes);
            return Err(Refusal::passing(why));
        }
        let bytes = Vec::with_capacity(usize::try_from(expected.bytes).unwrap_or(usize::MAX));
        Ok(Self { name, expected, file, bytes, digest: ring::digest::Context::new(&ring::digest::SHA256) })
    }

    /// Reads up to `budget` bytes; the whole file once all of it is there and its digest is right.
    fn step(&mut self, budget: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let missing = self.expected.bytes - self.bytes.len() as u64;
        let from = self.bytes.len();
        let read = (&mut self.file).take(missing.min(budget.max(1) as u64)).read_to_end(&mut self.bytes);
        let read = read.map_err(|error| Refusal::passing(format!("`{}` cannot be read: {error}", self.name)))?;
        if read == 0 && missing > 0 {
            return Err(Refusal::passing(format!("`{}` became shorter while it was read", self.name)));
        }
        self.digest.update(&self.bytes[from..]);
        if (self.bytes.len() as u64) < self.expected.bytes {
            return Ok(None);
        }
        if Digest::finish(self.digest.clone()) != self.expected.sha256 {
            return Err(Refusal::lasting(format!("`{}` is damaged: its content is not what its name says", self.name)));
        }
        Ok(Some(std::mem::take(&mut self.bytes)))
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("name", &self.name).field("read", &self.bytes.len()).finish_non_exhaustive()
    }
}
