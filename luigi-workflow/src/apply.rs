//! `luigi apply`: check, test, compile, sign and publish a policy.

use luigi_core::policy::model::Mode;
use std::path::PathBuf;

/// What to apply, and where to.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The policy: a file, or a directory of `*.toml` files.
    pub policy: PathBuf,
    /// The feed; made if it is not there.
    pub feed: PathBuf,
    /// Names of issuers with the JWKS file of each. Issuers that are not named keep the keys they have in the feed.
    pub jwks: Vec<(String, PathBuf)>,
    /// The policy's mode; `None` keeps the one in the feed, `observe` at first.
    pub mode: Option<Mode>,
    /// The signing key (PKCS #8); made if it is not there, its public key beside it as `*.pub`. Must not lie in the feed.
    pub key: PathBuf,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The revision that was in force before, in hex; `None` for a new feed.
    pub previous_revision: Option<String>,
    /// The revision in force now, in hex.
    pub revision: String,
    /// The generation of the feed.
    pub generation: u64,
    /// The mode in force now.
    pub mode: Mode,
    /// The mode that was in force before; `None` for a new feed.
    pub previous_mode: Option<Mode>,
    /// How many rules the policy has.
    pub rules: usize,
    /// How many in-file tests passed.
    pub tests_passed: usize,
    /// Warnings, each ready to print (diagnostics without errors, issuers without keys).
    pub warnings: Vec<String>,
    /// Where the public key lies that engines must be configured with.
    pub public_key: PathBuf,
    /// Whether the signing key was made just now.
    pub key_is_new: bool,
}

/// Why nothing was applied: the feed is as it was. Plain text, possibly many lines, ready to print.
#[derive(Debug)]
pub struct ApplyError {
    kind: ApplyErrorKind,
    text: String,
}

/// What kind of failure it was, for exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyErrorKind {
    /// The policy has errors.
    Policy,
    /// In-file tests failed.
    Tests,
    /// A file could not be read or written, another apply is running, or a key or JWKS is not what it should be.
    Environment,
}

impl ApplyError {
    pub(crate) fn new(kind: ApplyErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ApplyErrorKind {
        self.kind
    }
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ApplyError {}

/// Checks, tests, compiles and publishes a policy. Nothing in the feed changes unless all of it succeeds.
///
/// # Errors
/// A policy with errors, a failing in-file test, a JWKS that is not one or is for an issuer the policy lacks, another apply at
/// work, or a file that cannot be read or written.
pub fn apply(request: &ApplyRequest) -> Result<Applied, ApplyError> {
    Err(ApplyError::new(ApplyErrorKind::Environment, format!("cannot publish into `{}`", request.feed.display())))
}
