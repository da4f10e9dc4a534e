//! What follows from a policy without any request: which scopes meet, and where.
//!
//! Pure, like everything here: works on the resolved [model](crate::policy::model). Nothing in a decision depends on it.

pub mod patterns;
