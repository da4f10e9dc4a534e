/* Misuse is answered.  misuse POLICY PIPE */

#include "check.h"
#include <unistd.h>

static luigi_engine engine;
static luigi_context context;

/* The decision that a call must leave: Deny, whatever was there before. */
static void denied(luigi_context context, const luigi_request *request, luigi_status status) {
    luigi_decision decision;
    memset(&decision, 0x01, sizeof decision);
    decision.struct_size = sizeof decision;
    decision.decision = LUIGI_ALLOW;
    decision.outcome = LUIGI_PASS;
    IS(luigi_decide(context, request, &decision), status);
    CHECK(decision.decision == LUIGI_DENY && decision.outcome == LUIGI_REFUSE);
    CHECK(decision.status == (int32_t)status && decision.reason == LUIGI_REASON_NONE);
    CHECK(decision.rule[0] == 0 && decision.revision[0] == 0 && decision.missing_count == 0);
    CHECK(decision.candidate_decision == LUIGI_DENY && decision.http_status == 503);
}

static void nulls(const char *policy) {
    luigi_engine_options options;
    luigi_assertion assertion;
    luigi_check_options check;
    luigi_check_report report;
    luigi_statistics statistics;
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_identity identity;
    luigi_string text;
    luigi_error error;
    luigi_text none = {NULL, 0};
    char id[LUIGI_EVALUATION_ID_SIZE];
    uint8_t bytes[16] = {0};
    START(options);
    START(assertion);
    START(check);
    START(report);
    START(statistics);
    START(decision);
    START(reply);
    START(error);
    options.policy = luigi_text_of(policy);

    IS(luigi_engine_open(NULL, &engine, &error), LUIGI_STATUS_NULL);
    CHECK(error.status == LUIGI_STATUS_NULL && error.message.length > 0);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    IS(luigi_engine_open(&options, NULL, NULL), LUIGI_STATUS_NULL);
    IS(luigi_engine_open(NULL, NULL, NULL), LUIGI_STATUS_NULL);
    IS(luigi_error_free(NULL), LUIGI_STATUS_NULL);
    IS(luigi_string_free(NULL), LUIGI_STATUS_NULL);
    IS(luigi_policy_check(NULL, &report, NULL), LUIGI_STATUS_NULL);
    IS(luigi_policy_check(&check, NULL, NULL), LUIGI_STATUS_NULL);
    IS(luigi_identity_open(NULL, &identity, NULL), LUIGI_STATUS_NULL);
    IS(luigi_identity_open(&assertion, NULL, NULL), LUIGI_STATUS_NULL);

    engine = enforced(policy);
    IS(luigi_context_open(engine, NULL), LUIGI_STATUS_NULL);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    IS(luigi_engine_statistics(engine, NULL), LUIGI_STATUS_NULL);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, NULL), LUIGI_STATUS_NULL);
    IS(luigi_engine_poll(engine, LUIGI_POLL_SLICE, NULL), LUIGI_STATUS_OK);
    IS(luigi_decide(context, &request, NULL), LUIGI_STATUS_NULL);
    IS(luigi_decide(context, NULL, NULL), LUIGI_STATUS_NULL);
    denied(context, NULL, LUIGI_STATUS_NULL);
    IS(luigi_decide_many(context, NULL, &decision, 1), LUIGI_STATUS_NULL);
    IS(luigi_decide_many(context, &request, NULL, 1), LUIGI_STATUS_NULL);
    IS(luigi_explain(context, NULL, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_NULL);
    CHECK(text.data == NULL);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, NULL), LUIGI_STATUS_NULL);
    IS(luigi_reply(context, NULL, &decision, none, &reply), LUIGI_STATUS_NULL);
    IS(luigi_reply(context, &request, NULL, none, &reply), LUIGI_STATUS_NULL);
    IS(luigi_reply(context, &request, &decision, none, NULL), LUIGI_STATUS_NULL);
    IS(luigi_http_reply_free(NULL), LUIGI_STATUS_NULL);
    IS(luigi_evaluation_id_text(NULL, id), LUIGI_STATUS_NULL);
    IS(luigi_evaluation_id_text(bytes, NULL), LUIGI_STATUS_NULL);

    /* Texts and arrays that are NULL with a length, and what is mandatory and not there. */
    request.target = none;
    denied(context, &request, LUIGI_STATUS_NULL);
    request = get("/open");
    request.method = none;
    denied(context, &request, LUIGI_STATUS_NULL);
    request = get("/open");
    request.source.length = 1;
    denied(context, &request, LUIGI_STATUS_NULL);
    request = get("/open");
    request.header_count = 1;
    denied(context, &request, LUIGI_STATUS_NULL);
    request = get("/open");
    request.fact_count = 1;
    denied(context, &request, LUIGI_STATUS_NULL);
    request = get("/open");
    request.path_size = 1;
    denied(context, &request, LUIGI_STATUS_NULL);
}

