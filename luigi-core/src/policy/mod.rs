//! The policy language: from TOML text to the resolved [`model`], with every problem reported at once.
//!
//! Data goes one way: [`source`] -> syntax (typed, every value with its place) -> [`model`] (names resolved), and
//! [`test_case`] for the tests that stand in the text. [`diagnostics`] says what is wrong. What follows from a
//! model lives in [`crate::snapshot`]; reading files is the caller's.

pub mod diagnostics;
pub mod model;
mod resolve;
pub mod source;
mod syntax;
pub mod test_case;

pub use diagnostics::Diagnostics;
pub use source::SourceSet;

use model::Policy;
use test_case::TestCase;

/// What came out of a policy's text.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The policy, if there is no error.
    pub policy: Option<Policy>,
    /// The tests in the text, in its order; empty if there is an error.
    pub tests: Vec<TestCase>,
    /// Every problem that was found.
    pub diagnostics: Diagnostics,
}

/// Parses a policy.
///
/// Never panics, whatever the text; the time it takes is bounded by the limits in [`source`].
#[must_use]
pub fn parse(sources: &SourceSet) -> Parsed {
    let mut diagnostics = Diagnostics::default();
    let syntax = syntax::read(sources, &mut diagnostics);
    let resolved = syntax.and_then(|syntax| resolve::resolve(&syntax, sources, &mut diagnostics));
    diagnostics.finish(sources);
    match resolved {
        Some((policy, tests)) => Parsed { policy: Some(policy), tests, diagnostics },
        None => Parsed { policy: None, tests: Vec::new(), diagnostics },
    }
}
