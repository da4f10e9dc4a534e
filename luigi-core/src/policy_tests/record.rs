//! Tests made from requests that were seen: who asked for what, and what the policy answers now.
//!
//! [`Recorder`] takes requests one by one, keeps one for each different answer, and takes from it whatever the answer does not depend on:
//! subjects, e-mail addresses, claims, addresses, queries. What is left is written as `[[tests]]`. Where the requests come from (logs, say),
//! and where the tests go, is the caller's.

mod reduce;
mod written;

use super::{Fact, Outcome, outcome_of, with_request};
use crate::decide::{Advice, Reason, Scratch};
use crate::described::DescribedFacts;
use crate::identity::ListFormat;
use crate::policy::captures::GroupValue;
use crate::policy::diagnostics::Style;
use crate::policy::model::{self, IssuerId, Login, Policy};
use crate::policy::test_case::{TestActor, TestCase, TestCredential, TestGrant, TestGroup, TestIdentity};
use crate::policy::{SourceSet, parse_for};
use crate::snapshot::Snapshot;
use crate::target::TargetBuffer;
use crate::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

/// A request as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The method.
    pub method: String,
    /// The Host header; `None` if there was none.
    pub host: Option<String>,
    /// Path and query as they were received; begins with `/`.
    pub target: String,
    /// The peer's address, if it is known.
    pub source: Option<IpAddr>,
    /// When, if it is known.
    pub time: Option<Timestamp>,
    /// The headers that are known, names in lower case; `None` if none are.
    pub headers: Option<Vec<(String, Vec<String>)>>,
    /// What the proxy knew; `None` if that is not known.
    pub facts: Option<Vec<(String, String)>>,
    /// The frontend that took it in, if it is known.
    pub frontend: Option<String>,
    /// Who asked.
    pub asker: Asker,
    /// What was decided, if it is known.
    pub then: Option<Then>,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asker {
    /// There was no credential.
    Nobody,
    /// The credential had expired.
    Expired,
    /// The credential was not believed.
    Invalid,
    /// Somebody of whom a log tells this much.
    Person {
        /// The URL of the issuer.
        issuer: String,
        /// The subject.
        subject: String,
        /// The groups as they stand in the token.
        groups: Vec<String>,
        /// Whether those are all groups.
        complete: bool,
    },
    /// Somebody with these claims in a token that was verified.
    Claims(Map<String, Value>),
}

/// What was decided when the request was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// Whether it was allowed.
    pub allowed: bool,
    /// The code of the reason, if it is known.
    pub reason: Option<String>,
    /// The beginning of the policy's revision, if it is known.
    pub revision: Option<String>,
}

/// Why no test can be made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unusable {
    /// No test can ask like this: another form of target, a host or method that is none.
    NoRequest,
    /// The issuer is none of the policy's.
    ForeignIssuer,
    /// The identity has no subject.
    NoSubject,
    /// Some groups are not there.
    GroupsCutOff,
    /// A rule or scope asks for something that is not known.
    Missing(Fact),
    /// The same policy decided otherwise: on something that is not there.
    DecidedOnMore,
    /// A claim that the answer depends on cannot be written in TOML.
    Unwritable,
    /// There are enough tests already.
    TooMany,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NoRequest => "it is no request that a test can make",
            Self::ForeignIssuer => "the issuer is none of the policy's",
            Self::NoSubject => "the identity has no subject",
            Self::GroupsCutOff => "the list of groups is cut off",
            Self::Missing(fact) => {
                return write!(f, "a rule or scope looks at `{}`, and that is not there", fact.as_str());
            }
            // UNSHOWN: takes a log of the same revision that knows more than it says.
            Self::DecidedOnMore => "this policy decided otherwise, on something that is not there",
            // UNSHOWN: JSON has nothing that the claims of a rule ask for and TOML lacks but `null`.
            Self::Unwritable => "a claim cannot be written in TOML",
            // UNSHOWN: ten thousand requests.
            Self::TooMany => "there are enough tests already",
        };
        f.write_str(text)
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is a test now.
    New {
        /// Whether it was decided otherwise when it was seen, by another version of the policy.
        changed: bool,
    },
    /// Another request of the record came out the same for the same groups.
    Repeated,
    /// A test that stands in the policy does so.
    Tested,
}

/// The most tests that one record comes to.
const MAX_TESTS: usize = 10_000;

/// How many steps are taken to find what somebody must have had to be allowed.
const MAX_CURES: usize = 8;

/// Makes tests of requests.
#[derive(Debug)]
pub struct Recorder {
    snapshot: Snapshot,
    /// A test that says nothing yet.
    blank: TestCase,
    names: HashSet<String>,
    /// What came out in the policy's own tests, and in those made so far.
    known: HashSet<Key>,
    recorded: HashSet<Key>,
    tests: Vec<(TestCase, Outcome)>,
    scratch: Scratch,
    buffer: TargetBuffer,
}

