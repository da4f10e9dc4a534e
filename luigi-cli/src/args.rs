//! The arguments of each command, and the help that `luigi --help` prints.

mod audit;

pub(crate) use audit::{
    Audit, AuditCommand, AuditFilters, AuditFormat, Evidence, MakeCheckpoint, Retire, Shown, Source, Story,
    VerifyLedger, Which,
};

use crate::brought;
use crate::output::{Color, Format};
use crate::question::{Acts, Asker, NamedGrant, timestamp};
use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use luigi_core::described::DescribedCertificate;
use luigi_core::policy::model::Mode;
use luigi_core::time::Timestamp;
use luigi_runtime::haproxy_config::{ForwardedPath, IdentityHeader};
use std::net::IpAddr;
use std::path::PathBuf;

const DEFAULT_CONFIG: &str = "/etc/luigi/luigi.toml";
const DEFAULT_FEED: &str = "/var/lib/luigi/feed";

/// Decides how and when HAProxy's gates open.
#[derive(Debug, Parser)]
#[command(
    name = "luigi",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 fine; 1 the policy, its tests or an input has problems; 2 wrong usage; 3 a file, feed or process is at fault; 4 policies differ, if that was asked for."
)]
pub(crate) struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(Check),
    Test(Test),
    Explain(Explain),
    Decide(Decide),
    Diff(Diff),
    WhoCan(WhoCan),
    WhatCan(WhatCan),
    Apply(Apply),
    Changes(Changes),
    Status(Status),
    Serve(Serve),
    Stop(Stop),
    Stops(Stops),
    Unstop(Unstop),
    Audit(Box<Audit>),
    HaproxyConfig(HaproxyConfig),
    Fmt(Fmt),
    #[command(subcommand)]
    Scopes(Scopes),
    Schema(Schema),
    /// Answer an editor over standard input and output (Language Server Protocol)
    LanguageServer,
    Completions(Completions),
    Man(Man),
}

/// Check policies and report every problem
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Policies, each a file or a directory of *.toml files; or a configuration of the daemon, by the name of luigi.toml
    #[arg(required_unless_present = "explain", value_name = "POLICY")]
    pub(crate) policies: Vec<PathBuf>,
    /// Explain a code instead: what it means, why it matters, an example and the cure; all codes in one line each if none is given
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "list", conflicts_with = "policies")]
    pub(crate) explain: Option<String>,
    /// Also list what the policies accept, with the reasons
    #[arg(long)]
    pub(crate) accepted: bool,
    /// Warnings are problems, too: for continuous integration
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// Compare the scopes with what an API has: an OpenAPI 3 or Swagger 2 document, JSON or YAML (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) openapi: Vec<PathBuf>,
    /// Only this environment of the policies; each if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// HAProxy's configuration in front of the policy: a file, or a directory of *.cfg files (repeatable, in the order of `haproxy -f`)
    #[arg(long, value_name = "FILE", conflicts_with = "explain")]
    pub(crate) haproxy: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Run the tests that stand in a policy
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The policy: a file or a directory of *.toml files
    pub(crate) policy: PathBuf,
    /// Only the tests of this environment; those of each if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only tests with this in their names (repeatable: with any of them)
    #[arg(long, value_name = "NAME")]
    pub(crate) filter: Vec<String>,
    /// Say what the tests never tried: rules that never matched, predicates that never came out one way, scopes, approvals
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Fail if the tests cover less than this share of what there is to try (with --coverage, which it implies)
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) fail_under: Option<f64>,
    /// Run the tests again whenever a file of the policy changes, until Ctrl-C
    #[arg(long, conflicts_with = "record")]
    pub(crate) watch: bool,
    /// Make tests of the requests in a log of HAProxy, or in lines of JSON, and print them; `-` reads standard input (repeatable)
    #[arg(long, value_name = "LOG", conflicts_with_all = ["filter", "coverage", "fail_under", "verbose", "format"])]
    pub(crate) record: Vec<PathBuf>,
    /// Append the recorded tests to this file instead of printing them
    #[arg(long, value_name = "FILE", requires = "record")]
    pub(crate) to: Option<PathBuf>,
    /// Show each rule that is about the request of a failed test, and each predicate; twice for all rules
    #[arg(long, short, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TestFormat,
}

/// How to print what came out of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people.
    #[default]
    #[value(alias = "text")]
    Human,
    /// For programs.
    Json,
    /// For CI systems: JUnit's XML.
    Junit,
}

