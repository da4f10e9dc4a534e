//! The resolved policy: names have become ids, values are checked, and what is left is what decisions are made of.
//!
//! Built only by the parser, or read back from a compiled snapshot that was validated. Tables are sorted by name, so the same
//! policy makes the same model whatever the order of its files; in particular the order of [`RuleId`]s is the byte order of
//! the rules' ids, which is the precedence among determining rules.
//!
//! INVARIANT (ids-in-range): every id in a model is within its table.

mod facts;
mod scopes;

pub use facts::{
    CertificateTest, Fact, FactKey, FactTest, MAX_FACTS, ValueTest, is_fact_name, is_frontend_name, is_header_name,
};
pub use scopes::{
    Audit, Automaton, ContentHash, HostPattern, Operation, PathPattern, PathRegex, PathTemplate, Scope, Segment,
    Upgrade,
};

use super::captures::{CaptureTest, GroupValue};
use crate::identity::IssuerTrust;
use crate::method::{MethodSet, MethodTable};
use crate::target::Ambiguity;
use crate::time::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// A table whose rows are named by ids of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Table<Id, Row> {
    rows: Vec<Row>,
    #[serde(skip)]
    id: std::marker::PhantomData<fn() -> Id>,
}

impl<Id: TableId, Row> Table<Id, Row> {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in order of their ids.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id, &Row)> + ExactSizeIterator {
        self.rows.iter().enumerate().map(|(at, row)| (Id::from_index(at), row))
    }

    /// The row, or `None` if the id is from another policy.
    #[must_use]
    pub fn row(&self, id: Id) -> Option<&Row> {
        self.rows.get(id.index())
    }

    /// Adds a row; its id is the number of rows before.
    pub fn push(&mut self, row: Row) -> Id {
        self.rows.push(row);
        Id::from_index(self.rows.len() - 1)
    }

    /// Makes room for so many rows in all, so that no push has to move those that are there; if there is that much memory, for whoever promises rows need not have them.
    pub(crate) fn make_room(&mut self, rows: usize) {
        // Without it pushes make room one after the other.
        let _ = self.rows.try_reserve_exact(rows.saturating_sub(self.rows.len()));
    }

    /// The row, to change.
    ///
    /// # Panics
    /// If the id is from another policy.
    pub(crate) fn row_mut(&mut self, id: Id) -> &mut Row {
        &mut self.rows[id.index()]
    }

    /// The rows themselves, in order of their ids.
    pub fn into_rows(self) -> impl Iterator<Item = Row> {
        self.rows.into_iter()
    }

    /// Takes the last row away.
    pub fn pop(&mut self) -> Option<Row> {
        self.rows.pop()
    }

    /// The rows, to be dropped one after the other: how old versions are freed in slices.
    pub(crate) fn rows_mut(&mut self) -> &mut Vec<Row> {
        &mut self.rows
    }
}

impl<Id, Row> Default for Table<Id, Row> {
    fn default() -> Self {
        Self { rows: Vec::new(), id: std::marker::PhantomData }
    }
}

impl<Id: TableId, Row> FromIterator<Row> for Table<Id, Row> {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        Self { rows: rows.into_iter().collect(), id: std::marker::PhantomData }
    }
}

impl<Id: TableId, Row> std::ops::Index<Id> for Table<Id, Row> {
    type Output = Row;

    fn index(&self, id: Id) -> &Row {
        &self.rows[id.index()]
    }
}

/// An id of a row of a [`Table`].
pub trait TableId: Copy {
    /// The id of the row at this place.
    ///
    /// # Panics
    /// If `index` is not below 2^32 - 1.
    fn from_index(index: usize) -> Self;
    /// The place of the row.
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        // PERF: never zero, so that an `Option` of one is no larger: decisions are full of them, and are copied.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "u32", try_from = "u32")]
        pub struct $name(NonZeroU32);

        impl TableId for $name {
            fn from_index(index: usize) -> Self {
                let place = u32::try_from(index).ok().and_then(|index| Self::try_from(index).ok());
                place.expect("a table has fewer than 2^32 - 1 rows")
            }

