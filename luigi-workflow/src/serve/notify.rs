//! What systemd is told: readiness, that the daemon lives, that it stops. A datagram each to the socket that it names; nothing where it names none.
//!
//! `sd_notify(3)` has the words. The socket may have no path but a name (`@...`).

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

/// The way to whoever supervises the daemon.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the daemon lives: half of what it allows.
    pub(crate) every: Option<Duration>,
}

impl Supervisor {
    /// As the environment says.
    pub(crate) fn from_environment() -> Self {
        let to = std::env::var_os("NOTIFY_SOCKET").and_then(|name| open(name.as_bytes()).ok());
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
        let every = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0).map(|n| Duration::from_micros(n / 2));
        Self { every: every.filter(|_| to.is_some()), to }
    }

    /// Says something; that nobody hears it changes nothing.
    pub(crate) fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.to {
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

fn open(name: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(std::ffi::OsStr::from_bytes(name)))?,
    };
    Ok((UnixDatagram::unbound()?, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_get_to_sockets_with_and_without_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let hidden = format!("@luigi-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&hidden[1..]).unwrap()).unwrap();
        for (name, socket) in [(path.to_str().unwrap(), by_path), (hidden.as_str(), by_name)] {
            let supervisor = Supervisor { to: Some(open(name.as_bytes()).unwrap()), every: None };
            supervisor.tell("READY=1");
            let mut buffer = [0; 16];
            let length = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"READY=1");
        }
    }
}
