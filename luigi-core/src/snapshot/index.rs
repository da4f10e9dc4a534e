//! From host, path and method to the scopes whose patterns hold them.
//!
//! Hosts are looked up whole and by suffix; each leads to a trie of path segments. What a lookup costs follows the labels of
//! the host and the segments of the path. Regular expressions stand where the segments end with which every path begins that they
//! hold. Exceptions between scopes are not known here.

use super::crowd::{Crowd, Gathering, Member};
use super::hosts::{HostTraits, fold_into};
use super::retire::drop_last;
use super::scope_traits::ScopeTraits;
use super::text_table::{TextTable, hash, same};
use crate::matchers::path_regex::{Case, PathDfa};
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, Operation, PatternId, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host, MAX_HOST_BYTES, segment_length, slashes};
use compact_str::CompactString;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::num::NonZeroU32;

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
    has_suffixes: bool,
    any_host: Option<NodeId>,
    nodes: Vec<Node>,
    /// The regular expressions of scopes that have some.
    expressions: FixedHashMap<ScopeId, Expressions>,
    crowds: Vec<Crowd>,
    /// How many nodes have been looked at for crowds.
    gathered: usize,
    gathering: Option<NodeGathering>,
}

/// How many patterns may end at a node before those that can are taken together.
// PERF: 10,000 scopes on one path took 139 us one by one: `cargo bench -p luigi-bench --bench decide -- 'adversarial/one path'`.
const CROWDED: usize = 2;

/// The ends of one node, while they are being taken together.
#[derive(Debug)]
struct NodeGathering {
    /// The first stands last.
    left: SmallVec<[End; 1]>,
    kept: SmallVec<[End; 1]>,
    crowds: Vec<(End, Gathering)>,
}

/// How many segments with which expressions begin are looked at. Far below [`super::MAX_TEMPLATE_SEGMENTS`].
const MAX_LEAD: usize = 8;

// Never zero: there the first node would stand, which is none.
type NodeId = NonZeroU32;

#[derive(Debug)]
struct Named {
    name: CompactString,
    roots: Roots,
}

/// The tries of one name.
#[derive(Clone, Copy, Debug, Default)]
struct Roots {
    exact: Option<NodeId>,
    one_label: Option<NodeId>,
    labels: Option<NodeId>,
}

// PERF: with its short texts and its only end in it, a node takes two lines of the cache, and is all that is read on the way to what comes below it: a decision at 10,000 rules
// took 213 ns where they stood elsewhere.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Node {
    /// The literal segment that leads here from the node above.
    segment: CompactString,
    /// Segments which must follow before anything else here matters: nothing ends and nothing branches off among them.
    chain: Chain,
    literals: Literals,
    /// `{name}` and `*`.
    any: Option<NodeId>,
    ends: SmallVec<[End; 1]>,
}

const _: () = assert!(size_of::<Node>() == 128);

/// The nodes below a node, by their segments.
#[derive(Debug, Default)]
enum Literals {
    #[default]
    None,
    // PERF: one that is alone is compared and not looked up, as nearly all are below the first segment or two.
    One(NodeId),
    Many(TextTable),
}

/// Segments one after the other, none of which a path may lack.
// PERF: they are compared at once and not looked up one by one.
#[derive(Debug, Default)]
struct Chain {
    /// Each segment after its `/`; one that may be anything is [`ANY`].
    text: CompactString,
    /// One bit for each byte of the text that is [`ANY`]. These are among its first 64.
    anys: u64,
}

/// Stands for a segment that may be anything: no canonical path has this byte.
const ANY: char = '\0';

