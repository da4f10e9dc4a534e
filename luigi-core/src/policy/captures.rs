//! What policies say about captured segments and labels: families of groups, tests in `where`, and which captures a rule takes.
//!
//! Part of the [`model`](super::model). Where captures get their values is the evaluators' business.

use super::model::{
    Approval, ApprovalId, Conditions, Group, GroupId, IssuerId, Policy, Rule, Subject, SubjectMatcher, Table,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What stands in tokens for a group of the `[groups]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupValue {
    /// This text.
    Literal(String),
    /// One group for each value of a capture.
    Family(GroupFamily),
}

impl GroupValue {
    /// The family, if it is one.
    #[must_use]
    pub fn family(&self) -> Option<&GroupFamily> {
        match self {
            Self::Literal(_) => None,
            Self::Family(family) => Some(family),
        }
    }

    /// The value in tokens: of a family with this value of its capture, of a literal without one.
    #[must_use]
    pub fn in_tokens(&self, captured: Option<&str>) -> Option<String> {
        match (self, captured) {
            (Self::Literal(value), None) => Some(value.clone()),
            (Self::Family(family), Some(captured)) => Some(family.member(captured)),
            (Self::Literal(_), Some(_)) | (Self::Family(_), None) => None,
        }
    }
}

/// As it is written.
impl fmt::Display for GroupValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => f.write_str(value),
            Self::Family(family) => family.fmt(f),
        }
    }
}

/// `tenant-{tenant}-admins`: the groups that have something in the middle. What a capture holds has no `/`, so a group with one there is
/// not of the family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFamily {
    /// What stands before the capture.
    pub prefix: String,
    /// The name of the capture.
    pub capture: String,
    /// What stands behind it.
    pub suffix: String,
}

/// As it is written.
impl fmt::Display for GroupFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, capture, suffix } = self;
        write!(f, "{prefix}{{{capture}}}{suffix}")
    }
}

impl GroupFamily {
    /// The group of one value.
    #[must_use]
    pub fn member(&self, captured: &str) -> String {
        format!("{}{captured}{}", self.prefix, self.suffix)
    }

    /// The value whose group this is, if it is one of the family.
    #[must_use]
    pub fn captured<'g>(&self, group: &'g str) -> Option<&'g str> {
        let middle = group.strip_prefix(self.prefix.as_str())?.strip_suffix(self.suffix.as_str())?;
        is_capturable(middle).then_some(middle)
    }

    /// A group that is of this family and of the other one, if there is any.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Option<String> {
        if self.prefix.len() > other.prefix.len() {
            return other.shared_with(self);
        }
        // `self.prefix` + a + `self.suffix` = `other.prefix` + b + `other.suffix`, a and b capturable.
        let more = other.prefix.strip_prefix(self.prefix.as_str())?;
        if let Some(end) = other.suffix.strip_suffix(self.suffix.as_str()) {
            // a = more + b + end.
            return is_part(more).then_some(()).and(is_part(end).then(|| other.member("x")));
        }
        // a + start = more + b.
        let start = self.suffix.strip_suffix(other.suffix.as_str())?;
        if is_part(more) && is_part(start) {
            return Some(other.member(&format!("x{start}")));
        }
        let overlaps = (1..=more.len()).filter(|at| more.is_char_boundary(*at)).filter_map(|at| {
            let b = start.strip_prefix(&more[at..])?;
            (is_capturable(&more[..at]) && is_capturable(b)).then(|| other.member(b))
        });
        overlaps.into_iter().next()
    }
}

/// The value in tokens of a group as people name it: `alias`, or `alias:value` for one group of a family.
///
/// # Errors
/// If the policy has no such group, or the value is missing, superfluous or nothing that a capture can hold.
pub fn group_in_tokens(policy: &Policy, name: &str) -> Result<String, GroupNameError> {
    let (alias, captured) = name.split_once(':').map_or((name, None), |(alias, captured)| (alias, Some(captured)));
    let error = |problem| Err(GroupNameError { alias: alias.to_owned(), problem });
    let Some((_, group)) = policy.groups.iter().find(|(_, group)| group.name == alias) else {
        return error("the policy has no group");
    };
    match (&group.value, captured) {
        (GroupValue::Literal(value), None) => Ok(value.clone()),
        (GroupValue::Family(family), Some(captured)) if is_capturable(captured) => Ok(family.member(captured)),
        (GroupValue::Literal(_), Some(_)) => error("no value can stand behind the single group"),
        (GroupValue::Family(_), Some(_)) => error("no segment or label can hold what stands behind"),
        (GroupValue::Family(_), None) => error("a value, as in `NAME:VALUE`, must stand behind the family"),
    }
}

/// Why a name is not that of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNameError {
    alias: String,
    problem: &'static str,
}

impl fmt::Display for GroupNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.problem, self.alias.escape_debug())
    }
}

impl std::error::Error for GroupNameError {}

/// Whether a capture can hold this.
fn is_capturable(text: &str) -> bool {
    !text.is_empty() && is_part(text)
}

/// Whether a capture can hold this beside something else.
fn is_part(text: &str) -> bool {
    !text.contains('/')
}

/// A test of a captured segment or label, as in `where`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaptureTest {
    /// The name of the capture.
    pub capture: String,
    /// What it must be.
    pub accepts: CaptureValues,
}

/// Accepted values of a capture, compared with what it is decoded, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CaptureValues {
    /// `in`: one of these.
    In(Vec<String>),
    /// `claim`: the caller's claim, which is a string, or one of several in an array.
    Claim {
        /// The names that lead to it.
        path: Vec<String>,
        /// Whose claims count; empty means the default issuer's.
        issuers: Vec<IssuerId>,
    },
}

impl CaptureTest {
    /// Whether it depends on who asks.
    #[must_use]
    pub fn is_about_the_caller(&self) -> bool {
        match self.accepts {
            CaptureValues::In(_) => false,
            CaptureValues::Claim { .. } => true,
        }
    }
}

impl Rule {
    /// The captures that the rule takes: all patterns of its scopes have them. If there are any, the rule is evaluated once for each
    /// pattern that holds a request.
    #[must_use]
    pub fn captures<'p>(
        &'p self,
        groups: &'p Table<GroupId, Group>,
        approvals: &'p Table<ApprovalId, Approval>,
    ) -> BTreeSet<&'p str> {
        let mut taken = BTreeSet::new();
        for conditions in std::iter::once(&self.when).chain(&self.unless) {
            conditions.captures(groups, &mut taken);
        }
        of_matchers(&self.require.subject, groups, &mut taken);
        let approvals = self.require.approval.iter().filter_map(|id| approvals.row(*id));
        taken.extend(approvals.flat_map(|approval| &approval.per).map(String::as_str));
        taken
    }
}

impl Conditions {
    fn captures<'p>(&'p self, groups: &'p Table<GroupId, Group>, taken: &mut BTreeSet<&'p str>) {
        if let Some(subject) = &self.subject {
            subject.captures(groups, taken);
        }
        taken.extend(self.captures.iter().map(|test| test.capture.as_str()));
    }
}

impl Subject {
    pub(crate) fn captures<'p>(&'p self, groups: &'p Table<GroupId, Group>, taken: &mut BTreeSet<&'p str>) {
        match self {
            Self::Anyone | Self::Authenticated => {}
            Self::AnyOf(matchers) => of_matchers(matchers, groups, taken),
        }
    }
}

/// The captures that matchers take, by the families among their groups.
pub(crate) fn of_matchers<'p>(
    matchers: &'p [SubjectMatcher],
    groups: &'p Table<GroupId, Group>,
    taken: &mut BTreeSet<&'p str>,
) {
    let named = matchers.iter().flat_map(|matcher| matcher.groups.iter().chain(&matcher.groups_all));
    let families = named.filter_map(|id| groups.row(*id)?.value.family());
    taken.extend(families.map(|family| family.capture.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(text: &str) -> GroupFamily {
        let (prefix, rest) = text.split_once('{').unwrap();
        let (capture, suffix) = rest.split_once('}').unwrap();
        GroupFamily { prefix: prefix.into(), capture: capture.into(), suffix: suffix.into() }
    }

    #[test]
    fn families_share_a_group_or_not() {
        for (a, b, shared) in [
            ("tenant-{t}", "admin-{t}", false),
            ("tenant-{t}", "tenant-{t}", true),
            ("tenant-{t}", "tenant-{t}-admins", true),
            ("tenant-{t}", "{t}", true),
            ("{t}-read", "{t}-write", false),
            ("{t}-read", "tenant-{t}", true),
            ("a{t}", "{t}b", true),
            ("a-{t}-b", "a-{t}-c", false),
            ("ab{t}", "a{t}", true),
            ("/tenants/{t}", "/tenants/{t}/admins", false),
            ("/tenants/{t}/admins", "/tenants/{t}/readers", false),
            ("/tenants/{t}/admins", "/tenants/a{t}/admins", true),
            ("/tenants/{t}", "/tenants/all/{t}", false),
            // `ab/c`: the end of the one reaches into the beginning of the other.
            ("a{t}/c", "ab/{t}", true),
            ("a{t}/c", "ab/x{t}", false),
            ("a{t}/cd", "ab/c{t}", true),
            ("é{t}/d", "éé/{t}", true),
        ] {
            let (one, other) = (family(a), family(b));
            for (one, other) in [(&one, &other), (&other, &one)] {
                let witness = one.shared_with(other);
                assert_eq!(witness.is_some(), shared, "{a} and {b}: {witness:?}");
                if let Some(group) = witness {
                    assert!(one.captured(&group).is_some() && other.captured(&group).is_some(), "{a}, {b}: {group}");
                }
            }
        }
    }

    #[test]
    fn no_shared_group_is_overlooked() {
        // Every family and every group over a tiny alphabet.
        let alphabet = ["a", "b", "/"];
        let mut texts = vec![String::new()];
        for _ in 0..2 {
            let longer: Vec<_> = texts.iter().flat_map(|t| alphabet.map(|c| format!("{t}{c}"))).collect();
            texts.extend(longer);
        }
        texts.sort();
        texts.dedup();
        let families: Vec<_> =
            texts.iter().flat_map(|p| texts.iter().map(move |s| family(&format!("{p}{{t}}{s}")))).collect();
        let mut groups = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<_> = groups.iter().flat_map(|t| alphabet.map(|c| format!("{t}{c}"))).collect();
            groups.extend(longer);
            groups.sort();
            groups.dedup();
        }
        let members: Vec<BTreeSet<usize>> = families
            .iter()
            .map(|family| (0..groups.len()).filter(|at| family.captured(&groups[*at]).is_some()).collect())
            .collect();
        for (one, members_of_one) in families.iter().zip(&members) {
            for (other, members_of_other) in families.iter().zip(&members) {
                let shared = !members_of_one.is_disjoint(members_of_other);
                let witness = one.shared_with(other);
                assert_eq!(witness.is_some(), shared, "{one:?} {other:?} {witness:?}");
            }
        }
    }

    #[test]
    fn members_of_families_are_not_empty_and_have_no_slash() {
        let family = family("tenant-{t}-x");
        for (group, captured) in [
            ("tenant-acme-x", Some("acme")),
            ("tenant--x", None),
            ("tenant-x", None),
            ("tenant-a/b-x", None),
            ("tenant-a-x-x", Some("a-x")),
            ("Tenant-a-x", None),
        ] {
            assert_eq!(family.captured(group), captured, "{group}");
        }
        assert_eq!(family.member("acme"), "tenant-acme-x");
    }
}
