//! Content hashes of scopes and approvals: a grant counts only while what it was given for means the same.
//!
//! SHA-256 over a canonical encoding. The encoding of a text is its length as eight big-endian bytes and its bytes; of a number, eight
//! big-endian bytes; of a list, the number of its items and their encodings; of a set, the list of its members' encodings in byte order; of
//! a choice, the text of its name and what belongs to it. Names of the policy are replaced by what they stand for (a group by its value,
//! an issuer by its URL), so that a renaming changes nothing and a change of meaning always shows.
//!
//! * A scope: the text `luigi scope 1`, the set of its hosts, the set of its operations (path, methods), the set of the hashes of the scopes
//!   it leaves out; with `path-regex`, that text, the set of its expressions and the set of its methods. Not its name and not whether it is
//!   privileged. With entries of `[hosts]` that concern its hosts, that text and the set of these (host, case, slash, set of accepted classes).
//!   Where connections may outlive a decision, the text `upgrade` and for how many seconds. With `frontends`, that text and the set of them.
//! * An approval: the text `luigi approval 1`, requesters, approvers, quorum, duration, longest duration, justification, and, if there are any,
//!   the text `per` and the captures. Not its name and not whom it notifies.

use super::hosts;
use crate::method::{MethodSet, MethodTable};
use crate::policy::captures::GroupValue;
use crate::policy::model::{
    Approval, ApprovalId, Approvers, ClaimTest, ClaimValue, ClaimValues, ContentHash, HostPattern, HostProperties,
    IssuerId, Justification, Operation, Policy, Scope, ScopeId, Segment, Subject, SubjectMatcher, Table, Upgrade,
};

/// Computes the hashes of a policy. `order` has every scope after those it leaves out.
pub(super) fn fill_in(policy: &mut Policy, order: &[ScopeId]) {
    let mut hashes = vec![ContentHash([0; 32]); policy.scopes.len()];
    for id in order {
        hashes[index(*id)] = scope(&policy.scopes[*id], policy, &hashes);
    }
    let rows = policy.scopes.iter().zip(hashes).map(|((_, row), content_hash)| Scope { content_hash, ..row.clone() });
    policy.scopes = rows.collect::<Table<ScopeId, Scope>>();
    let rows = policy.approvals.iter().map(|(_, row)| Approval { content_hash: approval(row, policy), ..row.clone() });
    policy.approvals = rows.collect::<Table<ApprovalId, Approval>>();
}

fn index(id: ScopeId) -> usize {
    crate::policy::model::TableId::index(id)
}

/// An encoding that grows.
#[derive(Default)]
struct Encoding(Vec<u8>);

impl Encoding {
    fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn bytes(self, bytes: &[u8]) -> Self {
        let mut encoding = self.number(bytes.len() as u64);
        encoding.0.extend(bytes);
        encoding
    }

    fn list(self, items: impl ExactSizeIterator<Item = Self>) -> Self {
        let encoding = self.number(items.len() as u64);
        items.fold(encoding, |mut encoding, item| {
            encoding.0.extend(item.0);
            encoding
        })
    }

    fn set(self, items: impl Iterator<Item = Self>) -> Self {
        let mut items: Vec<_> = items.map(|item| item.0).collect();
        items.sort();
        items.dedup();
        self.list(items.into_iter().map(Self))
    }

    fn texts<'t>(self, texts: impl IntoIterator<Item = &'t String>) -> Self {
        self.set(texts.into_iter().map(|text| of(text)))
    }

    fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn hash(&self) -> ContentHash {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.0);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        ContentHash(hash)
    }
}

/// The encoding of a text.
fn of(text: &str) -> Encoding {
    Encoding::default().text(text)
}

fn scope(scope: &Scope, policy: &Policy, hashes: &[ContentHash]) -> ContentHash {
    let methods = &policy.methods;
    let encoding = of("luigi scope 1")
        .set(scope.hosts.iter().map(host))
        .set(scope.operations.iter().map(|operation| operation_encoding(operation, methods)))
        .set(scope.except.iter().map(|id| Encoding::default().bytes(&hashes[index(*id)].0)));
    let encoding = match &scope.path_regex {
        None => encoding,
        Some(regex) => encoding
            .text("path-regex")
            .texts(&regex.patterns)
            .set(method_names(regex.methods, methods).into_iter().map(of)),
    };
    // What hosts do with paths is part of what the scope holds.
    let mut properties = hosts::concerning(&policy.hosts, &scope.hosts)
        .filter(|row| row.ignores_case || row.slash_matters || !row.accepts.is_empty())
        .map(host_properties)
        .peekable();
    let encoding = if properties.peek().is_some() { encoding.text("hosts").set(properties) } else { encoding };
    // Whoever approves what ends does not approve what goes on after that.
    let encoding = match scope.upgrade {
        Upgrade::Refuse | Upgrade::Allow => encoding,
        Upgrade::Outlive { seconds } => encoding.text("upgrade").number(seconds.into()),
    };
    match &scope.frontends[..] {
        [] => encoding.hash(),
        frontends => encoding.text("frontends").texts(frontends).hash(),
    }
}