/* Every struct with every size but its own. */
static void sizes(const char *policy) {
    luigi_engine_options options;
    luigi_assertion assertion;
    luigi_check_options check;
    luigi_check_report report;
    luigi_statistics statistics;
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_engine other;
    luigi_identity identity;
    luigi_error error;
    luigi_text none = {NULL, 0};
    luigi_certificate certificate;
    size_t wrong[4] = {0, 1, (size_t)-1, 0};
    size_t n;
    for (n = 0; n < 8; n++) {
        size_t offset = n % 2 == 0 ? (size_t)-1 : 1;
        START(options);
        START(assertion);
        START(check);
        START(report);
        START(statistics);
        START(decision);
        START(reply);
        START(error);
        request = get("/open");
        options.policy = luigi_text_of(policy);
        decision.decision = LUIGI_ALLOW;
        decision.outcome = LUIGI_PASS;
#define WRONG(variable) ((variable).struct_size = n < 4 ? wrong[n] : (variable).struct_size + offset)
        WRONG(options);
        WRONG(assertion);
        WRONG(check);
        WRONG(report);
        WRONG(statistics);
        WRONG(decision);
        WRONG(reply);
        WRONG(error);
        IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_STRUCT_SIZE);
        CHECK(other.id == 0);
        IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_STRUCT_SIZE);
        report.struct_size = sizeof report;
        IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_engine_statistics(engine, &statistics), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_http_reply_free(&reply), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_engine_start_polling(engine, &error), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_error_free(&error), LUIGI_STATUS_STRUCT_SIZE);
        IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_STRUCT_SIZE);
        CHECK(decision.decision == LUIGI_DENY && decision.outcome == LUIGI_REFUSE);
        START(certificate);
        certificate.state = LUIGI_CERTIFICATE_ABSENT;
        WRONG(certificate);
        request.certificate = &certificate;
        denied(context, &request, LUIGI_STATUS_STRUCT_SIZE);
        WRONG(request);
        denied(context, &request, LUIGI_STATUS_STRUCT_SIZE);
    }
    options.struct_size = sizeof options;
    error.struct_size = 3;
    IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_STRUCT_SIZE);
}

