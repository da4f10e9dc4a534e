//! `luigi apply`: check, test, compile, sign and publish a policy.
//!
//! What can be wrong with a policy or its keys is found before anything is written. After that the feed changes in one step, the renaming
//! of its manifest; whatever fails before it leaves the feed as it was, whatever fails after it (syncing, tidying up) is a warning.

use crate::brought::{Brought, BroughtKeys};
use crate::disk::{Change, Disk};
use crate::fact_record;
use crate::feed_writer::FeedWriter;
use crate::signing_key::SigningKey;
use crate::stops;
use luigi_core::analysis::lint;
use luigi_core::identity::{KeySet, UnusableKey};
use luigi_core::policy::diagnostics::Style;
use luigi_core::policy::model::{Mode, Policy};
use luigi_core::policy::test_case::TestCase;
use luigi_core::policy::{Parsed, SourceSet};
use luigi_core::policy_tests::{self, TestOutcome};
use luigi_core::snapshot::Snapshot;
use luigi_core::time::Timestamp;
use luigi_runtime::facts::FactList;
use luigi_runtime::feed::{FileKind, Manifest};
use luigi_runtime::haproxy_config;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What to apply, and where to.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The policy: a file, or a directory of `*.toml` files.
    pub policy: PathBuf,
    /// The feed; made if it is not there.
    pub feed: PathBuf,
    /// The environment that the policy is compiled for; `None` for a policy that has none.
    pub environment: Option<String>,
    /// What to do if that is another environment than the feed has.
    pub on_other_environment: OnOtherEnvironment,
    /// Names of issuers with the JWKS file of each. Issuers that are not named keep the keys they have in the feed.
    pub jwks: Vec<(String, PathBuf)>,
    /// The policy's mode; `None` keeps the one in the feed, `observe` at first.
    pub mode: Option<Mode>,
    /// The signing key (PKCS #8); made if it is not there, its public key beside it as `*.pub`. Must not lie in the feed.
    pub key: PathBuf,
    /// How diagnostics are rendered.
    pub style: Style,
}

/// What to do about a policy for another environment than the one that a feed has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnOtherEnvironment {
    /// Apply nothing: staging's policy in production's feed is somebody's mistake.
    #[default]
    Refuse,
    /// Change the feed's environment.
    Change,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The environment in force now; `None` if the policy has none.
    pub environment: Option<String>,
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApplyError {
    kind: ApplyErrorKind,
    text: String,
}

/// What kind of failure it was, for exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApplyErrorKind {
    /// The policy has errors.
    Policy,
    /// In-file tests failed.
    Tests,
    /// The rules ask for what HAProxy does not pass.
    Facts,
    /// A file could not be read or written, another apply is running, or a key or JWKS is not what it should be.
    Environment,
}

impl ApplyError {
    fn policy(text: impl Into<String>) -> Self {
        Self { kind: ApplyErrorKind::Policy, text: text.into() }
    }

    fn tests(text: impl Into<String>) -> Self {
        Self { kind: ApplyErrorKind::Tests, text: text.into() }
    }

    pub(crate) fn environment(text: impl Into<String>) -> Self {
        Self { kind: ApplyErrorKind::Environment, text: text.into() }
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
/// A policy with errors, a failing in-file test, a policy for another environment than the feed has, a JWKS that is not one or is for an issuer the policy lacks, another apply at
/// work, a feed that another key made, or a file that cannot be read or written.
pub fn apply(request: &ApplyRequest) -> Result<Applied, ApplyError> {
    apply_with(request, &mut |_| Ok(()), luigi_runtime::now())
}

/// [`apply`] with a say in every change to the disk, at a given time.
pub(crate) fn apply_with(
    request: &ApplyRequest,
    before_change: &mut dyn FnMut(Change) -> io::Result<()>,
    now: Timestamp,
) -> Result<Applied, ApplyError> {
    let brought = Brought::read(&request.policy, &request.jwks).map_err(ApplyError::environment)?;
    apply_brought(request, &brought, Feed::OfRequest, &mut Disk::new(before_change), now)
}

/// Who writes the feed.
pub(crate) enum Feed<'f> {
    /// Whoever asks: opens it and lets go of it.
    OfRequest,
    /// Somebody who holds it all the time.
    Held {
        writer: &'f mut FeedWriter,
        unchanged: Unchanged,
        /// A feed that is made anew gets a later epoch, whatever the clock says: engines refuse to go back.
        epoch_after: Option<u64>,
    },
}

/// What to do where everything is in force already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// Publish it as a generation of its own: somebody asked for it.
    Publish,
    /// Leave the feed as it is.
    LeaveAlone,
}