/// Explain how a request would be decided: each rule considered, each predicate true, false or unknown
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The policy: a file or a directory of *.toml files
    pub(crate) policy: PathBuf,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The request, as "METHOD URL"
    #[arg(long, short, value_name = "REQUEST")]
    pub(crate) request: String,
    /// Who asks: JSON like {"sub": "anna", "groups": ["billing"], "login": "fresh-mfa"} with issuer, sub, kind, email, groups,
    /// claims, login and via as in `[[tests]]`; or nobody, expired, invalid
    #[arg(long = "as", value_name = "WHO", value_parser = Asker::from_argument, conflicts_with = "token")]
    pub(crate) asker: Option<Asker>,
    /// Who acts for the person described by `--as`: a subject of the person's issuer, or JSON with issuer, sub and claims
    #[arg(long, value_name = "ACTOR", value_parser = Acts::from_argument, requires = "asker")]
    pub(crate) via: Option<Acts>,
    /// Who asks: whoever this token is for, if it can be verified; `-` reads it from standard input
    #[arg(long, value_name = "JWT")]
    pub(crate) token: Option<String>,
    /// The key set of an issuer, to verify the token (repeatable)
    #[arg(long, value_name = "ISSUER=FILE", value_parser = key_file)]
    pub(crate) jwks: Vec<(String, PathBuf)>,
    /// The address that the request comes from; unknown if not given
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
    /// When, as in RFC 3339; now if not given
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,
    /// A grant in force for whoever asks (repeatable); `:NAME=VALUE` for each capture that the approval is per
    #[arg(long = "grant", value_name = "SCOPE:APPROVAL", value_parser = NamedGrant::from_argument)]
    pub(crate) grants: Vec<NamedGrant>,
    /// A header of the request, as "NAME: VALUE" (repeatable, all there are); `none` if it has none. Unknown if not given
    #[arg(long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// What the proxy knows, as NAME=VALUE (repeatable, all there is); `none` if nothing. Unknown if not given
    #[arg(long = "fact", value_name = "FACT")]
    pub(crate) facts: Vec<String>,
    /// The client certificate: none, unverified, or JSON like {"san-uri": ["spiffe://example.com/web"]} with subject-dn, san-uri,
    /// san-dns and fingerprint-sha256 for a verified one. Unknown if not given
    #[arg(long, value_name = "CERTIFICATE", value_parser = brought::certificate_argument)]
    pub(crate) certificate: Option<DescribedCertificate>,
    /// The frontend of HAProxy that takes the request in; unknown if not given
    #[arg(long, value_name = "NAME", value_parser = brought::frontend)]
    pub(crate) frontend: Option<String>,
    /// Show rules about other scopes, and what each predicate is made of, too
    #[arg(long)]
    pub(crate) full: bool,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Decide requests: JSON lines on standard input, one decision a line on standard output
///
/// Each line is an object with `request` ("METHOD URL") and, if need be, `as` or `token`, `from`, `at`, `grants`
/// ([{"scope": ..., "approval": ...}]) and an `id` that comes back with the decision. A line that is no question is answered with
/// {"error": ...}, and the exit code is 1 in the end.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["policy", "feed"]))]
pub(crate) struct Decide {
    /// The policy: a file or a directory of *.toml files
    pub(crate) policy: Option<PathBuf>,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME", conflicts_with = "feed")]
    pub(crate) environment: Option<String>,
    /// The key set of an issuer of the policy, to verify tokens (repeatable)
    #[arg(long, value_name = "ISSUER=FILE", value_parser = key_file, conflicts_with = "feed")]
    pub(crate) jwks: Vec<(String, PathBuf)>,
    /// Decide by what is in force in this feed, grants included
    #[arg(long, value_name = "DIR")]
    pub(crate) feed: Option<PathBuf>,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
}

