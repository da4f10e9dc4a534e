//! The commands, one file each.

pub(crate) mod apply;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod codes;
pub(crate) mod completions;
pub(crate) mod decide;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod haproxy_config;
pub(crate) mod language_server;
pub(crate) mod man;
pub(crate) mod schema;
pub(crate) mod scopes;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod stops;
pub(crate) mod test;
pub(crate) mod what_can;
pub(crate) mod who_can;
