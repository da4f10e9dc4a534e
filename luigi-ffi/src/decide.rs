//! Decisions: what C services call for each request.

use crate::boundary::guarded;
use crate::context::{CONTEXTS, ContextRecord};
use crate::engine::{EngineRecord, still_open};
use crate::faults::{Fault, panic_at};
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INTERNAL, LUIGI_STATUS_NULL, LUIGI_STATUS_OK};
use crate::numbers::{
    LUIGI_REVISION_SIZE, advice_number, answer_number, credential_number, luigi_answer, luigi_credential,
    luigi_log_level, luigi_outcome, luigi_reason, mode_number, outcome_number, reason_number,
};
use crate::pointers::{self, put};
use crate::record;
use crate::request::{Asked, with_request};
use crate::types::{luigi_context, luigi_decision, luigi_missing, luigi_request};
use luigi_core::decide::{Advice, Reason};
use luigi_core::policy::model::{Policy, RuleId};
use luigi_runtime::{Answer, Delivery, Timestamp};
use std::ffi::c_char;
use std::sync::Arc;

/// Decides one request.
///
/// `request`: what is asked; read during the call.
/// `decision`: gets the decision. Unless the call returns `LUIGI_STATUS_OK` it says Deny and refuse.
///
/// One thread at a time for a context; any number of threads with a context each. Takes no lock, never waits, and allocates nothing once the context has
/// used the policy in force and has seen the request's token.
///
/// Returns
/// `LUIGI_STATUS_OK`: there is a decision, whatever it says;
/// `LUIGI_STATUS_NULL` if `request` or `decision` is NULL, or its method or target is none;
/// `LUIGI_STATUS_BUFFER_TOO_SMALL` if the canonical path does not fit into `path`: the request was decided, and is recorded and counted as refused;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if a number in the request is none of its enum, a fingerprint is none, or a pointer is not aligned;
/// `LUIGI_STATUS_INVALID_UTF8` if the name of a certificate's subject is not UTF-8;
/// `LUIGI_STATUS_CLOSED` if the context, its engine, or the identity in the request was closed;
/// `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_decide(
    context: luigi_context,
    request: *const luigi_request,
    decision: *mut luigi_decision,
) -> luigi_status {
    // SAFETY: the caller's promise, as the header states it.
    unsafe { pointers::deny(decision) };
    // SAFETY: as above.
    let decision = match unsafe { pointers::output(decision) } {
        Ok(decision) => decision,
        Err(status) => return status,
    };
    let status = guarded_decision(decision, |decision| {
        let mut context = CONTEXTS.enter(context.id)?;
        // SAFETY: as above.
        unsafe { decide(&mut context, request, decision) }
    });
    if status == LUIGI_STATUS_INTERNAL {
        failed(|| CONTEXTS.enter(context.id).map(|context| Arc::clone(&context.record)));
    }
    status
}

/// Decides several requests, in order, as `luigi_decide` does each.
///
/// `requests`, `decisions`: arrays of `count` elements. A request that cannot be decided does not keep others from it: each decision has a `status` of its own.
/// `count`: the caller promises that so many are in both. It cannot be checked, and a larger one than there are is memory overwritten: of every decision the first thing that is done
/// is to write Deny into it.
///
/// As `luigi_decide`. If nothing can be decided at all (the context is closed, a size is wrong) every decision says so in its `status`. Two limits: where the first element has
/// a wrong `struct_size` it is the only one that is looked at, since where the next begins is not known; of more than `LUIGI_MAX_ITEMS` elements no request is read, and decisions
/// behind the limit are left as they are. A count that no memory holds (-1, made unsigned) is refused and nothing is touched.
///
/// Returns
/// `LUIGI_STATUS_OK` if each request was decided, also if there are none;
/// else the status of the first that was not, or why none was, as of `luigi_decide`: `LUIGI_STATUS_BUFFER_TOO_SMALL`, `LUIGI_STATUS_INVALID_ARGUMENT`,
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
/// `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_decide_many(
    context: luigi_context,
    requests: *const luigi_request,
    decisions: *mut luigi_decision,
    count: usize,
) -> luigi_status {
    // SAFETY: the caller's promise, as the header states it.
    unsafe { pointers::deny_all(decisions, count) };
    let mut first = LUIGI_STATUS_OK;
    let all = guarded(|| {
        // SAFETY: as above.
        let decisions = unsafe { pointers::outputs(decisions, count) }?;
        if requests.is_null() && count > 0 {
            return Err(LUIGI_STATUS_NULL);
        }
        let mut context = CONTEXTS.enter(context.id)?;
        for (n, decision) in decisions.iter_mut().enumerate() {
            let status = guarded_decision(decision, |decision| {
                // SAFETY: as above.
                unsafe { decide(&mut context, requests.wrapping_add(n), decision) }
            });
            if status == LUIGI_STATUS_INTERNAL {
                failed(|| Ok(Arc::clone(&context.record)));
            }
            if first == LUIGI_STATUS_OK {
                first = status;
            }
        }
        Ok(())
    });
    if all == LUIGI_STATUS_OK {
        return first;
    }
    // SAFETY: as above.
    unsafe { pointers::for_each_of(decisions, count, |decision| undecided(decision, all)) };
    all
}

