//! What entries tell of: one variant for each kind, each with a body of its own.
//!
//! The names here are the names in the bodies (docs/LEDGER.md), so renaming one changes the format. What is optional and absent is left out of the body.

use luigi_core::policy::model::Mode;
use luigi_core::stop_set::Stopped;
use luigi_runtime::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that happened. Exhaustive: match it without `_`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The ledger was made: always entry 1.
    LedgerMade(LedgerMade),
    /// A decision that the data plane kept.
    Decision(Box<Decision>),
    /// What became of a request after its decision.
    Response(Response),
    /// A policy was put in force.
    PolicyApplied(PolicyApplied),
    /// The policy's mode was changed.
    ModeChanged(ModeChanged),
    /// An incident stop was made.
    Stop(StopMade),
    /// An incident stop was lifted.
    Unstop(Unstop),
    /// Somebody asked for access.
    AccessRequested(AccessRequested),
    /// An approver said yes; with a quorum above one there are several for one access request.
    Approved(Answered),
    /// An approver said no.
    Rejected(Answered),
    /// A grant opened.
    Granted(Granted),
    /// A grant was taken back before its end.
    Revoked(Revoked),
    /// A grant ended by itself.
    Expired(Expired),
    /// A secret was replaced by a new one.
    SecretRotated(SecretRotated),
    /// An issuer's keys were changed.
    KeysChanged(KeysChanged),
    /// Records never arrived.
    RecordsLost(RecordsLost),
    /// Requests of unprivileged scopes that passed without a record of their own, as the data plane counted them.
    RequestsCounted(RequestsCounted),
    /// The daemon began to write this ledger.
    DaemonStarted(DaemonStarted),
    /// The daemon stopped as it was told to. Between two starts without one of these it was killed.
    DaemonStopped(DaemonStopped),
    /// Somebody read what is masked otherwise.
    Disclosure(Disclosure),
    /// The oldest entries were written to a file and removed here.
    Retired(Retired),
}

/// Which kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// [`Event::LedgerMade`].
    LedgerMade,
    /// [`Event::Decision`].
    Decision,
    /// [`Event::Response`].
    Response,
    /// [`Event::PolicyApplied`].
    PolicyApplied,
    /// [`Event::ModeChanged`].
    ModeChanged,
    /// [`Event::Stop`].
    Stop,
    /// [`Event::Unstop`].
    Unstop,
    /// [`Event::AccessRequested`].
    AccessRequested,
    /// [`Event::Approved`].
    Approved,
    /// [`Event::Rejected`].
    Rejected,
    /// [`Event::Granted`].
    Granted,
    /// [`Event::Revoked`].
    Revoked,
    /// [`Event::Expired`].
    Expired,
    /// [`Event::SecretRotated`].
    SecretRotated,
    /// [`Event::KeysChanged`].
    KeysChanged,
    /// [`Event::RecordsLost`].
    RecordsLost,
    /// [`Event::RequestsCounted`].
    RequestsCounted,
    /// [`Event::DaemonStarted`].
    DaemonStarted,
    /// [`Event::DaemonStopped`].
    DaemonStopped,
    /// [`Event::Disclosure`].
    Disclosure,
    /// [`Event::Retired`].
    Retired,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 21] = [
        Self::LedgerMade,
        Self::Decision,
        Self::Response,
        Self::PolicyApplied,
        Self::ModeChanged,
        Self::Stop,
        Self::Unstop,
        Self::AccessRequested,
        Self::Approved,
        Self::Rejected,
        Self::Granted,
        Self::Revoked,
        Self::Expired,
        Self::SecretRotated,
        Self::KeysChanged,
        Self::RecordsLost,
        Self::RequestsCounted,
        Self::DaemonStarted,
        Self::DaemonStopped,
        Self::Disclosure,
        Self::Retired,
    ];

    /// The word for it, as in bodies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LedgerMade => "ledger-made",
            Self::Decision => "decision",
            Self::Response => "response",
            Self::PolicyApplied => "policy-applied",
            Self::ModeChanged => "mode-changed",
            Self::Stop => "stop",
            Self::Unstop => "unstop",
            Self::AccessRequested => "access-requested",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Granted => "granted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::SecretRotated => "secret-rotated",
            Self::KeysChanged => "keys-changed",
            Self::RecordsLost => "records-lost",
            Self::RequestsCounted => "requests-counted",
            Self::DaemonStarted => "daemon-started",
            Self::DaemonStopped => "daemon-stopped",
            Self::Disclosure => "disclosure",
            Self::Retired => "retired",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Event {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::LedgerMade(_) => Kind::LedgerMade,
            Self::Decision(_) => Kind::Decision,
            Self::Response(_) => Kind::Response,
            Self::PolicyApplied(_) => Kind::PolicyApplied,
            Self::ModeChanged(_) => Kind::ModeChanged,
            Self::Stop(_) => Kind::Stop,
            Self::Unstop(_) => Kind::Unstop,
            Self::AccessRequested(_) => Kind::AccessRequested,
            Self::Approved(_) => Kind::Approved,
            Self::Rejected(_) => Kind::Rejected,
            Self::Granted(_) => Kind::Granted,
            Self::Revoked(_) => Kind::Revoked,
            Self::Expired(_) => Kind::Expired,
            Self::SecretRotated(_) => Kind::SecretRotated,
            Self::KeysChanged(_) => Kind::KeysChanged,
            Self::RecordsLost(_) => Kind::RecordsLost,
            Self::RequestsCounted(_) => Kind::RequestsCounted,
            Self::DaemonStarted(_) => Kind::DaemonStarted,
            Self::DaemonStopped(_) => Kind::DaemonStopped,
            Self::Disclosure(_) => Kind::Disclosure,
            Self::Retired(_) => Kind::Retired,
        }
    }
}

