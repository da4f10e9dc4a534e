//! What an auditor asks for about a period: who used privileged access, who had approved it, how long it stood open, what changed in the policy.
//!
//! Made for SOC 2, CC6.1 to CC6.3. Entries are masked unless said otherwise. Kept in memory: a period is a quarter, not a decade.

use super::entry::Entry;
use super::error::LedgerError;
use super::event::{Event, Kind, Person};
use super::filter::Filter;
use super::masking::mask;
use super::reader::Reader;
use super::verify::{Verification, Verifier};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// What to gather.
#[derive(Clone, Debug)]
pub struct EvidenceRequest {
    /// From this moment on.
    pub since: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
    /// What the sample is drawn by.
    pub seed: String,
    /// How many privileged accesses the sample has.
    pub sample: usize,
    /// Whether to mask entries.
    pub masked: bool,
}

/// The evidence of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Whether the ledger is what was written, and who vouches for it.
    pub verification: Verification,
    /// The population: every decision on a privileged scope.
    pub accesses: Vec<Entry>,
    /// Each access request of the period, and each grant that opened in it without one.
    pub approvals: Vec<Approval>,
    /// Policies put in force, modes, stops, secrets and keys that were changed.
    pub changes: Vec<Entry>,
    /// What an auditor wants to know about the record itself: records lost, starts and stops, who read without masking, what was retired.
    pub record: Vec<Entry>,
    /// The sample of the population, in order of sequence.
    pub sample: Vec<Entry>,
}

/// One access request and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Approval {
    /// The access request's id; empty if there was none.
    pub request: String,
    /// The grant's id; empty if none was issued.
    pub grant: String,
    /// Who asked.
    pub subject: String,
    /// What for.
    pub scope: String,
    /// Under which approval.
    pub approval: String,
    /// Why.
    pub justification: String,
    /// When it was asked for.
    pub asked: String,
    /// Who approved it, and when.
    pub approvers: Vec<String>,
    /// Who rejected it, and when.
    pub rejected: String,
    /// When the grant opened.
    pub opened: String,
    /// When it was to end.
    pub until: String,
    /// When it did: taken back, or by itself. Empty while it is open.
    pub ended: String,
    /// `revoked`, `expired`, `open`, `rejected` or `pending`.
    pub state: String,
    /// From opening to end, in seconds; `None` while it is open.
    pub open_seconds: Option<i64>,
    /// How many decisions it met.
    pub uses: u64,
    /// Whether somebody approved what they had asked for themselves.
    pub self_approved: bool,
}

