//! Tags: names for several scopes at once, which rules may use. Models have the scopes.

use super::Scene;
use super::names::Names;
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::ScopeId;
use crate::policy::source::Span;
use crate::policy::syntax::{self, Entry, Text, quoted, suggestion};
use crate::snapshot::MAX_RULE_SCOPES;
use std::collections::BTreeMap;

/// How a rule says that a name is that of a tag; no scope has a colon in its name.
const PREFIX: &str = "tag:";

/// The tags, each with its scopes and the first place where it stands.
pub(super) struct Tags {
    by_name: BTreeMap<String, (Vec<ScopeId>, Span)>,
}

impl Tags {
    pub(super) fn new(entries: &[Entry<syntax::Scope>], names: &Names<ScopeId>) -> Self {
        let mut by_name: BTreeMap<String, (Vec<ScopeId>, Span)> = BTreeMap::new();
        for entry in entries {
            let Some(id) = names.find(&entry.name.value) else { continue };
            for tag in entry.item.iter().flat_map(|scope| &scope.tags) {
                by_name.entry(tag.value.clone()).or_insert((Vec::new(), tag.span)).0.push(id);
            }
        }
        Self { by_name }
    }

    /// Counts the scopes that these rules name. Beyond the limit that is an error, and tags have no scopes: nothing is made of them any more.
    pub(super) fn limited<'r>(mut self, rules: impl Iterator<Item = &'r syntax::Rule>, out: &mut Diagnostics) -> Self {
        let mut total = 0_usize;
        for rule in rules {
            let Some(syntax::Scopes::Named(texts)) = &rule.scopes else { continue };
            for text in texts {
                let tagged = self.of_rule(&text.value).len();
                total = total.saturating_add(tagged.max(1));
                if total <= MAX_RULE_SCOPES {
                    continue;
                }
                let message = format!("the rules up to here name {total} scopes, more than {MAX_RULE_SCOPES}");
                let mut problem = Diagnostic::error(Code::ScopeTooLarge, text.span, message);
                if tagged > 0 {
                    problem = problem.label(format!("{tagged} of them"));
                }
                out.push(problem.help(
                    "write one rule for all who are let in by a tag, with a list of matchers as `subject`, or give tags to fewer scopes",
                ));
                self.by_name.values_mut().for_each(|(scopes, _)| scopes.clear());
                return self;
            }
        }
        self
    }

    /// The scopes of a tag as a rule names it; none if it is no tag or not one that is defined.
    pub(super) fn of_rule(&self, name: &str) -> &[ScopeId] {
        let tagged = name.strip_prefix(PREFIX).and_then(|tag| self.by_name.get(tag));
        tagged.map_or(&[], |(scopes, _)| scopes)
    }

    /// The scopes of the tag that stands at `place`; a tag that no scope has is an error.
    fn scopes(&self, name: &str, place: Span, out: &mut Diagnostics) -> &[ScopeId] {
        if let Some((scopes, _)) = self.by_name.get(name) {
            return scopes;
        }
        let problem = Diagnostic::error(Code::UnknownName, place, format!("no scope has the tag {}", quoted(name)));
        out.push(match suggestion(name, self.by_name.keys().map(String::as_str)) {
            Some(close) => problem
                .also(self.by_name[close].1, format!("{} is a tag here", quoted(close)))
                .help(format!("did you mean {}?", quoted(&format!("{PREFIX}{close}")))),
            None if self.by_name.is_empty() => {
                problem.help("the policy has no tags at all: scopes have `tags = [...]`")
            }
            None => problem.help("give the tag to a scope: `tags = [...]`"),
        });
        &[]
    }
}

impl Scene {
    /// The scopes that a rule names, by their own names or by tags; sorted.
    pub(super) fn scopes_of_rule(&self, named: &[Text], out: &mut Diagnostics) -> Vec<ScopeId> {
        let mut scopes = Vec::new();
        for text in named {
            let known = self.scopes.find(&text.value);
            if let (None, Some(tag)) = (known, text.value.strip_prefix(PREFIX)) {
                let tagged = self.tags.scopes(tag, text.part(PREFIX.len()..text.value.len()), out);
                tagged.iter().for_each(|id| self.scopes.note_named(*id));
                scopes.extend(tagged);
            } else if let (None, Some((_, place))) = (known, self.tags.by_name.get(&text.value)) {
                let message = format!("there is no scope {}", quoted(&text.value));
                let problem = Diagnostic::error(Code::UnknownName, text.span, message).also(*place, "it is a tag");
                out.push(problem.help(format!("write {}", quoted(&format!("{PREFIX}{}", text.value)))));
            } else {
                scopes.extend(self.scopes.find_text(text, out));
            }
        }
        scopes.sort();
        scopes.dedup();
        scopes
    }
}
