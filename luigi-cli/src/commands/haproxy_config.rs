//! `luigi haproxy-config`: the lines for HAProxy.

use crate::args::HaproxyConfig;
use crate::failure::Failure;
use crate::{Found, output};
use luigi_runtime::haproxy_config::{Options, PolicySource, defaults_file, lines};
use std::path::{Path, absolute};

pub(crate) fn run(arguments: &HaproxyConfig) -> Result<Found, Failure> {
    let source = match &arguments.policy {
        Some(policy) => PolicySource::Policy {
            path: text(policy)?,
            jwks: arguments
                .jwks
                .iter()
                .map(|(issuer, file)| Ok((issuer.clone(), text(file)?)))
                .collect::<Result<_, Failure>>()?,
        },
        None => PolicySource::Feed { directory: text(&arguments.feed)?, public_key: text(&arguments.public_key)? },
    };
    let headers = arguments.headers.iter().filter_map(|name| name.header()).collect();
    let options = Options { home: text(&arguments.home)?, source, headers };
    output::print(&if arguments.defaults { defaults_file(&options) } else { lines(&options) })?;
    Ok(Found::Fine)
}

/// An absolute path as text: HAProxy may be started from anywhere, and its configuration is text.
fn text(path: &Path) -> Result<String, Failure> {
    let absolute = absolute(path).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
    match absolute.to_str() {
        Some(text) if !text.contains(|c: char| c.is_control()) => Ok(text.to_owned()),
        Some(_) | None => Err(Failure::usage(format!("`{}` cannot stand in HAProxy's configuration", path.display()))),
    }
}
