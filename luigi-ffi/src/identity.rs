//! Identities that the embedder vouches for.

use crate::boundary::{Failure, explained, guarded};
use crate::handles::{Shared, Slab};
use crate::numbers::luigi_status::{self, LUIGI_STATUS_INVALID_ARGUMENT};
use crate::numbers::luigi_truth;
use crate::pointers;
use crate::types::{luigi_assertion, luigi_error, luigi_identity, luigi_text};
use luigi_core::identity::{Actor, Completeness, Email, Groups, Identity, Login};
use luigi_core::time::Timestamp;

pub(crate) static IDENTITIES: Slab<Identity, Shared> = Slab::new(3);

/// Makes an identity of what the caller vouches for. Nothing of it is verified: only what the program has verified by its own means may stand in it, and
/// nothing that a client merely says.
///
/// `assertion`: who it is; read during the call.
/// `identity`: gets the handle, all zeros if the call fails. Close it with `luigi_identity_close`.
/// `error`: gets words if the call fails; may be NULL.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_INVALID_ARGUMENT` if something mandatory is missing or empty, `claims` is no JSON object, a number is none of its enum, an actor is given by half, or a pointer
/// is not aligned;
/// `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn luigi_identity_open(
    assertion: *const luigi_assertion,
    identity: *mut luigi_identity,
    error: *mut luigi_error,
) -> luigi_status {
    let open = || {
        // SAFETY: the caller's promise, as the header states it.
        let place = unsafe { pointers::place(identity) }?;
        *place = luigi_identity::default();
        // SAFETY: as above.
        let assertion = unsafe { pointers::input(assertion) }?;
        // SAFETY: as above.
        place.id = IDENTITIES.insert(unsafe { asserted(assertion) }?)?;
        Ok(())
    };
    // SAFETY: as above.
    unsafe { explained(error, open) }
}

/// # Safety
/// The caller's promise about the texts and arrays in `assertion`.
unsafe fn asserted(assertion: &luigi_assertion) -> Result<Identity, Failure> {
    let wrong = |message: String| Failure::new(LUIGI_STATUS_INVALID_ARGUMENT, message);
    // SAFETY: passed on.
    let text = |text: luigi_text| unsafe { pointers::text(text) };
    let mandatory = |name: &str, value: luigi_text| {
        let value = text(value)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| wrong(format!("`{name}` is missing or empty")))
    };
    let list = |pointer: *const luigi_text, count: usize| -> Result<Option<Vec<Box<str>>>, luigi_status> {
        // SAFETY: passed on.
        let Some(items) = (unsafe { pointers::array(pointer, count) })? else { return Ok(None) };
        let item = |item: &luigi_text| text(*item)?.map(Box::from).ok_or(luigi_status::LUIGI_STATUS_NULL);
        items.iter().map(item).collect::<Result<_, _>>().map(Some)
    };
    if assertion.expires_at <= 0 {
        return Err(wrong("`expires_at` is missing".to_owned()));
    }
    let completeness = match assertion.groups_cut_off {
        0 => Completeness::Complete,
        1 => Completeness::CutOff,
        _ => return Err(wrong("`groups_cut_off` is neither 0 nor 1".to_owned())),
    };
    let verified = match assertion.email_verified {
        truth if truth == luigi_truth::LUIGI_UNKNOWN as i32 => None,
        truth if truth == luigi_truth::LUIGI_FALSE as i32 => Some(false),
        truth if truth == luigi_truth::LUIGI_TRUE as i32 => Some(true),
        _ => return Err(wrong("`email_verified` is none of `luigi_truth`".to_owned())),
    };
    let groups = list(assertion.groups, assertion.group_count)?.unwrap_or_default();
    let login = Login {
        auth_time: (assertion.auth_time != 0).then(|| Timestamp::from_unix_seconds(assertion.auth_time)),
        acr: text(assertion.acr)?.map(Box::from),
        amr: list(assertion.amr, assertion.amr_count)?,
    };
    let mut identity = Identity::assert(
        mandatory("asserted_by", assertion.asserted_by)?,
        mandatory("issuer", assertion.issuer)?,
        mandatory("subject", assertion.subject)?,
        Timestamp::from_unix_seconds(assertion.expires_at),
    )
    .groups(Groups::new(groups, completeness))
    .login(login);
    if let Some(address) = text(assertion.email)? {
        identity = identity.email(Email { address: address.into(), verified });
    }
    if let Some(kind) = text(assertion.kind)? {
        identity = identity.kind(kind);
    }
    if let Some(claims) = text(assertion.claims)? {
        let claims = serde_json::from_str(claims).map_err(|why| wrong(format!("`claims` is no JSON object: {why}")))?;
        identity = identity.claims(claims);
    }
    match (text(assertion.actor_issuer)?, text(assertion.actor_subject)?) {
        (None, None) => {}
        (Some(issuer), Some(subject)) => identity = identity.actor(Actor::new(issuer, subject)),
        (Some(_), None) | (None, Some(_)) => {
            return Err(wrong("an actor needs both `actor_issuer` and `actor_subject`".to_owned()));
        }
    }
    Ok(identity.finish())
}

/// Closes an identity. Decisions that use it meanwhile come to their end.
///
/// Safe for threads.
///
/// Returns
/// `LUIGI_STATUS_OK`;
/// `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
#[unsafe(no_mangle)]
pub extern "C" fn luigi_identity_close(identity: luigi_identity) -> luigi_status {
    guarded(|| IDENTITIES.close(identity.id))
}