static void arguments(const char *policy) {
    luigi_engine_options options;
    luigi_engine other;
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_check_options check;
    luigi_check_report report;
    luigi_error error;
    luigi_request request;
    luigi_certificate certificate;
    luigi_string text;
    luigi_key_file keys;
    luigi_statistics before, after;
    luigi_text latin;
    luigi_text long_text;
    luigi_field field;
    char small[5];
    char *block = (char *)malloc(LUIGI_MAX_TEXT + 64);
    size_t n;
    memset(block, 'x', LUIGI_MAX_TEXT + 64);
    latin.data = "caf\xe9";
    latin.length = 4;
    START(error);

    /* Options that contradict each other. */
    for (n = 0; n < 11; n++) {
        START(options);
        options.policy = luigi_text_of(n == 0 || (n > 3 && n < 8) ? NULL : policy);
        options.feed = luigi_text_of(n == 1 || (n > 3 && n < 8) ? "feed" : NULL);
        options.public_key = luigi_text_of(n == 2 || (n > 4 && n < 8) ? "key" : NULL);
        options.mode = n == 3 ? 99 : n == 5 ? LUIGI_MODE_ENFORCE : 0;
        options.environment = luigi_text_of(n == 6 ? "production" : NULL);
        keys.issuer = luigi_text_of("corp");
        keys.path = luigi_text_of("keys");
        options.keys = n == 7 ? &keys : NULL;
        options.key_count = n == 7 ? 1 : 0;
        options.spool_limit_bytes = n == 8 ? 1 << 20 : n == 10 ? 1 : 0;
        options.node = luigi_text_of(n == 9 ? "edge-1" : NULL);
        options.spool = luigi_text_of(n == 10 ? "." : NULL);
        IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_INVALID_ARGUMENT);
        CHECK(other.id == 0 && error.message.data[0] == (n == 0 ? 'n' : n == 1 ? 'b' : '`'));
        IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    }
    START(options);
    options.policy.data = "a\0b";
    options.policy.length = 3;
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    options.policy.length = 0;
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    options.policy = luigi_text_of(policy);
    options.environment = latin;
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_INVALID_UTF8);
    options.environment = luigi_text_of(NULL);
    options.keys = (const luigi_key_file *)(const void *)(block + 1);
    options.key_count = 1;
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    START(check);
    START(report);
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    check.policy = luigi_text_of(policy);
    check.format = 3;
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    check.format = 0;
    check.policy = luigi_text_of("/nowhere");
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_UNUSABLE);
    CHECK(report.text.data == NULL);

    /* Assertions that say too little, or nonsense. */
    for (n = 0; n < 10; n++) {
        START(assertion);
        assertion.asserted_by = luigi_text_of(n == 0 ? "" : "test");
        assertion.issuer = luigi_text_of(n == 1 ? NULL : "https://login.example.com");
        assertion.subject = luigi_text_of(n == 2 ? "" : "ada");
        assertion.expires_at = n == 3 ? 0 : 1772442000;
        assertion.email_verified = n == 4 ? 3 : 0;
        assertion.groups_cut_off = n == 5 ? 2 : 0;
        assertion.claims = luigi_text_of(n == 6 ? "[]" : n == 7 ? "{" : NULL);
        assertion.actor_issuer = luigi_text_of(n == 8 ? "https://login.example.com" : NULL);
        assertion.actor_subject = luigi_text_of(n == 9 ? "robot" : NULL);
        IS(luigi_identity_open(&assertion, &identity, &error), LUIGI_STATUS_INVALID_ARGUMENT);
        CHECK(identity.id == 0 && error.message.length > 0);
        IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    }
    START(assertion);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.expires_at = 1772442000;
    assertion.subject = latin;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_INVALID_UTF8);
    assertion.subject = luigi_text_of("ada");
    assertion.group_count = 1;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_NULL);

    /* Numbers that are none. */
    request = get("/open");
    request.upgrade = -1;
    denied(context, &request, LUIGI_STATUS_INVALID_ARGUMENT);
    request = get("/open");
    START(certificate);
    request.certificate = &certificate;
    denied(context, &request, LUIGI_STATUS_INVALID_ARGUMENT);
    certificate.state = LUIGI_CERTIFICATE_VERIFIED;
    certificate.fingerprint_sha256 = luigi_text_of("12");
    denied(context, &request, LUIGI_STATUS_INVALID_ARGUMENT);
    certificate.fingerprint_sha256 = luigi_text_of(NULL);
    certificate.subject_dn = latin;
    denied(context, &request, LUIGI_STATUS_INVALID_UTF8);
    request = get("/open");
    IS(luigi_explain(context, &request, 0, &text), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_status(engine, -1, &text), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_poll(engine, 0, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    request.method = luigi_text_of("");
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_INVALID_ARGUMENT);

    /* Lengths. What is too long is not read: behind the block there is nothing. */
    long_text.data = block;
    long_text.length = LUIGI_MAX_TEXT;
    request = get("/open");
    request.authorization = long_text;
    {
        luigi_decision decision;
        decision.struct_size = sizeof decision;
        IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    }
    long_text.length = (size_t)-1;
    request.authorization = long_text;
    denied(context, &request, LUIGI_STATUS_TOO_LONG);
    request = get("/open");
    request.target = long_text;
    denied(context, &request, LUIGI_STATUS_TOO_LONG);
    request = get("/open");
    field.name = luigi_text_of("x");
    field.value = long_text;
    request.headers = &field;
    request.header_count = 1;
    denied(context, &request, LUIGI_STATUS_TOO_LONG);
    request.header_count = LUIGI_MAX_ITEMS + 1;
    denied(context, &request, LUIGI_STATUS_TOO_LONG);
    request.header_count = (size_t)-1;
    denied(context, &request, LUIGI_STATUS_TOO_LONG);
    IS(luigi_decide_many(context, NULL, NULL, LUIGI_MAX_ITEMS + 1), LUIGI_STATUS_TOO_LONG);
    request = get("/open");
    request.path = small;
    request.path_size = sizeof small;
    before = statistics_of(engine);
    denied(context, &request, LUIGI_STATUS_BUFFER_TOO_SMALL);
    /* It is counted as what the service is told. */
    after = statistics_of(engine);
    CHECK(after.passed == before.passed && after.refused == before.refused + 1);
    CHECK(after.decisions[LUIGI_REASON_NONE] == before.decisions[LUIGI_REASON_NONE] + 1);
    CHECK(after.candidates[LUIGI_REASON_NONE] == before.candidates[LUIGI_REASON_NONE] + 1);
    CHECK(after.decisions[LUIGI_REASON_ALLOWED_BY_RULE] == before.decisions[LUIGI_REASON_ALLOWED_BY_RULE]);
    CHECK(after.would_be_refused == before.would_be_refused && after.failures == before.failures);
    free(block);

    /* Nothing of a length of zero is an empty text: an empty Host is one. */
    request = get("");
    request.host = luigi_text_of("");
    request.method = luigi_text_of("");
    {
        luigi_decision decision;
        decision.struct_size = sizeof decision;
        IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
        CHECK(decision.outcome == LUIGI_REFUSE && decision.reason == LUIGI_REASON_MALFORMED_FACTS);
    }
}

