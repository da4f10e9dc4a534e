//! Strings that were given to C and not given back yet.
//!
//! They stay here, by an id that no other string ever has: what comes back is looked up and never followed, so that giving back twice, or something else, is answered,
//! whatever stands at its address by then.

use crate::numbers::luigi_status::{self, LUIGI_STATUS_CLOSED, LUIGI_STATUS_INVALID_HANDLE};
use crate::types::luigi_string;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// What C has.
#[derive(Default)]
struct Given {
    /// How many strings there ever were; the last one's id.
    count: u64,
    by_id: HashMap<u64, Vec<u8>>,
}

static GIVEN: LazyLock<Mutex<Given>> = LazyLock::new(Mutex::default);

impl luigi_string {
    /// No string.
    pub(crate) const NONE: Self = Self { data: std::ptr::null_mut(), length: 0, id: 0 };

    /// Hands a string to C.
    pub(crate) fn give(text: String) -> Self {
        let length = text.len();
        let mut bytes = text.into_bytes();
        bytes.push(0);
        // Where the bytes are does not change when the vector moves.
        let data = bytes.as_mut_ptr();
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        given.count += 1;
        let id = given.count;
        given.by_id.insert(id, bytes);
        Self { data: data.cast(), length, id }
    }

    /// Takes a string back from C; what is none is none afterwards, too.
    pub(crate) fn take_back(&mut self) -> Result<(), luigi_status> {
        if self.data.is_null() && self.id == 0 {
            return Ok(());
        }
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        match given.by_id.get(&self.id) {
            Some(bytes) if bytes.as_ptr().addr() == self.data.addr() && bytes.len() == self.length + 1 => {}
            None if (1..=given.count).contains(&self.id) => return Err(LUIGI_STATUS_CLOSED),
            Some(_) | None => return Err(LUIGI_STATUS_INVALID_HANDLE),
        }
        given.by_id.remove(&self.id);
        *self = Self::NONE;
        Ok(())
    }
}

/// Gives a string back. Afterwards it is none. None at all is fine.
///
/// Safe for threads, on different strings.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_NULL` if `string` is NULL;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if the pointer is not aligned;
/// `LUIGI_STATUS_CLOSED` if it is a copy of a string that was given back already;
/// `LUIGI_STATUS_INVALID_HANDLE` if Luigi did not make it; nothing is changed then, as with a copy;
/// `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_string_free(string: *mut luigi_string) -> luigi_status {
    crate::boundary::guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        unsafe { crate::pointers::place(string) }?.take_back()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::luigi_status::{LUIGI_STATUS_NULL, LUIGI_STATUS_OK};

    #[test]
    fn a_string_is_given_back_once() {
        let mut string = luigi_string::give("abc".to_owned());
        let mut copy = string;
        // SAFETY: a string that was just given; NULL and copies are what is tried.
        unsafe {
            assert_eq!(std::slice::from_raw_parts(string.data.cast::<u8>(), string.length + 1), b"abc\0");
            assert_eq!(luigi_string_free(&raw mut string), LUIGI_STATUS_OK);
            assert!(string.data.is_null() && string.length == 0 && string.id == 0);
            assert_eq!(luigi_string_free(&raw mut string), LUIGI_STATUS_OK, "none is fine");
            assert_eq!(luigi_string_free(&raw mut copy), LUIGI_STATUS_CLOSED);
            assert!(!copy.data.is_null(), "nothing is changed");
            assert_eq!(luigi_string_free(std::ptr::null_mut()), LUIGI_STATUS_NULL);
        }
    }

    #[test]
    fn a_copy_takes_no_other_string_with_it() {
        let mut first = luigi_string::give("first".to_owned());
        let stale = first;
        first.take_back().unwrap();
        let mut second = luigi_string::give("after".to_owned());
        // As if the allocator had given the same place again.
        let mut copy = luigi_string { id: stale.id, ..second };
        assert_eq!(copy.take_back(), Err(LUIGI_STATUS_CLOSED));
        for mut forged in [
            luigi_string { id: 0, ..second },
            luigi_string { id: u64::MAX, ..second },
            luigi_string { data: second.data.wrapping_add(1), ..second },
            luigi_string { data: std::ptr::null_mut(), ..second },
            luigi_string { length: 4, ..second },
        ] {
            assert_eq!(forged.take_back(), Err(LUIGI_STATUS_INVALID_HANDLE), "{forged:?}");
        }
        assert_eq!(second.take_back(), Ok(()));
    }
}
