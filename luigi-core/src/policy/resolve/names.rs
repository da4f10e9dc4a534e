//! The names of one table and the ids they stand for.

use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics};
use crate::policy::model::TableId;
use crate::policy::source::Span;
use crate::policy::syntax::{Text, quoted, suggestion};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

/// Names in byte order; the id of a name is its place.
pub(super) struct Names<Id> {
    /// What is named, in the singular.
    kind: &'static str,
    by_name: BTreeMap<String, (usize, Span)>,
    /// The places of those that something names.
    named: RefCell<BTreeSet<usize>>,
    id: PhantomData<fn() -> Id>,
}

impl<Id: TableId> Names<Id> {
    /// Collects definitions; a name that is defined twice is an error that shows both places.
    pub(super) fn new<'t>(kind: &'static str, names: impl Iterator<Item = &'t Text>, out: &mut Diagnostics) -> Self {
        let mut by_name: BTreeMap<String, (usize, Span)> = BTreeMap::new();
        for name in names {
            if let Some((_, first)) = by_name.get(&name.value) {
                let message = format!("{kind} {} is defined twice", quoted(&name.value));
                let problem = Diagnostic::error(Code::DuplicateName, name.span, message).label("again");
                out.push(problem.also(*first, "first here"));
            } else {
                by_name.insert(name.value.clone(), (0, name.span));
            }
        }
        for (place, (index, _)) in by_name.values_mut().enumerate() {
            *index = place;
        }
        Self { kind, by_name, named: RefCell::default(), id: PhantomData }
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether nothing is defined.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The names, in byte order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Every id, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        (0..self.by_name.len()).map(Id::from_index)
    }

    /// The id of a name.
    pub(super) fn find(&self, name: &str) -> Option<Id> {
        self.by_name.get(name).map(|(index, _)| Id::from_index(*index))
    }

    /// The id of a name, or an error.
    pub(super) fn find_text(&self, name: &Text, out: &mut Diagnostics) -> Option<Id> {
        let found = self.find(&name.value);
        match found {
            Some(id) => {
                self.named.borrow_mut().insert(id.index());
            }
            None => out.push(self.unknown(name, out)),
        }
        found
    }

    /// Notes that something names this one, in another way than by its name.
    pub(super) fn note_named(&self, id: Id) {
        self.named.borrow_mut().insert(id.index());
    }

    /// The places of those that have been named so far.
    pub(super) fn named(&self) -> BTreeSet<usize> {
        self.named.borrow().clone()
    }

    /// The ids of names, sorted; each name that is not defined is an error.
    pub(super) fn find_all(&self, names: &[Text], out: &mut Diagnostics) -> Vec<Id>
    where
        Id: Ord,
    {
        let mut ids: Vec<Id> = names.iter().filter_map(|name| self.find_text(name, out)).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    fn unknown(&self, name: &Text, out: &Diagnostics) -> Diagnostic {
        let kind = self.kind;
        let problem =
            Diagnostic::error(Code::UnknownName, name.span, format!("there is no {kind} {}", quoted(&name.value)))
                .label_foreign(&name.value);
        if out.is_full() {
            return problem;
        }
        if kind == "scope" && name.value.starts_with("tag:") {
            return problem.help("only rules name tags: name the scopes here");
        }
        match suggestion(&name.value, self.by_name.keys().map(String::as_str)) {
            Some(close) => problem
                .also(self.by_name[close].1, format!("{} is defined here", quoted(close)))
                .help(format!("did you mean {}?", quoted(close))),
            None if self.by_name.is_empty() => problem.help(format!("the policy defines no {kind} at all")),
            None if self.by_name.len() <= 8 => {
                let all = crate::policy::syntax::listed(self.by_name.keys().map(String::as_str), "and");
                let plural =
                    if self.by_name.len() == 1 { format!("the only {kind} is") } else { format!("the {kind}s are") };
                problem.help(format!("{plural} {all}"))
            }
            None => problem.help(format!("define it, or name one of the policy's {} {kind}s", self.by_name.len())),
        }
    }
}
