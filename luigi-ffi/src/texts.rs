//! Strings that were given to C and not given back yet.
//!
//! They stay here, by address: what comes back is looked up and never followed, so that giving back twice, or something else, is answered.

use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_HANDLE};
use crate::types::luigi_string;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

static GIVEN: LazyLock<Mutex<HashMap<usize, Vec<u8>>>> = LazyLock::new(Mutex::default);

impl luigi_string {
    /// No string.
    pub(crate) const NONE: Self = Self { data: std::ptr::null_mut(), length: 0 };

    /// Hands a string to C.
    pub(crate) fn give(text: String) -> Self {
        let length = text.len();
        let mut bytes = text.into_bytes();
        bytes.push(0);
        // Where the bytes are does not change when the vector moves.
        let data = bytes.as_mut_ptr();
        GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(data.addr(), bytes);
        Self { data: data.cast(), length }
    }

    /// Takes a string back from C; what is none is none afterwards, too.
    pub(crate) fn take_back(&mut self) -> Result<(), luigi_status> {
        if self.data.is_null() {
            return Ok(());
        }
        let given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.data.addr());
        given.ok_or(LUIGI_STATUS_INVALID_HANDLE)?;
        *self = Self::NONE;
        Ok(())
    }
}

/// Gives a string back. Afterwards it is none. None at all is fine. Give back the one that a call filled and keep no copies: once its text is given back, a copy is told from
/// another string only as long as no other stands at its address.
///
/// Safe for threads, on different strings.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_NULL` if `string` is NULL;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if the pointer is not aligned;
/// `LUIGI_STATUS_INVALID_HANDLE` if Luigi did not make this string or has it back already; nothing is changed then;
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
            assert!(string.data.is_null() && string.length == 0);
            assert_eq!(luigi_string_free(&raw mut string), LUIGI_STATUS_OK, "none is fine");
            assert_eq!(luigi_string_free(&raw mut copy), LUIGI_STATUS_INVALID_HANDLE);
            assert_eq!(luigi_string_free(std::ptr::null_mut()), LUIGI_STATUS_NULL);
        }
    }
}
