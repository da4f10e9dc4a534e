//! What one thread needs to evaluate requests, and the way from facts to an answer.

use crate::answer::{Answer, Outcome};
use crate::answer_line;
use crate::carried::{Passed, lacking};
use crate::counters::Tally;
use crate::engine::Shared;
use crate::evaluation_id::{EvaluationId, EvaluationIds};
use crate::facts::Malformed;
use crate::recording::{self, Recorded};
use crate::request::{Caller, Facts};
use crate::spool::{Moment, Writer};
use crate::version::Version;
use arc_swap::{ArcSwap, Cache};
use luigi_core::decide::{Decision, Evaluation, Reason, Request, RequestFacts, Scratch, Source};
use luigi_core::explain::{self, Explanation};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{Authorization, Credential, TokenCache, TokenCacheLimits, credential};
use luigi_core::kleene::Kleene;
use luigi_core::policy::model::Mode;
use luigi_core::target::{Ambiguity, RawTarget, Target, TargetBuffer, as_forwarded, canonicalize};
use luigi_core::time::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The buffers and caches of one thread. Owned by the embedder; may move between threads, serves one at a time.
#[derive(Debug)]
pub struct Context {
    shared: Arc<Shared>,
    version: Cache<Arc<ArcSwap<Version>>, Arc<Version>>,
    ids: EvaluationIds,
    tally: Arc<Tally>,
    tools: Tools,
    /// Set while an evaluation runs: if it is set when the next begins, a panic left the tools in doubt.
    in_doubt: bool,
    no_grants: GrantSet,
    /// Where decisions are recorded, if anywhere.
    writer: Option<Writer>,
}

/// What an evaluation writes to.
#[derive(Debug)]
struct Tools {
    scratch: Scratch,
    target: TargetBuffer,
    /// The path to forward, where the received one is not canonical.
    forward: Box<[u8]>,
    tokens: TokenCache,
    /// The client certificate of a request.
    certificate: Vec<u8>,
    /// The revision for which a line was found to lack something.
    lacking_in: String,
}

impl Tools {
    fn new(version: &Version) -> Self {
        Self {
            scratch: Scratch::for_snapshot(version.snapshot()),
            target: TargetBuffer::new(),
            forward: vec![0; answer_line::MAX_PATH_BYTES].into(),
            tokens: TokenCache::new(TokenCacheLimits::default()),
            certificate: Vec::new(),
            lacking_in: String::new(),
        }
    }
}

/// What an evaluation found out about the request itself.
struct Judged<'a> {
    credential: Credential<'a>,
    source: Source,
    target: Option<Target<'a>>,
    rewritten: Option<&'a str>,
    malformed: Option<Malformed>,
}

impl Judged<'_> {
    /// Nothing.
    fn nothing(malformed: Option<Malformed>) -> Self {
        Self { credential: Credential::Absent, source: Source::Unknown, target: None, rewritten: None, malformed }
    }
}

/// Refuses before anything is known of a request.
#[cold]
fn refuse<'a>(evaluation: &mut Evaluation, reason: Reason, malformed: Option<Malformed>) -> Judged<'a> {
    *evaluation = Evaluation::refused(reason);
    Judged::nothing(malformed)
}

/// Whether an embedder could hand an answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Whoever asked has it.
    Done,
    /// Whoever asked does not get it, and is told to refuse.
    Failed,
}

/// What an evaluation is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// To decide: it gets an id of its own and is counted.
    Decide,
    /// To say more about an evaluation that was counted under this id.
    Review(EvaluationId),
    /// The same, of one that came to nothing because no record could be taken of it.
    ReviewUnrecorded(EvaluationId),
}

