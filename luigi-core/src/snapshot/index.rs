//! From host, path and method to the scopes whose patterns hold them.
//!
//! Hosts are looked up whole and by suffix; each leads to a trie of path segments. What a lookup costs follows the labels of
//! the host and the segments of the path. Exceptions between scopes are not known here.

use super::hosts::{HostTraits, fold_into};
use crate::matchers::path_regex::PathDfa;
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, Operation, PatternId, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host};
use std::collections::HashMap;

/// Keys are the policy's own, so nobody can choose them to collide: a fast hash with a fixed seed will do.
pub(super) type FixedHashMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Whether literals are in lower case, as the paths that are looked up here.
    ignores_case: bool,
    /// By whole host, and by what follows `*.` or `**.`.
    hosts: FixedHashMap<Box<str>, Roots>,
    any_host: Option<NodeId>,
    nodes: Vec<Node>,
    /// The regular expressions of scopes that have some.
    expressions: FixedHashMap<ScopeId, PathDfa>,
}

type NodeId = u32;

/// The tries of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Roots {
    exact: Option<NodeId>,
    one_label: Option<NodeId>,
    labels: Option<NodeId>,
}

#[derive(Debug, Default)]
struct Node {
    literals: FixedHashMap<Box<str>, NodeId>,
    /// `{name}` and `*`.
    any: Option<NodeId>,
    /// Operations that end here.
    here: Vec<End>,
    /// Those that are written with a final `/`.
    here_with_slash: Vec<End>,
    /// Operations with a final `**` here.
    rest: Vec<End>,
    /// In a root: scopes whose regular expressions are asked about the whole path.
    expressions: Vec<End>,
}

/// What is found where a pattern ends.
#[derive(Clone, Copy, Debug)]
struct End {
    scope: ScopeId,
    methods: MethodSet,
    /// Which pattern it is, where that matters; else all of a scope that end at one node are one.
    pattern: Option<PatternId>,
}

