//! Scopes beside descriptions of APIs: what scopes open that an API does not have, and what it has that lies in no scope.

use super::{Linter, Row};
use crate::analysis::overlaps::Overlaps;
use crate::analysis::patterns::{Region, Search, common_host, path_holds};
use crate::analysis::words::{listed, listed_with_more};
use crate::method::{MethodSet, MethodTable};
use crate::policy::diagnostics::{Code, Diagnostic, Lint, Severity};
use crate::policy::model::{HostPattern, Operation, PathRegex, PathTemplate, Policy, Scope, ScopeId, Table, TableId};
use std::collections::BTreeMap;

/// What an API has, as an OpenAPI document says, for example.
#[derive(Clone, Debug)]
pub struct Description {
    /// What people know it by: the path of the document.
    pub name: String,
    /// A policy with a scope for each operation, and nothing else. One whose hosts the document does not say is on any host.
    pub operations: Policy,
}

/// How many comparisons one scope and one description may take.
const MAX_COMPARISONS: usize = 5_000_000;

/// How many operations that an API does not have are shown for each scope.
const FEW: usize = 4;

pub(super) fn look(linter: &mut Linter<'_>) {
    for description in linter.descriptions {
        beyond(linter, description);
        unscoped(linter, description);
    }
}

/// The operations of a description by the hosts that they are on, as far as these are known; methods are those of the linter's space.
fn by_hosts(linter: &Linter<'_>, description: &Description) -> BTreeMap<Vec<HostPattern>, Vec<Operation>> {
    let mut groups: BTreeMap<Vec<HostPattern>, Vec<Operation>> = BTreeMap::new();
    for (_, row) in description.operations.scopes.iter().filter(|(_, row)| !row.hosts.contains(&HostPattern::Any)) {
        let operations = row.operations.iter().map(|operation| translated(linter, operation, description));
        groups.entry(row.hosts.clone()).or_default().extend(operations);
    }
    groups
}

fn translated(linter: &Linter<'_>, operation: &Operation, description: &Description) -> Operation {
    let methods = linter.space.methods(operation.methods, &description.operations);
    Operation { methods, path: operation.path.clone() }
}

/// Scopes of paths and methods that open, on the hosts of the API, what it does not have.
fn beyond(linter: &mut Linter<'_>, description: &Description) {
    let groups = by_hosts(linter, description);
    let mut hosts: Vec<HostPattern> = groups.keys().flatten().cloned().collect();
    hosts.sort_unstable();
    hosts.dedup();
    // A server answers HEAD where it answers GET, and OPTIONS everywhere; documents say neither.
    let head = MethodTable::default().resolve(b"HEAD");
    let methods = MethodSet::READ.without(head).union(MethodSet::WRITE);
    let with_all_methods = |operations: &[Operation]| {
        operations.iter().map(|one| Operation { methods: MethodSet::ALL, path: one.path.clone() }).collect()
    };
    let described: Vec<Region> =
        groups.iter().map(|(hosts, operations)| Region::of(hosts.clone(), operations.clone())).collect();
    let paths: Vec<Region> =
        groups.iter().map(|(hosts, operations)| Region::of(hosts.clone(), with_all_methods(operations))).collect();
    let everything =
        Operation { methods: MethodSet::ALL, path: PathTemplate { segments: Vec::new(), rest: true, slash: false } };
    let anywhere = Region::of(hosts.clone(), vec![everything]);
    let scopes = linter.policy.scopes.iter().filter(|(_, row)| meets(&row.hosts, &hosts));
    for (id, row) in scopes.collect::<Vec<_>>() {
        let Some(key) = linter.product_key(id) else { continue };
        let scope = linter.regions[id.index()].clone();
        let mut missing: Vec<String> = Vec::new();
        let (mut outside, mut more) = (described.clone(), false);
        for ((hosts, operations), paths) in groups.iter().zip(&paths) {
            loop {
                let within = [scope.clone(), paths.clone()];
                let found = linter.search_at_most(&within, &outside, methods, MAX_COMPARISONS);
                let Search::Found(found) = found else { break };
                if missing.len() == FEW {
                    more = true;
                    break;
                }
                let segments: Vec<String> =
                    found.path[1..].split('/').filter(|one| !one.is_empty()).map(str::to_owned).collect();
                let Some(known) = operations.iter().find(|one| path_holds(&one.path, &segments)) else { break };
                missing.push(format!("{} {}", found.method, known.path));
                let methods = MethodTable::default().resolve(found.method.as_bytes());
                outside.push(Region::of(hosts.clone(), vec![Operation { methods, path: known.path.clone() }]));
            }
        }
        let within = [scope, anywhere.clone()];
        let other = linter.search_at_most(&within, &paths, methods, MAX_COMPARISONS).witness();
        missing.extend(other.map(|witness| witness.to_string()));
        if missing.is_empty() {
            continue;
        }
        let missing = missing.iter().map(String::as_str);
        let missing = if more { listed_with_more(missing, "others") } else { listed(missing, "and") };
        linter.find(Lint::Product, &[Row::Scope(id)], |linter| {
            let message = format!("scope `{}` opens {missing}, which `{}` does not have", row.name, description.name);
            let problem = Diagnostic::lint(Lint::Product, linter.value(Row::Scope(id), key), message);
            problem
                .help(format!("name the operations, as `luigi scopes from-openapi {}` writes them", description.name))
        });
    }
}

