//! What changes for whom when one policy takes the place of another.
//!
//! Targets on which both policies hold the same scopes and rules with the same content are not looked at: nothing can differ there. The others
//! are put together by the scopes and rules that speak about them; for each such situation every kind of request that these rules
//! tell apart is decided by both policies, and those that come out otherwise are put into words. docs/DIFF.md says what is compared
//! and when the result is complete.

use super::cubes::Cube;
use super::fingerprint::Fingerprints;
use super::in_play::{InPlay, Side, Speaking};
use super::patterns::common_host;
use super::report::{Answer, Cause, Example, TargetWords, merged, targets_of};
use super::situation::{Answers, Budget, Draft, Given, ask};
use super::special;
use super::structure::Structure;
use super::targets::{HostGroup, MethodClass, Special, Targets, every_scope, method_classes};
use super::terms::{self, Term};
use super::words;
use crate::decide::{Decision, Evaluation, Reason, Scratch};
use crate::policy::captures::{CaptureTest, CaptureValues};
use crate::policy::model::{HostPattern, HostProperties, Policy, ScopeId, ScopeSelector};
use crate::snapshot::Snapshot;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How much may be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Requests of one situation: targets on which the same scopes and rules speak.
    pub requests_per_situation: usize,
    /// Requests in all; each is decided by both policies.
    pub requests: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { requests_per_situation: 250_000, requests: 2_000_000 }
    }
}

/// The most boxes into which the differences of one situation are put.
const MAX_BOXES: usize = 64;

/// What two policies decide otherwise.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// What differs in decisions, most dangerous first.
    pub differences: Vec<Difference>,
    /// What differs in candidate decisions only: what observed rules would change.
    pub candidate_differences: Vec<Difference>,
    /// On which terms access is obtained, who is believed, and what else decisions do not show.
    pub terms: Vec<Term>,
    /// What differs in the text.
    pub structure: Structure,
    /// Where something may differ that is not reported; empty if everything was looked at.
    pub gaps: Vec<String>,
    /// How much was looked at.
    pub effort: Effort,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Effort {
    /// Kinds of targets.
    pub targets: usize,
    /// Sets of scopes and rules that differ between the policies.
    pub situations: usize,
    /// Requests that both policies decided.
    pub requests: usize,
}

/// Requests that two policies decide otherwise, alike among themselves.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// What kind of difference.
    pub kind: Kind,
    /// Whether the targets lie in a privileged scope of the new policy, or of the old one.
    pub privileged: bool,
    /// Whether callers without a credential are among them.
    pub anyone: bool,
    /// Who asks.
    pub who: String,
    /// Whether the new answer is the old one for some of these requests: to leave them out would take more words.
    pub some_already: bool,
    /// Whether deny rules keep some of these callers out, before and after: likewise.
    pub some_denied: bool,
    /// From where, when, with what: all of these hold.
    pub circumstances: Vec<String>,
    /// What is asked for.
    pub targets: Vec<TargetWords>,
    /// What the old policy answers.
    pub before: Answer,
    /// Why: each reason that is found among these requests.
    pub before_because: Vec<Cause>,
    /// What the new policy answers.
    pub after: Answer,
    /// Why.
    pub after_because: Vec<Cause>,
    /// One of these requests.
    pub example: Example,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What was denied is allowed.
    Opens,
    /// What was privileged is not any more.
    Unprivileged,
    /// What was allowed is denied.
    Closes,
    /// What was not privileged is.
    Privileged,
    /// Denied before and after, but the caller is told to do something else.
    Advice,
}

impl Comparison {
    /// Whether every request was looked at.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Whether some request is decided otherwise, observed rules included.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.differences.is_empty() || !self.candidate_differences.is_empty()
    }

    /// Whether it is certain that nobody has or obtains access otherwise: no request is decided otherwise, access is obtained on the same terms,
    /// and no grant ends.
    #[must_use]
    pub fn leaves_all_as_it_is(&self) -> bool {
        self.is_complete() && !self.differs() && self.terms.is_empty() && !self.structure.ends_grants()
    }
}

/// Compares what two policies decide about every request from `now` on.
#[must_use]
pub fn compare(old: &Snapshot, new: &Snapshot, now: Timestamp, bounds: Bounds) -> Comparison {
    let structure = Structure::compare(old.policy(), new.policy());
    let mut comparing = Comparing::new(old, new, now, bounds);
    comparing.ambiguous_targets();
    if structure.tables.iter().any(|changes| changes.table == "proxies") {
        comparing.gaps.insert("`proxies` differ: where requests come from is not compared".to_owned());
    }
    if !structure.is_empty() || old.policy().default_issuer != new.policy().default_issuer {
        comparing.collect();
        comparing.look();
    }
    comparing.finish(structure, terms::compare(old.policy(), new.policy()))
}

