//! The policy language: from TOML text to the resolved [`model`], with every problem reported at once.
//!
//! Data goes one way: [`source`] -> syntax (typed, every value with its place) -> [`model`] (names resolved), and
//! [`mod@test_case`] for the tests that stand in the text. [`diagnostics`] says what is wrong. What follows from a
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
///
/// # Examples
///
/// ```
/// use luigi_core::policy::diagnostics::Style;
/// use luigi_core::policy::{SourceSet, parse};
///
/// let mut sources = SourceSet::new();
/// sources.add("groups.toml", "schema = 1\n[groups]\nengineering = \"eng\"\n");
/// sources.add("rules.toml", "schema = 1\n[[rules]]\nid = \"lockdown\"\neffect = \"denny\"\nscopes = \"all\"\n");
/// let parsed = parse(&sources);
/// assert!(parsed.policy.is_none());
/// assert_eq!(
///     parsed.diagnostics.render(&sources, Style::PLAIN),
///     "\
/// error[unknown-word]: `denny` is not a value of `effect`
///  --> rules.toml:4:10
///   |
/// 4 | effect = \"denny\"
///   |          ^^^^^^^
///   |
///   = help: did you mean `deny`? it can be `allow`, `restrict` or `deny`
/// "
/// );
/// ```
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
