//! Runs the tests that stand in a policy: who asks for what, and what must come out.
//!
//! Sits above [`decide`](crate::decide), which answers, and [`explain`], which says why a test failed. Which tests to run
//! and how to report them is the caller's. The decision is the one of the rules in force, as if the policy were enforced.

pub mod coverage;
mod missing_facts;
pub mod record;

use crate::decide::{Advice, Decision, Evaluation, Reason, Request, RequestFacts, Scratch, Source};
use crate::explain::{self, Explanation, Line};
use crate::grant_set::{Grant, GrantSet};
use crate::identity::{Actor, Completeness, Credential, Email, Groups, Identity, InvalidCredential, Login};
use crate::kleene::Kleene;
use crate::policy::diagnostics::{Code, Diagnostic};
use crate::policy::model::{Policy, RuleId};
use crate::policy::source::Span;
use crate::policy::test_case::{Expectation, TestActor, TestCase, TestCredential, TestGrant, TestGroup, TestIdentity};
use crate::policy::{Diagnostics, SourceSet};
use crate::snapshot::Snapshot;
use crate::stop_set::StopSet;
use crate::target::{RawTarget, TargetBuffer, canonicalize};
use crate::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;

/// When tests take place that do not say when: 2026-01-01T00:00:00Z. No rule that asks for the time may look at it.
const SOME_TIME: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// For how long the identities and grants of tests are in force, before and after.
const AROUND_SECONDS: i64 = 60;

/// How a test came out.
#[derive(Clone, Debug, PartialEq)]
pub enum TestOutcome {
    /// Everything that was expected came out.
    Passed,
    /// Something else came out.
    Failed(Box<Failure>),
    /// A rule in question asks for something that the test does not say, so whatever came out means nothing.
    MissingFact {
        /// The first such rule.
        rule: String,
        /// What the test must say.
        fact: Fact,
    },
    /// A scope in question names frontends, and the test does not say at which one the request comes in.
    MissingFrontend {
        /// The first such scope.
        scope: String,
    },
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Everything that came out otherwise than expected; never empty.
    pub mismatches: Vec<Mismatch>,
    /// The decision and how it came about.
    pub explanation: Explanation,
}

/// An expectation and what came out instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key of the expectation.
    pub key: &'static str,
    /// What was expected.
    pub expected: String,
    /// What came out.
    pub found: String,
    /// Where the expectation stands.
    pub span: Span,
}

impl Failure {
    /// Why it came out like this, in a few lines: what made the decision, and what a rule that was expected came to.
    #[must_use]
    pub fn why(&self) -> Vec<Line> {
        let differs = |key: &str| self.mismatches.iter().find(|one| one.key == key);
        let only_candidate = self.mismatches.iter().all(|one| one.key == "expect-candidate");
        let mut lines = if only_candidate { Vec::new() } else { self.explanation.why() };
        if differs("expect-candidate").is_some() {
            lines.extend(self.explanation.why_candidate());
        }
        if let Some(expected) = differs("rule") {
            let told: Vec<String> = lines.iter().map(ToString::to_string).collect();
            let rule = self.explanation.why_rule(&expected.expected);
            // Where no rule allows, the expected one may have been told of already.
            if rule.first().is_some_and(|headline| !told.contains(&headline.to_string())) {
                lines.extend(rule);
            }
        }
        lines
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} should be `{}`, but is `{}`", self.key, self.expected, self.found)
    }
}

/// A fact that a test may leave out where no rule or scope asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The peer's address.
    From,
    /// The time.
    At,
    /// The headers.
    Headers,
    /// What the proxy knows.
    Facts,
    /// The client certificate.
    Certificate,
    /// The frontend.
    Frontend,
}

impl Fact {
    /// The key of a test.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::At => "at",
            Self::Headers => "headers",
            Self::Facts => "facts",
            Self::Certificate => "certificate",
            Self::Frontend => "frontend",
        }
    }
}

/// What a test lacks that does not name its frontend, and what to add.
const FRONTEND_MISSING: (&str, &str) = (
    "does not say at which frontend the request comes in",
    "add `frontend = \"NAME\"`, as HAProxy's configuration names it",
);

