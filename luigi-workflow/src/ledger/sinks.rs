//! Where checkpoints go: a file, a log host, a webhook.
//!
//! A checkpoint is worth as much as its place is out of reach of the ledger's owner. Each of these blocks until the line is out of the house, or says why it is not.

use super::error::LedgerError;
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// How long a webhook may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A place that checkpoints are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Lines are appended to a file and synced; best on a file system that the daemon may only append to.
    File(PathBuf),
    /// One message each (RFC 5424) to a socket of this machine, usually `/dev/log`.
    SyslogSocket(PathBuf),
    /// One datagram each (RFC 5424 over RFC 5426) to `host:port`.
    SyslogUdp(String),
    /// A POST each with the line as `text/plain`; any status of the 2xx is a receipt.
    Webhook(String),
}

impl FromStr for Sink {
    type Err = LedgerError;

    /// `https://...`, `syslog:HOST:PORT`, `syslog:/PATH`, `syslog` for `/dev/log`; anything else is a file.
    fn from_str(text: &str) -> Result<Self, LedgerError> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Webhook(text.to_owned()));
        }
        Ok(match text.strip_prefix("syslog").map(|rest| rest.strip_prefix(':').unwrap_or(rest)) {
            Some("") => Self::SyslogSocket("/dev/log".into()),
            Some(path) if path.starts_with('/') && text.starts_with("syslog:") => Self::SyslogSocket(path.into()),
            Some(address) if address.contains(':') && text.starts_with("syslog:") => {
                Self::SyslogUdp(address.to_owned())
            }
            Some(_) if text.starts_with("syslog:") => {
                return Err(LedgerError::usage(format!(
                    "`{}` is neither syslog:HOST:PORT nor syslog:/PATH",
                    text.escape_debug()
                )));
            }
            Some(_) | None if text.is_empty() => return Err(LedgerError::usage("a place for checkpoints has no name")),
            Some(_) | None => Self::File(text.into()),
        })
    }
}

impl std::fmt::Display for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::SyslogSocket(path) => write!(f, "syslog:{}", path.display()),
            Self::SyslogUdp(address) => write!(f, "syslog:{address}"),
            // What stands behind the host is often a secret, and a name stands in logs and in the ledger.
            Self::Webhook(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = authority.rsplit('@').next().unwrap_or_default();
                write!(f, "{scheme}://{host}{}", if authority.len() < rest.len() { "/..." } else { "" })
            }
        }
    }
}

impl Sink {
    /// Sends one line, which has no end of its own.
    ///
    /// # Errors
    /// It did not get there, as far as the sender can know: a datagram that is lost on its way is not noticed.
    pub fn send(&self, line: &str) -> Result<(), LedgerError> {
        let cannot = |error: &dyn std::fmt::Display| {
            LedgerError::environment(format!("cannot send a checkpoint to `{self}`: {error}"))
        };
        match self {
            Self::File(path) => append(path, line).map_err(|error| cannot(&error)),
            Self::SyslogSocket(path) => {
                let socket = UnixDatagram::unbound().map_err(|error| cannot(&error))?;
                socket.send_to(message(line).as_bytes(), path).map(drop).map_err(|error| cannot(&error))
            }
            Self::SyslogUdp(address) => {
                let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
                let socket = UdpSocket::bind(any).map_err(|error| cannot(&error))?;
                socket.send_to(message(line).as_bytes(), address).map(drop).map_err(|error| cannot(&error))
            }
            Self::Webhook(url) => {
                let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0).build();
                let request = ureq::Agent::from(config).post(url).header("content-type", "text/plain; charset=utf-8");
                let response = request.send(format!("{line}\n")).map_err(|error| cannot(&error))?;
                let status = response.status();
                if status.is_success() { Ok(()) } else { Err(cannot(&format_args!("it answered with {status}"))) }
            }
        }
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    // What a crash left of a line must not swallow this one. Where nobody may look an empty line does no harm.
    let begin = if file.metadata()?.is_file() && !ends_whole(path).unwrap_or(false) { "\n" } else { "" };
    // One write: a line that another process appends at the same time stands before or after it.
    file.write_all(format!("{begin}{line}\n").as_bytes())?;
    file.sync_all()
}