/// Which operations a path ends at.
#[derive(Clone, Copy)]
enum Ends {
    /// Those written with a final `/` and those without.
    All,
    WithoutSlash,
    WithSlash,
}

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
            let known = match segment {
                Segment::Literal(text) => self.nodes[at as usize].literals.get(text.as_str()).copied(),
                Segment::Capture(_) | Segment::Any => self.nodes[at as usize].any,
            };
            at = known.unwrap_or_else(|| {
                let new = new_node(&mut self.nodes);
                let parent = &mut self.nodes[at as usize];
                match segment {
                    Segment::Literal(text) => {
                        parent.literals.insert(text.as_str().into(), new);
                    }
                    Segment::Capture(_) | Segment::Any => parent.any = Some(new),
                }
                new
            });
        }
        let node = &mut self.nodes[at as usize];
        let ends = match (operation.path.rest, operation.path.slash) {
            (true, _) => &mut node.rest,
            (false, true) => &mut node.here_with_slash,
            (false, false) => &mut node.here,
        };
        match ends.iter_mut().find(|end| end.scope == scope && end.pattern == pattern) {
            Some(end) => end.methods = end.methods.union(operation.methods),
            None => ends.push(End { scope, methods: operation.methods, pattern }),
        }
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
        self.nodes[root as usize].expressions.push(End { scope, methods, pattern });
    }

    /// The trie of a host pattern.
    fn root(&mut self, host: &HostPattern) -> NodeId {
        let slot = match host {
            HostPattern::Any => &mut self.any_host,
            HostPattern::Exact(name) => &mut self.hosts.entry(name.as_str().into()).or_default().exact,
            // What a label is called makes no difference to what it holds.
            HostPattern::OneLabel(suffix) | HostPattern::Capture { parent: suffix, .. } => {
                &mut self.hosts.entry(suffix.as_str().into()).or_default().one_label
            }
            HostPattern::Labels(suffix) => &mut self.hosts.entry(suffix.as_str().into()).or_default().labels,
        };
        *slot.get_or_insert_with(|| new_node(&mut self.nodes))
    }

    /// Calls `found` for each scope with a pattern that holds the target and method; a scope may come more than once, but with each of
    /// the patterns that matter only once. The path is in lower case if the index is.
    pub(crate) fn visit(
        &self,
        target: &CanonicalTarget<'_>,
        traits: HostTraits,
        method: MethodSet,
        found: &mut impl FnMut(ScopeId, Option<PatternId>),
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
                self.walk(root, path, ends, method, found);
            }
        };
        walk(self.any_host);
        match target.host {
            Host::Absent => {}
            Host::Address(text) => walk(self.hosts.get(text).and_then(|roots| roots.exact)),
            Host::Name(name) => {
                walk(self.hosts.get(name).and_then(|roots| roots.exact));
                let mut rest = name;
                let mut labels = 0;
                while let Some((_, suffix)) = rest.split_once('.') {
                    rest = suffix;
                    labels += 1;
                    if let Some(roots) = self.hosts.get(suffix) {
                        if labels == 1 {
                            walk(roots.one_label);
                        }
                        walk(roots.labels);
                    }
                }
            }
        }
    }

    /// The scopes of a root one of whose regular expressions holds the path.
    fn match_expressions(
        &self,
        root: NodeId,
        path: &str,
        method: MethodSet,
        found: &mut impl FnMut(ScopeId, Option<PatternId>),
    ) {
        for End { scope, methods, pattern } in &self.nodes[root as usize].expressions {
            if methods.intersects(method) && self.expressions.get(scope).is_some_and(|dfa| dfa.holds(path)) {
                found(*scope, *pattern);
            }
        }
    }

    /// `path` begins with `/`, or is empty where a template ended with the path.
    fn walk(
        &self,
        node: NodeId,
        path: &str,
        end: Ends,
        method: MethodSet,
        found: &mut impl FnMut(ScopeId, Option<PatternId>),
    ) {
        let node = &self.nodes[node as usize];
        let mut report = |ends: &[End]| {
            for end in ends {
                if end.methods.intersects(method) {
                    found(end.scope, end.pattern);
                }
            }
        };
        report(&node.rest);
        let Some(path) = path.strip_prefix('/').filter(|path| !path.is_empty()) else {
            if let Ends::All | Ends::WithoutSlash = end {
                report(&node.here);
            }
            if let Ends::All | Ends::WithSlash = end {
                report(&node.here_with_slash);
            }
            return;
        };
        if node.literals.is_empty() && node.any.is_none() {
            return;
        }
        let (segment, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        // INVARIANT (trie-depth): no template is longer than MAX_TEMPLATE_SEGMENTS, which bounds this recursion.
        if let Some(child) = node.literals.get(segment) {
            self.walk(*child, rest, end, method, found);
        }
        if let Some(child) = node.any {
            self.walk(child, rest, end, method, found);
        }
    }

    /// Frees up to `limit` nodes and host entries; `true` when nothing is left.
    pub(super) fn shrink(&mut self, limit: usize) -> bool {
        let keep = self.nodes.len().saturating_sub(limit);
        self.nodes.truncate(keep);
        let scopes: Vec<_> = self.expressions.keys().take(limit).copied().collect();
        for scope in scopes {
            self.expressions.remove(&scope);
        }
        if keep == 0 && !self.hosts.is_empty() {
            let names: Vec<_> = self.hosts.keys().take(limit).cloned().collect();
            for name in &names {
                self.hosts.remove(name);
            }
        }
        self.nodes.is_empty() && self.hosts.is_empty() && self.expressions.is_empty()
    }
}

fn new_node(nodes: &mut Vec<Node>) -> NodeId {
    nodes.push(Node::default());
    NodeId::try_from(nodes.len() - 1).expect("an index has fewer than 2^32 nodes")
}
