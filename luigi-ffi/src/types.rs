//! The structs of the ABI. Those that may grow begin with their size.

use crate::numbers::{LUIGI_MAX_MISSING, LUIGI_NAME_SIZE, LUIGI_REASON_COUNT, LUIGI_REVISION_SIZE};
use std::ffi::{c_char, c_void};

/// Bytes that belong to the caller: `length` of them from `data`, without a NUL byte behind them. With `data` NULL there is no text, which
/// is something else than an empty one. Where it is an input it is read during the call and not kept. `luigi_text_of` makes one of a C string.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_text {
    /// The first byte, or NULL.
    pub data: *const c_char,
    /// How many bytes there are, at most `LUIGI_MAX_TEXT`.
    pub length: usize,
}

/// Text that Luigi made and the caller owns: UTF-8 with a NUL byte behind it. Give it back with `luigi_string_free`, once; a copy that is given back, too, is answered with
/// `LUIGI_STATUS_CLOSED`. All zeros is none. A call that fills one does not look at what was in it, so give that back first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_string {
    /// The first byte, or NULL.
    pub data: *mut c_char,
    /// How many bytes there are before the NUL byte.
    pub length: usize,
    /// Opaque: tells it from every other string that Luigi ever made.
    pub id: u64,
}

/// A name and a value: a header with its name in any case, or a fact.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_field {
    /// The name.
    pub name: luigi_text,
    /// The value.
    pub value: luigi_text,
}

/// An engine: a policy with keys, grants and mode, kept up to date. Threads may share it. All zeros is none.
///
/// Handles are numbers, not addresses: copy them as you like. One that was closed, and every copy of it, is answered with
/// `LUIGI_STATUS_CLOSED`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct luigi_engine {
    /// Opaque.
    pub id: u64,
}

/// What one thread needs to decide: buffers and the cache of verified tokens. Make one for each thread; it may move between threads, and serves
/// one at a time. All zeros is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct luigi_context {
    /// Opaque.
    pub id: u64,
}

/// Somebody whom the caller vouches for. Never changes; threads may share it. It belongs to no engine. All zeros is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct luigi_identity {
    /// Opaque.
    pub id: u64,
}

/// Why a call failed, in words. Owned by the caller, who frees it with `luigi_error_free`; where a function takes one, NULL will do.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_error {
    /// `sizeof(luigi_error)`, set by the caller.
    pub struct_size: usize,
    /// The same `luigi_status` that the call returns.
    pub status: i32,
    /// What is wrong; none if the call succeeded. If a policy has errors these are all of them, many lines, with file, line, underlined text and help.
    pub message: luigi_string,
    /// The problems of a policy as a JSON array, as `luigi check --format json` has them; none if something else is wrong.
    pub diagnostics: luigi_string,
}

/// The keys of an issuer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_key_file {
    /// The name of the issuer in the policy.
    pub issuer: luigi_text,
    /// The path of its JWKS file.
    pub path: luigi_text,
}

/// Gets a line of the log, UTF-8 without a line break at its end, with a `luigi_log_level`. Called by whatever thread polls: the caller's in `luigi_engine_poll`,
/// Luigi's own after `luigi_engine_start_polling`; and by threads that decide, if Luigi fails there. `message` is gone when it returns. It must not
/// leave by `longjmp` or an exception.
pub type luigi_log_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, message: luigi_text)>;

/// Gets the record of each decision, on the thread that decides, before `luigi_decide` returns. `record` and all it points to is gone when it returns: copy what is
/// to be kept. The context is in use meanwhile. It must not leave by `longjmp` or an exception.
pub type luigi_record_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, record: *const luigi_record)>;

