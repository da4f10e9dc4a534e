//! Files of teams: what is defined in one keeps to the hosts that its `[file]` names.
//!
//! A pattern is within the bounds if one of theirs holds every host that it holds.

use super::Scene;
use super::environments::Environments;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{HostPattern, ScopeId};
use crate::policy::source::{SourceId, Span};
use crate::policy::syntax::{self, Syntax, Text, quoted};
use std::collections::BTreeMap;

/// Whose files they are.
pub(super) struct Files {
    by_source: BTreeMap<SourceId, File>,
}

struct File {
    owner: String,
    /// The hosts that it keeps to, and where they stand; none for a file without bounds.
    bounds: Option<(Vec<HostPattern>, Span)>,
}

impl Files {
    pub(super) fn new(headers: &[syntax::FileHeader], environments: &Environments, out: &mut Diagnostics) -> Self {
        let mut by_source = BTreeMap::new();
        for header in headers {
            let hosts = header.hosts.listed.iter().filter_map(|text| environments.host(text, out)).collect();
            let bounds = (!header.hosts.any).then_some((hosts, header.hosts_span));
            by_source.insert(header.source, File { owner: header.owner.value.clone(), bounds });
        }
        Self { by_source }
    }

    /// Whose file something stands in.
    pub(super) fn owner(&self, at: Span) -> Option<&str> {
        self.by_source.get(&at.source).map(|file| file.owner.as_str())
    }

    /// The owner and the bounds of the file that something stands in, if it has any.
    fn bounds(&self, at: Span) -> Option<(&str, &[HostPattern], Span)> {
        let file = self.by_source.get(&at.source)?;
        let (hosts, span) = file.bounds.as_ref()?;
        Some((&file.owner, hosts, *span))
    }
}

impl Scene {
    /// Checks that scopes and rules of files with bounds keep to them.
    pub(super) fn check_bounds(&self, syntax: &Syntax, out: &mut Diagnostics) {
        let mut scopes: BTreeMap<usize, (&Text, &syntax::Scope)> = BTreeMap::new();
        for entry in &syntax.scopes {
            let (Some(scope), Some(id)) = (&entry.item, self.scopes.find(&entry.name.value)) else { continue };
            scopes.entry(crate::policy::model::TableId::index(id)).or_insert((&entry.name, scope));
            let Some((owner, bounds, place)) = self.files.bounds(entry.name.span) else { continue };
            for (host, span) in self.outside(scope, entry.name.span, bounds) {
                let message = format!(
                    "scope {} reaches {}, which is outside the hosts of {}",
                    quoted(&entry.name.value),
                    quoted(&host),
                    quoted(owner)
                );
                let problem = Diagnostic::error(Code::OutsideBounds, span, message);
                out.push(problem.also(place, format!("the file of {} keeps to these", quoted(owner))));
            }
        }
        for rule in &syntax.rules {
            self.check_rule_bounds(rule, &scopes, out);
        }
    }

    fn check_rule_bounds(
        &self,
        rule: &syntax::Rule,
        scopes: &BTreeMap<usize, (&Text, &syntax::Scope)>,
        out: &mut Diagnostics,
    ) {
        let Some(id) = &rule.id else { return };
        let Some((owner, bounds, place)) = self.files.bounds(id.span) else { return };
        let keeps = format!("the file of {} keeps to these", quoted(owner));
        match &rule.scopes {
            None => {}
            Some(syntax::Scopes::All) => {
                let message =
                    format!("rule {} is about all requests, beyond the hosts of {}", quoted(&id.value), quoted(owner));
                let problem = Diagnostic::error(Code::OutsideBounds, id.span, message).also(place, keeps);
                out.push(problem.help("name scopes within these hosts"));
            }
            Some(syntax::Scopes::Named(texts)) => {
                for (text, scope) in texts.iter().flat_map(|text| self.scopes_of(text).map(move |id| (text, id))) {
                    let Some((name, scope)) = scopes.get(&crate::policy::model::TableId::index(scope)) else {
                        continue;
                    };
                    // A scope of the same file has been reported where it stands.
                    if name.span.source == id.span.source {
                        continue;
                    }
                    if let Some((host, span)) = self.outside(scope, name.span, bounds).into_iter().next() {
                        let message = format!(
                            "rule {} is about scope {}, which reaches {}, outside the hosts of {}",
                            quoted(&id.value),
                            quoted(&name.value),
                            quoted(&host),
                            quoted(owner)
                        );
                        let problem = Diagnostic::error(Code::OutsideBounds, text.span, message);
                        out.push(problem.also(span, "beyond them").also(place, keeps.as_str()));
                    }
                }
            }
        }
    }

