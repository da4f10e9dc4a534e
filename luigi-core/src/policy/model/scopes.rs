//! Scopes and what they are made of: hosts, path templates, operations, regular expressions, upgrades.

use super::{PatternId, ScopeId, TableId};
use crate::method::MethodSet;
use serde::{Deserialize, Serialize};

/// A narrow, named set of operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The name that rules use.
    pub name: String,
    /// The hosts; never empty.
    pub hosts: Vec<HostPattern>,
    /// `frontends`: where HAProxy takes in the requests that it is about; sorted, empty for every one.
    pub frontends: Vec<String>,
    /// Path templates and the methods for each; `paths` x `methods` have become one entry a path. Empty only beside `path_regex`.
    pub operations: Vec<Operation>,
    /// `path-regex`: whole paths by regular expressions.
    pub path_regex: Option<PathRegex>,
    /// Scopes that are left out. Free of cycles.
    pub except: Vec<ScopeId>,
    /// Whether requests whose target lies here are privileged.
    pub privileged: bool,
    /// `preflight`: whether CORS preflights for what the scope holds pass without identity.
    pub preflight: bool,
    /// `audit`: what becomes of privileged requests here whose record cannot be taken; it means nothing where the scope is not privileged.
    pub audit: Audit,
    /// `upgrade`: whether requests here may turn their connection into something else.
    pub upgrade: Upgrade,
    /// SHA-256 over the scope's meaning: hosts, frontends, operations and what it leaves out (not its name, not its documentation).
    pub content_hash: ContentHash,
}

impl Scope {
    /// What a path can be held by: each operation, then the regular expressions, which are one.
    pub fn paths(&self) -> impl Iterator<Item = PathPattern<'_>> {
        let templates = self.operations.iter().map(PathPattern::Template);
        templates.chain(self.path_regex.as_ref().map(PathPattern::Expressions))
    }

    /// Every pair of a host and a path, in order of their ids.
    pub fn patterns(&self) -> impl Iterator<Item = (PatternId, &HostPattern, PathPattern<'_>)> {
        let pairs = self.hosts.iter().flat_map(|host| self.paths().map(move |path| (host, path)));
        pairs.enumerate().map(|(at, (host, path))| (PatternId::from_index(at), host, path))
    }

    /// One of these pairs; `None` if the id is of another scope.
    #[must_use]
    pub fn pattern(&self, id: PatternId) -> Option<(&HostPattern, PathPattern<'_>)> {
        let of_each_host = self.paths_of_each_host();
        let host = self.hosts.get(id.index().checked_div(of_each_host)?)?;
        let path = match self.operations.get(id.index() % of_each_host) {
            Some(operation) => PathPattern::Template(operation),
            None => PathPattern::Expressions(self.path_regex.as_ref()?),
        };
        Some((host, path))
    }

    /// How many patterns there are for each host.
    pub(crate) fn paths_of_each_host(&self) -> usize {
        self.operations.len() + usize::from(self.path_regex.is_some())
    }

    /// Whether every pattern has this capture; else the first one that has not.
    ///
    /// # Errors
    /// The host and the path that lack it.
    pub fn has_capture(&self, name: &str) -> Result<(), (&HostPattern, PathPattern<'_>)> {
        let host = self.hosts.iter().find(|host| host.capture() != Some(name));
        let path = self.paths().find(|path| path.captures().all(|held| held != name));
        match (host, path) {
            (Some(host), Some(path)) => Err((host, path)),
            (None, _) | (_, None) => Ok(()),
        }
    }
}

/// What a scope says about upgrades of a connection (WebSocket, say): what flows through it afterwards is not decided. The stricter, the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Upgrade {
    /// `"refuse"`: requests that ask for one are refused. What privileged scopes say unless they say otherwise.
    Refuse,
    /// A duration: the connection may outlive the decision, but is closed when nothing has flowed through it for this long.
    Outlive {
        /// At most [`Upgrade::MAX_SECONDS`].
        seconds: u32,
    },
    /// `"allow"`: nothing is said about how long it lasts. Never said by a privileged scope.
    Allow,
}

impl Upgrade {
    /// The longest duration, in seconds: 24 days. HAProxy counts milliseconds in 31 bits.
    pub const MAX_SECONDS: u32 = 24 * 86_400;
}

/// What becomes of a privileged request whose record cannot be taken. The stricter, the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Audit {
    /// `"best-effort"`: it passes, and the loss is counted.
    BestEffort,
    /// `"required"`: it is denied. What privileged scopes say unless they say otherwise.
    #[default]
    Required,
}

