//! Luigi: everything that a request costs beside its token, from the bytes of the request line on; and its oracle.

use super::Engine;
use luigi_bench::mixed::Mixed;
use luigi_bench::{Hands, Ready};

/// What decides.
pub struct Luigi {
    ready: Ready,
    hands: Hands,
}

impl Luigi {
    pub fn new(workload: &Mixed) -> Self {
        let ready = workload.ready();
        let hands = Hands::for_workload(&ready);
        Self { ready, hands }
    }

    /// What the slow, obvious evaluator says about a request: it looks at every rule.
    pub fn oracle(&mut self, request: usize) -> bool {
        self.ready.explain(&self.ready.calls[request], &mut self.hands).evaluation.decision.allows()
    }
}

impl Engine for Luigi {
    fn allows(&mut self, request: usize) -> bool {
        self.ready.decide(&self.ready.calls[request], &mut self.hands).decision.allows()
    }
}
