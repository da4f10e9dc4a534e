//! How the shared library is linked.
//!
//! Its name is `libluigi.so.MAJOR.MINOR`, that as which it is installed. And it is never unloaded: `dlclose` leaves it where it is, since its threads, what it keeps for the
//! program's threads until they end, and what it does at a `fork` would be gone under them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let part = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets `{name}`"));
    let (major, minor) = (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"));
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libluigi.so.{major}.{minor}");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
