//! Targets on which the same scopes and rules speak, and what these rules answer to every kind of request there.

use super::brought::{Brought, Sent};
use super::claims::Captured;
use super::cubes::Product;
use super::dimension::{Axis, Dimension, LoginFacts, Setting};
use super::in_play::{InPlay, Side};
use super::{brought, circumstances, people, refusals};
use crate::decide::{Evaluation, Request, RequestFacts, Scratch, Source};
use crate::explain::{self, Explanation};
use crate::grant_set::{Grant, GrantSet};
use crate::identity::{Actor, Completeness, Credential, Email, Groups, Identity, InvalidCredential};
use crate::matchers::Captures;
use crate::policy::model::{Approval, Policy, Table, TableId};
use crate::snapshot::Snapshot;
use crate::target::{CanonicalTarget, Host, Target};
use crate::time::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// For how long identities and grants that are made up last, before and after, in seconds.
const AROUND_SECONDS: i64 = 3600;

/// A request that is put together from the choices of dimensions.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) method: String,
    /// `None` is no host at all.
    pub(super) host: Option<String>,
    pub(super) path: String,
    /// Where it comes in; `None` if that does not matter.
    pub(super) frontend: Option<String>,
    /// What the names of captures stand for in host and path.
    pub(super) captured: Captured,
    pub(super) who: Who,
    pub(super) subject: String,
    pub(super) email: Option<Email>,
    pub(super) kind: Option<String>,
    pub(super) groups: Groups,
    pub(super) claims: Map<String, Value>,
    /// Claims that the token leaves out and says so.
    pub(super) claims_elsewhere: BTreeSet<String>,
    pub(super) actor: Option<Actor>,
    pub(super) login: LoginFacts,
    /// Names of scopes and approvals.
    pub(super) grants: Vec<(String, String)>,
    pub(super) brought: Brought,
    /// Whether it asks for an upgrade of its connection.
    pub(super) upgrade: bool,
    pub(super) source: Source,
    pub(super) time: Timestamp,
}

/// Who vouches for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    Unverifiable,
    /// The URL of an issuer. A policy that does not know it does not believe its tokens.
    Issuer(String),
}

impl Draft {
    pub(super) fn new(method: &str, host: Option<&str>, path: &str, time: Timestamp) -> Self {
        Self {
            method: method.to_owned(),
            host: host.map(str::to_owned),
            path: path.to_owned(),
            frontend: None,
            captured: BTreeMap::new(),
            who: Who::Nobody,
            subject: "somebody".to_owned(),
            email: None,
            kind: None,
            groups: Groups::new(Vec::new(), Completeness::Complete),
            claims: Map::new(),
            claims_elsewhere: BTreeSet::new(),
            actor: None,
            login: LoginFacts::default(),
            grants: Vec::new(),
            brought: Brought::default(),
            upgrade: false,
            source: Source::Unknown,
            time,
        }
    }

    /// Coming in at a frontend.
    pub(super) fn at(self, frontend: Option<&str>) -> Self {
        Self { frontend: frontend.map(str::to_owned), ..self }
    }