/// Where an engine's policy comes from, and whom it tells what. Zero it, set `struct_size`, and what else is needed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_engine_options {
    /// `sizeof(luigi_engine_options)`, set by the caller.
    pub struct_size: usize,
    /// The path of a policy: a file, or a directory of `*.toml` files. It is read once. Either this or `feed` is set.
    pub policy: luigi_text,
    /// The path of a feed, which `luigi apply` writes and which is followed.
    pub feed: luigi_text,
    /// The path of the public key that the feed is signed with; set with `feed`, and only with it.
    pub public_key: luigi_text,
    /// The environment for which a policy is compiled; none if it has no environments. A feed brings its own.
    pub environment: luigi_text,
    /// The key files of the policy's issuers; a feed brings its own.
    pub keys: *const luigi_key_file,
    /// How many there are.
    pub key_count: usize,
    /// The `luigi_mode` of a policy; 0 is `LUIGI_MODE_OBSERVE`. A feed brings its own.
    pub mode: i32,
    /// For how many seconds grants count after the feed's writer was last heard of; 0 is 60.
    pub stale_after_seconds: u32,
    /// Gets the lines of the log; NULL for none.
    pub log: luigi_log_callback,
    /// Handed to `log`, which must be able to use it from any thread.
    pub log_data: *mut c_void,
    /// Gets the records of decisions; NULL for none.
    pub record: luigi_record_callback,
    /// Handed to `record`, which must be able to use it from any thread.
    pub record_data: *mut c_void,
    /// The directory to which decisions are recorded that must be kept, see docs/SPOOL.md; none to record nothing. It must be there, and writable. A privileged request
    /// whose record cannot be taken is denied with `LUIGI_REASON_AUDIT_UNAVAILABLE`. Each context writes files of its own.
    pub spool: luigi_text,
    /// How many bytes may be in that directory, by whomever they were written, at least 1 MiB; 0 is 256 MiB.
    pub spool_limit_bytes: u64,
    /// What this machine is called in records; none for what it calls itself.
    pub node: luigi_text,
}

/// Somebody whom the caller vouches for: it has verified by its own means who that is. Zero it, set `struct_size`, and what is known.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_assertion {
    /// `sizeof(luigi_assertion)`, set by the caller.
    pub struct_size: usize,
    /// Who vouches: the name of the program, say. Records show it. Mandatory.
    pub asserted_by: luigi_text,
    /// The issuer, as in `iss` and as the policy has it. Mandatory.
    pub issuer: luigi_text,
    /// The subject, unique within the issuer. Mandatory.
    pub subject: luigi_text,
    /// The first moment at which the identity no longer counts, in seconds since the Unix epoch. Mandatory.
    pub expires_at: i64,
    /// The e-mail address.
    pub email: luigi_text,
    /// Whether the address is verified, a `luigi_truth`; rules believe no other.
    pub email_verified: i32,
    /// Whether the provider left groups out: 0 if the list is complete, 1 if it is not. A group that is not in a cut-off list is unknown.
    pub groups_cut_off: i32,
    /// The groups, as they stand in tokens.
    pub groups: *const luigi_text,
    /// How many there are.
    pub group_count: usize,
    /// `user`, `service` or whatever the issuer says.
    pub kind: luigi_text,
    /// A JSON object with the claims that rules on claims see. Nothing is taken from it for the members above, and nothing of them added to it.
    pub claims: luigi_text,
    /// When the subject logged in, in seconds since the Unix epoch; 0 if that is not known.
    pub auth_time: i64,
    /// The authentication context class.
    pub acr: luigi_text,
    /// The authentication methods; NULL if they are not known.
    pub amr: *const luigi_text,
    /// How many there are.
    pub amr_count: usize,
    /// Who acts on the subject's behalf: the issuer and the subject of the actor, both or neither.
    pub actor_issuer: luigi_text,
    /// See `actor_issuer`.
    pub actor_subject: luigi_text,
}

