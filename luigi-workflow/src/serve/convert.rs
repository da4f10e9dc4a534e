//! From a record of the spool to an entry of the ledger.
//!
//! Whoever may write to the spool may write anything there: what cannot be said in an entry (a number that JSON does not hold, a time that no calendar has) is
//! brought into its range rather than refused, or one record could hold up all others.

use crate::ledger::{
    Decision, DecisionWord, Event, NewEntry, Person, RecordsLost, Reply, RequestsCounted, Response, SpoolPlace,
};
use jiff::Timestamp;
use luigi_core::policy::model::Mode;
use luigi_runtime::spool::{AllowedRecord, DecisionRecord, LossCounts, LossRecord, ResponseRecord};
use luigi_runtime::{EvaluationId, Outcome};
use std::collections::BTreeMap;

/// The largest integer of an entry.
const MOST: u64 = (1 << 53) - 1;

/// Where a record stood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) node: &'a str,
    pub(super) segment: &'a str,
    pub(super) offset: u64,
}

/// The moment of a record; now, if no calendar has it.
pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_else(|_| Timestamp::now())
}

pub(super) fn evaluation(id: [u8; 16]) -> String {
    EvaluationId::from_bytes(id).to_string()
}

pub(super) fn decision(record: &DecisionRecord<'_>, origin: Origin<'_>) -> NewEntry {
    let given = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
    let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let word = |allows| if allows { DecisionWord::Allow } else { DecisionWord::Deny };
    let person = |issuer: &str, subject: &str| {
        Some(Person { issuer: issuer.to_owned(), subject: subject.to_owned(), email: None })
            .filter(|person| !person.issuer.is_empty() || !person.subject.is_empty())
    };
    let caller = record.caller;
    let decision = Decision {
        evaluation: evaluation(record.evaluation),
        node: origin.node.to_owned(),
        revision: record.revision.iter().map(|byte| format!("{byte:02x}")).collect(),
        mode: if record.enforced { Mode::Enforce } else { Mode::Observe },
        decision: word(record.decision.allows),
        reason: record.decision.reason.to_owned(),
        rule: given(record.decision.rule),
        scope: given(record.scope),
        candidate: word(record.candidate.allows),
        candidate_reason: record.candidate.reason.to_owned(),
        candidate_rule: given(record.candidate.rule),
        advice: given(record.advice),
        outcome: if record.passed { Outcome::Pass } else { Outcome::Refuse },
        privileged: record.privileged,
        grant: given(record.grant),
        person: caller.and_then(|caller| person(caller.issuer, caller.subject)),
        actor: caller.and_then(|caller| person(caller.actor_issuer, caller.actor_subject)),
        credential: given(record.credential),
        asserted_by: caller.and_then(|caller| given(caller.asserted_by)),
        detail: given(record.detail),
        source: record.source.map(|source| source.to_string()),
        method: bytes(record.method),
        host: given(record.host),
        path: given(record.path),
        received: given(&bytes(record.received)),
        query: given(&bytes(record.query)),
        user_agent: given(&bytes(record.user_agent)),
        cut: record.cut,
        spool: Some(SpoolPlace { segment: origin.segment.to_owned(), offset: origin.offset }),
    };
    NewEntry { time: time(record.at_ms), event: Event::Decision(Box::new(decision)) }
}

/// How a request ended whose decision was made at `decided`, if that is on record.
pub(super) fn response(record: &ResponseRecord<'_>, decided: Option<i64>) -> NewEntry {
    // A clock that went back in between measured nothing.
    let milliseconds =
        decided.map(|decided| u64::try_from(record.at_ms.saturating_sub(decided)).unwrap_or(0).min(MOST));
    let backend = Some(String::from_utf8_lossy(record.backend).into_owned()).filter(|backend| !backend.is_empty());
    let reply = Reply::Received { status: record.status, backend, milliseconds };
    let response = Response { evaluation: evaluation(record.evaluation), reply };
    NewEntry { time: time(record.at_ms), event: Event::Response(response) }
}

