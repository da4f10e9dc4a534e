//! Requests from choices: everything that a decision depends on beside the policy.

use super::facts;
use super::policies::moment;
use super::{
    ACRS, ADDRESSES, AMRS, CAPTURED, Choices, EMAILS, FAMILIES, GROUP_VALUES, HOSTS, ISSUER_URLS, KINDS, METHODS,
    SEGMENTS, SUBJECTS,
};
use crate::decide::{FactValue, Request, RequestFacts, Source};
use crate::grant_set::{Grant, GrantSet};
use crate::identity::{
    Actor, ClientCertificate, Completeness, Credential, Email, Groups, Identity, InvalidCredential, Login,
};
use crate::kleene::Kleene;
use crate::policy::model::{ApprovalId, ContentHash, Policy, ScopeId, ScopeSelector, TableId};
use crate::stop_set::{Stop, StopSet, Stopped};
use crate::target::{Ambiguity, CanonicalTarget, Host, Paths, Readings, Target};
use crate::time::Timestamp;
use serde_json::{Map, Value, json};

/// A request with all that it borrows.
#[derive(Clone, Debug)]
pub struct Scenario {
    method: String,
    host: OwnedHost,
    path: String,
    ambiguous: bool,
    /// A second reading of the path, and of which class the target is.
    decoded: Option<(Ambiguity, String)>,
    /// A third one, if there is a second.
    cut: Option<String>,
    upgrade: Kleene,
    source: Source,
    credential: OwnedCredential,
    time: Timestamp,
    grants: GrantSet,
    stops: StopSet,
    query: Option<String>,
    facts: Vec<FactValue<'static>>,
    certificate: ClientCertificate<'static>,
}

#[derive(Clone, Debug)]
enum OwnedHost {
    Absent,
    Name(String),
    Address(String),
}

#[derive(Clone, Debug)]
enum OwnedCredential {
    Absent,
    Verified(Box<Identity>),
    Expired,
    Invalid(InvalidCredential),
    Ambiguous,
    Deferred,
}

impl Scenario {
    /// A request with something in common with the policy, as a rule.
    #[must_use]
    pub fn draw(policy: &Policy, choices: &mut Choices<'_>) -> Self {
        let time = if choices.chance(3) {
            Timestamp::from_unix_seconds(*choices.pick(&[i64::MAX, i64::MIN]))
        } else {
            moment(choices)
        };
        let credential = credential(time, choices);
        let source = source(choices);
        let path = path(choices);
        let grants = match &credential {
            OwnedCredential::Verified(identity) => {
                let many = choices.below(5);
                (0..many).map(|n| grant(n, policy, identity, &path, time, choices)).collect()
            }
            OwnedCredential::Absent
            | OwnedCredential::Expired
            | OwnedCredential::Invalid(_)
            | OwnedCredential::Ambiguous
            | OwnedCredential::Deferred => Vec::new(),
        };
        let stops = stops(policy, &credential, time, choices);
        Self {
            method: if choices.chance(12) { "OPTIONS".to_owned() } else { choices.text(&METHODS) },
            host: host(choices),
            path,
            ambiguous: choices.chance(1),
            upgrade: *choices.pick(&[
                Kleene::False,
                Kleene::True,
                Kleene::False,
                Kleene::False,
                Kleene::False,
                Kleene::Unknown,
            ]),
            decoded: choices.chance(12).then(|| (*choices.pick(&Ambiguity::ACCEPTABLE), self::path(choices))),
            cut: choices.chance(50).then(|| self::path(choices)),
            source,
            credential,
            time,
            grants: GrantSet::new(grants),
            stops,
            query: facts::query(choices),
            facts: facts::values(policy, choices),
            certificate: facts::certificate(choices),
        }
    }