/// A client certificate, as far as the caller knows it. Zero it, set `struct_size`, and what is known.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_certificate {
    /// `sizeof(luigi_certificate)`, set by the caller.
    pub struct_size: usize,
    /// A `luigi_certificate_state`. What follows counts only if it is `LUIGI_CERTIFICATE_VERIFIED`; what is left out is unknown.
    pub state: i32,
    /// The subject's distinguished name in the form of RFC 2253: `CN=web,O=Example`.
    pub subject_dn: luigi_text,
    /// The SHA-256 of the certificate, 64 hexadecimal digits.
    pub fingerprint_sha256: luigi_text,
    /// The certificate in DER: its subject alternative names are read from it.
    pub der: luigi_text,
}

/// A request that is to be decided. Zero it, set `struct_size`, and what is known.
///
/// Give `Host` and `Authorization` once each, in the member or among the headers; given twice they were sent twice, which is refused. Pass what the client sent, undecoded.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_request {
    /// `sizeof(luigi_request)`, set by the caller.
    pub struct_size: usize,
    /// The method. Mandatory.
    pub method: luigi_text,
    /// The request-target with its query, as on the request line. Mandatory.
    pub target: luigi_text,
    /// The value of `Host`, or `:authority`.
    pub host: luigi_text,
    /// The peer's address as text; without one, rules about networks are unknown.
    pub source: luigi_text,
    /// The value of `Authorization`.
    pub authorization: luigi_text,
    /// Every header in the order of the request; NULL if headers are not passed, and then rules about them are unknown. No headers at all are
    /// an array without elements, whose address is not NULL.
    pub headers: *const luigi_field,
    /// How many there are.
    pub header_count: usize,
    /// The facts of the policy's `[facts]` table that are known; NULL if none are passed, and then rules about them are unknown.
    pub facts: *const luigi_field,
    /// How many there are.
    pub fact_count: usize,
    /// The client certificate; NULL if nothing is known of one, and then rules about it are unknown.
    pub certificate: *const luigi_certificate,
    /// What stands for the frontend that took the request in, for policies whose scopes name `frontends`; NULL if it is not known, and then what
    /// such a scope may hold is refused.
    pub frontend: luigi_text,
    /// Who asks, if the caller vouches for somebody: `Authorization` is not looked at then.
    pub identity: luigi_identity,
    /// A `luigi_upgrade`. Say `LUIGI_UPGRADE_NO` of what asks for none unless `headers` are passed: privileged scopes refuse what may be an upgrade, with
    /// `LUIGI_REASON_UPGRADE_REFUSED`.
    pub upgrade: i32,
    /// When, in seconds since the Unix epoch; 0 is now.
    pub time: i64,
    /// Where the canonical path of the target is written, with a NUL byte behind it; NULL if it is not wanted. The caller's, `path_size` bytes.
    /// Where `path_rewritten` is set, escapes of reserved characters (`%2B`, `%3A`) stand in it as they were sent.
    /// Serve or forward this path and not the one that was received: it is the one that was decided.
    pub path: *mut c_char,
    /// How much room there is.
    pub path_size: usize,
}

/// An approval that is missing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_missing {
    /// The scope that it must open.
    pub scope: [c_char; LUIGI_NAME_SIZE],
    /// Its name.
    pub approval: [c_char; LUIGI_NAME_SIZE],
}

