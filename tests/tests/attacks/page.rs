//! What came of the attacks, class by class, and the page that records it.

use crate::corpus::{Attack, Class};
use crate::exchange::End;
use luigi_tests::installation::{Release, workspace};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What came of the attacks of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) attacks: usize,
    pub(crate) haproxy: usize,
    pub(crate) luigi: usize,
    pub(crate) rules: usize,
    pub(crate) passed: usize,
    pub(crate) served: usize,
    /// Got through while Luigi observed.
    pub(crate) observed: usize,
    /// Got through HAProxy's own `path_beg`.
    pub(crate) path_beg: usize,
}

impl Outcomes {
    pub(crate) fn add(&mut self, end: End) {
        match end {
            End::Haproxy => self.haproxy += 1,
            End::Luigi => self.luigi += 1,
            End::Rules => self.rules += 1,
            End::Passed => self.passed += 1,
        }
    }

    fn cells(&self) -> String {
        let Self { attacks, haproxy, luigi, rules, passed, served, observed, path_beg } = self;
        format!("{attacks} | {haproxy} | {luigi} | {rules} | {passed} | {served} | {observed} | {path_beg}")
    }
}

/// The outcomes of each class.
pub(crate) type Table = BTreeMap<Class, Outcomes>;

const HEADER: &str = "| attack | tried | HAProxy refuses | Luigi refuses | rules deny | passes as something else | **secret served** | while observing | past `path_beg` |\n\
     |---|---|---|---|---|---|---|---|---|\n";

/// The table as it stands on the page, and how many attacks reached each server while Luigi observed.
pub(crate) fn render(table: &Table, by_server: &[(&str, usize)]) -> String {
    let mut text = HEADER.to_owned();
    let mut all = Outcomes::default();
    for (class, outcomes) in table {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", class.title(), outcomes.cells());
        all.attacks += outcomes.attacks;
        all.haproxy += outcomes.haproxy;
        all.luigi += outcomes.luigi;
        all.rules += outcomes.rules;
        all.passed += outcomes.passed;
        all.served += outcomes.served;
        all.observed += outcomes.observed;
        all.path_beg += outcomes.path_beg;
    }
    let _ = writeln!(text, "| **all** | {} |", all.cells());
    let by_server: Vec<String> = by_server.iter().map(|(name, reached)| format!("{name} {reached}")).collect();
    let _ = writeln!(text, "\nBy server, while observing: {}.", by_server.join(", "));
    text
}

fn page() -> PathBuf {
    workspace().join("docs/SECURITY-TESTS.md")
}

fn marks(release: Release) -> (String, String) {
    let name = match release {
        Release::Debian12 => "haproxy-2.6",
        Release::Debian13 => "haproxy-3.0",
    };
    (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"))
}

/// The table of a release as it stands on the page.
pub(crate) fn recorded(release: Release) -> String {
    let text = fs::read_to_string(page()).expect("docs/SECURITY-TESTS.md is there");
    let (begin, end) = marks(release);
    let (_, rest) = text.split_once(&begin).expect("the page has a mark where the table begins");
    rest.split_once(&end).expect("the page has a mark where the table ends").0.to_owned()
}

/// Writes the table of a release into the page.
pub(crate) fn record(release: Release, table: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(page()).expect("docs/SECURITY-TESTS.md is there");
    let (begin, end) = marks(release);
    let old = format!("{begin}{}{end}", recorded(release));
    fs::write(page(), text.replace(&old, &format!("{begin}{table}{end}"))).expect("the page can be written");
}

/// How many attacks of each class a table of the page names.
pub(crate) fn counts(table: &str) -> BTreeMap<String, usize> {
    let rows = table.lines().skip(2).filter(|row| row.starts_with("| ") && !row.starts_with("| **all**"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        let title = cells.next().unwrap_or_default().trim().to_owned();
        (title, cells.next().and_then(|count| count.trim().parse().ok()).expect("a number"))
    })
    .collect()
}

/// The same of a corpus.
pub(crate) fn counts_of(attacks: &[Attack]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for attack in attacks {
        *counts.entry(attack.class.title().to_owned()).or_default() += 1;
    }
    counts
}