    fn target<'a>(&'a self, host: Host<'a>) -> Target<'a> {
        let query = self.query.as_deref().map(str::as_bytes);
        match &self.decoded {
            _ if self.ambiguous => Target::Ambiguous(Ambiguity::TooLong),
            None => Target::Canonical(CanonicalTarget { host, path: &self.path, query }),
            Some((class, decoded)) => Target::Readings(Readings {
                class: *class,
                host,
                query,
                paths: Paths { as_it_stands: &self.path, decoded, cut: self.cut.as_deref() },
            }),
        }
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let host = match &self.host {
            OwnedHost::Absent => Host::Absent,
            OwnedHost::Name(name) => Host::Name(name),
            OwnedHost::Address(address) => Host::Address(address),
        };
        Request {
            method: self.method.as_bytes(),
            target: self.target(host),
            upgrade: self.upgrade,
            source: self.source,
            credential: match &self.credential {
                OwnedCredential::Absent => Credential::Absent,
                OwnedCredential::Verified(identity) => Credential::Verified(identity),
                OwnedCredential::Expired => Credential::Expired,
                OwnedCredential::Invalid(why) => Credential::Invalid(*why),
                OwnedCredential::Ambiguous => Credential::Ambiguous,
                OwnedCredential::Deferred => Credential::Deferred,
            },
            time: self.time,
            grants: &self.grants,
            stops: &self.stops,
            facts: RequestFacts { values: &self.facts, certificate: &self.certificate },
        }
    }
}

/// Usually none; else some of which one may hold.
fn stops(policy: &Policy, credential: &OwnedCredential, time: Timestamp, choices: &mut Choices<'_>) -> StopSet {
    let identity = match credential {
        OwnedCredential::Verified(identity) => Some(identity),
        _ => None,
    };
    let many = if choices.chance(10) { choices.between(1, 2) } else { 0 };
    let stop = |n: usize| {
        let issuer = match identity {
            Some(identity) if !choices.chance(20) => identity.issuer().to_owned(),
            _ => choices.text(&ISSUER_URLS),
        };
        let what = match choices.below(4) {
            0 => Stopped::Scope(policy.scopes[ScopeId::from_index(choices.below(policy.scopes.len()))].name.clone()),
            1 => Stopped::Subject { issuer, subject: choices.text(&SUBJECTS) },
            2 => Stopped::TokenId { issuer, id: choices.text(&["token-1", "token-2"]) },
            _ => Stopped::IssuedBefore { issuer, before: time.plus_seconds(*choices.pick(&[0, -1, -10, -11])) },
        };
        let (from, until) = *choices.pick(&[(-60, 60), (0, 1), (-60, 0), (1, 60), (-60, 60)]);
        Stop {
            id: format!("stop-{n}"),
            what,
            from: time.plus_seconds(from),
            until: time.plus_seconds(until),
            reason: "an incident".to_owned(),
            by: "generator".to_owned(),
        }
    };
    StopSet::new((0..many).map(stop).collect())
}

fn host(choices: &mut Choices<'_>) -> OwnedHost {
    match choices.below(8) {
        6 => OwnedHost::Absent,
        7 => OwnedHost::Address(choices.text(&ADDRESSES)),
        _ => OwnedHost::Name(choices.text(&HOSTS)),
    }
}

fn path(choices: &mut Choices<'_>) -> String {
    if choices.chance(2) {
        return choices.text(&["*", ""]);
    }
    let mut path: String = (0..choices.below(4)).map(|_| format!("/{}", choices.text(&SEGMENTS))).collect();
    if path.is_empty() || choices.chance(20) {
        path.push('/');
    }
    path
}

fn source(choices: &mut Choices<'_>) -> Source {
    let addresses =
        ["10.1.2.3", "10.1.2.4", "10.200.0.1", "192.0.2.255", "203.0.113.9", "2001:db8:1::9", "2001:db9::1"];
    match choices.below(10) {
        9 => Source::Unknown,
        _ => Source::from_address(choices.pick(&addresses).parse().expect("the alphabet holds addresses")),
    }
}

fn credential(time: Timestamp, choices: &mut Choices<'_>) -> OwnedCredential {
    match choices.below(40) {
        1..=4 => OwnedCredential::Absent,
        5 | 6 => OwnedCredential::Expired,
        7 | 8 => OwnedCredential::Invalid(InvalidCredential::BadSignature),
        9 => OwnedCredential::Ambiguous,
        10 => OwnedCredential::Deferred,
        _ => OwnedCredential::Verified(Box::new(identity(time, choices))),
    }
}

