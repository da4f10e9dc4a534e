//! The socket at which commands hand their changes to the daemon that holds the feed.
//!
//! One request a connection: a line of JSON, answered by one. Who may connect follows from the socket's rights (its owner) and is checked again by the user at the other end, which the kernel
//! vouches for; what that user calls itself is believed, and stands in the ledger beside the user's number.

use super::feed::FeedKeeper;
use crate::apply::{Applied, ApplyError, ApplyRequest, OnOtherEnvironment};
use crate::brought::{Brought, BroughtKeys, Texts};
use crate::stops::{StopRequest, StopsChanged, StopsError, UnstopRequest};
use luigi_core::policy::diagnostics::{Color, Style};
use luigi_core::policy::model::Mode;
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The socket's name in the state's folder.
pub(super) const SOCKET: &str = "control.sock";

/// The longest request: a policy of the largest size, with what it names, as JSON.
pub(super) const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// How long somebody may take to send a request or to read an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many may ask at a time.
const MOST_AT_A_TIME: usize = 16;

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Order {
    Apply(Box<ApplyOrder>),
    Stop(StopRequest),
    Unstop(UnstopRequest),
}

/// A policy and what to do with it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ApplyOrder {
    /// Where it was read.
    pub(super) policy: PathBuf,
    pub(super) texts: Texts,
    pub(super) jwks: Vec<BroughtKeys>,
    pub(super) environment: Option<String>,
    pub(super) on_other_environment: OnOtherEnvironment,
    pub(super) mode: Option<Mode>,
    pub(super) colored: bool,
    pub(super) width: usize,
    pub(super) by: String,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Answer {
    Applied(Result<Applied, ApplyError>),
    Stops(Result<StopsChanged, StopsError>),
    /// The request is not one that can be answered.
    Refused(String),
}

/// Listens; the socket of a daemon that is gone makes room. One that lives keeps it, or commands would find the other, which has another feed.
pub(super) fn bind(path: &Path) -> Result<UnixListener, String> {
    let cannot = |error: std::io::Error| format!("cannot listen at `{}`: {error}", path.display());
    if let Some(folder) = path.parent() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(cannot)?;
    }
    if UnixStream::connect(path).is_ok() {
        let at = path.display();
        return Err(format!("another daemon listens at `{at}`\nhelp: give each daemon a `state` of its own"));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(error)),
    }
    let listener = UnixListener::bind(path).map_err(cannot)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(cannot)?;
    Ok(listener)
}

/// Answers until `stop` is set and somebody else connects; the process need not wait for it.
pub(super) fn serve(listener: UnixListener, feed: Arc<Mutex<FeedKeeper>>, stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let busy = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let Ok(stream) = stream else {
                // Out of descriptors, say: not as fast as it can be asked again.
                std::thread::sleep(Duration::from_millis(100));
                continue;
            };
            if busy.fetch_add(1, Ordering::Relaxed) >= MOST_AT_A_TIME {
                busy.fetch_sub(1, Ordering::Relaxed);
                let _ = reply(&stream, &Answer::Refused("too many ask for something at once".to_owned()));
                continue;
            }
            let (feed, busy) = (Arc::clone(&feed), Arc::clone(&busy));
            std::thread::spawn(move || {
                let answer = answer(&stream, &feed);
                let _ = reply(&stream, &answer);
                busy.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
}

fn answer(stream: &UnixStream, feed: &Mutex<FeedKeeper>) -> Answer {
    let (order, user) = match hear(stream) {
        Ok(heard) => heard,
        Err(why) => return Answer::Refused(why),
    };
    // One that panicked has changed the feed in one step or not at all.
    let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
    let named = |name: &str| format!("{} (user {user})", name.escape_debug());
    match order {
        Order::Apply(order) => {
            let ApplyOrder { policy, texts, jwks, environment, on_other_environment, mode, colored, width, by } =
                *order;
            let color = if colored { Color::Always } else { Color::Never };
            let request = ApplyRequest {
                policy,
                // The daemon's own, whatever the command line says.
                feed: PathBuf::new(),
                key: PathBuf::new(),
                environment,
                on_other_environment,
                jwks: Vec::new(),
                mode,
                style: Style { color, width },
            };
            let brought = Brought { sources: texts.into_sources(), jwks };
            Answer::Applied(feed.apply(&request, &brought, &named(&by)))
        }
        Order::Stop(StopRequest { what, until, reason, by }) => {
            let by = named(&by);
            Answer::Stops(feed.stop(&StopRequest { what, until, reason, by }))
        }
        Order::Unstop(UnstopRequest { id, reason, by }) => {
            let by = named(&by);
            Answer::Stops(feed.unstop(&UnstopRequest { id, reason, by }))
        }
    }
}

/// The request and the number of the user who makes it.
fn hear(stream: &UnixStream) -> Result<(Order, u32), String> {
    let system = |error: std::io::Error| format!("the request cannot be read: {error}");
    let peer = rustix::net::sockopt::socket_peercred(stream).map_err(|error| system(error.into()))?;
    let user = peer.uid.as_raw();
    if user != 0 && user != rustix::process::geteuid().as_raw() {
        return Err(format!("user {user} may not change what is in force"));
    }
    stream.set_read_timeout(Some(PATIENCE)).map_err(system)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(system)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(MOST_BYTES)).read_until(b'\n', &mut line).map_err(system)?;
    let order = serde_json::from_slice(&line).map_err(|error| {
        format!(
            "the request is not one that this daemon knows: {error}\nhelp: command and daemon should be of one version"
        )
    })?;
    Ok((order, user))
}

fn reply(mut stream: &UnixStream, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line)
}