impl Chain {
    /// A chain of the first of these segments, as many as it has room for. The rest is left.
    fn of_first<'s>(links: impl Iterator<Item = Option<&'s str>>) -> (Self, usize) {
        let (mut chain, mut taken) = (Self::default(), 0);
        for link in links {
            match link {
                Some(segment) => {
                    chain.text.push('/');
                    chain.text.push_str(segment);
                }
                None if chain.text.len() + 1 < 64 => {
                    chain.text.push('/');
                    chain.anys |= 1 << chain.text.len();
                    chain.text.push(ANY);
                }
                None => break,
            }
            taken += 1;
        }
        (chain, taken)
    }

    /// A chain of segments that were part of one.
    fn of<'s>(links: impl Iterator<Item = Option<&'s str>>) -> Self {
        Self::of_first(links).0
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The segments, `None` for one that may be anything.
    fn links(&self) -> impl Iterator<Item = Option<&str>> {
        self.text.split('/').skip(1).map(|link| (!link.starts_with(ANY)).then_some(link))
    }

    /// What is left of a path that begins with these segments.
    #[inline(always)]
    fn follow<'p>(&self, path: &'p [u8], sought: &Sought<'_>) -> Option<&'p [u8]> {
        let text = self.text.as_bytes();
        let behind = if self.anys == 0 { behind(path, text) } else { follow_pieces(text, self.anys, path, sought) };
        behind.filter(|rest| matches!(rest, [] | [b'/', ..]))
    }
}

/// What is left of a path that begins with this piece of one.
#[inline(always)]
fn behind<'p>(path: &'p [u8], piece: &[u8]) -> Option<&'p [u8]> {
    let (begin, rest) = path.split_at_checked(piece.len())?;
    same(begin, piece).then_some(rest)
}

#[inline(never)]
fn follow_pieces<'p>(mut text: &[u8], anys: u64, path: &'p [u8], sought: &Sought<'_>) -> Option<&'p [u8]> {
    let (mut rest, mut anys, mut at) = (path, anys, 0);
    while anys != 0 {
        let next = anys.trailing_zeros() as usize;
        let (piece, others) = text.split_at_checked(next - at)?;
        rest = behind(rest, piece)?;
        let segment = sought.segment_length(rest);
        if segment == 0 {
            return None;
        }
        (rest, text) = (rest.get(segment..)?, others.get(1..)?);
        (anys, at) = (anys & (anys - 1), next + 1);
    }
    behind(rest, text)
}

impl Literals {
    #[inline(always)]
    fn find(&self, segment: &[u8], nodes: &[Node]) -> Option<NodeId> {
        match self {
            Self::None => None,
            Self::One(node) => same(nodes[place(*node)].segment.as_bytes(), segment).then_some(*node),
            Self::Many(table) => {
                for node in table.with_hash(hash(segment)) {
                    if same(nodes[node as usize].segment.as_bytes(), segment) {
                        return NodeId::new(node);
                    }
                }
                None
            }
        }
    }
}

/// The regular expressions of one scope.
#[derive(Debug)]
struct Expressions {
    dfa: PathDfa,
    /// With which segments every path begins that they hold: the expressions end, so to speak, where these do.
    // PERF: expressions that begin otherwise than the path are not run: with 4,000 of them on one host one is (`cargo bench -p luigi-bench --bench decide --
    // adversarial/regexes`).
    lead: Vec<Segment>,
}

/// What is found where a pattern ends.
#[derive(Clone, Copy, Debug)]
struct End {
    held: Held,
    traits: ScopeTraits,
    methods: MethodSet,
    kind: EndKind,
}

/// What holds a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A scope, and by which pattern, where that matters; else all of a scope that end at one node are one.
    By(ScopeId, Option<PatternId>),
    ByCrowd(CrowdId),
}

/// Where a crowd of an index stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrowdId(u32);

impl CrowdId {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a path must be like that comes to the end of a pattern: one bit each, so that several can be looked for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum EndKind {
    /// It ends here.
    Here = 1,
    /// It ends here; the pattern is written with a final `/`.
    HereWithSlash = 1 << 1,
    /// Anything may follow: a final `**`.
    Rest = 1 << 2,
    /// Whatever follows, the scope's regular expressions are asked about the whole path.
    Expressions = 1 << 3,
}

impl EndKind {
    /// Those of which it makes no difference whether the path ends where they do.
    const WHEREVER: u8 = Self::Rest as u8 | Self::Expressions as u8;
}

/// What is looked for.
struct Sought<'p> {
    /// Begins with `/`, and ends with one only if that is all.
    path: &'p [u8],
    /// One bit for each `/` among its first 64 bytes.
    // PERF: where segments end is found out once, and not segment by segment.
    slashes: u64,
    /// What regular expressions are asked about.
    whole: &'p str,
    /// The [`EndKind`]s of patterns that hold a path which ends where they do.
    at_end: u8,
    method: MethodSet,
}

