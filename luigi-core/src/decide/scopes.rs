//! Which scopes hold a request: patterns first, then frontends, then what scopes leave out.

use super::Privilege;
use super::scratch::{Hold, Scratch};
use crate::method::MethodSet;
use crate::policy::model::ScopeId;
use crate::snapshot::{Held, HostTraits, Index, ScopeTraits, Snapshot};
use crate::target::CanonicalTarget;

/// Which scopes hold a request cannot be told without its frontend, which is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrontendUnknown {
    /// What the scopes whose patterns fit make of it.
    pub(super) privilege: Privilege,
}

/// Leaves in `scratch` the scopes that hold the request, in order, and what they are like; returns what they make of it.
/// `frontend` is where the request came in, `None` if that is not known.
#[inline(always)]
pub(super) fn find(
    snapshot: &Snapshot,
    target: &CanonicalTarget<'_>,
    traits: HostTraits,
    method: MethodSet,
    frontend: Option<&[u8]>,
    scratch: &mut Scratch,
) -> Result<Privilege, FrontendUnknown> {
    scratch.begin();
    let traits_of_found = match snapshot.folded_index.as_ref().filter(|_| traits.ignores_case) {
        None => visit(&snapshot.index, target, traits, method, scratch),
        Some(index) => ignoring_case(index, target, traits, method, scratch),
    };
    // PERF: nearly always; what each scope is like need not be looked up.
    if !traits_of_found.names_frontends() && !traits_of_found.has_exceptions() {
        scratch.settle(true, snapshot.traits_for_all.or(traits_of_found));
        return Ok(traits_of_found.privilege());
    }
    narrow(snapshot, traits_of_found, frontend, scratch)
}

/// Notes in `scratch` the scopes whose patterns hold the target, and says what they are like.
#[inline]
fn visit(
    index: &Index,
    target: &CanonicalTarget<'_>,
    traits: HostTraits,
    method: MethodSet,
    scratch: &mut Scratch,
) -> ScopeTraits {
    let mut traits_of_found = ScopeTraits::default();
    index.find(target, traits, method, &mut |held, traits| {
        traits_of_found = traits_of_found.or(traits);
        match held {
            Held::By(scope, pattern) => scratch.note(scope, pattern),
            Held::ByCrowd(crowd) => scratch.note_crowd(crowd, traits),
        }
    });
    traits_of_found
}

/// The same on a host that ignores case.
#[cold]
fn ignoring_case(
    index: &Index,
    target: &CanonicalTarget<'_>,
    traits: HostTraits,
    method: MethodSet,
    scratch: &mut Scratch,
) -> ScopeTraits {
    let folded = scratch.take_folded(target.path);
    let target = CanonicalTarget { path: &folded, ..*target };
    let traits_of_found = visit(index, &target, traits, method, scratch);
    scratch.give_back_folded(folded);
    traits_of_found
}

/// Of the scopes whose patterns hold the target, leaves those that hold the request: by its frontend and by their exceptions.
#[cold]
fn narrow(
    snapshot: &Snapshot,
    traits_of_found: ScopeTraits,
    frontend: Option<&[u8]>,
    scratch: &mut Scratch,
) -> Result<Privilege, FrontendUnknown> {
    if traits_of_found.names_frontends() {
        let Some(frontend) = frontend else {
            let each = scratch.found().iter().map(|id| snapshot.scope_traits[*id].privilege());
            let of_crowds = scratch.found.crowd_traits.privilege();
            return Err(FrontendUnknown { privilege: each.fold(of_crowds, Privilege::max) });
        };
        scratch.keep(|id| {
            let named = &snapshot.policy.scopes[id].frontends;
            named.is_empty() || named.binary_search_by(|name| name.as_bytes().cmp(frontend)).is_ok()
        });
    }
    // Scopes of crowds name no frontends, leave nothing out, and have no rules that deny or restrict.
    let of_crowds = scratch.found.crowd_traits;
    let mut privilege = of_crowds.privilege();
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
