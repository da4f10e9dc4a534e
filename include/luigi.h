/*
 * Luigi for C: decisions of a policy on HTTP requests, in the process that asks.
 *
 *     luigi_engine_options options = {0};
 *     options.struct_size = sizeof options;
 *     options.policy = luigi_text_of("policy.toml");
 *     options.mode = LUIGI_MODE_ENFORCE;
 *     luigi_engine engine;
 *     if (luigi_engine_open(&options, &engine, NULL) != LUIGI_STATUS_OK) ...
 *
 *     luigi_context context;                     (one for each thread)
 *     luigi_context_open(engine, &context);
 *
 *     luigi_request request = {0};               (for each request)
 *     request.struct_size = sizeof request;
 *     request.method = luigi_text_of("GET");
 *     request.target = luigi_text_of("/orders/7");
 *     request.host = luigi_text_of("shop.example.com");
 *     request.upgrade = LUIGI_UPGRADE_NO;        (or pass the headers)
 *     luigi_decision decision;
 *     decision.struct_size = sizeof decision;
 *     luigi_decide(context, &request, &decision);
 *     if (decision.outcome == LUIGI_PASS) ...
 *
 * What holds for all of it:
 *
 * - A struct that begins with `struct_size` may grow in later versions. Zero what is an input, then set its size and what you know; of an output set the
 *   size. A wrong size is answered with LUIGI_STATUS_STRUCT_SIZE.
 * - Pointers that are not NULL must lead to what their type says. NULL, alignment, lengths and UTF-8 are checked; whether memory is there cannot be.
 * - Inputs are read during the call and not kept. Text is UTF-8 where it is a name, and bytes where it comes from a client.
 * - Handles are numbers with a generation: one that was closed is answered with LUIGI_STATUS_CLOSED, never followed.
 * - No call leaves by a panic or an exception. `errno` is not used.
 * - No function may be called by a signal handler: it may have interrupted Luigi, or what Luigi calls.
 * - After a `fork` the child may go on with all handles of its parent, if no other thread of the program was in a call at the time that opens, closes, polls, tells of an engine or frees a
 *   string; threads that decide do no harm, and for its own thread Luigi sees to that: a `fork` waits some milliseconds for it. A context in which another thread was stays busy in the child.
 *   The child's evaluation ids and segments of the spool are its own, and statistics go on from the parent's. Nothing polls in the child until it calls `luigi_engine_start_polling` or
 *   `luigi_engine_poll`. Callbacks get their data at the same address. Children made by `vfork`, `_Fork` or `clone` may call nothing.
 * - The library is never unloaded: after `dlclose` all goes on as before, and `dlopen` finds the same handles. Callbacks that lie in what the program itself unloads must be gone before:
 *   close the engine.
 * - Each function says which statuses it returns. LUIGI_STATUS_INTERNAL, a failure of Luigi itself, can come from any.
 *
 * Made from the crate luigi-ffi; do not edit. The policy of the ABI is in docs/ABI.md. Licence: Apache-2.0 OR MIT.
 */


#ifndef LUIGI_H
#define LUIGI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * The version of the ABI that this header describes; compare it with what `luigi_abi_version` says of the library. While Luigi is at 0.x the
 * two must be equal.
 */
#define LUIGI_ABI_VERSION 3

/**
 * The version of Luigi that this header belongs to: the first number.
 */
#define LUIGI_VERSION_MAJOR 0

/**
 * The second number.
 */
#define LUIGI_VERSION_MINOR 1

/**
 * The third number.
 */
#define LUIGI_VERSION_PATCH 0

/**
 * Room for a name (of a rule, a scope, an approval, a login), with the NUL byte behind it. Names of a policy have at most 64 bytes.
 */
#define LUIGI_NAME_SIZE 72

/**
 * Room for a revision: 64 hexadecimal digits and a NUL byte.
 */
#define LUIGI_REVISION_SIZE 65

/**
 * Room for the text of an evaluation id: 32 hexadecimal digits and a NUL byte.
 */
#define LUIGI_EVALUATION_ID_SIZE 33

/**
 * How many missing approvals a decision names.
 */
#define LUIGI_MAX_MISSING 8

/**
 * The longest text that is read, in bytes; a longer one is refused unread.
 */
#define LUIGI_MAX_TEXT 1048576

/**
 * The most elements that an array may have (headers, facts, groups, requests); a longer one is refused unread.
 */
#define LUIGI_MAX_ITEMS 4096

/**
 * How many numbers of reasons the arrays of `luigi_statistics` have room for.
 */
#define LUIGI_REASON_COUNT 64

/**
 * `luigi_features`: engines on policy files, and `luigi_policy_check`.
 */
#define LUIGI_FEATURE_POLICY_FILES 1

/**
 * `luigi_features`: `luigi_explain`.
 */
#define LUIGI_FEATURE_EXPLAIN 2

/**
 * What a call came to. `luigi_status_name` has the name of each.
 */
enum luigi_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The call did what it is for.
     */
    LUIGI_STATUS_OK = 0,
    /**
     * A pointer is NULL that must not be, or a text or array is NULL with a length.
     */
    LUIGI_STATUS_NULL = 1,
    /**
     * A `struct_size` is not that of the library: it was not set, or the program was built for another version.
     */
    LUIGI_STATUS_STRUCT_SIZE = 2,
    /**
     * A handle is of another kind, or was never given out.
     */
    LUIGI_STATUS_INVALID_HANDLE = 3,
    /**
     * A handle was closed, or the engine of a context was.
     */
    LUIGI_STATUS_CLOSED = 4,
    /**
     * A context is in use by another thread, or by the call whose callback makes this one.
     */
    LUIGI_STATUS_BUSY = 5,
    /**
     * A text is not UTF-8 that must be.
     */
    LUIGI_STATUS_INVALID_UTF8 = 6,
    /**
     * A text is longer than `LUIGI_MAX_TEXT`, or an array than `LUIGI_MAX_ITEMS`. It was not read.
     */
    LUIGI_STATUS_TOO_LONG = 7,
    /**
     * An argument has no meaning: a number that is none of its enum, members that contradict each other, a pointer that is not aligned.
     */
    LUIGI_STATUS_INVALID_ARGUMENT = 8,
    /**
     * The caller's buffer has too little room.
     */
    LUIGI_STATUS_BUFFER_TOO_SMALL = 9,
    /**
     * A file, key or feed cannot be read or is not to be believed; the error says which and why.
     */
    LUIGI_STATUS_UNUSABLE = 10,
    /**
     * The policy has errors; the error or report has them all, with their places.
     */
    LUIGI_STATUS_POLICY_ERRORS = 11,
    /**
     * The library was built without this feature; see `luigi_features`.
     */
    LUIGI_STATUS_UNSUPPORTED = 12,
    /**
     * There are too many handles of the kind.
     */
    LUIGI_STATUS_TOO_MANY = 13,
    /**
     * Luigi itself failed; the standard error has a line about it. Whatever the call was about is usable as before.
     */
    LUIGI_STATUS_INTERNAL = 14,
    /**
     * The system refused something: a thread could not be started.
     */
    LUIGI_STATUS_SYSTEM = 15,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_status luigi_status;
