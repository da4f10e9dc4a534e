//! The direction in which crates may depend on each other, as docs/ARCHITECTURE.md draws it.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What each crate may use of the others outside its tests.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("luigi-core", &[]),
    ("luigi-runtime", &["luigi-core"]),
    ("luigi-ffi", &["luigi-core", "luigi-runtime"]),
    ("luigi-lua", &["luigi-core", "luigi-runtime"]),
    ("luigi-workflow", &["luigi-core", "luigi-runtime"]),
    ("luigi-cli", &["luigi-core", "luigi-runtime", "luigi-workflow"]),
    ("luigi-bench", &["luigi-core"]),
    ("luigi-tests", &["luigi-core", "luigi-runtime", "luigi-workflow"]),
];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

#[test]
fn crates_depend_on_each_other_in_one_direction_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        let dependencies = package["dependencies"].as_array().expect("a list of dependencies");
        let ours = dependencies
            .iter()
            .filter(|d| d["kind"].is_null())
            .filter_map(|d| d["name"].as_str())
            .filter(|name| name.starts_with("luigi-"));
        found.insert(package["name"].as_str().expect("a name"), ours.collect());
    }
    let rooms: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), rooms, "a crate came or went: say here what it may use");
    for (name, may_use) in MAY_USE {
        let too_much: Vec<_> = found[name].iter().filter(|used| !may_use.contains(used)).collect();
        assert!(too_much.is_empty(), "{name} uses {too_much:?}");
    }
}

/// INVARIANT (asserted-by-embedders): nothing that is derived from a request's facts asserts an identity. These do, each for what somebody typed or a C service vouches for;
/// the analysis makes people up to compare policies, and the generators for property tests; both answer nobody's request.
const MAY_ASSERT: [&str; 7] = [
    "luigi-cli/src/question.rs",
    "luigi-core/src/analysis/people.rs",
    "luigi-core/src/generators/scenarios.rs",
    "luigi-core/src/identity/assertion.rs",
    "luigi-core/src/policy_tests.rs",
    "luigi-ffi/src/identity.rs",
    "luigi-lua/src/explain.rs",
];

#[test]
fn only_what_people_type_asserts_an_identity() {
    let mut found = BTreeSet::new();
    for crate_name in ["luigi-core", "luigi-runtime", "luigi-workflow", "luigi-ffi", "luigi-lua", "luigi-cli"] {
        for (path, text) in sources(&workspace().join(crate_name).join("src")) {
            let (code, _tests) = text.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
            if code.contains("Identity::assert(") || code.contains("Assertion {") {
                found.insert(path);
            }
        }
    }
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), MAY_ASSERT);
}

/// Every source file below a folder: its path within the workspace, and its text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let within = path.strip_prefix(workspace()).expect("a file of the workspace").display().to_string();
                found.push((within, std::fs::read_to_string(&path).expect("a source file")));
            }
        }
    }
    found
}

/// The core is pure: it names nothing of the outside world.
#[test]
fn the_core_has_no_file_socket_clock_or_thread() {
    let forbidden = [
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::thread",
        "SystemTime",
        "Instant::now",
        "std::env",
        "std::process",
    ];
    let files = sources(&workspace().join("luigi-core/src"));
    assert!(files.len() > 30, "{} files", files.len());
    for (path, text) in files {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let found = forbidden.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{path}:{}: {line}", number + 1);
        }
    }
}
