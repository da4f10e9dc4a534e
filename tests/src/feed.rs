//! A feed in a temporary directory, with policies that say which generation they are.

use crate::tokens::Signer;
use luigi_core::policy::diagnostics::Style;
use luigi_runtime::feed::{MANIFEST_NAME, Manifest, PublicKey};
use luigi_runtime::{Engine, EngineConfig, Mode, OpenError};
use luigi_workflow::apply::{Applied, ApplyError, ApplyRequest, OnOtherEnvironment, apply};
use ring::signature::Ed25519KeyPair;
use std::path::PathBuf;
use tempfile::TempDir;

/// A feed and everything around it; gone when dropped.
#[derive(Debug)]
pub struct Feed {
    directory: TempDir,
}

impl Feed {
    /// Nothing is there yet.
    ///
    /// # Panics
    /// If the system has no temporary directory.
    #[must_use]
    pub fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory can be made") }
    }

    /// A path beside the feed.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The feed's directory.
    #[must_use]
    pub fn feed(&self) -> PathBuf {
        self.path("feed")
    }

    /// What `luigi apply` would be asked to do with this policy.
    ///
    /// # Panics
    /// If the policy cannot be written.
    #[must_use]
    pub fn request(&self, policy: &str) -> ApplyRequest {
        std::fs::write(self.path("policy.toml"), policy).expect("the policy can be written");
        ApplyRequest {
            policy: self.path("policy.toml"),
            feed: self.feed(),
            environment: None,
            on_other_environment: OnOtherEnvironment::Refuse,
            jwks: Vec::new(),
            mode: None,
            key: self.path("state/signing.key"),
            style: Style::PLAIN,
        }
    }

    /// Applies a policy.
    ///
    /// # Errors
    /// Those of [`apply`].
    pub fn apply(&self, policy: &str) -> Result<Applied, ApplyError> {
        apply(&self.request(policy))
    }

    /// Applies a policy in a mode.
    ///
    /// # Errors
    /// Those of [`apply`].
    pub fn apply_in(&self, policy: &str, mode: Mode) -> Result<Applied, ApplyError> {
        apply(&ApplyRequest { mode: Some(mode), ..self.request(policy) })
    }

    /// Applies a policy with the keys of its issuer `corp`.
    ///
    /// # Errors
    /// Those of [`apply`].
    ///
    /// # Panics
    /// If the keys cannot be written.
    pub fn apply_with_keys(&self, policy: &str, signers: &[&Signer]) -> Result<Applied, ApplyError> {
        let path = self.path("corp.jwks");
        std::fs::write(&path, crate::tokens::jwks(signers)).expect("the keys can be written");
        apply(&ApplyRequest { jwks: vec![("corp".to_owned(), path)], ..self.request(policy) })
    }

    /// How an engine on this feed is configured.
    #[must_use]
    pub fn config(&self) -> EngineConfig {
        EngineConfig::feed(self.feed(), self.path("state/signing.pub"))
    }

    /// An engine on this feed.
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn engine(&self) -> Result<Engine, OpenError> {
        Engine::open(&self.config())
    }

    /// The manifest in the feed.
    ///
    /// # Panics
    /// If there is none that the feed's key signed.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        let bytes = std::fs::read(self.feed().join(MANIFEST_NAME)).expect("there is a manifest");
        let key = std::fs::read_to_string(self.path("state/signing.pub")).expect("there is a public key");
        Manifest::verify(&bytes, &PublicKey::parse(&key).expect("it is a key")).expect("the manifest is signed")
    }

    /// The key that the feed is signed with.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn key(&self) -> Ed25519KeyPair {
        let pkcs8 = std::fs::read(self.path("state/signing.key")).expect("there is a key");
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).expect("it is a key")
    }

    /// Puts bytes where the manifest is, in one step.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn put_manifest(&self, bytes: &[u8]) {
        let new = self.feed().join(".new-by-test");
        std::fs::write(&new, bytes).expect("the feed can be written to");
        std::fs::rename(new, self.feed().join(MANIFEST_NAME)).expect("files can be renamed");
    }

    /// Signs a changed manifest and puts it in place.
    pub fn change_manifest(&self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.manifest();
        change(&mut manifest);
        self.put_manifest(&manifest.sign(&self.key()));
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

/// A policy that says `number` in two places: `GET /open` is allowed by the rule `open-<number>`, and the observed rule
/// `watched-<number>` would deny it. `/staff` needs somebody of the issuer `corp` in the group `staff`.
#[must_use]
pub fn numbered_policy(number: u64) -> String {
    format!(
        r#"schema = 1

[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]
default = true

[groups]
staff = "staff"

[scopes.open]
hosts = "any"
operations = ["GET /open"]

[scopes.staff]
hosts = ["app.example.com"]
paths = ["/staff/**"]
methods = "read"

[[rules]]
id = "open-{number}"
effect = "allow"
scopes = ["open"]
subject = "anyone"

[[rules]]
id = "watched-{number}"
effect = "deny"
scopes = ["open"]
mode = "observe"

[[rules]]
id = "staff"
effect = "allow"
scopes = ["staff"]
subject = {{ groups = ["staff"] }}
"#
    )
}
