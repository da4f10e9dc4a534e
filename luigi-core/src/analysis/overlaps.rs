//! Which scopes have patterns in common: what lints and comparisons look at more closely.
//!
//! What scopes leave out is not known here; [`super::patterns`] decides exactly about the few pairs that are left. Buckets by host and a
//! trie of segments for each keep ten thousand scopes that have little in common from being compared in pairs. Regular expressions count
//! as everything below the segments that they begin with.

use crate::matchers::path_regex::{Case, PathDfa};
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, Operation, PathRegex, PathTemplate, Policy, ScopeId, Segment, TableId};
use std::collections::{BTreeMap, HashMap};

/// How many steps the search for overlaps may take.
const MAX_STEPS: usize = 2_000_000;

/// For each scope the others that have a pattern in common with it.
pub(crate) struct Overlaps {
    of: Vec<Vec<ScopeId>>,
    /// Whether not all overlaps were looked for.
    pub(crate) cut: bool,
}

impl Overlaps {
    pub(crate) fn new(policy: &Policy) -> Self {
        let expressions: Vec<Option<Operation>> =
            policy.scopes.iter().map(|(_, scope)| scope.path_regex.as_ref().map(below)).collect();
        let operations = |id: ScopeId| policy.scopes[id].operations.iter().chain(expressions[id.index()].as_ref());
        let mut tries: BTreeMap<HostPattern, Trie<'_>> = BTreeMap::new();
        for (id, scope) in policy.scopes.iter() {
            for host in &scope.hosts {
                let trie = tries.entry(unnamed(host)).or_default();
                trie.scopes.push(id);
                for operation in operations(id) {
                    trie.insert(&operation.path, id, operation.methods);
                }
            }
        }
        let mut search = Search { of: vec![Vec::new(); policy.scopes.len()], left: MAX_STEPS };
        let mut cut = false;
        'hosts: for (host, trie) in &tries {
            for wider in wider(host) {
                let Some(other) = tries.get(&wider) else { continue };
                for id in &trie.scopes {
                    for operation in operations(*id) {
                        let query = Query { id: *id, path: &operation.path, methods: operation.methods };
                        if search.walk(other, 0, &query, 0).is_none() {
                            cut = true;
                            break 'hosts;
                        }
                    }
                }
            }
        }
        let mut of = search.of;
        for (at, others) in of.iter_mut().enumerate() {
            let frontends = &policy.scopes[ScopeId::from_index(at)].frontends;
            others.retain(|other| share_frontends(frontends, &policy.scopes[*other].frontends));
            others.sort_unstable();
            others.dedup();
        }
        Self { of, cut }
    }

    /// The others that have a pattern in common with this scope, in order.
    pub(crate) fn of(&self, scope: ScopeId) -> &[ScopeId] {
        &self.of[scope.index()]
    }
}

/// A template that holds whatever the expressions hold.
fn below(regex: &PathRegex) -> Operation {
    // Of an automaton that cannot be read nothing is known: it may hold any path.
    let segments =
        PathDfa::from_bytes(&regex.automaton.0).map_or_else(Vec::new, |dfa| dfa.leading_segments(Case::Exact));
    let segments = segments.into_iter().map(Segment::Literal).collect();
    Operation { methods: regex.methods, path: PathTemplate { segments, rest: true, slash: false } }
}

/// Whether a request can come in where both scopes are.
fn share_frontends(one: &[String], other: &[String]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|name| other.contains(name))
}

/// What a label is called makes no difference to what it holds.
fn unnamed(host: &HostPattern) -> HostPattern {
    match host {
        HostPattern::Capture { parent, .. } => HostPattern::OneLabel(parent.clone()),
        HostPattern::Any | HostPattern::Exact(_) | HostPattern::OneLabel(_) | HostPattern::Labels(_) => host.clone(),
    }
}

