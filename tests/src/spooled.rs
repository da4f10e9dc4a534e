//! What a spool holds, read as whoever drains it would, for tests.

use luigi_runtime::EvaluationId;
use luigi_runtime::spool::{LossCounts, Next, Record, SpoolReader};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

/// Every record of a spool.
#[derive(Clone, Debug, Default)]
pub struct Spooled {
    /// The decisions, in the order of segments and of records in them.
    pub decisions: Vec<Decided>,
    /// The responses: evaluation, status, backend.
    pub responses: Vec<(String, u16, String)>,
    /// The losses that were told, added up.
    pub lost: LossCounts,
    /// How many allows were counted.
    pub allowed: u64,
    /// The processes that wrote.
    pub processes: BTreeSet<u32>,
    /// How many segments there are.
    pub segments: usize,
    /// The name of the machine.
    pub node: String,
}

/// The record of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The evaluation's id, as it is printed.
    pub evaluation: String,
    /// The reason.
    pub reason: String,
    /// The determining rule.
    pub rule: String,
    /// Its scope.
    pub scope: String,
    /// Whether the candidate decision allows.
    pub candidate_allows: bool,
    /// Whether the target is privileged.
    pub privileged: bool,
    /// Whether the request passed.
    pub passed: bool,
    /// Whether decisions had effect.
    pub enforced: bool,
    /// What became of the credential.
    pub credential: String,
    /// Who asked: issuer and subject.
    pub caller: Option<(String, String)>,
    /// From where.
    pub source: Option<IpAddr>,
    /// Method, host and path.
    pub request: String,
    /// The target without a canonical form.
    pub received: String,
    /// What the policy keeps of the query.
    pub query: String,
    /// The header.
    pub user_agent: String,
    /// The process that recorded it.
    pub process: u32,
}

impl Spooled {
    /// Reads a spool to the end of every segment; whatever is damaged or torn is an error of the test.
    ///
    /// # Panics
    /// If it cannot be read or holds anything but records.
    #[must_use]
    pub fn read(directory: &Path) -> Self {
        let mut spooled = Self::default();
        let reader = SpoolReader::open(directory).expect("the spool can be opened");
        let listing = reader.list().expect("the spool can be listed");
        assert!(listing.foreign.is_empty(), "{listing:?}");
        for id in listing.segments {
            let mut segment = reader.segment(id).expect("a segment");
            spooled.segments += 1;
            segment.header().node.clone_into(&mut spooled.node);
            let process = segment.header().process;
            spooled.processes.insert(process);
            loop {
                match segment.next().expect("a segment can be read") {
                    Next::Record { record, .. } => spooled.note(&record, process),
                    Next::Waiting | Next::Drained { torn_bytes: 0 } => break,
                    other @ (Next::Drained { .. } | Next::Damaged { .. }) => panic!("{id}: {other:?}"),
                }
            }
        }
        spooled
    }

    fn note(&mut self, record: &Record<'_>, process: u32) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match record {
            Record::Decision(record) => self.decisions.push(Decided {
                evaluation: EvaluationId::from_bytes(record.evaluation).to_string(),
                reason: record.decision.reason.to_owned(),
                rule: record.decision.rule.to_owned(),
                scope: record.scope.to_owned(),
                candidate_allows: record.candidate.allows,
                privileged: record.privileged,
                passed: record.passed,
                enforced: record.enforced,
                credential: record.credential.to_owned(),
                caller: record.caller.map(|caller| (caller.issuer.to_owned(), caller.subject.to_owned())),
                source: record.source,
                request: format!("{} {}{}", text(record.method), record.host, record.path),
                received: text(record.received),
                query: text(record.query),
                user_agent: text(record.user_agent),
                process,
            }),
            Record::Response(response) => {
                let evaluation = EvaluationId::from_bytes(response.evaluation).to_string();
                self.responses.push((evaluation, response.status, text(response.backend)));
            }
            Record::Lost(lost) => {
                let LossCounts { allows, would_be_denials, denials, privileged_denials, responses, privileged } =
                    &mut self.lost;
                *allows += lost.counts.allows;
                *would_be_denials += lost.counts.would_be_denials;
                *denials += lost.counts.denials;
                *privileged_denials += lost.counts.privileged_denials;
                *responses += lost.counts.responses;
                *privileged += lost.counts.privileged;
            }
            Record::Allowed(allowed) => self.allowed += allowed.count,
        }
    }

    /// The one decision on this request (`GET host/path`).
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    pub fn decision(&self, request: &str) -> &Decided {
        let mut found = self.decisions.iter().filter(|decided| decided.request == request);
        match (found.next(), found.next()) {
            (Some(decided), None) => decided,
            (found, more) => panic!("not one decision on {request}: {found:?} {more:?} of {:?}", self.decisions),
        }
    }

    /// The status and backend of the response to an evaluation, if it was recorded.
    #[must_use]
    pub fn response_to(&self, evaluation: &str) -> Option<(u16, &str)> {
        let found = self.responses.iter().find(|(of, _, _)| of == evaluation);
        found.map(|(_, status, backend)| (*status, backend.as_str()))
    }
}
