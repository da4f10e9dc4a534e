//! Who asks: subject predicates over identities, actors and the lack of both.

use super::actors::{self, actor_name};
use super::captures::Captures;
use super::claims::claim;
use super::{Finding, count, listed, quoted};
use crate::identity::{Completeness, Credential, Identity, InvalidCredential};
use crate::kleene::Kleene;
use crate::policy::captures::GroupValue;
use crate::policy::model::{GroupId, IssuerId, Policy, Subject, SubjectMatcher};
use crate::time::Timestamp;
use serde_json::Value;

/// A verified identity counts for at most this long after it expired, whatever leeway its issuer is given.
const LONGEST_LEEWAY_SECONDS: i64 = 300;

/// Who asks, as predicates see it.
#[derive(Clone, Copy)]
pub(super) enum Caller<'a> {
    /// No credential: predicates on the subject are false.
    Nobody,
    /// A credential that proves nothing: predicates on the subject are unknown.
    Unproven(Unproven),
    /// An identity.
    Known(&'a Identity),
}

#[derive(Clone, Copy)]
pub(super) enum Unproven {
    Expired,
    Invalid(InvalidCredential),
}

impl Unproven {
    fn because(self) -> String {
        match self {
            Self::Expired => "the credential has expired".to_owned(),
            Self::Invalid(why) => {
                let code = serde_json::to_value(why).ok();
                let code = code.as_ref().and_then(Value::as_str).unwrap_or("invalid").to_owned();
                format!("the credential is invalid: {code}")
            }
        }
    }
}

impl<'a> Caller<'a> {
    /// The caller behind a credential; `None` for those that are refused before any rule.
    pub(super) fn of(credential: Credential<'a>, now: Timestamp) -> Option<Self> {
        match credential {
            Credential::Absent => Some(Self::Nobody),
            Credential::Verified(identity) if now >= identity.expires_at().plus_seconds(LONGEST_LEEWAY_SECONDS) => {
                Some(Self::Unproven(Unproven::Expired))
            }
            Credential::Verified(identity) => Some(Self::Known(identity)),
            Credential::Expired => Some(Self::Unproven(Unproven::Expired)),
            Credential::Invalid(why) => Some(Self::Unproven(Unproven::Invalid(why))),
            Credential::Ambiguous | Credential::Deferred => None,
        }
    }

    /// Why no identity is known, if none is.
    pub(super) fn missing(self) -> Option<(Kleene, String)> {
        match self {
            Self::Nobody => Some((Kleene::False, "there is no credential".to_owned())),
            Self::Unproven(why) => Some((Kleene::Unknown, why.because())),
            Self::Known(_) => None,
        }
    }
}

/// How a predicate treats someone who acts on the subject's behalf.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Delegation {
    /// An allow rule's own subject: only `"anyone"` lets an actor through.
    Refused,
    /// As if the subject came in person.
    AsSubject,
    /// A deny rule's own subject: either of the two will do.
    SubjectOrActor,
}

/// Whether the caller is who the predicate is about.
pub(super) fn subject(
    policy: &Policy,
    wanted: &Subject,
    captures: &Captures,
    caller: Caller<'_>,
    delegation: Delegation,
    now: Timestamp,
) -> Finding {
    if *wanted == Subject::Anyone {
        return Finding::new("subject", true, "anyone").fixed_if(true);
    }
    let identity = match caller {
        Caller::Known(identity) => identity,
        Caller::Nobody | Caller::Unproven(_) => {
            let (value, because) = caller.missing().unwrap_or((Kleene::Unknown, String::new()));
            return Finding::new("subject", value, because);
        }
    };
    let in_person = match wanted {
        Subject::Anyone => Finding::new("subject", true, "anyone"),
        // There, nobody is one way for it to come out otherwise.
        Subject::Authenticated => issuers(policy, &[], identity.issuer()).renamed("subject").fixed_if(false),
        Subject::AnyOf(matchers) => any_of(policy, matchers, captures, identity, now).renamed("subject"),
    };
    let Some(actor) = identity.actor() else { return in_person };
    match delegation {
        Delegation::AsSubject => in_person,
        Delegation::Refused => {
            let because =
                format!("{} acts for the subject, and without `via` it must come in person", actor_name(actor));
            Finding::new("subject", false, because)
        }
        Delegation::SubjectOrActor => {
            let by_actor = actors::as_subject(policy, wanted, actor);
            if by_actor > in_person.value {
                let matches = if by_actor.is_true() { "matches" } else { "may match" };
                let because = format!("{} acts for the subject and {matches}", actor_name(actor));
                Finding::new("subject", by_actor, because)
            } else {
                in_person
            }
        }
    }
}

