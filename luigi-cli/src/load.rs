//! From paths on the command line to what decides: a policy with keys, or a feed as a data plane sees it.

use crate::failure::Failure;
use crate::output;
use luigi_core::daemon_config::{self, DaemonConfig};
use luigi_core::grant_set::GrantSet;
use luigi_core::identity::{IssuerKeys, KeySet, Trust};
use luigi_core::policy::diagnostics::Code;
use luigi_core::policy::model::Policy;
use luigi_core::policy::{Diagnostics, ParsedEverywhere, SourceSet, parse_everywhere, parse_for};
use luigi_core::snapshot::Snapshot;
use luigi_core::stop_set::StopSet;
use luigi_runtime::feed::MAX_KEYS_BYTES;
use luigi_runtime::{Engine, EngineConfig, Version, policy_files, regular_file};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What decides.
pub(crate) enum Deciding {
    /// A policy, compiled just now, and whoever's tokens it trusts.
    Policy(Box<Snapshot>, Trust),
    /// What is in force in a feed.
    Feed(Arc<Version>),
}

impl Deciding {
    /// A policy that must be free of errors, for one environment if it has any, and the key sets of its issuers.
    pub(crate) fn policy(path: &Path, environment: Option<&str>, jwks: &[(String, PathBuf)]) -> Result<Self, Failure> {
        let sources = sources(path)?;
        let parsed = parse_for(&sources, environment);
        let Some(policy) = parsed.policy else { return Err(refused(&parsed.diagnostics, &sources)) };
        let trust = trust(&policy, jwks)?;
        let snapshot = Snapshot::compile(policy).map_err(|error| Failure::Problems(format!("error: {error}\n")))?;
        Ok(Self::Policy(Box::new(snapshot), trust))
    }

    /// A feed, opened as a data plane opens it.
    pub(crate) fn feed(directory: &Path, public_key: &Path) -> Result<Self, Failure> {
        let engine = Engine::open(&EngineConfig::feed(directory, public_key)).map_err(Failure::environment)?;
        Ok(Self::Feed(engine.version()))
    }

    /// A policy, or a feed if the path is one: a directory with a manifest.
    pub(crate) fn policy_or_feed(path: &Path, environment: Option<&str>, public_key: &Path) -> Result<Self, Failure> {
        if path.join("manifest").is_file() {
            Self::feed(path, public_key)
        } else {
            Self::policy(path, environment, &[])
        }
    }

    /// One of two policies that are compared, or a feed; and whether it is the one of an environment. A policy that has none takes no part in the
    /// choice of one.
    pub(crate) fn compared(path: &Path, environment: Option<&str>, public_key: &Path) -> Result<(Self, bool), Failure> {
        if path.join("manifest").is_file() {
            let feed = Self::feed(path, public_key)?;
            let chosen = feed.snapshot().policy().environment.is_some();
            return Ok((feed, chosen));
        }
        let sources = sources(path)?;
        let mut parsed = parse_for(&sources, None);
        let chosen = parsed.diagnostics.iter().any(|item| item.code == Code::EnvironmentNotChosen);
        if chosen && environment.is_some() {
            parsed = parse_for(&sources, environment);
        }
        let Some(policy) = parsed.policy else { return Err(refused(&parsed.diagnostics, &sources)) };
        let trust = trust(&policy, &[])?;
        let snapshot = Snapshot::compile(policy).map_err(|error| Failure::Problems(format!("error: {error}\n")))?;
        Ok((Self::Policy(Box::new(snapshot), trust), chosen))
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        match self {
            Self::Policy(snapshot, _) => snapshot,
            Self::Feed(version) => version.snapshot(),
        }
    }

    pub(crate) fn trust(&self) -> &Trust {
        match self {
            Self::Policy(_, trust) => trust,
            Self::Feed(version) => version.trust(),
        }
    }

    /// The stops in force, if there is a feed to have them.
    pub(crate) fn stops(&self) -> &StopSet {
        match self {
            Self::Policy(..) => StopSet::NONE,
            Self::Feed(version) => version.stops(),
        }
    }

