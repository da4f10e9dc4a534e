//! What the library is, and the words for its numbers.

use crate::numbers::{
    LUIGI_ABI_VERSION, LUIGI_FEATURE_EXPLAIN, LUIGI_FEATURE_POLICY_FILES, luigi_status, reason_number,
};
use luigi_core::decide::Reason;
use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

/// What stands for a number that is none of its enum.
const UNKNOWN: &CStr = c"unknown";

/// The version of the library, `0.1.0`, say. Lives as long as the library.
///
/// Safe for threads.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The version of the library's ABI. Programs compare it with `LUIGI_ABI_VERSION` before they call anything else.
///
/// Safe for threads.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_abi_version() -> u32 {
    LUIGI_ABI_VERSION
}

/// What the library was built with: the sum of its `LUIGI_FEATURE_` numbers. Functions of a feature that is missing are there, and return `LUIGI_STATUS_UNSUPPORTED`.
///
/// Safe for threads.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_features() -> u64 {
    let feature = |built: bool, number: u64| if built { number } else { 0 };
    feature(cfg!(feature = "policy-files"), LUIGI_FEATURE_POLICY_FILES)
        | feature(cfg!(feature = "explain"), LUIGI_FEATURE_EXPLAIN)
}

/// A word for a `luigi_status`; `unknown` for other numbers. Lives as long as the library.
///
/// Safe for threads.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_status_name(status: i32) -> *const c_char {
    let known = luigi_status::ALL.iter().find(|known| **known as i32 == status);
    known.map_or(UNKNOWN, |known| known.name()).as_ptr()
}

/// The stable code of a `luigi_reason`, as logs have it: `allowed-by-rule`, say; `none` for `LUIGI_REASON_NONE`, `unknown` for other numbers. Lives as long as the library.
///
/// Safe for threads.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_reason_name(reason: i32) -> *const c_char {
    static NAMES: LazyLock<Vec<CString>> = LazyLock::new(|| {
        // Codes have no NUL byte in them.
        Reason::ALL.iter().map(|reason| CString::new(reason.as_str()).unwrap_or_default()).collect()
    });
    let name = match Reason::ALL.iter().position(|known| reason_number(*known) as i32 == reason) {
        Some(place) => NAMES.get(place).map_or(UNKNOWN, CString::as_c_str),
        None if reason == 0 => c"none",
        None => UNKNOWN,
    };
    name.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: *const c_char) -> &'static str {
        // SAFETY: these functions give C strings that live as long as the library.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap()
    }

    #[test]
    fn numbers_have_names() {
        assert_eq!(text(luigi_version()), env!("CARGO_PKG_VERSION"));
        for reason in Reason::ALL {
            assert_eq!(text(luigi_reason_name(reason_number(reason) as i32)), reason.as_str());
        }
        for (place, status) in luigi_status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, place);
            assert_ne!(text(luigi_status_name(status as i32)), "unknown");
        }
        for none in [-1, 64, i32::MIN, i32::MAX] {
            assert_eq!((text(luigi_reason_name(none)), text(luigi_status_name(none))), ("unknown", "unknown"));
        }
        assert_eq!(text(luigi_reason_name(0)), "none");
    }
}
