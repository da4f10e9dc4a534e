//! The commands, one file each.

pub(crate) mod haproxy_config;