impl Sought<'_> {
    /// How long the first segment is of `rest`, which is a rest of the path and begins with one.
    #[inline]
    fn segment_length(&self, rest: &[u8]) -> usize {
        let at = self.path.len() - rest.len();
        let known = if at < 64 { self.slashes >> at } else { 0 };
        match known {
            0 if self.path.len() <= 64 => rest.len(),
            0 => segment_length(rest),
            slashes => slashes.trailing_zeros() as usize,
        }
    }
}

impl Index {
    /// An index for paths in lower case.
    pub(super) fn ignoring_case() -> Self {
        Self { ignores_case: true, ..Self::default() }
    }

    /// Makes room for about so many operations, so that what is there need not be moved.
    pub(super) fn make_room(&mut self, operations: usize) {
        // Hardly a template branches off where none did before, and hardly a host has no other.
        self.nodes.reserve(operations + operations / 4);
    }

    /// Adds one operation of a scope, which is like `traits`, on one host pattern; `pattern` is `None` if it does not matter which of the scope's
    /// holds a target.
    pub(super) fn insert(
        &mut self,
        scope: ScopeId,
        traits: ScopeTraits,
        host: &HostPattern,
        operation: &Operation,
        pattern: Option<PatternId>,
    ) {
        let folded: Vec<Segment>;
        let mut segments = &operation.path.segments[..];
        if self.ignores_case {
            folded = segments.iter().map(in_lower_case).collect();
            segments = &folded;
        }
        let root = self.root(host);
        let at = self.node_at(root, segments);
        let kind = match (operation.path.rest, operation.path.slash) {
            (true, _) => EndKind::Rest,
            (false, true) => EndKind::HereWithSlash,
            (false, false) => EndKind::Here,
        };
        let ends = &mut self.nodes[place(at)].ends;
        // Scopes come one after the other.
        let held = Held::By(scope, pattern);
        let mut of_scope = ends.iter_mut().rev().take_while(|end| matches!(end.held, Held::By(of, _) if of == scope));
        match of_scope.find(|end| end.held == held && end.kind == kind) {
            Some(end) => end.methods = end.methods.union(operation.methods),
            None => ends.push(End { held, traits, methods: operation.methods, kind }),
        }
    }

    /// The node where these segments end.
    fn node_at(&mut self, root: NodeId, segments: &[Segment]) -> NodeId {
        let (mut at, mut left) = (root, segments);
        loop {
            left = self.follow_chain(at, left);
            let Some((first, rest)) = left.split_first() else { return at };
            left = rest;
            at = match link(first) {
                Some(text) => self.literal(at, text),
                None => match self.nodes[place(at)].any {
                    Some(known) => known,
                    None => {
                        let new = new_node(&mut self.nodes, "");
                        self.nodes[place(at)].any = Some(new);
                        new
                    }
                },
            };
        }
    }