/// Tell what changes for whom between two policies: who may do what that was denied, and the other way round
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The policy as it was: a file, a directory of *.toml files, or a feed for what is in force
    pub(crate) old: PathBuf,
    /// The policy as it will be: likewise
    pub(crate) new: PathBuf,
    /// The environment of the policies, or of the one that has any; needed if one does
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Show how each example comes to its decisions, before and after
    #[arg(long)]
    pub(crate) explain: bool,
    /// Exit with 4 unless it is certain that no request is decided otherwise, on the same terms
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// From when on requests are compared, as in RFC 3339; now if not given
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,
    /// How many requests may be decided, each by both policies
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub(crate) limit: usize,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Tell who may make a request: which groups, subjects, claims, and under which circumstances
#[derive(Debug, Args)]
pub(crate) struct WhoCan {
    /// The policy: a file, a directory of *.toml files, or a feed
    pub(crate) policy: PathBuf,
    /// The method
    pub(crate) method: String,
    /// The URL, or a path alone for a request without Host
    pub(crate) url: String,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only at this frontend of HAProxy
    #[arg(long, value_name = "NAME", value_parser = brought::frontend)]
    pub(crate) frontend: Option<String>,
    /// Only from this address
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
    /// Only at this time, as in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,
    /// How many requests may be decided
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    pub(crate) limit: usize,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Tell what somebody may do, at once or after what; nobody in particular if nothing is said of who asks
#[derive(Debug, Args)]
pub(crate) struct WhatCan {
    /// The policy: a file, a directory of *.toml files, or a feed
    pub(crate) policy: PathBuf,
    /// Who asks, as for `luigi explain`; without `login` every kind of login is looked at
    #[arg(long = "as", value_name = "WHO", value_parser = Asker::from_argument,
          conflicts_with_all = ["groups", "subject", "issuer", "email", "login"])]
    pub(crate) asker: Option<Asker>,
    /// The groups of who asks, by the names of the policy
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
    /// The subject of who asks
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// The issuer that vouches for who asks; the default one if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,
    /// The e-mail address of who asks, verified
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// A login that who asks has just made
    #[arg(long, value_name = "NAME")]
    pub(crate) login: Option<String>,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only at this frontend of HAProxy
    #[arg(long, value_name = "NAME", value_parser = brought::frontend)]
    pub(crate) frontend: Option<String>,
    /// Only from this address
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,
    /// Only at this time, as in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) at: Option<Timestamp>,
    /// How many requests may be decided
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub(crate) limit: usize,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Check, test, compile and sign a policy, and publish it to those who follow a feed
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The policy: a file or a directory of *.toml files
    pub(crate) policy: PathBuf,
    /// The feed, a directory; made if it is not there
    #[arg(long = "to", value_name = "FEED")]
    pub(crate) feed: PathBuf,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Let the feed have a policy for another environment than the one it has
    #[arg(long)]
    pub(crate) change_environment: bool,
    /// The key set of an issuer (repeatable); issuers that are not named keep the keys they have in the feed
    #[arg(long, value_name = "ISSUER=FILE", value_parser = key_file)]
    pub(crate) jwks: Vec<(String, PathBuf)>,
    /// Whether decisions have effect; if not given, as it is in the feed, and observe in a new one
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeName>,
    /// The signing key; made if it is not there, with its public half beside it [default: feed.key in /var/lib/luigi, or in
    /// $XDG_STATE_HOME/luigi for whoever may not write there]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Who applies it, for the record of a daemon; whoever is logged in if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Do not compare the policy with the one in force
    #[arg(long)]
    pub(crate) no_diff: bool,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Show what each apply changed, from the signed records beside the signing key
#[derive(Debug, Args)]
pub(crate) struct Changes {
    /// Records to show in full; without any, all of them in one line each
    #[arg(value_name = "RECORD")]
    pub(crate) records: Vec<PathBuf>,
    /// The public key that the records are signed with, which is the feed's; without RECORD they are looked for beside it [default: feed.pub in
    /// $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Show what is in force in a feed, or in a running HAProxy
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The feed, read as a data plane reads it
    #[arg(default_value = DEFAULT_FEED)]
    pub(crate) feed: PathBuf,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Ask the HAProxy with this stats socket instead
    #[arg(long, value_name = "PATH", conflicts_with_all = ["feed", "public_key"])]
    pub(crate) socket: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Drain the spool into the audit ledger, keep the feed alive and send checkpoints, until SIGTERM or Ctrl-C
///
/// `luigi apply`, `luigi stop` and `luigi unstop` hand their changes to the daemon that holds the feed.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration; `luigi check` checks it, docs/DAEMON.md has every key
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: PathBuf,
}

/// Print the JSON Schema of policy files, for editors
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// That of the daemon's configuration instead
    #[arg(long)]
    pub(crate) config: bool,
}

