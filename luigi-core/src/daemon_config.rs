//! `luigi.toml`: how `luigi serve` is configured.
//!
//! Read as policies are, by the same code: every problem at once, each with its place. What the keys mean is in docs/DAEMON.md. Nothing here looks at the
//! disk: whether a directory is there is found out by who uses it.

use crate::policy::diagnostics::Diagnostics;
use crate::policy::model::Mode;
use crate::policy::source::SourceSet;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `luigi serve` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonConfig {
    /// The folder of what the daemon keeps for itself: its socket, and everything whose place is not said.
    pub state: PathBuf,
    /// The feed that it writes.
    pub feed: FeedSettings,
    /// The policy that it keeps in force; `None` if policies are applied by hand.
    pub policy: Option<PolicySettings>,
    /// The spool that it drains.
    pub spool: SpoolSettings,
    /// The ledger that it owns.
    pub ledger: LedgerSettings,
    /// Where the ledger's head is sent.
    pub checkpoints: CheckpointSettings,
    /// What becomes of old entries; `None` if they stay.
    pub retention: Option<RetentionSettings>,
    /// Where metrics and health are told; `None` for nowhere.
    pub listen: Option<SocketAddr>,
    /// How it logs.
    pub log: LogSettings,
}

/// The feed that a daemon writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSettings {
    /// Its directory.
    pub directory: PathBuf,
    /// The key that signs it.
    pub key: PathBuf,
    /// How long nothing may be published.
    pub heartbeat: Duration,
}

/// The policy that a daemon keeps in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySettings {
    /// A file, or a directory of them.
    pub path: PathBuf,
    /// The environment that it is compiled for; `None` if it has none.
    pub environment: Option<String>,
    /// Its mode; `None` for the one that the feed has.
    pub mode: Option<Mode>,
    /// The key set of issuers, by their names.
    pub jwks: BTreeMap<String, PathBuf>,
}

/// The spool that a daemon drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Its directory.
    pub directory: PathBuf,
    /// After how long a privileged request that passed counts as never answered.
    pub longest_response: Duration,
}

/// The ledger that a daemon owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerSettings {
    /// The database.
    pub path: PathBuf,
    /// The key that signs checkpoints.
    pub key: PathBuf,
}

/// Where and when the head of a ledger is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointSettings {
    /// Places, as docs/LEDGER.md writes them. Paths of files are absolute.
    pub to: Vec<String>,
    /// After how many entries.
    pub entries: u64,
    /// After how long.
    pub interval: Duration,
}

/// What becomes of old entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSettings {
    /// How long they stay in the ledger.
    pub keep: Duration,
    /// The folder that they are written to then.
    pub to: PathBuf,
}

/// How a daemon logs, to standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
}

/// The form of a daemon's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// An object of JSON a line.
    Json,
}

/// How much a daemon logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What keeps it from its work.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what it does.
    Info,
    /// And why.
    Debug,
}

/// Reads a configuration, the only source of its set; paths in it are relative to `folder`. `None` if it has errors.
///
/// # Examples
///
/// ```
/// use luigi_core::daemon_config;
/// use luigi_core::policy::SourceSet;
/// use luigi_core::policy::diagnostics::Style;
/// use std::path::Path;
///
/// let mut sources = SourceSet::new();
/// sources.add("luigi.toml", "schema = 1\nstate = \"state\"\n\n[feed]\nhartbeat = \"5s\"\n");
/// let (config, problems) = daemon_config::parse(&sources, Path::new("/srv"));
/// assert_eq!(config, None);
/// assert_eq!(
///     problems.render(&sources, Style::PLAIN),
///     "\
/// error[unknown-key]: unknown key `hartbeat` in `feed`
///  --> luigi.toml:5:1
///   |
/// 5 | hartbeat = \"5s\"
///   | ^^^^^^^^
///   |
///   = help: did you mean `heartbeat`?
/// "
/// );
/// ```
#[must_use]
pub fn parse(sources: &SourceSet, folder: &Path) -> (Option<DaemonConfig>, Diagnostics) {
    let mut problems = Diagnostics::default();
    let config = crate::policy::read_daemon(sources, folder, &mut problems);
    problems.finish(sources);
    let config = config.filter(|_| !problems.has_errors());
    (config, problems)
}

