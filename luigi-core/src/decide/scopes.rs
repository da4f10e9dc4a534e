//! Which scopes hold a request: patterns first, then frontends, then what scopes leave out.

use super::Privilege;
use super::scratch::{Hold, Scratch};
use crate::method::MethodSet;
use crate::policy::model::ScopeId;
use crate::snapshot::{HostTraits, Snapshot};
use crate::target::CanonicalTarget;

/// Which scopes hold a request cannot be told without its frontend, which is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrontendUnknown {
    /// What the scopes whose patterns fit make of it.
    pub(super) privilege: Privilege,
}

/// Leaves in `scratch` the scopes that hold the request, in order, and what they are like; returns what they make of it.
/// `frontend` is where the request came in, `None` if that is not known.
pub(super) fn find(
    snapshot: &Snapshot,
    target: &CanonicalTarget<'_>,
    traits: HostTraits,
    method: MethodSet,
    frontend: Option<&[u8]>,
    scratch: &mut Scratch,
) -> Result<Privilege, FrontendUnknown> {
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
    // PERF: policies without frontends pay for one look at the snapshot.
    if snapshot.frontend.is_some() && scratch.found().iter().any(|id| snapshot.scope_traits[*id].names_frontends()) {
        let Some(frontend) = frontend else {
            let each = scratch.found().iter().map(|id| snapshot.scope_traits[*id].privilege());
            return Err(FrontendUnknown { privilege: each.max().unwrap_or(Privilege::NONE) });
        };
        scratch.keep(|id| {
            let named = &snapshot.policy.scopes[id].frontends;
            named.is_empty() || named.binary_search_by(|name| name.as_bytes().cmp(frontend)).is_ok()
        });
    }
    let mut privilege = Privilege::NONE;
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
        privilege = privilege.max(traits.privilege());
        all = all.or(traits);
    }
    scratch.settle(all_hold, all);
    Ok(privilege)
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
