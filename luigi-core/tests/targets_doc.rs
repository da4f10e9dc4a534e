//! The examples in docs/SEMANTICS.md, section "Targets", are what the code does.

use luigi_core::target::{Ambiguity, CanonicalTarget, Host, RawTarget, Readings, Target, TargetBuffer, canonicalize};

const EXAMPLES: [&str; 3] = ["request", "Host", "rules see"];
const CLASSES: [&str; 2] = ["class", "what it tells"];

/// The section, without what comes before and after.
fn section() -> &'static str {
    let page = include_str!("../../docs/SEMANTICS.md");
    let (_, section) = page.split_once("\n## Targets\n").expect("a section `## Targets`");
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

/// The rows of all tables under a header.
fn rows(header: &[&str]) -> Vec<Vec<&'static str>> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in section().lines() {
        let Some(row) = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")) else {
            inside &= line.starts_with("|---");
            continue;
        };
        let cells: Vec<&str> = row.split(" | ").collect();
        if cells == header {
            inside = true;
        } else if inside {
            rows.push(cells);
        }
    }
    rows
}

fn quoted(cell: &str) -> &str {
    cell.strip_prefix('`')
        .and_then(|cell| cell.strip_suffix('`'))
        .unwrap_or_else(|| panic!("{cell} is not in back quotes"))
}

/// The third column for a target.
fn shown(target: &Target<'_>) -> String {
    let CanonicalTarget { host, path, query } = match target {
        Target::Readings(Readings { class, .. }) | Target::Ambiguous(class) => return format!("refused: `{class}`"),
        Target::Canonical(target) => target,
    };
    let query = query.map_or(String::new(), |query| format!("?{}", String::from_utf8_lossy(query)));
    match (host, *path) {
        (Host::Absent, path) => format!("no host, `{path}{query}`"),
        (Host::Name(host) | Host::Address(host), "") => format!("`{host}` and an empty path"),
        (Host::Name(host) | Host::Address(host), path) => format!("`{host}` `{path}{query}`"),
    }
}

#[test]
fn every_example_of_a_target_is_true() {
    let rows = rows(&EXAMPLES);
    assert!(rows.len() >= 50, "only {} examples were read", rows.len());
    let mut buffer = TargetBuffer::new();
    let mut wrong = Vec::new();
    for row in rows {
        let [request, host, expected] = row[..] else { panic!("{row:?} has not three cells") };
        let (method, target) = quoted(request).split_once(' ').expect("a method and a target");
        let host = (host != "none").then(|| quoted(host).as_bytes());
        let raw = RawTarget { method: method.as_bytes(), target: target.as_bytes(), host };
        let found = shown(&canonicalize(raw, &mut buffer));
        if found != expected {
            wrong.push(format!("{request}: the page says {expected}, the code {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_class_of_ambiguity_is_listed_with_its_help() {
    let listed: Vec<String> = rows(&CLASSES).iter().map(|row| row.join(" | ")).collect();
    let expected = Ambiguity::ALL.map(|class| format!("`{class}` | {}", class.help()));
    assert_eq!(listed, expected);
}