fn host_properties(row: &HostProperties) -> Encoding {
    let case = if row.ignores_case { "ignores case" } else { "exact" };
    let slash = if row.slash_matters { "distinct" } else { "same" };
    host(&row.host).text(case).text(slash).set(row.accepts.iter().map(|class| of(class.as_str())))
}

fn host(host: &HostPattern) -> Encoding {
    match host {
        HostPattern::Any => of("any"),
        HostPattern::Exact(name) => of("exact").text(name),
        HostPattern::OneLabel(name) => of("one label").text(name),
        HostPattern::Labels(name) => of("labels").text(name),
        HostPattern::Capture { name, parent } => of("capture").text(name).text(parent),
    }
}

fn operation_encoding(operation: &Operation, methods: &MethodTable) -> Encoding {
    let segments = operation.path.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => of("literal").text(text),
        Segment::Capture(name) => of("capture").text(name),
        Segment::Any => of("any"),
    });
    let encoding = Encoding::default().list(segments).text(match (operation.path.rest, operation.path.slash) {
        (true, _) => "rest",
        (false, true) => "slash",
        (false, false) => "end",
    });
    encoding.set(method_names(operation.methods, methods).into_iter().map(of))
}

/// The names of methods. `any` is a name of its own: the methods that it holds depend on which ones the policy names elsewhere.
fn method_names(set: MethodSet, methods: &MethodTable) -> Vec<&str> {
    if !set.contains(MethodSet::ANY) {
        return methods.names(set).collect();
    }
    let beyond = ["CONNECT", "TRACE"].into_iter().filter(|name| set.contains(methods.resolve(name.as_bytes())));
    std::iter::once("any").chain(beyond).collect()
}

fn approval(approval: &Approval, policy: &Policy) -> ContentHash {
    let approvers = match &approval.approvers {
        Approvers::Requester => of("requester"),
        Approvers::Matching(matchers) => any_of(matchers, policy),
    };
    let justification = match approval.justification {
        Justification::Required => "required",
        Justification::Optional => "optional",
    };
    let requesters = match &approval.requesters {
        Subject::Anyone => of("anyone"),
        Subject::Authenticated => of("authenticated").then(issuers(&[], policy)),
        Subject::AnyOf(matchers) => any_of(matchers, policy),
    };
    let encoding = of("luigi approval 1")
        .then(requesters)
        .then(approvers)
        .number(approval.quorum.into())
        .number(approval.duration_seconds.into())
        .number(approval.max_duration_seconds.into())
        .text(justification);
    if approval.per.is_empty() { encoding.hash() } else { encoding.text("per").texts(&approval.per).hash() }
}

fn any_of(matchers: &[SubjectMatcher], policy: &Policy) -> Encoding {
    of("any of").set(matchers.iter().map(|one| matcher(one, policy)))
}

/// No issuer means the default one.
fn issuers(named: &[IssuerId], policy: &Policy) -> Encoding {
    let meant = if named.is_empty() { policy.default_issuer.as_slice() } else { named };
    Encoding::default().texts(meant.iter().map(|id| &policy.issuers[*id].trust.url))
}

fn matcher(matcher: &SubjectMatcher, policy: &Policy) -> Encoding {
    issuers(&matcher.issuers, policy)
        .texts(&matcher.kinds)
        .texts(&matcher.subjects)
        .texts(&matcher.subject_patterns)
        .texts(&matcher.emails)
        .texts(&matcher.email_domains)
        .set(matcher.groups.iter().map(|id| group(&policy.groups[*id].value)))
        .set(matcher.groups_all.iter().map(|id| group(&policy.groups[*id].value)))
        .set(matcher.claims.iter().map(claim))
}

/// Braces stand in no literal.
fn group(value: &GroupValue) -> Encoding {
    of(&value.to_string())
}

fn claim(test: &ClaimTest) -> Encoding {
    let path = Encoding::default().list(test.path.iter().map(|name| of(name)));
    match &test.accepts {
        ClaimValues::In(values) => path.text("in").set(values.iter().map(value)),
        ClaimValues::Words(words) => path.text("words").texts(words),
        ClaimValues::Present => path.text("present"),
        ClaimValues::Absent => path.text("absent"),
        ClaimValues::AfterNow => path.text("after now"),
    }
}

fn value(value: &ClaimValue) -> Encoding {
    match value {
        ClaimValue::Text(text) => of("text").text(text),
        ClaimValue::Integer(number) => of("integer").number(number.cast_unsigned()),
        ClaimValue::Boolean(true) => of("true"),
        ClaimValue::Boolean(false) => of("false"),
    }
}