    /// The grants in force, if there is a feed to have them.
    pub(crate) fn grants(&self) -> Option<&GrantSet> {
        match self {
            Self::Policy(..) => None,
            Self::Feed(version) => Some(version.grants()),
        }
    }
}

/// The texts of a policy. What is not there is a matter of the environment; a text that is too large or not UTF-8 is a problem of the policy, which
/// parsing it finds.
fn sources(path: &Path) -> Result<SourceSet, Failure> {
    match policy_files::read_all(path) {
        (sources, None) => Ok(sources),
        (_, Some(error)) => Err(Failure::environment(error)),
    }
}

/// Reads and parses a policy, errors and all: for each of its environments, or for the one that is wanted.
pub(crate) fn read(path: &Path, environment: Option<&str>) -> Result<(SourceSet, ParsedEverywhere), Failure> {
    let sources = sources(path)?;
    let parsed = parsed(&sources, environment);
    Ok((sources, parsed))
}

/// [`read`], with what is not there as a problem like any other; and whether something is not.
pub(crate) fn read_all(path: &Path, environment: Option<&str>) -> (SourceSet, ParsedEverywhere, bool) {
    let (sources, missing) = policy_files::read_all(path);
    let parsed = parsed(&sources, environment);
    (sources, parsed, missing.is_some())
}

fn parsed(sources: &SourceSet, environment: Option<&str>) -> ParsedEverywhere {
    match environment {
        None => parse_everywhere(sources),
        Some(name) => {
            let parsed = parse_for(sources, Some(name));
            let diagnostics = parsed.diagnostics.clone();
            ParsedEverywhere { environments: vec![(Some(name.to_owned()), parsed)], diagnostics }
        }
    }
}

/// Reads the daemon's configuration: what it says, unless it has errors, and its problems.
pub(crate) fn daemon_config(path: &Path) -> Result<(SourceSet, (Option<DaemonConfig>, Diagnostics)), Failure> {
    let sources = policy_files::read_one(path).map_err(Failure::environment)?;
    let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parsed = daemon_config::parse(&sources, folder.parent().unwrap_or(Path::new("/")));
    Ok((sources, parsed))
}

/// A policy that is not used. That an environment was not chosen, or is not one, is a matter of the command line.
pub(crate) fn refused(diagnostics: &Diagnostics, sources: &SourceSet) -> Failure {
    let mut codes = diagnostics.iter().map(|item| item.code);
    match (codes.next(), codes.next(), diagnostics.iter().next()) {
        (Some(Code::EnvironmentNotChosen), None, Some(item)) => {
            let help = item.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            Failure::usage(format!("{}{help}", item.message))
        }
        _ => Failure::Problems(output::diagnostics(diagnostics, sources)),
    }
}

/// Trust in the issuers of a policy, with the keys that were named.
fn trust(policy: &Policy, jwks: &[(String, PathBuf)]) -> Result<Trust, Failure> {
    let mut issuers: Vec<IssuerKeys> = policy
        .issuers
        .iter()
        .map(|(_, issuer)| IssuerKeys { name: issuer.name.clone(), trust: issuer.trust.clone(), keys: None })
        .collect();
    for (name, path) in jwks {
        let issuer = issuers.iter_mut().find(|issuer| issuer.name == *name);
        let issuer =
            issuer.ok_or_else(|| Failure::usage(format!("the policy has no issuer `{}`", name.escape_debug())))?;
        let at = path.display();
        let text = regular_file::read(path, MAX_KEYS_BYTES)
            .map_err(|error| Failure::environment(format!("cannot read `{at}`: {error}")))?;
        let keys = KeySet::from_jwks(&text).map_err(|error| Failure::environment(format!("`{at}`: {error}")))?;
        issuer.keys = Some(Arc::new(keys));
    }
    Trust::new(issuers).map_err(Failure::environment)
}