/// The patterns that hold whatever this one holds, itself included. Of two patterns with a host in common one is among the other's.
fn wider(host: &HostPattern) -> Vec<HostPattern> {
    let mut found = vec![host.clone()];
    let ancestors = |name: &str| {
        let mut rest = name;
        std::iter::from_fn(move || {
            rest = rest.split_once('.')?.1;
            Some(rest.to_owned())
        })
        .collect::<Vec<_>>()
    };
    match host {
        HostPattern::Any => return found,
        HostPattern::Exact(name) => {
            let above = ancestors(name);
            found.extend(above.first().map(|parent| HostPattern::OneLabel(parent.clone())));
            found.extend(above.into_iter().map(HostPattern::Labels));
        }
        HostPattern::OneLabel(name) | HostPattern::Capture { parent: name, .. } => {
            found.push(HostPattern::Labels(name.clone()));
            found.extend(ancestors(name).into_iter().map(HostPattern::Labels));
        }
        HostPattern::Labels(name) => found.extend(ancestors(name).into_iter().map(HostPattern::Labels)),
    }
    found.push(HostPattern::Any);
    found
}

struct Trie<'p> {
    scopes: Vec<ScopeId>,
    nodes: Vec<Node<'p>>,
}

impl Default for Trie<'_> {
    fn default() -> Self {
        Self { scopes: Vec::new(), nodes: vec![Node::default()] }
    }
}

#[derive(Default)]
struct Node<'p> {
    literals: HashMap<&'p str, usize>,
    any: Option<usize>,
    here: Vec<(ScopeId, MethodSet)>,
    rest: Vec<(ScopeId, MethodSet)>,
}

impl<'p> Trie<'p> {
    fn insert(&mut self, path: &'p PathTemplate, id: ScopeId, methods: MethodSet) {
        let mut at = 0;
        for segment in &path.segments {
            let new = self.nodes.len();
            let next = match segment {
                Segment::Literal(text) => *self.nodes[at].literals.entry(text).or_insert(new),
                Segment::Capture(_) | Segment::Any => *self.nodes[at].any.get_or_insert(new),
            };
            if next == new {
                self.nodes.push(Node::default());
            }
            at = next;
        }
        let node = &mut self.nodes[at];
        if path.rest { &mut node.rest } else { &mut node.here }.push((id, methods));
    }
}

struct Query<'p> {
    id: ScopeId,
    path: &'p PathTemplate,
    methods: MethodSet,
}

struct Search {
    of: Vec<Vec<ScopeId>>,
    left: usize,
}

impl Search {
    /// `None` if the steps are used up. As deep as the longest template at most.
    fn walk(&mut self, trie: &Trie<'_>, node: usize, query: &Query<'_>, at: usize) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let node = &trie.nodes[node];
        self.note(&node.rest, query)?;
        let Some(segment) = query.path.segments.get(at) else {
            self.note(&node.here, query)?;
            if query.path.rest {
                for next in node.literals.values().copied().chain(node.any) {
                    self.walk(trie, next, query, at)?;
                }
            }
            return Some(());
        };
        match segment {
            Segment::Literal(text) => {
                if let Some(next) = node.literals.get(text.as_str()) {
                    self.walk(trie, *next, query, at + 1)?;
                }
            }
            Segment::Capture(_) | Segment::Any => {
                for next in node.literals.values() {
                    self.walk(trie, *next, query, at + 1)?;
                }
            }
        }
        match node.any {
            Some(next) => self.walk(trie, next, query, at + 1),
            None => Some(()),
        }
    }

    fn note(&mut self, ends: &[(ScopeId, MethodSet)], query: &Query<'_>) -> Option<()> {
        self.left = self.left.checked_sub(ends.len())?;
        for (other, methods) in ends {
            if *other != query.id && methods.intersects(query.methods) {
                self.of[query.id.index()].push(*other);
                self.of[other.index()].push(query.id);
            }
        }
        Some(())
    }
}
