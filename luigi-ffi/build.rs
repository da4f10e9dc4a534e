//! How the shared library is linked.
//!
//! Its name is `libluigi.so.MAJOR.ABI`, that as which it is installed. And it is never unloaded: `dlclose` leaves it where it is, since its threads, what it keeps for the
//! program's threads until they end, and what it does at a `fork` would be gone under them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/numbers.rs");
    let major = std::env::var("CARGO_PKG_VERSION_MAJOR").expect("cargo sets it");
    assert_eq!(major, "0", "from 1.0 on the library is `libluigi.so.MAJOR`: see docs/ABI.md");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libluigi.so.{major}.{}", abi_version());
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

/// The version of the ABI, from where it is written down.
fn abi_version() -> u32 {
    const DECLARED: &str = "pub const LUIGI_ABI_VERSION: u32 = ";
    let numbers = std::fs::read_to_string("src/numbers.rs").expect("a source of this crate");
    let line = numbers.lines().find_map(|line| line.strip_prefix(DECLARED)).expect("the number is declared in a line");
    line.trim_end_matches(';').parse().expect("a number")
}