impl Context {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let mut version = Cache::new(Arc::clone(&shared.current));
        let tools = Tools::new(version.load());
        Self {
            version,
            ids: EvaluationIds::new(),
            tally: shared.tallies.join(),
            tools,
            in_doubt: false,
            no_grants: GrantSet::default(),
            writer: shared.spool.as_ref().map(Writer::new),
            shared: Arc::clone(shared),
        }
    }

    /// Decides one request.
    ///
    /// Total: a failure of our own, a panic included, is the answer [`Reason::InternalError`].
    ///
    /// # Allocation
    /// None, once a version has been used before and the token has been seen before.
    pub fn evaluate<'a>(&'a mut self, facts: &Facts<'a>, now: Timestamp) -> Answer<'a> {
        self.answer(Purpose::Decide, Caller::InFacts, Ok(facts), now)
    }

    /// Decides one request of a caller whom the embedder may vouch for. An identity that has expired by `now` is an expired credential.
    ///
    /// # Allocation
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_for<'a>(&'a mut self, caller: Caller<'a>, facts: &Facts<'a>, now: Timestamp) -> Answer<'a> {
        self.answer(Purpose::Decide, caller, Ok(facts), now)
    }

    /// As [`evaluate_for`](Self::evaluate_for), for embedders that may fail to hand an answer on. They are shown it before it is recorded and counted; what they cannot
    /// deliver is refused, whatever the mode, and recorded and counted so. `facts` may be malformed, too.
    ///
    /// # Allocation
    /// As [`evaluate`](Self::evaluate).
    #[inline]
    pub fn evaluate_and_deliver<'a>(
        &'a mut self,
        caller: Caller<'a>,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
        deliver: impl FnOnce(&Answer<'a>) -> Delivery,
    ) -> Answer<'a> {
        self.answer_and(Purpose::Decide, caller, facts, now, deliver)
    }

    /// The answer for facts that do not have the form they must have.
    pub fn evaluate_malformed(&mut self, why: Malformed, now: Timestamp) -> Answer<'_> {
        self.answer(Purpose::Decide, Caller::InFacts, Err(why), now)
    }

    /// Comes back to a request that was evaluated under this id, to tell its caller more about it; `facts` are as they were then,
    /// or why they were malformed. Not counted. A version that was published in between is the one that answers.
    pub fn review<'a>(
        &'a mut self,
        id: EvaluationId,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
    ) -> Answer<'a> {
        self.review_for(id, Caller::InFacts, facts, now)
    }

    /// As [`review`](Self::review), of a request that was denied as [`Reason::AuditUnavailable`]: the rules would not say so again.
    pub fn review_unrecorded<'a>(
        &'a mut self,
        id: EvaluationId,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
    ) -> Answer<'a> {
        self.review_unrecorded_for(id, Caller::InFacts, facts, now)
    }

    /// As [`review_unrecorded`](Self::review_unrecorded), for a request of a caller whom the embedder may vouch for.
    pub fn review_unrecorded_for<'a>(
        &'a mut self,
        id: EvaluationId,
        caller: Caller<'a>,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
    ) -> Answer<'a> {
        self.answer(Purpose::ReviewUnrecorded(id), caller, facts, now)
    }

    /// As [`review`](Self::review), for a request of a caller whom the embedder may vouch for.
    pub fn review_for<'a>(
        &'a mut self,
        id: EvaluationId,
        caller: Caller<'a>,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
    ) -> Answer<'a> {
        self.answer(Purpose::Review(id), caller, facts, now)
    }

    /// How the version in force decides a request, rule by rule, by the slow evaluator. Not counted, and it has no evaluation id.
    ///
    /// # Errors
    /// Facts that are refused as malformed, before any rule.
    pub fn explain(&mut self, caller: Caller<'_>, facts: &Facts<'_>, now: Timestamp) -> Result<Explanation, Malformed> {
        if facts.host_count > 1 {
            return Err(Malformed::RepeatedHost);
        }
        let Self { version, tools, no_grants, shared, .. } = self;
        let version: &Version = version.load();
        let explain = |request: &Request<'_>, _: &mut Scratch| explain::evaluate(version.policy(), request);
        Ok(asked(version, tools, no_grants, shared, (caller, facts, now), explain).0)
    }

    fn answer<'a>(
        &'a mut self,
        purpose: Purpose,
        caller: Caller<'a>,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
    ) -> Answer<'a> {
        self.answer_and(purpose, caller, facts, now, |_| Delivery::Done)
    }

    #[inline]
    fn answer_and<'a>(
        &'a mut self,
        purpose: Purpose,
        caller: Caller<'a>,
        facts: Result<&Facts<'a>, Malformed>,
        now: Timestamp,
        deliver: impl FnOnce(&Answer<'a>) -> Delivery,
    ) -> Answer<'a> {
        let recorded = facts.ok().map(|facts| (facts, now));
        // PERF: an evaluation is written where the answer has it, since it is larger than all else.
        let judge = |evaluation: &mut Evaluation,
                     version: &'a Version,
                     tools: &'a mut Tools,
                     no_grants: &'a GrantSet,
                     shared: &Shared| {
            let facts = match facts {
                Ok(facts) if facts.host_count <= 1 => facts,
                Ok(_) => return refuse(evaluation, Reason::MalformedFacts, Some(Malformed::RepeatedHost)),
                Err(why) => return refuse(evaluation, Reason::MalformedFacts, Some(why)),
            };
            let decide = |request: &Request<'_>, scratch: &mut Scratch| {
                version.snapshot().decide_into(request, scratch, evaluation);
            };
            let ((), known) = asked(version, tools, no_grants, shared, (caller, facts, now), decide);
            let Known { credential, source, target, rewritten } = known;
            Judged { credential, source, target: Some(target), rewritten, malformed: None }
        };
        self.guarded(purpose, recorded, judge, deliver)
    }

    /// Lets go of a version that is no longer in force, and tells the spool what could not be recorded; for threads without requests.
    pub fn refresh(&mut self) {
        self.version.load();
        if let Some(writer) = &mut self.writer {
            writer.tell(Moment::now());
        }
    }

    /// Records how a request of privileged scopes ended that was evaluated under this id. Nothing if nothing is recorded.
    ///
    /// # Allocation
    /// None.
    pub fn record_response(&mut self, id: EvaluationId, status: u16, backend: &[u8]) {
        if let Some(writer) = &mut self.writer {
            recording::response(writer, id, status, backend);
        }
    }

    /// Runs an evaluation so that nothing it does can get past: a panic becomes an answer.
    fn guarded<'a>(
        &'a mut self,
        purpose: Purpose,
        recorded: Option<(&Facts<'a>, Timestamp)>,
        judge: impl FnOnce(&mut Evaluation, &'a Version, &'a mut Tools, &'a GrantSet, &Shared) -> Judged<'a>,
        deliver: impl FnOnce(&Answer<'a>) -> Delivery,
    ) -> Answer<'a> {
        let Self { version, ids, tally, tools, in_doubt, no_grants, shared, writer } = self;
        let version: &'a Version = version.load();
        let id = match purpose {
            Purpose::Decide => ids.next(),
            Purpose::Review(id) | Purpose::ReviewUnrecorded(id) => id,
        };
        let was_in_doubt = std::mem::replace(in_doubt, true);
        let mut evaluation = Evaluation::refused(Reason::InternalError);
        let judged = catch_unwind(AssertUnwindSafe(|| {
            if was_in_doubt {
                *tools = Tools::new(version);
            }
            judge(&mut evaluation, version, tools, no_grants, shared)
        }));
        let judged = match judged {
            Ok(judged) => {
                *in_doubt = false;
                judged
            }
            // What it had said by then counts for nothing.
            Err(_) => refuse(&mut evaluation, Reason::InternalError, None),
        };
        let outcome = outcome(version, &evaluation);
        let Judged { credential, source, target, rewritten, malformed } = judged;
        let mut answer = Answer { id, outcome, evaluation, credential, source, target, rewritten, malformed, version };
        match purpose {
            Purpose::Decide => {
                let delivery = deliver(&answer);
                if delivery == Delivery::Failed {
                    answer.outcome = Outcome::Refuse;
                }
                if let Some(writer) = writer
                    && record(writer, &answer, recorded) == Recorded::Unavailable
                {
                    answer = unrecorded(answer);
                }
                match delivery {
                    Delivery::Done => tally.count(&answer),
                    Delivery::Failed => {
                        answer.outcome = Outcome::Refuse;
                        tally.count_undelivered();
                    }
                }
            }
            Purpose::Review(_) => {}
            Purpose::ReviewUnrecorded(_) => answer = unrecorded(answer),
        }
        answer
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.shared.tallies.leave(&self.tally);
    }
}

