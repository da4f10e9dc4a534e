//! The policy language: from TOML text to the resolved [`model`], with every problem reported at once.
//!
//! Data goes one way: sources -> syntax (typed, every value with its place) -> [`model`] (names resolved). What follows from a
//! model lives in [`crate::snapshot`].

pub mod model;