#else
typedef int32_t luigi_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the rules in force answer.
 */
enum luigi_answer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * They do not allow the request.
     */
    LUIGI_DENY = 0,
    /**
     * They allow it.
     */
    LUIGI_ALLOW = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_answer luigi_answer;
#else
typedef int32_t luigi_answer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is to happen to the request, after the mode of the policy.
 */
enum luigi_outcome
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Refuse it.
     */
    LUIGI_REFUSE = 0,
    /**
     * Let it pass: it is allowed, or the policy is only observed.
     */
    LUIGI_PASS = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_outcome luigi_outcome;
#else
typedef int32_t luigi_outcome;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Why a decision came out as it did. `luigi_reason_name` has the stable code of each, as logs have it.
 */
enum luigi_reason
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing was decided: the call failed.
     */
    LUIGI_REASON_NONE = 0,
    /**
     * An allow rule is true, and all requirements are met.
     */
    LUIGI_REASON_ALLOWED_BY_RULE = 1,
    /**
     * A CORS preflight that the scope lets pass.
     */
    LUIGI_REASON_PREFLIGHT = 2,
    /**
     * A deny rule is true.
     */
    LUIGI_REASON_DENIED_BY_RULE = 3,
    /**
     * A deny rule is unknown, so it may be true.
     */
    LUIGI_REASON_DENY_RULE_UNKNOWN = 4,
    /**
     * A login requirement is not met.
     */
    LUIGI_REASON_LOGIN_REQUIRED = 5,
    /**
     * A required subject is not met.
     */
    LUIGI_REASON_SUBJECT_REQUIRED = 6,
    /**
     * A required network is not met.
     */
    LUIGI_REASON_SOURCE_REQUIRED = 7,
    /**
     * A required schedule is not met.
     */
    LUIGI_REASON_SCHEDULE_REQUIRED = 8,
    /**
     * A required header, parameter, certificate or fact is not met.
     */
    LUIGI_REASON_FACT_REQUIRED = 9,
    /**
     * No grant meets a required approval.
     */
    LUIGI_REASON_APPROVAL_REQUIRED = 10,
    /**
     * An allow rule is unknown, and none is true.
     */
    LUIGI_REASON_ALLOW_RULE_UNKNOWN = 11,
    /**
     * No allow rule is true or unknown.
     */
    LUIGI_REASON_NO_RULE_ALLOWS = 12,
    /**
     * The facts about the request do not have the form they must have.
     */
    LUIGI_REASON_MALFORMED_FACTS = 13,
    /**
     * Two sensible servers could read the target differently.
     */
    LUIGI_REASON_AMBIGUOUS_TARGET = 14,
    /**
     * The request asks for another method than its own, and its host refuses that.
     */
    LUIGI_REASON_METHOD_OVERRIDE = 15,
    /**
     * The request asks for an upgrade of its connection, or may, and a scope that holds it refuses that.
     */
    LUIGI_REASON_UPGRADE_REFUSED = 16,
    /**
     * A credential was sent twice.
     */
    LUIGI_REASON_AMBIGUOUS_CREDENTIAL = 17,
    /**
     * Too many credentials wait for verification; worth a retry.
     */
    LUIGI_REASON_DEFERRED = 18,
    /**
     * An incident stop holds.
     */
    LUIGI_REASON_STOPPED = 19,
    /**
     * Luigi itself failed.
     */
    LUIGI_REASON_INTERNAL_ERROR = 20,
    /**
     * A scope that names frontends may hold the request, and at which frontend it came in is not known.
     */
    LUIGI_REASON_FRONTEND_UNKNOWN = 21,
    /**
     * The request is privileged and no record of it could be taken.
     */
    LUIGI_REASON_AUDIT_UNAVAILABLE = 22,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_reason luigi_reason;
#else
typedef int32_t luigi_reason;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a denial could become an allow.
 */
enum luigi_advice
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It could not, as far as is known; or it is no denial.
     */
    LUIGI_ADVICE_NONE = 0,
    /**
     * Come back with an identity.
     */
    LUIGI_ADVICE_AUTHENTICATE = 1,
    /**
     * Log in again, as the decision's `login` says.
     */
    LUIGI_ADVICE_STEP_UP = 2,
    /**
     * Ask for the approvals in the decision's `missing`.
     */
    LUIGI_ADVICE_REQUEST_ACCESS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_advice luigi_advice;
#else
typedef int32_t luigi_advice;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether decisions have effect.
 */
enum luigi_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Every request passes; what would have happened is told and counted.
     */
    LUIGI_MODE_OBSERVE = 1,
    /**
     * What is denied is refused.
     */
    LUIGI_MODE_ENFORCE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_mode luigi_mode;
#else
typedef int32_t luigi_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What became of the credential of a request.
 */
enum luigi_credential
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It was not looked at.
     */
    LUIGI_CREDENTIAL_NONE = 0,
    /**
     * There was none.
     */
    LUIGI_CREDENTIAL_ABSENT = 1,
    /**
     * It was verified, or the identity was asserted.
     */
    LUIGI_CREDENTIAL_VERIFIED = 2,
    /**
     * It is genuine, but its time is over.
     */
    LUIGI_CREDENTIAL_EXPIRED = 3,
    /**
     * It is not to be believed; the decision's `detail` says why.
     */
    LUIGI_CREDENTIAL_INVALID = 4,
    /**
     * It was sent twice.
     */
    LUIGI_CREDENTIAL_AMBIGUOUS = 5,
    /**
     * It was not verified, because too many verifications were asked for at once.
     */
    LUIGI_CREDENTIAL_DEFERRED = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_credential luigi_credential;
