//! Two application servers behind HAProxy. The strict one reads requests as the standards have it; the lenient one in every way in which some server
//! does, and gives the secret away if one of these leads there. Both say what they understood, and count every breach.

use crate::estate::{ADMIN_HOST, FORGED, LEGACY_HOST, MARK};
use crate::readings::Readings;
use luigi_tests::upstream::find;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How requests are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Strict,
    Lenient,
    /// Not at all: whoever gets here may have everything. HAProxy is to send it nothing but what is for [`ADMIN_HOST`].
    Internal,
}

impl Reading {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
            Self::Internal => "internal",
        }
    }
}

/// A request as it came.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// Names in lower case, and values.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Received {
    fn parse(head: &[u8]) -> Self {
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ').map(<[u8]>::to_vec);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let fields = lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).trim().to_lowercase();
            Some((name, line[colon + 1..].trim_ascii().to_vec()))
        });
        let fields = fields.collect();
        Self { method, target, fields }
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_slice())
    }

    /// Whether it bears an identity that Luigi did not give it, under any name that CGI and its kin hold to be Luigi's.
    fn is_forged(&self) -> bool {
        self.fields.iter().any(|(name, value)| {
            let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            name.starts_with("x-luigi-") && find(value, FORGED.as_bytes()).is_some()
        })
    }
}

/// A running application; it ends with the process.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    breaches: Arc<AtomicUsize>,
}

impl Application {
    pub(crate) fn start(reading: Reading) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let application = Self { address, breaches: Arc::default() };
        let worker = application.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let worker = worker.clone();
                std::thread::spawn(move || worker.serve(connection, reading));
            }
        });
        application
    }

    /// How often something was given away so far.
    pub(crate) fn breaches(&self) -> usize {
        self.breaches.load(Ordering::Relaxed)
    }

    fn serve(&self, mut connection: TcpStream, reading: Reading) {
        // An answer goes out whole, and the next request may be on its way.
        let _ = connection.set_nodelay(true);
        let mut buffer = Vec::new();
        while let Some(request) = next_request(&mut connection, &mut buffer) {
            let leads_there = match reading {
                Reading::Strict => strictly(&request),
                Reading::Lenient => leniently(&Readings::of(&request)),
                Reading::Internal => true,
            };
            let forged = request.is_forged();
            let mut body = format!(
                "{} {} forged={forged} {}",
                request.method.escape_ascii(),
                request.target.escape_ascii(),
                if leads_there { MARK } else { "harmless" }
            );
            if leads_there || forged {
                self.breaches.fetch_add(1, Ordering::Relaxed);
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nserver: {}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
                reading.name(),
                body.len()
            );
            if request.method == b"HEAD" {
                body.clear();
            }
            if connection.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Reads a request with its body, so that the next one begins where HAProxy has it begin.
fn next_request(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at;
        }
        more(connection, buffer)?;
    };
    let request = Received::parse(&buffer[..head_end]);
    buffer.drain(..head_end + 4);
    let chunked =
        request.values("transfer-encoding").any(|value| find(&value.to_ascii_lowercase(), b"chunked").is_some());
    if chunked {
        loop {
            let line = take_line(connection, buffer)?;
            let digits: String = line.chars().take_while(char::is_ascii_hexdigit).collect();
            let length = usize::from_str_radix(&digits, 16).ok()?;
            if length == 0 {
                while !take_line(connection, buffer)?.is_empty() {}
                break;
            }
            take(connection, buffer, length + 2)?;
        }
    } else {
        let length = request.values("content-length").next().and_then(|value| std::str::from_utf8(value).ok());
        take(connection, buffer, length.and_then(|length| length.parse().ok()).unwrap_or(0))?;
    }
    Some(request)
}

fn more(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 16384];
    let read = connection.read(&mut chunk).ok().filter(|&read| read > 0)?;
    buffer.extend_from_slice(&chunk[..read]);
    Some(())
}

fn take(connection: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<()> {
    while buffer.len() < length {
        more(connection, buffer)?;
    }
    buffer.drain(..length);
    Some(())
}

fn take_line(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = find(buffer, b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..at]).into_owned();
            buffer.drain(..at + 2);
            return Some(line);
        }
        more(connection, buffer)?;
    }
}

/// Whether a reading leads to what only staff may have: `/admin`, everything on the host for administration, and changes of orders.
fn denied(host: &[u8], method: &str, path: &[u8]) -> bool {
    let mut segments = path.split(|byte| *byte == b'/').skip(1);
    let first = segments.next().unwrap_or_default();
    let admin = if host == LEGACY_HOST.as_bytes() { first.eq_ignore_ascii_case(b"admin") } else { first == b"admin" };
    admin || host == ADMIN_HOST.as_bytes() || (first == b"orders" && method == "DELETE")
}

/// RFC 3986 and RFC 9112 to the letter: one host, the path decoded once, dot segments removed.
fn strictly(request: &Received) -> bool {
    let target = String::from_utf8_lossy(&request.target).into_owned();
    let (authority, path) = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(rest[..end].to_owned()), rest[end..].to_owned())
        }
        _ => (None, target),
    };
    let field = || request.values("host").next().map(|value| String::from_utf8_lossy(value).into_owned());
    let host = authority.or_else(field).unwrap_or_default().to_lowercase();
    let host = host.split(':').next().unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let value = (byte == b'%').then(|| tail.get(..2)).flatten();
        let value = value.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(value.unwrap_or(byte));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." if kept.len() > 1 => drop(kept.pop()),
            b".." => {}
            segment => kept.push(segment),
        }
    }
    denied(host.as_bytes(), &String::from_utf8_lossy(&request.method), &kept.join(&b'/'))
}

fn leniently(readings: &Readings) -> bool {
    let hosts = || readings.hosts.iter().map(Vec::as_slice).chain([&b""[..]]);
    hosts()
        .any(|host| readings.methods.iter().any(|method| readings.paths.iter().any(|path| denied(host, method, path))))
}