fn meets(a: &[HostPattern], b: &[HostPattern]) -> bool {
    a.iter().any(|one| b.iter().any(|other| common_host(one, other).is_some()))
}

/// Operations that lie in no scope, not even in part: no rule can let anyone in.
fn unscoped(linter: &mut Linter<'_>, description: &Description) {
    let policy = linter.policy;
    let overlaps = Overlaps::new(&together(linter, description));
    linter.cut |= overlaps.cut;
    for (at, (_, row)) in description.operations.scopes.iter().enumerate() {
        let operations: Vec<Operation> =
            row.operations.iter().map(|operation| translated(linter, operation, description)).collect();
        let Some(first) = row.operations.first() else { continue };
        let region = Region::of(row.hosts.clone(), operations);
        let near = overlaps.of(ScopeId::from_index(policy.scopes.len() + at)).iter();
        let near: Vec<usize> = near.map(|scope| scope.index()).filter(|scope| *scope < policy.scopes.len()).collect();
        let held = near.into_iter().any(|scope| {
            let within = [region.clone(), linter.regions[scope].clone()];
            linter.search_at_most(&within, &[], MethodSet::ALL, MAX_COMPARISONS).is_possible()
        });
        if held || overlaps.cut {
            continue;
        }
        linter.find(Lint::UnscopedOperation, &[], |_| {
            let table = &description.operations.methods;
            let method = table.names(first.methods).next().unwrap_or_default();
            let message = format!("`{method} {}` of `{}` is in no scope", first.path, description.name);
            let mut problem = Diagnostic::without_place(Code::Lint(Lint::UnscopedOperation), message);
            problem.severity = Severity::Warning;
            problem.help(format!("`luigi scopes from-openapi {}` writes a scope for it", description.name))
        });
    }
}

/// The scopes of the policy, then the operations.
fn together(linter: &Linter<'_>, description: &Description) -> Policy {
    let operations = description.operations.scopes.iter().map(|(_, row)| Scope {
        operations: row.operations.iter().map(|operation| translated(linter, operation, description)).collect(),
        ..row.clone()
    });
    let scopes = linter.policy.scopes.iter().map(|(_, row)| Scope {
        operations: row
            .operations
            .iter()
            .map(|one| Operation { methods: linter.space.methods(one.methods, linter.policy), path: one.path.clone() })
            .collect(),
        path_regex: row.path_regex.clone().map(|regex| PathRegex { methods: MethodSet::ALL, ..regex }),
        ..row.clone()
    });
    Policy { scopes: scopes.chain(operations).collect::<Table<_, _>>(), ..Policy::default() }
}