            fn index(self) -> usize {
                (self.0.get() - 1) as usize
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.index()).finish()
            }
        }

        impl From<$name> for u32 {
            fn from(id: $name) -> Self {
                id.0.get() - 1
            }
        }

        impl TryFrom<u32> for $name {
            type Error = &'static str;

            fn try_from(index: u32) -> Result<Self, Self::Error> {
                // UNSHOWN: no policy has so many rows; only a damaged snapshot says so.
                index.checked_add(1).and_then(NonZeroU32::new).map(Self).ok_or("the number of a row is below 2^32 - 1")
            }
        }
    )+};
}

ids! {
    /// An issuer of the policy.
    IssuerId,
    /// A group of the closed `[groups]` table.
    GroupId,
    /// A named set of networks.
    NetworkId,
    /// A trusted proxy.
    ProxyId,
    /// A schedule.
    ScheduleId,
    /// A fact that rules ask for.
    FactId,
    /// A login requirement.
    LoginId,
    /// An entry of `[hosts.*]`.
    HostId,
    /// A scope.
    ScopeId,
    /// An approval.
    ApprovalId,
    /// A rule; ids are in byte order of the rules' names.
    RuleId,
    /// A pattern of one scope: one of its hosts and one of its operations. Hosts are the slower index.
    PatternId,
}

/// A whole policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The environment that it was compiled for; `None` if it has no `[environments]`. Values stand where hosts named
    /// variables, and what belongs to other environments is left out.
    pub environment: Option<String>,
    /// `[audit]`: what is recorded beyond what always is.
    pub auditing: Auditing,
    /// The methods that the policy names.
    pub methods: MethodTable,
    /// `[issuers.*]`.
    pub issuers: Table<IssuerId, Issuer>,
    /// The issuer that a rule means when it names none.
    pub default_issuer: Option<IssuerId>,
    /// `[groups]`.
    pub groups: Table<GroupId, Group>,
    /// `[networks]`.
    pub networks: Table<NetworkId, Network>,
    /// `[proxies.*]`: who may say where a request comes from.
    pub proxies: Table<ProxyId, Proxy>,
    /// `[schedules.*]`.
    pub schedules: Table<ScheduleId, Schedule>,
    /// `[logins.*]`.
    pub logins: Table<LoginId, Login>,
    /// `[hosts.*]`: what servers behind certain hosts do with targets. Two entries that may hold one host do not contradict each other.
    pub hosts: Table<HostId, HostProperties>,
    /// `[scopes.*]`.
    pub scopes: Table<ScopeId, Scope>,
    /// `[approvals.*]`.
    pub approvals: Table<ApprovalId, Approval>,
    /// What a proxy must pass because rules ask for it; sorted, each once, at most [`MAX_FACTS`].
    pub facts: Table<FactId, Fact>,
    /// `[[rules]]`, sorted by id.
    pub rules: Table<RuleId, Rule>,
}

/// What is recorded beyond what always is, where decisions are recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditing {
    /// `sample`: one of this many requests that are neither privileged nor denied is recorded; `None` for none. Never zero.
    pub sample: Option<u32>,
    /// `query-parameters`: the parameters of queries that records keep, as they are called when decoded; sorted.
    pub query_parameters: Vec<String>,
}

/// An identity provider and the trust placed in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// The name that rules use.
    pub name: String,
    /// What verification depends on.
    pub trust: IssuerTrust,
}

/// A group under the name that rules use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The alias; ledger and tests use it.
    pub name: String,
    /// What stands in tokens.
    pub value: GroupValue,
}

/// A named set of networks; never empty. IPv4-mapped IPv6 networks have become IPv4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The name that rules use.
    pub name: String,
    /// The networks, sorted, host bits zero.
    pub members: Vec<IpNet>,
}

/// Proxies in front that are trusted to say where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proxy {
    /// Its name, for people.
    pub name: String,
    /// Where they are themselves; sorted, never empty.
    pub networks: Vec<NetworkId>,
    /// The header that holds the address of the client; in lower case.
    pub source: String,
}

/// Hours of the week in local time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// The name that rules use.
    pub name: String,
    /// An IANA time zone name that the compiled-in database knows.
    pub time_zone: String,
    /// The days on which a span may begin; every day unless the policy says otherwise.
    pub days: Weekdays,
    /// Seconds after local midnight, inclusive; `start > end` runs over midnight and belongs to the day it starts.
    pub start: u32,
    /// Seconds after local midnight, exclusive; at most 86400. `start == end` is an error.
    pub end: u32,
    /// If not empty, only spans that begin on one of these days.
    pub dates: Vec<jiff::civil::Date>,
    /// Spans that begin on one of these days are left out.
    pub except_dates: Vec<jiff::civil::Date>,
}

