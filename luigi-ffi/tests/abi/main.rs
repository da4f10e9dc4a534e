//! The ABI is the one that is written down: symbols, signatures, numbers, types, sizes and offsets against `abi.txt`, as the compiler of C sees them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p luigi-ffi --test abi` writes the table, and a line of `abi-history.txt` for its version; it refuses while the version is that of another table.
//! docs/ABI.md and CHANGELOG.md must say what changed.

mod declarations;
mod history;
#[path = "../support/mod.rs"]
mod support;

use declarations::{Item, Member};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;
use support::{Build, Workshop, here, run, shared_library, static_library, workspace};

fn items() -> Vec<Item> {
    declarations::items(&std::fs::read_to_string(workspace().join("include/luigi.h")).expect("the header"))
}

/// A program that prints the table.
fn program(items: &[Item]) -> String {
    let mut text = String::from("#include <luigi.h>\n#include <stdio.h>\n\nint main(void) {\n");
    for item in items {
        match item {
            Item::Constant(name) => {
                writeln!(text, "    printf(\"constant {name} %llu\\n\", (unsigned long long){name});")
            }
            Item::Enum { name, of } => writeln!(text, "    printf(\"enum {name} %zu {of}\\n\", sizeof({name}));"),
            Item::Number { name, .. } => writeln!(text, "    printf(\"number {name} %d\\n\", (int){name});"),
            Item::Struct { name, members } => writeln!(text, "    printf(\"struct {name} %zu\\n\", sizeof({name}));")
                .and_then(|()| {
                    members.iter().try_for_each(|Member { name: member, of }| {
                        let what = format!("offsetof({name}, {member}), sizeof((({name} *)0)->{member})");
                        writeln!(text, "    printf(\"  {member} %zu %zu {of}\\n\", {what});")
                    })
                }),
            Item::Callback { signature, .. } => writeln!(text, "    printf(\"callback {signature}\\n\");"),
            Item::Function { signature, .. } => writeln!(text, "    printf(\"function {signature}\\n\");"),
            Item::Inline(signature) => writeln!(text, "    printf(\"inline {signature}\\n\");"),
        }
        .expect("writing to memory does not fail");
    }
    text + "    return 0;\n}\n"
}

#[test]
fn the_abi_is_the_one_that_is_written_down() {
    let items = items();
    let count = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
    assert!(count(|item| matches!(item, Item::Struct { .. })) >= 18, "{items:?}");
    assert!(count(|item| matches!(item, Item::Function { .. })) >= 26, "{items:?}");
    assert!(count(|item| matches!(item, Item::Number { .. })) >= 70, "{items:?}");
    assert!(count(|item| matches!(item, Item::Enum { .. })) >= 13, "{items:?}");
    assert_eq!(count(|item| matches!(item, Item::Callback { .. })), 2, "{items:?}");
    let workshop = Workshop::new();
    let source = workshop.write("table.c", program(&items));
    let mut tables = BTreeSet::new();
    for build in [Build::C, Build::Cpp] {
        let output = run(&mut Command::new(workshop.compile_file(&source, build)));
        tables.insert(String::from_utf8(output.stdout).expect("text"));
    }
    assert_eq!(tables.len(), 1, "C and C++ see the same");
    let made = tables.pop_first().expect("one");
    let (path, of_history) = (here().join("abi.txt"), here().join("abi-history.txt"));
    let history = std::fs::read_to_string(&of_history).expect("the history");
    let luigi = format!("{}.{}", luigi_ffi::LUIGI_VERSION_MAJOR, luigi_ffi::LUIGI_VERSION_MINOR);
    let numbers = numbers(&items, &made);
    let new = history::updated(&history, &made, &numbers, luigi_ffi::LUIGI_ABI_VERSION, &luigi);
    let new = new.unwrap_or_else(|why| panic!("{why}"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).expect("the table can be written");
        std::fs::write(&of_history, &new).expect("the history can be written");
    } else {
        assert_eq!(
            new, history,
            "`UPDATE_GOLDEN=1 cargo test -p luigi-ffi --test abi` writes what is new in abi-history.txt"
        );
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (is, was)) in made.lines().zip(committed.lines()).enumerate() {
        assert_eq!(is, was, "abi.txt, line {}", n + 1);
    }
    assert_eq!(made, committed, "abi.txt: something came or went");
}

