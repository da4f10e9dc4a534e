//! From an answer to its record: what is worth one, what it says, and what becomes of a request that gets none.
//!
//! Between [`Context`](crate::Context) and the [`spool`](crate::spool). A record says who did what and how it was decided; it has no token, and of a query only what the
//! policy keeps.

use crate::answer::{Answer, Outcome};
use crate::answer_line;
use crate::evaluation_id::EvaluationId;
use crate::request::Facts;
use crate::spool::{
    Caller, DecisionRecord, Judgement, MAX_PATH_BYTES, MAX_TEXT_BYTES, Moment, Record, ResponseRecord, Worth, Writer,
    cut, cut_bytes,
};
use luigi_core::decide::{Decision, Source};
use luigi_core::identity::{Identity, Provenance};
use luigi_core::matchers::is_parameter_of;
use luigi_core::policy::model::{Audit, Mode};
use luigi_core::target::{CanonicalTarget, Host};
use luigi_core::time::Timestamp;

/// The header that records carry if it is passed.
pub(crate) const USER_AGENT: &str = "user-agent";

/// What became of the record of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is in the spool, or not worth a record, or counted as lost.
    AsFarAsNeeded,
    /// It is lost, and without it the request must not pass.
    Unavailable,
}

/// Records a decision as far as it is worth it.
///
/// # Allocation
/// None.
pub(crate) fn decision(
    writer: &mut Writer,
    answer: &Answer<'_>,
    facts: Option<&Facts<'_>>,
    decided_at: Timestamp,
) -> Recorded {
    let now = Moment::now();
    let Some(worth) = worth(answer) else {
        writer.count_allowed(now);
        return Recorded::AsFarAsNeeded;
    };
    let mut query = KeptQuery::default();
    query.keep(answer, answer.target().and_then(|target| target.forwarded()));
    let record = record(answer, facts, &query, decided_at, now);
    match writer.append(worth, &Record::Decision(record), now) {
        Ok(()) => Recorded::AsFarAsNeeded,
        Err(_) => without_record(answer),
    }
}

/// What becomes of a request whose record is lost.
pub(crate) fn without_record(answer: &Answer<'_>) -> Recorded {
    match (answer.evaluation().privileged, answer.evaluation().audit) {
        (true, Audit::Required) => Recorded::Unavailable,
        (true, Audit::BestEffort) | (false, _) => Recorded::AsFarAsNeeded,
    }
}

/// Records how a request ended; a loss is counted.
pub(crate) fn response(writer: &mut Writer, id: EvaluationId, status: u16, backend: &[u8]) {
    let now = Moment::now();
    let backend = cut_bytes(backend, MAX_TEXT_BYTES, &mut false);
    let record = ResponseRecord { evaluation: id.to_bytes(), at_ms: now.ms, status, backend };
    // What is lost is counted by the writer, and the request has been answered.
    let _ = writer.append(Worth::Response, &Record::Response(record), now);
}

/// What the record of an answer is worth; `None` if the request is only counted.
fn worth(answer: &Answer<'_>) -> Option<Worth> {
    let evaluation = answer.evaluation();
    match (evaluation.privileged, evaluation.decision.allows(), answer.outcome()) {
        (true, true, _) => Some(Worth::Privileged),
        (true, false, _) => Some(Worth::PrivilegedDenial),
        (false, false, Outcome::Refuse) => Some(Worth::Denial),
        (false, false, Outcome::Pass) => Some(Worth::WouldBeDenial),
        // Allowed, and not delivered to whoever asked.
        (false, true, Outcome::Refuse) => Some(Worth::Denial),
        (false, true, Outcome::Pass) if !evaluation.candidate.allows() => Some(Worth::WouldBeDenial),
        (false, true, Outcome::Pass) => is_sampled(answer).then_some(Worth::Allow),
    }
}

/// Whether the policy wants this one of the requests that are only counted. Each thread counts by itself.
fn is_sampled(answer: &Answer<'_>) -> bool {
    let sample = answer.version().policy().auditing.sample;
    sample.is_some_and(|sample| answer.id().count().is_multiple_of(u64::from(sample)))
}

/// What a record keeps of a query.
struct KeptQuery {
    bytes: [u8; MAX_TEXT_BYTES],
    length: usize,
    /// Whether there was no room for all of it.
    was_cut: bool,
}

impl Default for KeptQuery {
    fn default() -> Self {
        Self { bytes: [0; MAX_TEXT_BYTES], length: 0, was_cut: false }
    }
}

impl KeptQuery {
    /// Keeps the parameters that the policy names, as received, as far as whole ones fit.
    fn keep(&mut self, answer: &Answer<'_>, target: Option<CanonicalTarget<'_>>) {
        let names = &answer.version().policy().auditing.query_parameters;
        if names.is_empty() {
            return;
        }
        for pair in target.and_then(|target| target.query).map_or(&b""[..], |query| query).split(|byte| *byte == b'&') {
            if !is_parameter_of(pair, names) {
                continue;
            }
            let joint = usize::from(self.length > 0);
            let end = self.length + joint + pair.len();
            let Some(room) = self.bytes.get_mut(self.length..end) else {
                self.was_cut = true;
                continue;
            };
            room[..joint].fill(b'&');
            room[joint..].copy_from_slice(pair);
            self.length = end;
        }
    }
}

