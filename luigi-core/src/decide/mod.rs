//! From a request and a snapshot to a decision.
//!
//! [`decide`](crate::snapshot::Snapshot::decide) is pure and total: it is given the time, has no errors, does not panic, allocates nothing and locks nothing.
//! What the words mean is in docs/SEMANTICS.md; the slow, obvious evaluator in [`crate::explain`] says the same and is its oracle.

mod decision;
mod request;

pub use decision::{Advice, Decision, Evaluation, MissingApproval, MissingApprovals, Reason};
pub use request::{Request, Source};