/// A decision. All of it stands in the struct, so it can be copied, kept and handed to other threads. Set `struct_size` before the call; whatever else is in it is
/// overwritten. Unless the call returns `LUIGI_STATUS_OK`, `decision` is `LUIGI_DENY` and `outcome` is `LUIGI_REFUSE`. Names are UTF-8 with a NUL byte behind them, empty if there is
/// none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_decision {
    /// `sizeof(luigi_decision)`, set by the caller.
    pub struct_size: usize,
    /// What the rules in force answer, a `luigi_answer`; the mode plays no part.
    pub decision: i32,
    /// What is to happen to the request, a `luigi_outcome`. This is what a service does as it is told.
    pub outcome: i32,
    /// The `luigi_status` for this request; of `luigi_decide_many` each request has its own.
    pub status: i32,
    /// Why, a `luigi_reason`.
    pub reason: i32,
    /// How the denial could become an allow, a `luigi_advice`.
    pub advice: i32,
    /// The status code of HTTP for the decision, whatever the mode: 200, 400, 401, 403 or 503.
    pub http_status: i32,
    /// What all rules, the observed ones included, would answer, a `luigi_answer`.
    pub candidate_decision: i32,
    /// Why, a `luigi_reason`.
    pub candidate_reason: i32,
    /// The `luigi_mode` of the policy.
    pub mode: i32,
    /// What became of the credential, a `luigi_credential`.
    pub credential: i32,
    /// Whether a privileged scope holds the target: 0 or 1.
    pub privileged: i32,
    /// Whether another path must be forwarded than the one received, since this one is not canonical and the decision has effect: 0 or 1. See `path` of `luigi_request`.
    pub path_rewritten: i32,
    /// How many bytes the canonical path has; 0 if there is none.
    pub path_length: usize,
    /// The moment at which it was decided, in seconds since the Unix epoch.
    pub time: i64,
    /// For how many seconds a connection that the request upgrades may be idle; -1 if it upgrades none or has no limit.
    pub tunnel_seconds: i64,
    /// How many times the feed had been published; 0 for a policy file.
    pub generation: u64,
    /// Names this evaluation in logs; `luigi_evaluation_id_text` writes it.
    pub evaluation_id: [u8; 16],
    /// The revision of the policy that decided.
    pub revision: [c_char; LUIGI_REVISION_SIZE],
    /// The determining rule.
    pub rule: [c_char; LUIGI_NAME_SIZE],
    /// The scope in which it holds the request.
    pub scope: [c_char; LUIGI_NAME_SIZE],
    /// The restrict rule that asked for what is unmet.
    pub restricted_by: [c_char; LUIGI_NAME_SIZE],
    /// The determining rule of the candidate decision.
    pub candidate_rule: [c_char; LUIGI_NAME_SIZE],
    /// The allow rule that lacks least, if the advice is about one.
    pub advice_rule: [c_char; LUIGI_NAME_SIZE],
    /// The login requirement to meet, if the advice is `LUIGI_ADVICE_STEP_UP`.
    pub login: [c_char; LUIGI_NAME_SIZE],
    /// The grant by which the request is allowed, as the ledger calls it; empty as long as nothing issues grants.
    pub grant: [c_char; LUIGI_NAME_SIZE],
    /// What is wrong with the request itself, as a stable code: why its target is ambiguous, why its credential is not believed.
    pub detail: [c_char; LUIGI_NAME_SIZE],
    /// How many approvals are missing, if the advice is `LUIGI_ADVICE_REQUEST_ACCESS`.
    pub missing_count: usize,
    /// The approvals that are missing; the first `missing_count` are set.
    pub missing: [luigi_missing; LUIGI_MAX_MISSING],
}

/// What a decision was about. See `luigi_record_callback`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_record {
    /// `sizeof(luigi_record)`, set by Luigi.
    pub struct_size: usize,
    /// The decision as the caller is told it: where the call is about to return `LUIGI_STATUS_BUFFER_TOO_SMALL` it says Deny and that status.
    pub decision: *const luigi_decision,
    /// The method as received.
    pub method: luigi_text,
    /// The target as received.
    pub target: luigi_text,
    /// The canonical host; none if the target has none or is ambiguous.
    pub host: luigi_text,
    /// The canonical path; none if the target is ambiguous.
    pub path: luigi_text,
    /// Where the request comes from, as decided: an address; none if unknown.
    pub source: luigi_text,
    /// The issuer of a verified or asserted identity; none without one, as all that follows.
    pub issuer: luigi_text,
    /// Its subject.
    pub subject: luigi_text,
    /// Its e-mail address, verified or not.
    pub email: luigi_text,
    /// The issuer of who acts on its behalf.
    pub actor_issuer: luigi_text,
    /// The subject of who acts on its behalf.
    pub actor_subject: luigi_text,
    /// Who vouches for it, if it was asserted; none if a token was verified.
    pub asserted_by: luigi_text,
}

