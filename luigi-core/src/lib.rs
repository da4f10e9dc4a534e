//! The decision core of Luigi: from the text of a policy to the decision on a request.
//!
//! Data goes one way: policy text -> [`policy`] (syntax, model, diagnostics) -> [`snapshot`]; bytes -> [`target`] and
//! [`identity`] -> [`decide`]. Everything here is pure: there is no socket, file, clock or thread, the time is an
//! argument, and no code is `unsafe` but for sixteen bytes at a time in `target`. What needs the outside world lives in `luigi-runtime` and above.

#![deny(unsafe_code)]

pub mod analysis;
pub mod daemon_config;
pub mod decide;
pub mod described;
pub mod explain;
#[cfg(feature = "generators")]
#[doc(hidden)]
pub mod generators;
pub mod grant_set;
pub mod identity;
pub mod kleene;
pub mod matchers;
pub mod method;
pub mod policy;
pub mod policy_tests;
pub mod snapshot;
pub mod stop_set;
pub mod target;
pub mod time;
