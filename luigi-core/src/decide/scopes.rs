//! Which scopes hold a request: patterns first, then what scopes leave out.

use super::scratch::{Hold, Scratch};
use crate::method::MethodSet;
use crate::policy::model::ScopeId;
use crate::snapshot::{HostTraits, Snapshot};
use crate::target::CanonicalTarget;

/// Leaves in `scratch` the scopes that hold the request, in order, and what they are like; returns whether one of them is privileged.
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
    let mut privileged = false;
    let mut all = snapshot.traits_for_all;
    let mut all_hold = true;
    for at in 0..scratch.found().len() {
        let scope = scratch.found()[at];
        let traits = snapshot.scope_traits[scope];
        if !traits.has_exceptions() {
            scratch.set_hold(scope, Hold::Holds);
        } else if !holds(snapshot, scope, scratch) {
            all_hold = false;
            continue;
        }
        privileged |= traits.is_privileged();
        all = all.or(traits);
    }
    scratch.settle(all_hold, all);
    privileged
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
