//! The tests that stand in a policy, with their names resolved. What runs them is elsewhere.

use super::model::{ApprovalId, GroupId, IssuerId, LoginId, Policy, RuleId, ScopeId};
use super::source::Span;
use crate::decide::Reason;
use crate::described::DescribedFacts;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A request and what must come out: a `[[tests]]` table, or one of its cases with one of its requests.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// Unique in the policy; with the case and the request in brackets if the table has several: `who may read [staff, GET /x]`.
    pub name: String,
    /// Where the name stands; the case or the request if there are several of them.
    pub span: Span,
    /// The environment it takes place in; `None` if the policy has none.
    pub environment: Option<String>,
    /// The method, as in a request line.
    pub method: String,
    /// What a Host header would hold: name or address, IPv6 in brackets, with the port if the URL has one. `None` if the request
    /// is a path alone.
    pub host: Option<String>,
    /// Path and query as a client would send them; begins with `/`, not yet canonical.
    pub target: String,
    /// Where the request stands.
    pub request_span: Span,
    /// Who asks.
    pub credential: TestCredential,
    /// Where the request comes from, as decided; `None` if the test does not say.
    pub from: Option<IpAddr>,
    /// The peer's address, from which and from the headers the policy's proxies make where it comes from; only without `from`.
    pub peer: Option<IpAddr>,
    /// When; `None` if the test does not say.
    pub at: Option<Timestamp>,
    /// Headers, facts and the client certificate.
    pub facts: DescribedFacts,
    /// Grants to the person that the credential makes, in force at `at`. Empty without an identity.
    pub grants: Vec<TestGrant>,
    /// What must come out.
    pub expect: Expectation,
    /// Where the expectation stands.
    pub expect_span: Span,
    /// What the candidate decision must be, with its place.
    pub expect_candidate: Option<(Expectation, Span)>,
    /// What the determining rule must be, with its place.
    pub rule: Option<(RuleId, Span)>,
    /// What the reason must be, with its place.
    pub reason: Option<(Reason, Span)>,
    /// A scope that must hold the request, with its place.
    pub scope: Option<(ScopeId, Span)>,
    /// Whether the target must lie in a privileged scope, with its place.
    pub privileged: Option<(bool, Span)>,
}

impl TestCase {
    /// Whether the test says where the request comes from.
    #[must_use]
    pub fn says_source(&self) -> bool {
        self.from.is_some() || self.peer.is_some()
    }
}

/// Who asks in a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestCredential {
    /// No credential at all.
    Absent,
    /// `as = "expired"`.
    Expired,
    /// `as = "invalid"`.
    Invalid,
    /// A person.
    Identity(TestIdentity),
}

/// A person in a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestIdentity {
    /// The named issuer, else the default one.
    pub issuer: IssuerId,
    /// `test` unless named.
    pub subject: String,
    /// The kind; `None`: as the issuer declares.
    pub kind: Option<String>,
    /// The e-mail address, taken as verified.
    pub email: Option<String>,
    /// The groups; sorted, once each. The list is complete.
    pub groups: Vec<TestGroup>,
    /// Further claims, as they would stand in a token.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// A login that the person has just made: it meets this requirement.
    pub login: Option<LoginId>,
    /// Who acts for the person.
    pub via: Option<TestActor>,
}

/// Who acts for a person in a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestActor {
    /// The named issuer, else the person's.
    pub issuer: IssuerId,
    /// The actor's subject; `None` if the test names none.
    pub subject: Option<String>,
    /// Further members of the `act` claim, as they would stand in a token.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// A group of a person in a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestGroup {
    /// The group or family of groups.
    pub group: GroupId,
    /// Of a family, the value of its capture; of a single group `None`.
    pub captured: Option<String>,
}

impl TestGroup {
    /// The name by which a test of `policy` names it: `tenant-members:acme` for one of a family.
    #[must_use]
    pub fn named(&self, policy: &Policy) -> String {
        let name = &policy.groups[self.group].name;
        self.captured.as_ref().map_or_else(|| name.clone(), |captured| format!("{name}:{captured}"))
    }
}

/// A grant in a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestGrant {
    /// What it opens, with the scope's present content.
    pub scope: ScopeId,
    /// Under which approval, with its present content.
    pub approval: ApprovalId,
    /// The values of the captures that the approval is per.
    pub captures: BTreeMap<String, String>,
    /// Whether it is the person's own even if somebody acts for it; else it names whoever acts.
    pub in_person: bool,
}

/// What a test expects of a decision, as if enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// The request proceeds.
    Allow,
    /// It does not, and nothing is advised.
    Deny,
    /// Denied with the advice to authenticate.
    Authenticate,
    /// Denied with the advice to log in again.
    StepUp,
    /// Denied with the advice to request access.
    RequestAccess,
}

impl Expectation {
    /// Every expectation.
    pub const ALL: [Self; 5] = [Self::Allow, Self::Deny, Self::Authenticate, Self::StepUp, Self::RequestAccess];

    /// The word for it in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Authenticate => "authenticate",
            Self::StepUp => "step-up",
            Self::RequestAccess => "request-access",
        }
    }
}