/// Whether a file is empty, or its last line has its end.
fn ends_whole(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// A message of RFC 5424: facility `log audit` (13), severity `notice` (5).
fn message(line: &str) -> String {
    const PRIORITY: u32 = 13 * 8 + 5;
    let node = rustix::system::uname();
    let node: String = node.nodename().to_string_lossy().chars().filter(char::is_ascii_graphic).take(255).collect();
    let node = if node.is_empty() { "-" } else { &node };
    format!("<{PRIORITY}>1 {:.6} {node} luigi {} checkpoint - {line}", Timestamp::now(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_place_is_told_from_its_text() {
        let check = |text: &str, expected: Option<Sink>| assert_eq!(text.parse::<Sink>().ok(), expected, "{text}");
        check("https://witness.example.com/luigi", Some(Sink::Webhook("https://witness.example.com/luigi".to_owned())));
        check("/mnt/worm/checkpoints", Some(Sink::File("/mnt/worm/checkpoints".into())));
        check("syslog", Some(Sink::SyslogSocket("/dev/log".into())));
        check("syslog:/run/log", Some(Sink::SyslogSocket("/run/log".into())));
        check("syslog:[2001:db8::1]:514", Some(Sink::SyslogUdp("[2001:db8::1]:514".to_owned())));
        check("syslog:logs.example.com:514", Some(Sink::SyslogUdp("logs.example.com:514".to_owned())));
        check("syslog:somewhere", None);
        check("syslog-checkpoints", Some(Sink::File("syslog-checkpoints".into())));
        check("", None);
    }

    #[test]
    fn the_name_of_a_webhook_tells_no_secret() {
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<Sink>().unwrap().to_string(), expected);
        check("https://witness.example.com", "https://witness.example.com");
        check(
            "https://ada:s3cret@witness.example.com:8443/T0/s3cret?key=s3cret",
            "https://witness.example.com:8443/...",
        );
        check("https://witness.example.com?key=s3cret@x", "https://witness.example.com/...");
    }

    #[test]
    fn a_line_gets_to_each_kind_of_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoints");
        for line in ["one", "two"] {
            Sink::File(file.clone()).send(line).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        // One that was not written to its end stands alone.
        std::fs::write(&file, "one\ntw").unwrap();
        Sink::File(file.clone()).send("three").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntw\nthree\n");

        let is_message = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let words: Vec<_> = text.split(' ').collect();
            let [head, time, _, "luigi", process, "checkpoint", "-", "line"] = words[..] else { panic!("{text}") };
            assert_eq!(head, "<109>1");
            assert!(time.parse::<Timestamp>().is_ok(), "{text}");
            assert_eq!(process, std::process::id().to_string());
        };
        let mut buffer = [0; 512];
        let path = folder.path().join("log");
        let socket = UnixDatagram::bind(&path).unwrap();
        Sink::SyslogSocket(path).send("line").unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        is_message(&buffer[..length]);

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        Sink::SyslogUdp(socket.local_addr().unwrap().to_string()).send("line").unwrap();
        let length = socket.recv(&mut buffer).unwrap();
        is_message(&buffer[..length]);
    }

    #[test]
    fn a_webhook_is_believed_when_it_says_so() {
        for (answer, fine) in
            [("204 No Content", true), ("500 Oops", false), ("302 Found\r\nlocation: http://127.0.0.1:1/", false)]
        {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/luigi", listener.local_addr().unwrap());
            let receiver = std::thread::spawn(move || {
                let mut stream = listener.accept().unwrap().0;
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"line\n") {
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                String::from_utf8(request).unwrap()
            });
            let sent = Sink::Webhook(url).send("line");
            let request = receiver.join().unwrap();
            assert!(request.starts_with("POST /luigi HTTP/1.1\r\n"), "{request}");
            assert_eq!(sent.is_ok(), fine, "{answer}: {sent:?}");
        }
    }
}
