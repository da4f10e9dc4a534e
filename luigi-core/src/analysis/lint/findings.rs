//! What lints found: reported, or accepted where it stands with a reason; and reasons for nothing.

use super::{Linter, Row};
use crate::policy::diagnostics::{Code, Diagnostic, Diagnostics, Lint, MAX_DIAGNOSTICS, Severity};
use crate::policy::model::{ScopeId, TableId};
use crate::policy::places::{Acceptance, Place};
use crate::policy::source::{SourceSet, Span};

/// What the lints found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// What is not accepted, in the order of places.
    pub diagnostics: Diagnostics,
    /// What is, in the order of places.
    pub accepted: Vec<Accepted>,
}

/// A finding that is accepted, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was found.
    pub lint: Lint,
    /// The message of the finding, of the first one if there are several.
    pub message: String,
    /// How many findings the reason stands for.
    pub findings: usize,
    /// Why it is all right.
    pub reason: String,
    /// Where that is said.
    pub span: Span,
}

/// In the order of sources' names and of places.
pub(super) fn in_order(accepted: impl Iterator<Item = Accepted>, sources: &SourceSet) -> Vec<Accepted> {
    let mut accepted: Vec<_> = accepted.collect();
    accepted.sort_by_key(|one| (sources.name(one.span.source).to_owned(), one.span.start));
    accepted
}

