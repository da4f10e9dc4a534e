//! A place where Luigi is at work: a folder with a feed, an upstream, and HAProxys that read the feed.

use crate::haproxy::{Haproxy, Place, Setup};
use crate::installation::Release;
use crate::upstream::Upstream;
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_runtime::Mode;
use luigi_runtime::haproxy_config::PolicySource;
use luigi_workflow::apply::{Applied, ApplyError, ApplyRequest, OnOtherEnvironment, apply};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The folder, the feed and the upstream of one test.
#[derive(Debug)]
pub struct Site {
    folder: TestFolder,
    upstream: Upstream,
    jwks: Vec<(String, PathBuf)>,
}

impl Site {
    /// A place without a policy yet.
    #[must_use]
    pub fn new() -> Self {
        Self { folder: TestFolder::new(), upstream: Upstream::start(), jwks: Vec::new() }
    }

    /// Sets the keys that an issuer of the policy has from the next [`apply`](Self::apply) on.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set_keys(&mut self, issuer: &str, jwks: &str) {
        let file = self.path(&format!("{issuer}.jwks.json"));
        fs::write(&file, jwks).expect("a file in the test's folder");
        self.jwks.retain(|(name, _)| name != issuer);
        self.jwks.push((issuer.to_owned(), file));
    }

    /// Applies a policy, as `luigi apply` does; without a mode, the feed keeps the one it has.
    ///
    /// # Errors
    /// As [`apply`].
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn try_apply(&self, policy: &str, mode: Option<Mode>) -> Result<Applied, ApplyError> {
        fs::write(self.policy_file(), policy).expect("a file in the test's folder");
        apply(&ApplyRequest {
            policy: self.policy_file(),
            feed: self.feed(),
            environment: None,
            on_other_environment: OnOtherEnvironment::Refuse,
            jwks: self.jwks.clone(),
            mode,
            key: self.path("feed.key"),
            style: Style { color: Color::Never, width: 120 },
        })
    }

    /// Applies a policy that must be good.
    ///
    /// # Panics
    /// If it is not.
    pub fn apply(&self, policy: &str, mode: Option<Mode>) -> Applied {
        self.try_apply(policy, mode).unwrap_or_else(|error| panic!("the policy is refused:\n{error}"))
    }

    /// How HAProxy runs here, reading the feed.
    #[must_use]
    pub fn setup(&self, release: Release) -> Setup {
        let text = |path: PathBuf| path.to_str().expect("a printable path").to_owned();
        let source = PolicySource::Feed { directory: text(self.feed()), public_key: text(self.path("feed.pub")) };
        Setup::new(release, source)
    }

    /// A HAProxy with its configuration, not started. There is one at a time in a site.
    #[must_use]
    pub fn place(&self, setup: Setup) -> Place {
        Place::new(setup, self.folder(), &self.upstream)
    }

    /// Starts HAProxy; `None` if there is no such HAProxy here.
    #[must_use]
    pub fn start(&self, setup: Setup) -> Option<Haproxy> {
        self.place(setup).start()
    }

    /// What stands behind HAProxy.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The folder of the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// A file in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path.join(name)
    }

    /// The feed.
    #[must_use]
    pub fn feed(&self) -> PathBuf {
        self.path("feed")
    }

    /// Where [`apply`](Self::apply) puts the policy.
    #[must_use]
    pub fn policy_file(&self) -> PathBuf {
        self.path("policy.toml")
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// A folder that goes away with the test. Its path is short: it holds Unix sockets.
#[derive(Debug)]
struct TestFolder {
    path: PathBuf,
}

impl TestFolder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("luigi-test-{}-{number}", std::process::id()));
        // A process of the same number may have been killed before it could clean up.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a new folder");
        // HAProxy may run as another user.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own folder");
        Self { path }
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