/// The numbers of a table with their enums; features are an enum, too.
fn numbers<'a>(items: &'a [Item], table: &'a str) -> Vec<history::Number<'a>> {
    let enums: BTreeMap<&str, &str> = items
        .iter()
        .filter_map(|item| match item {
            Item::Number { of, name } => Some((name.as_str(), of.as_str())),
            Item::Constant(name) if name.starts_with("LUIGI_FEATURE_") => Some((name, "luigi_features")),
            _ => None,
        })
        .collect();
    let lines = table.lines().filter_map(|line| line.split_once(' ')?.1.split_once(' '));
    lines.filter_map(|(name, value)| Some((*enums.get(name)?, name, value))).collect()
}

#[test]
fn the_version_of_the_abi_is_told_of() {
    let page = std::fs::read_to_string(workspace().join("docs/ABI.md")).expect("the page");
    let row = format!("| {} | ", luigi_ffi::LUIGI_ABI_VERSION);
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && line[2..3].parse::<u8>().is_ok()).collect();
    assert!(rows.last().is_some_and(|last| last.starts_with(&row)), "docs/ABI.md has no row `{row}`: {rows:?}");
    assert_eq!(rows.len(), luigi_ffi::LUIGI_ABI_VERSION as usize, "docs/ABI.md has a row for each version");
    let changes = std::fs::read_to_string(workspace().join("CHANGELOG.md")).expect("the changelog");
    let said = format!("version {} of its ABI", luigi_ffi::LUIGI_ABI_VERSION);
    assert!(
        luigi_ffi::LUIGI_ABI_VERSION == 1 || changes.contains(&said),
        "CHANGELOG.md does not say what is new in {said}"
    );
}

/// The functions of the header, and no other symbol.
#[test]
fn nothing_is_exported_but_what_the_header_has() {
    let names: BTreeSet<String> = items()
        .into_iter()
        .filter_map(|item| match item {
            Item::Function { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    let symbols = run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(shared_library()));
    let symbols = String::from_utf8(symbols.stdout).expect("text");
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert_eq!(exported, names);
    let symbols = run(Command::new("nm").args(["--defined-only", "--format=posix"]).arg(static_library()));
    let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
    let ours: BTreeSet<String> = symbols
        .lines()
        .filter_map(|line| line.split_once(" T "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.starts_with("luigi_"))
        .collect();
    assert_eq!(ours, names);
}

#[test]
fn the_library_is_known_by_its_version_of_the_abi_and_never_unloaded() {
    let dynamic = run(Command::new("readelf").arg("-d").arg(shared_library()));
    let dynamic = String::from_utf8(dynamic.stdout).expect("text");
    let wanted = format!("[{}]", support::soname());
    assert!(dynamic.lines().any(|line| line.contains("(SONAME)") && line.ends_with(&wanted)), "{dynamic}");
    let never_unloaded = dynamic.lines().any(|line| line.contains("(FLAGS_1)") && line.contains("NODELETE"));
    assert!(never_unloaded, "{dynamic}");
}

/// The programs of docs/ABI.md are programs.
#[test]
fn the_page_has_programs_that_compile() {
    let page = std::fs::read_to_string(workspace().join("docs/ABI.md")).expect("the page");
    let workshop = Workshop::new();
    let mut programs = 0;
    for fence in page.split("```c\n").skip(1) {
        let text = fence.split("```").next().expect("a fence ends");
        let source = workshop.write(&format!("page-{programs}.c"), text);
        let program = workshop.compile_file(&source, Build::C);
        workshop.write("policy.toml", std::fs::read(workspace().join("examples/c/policy.toml")).expect("the example"));
        let output = run(Command::new(program).current_dir(workshop.path("")));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "pass\n");
        programs += 1;
    }
    assert_eq!(programs, 1);
}