#else
typedef int32_t luigi_credential;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How urgent a line of the log is.
 */
enum luigi_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Somebody should look: a new version of the policy was refused, or Luigi itself failed.
     */
    LUIGI_LOG_ERROR = 1,
    /**
     * Something works other than was meant.
     */
    LUIGI_LOG_WARNING = 2,
    /**
     * All is well: a new version is in force.
     */
    LUIGI_LOG_NOTICE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_log_level luigi_log_level;
#else
typedef int32_t luigi_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a text is written.
 */
enum luigi_format
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * For people.
     */
    LUIGI_FORMAT_TEXT = 1,
    /**
     * For programs.
     */
    LUIGI_FORMAT_JSON = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_format luigi_format;
#else
typedef int32_t luigi_format;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much `luigi_engine_poll` may do.
 */
enum luigi_poll
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * One slice of a few milliseconds at most, for event loops.
     */
    LUIGI_POLL_SLICE = 1,
    /**
     * Everything there is to do, for threads that may take their time.
     */
    LUIGI_POLL_ALL = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_poll luigi_poll;
#else
typedef int32_t luigi_poll;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether a request asks for an upgrade of its connection (WebSocket).
 */
enum luigi_upgrade
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * As its headers say; without headers it may.
     */
    LUIGI_UPGRADE_AS_HEADERS_SAY = 0,
    /**
     * It does not.
     */
    LUIGI_UPGRADE_NO = 1,
    /**
     * It does.
     */
    LUIGI_UPGRADE_YES = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_upgrade luigi_upgrade;
#else
typedef int32_t luigi_upgrade;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is known of a client certificate.
 */
enum luigi_certificate_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The client presented none.
     */
    LUIGI_CERTIFICATE_ABSENT = 1,
    /**
     * The client presented one, and nobody verified it: whatever stands in it proves nothing.
     */
    LUIGI_CERTIFICATE_UNVERIFIED = 2,
    /**
     * The caller verified it: chain, validity, revocation.
     */
    LUIGI_CERTIFICATE_VERIFIED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_certificate_state luigi_certificate_state;
#else
typedef int32_t luigi_certificate_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Whether something is so, as far as is known.
 */
enum luigi_truth
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is not known.
     */
    LUIGI_UNKNOWN = 0,
    /**
     * It is not so.
     */
    LUIGI_FALSE = 1,
    /**
     * It is so.
     */
    LUIGI_TRUE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum luigi_truth luigi_truth;
#else
typedef int32_t luigi_truth;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Bytes that belong to the caller: `length` of them from `data`, without a NUL byte behind them. With `data` NULL there is no text, which
 * is something else than an empty one. Where it is an input it is read during the call and not kept. `luigi_text_of` makes one of a C string.
 */
typedef struct {
    /**
     * The first byte, or NULL.
     */
    const char *data;
    /**
     * How many bytes there are, at most `LUIGI_MAX_TEXT`.
     */
    size_t length;
} luigi_text;

/**
 * The keys of an issuer.
 */
typedef struct {
    /**
     * The name of the issuer in the policy.
     */
    luigi_text issuer;
    /**
     * The path of its JWKS file.
     */
    luigi_text path;
} luigi_key_file;

/**
 * Gets a line of the log, UTF-8 without a line break at its end, with a `luigi_log_level`. Called by whatever thread polls: the caller's in `luigi_engine_poll`,
 * Luigi's own after `luigi_engine_start_polling`; and by threads that decide, if Luigi fails there. `message` is gone when it returns. It must not
 * leave by `longjmp` or an exception.
 */
typedef void (*luigi_log_callback)(void *user_data, int32_t level, luigi_text message);

/**
 * An approval that is missing.
 */
typedef struct {
    /**
     * The scope that it must open.
     */
    char scope[LUIGI_NAME_SIZE];
    /**
     * Its name.
     */
    char approval[LUIGI_NAME_SIZE];
} luigi_missing;

/**
 * A decision. All of it stands in the struct, so it can be copied, kept and handed to other threads. Set `struct_size` before the call; whatever else is in it is
 * overwritten. Unless the call returns `LUIGI_STATUS_OK`, `decision` is `LUIGI_DENY` and `outcome` is `LUIGI_REFUSE`. Names are UTF-8 with a NUL byte behind them, empty if there is
 * none.
 */
typedef struct {
    /**
     * `sizeof(luigi_decision)`, set by the caller.
     */
    size_t struct_size;
    /**
     * What the rules in force answer, a `luigi_answer`; the mode plays no part.
     */
    int32_t decision;
    /**
     * What is to happen to the request, a `luigi_outcome`. This is what a service does as it is told.
     */
    int32_t outcome;
    /**
     * The `luigi_status` for this request; of `luigi_decide_many` each request has its own.
     */
    int32_t status;
    /**
     * Why, a `luigi_reason`.
     */
    int32_t reason;
    /**
     * How the denial could become an allow, a `luigi_advice`.
     */
    int32_t advice;
    /**
     * The status code of HTTP for the decision, whatever the mode: 200, 400, 401, 403 or 503.
     */
    int32_t http_status;
    /**
     * What all rules, the observed ones included, would answer, a `luigi_answer`.
     */
    int32_t candidate_decision;
    /**
     * Why, a `luigi_reason`.
     */
    int32_t candidate_reason;
    /**
     * The `luigi_mode` of the policy.
     */
    int32_t mode;
    /**
     * What became of the credential, a `luigi_credential`.
     */
    int32_t credential;
    /**
     * Whether a privileged scope holds the target: 0 or 1.
     */
    int32_t privileged;
    /**
     * Whether another path must be forwarded than the one received, since this one is not canonical and the decision has effect: 0 or 1. See `path` of `luigi_request`.
     */
    int32_t path_rewritten;
    /**
     * How many bytes the canonical path has; 0 if there is none.
     */
    size_t path_length;
    /**
     * The moment at which it was decided, in seconds since the Unix epoch.
     */
    int64_t time;
    /**
     * For how many seconds a connection that the request upgrades may be idle; -1 if it upgrades none or has no limit.
     */
    int64_t tunnel_seconds;
    /**
     * How many times the feed had been published; 0 for a policy file.
     */
    uint64_t generation;
    /**
     * Names this evaluation in logs; `luigi_evaluation_id_text` writes it.
     */
    uint8_t evaluation_id[16];
    /**
     * The revision of the policy that decided.
     */
    char revision[LUIGI_REVISION_SIZE];
    /**
     * The determining rule.
     */
    char rule[LUIGI_NAME_SIZE];
    /**
     * The scope in which it holds the request.
     */
    char scope[LUIGI_NAME_SIZE];
    /**
     * The restrict rule that asked for what is unmet.
     */
    char restricted_by[LUIGI_NAME_SIZE];
    /**
     * The determining rule of the candidate decision.
     */
    char candidate_rule[LUIGI_NAME_SIZE];
    /**
     * The allow rule that lacks least, if the advice is about one.
     */
    char advice_rule[LUIGI_NAME_SIZE];
    /**
     * The login requirement to meet, if the advice is `LUIGI_ADVICE_STEP_UP`.
     */
    char login[LUIGI_NAME_SIZE];
    /**
     * The grant by which the request is allowed, as the ledger calls it; empty as long as nothing issues grants.
     */
    char grant[LUIGI_NAME_SIZE];
    /**
     * What is wrong with the request itself, as a stable code: why its target is ambiguous, why its credential is not believed.
     */
    char detail[LUIGI_NAME_SIZE];
    /**
     * How many approvals are missing, if the advice is `LUIGI_ADVICE_REQUEST_ACCESS`.
     */
    size_t missing_count;
    /**
     * The approvals that are missing; the first `missing_count` are set.
     */
    luigi_missing missing[LUIGI_MAX_MISSING];
} luigi_decision;