/// Makes sure that the decision is Deny unless it was made.
#[inline]
fn guarded_decision(
    decision: &mut luigi_decision,
    decide: impl FnOnce(&mut luigi_decision) -> Result<(), luigi_status>,
) -> luigi_status {
    let status = guarded(|| decide(decision));
    if status != LUIGI_STATUS_OK {
        undecided(decision, status);
    }
    status
}

/// Counts a failure of Luigi itself that came to no answer, and tells the log.
#[cold]
fn failed(engine: impl FnOnce() -> Result<Arc<EngineRecord>, luigi_status>) {
    // Whatever is wrong may be so here, too: the caller has been told already.
    guarded(|| {
        let record = engine()?;
        record.engine.count_failure();
        tell_of_failure(&record);
        Ok(())
    });
}

fn tell_of_failure(record: &EngineRecord) {
    let message = "a failure inside luigi; the standard error has a line about it";
    record.callbacks.log(luigi_log_level::LUIGI_LOG_ERROR, message);
}

#[cold]
fn undecided(decision: &mut luigi_decision, status: luigi_status) {
    clear(decision);
    decision.decision = luigi_answer::LUIGI_DENY as i32;
    decision.outcome = luigi_outcome::LUIGI_REFUSE as i32;
    decision.status = status as i32;
    decision.reason = luigi_reason::LUIGI_REASON_NONE as i32;
    decision.http_status = 503;
    decision.candidate_decision = luigi_answer::LUIGI_DENY as i32;
    decision.candidate_reason = luigi_reason::LUIGI_REASON_NONE as i32;
    decision.credential = luigi_credential::LUIGI_CREDENTIAL_NONE as i32;
    (decision.mode, decision.privileged, decision.time, decision.generation) = (0, 0, 0, 0);
    decision.evaluation_id = [0; 16];
    decision.revision[0] = 0;
    decision.rule[0] = 0;
    decision.scope[0] = 0;
    decision.candidate_rule[0] = 0;
}

/// What is known of a request that was decided and whose answer did not reach the service: which it was, and that it is refused.
#[cold]
fn refused_undelivered(decision: &mut luigi_decision, status: luigi_status) {
    decision.decision = luigi_answer::LUIGI_DENY as i32;
    decision.outcome = luigi_outcome::LUIGI_REFUSE as i32;
    decision.status = status as i32;
    decision.reason = luigi_reason::LUIGI_REASON_NONE as i32;
    decision.http_status = 503;
    decision.candidate_decision = luigi_answer::LUIGI_DENY as i32;
    decision.candidate_reason = luigi_reason::LUIGI_REASON_NONE as i32;
}

/// Says none of what only few decisions say.
#[inline]
fn clear(decision: &mut luigi_decision) {
    decision.advice = 0;
    (decision.path_rewritten, decision.path_length, decision.missing_count) = (0, 0, 0);
    decision.tunnel_seconds = -1;
    decision.restricted_by[0] = 0;
    decision.advice_rule[0] = 0;
    decision.login[0] = 0;
    decision.grant[0] = 0;
    decision.detail[0] = 0;
}

/// # Safety
/// The caller's promise about what `request` points to.
#[inline]
unsafe fn decide(
    context: &mut ContextRecord,
    request: *const luigi_request,
    decision: &mut luigi_decision,
) -> Result<(), luigi_status> {
    let ContextRecord { context, record } = context;
    let record = still_open(record)?;
    // SAFETY: passed on.
    let request = unsafe { pointers::input(request) }?;
    if request.path.is_null() && request.path_size > 0 {
        return Err(LUIGI_STATUS_NULL);
    }
    let decide = |asked: Asked<'_>| {
        #[cfg(test)]
        tests::fail_if_asked_to(asked.target);
        let mut told = Ok(());
        // What the service is told is what is recorded and counted.
        let deliver = |answer: &Answer<'_>| {
            panic_at(Fault::Delivery);
            if let Some(path) = path(answer) {
                // SAFETY: passed on.
                told = unsafe { pointers::put_path(request.path, request.path_size, path) };
            }
            if told.is_ok() { Delivery::Done } else { Delivery::Failed }
        };
        let answer = context.evaluate_and_deliver(asked.caller, asked.facts, asked.time, deliver);
        clear(decision);
        decision.path_length = path(&answer).map_or(0, str::len);
        fill(decision, &answer, asked.time);
        if answer.decision().reason == Reason::InternalError {
            tell_of_failure(record);
        }
        if let Err(status) = told {
            // The record says what the service is told.
            refused_undelivered(decision, status);
        }
        if record.callbacks.wants_records() {
            record::tell(&record.callbacks, decision, &answer, &asked);
        }
        told
    };
    // SAFETY: passed on.
    unsafe { with_request(request, decide) }
}

