//! The 128 bits that name one evaluation in logs, headers and the ledger.

/// Names one evaluation: a random half for the process and thread, and a counter. Printed as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EvaluationId {
    random: u64,
    counter: u64,
}

impl EvaluationId {
    pub(crate) const fn new(random: u64, counter: u64) -> Self {
        Self { random, counter }
    }
}

impl std::fmt::Display for EvaluationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.random, self.counter)
    }
}