/// [`apply`] of what was read already.
pub(crate) fn apply_brought(
    request: &ApplyRequest,
    brought: &Brought,
    feed: Feed<'_>,
    disk: &mut Disk<'_>,
    now: Timestamp,
) -> Result<Applied, ApplyError> {
    let Checked { snapshot, tests_passed, mut warnings } = check(request, &brought.sources, now)?;
    check_facts(request, snapshot.policy())?;
    let given = given_keys(&brought.jwks, snapshot.policy(), &mut warnings).map_err(ApplyError::environment)?;
    let mut opened;
    let to = match feed {
        Feed::Held { writer, unchanged, epoch_after } => Target { feed: writer, unchanged, epoch_after },
        Feed::OfRequest => {
            opened = FeedWriter::open(&request.feed, disk).map_err(ApplyError::environment)?;
            Target { feed: &mut opened, unchanged: Unchanged::Publish, epoch_after: None }
        }
    };
    publish(request, &snapshot, &given, to, disk, now, &mut warnings).map_err(ApplyError::environment).map(
        |published| Applied {
            previous_revision: published.previous.as_ref().map(|manifest| manifest.policy.sha256.to_string()),
            revision: snapshot.revision().to_string(),
            generation: published.manifest.generation,
            mode: published.manifest.mode,
            previous_mode: published.previous.as_ref().map(|manifest| manifest.mode),
            environment: published.manifest.environment.clone(),
            rules: snapshot.policy().rules.len(),
            tests_passed,
            warnings,
            public_key: published.public_key,
            key_is_new: published.key_is_new,
        },
    )
}

/// A policy without errors.
struct Checked {
    snapshot: Snapshot,
    tests_passed: usize,
    warnings: Vec<String>,
}

fn check(request: &ApplyRequest, sources: &SourceSet, now: Timestamp) -> Result<Checked, ApplyError> {
    let parsed = luigi_core::policy::parse_for(sources, request.environment.as_deref());
    let found = lint::run(&parsed, sources, Some(now)).diagnostics;
    let Parsed { policy, tests, diagnostics, .. } = parsed;
    let policy = policy.ok_or_else(|| ApplyError::policy(diagnostics.render(sources, request.style)))?;
    if found.has_errors() {
        return Err(ApplyError::policy(found.render(sources, request.style)));
    }
    let problems = [diagnostics, found].into_iter().filter(|problems| !problems.is_empty());
    let warnings = problems.map(|problems| problems.render(sources, request.style)).collect();
    let snapshot = Snapshot::compile(policy)
        .map_err(|error| ApplyError::policy(format!("cannot compile `{}`: {error}", request.policy.display())))?;
    let tests_passed = run_tests(&snapshot, &tests, sources, request.style)?;
    Ok(Checked { snapshot, tests_passed, warnings })
}

