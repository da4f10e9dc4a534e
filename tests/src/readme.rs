//! README.md, for the tests that try what it says.

use crate::installation::workspace;

/// Its text.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn readme() -> String {
    std::fs::read_to_string(workspace().join("README.md")).expect("README.md is in the workspace")
}

/// The fenced blocks of a Markdown text that are marked with this word.
#[must_use]
pub fn fences(text: &str, mark: &str) -> Vec<String> {
    let start = format!("```{mark}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line == start) {
        blocks.push(lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect());
    }
    blocks
}
