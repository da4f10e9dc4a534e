//! From host, path and method to the scopes whose patterns hold them.
//!
//! Hosts are looked up whole and by suffix; each leads to a trie of path segments. What a lookup costs follows the labels of
//! the host and the segments of the path. Exceptions between scopes are not known here.

use super::hosts::{HostTraits, fold_into};
use super::text_table::{TextTable, hash};
use crate::matchers::path_regex::PathDfa;
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, Operation, PatternId, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host, MAX_HOST_BYTES, segment_length};
use std::collections::HashMap;

/// Keys are the policy's own, so nobody can choose them to collide: a fast hash with a fixed seed will do.
pub(super) type FixedHashMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Whether literals are in lower case, as the paths that are looked up here.
    ignores_case: bool,
    /// Whole hosts, and what follows `*.` or `**.`; `by_name` has their places.
    names: Vec<Named>,
    by_name: TextTable,
    /// One bit for each length that a name has which follows `*.` or `**.`: others need no look.
    suffix_lengths: [u64; MAX_HOST_BYTES / 64 + 1],
    any_host: Option<NodeId>,
    nodes: Vec<Node>,
    /// The regular expressions of scopes that have some.
    expressions: FixedHashMap<ScopeId, PathDfa>,
}

type NodeId = u32;

#[derive(Debug)]
struct Named {
    name: Box<str>,
    roots: Roots,
}

/// The tries of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Roots {
    exact: Option<NodeId>,
    one_label: Option<NodeId>,
    labels: Option<NodeId>,
}

#[derive(Debug, Default)]
struct Node {
    /// The literal segment that leads here from the node above.
    segment: Box<str>,
    /// The nodes below by their segments.
    literals: TextTable,
    /// `{name}` and `*`.
    any: Option<NodeId>,
    ends: Vec<End>,
}

/// What is found where a pattern ends.
#[derive(Clone, Copy, Debug)]
struct End {
    scope: ScopeId,
    methods: MethodSet,
    /// Which pattern it is, where that matters; else all of a scope that end at one node are one.
    pattern: Option<PatternId>,
    kind: EndKind,
}

/// What a path must be like that comes to the end of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndKind {
    /// It ends here.
    Here,
    /// It ends here; the pattern is written with a final `/`.
    HereWithSlash,
    /// Anything may follow: a final `**`.
    Rest,
    /// In a root: the scope's regular expressions are asked about the whole path.
    Expressions,
}

/// Which operations a path ends at.
#[derive(Clone, Copy)]
enum Ends {
    /// Those written with a final `/` and those without.
    All,
    WithoutSlash,
    WithSlash,
}

impl Ends {
    fn include(self, kind: EndKind) -> bool {
        match kind {
            EndKind::Here => matches!(self, Self::All | Self::WithoutSlash),
            EndKind::HereWithSlash => matches!(self, Self::All | Self::WithSlash),
            EndKind::Rest | EndKind::Expressions => false,
        }
    }
}

/// Whatever takes what is found: a scope, and which of its patterns, where that matters.
type Found<'f> = dyn FnMut(ScopeId, Option<PatternId>) + 'f;

impl Index {
    /// An index for paths in lower case.
    pub(super) fn ignoring_case() -> Self {
        Self { ignores_case: true, ..Self::default() }
    }

    /// Adds one operation of a scope on one host pattern; `pattern` is `None` if it does not matter which of the scope's holds a target.
    pub(super) fn insert(
        &mut self,
        scope: ScopeId,
        host: &HostPattern,
        operation: &Operation,
        pattern: Option<PatternId>,
    ) {
        let mut at = self.root(host);
        for segment in &operation.path.segments {
            let folded;
            let segment = match segment {
                Segment::Literal(text) if self.ignores_case => {
                    let mut lower = String::with_capacity(text.len());
                    fold_into(text, &mut lower);
                    folded = Segment::Literal(lower);
                    &folded
                }
                segment => segment,
            };
            at = match segment {
                Segment::Literal(text) => self.literal(at, text),
                Segment::Capture(_) | Segment::Any => match self.nodes[at as usize].any {
                    Some(known) => known,
                    None => {
                        let new = new_node(&mut self.nodes, "");
                        self.nodes[at as usize].any = Some(new);
                        new
                    }
                },
            };
        }
        let kind = match (operation.path.rest, operation.path.slash) {
            (true, _) => EndKind::Rest,
            (false, true) => EndKind::HereWithSlash,
            (false, false) => EndKind::Here,
        };
        let ends = &mut self.nodes[at as usize].ends;
        // Scopes come one after the other.
        let mut of_scope = ends.iter_mut().rev().take_while(|end| end.scope == scope);
        match of_scope.find(|end| end.pattern == pattern && end.kind == kind) {
            Some(end) => end.methods = end.methods.union(operation.methods),
            None => ends.push(End { scope, methods: operation.methods, pattern, kind }),
        }
    }