/// A set of days of the week; bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weekdays(pub u8);

/// What a login must have been like. At least one of the members is set; all that are set must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The name that rules use.
    pub name: String,
    /// `acr` must be one of these, if not empty.
    pub acr_any: Vec<String>,
    /// `amr` must hold one of these, if not empty.
    pub amr_any: Vec<String>,
    /// `amr` must hold all of these.
    pub amr_all: Vec<String>,
    /// `auth_time` may be at most this many seconds ago.
    pub max_age_seconds: Option<u32>,
}

impl Login {
    /// The fewest authentication methods with which `amr` is as asked for: for those that describe somebody who has just logged in so.
    #[must_use]
    pub fn sufficient_amr(&self) -> Option<Vec<Box<str>>> {
        let mut methods: Vec<&String> = self.amr_all.iter().collect();
        if !self.amr_any.iter().any(|method| self.amr_all.contains(method)) {
            methods.extend(self.amr_any.first());
        }
        (!methods.is_empty()).then(|| methods.into_iter().map(|method| method.as_str().into()).collect())
    }
}

/// What the servers behind some hosts do with targets; whatever is not said is as everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostProperties {
    /// The hosts: a name, an address, or labels before a name.
    pub host: HostPattern,
    /// `paths = "ignore-case"`: the case of ASCII letters in paths does not matter.
    pub ignores_case: bool,
    /// `trailing-slash = "distinct"`: `/a` and `/a/` are two.
    pub slash_matters: bool,
    /// `accept-ambiguous`: targets of these classes are decided in every reading instead of refused. Sorted; each
    /// [acceptable](crate::target::Ambiguity::is_acceptable).
    pub accepts: Vec<Ambiguity>,
    /// `method-override = "refuse"`: requests that ask for another method than their own are refused.
    pub refuses_method_override: bool,
}

/// How access to a scope is approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The name that rules use.
    pub name: String,
    /// Who may ask.
    pub requesters: Subject,
    /// Who may say yes.
    pub approvers: Approvers,
    /// How many must say yes; at least 1.
    pub quorum: u32,
    /// How long a grant lasts unless another time is asked for, in seconds.
    pub duration_seconds: u32,
    /// The longest a grant may last, in seconds; at least the duration.
    pub max_duration_seconds: u32,
    /// Whether the requester must say why.
    pub justification: Justification,
    /// The captures whose values a grant is for; sorted. Every pattern of the scopes of a rule that asks for the approval has them.
    pub per: Vec<String>,
    /// Where to tell: `slack:#channel` and the like.
    pub notify: Vec<String>,
    /// SHA-256 over the approval's meaning: everything but its name and `notify`.
    pub content_hash: ContentHash,
}

/// Who may approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Approvers {
    /// `"requester"`: whoever asks opens it, on the record.
    Requester,
    /// Whoever one of these matchers matches.
    Matching(Vec<SubjectMatcher>),
}

/// Whether a justification must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Justification {
    /// A request without one is refused.
    Required,
    /// A request may come without one.
    Optional,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The rule's id, unique in the policy.
    pub name: String,
    /// Whose file it stands in, if the file says so; for people.
    pub owner: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Whether it takes part in decisions or only in candidate decisions.
    pub mode: Mode,
    /// The scopes it is about.
    pub scopes: ScopeSelector,
    /// Narrows the scopes' methods.
    pub methods: Option<MethodSet>,
    /// Subject, source and schedule. The subject is always there on `allow`; on others none means anyone.
    pub when: Conditions,
    /// Joined by OR; the rule does not match where they hold.
    pub unless: Vec<Conditions>,
    /// The rule does not match before.
    pub starts: Option<Timestamp>,
    /// The rule does not match from here on.
    pub ends: Option<Timestamp>,
    /// What must also hold; empty on `deny`, not empty on `restrict`.
    pub require: Requirements,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Refuses, whatever else allows.
    Deny,
    /// Adds requirements to whatever would allow.
    Restrict,
    /// Lets through.
    Allow,
}

/// Whether something is in force or being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Evaluated and reported, without effect.
    Observe,
    /// In force.
    Enforce,
}

impl Mode {
    /// The word for it: `observe` or `enforce`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Enforce => "enforce",
        }
    }
}

