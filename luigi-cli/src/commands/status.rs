//! `luigi status`: what is in force, in a feed or in a running HAProxy.

use crate::Found;
use crate::args::Status;
use crate::failure::Failure;
use crate::output::{Format, print, print_json};
use luigi_runtime::{Engine, EngineConfig};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long HAProxy may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than any status.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

pub(crate) fn run(arguments: &Status) -> Result<Found, Failure> {
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
    let engine =
        Engine::open(&EngineConfig::feed(&arguments.feed, &arguments.public_key)).map_err(Failure::environment)?;
    let status = engine.status();
    match arguments.format {
        Format::Human => print(&status.to_text())?,
        Format::Json => print_json(&status)?,
    }
    Ok(Found::Fine)
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