/// What can hold a path.
#[derive(Clone, Copy, Debug)]
pub enum PathPattern<'a> {
    /// An operation's template.
    Template(&'a Operation),
    /// Regular expressions.
    Expressions(&'a PathRegex),
}

impl<'a> PathPattern<'a> {
    /// The template, if it is one.
    #[must_use]
    pub fn template(self) -> Option<&'a PathTemplate> {
        match self {
            Self::Template(operation) => Some(&operation.path),
            Self::Expressions(_) => None,
        }
    }

    /// The names of the segments that it captures; regular expressions capture nothing.
    pub fn captures(self) -> impl Iterator<Item = &'a str> {
        self.template().into_iter().flat_map(PathTemplate::captures)
    }
}

/// As it is written.
impl std::fmt::Display for PathPattern<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Template(operation) => operation.path.fmt(f),
            Self::Expressions(regex) => f.write_str(&regex.patterns.join(" | ")),
        }
    }
}

/// SHA-256 of something's canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(pub [u8; 32]);

/// Which hosts a scope is about. Names are lower case, without port or trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HostPattern {
    /// `"any"`: every name, every address, and no Host at all.
    Any,
    /// Exactly this name or this canonical IP literal.
    Exact(String),
    /// `*.x`: one label before `.x`; holds `x` without the `*.`.
    OneLabel(String),
    /// `**.x`: one or more labels before `.x`; holds `x` without the `**.`.
    Labels(String),
    /// `{name}.x`: one label before `.x`, under a name.
    Capture {
        /// The name of the label.
        name: String,
        /// `x`, without the label and its dot.
        parent: String,
    },
}

impl HostPattern {
    /// The name of the label that it captures, if it does.
    #[must_use]
    pub fn capture(&self) -> Option<&str> {
        match self {
            Self::Capture { name, .. } => Some(name),
            Self::Any | Self::Exact(_) | Self::OneLabel(_) | Self::Labels(_) => None,
        }
    }
}

/// As it is written.
impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Exact(name) => f.write_str(name),
            Self::OneLabel(parent) => write!(f, "*.{parent}"),
            Self::Labels(parent) => write!(f, "**.{parent}"),
            Self::Capture { name, parent } => write!(f, "{{{name}}}.{parent}"),
        }
    }
}

/// Methods on a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The methods.
    pub methods: MethodSet,
    /// The path.
    pub path: PathTemplate,
}

/// Methods on every path that one of some regular expressions holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRegex {
    /// The methods.
    pub methods: MethodSet,
    /// The expressions as they are written, sorted; never empty. Each is about the whole canonical path without a final `/`.
    pub patterns: Vec<String>,
    /// All of them in one.
    pub automaton: Automaton,
    /// The same without regard to case, if some host of the policy ignores it.
    pub folded: Option<Automaton>,
}

/// Regular expressions as they were compiled when the policy was checked, to be loaded without compiling anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Automaton(pub(crate) Vec<u8>);

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Automaton({} bytes)", self.0.len())
    }
}

// As bytes, not as a list of numbers: read and written whole.
impl Serialize for Automaton {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Automaton {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Automaton;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Automaton, E> {
                Ok(Automaton(bytes.to_vec()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Automaton, E> {
                Ok(Automaton(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A path template of literal segments, `{name}`, `*` and a final `**`. `/a` and `/a/` are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PathTemplate {
    /// The segments; none for `/`.
    pub segments: Vec<Segment>,
    /// Whether a final `**` takes the rest, none or more segments.
    pub rest: bool,
    /// Whether it is written with a final `/`, which matters only on hosts that tell `/a` from `/a/`; `false` if no host of the policy does.
    pub slash: bool,
}

impl PathTemplate {
    /// The names of the segments that it captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name.as_str()),
            Segment::Literal(_) | Segment::Any => None,
        })
    }
}

/// As it is written, in canonical form.
impl std::fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::Capture(name) => write!(f, "/{{{name}}}")?,
                Segment::Any => f.write_str("/*")?,
            }
        }
        match (self.rest, self.segments.is_empty()) {
            (true, _) => f.write_str("/**"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

/// One segment of a path template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Segment {
    /// Exactly this text, in canonical form (unreserved characters decoded, escapes upper-case).
    Literal(String),
    /// `{name}`: exactly one non-empty segment, under a name.
    Capture(String),
    /// `*`: exactly one non-empty segment.
    Any,
}
