//! Scopes by themselves: how much a privileged one opens, what `except` leaves of one, HAProxy's statistics page.

use super::{Linter, Row, dead};
use crate::analysis::expressions::Breadth;
use crate::analysis::patterns::common_host;
use crate::method::MethodSet;
use crate::policy::diagnostics::{Diagnostic, Lint};
use crate::policy::model::{HostPattern, Scope, ScopeId, Segment, TableId};
use crate::target::Ambiguity;

pub(super) fn look(linter: &mut Linter<'_>) {
    for (id, scope) in linter.policy.scopes.iter() {
        if scope.privileged {
            product(linter, id, scope);
        }
        if dead::is_empty(linter, id) {
            linter.find_error(Lint::DeadRule, &[Row::Scope(id)], &[id], |linter| {
                let message = format!("nothing is left of scope `{}`", scope.name);
                let span = linter.value(Row::Scope(id), "except");
                let problem = Diagnostic::lint(Lint::DeadRule, span, message).label("leaves out all of it");
                problem.help("leave out less, or remove the scope and its rules")
            });
        }
        stats_uri(linter, id, scope);
    }
}

/// A privileged scope that is every path, method or host.
fn product(linter: &mut Linter<'_>, id: ScopeId, scope: &Scope) {
    let any_host = scope.hosts.contains(&HostPattern::Any);
    let methods = scope.operations.iter().map(|operation| operation.methods);
    let mut methods = methods.chain(scope.path_regex.iter().map(|regex| regex.methods));
    let any_method = methods.any(|methods| methods.contains(MethodSet::ANY));
    let tree_of_expressions = linter.breadths[id.index()] != Breadth::Narrow;
    let tree = scope.operations.iter().any(|operation| operation.path.rest);
    let key = if tree { "paths" } else { "path-regex" };
    let (key, what) = match (tree || tree_of_expressions, any_method, any_host) {
        (true, true, _) => (key, "every method on every path below it"),
        (true, false, _) => (key, "every path below it"),
        (false, true, _) => ("methods", "every method"),
        (false, false, true) => ("hosts", "every host"),
        (false, false, false) => return,
    };
    linter.find(Lint::Product, &[Row::Scope(id)], |linter| {
        let message = format!("privileged scope `{}` is broad: a grant for it opens {what}", scope.name);
        let problem = Diagnostic::lint(Lint::Product, linter.value(Row::Scope(id), key), message);
        problem.help("list the operations that are needed, like `operations = [\"POST /refunds\"]`")
    });
}

/// Where HAProxy's statistics page usually is.
const STATISTICS: [&[&str]; 4] = [&["stats"], &["haproxy", "stats"], &["haproxy-stats"], &["haproxy-status"]];

fn stats_uri(linter: &mut Linter<'_>, id: ScopeId, scope: &Scope) {
    let page = scope.operations.iter().find_map(|operation| {
        let segments = operation.path.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => text.as_str(),
            Segment::Capture(_) | Segment::Any => "",
        });
        let segments: Vec<&str> = segments.collect();
        STATISTICS.iter().find(|page| **page == segments).map(|page| page.join("/"))
    });
    let Some(page) = page else { return };
    let mut properties = linter.policy.hosts.iter();
    let accepts = properties.any(|(_, row)| {
        row.accepts.contains(&Ambiguity::MatrixParameter)
            && scope.hosts.iter().any(|host| common_host(host, &row.host).is_some())
    });
    if accepts {
        return;
    }
    linter.find(Lint::StatsUri, &[Row::Scope(id)], |linter| {
        let message = format!("`/{page}` may be HAProxy's statistics page, and `/{page};csv` is refused as ambiguous");
        let problem = Diagnostic::lint(Lint::StatsUri, linter.name(Row::Scope(id)), message);
        let host = scope.hosts.iter().find_map(|host| match host {
            HostPattern::Exact(name) => Some(name.as_str()),
            HostPattern::Any | HostPattern::OneLabel(_) | HostPattern::Labels(_) | HostPattern::Capture { .. } => None,
        });
        let host = host.unwrap_or("lb.example.com");
        problem.help(format!("if it is, add `[hosts.\"{host}\"]` with `accept-ambiguous = [\"matrix-parameter\"]`"))
    });
}