/// Whether any of the matchers matches the identity, whoever acts for it.
fn any_of(
    policy: &Policy,
    matchers: &[SubjectMatcher],
    captures: &Captures,
    identity: &Identity,
    now: Timestamp,
) -> Finding {
    let mut tried: Vec<Finding> = matchers.iter().map(|one| matcher(policy, one, captures, identity, now)).collect();
    if tried.len() == 1 {
        return tried.remove(0);
    }
    let value = tried.iter().fold(Kleene::False, |any, one| any.or(one.value));
    let because = match tried.iter().find(|one| one.value == value) {
        Some(decisive) if !value.is_false() => decisive.because.clone(),
        _ => tried.iter().map(|one| one.because.as_str()).collect::<Vec<_>>().join("; "),
    };
    Finding::new("matchers", value, because).with_parts(tried)
}

fn matcher(
    policy: &Policy,
    wanted: &SubjectMatcher,
    captures: &Captures,
    identity: &Identity,
    now: Timestamp,
) -> Finding {
    let mut parts = vec![issuers(policy, &wanted.issuers, identity.issuer())];
    if !wanted.kinds.is_empty() {
        parts.push(kinds(&wanted.kinds, identity.kind()));
    }
    if !wanted.subjects.is_empty() || !wanted.subject_patterns.is_empty() {
        let held = subject_listed(&wanted.subjects, &wanted.subject_patterns, identity.subject());
        let is = if held { "is" } else { "is not" };
        parts.push(Finding::new(
            "subjects",
            held,
            format!("the subject {} {is} among those named", quoted(identity.subject())),
        ));
    }
    if !wanted.emails.is_empty() || !wanted.email_domains.is_empty() {
        parts.push(emails(wanted, identity));
    }
    if !wanted.groups.is_empty() {
        parts.push(groups_any(policy, &wanted.groups, captures, identity));
    }
    if !wanted.groups_all.is_empty() {
        parts.push(groups_all(policy, &wanted.groups_all, captures, identity));
    }
    parts.extend(wanted.claims.iter().map(|test| claim(test, identity.claims(), now)));

    let value = parts.iter().fold(Kleene::True, |all, part| all.and(part.value));
    // The issuer goes without saying where it is right and something else is asked for.
    let telling = parts.iter().filter(|part| part.value == value);
    let mut telling: Vec<&str> = telling.map(|part| part.because.as_str()).collect();
    if value.is_true() && telling.len() > 1 {
        telling.remove(0);
    }
    let because = if value.is_true() { telling.join(", ") } else { telling[0].to_owned() };
    Finding::new("matcher", value, because).with_parts(parts)
}

/// Whether the issuer is one of those named, or the default one if none is.
pub(super) fn issuers(policy: &Policy, wanted: &[IssuerId], url: &str) -> Finding {
    let named = |id: &IssuerId| &policy.issuers[*id];
    let wanted: Vec<IssuerId> =
        if wanted.is_empty() { policy.default_issuer.into_iter().collect() } else { wanted.to_vec() };
    if let Some(id) = wanted.iter().find(|id| named(id).trust.url == url) {
        let finding = Finding::new("issuers", true, format!("the identity is from `{}`", named(id).name));
        return finding.fixed_if(policy.issuers.len() == 1);
    }
    let because = if wanted.is_empty() {
        "the policy has no default issuer".to_owned()
    } else {
        let names = listed(wanted.iter().map(|id| named(id).name.as_str()), "or");
        format!("the issuer {} is not {names}", quoted(url))
    };
    Finding::new("issuers", false, because)
}

fn kinds(wanted: &[String], kind: Option<&str>) -> Finding {
    match kind {
        None => Finding::new("kinds", false, "the identity has no kind"),
        Some(kind) => {
            let held = wanted.iter().any(|one| one == kind);
            let is = if held { "is" } else { "is not among those named:" };
            Finding::new("kinds", held, format!("the kind {is} {}", quoted(kind)))
        }
    }
}

pub(super) fn subject_listed(subjects: &[String], patterns: &[String], subject: &str) -> bool {
    subjects.iter().any(|one| one == subject) || patterns.iter().any(|pattern| pattern_fits(pattern, subject))
}