fn record<'a>(
    answer: &Answer<'a>,
    facts: Option<&Facts<'a>>,
    query: &'a KeptQuery,
    decided_at: Timestamp,
    now: Moment,
) -> DecisionRecord<'a> {
    let mut was_cut = query.was_cut;
    let mut text = |text: Option<&'a str>| cut(text.unwrap_or_default(), MAX_TEXT_BYTES, &mut was_cut);
    let judgement =
        |decision: &Decision, rule| Judgement { allows: decision.allows(), reason: decision.reason.as_str(), rule };
    let decision = judgement(answer.decision(), text(answer.rule_name()));
    let candidate = judgement(answer.candidate(), text(answer.candidate_rule_name()));
    let scope = text(answer.scope_name());
    let canonical = answer.target().and_then(|target| target.forwarded());
    let host = text(canonical.and_then(|target| match target.host {
        Host::Absent => None,
        Host::Name(host) | Host::Address(host) => Some(host),
    }));
    let caller = answer.identity().map(|identity| caller(identity, &mut text));
    let path = cut(canonical.map_or("", |target| target.path), MAX_PATH_BYTES, &mut was_cut);
    let mut bytes = |bytes: &'a [u8]| cut_bytes(bytes, MAX_TEXT_BYTES, &mut was_cut);
    let received = facts.filter(|_| canonical.is_none()).map_or(&b""[..], |facts| path_of(facts.target));
    DecisionRecord {
        evaluation: answer.id().to_bytes(),
        at_ms: now.ms,
        decided_at: decided_at.unix_seconds(),
        revision: *answer.version().snapshot().revision().as_bytes(),
        enforced: answer.mode() == Mode::Enforce,
        privileged: answer.evaluation().privileged,
        passed: answer.outcome() == Outcome::Pass,
        decision,
        candidate,
        advice: answer.decision().advice.as_ref().map_or("", |advice| advice.as_str()),
        scope,
        // Nothing issues grants yet that a decision could rest on.
        grant: "",
        detail: answer.detail().unwrap_or_default(),
        credential: answer_line::credential_word(answer.credential()),
        caller,
        source: match answer.source() {
            Source::Address(address) => Some(address),
            Source::Unknown => None,
        },
        method: bytes(facts.map_or(b"", |facts| facts.method)),
        host,
        path,
        received: bytes(received),
        query: &query.bytes[..query.length],
        user_agent: bytes(facts.and_then(user_agent).unwrap_or_default()),
        cut: was_cut,
    }
}

fn caller<'a>(identity: &'a Identity, text: &mut impl FnMut(Option<&'a str>) -> &'a str) -> Caller<'a> {
    let actor = identity.actor();
    Caller {
        issuer: text(Some(identity.issuer())),
        subject: text(Some(identity.subject())),
        actor_issuer: text(actor.map(|actor| actor.issuer.as_ref())),
        actor_subject: text(actor.and_then(|actor| actor.subject.as_deref())),
        asserted_by: text(match identity.provenance() {
            Provenance::Asserted { by } => Some(by.as_ref()),
            Provenance::Verified { .. } => None,
        }),
    }
}

/// The path of a target as received: without its query, which may hold a secret, and without its authority, which may hold a password.
pub(crate) fn path_of(received: &[u8]) -> &[u8] {
    let end = received.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(received.len());
    let received = &received[..end];
    let start = if received.starts_with(b"/") {
        0
    } else {
        // The absolute-form: the path begins behind the authority, which holds no slash.
        let authority = received.windows(3).position(|bytes| bytes == b"://").map_or(0, |at| at + 3);
        received[authority..].iter().position(|byte| *byte == b'/').map_or(received.len(), |at| authority + at)
    };
    &received[start..]
}

fn user_agent<'a>(facts: &Facts<'a>) -> Option<&'a [u8]> {
    let lines = match facts.source_of_more {
        Some(source) => source.header_lines(USER_AGENT),
        None => facts.more.header(USER_AGENT),
    };
    lines.filter(|lines| lines.count > 0).map(|lines| lines.last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_query_nor_authority_is_part_of_a_received_path() {
        for (received, expected) in [
            ("/a%2fb", "/a%2fb"),
            ("/a?token=x", "/a"),
            ("/a#x?y", "/a"),
            ("http://user:password@x.test/a?b", "/a"),
            ("http://user:password@x.test", ""),
            ("http://x.test?token=/a", ""),
            ("user:password@x.test:443", ""),
            ("", ""),
        ] {
            assert_eq!(path_of(received.as_bytes()), expected.as_bytes(), "{received}");
        }
    }
}
