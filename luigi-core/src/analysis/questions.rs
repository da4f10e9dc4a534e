//! Who can do this, and what can they do: one policy asked about every kind of person, or about every target.
//!
//! The same walk as for differences, with one policy instead of two. What is known about the request is given; what is not known is
//! looked at in every kind that the rules tell apart.

use super::difference::Bounds;
use super::dimension::{LoginFacts, Setting};
use super::in_play::{Side, Speaking};
use super::report::{Answer, Cause, Example, TargetWords, merged, targets_of};
use super::situation::{Answers, Budget, Draft, Given, Person, ask};
use super::special;
use super::targets::{FrontendClass, HostGroup, MethodClass, Targets, every_frontend, method_classes};
use super::words;
use crate::decide::{Reason, Scratch, Source};
use crate::identity::{Email, Groups, Identity};
use crate::policy::model::ScopeId;
use crate::snapshot::Snapshot;
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// The most ways in, or out, that are listed for one target.
const MAX_WAYS: usize = 32;

/// What is known of a request beside its target and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// At which frontend; `None` looks at every one that scopes tell apart.
    pub frontend: Option<&'a str>,
    /// From where; `None` looks at every network that rules tell apart.
    pub source: Option<Source>,
    /// When; `None` looks at every time that rules tell apart.
    pub time: Option<Timestamp>,
    /// Where times begin.
    pub now: Timestamp,
}

/// Kinds of requests with one answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Way {
    /// Who asks.
    pub who: String,
    /// What must hold: login, address, hours, approvals.
    pub circumstances: Vec<String>,
    /// What the policy answers.
    pub answer: Answer,
    /// Why.
    pub because: Vec<Cause>,
    /// One such request.
    pub example: Example,
}

/// Who can make a request.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhoCan {
    /// The scopes that hold it.
    pub scopes: Vec<String>,
    /// Whether one of them is privileged.
    pub privileged: bool,
    /// Who is allowed, and under which circumstances; unless one of `denied` holds.
    pub allowed: Vec<Way>,
    /// Whom deny rules keep out, whatever else holds.
    pub denied: Vec<Way>,
    /// What was not looked at.
    pub gaps: Vec<String>,
    /// How many requests were decided.
    pub requests: usize,
}

