//! A data plane without a proxy: decides privileged requests and records them, as fast as a thread can.

use luigi_core::identity::Identity;
use luigi_core::policy::model::Mode;
use luigi_runtime::spool::SpoolConfig;
use luigi_runtime::{Caller, Carried, Context, Engine, EvaluationId, Facts, PolicyFileConfig};
use std::path::Path;
use tempfile::TempDir;

const POLICY: &str = r#"
schema = 1
[issuers.corp]
url = "https://id.example.com"
audiences = ["app"]
[scopes.console]
hosts = ["admin.example.com"]
paths = ["/console/**"]
methods = "any"
privileged = true
[[rules]]
id = "staff"
effect = "allow"
scopes = ["console"]
subject = { subjects = ["ada"] }
"#;

/// An engine that records; gone when dropped, and with it the locks on its segments.
#[derive(Debug)]
pub struct Recorder {
    engine: Engine,
    _folder: TempDir,
}

/// What one thread records with.
#[derive(Debug)]
pub struct Thread {
    context: Context,
    caller: Identity,
}

impl Recorder {
    /// One that records to this directory, up to so many bytes.
    ///
    /// # Panics
    /// If the directory cannot be used.
    #[must_use]
    pub fn new(spool: &Path, limit_bytes: u64) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("policy.toml");
        std::fs::write(&path, POLICY).expect("a file in a temporary folder");
        let engine = Engine::open_policy_file(&PolicyFileConfig {
            path,
            environment: None,
            jwks: Vec::new(),
            mode: Mode::Enforce,
            carried: Carried::Everything,
            spool: Some(SpoolConfig { limit_bytes, ..SpoolConfig::new(spool) }),
        });
        Self { engine: engine.expect("policy and spool are sound"), _folder: folder }
    }

    /// What a thread records with; it has a segment of its own.
    #[must_use]
    pub fn thread(&self) -> Thread {
        let expires_at = luigi_runtime::now().plus_seconds(86_400);
        let caller = Identity::assert("tests", "https://id.example.com", "ada", expires_at).finish();
        Thread { context: self.engine.context(), caller }
    }

    /// How many records were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.engine.status().audit.map_or(0, |audit| audit.lost.total())
    }
}

impl Thread {
    /// Decides a privileged request that passes; its id if it is on record, and nothing if there was no room for it.
    ///
    /// # Panics
    /// If it is denied for another reason.
    pub fn request(&mut self, path: &str) -> Option<EvaluationId> {
        let facts = Facts {
            method: b"POST",
            target: path.as_bytes(),
            host: Some(b"admin.example.com"),
            host_count: 1,
            upgrade_count: Some(0),
            source: Some(b"203.0.113.9"),
            ..Facts::default()
        };
        let answer = self.context.evaluate_for(Caller::Asserted(&self.caller), &facts, luigi_runtime::now());
        let reason = answer.decision().reason.as_str();
        match reason {
            "allowed-by-rule" => Some(answer.id()),
            "audit-unavailable" => None,
            other => panic!("it is not let in: {other}"),
        }
    }

    /// Its response is at hand.
    pub fn response(&mut self, id: EvaluationId, status: u16) {
        self.context.record_response(id, status, b"app");
    }
}
