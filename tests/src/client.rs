//! An HTTP client that sends exactly the bytes it is given: well-formed or not.

use crate::upstream::find;
use crate::wait::PATIENCE;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// One answer of HTTP/1.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status; 0 if the other side closed the connection without an answer.
    pub status: u16,
    /// Status line and fields, as received.
    pub head: String,
    /// The body, with chunks put together.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of the first field of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection to HAProxy, kept alive between requests.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
}

impl Client<TcpStream> {
    /// Connects.
    ///
    /// # Panics
    /// If nothing listens there.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("HAProxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("delays can be switched off");
        Self { stream, received: Vec::new() }
    }
}

impl Client<UnixStream> {
    /// Connects to a frontend that listens on a Unix socket.
    ///
    /// # Panics
    /// If nothing listens there.
    #[must_use]
    pub fn connect_unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("HAProxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Self { stream, received: Vec::new() }
    }
}

impl<S: Read + Write> Client<S> {
    /// Sends bytes, such as a part of a request.
    ///
    /// # Panics
    /// If the other side has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the connection is open");
    }

    /// Sends a request, or the rest of one, and reads the answer.
    pub fn exchange(&mut self, request: &[u8]) -> Response {
        // Whoever refuses a request early may close before the last byte: what counts is the answer.
        let _ = self.stream.write_all(request);
        self.answer(request)
    }

    /// The next bytes that come, after an upgrade; fewer if the other side closes.
    pub fn receive(&mut self, length: usize) -> Vec<u8> {
        self.take(length)
    }

    /// Whether the other side closes the connection, without a further byte, while this one waits.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    fn answer(&mut self, request: &[u8]) -> Response {
        let Some(end) = self.read_until(|received| find(received, b"\r\n\r\n")) else {
            return Response { status: 0, head: String::new(), body: Vec::new() };
        };
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end + 4);
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut response = Response { status, head, body: Vec::new() };
        // After a 2xx to CONNECT comes a tunnel, and no body (RFC 9110, section 9.3.6).
        let tunnel = request.starts_with(b"CONNECT ") && (200..300).contains(&status);
        if tunnel || request.starts_with(b"HEAD ") || [101, 204, 304].contains(&status) {
            return response;
        }
        let length = response.header("content-length").and_then(|value| value.parse::<usize>().ok());
        response.body = match length {
            Some(length) => self.take(length),
            None if response.header("transfer-encoding") == Some("chunked") => self.take_chunks(),
            None => {
                self.read_until(|_| None);
                std::mem::take(&mut self.received)
            }
        };
        response
    }

    fn take_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(end) = self.read_until(|received| find(received, b"\r\n")) {
            let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
            self.received.drain(..end + 2);
            let length = usize::from_str_radix(line.trim(), 16).expect("a chunk begins with its length");
            body.extend(self.take(length));
            self.take(2);
            if length == 0 {
                break;
            }
        }
        body
    }

    /// The next bytes; fewer if the other side closes.
    fn take(&mut self, length: usize) -> Vec<u8> {
        self.read_until(|received| (received.len() >= length).then_some(length));
        self.received.drain(..length.min(self.received.len())).collect()
    }

    fn read_until(&mut self, mut found: impl FnMut(&[u8]) -> Option<usize>) -> Option<usize> {
        loop {
            if let Some(at) = found(&self.received) {
                return Some(at);
            }
            let mut chunk = [0; 16384];
            let read = self.stream.read(&mut chunk).ok().filter(|&read| read > 0)?;
            self.received.extend_from_slice(&chunk[..read]);
        }
    }
}

/// A request of HTTP/1.1 without a body: method, path, host and further fields.
#[must_use]
pub fn request(method: &str, path: &str, host: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}
