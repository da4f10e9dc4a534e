//! Captures: that families of groups are disjoint, and that whatever takes a capture finds it in every pattern of its scopes.

use super::Scene;
use crate::policy::captures::{self, GroupValue};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{Approval, ApprovalId, Group, GroupId, Scope, ScopeId, ScopeSelector, Table};
use crate::policy::source::Span;
use crate::policy::syntax::{self, Entry, Text, quoted};
use std::collections::BTreeMap;

/// What names stand for, complete.
#[derive(Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) groups: &'a Table<GroupId, Group>,
    pub(super) scopes: &'a Table<ScopeId, Scope>,
    pub(super) approvals: &'a Table<ApprovalId, Approval>,
}

/// The most families of groups: each is compared with every other group.
const MAX_FAMILIES: usize = 256;

/// Families that could produce one group, and groups that a family could.
pub(super) fn check_families(entries: &[Entry<GroupValue>], out: &mut Diagnostics) {
    let groups = || entries.iter().filter_map(|entry| Some((&entry.name, entry.item.as_ref()?)));
    let families: Vec<_> = groups().filter_map(|(name, value)| Some((name, value.family()?))).collect();
    if let Some((name, _)) = families.get(MAX_FAMILIES) {
        let message = format!("{} is one family of groups too many", quoted(&name.value));
        let help =
            format!("a policy can have {MAX_FAMILIES} families; a family has one group for each value of a capture");
        out.push(Diagnostic::error(Code::OutOfRange, name.span, message).help(help));
        return;
    }
    let mut problem = |name: &Text, other: &Text, shared: &str| {
        let (first, second) = if name.span < other.span { (name, other) } else { (other, name) };
        let message =
            format!("{} and {} can be one group: {}", quoted(&first.value), quoted(&second.value), quoted(shared));
        let problem = Diagnostic::error(Code::FamilyOverlap, second.span, message).label("this and");
        let problem = problem.also(first.span, "this");
        out.push(
            problem.help("give the groups of each family a beginning or an end of their own in the identity provider"),
        );
    };
    for (at, (name, family)) in families.iter().enumerate() {
        for (other, other_family) in &families[at + 1..] {
            if let Some(shared) = family.shared_with(other_family) {
                problem(name, other, &shared);
            }
        }
        for (other, value) in groups() {
            if let GroupValue::Literal(literal) = value
                && family.captured(literal).is_some()
            {
                problem(name, other, literal);
            }
        }
    }
}

/// A name that stands in a host and in a path of one scope would have two values.
pub(super) fn check_scopes(entries: &[Entry<syntax::Scope>], scopes: &Table<ScopeId, Scope>, out: &mut Diagnostics) {
    let by_name: BTreeMap<&str, &Scope> = scopes.iter().map(|(_, scope)| (scope.name.as_str(), scope)).collect();
    for entry in entries {
        let Some(scope) = by_name.get(entry.name.value.as_str()) else { continue };
        for host in &scope.hosts {
            let Some(name) = host.capture() else { continue };
            let twice = scope.operations.iter().find(|operation| operation.path.captures().any(|held| held == name));
            if let Some(operation) = twice {
                let message = format!("`{{{name}}}` stands in the host `{host}` and in the path `{}`", operation.path);
                let problem = Diagnostic::error(Code::CaptureTwice, entry.name.span, message);
                out.push(problem.help("give the two captures different names"));
                break;
            }
        }
    }
}

/// Something in a rule that takes a capture.
struct Taken<'s> {
    capture: &'s str,
    span: Span,
    /// What takes it, for a message.
    by: String,
}