    /// The scopes that a text of a rule names, as far as they are defined.
    fn scopes_of<'s>(&'s self, text: &Text) -> impl Iterator<Item = ScopeId> + use<'s> {
        let tagged = self.tags.of_rule(&text.value).iter().copied();
        self.scopes.find(&text.value).into_iter().chain(tagged)
    }

    /// The hosts of a scope that no bound holds, as written, each with its place.
    fn outside(&self, scope: &syntax::Scope, name: Span, bounds: &[HostPattern]) -> Vec<(String, Span)> {
        // What is wrong with a host is said where scopes are resolved.
        let mut said = Diagnostics::default();
        let is_outside = |pattern: &HostPattern| !bounds.iter().any(|bound| holds(bound, pattern));
        let any = (scope.hosts.any && is_outside(&HostPattern::Any)).then(|| ("any".to_owned(), name));
        let listed = scope.hosts.listed.iter().filter_map(|text| {
            let pattern = self.environments.host(text, &mut said)?;
            is_outside(&pattern).then(|| (text.value.clone(), text.span))
        });
        any.into_iter().chain(listed).collect()
    }
}

/// Whether every host that `pattern` holds is one that `bound` holds.
fn holds(bound: &HostPattern, pattern: &HostPattern) -> bool {
    use HostPattern::{Any, Capture, Exact, Labels, OneLabel};
    // What stands before `.name` in a host below it.
    let before = |host: &str, name: &str| host.strip_suffix(name)?.strip_suffix('.').map(str::to_owned);
    match (bound, pattern) {
        (Any, _) => true,
        (_, Any) => false,
        (Exact(bound), Exact(name)) => bound == name,
        (Exact(_), OneLabel(_) | Capture { .. } | Labels(_)) | (OneLabel(_) | Capture { .. }, Labels(_)) => false,
        // A label under a name holds what a label without one does.
        (OneLabel(bound) | Capture { parent: bound, .. }, Exact(name)) => {
            before(name, bound).is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
        (OneLabel(bound) | Capture { parent: bound, .. }, OneLabel(name) | Capture { parent: name, .. }) => {
            bound == name
        }
        (Labels(bound), Exact(name)) => before(name, bound).is_some_and(|labels| !labels.is_empty()),
        (Labels(bound), OneLabel(name) | Capture { parent: name, .. } | Labels(name)) => {
            bound == name || before(name, bound).is_some_and(|labels| !labels.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax::host_of;

    #[test]
    fn a_bound_holds_what_it_holds_of() {
        let pattern = |text: &str| if text == "any" { HostPattern::Any } else { host_of(text).expect("a host") };
        for (bound, within, outside) in [
            ("any", &["any", "a.example", "*.example", "**.example", "10.0.0.1"][..], &[][..]),
            ("a.example", &["a.example"], &["any", "b.a.example", "example", "*.example", "*.a.example", "xa.example"]),
            (
                "*.example.com",
                &["a.example.com", "*.example.com"],
                &[
                    "any",
                    "example.com",
                    "b.a.example.com",
                    "aexample.com",
                    "**.example.com",
                    "*.a.example.com",
                    "*.com",
                ],
            ),
            (
                "**.example.com",
                &[
                    "a.example.com",
                    "b.a.example.com",
                    "*.example.com",
                    "**.example.com",
                    "*.a.example.com",
                    "**.a.example.com",
                ],
                &["any", "example.com", "aexample.com", "*.aexample.com", "**.com", "*.com", "10.0.0.1"],
            ),
            ("10.0.0.1", &["10.0.0.1"], &["110.0.0.1", "2001:db8::1"]),
        ] {
            for (name, expected) in within.iter().map(|n| (n, true)).chain(outside.iter().map(|n| (n, false))) {
                assert_eq!(holds(&pattern(bound), &pattern(name)), expected, "{name} in {bound}");
            }
        }
    }
}
