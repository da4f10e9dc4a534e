//! How a request ended, for the spool.

use crate::boundary::guarded;
use crate::context::CONTEXTS;
use crate::engine::still_open;
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_ARGUMENT};
use crate::pointers;
use crate::types::{luigi_context, luigi_text};
use luigi_runtime::EvaluationId;

/// Records in the spool how a request ended that was decided before: what HAProxy records of each privileged request that passed. Nothing if the engine has no spool. That the
/// record could not be taken is no failure of the call, since the request has been answered: the statistics count it.
///
/// `evaluation_id`: that of the decision, 16 bytes.
/// `http_status`: the status code of HTTP that the caller was sent.
/// `backend`: the name of who answered; may be none. What is longer than 1,024 bytes is cut.
///
/// One thread at a time for a context. Takes no lock and allocates nothing; it is one `write` to a file of the context's own, which is begun now and then.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `http_status` is not between 100 and 599;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_record_response(
    context: luigi_context,
    evaluation_id: *const u8,
    http_status: i32,
    backend: luigi_text,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let (id, backend) = unsafe { (pointers::evaluation_id(evaluation_id)?, pointers::bytes(backend)?) };
        let status = u16::try_from(http_status).ok().filter(|status| (100..600).contains(status));
        let status = status.ok_or(LUIGI_STATUS_INVALID_ARGUMENT)?;
        let mut context = CONTEXTS.enter(context.id)?;
        still_open(&context.record)?;
        context.context.record_response(EvaluationId::from_bytes(id), status, backend.unwrap_or_default());
        Ok(())
    })
}
