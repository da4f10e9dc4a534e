//! Following a feed: by the embedder's own calls, or by a thread.
//!
//! A thread that Luigi starts must not make a `fork` of the program any harder than it is: it works in slices, and a `fork` waits for the end of the one that
//! runs (`forks`), so that the child finds no lock of an engine held, and no engine held by a thread that is not there.

use crate::boundary::{Failure, explained, guarded};
use crate::engine::{EngineRecord, engine};
use crate::faults::Fault;
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_SYSTEM};
use crate::numbers::{luigi_log_level, luigi_poll};
use crate::pointers::{self, Callbacks};
use crate::types::{luigi_engine, luigi_error};
use luigi_runtime::{Budget, Poll, PollEvent, ProcessMark};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{JoinHandle, ThreadId};

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
/// thread blocks all signals. A child that is forked has none and may start one of its own, whatever its parent has.
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
        record
            .poll_threads
            .start(|| polling(&record))
            .map_err(|why| Failure::new(LUIGI_STATUS_SYSTEM, format!("cannot start the thread that polls: {why}")))
    };
    // SAFETY: the caller's promise, as the header states it.
    unsafe { explained(error, start) }
}

/// Stops the thread that polls the engine and waits for its end, also if another call has stopped it and waits, too; unless a callback of that thread is what calls. If there is
/// none nothing is done.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_engine_stop_polling(engine: luigi_engine) -> luigi_status {
    guarded(|| {
        self::engine(engine)?.poll_threads.stop();
        Ok(())
    })
}

/// Whether a thread that polls is to stop, and what wakes it.
type Stop = (Mutex<bool>, Condvar);

/// The thread that polls an engine, and those before it that are not known to have ended.
#[derive(Default)]
pub(crate) struct PollThreads {
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    /// The process that they are threads of; `None` before the first is started.
    process: Option<ProcessMark>,
    running: Option<Arc<PollThread>>,
    stopped: Vec<Arc<PollThread>>,
}

struct PollThread {
    stop: Arc<Stop>,
    id: ThreadId,
    /// Until somebody has waited for its end; others who want to, wait for the lock.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl PollThreads {
    /// Starts a thread, unless one runs.
    fn start<F: FnOnce(&Stop) + Send + 'static>(&self, body: impl FnOnce() -> F) -> std::io::Result<()> {
        forks::wait_for_slices()?;
        let mut threads = self.lock();
        threads.stopped.retain(|thread| !thread.is_over());
        if threads.running.is_none() {
            threads.running = Some(Arc::new(PollThread::start(body())?));
            threads.process = Some(ProcessMark::now());
        }
        Ok(())
    }

    /// Stops what runs here, if anything does, and waits for its end, whoever stopped it first; not in a callback, which would wait for itself.
    pub(crate) fn stop(&self) {
        let stopped = {
            let mut threads = self.lock();
            if let Some(thread) = threads.running.take() {
                thread.tell();
                threads.stopped.push(thread);
            }
            threads.stopped.clone()
        };
        // The lock is free meanwhile: whoever starts another does not wait for these to end.
        let here = std::thread::current().id();
        if stopped.iter().any(|thread| thread.id == here) {
            return;
        }
        stopped.iter().for_each(|thread| thread.wait());
        self.lock().stopped.retain(|thread| !thread.is_over());
    }

    /// The threads of this process: in a child that was forked those of its parent are not there.
    fn lock(&self) -> MutexGuard<'_, Threads> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.process.is_some_and(|process| process != ProcessMark::now()) {
            // Neither joined nor detached, which is for threads that are there; what told them to stop may be locked by them.
            std::mem::forget(std::mem::take(&mut *threads));
        }
        threads
    }
}

impl PollThread {
    fn start(body: impl FnOnce(&Stop) + Send + 'static) -> std::io::Result<Self> {
        if Fault::Thread.is_asked_for() {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let stop = Arc::new(Stop::default());
        let stopped = Arc::clone(&stop);
        let _blocked = BlockedSignals::all();
        let thread = std::thread::Builder::new().name("luigi-poll".to_owned()).spawn(move || body(&stopped))?;
        Ok(Self { stop, id: thread.thread().id(), thread: Mutex::new(Some(thread)) })
    }

    fn tell(&self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
    }

    fn wait(&self) {
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic in it has been told of.
            let _ = thread.join();
        }
    }

    /// Whether it has ended; no if somebody waits for that.
    fn is_over(&self) -> bool {
        self.thread.try_lock().is_ok_and(|thread| thread.as_ref().is_none_or(JoinHandle::is_finished))
    }
}

/// What the thread does that polls an engine.
fn polling(record: &Arc<EngineRecord>) -> impl FnOnce(&Stop) + Send + use<> {
    let record = Arc::downgrade(record);
    move |stop| run(&record, stop)
}