impl<'p> Linter<'p> {
    pub(super) fn place(&self, row: Row) -> &'p Place {
        let places = self.places;
        match row {
            Row::Issuer(id) => &places.issuers[id],
            Row::Group(id) => &places.groups[id],
            Row::Network(id) => &places.networks[id],
            Row::Schedule(id) => &places.schedules[id],
            Row::Login(id) => &places.logins[id],
            Row::Host(id) => &places.hosts[id],
            Row::Scope(id) => &places.scopes[id],
            Row::Approval(id) => &places.approvals[id],
            Row::Rule(id) => &places.rules[id],
        }
    }

    /// Where a row has its name.
    pub(super) fn name(&self, row: Row) -> Span {
        self.place(row).name
    }

    /// Where a key of a row has its value.
    pub(super) fn value(&self, row: Row, key: &str) -> Span {
        self.place(row).value(key, self.sources)
    }

    /// The key under which a scope has paths that it opens with each of its methods.
    pub(super) fn product_key(&self, scope: ScopeId) -> Option<&'static str> {
        let row = Row::Scope(scope);
        ["paths", "path-regex"].into_iter().find(|key| self.value(row, key) != self.name(row))
    }

    /// A finding that may be accepted on any of these rows, of which the first is what it is about.
    pub(super) fn find(&mut self, lint: Lint, rows: &[Row], diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        self.find_as(lint.severity(), lint, rows, diagnostic);
    }

    fn find_as(&mut self, severity: Severity, lint: Lint, rows: &[Row], diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        for row in rows {
            let Some(Acceptance { span, reason, .. }) = self.acceptance(*row, lint) else { continue };
            if let Some(known) = self.accepted.get_mut(&(*row, lint)) {
                known.findings += 1;
            } else {
                let message = diagnostic(self).message;
                let accepted = Accepted { lint, message, findings: 1, reason: reason.clone(), span: *span };
                self.accepted.insert((*row, lint), accepted);
            }
            return;
        }
        self.report(severity, |linter| Diagnostic { severity, ..diagnostic(linter) });
    }

    /// A finding of an error that is only a warning.
    pub(super) fn find_mild(&mut self, lint: Lint, rows: &[Row], diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        self.find_as(Severity::Warning, lint, rows, diagnostic);
    }

    /// A finding of an error about these scopes. Where one of them is privileged, nothing is accepted.
    pub(super) fn find_error(
        &mut self,
        lint: Lint,
        rows: &[Row],
        scopes: &[ScopeId],
        diagnostic: impl FnOnce(&Self) -> Diagnostic,
    ) {
        if scopes.iter().any(|scope| self.policy.scopes[*scope].privileged) {
            self.find_unacceptable(lint, rows, diagnostic);
        } else {
            self.find(lint, rows, diagnostic);
        }
    }

    /// A finding that is an error, whatever is accepted.
    pub(super) fn find_unacceptable(&mut self, lint: Lint, rows: &[Row], diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        let attempt = rows.iter().find_map(|row| Some((*row, self.acceptance(*row, lint)?)));
        self.report(Severity::Error, |linter| {
            let mut problem = diagnostic(linter);
            problem.severity = Severity::Error;
            match attempt {
                Some((_, Acceptance { span, .. })) => problem.also(*span, "cannot be accepted for a privileged scope"),
                None => problem,
            }
        });
        // One problem is enough: the acceptance is not called needless as well.
        if let Some((row, Acceptance { span, reason, .. })) = attempt {
            let tried = Accepted { lint, message: String::new(), findings: 0, reason: reason.clone(), span: *span };
            self.accepted.entry((row, lint)).or_insert(tried);
        }
    }

    fn acceptance(&self, row: Row, lint: Lint) -> Option<&'p Acceptance> {
        self.place(row).accepts.iter().find(|acceptance| acceptance.lint == lint)
    }

    fn report(&mut self, severity: Severity, diagnostic: impl FnOnce(&Self) -> Diagnostic) {
        let full = match severity {
            Severity::Error => self.errors.len() >= MAX_DIAGNOSTICS,
            Severity::Warning => self.warnings.is_full(),
        };
        if full {
            self.warnings.omit(severity);
            return;
        }
        let made = diagnostic(self);
        match severity {
            Severity::Error => self.errors.push(made),
            Severity::Warning => self.warnings.push(made),
        }
    }

    pub(super) fn finish(mut self) -> Findings {
        // What was not looked at may have needed its acceptance.
        if !self.cut {
            self.needless();
        }
        // Errors first: where there are too many findings, warnings are left out.
        let mut diagnostics = Diagnostics::default();
        self.errors.into_iter().for_each(|problem| diagnostics.push(problem));
        if self.cut {
            let message = "the scopes overlap in so many ways that not all were compared";
            let mut problem = Diagnostic::without_place(Code::Lint(Lint::CutShort), message);
            problem.severity = Severity::Warning;
            diagnostics.push(problem.help("narrow the patterns that overlap most, such as `/**` on `hosts = \"any\"`"));
        }
        diagnostics.append(self.warnings);
        diagnostics.finish(self.sources);
        let accepted = self.accepted.into_values().filter(|accepted| accepted.findings > 0);
        Findings { diagnostics, accepted: in_order(accepted, self.sources) }
    }

    /// Acceptances of nothing.
    fn needless(&mut self) {
        fn rows<Id: TableId>(len: usize, row: fn(Id) -> Row) -> impl Iterator<Item = Row> {
            (0..len).map(move |at| row(Id::from_index(at)))
        }
        let places = self.places;
        let all = rows(places.issuers.len(), Row::Issuer)
            .chain(rows(places.networks.len(), Row::Network))
            .chain(rows(places.schedules.len(), Row::Schedule))
            .chain(rows(places.logins.len(), Row::Login))
            .chain(rows(places.hosts.len(), Row::Host))
            .chain(rows(places.scopes.len(), Row::Scope))
            .chain(rows(places.approvals.len(), Row::Approval))
            .chain(rows(places.rules.len(), Row::Rule));
        for row in all {
            for Acceptance { lint, span, .. } in &self.place(row).accepts {
                let beside =
                    |id| *lint == Lint::Product && self.descriptions.is_empty() && self.product_key(id).is_some();
                let elsewhere = lint.depends_on_time() || matches!(row, Row::Scope(id) if beside(id));
                if elsewhere || self.accepted.contains_key(&(row, *lint)) {
                    continue;
                }
                self.report(Severity::Warning, |_| {
                    let message = format!("`{}` finds nothing here", lint.as_str());
                    Diagnostic::lint(Lint::NeedlessAccept, *span, message).label("accepted").help("remove it")
                });
            }
        }
    }
}