/// Whether the lines that were printed for the feed carry what the rules ask for.
fn check_facts(request: &ApplyRequest, policy: &Policy) -> Result<(), ApplyError> {
    let needed = FactList::of_policy(policy);
    if needed.is_empty() {
        return Ok(());
    }
    let recorded = fact_record::read(&request.feed).map_err(ApplyError::environment)?;
    let lacking = recorded.as_ref().unwrap_or(&FactList::default()).lacks(&needed);
    if lacking.is_empty() {
        return Ok(());
    }
    let (policy, feed) = (request.policy.display(), request.feed.display());
    let so_far = if recorded.is_some() { "the lines that were printed for" } else { "no lines were printed for" };
    // Whoever records decisions goes on to do so.
    let recording = recorded.as_ref().is_some_and(FactList::has_user_agent);
    let needed = if recording { needed.with_user_agent() } else { needed };
    let (setting, line) = (haproxy_config::facts_setting(&needed), haproxy_config::facts_line(&needed));
    Err(ApplyError {
        kind: ApplyErrorKind::Facts,
        text: format!(
            "the rules ask for what HAProxy does not pass: {lacking}\n\
             note: {so_far} the feed `{feed}`{}\n\
             help: `luigi haproxy-config {policy} --to {feed}` prints all lines and records what they carry; of a configuration that is there, change the following, \
             reload HAProxy, and apply again\n\n\
             # In `global`, before `lua-load-per-thread`:\n{setting}\n\
             # In each frontend, in place of the line that sets `txn.luigi.in`:\n{line}",
            if recorded.is_some() { " do not carry it" } else { " with further facts" },
        ),
    })
}

/// The keys that were given, by issuer.
fn given_keys(
    brought: &[BroughtKeys],
    policy: &Policy,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut given = BTreeMap::new();
    for BroughtKeys { issuer, name: at, bytes } in brought {
        if !policy.issuers.iter().any(|(_, known)| known.name == *issuer) {
            let known: Vec<_> = policy.issuers.iter().map(|(_, known)| format!("`{}`", known.name)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(format!("`{issuer}` is no issuer of the policy\nhelp: its issuers are {known}"));
        }
        let unusable = |keys: &[UnusableKey]| keys.iter().map(|key| format!("\n  {key}")).collect::<String>();
        let keys = KeySet::from_jwks(bytes).map_err(|error| {
            format!("cannot use the keys `{at}`: {error}{}\nhelp: {}", unusable(error.unusable()), error.help())
        })?;
        if !keys.unusable().is_empty() {
            warnings.push(format!("warning: some keys of `{at}` are left out:{}", unusable(keys.unusable())));
        }
        if given.insert(issuer.clone(), bytes.clone()).is_some() {
            return Err(format!("issuer `{issuer}` is given keys twice"));
        }
    }
    Ok(given)
}

struct Published {
    manifest: Manifest,
    previous: Option<Manifest>,
    public_key: PathBuf,
    key_is_new: bool,
}

/// The feed that is written, and how.
struct Target<'f> {
    feed: &'f mut FeedWriter,
    unchanged: Unchanged,
    epoch_after: Option<u64>,
}