impl Scene {
    /// What a rule takes must be in every pattern of its scopes.
    pub(super) fn check_rule(
        &self,
        rule: &syntax::Rule,
        selected: &ScopeSelector,
        tables: Tables<'_>,
        out: &mut Diagnostics,
    ) {
        let mut taken = Vec::new();
        for conditions in std::iter::once(&rule.when).chain(&rule.unless) {
            self.of_subject(conditions.subject.as_ref(), tables, &mut taken);
            taken.extend(conditions.captures.iter().map(|test| Taken {
                capture: &test.capture.value,
                span: test.capture.span,
                by: "`where`".to_owned(),
            }));
        }
        self.of_subject(rule.require.subject.as_ref(), tables, &mut taken);
        for name in &rule.require.approval {
            let approval = self.approvals.find(&name.value).and_then(|id| tables.approvals.row(id));
            taken.extend(approval.into_iter().flat_map(|approval| &approval.per).map(|capture| Taken {
                capture,
                span: name.span,
                by: format!("the approval {}", quoted(&name.value)),
            }));
        }
        for Taken { capture, span, by } in taken {
            let message = format!("{by} takes the capture {}", quoted(capture));
            let lacking =
                |message: String, label: &str| Diagnostic::error(Code::MissingCapture, span, message).label(label);
            let named = match selected {
                ScopeSelector::All => {
                    let problem =
                        lacking(format!("{message}, and a rule about all requests has none"), "no capture here");
                    out.push(problem.help("name the scopes that the rule is about"));
                    continue;
                }
                ScopeSelector::Named(named) => named,
            };
            let lacks = |id: &ScopeId| {
                let scope = tables.scopes.row(*id)?;
                scope.has_capture(capture).err().map(|(host, path)| (scope, host, path))
            };
            if let Some((scope, host, path)) = named.iter().find_map(lacks) {
                let message = format!("{message}, which {} does not have", quoted(&format!("{host}{path}")));
                let label = format!("taken here, not in scope {}", quoted(&scope.name));
                let help = format!(
                    "write `{{{capture}}}` in each host or in each path of the scope, or give that scope a rule of its own"
                );
                out.push(lacking(message, &label).help(help));
            }
        }
    }

    /// Requesters and approvers of a family are known only where a grant is for one value of its capture.
    pub(super) fn check_approval(&self, approval: &syntax::Approval, tables: Tables<'_>, out: &mut Diagnostics) {
        let mut taken = Vec::new();
        self.of_subject(approval.requesters.as_ref(), tables, &mut taken);
        if let Some(syntax::Approvers::Matching(matchers)) = &approval.approvers {
            self.of_matchers(matchers, tables, &mut taken);
        }
        for Taken { capture, span, by } in taken {
            if !approval.per.iter().any(|name| name == capture) {
                let message = format!("{by} takes the capture {}, which the approval is not `per`", quoted(capture));
                let problem = Diagnostic::error(Code::MissingCapture, span, message).label("which of its groups?");
                out.push(problem.help(format!("add `per = [\"{capture}\"]` to the approval, or name one group")));
            }
        }
    }

    fn of_subject<'s>(&self, subject: Option<&'s syntax::Subject>, tables: Tables<'s>, taken: &mut Vec<Taken<'s>>) {
        match subject {
            Some(syntax::Subject::AnyOf(matchers)) => self.of_matchers(matchers, tables, taken),
            Some(syntax::Subject::Anyone | syntax::Subject::Authenticated(_)) | None => {}
        }
    }

    fn of_matchers<'s>(&self, matchers: &'s [syntax::Matcher], tables: Tables<'s>, taken: &mut Vec<Taken<'s>>) {
        let named = matchers.iter().flat_map(|matcher| matcher.groups.iter().chain(&matcher.groups_all));
        taken.extend(named.filter_map(|name| {
            let family = tables.groups.row(self.groups.find(&name.value)?)?.value.family()?;
            let by = format!("the family {}", quoted(&name.value));
            Some(Taken { capture: &family.capture, span: name.span, by })
        }));
    }

    /// The tests of `where`, sorted.
    pub(super) fn capture_tests(
        &self,
        tests: &[syntax::CaptureTest],
        out: &mut Diagnostics,
    ) -> Vec<captures::CaptureTest> {
        let mut resolved: Vec<_> = tests
            .iter()
            .map(|test| {
                let accepts = match &test.accepts {
                    syntax::CaptureValues::In(values) => captures::CaptureValues::In(values.clone()),
                    syntax::CaptureValues::Claim { span, path, issuers } => {
                        if issuers.is_empty() {
                            self.needs_default(
                                *span,
                                "a claim without `issuers`",
                                "add `issuers` beside the claim",
                                out,
                            );
                        }
                        let issuers = self.issuers.find_all(issuers, out);
                        captures::CaptureValues::Claim { path: path.clone(), issuers }
                    }
                };
                captures::CaptureTest { capture: test.capture.value.clone(), accepts }
            })
            .collect();
        resolved.sort();
        resolved
    }
}
