//! What makes an identity and what does not: tokens from a minter that shares no code with the verifier.

#![allow(clippy::needless_pass_by_value, reason = "cases are written as `json!` in place")]

#[allow(dead_code, unreachable_pub, reason = "the file is a public module of the crate for tests with several parts")]
#[path = "../../../tests/src/tokens.rs"]
mod tokens;

mod attacks;
mod cache;
mod claims;
mod documented;
mod estate;
mod keys;
mod properties;
mod providers;
