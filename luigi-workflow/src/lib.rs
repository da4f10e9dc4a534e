//! Luigi's control plane as a library: what changes what is in force.
//!
//! Today that is [`apply`]: check, test, compile, sign and publish a policy into a feed; [`stops`], which take effect without it; and the audit [`ledger`]. Everything here may block, lock and
//! allocate; nothing here runs inside a proxy.

#![forbid(unsafe_code)]

pub mod apply;
pub mod changes;
#[cfg(test)]
mod crash_tests;
mod disk;
pub mod fact_record;
mod feed_writer;
pub mod haproxy;
pub mod ledger;
mod signing_key;
pub mod stops;
