//! Every seed and every regression of the fuzz targets, with the stable toolchain: what a fuzzer once broke stays mended.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

// It is a library of its own for libFuzzer, and a module here.
#[allow(unreachable_pub, reason = "what is public there has no users outside this test")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").join("fuzz")
}

/// The names in a folder; none if it is not there.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8")).collect()
}

#[test]
fn every_seed_and_regression_is_survived() {
    for (target, run) in fuzz::TARGETS {
        for kind in ["seeds", "regressions"] {
            let inputs = folder().join(kind).join(target);
            for name in names(&inputs) {
                println!("fuzz/{kind}/{target}/{name}");
                run(&fs::read(inputs.join(&name)).expect("an input"));
            }
        }
    }
}

#[test]
fn each_target_is_built_and_has_seeds_and_no_input_is_nobodys() {
    let known: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let files: BTreeSet<String> = known.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder().join("fuzz_targets")), files);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest of the targets");
    for name in &known {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
        let file = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).expect("a target");
        assert!(file.contains(&format!("luigi_fuzz::run(\"{name}\", input)")), "{name} runs another target");
        assert!(!names(&folder().join("seeds").join(name)).is_empty(), "{name} has no seeds");
    }
    assert_eq!(names(&folder().join("seeds")), known);
    assert!(names(&folder().join("regressions")).is_subset(&known), "regressions of targets that are not there");
}

/// The functions of `luigi.h`.
fn functions() -> BTreeSet<String> {
    let header = fs::read_to_string(folder().join("../include/luigi.h")).expect("the header");
    let declared = header.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let declared = declared.filter(|line| ["typedef", "enum", "static"].iter().all(|word| !line.starts_with(word)));
    let names = declared.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next());
    names.map(str::to_owned).collect()
}

#[test]
fn the_seeds_of_ffi_reach_every_function_of_the_header() {
    let functions = functions();
    assert!(functions.len() >= 27 && functions.iter().all(|name| name.starts_with("luigi_")), "{functions:?}");
    for name in names(&folder().join("seeds/ffi")) {
        fuzz::run("ffi", &fs::read(folder().join("seeds/ffi").join(name)).expect("an input"));
    }
    let called: BTreeSet<String> = fuzz::called_of_ffi().into_iter().map(str::to_owned).collect();
    let apart: Vec<&String> = functions.symmetric_difference(&called).collect();
    // The library's own hook leaves the words of a panic away.
    println!("not in the header, or called by no seed: {apart:?}");
    assert!(apart.is_empty());
}

#[test]
#[should_panic(expected = "there is no target `nobody`")]
fn a_target_that_is_not_there_is_not_passed_over() {
    fuzz::run("nobody", b"");
}