/**
 * What a decision was about. See `luigi_record_callback`.
 */
typedef struct {
    /**
     * `sizeof(luigi_record)`, set by Luigi.
     */
    size_t struct_size;
    /**
     * The decision as the caller is told it: where the call is about to return `LUIGI_STATUS_BUFFER_TOO_SMALL` it says Deny and that status.
     */
    const luigi_decision *decision;
    /**
     * The method as received.
     */
    luigi_text method;
    /**
     * The target as received.
     */
    luigi_text target;
    /**
     * The canonical host; none if the target has none or is ambiguous.
     */
    luigi_text host;
    /**
     * The canonical path; none if the target is ambiguous.
     */
    luigi_text path;
    /**
     * Where the request comes from, as decided: an address; none if unknown.
     */
    luigi_text source;
    /**
     * The issuer of a verified or asserted identity; none without one, as all that follows.
     */
    luigi_text issuer;
    /**
     * Its subject.
     */
    luigi_text subject;
    /**
     * Its e-mail address, verified or not.
     */
    luigi_text email;
    /**
     * The issuer of who acts on its behalf.
     */
    luigi_text actor_issuer;
    /**
     * The subject of who acts on its behalf.
     */
    luigi_text actor_subject;
    /**
     * Who vouches for it, if it was asserted; none if a token was verified.
     */
    luigi_text asserted_by;
} luigi_record;

/**
 * Gets the record of each decision, on the thread that decides, before `luigi_decide` returns. `record` and all it points to is gone when it returns: copy what is
 * to be kept. The context is in use meanwhile. It must not leave by `longjmp` or an exception.
 */
typedef void (*luigi_record_callback)(void *user_data, const luigi_record *record);

/**
 * Where an engine's policy comes from, and whom it tells what. Zero it, set `struct_size`, and what else is needed.
 */
typedef struct {
    /**
     * `sizeof(luigi_engine_options)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The path of a policy: a file, or a directory of `*.toml` files. It is read once. Either this or `feed` is set.
     */
    luigi_text policy;
    /**
     * The path of a feed, which `luigi apply` writes and which is followed.
     */
    luigi_text feed;
    /**
     * The path of the public key that the feed is signed with; set with `feed`, and only with it.
     */
    luigi_text public_key;
    /**
     * The environment for which a policy is compiled; none if it has no environments. A feed brings its own.
     */
    luigi_text environment;
    /**
     * The key files of the policy's issuers; a feed brings its own.
     */
    const luigi_key_file *keys;
    /**
     * How many there are.
     */
    size_t key_count;
    /**
     * The `luigi_mode` of a policy; 0 is `LUIGI_MODE_OBSERVE`. A feed brings its own.
     */
    int32_t mode;
    /**
     * For how many seconds grants count after the feed's writer was last heard of; 0 is 60.
     */
    uint32_t stale_after_seconds;
    /**
     * Gets the lines of the log; NULL for none.
     */
    luigi_log_callback log;
    /**
     * Handed to `log`, which must be able to use it from any thread.
     */
    void *log_data;
    /**
     * Gets the records of decisions; NULL for none.
     */
    luigi_record_callback record;
    /**
     * Handed to `record`, which must be able to use it from any thread.
     */
    void *record_data;
    /**
     * The directory to which decisions are recorded that must be kept, see docs/SPOOL.md; none to record nothing. It must be there, and writable. A privileged request
     * whose record cannot be taken is denied with `LUIGI_REASON_AUDIT_UNAVAILABLE`. Each context writes files of its own.
     */
    luigi_text spool;
    /**
     * How many bytes may be in that directory, by whomever they were written, at least 1 MiB; 0 is 256 MiB.
     */
    uint64_t spool_limit_bytes;
    /**
     * What this machine is called in records; none for what it calls itself.
     */
    luigi_text node;
} luigi_engine_options;

/**
 * An engine: a policy with keys, grants and mode, kept up to date. Threads may share it. All zeros is none.
 *
 * Handles are numbers, not addresses: copy them as you like. One that was closed, and every copy of it, is answered with
 * `LUIGI_STATUS_CLOSED`.
 */
typedef struct {
    /**
     * Opaque.
     */
    uint64_t id;
} luigi_engine;

/**
 * Text that Luigi made and the caller owns: UTF-8 with a NUL byte behind it. Give it back with `luigi_string_free`, once; a copy that is given back, too, is answered with
 * `LUIGI_STATUS_CLOSED`. All zeros is none. A call that fills one does not look at what was in it, so give that back first.
 */