static void handles(const char *policy) {
    luigi_engine no_engine = {0};
    luigi_engine mixed;
    luigi_context no_context = {0};
    luigi_context other;
    luigi_context third;
    luigi_identity identity = {0};
    luigi_statistics statistics;
    luigi_request request = get("/open");
    luigi_assertion assertion;
    luigi_string text;
    START(statistics);
    IS(luigi_context_open(no_engine, &other), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_engine_close(no_engine), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_engine_statistics(no_engine, &statistics), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_context_close(no_context), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_identity_close(identity), LUIGI_STATUS_INVALID_HANDLE);
    denied(no_context, &request, LUIGI_STATUS_INVALID_HANDLE);
    mixed.id = context.id;
    IS(luigi_context_open(mixed, &other), LUIGI_STATUS_INVALID_HANDLE);
    CHECK(other.id == 0);
    no_context.id = ~(uint64_t)0;
    denied(no_context, &request, LUIGI_STATUS_INVALID_HANDLE);

    /* A closed handle, also after its slot was given to another. */
    IS(luigi_context_open(engine, &other), LUIGI_STATUS_OK);
    IS(luigi_context_close(other), LUIGI_STATUS_OK);
    IS(luigi_context_close(other), LUIGI_STATUS_CLOSED);
    denied(other, &request, LUIGI_STATUS_CLOSED);
    IS(luigi_context_open(engine, &third), LUIGI_STATUS_OK);
    CHECK(third.id != other.id);
    denied(other, &request, LUIGI_STATUS_CLOSED);
    IS(luigi_context_refresh(other), LUIGI_STATUS_CLOSED);
    IS(luigi_explain(other, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_CLOSED);
    IS(luigi_context_close(third), LUIGI_STATUS_OK);

    START(assertion);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = 1772442000;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_OK);
    IS(luigi_identity_close(identity), LUIGI_STATUS_OK);
    IS(luigi_identity_close(identity), LUIGI_STATUS_CLOSED);
    request.identity = identity;
    denied(context, &request, LUIGI_STATUS_CLOSED);
    request.identity.id = context.id;
    denied(context, &request, LUIGI_STATUS_INVALID_HANDLE);

    /* The engine of an open context. */
    request = get("/open");
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_CLOSED);
    denied(context, &request, LUIGI_STATUS_CLOSED);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_CLOSED);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_CLOSED);
    IS(luigi_engine_stop_polling(engine), LUIGI_STATUS_CLOSED);
    IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, NULL), LUIGI_STATUS_CLOSED);
    IS(luigi_context_open(engine, &other), LUIGI_STATUS_CLOSED);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    engine = enforced(policy);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
}

/* Strings that come back twice, also when another stands at their address, and strings that are none of Luigi's. */
static void strings(void) {
    luigi_request request = get("/open");
    luigi_string text, copy, other, forged;
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    copy = text;
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    CHECK(text.data == NULL && text.length == 0 && text.id == 0);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    IS(luigi_string_free(&copy), LUIGI_STATUS_CLOSED);
    CHECK(copy.data != NULL && copy.length > 0 && copy.id != 0);

    IS(luigi_explain(context, &request, LUIGI_FORMAT_JSON, &other), LUIGI_STATUS_OK);
    CHECK(other.id != copy.id);
    copy.data = other.data;
    copy.length = other.length;
    IS(luigi_string_free(&copy), LUIGI_STATUS_CLOSED);
    forged = other;
    forged.data = (char *)&forged;
    IS(luigi_string_free(&forged), LUIGI_STATUS_INVALID_HANDLE);
    forged = other;
    forged.length--;
    IS(luigi_string_free(&forged), LUIGI_STATUS_INVALID_HANDLE);
    forged = other;
    forged.id = 0;
    IS(luigi_string_free(&forged), LUIGI_STATUS_INVALID_HANDLE);
    forged.id = other.id + 1;
    IS(luigi_string_free(&forged), LUIGI_STATUS_INVALID_HANDLE);
    forged.id = ~(uint64_t)0;
    IS(luigi_string_free(&forged), LUIGI_STATUS_INVALID_HANDLE);
    CHECK(other.data[0] == '{' && strlen(other.data) == other.length);
    IS(luigi_string_free(&other), LUIGI_STATUS_OK);
}

