//! Approvals: who says yes to whom, and whether anybody hears of it.

use super::{Linter, Row, named};
use crate::analysis::strictness::matcher_implies;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{Approval, ApprovalId, Approvers, Justification, ScopeId, Subject, SubjectMatcher, TableId};

pub(super) fn look(linter: &mut Linter<'_>) {
    // Whom, and what, the rules that ask for each approval are about.
    let mut asking: Vec<Vec<&SubjectMatcher>> = vec![Vec::new(); linter.policy.approvals.len()];
    let mut opened: Vec<Vec<ScopeId>> = vec![Vec::new(); linter.policy.approvals.len()];
    for (_, rule) in linter.policy.rules.iter() {
        for approval in &rule.require.approval {
            opened[approval.index()].extend(named(&rule.scopes));
            if let Some(Subject::AnyOf(matchers)) = &rule.when.subject {
                asking[approval.index()].extend(matchers);
            }
        }
    }
    for (id, approval) in linter.policy.approvals.iter() {
        match &approval.approvers {
            Approvers::Requester => silent_glass(linter, id, approval, &opened[id.index()]),
            Approvers::Matching(approvers) => {
                let requesters: Vec<&SubjectMatcher> = match &approval.requesters {
                    Subject::AnyOf(matchers) => matchers.iter().collect(),
                    Subject::Anyone | Subject::Authenticated => asking[id.index()].clone(),
                };
                rubber_stamp(linter, id, approval, approvers, &requesters);
            }
        }
    }
}

fn silent_glass(linter: &mut Linter<'_>, id: ApprovalId, approval: &Approval, opened: &[ScopeId]) {
    if !approval.notify.is_empty() || approval.justification == Justification::Required {
        return;
    }
    linter.find_error(Lint::SilentGlass, &[Row::Approval(id)], opened, |linter| {
        let message = format!("approval `{}` opens for whoever asks, and nobody hears why, or of it", approval.name);
        let problem = Diagnostic::lint(Lint::SilentGlass, linter.value(Row::Approval(id), "approvers"), message);
        problem.help("add `justification = \"required\"` and `notify`")
    });
}

fn rubber_stamp(
    linter: &mut Linter<'_>,
    id: ApprovalId,
    approval: &Approval,
    approvers: &[SubjectMatcher],
    requesters: &[&SubjectMatcher],
) {
    let policy = linter.policy;
    let implies = |one: &SubjectMatcher, other: &SubjectMatcher| matcher_implies(one, other, policy);
    // Lists of hundreds on either side are generated; they are not compared in pairs.
    let few = approvers.len().saturating_mul(requesters.len()) <= super::MAX_COMPARISONS;
    let among = few
        && !requesters.is_empty()
        && approvers.iter().all(|approver| requesters.iter().any(|requester| implies(approver, requester)));
    if approval.quorum > 1 || !among {
        return;
    }
    let only = requesters.iter().all(|requester| approvers.iter().any(|approver| implies(requester, approver)));
    linter.find(Lint::RubberStamp, &[Row::Approval(id)], |linter| {
        let message = if only {
            format!("only its own approvers can ask for approval `{}`", approval.name)
        } else {
            format!("whoever approves `{}` may also ask for it", approval.name)
        };
        let problem = Diagnostic::lint(Lint::RubberStamp, linter.value(Row::Approval(id), "approvers"), message);
        problem.label("for each other").help("let others approve, or raise the `quorum`")
    });
}
