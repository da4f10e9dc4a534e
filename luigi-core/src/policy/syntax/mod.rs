//! The syntax of a policy: what is written, typed and with its place, names not yet looked up.
//!
//! Checks everything that can be checked without knowing the rest of the policy: keys, types, words, the form of values, and keys that
//! do not go together. What had a problem is left out or half filled.
//!
//! INVARIANT (reported): whatever is missing here that must be there has been reported as an error, so nothing that was built from a
//! syntax with errors is ever used.

mod accept;
mod audit;
mod captures;
mod case_facts;
mod cases;
mod daemon;
mod document;
mod environments;
mod facts;
mod file;
mod hosts;
mod issuers;
mod nesting;
mod networks;
mod node;
mod path_regex;
mod proxies;
mod rules;
mod suggest;
mod tables;
mod targets;
mod values;
mod via;

pub(super) use accept::says_something;
pub(super) use captures::{CaptureTest, CaptureValues};
pub(crate) use daemon::read as read_daemon;
pub(super) use facts::{FactTests, unknown_value};
pub(super) use networks::files_named;
pub(super) use node::{Text, listed, quoted};
pub(super) use suggest::suggestion;
pub(super) use targets::{Doubtful, Methods, host_of};
pub(crate) use values::written;

use super::captures::GroupValue;
use super::diagnostics::{Code, Diagnostic, Diagnostics};
use super::model::{self, ClaimTest, Effect, Justification, Mode, PathTemplate};
use super::places::Place;
use super::source::{SourceId, SourceSet, Span, Spanned};
use super::test_case::Expectation;
use crate::decide::Reason;
use crate::described::DescribedCertificate;
use crate::identity::IssuerTrust;
use crate::target::Ambiguity;
use crate::time::Timestamp;
use ipnet::IpNet;
use node::Fields;
use std::net::IpAddr;

/// Everything that the sources of a policy say.
#[derive(Default)]
pub(super) struct Syntax {
    pub(super) files: Vec<FileHeader>,
    /// `[audit]`, of every file that has one.
    pub(super) audits: Vec<Audit>,
    pub(super) environments: Vec<Entry<Environment>>,
    pub(super) issuers: Vec<Entry<Issuer>>,
    pub(super) groups: Vec<Entry<GroupValue>>,
    pub(super) networks: Vec<Entry<Vec<IpNet>>>,
    pub(super) proxies: Vec<Entry<Proxy>>,
    pub(super) schedules: Vec<Entry<model::Schedule>>,
    pub(super) logins: Vec<Entry<model::Login>>,
    pub(super) hosts: Vec<Host>,
    pub(super) scopes: Vec<Entry<Scope>>,
    pub(super) approvals: Vec<Entry<Approval>>,
    /// `[facts.*]`: their values, sorted.
    pub(super) facts: Vec<Entry<Vec<String>>>,
    pub(super) rules: Vec<Rule>,
    pub(super) cases: Vec<Case>,
}

/// A definition under a name. The item is `None` if nothing can be made of it, but the name is defined all the same.
pub(super) struct Entry<T> {
    pub(super) name: Text,
    pub(super) item: Option<T>,
    pub(super) place: Place,
}

/// Whose file one of the sources is.
pub(super) struct FileHeader {
    pub(super) source: SourceId,
    pub(super) owner: Text,
    /// The hosts that what stands in the file keeps to.
    pub(super) hosts: Hosts,
    pub(super) hosts_span: Span,
}

/// An `[audit]` table, at its place.
pub(super) struct Audit {
    pub(super) span: Span,
    pub(super) auditing: model::Auditing,
}

/// What an environment calls things.
pub(super) struct Environment {
    /// The variables and, if they are parts of hosts, their values.
    pub(super) variables: Vec<(Text, Option<Text>)>,
}

pub(super) struct Issuer {
    pub(super) trust: IssuerTrust,
    pub(super) url_span: Span,
    pub(super) default: Option<Spanned<bool>>,
}

/// Proxies that are trusted to say where a request comes from.
pub(super) struct Proxy {
    pub(super) networks: Vec<Text>,
    /// A header, in lower case.
    pub(super) source: Text,
}

