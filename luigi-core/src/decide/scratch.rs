//! The working memory of decisions: one for each thread, used again and again.

use crate::matchers::Standings;
use crate::policy::model::{LoginId, PatternId, ScopeId, TableId};
use crate::snapshot::{Crowd, CrowdId, Index, ScopeTraits, Snapshot, SnapshotNumber, fold_into};
use crate::target::MAX_TARGET_BYTES;

/// Working memory for [`Snapshot::decide`]; keeps nothing from one decision to the next that could change an answer.
///
/// One thread uses it at a time. It grows with the largest snapshot it has seen: 12 bytes a scope, 4 a login, 8 a pattern of scopes whose
/// rules take captures, 4 where scopes are taken together, and about 64 KiB for the groups of identities.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The snapshot that all this was last made to fit.
    fits: Option<SnapshotNumber>,
    pub(super) marks: Marks,
    pub(super) found: Found,
    /// The path in lower case, for hosts that ignore case.
    folded: String,
    pub(super) standings: Standings,
}

/// What is known of scopes and logins in one decision.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Marks are valid if they carry this round; so nothing has to be cleared between decisions.
    round: u32,
    scopes: Vec<(u32, Hold)>,
    /// The count in which a login was last counted.
    logins: Vec<u32>,
    login_count: u32,
}

/// The scopes whose patterns hold the target; after [`Scratch::settle`] those that hold the request, sorted.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) scopes: Vec<ScopeId>,
    /// With each scope of rules that take captures the patterns that hold the target.
    patterns: Vec<(ScopeId, PatternId)>,
    /// Scopes that are taken together; all of them hold the request.
    crowds: Vec<CrowdId>,
    pub(super) crowd_traits: ScopeTraits,
    /// What all these scopes are like, and the rules about every request.
    pub(super) traits: ScopeTraits,
}

impl Found {
    #[cold]
    fn sort(&mut self) {
        self.scopes.sort_unstable();
        self.patterns.sort_unstable();
    }

    /// The scope that holds the request, if one does and no other.
    pub(super) fn only(&self) -> Option<ScopeId> {
        match self.scopes[..] {
            [only] if self.crowds.is_empty() => Some(only),
            _ => None,
        }
    }

    /// Whether there are scopes that are taken together.
    pub(super) fn has_crowds(&self) -> bool {
        !self.crowds.is_empty()
    }

    /// The scopes that are taken together.
    pub(super) fn crowds<'s>(&'s self, index: &'s Index) -> impl Iterator<Item = &'s Crowd> {
        self.crowds.iter().map(|id| index.crowd(*id))
    }

    /// Whether a scope is among those that are taken together.
    pub(super) fn is_in_crowd(&self, scope: ScopeId, index: &Index) -> bool {
        self.crowds(index).any(|crowd| crowd.has(scope))
    }

    /// The patterns of a scope that hold the request, in order; none for a scope of which it does not matter.
    pub(super) fn patterns(&self, scope: ScopeId) -> &[(ScopeId, PatternId)] {
        let from = self.patterns.partition_point(|(of, _)| *of < scope);
        let many = self.patterns[from..].partition_point(|(of, _)| *of == scope);
        &self.patterns[from..from + many]
    }
}

/// What is known of a scope in this round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// A pattern holds the target; if the scope has exceptions, they have not been looked at.
    Pattern,
    /// The scope holds the request.
    Holds,
    /// An exception takes the request out, or it came in at another frontend.
    Excepted,
}

impl Marks {
    /// What is known of a scope; `None` if no pattern of it holds the target.
    pub(super) fn hold(&self, scope: ScopeId) -> Option<Hold> {
        let (round, hold) = self.scopes[scope.index()];
        (round == self.round).then_some(hold)
    }

    /// Whether a scope holds the request: known once exceptions and frontends have been looked at.
    pub(super) fn holds(&self, scope: ScopeId) -> bool {
        let (round, hold) = self.scopes[scope.index()];
        round == self.round && hold != Hold::Excepted
    }

    /// Forgets which logins were counted. What is known of scopes stays.
    pub(super) fn begin_logins(&mut self) {
        self.login_count = self.login_count.wrapping_add(1);
        if self.login_count == 0 {
            self.logins.fill(0);
            self.login_count = 1;
        }
    }

    /// Counts a login; `true` if it was not counted before.
    pub(super) fn count_login(&mut self, login: LoginId) -> bool {
        std::mem::replace(&mut self.logins[login.index()], self.login_count) != self.login_count
    }

    pub(super) fn login_counted(&self, login: LoginId) -> bool {
        self.logins[login.index()] == self.login_count
    }
}

impl Scratch {
    /// Working memory that fits this snapshot, and every smaller one.
    #[must_use]
    pub fn for_snapshot(snapshot: &Snapshot) -> Self {
        let mut scratch = Self::default();
        scratch.fit(snapshot);
        scratch
    }

