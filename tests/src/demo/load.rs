//! Traffic while a policy is replaced: several connections, one request after the other, each response kept with the revision that answered.

use crate::Trouble;
use crate::scene::{Answer, HOST, Scene};
use luigi_runtime::answer_line::Field;
use luigi_tests::client::{Client, request};
use luigi_tests::wait;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many connections there are.
pub(crate) const CONNECTIONS: usize = 4;
/// How many requests there are at least before the change and after it.
const REQUESTS: usize = 4000;
/// Who asks, and for what.
pub(crate) const ASKING: [(&str, &str); 2] = [("anna", "/orders/7"), ("carl", "/orders/8")];

/// One response.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The request's number, in the order of sending, from 1.
    pub(crate) number: usize,
    /// Who asked: an index into [`ASKING`].
    pub(crate) who: usize,
    /// The status; 0 if there was no response.
    pub(crate) status: u16,
    /// The revision that answered; `None` if the response does not say.
    pub(crate) revision: Option<String>,
}

/// Keeps requests coming while `change` works, some before it begins and some after it is done. The records are in the order of sending.
pub(crate) fn during<T>(
    scene: &Scene,
    change: impl FnOnce() -> Result<T, Trouble>,
) -> Result<(T, Vec<Record>), Trouble> {
    let (sent, stop, records) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Vec::new()));
    let requests = ASKING.map(|(who, path)| {
        let token = scene.people().get(who).token.as_deref().expect("whoever asks has a token");
        request("GET", path, HOST, &[("authorization", &format!("Bearer {token}"))])
    });
    let connection = || {
        let mut client = Client::connect(scene.address());
        let mut mine = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let number = sent.fetch_add(1, Ordering::Relaxed) + 1;
            let who = number % requests.len();
            let response = client.exchange(&requests[who]);
            let revision = Answer::of(&response).map(|answer| answer.field(Field::Revision).to_owned());
            mine.push(Record { number, who, status: response.status, revision });
            if response.status == 0 {
                // The request counts as failed; the next ones have a connection again.
                client = Client::connect(scene.address());
            }
        }
        records.lock().expect("no other connection panics").append(&mut mine);
    };
    let done = std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(connection);
        }
        // Whatever happens below, the connections must end: the scope waits for them.
        let _stop = StopOnDrop(&stop);
        let reach = |count: usize| {
            wait::until("requests are answered", || {
                sent.load(Ordering::Relaxed) >= count || scene.interrupt().is_set()
            });
            scene.interrupt().check()
        };
        reach(REQUESTS)?;
        let done = change()?;
        reach(sent.load(Ordering::Relaxed) + REQUESTS)?;
        Ok(done)
    })?;
    let mut records = records.into_inner().expect("no connection panicked");
    records.sort_unstable_by_key(|record| record.number);
    Ok((done, records))
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