/* A callback that calls back. */
struct nested {
    luigi_context context;
    luigi_context other;
    int called;
};

static void record(void *data, const luigi_record *record) {
    struct nested *nested = (struct nested *)data;
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_statistics statistics;
    if (nested->called++ > 0) {
        return;
    }
    CHECK(record->decision->outcome == LUIGI_PASS);
    denied(nested->context, &request, LUIGI_STATUS_BUSY);
    IS(luigi_context_close(nested->context), LUIGI_STATUS_BUSY);
    decision.struct_size = sizeof decision;
    IS(luigi_decide(nested->other, &request, &decision), LUIGI_STATUS_OK);
    CHECK(nested->called == 2);
    START(statistics);
    IS(luigi_engine_statistics(engine, &statistics), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
}

static void from_within(const char *policy) {
    luigi_engine_options options;
    luigi_request request = get("/open");
    luigi_decision decision;
    struct nested nested;
    memset(&nested, 0, sizeof nested);
    START(options);
    options.policy = luigi_text_of(policy);
    options.mode = LUIGI_MODE_ENFORCE;
    options.record = record;
    options.record_data = &nested;
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &nested.context), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &nested.other), LUIGI_STATUS_OK);
    decision.struct_size = sizeof decision;
    IS(luigi_decide(nested.context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_PASS && nested.called == 2);
    IS(luigi_decide(nested.context, &request, &decision), LUIGI_STATUS_CLOSED);
    IS(luigi_context_close(nested.context), LUIGI_STATUS_OK);
    IS(luigi_context_close(nested.other), LUIGI_STATUS_OK);
}

/* An array of decisions that nothing is left of but what was there before: each must say that it was not made. */
static void undecided(const luigi_decision *decisions, size_t count, luigi_status status) {
    size_t n;
    for (n = 0; n < count; n++) {
        CHECK(decisions[n].decision == LUIGI_DENY && decisions[n].outcome == LUIGI_REFUSE);
        CHECK(decisions[n].status == (int32_t)status && decisions[n].reason == LUIGI_REASON_NONE);
        CHECK(decisions[n].rule[0] == 0 && decisions[n].http_status == 503);
    }
}

/* Decisions as a call left them that allowed. */
/* What a decision says that nobody has written to. */
#define STALE 0x01010101

static void stale(luigi_decision *decisions, size_t count) {
    size_t n;
    memset(decisions, 0x01, count * sizeof *decisions);
    for (n = 0; n < count; n++) {
        decisions[n].struct_size = sizeof *decisions;
        decisions[n].status = LUIGI_STATUS_OK;
    }
}