/// Who can make a request with this method on this target.
#[must_use]
pub fn who_can(
    snapshot: &Snapshot,
    method: &str,
    host: Option<&str>,
    path: &str,
    known: Known<'_>,
    bounds: Bounds,
) -> WhoCan {
    let policy = snapshot.policy();
    let mut scratch = Scratch::default();
    let methods = method_classes(&[policy]);
    let mut who = WhoCan {
        scopes: Vec::new(),
        privileged: false,
        allowed: Vec::new(),
        denied: Vec::new(),
        gaps: Vec::new(),
        requests: 0,
    };
    // Frontends at which the same scopes hold the target are one.
    let mut places: Vec<(Side<'_>, FrontendClass)> = Vec::new();
    for class in frontends(snapshot, known.frontend) {
        let frontend = class.name.as_deref();
        let draft = Draft::new(method, host, path, known.now);
        let side = Side::at(snapshot, &draft.target(None), method, frontend, &methods, &mut scratch);
        let is_alike = |other: &Side<'_>| other.scopes == side.scopes && other.preflights == side.preflights;
        match places.iter_mut().find(|(other, _)| is_alike(other)) {
            None => places.push((side, class)),
            Some((_, other)) => other.names.extend(class.names),
        }
    }
    let held: BTreeSet<ScopeId> = places.iter().flat_map(|(side, _)| side.scopes.iter().copied()).collect();
    who.scopes = held.iter().map(|id| policy.scopes[*id].name.clone()).collect();
    who.privileged = held.iter().any(|id| policy.scopes[*id].privileged);
    let many = places.len() > 1;
    let mut budget = budget(bounds);
    for (side, class) in places {
        let mut draft = Draft::new(method, host, path, known.time.unwrap_or(known.now));
        draft = draft.at(class.name.as_deref()).capturing([snapshot]);
        draft.source = known.source.unwrap_or(draft.source);
        let at = who_can_at(side, &draft, known, &mut budget, &mut scratch);
        let Some(mut at) = at else {
            who.gaps.push(format!("more than {} requests would have to be looked at", bounds.requests));
            break;
        };
        if many {
            let words = format!("at frontend {}", class.names.join(", "));
            at.allowed.iter_mut().chain(&mut at.denied).for_each(|way| way.circumstances.push(words.clone()));
        }
        who.allowed.extend(at.allowed);
        who.denied.extend(at.denied);
        who.gaps.extend(at.gaps);
    }
    who.requests = budget.used;
    who.gaps.sort();
    who.gaps.dedup();
    who
}

/// The frontends that a policy's scopes tell apart, or the one that is known.
fn frontends(snapshot: &Snapshot, known: Option<&str>) -> Vec<FrontendClass> {
    match known {
        Some(name) => vec![FrontendClass { names: vec![name.to_owned()], name: Some(name.to_owned()) }],
        None => every_frontend(snapshot.policy()),
    }
}

/// What is said at one frontend.
struct Ways {
    allowed: Vec<Way>,
    denied: Vec<Way>,
    gaps: Vec<String>,
}

/// Who can make a request like `draft`; `None` if the budget is used up.
fn who_can_at(
    side: Side<'_>,
    draft: &Draft,
    known: Known<'_>,
    budget: &mut Budget,
    scratch: &mut Scratch,
) -> Option<Ways> {
    let snapshot = side.snapshot;
    let given = Given { source: known.source, time: known.time, person: None };
    let answers = ask(&[side], draft, &given, budget, scratch)?;
    let mut who = Ways { allowed: Vec::new(), denied: Vec::new(), gaps: answers.gaps.clone() };
    let decided = |value: u16| answers.found[usize::from(value)][0].decision;
    let is_denied = |value: u16| matches!(decided(value).reason, Reason::DeniedByRule | Reason::DenyRuleUnknown);
    let denied_for_sure = |value: u16| decided(value).reason == Reason::DeniedByRule;
    let allows = |value: u16| decided(value).allows();
    let mut more = false;
    // Whoever a deny rule keeps out is said once, not in each way in.
    for (ways, wanted, optional) in [
        (&mut who.allowed, &allows as &dyn Fn(u16) -> bool, &is_denied as &dyn Fn(u16) -> bool),
        (&mut who.denied, &denied_for_sure, &is_denied),
    ] {
        more |= list(&answers, snapshot, draft, wanted, optional, ways);
    }
    if more {
        who.gaps.push(format!("more than {MAX_WAYS} ways"));
    }
    Some(who)
}

fn budget(bounds: Bounds) -> Budget {
    Budget { left: bounds.requests, used: 0, points: bounds.requests_per_situation }
}

/// Puts the requests with a wanted answer into words; whether there are more than are listed.
fn list(
    answers: &Answers,
    snapshot: &Snapshot,
    draft: &Draft,
    wanted: &dyn Fn(u16) -> bool,
    optional: &dyn Fn(u16) -> bool,
    ways: &mut Vec<Way>,
) -> bool {
    let policy = snapshot.policy();
    let may_widen =
        |cube: &super::cubes::Cube, dimension: usize, choice: usize| answers.may_widen(cube, dimension, choice);
    let (cubes, more) = answers.product.cover(wanted, &answers.order(), may_widen, MAX_WAYS);
    let mut told: Vec<super::cubes::Cube> = Vec::new();
    for cube in words::narrowed(&answers.dimensions, &answers.product, cubes) {
        if told.iter().any(|wider| wider.holds(&cube)) {
            continue;
        }
        let decisions = || answers.product.values(&cube).map(|value| answers.found[usize::from(value)][0].decision);
        let because: BTreeSet<Cause> = decisions().map(|decision| Cause::new(&decision, policy)).collect();
        let wider =
            words::simplified(&answers.dimensions, &answers.product, &cube, |value| wanted(value) || optional(value));
        let Some(decision) = decisions().next() else { continue };
        let way = Way {
            who: words::who(&answers.dimensions, &wider).words,
            circumstances: words::circumstances(&answers.dimensions, &wider),
            answer: Answer::new(&decision, policy),
            because: because.into_iter().collect(),
            example: Example::new(answers.draft(draft, &cube.seed), &[policy]),
        };
        told.push(wider);
        if !ways.iter().any(|known| known.who == way.who && known.circumstances == way.circumstances) {
            ways.push(way);
        }
    }
    ways.sort_by(|a, b| (a.circumstances.len(), &a.who).cmp(&(b.circumstances.len(), &b.who)));
    more
}

/// What somebody can do.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WhatCan {
    /// What is allowed, and under which circumstances.
    pub allowed: Vec<Operations>,
    /// What was not looked at.
    pub gaps: Vec<String>,
    /// How many requests were decided.
    pub requests: usize,
}

