//! `luigi audit`: reading the ledger.

mod csv;
mod evidence;
mod follow;
mod keep;
mod sentence;
mod story;
mod table;
mod verify;

use crate::Found;
use crate::args::{Audit, AuditCommand, AuditFilters, AuditFormat};
use crate::args::{Shown, Source, Which};
use crate::failure::Failure;
use crate::output::{print, without_controls};
use crate::state;
use luigi_workflow::ledger::{
    Disclosure, Entry, Event, Filter, LedgerError, NewEntry, Reader, append_beside, mask, ocsf,
};
use std::io::IsTerminal as _;
use std::ops::ControlFlow;

/// How many entries people get who do not say how many.
const FOR_PEOPLE: usize = 100;

pub(crate) fn run(arguments: &Audit) -> Result<Found, Failure> {
    match &arguments.command {
        None => list(&arguments.filters, arguments.limit),
        Some(AuditCommand::Follow(filters)) => follow::run(filters),
        Some(AuditCommand::Story(arguments)) => story::run(arguments),
        Some(AuditCommand::Verify(arguments)) => verify::run(arguments),
        Some(AuditCommand::Evidence(arguments)) => evidence::run(arguments),
        Some(AuditCommand::Checkpoint(arguments)) => keep::checkpoint(arguments),
        Some(AuditCommand::Retire(arguments)) => keep::retire(arguments),
    }
}

fn list(arguments: &AuditFilters, limit: Option<usize>) -> Result<Found, Failure> {
    let (filter, shown) = (filter(arguments)?, &arguments.shown);
    let reader = open(&shown.source)?;
    let mut printer = Printer::new(shown);
    let for_people = shown.format == AuditFormat::Human && limit.is_none();
    match limit.or(for_people.then_some(FOR_PEOPLE)) {
        Some(limit) => {
            let entries = reader.last(limit, &filter)?;
            let may_be_more = for_people && entries.len() == limit;
            entries.into_iter().try_for_each(|entry| printer.print(entry))?;
            if may_be_more {
                anstream::eprintln!("the last {limit} entries; --limit shows more");
            }
        }
        None => reader.scan(0, &filter, |entry| {
            printer.print(entry)?;
            Ok::<_, Failure>(ControlFlow::Continue(()))
        })?,
    }
    printer.finish()?;
    Ok(Found::Fine)
}

/// Opens the ledger; whoever wants to see what is masked is on record before anything is read.
fn open(source: &Source) -> Result<Reader, Failure> {
    let ledger = state::ledger(source.ledger.as_deref());
    if let Some(reason) = &source.unmasked {
        if reason.trim().is_empty() {
            return Err(Failure::usage("say why with --unmasked REASON"));
        }
        let by = match &source.by {
            Some(name) => name.clone(),
            None => super::stops::logged_in().ok_or_else(|| Failure::usage("who reads? give a name with --by"))?,
        };
        let query = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
        let disclosure = Event::Disclosure(Disclosure { by, reason: reason.clone(), query });
        append_beside(&ledger, &[NewEntry::now(disclosure)]).map_err(|error| {
            Failure::environment(format!("nothing is shown, since the disclosure cannot be put on record: {error}"))
        })?;
    }
    Reader::open(&ledger).map_err(failure)
}

fn failure(error: LedgerError) -> Failure {
    if error.is_usage() { Failure::usage(error) } else { Failure::environment(error) }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        failure(error)
    }
}

fn filter(arguments: &AuditFilters) -> Result<Filter, Failure> {
    let Which { who, scope, rule, decision, reason, host, path, grant, approver, kinds, privileged, since, until } =
        &arguments.which;
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Failure::usage(format!(
            "--since {since} is not before --until {until}: no entry can be in between"
        )));
    }
    Ok(Filter {
        who: who.clone(),
        scope: scope.clone(),
        rule: rule.clone(),
        decision: *decision,
        reason: reason.map(|reason| reason.as_str().to_owned()),
        host: host.clone(),
        path: path.clone(),
        grant: grant.clone(),
        approver: approver.clone(),
        evaluation: None,
        kinds: kinds.clone(),
        privileged: *privileged,
        since: *since,
        until: *until,
        masked: arguments.shown.source.unmasked.is_none(),
    })
}

/// Prints entries one after the other, in the format that was asked for.
struct Printer {
    format: AuditFormat,
    masked: bool,
    table: table::Table,
    /// Whoever looks at it must not be misled by it; a program gets everything as it is.
    on_terminal: bool,
    begun: bool,
}

impl Printer {
    fn new(shown: &Shown) -> Self {
        Self {
            format: shown.format,
            masked: shown.source.unmasked.is_none(),
            table: table::Table::for_terminal(),
            on_terminal: std::io::stdout().is_terminal(),
            begun: false,
        }
    }

    fn print(&mut self, entry: Entry) -> Result<(), Failure> {
        self.begin()?;
        let entry = if self.masked { mask(entry) } else { entry };
        let text = match self.format {
            AuditFormat::Human => self.table.row(&entry),
            AuditFormat::Json => entry.body().map_err(failure)? + "\n",
            AuditFormat::Csv => csv::row(&entry).map_err(Failure::environment)?,
            AuditFormat::Ocsf => format!("{}\n", ocsf::event(&entry)),
        };
        let text = match self.format {
            AuditFormat::Json | AuditFormat::Csv | AuditFormat::Ocsf if self.on_terminal => without_controls(&text),
            AuditFormat::Human | AuditFormat::Json | AuditFormat::Csv | AuditFormat::Ocsf => text,
        };
        Ok(print(&text)?)
    }

    fn begin(&mut self) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.begun, true) {
            match self.format {
                AuditFormat::Human => print(&self.table.head())?,
                AuditFormat::Csv => print(&csv::head().map_err(Failure::environment)?)?,
                AuditFormat::Json | AuditFormat::Ocsf => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self.format {
            AuditFormat::Human if !self.begun => Ok(print("no entries\n")?),
            AuditFormat::Csv => self.begin(),
            AuditFormat::Human | AuditFormat::Json | AuditFormat::Ocsf => Ok(()),
        }
    }
}