    /// With what the rules of these policies capture in host and path.
    pub(super) fn capturing<'s>(mut self, snapshots: impl IntoIterator<Item = &'s Snapshot>) -> Self {
        let mut captured = Captured::new();
        for snapshot in snapshots {
            let target = self.target(None);
            let method = snapshot.policy.methods.resolve(self.method.as_bytes());
            snapshot.index.visit(&target, snapshot.hosts.of(target.host), method, &mut |scope, pattern| {
                let scope = &snapshot.policy.scopes[scope];
                let is_there =
                    scope.frontends.is_empty() || self.frontend.as_ref().is_some_and(|it| scope.frontends.contains(it));
                let pattern = pattern.filter(|_| is_there).and_then(|id| scope.pattern(id));
                let Some((host, path)) = pattern else { return };
                let captures = Captures::new(host, path, target);
                for name in host.capture().into_iter().chain(path.captures()) {
                    let values = captured.entry(name.to_owned()).or_default();
                    values.extend(captures.value(name).map(|value| value.to_string()));
                }
            });
        }
        self.captured = captured;
        self
    }

    pub(super) fn target<'a>(&'a self, query: Option<&'a [u8]>) -> CanonicalTarget<'a> {
        CanonicalTarget { host: self.host(), path: &self.path, query }
    }

    pub(super) fn host(&self) -> Host<'_> {
        match self.host.as_deref() {
            None => Host::Absent,
            Some(text) if text.parse::<IpAddr>().is_ok() => Host::Address(text),
            Some(name) => Host::Name(name),
        }
    }

    /// The groups in tokens: those of families for what is captured.
    fn groups(&self, policies: &[&Policy]) -> Groups {
        let families =
            || policies.iter().flat_map(|policy| policy.groups.iter()).filter_map(|(_, group)| group.value.family());
        let mut values: Vec<Box<str>> = Vec::new();
        for held in self.groups.names() {
            match families().find(|family| family.to_string() == **held) {
                None => values.push(held.clone()),
                Some(family) => {
                    let captured = self.captured.get(&family.capture).into_iter().flatten();
                    values.extend(captured.map(|value| Box::from(family.member(value))));
                }
            }
        }
        Groups::new(values, self.groups.completeness())
    }

    pub(super) fn apply(&mut self, setting: &Setting) {
        match setting {
            Setting::Nobody => self.who = Who::Nobody,
            Setting::Unverifiable => self.who = Who::Unverifiable,
            Setting::Issuer(url) => self.who = Who::Issuer(url.clone()),
            Setting::Subject(subject) => self.subject.clone_from(subject),
            Setting::Email(email) => self.email.clone_from(email),
            Setting::Kind(kind) => self.kind.clone_from(kind),
            Setting::Groups(groups) => self.groups.clone_from(groups),
            Setting::Claim(name, value) => {
                self.claims_elsewhere.remove(name);
                match value {
                    Some(value) => self.claims.insert(name.clone(), value.clone()),
                    None => self.claims.remove(name),
                };
            }
            Setting::ClaimElsewhere(name) => {
                self.claims.remove(name);
                self.claims_elsewhere.insert(name.clone());
            }
            Setting::Actor(actor) => self.actor.clone_from(actor),
            Setting::Login(login) => self.login.clone_from(login),
            Setting::Grants(grants) => self.grants.clone_from(grants),
            Setting::Header(..)
            | Setting::Query(..)
            | Setting::Fact(..)
            | Setting::Certificate(_)
            | Setting::Preflight(_) => self.brought.apply(setting),
            Setting::Upgrade(asks) => self.upgrade = *asks,
            Setting::Override(asks) => {
                let sent = if *asks { Sent::One("PUT".to_owned()) } else { Sent::Absent };
                self.brought.query.insert("_method".to_owned(), sent);
            }
            Setting::Source(source) => self.source = *source,
            Setting::Time(time) => self.time = *time,
        }
    }

    /// The person, if this is a request of one.
    fn identity(&self, policy: &Policy) -> Option<Identity> {
        let Who::Issuer(url) = &self.who else { return None };
        let until = self.time.plus_seconds(AROUND_SECONDS);
        let mut claims = self.claims.clone();
        if !self.claims_elsewhere.is_empty() {
            let elsewhere = self.claims_elsewhere.iter().map(|name| (name.clone(), Value::from("elsewhere")));
            claims.insert("_claim_names".to_owned(), Value::Object(elsewhere.collect()));
        }
        let mut identity = people::somebody(url, &self.subject, until).claims(claims);
        // So far it has but a subject, which is what the claim that subjects are taken from holds.
        if let Some((_, issuer)) = policy.issuers.iter().find(|(_, issuer)| issuer.trust.url == *url) {
            identity = identity.with_token_claims(&issuer.trust);
        }
        let mut identity = identity.groups(self.groups(&[policy])).login(people::login_at(&self.login, self.time));
        if let Some(email) = &self.email {
            identity = identity.email(email.clone());
        }
        if let Some(kind) = &self.kind {
            identity = identity.kind(kind);
        }
        if let Some(actor) = &self.actor {
            identity = identity.actor(actor.clone());
        }
        Some(identity.finish())
    }

    /// The person's grants for what the policy calls by these names, as it means them.
    fn grants(&self, policy: &Policy, identity: &Identity) -> GrantSet {
        if self.grants.is_empty() {
            return GrantSet::default();
        }
        let actor = self.actor.as_ref().and_then(|actor| {
            Some((actor.issuer.to_string(), actor.subject.as_deref()?.to_owned())).filter(|_| actor.legible)
        });
        let grant = |(n, (scope, approval)): (usize, &(String, String))| {
            let scope = named(&policy.scopes, scope, |row| &row.name)?;
            let approval = named(&policy.approvals, approval, |row| &row.name)?;
            Some(Grant {
                id: format!("grant-{n}"),
                issuer: identity.issuer().to_owned(),
                subject: identity.subject().to_owned(),
                actor: actor.clone(),
                scope: scope.name.clone(),
                scope_hash: scope.content_hash,
                approval: approval.name.clone(),
                approval_hash: approval.content_hash,
                path: None,
                networks: Vec::new(),
                captures: self.captures_of(approval),
                from: self.time.plus_seconds(-AROUND_SECONDS),
                until: self.time.plus_seconds(AROUND_SECONDS),
            })
        };
        GrantSet::new(self.grants.iter().enumerate().filter_map(grant).collect())
    }

    /// What a grant under an approval must be for.
    pub(super) fn captures_of(&self, approval: &Approval) -> BTreeMap<String, String> {
        let value = |name: &String| Some((name.clone(), self.captured.get(name)?.first()?.clone()));
        approval.per.iter().filter_map(value).collect()
    }

    /// Hands the request as `policy` sees it to `ask`.
    fn with_request<T>(&self, policy: &Policy, identity: Option<&Identity>, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let grants = identity.map(|identity| self.grants(policy, identity)).unwrap_or_default();
        let known = |url: &str| policy.issuers.iter().any(|(_, issuer)| issuer.trust.url == url);
        let credential = match identity {
            Some(identity) if known(identity.issuer()) => Credential::Verified(identity),
            Some(_) => Credential::Invalid(InvalidCredential::UnknownIssuer),
            None if self.who == Who::Unverifiable => Credential::Invalid(InvalidCredential::BadSignature),
            None => Credential::Absent,
        };
        let query = self.brought.query();
        let target = self.target(query.as_deref().map(str::as_bytes));
        let ask = |facts: RequestFacts<'_>| {
            ask(&Request {
                method: self.method.as_bytes(),
                target: Target::Canonical(target),
                upgrade: self.upgrade.into(),
                source: self.source,
                credential,
                time: self.time,
                grants: &grants,
                stops: crate::stop_set::StopSet::NONE,
                facts,
            })
        };
        self.brought.with_facts(policy, self.frontend.as_deref(), ask)
    }

    pub(super) fn decide(&self, snapshot: &Snapshot, scratch: &mut Scratch) -> Evaluation {
        let identity = self.identity(snapshot.policy());
        self.with_request(snapshot.policy(), identity.as_ref(), |request| snapshot.decide(request, scratch))
    }

    pub(super) fn explain(&self, policy: &Policy) -> Explanation {
        let identity = self.identity(policy);
        self.with_request(policy, identity.as_ref(), |request| explain::evaluate(policy, request))
    }
}

