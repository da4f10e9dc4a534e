//! Where an engine's policy comes from, and why it could not be opened.

use crate::carried::Carried;
use crate::spool::SpoolConfig;
use luigi_core::policy::SourceSet;
use luigi_core::policy::diagnostics::{Diagnostics, Style};
use luigi_core::policy::model::Mode;
use std::path::PathBuf;
use std::time::Duration;

/// How old a manifest's heartbeat may be before what only a living daemon can take back (grants) no longer counts.
pub const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(60);

/// Where an engine's policy comes from.
#[derive(Clone, Debug)]
pub enum EngineConfig {
    /// A feed, which can change while the engine runs.
    Feed(FeedConfig),
    /// A policy file, compiled once when the engine opens.
    PolicyFile(PolicyFileConfig),
}

/// A feed and the trust placed in it.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// The directory; opened once, later reached through its handle only.
    pub directory: PathBuf,
    /// The file with the public key that manifests are signed with; read once. Must not lie in the feed.
    pub public_key: PathBuf,
    /// See [`DEFAULT_STALE_AFTER`].
    pub stale_after: Duration,
    /// Which facts are passed beyond those that always are.
    pub carried: Carried,
    /// Where decisions are recorded; `None` for nowhere.
    pub spool: Option<SpoolConfig>,
}

/// A policy file for a first try.
#[derive(Clone, Debug)]
pub struct PolicyFileConfig {
    /// A file, or a directory of `*.toml` files.
    pub path: PathBuf,
    /// The environment that the policy is compiled for; `None` for a policy that has none.
    pub environment: Option<String>,
    /// Names of issuers with the JWKS file of each.
    pub jwks: Vec<(String, PathBuf)>,
    /// Whether decisions have effect.
    pub mode: Mode,
    /// Which facts are passed beyond those that always are.
    pub carried: Carried,
    /// Where decisions are recorded; `None` for nowhere.
    pub spool: Option<SpoolConfig>,
}

impl EngineConfig {
    /// A feed, with [`DEFAULT_STALE_AFTER`].
    #[must_use]
    pub fn feed(directory: impl Into<PathBuf>, public_key: impl Into<PathBuf>) -> Self {
        Self::Feed(FeedConfig {
            directory: directory.into(),
            public_key: public_key.into(),
            stale_after: DEFAULT_STALE_AFTER,
            carried: Carried::Everything,
            spool: None,
        })
    }

    /// A policy file or directory without environments, observed only, without keys.
    #[must_use]
    pub fn policy_file(path: impl Into<PathBuf>) -> Self {
        Self::PolicyFile(PolicyFileConfig {
            path: path.into(),
            environment: None,
            jwks: Vec::new(),
            mode: Mode::Observe,
            carried: Carried::Everything,
            spool: None,
        })
    }
}

/// Why an engine could not be opened: plain text, possibly many lines (the diagnostics of a policy), ready to print.
#[derive(Debug)]
pub struct OpenError {
    text: String,
    diagnostics: Option<serde_json::Value>,
}

impl OpenError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), diagnostics: None }
    }

    pub(crate) fn of_policy(diagnostics: &Diagnostics, sources: &SourceSet) -> Self {
        Self { text: diagnostics.render(sources, Style::PLAIN), diagnostics: Some(diagnostics.to_json(sources)) }
    }

    /// The problems of a policy for programs, as [`Diagnostics::to_json`] has them; `None` if something else is at fault.
    #[must_use]
    pub fn diagnostics(&self) -> Option<&serde_json::Value> {
        self.diagnostics.as_ref()
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for OpenError {}