/// What happens to a request, after the mode.
fn outcome(version: &Version, evaluation: &Evaluation) -> Outcome {
    match version.mode() {
        Mode::Observe => Outcome::Pass,
        Mode::Enforce if evaluation.decision.allows() => Outcome::Pass,
        Mode::Enforce => Outcome::Refuse,
    }
}

/// Records an answer. A panic on the way is a record that was not taken.
fn record(writer: &mut Writer, answer: &Answer<'_>, recorded: Option<(&Facts<'_>, Timestamp)>) -> Recorded {
    let (facts, at) = (recorded.map(|(facts, _)| facts), recorded.map_or_else(crate::now, |(_, at)| at));
    let taken = catch_unwind(AssertUnwindSafe(|| recording::decision(writer, answer, facts, at)));
    taken.unwrap_or_else(|_| recording::without_record(answer))
}

/// The answer to a request that must not pass without a record, and has none.
fn unrecorded(answer: Answer<'_>) -> Answer<'_> {
    let decision = Decision::refused(Reason::AuditUnavailable);
    let evaluation = Evaluation { decision, candidate: decision, tunnel_seconds: None, ..answer.evaluation };
    Answer { evaluation, outcome: outcome(answer.version, &evaluation), ..answer }
}

/// What a request comes to before any rule.
struct Known<'a> {
    credential: Credential<'a>,
    source: Source,
    target: Target<'a>,
    /// The path to forward in place of the received one.
    rewritten: Option<&'a str>,
}