typedef struct {
    /**
     * The first byte, or NULL.
     */
    char *data;
    /**
     * How many bytes there are before the NUL byte.
     */
    size_t length;
    /**
     * Opaque: tells it from every other string that Luigi ever made.
     */
    uint64_t id;
} luigi_string;

/**
 * Why a call failed, in words. Owned by the caller, who frees it with `luigi_error_free`; where a function takes one, NULL will do.
 */
typedef struct {
    /**
     * `sizeof(luigi_error)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The same `luigi_status` that the call returns.
     */
    int32_t status;
    /**
     * What is wrong; none if the call succeeded. If a policy has errors these are all of them, many lines, with file, line, underlined text and help.
     */
    luigi_string message;
    /**
     * The problems of a policy as a JSON array, as `luigi check --format json` has them; none if something else is wrong.
     */
    luigi_string diagnostics;
} luigi_error;

/**
 * What an engine has done, and what it stands on.
 */
typedef struct {
    /**
     * `sizeof(luigi_statistics)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The `luigi_mode` in force.
     */
    int32_t mode;
    /**
     * Whether the newest version in the feed was refused and the last good one stays: 0 or 1. `luigi_engine_status` says why.
     */
    int32_t refused_version;
    /**
     * When the feed was made, in seconds since the Unix epoch; 0 for a policy file.
     */
    uint64_t epoch;
    /**
     * How many times it had been published; 0 for a policy file.
     */
    uint64_t generation;
    /**
     * When the version in force came in force here, in seconds since the Unix epoch.
     */
    int64_t loaded_at;
    /**
     * How many seconds ago the feed's writer was last heard of; -1 for a policy file.
     */
    int64_t heartbeat_age_seconds;
    /**
     * How many rules the policy has.
     */
    uint64_t rules;
    /**
     * How many stops are in force.
     */
    uint64_t stops;
    /**
     * How many versions are in memory, the one in force included.
     */
    uint64_t live_versions;
    /**
     * Requests that passed.
     */
    uint64_t passed;
    /**
     * Requests that were refused, those that were told `LUIGI_STATUS_BUFFER_TOO_SMALL` among them. Calls that failed before anything was decided are in no count.
     */
    uint64_t refused;
    /**
     * Requests that passed only because the policy is observed.
     */
    uint64_t would_be_refused;
    /**
     * Failures of Luigi itself.
     */
    uint64_t failures;
    /**
     * Decisions by the number of their `luigi_reason`; at `LUIGI_REASON_NONE` those that were told `LUIGI_STATUS_BUFFER_TOO_SMALL`.
     */
    uint64_t decisions[LUIGI_REASON_COUNT];
    /**
     * Candidate decisions by the number of their `luigi_reason`, likewise.
     */
    uint64_t candidates[LUIGI_REASON_COUNT];
    /**
     * The revision in force.
     */
    char revision[LUIGI_REVISION_SIZE];
    /**
     * Whether there is a spool: 0 or 1. What follows is 0 without one.
     */
    int32_t spooled;
    /**
     * How many records this process has written to it.
     */
    uint64_t records;
    /**
     * How many it could not write; `luigi_engine_status` says of what.
     */
    uint64_t records_lost;
    /**
     * How many of these were of privileged requests that the rules let pass. They were denied with `LUIGI_REASON_AUDIT_UNAVAILABLE`, unless the policy is only observed or their scopes say
     * `audit = "best-effort"`.
     */
    uint64_t privileged_records_lost;
    /**
     * How many bytes are in the directory, by whomever they were written.
     */
    uint64_t spool_bytes;
    /**
     * How many may be.
     */
    uint64_t spool_limit_bytes;
} luigi_statistics;

/**
 * What one thread needs to decide: buffers and the cache of verified tokens. Make one for each thread; it may move between threads, and serves
 * one at a time. All zeros is none.
 */
typedef struct {
    /**
     * Opaque.
     */
    uint64_t id;
} luigi_context;

/**
 * A name and a value: a header with its name in any case, or a fact.
 */
typedef struct {
    /**
     * The name.
     */
    luigi_text name;
    /**
     * The value.
     */
    luigi_text value;
} luigi_field;

/**
 * A client certificate, as far as the caller knows it. Zero it, set `struct_size`, and what is known.
 */
typedef struct {
    /**
     * `sizeof(luigi_certificate)`, set by the caller.
     */
    size_t struct_size;
    /**
     * A `luigi_certificate_state`. What follows counts only if it is `LUIGI_CERTIFICATE_VERIFIED`; what is left out is unknown.
     */
    int32_t state;
    /**
     * The subject's distinguished name in the form of RFC 2253: `CN=web,O=Example`.
     */
    luigi_text subject_dn;
    /**
     * The SHA-256 of the certificate, 64 hexadecimal digits.
     */
    luigi_text fingerprint_sha256;
    /**
     * The certificate in DER: its subject alternative names are read from it.
     */
    luigi_text der;
} luigi_certificate;

/**
 * Somebody whom the caller vouches for. Never changes; threads may share it. It belongs to no engine. All zeros is none.
 */
typedef struct {
    /**
     * Opaque.
     */
    uint64_t id;
} luigi_identity;

/**
 * A request that is to be decided. Zero it, set `struct_size`, and what is known.
 *
 * Give `Host` and `Authorization` once each, in the member or among the headers; given twice they were sent twice, which is refused. Pass what the client sent, undecoded.
 */