/// Rules and scopes by what they say: the same number means the same, in either policy.
struct Contents {
    rules: Vec<u32>,
    scopes: Vec<u32>,
}

/// What speaks about a target, in both policies, and what values it captures that rules name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    speaking: [Speaking; 2],
    captured: Vec<(String, String)>,
    /// Whether the host refuses requests for another method than their own.
    refuses_override: [bool; 2],
}

/// A host group, and in it a path, a class of methods and one of frontends.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    path: usize,
    method: usize,
    frontend: usize,
}

/// Targets about which the same speaks.
struct Situation {
    key: Key,
    targets: Vec<Place>,
}

/// What makes two boxes of different situations one difference.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Alike {
    candidate: bool,
    kind: Kind,
    privileged: bool,
    who: String,
    some_already: bool,
    some_denied: bool,
    circumstances: Vec<String>,
    before: (Answer, Vec<Cause>),
    after: (Answer, Vec<Cause>),
}

struct Comparing<'a> {
    sides: [&'a Snapshot; 2],
    contents: [Contents; 2],
    /// Whether both believe the same issuers: what one does not know it does not believe, and whoever is not believed is told to log in.
    same_issuers: bool,
    now: Timestamp,
    budget: Budget,
    methods: Vec<MethodClass>,
    groups: Vec<HostGroup>,
    situations: Vec<Situation>,
    found: Vec<(Alike, bool, Vec<TargetWords>, Example)>,
    alike: HashMap<Alike, usize>,
    gaps: BTreeSet<String>,
    effort: Effort,
    scratch: Scratch,
}

/// The hosts of which the policies do not say the same, but for the targets that are accepted.
fn different_hosts(policies: [&Policy; 2]) -> BTreeSet<&HostPattern> {
    let [old, new] = policies.map(|policy| {
        let said = |row: &HostProperties| (row.ignores_case, row.slash_matters, row.refuses_method_override);
        policy.hosts.iter().map(move |(_, row)| (&row.host, said(row))).collect::<BTreeMap<_, _>>()
    });
    let hosts = old.keys().chain(new.keys()).copied();
    hosts.filter(|host| old.get(host) != new.get(host)).collect()
}

fn urls(policy: &Policy) -> BTreeSet<&str> {
    policy.issuers.iter().map(|(_, issuer)| issuer.trust.url.as_str()).collect()
}

