//! Handles: numbers that stand for what C holds, with a generation, so that one that was closed is answered and never followed.
//!
//! A [`Slab`] keeps values in slots that are never given back to the system; a slot that is used again has another generation. Finding a value takes
//! no lock: the state of its slot is one atomic word. Values come in two kinds. An [`Exclusive`] one serves one caller at a time, others are told that it is
//! busy; a [`Shared`] one serves all, and is freed by the last who leaves after it was closed.

use crate::faults::Fault;
use crate::numbers::luigi_status::{
    self, LUIGI_STATUS_BUSY, LUIGI_STATUS_CLOSED, LUIGI_STATUS_INVALID_HANDLE, LUIGI_STATUS_TOO_MANY,
};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Slots in the first chunk; each chunk has twice as many as the one before.
const FIRST_CHUNK: usize = 64;
/// How many chunks there may be: about a million slots.
const CHUNKS: usize = 14;

/// The state of a slot: the generation in the upper half; below, whether it holds a value that is not closed, and how many use it.
const OPEN: u64 = 1 << 31;
const USERS: u64 = OPEN - 1;
const GENERATION: u64 = !0 << 32;
const ONE_GENERATION: u64 = 1 << 32;

/// One caller at a time.
pub(crate) struct Exclusive;
/// Any number of callers at once.
pub(crate) struct Shared;

/// Values of one kind, by handle.
pub(crate) struct Slab<T, Use> {
    /// Tells its handles from those of other slabs; not 0.
    kind: u8,
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    free: Mutex<Free>,
    usage: PhantomData<Use>,
}

/// Where the next value can go.
struct Free {
    left: Vec<u32>,
    fresh: u32,
}

/// Aligned so that two threads with a slot each share no cache line.
#[repr(align(128))]
struct Slot<T> {
    state: AtomicU64,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is reached by those alone whom the state lets in: one at a time in an `Exclusive` slab, by shared reference in a
// `Shared` one, whose values must be `Sync` for that (see the bounds of `enter`). It may be dropped on another thread than made it.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    fn new() -> Self {
        Self { state: AtomicU64::new(0), value: UnsafeCell::new(None) }
    }
}

fn chunk_and_offset(index: u32) -> (usize, usize) {
    let place = index as usize + FIRST_CHUNK;
    let chunk = (place / FIRST_CHUNK).ilog2() as usize;
    (chunk, place - (FIRST_CHUNK << chunk))
}

impl<T: Send, Use> Slab<T, Use> {
    pub(crate) const fn new(kind: u8) -> Self {
        Self {
            kind,
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(Free { left: Vec::new(), fresh: 0 }),
            usage: PhantomData,
        }
    }

    /// Keeps a value; its handle.
    pub(crate) fn insert(&self, value: T) -> Result<u64, luigi_status> {
        if Fault::Handles.is_asked_for() {
            return Err(LUIGI_STATUS_TOO_MANY);
        }
        let index = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            match free.left.pop() {
                Some(index) => index,
                None => {
                    let index = free.fresh;
                    if chunk_and_offset(index).0 >= CHUNKS {
                        return Err(LUIGI_STATUS_TOO_MANY);
                    }
                    free.fresh += 1;
                    index
                }
            }
        };
        let (chunk, offset) = chunk_and_offset(index);
        let slots = self.chunks[chunk].get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| Slot::new()).collect());
        let slot = &slots[offset];
        // The first generation is 1: no handle is 0, and a slot that was never used is told from one that was closed.
        let generation = (slot.state.load(Ordering::Relaxed) & GENERATION) + ONE_GENERATION;
        // SAFETY: the slot is not open and has no users, and its index came out of the free list, so nobody else reaches the value.
        unsafe { *slot.value.get() = Some(value) };
        slot.state.store(generation | OPEN, Ordering::Release);
        Ok(generation | u64::from(self.kind) << 24 | u64::from(index))
    }

    /// The slot of a handle that this slab may have given, and the state without users that it has while it is open.
    #[inline]
    fn slot(&self, handle: u64) -> Result<(&Slot<T>, u64, u32), luigi_status> {
        let index = (handle & 0x00ff_ffff) as u32;
        if (handle >> 24) & 0xff != u64::from(self.kind) || handle & GENERATION == 0 {
            return Err(LUIGI_STATUS_INVALID_HANDLE);
        }
        let (chunk, offset) = chunk_and_offset(index);
        let slots = self.chunks.get(chunk).and_then(OnceLock::get).ok_or(LUIGI_STATUS_INVALID_HANDLE)?;
        Ok((&slots[offset], handle & GENERATION | OPEN, index))
    }

    /// Takes the value out of a slot that is closed and has no users, and gives the slot to the next.
    fn empty(&self, slot: &Slot<T>, state: u64, index: u32) -> Option<T> {
        // SAFETY: whoever closed the slot, or left it last, is the only one who sees it closed and without users, and calls this once.
        let value = unsafe { (*slot.value.get()).take() };
        // A slot whose generations are used up is used no more: a very old handle could fit again.
        if state & GENERATION != GENERATION {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).left.push(index);
        }
        value
    }
}

