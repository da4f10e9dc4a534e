//! From host, path and method to the scopes whose patterns hold them.
//!
//! Hosts are looked up whole and by suffix; each leads to a trie of path segments. What a lookup costs follows the labels of
//! the host and the segments of the path. Exceptions between scopes are not known here.

use crate::matchers::path_regex::PathDfa;
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, Operation, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host};
use std::collections::HashMap;

/// Keys are the policy's own, so nobody can choose them to collide: a fast hash with a fixed seed will do.
type FixedHashMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Debug, Default)]
pub(crate) struct Index {
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
    here: Vec<(ScopeId, MethodSet)>,
    /// Operations with a final `**` here.
    rest: Vec<(ScopeId, MethodSet)>,
    /// In a root: scopes whose regular expressions are asked about the whole path.
    expressions: Vec<(ScopeId, MethodSet)>,
}

impl Index {
    /// Adds one operation of a scope on one host pattern.
    pub(super) fn insert(&mut self, scope: ScopeId, host: &HostPattern, operation: &Operation) {
        let mut at = self.root(host);
        for segment in &operation.path.segments {
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
        let ends = if operation.path.rest { &mut node.rest } else { &mut node.here };
        match ends.iter_mut().find(|(held, _)| *held == scope) {
            Some((_, methods)) => *methods = methods.union(operation.methods),
            None => ends.push((scope, operation.methods)),
        }
    }

    /// Keeps the regular expressions of a scope.
    pub(super) fn add_expressions(&mut self, scope: ScopeId, dfa: PathDfa) {
        self.expressions.insert(scope, dfa);
    }

    /// Asks the regular expressions of a scope about requests on one host pattern.
    pub(super) fn insert_expressions(&mut self, scope: ScopeId, host: &HostPattern, methods: MethodSet) {
        let root = self.root(host);
        self.nodes[root as usize].expressions.push((scope, methods));
    }

    /// The trie of a host pattern.
    fn root(&mut self, host: &HostPattern) -> NodeId {
        let slot = match host {
            HostPattern::Any => &mut self.any_host,
            HostPattern::Exact(name) => &mut self.hosts.entry(name.as_str().into()).or_default().exact,
            HostPattern::OneLabel(suffix) => &mut self.hosts.entry(suffix.as_str().into()).or_default().one_label,
            HostPattern::Labels(suffix) => &mut self.hosts.entry(suffix.as_str().into()).or_default().labels,
        };
        *slot.get_or_insert_with(|| new_node(&mut self.nodes))
    }

    /// Calls `found` for each scope with a pattern that holds the target and method; a scope may come more than once.
    pub(crate) fn visit(&self, target: &CanonicalTarget<'_>, method: MethodSet, found: &mut impl FnMut(ScopeId)) {
        // The asterisk- and the authority-form lie in no scope.
        if !target.path.starts_with('/') {
            return;
        }
        let mut walk = |root: Option<NodeId>| {
            if let Some(root) = root {
                self.match_expressions(root, target.path, method, found);
                self.walk(root, target.path, method, found);
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
    fn match_expressions(&self, root: NodeId, path: &str, method: MethodSet, found: &mut impl FnMut(ScopeId)) {
        // `/a/` is `/a` to rules, and `/` is itself.
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        for (scope, methods) in &self.nodes[root as usize].expressions {
            if methods.intersects(method) && self.expressions.get(scope).is_some_and(|dfa| dfa.holds(path)) {
                found(*scope);
            }
        }
    }

    /// `path` begins with `/`, or is empty where a template ended with the path.
    fn walk(&self, node: NodeId, path: &str, method: MethodSet, found: &mut impl FnMut(ScopeId)) {
        let node = &self.nodes[node as usize];
        let mut report = |ends: &[(ScopeId, MethodSet)]| {
            for (scope, methods) in ends {
                if methods.intersects(method) {
                    found(*scope);
                }
            }
        };
        report(&node.rest);
        // `/a/` is `/a` to rules.
        let Some(path) = path.strip_prefix('/').filter(|path| !path.is_empty()) else {
            return report(&node.here);
        };
        if node.literals.is_empty() && node.any.is_none() {
            return;
        }
        let end = path.find('/').unwrap_or(path.len());
        let (segment, rest) = path.split_at(end);
        // INVARIANT (trie-depth): no template is longer than MAX_TEMPLATE_SEGMENTS, which bounds this recursion.
        if let Some(child) = node.literals.get(segment) {
            self.walk(*child, rest, method, found);
        }
        if let Some(child) = node.any {
            self.walk(child, rest, method, found);
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
