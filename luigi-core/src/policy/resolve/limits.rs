//! The limits of compiled policies, checked where the text can be shown.
//!
//! [`crate::snapshot`] checks them again: a compiled policy may come from elsewhere.

use super::names::Names;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{Scope, ScopeId, Table, TableId};
use crate::policy::source::Span;
use crate::policy::syntax::{self, Entry, quoted};
use crate::snapshot::{MAX_EXCEPT_DEPTH, MAX_POLICY_OPERATIONS, MAX_SCOPE_OPERATIONS, MAX_TEMPLATE_SEGMENTS};

/// Checks the scopes. `order` has every scope after those it leaves out.
pub(super) fn check(
    entries: &[Entry<syntax::Scope>],
    names: &Names<ScopeId>,
    scopes: &Table<ScopeId, Scope>,
    order: &[ScopeId],
    out: &mut Diagnostics,
) {
    // A scope whose text had a problem may have no row; what is wrong has been said.
    if scopes.len() != order.len() {
        return;
    }
    let mut places: Vec<Option<Span>> = vec![None; scopes.len()];
    for entry in entries {
        if let Some(id) = names.find(&entry.name.value) {
            places[id.index()].get_or_insert(entry.name.span);
        }
    }
    let cyclic = out.iter().any(|item| item.code == Code::ExceptCycle);
    let mut problem = |id: ScopeId, message: String, help: &str| {
        let Some(span) = places[id.index()] else { return };
        out.push(Diagnostic::error(Code::ScopeTooLarge, span, message).help(help));
    };
    let mut total = 0_usize;
    for (id, scope) in scopes.iter() {
        let name = quoted(&scope.name);
        if scope.operations.iter().any(|operation| operation.path.segments.len() > MAX_TEMPLATE_SEGMENTS) {
            let message = format!("scope {name} has a path of more than {MAX_TEMPLATE_SEGMENTS} segments");
            problem(id, message, "end it with `/**` where it becomes too deep");
        }
        let pairs = scope.hosts.len().saturating_mul(scope.operations.len());
        if pairs > MAX_SCOPE_OPERATIONS {
            let message =
                format!("scope {name} has {pairs} pairs of a host and a path, more than {MAX_SCOPE_OPERATIONS}");
            problem(id, message, "use wildcards, or divide it into several scopes");
            continue;
        }
        let before = total;
        total += pairs;
        if before <= MAX_POLICY_OPERATIONS && total > MAX_POLICY_OPERATIONS {
            let message = format!(
                "with scope {name} the policy has {total} pairs of a host and a path, more than {MAX_POLICY_OPERATIONS}"
            );
            problem(id, message, "use wildcards, or `**` at the end of paths");
        }
    }
    // A circle has no depth.
    if cyclic {
        return;
    }
    let mut depths = vec![0_usize; scopes.len()];
    for id in order {
        let below = scopes[*id].except.iter().map(|except| depths[except.index()] + 1);
        let depth = below.max().unwrap_or(0);
        depths[id.index()] = depth;
        // Those above it are too deep for the same reason.
        if depth == MAX_EXCEPT_DEPTH + 1 {
            let name = quoted(&scopes[*id].name);
            let message = format!("scope {name} leaves out scopes that leave out scopes, {depth} deep");
            problem(*id, message, "name in one `except` all that is left out");
        }
    }
}