/// A claim that rules compare with two captures, of which no sample has the same value twice.
fn equal_captures(sides: &[Side<'_>]) -> Option<String> {
    let mut compared: BTreeMap<&[String], &str> = BTreeMap::new();
    for (_, CaptureTest { capture, accepts }) in InPlay::new(sides).captured {
        let CaptureValues::Claim { path, issuers: _ } = accepts else { continue };
        if *compared.entry(path).or_insert(capture) != capture {
            return Some(path.join("."));
        }
    }
    None
}

impl<'a> Comparing<'a> {
    fn new(old: &'a Snapshot, new: &'a Snapshot, now: Timestamp, bounds: Bounds) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut number = |text: String| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(text).or_insert(next)
        };
        let contents = [old, new].map(|side| {
            let policy = side.policy();
            let fingerprints = Fingerprints::new(policy);
            Contents {
                rules: policy.rules.iter().map(|(_, rule)| number(fingerprints.rule(rule))).collect(),
                scopes: policy.scopes.iter().map(|(_, scope)| number(fingerprints.scope(scope))).collect(),
            }
        });
        Self {
            sides: [old, new],
            contents,
            same_issuers: urls(old.policy()) == urls(new.policy()),
            now,
            budget: Budget { left: bounds.requests, used: 0, points: bounds.requests_per_situation },
            methods: method_classes(&[old.policy(), new.policy()]),
            groups: Vec::new(),
            situations: Vec::new(),
            found: Vec::new(),
            alike: HashMap::new(),
            gaps: BTreeSet::new(),
            effort: Effort::default(),
            scratch: Scratch::default(),
        }
    }

    fn policies(&self) -> [&'a Policy; 2] {
        self.sides.map(Snapshot::policy)
    }

    /// The scopes that are not the same in both policies, or about which rules speak that are not; `None` if that may be every request.
    fn touched(&self) -> Option<HashSet<(usize, ScopeId)>> {
        use crate::policy::model::TableId as _;
        let policies = self.policies();
        if !self.same_issuers {
            return None;
        }
        let rules: [HashSet<u32>; 2] = [0, 1].map(|side| self.contents[side].rules.iter().copied().collect());
        let scopes: [HashSet<u32>; 2] = [0, 1].map(|side| self.contents[side].scopes.iter().copied().collect());
        let mut touched = HashSet::new();
        let mut names: HashSet<&str> = HashSet::new();
        for side in [0, 1] {
            let policy = policies[side];
            for (id, rule) in policy.rules.iter() {
                if rules[1 - side].contains(&self.contents[side].rules[id.index()]) {
                    continue;
                }
                match &rule.scopes {
                    ScopeSelector::All => return None,
                    ScopeSelector::Named(scopes) => {
                        names.extend(scopes.iter().map(|id| policy.scopes[*id].name.as_str()));
                    }
                }
            }
            for (id, scope) in policy.scopes.iter() {
                if !scopes[1 - side].contains(&self.contents[side].scopes[id.index()]) {
                    names.insert(&scope.name);
                }
            }
        }
        let odd = different_hosts(policies);
        for side in [0, 1] {
            let policy = policies[side];
            let is_on = |id: &ScopeId| {
                let mut hosts = policy.scopes[*id].hosts.iter();
                hosts.any(|host| odd.iter().any(|odd| common_host(host, odd).is_some()))
            };
            touched.extend(every_scope(policy).filter(is_on).map(|id| (side, id)));
            touched.extend(
                every_scope(policy).filter(|id| names.contains(policy.scopes[*id].name.as_str())).map(|id| (side, id)),
            );
        }
        Some(touched)
    }

    /// Targets in two readings are not walked: where both policies decide them, each reading is among what is; where one refuses them that
    /// is said as a term.
    fn ambiguous_targets(&mut self) {
        let rows = self.policies().map(|policy| {
            let rows = policy.hosts.iter().map(|(_, row)| (row.host.clone(), row.accepts.clone()));
            rows.filter(|(_, accepts)| !accepts.is_empty()).collect::<BTreeMap<_, _>>()
        });
        let hosts: BTreeSet<_> = rows.iter().flat_map(BTreeMap::keys).collect();
        for host in hosts.into_iter().filter(|host| rows[0].get(*host) != rows[1].get(*host)) {
            self.gaps.insert(format!("ambiguous targets on {host}, of which the policies do not decide the same"));
        }
    }

    /// Finds the situations that are not the same in both policies.
    fn collect(&mut self) {
        let touched = self.touched();
        let policies = self.policies();
        let (special, cut) = special::of_rules(&policies);
        for capture in cut {
            self.gaps.insert(format!("captures `{{{capture}}}` that hold one of the many values that rules name"));
        }
        let targets = Targets::new(policies.to_vec(), &special);
        let mut known: HashMap<Key, usize> = HashMap::new();
        let mut groups = Vec::new();
        targets.groups(touched.as_ref(), |group| groups.push(group.clone()));
        for group in groups {
            if let Some(gap) = &group.gap {
                let host = group.hosts[0].pattern.as_deref().unwrap_or("any other host");
                self.gaps.insert(format!("{host} and hosts like it have {gap}"));
            }
            for (path, sample) in group.paths.iter().enumerate() {
                let frontends = 0..group.frontends.len();
                for (method, frontend) in
                    (0..self.methods.len()).flat_map(|method| frontends.clone().map(move |it| (method, it)))
                {
                    self.effort.targets += 1;
                    let name = group.frontends[frontend].name.as_deref();
                    let key = self.key(&group.hosts[0].name, &sample.path, method, name, &special);
                    if self.is_the_same(&key) {
                        continue;
                    }
                    let target = Place { group: self.groups.len(), path, method, frontend };
                    let at = *known.entry(key.clone()).or_insert_with(|| {
                        self.situations.push(Situation { key, targets: Vec::new() });
                        self.situations.len() - 1
                    });
                    self.situations[at].targets.push(target);
                }
            }
            self.groups.push(group);
        }
        self.effort.situations = self.situations.len();
    }

    fn key(&mut self, host: &str, path: &str, method: usize, frontend: Option<&str>, special: &Special) -> Key {
        let token = &self.methods[method].token;
        let mut draft = Draft::new(token, Some(host), path, self.now).at(frontend);
        let speaking = self.sides.map(|snapshot| {
            Side::at(snapshot, &draft.target(None), token, frontend, &self.methods, &mut self.scratch).speaking()
        });
        if !special.is_empty() {
            draft = draft.capturing(self.sides);
        }
        let refuses_override = self.sides.map(|snapshot| snapshot.hosts.of(draft.host()).refuses_method_override);
        Key { speaking, captured: special::held(special, &draft.captured), refuses_override }
    }

    fn is_the_same(&self, key: &Key) -> bool {
        use crate::policy::model::TableId as _;
        let said = |side: usize| {
            let (scopes, rules, _) = &key.speaking[side];
            let mut said: Vec<u32> = scopes.iter().map(|id| self.contents[side].scopes[id.index()]).collect();
            said.extend(rules.iter().map(|id| self.contents[side].rules[id.index()]));
            said.sort_unstable();
            said
        };
        let [before, after] = key.refuses_override;
        self.same_issuers && said(0) == said(1) && key.speaking[0].2 == key.speaking[1].2 && before == after
    }

    /// Asks both policies about every kind of request in each situation.
    fn look(&mut self) {
        let situations = std::mem::take(&mut self.situations);
        for (at, situation) in situations.iter().enumerate() {
            let Place { group, path, method, frontend } = situation.targets[0];
            let group = &self.groups[group];
            let (host, path) = (&group.hosts[0], &group.paths[path]);
            let draft = Draft::new(&self.methods[method].token, Some(&host.name), &path.path, self.now);
            let draft = draft.at(group.frontends[frontend].name.as_deref()).capturing(self.sides);
            let sides: Vec<Side<'_>> = self
                .sides
                .into_iter()
                .zip(&situation.key.speaking)
                .map(|(snapshot, speaking)| Side::of(snapshot, speaking))
                .collect();
            let answers = ask(&sides, &draft, &Given::default(), &mut self.budget, &mut self.scratch);
            let Some(answers) = answers else {
                let example = self.first_target(situation);
                self.gaps.insert(format!(
                    "{} of {} kinds of targets that rules speak about differently were not looked at, {example} among them",
                    situations.len() - at,
                    situations.len()
                ));
                break;
            };
            if let Some(path) = equal_captures(&sides) {
                let example = self.first_target(situation);
                self.gaps.insert(format!(
                    "{example} and the like: no two captures that are compared with claim `{path}` and equal"
                ));
            }
            if !answers.gaps.is_empty() {
                let example = self.first_target(situation);
                self.gaps.extend(answers.gaps.iter().map(|gap| format!("{example} and the like: looked at {gap}")));
            }
            self.report(situation, &answers, &draft);
        }
        self.effort.requests = self.budget.used;
    }

    fn targets_at(&self, Place { group, path, method, frontend }: Place) -> impl Iterator<Item = TargetWords> {
        let group = &self.groups[group];
        targets_of(group, path, &self.methods[method], &group.frontends[frontend])
    }

    fn first_target(&self, situation: &Situation) -> String {
        let mut targets = self.targets_at(situation.targets[0]);
        targets.next().map(|target| target.to_string()).unwrap_or_default()
    }

    fn report(&mut self, situation: &Situation, answers: &Answers, draft: &Draft) {
        let policies = self.policies();
        let targets: Vec<TargetWords> = situation.targets.iter().flat_map(|at| self.targets_at(*at)).collect();
        let privileged = answers.found.iter().any(|found| found.iter().any(|one| one.privileged));
        let answer = |at: usize, which: fn(&Evaluation) -> &Decision| -> [Answer; 2] {
            [0, 1].map(|side| Answer::new(which(&answers.found[at][side]), policies[side]))
        };
        let decisions: Vec<[Answer; 2]> = (0..answers.found.len()).map(|at| answer(at, |one| &one.decision)).collect();
        let candidates: Vec<[Answer; 2]> =
            (0..answers.found.len()).map(|at| answer(at, |one| &one.candidate)).collect();
        // A candidate that changes as the decision does is no news.
        let news: Vec<bool> = decisions.iter().zip(&candidates).map(|(one, other)| one != other).collect();
        for candidate in [false, true] {
            let said = if candidate { &candidates } else { &decisions };
            let counts = |at: usize| said[at][0] != said[at][1] && (!candidate || news[at]);
            let mut changes: Vec<&[Answer; 2]> = (0..said.len()).filter(|at| counts(*at)).map(|at| &said[at]).collect();
            changes.sort();
            changes.dedup();
            for change in changes {
                let wanted = |value: u16| {
                    let at = usize::from(value);
                    said[at] == *change && counts(at)
                };
                let (boxes, more) = answers.product.cover(
                    wanted,
                    &answers.order(),
                    |cube, dimension, choice| answers.may_widen(cube, dimension, choice),
                    MAX_BOXES,
                );
                if more {
                    let example = self.first_target(situation);
                    self.gaps.insert(format!(
                        "{example} and the like: more than {MAX_BOXES} kinds of requests change alike"
                    ));
                }
                // What the words of one box hold need not be said again.
                let mut told: Vec<Cube> = Vec::new();
                for cube in words::narrowed(&answers.dimensions, &answers.product, boxes) {
                    if told.iter().any(|wider| wider.holds(&cube)) {
                        continue;
                    }
                    let because = |side: usize| {
                        let values: BTreeSet<u16> = answers.product.values(&cube).collect();
                        let causes: BTreeSet<Cause> = values
                            .into_iter()
                            .map(|value| {
                                let one = &answers.found[usize::from(value)][side];
                                Cause::new(if candidate { &one.candidate } else { &one.decision }, policies[side])
                            })
                            .collect();
                        causes.into_iter().collect::<Vec<_>>()
                    };
                    // Whoever got the new answer before, too, need not be told apart from those who did not; nor need those
                    // whom deny rules keep out in both.
                    let is_so_after = |value: u16| said[usize::from(value)][1] == change[1];
                    let is_denied = |value: u16| {
                        let denies = |one: &Evaluation| {
                            let decision = if candidate { &one.candidate } else { &one.decision };
                            matches!(decision.reason, Reason::DeniedByRule | Reason::DenyRuleUnknown)
                        };
                        answers.found[usize::from(value)].iter().all(denies)
                    };
                    let any = |value: u16| is_so_after(value) || is_denied(value);
                    let wider = words::simplified(&answers.dimensions, &answers.product, &cube, any);
                    let has = |is: &dyn Fn(u16) -> bool| answers.product.values(&wider).any(is);
                    let who = words::who(&answers.dimensions, &wider);
                    let alike = Alike {
                        candidate,
                        kind: match (change[0].allows(), change[1].allows()) {
                            (false, true) => Kind::Opens,
                            (true, false) => Kind::Closes,
                            (false, false) | (true, true) => Kind::Advice,
                        },
                        privileged,
                        who: who.words,
                        some_already: has(&|value| is_so_after(value) && !wanted(value)),
                        some_denied: has(&|value| !is_so_after(value)),
                        circumstances: words::circumstances(&answers.dimensions, &wider),
                        before: (change[0].clone(), because(0)),
                        after: (change[1].clone(), because(1)),
                    };
                    told.push(wider);
                    let example = || answers.draft(draft, &cube.seed);
                    self.add(alike, who.anyone, &targets, example);
                }
            }
        }
        let sides = &answers.found[0];
        if sides[0].privileged != sides[1].privileged {
            let what = |one: &Evaluation| Answer {
                decision: if one.privileged { "privileged" } else { "not privileged" },
                advice: None,
            };
            let alike = Alike {
                candidate: false,
                kind: if sides[1].privileged { Kind::Privileged } else { Kind::Unprivileged },
                privileged: true,
                who: "anyone".to_owned(),
                some_already: false,
                some_denied: false,
                circumstances: Vec::new(),
                before: (what(&sides[0]), Vec::new()),
                after: (what(&sides[1]), Vec::new()),
            };
            self.add(alike, true, &targets, || draft.clone());
        }
    }

    fn add(&mut self, alike: Alike, anyone: bool, targets: &[TargetWords], example: impl FnOnce() -> Draft) {
        let [old, new] = self.policies();
        let at = *self.alike.entry(alike.clone()).or_insert_with(|| {
            self.found.push((alike, anyone, Vec::new(), Example::new(example(), &[new, old])));
            self.found.len() - 1
        });
        self.found[at].2.extend_from_slice(targets);
    }

    fn finish(self, structure: Structure, terms: Vec<Term>) -> Comparison {
        let (mut differences, mut candidate_differences) = (Vec::new(), Vec::new());
        for (alike, anyone, targets, example) in self.found {
            let Alike { candidate, kind, privileged, who, some_already, some_denied, circumstances, before, after } =
                alike;
            let difference = Difference {
                kind,
                privileged,
                anyone,
                who,
                some_already,
                some_denied,
                circumstances,
                targets: merged(targets),
                before: before.0,
                before_because: before.1,
                after: after.0,
                after_because: after.1,
                example,
            };
            if candidate { &mut candidate_differences } else { &mut differences }.push(difference);
        }
        for list in [&mut differences, &mut candidate_differences] {
            list.sort_by_cached_key(|one| {
                let danger = (!one.privileged, !one.anyone, one.circumstances.len());
                (one.kind, danger, one.who.clone(), one.targets.clone(), one.circumstances.clone())
            });
        }
        Comparison {
            differences,
            candidate_differences,
            terms,
            structure,
            gaps: self.gaps.into_iter().collect(),
            effort: self.effort,
        }
    }
}