/// What makes two requests one test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    outcome: Outcome,
    who: Who,
}

/// Who asked, as far as tests are told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Nobody,
    Expired,
    Invalid,
    Person { issuer: IssuerId, groups: Vec<TestGroup>, delegated: bool },
}

impl Recorder {
    /// A recorder for a policy without errors, in one of its environments if it has any.
    ///
    /// # Errors
    ///
    /// The problems of the policy, rendered.
    pub fn new(sources: &SourceSet, environment: Option<&str>) -> Result<Self, String> {
        // A test that the parser made has everything that tests have, whatever that is.
        let mut with_blank = sources.clone();
        let mut name = "recorded".to_owned();
        while sources.ids().any(|id| sources.text(id).contains(&name)) {
            name.push('_');
        }
        let place = environment.map_or_else(String::new, |name| format!("environment = {}\n", written::text(name)));
        with_blank.add(
            name.as_str(),
            // UNSHOWN: a test, to be read by the parser.
            format!("schema = 1\n[[tests]]\nname = \"{name}\"\n{place}request = \"GET /\"\nexpect = \"deny\"\n"),
        );
        let mut parsed = parse_for(&with_blank, environment);
        let problems = || parsed.diagnostics.render(&with_blank, Style::PLAIN);
        let policy = parsed.policy.take().ok_or_else(problems)?;
        let snapshot = Snapshot::compile(policy).map_err(|error| error.to_string())?;
        let at = parsed.tests.iter().position(|test| test.name == name).ok_or_else(problems)?;
        let blank = parsed.tests.remove(at);
        let mut recorder = Self {
            scratch: Scratch::for_snapshot(&snapshot),
            snapshot,
            blank,
            names: parsed.tests.iter().map(|test| test.name.clone()).collect(),
            known: HashSet::new(),
            recorded: HashSet::new(),
            tests: Vec::new(),
            buffer: TargetBuffer::new(),
        };
        for test in &parsed.tests {
            if let Ok(outcome) = recorder.outcome(test) {
                recorder.known.insert(Key { outcome, who: who(test) });
            }
        }
        Ok(recorder)
    }

    /// The policy that answers.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Takes a request.
    ///
    /// # Errors
    ///
    /// Why no test can be made of it.
    pub fn add(&mut self, observed: &Observed) -> Result<Recorded, Unusable> {
        if !written::is_request(observed) {
            return Err(Unusable::NoRequest);
        }
        let mut test = TestCase {
            method: observed.method.clone(),
            host: observed.host.clone(),
            target: observed.target.clone(),
            from: observed.source,
            peer: None,
            at: observed.time,
            credential: self.credential(&observed.asker)?,
            facts: self.facts(observed),
            ..self.blank.clone()
        };
        let outcome = self.outcome_as_then(&mut test, observed)?;
        let changed = observed.then.as_ref().is_some_and(|then| then.allowed != outcome.allows());
        let revision = observed.then.as_ref().and_then(|then| then.revision.as_deref());
        if changed && revision.is_some_and(|revision| self.is_revision(revision)) {
            return Err(Unusable::DecidedOnMore);
        }
        let key = Key { who: who(&test), outcome };
        if self.known.contains(&key) {
            return Ok(Recorded::Tested);
        }
        if self.recorded.contains(&key) {
            return Ok(Recorded::Repeated);
        }
        if self.tests.len() >= MAX_TESTS {
            return Err(Unusable::TooMany);
        }
        self.reduce(&mut test, &key.outcome);
        written::is_writable(&test).then_some(()).ok_or(Unusable::Unwritable)?;
        test.name = self.name(&test);
        self.names.insert(test.name.clone());
        self.tests.push((test, key.outcome.clone()));
        self.recorded.insert(key);
        Ok(Recorded::New { changed })
    }

    /// The tests made so far, in the order in which they were seen: the name of each, and its text.
    #[must_use]
    pub fn written(&self) -> Vec<(String, String)> {
        let policy = self.snapshot.policy();
        self.tests.iter().map(|(test, outcome)| (test.name.clone(), written::table(policy, test, outcome))).collect()
    }

    fn is_revision(&self, beginning: &str) -> bool {
        !beginning.is_empty() && self.snapshot.revision().to_string().starts_with(beginning)
    }

    fn outcome(&mut self, test: &TestCase) -> Result<Outcome, Unusable> {
        outcome_of(self.snapshot.policy(), test, &mut self.buffer).map_err(Unusable::Missing)
    }

