//! Why a request is decided as it is.

use crate::boundary::guarded;
use crate::context::CONTEXTS;
use crate::engine::{still_open, wants_json};
use crate::numbers::luigi_status;
use crate::pointers;
use crate::request::with_request;
use crate::types::{luigi_context, luigi_request, luigi_string};

/// How the policy in force decides a request, rule by rule: what `luigi explain` prints. Not counted and not recorded. Slow, of the size of the policy.
///
/// `request`: as of `luigi_decide`; its `path` is not written.
/// `format`: a `luigi_format`.
/// `text`: gets the explanation; none if the call fails. Free it with `luigi_string_free`.
///
/// One thread at a time for a context.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `format` or a number in the request is none of its enum, or the request is malformed: its method is no token, or it has
/// two `Host` headers; or if a fingerprint is none, or a pointer is not aligned;
/// `LUIGI_STATUS_UNSUPPORTED` if the library lacks `LUIGI_FEATURE_EXPLAIN`;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
/// `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_explain(
    context: luigi_context,
    request: *const luigi_request,
    format: i32,
    text: *mut luigi_string,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::place(text) }?;
        *place = luigi_string::NONE;
        let json = wants_json(format)?;
        if cfg!(not(feature = "explain")) {
            return Err(luigi_status::LUIGI_STATUS_UNSUPPORTED);
        }
        let mut context = CONTEXTS.enter(context.id)?;
        still_open(&context.record)?;
        // SAFETY: as above.
        let request = unsafe { pointers::input(request) }?;
        // SAFETY: as above.
        let explanation = unsafe { with_request(request, |asked| explanation(&mut context.context, &asked, json)) }?;
        *place = luigi_string::give(explanation);
        Ok(())
    })
}

#[cfg(feature = "explain")]
fn explanation(
    context: &mut luigi_runtime::Context,
    asked: &crate::request::Asked<'_>,
    json: bool,
) -> Result<String, luigi_status> {
    use crate::numbers::luigi_status::{LUIGI_STATUS_INTERNAL, LUIGI_STATUS_INVALID_ARGUMENT};
    let explained = asked.facts.and_then(|facts| context.explain(asked.caller, facts, asked.time));
    let explanation = explained.map_err(|_| LUIGI_STATUS_INVALID_ARGUMENT)?;
    if json {
        serde_json::to_string(&explanation).map_err(|_| LUIGI_STATUS_INTERNAL)
    } else {
        Ok(explanation.to_string())
    }
}

#[cfg(not(feature = "explain"))]
fn explanation(_: &mut luigi_runtime::Context, _: &crate::request::Asked<'_>, _: bool) -> Result<String, luigi_status> {
    Err(luigi_status::LUIGI_STATUS_UNSUPPORTED)
}