/// What a state other than the wanted one means.
#[cold]
fn refused(state: u64, open: u64) -> luigi_status {
    if state & (GENERATION | OPEN) == open {
        LUIGI_STATUS_BUSY
    } else if state & GENERATION < open & GENERATION {
        // No slot of this number was ever of this generation.
        LUIGI_STATUS_INVALID_HANDLE
    } else {
        LUIGI_STATUS_CLOSED
    }
}

impl<T: Send> Slab<T, Exclusive> {
    /// The value, for nobody else until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self, handle: u64) -> Result<Alone<'_, T>, luigi_status> {
        let (slot, open, _) = self.slot(handle)?;
        // PERF: the one locked instruction of a decision; leaving is a plain store, since nobody changes the state of a slot in use.
        slot.state
            .compare_exchange(open, open | 1, Ordering::Acquire, Ordering::Relaxed)
            .map_err(|state| refused(state, open))?;
        Ok(Alone { slot, open })
    }

    /// Closes a handle that is not in use; its value, to be dropped.
    pub(crate) fn close(&self, handle: u64) -> Result<Option<T>, luigi_status> {
        let (slot, open, index) = self.slot(handle)?;
        slot.state
            .compare_exchange(open, open & !OPEN, Ordering::Acquire, Ordering::Relaxed)
            .map_err(|state| refused(state, open))?;
        Ok(self.empty(slot, open, index))
    }
}

impl<T: Send + Sync> Slab<T, Shared> {
    /// The value, which lives at least until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self, handle: u64) -> Result<Among<'_, T>, luigi_status> {
        let (slot, open, index) = self.slot(handle)?;
        let mut state = slot.state.load(Ordering::Relaxed);
        loop {
            if state & (GENERATION | OPEN) != open {
                return Err(refused(state, open));
            }
            // More users than threads there cannot be, nested calls of callbacks included; a program that finds a way is told of a failure.
            assert!(state & USERS < USERS, "two thousand million calls use one handle at once");
            match slot.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(Among { slab: self, slot, index }),
                Err(now) => state = now,
            }
        }
    }

    /// Closes a handle, for those who come from now on; the last who is inside drops the value.
    pub(crate) fn close(&self, handle: u64) -> Result<(), luigi_status> {
        let (slot, open, index) = self.slot(handle)?;
        let mut state = slot.state.load(Ordering::Relaxed);
        loop {
            if state & (GENERATION | OPEN) != open {
                return Err(refused(state, open));
            }
            match slot.state.compare_exchange_weak(state, state & !OPEN, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if state & USERS == 0 => {
                    drop(self.empty(slot, state, index));
                    return Ok(());
                }
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
    }
}

/// A value of an [`Exclusive`] slab, in use.
pub(crate) struct Alone<'a, T> {
    slot: &'a Slot<T>,
    open: u64,
}

impl<T> Deref for Alone<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the state says that the slot is in use by whoever holds this guard, and by nobody else.
        let value = unsafe { &*self.slot.value.get() };
        value.as_ref().expect("an open slot holds a value")
    }
}

impl<T> DerefMut for Alone<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        let value = unsafe { &mut *self.slot.value.get() };
        value.as_mut().expect("an open slot holds a value")
    }
}

impl<T> Drop for Alone<'_, T> {
    fn drop(&mut self) {
        self.slot.state.store(self.open, Ordering::Release);
    }
}

/// A value of a [`Shared`] slab, in use.
pub(crate) struct Among<'a, T: Send + Sync> {
    slab: &'a Slab<T, Shared>,
    slot: &'a Slot<T>,
    index: u32,
}

impl<T: Send + Sync> Deref for Among<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the slot was open when this guard was counted among its users; until it is gone nobody changes the value.
        let value = unsafe { &*self.slot.value.get() };
        value.as_ref().expect("a slot in use holds a value")
    }
}

