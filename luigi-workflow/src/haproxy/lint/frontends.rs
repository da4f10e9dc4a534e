//! Frontends that scopes name, against those that there are.

use super::{Look, finding};
use luigi_core::policy::diagnostics::{HaproxyLint, quoted};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn look(look: &mut Look<'_>) {
    // Where Luigi's lines are somebody looks for frontends; where there are none, that is what is said.
    let Some((first, _)) = look.guarded().next() else { return };
    let there: BTreeSet<&str> = look.entrances.iter().map(|entrance| entrance.proxy.name()).collect();
    let mut missing: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, scope) in look.policy.scopes.iter() {
        for name in scope.frontends.iter().filter(|name| !there.contains(name.as_str())) {
            missing.entry(name).or_insert(&scope.name);
        }
    }
    let names: Vec<String> = there.iter().map(|name| quoted(name)).collect();
    let found: Vec<_> = missing
        .into_iter()
        .map(|(name, scope)| {
            let message = format!("scope {} names frontend {}, and there is none", quoted(scope), quoted(name));
            let problem = finding(HaproxyLint::UnknownFrontend, first.section().header, message);
            let help =
                format!("what comes in elsewhere is not in the scope; the frontends here are {}", names.join(", "));
            problem.label("the first frontend with Luigi's lines").help(help)
        })
        .collect();
    look.found.extend(found);
}
