//! `luigi.toml`: the configuration of the daemon, by the same means as policies.

use super::node::{Fields, Node, Text, quoted};
use super::values::{self, MAX_DURATION_SECONDS};
use super::{check_schema, document};
use crate::daemon_config::{
    CheckpointSettings, DaemonConfig, FeedSettings, LedgerSettings, LogFormat, LogLevel, LogSettings, PolicySettings,
    RetentionSettings, SpoolSettings,
};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::Mode;
use crate::policy::source::SourceSet;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that entries are kept before they are retired: ten years.
const MAX_KEPT_SECONDS: u32 = 3_660 * 86_400;

const TOP: &[&str] =
    &["schema", "state", "feed", "policy", "spool", "ledger", "checkpoints", "retention", "http", "log"];

/// Reads a configuration; paths in it are relative to `folder`. Whatever is wrong is in `out`, and then what is returned is not to be used.
pub(crate) fn read(sources: &SourceSet, folder: &Path, out: &mut Diagnostics) -> Option<DaemonConfig> {
    let documents = document::read_all(sources, out)?;
    let document = documents.first().filter(|document| document.whole)?;
    let top = Fields::of_document_named(document.source, document.root.get_ref(), "the configuration", TOP, out);
    check_schema(&top, out);
    let state = Place { folder, fields: Some(&top) }.path("state", "/var/lib/luigi".into(), out);
    let table = |name: &str, known: &[&str], out: &mut Diagnostics| {
        top.get(name).and_then(|node| Fields::open(node, &quoted(name), known, out))
    };

    let fields = table("feed", &["directory", "key", "heartbeat"], out);
    let place = Place { folder, fields: fields.as_ref() };
    let feed = FeedSettings {
        directory: place.path("directory", state.join("feed"), out),
        key: place.path("key", state.join("feed.key"), out),
        // Data planes take a writer for gone after a minute, unless they are told otherwise.
        heartbeat: place.duration("heartbeat", 15, (1, 30), out),
    };

    let fields = table("policy", &["path", "environment", "mode", "jwks"], out);
    let policy = fields.as_ref().map(|fields| policy(fields, folder, out));

    let fields = table("spool", &["directory", "longest-response"], out);
    let place = Place { folder, fields: fields.as_ref() };
    let spool = SpoolSettings {
        directory: place.path("directory", "/run/luigi/spool".into(), out),
        longest_response: place.duration("longest-response", 600, (1, MAX_DURATION_SECONDS), out),
    };
    if spool.directory == feed.directory {
        let at = fields.as_ref().and_then(|fields| fields.get("directory")).map_or(top.span(), Node::span);
        let problem = Diagnostic::error(Code::ConflictingKeys, at, "the spool is the feed's directory");
        out.push(problem.help("proxies write to the one and only read the other: give each a directory of its own"));
    }

    let fields = table("ledger", &["path", "key"], out);
    let place = Place { folder, fields: fields.as_ref() };
    let ledger = LedgerSettings {
        path: place.path("path", state.join("ledger/ledger.db"), out),
        key: place.path("key", state.join("ledger.key"), out),
    };

    let fields = table("checkpoints", &["to", "entries", "interval"], out);
    let checkpoints = checkpoints(&Place { folder, fields: fields.as_ref() }, out);

    let fields = table("retention", &["keep", "to"], out);
    let retention = fields.as_ref().map(|fields| {
        let place = Place { folder, fields: Some(fields) };
        fields.require("keep", "say how long entries stay in the ledger, like \"365d\"", out);
        fields.require("to", "name the folder that old entries are written to", out);
        RetentionSettings {
            keep: place.duration("keep", MAX_KEPT_SECONDS, (86_400, MAX_KEPT_SECONDS), out),
            to: place.path("to", PathBuf::new(), out),
        }
    });

    let fields = table("http", &["listen"], out);
    let listen = match fields.as_ref().and_then(|fields| fields.get("listen")) {
        Some(node) => listen(node, out),
        None => Some(SocketAddr::from(([127, 0, 0, 1], 9180))),
    };

    let fields = table("log", &["format", "level"], out);
    let fields = fields.as_ref();
    let (format, level) =
        (fields.and_then(|fields| fields.get("format")), fields.and_then(|fields| fields.get("level")));
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels =
        [("error", LogLevel::Error), ("warn", LogLevel::Warn), ("info", LogLevel::Info), ("debug", LogLevel::Debug)];
    let log = LogSettings {
        format: format.and_then(|node| node.word("format", &formats, out)).unwrap_or(LogFormat::Text),
        level: level.and_then(|node| node.word("level", &levels, out)).unwrap_or(LogLevel::Info),
    };
    Some(DaemonConfig { state, feed, policy, spool, ledger, checkpoints, retention, listen, log })
}

