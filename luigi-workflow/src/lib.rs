//! Luigi's control plane as a library: what changes what is in force.
//!
//! That is [`apply`]: check, test, compile, sign and publish a policy into a feed; [`stops`], which take effect without it; the audit [`ledger`]; and [`serve`], the daemon that keeps all of it. Everything here may block, lock and
//! allocate; nothing here runs inside a proxy.

#![forbid(unsafe_code)]

pub mod apply;
mod brought;
pub mod changes;
#[cfg(test)]
mod crash_tests;
mod disk;
pub mod fact_record;
mod feed_writer;
pub mod haproxy;
pub mod ledger;
pub mod serve;
mod signing_key;
pub mod stops;