    /// What comes out now. If the request was let further then, with a login or grants that the record does not tell of, they are added.
    fn outcome_as_then(&mut self, test: &mut TestCase, observed: &Observed) -> Result<Outcome, Unusable> {
        let bare = self.outcome(test)?;
        let mut cured = test.clone();
        let was_allowed = observed.then.as_ref().is_some_and(|then| then.allowed);
        for _ in 0..MAX_CURES {
            let policy = self.snapshot.policy();
            let (advice, missing) = with_request(policy, &cured, &mut self.buffer, |request| {
                let advice = self.snapshot.decide(request, &mut self.scratch).decision.advice;
                let missing: Vec<_> = match &advice {
                    Some(Advice::RequestAccess { approvals, .. }) => {
                        approvals.iter().map(|missing| (missing, missing.captures(policy, &request.target))).collect()
                    }
                    Some(Advice::Authenticate | Advice::StepUp { .. }) | None => Vec::new(),
                };
                (advice, missing)
            });
            let TestCredential::Identity(person) = &mut cured.credential else { break };
            match advice {
                Some(Advice::StepUp { login, .. }) if had_login(&self.snapshot.policy().logins[login], observed) => {
                    person.login = Some(login);
                }
                Some(Advice::RequestAccess { .. }) if was_allowed => {
                    cured.grants.extend(missing.into_iter().map(|(missing, captures)| TestGrant {
                        scope: missing.scope,
                        approval: missing.approval,
                        captures,
                        in_person: false,
                    }));
                }
                Some(_) | None => break,
            }
        }
        let outcome = self.outcome(&cured)?;
        if outcome == bare || was_allowed && !outcome.allows() {
            return Ok(bare);
        }
        *test = cured;
        Ok(outcome)
    }

    /// Headers and facts, as far as the policy names them or its scopes look at them.
    fn facts(&self, observed: &Observed) -> DescribedFacts {
        let (mut headers, mut named) = (observed.headers.clone(), observed.facts.clone());
        let facts = || self.snapshot.policy().facts.iter().map(|(_, fact)| fact);
        if let Some(headers) = &mut headers {
            let named = |held: &String| facts().any(|fact| matches!(fact, model::Fact::Header(name) if name == held));
            headers.retain(|(held, _)| held == "upgrade" || named(held));
        }
        if let Some(named) = &mut named {
            named.retain(|(held, _)| {
                facts().any(|fact| matches!(fact, model::Fact::Named { name, .. } if name == held))
            });
        }
        let frontend = observed.frontend.clone().filter(|_| facts().any(|fact| *fact == model::Fact::Frontend));
        DescribedFacts { headers, facts: named, frontend, ..DescribedFacts::default() }
    }

    /// Who asks in a test like this.
    fn credential(&self, asker: &Asker) -> Result<TestCredential, Unusable> {
        let policy = self.snapshot.policy();
        Ok(match asker {
            Asker::Nobody => TestCredential::Absent,
            Asker::Expired => TestCredential::Expired,
            Asker::Invalid => TestCredential::Invalid,
            Asker::Person { complete: false, .. } => return Err(Unusable::GroupsCutOff),
            Asker::Person { issuer, subject, groups, complete: true } => {
                let issuer = issuer_of(policy, issuer)?;
                if subject.is_empty() {
                    return Err(Unusable::NoSubject);
                }
                TestCredential::Identity(person(issuer, subject, aliases(policy, groups)))
            }
            Asker::Claims(claims) => TestCredential::Identity(person_of(policy, claims)?),
        })
    }

    /// A name that no other test has.
    fn name(&self, test: &TestCase) -> String {
        const LONGEST_PATH: usize = 60;
        let policy = self.snapshot.policy();
        let path = test.target.split('?').next().unwrap_or_default();
        let mut shown: String = path.chars().take(LONGEST_PATH).collect();
        if shown.len() < path.len() {
            shown.push_str("...");
        }
        let by = match &test.credential {
            TestCredential::Absent => "without credential".to_owned(),
            TestCredential::Expired => "with an expired credential".to_owned(),
            TestCredential::Invalid => "with an invalid credential".to_owned(),
            TestCredential::Identity(person) if person.groups.is_empty() => "by somebody".to_owned(),
            TestCredential::Identity(person) => {
                let names: Vec<String> = person.groups.iter().map(|held| held.named(policy)).collect();
                format!("by {}", names.join(", "))
            }
        };
        let name = format!("recorded: {} {}{shown} {by}", test.method, test.host.as_deref().unwrap_or_default());
        let numbered = (2u64..).map(|n| format!("{name} ({n})"));
        std::iter::once(name.clone()).chain(numbered).find(|name| !self.names.contains(name)).unwrap_or(name)
    }
}

fn who(test: &TestCase) -> Who {
    match &test.credential {
        TestCredential::Absent => Who::Nobody,
        TestCredential::Expired => Who::Expired,
        TestCredential::Invalid => Who::Invalid,
        TestCredential::Identity(person) => {
            Who::Person { issuer: person.issuer, groups: person.groups.clone(), delegated: person.via.is_some() }
        }
    }
}

