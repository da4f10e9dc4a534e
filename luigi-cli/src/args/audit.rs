//! The arguments of `luigi audit`.

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use luigi_core::decide::Reason;
use luigi_workflow::ledger::{DecisionWord, Kind};
use std::path::PathBuf;

/// Read the audit ledger: who touched what, when, and who approved it
///
/// Without a command it lists entries, oldest first. E-mail addresses, source addresses, queries and user agents are masked; `--unmasked` shows them and is itself an entry.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    #[command(flatten)]
    pub(crate) filters: AuditFilters,
    /// Only the last N [default: 100 for people, all for programs]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

/// What else to do with a ledger.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print entries as they are appended, until Ctrl-C
    Follow(AuditFilters),
    Story(Story),
    Verify(VerifyLedger),
    Evidence(Evidence),
    Checkpoint(MakeCheckpoint),
    Retire(Retire),
}

/// Which entries, and how to print them.
#[derive(Debug, Args)]
pub(crate) struct AuditFilters {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Which entries: those that meet all of what is given. Names, hosts and paths may hold `*`.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Who: a subject, who acts for it, an approver, or who did something
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) who: Option<String>,
    /// The scope
    #[arg(long, value_name = "NAME")]
    pub(crate) scope: Option<String>,
    /// The determining rule
    #[arg(long, value_name = "ID")]
    pub(crate) rule: Option<String>,
    /// The decision: allow or deny
    #[arg(long, value_name = "DECISION", value_parser = decision)]
    pub(crate) decision: Option<DecisionWord>,
    /// The reason of the decision
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub(crate) reason: Option<Reason>,
    /// The host
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// The canonical path
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// The grant's id
    #[arg(long, value_name = "ID")]
    pub(crate) grant: Option<String>,
    /// Who approved or rejected: their answers, the access requests, the grants and each use of them
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) approver: Option<String>,
    /// The kind of entry, such as `granted` (repeatable: any of them)
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    pub(crate) kinds: Vec<Kind>,
    /// Only decisions on privileged scopes
    #[arg(long)]
    pub(crate) privileged: bool,
    /// From this time on: as in RFC 3339, a day, or how long ago, as 30m, 4h, 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Before this time: likewise
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

/// Where the ledger is, and how entries are shown.
#[derive(Debug, Args)]
pub(crate) struct Shown {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to print entries
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: AuditFormat,
}

/// Where the ledger is, and whether what is personal is shown.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The ledger [default: ledger/ledger.db in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Show what is masked otherwise; the reason becomes an entry of the ledger, before anything is printed
    #[arg(long, value_name = "REASON")]
    pub(crate) unmasked: Option<String>,
    /// Who reads [default: whoever is logged in]
    #[arg(long, value_name = "NAME", requires = "unmasked")]
    pub(crate) by: Option<String>,
}

/// How to print entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people: a table that fits the terminal.
    #[default]
    Human,
    /// For programs: one object a line.
    Json,
    /// For spreadsheets.
    Csv,
    /// For SIEMs: one event of the Open Cybersecurity Schema Framework a line.
    Ocsf,
}

/// Join one request from the denial over access request, approval, grant and each use to its end
#[derive(Debug, Args)]
pub(crate) struct Story {
    /// The id of an evaluation, an access request or a grant
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Find out whether the ledger is what was written, and who vouches for it
#[derive(Debug, Args)]
pub(crate) struct VerifyLedger {
    /// The ledger [default: ledger/ledger.db in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Checkpoints that were kept elsewhere, one a line (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// A public key that checkpoints are signed with (repeatable, older ones too) [default: ledger.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Vec<PathBuf>,
    /// Begin with this entry, and trust what stands before it
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) from: Option<u64>,
    /// End with this entry
    #[arg(long, value_name = "SEQUENCE", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) to: Option<u64>,
    /// Verify these files of retired entries instead, oldest first, and that each follows the one before; the ledger joins the last of them if `--ledger` is given, too (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    pub(crate) exported: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: crate::output::Format,
}

/// Write what an auditor asks for about a period (SOC 2, CC6.1 to CC6.3)
///
/// The population of privileged accesses, access requests with approvers and how long each grant was open, policy changes, what concerns the record itself, a sample drawn by
/// a stated seed, and the verification of the ledger.
#[derive(Debug, Args)]
pub(crate) struct Evidence {
    /// From this time on: as in RFC 3339, a day, or how long ago, as 30m, 4h, 90d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Timestamp,
    /// Before this time: likewise
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Timestamp,
    /// Write files into this folder, made if it is not there; one object of JSON on standard output if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// How many privileged accesses the sample has
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub(crate) sample: usize,
    /// What the sample is drawn by: anyone with the population and this draws the same
    #[arg(long, value_name = "TEXT", default_value = "luigi")]
    pub(crate) seed: String,
    /// Checkpoints that were kept elsewhere, one a line (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// A public key that checkpoints are signed with (repeatable, older ones too) [default: ledger.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to print what was written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: crate::output::Format,
}

/// Sign where the ledger stands, print the line and send it elsewhere; for ledgers that no daemon owns
#[derive(Debug, Args)]
pub(crate) struct MakeCheckpoint {
    /// The ledger [default: ledger/ledger.db in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// The signing key; made if it is not there, its public half beside it as *.pub [default: ledger.key in /var/lib/luigi, or in $XDG_STATE_HOME/luigi
    /// for whoever may not write there]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Where to send it: a file to append to, https://..., syslog, syslog:HOST:PORT or syslog:/PATH (repeatable)
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: Vec<String>,
}

/// Write the oldest entries to a file and remove them from the ledger, which verifies from there; for ledgers that no daemon owns
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["before", "upto"]))]
pub(crate) struct Retire {
    /// The ledger [default: ledger/ledger.db in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// All entries that are older, up to the first that is not: as in RFC 3339, a day, or how long ago, as 400d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) before: Option<Timestamp>,
    /// All entries up to this one
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) upto: Option<u64>,
    /// The folder that the file is written to
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

fn decision(text: &str) -> Result<DecisionWord, String> {
    [DecisionWord::Allow, DecisionWord::Deny]
        .into_iter()
        .find(|word| word.as_str() == text)
        .ok_or_else(|| "expected allow or deny".to_owned())
}

fn reason(text: &str) -> Result<Reason, String> {
    let known = || Reason::ALL.map(Reason::as_str).join(", ");
    Reason::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| format!("expected one of {}", known()))
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| format!("expected one of {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

/// A time, a day (from its first moment on, in UTC), or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    let seconds = match luigi_runtime::Timestamp::from_rfc3339(text) {
        Some(time) => time.unix_seconds(),
        None => match super::Until::from_argument(text)? {
            super::Until::Time(time) => time.unix_seconds(),
            super::Until::Seconds(seconds) => luigi_runtime::now().plus_seconds(-seconds).unix_seconds(),
        },
    };
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}