fn run(record: &Weak<EngineRecord>, (stopped, wake): &Stop) {
    loop {
        let (poll, callbacks) = {
            let _no_fork = forks::slice();
            // The record is let go of while waiting, and while the embedder is told, who may fork.
            let Some(record) = record.upgrade().filter(|record| !record.is_closed()) else { return };
            (record.engine.poll(THREAD_BUDGET), record.callbacks)
        };
        if let Some(event) = &poll.event {
            log(&callbacks, event);
        }
        let next = poll.next;
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

/// What the thread does in one slice: a `fork` waits for it, for some milliseconds at most.
const THREAD_BUDGET: Budget = Budget { bytes: 1 << 20, records: 4_000 };

/// A `fork` of the program waits for the slices of threads that poll.
mod forks {
    use std::cell::Cell;
    use std::io;
    use std::sync::atomic::{AtomicI32, Ordering};
    use std::sync::{Mutex, MutexGuard, Once, PoisonError};

    static SLICE: Mutex<()> = Mutex::new(());

    thread_local! {
        /// What a thread that forks holds meanwhile; parent and child each let go of their own.
        static HELD: Cell<Option<MutexGuard<'static, ()>>> = const { Cell::new(None) };
    }

    /// From now on each `fork` waits. A program without a thread of Luigi's never comes here.
    pub(super) fn wait_for_slices() -> io::Result<()> {
        static WAIT: Once = Once::new();
        static FAILED: AtomicI32 = AtomicI32::new(0);
        WAIT.call_once(|| {
            // SAFETY: the handlers are functions of this library, which is never unloaded; each does nothing but to take or let go of a lock, in the thread that forks.
            let failed = unsafe { libc::pthread_atfork(Some(before), Some(after), Some(after)) };
            FAILED.store(failed, Ordering::Relaxed);
        });
        match FAILED.load(Ordering::Relaxed) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// While this is held no `fork` happens. Nothing that the embedder wrote may run meanwhile.
    pub(super) fn slice() -> MutexGuard<'static, ()> {
        SLICE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    extern "C" fn before() {
        // A thread that forks as it ends has nothing to keep the lock in: its `fork` does not wait.
        let _ = HELD.try_with(|held| held.set(Some(slice())));
    }

    extern "C" fn after() {
        let _ = HELD.try_with(Cell::take);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    /// A thread that was told to stop and is still in a callback: everybody who stops it waits, not the first alone.
    #[test]
    fn everybody_who_stops_a_thread_waits_for_its_end() {
        let threads = PollThreads::default();
        let over = Arc::new(AtomicBool::new(false));
        let (release, held) = mpsc::channel::<()>();
        let of_thread = Arc::clone(&over);
        let body = move |_: &Stop| {
            held.recv().expect("the test releases it");
            of_thread.store(true, Ordering::Relaxed);
        };
        threads.start(|| body).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                threads.stop();
                assert!(over.load(Ordering::Relaxed));
            });
            while threads.lock().stopped.is_empty() {
                std::thread::yield_now();
            }
            scope.spawn(move || {
                // What returns too early has time for it; nothing else depends on that.
                std::thread::sleep(Duration::from_millis(50));
                release.send(()).expect("the thread is there");
            });
            threads.stop();
            assert!(over.load(Ordering::Relaxed));
        });
        assert!(threads.lock().running.is_none() && threads.lock().stopped.is_empty());
    }

    /// Forks; the child ends with what `of_child` says.
    fn forked(of_child: impl FnOnce() -> i32) -> i32 {
        // SAFETY: the child does what the test says, which takes no lock that another test's thread may hold, and ends without running exit handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: a child that waits without an end is ended, which its parent sees.
            unsafe { libc::alarm(60) };
            let code = of_child();
            // SAFETY: ends the child; nothing is left to clean up.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: `child` is a child of this process that nobody else waits for; `status` is a place for its status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status), "{status:x}");
        libc::WEXITSTATUS(status)
    }

    #[test]
    fn a_fork_waits_for_a_slice_that_runs() {
        forks::wait_for_slices().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let (of_slice, (begins, begun)) = (Arc::clone(&over), mpsc::channel());
        let slice = std::thread::spawn(move || {
            let _no_fork = forks::slice();
            begins.send(()).expect("the test waits");
            // What does not wait has time for it; nothing else depends on that.
            std::thread::sleep(Duration::from_millis(50));
            of_slice.store(true, Ordering::Relaxed);
        });
        begun.recv().unwrap();
        let found = forked(|| {
            // The child is not held up by what its parent waited for.
            drop(forks::slice());
            i32::from(over.load(Ordering::Relaxed))
        });
        assert_eq!(found, 1, "the child came in the middle of a slice");
        drop(forks::slice());
        slice.join().unwrap();
    }

    /// Waiting for a thread of the parent would have no end.
    #[test]
    fn a_child_has_none_of_its_parents_threads_and_may_have_its_own() {
        let threads = PollThreads::default();
        let (release, held) = mpsc::channel::<()>();
        threads.start(|| move |_: &Stop| held.recv().expect("the test releases it")).unwrap();
        let found = forked(|| {
            threads.stop();
            let (here, there) = mpsc::channel();
            threads.start(|| move |_: &Stop| here.send(7).expect("the child waits")).expect("a thread");
            let found = there.recv().unwrap_or(0);
            threads.stop();
            found
        });
        assert_eq!(found, 7);
        assert!(threads.lock().running.is_some(), "the parent keeps its own");
        release.send(()).unwrap();
        threads.stop();
    }

    #[test]
    fn a_callback_that_stops_its_thread_waits_for_nobody_and_those_after_it_do() {
        let threads = Arc::new(PollThreads::default());
        let (over, inner) = (Arc::new(AtomicBool::new(false)), Arc::clone(&threads));
        let (of_thread, (stops, stopped)) = (Arc::clone(&over), mpsc::channel());
        let body = move |_: &Stop| {
            inner.stop();
            stops.send(()).expect("the test waits");
            std::thread::sleep(Duration::from_millis(50));
            of_thread.store(true, Ordering::Relaxed);
        };
        threads.start(|| body).unwrap();
        stopped.recv().unwrap();
        threads.stop();
        assert!(over.load(Ordering::Relaxed));
    }
}
