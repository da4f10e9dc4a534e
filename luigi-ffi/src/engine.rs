//! Engines: opening, closing, what they say of themselves.

use crate::boundary::{Failure, explained, guarded};
use crate::handles::{Shared, Slab};
use crate::numbers::luigi_status::{
    self, LUIGI_STATUS_CLOSED, LUIGI_STATUS_INVALID_ARGUMENT, LUIGI_STATUS_POLICY_ERRORS, LUIGI_STATUS_UNUSABLE,
};
use crate::numbers::{luigi_format, luigi_mode, luigi_reason, mode_number, reason_number};
use crate::pointers::{self, Callbacks};
use crate::polling::PollThreads;
use crate::types::{luigi_engine, luigi_engine_options, luigi_error, luigi_statistics, luigi_string, luigi_text};
use luigi_core::decide::Reason;
use luigi_runtime::spool::{MAX_NODE_BYTES, MIN_LIMIT_BYTES, SpoolConfig, SpoolStatus};
use luigi_runtime::{Carried, DEFAULT_STALE_AFTER, Engine, FeedConfig, Mode, OpenError, PolicyFileConfig};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a handle of an engine stands for; contexts hold it, too.
pub(crate) struct EngineRecord {
    pub(crate) engine: Engine,
    pub(crate) callbacks: Callbacks,
    pub(crate) poll_threads: PollThreads,
    closed: AtomicBool,
}

impl EngineRecord {
    /// Whether the handle was closed; contexts of the engine decide no more then.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

static ENGINES: Slab<Arc<EngineRecord>, Shared> = Slab::new(1);

/// The engine of a handle.
pub(crate) fn engine(handle: luigi_engine) -> Result<Arc<EngineRecord>, luigi_status> {
    Ok(Arc::clone(&*ENGINES.enter(handle.id)?))
}

/// Opens an engine: reads its policy, keys and feed whole, so that all that can fail fails here. May take seconds for a large policy.
///
/// `options`: where the policy comes from; read during the call.
/// `engine`: gets the handle, all zeros if the call fails. Close it with `luigi_engine_close`.
/// `error`: gets words if the call fails, every problem of a policy among them; may be NULL.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_POLICY_ERRORS` if the policy has errors;
/// `LUIGI_STATUS_UNUSABLE` if a file, feed or spool cannot be read, is of the wrong kind, or a key or signature is wrong;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if both or neither of `policy` and `feed` are set, a member is set that is for another, `mode` is none, or a pointer is not aligned;
/// `LUIGI_STATUS_INVALID_UTF8` if `environment`, `node` or the name of an issuer is not UTF-8;
/// `LUIGI_STATUS_UNSUPPORTED` for a `policy` if the library lacks `LUIGI_FEATURE_POLICY_FILES`;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_engine_open(
    options: *const luigi_engine_options,
    engine: *mut luigi_engine,
    error: *mut luigi_error,
) -> luigi_status {
    let open = || {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::place(engine) }?;
        *place = luigi_engine::default();
        // SAFETY: as above.
        let options = unsafe { pointers::input(options) }?;
        luigi_runtime::panics::keep_short();
        // SAFETY: as above.
        let engine = unsafe { opened(options) }?;
        let record = EngineRecord {
            engine,
            callbacks: Callbacks::of(options),
            poll_threads: PollThreads::default(),
            closed: AtomicBool::new(false),
        };
        place.id = ENGINES.insert(Arc::new(record))?;
        Ok(())
    };
    // SAFETY: as above.
    unsafe { explained(error, open) }
}