/// A person or program, as everywhere: an issuer's subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Person {
    /// The issuer, as in identities.
    pub issuer: String,
    /// The subject, as in identities.
    pub subject: String,
    /// The verified e-mail address, for people who read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The word of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionWord {
    /// Allow.
    Allow,
    /// Deny.
    Deny,
}

impl DecisionWord {
    /// The word for it: `allow` or `deny`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// See [`Event::LedgerMade`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LedgerMade {
    /// 128 random bits in hex: names the ledger in checkpoints and exported files.
    pub ledger: String,
    /// What made it.
    pub tool: String,
}

/// See [`Event::Decision`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// The evaluation id: 32 hex digits.
    pub evaluation: String,
    /// The machine that decided.
    pub node: String,
    /// The revision that decided, in hex.
    pub revision: String,
    /// The policy's mode.
    pub mode: Mode,
    /// What the rules in force answered.
    pub decision: DecisionWord,
    /// Why: the stable code. No enum, since the data plane may be newer than who writes or reads this.
    pub reason: String,
    /// The determining rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The scope in which that rule holds the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What all rules, the observed ones included, would answer.
    pub candidate: DecisionWord,
    /// Why.
    pub candidate_reason: String,
    /// The rule that determines the candidate decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_rule: Option<String>,
    /// How the denial could become an allow: `authenticate`, `step-up` or `request-access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What happened, after the mode.
    pub outcome: Outcome,
    /// Whether the target lies in a privileged scope.
    pub privileged: bool,
    /// The grant that met the approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// Who asked; absent without a verified identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Who acted for that person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Person>,
    /// What became of the credential: `absent`, `verified`, `expired`, `invalid` ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Who vouches for the identity in place of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_by: Option<String>,
    /// What is wrong with the request itself, as a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The method.
    pub method: String,
    /// The host; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The canonical path; absent if the target has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The target as received up to its query, if it has no canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// The parameters of the query that the policy keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The user agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whether a text was cut, being too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Where in the spool the record stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolPlace>,
}

/// Where in the spool a record stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpoolPlace {
    /// The segment's name.
    pub segment: String,
    /// Where in the segment the record begins.
    pub offset: u64,
}

/// See [`Event::Response`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Response {
    /// The evaluation that the response belongs to.
    pub evaluation: String,
    /// What came.
    pub reply: Reply,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was answered.
    #[serde(rename_all = "kebab-case")]
    Received {
        /// The status code.
        status: u16,
        /// The backend that answered; absent if HAProxy did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backend: Option<String>,
        /// From the request to the head of the response; absent if its decision is not on record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        milliseconds: Option<u64>,
    },
    /// Nothing came within the longest timeout.
    NoResponse,
}