typedef struct {
    /**
     * `sizeof(luigi_request)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The method. Mandatory.
     */
    luigi_text method;
    /**
     * The request-target with its query, as on the request line. Mandatory.
     */
    luigi_text target;
    /**
     * The value of `Host`, or `:authority`.
     */
    luigi_text host;
    /**
     * The peer's address as text; without one, rules about networks are unknown.
     */
    luigi_text source;
    /**
     * The value of `Authorization`.
     */
    luigi_text authorization;
    /**
     * Every header in the order of the request; NULL if headers are not passed, and then rules about them are unknown. No headers at all are
     * an array without elements, whose address is not NULL.
     */
    const luigi_field *headers;
    /**
     * How many there are.
     */
    size_t header_count;
    /**
     * The facts of the policy's `[facts]` table that are known; NULL if none are passed, and then rules about them are unknown.
     */
    const luigi_field *facts;
    /**
     * How many there are.
     */
    size_t fact_count;
    /**
     * The client certificate; NULL if nothing is known of one, and then rules about it are unknown.
     */
    const luigi_certificate *certificate;
    /**
     * What stands for the frontend that took the request in, for policies whose scopes name `frontends`; NULL if it is not known, and then what
     * such a scope may hold is refused.
     */
    luigi_text frontend;
    /**
     * Who asks, if the caller vouches for somebody: `Authorization` is not looked at then.
     */
    luigi_identity identity;
    /**
     * A `luigi_upgrade`. Say `LUIGI_UPGRADE_NO` of what asks for none unless `headers` are passed: privileged scopes refuse what may be an upgrade, with
     * `LUIGI_REASON_UPGRADE_REFUSED`.
     */
    int32_t upgrade;
    /**
     * When, in seconds since the Unix epoch; 0 is now.
     */
    int64_t time;
    /**
     * Where the canonical path of the target is written, with a NUL byte behind it; NULL if it is not wanted. The caller's, `path_size` bytes.
     * Where `path_rewritten` is set, escapes of reserved characters (`%2B`, `%3A`) stand in it as they were sent.
     * Serve or forward this path and not the one that was received: it is the one that was decided.
     */
    char *path;
    /**
     * How much room there is.
     */
    size_t path_size;
} luigi_request;

/**
 * Somebody whom the caller vouches for: it has verified by its own means who that is. Zero it, set `struct_size`, and what is known.
 */
typedef struct {
    /**
     * `sizeof(luigi_assertion)`, set by the caller.
     */
    size_t struct_size;
    /**
     * Who vouches: the name of the program, say. Records show it. Mandatory.
     */
    luigi_text asserted_by;
    /**
     * The issuer, as in `iss` and as the policy has it. Mandatory.
     */
    luigi_text issuer;
    /**
     * The subject, unique within the issuer. Mandatory.
     */
    luigi_text subject;
    /**
     * The first moment at which the identity no longer counts, in seconds since the Unix epoch. Mandatory.
     */
    int64_t expires_at;
    /**
     * The e-mail address.
     */
    luigi_text email;
    /**
     * Whether the address is verified, a `luigi_truth`; rules believe no other.
     */
    int32_t email_verified;
    /**
     * Whether the provider left groups out: 0 if the list is complete, 1 if it is not. A group that is not in a cut-off list is unknown.
     */
    int32_t groups_cut_off;
    /**
     * The groups, as they stand in tokens.
     */
    const luigi_text *groups;
    /**
     * How many there are.
     */
    size_t group_count;
    /**
     * `user`, `service` or whatever the issuer says.
     */
    luigi_text kind;
    /**
     * A JSON object with the claims that rules on claims see. Nothing is taken from it for the members above, and nothing of them added to it.
     */
    luigi_text claims;
    /**
     * When the subject logged in, in seconds since the Unix epoch; 0 if that is not known.
     */
    int64_t auth_time;
    /**
     * The authentication context class.
     */
    luigi_text acr;
    /**
     * The authentication methods; NULL if they are not known.
     */
    const luigi_text *amr;
    /**
     * How many there are.
     */
    size_t amr_count;
    /**
     * Who acts on the subject's behalf: the issuer and the subject of the actor, both or neither.
     */
    luigi_text actor_issuer;
    /**
     * See `actor_issuer`.
     */
    luigi_text actor_subject;
} luigi_assertion;

/**
 * What a refused caller is sent in place of what was asked for. Free it with `luigi_http_reply_free`.
 */
typedef struct {
    /**
     * `sizeof(luigi_http_reply)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The status code of HTTP.
     */
    int32_t status;
    /**
     * The headers: `name: value`, each with CR and LF behind it; names in lower case. `Content-Length` is not among them.
     */
    luigi_string headers;
    /**
     * The body.
     */
    luigi_string body;
} luigi_http_reply;

/**
 * What to check.
 */
typedef struct {
    /**
     * `sizeof(luigi_check_options)`, set by the caller.
     */
    size_t struct_size;
    /**
     * The path of a policy: a file, or a directory of `*.toml` files. Mandatory.
     */
    luigi_text policy;
    /**
     * The environment to check it for; none for all that it has.
     */
    luigi_text environment;
    /**
     * The `luigi_format` of the report; 0 is `LUIGI_FORMAT_TEXT`.
     */
    int32_t format;
} luigi_check_options;

/**
 * What was found.
 */
typedef struct {
    /**
     * `sizeof(luigi_check_report)`, set by the caller.
     */
    size_t struct_size;
    /**
     * How many errors; with one the policy cannot be used.
     */
    size_t errors;
    /**
     * How many warnings.
     */
    size_t warnings;
    /**
     * Every problem: as text, or as a JSON array. The caller's, who frees it with `luigi_string_free`.
     */
    luigi_string text;
} luigi_check_report;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library, `0.1.0`, say. Lives as long as the library.
 *
 * Safe for threads.
 */
const char *luigi_version(void);

/**
 * The version of the library's ABI. Programs compare it with `LUIGI_ABI_VERSION` before they call anything else.
 *
 * Safe for threads.
 */
uint32_t luigi_abi_version(void);

/**
 * What the library was built with: the sum of its `LUIGI_FEATURE_` numbers. Functions of a feature that is missing are there, and return `LUIGI_STATUS_UNSUPPORTED`.
 *
 * Safe for threads.
 */
uint64_t luigi_features(void);

/**
 * A word for a `luigi_status`; `unknown` for other numbers. Lives as long as the library.
 *
 * Safe for threads.
 */
const char *luigi_status_name(int32_t status);

/**
 * The stable code of a `luigi_reason`, as logs have it: `allowed-by-rule`, say; `none` for `LUIGI_REASON_NONE`, `unknown` for other numbers. Lives as long as the library.
 *
 * Safe for threads.
 */
const char *luigi_reason_name(int32_t reason);

