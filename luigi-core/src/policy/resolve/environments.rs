//! The environment that a policy is compiled for: its variables in hosts, and which rules and tests belong to it.
//!
//! What belongs to another environment is checked like everything else and then left out of the model.

use super::names::Names;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::{HostPattern, TableId};
use crate::policy::source::Span;
use crate::policy::syntax::{self, Entry, Text, host_of, listed, quoted, suggestion};
use std::collections::BTreeMap;

/// An environment of the policy; models have only the name of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EnvironmentId(usize);

impl TableId for EnvironmentId {
    fn from_index(index: usize) -> Self {
        Self(index)
    }

    fn index(self) -> usize {
        self.0
    }
}

/// The environments, and the one that the policy is compiled for.
pub(super) struct Environments {
    names: Names<EnvironmentId>,
    chosen: Option<(EnvironmentId, String)>,
    /// Every variable of any environment, with its value in the chosen one; without a value, that has been reported.
    variables: BTreeMap<String, Option<Text>>,
}

impl Environments {
    /// Checks the environments and chooses one; `None` if there is none to compile for, which is an error.
    pub(super) fn new(
        entries: &[Entry<syntax::Environment>],
        wanted: Option<&str>,
        out: &mut Diagnostics,
    ) -> Option<Self> {
        let names: Names<EnvironmentId> = Names::new("environment", entries.iter().map(|entry| &entry.name), out);
        check_same_variables(entries, out);
        let chosen = choose(entries, &names, wanted, out)?;
        let mut variables = BTreeMap::new();
        for entry in entries {
            let chosen = chosen.as_ref().is_some_and(|(_, name)| *name == entry.name.value);
            for (name, value) in entry.item.iter().flat_map(|environment| &environment.variables) {
                let place = variables.entry(name.value.clone()).or_insert(None);
                if chosen {
                    place.clone_from(value);
                }
            }
        }
        Some(Self { names, chosen, variables })
    }

    /// The name of the one that the policy is compiled for.
    pub(super) fn chosen(&self) -> Option<&str> {
        self.chosen.as_ref().map(|(_, name)| name.as_str())
    }

    /// Whether something that names environments belongs to the chosen one; naming none means all.
    pub(super) fn selects(&self, named: &[EnvironmentId]) -> bool {
        named.is_empty() || self.chosen.as_ref().is_some_and(|(id, _)| named.contains(id))
    }

    /// The environments that a rule names.
    pub(super) fn of_rule(&self, rule: &syntax::Rule, out: &mut Diagnostics) -> Vec<EnvironmentId> {
        self.names.find_all(&rule.environments, out)
    }

    /// The environment of a test, which must name one if there are any.
    pub(super) fn of_case(&self, case: &syntax::Case, out: &mut Diagnostics) -> Option<EnvironmentId> {
        match &case.environment {
            Some(name) => self.names.find_text(name, out),
            None => {
                if !self.names.is_empty() {
                    let what =
                        case.name.as_ref().map_or("a test".to_owned(), |name| format!("test {}", quoted(&name.value)));
                    let problem =
                        Diagnostic::error(Code::MissingKey, case.place, format!("{what} has no `environment`"));
                    out.push(problem.help(format!("say where it takes place: {}", listed(self.names.iter(), "or"))));
                }
                None
            }
        }
    }

    /// A host pattern, variables replaced by their values.
    pub(super) fn host(&self, text: &Text, out: &mut Diagnostics) -> Option<HostPattern> {
        let (replaced, used) = self.replace(text, out)?;
        match host_of(&replaced) {
            Ok(host) => Some(host),
            Err((label, help)) => {
                let message = format!("{} is not a host", quoted(&replaced));
                let problem = Diagnostic::error(Code::InvalidHost, text.span, message).label(label);
                let problem = used.iter().fold(problem, |problem, (name, span)| {
                    problem.also(*span, format!("{} stands for this", quoted(&format!("{{{name}}}"))))
                });
                out.push(if help.is_empty() { problem } else { problem.help(help) });
                None
            }
        }
    }