fn identity(time: Timestamp, choices: &mut Choices<'_>) -> Identity {
    let issuer: Box<str> = if choices.chance(4) {
        "https://foreign.test".into()
    } else if choices.chance(30) {
        (*choices.pick(&ISSUER_URLS)).into()
    } else {
        ISSUER_URLS[0].into()
    };
    let email = choices.chance(60).then(|| {
        let mut address = choices.text(&[EMAILS[0], EMAILS[1], EMAILS[2], "no-at-sign"]);
        if choices.chance(30) {
            address.make_ascii_uppercase();
        }
        Email { address: address.into(), verified: *choices.pick(&[Some(true), None, Some(false), Some(true)]) }
    });
    let mut held: Vec<Box<str>> = choices.some(&GROUP_VALUES, 4).into_iter().map(Into::into).collect();
    for _ in 0..choices.below(3) {
        let (prefix, _, suffix) = choices.pick(&FAMILIES);
        held.push(format!("{prefix}{}{suffix}", choices.pick(&CAPTURED)).into());
    }
    let groups = if choices.chance(20) { Vec::new() } else { held };
    let completeness = if choices.chance(20) { Completeness::CutOff } else { Completeness::Complete };
    // Around the longest leeway; a verified identity may be a little older than its token says.
    let lives = if choices.chance(10) { *choices.pick(&[-299, -300, -301, 0]) } else { 600 };
    let subject = *choices.pick(&SUBJECTS);
    let kind = choices.chance(60).then(|| *choices.pick(&KINDS));
    let mut identity = Identity::assert("generator", &issuer, subject, time.plus_seconds(lives))
        .groups(Groups::new(groups, completeness))
        .claims(with_subject(claims(time, choices), subject))
        .login(login(time, choices));
    if let Some(email) = email {
        identity = identity.email(email);
    }
    if let Some(kind) = kind {
        identity = identity.kind(kind);
    }
    if choices.chance(25) {
        identity = identity.actor(actor(&issuer, time, choices));
    }
    identity.finish()
}

fn actor(issuer: &str, time: Timestamp, choices: &mut Choices<'_>) -> Actor {
    if choices.chance(10) {
        return Actor::from_claim(issuer, &json!(["agent:one"]));
    }
    let mut members = if choices.chance(50) { claims(time, choices) } else { Map::new() };
    if choices.chance(30) {
        members.insert("iss".to_owned(), choices.text(&ISSUER_URLS).into());
    }
    if !choices.chance(15) {
        members.insert("sub".to_owned(), choices.text(&SUBJECTS).into());
    }
    if choices.chance(20) {
        members.insert("act".to_owned(), json!({"sub": "bob"}));
    }
    Actor::from_claim(issuer, &Value::Object(members))
}

fn login(time: Timestamp, choices: &mut Choices<'_>) -> Login {
    Login {
        auth_time: (!choices.chance(20))
            .then(|| time.plus_seconds(*choices.pick(&[0, -60, -61, -900, -901, 300, 301]))),
        acr: (!choices.chance(40)).then(|| (*choices.pick(&ACRS)).into()),
        amr: (!choices.chance(20)).then(|| {
            if choices.chance(10) {
                return Vec::new();
            }
            choices.some(&AMRS, 2).into_iter().map(Into::into).collect()
        }),
    }
}

