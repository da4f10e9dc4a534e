//! Hosts that get to the servers of others only because no line names them: what falls through to the last way of a frontend.
//!
//! Servers that several hosts share are nobody's mistake as long as HAProxy leaves it to them to tell hosts apart. It is a danger where HAProxy tells hosts
//! apart itself, and some are left over together; and where a scope of `hosts = "any"` opens to a made-up host what rules about a named one deny or restrict.

use super::finding;
use super::routing::{Host, HostKind, Plan, Route, condition_for, scopes_of};
use crate::haproxy::evaluate::Reason;
use luigi_core::analysis::patterns::common_path;
use luigi_core::policy::diagnostics::{Diagnostic, HaproxyLint, quoted};
use luigi_core::policy::model::{Effect, Policy, Scope};
use luigi_core::policy::source::Span;
use std::collections::BTreeSet;

/// Looks at one frontend; not at the ways at places in `said`.
pub(super) fn look(policy: &Policy, plan: &Plan<'_>, said: &BTreeSet<Span>, found: &mut Vec<Diagnostic>) {
    let tells_hosts_apart = plan.tells_hosts_apart();
    let Some(at) = plan.ways.iter().position(|way| way.condition.is_none()) else { return };
    let way = &plan.ways[at];
    if said.contains(&way.span) {
        return;
    }
    // What gets there by something else than its Host, and is said so, needs no second finding.
    let is_news = |routes: &[Route]| {
        let by_chance = |route: &&Route| {
            route.reasons.iter().any(|reason| matches!(reason, Reason::Undecided(_) | Reason::NotUnderstood(_)))
        };
        !routes.iter().filter(by_chance).any(|route| said.contains(&plan.ways[route.way].span))
    };
    let there: Vec<(&Host, bool)> = plan
        .hosts
        .iter()
        .zip(&plan.taken)
        .filter(|(_, routes)| is_news(routes) && routes.iter().any(|route| plan.name(route) == way.name))
        .map(|(host, routes)| (host, routes.iter().any(|route| route.way == at)))
        .collect();
    let strays = there.iter().filter(|(host, is_left)| {
        let is_stray = host.kind == HostKind::Any || tells_hosts_apart;
        *is_left && host.is_open && is_stray
    });
    let pairs = strays.flat_map(|(stray, _)| {
        let owners = there.iter().map(|(owner, _)| *owner).filter(|owner| owner.kind != HostKind::Any);
        owners.filter(|owner| opens_more(policy, stray, owner)).map(|owner| (*stray, owner))
    });
    // A made-up host shows it best.
    let Some((stray, owner)) = pairs.min_by_key(|(stray, _)| stray.kind != HostKind::Any) else { return };
    let whose = match stray.kind {
        HostKind::Any => "any other host".to_owned(),
        HostKind::Exact | HostKind::Pattern => quoted(&stray.pattern),
    };
    let message = format!(
        "requests for {whose} are left over for {}, as are those for {}, which other rules decide",
        quoted(way.name),
        quoted(&owner.pattern)
    );
    let help = format!(
        "name the hosts of these servers, and let nothing be left over for them\n    use_backend {} if {}",
        way.name,
        condition_for(Some(owner))
    );
    found.push(finding(HaproxyLint::LeftOverHost, way.span, message).label("no line before names it").help(help));
}

/// Whether something may be allowed for one host that is not allowed, or only with more, for another.
fn opens_more(policy: &Policy, stray: &Host, owner: &Host) -> bool {
    let (allowed, guarded) =
        (scopes_of(policy, &[Effect::Allow]), scopes_of(policy, &[Effect::Deny, Effect::Restrict]));
    let opens = stray.scopes.intersection(&allowed);
    let mut opens = opens.map(|id| (id, &policy.scopes[*id]));
    opens.any(|(id, open)| {
        let mut guards = owner.scopes.iter().filter(|id| guarded.contains(id) && !stray.scopes.contains(id));
        !owner.scopes.contains(id) || guards.any(|guard| meet(open, &policy.scopes[*guard]))
    })
}

/// Whether two scopes may hold one request, whatever its host is.
fn meet(one: &Scope, other: &Scope) -> bool {
    let has_expressions = one.path_regex.is_some() || other.path_regex.is_some();
    has_expressions
        || one.operations.iter().any(|a| {
            let mut others = other.operations.iter();
            others.any(|b| a.methods.intersects(b.methods) && common_path(&a.path, &b.path).is_some())
        })
}