/// A request that nobody answered.
pub(super) fn no_response(id: [u8; 16], now: Timestamp) -> NewEntry {
    let response = Response { evaluation: evaluation(id), reply: Reply::NoResponse };
    NewEntry { time: now, event: Event::Response(response) }
}

/// Records that the data plane could not write.
pub(super) fn lost(record: &LossRecord, segment: &str) -> NewEntry {
    let counts: BTreeMap<String, u64> = named(&record.counts)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), count.min(MOST)))
        .collect();
    let lost = RecordsLost {
        count: total(&record.counts).min(MOST),
        place: segment.to_owned(),
        reason: "the spool could not take them".to_owned(),
        counts,
        since: Some(time(record.since_ms).to_string()),
    };
    NewEntry { time: time(record.until_ms), event: Event::RecordsLost(lost) }
}

/// All that was lost, whatever somebody wrote there.
pub(super) fn total(counts: &LossCounts) -> u64 {
    named(counts).into_iter().fold(0, |sum, (_, count)| sum.saturating_add(count))
}

fn named(counts: &LossCounts) -> [(&'static str, u64); 6] {
    let LossCounts { allows, would_be_denials, denials, privileged_denials, responses, privileged } = *counts;
    [
        ("allows", allows),
        ("would-be-denials", would_be_denials),
        ("denials", denials),
        ("privileged-denials", privileged_denials),
        ("responses", responses),
        ("privileged", privileged),
    ]
}

/// Records that were there and cannot be read, or that are gone.
pub(super) fn unreadable(count: u64, place: &str, reason: String) -> NewEntry {
    let lost =
        RecordsLost { count: count.min(MOST), place: place.to_owned(), reason, counts: BTreeMap::new(), since: None };
    NewEntry::now(Event::RecordsLost(lost))
}

pub(super) fn counted(record: &AllowedRecord, segment: &str) -> NewEntry {
    let counted = RequestsCounted {
        count: record.count.min(MOST),
        since: time(record.since_ms).to_string(),
        place: segment.to_owned(),
    };
    NewEntry { time: time(record.until_ms), event: Event::RequestsCounted(counted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use luigi_runtime::spool::Judgement;

    /// Whoever may write to the spool may write this, and it must not hold up what others wrote.
    #[test]
    fn whatever_a_record_says_becomes_an_entry() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let most = LossCounts {
            allows: u64::MAX,
            would_be_denials: u64::MAX,
            denials: 1,
            privileged_denials: 0,
            responses: 0,
            privileged: 0,
        };
        let judgement = Judgement { allows: false, reason: "\u{0}\u{7f}\u{2028}", rule: "" };
        let wild = DecisionRecord {
            evaluation: [255; 16],
            at_ms: i64::MIN,
            decided_at: i64::MAX,
            revision: [0; 32],
            enforced: false,
            privileged: true,
            passed: true,
            decision: judgement,
            candidate: judgement,
            advice: "",
            scope: "",
            grant: "",
            detail: "",
            credential: "",
            caller: None,
            source: None,
            method: b"\xff\x00",
            host: "",
            path: "",
            received: b"/\xc3",
            query: b"",
            user_agent: b"\xf0\x9f",
            cut: true,
        };
        let origin = Origin { node: "\u{1}", segment: "s", offset: 12 };
        let late = ResponseRecord { evaluation: [1; 16], at_ms: i64::MAX, status: 0, backend: b"\xff" };
        let entries = [
            decision(&wild, origin),
            response(&late, Some(i64::MIN)),
            response(&ResponseRecord { at_ms: i64::MIN, ..late }, Some(i64::MAX)),
            lost(&LossRecord { since_ms: i64::MAX, until_ms: i64::MIN, counts: most }, "s"),
            counted(&AllowedRecord { since_ms: i64::MIN, until_ms: i64::MAX, count: u64::MAX }, "s"),
            unreadable(u64::MAX, "s", "x".to_owned()),
        ];
        ledger.append(&entries).unwrap();
    }
}
