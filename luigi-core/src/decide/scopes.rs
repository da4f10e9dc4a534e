//! Which scopes hold a request: patterns first, then what scopes leave out.

use super::scratch::{Hold, Scratch};
use crate::method::MethodSet;
use crate::policy::model::ScopeId;
use crate::snapshot::{HostTraits, Snapshot};
use crate::target::CanonicalTarget;

/// Leaves in `scratch` the scopes that hold the request, in order; returns whether one of them is privileged.
pub(super) fn find(
    snapshot: &Snapshot,
    target: &CanonicalTarget<'_>,
    traits: HostTraits,
    method: MethodSet,
    scratch: &mut Scratch,
) -> bool {
    scratch.begin();
    match snapshot.folded_index.as_ref().filter(|_| traits.ignores_case) {
        None => snapshot.index.visit(target, traits, method, &mut |scope, pattern| scratch.note(scope, pattern)),
        Some(index) => {
            let folded = scratch.take_folded(target.path);
            let target = CanonicalTarget { path: &folded, ..*target };
            index.visit(&target, traits, method, &mut |scope, pattern| scratch.note(scope, pattern));
            scratch.give_back_folded(folded);
        }
    }
    for at in 0..scratch.found().len() {
        let scope = scratch.found()[at];
        holds(snapshot, scope, scratch);
    }
    scratch.settle();
    scratch.found().iter().any(|scope| snapshot.policy.scopes[*scope].privileged)
}

/// Whether a rule that could matter is only observed, so that the candidate decision may differ from the decision.
pub(super) fn any_observed(snapshot: &Snapshot, scratch: &Scratch) -> bool {
    snapshot.rules_for_all.any_observed || scratch.found().iter().any(|scope| snapshot.scope_rules[*scope].any_observed)
}

/// Whether a scope holds the request; remembered in `scratch`. Bounded by `MAX_EXCEPT_DEPTH`.
fn holds(snapshot: &Snapshot, scope: ScopeId, scratch: &mut Scratch) -> bool {
    match scratch.hold(scope) {
        None | Some(Hold::Excepted) => false,
        Some(Hold::Holds) => true,
        Some(Hold::Pattern) => {
            let held = !snapshot.policy.scopes[scope].except.iter().any(|except| holds(snapshot, *except, scratch));
            scratch.set_hold(scope, if held { Hold::Holds } else { Hold::Excepted });
            held
        }
    }
}
