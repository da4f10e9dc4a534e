//! HAProxy's configuration, read to find where routing and decision can disagree.
//!
//! A policy says what a request may; HAProxy says which servers get it. [`check`] looks at both: ways to servers past Luigi, rules that change what
//! is decided or was decided, servers that are chosen by what no decision sees, and Luigi's lines themselves. It stands in the control plane and runs
//! nothing: HAProxy is not asked, no map is read, no name looked up. What is not understood is said to be so.
//!
//! ```text
//! files ─ read ─> text ─ words, sections ─> configuration ─ printed, conditions, evaluate ─ lint ─> findings ─ accept ─> what is left
//! ```

mod conditions;
mod evaluate;
mod files;
mod lint;
mod printed;
mod sections;
mod words;

pub use files::read;
pub use lint::Accepted;

use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::Diagnostics;
use luigi_core::policy::model::Policy;
use sections::{Config, Kind};

/// What was found in a configuration.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What is not accepted, in order of places.
    pub diagnostics: Diagnostics,
    /// What is, in order of places.
    pub accepted: Vec<Accepted>,
    /// How many frontends there are, `listen` sections among them.
    pub frontends: usize,
    /// How many backends there are, `listen` sections not among them.
    pub backends: usize,
}

/// Looks for everything in a configuration that can make routing and decision disagree, in front of this policy.
///
/// Never panics, whatever the configuration holds. The sources are in the order in which HAProxy reads them.
///
/// # Examples
///
/// ```
/// use luigi_core::policy::{SourceSet, parse};
/// use luigi_workflow::haproxy;
///
/// let mut policy = SourceSet::new();
/// policy.add("policy.toml", "schema = 1\n");
/// let mut files = SourceSet::new();
/// files.add("haproxy.cfg", "listen web\n mode http\n bind :80\n server a 192.0.2.1:80\n");
/// let findings = haproxy::check(&files, &parse(&policy).policy.unwrap());
/// let found = findings.diagnostics.iter().next().unwrap();
/// assert_eq!(found.code.as_str(), "unguarded-frontend");
/// ```
#[must_use]
pub fn check(sources: &SourceSet, policy: &Policy) -> Findings {
    let config = Config::read(sources);
    let found = lint::look(&config, policy);
    let (left, accepted) = lint::accepted(&config, sources, found);
    Findings {
        diagnostics: Diagnostics::of(left, sources),
        accepted,
        frontends: config.entrances().count(),
        backends: config.sections.iter().filter(|section| section.kind == Kind::Backend).count(),
    }
}