/// From the facts to a request with a canonical target, a judged credential and whatever else the policy asks for, and what `then` makes of it.
#[inline(always)]
fn asked<'a, T>(
    version: &'a Version,
    tools: &'a mut Tools,
    no_grants: &'a GrantSet,
    shared: &Shared,
    (caller, facts, now): (Caller<'a>, &Facts<'a>, Timestamp),
    then: impl FnOnce(&Request<'_>, &mut Scratch) -> T,
) -> (T, Known<'a>) {
    let Tools { scratch, target, forward, tokens, certificate, lacking_in } = tools;
    let raw = RawTarget { method: facts.method, target: facts.target, host: facts.host };
    let (target, rewritten) = forwardable(facts.target, canonicalize(raw, target), forward);
    let credential = match caller {
        Caller::InFacts => credential(authorization(facts), version.trust(), tokens, now),
        Caller::Asserted(identity) if now < identity.expires_at() => Credential::Verified(identity),
        Caller::Asserted(_) => Credential::Expired,
    };
    // PERF: where there are none nobody looks at a clock.
    let count = version.grants().is_empty() || version.is_heard_of(now, shared.stale_after_seconds);
    let grants = if count { version.grants() } else { no_grants };
    let source = version.snapshot().source(source(facts.source), |name| match facts.source_of_more {
        Some(source) => source.header_lines(name),
        None => facts.more.header(name),
    });
    // PERF: a policy that asks for no further facts pays nothing for them.
    let passed;
    let policy = version.policy();
    let further = if policy.facts.is_empty() {
        RequestFacts::NONE
    } else {
        passed = match facts.source_of_more {
            Some(source) => Passed::from_source(policy, source),
            None => Passed::of(policy, facts.more, certificate),
        };
        if passed.incomplete && lacking_in != version.revision() {
            version.revision().clone_into(lacking_in);
            shared.note_lacking(lacking(policy, facts.more));
        }
        RequestFacts { values: passed.values(), certificate: &passed.certificate }
    };
    let upgrade = facts.upgrade_count.map_or(Kleene::Unknown, |count| (count > 0).into());
    let (method, stops) = (facts.method, version.stops());
    let request = Request { method, target, upgrade, source, credential, time: now, grants, stops, facts: further };
    (then(&request, scratch), Known { credential, source, target, rewritten })
}

/// The target, and the path that a backend is to get in place of the received one, if it is. A target whose path the backend could not be told is as good as
/// ambiguous.
fn forwardable<'a>(received: &[u8], target: Target<'a>, room: &'a mut [u8]) -> (Target<'a>, Option<&'a str>) {
    let path = match target {
        Target::Canonical(target) => target.path,
        // If such a request passes its host accepts the class, so that the backend needs what is ambiguous as it stands.
        Target::Readings(readings) => readings.as_it_stands().path,
        Target::Ambiguous(_) => return (target, None),
    };
    // PERF: nearly always it was received as it is forwarded, and nothing else need be looked for in it.
    let as_received = |rest: &[u8]| matches!(rest, [] | [b'?', ..]);
    if !path.starts_with('/') || received.strip_prefix(path.as_bytes()).is_some_and(as_received) {
        return (target, None);
    }
    let received = recording::path_of(received);
    match as_forwarded(received, &target, room) {
        Ok(path) if path.as_bytes() == received => (target, None),
        Ok(path) => (target, Some(path)),
        Err(_) => (Target::Ambiguous(Ambiguity::TooLong), None),
    }
}

fn authorization<'a>(facts: &Facts<'a>) -> Authorization<'a> {
    match (facts.authorization_count, facts.authorization) {
        (0, None) => Authorization::Absent,
        (0 | 1, Some(value)) => Authorization::One(value),
        // Also a count without a value: what was there cannot be known.
        (1.., None) | (2.., Some(_)) => Authorization::Several,
    }
}