/// Whether a file is a configuration of the daemon and no policy: by its name, or by tables that only the one has.
#[must_use]
pub fn is_one(path: &Path, text: &str) -> bool {
    if path.file_name().is_some_and(|name| name == "luigi.toml") {
        return true;
    }
    let (root, _) = toml::de::DeTable::parse_recoverable(text);
    let has = |key: &str| root.get_ref().contains_key(key);
    ["feed", "spool", "ledger", "state"].into_iter().any(has) && !["rules", "scopes"].into_iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::diagnostics::Style;

    fn read(text: &str) -> (Option<DaemonConfig>, String) {
        let mut sources = SourceSet::new();
        sources.add("luigi.toml", text);
        let (config, problems) = parse(&sources, Path::new("/srv"));
        (config, problems.render(&sources, Style::PLAIN))
    }

    #[test]
    fn what_is_not_said_has_a_place_of_its_own() {
        let (config, problems) = read("schema = 1\n");
        let config = config.expect(&problems);
        assert_eq!(config.feed.directory, Path::new("/var/lib/luigi/feed"));
        assert_eq!(config.feed.key, Path::new("/var/lib/luigi/feed.key"));
        assert_eq!(config.spool.directory, Path::new("/run/luigi/spool"));
        assert_eq!(config.ledger.path, Path::new("/var/lib/luigi/ledger/ledger.db"));
        assert_eq!(config.ledger.key, Path::new("/var/lib/luigi/ledger.key"));
        assert_eq!(config.listen, Some("127.0.0.1:9180".parse().unwrap()));
        assert_eq!((config.policy, config.retention), (None, None));
        let (config, _) = read("schema = 1\nstate = \"of/mine\"\n[http]\nlisten = \"off\"\n");
        let config = config.unwrap();
        assert_eq!(config.feed.directory, Path::new("/srv/of/mine/feed"));
        assert_eq!(config.ledger.path, Path::new("/srv/of/mine/ledger/ledger.db"));
        assert_eq!(config.listen, None);
    }

    #[test]
    fn what_is_said_is_taken() {
        let text = r#"
            schema = 1
            [feed]
            directory = "/f"
            key = "k"
            heartbeat = "5s"
            [policy]
            path = "policy"
            environment = "production"
            mode = "enforce"
            jwks = { okta = "okta.json" }
            [spool]
            directory = "/s"
            longest-response = "1h"
            [ledger]
            path = "/l.db"
            key = "/l.key"
            [checkpoints]
            to = ["anchors", "syslog", "https://witness.example.com/luigi"]
            entries = 10
            interval = "30s"
            [retention]
            keep = "400d"
            to = "old"
            [log]
            format = "json"
            level = "debug"
        "#;
        let (config, problems) = read(text);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        assert_eq!(config.feed.heartbeat, Duration::from_secs(5));
        let policy = config.policy.unwrap();
        assert_eq!((policy.path.as_path(), policy.mode), (Path::new("/srv/policy"), Some(Mode::Enforce)));
        assert_eq!(policy.jwks["okta"], Path::new("/srv/okta.json"));
        assert_eq!(config.checkpoints.to, ["/srv/anchors", "syslog", "https://witness.example.com/luigi"]);
        let retention = config.retention.unwrap();
        assert_eq!(
            (retention.keep, retention.to.as_path()),
            (Duration::from_secs(400 * 86_400), Path::new("/srv/old"))
        );
        assert_eq!(config.log, LogSettings { format: LogFormat::Json, level: LogLevel::Debug });
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = "schema = 2\nsttae = \"x\"\nfeed = { heartbeat = \"1h\", key = \"\" }\n[policy]\nmode = \"on\"\n[http]\nlisten = \"9180\"\n[checkpoints]\nto = [\"syslog:somewhere\"]\nentries = 0\n[retention]\nkeep = \"1s\"\n[spool]\ndirectory = \"/var/lib/luigi/feed\"\n";
        let (config, problems) = read(text);
        assert_eq!(config, None);
        let heads: Vec<_> = problems.lines().filter(|line| line.starts_with("error")).collect();
        assert_eq!(
            heads,
            [
                "error[unsupported-schema]: schema 2 is not one that this version reads",
                "error[unknown-key]: unknown key `sttae` in the configuration",
                "error[out-of-range]: `1h` is out of range",
                "error[empty-value]: `key` is empty",
                "error[missing-key]: `policy` has no `path`",
                "error[unknown-word]: `on` is not a value of `mode`",
                "error[wrong-type]: `9180` is not an address to listen at",
                "error[wrong-type]: `syslog:somewhere` is neither syslog:HOST:PORT nor syslog:/PATH",
                "error[out-of-range]: `entries` is not a number from 1 to 1000000",
                "error[missing-key]: `retention` has no `to`",
                "error[out-of-range]: `1s` is out of range",
                "error[conflicting-keys]: the spool is the feed's directory",
            ],
            "{problems}"
        );
    }

    #[test]
    fn a_configuration_is_told_from_a_policy() {
        let check =
            |name: &str, text: &str, expected| assert_eq!(is_one(Path::new(name), text), expected, "{name} {text}");
        check("/etc/luigi/luigi.toml", "", true);
        check("edge.toml", "schema = 1\n[spool]\n", true);
        check("edge.toml", "schema = 1\n[scopes.spool]\n", false);
        check("edge.toml", "schema = 1\nfeed = 1\n[[rules]]\n", false);
        check("edge.toml", "schema = 1\nbroken = \n", false);
    }
}
