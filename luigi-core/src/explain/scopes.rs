//! Which scopes hold a request: hosts, path templates, methods, frontends and what scopes leave out.

use super::ScopeTrace;
use super::hosts::HostWays;
use crate::decide::{FactValue, Request};
use crate::matchers::path_regex::{Case, syntax_config};
use crate::method::MethodSet;
use crate::policy::model::{Fact, HostPattern, PathPattern, PathTemplate, Policy, ScopeId, Segment};
use crate::target::{CanonicalTarget, Host};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::{Anchored, Input, MatchKind};

/// Which scopes hold a request.
pub(super) struct Holding {
    /// Those that do; where the frontend would have to be known and is not, those with an operation that fits.
    pub(super) scopes: Vec<ScopeId>,
    /// A trace of each scope with an operation that fits.
    pub(super) traces: Vec<ScopeTrace>,
    /// Whether a scope that names frontends has such an operation, and the frontend is not known.
    pub(super) frontend_unknown: bool,
}

/// What scopes are held against.
struct Asked<'a> {
    policy: &'a Policy,
    method: MethodSet,
    target: &'a CanonicalTarget<'a>,
    ways: HostWays,
    /// Where the request came in, if that is known.
    frontend: Option<&'a [u8]>,
}

/// Every scope that holds the request.
pub(super) fn holding(policy: &Policy, request: &Request<'_>, target: &CanonicalTarget<'_>) -> Holding {
    let asked = Asked {
        policy,
        method: policy.methods.resolve(request.method),
        target,
        ways: HostWays::of(policy, target.host),
        frontend: frontend(policy, request),
    };
    let fitting: Vec<ScopeId> = policy.scopes.iter().map(|(id, _)| id).filter(|id| asked.fits(*id)).collect();
    let names_frontends = |id: &ScopeId| !policy.scopes[*id].frontends.is_empty();
    let frontend_unknown = asked.frontend.is_none() && fitting.iter().any(names_frontends);
    let left_out_by = |id: ScopeId| policy.scopes[id].except.iter().copied().find(|other| asked.holds(*other));
    let trace = |id: ScopeId| ScopeTrace {
        scope: policy.scopes[id].name.clone(),
        privileged: policy.scopes[id].privileged,
        left_out_by: left_out_by(id).map(|other| policy.scopes[other].name.clone()),
        only_at: if asked.is_at(id) { Vec::new() } else { policy.scopes[id].frontends.clone() },
    };
    let traces = fitting.iter().map(|id| trace(*id)).collect();
    let scopes = if frontend_unknown { fitting } else { fitting.into_iter().filter(|id| asked.holds(*id)).collect() };
    Holding { scopes, traces, frontend_unknown }
}

/// The frontend at which a request came in, if that is known.
pub(super) fn frontend<'a>(policy: &Policy, request: &Request<'a>) -> Option<&'a [u8]> {
    let (id, _) = policy.facts.iter().find(|(_, fact)| **fact == Fact::Frontend)?;
    match request.facts.value(id) {
        FactValue::One(name) => Some(name),
        FactValue::NotPassed | FactValue::Absent | FactValue::Several => None,
    }
}

impl Asked<'_> {
    /// Whether one of the scope's operations fits, the request came in where the scope is, and no scope that it leaves out holds it.
    fn holds(&self, id: ScopeId) -> bool {
        self.fits(id) && self.is_at(id) && !self.policy.scopes[id].except.iter().any(|other| self.holds(*other))
    }

    fn is_at(&self, id: ScopeId) -> bool {
        let named = &self.policy.scopes[id].frontends;
        named.is_empty() || named.iter().any(|name| Some(name.as_bytes()) == self.frontend)
    }

    fn fits(&self, id: ScopeId) -> bool {
        let mut patterns = self.policy.scopes[id].patterns();
        patterns.any(|(_, host, path)| pattern_fits(host, path, self.method, self.target, &self.ways))
    }
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