fn publish(
    request: &ApplyRequest,
    snapshot: &Snapshot,
    given: &BTreeMap<String, Vec<u8>>,
    Target { feed, unchanged, epoch_after }: Target<'_>,
    disk: &mut Disk<'_>,
    now: Timestamp,
    warnings: &mut Vec<String>,
) -> Result<Published, String> {
    if lies_in(&request.key, &request.feed) {
        let (key, feed) = (request.key.display(), request.feed.display());
        return Err(format!("the signing key `{key}` must not lie in the feed `{feed}`"));
    }
    let key = SigningKey::open(&request.key, disk)?;
    let previous = feed.read(&key)?.cloned();
    let environment = snapshot.policy().environment.clone();
    if let Some(previous) = &previous
        && request.on_other_environment == OnOtherEnvironment::Refuse
        && previous.environment != environment
    {
        let feed = request.feed.display();
        let in_words = |one: &Option<String>| match one {
            Some(name) => format!("a policy for environment `{name}`"),
            None => "a policy without environments".to_owned(),
        };
        let (before, now) = (in_words(&previous.environment), in_words(&environment));
        return Err(format!(
            "the feed `{feed}` has {before}, and this is {now}\nhelp: is it the right feed? --change-environment says that the change is meant"
        ));
    }
    let mut keys = BTreeMap::new();
    for (_, issuer) in snapshot.policy().issuers.iter() {
        let held = previous.as_ref().and_then(|manifest| manifest.keys.get(&issuer.name));
        let entry = match (given.get(&issuer.name), held) {
            (Some(bytes), _) => feed.put(bytes, FileKind::Keys, disk)?,
            (None, Some(held)) => {
                // Looked at before it is signed again: it may have been damaged since.
                feed.content(held, FileKind::Keys)?;
                *held
            }
            (None, None) => {
                let help = format!("--jwks {}=FILE gives it some", issuer.name);
                warnings.push(format!(
                    "warning: issuer `{}` has no keys, so all its tokens are refused\nhelp: {help}",
                    issuer.name
                ));
                continue;
            }
        };
        keys.insert(issuer.name.clone(), entry);
    }
    let dropped = previous.iter().flat_map(|manifest| manifest.keys.keys()).filter(|name| !keys.contains_key(*name));
    warnings.extend(dropped.map(|name| format!("warning: the keys of `{name}` are gone with the issuer")));
    let stops = match &previous {
        // Read before it is signed again, as keys are; kept as it is, what is over included.
        Some(manifest) => {
            warnings.extend(stops::without_scope(&stops::held(feed, manifest)?, snapshot.policy(), now));
            manifest.stops
        }
        None => None,
    };
    let policy = feed.put(&snapshot.encode(), FileKind::Policy, disk)?;
    let (epoch, generation) = match &previous {
        Some(manifest) => {
            // UNSHOWN: nobody makes 2^64 generations, and the clock is later than 1970.
            (manifest.epoch, manifest.generation.checked_add(1).ok_or("the feed has no generations left")?)
        }
        None => {
            // UNSHOWN: as above.
            let now = u64::try_from(now.unix_seconds()).map_err(|_| "the clock says that it is before 1970")?;
            (epoch_after.map_or(now, |epoch| now.max(epoch.saturating_add(1))), 1)
        }
    };
    let mode = request.mode.or(previous.as_ref().map(|manifest| manifest.mode)).unwrap_or(Mode::Observe);
    let tool = concat!("luigi ", env!("CARGO_PKG_VERSION")).to_owned();
    let (published_at, heartbeat) = feed.moments(now, previous.as_ref());
    let manifest =
        Manifest { epoch, generation, mode, environment, published_at, heartbeat, policy, keys, stops, tool };
    if unchanged == Unchanged::LeaveAlone
        && let Some(previous) = &previous
    {
        let Manifest { generation, published_at, heartbeat, ref tool, .. } = *previous;
        if *previous == (Manifest { generation, published_at, heartbeat, tool: tool.clone(), ..manifest.clone() }) {
            let manifest = previous.clone();
            let (public_key, key_is_new) = (key.public_path, key.is_new);
            return Ok(Published { manifest, previous: Some(previous.clone()), public_key, key_is_new });
        }
    }
    feed.publish(&manifest, &key, disk)?;
    if let Err(why) = feed.tidy(&manifest, disk) {
        warnings.push(format!("warning: the policy is in force, but {why}"));
    }
    Ok(Published { manifest, previous, public_key: key.public_path, key_is_new: key.is_new })
}

/// Whether a file lies, or would lie, in a directory that exists, whatever links lead there.
fn lies_in(file: &Path, directory: &Path) -> bool {
    let (Ok(file), Ok(directory)) = (std::path::absolute(file), directory.canonicalize()) else { return false };
    file.ancestors().skip(1).find_map(|ancestor| ancestor.canonicalize().ok()).is_some_and(|a| a.starts_with(directory))
}

/// Runs the tests that stand in the policy; how many there are, all passed.
fn run_tests(snapshot: &Snapshot, tests: &[TestCase], sources: &SourceSet, style: Style) -> Result<usize, ApplyError> {
    let (mut report, mut passed) = (String::new(), 0);
    for (test, outcome) in tests.iter().zip(policy_tests::run(snapshot, tests)) {
        match outcome {
            TestOutcome::Passed => passed += 1,
            TestOutcome::Failed(_) | TestOutcome::MissingFact { .. } | TestOutcome::MissingFrontend { .. } => {
                report.push_str(&outcome.diagnostics(test, sources).render(sources, style));
            }
        }
    }
    if passed == tests.len() { Ok(passed) } else { Err(ApplyError::tests(report)) }
}