fn issuer_of(policy: &Policy, url: &str) -> Result<IssuerId, Unusable> {
    let mut issuers = policy.issuers.iter();
    issuers.find(|(_, issuer)| issuer.trust.url == url).map(|(id, _)| id).ok_or(Unusable::ForeignIssuer)
}

/// The groups that the policy has names for.
fn aliases(policy: &Policy, groups: &[String]) -> Vec<TestGroup> {
    let mut held: Vec<TestGroup> = Vec::new();
    for (group, row) in policy.groups.iter() {
        match &row.value {
            GroupValue::Literal(value) if groups.contains(value) => held.push(TestGroup { group, captured: None }),
            GroupValue::Literal(_) => {}
            GroupValue::Family(family) => held.extend(
                groups
                    .iter()
                    .filter_map(|value| Some(TestGroup { group, captured: Some(family.captured(value)?.to_owned()) })),
            ),
        }
    }
    held
}

fn person(issuer: IssuerId, subject: &str, groups: Vec<TestGroup>) -> TestIdentity {
    TestIdentity {
        issuer,
        subject: subject.to_owned(),
        kind: None,
        email: None,
        groups,
        claims: Map::new(),
        login: None,
        via: None,
    }
}

/// The person that verified claims make, by the issuer's map of them.
fn person_of(policy: &Policy, claims: &Map<String, Value>) -> Result<TestIdentity, Unusable> {
    let issuer = match claims.get("iss").and_then(Value::as_str) {
        Some(url) => issuer_of(policy, url)?,
        None => policy.default_issuer.ok_or(Unusable::ForeignIssuer)?,
    };
    let map = &policy.issuers[issuer].trust.claims;
    let at = |path: &[String]| {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    };
    let text = |path: &[String]| at(path).and_then(Value::as_str).map(str::to_owned);
    let groups: Vec<String> = match (at(&map.groups), map.groups_format) {
        (Some(Value::Array(groups)), ListFormat::Array) => {
            groups.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        (Some(Value::String(words)), ListFormat::Words) => words.split(' ').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let verified = claims.get("email_verified").and_then(Value::as_bool) == Some(true);
    let via = claims.get("act").and_then(Value::as_object).map(|act| {
        let named = act.get("iss").and_then(Value::as_str).map(|url| issuer_of(policy, url)).transpose()?;
        let subject = act.get("sub").and_then(Value::as_str).map(str::to_owned);
        let mut claims = act.clone();
        claims.retain(|name, _| name != "iss" && name != "sub");
        Ok(TestActor { issuer: named.unwrap_or(issuer), subject, claims })
    });
    // What has a key of its own in tests, and what no policy should look at.
    const ELSEWHERE: [&str; 12] =
        ["iss", "aud", "exp", "nbf", "iat", "jti", "act", "email_verified", "auth_time", "acr", "amr", "nonce"];
    let paths = [Some(&map.subject), Some(&map.email), Some(&map.groups), map.kind.as_ref()];
    let whole: Vec<&str> =
        paths.into_iter().flatten().filter(|path| path.len() == 1).map(|path| path[0].as_str()).collect();
    let mut others = claims.clone();
    others.retain(|name, _| !ELSEWHERE.contains(&name.as_str()) && !whole.contains(&name.as_str()));
    let subject = text(&map.subject).ok_or(Unusable::NoSubject)?;
    Ok(TestIdentity {
        kind: map.kind.as_ref().and_then(|path| text(path)),
        email: text(&map.email).filter(|_| verified),
        claims: others,
        via: via.transpose()?,
        ..person(issuer, &subject, aliases(policy, &groups))
    })
}

/// Whether somebody had logged in as required, as far as the record tells.
fn had_login(required: &Login, observed: &Observed) -> bool {
    let by_decision = observed.then.as_ref().is_some_and(|then| {
        then.allowed || then.reason.as_deref().is_some_and(|reason| reason != Reason::LoginRequired.as_str())
    });
    let Asker::Claims(claims) = &observed.asker else { return by_decision };
    let acr = claims.get("acr").and_then(Value::as_str);
    let amr: Vec<&str> =
        claims.get("amr").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let age =
        claims.get("auth_time").and_then(Value::as_i64).zip(observed.time).map(|(at, now)| now.unix_seconds() - at);
    let acr_fits = required.acr_any.is_empty() || required.acr_any.iter().any(|one| acr == Some(one));
    let amr_fits = required.amr_any.is_empty() || required.amr_any.iter().any(|one| amr.contains(&one.as_str()));
    let age_fits = required.max_age_seconds.is_none_or(|most| age.is_some_and(|age| age <= i64::from(most)));
    acr_fits && amr_fits && age_fits
}
