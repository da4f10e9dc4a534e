//! Shared fixtures of the tests that need several parts.

pub mod tokens;
