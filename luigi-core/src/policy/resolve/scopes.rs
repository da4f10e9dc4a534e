//! Scopes: operations by path, and what they leave out.

use super::expressions::Compiler;
use super::names::Names;
use super::{Scene, hosts};
use crate::method::MethodSet;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{
    ContentHash, HostId, HostPattern, HostProperties, Operation, PathTemplate, Scope, ScopeId, Table, TableId,
};
use crate::policy::syntax::{self, Entry, Text, quoted};
use std::collections::{BTreeMap, BTreeSet};

impl Scene {
    pub(super) fn scope(
        &self,
        name: &str,
        scope: &syntax::Scope,
        properties: &Table<HostId, HostProperties>,
        expressions: &mut Compiler,
        out: &mut Diagnostics,
    ) -> Scope {
        let path_regex = scope.path_regex.as_ref();
        let path_regex =
            path_regex.and_then(|(methods, texts)| expressions.path_regex(name, self.method_set(methods), texts, out));
        let hosts = self.hosts(&scope.hosts, out);
        for (class, problem) in &scope.doubtful {
            if !hosts::accept(properties, &hosts, *class) {
                out.push(problem.clone());
            }
        }
        let slash_matters = properties.iter().any(|(_, row)| row.slash_matters);
        // One entry for each path, so that `GET /a` beside `POST /a` is what `GET, POST /a` would be.
        let mut by_path: BTreeMap<_, MethodSet> = BTreeMap::new();
        for (methods, path) in &scope.operations {
            let path = PathTemplate { slash: path.slash && slash_matters, ..path.clone() };
            let set = by_path.entry(path).or_default();
            *set = set.union(self.method_set(methods));
        }
        Scope {
            name: name.to_owned(),
            hosts,
            frontends: frontends(&scope.frontends),
            operations: by_path.into_iter().map(|(path, methods)| Operation { methods, path }).collect(),
            path_regex,
            except: self.scopes.find_all(&scope.except, out),
            privileged: scope.privileged,
            audit: scope.audit,
            preflight: scope.preflight,
            upgrade: scope.upgrade,
            content_hash: ContentHash([0; 32]),
        }
    }

    /// Host patterns, sorted: two that the environment makes one are one.
    pub(super) fn hosts(&self, hosts: &syntax::Hosts, out: &mut Diagnostics) -> Vec<HostPattern> {
        let any = hosts.any.then_some(HostPattern::Any);
        let listed = hosts.listed.iter().filter_map(|text| self.environments.host(text, out));
        let mut patterns: Vec<_> = any.into_iter().chain(listed).collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }
}

/// Names of frontends, sorted; what stands there twice is an error already.
fn frontends(texts: &[Text]) -> Vec<String> {
    let names: BTreeSet<&String> = texts.iter().map(|text| &text.value).collect();
    names.into_iter().cloned().collect()
}

/// How far a scope has been looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Not,
    /// Its turn has come, and it is at this place of those that are open.
    Open(usize),
    Done,
}

/// A scope's name, and the scopes it leaves out with the texts that say so.
type Links<'s> = (&'s Text, Vec<(usize, &'s Text)>);

/// How many scopes of a circle are named.
const SHOWN: usize = 5;

/// An order of all scopes in which each comes after those it leaves out; cycles are errors.
pub(super) fn except_order(
    entries: &[Entry<syntax::Scope>],
    names: &Names<ScopeId>,
    out: &mut Diagnostics,
) -> Vec<ScopeId> {
    let mut scopes: BTreeMap<usize, Links<'_>> = BTreeMap::new();
    for entry in entries {
        let Some(id) = names.find(&entry.name.value) else { continue };
        let except = entry.item.iter().flat_map(|scope| &scope.except);
        let except = except.filter_map(|text| Some((names.find(&text.value)?.index(), text))).collect();
        scopes.entry(id.index()).or_insert((&entry.name, except));
    }
    let mut visits = vec![Visit::Not; scopes.len()];
    let mut order = Vec::with_capacity(scopes.len());
    for start in 0..scopes.len() {
        // A chain of scopes may be as long as the policy: no recursion.
        let mut open: Vec<(usize, usize)> = Vec::new();
        if visits[start] == Visit::Not {
            visits[start] = Visit::Open(0);
            open.push((start, 0));
        }
        while let Some((at, next)) = open.last_mut() {
            let at = *at;
            let Some((other, text)) = scopes[&at].1.get(*next) else {
                visits[at] = Visit::Done;
                order.push(ScopeId::from_index(at));
                open.pop();
                continue;
            };
            *next += 1;
            match visits[*other] {
                Visit::Not => {
                    visits[*other] = Visit::Open(open.len());
                    open.push((*other, 0));
                }
                Visit::Open(from) => {
                    let links = open[from..].iter().take(SHOWN);
                    let cycle: Vec<_> = links.map(|(id, next)| (scopes[id].0, scopes[id].1[next - 1].1)).collect();
                    let more = open.len() - from > SHOWN;
                    out.push(cycle_problem(&cycle, more, text));
                }
                Visit::Done => {}
            }
        }
    }
    order
}

/// `cycle` has the first scopes of a circle, each with the name in its `except` that leads on; `closing` is the last such name.
fn cycle_problem(cycle: &[(&Text, &Text)], more: bool, closing: &Text) -> Diagnostic {
    let first = quoted(&cycle[0].0.value);
    let mut chain: Vec<_> = cycle.iter().map(|(name, _)| quoted(&name.value)).collect();
    if more {
        chain.push("...".to_owned());
    }
    chain.push(first.clone());
    let message = format!("scope {first} leaves itself out: {}", chain.join(" -> "));
    let problem = Diagnostic::error(Code::ExceptCycle, closing.span, message).label("closes the circle");
    let others = cycle.iter().filter(|(_, link)| link.span != closing.span);
    others.fold(problem, |problem, (name, link)| {
        problem.also(link.span, format!("{} leaves out {}", quoted(&name.value), quoted(&link.value)))
    })
}