/// The row of a name, in a table that is sorted by names.
fn named<'t, Id: TableId, Row>(table: &'t Table<Id, Row>, name: &str, of: impl Fn(&Row) -> &str) -> Option<&'t Row> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low.midpoint(high);
        let row = &table[Id::from_index(middle)];
        match of(row).cmp(name) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Some(row),
            Ordering::Greater => high = middle,
        }
    }
    None
}

/// What is left of the evaluations that may be made.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) left: usize,
    pub(super) used: usize,
    /// The most for one situation.
    pub(super) points: usize,
}

/// The answers to every kind of request on one target.
pub(super) struct Answers {
    pub(super) dimensions: Vec<Dimension>,
    /// The value of a point is the place of its answers in `found`.
    pub(super) product: Product,
    /// What each side answers.
    pub(super) found: Vec<Vec<Evaluation>>,
    /// What kinds of requests no point stands for.
    pub(super) gaps: Vec<String>,
}

/// What of a request is known already.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) source: Option<Source>,
    pub(super) time: Option<Timestamp>,
    /// Everything about who asks, but for grants and, unless it is said, the login.
    pub(super) person: Option<Person>,
}

/// A person who is known.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) settings: Vec<Setting>,
    pub(super) login_is_given: bool,
}

/// The dimensions that matter to these sides' rules.
fn dimensions(sides: &[Side<'_>], in_play: &InPlay<'_>, given: &Given, draft: &Draft) -> Vec<Dimension> {
    let mut all = match &given.person {
        None => people::dimensions(sides, in_play, &draft.captured),
        Some(person) => people::dimensions(sides, in_play, &draft.captured)
            .into_iter()
            .filter(|dimension| dimension.axis == Axis::Login && !person.login_is_given)
            .collect(),
    };
    all.push(circumstances::grants(sides, in_play));
    all.extend(brought::dimensions(sides, in_play));
    all.extend(refusals::dimensions(sides, in_play, draft.host()));
    if given.source.is_none() {
        all.push(circumstances::sources(sides, in_play));
    }
    if given.time.is_none() {
        all.push(circumstances::times(sides, in_play, draft.time));
    }
    all
}

/// Asks every side about every kind of request like `draft`; `None` if the budget is used up.
pub(super) fn ask(
    sides: &[Side<'_>],
    draft: &Draft,
    given: &Given,
    budget: &mut Budget,
    scratch: &mut Scratch,
) -> Option<Answers> {
    let in_play = InPlay::new(sides);
    let mut dimensions = dimensions(sides, &in_play, given, draft);
    let mut gaps: Vec<String> = dimensions.iter().filter_map(|dimension| dimension.gap.clone()).collect();
    gaps.extend(families_at_two_places(sides, &in_play, draft));
    gaps.extend(trim(&mut dimensions, budget.points));
    let sizes: Vec<usize> = dimensions.iter().map(|dimension| dimension.choices.len()).collect();
    let mut draft = draft.clone();
    for setting in given.person.iter().flat_map(|person| &person.settings) {
        draft.apply(setting);
    }
    draft.source = given.source.unwrap_or(draft.source);
    draft.time = given.time.unwrap_or(draft.time);

    let mut found: Vec<Vec<Evaluation>> = Vec::new();
    let mut exhausted = false;
    let credential = dimensions.iter().position(|dimension| dimension.axis == Axis::Credential);
    let product = Product::new(&sizes, |point| {
        // Whoever is not known has no groups: one point stands for all of them.
        let identified =
            credential.is_none_or(|at| matches!(dimensions[at].choices[point[at]].setting, Setting::Issuer(_)));
        if !identified {
            let mut same = point.to_vec();
            for (at, dimension) in same.iter_mut().zip(&dimensions) {
                if dimension.axis.of_identity() {
                    *at = 0;
                }
            }
            if same != point {
                return Err(same);
            }
        }
        if budget.left == 0 {
            exhausted = true;
            return Ok(0);
        }
        budget.left -= 1;
        budget.used += 1;
        for (dimension, at) in dimensions.iter().zip(point) {
            draft.apply(&dimension.choices[*at].setting);
        }
        let answers: Vec<Evaluation> = sides.iter().map(|side| draft.decide(side.snapshot, scratch)).collect();
        let place = found.iter().position(|known| *known == answers).unwrap_or_else(|| {
            found.push(answers);
            found.len() - 1
        });
        Ok(u16::try_from(place).unwrap_or(u16::MAX))
    });
    (!exhausted && found.len() < usize::from(u16::MAX)).then_some(Answers { dimensions, product, found, gaps })
}

/// Whoever is in a group of a family for one of two values that a target captures under one name is taken to be in that for the other.
fn families_at_two_places(sides: &[Side<'_>], in_play: &InPlay<'_>, draft: &Draft) -> Option<String> {
    let groups = in_play.matchers.iter().flat_map(|(side, matcher)| {
        let groups = &sides[*side].snapshot.policy().groups;
        matcher.groups.iter().chain(&matcher.groups_all).map(|id| &groups[*id])
    });
    let mut families = groups.filter_map(|group| group.value.family());
    let twice = families.find(|family| draft.captured.get(&family.capture).is_some_and(|values| values.len() > 1))?;
    Some(format!("members of `{twice}` for all of what a request captures as `{{{}}}`", twice.capture))
}

/// Leaves the most far-fetched choices out until the product has at most so many points; what was left out.
fn trim(dimensions: &mut [Dimension], points: usize) -> Vec<String> {
    let full: Vec<usize> = dimensions.iter().map(|dimension| dimension.choices.len()).collect();
    loop {
        let product = dimensions.iter().try_fold(1_usize, |all, dimension| all.checked_mul(dimension.choices.len()));
        if product.is_some_and(|product| product <= points) {
            break;
        }
        let Some(largest) = dimensions.iter_mut().max_by_key(|dimension| dimension.choices.len()) else { break };
        let keep = largest.choices.len() * 3 / 4;
        if keep == 0 {
            break;
        }
        largest.choices.truncate(keep);
    }
    let cut = dimensions.iter().zip(full).filter(|(dimension, full)| dimension.choices.len() < *full);
    cut.map(|(dimension, full)| {
        format!(
            "the simplest {} of {full} kinds of {} that its rules tell apart",
            dimension.choices.len(),
            dimension.axis.as_str()
        )
    })
    .collect()
}

impl Answers {
    /// The request at a point.
    pub(super) fn draft(&self, draft: &Draft, point: &[usize]) -> Draft {
        let mut draft = draft.clone();
        for (dimension, at) in self.dimensions.iter().zip(point) {
            draft.apply(&dimension.choices[*at].setting);
        }
        draft
    }

    /// The order in which boxes are widened: what people care about least first.
    pub(super) fn order(&self) -> Vec<usize> {
        let rank = |axis: Axis| match axis {
            Axis::Time => 0,
            Axis::Source => 1,
            Axis::Certificate => 2,
            Axis::Fact => 3,
            Axis::Query => 4,
            Axis::Header => 5,
            Axis::Preflight => 6,
            Axis::Actor => 7,
            Axis::Kind => 8,
            Axis::Claim => 9,
            Axis::Email => 10,
            Axis::Login => 11,
            Axis::Grants => 12,
            Axis::Subject => 13,
            Axis::Groups => 14,
            Axis::Credential => 15,
            Axis::Upgrade | Axis::Override => 16,
        };
        let mut order: Vec<usize> = (0..self.dimensions.len()).collect();
        order.sort_by_key(|at| rank(self.dimensions[*at].axis));
        order
    }

    /// Whether a box may get one more choice: those who are known and those who are not stand in one box only if nothing about
    /// the former matters.
    pub(super) fn may_widen(&self, cube: &super::cubes::Cube, dimension: usize, choice: usize) -> bool {
        let widened = &self.dimensions[dimension];
        if widened.axis != Axis::Credential {
            return true;
        }
        let identified = |at: usize| matches!(widened.choices[at].setting, Setting::Issuer(_));
        identified(cube.seed[dimension]) == identified(choice)
            || self
                .dimensions
                .iter()
                .zip(&cube.chosen)
                .all(|(dimension, chosen)| !dimension.axis.of_identity() || chosen.iter().all(|chosen| *chosen))
    }
}
