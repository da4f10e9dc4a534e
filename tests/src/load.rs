//! A load: several clients that ask again and again while a test changes something behind their backs.

use crate::client::{Client, request};
use crate::people::HOST;
use crate::wait;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Clients at work. Each asks for `GET /open?CLIENT-NUMBER`, with numbers that count up, on a connection of its own.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<Vec<AtomicUsize>>,
    clients: Vec<JoinHandle<Vec<u16>>>,
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

    /// Ends the load; the statuses that each client got, in order. 0 stands for no answer.
    ///
    /// # Panics
    /// If a client did.
    #[must_use]
    pub fn finish(self) -> Vec<Vec<u16>> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("a client does not panic")).collect()
    }
}

fn ask(address: SocketAddr, name: usize, stop: &AtomicBool, answered: &AtomicUsize) -> Vec<u16> {
    let mut statuses = Vec::new();
    let mut connection: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        let bytes = request("GET", &format!("/open?{name}-{}", statuses.len()), HOST, &[]);
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
        statuses.push(response.status);
        answered.fetch_add(1, Ordering::Relaxed);
    }
    statuses
}

/// What a log says about the requests of one client of a load, in the order in which it made them: the value of `name=...`.
#[must_use]
pub fn logged(log: &str, client: usize, name: &str) -> Vec<String> {
    let (request, field) = (format!("\"GET /open?{client}-"), format!(" {name}="));
    let mut found: Vec<(usize, String)> = log
        .lines()
        .filter_map(|line| {
            let number = line.split_once(&request)?.1.split(' ').next()?.parse().ok()?;
            let value = line.split_once(&field)?.1.split(' ').next()?;
            Some((number, value.to_owned()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, value)| value).collect()
}
