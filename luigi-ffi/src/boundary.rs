//! Where C comes in: no panic gets past, and what went wrong becomes a status and, where the caller wants it, words.

use crate::faults::{Fault, panic_at};
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INTERNAL, LUIGI_STATUS_OK};
use crate::pointers;
use crate::types::{luigi_error, luigi_string};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what a function of the ABI does.
#[inline]
pub(crate) fn guarded(function: impl FnOnce() -> Result<(), luigi_status>) -> luigi_status {
    // What a panic leaves half-done: contexts begin each evaluation anew and throw away what one left in doubt; outputs are set last.
    match catch_unwind(AssertUnwindSafe(|| {
        panic_at(Fault::Call);
        function()
    })) {
        Ok(Ok(())) => LUIGI_STATUS_OK,
        Ok(Err(status)) => status,
        Err(_) => LUIGI_STATUS_INTERNAL,
    }
}

/// Why a function failed, for those who want words.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: luigi_status,
    pub(crate) message: String,
    pub(crate) diagnostics: Option<serde_json::Value>,
}

impl Failure {
    pub(crate) fn new(status: luigi_status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), diagnostics: None }
    }
}

/// For what needs no words of its own.
impl From<luigi_status> for Failure {
    fn from(status: luigi_status) -> Self {
        Self::new(status, status.sentence())
    }
}

/// Runs what a function of the ABI does that says more in the caller's error.
///
/// # Safety
/// The caller's promise about `error`, which may be NULL.
pub(crate) unsafe fn explained(
    error: *mut luigi_error,
    function: impl FnOnce() -> Result<(), Failure>,
) -> luigi_status {
    // SAFETY: passed on.
    let error = match unsafe { pointers::optional_output(error) } {
        Ok(error) => error,
        Err(status) => return status,
    };
    let failure = match catch_unwind(AssertUnwindSafe(|| {
        panic_at(Fault::Call);
        function()
    })) {
        Ok(result) => result.err(),
        Err(_) => Some(LUIGI_STATUS_INTERNAL.into()),
    };
    let status = failure.as_ref().map_or(LUIGI_STATUS_OK, |failure| failure.status);
    if let Some(error) = error {
        error.status = status as i32;
        (error.message, error.diagnostics) = (luigi_string::NONE, luigi_string::NONE);
        if let Some(Failure { message, diagnostics, .. }) = failure {
            error.message = luigi_string::give(message);
            error.diagnostics = diagnostics.map_or(luigi_string::NONE, |json| luigi_string::give(json.to_string()));
        }
    }
    status
}

/// Frees what an error holds; its status stays. An error that was only zeroed is fine.
///
/// Safe for threads, on different errors.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE` or, if the pointer is not aligned, `LUIGI_STATUS_INVALID_ARGUMENT` for what is no error;
/// `LUIGI_STATUS_CLOSED` if it is a copy of one that was freed already, `LUIGI_STATUS_INVALID_HANDLE` if a string in it is not Luigi's;
/// `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_error_free(error: *mut luigi_error) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let error = unsafe { pointers::output(error) }?;
        let message = error.message.take_back();
        error.diagnostics.take_back().and(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::luigi_status::{LUIGI_STATUS_BUSY, LUIGI_STATUS_STRUCT_SIZE};

    #[test]
    fn a_panic_is_a_status() {
        assert_eq!(guarded(|| panic!("a test asked for this")), LUIGI_STATUS_INTERNAL);
        assert_eq!(guarded(|| Err(LUIGI_STATUS_BUSY)), LUIGI_STATUS_BUSY);
        assert_eq!(guarded(|| Ok(())), LUIGI_STATUS_OK);
    }

    #[test]
    fn an_error_has_words_and_is_freed_once() {
        let mut error = luigi_error {
            struct_size: size_of::<luigi_error>(),
            status: 99,
            message: luigi_string::NONE,
            diagnostics: luigi_string::NONE,
        };
        // SAFETY: the error is ours.
        unsafe {
            assert_eq!(explained(&raw mut error, || panic!("a test asked for this")), LUIGI_STATUS_INTERNAL);
            assert_eq!(error.status, LUIGI_STATUS_INTERNAL as i32);
            assert!(error.message.length > 0 && error.diagnostics.data.is_null());
            let mut copy = error;
            assert_eq!(luigi_error_free(&raw mut error), LUIGI_STATUS_OK);
            assert_eq!(luigi_error_free(&raw mut error), LUIGI_STATUS_OK);
            assert_eq!(luigi_error_free(&raw mut copy), luigi_status::LUIGI_STATUS_CLOSED);
            assert_eq!(explained(&raw mut error, || Ok(())), LUIGI_STATUS_OK);
            assert_eq!((error.status, error.message.data.is_null()), (0, true));
            error.struct_size -= 1;
            let mut ran = false;
            let status = explained(&raw mut error, || {
                ran = true;
                Ok(())
            });
            assert_eq!((status, ran), (LUIGI_STATUS_STRUCT_SIZE, false));
        }
    }
}