    /// What is left of a template's segments behind the chain of a node. A node that leads nowhere yet gets a chain of all of them; one whose
    /// chain has other segments is split where it differs.
    fn follow_chain<'s>(&mut self, at: NodeId, segments: &'s [Segment]) -> &'s [Segment] {
        let node = &mut self.nodes[place(at)];
        let leads_nowhere = node.chain.is_empty()
            && node.any.is_none()
            && node.ends.is_empty()
            && matches!(node.literals, Literals::None);
        if leads_nowhere {
            let (chain, taken) = Chain::of_first(segments.iter().map(link));
            node.chain = chain;
            return &segments[taken..];
        }
        let agreed = node.chain.links().zip(segments).take_while(|(known, segment)| *known == link(segment)).count();
        self.split(at, agreed);
        &segments[agreed..]
    }

    /// Leaves that many segments in the chain of a node; the rest, and what comes behind, becomes a node below.
    fn split(&mut self, at: NodeId, kept: usize) {
        if kept == self.nodes[place(at)].chain.links().count() {
            return;
        }
        let whole = std::mem::take(&mut self.nodes[place(at)].chain);
        let mut links = whole.links();
        let before = Chain::of(links.by_ref().take(kept));
        let first = links.next().expect("more links than are kept");
        let below = new_node(&mut self.nodes, first.unwrap_or(""));
        let Node { segment, literals, any, ends, .. } = std::mem::take(&mut self.nodes[place(at)]);
        let (to_literal, to_any) = match first {
            Some(_) => (Literals::One(below), None),
            None => (Literals::None, Some(below)),
        };
        self.nodes[place(at)] =
            Node { segment, chain: before, literals: to_literal, any: to_any, ends: SmallVec::new() };
        let below = &mut self.nodes[place(below)];
        (below.chain, below.literals, below.any, below.ends) = (Chain::of(links), literals, any, ends);
    }

    /// The node below `at` for a literal segment.
    fn literal(&mut self, at: NodeId, text: &str) -> NodeId {
        if let Some(known) = self.nodes[place(at)].literals.find(text.as_bytes(), &self.nodes) {
            return known;
        }
        let new = new_node(&mut self.nodes, text);
        match &mut self.nodes[place(at)].literals {
            literals @ Literals::None => *literals = Literals::One(new),
            Literals::Many(table) => table.insert(hash(text.as_bytes()), new.get()),
            Literals::One(first) => {
                let first = *first;
                let mut table = TextTable::default();
                table.insert(hash(self.nodes[place(first)].segment.as_bytes()), first.get());
                table.insert(hash(text.as_bytes()), new.get());
                self.nodes[place(at)].literals = Literals::Many(table);
            }
        }
        new
    }

    /// Keeps the regular expressions of a scope.
    pub(super) fn add_expressions(&mut self, scope: ScopeId, dfa: PathDfa) {
        let case = if self.ignores_case { Case::Ignored } else { Case::Exact };
        let lead = dfa.leading_segments(case).into_iter().take(MAX_LEAD).map(Segment::Literal).collect();
        self.expressions.insert(scope, Expressions { dfa, lead });
    }

    /// Asks the regular expressions of a scope about requests on one host pattern.
    pub(super) fn insert_expressions(
        &mut self,
        scope: ScopeId,
        traits: ScopeTraits,
        host: &HostPattern,
        methods: MethodSet,
        pattern: Option<PatternId>,
    ) {
        let root = self.root(host);
        let lead = self.expressions.get(&scope).map_or_else(Vec::new, |expressions| expressions.lead.clone());
        let at = self.node_at(root, &lead);
        self.nodes[place(at)].ends.push(End {
            held: Held::By(scope, pattern),
            traits,
            methods,
            kind: EndKind::Expressions,
        });
    }

    /// After the last operation: takes scopes together that are alike, where many end at one node; up to `limit` nodes or ends at a time. `true` when all
    /// is done. `member` says what matters of a scope that may be taken together with others.
    pub(super) fn gather<'r>(&mut self, limit: usize, member: impl Fn(ScopeId) -> Option<Member<'r>>) -> bool {
        for _ in 0..limit {
            if self.gathering.is_some() {
                self.gather_end(&member);
                continue;
            }
            let Some(node) = self.nodes.get_mut(self.gathered) else { return true };
            if node.ends.len() <= CROWDED {
                self.gathered += 1;
                continue;
            }
            let mut left = std::mem::take(&mut node.ends);
            left.reverse();
            self.gathering = Some(NodeGathering { left, kept: SmallVec::new(), crowds: Vec::new() });
        }
        false
    }

    /// Takes the next end of the node that is at hand; after the last one the next node is.
    fn gather_end<'r>(&mut self, member: impl Fn(ScopeId) -> Option<Member<'r>>) {
        let Some(at_hand) = &mut self.gathering else { return };
        let Some(end) = at_hand.left.pop() else {
            let NodeGathering { mut kept, crowds, .. } = self.gathering.take().expect("there is one");
            for (end, gathering) in crowds {
                let id = u32::try_from(self.crowds.len()).expect("an index has fewer than 2^32 nodes");
                self.crowds.push(gathering.finish());
                kept.push(End { held: Held::ByCrowd(CrowdId(id)), ..end });
            }
            self.nodes[self.gathered].ends = kept;
            self.gathered += 1;
            return;
        };
        let member = match end {
            End {
                held: Held::By(scope, None), kind: EndKind::Here | EndKind::HereWithSlash | EndKind::Rest, ..
            } => member(scope).map(|member| (scope, member)),
            End { .. } => None,
        };
        let Some((scope, member)) = member else {
            at_hand.kept.push(end);
            return;
        };
        let alike = |of: &End| of.kind == end.kind && of.methods == end.methods && of.traits == end.traits;
        let at = at_hand.crowds.iter().position(|(of, _)| alike(of)).unwrap_or_else(|| {
            at_hand.crowds.push((end, Gathering::default()));
            at_hand.crowds.len() - 1
        });
        at_hand.crowds[at].1.add(scope, &member);
    }

    /// How many crowds there are: no more are found at once.
    pub(crate) fn crowds(&self) -> usize {
        self.crowds.len()
    }

    pub(crate) fn crowd(&self, id: CrowdId) -> &Crowd {
        &self.crowds[id.index()]
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
                    self.has_suffixes = true;
                }
                suffix
            }
        };
        let hash = hash(name.as_bytes());
        let at = self.by_name.find(hash, |at| self.names[at as usize].name == **name).unwrap_or_else(|| {
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
    #[inline(always)]
    fn roots(&self, name: &str) -> Roots {
        for at in self.by_name.with_hash(hash(name.as_bytes())) {
            let named = &self.names[at as usize];
            if same(named.name.as_bytes(), name.as_bytes()) {
                return named.roots;
            }
        }
        Roots::default()
    }

    /// Calls `found` for each scope with a pattern that holds the target and method, and says which pattern it is, where that matters; a scope may come more than once, but with each of the patterns that matter only once. The path is in lower case if the index is.
    #[inline]
    pub(crate) fn visit(
        &self,
        target: &CanonicalTarget<'_>,
        traits: HostTraits,
        method: MethodSet,
        found: &mut impl FnMut(ScopeId, Option<PatternId>),
    ) {
        self.find(target, traits, method, &mut |held, _| match held {
            Held::By(scope, pattern) => found(scope, pattern),
            Held::ByCrowd(crowd) => self.crowd(crowd).scopes().iter().for_each(|scope| found(*scope, None)),
        });
    }

    /// The same, but scopes that are taken together come as one.
    #[inline(always)]
    pub(crate) fn find(
        &self,
        target: &CanonicalTarget<'_>,
        traits: HostTraits,
        method: MethodSet,
        found: &mut impl FnMut(Held, ScopeTraits),
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
            (false, _) => (path, EndKind::Here as u8 | EndKind::HereWithSlash as u8),
            (true, false) => (target.path, EndKind::Here as u8),
            (true, true) => (target.path, EndKind::HereWithSlash as u8),
        };
        let path = path.as_bytes();
        let sought = Sought { path, slashes: slashes(path), whole, at_end: EndKind::WHEREVER | ends, method };
        self.below(self.any_host, &sought, found);
        match target.host {
            Host::Absent => {}
            Host::Address(text) => self.below(self.roots(text).exact, &sought, found),
            Host::Name(name) => {
                self.below(self.roots(name).exact, &sought, found);
                if self.has_suffixes {
                    self.below_suffixes(name, &sought, found);
                }
            }
        }
    }

    /// What is found below what follows `*.` and `**.`.
    #[inline(never)]
    fn below_suffixes<F: FnMut(Held, ScopeTraits)>(&self, name: &str, sought: &Sought<'_>, found: &mut F) {
        for (at, suffix) in self.suffixes(name) {
            let roots = self.roots(suffix);
            if roots.one_label.is_some() && !name[..at].contains('.') {
                self.below(roots.one_label, sought, found);
            }
            self.below(roots.labels, sought, found);
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

    /// What is found below a root, if there is one.
    #[inline]
    fn below<F: FnMut(Held, ScopeTraits)>(&self, root: Option<NodeId>, sought: &Sought<'_>, found: &mut F) {
        let Some(root) = root else { return };
        self.walk(root, sought.path, sought, found);
    }

    /// Whether one of a scope's regular expressions holds the path.
    #[inline(never)]
    fn expressions_hold(&self, held: Held, sought: &Sought<'_>) -> bool {
        match held {
            Held::By(scope, _) => self.expressions.get(&scope).is_some_and(|it| it.dfa.holds(sought.whole)),
            Held::ByCrowd(_) => false,
        }
    }

    /// `path` is what is left of the one that is sought; it begins with `/`, or is empty where a template ended with the path.
    fn walk<F: FnMut(Held, ScopeTraits)>(&self, mut node: NodeId, mut path: &[u8], sought: &Sought<'_>, found: &mut F) {
        loop {
            let at = &self.nodes[place(node)];
            if !at.chain.is_empty() {
                match at.chain.follow(path, sought) {
                    Some(rest) => path = rest,
                    None => return,
                }
            }
            let segments = path.get(1..).unwrap_or(&[]);
            let ends = if segments.is_empty() { sought.at_end } else { EndKind::WHEREVER };
            for end in &at.ends {
                if end.kind as u8 & ends != 0
                    && end.methods.intersects(sought.method)
                    && (end.kind != EndKind::Expressions || self.expressions_hold(end.held, sought))
                {
                    found(end.held, end.traits);
                }
            }
            if segments.is_empty() || at.any.is_none() && matches!(at.literals, Literals::None) {
                return;
            }
            let (segment, rest) = segments.split_at(sought.segment_length(segments));
            node = match (at.literals.find(segment, &self.nodes), at.any) {
                (None, None) => return,
                (Some(only), None) | (None, Some(only)) => only,
                (Some(literal), Some(any)) => {
                    // INVARIANT (trie-depth): no template is longer than MAX_TEMPLATE_SEGMENTS, which bounds this recursion.
                    self.walk(literal, rest, sought, found);
                    any
                }
            };
            path = rest;
        }
    }

    /// Frees up to `limit` nodes and names; `true` when nothing is left.
    pub(super) fn shrink(&mut self, limit: usize) -> bool {
        drop_last(&mut self.nodes, limit);
        drop_last(&mut self.crowds, limit);
        let scopes: Vec<_> = self.expressions.keys().take(limit).copied().collect();
        for scope in scopes {
            self.expressions.remove(&scope);
        }
        if self.nodes.is_empty() {
            drop_last(&mut self.names, limit);
        }
        self.nodes.is_empty() && self.crowds.is_empty() && self.names.is_empty() && self.expressions.is_empty()
    }
}

fn new_node(nodes: &mut Vec<Node>, segment: &str) -> NodeId {
    if nodes.is_empty() {
        nodes.push(Node::default());
    }
    nodes.push(Node { segment: segment.into(), ..Node::default() });
    let id = u32::try_from(nodes.len() - 1).ok().and_then(NodeId::new);
    id.expect("an index has fewer than 2^32 nodes")
}

/// Where a node stands.
fn place(node: NodeId) -> usize {
    node.get() as usize
}

/// A segment as nodes know it: a text, or `None` for any.
fn link(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Literal(text) => Some(text),
        Segment::Capture(_) | Segment::Any => None,
    }
}

fn in_lower_case(segment: &Segment) -> Segment {
    match segment {
        Segment::Literal(text) => {
            let mut lower = String::with_capacity(text.len());
            fold_into(text, &mut lower);
            Segment::Literal(lower)
        }
        Segment::Capture(_) | Segment::Any => segment.clone(),
    }
}