    /// The node below `at` for a literal segment.
    fn literal(&mut self, at: NodeId, text: &str) -> NodeId {
        let hash = hash(text.as_bytes());
        let is_it = |node: NodeId| *self.nodes[node as usize].segment == *text;
        if let Some(known) = self.nodes[at as usize].literals.find(hash, is_it) {
            return known;
        }
        let new = new_node(&mut self.nodes, text);
        self.nodes[at as usize].literals.insert(hash, new);
        new
    }

    /// Keeps the regular expressions of a scope.
    pub(super) fn add_expressions(&mut self, scope: ScopeId, dfa: PathDfa) {
        self.expressions.insert(scope, dfa);
    }

    /// Asks the regular expressions of a scope about requests on one host pattern.
    pub(super) fn insert_expressions(
        &mut self,
        scope: ScopeId,
        host: &HostPattern,
        methods: MethodSet,
        pattern: Option<PatternId>,
    ) {
        let root = self.root(host);
        self.nodes[root as usize].ends.push(End { scope, methods, pattern, kind: EndKind::Expressions });
    }

    /// The trie of a host pattern.
    fn root(&mut self, host: &HostPattern) -> NodeId {
        let name = match host {
            HostPattern::Any => {
                let nodes = &mut self.nodes;
                return *self.any_host.get_or_insert_with(|| new_node(nodes, ""));
            }
            HostPattern::Exact(name) => name,
            // What a label is called makes no difference to what it holds.
            HostPattern::OneLabel(suffix)
            | HostPattern::Labels(suffix)
            | HostPattern::Capture { parent: suffix, .. } => {
                // No host has a longer suffix.
                if let Some(word) = self.suffix_lengths.get_mut(suffix.len() / 64) {
                    *word |= 1 << (suffix.len() % 64);
                }
                suffix
            }
        };
        let hash = hash(name.as_bytes());
        let at = self.by_name.find(hash, |at| *self.names[at as usize].name == **name).unwrap_or_else(|| {
            let at = u32::try_from(self.names.len()).expect("an index has fewer than 2^32 names");
            self.names.push(Named { name: name.as_str().into(), roots: Roots::default() });
            self.by_name.insert(hash, at);
            at
        });
        let roots = &mut self.names[at as usize].roots;
        let slot = match host {
            HostPattern::Any | HostPattern::Exact(_) => &mut roots.exact,
            HostPattern::OneLabel(_) | HostPattern::Capture { .. } => &mut roots.one_label,
            HostPattern::Labels(_) => &mut roots.labels,
        };
        *slot.get_or_insert_with(|| new_node(&mut self.nodes, ""))
    }

    /// The tries of a name.
    fn roots(&self, name: &str) -> Roots {
        let found = self.by_name.find(hash(name.as_bytes()), |at| *self.names[at as usize].name == *name);
        found.map_or_else(Roots::default, |at| self.names[at as usize].roots)
    }

