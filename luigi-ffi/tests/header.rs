//! `include/luigi.h` is what the crate says. `UPDATE_GOLDEN=1 cargo test -p luigi-ffi --test header` writes it anew.

use std::fs;
use std::path::Path;

#[test]
fn the_header_is_that_of_the_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_root_or_default(folder);
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_crate(folder)
        .with_config(config)
        .generate()
        .expect("the crate can be read")
        .write(&mut made);
    let made = String::from_utf8(made).expect("the header is text");
    let path = folder.parent().expect("the crate lies in the workspace").join("include/luigi.h");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).expect("the header can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "include/luigi.h is not what luigi-ffi says: `UPDATE_GOLDEN=1 cargo test -p luigi-ffi --test header` writes it"
    );
}