/// The canonical path that was decided; where it is to be forwarded in place of the received one, with escapes of reserved characters as they were sent.
pub(crate) fn path<'a>(answer: &Answer<'a>) -> Option<&'a str> {
    if let Some(path) = answer.path_to_forward() {
        return Some(path);
    }
    // If a request with several readings passes, its host accepts the class, so that the backend needs what is ambiguous as it stands.
    answer.target()?.forwarded().map(|target| target.path)
}

#[inline]
fn fill(decision: &mut luigi_decision, answer: &Answer<'_>, time: Timestamp) {
    let (version, evaluation) = (answer.version(), answer.evaluation());
    let (decided, candidate) = (answer.decision(), answer.candidate());
    let policy = version.policy();
    decision.status = LUIGI_STATUS_OK as i32;
    decision.reason = reason_number(decided.reason) as i32;
    decision.http_status = answer.status_code().into();
    decision.candidate_decision = answer_number(candidate.allows()) as i32;
    decision.candidate_reason = reason_number(candidate.reason) as i32;
    decision.mode = mode_number(version.mode()) as i32;
    decision.credential = credential_number(answer.credential()) as i32;
    decision.privileged = evaluation.privileged.into();
    decision.path_rewritten = answer.path_to_forward().is_some().into();
    decision.time = time.unix_seconds();
    if let Some(seconds) = answer.tunnel_seconds() {
        decision.tunnel_seconds = seconds.into();
    }
    decision.generation = version.generation();
    decision.evaluation_id = answer.id().to_bytes();
    put_revision(&mut decision.revision, version.revision());
    put_name(&mut decision.rule, answer.rule_name());
    put_name(&mut decision.scope, answer.scope_name());
    put_name(&mut decision.candidate_rule, answer.candidate_rule_name());
    if let Some(rule) = decided.restricted_by {
        put_name(&mut decision.restricted_by, rule_name(policy, rule));
    }
    if let Some(detail) = answer.detail() {
        put(&mut decision.detail, detail);
    }
    if let Some(advice) = &decided.advice {
        decision.advice = advice_number(Some(advice)) as i32;
        put_advice(decision, advice, policy);
    }
    // Last, so that nothing else can keep a decision from being Deny.
    decision.decision = answer_number(decided.allows()) as i32;
    decision.outcome = outcome_number(answer.outcome()) as i32;
}

#[inline]
fn put_name<const N: usize>(place: &mut [c_char; N], name: Option<&str>) {
    match name {
        Some(name) => put(place, name),
        None => place[0] = 0,
    }
}

#[inline]
fn put_revision(place: &mut [c_char; LUIGI_REVISION_SIZE], revision: &str) {
    // PERF: of a length that is known it is a few moves.
    match <[u8; LUIGI_REVISION_SIZE - 1]>::try_from(revision.as_bytes()) {
        Ok(digits) => {
            let (last, front) = (LUIGI_REVISION_SIZE - 1, digits.map(|digit| c_char::from_ne_bytes([digit])));
            place[..last].copy_from_slice(&front);
            place[last] = 0;
        }
        Err(_) => put(place, revision),
    }
}

fn rule_name(policy: &Policy, rule: RuleId) -> Option<&str> {
    policy.rules.row(rule).map(|rule| rule.name.as_str())
}

fn put_advice(decision: &mut luigi_decision, advice: &Advice, policy: &Policy) {
    match advice {
        Advice::Authenticate => {}
        Advice::StepUp { login, rule } => {
            put_name(&mut decision.advice_rule, rule_name(policy, *rule));
            put_name(&mut decision.login, policy.logins.row(*login).map(|login| login.name.as_str()));
        }
        Advice::RequestAccess { approvals, rule } => {
            put_name(&mut decision.advice_rule, rule_name(policy, *rule));
            for (place, missing) in decision.missing.iter_mut().zip(approvals.iter()) {
                let luigi_missing { scope, approval } = place;
                put_name(scope, policy.scopes.row(missing.scope).map(|scope| scope.name.as_str()));
                put_name(approval, policy.approvals.row(missing.approval).map(|approval| approval.name.as_str()));
                decision.missing_count += 1;
            }
        }
    }
}

/// Writes an evaluation id as it stands in logs: 32 hexadecimal digits and a NUL byte.
///
/// `evaluation_id`: 16 bytes.
/// `text`: gets the digits; `LUIGI_EVALUATION_ID_SIZE` bytes of the caller's.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_NULL`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_evaluation_id_text(evaluation_id: *const u8, text: *mut c_char) -> luigi_status {
    guarded(|| {
        // SAFETY: the caller's promise, as the header states it.
        let (id, text) = unsafe {
            (
                pointers::evaluation_id(evaluation_id)?,
                pointers::place(text.cast::<[c_char; crate::numbers::LUIGI_EVALUATION_ID_SIZE]>())?,
            )
        };
        put(text, &luigi_runtime::EvaluationId::from_bytes(id).to_string());
        Ok(())
    })
}

const _: () = assert!(luigi_core::decide::MissingApprovals::CAPACITY == crate::numbers::LUIGI_MAX_MISSING);

#[cfg(test)]
mod tests;