/// What an engine has done, and what it stands on.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_statistics {
    /// `sizeof(luigi_statistics)`, set by the caller.
    pub struct_size: usize,
    /// The `luigi_mode` in force.
    pub mode: i32,
    /// Whether the newest version in the feed was refused and the last good one stays: 0 or 1. `luigi_engine_status` says why.
    pub refused_version: i32,
    /// When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
    pub epoch: u64,
    /// How many times it had been published; 0 for a policy file.
    pub generation: u64,
    /// When the version in force came in force here, in seconds since the Unix epoch.
    pub loaded_at: i64,
    /// How many seconds ago the feed's writer was last heard of; -1 for a policy file.
    pub heartbeat_age_seconds: i64,
    /// How many rules the policy has.
    pub rules: u64,
    /// How many stops are in force.
    pub stops: u64,
    /// How many versions are in memory, the one in force included.
    pub live_versions: u64,
    /// Requests that passed.
    pub passed: u64,
    /// Requests that were refused, those that were told `LUIGI_STATUS_BUFFER_TOO_SMALL` among them. Calls that failed before anything was decided are in no count.
    pub refused: u64,
    /// Requests that passed only because the policy is observed.
    pub would_be_refused: u64,
    /// Failures of Luigi itself.
    pub failures: u64,
    /// Decisions by the number of their `luigi_reason`; at `LUIGI_REASON_NONE` those that were told `LUIGI_STATUS_BUFFER_TOO_SMALL`.
    pub decisions: [u64; LUIGI_REASON_COUNT],
    /// Candidate decisions by the number of their `luigi_reason`, likewise.
    pub candidates: [u64; LUIGI_REASON_COUNT],
    /// The revision in force.
    pub revision: [c_char; LUIGI_REVISION_SIZE],
    /// Whether there is a spool: 0 or 1. What follows is 0 without one.
    pub spooled: i32,
    /// How many records this process has written to it.
    pub records: u64,
    /// How many it could not write; `luigi_engine_status` says of what.
    pub records_lost: u64,
    /// How many of these were of privileged requests that the rules let pass. They were denied with `LUIGI_REASON_AUDIT_UNAVAILABLE`, unless the policy is only observed or their scopes say
    /// `audit = "best-effort"`.
    pub privileged_records_lost: u64,
    /// How many bytes are in the directory, by whomever they were written.
    pub spool_bytes: u64,
    /// How many may be.
    pub spool_limit_bytes: u64,
}

/// What to check.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_check_options {
    /// `sizeof(luigi_check_options)`, set by the caller.
    pub struct_size: usize,
    /// The path of a policy: a file, or a directory of `*.toml` files. Mandatory.
    pub policy: luigi_text,
    /// The environment to check it for; none for all that it has.
    pub environment: luigi_text,
    /// The `luigi_format` of the report; 0 is `LUIGI_FORMAT_TEXT`.
    pub format: i32,
}

/// What was found.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_check_report {
    /// `sizeof(luigi_check_report)`, set by the caller.
    pub struct_size: usize,
    /// How many errors; with one the policy cannot be used.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// Every problem: as text, or as a JSON array. The caller's, who frees it with `luigi_string_free`.
    pub text: luigi_string,
}

/// What a refused caller is sent in place of what was asked for. Free it with `luigi_http_reply_free`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct luigi_http_reply {
    /// `sizeof(luigi_http_reply)`, set by the caller.
    pub struct_size: usize,
    /// The status code of HTTP.
    pub status: i32,
    /// The headers: `name: value`, each with CR and LF behind it; names in lower case. `Content-Length` is not among them.
    pub headers: luigi_string,
    /// The body.
    pub body: luigi_string,
}
