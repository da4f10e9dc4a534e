//! Handing changes to the daemon that holds a feed; where none does, they are made here.
//!
//! Which daemon that is the feed's lock says, so a command needs to know nothing but the feed.

use super::control::{Answer, ApplyOrder, MOST_BYTES, Order};
use crate::apply::{self, Applied, ApplyError, ApplyRequest};
use crate::brought::{Brought, Texts};
use crate::feed_writer::holder_of;
use crate::stops::{self, StopRequest, StopsChanged, StopsError, StopsFeed, UnstopRequest};
use luigi_core::policy::diagnostics::Color;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// [`apply::apply`], by the daemon that holds the feed if one does. `by` is who asks for it.
///
/// # Errors
/// Those of [`apply::apply`], or a daemon that does not answer.
pub fn apply(request: &ApplyRequest, by: &str) -> Result<Applied, ApplyError> {
    let Some(daemon) = daemon_of(&request.feed).map_err(ApplyError::environment)? else {
        return apply::apply(request);
    };
    let brought = Brought::read(&request.policy, &request.jwks).map_err(ApplyError::environment)?;
    let order = ApplyOrder {
        policy: request.policy.clone(),
        texts: Texts::of(&brought.sources),
        jwks: brought.jwks,
        environment: request.environment.clone(),
        on_other_environment: request.on_other_environment,
        mode: request.mode,
        colored: request.style.color == Color::Always,
        width: request.style.width,
        by: by.to_owned(),
    };
    match ask(daemon, &Order::Apply(Box::new(order)), APPLY_PATIENCE).map_err(ApplyError::environment)? {
        Answer::Applied(applied) => applied,
        Answer::Refused(why) => Err(ApplyError::environment(why)),
        Answer::Stops(_) => Err(ApplyError::environment(OTHER_ANSWER)),
    }
}

/// [`stops::stop`], likewise.
///
/// # Errors
/// Those of [`stops::stop`], or a daemon that does not answer.
pub fn stop(at: &StopsFeed, request: &StopRequest) -> Result<StopsChanged, StopsError> {
    match daemon_of(&at.feed)? {
        None => stops::stop(at, request),
        Some(daemon) => changed(daemon, &Order::Stop(request.clone())),
    }
}

/// [`stops::unstop`], likewise.
///
/// # Errors
/// Those of [`stops::unstop`], or a daemon that does not answer.
pub fn unstop(at: &StopsFeed, request: &UnstopRequest) -> Result<StopsChanged, StopsError> {
    match daemon_of(&at.feed)? {
        None => stops::unstop(at, request),
        Some(daemon) => changed(daemon, &Order::Unstop(request.clone())),
    }
}

/// How long a policy may take: the largest are checked, tested, compiled and compared in less.
const APPLY_PATIENCE: Duration = Duration::from_secs(300);

/// How long a stop may take: whoever makes one is in a hurry.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

const OTHER_ANSWER: &str = "the daemon answered something else than it was asked";

fn changed(daemon: UnixStream, order: &Order) -> Result<StopsChanged, StopsError> {
    match ask(daemon, order, STOP_PATIENCE)? {
        Answer::Stops(changed) => changed,
        Answer::Refused(why) => Err(why.into()),
        Answer::Applied(_) => Err(OTHER_ANSWER.to_owned().into()),
    }
}

/// A connection to the daemon that holds a feed; `None` if none does.
fn daemon_of(feed: &Path) -> Result<Option<UnixStream>, String> {
    let holder = holder_of(feed);
    let socket = holder.iter().flat_map(|text| text.lines()).find_map(|line| line.strip_prefix("socket "));
    let Some(socket) = socket.map(PathBuf::from) else { return Ok(None) };
    match UnixStream::connect(&socket) {
        Ok(stream) => Ok(Some(stream)),
        // Whoever said so is gone, and its lock with it.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(error) => Err(format!(
            "cannot reach the daemon that holds the feed, at `{}`: {error}\nhelp: be the user that the daemon runs as, or root",
            socket.display()
        )),
    }
}

fn ask(mut daemon: UnixStream, order: &Order, patience: Duration) -> Result<Answer, String> {
    let silent = |error: std::io::Error| {
        format!(
            "the daemon that holds the feed does not answer: {error}\nhelp: end it and try again: without one the command does it by itself"
        )
    };
    daemon.set_read_timeout(Some(patience)).map_err(silent)?;
    daemon.set_write_timeout(Some(patience)).map_err(silent)?;
    let mut line = serde_json::to_vec(order).map_err(|error| error.to_string())?;
    line.push(b'\n');
    if line.len() as u64 > MOST_BYTES {
        return Err(format!("the policy is larger than a daemon takes: {MOST_BYTES} bytes"));
    }
    daemon.write_all(&line).map_err(silent)?;
    let mut answer = Vec::new();
    BufReader::new((&daemon).take(MOST_BYTES)).read_until(b'\n', &mut answer).map_err(silent)?;
    if answer.is_empty() {
        return Err(
            "the daemon that holds the feed ended before it answered; `luigi status` shows what is in force".to_owned()
        );
    }
    serde_json::from_slice(&answer).map_err(|error| {
        format!(
            "the answer of the daemon is not understood: {error}\nhelp: command and daemon should be of one version"
        )
    })
}
