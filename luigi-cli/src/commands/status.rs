//! `luigi status`: what is in force, in a feed or in a running HAProxy.

use crate::Found;
use crate::args;
use crate::failure::Failure;
use crate::output::{Format, count, print, print_json};
use crate::state;
use luigi_runtime::{Engine, EngineConfig, Mode, Status, Timestamp};
use serde_json::json;
use std::fmt::Display;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long HAProxy may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than any status.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

pub(crate) fn run(arguments: &args::Status) -> Result<Found, Failure> {
    if let Some(socket) = &arguments.socket {
        let command = match arguments.format {
            Format::Human => "luigi status",
            Format::Json => "luigi status json",
        };
        let answer = ask(socket, command)
            .map_err(|error| Failure::environment(format!("cannot ask HAProxy at `{}`: {error}", socket.display())))?;
        // HAProxy answers commands that it does not know with its own help.
        if answer.trim_start().starts_with("Unknown command") {
            return Err(Failure::environment(format!("the HAProxy at `{}` has no Luigi loaded", socket.display())));
        }
        print(&answer)?;
        return Ok(Found::Fine);
    }
    let engine = Engine::open(&EngineConfig::feed(&arguments.feed, state::public_key(arguments.public_key.as_deref())))
        .map_err(Failure::environment)?;
    let status = engine.status();
    match arguments.format {
        Format::Human => print(&human(&status))?,
        Format::Json => print_json(&json(&status))?,
    }
    Ok(Found::Fine)
}

/// What a data plane would find in the feed now. What only a running one knows (counters, when it loaded) is left to its own status.
fn human(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn Display| text.push_str(&format!("{name:<12}{value}\n"));
    line("mode", &mode(status.mode));
    line("revision", &status.revision);
    if let Some(environment) = &status.environment {
        line("environment", environment);
    }
    line("generation", &format_args!("{} of the feed made {}", status.generation, epoch(status.epoch)));
    if let Some(heartbeat) = status.heartbeat() {
        line("heartbeat", &heartbeat);
    }
    line("stops", &format_args!("{} in force", status.stops));
    line("rules", &status.rules);
    for (name, keys) in &status.issuers {
        match keys {
            Some(keys) => line("issuer", &format_args!("{name}, {}", count(*keys, "key"))),
            None => line("issuer", &format_args!("{name}, no keys: its tokens are refused")),
        }
    }
    text
}

fn json(status: &Status) -> serde_json::Value {
    json!({
        "mode": mode(status.mode),
        "revision": status.revision,
        "environment": status.environment,
        "generation": status.generation,
        "epoch": status.epoch,
        "heartbeat-age-seconds": status.heartbeat_age_seconds,
        "stale": status.stale,
        "stops": status.stops,
        "rules": status.rules,
        "issuers": status.issuers,
    })
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

fn epoch(seconds: u64) -> String {
    i64::try_from(seconds).map_or_else(|_| seconds.to_string(), |at| Timestamp::from_unix_seconds(at).to_string())
}

/// Sends one command to a stats socket and reads the answer, without the empty line that ends it.
fn ask(socket: &Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    writeln!(stream, "{command}")?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(format!("{}\n", answer.trim_end()))
}