/// Stop a scope, a person or program, or tokens at once, whatever the policy says
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["scope", "subject", "token_id", "issued_before"]))]
pub(crate) struct Stop {
    /// Every request in this scope of the policy in force
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Option<String>,
    /// Whatever this person or program asks for, also through somebody or on somebody's behalf
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// The token with this `jti`
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: Option<String>,
    /// Tokens that were issued before this time, and those that do not say when
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub(crate) issued_before: Option<Timestamp>,
    /// The issuer of the subject or the tokens; the default issuer if not given
    #[arg(long, value_name = "ISSUER", conflicts_with = "scope")]
    pub(crate) issuer: Option<String>,
    /// Until when, as in RFC 3339, or for how long: 90s, 30m, 4h, 7d
    #[arg(long, value_name = "TIME", value_parser = Until::from_argument)]
    pub(crate) until: Until,
    /// Why, for those who find it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who makes the stop, for the record; whoever is logged in if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) feed: StoppedFeed,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Lift a stop
#[derive(Debug, Args)]
pub(crate) struct Unstop {
    /// The id of the stop, as `luigi stops` shows it
    pub(crate) id: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Who lifts the stop, for the record; whoever is logged in if not given
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) feed: StoppedFeed,
    /// How to print what was done
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// A feed to change the stops of.
#[derive(Debug, Args)]
pub(crate) struct StoppedFeed {
    /// The feed
    #[arg(long = "to", value_name = "FEED", default_value = DEFAULT_FEED)]
    pub(crate) feed: PathBuf,
    /// The signing key of the feed [default: feed.key in /var/lib/luigi, or in $XDG_STATE_HOME/luigi for whoever may not write there]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The ledger to put it on record in [default: ledger/ledger.db beside the signing key, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
}

/// List the stops of a feed
#[derive(Debug, Args)]
pub(crate) struct Stops {
    /// The feed, read as a data plane reads it
    #[arg(long = "from", alias = "to", value_name = "FEED", default_value = DEFAULT_FEED)]
    pub(crate) feed: PathBuf,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Until when, or for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// This moment.
    Time(Timestamp),
    /// So many seconds from now.
    Seconds(i64),
}

impl Until {
    fn from_argument(text: &str) -> Result<Self, String> {
        let unit = match text.bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => return timestamp(text).map(Self::Time).map_err(|_| not_until(text)),
        };
        let number = &text[..text.len() - 1];
        let number = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<u32>().ok()).flatten();
        let number = number.filter(|number| *number > 0).ok_or_else(|| not_until(text))?;
        Ok(Self::Seconds(i64::from(number) * unit))
    }

    /// The moment.
    pub(crate) fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Time(at) => at,
            Self::Seconds(seconds) => now.plus_seconds(seconds),
        }
    }
}

fn not_until(text: &str) -> String {
    format!("`{}` is neither a time like 2026-03-02T10:00:00Z nor a duration like 30m, 4h or 7d", text.escape_debug())
}

/// Print the HAProxy configuration that puts Luigi in front of a service
#[derive(Debug, Args)]
pub(crate) struct HaproxyConfig {
    /// A policy, whose rules say which facts the lines carry. Without `--to` HAProxy compiles it as it starts, for a first try
    #[arg(conflicts_with = "feed")]
    pub(crate) policy: Option<PathBuf>,
    /// The feed that HAProxy follows; which facts the lines carry is recorded there, so that `apply` knows. Without a policy they follow the
    /// one in force in the feed
    #[arg(long, value_name = "FEED", conflicts_with = "feed")]
    pub(crate) to: Option<PathBuf>,
    /// The environment of the policy; needed if it has any
    #[arg(long, value_name = "NAME", requires = "policy")]
    pub(crate) environment: Option<String>,
    /// The key set of an issuer of the policy (repeatable)
    #[arg(long, value_name = "ISSUER=FILE", value_parser = key_file, requires = "policy", conflicts_with = "to")]
    pub(crate) jwks: Vec<(String, PathBuf)>,
    /// The feed that HAProxy follows; the lines carry what was recorded there last
    #[arg(long, value_name = "DIR", default_value = DEFAULT_FEED)]
    pub(crate) feed: PathBuf,
    /// The public key that the feed's manifests are signed with [default: feed.pub in $XDG_STATE_HOME/luigi or /var/lib/luigi]
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// The folder with the module and its Lua glue; the one that was installed with this command if not given
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// The headers that tell backends who asks, separated by commas; `none` for none
    #[arg(
        long,
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "evaluation,issuer,subject,email,groups"
    )]
    pub(crate) headers: Vec<HeaderName>,
    /// Which path backends get where the received one is not canonical
    #[arg(long, value_enum, value_name = "PATH", default_value_t)]
    pub(crate) forward: ForwardName,
    /// Record decisions to this directory: those on privileged scopes, and denials
    #[arg(long, value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
    /// Print a whole file with a named `defaults` section instead, for configurations that start fresh
    #[arg(long)]
    pub(crate) defaults: bool,
}

