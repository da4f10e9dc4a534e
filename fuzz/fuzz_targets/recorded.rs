//! See `fuzz/src`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| luigi_fuzz::run("recorded", input));
