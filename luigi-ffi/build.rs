//! Names the shared library as it is installed: programs that are linked with it ask for `libluigi.so.MAJOR.MINOR`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let part = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets `{name}`"));
    let (major, minor) = (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"));
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libluigi.so.{major}.{minor}");
}