    /// Makes room for a snapshot; allocates only if it is larger than any before.
    #[inline]
    pub(super) fn fit(&mut self, snapshot: &Snapshot) {
        if self.fits != Some(snapshot.number) {
            self.grow(snapshot);
        }
    }

    #[cold]
    fn grow(&mut self, snapshot: &Snapshot) {
        let scopes = snapshot.policy.scopes.len();
        if self.marks.scopes.len() < scopes {
            self.marks.scopes.resize(scopes, (0, Hold::Excepted));
            self.found.scopes.reserve(scopes - self.found.scopes.len());
        }
        if self.found.patterns.capacity() < snapshot.patterns {
            self.found.patterns.reserve(snapshot.patterns - self.found.patterns.len());
        }
        let crowds = snapshot.index.crowds().max(snapshot.folded_index.as_ref().map_or(0, Index::crowds));
        if self.found.crowds.capacity() < crowds {
            self.found.crowds.reserve(crowds - self.found.crowds.len());
        }
        if snapshot.folded_index.is_some() && self.folded.capacity() < MAX_TARGET_BYTES {
            self.folded.reserve(MAX_TARGET_BYTES);
        }
        self.standings.fit(snapshot);
        if self.marks.logins.len() < snapshot.policy.logins.len() {
            self.marks.logins.resize(snapshot.policy.logins.len(), 0);
        }
        self.fits = Some(snapshot.number);
    }

    /// The path as hosts that ignore case read it, taken out so that scopes can be noted meanwhile; give it back.
    pub(super) fn take_folded(&mut self, path: &str) -> String {
        let mut folded = std::mem::take(&mut self.folded);
        folded.clear();
        fold_into(path, &mut folded);
        folded
    }

    pub(super) fn give_back_folded(&mut self, folded: String) {
        self.folded = folded;
    }

    /// Forgets the decision before.
    pub(super) fn begin(&mut self) {
        self.found.scopes.clear();
        self.found.patterns.clear();
        self.found.crowds.clear();
        self.found.crowd_traits = ScopeTraits::default();
        self.marks.round = self.marks.round.wrapping_add(1);
        if self.marks.round == 0 {
            self.marks.scopes.fill((0, Hold::Excepted));
            self.marks.round = 1;
        }
    }

    /// Notes that a pattern of the scope holds the target.
    pub(super) fn note(&mut self, scope: ScopeId, pattern: Option<PatternId>) {
        let mark = &mut self.marks.scopes[scope.index()];
        if mark.0 != self.marks.round {
            *mark = (self.marks.round, Hold::Pattern);
            self.found.scopes.push(scope);
        }
        if let Some(pattern) = pattern {
            self.found.patterns.push((scope, pattern));
        }
    }

    /// Notes that patterns of scopes that are taken together hold the target.
    #[cold]
    pub(super) fn note_crowd(&mut self, crowd: CrowdId, traits: ScopeTraits) {
        self.found.crowds.push(crowd);
        self.found.crowd_traits = self.found.crowd_traits.or(traits);
    }

    pub(super) fn set_hold(&mut self, scope: ScopeId, hold: Hold) {
        self.marks.scopes[scope.index()] = (self.marks.round, hold);
    }

    /// The scopes that were found, but for those that are taken together.
    pub(super) fn found(&self) -> &[ScopeId] {
        &self.found.scopes
    }

    /// Leaves each scope that holds the request by itself.
    pub(super) fn take_crowds_apart(&mut self, index: &Index) {
        let crowds = std::mem::take(&mut self.found.crowds);
        for scope in crowds.iter().flat_map(|crowd| index.crowd(*crowd).scopes()) {
            self.note(*scope, None);
            self.set_hold(*scope, Hold::Holds);
        }
        self.found.crowds = crowds;
        self.found.crowds.clear();
        self.found.sort();
    }

    /// Leaves only the scopes of which `holds` is true; the others do not hold the request.
    pub(super) fn keep(&mut self, holds: impl Fn(ScopeId) -> bool) {
        let (round, scopes) = (self.marks.round, &mut self.marks.scopes);
        self.found.scopes.retain(|scope| {
            let held = holds(*scope);
            if !held {
                scopes[scope.index()] = (round, Hold::Excepted);
            }
            held
        });
        self.found.patterns.retain(|(scope, _)| scopes[scope.index()] != (round, Hold::Excepted));
    }

    /// Leaves only the scopes that hold the request, in order. `all_hold` says that those that were found do; `traits`, what they are like.
    #[inline]
    pub(super) fn settle(&mut self, all_hold: bool, traits: ScopeTraits) {
        self.found.traits = traits;
        if !all_hold {
            let marks = &self.marks;
            self.found.scopes.retain(|scope| marks.holds(*scope));
            self.found.patterns.retain(|(scope, _)| marks.holds(*scope));
        }
        // PERF: nearly always there is one.
        if self.found.scopes.len() > 1 || self.found.patterns.len() > 1 {
            self.found.sort();
        }
    }
}
