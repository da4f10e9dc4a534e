//! Asks: over several connections at once for processor time, one request after another for latency, and each once to see what passes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Connections that are asked over at once.
const CONNECTIONS: usize = 8;

/// What a setup is to do with the requests.
pub(crate) enum Expected {
    /// What the oracle says.
    Decides,
    /// It does not look at who asks, and lets too many pass.
    KnowsNobody,
    /// It decides nothing.
    LetsAllPass,
}

/// Connections that stay open, and requests that pass in turn.
pub(crate) struct Client<'a> {
    connections: Vec<TcpStream>,
    requests: std::iter::Cycle<std::slice::Iter<'a, String>>,
    buffer: Vec<u8>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(address: SocketAddr, requests: &'a [String]) -> Self {
        let connect = |_| {
            let connection = TcpStream::connect(address).expect("the proxy listens");
            connection.set_nodelay(true).expect("an option of TCP");
            connection
        };
        let connections = (0..CONNECTIONS).map(connect).collect();
        Self { connections, requests: requests.iter().cycle(), buffer: vec![0; 16_384] }
    }

    /// Asks so many requests over all connections; the microseconds of processor time that each cost, as `cpu` books it.
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn cpu_of(&mut self, requests: usize, cpu: impl Fn() -> Duration) -> f64 {
        let before = cpu();
        self.ask_over_all(requests);
        (cpu() - before).as_secs_f64() * 1e6 / requests as f64
    }

    /// So many requests, as many at once as there are connections.
    fn ask_over_all(&mut self, requests: usize) {
        assert!(requests.is_multiple_of(CONNECTIONS), "each connection gets the same");
        for _ in 0..requests / CONNECTIONS {
            for at in 0..CONNECTIONS {
                self.send(at);
            }
            for at in 0..CONNECTIONS {
                self.receive(at);
            }
        }
    }

    /// So many requests, one after another over one connection; what each took.
    pub(crate) fn ask_one_by_one(&mut self, requests: usize) -> Vec<Duration> {
        (0..requests)
            .map(|_| {
                let start = Instant::now();
                self.send(0);
                self.receive(0);
                start.elapsed()
            })
            .collect()
    }

    fn send(&mut self, connection: usize) {
        let request = self.requests.next().expect("a cycle has no end");
        self.connections[connection].write_all(request.as_bytes()).expect("the proxy reads");
    }

    fn receive(&mut self, connection: usize) {
        let mut read = 0;
        while !self.buffer[..read].ends_with(b"\r\n\r\nok") {
            let more = self.connections[connection].read(&mut self.buffer[read..]).expect("the proxy answers");
            assert!(more > 0, "not what was asked for: {}", String::from_utf8_lossy(&self.buffer[..read]));
            read += more;
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&self.buffer[..read]));
    }
}

/// Whether a request reaches the upstream, over a connection of its own.
pub(crate) fn passes(address: SocketAddr, request: &str) -> bool {
    let mut connection = TcpStream::connect(address).expect("the proxy listens");
    let last = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    connection.write_all(last.as_bytes()).expect("the proxy reads");
    let mut answer = Vec::new();
    // Some proxies reset the connection after a refusal.
    let _ = connection.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    match text.split(' ').nth(1) {
        Some("200") => true,
        Some("401" | "403") => false,
        _ => panic!("neither passed nor refused: {text:?}"),
    }
}
