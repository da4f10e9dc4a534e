//! A small HTTP server behind HAProxy. It keeps the bytes of every request it gets and sends them back as the body of its answer; a request for a
//! WebSocket at a path that ends with `/socket` it answers with 101, and from then on sends back whatever comes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The server; it runs until the process ends.
#[derive(Clone, Debug)]
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Upstream {
    /// Starts to listen on a free loopback port.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let record = Arc::clone(&record);
                std::thread::spawn(move || serve(connection, &record));
            }
        });
        Self { address, seen }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, byte for byte, in the order in which they were complete.
    #[must_use]
    pub fn seen(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests hold these bytes.
    #[must_use]
    pub fn count_with(&self, needle: &[u8]) -> usize {
        self.seen().iter().filter(|request| find(request, needle).is_some()).count()
    }
}

/// Answers requests on one connection until the other side closes it.
fn serve(mut connection: TcpStream, seen: &Mutex<Vec<Vec<u8>>>) {
    let mut received = Vec::new();
    while let Some(length) = read_request(&mut connection, &mut received) {
        let request: Vec<u8> = received.drain(..length).collect();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n", request.len());
        if is_for_a_socket(&request) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            return echo(connection, &received);
        }
        let body = if request.starts_with(b"HEAD ") { &[][..] } else { &request[..] };
        let answer = [head.as_bytes(), body].concat();
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        if connection.write_all(&answer).is_err() {
            return;
        }
    }
}

fn is_for_a_socket(request: &[u8]) -> bool {
    let line = request.split(|&byte| byte == b'\n').next().unwrap_or_default();
    find(line, b"/socket HTTP/1.1").is_some() && find(&request.to_ascii_lowercase(), b"upgrade: websocket").is_some()
}

/// Accepts the key of RFC 6455's example, which HAProxy checks, and sends back what comes; no frames are looked at.
fn echo(mut connection: TcpStream, received: &[u8]) {
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let mut next = [head.as_bytes(), received].concat();
    let mut chunk = [0; 8192];
    while connection.write_all(&next).is_ok() {
        match connection.read(&mut chunk) {
            Ok(read) if read > 0 => next = chunk[..read].to_vec(),
            Ok(_) | Err(_) => return,
        }
    }
}

/// The length of the next whole request at the start of `received`, after reading as much as that takes.
fn read_request(connection: &mut TcpStream, received: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(end) = find(received, b"\r\n\r\n") {
            let length = end + 4 + content_length(&received[..end]);
            if received.len() >= length {
                return Some(length);
            }
        }
        let mut chunk = [0; 8192];
        let read = connection.read(&mut chunk).ok().filter(|&read| read > 0)?;
        received.extend_from_slice(&chunk[..read]);
    }
}

fn content_length(head: &[u8]) -> usize {
    let lines = head.split(|&byte| byte == b'\n');
    let value = lines.filter_map(|line| std::str::from_utf8(line).ok()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    value.unwrap_or(0)
}

/// Where `needle` begins in `haystack`.
#[must_use]
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
