//! The policy language: from TOML text to the resolved [`model`], with every problem reported at once.
//!
//! Data goes one way: [`source`] -> syntax (typed, every value with its place) -> [`model`] (names resolved), and
//! [`mod@test_case`] for the tests that stand in the text. [`diagnostics`] says what is wrong. What follows from a
//! model lives in [`crate::snapshot`]; reading files is the caller's.

pub mod captures;
pub mod diagnostics;
pub mod model;
pub(crate) mod places;
mod resolve;
pub mod source;
mod syntax;
pub mod test_case;

pub use diagnostics::Diagnostics;
pub use places::Places;
pub use source::SourceSet;
pub(crate) use syntax::{read_daemon, written};

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
    /// Where the policy's rows stand, and which findings about them are accepted; empty if there is an error.
    pub places: Places,
}

/// Parses a policy that has no environments; [`parse_for`] and [`parse_everywhere`] parse one that has.
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
    parse_for(sources, None)
}

/// Parses a policy for one of its environments, by name; `None` for a policy that has none.
///
/// Rules and tests of other environments are checked and left out. That the name is not one of the policy's, or that it is missing
/// where the policy has environments, is a problem like any other.
///
/// # Examples
///
/// ```
/// use luigi_core::policy::model::HostPattern;
/// use luigi_core::policy::{SourceSet, parse, parse_for};
///
/// let mut sources = SourceSet::new();
/// sources.add(
///     "policy.toml",
///     "schema = 1
/// environments = { production = { domain = \"example.com\" }, staging = { domain = \"staging.example.com\" } }
/// [scopes.health]
/// hosts = [\"orders.{domain}\"]
/// operations = [\"GET /healthz\"]
/// ",
/// );
/// let policy = parse_for(&sources, Some("staging")).policy.expect("it has no problems");
/// let (_, health) = policy.scopes.iter().next().expect("there is one");
/// assert_eq!(health.hosts, [HostPattern::Exact("orders.staging.example.com".to_owned())]);
/// assert!(parse(&sources).policy.is_none());
/// ```
#[must_use]
pub fn parse_for(sources: &SourceSet, environment: Option<&str>) -> Parsed {
    let mut diagnostics = Diagnostics::default();
    let syntax = syntax::read(sources, &mut diagnostics);
    resolved(syntax.as_ref(), environment, sources, diagnostics)
}

/// The files that a policy names beside its own: lists of networks, by paths relative to the policy's folder, in order.
///
/// Whoever reads a policy's files reads these, too, and adds them with [`SourceSet::add_beside`] before the policy is parsed. None of the
/// paths leads out of the folder by itself; where links lead is the reader's to see.
#[must_use]
pub fn files_beside(sources: &SourceSet) -> Vec<String> {
    syntax::files_named(sources).into_iter().collect()
}

/// What the environments of a policy make of it.
#[derive(Clone, Debug, Default)]
pub struct ParsedEverywhere {
    /// The policy in each environment, in order of their names; a single one without a name if there are none.
    pub environments: Vec<(Option<String>, Parsed)>,
    /// Every problem once; those that only some environments have name them.
    pub diagnostics: Diagnostics,
}

/// Parses a policy for each of its environments.
#[must_use]
pub fn parse_everywhere(sources: &SourceSet) -> ParsedEverywhere {
    let mut diagnostics = Diagnostics::default();
    let syntax = syntax::read(sources, &mut diagnostics);
    let names: std::collections::BTreeSet<&str> =
        syntax.iter().flat_map(|syntax| &syntax.environments).map(|entry| entry.name.value.as_str()).collect();
    let mut wanted: Vec<Option<&str>> = names.into_iter().map(Some).collect();
    if wanted.is_empty() {
        wanted.push(None);
    }
    let parsed = |name: Option<&str>| resolved(syntax.as_ref(), name, sources, diagnostics.clone());
    let environments: Vec<_> = wanted.into_iter().map(|name| (name.map(str::to_owned), parsed(name))).collect();
    let each = environments.iter().map(|(name, parsed)| (name.as_deref(), &parsed.diagnostics));
    let diagnostics = Diagnostics::merged(each, sources);
    ParsedEverywhere { environments, diagnostics }
}

fn resolved(
    syntax: Option<&syntax::Syntax>,
    environment: Option<&str>,
    sources: &SourceSet,
    mut diagnostics: Diagnostics,
) -> Parsed {
    let resolved = syntax.and_then(|syntax| resolve::resolve(syntax, environment, sources, &mut diagnostics));
    diagnostics.finish(sources);
    match resolved {
        Some((policy, tests, places)) => Parsed { policy: Some(policy), tests, diagnostics, places },
        None => Parsed { policy: None, tests: Vec::new(), diagnostics, places: Places::default() },
    }
}