impl<T: Send + Sync> Drop for Among<'_, T> {
    fn drop(&mut self) {
        let before = self.slot.state.fetch_sub(1, Ordering::AcqRel);
        if before & (OPEN | USERS) == 1 {
            drop(self.slab.empty(self.slot, before, self.index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn slots_follow_each_other_through_the_chunks() {
        let places: Vec<_> = [0, 63, 64, 191, 192].map(chunk_and_offset).into();
        assert_eq!(places, [(0, 0), (0, 63), (1, 0), (1, 127), (2, 0)]);
    }

    #[test]
    fn a_closed_handle_is_told_from_one_that_never_was() {
        let slab: Slab<u32, Exclusive> = Slab::new(7);
        let first = slab.insert(1).unwrap();
        assert_eq!(slab.close(first), Ok(Some(1)));
        let second = slab.insert(2).unwrap();
        assert_eq!(first & !GENERATION, second & !GENERATION, "the slot is used again");
        assert_eq!(*slab.enter(second).unwrap(), 2);
        for (handle, status) in [
            (first, LUIGI_STATUS_CLOSED),
            (second + (1 << 32), LUIGI_STATUS_INVALID_HANDLE),
            (second ^ (1 << 24), LUIGI_STATUS_INVALID_HANDLE),
            (second + 1, LUIGI_STATUS_INVALID_HANDLE),
            (second | 0x00ff_ffff, LUIGI_STATUS_INVALID_HANDLE),
            (0, LUIGI_STATUS_INVALID_HANDLE),
            (u64::MAX, LUIGI_STATUS_INVALID_HANDLE),
        ] {
            assert_eq!(slab.enter(handle).err(), Some(status), "{handle:x}");
            assert_eq!(slab.close(handle), Err(status), "{handle:x}");
        }
    }

    #[test]
    fn an_exclusive_value_serves_one_at_a_time() {
        let slab: Slab<u32, Exclusive> = Slab::new(1);
        let handle = slab.insert(5).unwrap();
        let mut inside = slab.enter(handle).unwrap();
        *inside += 1;
        assert_eq!(slab.enter(handle).err(), Some(LUIGI_STATUS_BUSY));
        assert_eq!(slab.close(handle), Err(LUIGI_STATUS_BUSY));
        drop(inside);
        assert_eq!(slab.close(handle), Ok(Some(6)));
    }

    /// Counts how many of it there are.
    struct Counted(Arc<AtomicUsize>);

    impl Counted {
        fn new(count: &Arc<AtomicUsize>) -> Self {
            count.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(count))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_shared_value_outlives_its_handle_while_it_is_in_use() {
        let count = Arc::new(AtomicUsize::new(0));
        let slab: Slab<Counted, Shared> = Slab::new(1);
        let handle = slab.insert(Counted::new(&count)).unwrap();
        let (one, two) = (slab.enter(handle).unwrap(), slab.enter(handle).unwrap());
        assert_eq!(slab.close(handle), Ok(()));
        assert_eq!(slab.close(handle), Err(LUIGI_STATUS_CLOSED));
        assert_eq!(slab.enter(handle).err(), Some(LUIGI_STATUS_CLOSED));
        drop(one);
        assert_eq!(two.0.load(Ordering::Relaxed), 1);
        drop(two);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        assert_eq!(slab.enter(handle).err(), Some(LUIGI_STATUS_CLOSED));
    }

    #[test]
    fn slots_are_used_again_and_there_are_no_more_than_there_may_be() {
        let slab: Slab<(), Exclusive> = Slab::new(1);
        let most = FIRST_CHUNK * ((1 << CHUNKS) - 1);
        let handles: Vec<u64> = (0..most).map(|_| slab.insert(()).unwrap()).collect();
        assert_eq!(slab.insert(()), Err(LUIGI_STATUS_TOO_MANY));
        slab.close(handles[most / 2]).unwrap();
        assert!(slab.insert(()).is_ok());
    }

    #[test]
    fn threads_that_open_use_and_close_meet_nothing_but_answers() {
        let count = Arc::new(AtomicUsize::new(0));
        let slab: Slab<Counted, Shared> = Slab::new(1);
        let current = AtomicU64::new(slab.insert(Counted::new(&count)).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        match slab.enter(current.load(Ordering::Relaxed)) {
                            Ok(value) => assert!(value.0.load(Ordering::Relaxed) >= 1),
                            Err(status) => assert_eq!(status, LUIGI_STATUS_CLOSED),
                        }
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let next = slab.insert(Counted::new(&count)).unwrap();
                    slab.close(current.swap(next, Ordering::Relaxed)).unwrap();
                }
            });
        });
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
