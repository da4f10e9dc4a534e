//! Which scopes hold a request: hosts, path templates, methods and what scopes leave out.

use super::ScopeTrace;
use super::hosts::HostWays;
use crate::decide::Request;
use crate::matchers::path_regex::{Case, syntax_config};
use crate::method::MethodSet;
use crate::policy::model::{HostPattern, PathPattern, PathTemplate, Policy, Scope, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::{Anchored, Input, MatchKind};

/// Every scope that holds the request, and a trace of those with an operation that fits it.
pub(super) fn holding(
    policy: &Policy,
    request: &Request<'_>,
    target: &CanonicalTarget<'_>,
) -> (Vec<ScopeId>, Vec<ScopeTrace>) {
    let method = policy.methods.resolve(request.method);
    let ways = HostWays::of(policy, target.host);
    let (mut held, mut traces) = (Vec::new(), Vec::new());
    for (id, scope) in policy.scopes.iter() {
        if !fits(scope, method, target, &ways) {
            continue;
        }
        let left_out_by = scope.except.iter().find(|other| holds(policy, **other, method, target, &ways));
        if left_out_by.is_none() {
            held.push(id);
        }
        traces.push(ScopeTrace {
            scope: scope.name.clone(),
            privileged: scope.privileged,
            left_out_by: left_out_by.map(|other| policy.scopes[*other].name.clone()),
        });
    }
    (held, traces)
}

/// Whether one of the scope's operations fits, and none of the scopes it leaves out holds the request.
fn holds(policy: &Policy, id: ScopeId, method: MethodSet, target: &CanonicalTarget<'_>, ways: &HostWays) -> bool {
    let scope = &policy.scopes[id];
    fits(scope, method, target, ways) && !scope.except.iter().any(|other| holds(policy, *other, method, target, ways))
}

fn fits(scope: &Scope, method: MethodSet, target: &CanonicalTarget<'_>, ways: &HostWays) -> bool {
    scope.patterns().any(|(_, host, path)| pattern_fits(host, path, method, target, ways))
}

/// Whether one of the regular expressions holds the whole path. They are read anew, by an engine that simulates what they say; one that
/// it cannot read holds nothing.
fn expression_fits(patterns: &[String], path: &str, ways: &HostWays) -> bool {
    if !path.starts_with('/') {
        return false;
    }
    let path = ways.meant(path);
    let case = if ways.ignores_case { Case::Ignored } else { Case::Exact };
    let config = PikeVM::config().match_kind(MatchKind::All);
    patterns.iter().any(|pattern| {
        let engine = PikeVM::builder().configure(config.clone()).syntax(syntax_config(case)).build(pattern);
        let Ok(engine) = engine else { return false };
        // Of all matches at the beginning this is the longest.
        let longest = engine.find(&mut engine.create_cache(), Input::new(path).anchored(Anchored::Yes));
        longest.is_some_and(|found| found.end() == path.len())
    })
}

/// Whether a host and a path hold the request.
pub(super) fn pattern_fits(
    host: &HostPattern,
    path: PathPattern<'_>,
    method: MethodSet,
    target: &CanonicalTarget<'_>,
    ways: &HostWays,
) -> bool {
    host_fits(host, target.host)
        && match path {
            PathPattern::Template(operation) => {
                operation.methods.intersects(method) && path_fits(&operation.path, target.path, ways)
            }
            PathPattern::Expressions(regex) => {
                regex.methods.intersects(method) && expression_fits(&regex.patterns, target.path, ways)
            }
        }
}

pub(super) fn host_fits(pattern: &HostPattern, host: Host<'_>) -> bool {
    match (pattern, host) {
        (HostPattern::Any, _) => true,
        (HostPattern::Exact(text), Host::Name(name) | Host::Address(name)) => text == name,
        (HostPattern::OneLabel(parent) | HostPattern::Capture { parent, .. }, Host::Name(name)) => {
            match labels_before(name, parent) {
                Some(labels) => !labels.is_empty() && !labels.contains('.'),
                None => false,
            }
        }
        (HostPattern::Labels(parent), Host::Name(name)) => match labels_before(name, parent) {
            Some(labels) => !labels.is_empty(),
            None => false,
        },
        (
            HostPattern::Exact(_) | HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. },
            Host::Absent,
        )
        | (HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. }, Host::Address(_)) => false,
    }
}

/// What stands before `.parent` in `name`.
pub(super) fn labels_before<'a>(name: &'a str, parent: &str) -> Option<&'a str> {
    name.strip_suffix(parent)?.strip_suffix('.')
}

fn path_fits(template: &PathTemplate, path: &str, ways: &HostWays) -> bool {
    // Neither `*` nor the empty path of CONNECT lies in a scope.
    let Some(relative) = path.strip_prefix('/') else { return false };
    let slash = relative.ends_with('/');
    let relative = relative.strip_suffix('/').unwrap_or(relative);
    let segments: Vec<&str> = if relative.is_empty() { Vec::new() } else { relative.split('/').collect() };
    let enough = if template.rest {
        segments.len() >= template.segments.len()
    } else {
        segments.len() == template.segments.len() && (!ways.slash_matters || template.slash == slash)
    };
    enough
        && template.segments.iter().zip(&segments).all(|(wanted, segment)| match wanted {
            Segment::Literal(text) => ways.same(text, segment),
            Segment::Capture(_) | Segment::Any => !segment.is_empty(),
        })
}