    /// Calls `found` for each scope with a pattern that holds the target and method; a scope may come more than once, but with each of
    /// the patterns that matter only once. The path is in lower case if the index is.
    pub(crate) fn visit(
        &self,
        target: &CanonicalTarget<'_>,
        traits: HostTraits,
        method: MethodSet,
        found: &mut Found<'_>,
    ) {
        // The asterisk- and the authority-form lie in no scope.
        if !target.path.starts_with('/') {
            return;
        }
        // `/a/` is `/a` to rules, and `/` is itself.
        let (path, slash) = match target.path.strip_suffix('/') {
            Some(path) if !path.is_empty() => (path, true),
            Some(_) | None => (target.path, false),
        };
        let (whole, ends) = match (traits.slash_matters, slash) {
            (false, _) => (path, Ends::All),
            (true, false) => (target.path, Ends::WithoutSlash),
            (true, true) => (target.path, Ends::WithSlash),
        };
        let mut walk = |root: Option<NodeId>| {
            if let Some(root) = root {
                self.match_expressions(root, whole, method, found);
                self.walk(root, path.as_bytes(), ends, method, found);
            }
        };
        walk(self.any_host);
        match target.host {
            Host::Absent => {}
            Host::Address(text) => walk(self.roots(text).exact),
            Host::Name(name) => {
                walk(self.roots(name).exact);
                for (at, suffix) in self.suffixes(name) {
                    let roots = self.roots(suffix);
                    if roots.one_label.is_some() && !name[..at].contains('.') {
                        walk(roots.one_label);
                    }
                    walk(roots.labels);
                }
            }
        }
    }

    /// What follows a dot in a name and is as long as something that follows `*.` or `**.`, with the place of the dot.
    fn suffixes<'n>(&self, name: &'n str) -> impl Iterator<Item = (usize, &'n str)> {
        let lengths = self.suffix_lengths.iter().zip((0..).step_by(64)).flat_map(|(word, first)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(first + bit)
            })
        });
        lengths.filter_map(|length| {
            let dot = name.len().checked_sub(length + 1)?;
            (name.as_bytes()[dot] == b'.').then(|| (dot, &name[dot + 1..]))
        })
    }

    /// The scopes of a root one of whose regular expressions holds the path.
    fn match_expressions(&self, root: NodeId, path: &str, method: MethodSet, found: &mut Found<'_>) {
        for End { scope, methods, pattern, kind } in &self.nodes[root as usize].ends {
            if *kind == EndKind::Expressions
                && methods.intersects(method)
                && self.expressions.get(scope).is_some_and(|dfa| dfa.holds(path))
            {
                found(*scope, *pattern);
            }
        }
    }

    /// `path` begins with `/`, or is empty where a template ended with the path.
    fn walk(&self, mut node: NodeId, mut path: &[u8], ends: Ends, method: MethodSet, found: &mut Found<'_>) {
        loop {
            let at = &self.nodes[node as usize];
            let segments = match path {
                [] | [b'/'] | [_] => None,
                [_, segments @ ..] => Some(segments),
            };
            for end in &at.ends {
                let ends_so = end.kind == EndKind::Rest || segments.is_none() && ends.include(end.kind);
                if ends_so && end.methods.intersects(method) {
                    found(end.scope, end.pattern);
                }
            }
            let Some(segments) = segments.filter(|_| at.any.is_some() || !at.literals.is_empty()) else { return };
            let (segment, rest) = segments.split_at(segment_length(segments));
            let is_it = |node: NodeId| self.nodes[node as usize].segment.as_bytes() == segment;
            let literal = if at.literals.is_empty() { None } else { at.literals.find(hash(segment), is_it) };
            node = match (literal, at.any) {
                (None, None) => return,
                (Some(only), None) | (None, Some(only)) => only,
                (Some(literal), Some(any)) => {
                    // INVARIANT (trie-depth): no template is longer than MAX_TEMPLATE_SEGMENTS, which bounds this recursion.
                    self.walk(literal, rest, ends, method, found);
                    any
                }
            };
            path = rest;
        }
    }

    /// Frees up to `limit` nodes and names; `true` when nothing is left.
    pub(super) fn shrink(&mut self, limit: usize) -> bool {
        self.nodes.truncate(self.nodes.len().saturating_sub(limit));
        let scopes: Vec<_> = self.expressions.keys().take(limit).copied().collect();
        for scope in scopes {
            self.expressions.remove(&scope);
        }
        if self.nodes.is_empty() {
            self.names.truncate(self.names.len().saturating_sub(limit));
        }
        self.nodes.is_empty() && self.names.is_empty() && self.expressions.is_empty()
    }
}

fn new_node(nodes: &mut Vec<Node>, segment: &str) -> NodeId {
    nodes.push(Node { segment: segment.into(), ..Node::default() });
    NodeId::try_from(nodes.len() - 1).expect("an index has fewer than 2^32 nodes")
}
