//! The tables of docs/BENCHMARKS.md, as Markdown.

use crate::Contender;
use crate::measure::{Cell, Column};
use luigi_bench::mixed::CALLS;
use std::fmt::Write as _;

/// Times with their ratio to Luigi's; then answers, what was timed, and how long making an engine took.
pub fn tables(peers: &[&Contender], columns: &[Column]) -> String {
    let mut text = String::from("| engine | its policy |");
    columns.iter().for_each(|column| text.push_str(&format!(" {} rules |", column.rules)));
    text.push_str("\n|---|---|");
    columns.iter().for_each(|_| text.push_str("---:|"));
    let rows = || std::iter::once(None).chain(peers.iter().enumerate().map(Some));
    for row in rows() {
        let _ = write!(text, "\n| {} | {} |", name(row), row.map_or("", |(_, peer)| peer.form));
        for column in columns {
            let ratio = cell(column, row).nanoseconds / column.luigi.nanoseconds;
            let ratio = if row.is_some() { format!(" (×{})", rounded(ratio)) } else { String::new() };
            let _ = write!(text, " {}{ratio} |", time(cell(column, row).nanoseconds));
        }
    }
    let allowed: Vec<_> =
        columns.iter().map(|column| format!("{} at {} rules", column.allowed, column.rules)).collect();
    let _ = write!(
        text,
        "\n\nOf the {CALLS} requests pass: {}.\n\nAnswers that differ from the oracle's, of those compared; different requests in a timed round; and what making the engine from its policy took, once, in seconds:\n\n| engine | its policy |",
        allowed.join(", ")
    );
    columns.iter().for_each(|column| text.push_str(&format!(" {} rules |", column.rules)));
    text.push_str("\n|---|---|");
    columns.iter().for_each(|_| text.push_str("---:|"));
    for row in rows() {
        let _ = write!(text, "\n| {} | {} |", name(row), row.map_or("", |(_, peer)| peer.form));
        for column in columns {
            let cell = cell(column, row);
            let built = cell.built.as_secs_f64();
            let _ = write!(text, " {} of {}; {}; {built:.3} |", cell.differ, cell.compared, cell.timed);
        }
    }
    text.push('\n');
    text
}

fn cell<'a>(column: &'a Column, row: Option<(usize, &&Contender)>) -> &'a Cell {
    row.map_or(&column.luigi, |(at, _)| &column.peers[at])
}

fn name(row: Option<(usize, &&Contender)>) -> String {
    let Some((_, peer)) = row else { return "**Luigi**".into() };
    format!("{} ({} {})", peer.name, peer.package, version(peer.package))
}

/// The version of a package in the lock file.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let (_, rest) =
        lock.split_once(&format!("\nname = \"{package}\"\nversion = \"")).expect("a package of this workspace");
    rest.split('"').next().expect("the first part is always there")
}

/// A time in the unit that suits it.
pub fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..999.5 => format!("{} ns", rounded(nanoseconds)),
        ..999_500.0 => format!("{} µs", rounded(nanoseconds / 1e3)),
        ..999_500_000.0 => format!("{} ms", rounded(nanoseconds / 1e6)),
        _ => format!("{} s", rounded(nanoseconds / 1e9)),
    }
}

/// Three digits at most before the dot suffice; below ten, one after it.
fn rounded(number: f64) -> String {
    let whole = if number < 9.95 {
        return format!("{number:.1}").trim_end_matches(".0").to_owned();
    } else {
        format!("{number:.0}")
    };
    let mut text = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