/// Put policy files into their usual layout; prints the names of those that were changed
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Policies, each a file or a directory of *.toml files; `-` for standard input to standard output
    #[arg(required = true, value_name = "POLICY")]
    pub(crate) paths: Vec<PathBuf>,
    /// Change nothing; print the names of files that would be changed, and exit with 1 if there are any
    #[arg(long)]
    pub(crate) check: bool,
}

/// Write scopes from what describes an API
#[derive(Debug, Subcommand)]
pub(crate) enum Scopes {
    FromOpenapi(FromOpenapi),
}

/// One scope for each operation of an OpenAPI document
///
/// Run it again when the document has changed: scopes are recognised by the comment above them, and names, hosts, tags, privilege and comments stay
/// as people wrote them. Operations that are new, have changed or have vanished are listed.
#[derive(Debug, Args)]
pub(crate) struct FromOpenapi {
    /// The document: OpenAPI 3 or Swagger 2, JSON or YAML; `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) description: PathBuf,
    /// The policy file to write the scopes into, made if it is not there; standard output if not given
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// The host of operations whose servers name none (repeatable)
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Take scopes away whose operation has vanished
    #[arg(long, requires = "to")]
    pub(crate) prune: bool,
    /// Change nothing; exit with 1 if the file is not up to date
    #[arg(long, requires = "to")]
    pub(crate) check: bool,
}

/// Print the completions of a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Print a man page, or write one for each command into a folder
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command that the page is about; the page about all of them if not given
    #[arg(value_name = "COMMAND", conflicts_with = "folder")]
    pub(crate) about: Option<String>,
    /// Write all pages into this folder; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

/// Which path backends get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForwardName {
    /// The one that was decided.
    #[default]
    Canonical,
    /// The one that was received, for backends that need every byte of it, as for signed URLs.
    Received,
}

impl From<ForwardName> for ForwardedPath {
    fn from(name: ForwardName) -> Self {
        match name {
            ForwardName::Canonical => Self::Canonical,
            ForwardName::Received => Self::Received,
        }
    }
}

/// A mode of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    /// Every request passes; what would have happened is reported.
    Observe,
    /// Decisions have effect.
    Enforce,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Observe => Self::Observe,
            ModeName::Enforce => Self::Enforce,
        }
    }
}

/// A header for backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeaderName {
    None,
    Evaluation,
    Issuer,
    Subject,
    Email,
    Groups,
    GroupsCompleteness,
}

impl HeaderName {
    /// The header, or `None` for the word `none`.
    pub(crate) fn header(self) -> Option<IdentityHeader> {
        match self {
            Self::None => None,
            Self::Evaluation => Some(IdentityHeader::Evaluation),
            Self::Issuer => Some(IdentityHeader::Issuer),
            Self::Subject => Some(IdentityHeader::Subject),
            Self::Email => Some(IdentityHeader::Email),
            Self::Groups => Some(IdentityHeader::Groups),
            Self::GroupsCompleteness => Some(IdentityHeader::GroupsCompleteness),
        }
    }
}

/// A share from 0 to 100.
fn percent(text: &str) -> Result<f64, String> {
    let share = text.trim_end_matches('%').trim_end().parse().ok().filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

/// `ISSUER=FILE`, neither of them empty.
fn key_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((issuer, file)) if !issuer.is_empty() && !file.is_empty() => Ok((issuer.to_owned(), file.into())),
        Some(_) | None => Err("expected ISSUER=FILE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_stop_ends_at_a_time_or_after_a_while() {
        let now = Timestamp::from_unix_seconds(1_000);
        for (text, expected) in [
            ("90s", Some(1_090)),
            ("30m", Some(2_800)),
            ("4h", Some(15_400)),
            ("7d", Some(605_800)),
            ("1970-01-01T00:20:00Z", Some(1_200)),
            ("0h", None),
            ("-1h", None),
            ("1.5h", None),
            ("h", None),
            ("1h30m", None),
            ("99999999999d", None),
            ("tomorrow", None),
            ("", None),
            ("７d", None),
        ] {
            let found = Until::from_argument(text).ok().map(|until| until.moment(now).unix_seconds());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