impl TestOutcome {
    /// Whether everything that was expected came out.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// What is wrong, with its place; nothing if the test passed. `test` is the one that came out like this.
    #[must_use]
    pub fn diagnostics(&self, test: &TestCase, sources: &SourceSet) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        match self {
            Self::Passed => {}
            Self::MissingFact { rule, fact } => {
                let (message, help) = match fact {
                    Fact::From => ("does not say where the request comes from", "add `from = \"ADDRESS\"`"),
                    Fact::At => ("does not say when the request is made", "add `at = DATE-TIME`, with an offset"),
                    Fact::Headers => (
                        "does not say which headers the request has",
                        "add `headers = { \"NAME\" = \"VALUE\" }`, or `headers = {}` for none",
                    ),
                    Fact::Facts => (
                        "does not say what HAProxy knows about the request",
                        "add `facts = { NAME = \"VALUE\" }`, or `facts = {}` for nothing",
                    ),
                    Fact::Certificate => (
                        "does not say which certificate the client has",
                        "add `certificate = \"none\"`, or what a verified one has: `certificate = { san-uri = [...] }`",
                    ),
                    Fact::Frontend => FRONTEND_MISSING,
                };
                let message = format!("test `{}` {message}, which rule `{rule}` asks for", test.name);
                diagnostics.push(Diagnostic::error(Code::TestLacksFact, test.span, message).help(help));
            }
            Self::MissingFrontend { scope } => {
                let (message, help) = FRONTEND_MISSING;
                let message = format!("test `{}` {message}, which scope `{scope}` asks for", test.name);
                diagnostics.push(Diagnostic::error(Code::TestLacksFact, test.span, message).help(help));
            }
            Self::Failed(failure) => {
                let told: Vec<String> = failure.mismatches.iter().map(ToString::to_string).collect();
                let message = format!("test `{}` failed: {}", test.name, told.join("; "));
                let label = |mismatch: &Mismatch| format!("it is `{}`", mismatch.found);
                if let Some((first, others)) = failure.mismatches.split_first() {
                    let mut problem = Diagnostic::error(Code::TestFailed, first.span, message).label(label(first));
                    for mismatch in others {
                        problem = problem.also(mismatch.span, label(mismatch));
                    }
                    // A case that leaves the expectation to its table is not where the expectation stands.
                    if failure.mismatches.iter().all(|one| one.span.start < test.span.start) {
                        problem = problem.also(test.span, "in this case");
                    }
                    diagnostics.push(problem);
                }
            }
        }
        diagnostics.finish(sources);
        diagnostics
    }
}

/// Runs tests against the snapshot they were parsed with; one outcome for each, in their order.
///
/// # Panics
///
/// If a test belongs to another policy and names something that this one does not have.
#[must_use]
pub fn run(snapshot: &Snapshot, tests: &[TestCase]) -> Vec<TestOutcome> {
    run_each(snapshot, tests, |_, _| {})
}

/// The same, showing how each test was decided to whoever wants to look at it.
///
/// # Panics
///
/// If a test belongs to another policy and names something that this one does not have.
pub fn run_each<'t>(
    snapshot: &Snapshot,
    tests: impl IntoIterator<Item = &'t TestCase>,
    mut look: impl FnMut(&'t TestCase, &Explanation),
) -> Vec<TestOutcome> {
    let mut scratch = Scratch::for_snapshot(snapshot);
    let mut buffer = TargetBuffer::new();
    let run = |test| run_one(snapshot, test, &mut scratch, &mut buffer, |explanation| look(test, explanation));
    tests.into_iter().map(run).collect()
}

fn run_one(
    snapshot: &Snapshot,
    test: &TestCase,
    scratch: &mut Scratch,
    buffer: &mut TargetBuffer,
    look: impl FnOnce(&Explanation),
) -> TestOutcome {
    let policy = snapshot.policy();
    with_request(policy, test, buffer, |request| {
        let explanation = explain::evaluate(policy, request);
        look(&explanation);
        if let Some(scope) = missing_facts::missing_frontend(&explanation, test) {
            return TestOutcome::MissingFrontend { scope };
        }
        if let Some((rule, fact)) = missing_facts::missing_fact(&explanation, test) {
            return TestOutcome::MissingFact { rule, fact };
        }
        let evaluation = snapshot.decide(request, scratch);
        let mismatches = mismatches(policy, test, &evaluation, &explanation);
        if mismatches.is_empty() {
            TestOutcome::Passed
        } else {
            TestOutcome::Failed(Box::new(Failure { mismatches, explanation }))
        }
    })
}