static void arrays(void) {
    luigi_request requests[3];
    luigi_decision decisions[3];
    luigi_context closed = {7};
    /* What a program has that was built for a smaller struct, with something of its own behind it. */
    union {
        size_t struct_size;
        unsigned char bytes[4][200];
    } small;
    unsigned char behind[4096];
    unsigned char *place = (unsigned char *)malloc(sizeof small + sizeof behind);
    luigi_decision *many;
    size_t n;
    CHECK(place != NULL);
    for (n = 0; n < 3; n++) requests[n] = get("/open");

    stale(decisions, 3);
    IS(luigi_decide_many(closed, requests, decisions, 3), LUIGI_STATUS_INVALID_HANDLE);
    undecided(decisions, 3, LUIGI_STATUS_INVALID_HANDLE);
    stale(decisions, 3);
    IS(luigi_decide_many(context, NULL, decisions, 3), LUIGI_STATUS_NULL);
    undecided(decisions, 3, LUIGI_STATUS_NULL);
    stale(decisions, 3);
    decisions[1].struct_size = 0;
    IS(luigi_decide_many(context, requests, decisions, 3), LUIGI_STATUS_STRUCT_SIZE);
    undecided(decisions, 3, LUIGI_STATUS_STRUCT_SIZE);

    /* Of more than there may be all within the limit are denied and nothing is read; of more than there can be nothing is touched. */
    many = (luigi_decision *)malloc((LUIGI_MAX_ITEMS + 1) * sizeof *many);
    CHECK(many != NULL);
    stale(many, LUIGI_MAX_ITEMS + 1);
    IS(luigi_decide_many(context, (luigi_request *)(void *)place, many, LUIGI_MAX_ITEMS + 1), LUIGI_STATUS_TOO_LONG);
    undecided(many, LUIGI_MAX_ITEMS, LUIGI_STATUS_TOO_LONG);
    CHECK(many[LUIGI_MAX_ITEMS].decision == STALE);
    stale(many, 1);
    IS(luigi_decide_many(context, requests, many, (size_t)-1), LUIGI_STATUS_TOO_LONG);
    CHECK(many[0].decision == STALE && many[0].status == LUIGI_STATUS_OK);
    free(many);

    memset(&small, 0x5a, sizeof small);
    memset(behind, 0x5a, sizeof behind);
    for (n = 0; n < 4; n++) {
        size_t size = sizeof small.bytes[0];
        memcpy(small.bytes[n], &size, sizeof size);
    }
    memcpy(place, &small, sizeof small);
    memcpy(place + sizeof small, behind, sizeof behind);
    IS(luigi_decide_many(context, requests, (luigi_decision *)(void *)place, 3), LUIGI_STATUS_STRUCT_SIZE);
    CHECK(memcmp(place + sizeof small, behind, sizeof behind) == 0);
    /* Of its elements only the beginning of the first was written. */
    CHECK(memcmp(place + sizeof small.bytes[0], small.bytes[1], 3 * sizeof small.bytes[0]) == 0);
    free(place);
}

/* A decision that is no denial has no reply. */
static void replies(void) {
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_text none = {NULL, 0};
    char small[2];
    START(decision);
    START(reply);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.decision == LUIGI_ALLOW);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_INVALID_ARGUMENT);
    request.path = small;
    request.path_size = sizeof small;
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_BUFFER_TOO_SMALL);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_INVALID_ARGUMENT);
    CHECK(reply.status == 0 && reply.body.data == NULL);
}

/* Paths to what is no file, and would hold who opens or reads it for ever. */
static void pipes(const char *policy, const char *pipe) {
    luigi_engine_options options;
    luigi_engine other;
    luigi_key_file keys;
    luigi_check_options check;
    luigi_check_report report;
    luigi_error error;
    int n;
    START(error);
    for (n = 0; n < 6; n++) {
        START(options);
        keys.issuer = luigi_text_of("corp");
        keys.path = luigi_text_of(n == 2 ? pipe : "/dev/zero");
        options.policy = luigi_text_of(n == 0 ? pipe : n == 1 ? "/dev/zero" : n < 4 ? policy : NULL);
        options.keys = n == 2 || n == 3 ? &keys : NULL;
        options.key_count = n == 2 || n == 3 ? 1 : 0;
        options.feed = luigi_text_of(n < 4 ? NULL : ".");
        options.public_key = luigi_text_of(n < 4 ? NULL : n == 4 ? pipe : "/dev/zero");
        IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_UNUSABLE);
        CHECK(strstr(error.message.data, n % 2 == 0 ? "it is a pipe" : "it is a device") != NULL);
        CHECK(strstr(error.message.data, n % 2 == 0 ? pipe : "/dev/zero") != NULL);
        IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    }
    /* A spool is a directory that is there. */
    for (n = 0; n < 3; n++) {
        START(options);
        options.policy = luigi_text_of(policy);
        options.spool = luigi_text_of(n == 0 ? pipe : n == 1 ? policy : "/nowhere/spool");
        IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_UNUSABLE);
        CHECK(strstr(error.message.data, "cannot use the spool") != NULL);
        IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    }
    START(check);
    START(report);
    check.policy = luigi_text_of(pipe);
    IS(luigi_policy_check(&check, &report, &error), LUIGI_STATUS_UNUSABLE);
    CHECK(strstr(error.message.data, "it is a pipe") != NULL);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
}

int main(int count, char **words) {
    CHECK(count == 3);
    /* What waits for ever is a failure of this program. */
    alarm(300);
    note_what_is_provoked();
    nulls(words[1]);
    sizes(words[1]);
    arguments(words[1]);
    handles(words[1]);
    strings();
    arrays();
    replies();
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    from_within(words[1]);
    pipes(words[1], words[2]);
    return 0;
}
