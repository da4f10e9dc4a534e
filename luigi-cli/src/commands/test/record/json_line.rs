//! Requests as lines of JSON; the members are documented in docs/CLI.md.
//!
//! Uses nothing else of this command, so that it can be fuzzed by itself.

use luigi_core::policy::model::is_frontend_name;
use luigi_core::policy_tests::record::{Asker, Observed, Then};
use luigi_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `method` and `url`")]
struct Line {
    method: String,
    url: String,
    host: Option<String>,
    source: Option<IpAddr>,
    time: Option<String>,
    identity: Option<Identity>,
    headers: Option<BTreeMap<String, Values>>,
    facts: Option<BTreeMap<String, String>>,
    frontend: Option<String>,
    decision: Option<Word>,
    reason: Option<String>,
    revision: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Identity {
    Word(Unidentified),
    Claims(Map<String, Value>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unidentified {
    Nobody,
    Expired,
    Invalid,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Deny,
}

/// Reads a line, or says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Observed, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| {
        let says = error.to_string();
        // UNSHOWN: what serde_json says.
        says.split_once(" at line ").map_or(says.as_str(), |(says, _)| says).to_owned()
    })?;
    let (host, target) = match line.url.split_once("://") {
        Some(("http" | "https", rest)) => {
            let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (host, target) = rest.split_at(at);
            let slash = if target.starts_with('/') { "" } else { "/" };
            (Some(line.host.unwrap_or_else(|| host.to_owned())), format!("{slash}{target}"))
        }
        _ => (line.host, line.url),
    };
    let time = line.time.map(|time| {
        time.parse::<Timestamp>().map_err(|_| "`time` is not a time like 2026-03-02T10:00:00+01:00".to_owned())
    });
    let asker = match line.identity {
        None | Some(Identity::Word(Unidentified::Nobody)) => Asker::Nobody,
        Some(Identity::Word(Unidentified::Expired)) => Asker::Expired,
        Some(Identity::Word(Unidentified::Invalid)) => Asker::Invalid,
        Some(Identity::Claims(claims)) => Asker::Claims(claims),
    };
    let headers = line.headers.map(|headers| {
        let values = |values| match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        let headers = headers.into_iter().map(|(name, held)| (name.to_ascii_lowercase(), values(held)));
        headers.filter(|(_, values)| !values.is_empty()).collect()
    });
    let (reason, revision) = (line.reason, line.revision);
    let then = line.decision.map(|word| Then { allowed: matches!(word, Word::Allow), reason, revision });
    Ok(Observed {
        method: line.method,
        host,
        target,
        source: line.source.map(|address| address.to_canonical()),
        time: time.transpose()?,
        headers,
        facts: line.facts.map(|facts| facts.into_iter().collect()),
        frontend: line.frontend.map(frontend).transpose()?,
        asker,
        then,
    })
}

fn frontend(name: String) -> Result<String, String> {
    if is_frontend_name(&name) { Ok(name) } else { Err(format!("`{}` is no name of a frontend", name.escape_debug())) }
}