    /// The text with values for variables, and where these stand.
    fn replace<'t>(&self, text: &'t Text, out: &mut Diagnostics) -> Option<(String, Vec<(&'t str, Span)>)> {
        let (mut replaced, mut used) = (String::new(), Vec::new());
        let mut at = 0;
        while let Some(open) = text.value[at..].find('{').map(|found| at + found) {
            let Some(close) = text.value[open..].find('}').map(|found| open + found) else { break };
            let name = &text.value[open + 1..close];
            replaced.push_str(&text.value[at..open]);
            at = close + 1;
            match self.variables.get(name) {
                Some(value) => {
                    let value = value.as_ref()?;
                    replaced.push_str(&value.value);
                    used.push((name, value.span));
                }
                // The whole first label may be a capture.
                None if self.names.is_empty() || open == 0 && text.value[at..].starts_with('.') => {
                    replaced.push_str(&text.value[open..at]);
                }
                None => {
                    let message = format!("there is no variable {}", quoted(name));
                    let problem = Diagnostic::error(Code::InvalidHost, text.part(open..at), message);
                    let help = match suggestion(name, self.variables.keys().map(String::as_str)) {
                        Some(close) => format!("did you mean {}?", quoted(&format!("{{{close}}}"))),
                        None => {
                            "define it in every environment; a capture stands only as the whole first label".to_owned()
                        }
                    };
                    out.push(problem.help(help));
                    return None;
                }
            }
        }
        replaced.push_str(&text.value[at..]);
        Some((replaced, used))
    }
}

/// The environment that is wanted; the inner `None` if there are none and none is.
fn choose(
    entries: &[Entry<syntax::Environment>],
    names: &Names<EnvironmentId>,
    wanted: Option<&str>,
    out: &mut Diagnostics,
) -> Option<Option<(EnvironmentId, String)>> {
    let problem = match wanted {
        None if names.is_empty() => return Some(None),
        None => {
            let place = entries.iter().map(|entry| entry.name.span).min()?;
            let message = "the policy has environments, and none was chosen";
            let problem = Diagnostic::error(Code::EnvironmentNotChosen, place, message);
            let each = listed(names.iter(), "or");
            problem.help(format!("it can be compiled for {each}; `--environment` says which"))
        }
        Some(name) => {
            if let Some(id) = names.find(name) {
                return Some(Some((id, name.to_owned())));
            }
            let message = format!("there is no environment {}", quoted(name));
            let problem = Diagnostic::without_place(Code::EnvironmentNotChosen, message);
            problem.help(match suggestion(name, names.iter()) {
                Some(close) => format!("did you mean {}?", quoted(close)),
                None if names.is_empty() => "the policy has no `[environments]`, so none can be chosen".to_owned(),
                None => format!("the policy has {}", listed(names.iter(), "and")),
            })
        }
    };
    out.push(problem);
    None
}

/// A host that names a variable must mean something everywhere.
fn check_same_variables(entries: &[Entry<syntax::Environment>], out: &mut Diagnostics) {
    let mut first: BTreeMap<&str, Span> = BTreeMap::new();
    for (name, _) in entries.iter().filter_map(|entry| entry.item.as_ref()).flat_map(|item| &item.variables) {
        first.entry(&name.value).or_insert(name.span);
    }
    for entry in entries {
        let Some(environment) = &entry.item else { continue };
        for (variable, span) in &first {
            if !environment.variables.iter().any(|(name, _)| name.value == **variable) {
                let message = format!("environment {} has no variable {}", quoted(&entry.name.value), quoted(variable));
                let problem = Diagnostic::error(Code::EnvironmentVariables, entry.name.span, message);
                let problem = problem.also(*span, "another environment has it");
                out.push(problem.help("give it a value in every environment, or leave it out of all"));
            }
        }
    }
}