/// Asks what a test asks.
fn with_request<A>(
    policy: &Policy,
    test: &TestCase,
    buffer: &mut TargetBuffer,
    ask: impl FnOnce(&Request<'_>) -> A,
) -> A {
    let time = test.at.unwrap_or(SOME_TIME);
    let identity = match &test.credential {
        TestCredential::Identity(wanted) => Some(identity(policy, wanted, time)),
        TestCredential::Absent | TestCredential::Expired | TestCredential::Invalid => None,
    };
    let grants = identity.as_ref().map(|identity| grants(policy, test, identity, time)).unwrap_or_default();
    let credential = match (&test.credential, &identity) {
        (TestCredential::Absent, _) => Credential::Absent,
        (TestCredential::Expired, _) => Credential::Expired,
        (_, Some(identity)) => Credential::Verified(identity),
        (TestCredential::Invalid | TestCredential::Identity(_), None) => {
            Credential::Invalid(InvalidCredential::BadSignature)
        }
    };
    let raw = RawTarget {
        method: test.method.as_bytes(),
        target: test.target.as_bytes(),
        host: test.host.as_deref().map(str::as_bytes),
    };
    let values = test.facts.values(policy);
    let certificate = test.facts.certificate();
    let facts = RequestFacts { values: &values, certificate: &certificate };
    let source = match (test.from, test.peer) {
        (Some(address), _) => Source::from_address(address),
        (None, Some(peer)) => explain::source(policy, Source::from_address(peer), |name| test.facts.header_lines(name)),
        (None, None) => Source::Unknown,
    };
    let request = Request {
        method: raw.method,
        target: canonicalize(raw, buffer),
        upgrade: test.facts.upgrade(),
        source,
        credential,
        time,
        grants: &grants,
        stops: StopSet::NONE,
        facts,
    };
    ask(&request)
}

/// Everything that a test can expect, as it comes out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Outcome {
    expect: Expectation,
    candidate: Expectation,
    rule: Option<RuleId>,
    reason: Reason,
    /// The names of the scopes that hold the request.
    scopes: Vec<String>,
    privileged: bool,
}

impl Outcome {
    fn allows(&self) -> bool {
        self.expect == Expectation::Allow
    }
}

/// What comes out, or the fact that is missing.
fn outcome_of(policy: &Policy, test: &TestCase, buffer: &mut TargetBuffer) -> Result<Outcome, Fact> {
    let explanation = with_request(policy, test, buffer, |request| explain::evaluate(policy, request));
    if missing_facts::missing_frontend(&explanation, test).is_some() {
        return Err(Fact::Frontend);
    }
    // Whether a rule in question is only observed does not matter here: what the candidate is, is recorded, too.
    let expects_candidate = TestCase { expect_candidate: Some((test.expect, test.expect_span)), ..test.clone() };
    if let Some((_, fact)) = missing_facts::missing_fact(&explanation, &expects_candidate) {
        return Err(fact);
    }
    let Evaluation { decision, candidate, privileged, audit: _, tunnel_seconds: _ } = &explanation.evaluation;
    Ok(Outcome {
        expect: outcome(decision),
        candidate: outcome(candidate),
        rule: decision.rule,
        reason: decision.reason,
        scopes: explanation.held_scopes().map(str::to_owned).collect(),
        privileged: *privileged,
    })
}

/// How somebody in person, and somebody for whom another acts, would be decided: to see what rules are made of, not what comes out.
fn probes(policy: &Policy) -> Vec<Explanation> {
    let issuer = policy.default_issuer.or_else(|| policy.issuers.iter().next().map(|(id, _)| id));
    let person = |issuer| TestIdentity {
        issuer,
        subject: "test".to_owned(),
        kind: None,
        email: None,
        groups: Vec::new(),
        claims: Map::new(),
        login: None,
        via: None,
    };
    let in_person = issuer.map(person);
    let actor = |issuer| TestActor { issuer, subject: Some("test".to_owned()), claims: Map::new() };
    let acted_for = in_person.clone().map(|person| TestIdentity { via: Some(actor(person.issuer)), ..person });
    let identities = [in_person, acted_for].into_iter().flatten().map(|person| identity(policy, &person, SOME_TIME));
    let identities: Vec<Identity> = identities.collect();
    let nobody = std::iter::once(Credential::Absent);
    let grants = GrantSet::default();
    let mut buffer = TargetBuffer::new();
    let credentials = nobody.chain(identities.iter().map(Credential::Verified));
    let explanations = credentials.map(|credential| {
        let raw = RawTarget { method: b"GET", target: b"/", host: None };
        let target = canonicalize(raw, &mut buffer);
        let source = Source::Unknown;
        let request = Request {
            method: b"GET",
            target,
            upgrade: Kleene::False,
            source,
            credential,
            time: SOME_TIME,
            grants: &grants,
            stops: StopSet::NONE,
            facts: RequestFacts::NONE,
        };
        explain::evaluate(policy, &request)
    });
    explanations.collect()
}