/// `*` stands for any run, also an empty one, of characters other than `:` and `/`.
pub(super) fn pattern_fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => match text.strip_prefix(before) {
            None => false,
            Some(rest) => {
                let run = rest.find([':', '/']).unwrap_or(rest.len());
                (0..=run).filter(|at| rest.is_char_boundary(*at)).any(|at| pattern_fits(after, &rest[at..]))
            }
        },
    }
}

fn emails(wanted: &SubjectMatcher, identity: &Identity) -> Finding {
    let Some(email) = identity.email() else {
        return Finding::new("emails", false, "the identity has no e-mail address");
    };
    let address = email.address.to_ascii_lowercase();
    let listed = wanted.emails.iter().any(|one| one.eq_ignore_ascii_case(&address));
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    let in_domain =
        domain.is_some_and(|domain| wanted.email_domains.iter().any(|one| one.eq_ignore_ascii_case(domain)));
    let shown = quoted(&address);
    if !listed && !in_domain {
        return Finding::new("emails", false, format!("the e-mail address {shown} is not among those named"));
    }
    match email.verified {
        Some(true) => Finding::new("emails", true, format!("the e-mail address is {shown}, verified")),
        Some(false) => Finding::new("emails", false, format!("the e-mail address {shown} is not verified")),
        None => Finding::new(
            "emails",
            Kleene::Unknown,
            format!("whether the e-mail address {shown} is verified is unknown"),
        ),
    }
}

/// Whether the identity has this group; a list that was cut off says nothing of what it lacks.
fn has_group(policy: &Policy, id: GroupId, captures: &Captures, identity: &Identity) -> Kleene {
    let groups = identity.groups();
    let present = match &policy.groups[id].value {
        GroupValue::Literal(value) => groups.names().iter().any(|held| **held == **value),
        GroupValue::Family(family) if captures.get(&family.capture).is_none() => return Kleene::Unknown,
        GroupValue::Family(family) => groups.names().iter().any(|held| captures.are_of(family, held) == Some(true)),
    };
    match (present, groups.completeness()) {
        (true, Completeness::Complete | Completeness::CutOff) => Kleene::True,
        (false, Completeness::Complete) => Kleene::False,
        (false, Completeness::CutOff) => Kleene::Unknown,
    }
}

fn groups_any(policy: &Policy, wanted: &[GroupId], captures: &Captures, identity: &Identity) -> Finding {
    let has = |id: &GroupId| has_group(policy, *id, captures, identity);
    let value = wanted.iter().fold(Kleene::False, |any, id| any.or(has(id)));
    let telling = match value {
        Kleene::True => wanted.iter().copied().filter(|id| has(id).is_true()).take(1).collect(),
        Kleene::Unknown | Kleene::False => wanted.to_vec(),
    };
    group_finding(policy, "groups", value, &telling, captures, identity)
}

fn groups_all(policy: &Policy, wanted: &[GroupId], captures: &Captures, identity: &Identity) -> Finding {
    let has = |id: &GroupId| has_group(policy, *id, captures, identity);
    let value = wanted.iter().fold(Kleene::True, |all, id| all.and(has(id)));
    let telling: Vec<GroupId> = wanted.iter().copied().filter(|id| has(id) == value).collect();
    group_finding(policy, "groups-all", value, &telling, captures, identity)
}

fn group_finding(
    policy: &Policy,
    key: &'static str,
    value: Kleene,
    about: &[GroupId],
    captures: &Captures,
    identity: &Identity,
) -> Finding {
    let plural = if about.len() == 1 { "group" } else { "groups" };
    let are = if about.len() == 1 { "is" } else { "are" };
    // As tests name them: a family with the value of its capture.
    let alias = |id: &GroupId| {
        let group = &policy.groups[*id];
        let captured = group.value.family().and_then(|family| captures.get(&family.capture));
        captured.map_or_else(|| group.name.clone(), |captured| format!("{}:{captured}", group.name))
    };
    let aliases: Vec<String> = about.iter().map(alias).collect();
    let names = |word| listed(aliases.iter().map(String::as_str), word);
    let held = count(identity.groups().names().len(), "group");
    let because = match value {
        Kleene::True => format!("the identity is in {plural} {}", names("and")),
        Kleene::False => format!("{plural} {} {are} not among the identity's {held}", names("or")),
        Kleene::Unknown => format!("{plural} {} {are} not among the {held} of a list that was cut off", names("or")),
    };
    Finding::new(key, value, because)
}

impl Finding {
    pub(super) fn renamed(self, key: &'static str) -> Self {
        Self { key, ..self }
    }
}