/**
 * Opens an engine: reads its policy, keys and feed whole, so that all that can fail fails here. May take seconds for a large policy.
 *
 * `options`: where the policy comes from; read during the call.
 * `engine`: gets the handle, all zeros if the call fails. Close it with `luigi_engine_close`.
 * `error`: gets words if the call fails, every problem of a policy among them; may be NULL.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_POLICY_ERRORS` if the policy has errors;
 * `LUIGI_STATUS_UNUSABLE` if a file, feed or spool cannot be read, is of the wrong kind, or a key or signature is wrong;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if both or neither of `policy` and `feed` are set, a member is set that is for another, `mode` is none, or a pointer is not aligned;
 * `LUIGI_STATUS_INVALID_UTF8` if `environment`, `node` or the name of an issuer is not UTF-8;
 * `LUIGI_STATUS_UNSUPPORTED` for a `policy` if the library lacks `LUIGI_FEATURE_POLICY_FILES`;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_open(const luigi_engine_options *options,
                               luigi_engine *engine,
                               luigi_error *error);

/**
 * Closes an engine, and stops the thread that polls it, if there is one. Calls that run meanwhile come to their end; its contexts decide
 * no more, and are still to be closed. No line of the log comes from that thread after this returns, unless it is called by a callback.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_close(luigi_engine engine);

/**
 * What an engine has done, and what it stands on.
 *
 * `statistics`: overwritten; the caller's.
 *
 * Safe for threads. Takes a lock that no decision takes.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_statistics(luigi_engine engine,
                                     luigi_statistics *statistics);

/**
 * The state of an engine in words: what `luigi status` prints.
 *
 * `format`: a `luigi_format`.
 * `text`: gets the text; none if the call fails. Free it with `luigi_string_free`.
 *
 * Safe for threads. Takes a lock that no decision takes.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `format` is none, or a pointer is not aligned;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_status(luigi_engine engine, int32_t format, luigi_string *text);

/**
 * Looks whether the feed has a new version and works on it; an engine on a policy file has none. Looks after the spool, if there is one. What happened goes to the log.
 * Decisions go on meanwhile and never wait. While one thread polls an engine, others that do find nothing to do.
 *
 * `how`: a `luigi_poll`. `LUIGI_POLL_ALL` may take seconds for a large policy.
 * `next_milliseconds`: gets after how many milliseconds to call again; may be NULL.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`, also if a new version was refused and the last good one stays: the log and `luigi_engine_statistics` tell;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `how` is none, or `next_milliseconds` is not aligned;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_poll(luigi_engine engine,
                               int32_t how,
                               uint32_t *next_milliseconds);

/**
 * Starts a thread that polls the engine until it is closed or `luigi_engine_stop_polling` is called. If there is one already nothing is done. The
 * thread blocks all signals. A child that is forked has none and may start one of its own, whatever its parent has.
 *
 * `error`: gets words if the call fails; may be NULL.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_SYSTEM` if the thread cannot be started;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `error` is not aligned;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_start_polling(luigi_engine engine,
                                        luigi_error *error);

/**
 * Stops the thread that polls the engine and waits for its end, also if another call has stopped it and waits, too; unless a callback of that thread is what calls. If there is
 * none nothing is done.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_engine_stop_polling(luigi_engine engine);

/**
 * Makes a context of an engine.
 *
 * `context`: gets the handle, all zeros if the call fails. Close it with `luigi_context_close`, before or after the engine.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_context_open(luigi_engine engine,
                                luigi_context *context);

/**
 * Lets go of a version of the policy that is no longer in force, and writes to the spool what is to be told there of lost and counted records. A context does so by itself with
 * its next decision; call this if there may be none for long, so that the old version's memory can be freed.
 *
 * One thread at a time for a context.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_context_refresh(luigi_context context);

/**
 * Closes a context. What it counted stays in the statistics of its engine; what it has still to tell the spool is written.
 *
 * One thread at a time for a context.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_BUSY` if it is in use; it stays open;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_context_close(luigi_context context);

/**
 * Decides one request.
 *
 * `request`: what is asked; read during the call.
 * `decision`: gets the decision. Unless the call returns `LUIGI_STATUS_OK` it says Deny and refuse.
 *
 * One thread at a time for a context; any number of threads with a context each. Takes no lock, never waits, and allocates nothing once the context has
 * used the policy in force and has seen the request's token.
 *
 * Returns
 * `LUIGI_STATUS_OK`: there is a decision, whatever it says;
 * `LUIGI_STATUS_NULL` if `request` or `decision` is NULL, or its method or target is none;
 * `LUIGI_STATUS_BUFFER_TOO_SMALL` if the canonical path does not fit into `path`: the request was decided, and is recorded and counted as refused;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if a number in the request is none of its enum, a fingerprint is none, or a pointer is not aligned;
 * `LUIGI_STATUS_INVALID_UTF8` if the name of a certificate's subject is not UTF-8;
 * `LUIGI_STATUS_CLOSED` if the context, its engine, or the identity in the request was closed;
 * `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_decide(luigi_context context,
                          const luigi_request *request,
                          luigi_decision *decision);

/**
 * Decides several requests, in order, as `luigi_decide` does each.
 *
 * `requests`, `decisions`: arrays of `count` elements. A request that cannot be decided does not keep others from it: each decision has a `status` of its own.
 * `count`: the caller promises that so many are in both. It cannot be checked, and a larger one than there are is memory overwritten: of every decision the first thing that is done
 * is to write Deny into it.
 *
 * As `luigi_decide`. If nothing can be decided at all (the context is closed, a size is wrong) every decision says so in its `status`. Two limits: where the first element has
 * a wrong `struct_size` it is the only one that is looked at, since where the next begins is not known; of more than `LUIGI_MAX_ITEMS` elements no request is read, and decisions
 * behind the limit are left as they are. A count that no memory holds (-1, made unsigned) is refused and nothing is touched.
 *
 * Returns
 * `LUIGI_STATUS_OK` if each request was decided, also if there are none;
 * else the status of the first that was not, or why none was, as of `luigi_decide`: `LUIGI_STATUS_BUFFER_TOO_SMALL`, `LUIGI_STATUS_INVALID_ARGUMENT`,
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
 * `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_decide_many(luigi_context context,
                               const luigi_request *requests,
                               luigi_decision *decisions,
                               size_t count);

/**
 * Writes an evaluation id as it stands in logs: 32 hexadecimal digits and a NUL byte.
 *
 * `evaluation_id`: 16 bytes.
 * `text`: gets the digits; `LUIGI_EVALUATION_ID_SIZE` bytes of the caller's.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_evaluation_id_text(const uint8_t *evaluation_id, char *text);

/**
 * Records in the spool how a request ended that was decided before: what HAProxy records of each privileged request that passed. Nothing if the engine has no spool. That the
 * record could not be taken is no failure of the call, since the request has been answered: the statistics count it.
 *
 * `evaluation_id`: that of the decision, 16 bytes.
 * `http_status`: the status code of HTTP that the caller was sent.
 * `backend`: the name of who answered; may be none. What is longer than 1,024 bytes is cut.
 *
 * One thread at a time for a context. Takes no lock and allocates nothing; it is one `write` to a file of the context's own, which is begun now and then.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `http_status` is not between 100 and 599;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_BUSY`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_record_response(luigi_context context,
                                   const uint8_t *evaluation_id,
                                   int32_t http_status,
                                   luigi_text backend);

/**
 * Makes an identity of what the caller vouches for. Nothing of it is verified: only what the program has verified by its own means may stand in it, and
 * nothing that a client merely says.
 *
 * `assertion`: who it is; read during the call.
 * `identity`: gets the handle, all zeros if the call fails. Close it with `luigi_identity_close`.
 * `error`: gets words if the call fails; may be NULL.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if something mandatory is missing or empty, `claims` is no JSON object, a number is none of its enum, an actor is given by half, or a pointer
 * is not aligned;
 * `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_TOO_MANY`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_identity_open(const luigi_assertion *assertion,
                                 luigi_identity *identity,
                                 luigi_error *error);

/**
 * Closes an identity. Decisions that use it meanwhile come to their end.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_identity_close(luigi_identity identity);

/**
 * Makes the reply to a request that was refused: status, headers and body that help the caller on. A browser gets a page with the way to log in or to ask, a program
 * `application/problem+json` (RFC 9457) with the members of the AuthZEN access-request profile; both get `WWW-Authenticate` where a better credential would help.
 * All of it is escaped.
 *
 * `request`, `decision`: those of `luigi_decide`. The policy in force now is what answers; nothing is counted or recorded again.
 * `accept`: the value of `Accept`, which tells a browser from a program.
 * `reply`: gets the reply; nothing in it if the call fails. Free it with `luigi_http_reply_free`.
 *
 * One thread at a time for a context.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` as of `luigi_decide`, and if `decision` is no denial: it allows, or its call failed;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
 * `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_reply(luigi_context context,
                         const luigi_request *request,
                         const luigi_decision *decision,
                         luigi_text accept,
                         luigi_http_reply *reply);

/**
 * Frees what a reply holds. A reply that was only zeroed is fine.
 *
 * Safe for threads, on different replies.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_CLOSED` if it is a copy of one that was freed already, `LUIGI_STATUS_INVALID_HANDLE` if a string in it is not Luigi's;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if a pointer is not aligned;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_http_reply_free(luigi_http_reply *reply);

/**
 * How the policy in force decides a request, rule by rule: what `luigi explain` prints. Not counted and not recorded. Slow, of the size of the policy.
 *
 * `request`: as of `luigi_decide`; its `path` is not written.
 * `format`: a `luigi_format`.
 * `text`: gets the explanation; none if the call fails. Free it with `luigi_string_free`.
 *
 * One thread at a time for a context.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `format` or a number in the request is none of its enum, or the request is malformed: its method is no token, or it has
 * two `Host` headers; or if a fingerprint is none, or a pointer is not aligned;
 * `LUIGI_STATUS_UNSUPPORTED` if the library lacks `LUIGI_FEATURE_EXPLAIN`;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_CLOSED`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INVALID_HANDLE`, `LUIGI_STATUS_BUSY`,
 * `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_explain(luigi_context context,
                           const luigi_request *request,
                           int32_t format,
                           luigi_string *text);

/**
 * Checks a policy as `luigi check` does: every problem and every lint at once, with file, line, underlined text, code and help.
 *
 * `options`: what to check; read during the call.
 * `report`: gets what was found; nothing in it if the policy could not be read. Free its `text` with `luigi_string_free`.
 * `error`: gets words if the policy could not be read or cannot be used; may be NULL.
 *
 * Safe for threads.
 *
 * Returns
 * `LUIGI_STATUS_OK` if the policy can be used, whatever warnings there are;
 * `LUIGI_STATUS_POLICY_ERRORS` if it has errors: the report has them;
 * `LUIGI_STATUS_UNUSABLE` if it cannot be read, or is neither a regular file nor a directory;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if `policy` is missing, `format` is none of `luigi_format`, or a pointer is not aligned;
 * `LUIGI_STATUS_UNSUPPORTED` if the library lacks `LUIGI_FEATURE_POLICY_FILES`;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE`, `LUIGI_STATUS_TOO_LONG`, `LUIGI_STATUS_INVALID_UTF8`, `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_policy_check(const luigi_check_options *options,
                                luigi_check_report *report,
                                luigi_error *error);

/**
 * Frees what an error holds; its status stays. An error that was only zeroed is fine.
 *
 * Safe for threads, on different errors.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_NULL`, `LUIGI_STATUS_STRUCT_SIZE` or, if the pointer is not aligned, `LUIGI_STATUS_INVALID_ARGUMENT` for what is no error;
 * `LUIGI_STATUS_CLOSED` if it is a copy of one that was freed already, `LUIGI_STATUS_INVALID_HANDLE` if a string in it is not Luigi's;
 * `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_error_free(luigi_error *error);

/**
 * Gives a string back. Afterwards it is none. None at all is fine.
 *
 * Safe for threads, on different strings.
 *
 * Returns
 * `LUIGI_STATUS_OK`;
 * `LUIGI_STATUS_NULL` if `string` is NULL;
 * `LUIGI_STATUS_INVALID_ARGUMENT` if the pointer is not aligned;
 * `LUIGI_STATUS_CLOSED` if it is a copy of a string that was given back already;
 * `LUIGI_STATUS_INVALID_HANDLE` if Luigi did not make it; nothing is changed then, as with a copy;
 * `LUIGI_STATUS_INTERNAL`.
 */
luigi_status luigi_string_free(luigi_string *string);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LUIGI_H */

#ifndef LUIGI_TEXT_OF
#define LUIGI_TEXT_OF
/**
 * The text of a C string; none for NULL.
 */
static inline luigi_text luigi_text_of(const char *string) {
    luigi_text text;
    text.data = string;
    text.length = string == NULL ? 0 : strlen(string);
    return text;
}
#endif
