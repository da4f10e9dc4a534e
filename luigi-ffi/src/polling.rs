//! Following a feed: by the embedder's own calls, or by a thread.

use crate::boundary::{Failure, explained, guarded};
use crate::engine::{EngineRecord, engine};
use crate::faults::Fault;
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_SYSTEM};
use crate::numbers::{luigi_log_level, luigi_poll};
use crate::pointers::{self, Callbacks};
use crate::types::{luigi_engine, luigi_error};
use luigi_runtime::{Budget, Poll, PollEvent};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

/// Looks whether the feed has a new version and works on it; an engine on a policy file has none. Looks after the spool, if there is one. What happened goes to the log.
/// Decisions go on meanwhile and never wait. While one thread polls an engine, others that do find nothing to do.
///
/// `how`: a `luigi_poll`. `LUIGI_POLL_ALL` may take seconds for a large policy.
/// `next_milliseconds`: gets after how many milliseconds to call again; may be NULL.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`, also if a new version was refused and the last good one stays: the log and `luigi_engine_statistics` tell;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `how` is none, or `next_milliseconds` is not aligned;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_engine_poll(
    engine: luigi_engine,
    how: i32,
    next_milliseconds: *mut u32,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let next = unsafe { pointers::optional_place(next_milliseconds) }?;
        let all = match how {
            how if how == luigi_poll::LUIGI_POLL_SLICE as i32 => false,
            how if how == luigi_poll::LUIGI_POLL_ALL as i32 => true,
            _ => return Err(LUIGI_STATUS_INVALID_ARGUMENT),
        };
        let record = self::engine(engine)?;
        let poll = if all { poll_all(&record) } else { poll_once(&record, Budget::default()) };
        if let Some(next) = next {
            *next = u32::try_from(poll.next.as_millis()).unwrap_or(u32::MAX);
        }
        Ok(())
    })
}

fn poll_once(record: &EngineRecord, budget: Budget) -> Poll {
    let poll = record.engine.poll(budget);
    if let Some(event) = &poll.event {
        log(&record.callbacks, event);
    }
    poll
}

fn poll_all(record: &EngineRecord) -> Poll {
    loop {
        let poll = poll_once(record, Budget::UNLIMITED);
        if !poll.is_busy() {
            return poll;
        }
    }
}

fn log(callbacks: &Callbacks, event: &PollEvent) {
    let level = match event {
        PollEvent::Published { .. } | PollEvent::Alive => luigi_log_level::LUIGI_LOG_NOTICE,
        PollEvent::LineLacks { .. } => luigi_log_level::LUIGI_LOG_WARNING,
        PollEvent::Refused { .. } | PollEvent::RecordsLost { .. } | PollEvent::Stale { .. } => {
            luigi_log_level::LUIGI_LOG_ERROR
        }
    };
    callbacks.log(level, &event.to_string());
}

/// Starts a thread that polls the engine until it is closed or `luigi_engine_stop_polling` is called. If there is one already nothing is done. The
/// thread blocks all signals. It does not survive a `fork`: start it in the process that needs it.
///
/// `error`: gets words if the call fails; may be NULL.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_SYSTEM` if the thread cannot be started;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `error` is not aligned;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_engine_start_polling(engine: luigi_engine, error: *mut luigi_error) -> luigi_status {
    let start = || {
        let record = self::engine(engine)?;
        let mut running = record.poll_thread.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            let thread = PollThread::start(&record).map_err(|why| {
                Failure::new(LUIGI_STATUS_SYSTEM, format!("cannot start the thread that polls: {why}"))
            })?;
            *running = Some(thread);
        }
        Ok(())
    };
    // SAFETY: the caller's promise, as the header states it.
    unsafe { explained(error, start) }
}

/// Stops the thread that polls the engine and waits for its end, unless a callback of that thread is what calls. If there is none nothing is done.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_engine_stop_polling(engine: luigi_engine) -> luigi_status {
    guarded(|| {
        PollThread::stop(&self::engine(engine)?.poll_thread);
        Ok(())
    })
}

/// A thread that polls, and how to stop it.
pub(crate) struct PollThread {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: JoinHandle<()>,
}

impl PollThread {
    fn start(record: &Arc<EngineRecord>) -> std::io::Result<Self> {
        if Fault::Thread.is_asked_for() {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (record, stopped) = (Arc::downgrade(record), Arc::clone(&stop));
        let _blocked = BlockedSignals::all();
        let thread = std::thread::Builder::new().name("luigi-poll".to_owned()).spawn(move || run(&record, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Stops what runs there, if anything does.
    pub(crate) fn stop(running: &Mutex<Option<Self>>) {
        // Taken out first: whoever starts or stops another meanwhile does not wait for this one to end.
        let taken = running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Self { stop, thread }) = taken else { return };
        let (stopped, wake) = &*stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        if thread.thread().id() != std::thread::current().id() {
            // A panic in it has been told of.
            let _ = thread.join();
        }
    }
}

fn run(record: &Weak<EngineRecord>, (stopped, wake): &(Mutex<bool>, Condvar)) {
    loop {
        // The record is let go of while waiting.
        let Some(record) = record.upgrade().filter(|record| !record.is_closed()) else { return };
        let next = poll_once(&record, Budget::UNLIMITED).next;
        drop(record);
        let stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return;
        }
        let waited = wake.wait_timeout_while(stopped, next, |stopped| !*stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
    }
}

/// All signals blocked on this thread until dropped, so that a thread that is started meanwhile takes none from the embedder.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn all() -> Self {
        // SAFETY: both sets are ours; `sigfillset` makes the first a set, and `pthread_sigmask` fills the other.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self { before }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that `pthread_sigmask` gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}