/// Operations that somebody may do under the same circumstances.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Operations {
    /// What must hold: login, address, hours, approvals. Nothing: at once.
    pub circumstances: Vec<String>,
    /// The scopes that hold the operations.
    pub scopes: Vec<String>,
    /// Whether one of them is privileged.
    pub privileged: bool,
    /// The rules that allow.
    pub rules: Vec<String>,
    /// The operations.
    pub targets: Vec<TargetWords>,
    /// One of them.
    pub example: Example,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// No credential.
    Nobody,
    /// This person; every kind of login that rules tell apart is looked at.
    AnyLogin(&'a Identity),
    /// This person, with the login that the identity has.
    LoginAsGiven(&'a Identity),
}

impl<'a> Asker<'a> {
    fn identity(self) -> Option<&'a Identity> {
        match self {
            Self::Nobody => None,
            Self::AnyLogin(identity) | Self::LoginAsGiven(identity) => Some(identity),
        }
    }
}

/// What `asker` can do.
#[must_use]
pub fn what_can(snapshot: &Snapshot, asker: Asker<'_>, known: Known<'_>, bounds: Bounds) -> WhatCan {
    let policy = snapshot.policy();
    let mut scratch = Scratch::default();
    let methods = method_classes(&[policy]);
    let mut groups: Vec<HostGroup> = Vec::new();
    let (special, cut) = special::of_person(policy, asker.identity());
    Targets::new(vec![policy], &special).groups(None, |group| groups.push(group.clone()));
    if known.frontend.is_some() {
        groups.iter_mut().for_each(|group| group.frontends = frontends(snapshot, known.frontend));
    }
    let mut can = WhatCan { allowed: Vec::new(), gaps: Vec::new(), requests: 0 };
    for capture in cut {
        can.gaps
            .push(format!("captures `{{{capture}}}` that hold one of the many values that rules name or who asks has"));
    }
    /// With the special values that a target captures.
    type Key = (Speaking, Vec<(String, String)>);
    /// Host group, path, method class, class of frontends.
    type Places = Vec<(usize, usize, usize, usize)>;
    let mut situations: Vec<(Key, Places)> = Vec::new();
    let mut known_keys: HashMap<Key, usize> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        let host = &group.hosts[0];
        can.gaps.extend(group.gap.iter().map(|gap| {
            format!("{} and hosts like it have {gap}", host.pattern.as_deref().unwrap_or("any other host"))
        }));
        for (path, sample) in group.paths.iter().enumerate() {
            let frontends = group.frontends.iter().enumerate();
            for (method, class, frontend, at_frontend) in methods
                .iter()
                .enumerate()
                .flat_map(|(method, class)| frontends.clone().map(move |(at, one)| (method, class, at, one)))
            {
                let name = at_frontend.name.as_deref();
                let draft = Draft::new(&class.token, Some(&host.name), &sample.path, known.now).at(name);
                let side = Side::at(snapshot, &draft.target(None), &class.token, name, &methods, &mut scratch);
                // Nothing allows what is in no scope, but for preflights.
                if side.scopes.is_empty() && side.preflights.is_empty() {
                    continue;
                }
                let draft = if special.is_empty() { draft } else { draft.capturing([snapshot]) };
                let key = (side.speaking(), special::held(&special, &draft.captured));
                let place = *known_keys.entry(key.clone()).or_insert_with(|| {
                    situations.push((key, Vec::new()));
                    situations.len() - 1
                });
                situations[place].1.push((at, path, method, frontend));
            }
        }
    }
    let given = Given { source: known.source, time: known.time, person: Some(person(asker)) };
    let mut budget = budget(bounds);
    let mut alike: HashMap<[Vec<String>; 3], usize> = HashMap::new();
    for ((speaking, _), targets) in situations {
        let (group, path, method, frontend) = targets[0];
        let (host, sample): (_, _) = (&groups[group].hosts[0], &groups[group].paths[path]);
        let frontend = groups[group].frontends[frontend].name.as_deref();
        let draft = Draft::new(&methods[method].token, Some(&host.name), &sample.path, known.time.unwrap_or(known.now))
            .at(frontend)
            .capturing([snapshot]);
        let side = Side::of(snapshot, &speaking);
        let scopes = speaking.0;
        let Some(answers) = ask(&[side], &draft, &given, &mut budget, &mut scratch) else {
            can.gaps.push(format!("more than {} requests would have to be looked at", bounds.requests));
            break;
        };
        let words: Vec<TargetWords> = targets.iter().flat_map(|at| target_words(&groups, &methods, *at)).collect();
        can.gaps.extend(answers.gaps.iter().map(|gap| format!("{} and the like: looked at {gap}", words[0])));
        let mut draft = draft;
        draft.source = known.source.unwrap_or(draft.source);
        for setting in given.person.iter().flat_map(|person| &person.settings) {
            draft.apply(setting);
        }
        let mut ways = Vec::new();
        let allows = |value: u16| answers.found[usize::from(value)][0].decision.allows();
        if list(&answers, snapshot, &draft, &allows, &|_| false, &mut ways) {
            can.gaps.push(format!("{}: more than {MAX_WAYS} ways", words[0]));
        }
        let privileged = scopes.iter().any(|id| policy.scopes[*id].privileged);
        let scopes: Vec<String> = scopes.iter().map(|id| policy.scopes[*id].name.clone()).collect();
        for way in ways {
            let rules: Vec<String> = way.because.into_iter().filter_map(|cause| cause.rule).collect();
            let key = [way.circumstances.clone(), scopes.clone(), rules.clone()];
            let at = *alike.entry(key).or_insert_with(|| {
                can.allowed.push(Operations {
                    circumstances: way.circumstances,
                    scopes: scopes.clone(),
                    privileged,
                    rules,
                    targets: Vec::new(),
                    example: way.example,
                });
                can.allowed.len() - 1
            });
            can.allowed[at].targets.extend_from_slice(&words);
        }
    }
    for operations in &mut can.allowed {
        operations.targets = merged(std::mem::take(&mut operations.targets));
    }
    can.allowed.sort_by(|a, b| {
        (a.circumstances.len(), &a.scopes, &a.circumstances).cmp(&(b.circumstances.len(), &b.scopes, &b.circumstances))
    });
    can.gaps.sort();
    can.gaps.dedup();
    can.requests = budget.used;
    can
}

