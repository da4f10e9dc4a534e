//! What is in force, as the ledger last heard of it, and what of it changed: entries follow from the feed itself, so that none is forgotten, whoever changed it.

use crate::changes::words::sentences;
use crate::feed_writer::FeedWriter;
use crate::ledger::{
    Event, Filter, KeysChanged, Kind, LedgerError, ModeChanged, NewEntry, PolicyApplied, Reader, StopMade, Unstop,
};
use crate::stops;
use jiff::Timestamp as Time;
use luigi_core::analysis::{Bounds, compare};
use luigi_core::identity::KeySet;
use luigi_core::policy::model::Mode;
use luigi_core::stop_set::Stop;
use luigi_core::time::Timestamp;
use luigi_runtime::feed::{FileEntry, FileKind, Manifest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

/// The note of the ledger that has it.
pub(super) const IN_FORCE: &str = "in-force";

/// How many requests a comparison may decide: about a second.
const MOST_REQUESTS: usize = 300_000;

/// What of a feed is worth an entry when it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InForce {
    epoch: u64,
    mode: Mode,
    environment: Option<String>,
    policy: FileEntry,
    keys: BTreeMap<String, FileEntry>,
    stops: Vec<Stop>,
}

impl InForce {
    /// What a feed has.
    pub(super) fn of(feed: &FeedWriter, manifest: &Manifest) -> Result<Self, String> {
        let Manifest { epoch, mode, environment, policy, keys, .. } = manifest.clone();
        Ok(Self { epoch, mode, environment, policy, keys, stops: stops::held(feed, manifest)?.stops })
    }

    /// When the feed was made.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many stops there are.
    pub(super) fn stops(&self) -> usize {
        self.stops.len()
    }
}

/// The entries about what changed. What cannot be found out (a policy that is no longer there to be compared) is said in them.
pub(super) fn changes(
    feed: &FeedWriter,
    before: Option<&InForce>,
    now_in_force: &InForce,
    generation: u64,
    by: &str,
    now: Timestamp,
) -> Vec<NewEntry> {
    let mut events = Vec::new();
    let by = by.to_owned();
    if before.is_none_or(|before| (before.policy, before.epoch) != (now_in_force.policy, now_in_force.epoch)) {
        events.push(Event::PolicyApplied(PolicyApplied {
            revision: now_in_force.policy.sha256.to_string(),
            previous: before.map(|before| before.policy.sha256.to_string()),
            generation,
            by: by.clone(),
            mode: now_in_force.mode,
            environment: now_in_force.environment.clone(),
            changes: before.map_or_else(Vec::new, |before| compared(feed, before, now_in_force, now)),
        }));
    }
    if let Some(from) = before.map(|before| before.mode).filter(|from| *from != now_in_force.mode) {
        events.push(Event::ModeChanged(ModeChanged { from, to: now_in_force.mode, generation, by: by.clone() }));
    }
    for (issuer, entry) in &now_in_force.keys {
        if before.and_then(|before| before.keys.get(issuer)) == Some(entry) {
            continue;
        }
        let keys = feed.content(entry, FileKind::Keys).ok().and_then(|bytes| KeySet::from_jwks(&bytes).ok());
        events.push(Event::KeysChanged(KeysChanged {
            issuer: issuer.clone(),
            keys: keys.map_or(0, |keys| keys.len() as u64),
            sha256: entry.sha256.to_string(),
            by: by.clone(),
        }));
    }
    let nothing = Vec::new();
    let stops_before = before.map_or(&nothing, |before| &before.stops);
    let is_in = |stops: &[Stop], stop: &Stop| stops.iter().any(|other| other.id == stop.id);
    for stop in now_in_force.stops.iter().filter(|stop| !is_in(stops_before, stop)) {
        events.push(Event::Stop(StopMade {
            id: stop.id.clone(),
            what: stop.what.clone(),
            until: stop.until.to_string(),
            reason: stop.reason.clone(),
            by: stop.by.clone(),
        }));
    }
    // One that was over leaves by itself when the next one is made.
    for stop in stops_before.iter().filter(|stop| now < stop.until && !is_in(&now_in_force.stops, stop)) {
        let reason = "unknown: its entry was not written with it".to_owned();
        events.push(Event::Unstop(Unstop { id: stop.id.clone(), by: by.clone(), reason }));
    }
    let time = Time::now();
    events.into_iter().map(|event| NewEntry { time, event }).collect()
}

/// Without what the ledger tells already: a command writes the entries of stops with them.
pub(super) fn not_told(
    ledger: &Path,
    entries: Vec<NewEntry>,
    before: Option<&InForce>,
    now_in_force: &InForce,
) -> Result<Vec<NewEntry>, LedgerError> {
    let is_of_stop = |entry: &NewEntry| matches!(entry.event, Event::Stop(_) | Event::Unstop(_));
    let stops = before.iter().flat_map(|before| &before.stops).chain(&now_in_force.stops);
    let Some(since) = stops.map(|stop| stop.from).min().filter(|_| entries.iter().any(is_of_stop)) else {
        return Ok(entries);
    };
    let since = Time::from_second(since.unix_seconds()).unwrap_or(Time::MIN);
    let mut told = BTreeSet::new();
    let filter = Filter { since: Some(since), ..Filter::default() };
    Reader::open(ledger)?.scan(0, &filter, |entry| {
        match entry.event {
            Event::Stop(stop) => told.insert((Kind::Stop, stop.id)),
            Event::Unstop(unstop) => told.insert((Kind::Unstop, unstop.id)),
            _ => false,
        };
        Ok::<_, LedgerError>(ControlFlow::Continue(()))
    })?;
    let is_told = |event: &Event| match event {
        Event::Stop(stop) => told.contains(&(Kind::Stop, stop.id.clone())),
        Event::Unstop(unstop) => told.contains(&(Kind::Unstop, unstop.id.clone())),
        _ => false,
    };
    Ok(entries.into_iter().filter(|entry| !is_told(&entry.event)).collect())
}

fn compared(feed: &FeedWriter, before: &InForce, after: &InForce, now: Timestamp) -> Vec<String> {
    if before.policy == after.policy {
        return vec!["the feed was made anew with the same policy".to_owned()];
    }
    let load = |entry: &FileEntry| feed.content(entry, FileKind::Policy).and_then(stops::load);
    match (load(&before.policy), load(&after.policy)) {
        (Ok(before), Ok(after)) => {
            let bounds = Bounds { requests: MOST_REQUESTS, ..Bounds::default() };
            let comparison = compare(&before, &after, now, bounds);
            let mut said = sentences(&comparison);
            if comparison.differences.is_empty() {
                let complete = "no request is decided otherwise";
                let incomplete =
                    "no difference was found, and not everything was looked at: some requests may be decided otherwise";
                said.insert(0, if comparison.is_complete() { complete } else { incomplete }.to_owned());
            }
            said
        }
        (Err(why), _) | (_, Err(why)) => vec![format!("what changes for whom cannot be told: {why}")],
    }
}