/// # Safety
/// The caller's promise about the texts and arrays in `options`.
unsafe fn opened(options: &luigi_engine_options) -> Result<Engine, Failure> {
    let wrong = |message: &str| Failure::new(LUIGI_STATUS_INVALID_ARGUMENT, message);
    // SAFETY: passed on.
    let path = |text: luigi_text| unsafe { pointers::bytes(text) }.and_then(path_of);
    let (policy, feed) = (path(options.policy)?, path(options.feed)?);
    let public_key = path(options.public_key)?;
    // SAFETY: passed on.
    let spool = unsafe { spool_of(options) }?;
    // SAFETY: passed on.
    let (environment, keys) = unsafe {
        (pointers::text(options.environment)?, pointers::array(options.keys, options.key_count)?.unwrap_or_default())
    };
    let mode = match options.mode {
        0 => None,
        mode if mode == luigi_mode::LUIGI_MODE_OBSERVE as i32 => Some(Mode::Observe),
        mode if mode == luigi_mode::LUIGI_MODE_ENFORCE as i32 => Some(Mode::Enforce),
        _ => return Err(wrong("`mode` is none of `luigi_mode`")),
    };
    match (policy, feed) {
        (None, None) => Err(wrong("neither `policy` nor `feed` is set")),
        (Some(_), Some(_)) => Err(wrong("both `policy` and `feed` are set")),
        (Some(_), None) if public_key.is_some() => Err(wrong("`public_key` is for `feed`")),
        (Some(path), None) => {
            let mut jwks = Vec::with_capacity(keys.len());
            for key in keys {
                // SAFETY: passed on.
                let issuer = unsafe { pointers::text(key.issuer) }?;
                // SAFETY: passed on.
                let file = unsafe { pointers::bytes(key.path) }.and_then(path_of)?;
                let (Some(issuer), Some(file)) = (issuer, file) else {
                    return Err(wrong("an entry of `keys` lacks its issuer or its path"));
                };
                jwks.push((issuer.to_owned(), file));
            }
            open_policy_file(&PolicyFileConfig {
                path,
                environment: environment.map(str::to_owned),
                jwks,
                mode: mode.unwrap_or(Mode::Observe),
                carried: Carried::Everything,
                spool,
            })
        }
        (None, Some(_)) if environment.is_some() => {
            Err(wrong("`environment` is for `policy`; a feed brings its environment"))
        }
        (None, Some(_)) if !keys.is_empty() => Err(wrong("`keys` are for `policy`; a feed brings its keys")),
        (None, Some(_)) if mode.is_some() => Err(wrong("`mode` is for `policy`; a feed brings its mode")),
        (None, Some(directory)) => {
            let public_key = public_key.ok_or_else(|| wrong("`feed` is set without `public_key`"))?;
            let stale_after = match options.stale_after_seconds {
                0 => DEFAULT_STALE_AFTER,
                seconds => Duration::from_secs(seconds.into()),
            };
            let config = FeedConfig { directory, public_key, stale_after, carried: Carried::Everything, spool };
            Engine::open_feed(&config).map_err(|error| unusable(&error))
        }
    }
}

/// Where decisions are recorded, if anywhere.
///
/// # Safety
/// The caller's promise about the texts in `options`.
unsafe fn spool_of(options: &luigi_engine_options) -> Result<Option<SpoolConfig>, Failure> {
    let wrong = |message: String| Failure::new(LUIGI_STATUS_INVALID_ARGUMENT, message);
    // SAFETY: passed on.
    let (directory, node) = unsafe { (pointers::bytes(options.spool)?, pointers::text(options.node)?) };
    let Some(directory) = path_of(directory)? else {
        return match (options.spool_limit_bytes, node) {
            (0, None) => Ok(None),
            (0, Some(_)) => Err(wrong("`node` is for `spool`".to_owned())),
            (_, _) => Err(wrong("`spool_limit_bytes` is for `spool`".to_owned())),
        };
    };
    let mut config = SpoolConfig { node: node.map(str::to_owned), ..SpoolConfig::new(directory) };
    match options.spool_limit_bytes {
        0 => {}
        limit if limit < MIN_LIMIT_BYTES => {
            return Err(wrong(format!("`spool_limit_bytes` is {limit}; it must be at least {MIN_LIMIT_BYTES}")));
        }
        limit => config.limit_bytes = limit,
    }
    if node.is_some_and(|node| node.is_empty() || node.len() > MAX_NODE_BYTES) {
        return Err(wrong(format!("`node` must have 1 to {MAX_NODE_BYTES} bytes")));
    }
    Ok(Some(config))
}

#[cfg(feature = "policy-files")]
fn open_policy_file(config: &PolicyFileConfig) -> Result<Engine, Failure> {
    Engine::open_policy_file(config).map_err(|error| unusable(&error))
}

#[cfg(not(feature = "policy-files"))]
fn open_policy_file(_: &PolicyFileConfig) -> Result<Engine, Failure> {
    Err(luigi_status::LUIGI_STATUS_UNSUPPORTED.into())
}

fn unusable(error: &OpenError) -> Failure {
    let diagnostics = error.diagnostics().cloned();
    let status = if diagnostics.is_some() { LUIGI_STATUS_POLICY_ERRORS } else { LUIGI_STATUS_UNUSABLE };
    Failure { status, message: error.to_string(), diagnostics }
}