fn target_words<'a>(
    groups: &'a [HostGroup],
    methods: &'a [MethodClass],
    (group, path, method, frontend): (usize, usize, usize, usize),
) -> impl Iterator<Item = TargetWords> + 'a {
    targets_of(&groups[group], path, &methods[method], &groups[group].frontends[frontend])
}

/// Everything about who asks as settings.
fn person(asker: Asker<'_>) -> Person {
    let (identity, login_is_given) = match asker {
        Asker::Nobody => return Person { settings: vec![Setting::Nobody], login_is_given: true },
        Asker::AnyLogin(identity) => (identity, false),
        Asker::LoginAsGiven(identity) => (identity, true),
    };
    let mut settings = vec![
        Setting::Issuer(identity.issuer().to_owned()),
        Setting::Subject(identity.subject().to_owned()),
        Setting::Email(
            identity.email().map(|Email { address, verified }| Email { address: address.clone(), verified: *verified }),
        ),
        Setting::Kind(identity.kind().map(str::to_owned)),
        Setting::Groups(Groups::new(identity.groups().names().to_vec(), identity.groups().completeness())),
        Setting::Actor(identity.actor().cloned()),
    ];
    settings.extend(identity.claims().iter().map(|(name, value)| Setting::Claim(name.clone(), Some(value.clone()))));
    if login_is_given {
        let login = identity.login();
        settings.push(Setting::Login(LoginFacts {
            // A login that was described was made just now.
            age_seconds: login.auth_time.map(|_| 0),
            acr: login.acr.as_deref().map(str::to_owned),
            amr: login.amr.as_ref().map(|methods| methods.iter().map(|method| method.to_string()).collect()),
        }));
    }
    Person { settings, login_is_given }
}
