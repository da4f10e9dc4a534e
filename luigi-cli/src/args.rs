//! The arguments of each command, and the help that `luigi --help` prints.

use crate::output::Color;
use clap::{Args, Parser, Subcommand, ValueEnum};
use luigi_runtime::haproxy_config::{DEFAULT_HOME, IdentityHeader};
use std::path::PathBuf;

/// Decides how and when HAProxy's gates open.
#[derive(Debug, Parser)]
#[command(
    name = "luigi",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 fine, 1 the policy, its tests or an input has problems, 2 wrong usage, 3 a file, feed or process is at fault."
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
    HaproxyConfig(HaproxyConfig),
}

/// Print the HAProxy configuration that puts Luigi in front of a service
#[derive(Debug, Args)]
pub(crate) struct HaproxyConfig {
    /// A policy file or directory that HAProxy compiles as it starts, for a first try; it must be free of errors
    #[arg(conflicts_with_all = ["feed", "public_key"])]
    pub(crate) policy: Option<PathBuf>,
    /// The key set of an issuer of the policy (repeatable)
    #[arg(long, value_name = "ISSUER=FILE", value_parser = pair, requires = "policy")]
    pub(crate) jwks: Vec<(String, String)>,
    /// The feed that HAProxy follows
    #[arg(long, value_name = "DIR", default_value = "/var/lib/luigi/feed")]
    pub(crate) feed: PathBuf,
    /// The public key that the feed's manifests are signed with
    #[arg(long, value_name = "FILE", default_value = "/etc/luigi/feed.pub")]
    pub(crate) public_key: PathBuf,
    /// The folder with the module and its Lua glue
    #[arg(long, value_name = "DIR", default_value = DEFAULT_HOME)]
    pub(crate) home: PathBuf,
    /// The headers that tell backends who asks, separated by commas; `none` for none
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "evaluation,issuer,subject,email,groups")]
    pub(crate) headers: Vec<HeaderName>,
    /// Print a whole file with a named `defaults` section instead, for configurations that start fresh
    #[arg(long)]
    pub(crate) defaults: bool,
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

/// `NAME=VALUE`, neither of them empty.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected ISSUER=FILE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_formed() {
        Cli::command().debug_assert();
    }
}
