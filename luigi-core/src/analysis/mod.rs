//! What follows from a policy without any request: where scopes meet, and what is legal and dangerous.
//!
//! Pure, like everything here: works on the resolved [model](crate::policy::model). Nothing in a decision depends on it.

mod brought;
mod by_expression;
mod certificates;
mod circumstances;
mod claims;
mod contradictions;
mod cubes;
mod difference;
mod dimension;
mod expressions;
mod fingerprint;
mod in_play;
pub mod lint;
mod overlaps;
pub mod patterns;
mod people;
mod questions;
mod refusals;
mod report;
mod situation;
mod special;
mod strictness;
mod structure;
mod subject_patterns;
mod targets;
mod terms;
mod words;

pub use difference::{Bounds, Comparison, Difference, Effort, Kind, compare};
pub use questions::{Asker, Known, Operations, Way, WhatCan, WhoCan, what_can, who_can};
pub use report::{Answer, Cause, Example, TargetWords};
pub use structure::{Structure, TableChanges};
pub use terms::Term;
