//! `luigi haproxy-config`: the lines for HAProxy.

use crate::args::HaproxyConfig;
use crate::failure::Failure;
use crate::load::Deciding;
use crate::state;
use crate::{Found, output};
use luigi_runtime::facts::FactList;
use luigi_runtime::feed::MANIFEST_NAME;
use luigi_runtime::haproxy_config::{DEFAULT_HOME, Options, PolicySource, defaults_file, lines};
use luigi_workflow::fact_record;
use std::path::{Path, PathBuf, absolute};

pub(crate) fn run(arguments: &HaproxyConfig) -> Result<Found, Failure> {
    if arguments.policy.is_some() && arguments.to.is_none() && arguments.public_key.is_some() {
        return Err(Failure::usage("`--public-key` is for a feed, and HAProxy is to read the policy itself"));
    }
    let public_key = state::public_key(arguments.public_key.as_deref());
    let source = match (&arguments.to, &arguments.policy) {
        (Some(feed), _) => PolicySource::Feed { directory: text(feed)?, public_key: text(&public_key)? },
        (None, Some(policy)) => PolicySource::Policy {
            path: text(policy)?,
            environment: environment(arguments.environment.as_deref())?,
            jwks: arguments
                .jwks
                .iter()
                .map(|(issuer, file)| Ok((issuer.clone(), text(file)?)))
                .collect::<Result<_, Failure>>()?,
        },
        (None, None) => PolicySource::Feed { directory: text(&arguments.feed)?, public_key: text(&public_key)? },
    };
    let headers = arguments.headers.iter().filter_map(|name| name.header()).collect();
    let home = arguments.home.clone().unwrap_or_else(installed_home);
    let facts = facts(arguments, &public_key)?;
    let facts = if arguments.spool.is_some() { facts.with_user_agent() } else { facts };
    if let Some(feed) = &arguments.to {
        fact_record::write(feed, &facts).map_err(Failure::environment)?;
    }
    let spool = arguments.spool.as_deref().map(text).transpose()?;
    let options = Options { home: text(&home)?, source, headers, forward: arguments.forward.into(), facts, spool };
    output::print(&if arguments.defaults { defaults_file(&options) } else { lines(&options) })?;
    Ok(Found::Fine)
}

/// What the lines carry: what the policy asks for, or the one in force in the feed; without either what was recorded last.
fn facts(arguments: &HaproxyConfig, public_key: &Path) -> Result<FactList, Failure> {
    if let Some(policy) = &arguments.policy {
        let deciding = Deciding::policy(policy, arguments.environment.as_deref(), &[])?;
        return Ok(FactList::of_policy(deciding.snapshot().policy()));
    }
    match &arguments.to {
        Some(feed) if feed.join(MANIFEST_NAME).exists() => {
            let deciding = Deciding::feed(feed, public_key)?;
            Ok(FactList::of_policy(deciding.snapshot().policy()))
        }
        Some(_) => Ok(FactList::default()),
        None => Ok(fact_record::read(&arguments.feed).map_err(Failure::environment)?.unwrap_or_default()),
    }
}

/// `PREFIX/lib/luigi` for the command `PREFIX/bin/luigi`, wherever it was installed; the usual place for one that was not.
fn installed_home() -> PathBuf {
    let command = std::env::current_exe().ok();
    let home = command.as_deref().and_then(|path| Some(path.parent()?.parent()?.join("lib/luigi")));
    home.filter(|home| home.join("luigi.lua").is_file()).unwrap_or_else(|| DEFAULT_HOME.into())
}

/// The name of an environment, which HAProxy's configuration must be able to hold.
fn environment(name: Option<&str>) -> Result<Option<String>, Failure> {
    match name {
        Some(name) if name.is_empty() || name.contains(char::is_control) => {
            Err(Failure::usage(format!("`{}` is no environment", name.escape_debug())))
        }
        Some(name) => Ok(Some(name.to_owned())),
        None => Ok(None),
    }
}

/// An absolute path as text: HAProxy may be started from anywhere, and its configuration is text.
fn text(path: &Path) -> Result<String, Failure> {
    let absolute = absolute(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
    match absolute.to_str() {
        Some(text) if !text.contains(|c: char| c.is_control()) => Ok(text.to_owned()),
        Some(_) | None => Err(Failure::usage(format!(
            "`{}` cannot stand in HAProxy's configuration",
            path.display().to_string().escape_debug()
        ))),
    }
}