fn source(text: Option<&[u8]>) -> Source {
    let address = text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
    address.map_or(Source::Unknown, Source::from_address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AmbiguousTargets, Carried, Engine, EngineConfig, PolicyFileConfig};
    use std::net::IpAddr;

    fn engine(mode: Mode) -> Engine {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("policy.toml");
        let policy = "schema = 1\n[scopes.open]\nhosts = \"any\"\noperations = [\"GET /open\"]\n\
                      [[rules]]\nid = \"open\"\neffect = \"allow\"\nscopes = [\"open\"]\nsubject = \"anyone\"\n";
        std::fs::write(&path, policy).unwrap();
        Engine::open(&EngineConfig::PolicyFile(PolicyFileConfig {
            path,
            environment: None,
            jwks: Vec::new(),
            mode,
            carried: Carried::Everything,
            spool: None,
        }))
        .unwrap()
    }

    fn open<'a>() -> Facts<'a> {
        Facts { method: b"GET", target: b"/open", host: Some(b"example.com"), host_count: 1, ..Facts::default() }
    }

    #[test]
    fn a_panic_is_an_answer_and_the_next_evaluation_is_sound() {
        for (mode, outcome) in [(Mode::Observe, Outcome::Pass), (Mode::Enforce, Outcome::Refuse)] {
            let engine = engine(mode);
            let mut context = engine.context();
            let limits = TokenCacheLimits { entries: 64, ..TokenCacheLimits::default() };
            let judge = |evaluation: &mut Evaluation, _: &_, tools: &mut Tools, _: &_, _: &_| {
                *evaluation = Evaluation::refused(Reason::AllowedByRule);
                tools.tokens = TokenCache::new(limits);
                panic!("in the middle of an evaluation")
            };
            let answer = context.guarded(Purpose::Decide, None, judge, |_| Delivery::Done);
            assert_eq!((answer.decision().reason, answer.outcome()), (Reason::InternalError, outcome));
            assert_eq!(answer.status_code(), 503);
            assert!(context.in_doubt);
            let answer = context.evaluate(&open(), crate::now());
            assert_eq!((answer.decision().reason, answer.outcome()), (Reason::AllowedByRule, Outcome::Pass));
            assert!(!context.in_doubt);
            let fresh = TokenCache::new(TokenCacheLimits::default());
            assert_eq!(format!("{:?}", context.tools.tokens), format!("{fresh:?}"), "what a panic left is thrown away");
            let counters = engine.status().counters;
            assert_eq!((counters.failures, counters.decisions["internal-error"]), (1, 1));
            drop(context);
            engine.count_failure();
            assert_eq!(engine.status().counters.failures, 2, "what a context counted stays when it is gone");
        }
    }

    #[test]
    fn what_cannot_be_delivered_is_refused_and_counted_so() {
        for mode in [Mode::Observe, Mode::Enforce] {
            let engine = engine(mode);
            let mut context = engine.context();
            let (facts, now) = (open(), crate::now());
            let mut shown = None;
            let answer = context.evaluate_and_deliver(Caller::InFacts, Ok(&facts), now, |answer| {
                shown = Some((answer.id(), answer.outcome()));
                Delivery::Failed
            });
            assert_eq!((answer.decision().reason, answer.outcome()), (Reason::AllowedByRule, Outcome::Refuse));
            assert_eq!(shown, Some((answer.id(), Outcome::Pass)));
            let answer = context.evaluate_and_deliver(Caller::InFacts, Ok(&facts), now, |_| Delivery::Done);
            assert_eq!(answer.outcome(), Outcome::Pass);
            let counters = engine.status().counters;
            assert_eq!((counters.passed, counters.refused, counters.undelivered), (1, 1, 1), "{mode:?}");
            assert_eq!((counters.would_be_refused, counters.decisions["allowed-by-rule"]), (0, 1));
            drop(context);
            assert_eq!(engine.status().counters, counters, "what a context counted stays when it is gone");
        }
    }

    #[test]
    fn refusals_of_our_own_have_effect_only_while_enforcing() {
        let two_hosts = Facts { host_count: 2, ..open() };
        let two_tokens = Facts { authorization: Some(b"Bearer x"), authorization_count: 2, ..open() };
        let lost_token = Facts { authorization: None, authorization_count: 1, ..open() };
        let ambiguous = Facts { target: b"/x%2f../open", ..open() };
        for (mode, outcome) in [(Mode::Observe, Outcome::Pass), (Mode::Enforce, Outcome::Refuse)] {
            let engine = engine(mode);
            let mut context = engine.context();
            for (facts, reason) in [
                (two_hosts, Reason::MalformedFacts),
                (two_tokens, Reason::AmbiguousCredential),
                (lost_token, Reason::AmbiguousCredential),
                (ambiguous, Reason::AmbiguousTarget),
            ] {
                let answer = context.evaluate(&facts, crate::now());
                assert_eq!((answer.decision().reason, answer.outcome()), (reason, outcome), "{facts:?}");
                assert_eq!((answer.status_code(), answer.challenge()), (400, None));
            }
            let answer = context.evaluate_malformed(Malformed::CutOff, crate::now());
            assert_eq!((answer.decision().reason, answer.outcome()), (Reason::MalformedFacts, outcome));
            let counters = engine.status().counters;
            assert_eq!(counters.would_be_refused + counters.refused, 5);
            assert_eq!(counters.failures, 0);
            let of_class = match outcome {
                Outcome::Pass => AmbiguousTargets { refused: 0, would_be_refused: 1 },
                Outcome::Refuse => AmbiguousTargets { refused: 1, would_be_refused: 0 },
            };
            drop(context);
            let mut counted = engine.status().counters.ambiguous_targets;
            assert_eq!(counted.remove("encoded-slash"), Some(of_class), "what a context counted stays when it is gone");
            assert!(counted.values().all(|others| *others == AmbiguousTargets::default()), "{counted:?}");
        }
    }

    #[test]
    fn a_path_is_rewritten_where_it_is_not_canonical() {
        let long = format!("/./{}", "x".repeat(answer_line::MAX_PATH_BYTES));
        for (received, expected) in [
            ("/a/b", Ok(None)),
            ("/a/b/", Ok(None)),
            ("/", Ok(None)),
            ("/a?x=/../b", Ok(None)),
            ("http://x.test/a?b", Ok(None)),
            ("https://x.test/", Ok(None)),
            ("/a/../b", Ok(Some("/b"))),
            ("/a//b?c", Ok(Some("/a/b"))),
            ("/%61", Ok(Some("/a"))),
            ("/a%2fb", Err(Ambiguity::EncodedSlash)),
            ("http://x.test/a/./b", Ok(Some("/a/b"))),
            ("http://x.test", Ok(Some("/"))),
            ("http://x.test?a/b", Err(Ambiguity::BadForm)),
            // Escapes of reserved characters stay as they were sent, in upper case.
            ("/a%2Bb", Ok(None)),
            ("/a%2bb", Ok(Some("/a%2Bb"))),
            ("/x/../a%2Bb+c%2C%3a?d%2be", Ok(Some("/a%2Bb+c%2C%3A"))),
            ("http://x.test/%61%40", Ok(Some("/a%40"))),
            (long.as_str(), Err(Ambiguity::TooLong)),
        ] {
            let mut buffer = TargetBuffer::new();
            let raw = RawTarget { method: b"GET", target: received.as_bytes(), host: Some(b"x.test") };
            let mut room = [0; answer_line::MAX_PATH_BYTES];
            let (target, rewritten) = forwardable(raw.target, canonicalize(raw, &mut buffer), &mut room);
            let found = match target {
                Target::Canonical(_) => Ok(rewritten),
                Target::Readings(readings) => Err(readings.class),
                Target::Ambiguous(why) => Err(why),
            };
            assert_eq!(found, expected, "{received:.40}");
        }
        for (method, target) in [(&b"OPTIONS"[..], &b"*"[..]), (b"CONNECT", b"x.test:443")] {
            let mut buffer = TargetBuffer::new();
            let target = canonicalize(RawTarget { method, target, host: Some(b"x.test") }, &mut buffer);
            assert!(matches!(target, Target::Canonical(_)));
            assert_eq!(forwardable(b"*", target, &mut []).1, None);
        }
    }

    #[test]
    fn sources_are_addresses_or_unknown() {
        let address = |text: &str| Source::Address(text.parse::<IpAddr>().unwrap());
        for (text, expected) in [
            (Some(&b"203.0.113.9"[..]), address("203.0.113.9")),
            (Some(b"2001:db8::1"), address("2001:db8::1")),
            (Some(b"::ffff:203.0.113.9"), address("203.0.113.9")),
            (Some(b""), Source::Unknown),
            (Some(b"unix:1"), Source::Unknown),
            (Some(b"203.0.113.009"), Source::Unknown),
            (Some(b"203.0.113.9 "), Source::Unknown),
            (Some(b"\xff"), Source::Unknown),
            (None, Source::Unknown),
        ] {
            assert_eq!(source(text), expected, "{text:?}");
        }
    }
}
