//! What one thread needs to evaluate requests.

use crate::answer::{Answer, Outcome};
use crate::engine::Engine;
use crate::evaluation_id::EvaluationId;
use crate::request::Facts;
use crate::version::Version;
use arc_swap::{ArcSwap, Cache};
use luigi_core::decide::{Decision, Evaluation, Reason};
use luigi_core::identity::Credential;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use std::sync::Arc;

/// The buffers and caches of one thread. Owned by the embedder; may move between threads, serves one at a time.
#[derive(Debug)]
pub struct Context {
    version: Cache<Arc<ArcSwap<Version>>, Arc<Version>>,
}

impl Context {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { version: Cache::new(Arc::clone(engine.current())) }
    }

    /// Decides one request. Never panics; allocates nothing for a token that was seen before.
    pub fn evaluate(&mut self, _facts: &Facts<'_>, now: Timestamp) -> Answer<'_> {
        self.refuse(Reason::InternalError, now)
    }

    /// The answer for facts that do not have the form they must have.
    pub fn evaluate_malformed(&mut self, now: Timestamp) -> Answer<'_> {
        self.refuse(Reason::MalformedFacts, now)
    }

    /// Lets go of a version that is no longer in force; for threads without requests.
    pub fn refresh(&mut self) {
        self.version.load();
    }

    fn refuse(&mut self, reason: Reason, _now: Timestamp) -> Answer<'_> {
        let version = self.version.load();
        let decision = Decision::refused(reason);
        let outcome = match version.mode() {
            Mode::Observe => Outcome::Pass,
            Mode::Enforce => Outcome::Refuse,
        };
        let evaluation = Evaluation { decision, candidate: decision, privileged: false };
        Answer {
            id: EvaluationId::new(0, 0),
            outcome,
            evaluation,
            credential: Credential::Absent,
            target: None,
            version,
        }
    }
}