fn mismatches(policy: &Policy, test: &TestCase, evaluation: &Evaluation, explanation: &Explanation) -> Vec<Mismatch> {
    let Evaluation { decision, candidate, privileged, audit: _, tunnel_seconds: _ } = evaluation;
    let mut mismatches = Vec::new();
    let mut compare = |key, expected: &str, found: &str, span| {
        if expected != found {
            mismatches.push(Mismatch { key, expected: expected.to_owned(), found: found.to_owned(), span });
        }
    };
    compare("expect", test.expect.as_str(), outcome(decision).as_str(), test.expect_span);
    if let Some((expected, span)) = test.expect_candidate {
        compare("expect-candidate", expected.as_str(), outcome(candidate).as_str(), span);
    }
    if let Some((rule, span)) = test.rule {
        let found = decision.rule.map_or("no rule", |id| policy.rules[id].name.as_str());
        compare("rule", &policy.rules[rule].name, found, span);
    }
    if let Some((reason, span)) = test.reason {
        compare("reason", reason.as_str(), decision.reason.as_str(), span);
    }
    if let Some((scope, span)) = test.scope {
        let expected = policy.scopes[scope].name.as_str();
        let held: Vec<&str> = explanation.held_scopes().collect();
        let found = if held.contains(&expected) { expected.to_owned() } else { held.join(", ") };
        compare("scope", expected, if found.is_empty() { "no scope" } else { &found }, span);
    }
    if let Some((expected, span)) = test.privileged {
        let word = |privileged| if privileged { "true" } else { "false" };
        compare("privileged", word(expected), word(*privileged), span);
    }
    mismatches
}

/// A decision in the words of tests.
fn outcome(decision: &Decision) -> Expectation {
    match decision.advice {
        _ if decision.allows() => Expectation::Allow,
        None => Expectation::Deny,
        Some(Advice::Authenticate) => Expectation::Authenticate,
        Some(Advice::StepUp { .. }) => Expectation::StepUp,
        Some(Advice::RequestAccess { .. }) => Expectation::RequestAccess,
    }
}

/// The person of a test, with the claims that a token of the issuer would have.
fn identity(policy: &Policy, wanted: &TestIdentity, time: Timestamp) -> Identity {
    let trust = &policy.issuers[wanted.issuer].trust;
    let in_tokens = |wanted: &TestGroup| policy.groups[wanted.group].value.in_tokens(wanted.captured.as_deref());
    let groups: Vec<String> = wanted.groups.iter().filter_map(in_tokens).collect();
    let login = wanted.login.map(|id| {
        let required = &policy.logins[id];
        Login {
            auth_time: Some(time),
            acr: required.acr_any.first().map(|acr| acr.as_str().into()),
            amr: required.sufficient_amr(),
        }
    });
    let login = login.unwrap_or_default();
    let kind = wanted.kind.as_ref().or(trust.kind.as_ref());

    let actor = wanted.via.as_ref().map(|actor| actor_claim(policy, wanted, actor));
    let mut claims = wanted.claims.clone();
    if let Some(act) = &actor {
        claims.entry("act").or_insert_with(|| act.clone());
    }

    let groups = groups.into_iter().map(Into::into).collect();
    let mut assertion = Identity::assert("policy-test", &trust.url, &wanted.subject, time.plus_seconds(AROUND_SECONDS))
        .groups(Groups::new(groups, Completeness::Complete))
        .claims(claims)
        .login(login);
    if let Some(email) = &wanted.email {
        assertion = assertion.email(Email { address: email.as_str().into(), verified: Some(true) });
    }
    if let Some(kind) = kind {
        assertion = assertion.kind(kind);
    }
    if let Some(act) = &actor {
        assertion = assertion.actor(Actor::from_claim(&trust.url, act));
    }
    assertion.with_token_claims(trust).finish()
}

/// The `act` claim of a token that says who acts.
fn actor_claim(policy: &Policy, person: &TestIdentity, actor: &TestActor) -> Value {
    let mut act = actor.claims.clone();
    if actor.issuer != person.issuer {
        act.insert("iss".to_owned(), policy.issuers[actor.issuer].trust.url.as_str().into());
    }
    if let Some(subject) = &actor.subject {
        act.insert("sub".to_owned(), subject.as_str().into());
    }
    Value::Object(act)
}

fn grants(policy: &Policy, test: &TestCase, identity: &Identity, time: Timestamp) -> GrantSet {
    let named = |actor: &Actor| Some((actor.issuer.to_string(), actor.subject.as_deref()?.to_owned()));
    let actor = identity.actor().and_then(named);
    let grant = |(n, wanted): (usize, &TestGrant)| {
        let (scope, approval) = (&policy.scopes[wanted.scope], &policy.approvals[wanted.approval]);
        Grant {
            id: format!("test-grant-{}", n + 1),
            issuer: identity.issuer().to_owned(),
            subject: identity.subject().to_owned(),
            actor: actor.clone().filter(|_| !wanted.in_person),
            scope: scope.name.clone(),
            scope_hash: scope.content_hash,
            approval: approval.name.clone(),
            approval_hash: approval.content_hash,
            path: None,
            networks: Vec::new(),
            captures: wanted.captures.clone(),
            from: time.plus_seconds(-AROUND_SECONDS),
            until: time.plus_seconds(AROUND_SECONDS),
        }
    };
    GrantSet::new(test.grants.iter().enumerate().map(grant).collect())
}
