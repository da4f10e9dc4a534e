//! Contexts: what each thread of the embedder holds.

use crate::boundary::guarded;
use crate::engine::{EngineRecord, engine};
use crate::handles::{Exclusive, Slab};
use crate::numbers::luigi_status;
use crate::pointers;
use crate::types::{luigi_context, luigi_engine};
use luigi_runtime::Context;
use std::sync::Arc;

/// What a handle of a context stands for.
pub(crate) struct ContextRecord {
    pub(crate) context: Context,
    pub(crate) record: Arc<EngineRecord>,
}

pub(crate) static CONTEXTS: Slab<ContextRecord, Exclusive> = Slab::new(2);

/// Makes a context of an engine.
///
/// `context`: gets the handle, all zeros if the call fails. Close it with `luigi_context_close`, before or after the engine.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_context_open(engine: luigi_engine, context: *mut luigi_context) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::place(context) }?;
        *place = luigi_context::default();
        let record = self::engine(engine)?;
        place.id = CONTEXTS.insert(ContextRecord { context: record.engine.context(), record })?;
        Ok(())
    })
}

/// Lets go of a version of the policy that is no longer in force, and writes to the spool what is to be told there of lost and counted records. A context does so by itself with
/// its next decision; call this if there may be none for long, so that the old version's memory can be freed.
///
/// One thread at a time for a context.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_context_refresh(context: luigi_context) -> luigi_status {
    guarded(|| {
        CONTEXTS.enter(context.id)?.context.refresh();
        Ok(())
    })
}

/// Closes a context. What it counted stays in the statistics of its engine; what it has still to tell the spool is written.
///
/// One thread at a time for a context.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_BUSY` if it is in use; it stays open;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_context_close(context: luigi_context) -> luigi_status {
    guarded(|| CONTEXTS.close(context.id).map(drop))
}