/// A path, which need not be UTF-8; `None` if there is none. An empty one, or one with a NUL byte, names nothing.
pub(crate) fn path_of(bytes: Option<&[u8]>) -> Result<Option<PathBuf>, luigi_status> {
    match bytes {
        None => Ok(None),
        Some(bytes) if bytes.is_empty() || bytes.contains(&0) => Err(LUIGI_STATUS_INVALID_ARGUMENT),
        Some(bytes) => Ok(Some(OsStr::from_bytes(bytes).into())),
    }
}

/// Closes an engine, and stops the thread that polls it, if there is one. Calls that run meanwhile come to their end; its contexts decide
/// no more, and are still to be closed. No line of the log comes from that thread after this returns, unless it is called by a callback.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_engine_close(engine: luigi_engine) -> luigi_status {
    guarded(|| {
        let record = self::engine(engine)?;
        ENGINES.close(engine.id)?;
        record.closed.store(true, Ordering::Relaxed);
        record.poll_threads.stop();
        Ok(())
    })
}

/// What an engine has done, and what it stands on.
///
/// `statistics`: overwritten; the caller's.
///
/// Safe for threads. Takes a lock that no decision takes.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_engine_statistics(
    engine: luigi_engine,
    statistics: *mut luigi_statistics,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let out = unsafe { pointers::output(statistics) }?;
        let status = self::engine(engine)?.engine.status();
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        out.mode = mode_number(status.mode) as i32;
        out.refused_version = i32::from(status.refusal.is_some());
        (out.epoch, out.generation) = (status.epoch, status.generation);
        out.loaded_at = status.loaded_at.unix_seconds();
        out.heartbeat_age_seconds = status.heartbeat_age_seconds.map_or(-1, |age| age.max(0));
        out.rules = number(status.rules);
        out.stops = number(status.stops);
        out.live_versions = number(status.live_versions);
        let counters = &status.counters;
        (out.passed, out.refused) = (counters.passed, counters.refused);
        (out.would_be_refused, out.failures) = (counters.would_be_refused, counters.failures);
        out.decisions.fill(0);
        out.candidates.fill(0);
        for reason in Reason::ALL {
            let place = reason_number(reason) as usize;
            out.decisions[place] = counters.decisions.get(reason.as_str()).copied().unwrap_or(0);
            out.candidates[place] = counters.candidates.get(reason.as_str()).copied().unwrap_or(0);
        }
        out.decisions[luigi_reason::LUIGI_REASON_NONE as usize] = counters.undelivered;
        out.candidates[luigi_reason::LUIGI_REASON_NONE as usize] = counters.undelivered;
        pointers::put(&mut out.revision, &status.revision);
        out.spooled = i32::from(status.audit.is_some());
        let spool = status.audit.as_ref();
        let of_spool = |of: fn(&SpoolStatus) -> u64| spool.map_or(0, of);
        out.records = of_spool(|spool| spool.records);
        out.records_lost = of_spool(|spool| spool.lost.total());
        out.privileged_records_lost = of_spool(|spool| spool.lost.privileged);
        out.spool_bytes = of_spool(|spool| spool.bytes);
        out.spool_limit_bytes = of_spool(|spool| spool.limit_bytes);
        Ok(())
    })
}

/// The state of an engine in words: what `luigi status` prints.
///
/// `format`: a `luigi_format`.
/// `text`: gets the text; none if the call fails. Free it with `luigi_string_free`.
///
/// Safe for threads. Takes a lock that no decision takes.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if `format` is none, or a pointer is not aligned;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_engine_status(
    engine: luigi_engine,
    format: i32,
    text: *mut luigi_string,
) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::place(text) }?;
        *place = luigi_string::NONE;
        let json = wants_json(format)?;
        let status = self::engine(engine)?.engine.status();
        *place = luigi_string::give(if json { status.to_json() } else { status.to_text() });
        Ok(())
    })
}

/// Whether a format is that for programs.
pub(crate) fn wants_json(format: i32) -> Result<bool, luigi_status> {
    match format {
        format if format == luigi_format::LUIGI_FORMAT_TEXT as i32 => Ok(false),
        format if format == luigi_format::LUIGI_FORMAT_JSON as i32 => Ok(true),
        _ => Err(LUIGI_STATUS_INVALID_ARGUMENT),
    }
}

/// The engine of a context, unless it was closed.
pub(crate) fn still_open(record: &EngineRecord) -> Result<&EngineRecord, luigi_status> {
    if record.is_closed() { Err(LUIGI_STATUS_CLOSED) } else { Ok(record) }
}
