//! What the end-to-end tests stand on: a real HAProxy with the real module, an upstream that shows what it saw, and a client that sends any bytes.
//!
//! Nothing here stands in for a part of Luigi or for HAProxy. Nothing sleeps for luck: whatever takes time is waited for by its
//! effect, see [`wait`].

pub mod client;
pub mod feed;
pub mod haproxy;
pub mod installation;
pub mod site;
pub mod tokens;
pub mod upstream;
pub mod wait;