/// The scopes of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeSelector {
    /// `"all"`: every request, also one in no scope; not on `allow`.
    All,
    /// Any of these; sorted, never empty.
    Named(Vec<ScopeId>),
}

/// Predicates joined by AND; those that are `None` or empty are left out. Not all are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conditions {
    /// Who asks.
    pub subject: Option<Subject>,
    /// Who acts on the subject's behalf; false if nobody does.
    pub via: Option<Via>,
    /// From where: any of these networks.
    pub from: Vec<NetworkId>,
    /// When: any of these schedules.
    pub during: Vec<ScheduleId>,
    /// Headers, query, certificate, facts: all of these.
    pub facts: Vec<FactTest>,
    /// `where`: all of these tests of captures; sorted.
    pub captures: Vec<CaptureTest>,
}

/// Who a predicate is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// `"anyone"`: true without a credential, too.
    Anyone,
    /// `"authenticated"`: any identity of the default issuer (LANGUAGE: as a matcher without `issuers`).
    Authenticated,
    /// Any of these matchers; never empty.
    AnyOf(Vec<SubjectMatcher>),
}

/// Tests of an identity, joined by AND; within one list any member will do, but for `groups_all`. Not all are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubjectMatcher {
    /// The issuers; empty means the default issuer.
    pub issuers: Vec<IssuerId>,
    /// The kind, as the issuer's claim or declaration says.
    pub kinds: Vec<String>,
    /// Subjects, literally; together with `subject_patterns` any of.
    pub subjects: Vec<String>,
    /// Subjects with `*`, which never crosses `:` or `/`.
    pub subject_patterns: Vec<String>,
    /// E-mail addresses, in ASCII lower case; together with `email_domains` any of.
    pub emails: Vec<String>,
    /// What stands behind the last `@` of an e-mail address, in ASCII lower case.
    pub email_domains: Vec<String>,
    /// Any of these groups.
    pub groups: Vec<GroupId>,
    /// All of these groups.
    pub groups_all: Vec<GroupId>,
    /// All of these tests of claims.
    pub claims: Vec<ClaimTest>,
}

/// Who may act on a subject's behalf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Via {
    /// `"any"`: whoever it is, also if nobody can know who.
    Any,
    /// Any of these matchers; never empty.
    AnyOf(Vec<ActorMatcher>),
}

/// Tests of an actor, joined by AND; within one list any member will do. Not all are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActorMatcher {
    /// The issuers; empty means the default issuer.
    pub issuers: Vec<IssuerId>,
    /// Subjects, literally; together with `subject_patterns` any of.
    pub subjects: Vec<String>,
    /// Subjects with `*`, which never crosses `:` or `/`.
    pub subject_patterns: Vec<String>,
    /// All of these tests of the members of the actor's own claim.
    pub claims: Vec<ClaimTest>,
}

/// A test of one claim. A claim that is absent is false, unless its absence is what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClaimTest {
    /// The names that lead to it.
    pub path: Vec<String>,
    /// What it must hold.
    pub accepts: ClaimValues,
}

/// Accepted values of a claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClaimValues {
    /// `in`: equal to one of these, or an array that holds one of these. Types are strict: `1` is not `"1"`.
    In(Vec<ClaimValue>),
    /// `words`: a string of words separated by spaces that holds one of these.
    Words(Vec<String>),
    /// `present = true`: it is there, whatever it holds, also `null`.
    Present,
    /// `present = false`: it is not there.
    Absent,
    /// `after-now`: a time later than that of the request: a number (seconds since 1970) or a string (a date or date and time of RFC 3339).
    AfterNow,
}

/// A value that a claim can be compared with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClaimValue {
    /// A string, compared by bytes.
    Text(String),
    /// An integer; a claim of `1.0` is not `1`.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
}

/// What must also hold for an allow rule to allow; all that are there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Requirements {
    /// A login like this.
    pub login: Option<LoginId>,
    /// Any of these matchers, if not empty.
    pub subject: Vec<SubjectMatcher>,
    /// Any of these networks, if not empty.
    pub from: Vec<NetworkId>,
    /// Any of these schedules, if not empty.
    pub during: Vec<ScheduleId>,
    /// Headers, query, certificate, facts: all of these.
    pub facts: Vec<FactTest>,
    /// A grant under any of these approvals, if not empty.
    pub approval: Vec<ApprovalId>,
}

impl Requirements {
    /// Whether nothing is required.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