/// See [`Event::PolicyApplied`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyApplied {
    /// The revision in force now, in hex.
    pub revision: String,
    /// The one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The generation of the feed.
    pub generation: u64,
    /// Who applied it, as far as the command knows.
    pub by: String,
    /// The policy's mode.
    pub mode: Mode,
    /// The environment that it was compiled for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What changes for whom, in sentences.
    pub changes: Vec<String>,
}

/// See [`Event::ModeChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModeChanged {
    /// The mode before.
    pub from: Mode,
    /// The mode now.
    pub to: Mode,
    /// The generation of the feed.
    pub generation: u64,
    /// Who changed it.
    pub by: String,
}

/// See [`Event::Stop`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StopMade {
    /// What lifts it.
    pub id: String,
    /// What is stopped.
    pub what: Stopped,
    /// The first moment it no longer counts, as in RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
}

/// See [`Event::Unstop`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unstop {
    /// The stop's id.
    pub id: String,
    /// Who lifted it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// See [`Event::AccessRequested`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessRequested {
    /// The access request's id.
    pub request: String,
    /// The denial that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// Who asks.
    pub person: Person,
    /// The scope to open.
    pub scope: String,
    /// The approval asked for.
    pub approval: String,
    /// The captures that the approval is per, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// For how long.
    pub seconds: u64,
    /// Why, in the words of whoever asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
}

/// See [`Event::Approved`] and [`Event::Rejected`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answered {
    /// The access request's id.
    pub request: String,
    /// Who said so.
    pub approver: Person,
    /// Where: `slack`, `portal`, `command-line`.
    pub via: String,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// See [`Event::Granted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Granted {
    /// The grant's id.
    pub grant: String,
    /// The access request it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whom it opens for.
    pub person: Person,
    /// What it opens.
    pub scope: String,
    /// The approval that it was issued under.
    pub approval: String,
    /// The captures that the approval is per, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// From when on, as in RFC 3339.
    pub from: String,
    /// The first moment it no longer counts, as in RFC 3339.
    pub until: String,
}

/// See [`Event::Revoked`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Revoked {
    /// The grant's id.
    pub grant: String,
    /// Who took it back.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// See [`Event::Expired`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expired {
    /// The grant's id.
    pub grant: String,
}

/// See [`Event::SecretRotated`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecretRotated {
    /// The secret's name; never its value.
    pub secret: String,
    /// Who did it.
    pub by: String,
}

/// See [`Event::KeysChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeysChanged {
    /// The issuer's name in the policy.
    pub issuer: String,
    /// How many keys there are now.
    pub keys: u64,
    /// The SHA-256 of the key set, in hex.
    pub sha256: String,
    /// Who changed them: a person, or the daemon that fetched them.
    pub by: String,
}

/// See [`Event::RecordsLost`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordsLost {
    /// How many.
    pub count: u64,
    /// Where: the spool's segment, or what else should have held them.
    pub place: String,
    /// Why.
    pub reason: String,
    /// How many of each worth, where that is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
    /// When the first of them was lost, as in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// See [`Event::RequestsCounted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RequestsCounted {
    /// How many.
    pub count: u64,
    /// Since when, as in RFC 3339; until the time of the entry.
    pub since: String,
    /// The segment of the spool that says so.
    pub place: String,
}

/// See [`Event::DaemonStarted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonStarted {
    /// The machine.
    pub node: String,
    /// What it is and its version.
    pub tool: String,
    /// Its process id.
    pub process: u32,
}

/// See [`Event::DaemonStopped`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DaemonStopped {
    /// The machine.
    pub node: String,
    /// Its process id.
    pub process: u32,
}

/// See [`Event::Disclosure`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Disclosure {
    /// Who reads.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What was asked for, as on the command line.
    pub query: String,
}

/// See [`Event::Retired`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retired {
    /// The ledger's id.
    pub ledger: String,
    /// The first entry that is no longer here.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The hash before the first one, in hex.
    pub previous: String,
    /// The hash of the last one, in hex.
    pub head: String,
    /// The name of the file that has them now.
    pub file: String,
    /// The SHA-256 of that file, in hex.
    pub sha256: String,
}
