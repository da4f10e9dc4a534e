//! What the fuzz targets do with an input: one function for each, from bytes to nothing or a panic.
//!
//! Apart from the targets, so that stable Rust can replay every seed and regression, too: `tests/tests/fuzz_inputs.rs` takes this
//! file in as a module. Nothing here knows of libFuzzer. A claim about all inputs is an `assert!`; what must only be survived is called.

mod decide;
mod facts;
mod feed;
mod ffi;
mod haproxy;
mod input;
mod jwks;
mod language_server;
mod manifest;
mod policy;
mod recorded;
mod snapshot;
mod target;
mod token;

/// A fuzz target: its name, which is that of its folders, too, and what it does.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// Every fuzz target.
pub const TARGETS: [FuzzTarget; 12] = [
    ("canonical_target", target::run),
    ("decide", decide::run),
    ("facts", facts::run),
    ("ffi", ffi::run),
    ("haproxy_config", haproxy::run),
    ("jwks", jwks::run),
    ("language_server", language_server::run),
    ("manifest", manifest::run),
    ("policy", policy::run),
    ("recorded", recorded::run),
    ("snapshot", snapshot::run),
    ("token", token::run),
];

/// Does what the target of this name does with an input.
///
/// # Panics
/// If a claim does not hold for the input, and if there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("there is no target `{name}`")).1(input);
}

/// The functions of the C ABI that this thread has called, in whatever inputs.
#[must_use]
pub fn called_of_ffi() -> std::collections::BTreeSet<&'static str> {
    ffi::called()
}
