//! A load: several clients that ask again and again while a test changes something behind their backs.

use crate::client::{Client, request};
use crate::people::HOST;
use crate::wait;
use luigi_runtime::answer_line::Field;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A line for the frontend: each response says what Luigi answered. A log would do, but HAProxy drops lines of it while another
/// thread is writing.
pub const TELLING: &str = "    http-after-response set-header x-luigi-answer %[var(txn.luigi.out)]\n";

/// Clients at work. Each asks for `GET /open?CLIENT-NUMBER`, with numbers that count up, on a connection of its own.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<Vec<AtomicUsize>>,
    clients: Vec<JoinHandle<Vec<Given>>>,
}

/// What a client got for one request.
#[derive(Clone, Debug)]
pub struct Given {
    /// The status; 0 stands for no answer.
    pub status: u16,
    answer: String,
}

impl Given {
    /// A field of Luigi's answer, where the frontend is [`TELLING`]; empty if there was none.
    #[must_use]
    pub fn field(&self, field: Field) -> &str {
        self.answer.split('|').nth(usize::from(field.number()) - 1).unwrap_or_default()
    }
}

impl Load {
    /// Starts this many clients.
    #[must_use]
    pub fn start(address: SocketAddr, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered: Arc<Vec<AtomicUsize>> = Arc::new((0..clients).map(|_| AtomicUsize::new(0)).collect());
        let clients = (0..clients)
            .map(|client| {
                let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
                std::thread::spawn(move || ask(address, client, &stop, &answered[client]))
            })
            .collect();
        Self { stop, answered, clients }
    }

    /// Waits until every client got this many more answers.
    pub fn go_on(&self, more: usize) {
        let goals: Vec<usize> = self.answered.iter().map(|count| count.load(Ordering::Relaxed) + more).collect();
        wait::until("every client goes on", || {
            self.answered.iter().zip(&goals).all(|(count, goal)| count.load(Ordering::Relaxed) >= *goal)
        });
    }

    /// Ends the load; what each client got, in order.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish(self) -> Vec<Vec<Given>> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    }
}

fn ask(address: SocketAddr, name: usize, stop: &AtomicBool, answered: &AtomicUsize) -> Vec<Given> {
    let mut given = Vec::new();
    let mut connection: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        let bytes = request("GET", &format!("/open?{name}-{}", given.len()), HOST, &[]);
        let kept = connection.take();
        let was_kept = kept.is_some();
        let mut client = kept.unwrap_or_else(|| Client::connect(address));
        let mut response = client.exchange(&bytes);
        // A server may close a connection that waits for the next request: every client of HTTP asks again on a new one then.
        if response.status == 0 && was_kept {
            client = Client::connect(address);
            response = client.exchange(&bytes);
        }
        let closing = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        connection = (response.status != 0 && !closing).then_some(client);
        let answer = response.header("x-luigi-answer").unwrap_or_default().to_owned();
        given.push(Given { status: response.status, answer });
        answered.fetch_add(1, Ordering::Relaxed);
    }
    given
}
