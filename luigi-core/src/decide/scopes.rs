//! Which scopes hold a request: patterns first, then frontends, then what scopes leave out.

use super::Privilege;
use super::scratch::{Hold, Scratch};
use crate::method::MethodSet;
use crate::policy::model::ScopeId;
use crate::snapshot::{HostTraits, ScopeTraits, Snapshot};
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
    let mut traits_of_found = ScopeTraits::default();
    let mut note = |scope, traits, pattern| {
        traits_of_found = traits_of_found.or(traits);
        scratch.note(scope, pattern);
    };
    match snapshot.folded_index.as_ref().filter(|_| traits.ignores_case) {
        None => snapshot.index.visit(target, traits, method, &mut note),
        Some(index) => {
            let folded = scratch.take_folded(target.path);
            let target = CanonicalTarget { path: &folded, ..*target };
            index.visit(&target, traits, method, &mut |scope, traits, pattern| {
                traits_of_found = traits_of_found.or(traits);
                scratch.note(scope, pattern);
            });
            scratch.give_back_folded(folded);
        }
    }
    // PERF: nearly always; what each scope is like need not be looked up.
    if !traits_of_found.names_frontends() && !traits_of_found.has_exceptions() {
        scratch.settle(true, snapshot.traits_for_all.or(traits_of_found));
        return Ok(traits_of_found.privilege());
    }
    if traits_of_found.names_frontends() {
        let Some(frontend) = frontend else {
            let each = scratch.found().iter().map(|id| snapshot.scope_traits[*id].privilege());
            return Err(FrontendUnknown { privilege: each.max().unwrap_or(Privilege::None) });
        };
        scratch.keep(|id| {
            let named = &snapshot.policy.scopes[id].frontends;
            named.is_empty() || named.binary_search_by(|name| name.as_bytes().cmp(frontend)).is_ok()
        });
    }
    let mut privilege = Privilege::None;
    let mut all = snapshot.traits_for_all;
    let mut all_hold = true;
    for at in 0..scratch.found().len() {
        let scope = scratch.found()[at];
        let traits = snapshot.scope_traits[scope];
        if traits.has_exceptions() && !holds(snapshot, scope, scratch) {
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
    match scratch.marks.hold(scope) {
        None | Some(Hold::Excepted) => false,
        Some(Hold::Holds) => true,
        Some(Hold::Pattern) => {
            let held = !snapshot.policy.scopes[scope].except.iter().any(|except| holds(snapshot, *except, scratch));
            scratch.set_hold(scope, if held { Hold::Holds } else { Hold::Excepted });
            held
        }
    }
}
