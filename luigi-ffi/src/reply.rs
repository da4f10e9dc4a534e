//! What a refused caller is sent, ready for HTTP.

use crate::boundary::guarded;
use crate::context::CONTEXTS;
use crate::engine::still_open;
use crate::numbers::{luigi_answer, luigi_reason, luigi_status};
use crate::pointers;
use crate::request::{Asked, with_request};
use crate::types::{luigi_context, luigi_decision, luigi_http_reply, luigi_request, luigi_string, luigi_text};
use luigi_runtime::{EvaluationId, Timestamp, reply};

/// Makes the reply to a request that was refused: status, headers and body that help the caller on. A browser gets a page with the way to log in or to ask, a program
/// `application/problem+json` (RFC 9457) with the members of the AuthZEN access-request profile; both get `WWW-Authenticate` where a better credential would help.
/// All of it is escaped.
///
/// `request`, `decision`: those of `luigi_decide`. The policy in force now is what answers; nothing is counted or recorded again.
/// `accept`: the value of `Accept`, which tells a browser from a program.
/// `reply`: gets the reply; nothing in it if the call fails. Free it with `luigi_http_reply_free`.
///
/// One thread at a time for a context.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` as of `luigi_decide`, and if `decision` is no denial: it allows, or its call failed;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
/// `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_reply(
    context: luigi_context,
    request: *const luigi_request,
    decision: *const luigi_decision,
    accept: luigi_text,
    reply: *mut luigi_http_reply,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::output(reply) }?;
        place.status = 0;
        (place.headers, place.body) = (luigi_string::NONE, luigi_string::NONE);
        // SAFETY: as above.
        let (request, decision, accept) =
            unsafe { (pointers::input(request)?, pointers::input(decision)?, pointers::bytes(accept)?) };
        let denied = decision.decision == luigi_answer::LUIGI_DENY as i32;
        if decision.status != luigi_status::LUIGI_STATUS_OK as i32 || decision.reason == 0 || !denied {
            return Err(luigi_status::LUIGI_STATUS_INVALID_ARGUMENT);
        }
        let mut context = CONTEXTS.enter(context.id)?;
        still_open(&context.record)?;
        let id = EvaluationId::from_bytes(decision.evaluation_id);
        let time = Timestamp::from_unix_seconds(decision.time);
        // SAFETY: as above.
        let made = unsafe {
            with_request(request, |asked| {
                let Asked { caller, facts, .. } = asked;
                let unrecorded = decision.reason == luigi_reason::LUIGI_REASON_AUDIT_UNAVAILABLE as i32;
                let answer = if unrecorded {
                    context.context.review_unrecorded_for(id, caller, facts, time)
                } else {
                    context.context.review_for(id, caller, facts, time)
                };
                Ok(reply::render(&answer, asked.facts.ok(), accept, time))
            })
        }?;
        let headers = made.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        place.status = made.status.into();
        (place.headers, place.body) = (luigi_string::give(headers), luigi_string::give(made.body));
        Ok(())
    })
}

/// Frees what a reply holds. A reply that was only zeroed is fine.
///
/// Safe for threads, on different replies.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_CLOSED` if it is a copy of one that was freed already, `LUIGI_STATUS_INVALID_HANDLE` if a string in it is not Luigi's;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_http_reply_free(reply: *mut luigi_http_reply) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let reply = unsafe { pointers::output(reply) }?;
        let headers = reply.headers.take_back();
        reply.body.take_back().and(headers)
    })
}