fn claims(time: Timestamp, choices: &mut Choices<'_>) -> Map<String, Value> {
    let role = [
        json!("admin"),
        json!(["guest", "admin"]),
        json!(1),
        json!(1.0),
        json!("1"),
        json!(true),
        json!(null),
        json!([["admin"]]),
        json!(u64::MAX),
        json!("a"),
        json!(["x", "b"]),
        json!(["*", 1, "c"]),
        json!("a"),
        json!(["x", "a", "b"]),
    ];
    let scope = [json!("read write"), json!("write"), json!("readwrite"), json!(["read"]), json!("")];
    let org = [json!({"unit": "admin"}), json!({"unit": {"name": "admin"}}), json!("unit"), json!([{"unit": "admin"}])];
    let now = time.unix_seconds();
    let until = [
        json!(now),
        json!(now.saturating_add(1)),
        json!(1e300),
        json!(time.to_string()),
        json!(time.plus_seconds(1).to_string()),
        json!("2026-03-02"),
        json!("2026-03-02T10:00:00.5+01:00"),
        json!("2026-03-02T09:00:01-00:30"),
        json!("2026-02-29"),
        json!("tomorrow"),
        json!([now]),
    ];
    let mut claims = Map::new();
    for (name, values) in [("role", &role[..]), ("scope", &scope), ("org", &org), ("until", &until)] {
        if choices.chance(70) {
            claims.insert(name.to_owned(), choices.pick(values).clone());
        }
    }
    if choices.chance(70) {
        let issued = [json!(now.saturating_sub(10)), json!(now), json!("yesterday")];
        claims.insert("iat".to_owned(), choices.pick(&issued).clone());
    }
    if choices.chance(50) {
        claims.insert("jti".to_owned(), choices.pick(&[json!("token-1"), json!("token-2"), json!(1)]).clone());
    }
    if choices.chance(8) {
        let elsewhere = [json!({"role": "src1"}), json!({"until": "src1", "org": "src1"}), json!("role")];
        claims.insert("_claim_names".to_owned(), choices.pick(&elsewhere).clone());
    }
    claims
}

/// Every token says whose it is.
fn with_subject(mut claims: Map<String, Value>, subject: &str) -> Map<String, Value> {
    claims.insert("sub".to_owned(), subject.into());
    claims
}

/// A grant that fits some requirement of the policy, or is slightly wrong.
fn grant(
    n: usize,
    policy: &Policy,
    identity: &Identity,
    path: &str,
    time: Timestamp,
    choices: &mut Choices<'_>,
) -> Grant {
    let asking: Vec<_> =
        policy.rules.iter().map(|(_, rule)| rule).filter(|rule| !rule.require.approval.is_empty()).collect();
    let (scope, approval) = match (choices.chance(85), &asking[..]) {
        (true, [_, ..]) => {
            let rule = choices.pick(&asking);
            let scope = match &rule.scopes {
                ScopeSelector::Named(scopes) => *choices.pick(scopes),
                ScopeSelector::All => ScopeId::from_index(0),
            };
            (scope, *choices.pick(&rule.require.approval))
        }
        _ => (
            ScopeId::from_index(choices.below(policy.scopes.len())),
            ApprovalId::from_index(choices.below(policy.approvals.len())),
        ),
    };
    let (scope, approval) = (&policy.scopes[scope], &policy.approvals[approval]);
    let actor =
        identity.actor().and_then(|actor| Some((actor.issuer.to_string(), actor.subject.as_deref()?.to_owned())));
    let mut grant = Grant {
        id: format!("grant-{n}"),
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
        actor,
        scope: scope.name.clone(),
        scope_hash: scope.content_hash,
        approval: approval.name.clone(),
        approval_hash: approval.content_hash,
        path: None,
        networks: Vec::new(),
        captures: approval.per.iter().map(|name| (name.clone(), choices.text(&CAPTURED))).collect(),
        from: time,
        until: time.plus_seconds(1),
    };
    if choices.chance(30) {
        match choices.below(11) {
            9 => grant.captures.clear(),
            10 => drop(grant.captures.insert("id".to_owned(), "a".to_owned())),
            0 => grant.path = Some(path.to_owned()),
            1 => grant.path = Some(format!("{}/", path.trim_end_matches('/'))),
            2 => grant.path = Some("/elsewhere".to_owned()),
            3 => grant.networks = vec!["10.0.0.0/8".parse().expect("a network")],
            4 => grant.scope_hash = ContentHash([0; 32]),
            5 => grant.approval_hash = ContentHash([0; 32]),
            6 => (grant.from, grant.until) = (time.plus_seconds(1), time.plus_seconds(2)),
            7 => (grant.from, grant.until) = (time.plus_seconds(-1), time),
            _ => {
                grant.actor = match grant.actor {
                    None => Some((ISSUER_URLS[0].to_owned(), SUBJECTS[0].to_owned())),
                    Some(_) => None,
                };
            }
        }
    }
    if choices.chance(5) {
        grant.subject = choices.text(&SUBJECTS);
    }
    grant
}