/// An entry of `[hosts]`: what is said has a place, so that two entries can be held against each other.
pub(super) struct Host {
    pub(super) host: Text,
    pub(super) ignores_case: Option<Spanned<bool>>,
    pub(super) slash_matters: Option<Spanned<bool>>,
    /// Sorted.
    pub(super) accepts: Option<Spanned<Vec<Ambiguity>>>,
    pub(super) refuses_method_override: Option<Spanned<bool>>,
    pub(super) place: Place,
}

pub(super) struct Scope {
    pub(super) hosts: Hosts,
    pub(super) frontends: Vec<Text>,
    pub(super) operations: Vec<(Methods, PathTemplate)>,
    pub(super) path_regex: Option<(Methods, Vec<Text>)>,
    /// Problems of paths that are none where the hosts accept a class of ambiguous targets.
    pub(super) doubtful: Vec<Doubtful>,
    pub(super) except: Vec<Text>,
    pub(super) tags: Vec<Text>,
    pub(super) preflight: bool,
    pub(super) privileged: bool,
    pub(super) audit: model::Audit,
    pub(super) upgrade: model::Upgrade,
}

/// Hosts as they are written: what a placeholder stands for depends on the environment.
#[derive(Default)]
pub(super) struct Hosts {
    /// `"any"`.
    pub(super) any: bool,
    pub(super) listed: Vec<Text>,
}

pub(super) struct Approval {
    /// `None`: authenticated.
    pub(super) requesters: Option<Subject>,
    pub(super) approvers: Option<Approvers>,
    pub(super) quorum: u32,
    pub(super) duration_seconds: u32,
    pub(super) max_duration_seconds: u32,
    pub(super) justification: Justification,
    pub(super) per: Vec<String>,
    pub(super) notify: Vec<String>,
    /// Where it is defined.
    pub(super) span: Span,
}

pub(super) enum Approvers {
    Requester,
    Matching(Vec<Matcher>),
}

pub(super) struct Rule {
    pub(super) place: Place,
    pub(super) id: Option<Text>,
    pub(super) effect: Option<Effect>,
    pub(super) mode: Mode,
    pub(super) scopes: Option<Scopes>,
    pub(super) environments: Vec<Text>,
    pub(super) methods: Option<Methods>,
    pub(super) when: Conditions,
    pub(super) unless: Vec<Conditions>,
    pub(super) starts: Option<Timestamp>,
    pub(super) ends: Option<Timestamp>,
    pub(super) require: Requirements,
}

pub(super) enum Scopes {
    All,
    Named(Vec<Text>),
}

#[derive(Default)]
pub(super) struct Conditions {
    pub(super) subject: Option<Subject>,
    pub(super) via: Option<Via>,
    /// The path of a claim that holds a time which must be ahead.
    pub(super) claim_after_now: Option<Spanned<Vec<String>>>,
    pub(super) from: Vec<Text>,
    pub(super) during: Vec<Text>,
    pub(super) facts: FactTests,
    pub(super) captures: Vec<CaptureTest>,
}

#[derive(Default)]
pub(super) struct Requirements {
    pub(super) login: Option<Text>,
    pub(super) subject: Option<Subject>,
    pub(super) from: Vec<Text>,
    pub(super) during: Vec<Text>,
    pub(super) facts: FactTests,
    pub(super) approval: Vec<Text>,
}

pub(super) enum Subject {
    Anyone,
    Authenticated(Span),
    AnyOf(Vec<Matcher>),
}

pub(super) enum Via {
    Any,
    AnyOf(Vec<ActorMatcher>),
}

/// What can be asked of an actor.
pub(super) struct ActorMatcher {
    pub(super) span: Span,
    pub(super) issuers: Vec<Text>,
    pub(super) subjects: Vec<String>,
    pub(super) subject_patterns: Vec<String>,
    pub(super) claims: Vec<ClaimTest>,
}

pub(super) struct Matcher {
    pub(super) span: Span,
    pub(super) issuers: Vec<Text>,
    pub(super) kinds: Vec<String>,
    pub(super) subjects: Vec<String>,
    pub(super) subject_patterns: Vec<String>,
    pub(super) emails: Vec<String>,
    pub(super) email_domains: Vec<String>,
    pub(super) groups: Vec<Text>,
    pub(super) groups_all: Vec<Text>,
    pub(super) claims: Vec<ClaimTest>,
}