/// Gathers the evidence of a period.
///
/// # Errors
/// The ledger cannot be read.
pub fn gather(reader: &Reader, request: &EvidenceRequest, verifier: &Verifier) -> Result<Evidence, LedgerError> {
    let verification = verifier.verify(reader)?;
    let mut evidence = Evidence {
        verification,
        accesses: Vec::new(),
        approvals: Vec::new(),
        changes: Vec::new(),
        record: Vec::new(),
        sample: Vec::new(),
    };
    let mut ids = Vec::new();
    let period = Filter { since: Some(request.since), until: Some(request.until), ..Filter::default() };
    reader.scan(0, &period, |entry| -> Result<_, LedgerError> {
        match &entry.event {
            Event::Decision(decision) if decision.privileged => evidence.accesses.push(entry),
            Event::AccessRequested(asked) => ids.push(asked.request.clone()),
            Event::Granted(granted) if granted.request.is_none() => ids.push(granted.grant.clone()),
            _ => match entry.kind() {
                Kind::PolicyApplied
                | Kind::ModeChanged
                | Kind::Stop
                | Kind::Unstop
                | Kind::SecretRotated
                | Kind::KeysChanged => evidence.changes.push(entry),
                Kind::RecordsLost
                | Kind::RequestsCounted
                | Kind::DaemonStarted
                | Kind::DaemonStopped
                | Kind::Disclosure
                | Kind::Retired
                | Kind::LedgerMade => evidence.record.push(entry),
                Kind::Decision
                | Kind::Response
                | Kind::AccessRequested
                | Kind::Approved
                | Kind::Rejected
                | Kind::Granted
                | Kind::Revoked
                | Kind::Expired => {}
            },
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for id in ids {
        evidence.approvals.push(approval(reader.story(&id)?, &id, request.masked));
    }
    let Evidence { verification: _, accesses, approvals: _, changes, record, sample } = &mut evidence;
    *sample = drawn(accesses, &request.seed, request.sample);
    if request.masked {
        for entries in [accesses, changes, record, sample] {
            *entries = std::mem::take(entries).into_iter().map(mask).collect();
        }
    }
    Ok(evidence)
}

/// The accesses with the smallest SHA-256 of `SEED:SEQUENCE`: anyone who has population and seed draws the same.
fn drawn(population: &[Entry], seed: &str, size: usize) -> Vec<Entry> {
    let mut order: Vec<_> = population
        .iter()
        .map(|entry| (digest(&SHA256, format!("{seed}:{}", entry.sequence).as_bytes()), entry))
        .collect();
    order.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
    let chosen: BTreeSet<u64> = order.into_iter().take(size).map(|(_, entry)| entry.sequence).collect();
    population.iter().filter(|entry| chosen.contains(&entry.sequence)).cloned().collect()
}

/// What a story says about one access request, or one grant without any.
fn approval(story: Vec<Entry>, id: &str, masked: bool) -> Approval {
    let mut found = Approval { state: "pending".to_owned(), ..Approval::default() };
    let (mut opened, mut asker) = (None, None);
    for entry in story {
        let entry_person = person(&entry.event).cloned();
        let entry = if masked { mask(entry) } else { entry };
        let time = entry.time;
        match entry.event {
            Event::AccessRequested(asked) if asked.request == id => {
                found.request = asked.request;
                (found.subject, found.scope, found.approval) = (asked.person.subject, asked.scope, asked.approval);
                found.justification = asked.justification.unwrap_or_default();
                found.asked = time.to_string();
                asker = entry_person;
            }
            Event::Approved(answer) if answer.request == id => {
                found.self_approved |= same(entry_person.as_ref(), asker.as_ref());
                found.approvers.push(format!("{} at {time}", answer.approver.subject));
            }
            Event::Rejected(answer) if answer.request == id => {
                found.rejected = format!("{} at {time}", answer.approver.subject);
                "rejected".clone_into(&mut found.state);
            }
            Event::Granted(granted) if granted.request.as_deref() == Some(id) || granted.grant == id => {
                opened = granted.from.parse::<Timestamp>().ok();
                (found.subject, found.scope, found.approval) =
                    (granted.person.subject, granted.scope, granted.approval);
                (found.grant, found.opened, found.until) = (granted.grant, granted.from, granted.until);
                "open".clone_into(&mut found.state);
            }
            Event::Revoked(revoked) if revoked.grant == found.grant => end(&mut found, "revoked", time, opened),
            Event::Expired(expired) if expired.grant == found.grant => end(&mut found, "expired", time, opened),
            Event::Decision(decision) if !found.grant.is_empty() && decision.grant.as_deref() == Some(&found.grant) => {
                found.uses += 1;
            }
            _ => {}
        }
    }
    found
}

fn end(found: &mut Approval, state: &str, time: Timestamp, opened: Option<Timestamp>) {
    state.clone_into(&mut found.state);
    found.ended = time.to_string();
    found.open_seconds = opened.map(|opened| time.duration_since(opened).as_secs());
}

fn person(event: &Event) -> Option<&Person> {
    match event {
        Event::AccessRequested(asked) => Some(&asked.person),
        Event::Approved(answer) => Some(&answer.approver),
        _ => None,
    }
}

fn same(a: Option<&Person>, b: Option<&Person>) -> bool {
    a.zip(b).is_some_and(|(a, b)| a.issuer == b.issuer && a.subject == b.subject)
}