/// A table that may not be there, and where its paths begin.
struct Place<'p, 't> {
    folder: &'p Path,
    fields: Option<&'p Fields<'t>>,
}

impl<'t> Place<'_, 't> {
    fn get(&self, key: &str) -> Option<Node<'t>> {
        self.fields.and_then(|fields| fields.get(key))
    }

    fn path(&self, key: &str, default: PathBuf, out: &mut Diagnostics) -> PathBuf {
        let text = self.get(key).and_then(|node| node.text(key, out));
        text.map_or(default, |text| self.folder.join(text.value))
    }

    fn duration(&self, key: &str, default: u32, (min, max): (u32, u32), out: &mut Diagnostics) -> Duration {
        let text = self.get(key).and_then(|node| node.text(key, out));
        let seconds = text.and_then(|text| values::duration(&text, min, max, out));
        Duration::from_secs(seconds.unwrap_or(default).into())
    }
}

fn policy(fields: &Fields<'_>, folder: &Path, out: &mut Diagnostics) -> PolicySettings {
    let place = Place { folder, fields: Some(fields) };
    fields.require("path", "name the policy: a file, or a directory of *.toml files", out);
    let modes = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];
    let mut jwks = BTreeMap::new();
    if let Some(node) = fields.get("jwks") {
        for (name, node) in Fields::entries(node, "`jwks`", out) {
            if let Some(file) = node.text(&name.value, out) {
                jwks.insert(name.value, folder.join(file.value));
            }
        }
    }
    PolicySettings {
        path: place.path("path", PathBuf::new(), out),
        environment: fields.text("environment", out).map(|text| text.value),
        mode: fields.get("mode").and_then(|node| node.word("mode", &modes, out)),
        jwks,
    }
}

fn checkpoints(place: &Place<'_, '_>, out: &mut Diagnostics) -> CheckpointSettings {
    let to = place.fields.and_then(|fields| fields.texts("to", out)).unwrap_or_default();
    let to = to.into_iter().map(|text| sink(text, place.folder, out)).collect();
    let entries = match place.get("entries") {
        None => 1_000,
        Some(node) => {
            let number = node.integer("entries", out);
            let fits = number.as_ref().and_then(|number| u64::try_from(number.value).ok());
            let fits = fits.filter(|number| (1..=1_000_000).contains(number));
            if let (Some(number), None) = (&number, fits) {
                let message = "`entries` is not a number from 1 to 1000000";
                out.push(Diagnostic::error(Code::OutOfRange, number.span, message));
            }
            fits.unwrap_or(1_000)
        }
    };
    CheckpointSettings { to, entries, interval: place.duration("interval", 60, (1, 86_400), out) }
}

/// A place for checkpoints; that of a file becomes absolute.
fn sink(text: Text, folder: &Path, out: &mut Diagnostics) -> String {
    let Text { value, span } = text;
    if value.starts_with("https://") || value.starts_with("http://") || value == "syslog" {
        return value;
    }
    match value.strip_prefix("syslog:") {
        Some(rest) if rest.starts_with('/') || rest.contains(':') => value,
        Some(_) => {
            let message = format!("{} is neither syslog:HOST:PORT nor syslog:/PATH", quoted(&value));
            out.push(Diagnostic::error(Code::WrongType, span, message));
            value
        }
        // A path that is text stays text: both halves are.
        None => folder.join(&value).to_string_lossy().into_owned(),
    }
}

fn listen(node: Node<'_>, out: &mut Diagnostics) -> Option<SocketAddr> {
    let text = node.text("listen", out)?;
    if text.value == "off" {
        return None;
    }
    let address = text.value.parse().ok();
    if address.is_none() {
        let message = format!("{} is not an address to listen at", quoted(&text.value));
        let help = "write address and port, like \"127.0.0.1:9180\" or \"[::1]:9180\", or \"off\"";
        out.push(Diagnostic::error(Code::WrongType, text.span, message).help(help));
    }
    address
}