/// One test: a `[[tests]]` table, or one of its cases with one of its requests.
pub(super) struct Case {
    /// The whole name, at the place that tells this test from others of its table.
    pub(super) name: Option<Text>,
    pub(super) environment: Option<Text>,
    /// Where the test is to be shown.
    pub(super) place: Span,
    pub(super) request: Option<Spanned<CaseRequest>>,
    pub(super) credential: CaseCredential,
    pub(super) from: Option<IpAddr>,
    pub(super) peer: Option<IpAddr>,
    pub(super) at: Option<Timestamp>,
    pub(super) headers: Option<Vec<(String, Vec<String>)>>,
    pub(super) facts: Option<Vec<(Text, Text)>>,
    pub(super) certificate: Option<DescribedCertificate>,
    pub(super) frontend: Option<String>,
    pub(super) grants: Vec<CaseGrant>,
    pub(super) expect: Option<Spanned<Expectation>>,
    pub(super) expect_candidate: Option<Spanned<Expectation>>,
    pub(super) rule: Option<Text>,
    pub(super) reason: Option<Spanned<Reason>>,
    pub(super) scope: Option<Text>,
    pub(super) privileged: Option<Spanned<bool>>,
}

#[derive(Clone)]
pub(super) struct CaseRequest {
    pub(super) method: String,
    pub(super) host: Option<String>,
    pub(super) target: String,
}

pub(super) enum CaseCredential {
    Absent,
    Expired,
    Invalid,
    Identity(Box<CaseIdentity>),
}

pub(super) struct CaseIdentity {
    pub(super) span: Span,
    pub(super) issuer: Option<Text>,
    pub(super) subject: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) email: Option<String>,
    pub(super) groups: Vec<Text>,
    pub(super) claims: serde_json::Map<String, serde_json::Value>,
    pub(super) login: Option<Text>,
    pub(super) via: Option<CaseActor>,
}

/// Who acts for the person of a test.
pub(super) struct CaseActor {
    pub(super) span: Span,
    pub(super) issuer: Option<Text>,
    pub(super) subject: Option<String>,
    pub(super) claims: serde_json::Map<String, serde_json::Value>,
}

pub(super) struct CaseGrant {
    pub(super) span: Span,
    pub(super) scope: Option<Text>,
    pub(super) approval: Option<Text>,
    /// Names and values.
    pub(super) captures: Vec<(Text, Text)>,
    pub(super) in_person: bool,
}

/// The version of the language.
const SCHEMA: i64 = 1;

const TOP: &[&str] = &[
    "schema",
    "file",
    "audit",
    "environments",
    "issuers",
    "groups",
    "networks",
    "proxies",
    "schedules",
    "logins",
    "hosts",
    "scopes",
    "approvals",
    "facts",
    "rules",
    "tests",
];

/// Reads the sources.
///
/// Returns `None` if some text could not be read as TOML: names that seem to be missing may stand in what was not understood.
pub(super) fn read(sources: &SourceSet, out: &mut Diagnostics) -> Option<Syntax> {
    let documents = document::read_all(sources, out)?;
    let mut syntax = Syntax::default();
    for document in documents.iter().filter(|document| document.whole) {
        let top = Fields::of_document(document.source, document.root.get_ref(), TOP, out);
        check_schema(&top, out);
        file::read(&top, document.source, &mut syntax, out);
        audit::read(&top, &mut syntax, out);
        environments::read(&top, &mut syntax, out);
        networks::read(&top, sources, &mut syntax, out);
        proxies::read(&top, &mut syntax, out);
        tables::read(&top, &mut syntax, out);
        hosts::read(&top, &mut syntax, out);
        rules::read(&top, &mut syntax, out);
        cases::read(&top, &mut syntax, out);
    }
    documents.iter().all(|document| document.whole).then_some(syntax)
}

fn check_schema(top: &Fields<'_>, out: &mut Diagnostics) {
    let Some(node) = top.get("schema") else {
        let problem = Diagnostic::error(Code::MissingKey, top.span(), "the file has no `schema`");
        out.push(problem.label("expected in every file").help("begin the file with `schema = 1`"));
        return;
    };
    let Some(schema) = node.integer("schema", out) else { return };
    if schema.value != SCHEMA {
        let message = format!("schema {} is not one that this version reads", schema.value);
        out.push(Diagnostic::error(Code::UnsupportedSchema, schema.span, message).help("write `schema = 1`"));
    }
}
