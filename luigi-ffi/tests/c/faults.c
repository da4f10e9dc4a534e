/*
 * A library that fails on demand: whatever panics inside is a status, and decisions are denials.  faults POLICY BROKEN-POLICY
 *
 * For a library with the feature `faults`, which looks at LUIGI_FAULT.
 */

#include "check.h"

static luigi_engine engine;
static luigi_context context;
static luigi_text none;
static int failures_told;
static int records;

static void fails(const char *what) {
    CHECK(what == NULL ? unsetenv("LUIGI_FAULT") == 0 : setenv("LUIGI_FAULT", what, 1) == 0);
}

static void log_line(void *data, int32_t level, luigi_text message) {
    CHECK(data == NULL && level == LUIGI_LOG_ERROR && message.length > 0);
    failures_told++;
}

static void record(void *data, const luigi_record *record) {
    CHECK(data == NULL && record->decision->status == LUIGI_STATUS_OK);
    records++;
}

static void denied(const luigi_decision *decision) {
    CHECK(decision->decision == LUIGI_DENY && decision->outcome == LUIGI_REFUSE);
    CHECK(decision->status == LUIGI_STATUS_INTERNAL && decision->reason == LUIGI_REASON_NONE);
    CHECK(decision->rule[0] == 0 && decision->http_status == 503);
}

/* What was there before a call must not look like its result. */
static luigi_decision allowed(void) {
    luigi_decision decision;
    memset(&decision, 0x01, sizeof decision);
    decision.struct_size = sizeof decision;
    decision.decision = LUIGI_ALLOW;
    decision.outcome = LUIGI_PASS;
    return decision;
}

/* Each function, as it begins. */
static void everywhere(const char *policy) {
    luigi_engine_options options;
    luigi_engine other;
    luigi_context another;
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_check_options check;
    luigi_check_report report;
    luigi_error error;
    luigi_statistics statistics;
    luigi_http_reply reply;
    luigi_request request = get("/open");
    luigi_decision decision = allowed();
    luigi_decision many[2];
    luigi_string text;
    uint8_t bytes[16] = {0};
    char id[LUIGI_EVALUATION_ID_SIZE];
    START(options);
    START(assertion);
    START(check);
    START(report);
    START(error);
    START(statistics);
    START(reply);
    memset(&text, 0, sizeof text);
    memset(&identity, 0, sizeof identity);
    options.policy = luigi_text_of(policy);
    check.policy = luigi_text_of(policy);
    many[0] = many[1] = allowed();

    fails("call");
    IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_INTERNAL);
    CHECK(error.status == LUIGI_STATUS_INTERNAL && error.message.length > 0);
    IS(luigi_engine_statistics(engine, &statistics), LUIGI_STATUS_INTERNAL);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_INTERNAL);
    IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, NULL), LUIGI_STATUS_INTERNAL);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_INTERNAL);
    IS(luigi_engine_stop_polling(engine), LUIGI_STATUS_INTERNAL);
    IS(luigi_engine_close(engine), LUIGI_STATUS_INTERNAL);
    IS(luigi_context_open(engine, &another), LUIGI_STATUS_INTERNAL);
    IS(luigi_context_refresh(context), LUIGI_STATUS_INTERNAL);
    IS(luigi_context_close(context), LUIGI_STATUS_INTERNAL);
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_INTERNAL);
    denied(&decision);
    IS(luigi_decide_many(context, &request, many, 1), LUIGI_STATUS_INTERNAL);
    denied(&many[0]);
    IS(luigi_record_response(context, bytes, 200, none), LUIGI_STATUS_INTERNAL);
    IS(luigi_evaluation_id_text(bytes, id), LUIGI_STATUS_INTERNAL);
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_INTERNAL);
    IS(luigi_identity_close(identity), LUIGI_STATUS_INTERNAL);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_INTERNAL);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_INTERNAL);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_INTERNAL);
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_INTERNAL);
    IS(luigi_string_free(&text), LUIGI_STATUS_INTERNAL);
    IS(luigi_error_free(&error), LUIGI_STATUS_INTERNAL);
    fails(NULL);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
}

/* The decision itself, while rules are evaluated and when it is made: the next one is sound. */
static void decisions(void) {
    luigi_request requests[2];
    luigi_decision many[2];
    luigi_statistics before = statistics_of(engine);
    luigi_statistics after;
    luigi_decision decision = allowed();
    luigi_field country;
    int told = failures_told, recorded = records;
    country.name = luigi_text_of("country");
    country.value = luigi_text_of("DE");
    requests[0] = get("/german");
    requests[0].facts = &country;
    requests[0].fact_count = 1;
    requests[1] = requests[0];

    fails("delivery");
    IS(luigi_decide(context, &requests[0], &decision), LUIGI_STATUS_INTERNAL);
    denied(&decision);
    many[0] = many[1] = allowed();
    IS(luigi_decide_many(context, requests, many, 2), LUIGI_STATUS_INTERNAL);
    denied(&many[0]);
    denied(&many[1]);
    after = statistics_of(engine);
    CHECK(after.passed == before.passed && after.failures == before.failures + 3);
    CHECK(failures_told == told + 3 && records == recorded);

    fails("evaluation");
    decision = allowed();
    IS(luigi_decide(context, &requests[0], &decision), LUIGI_STATUS_OK);
    CHECK(decision.decision == LUIGI_DENY && decision.outcome == LUIGI_REFUSE && decision.http_status == 503);
    CHECK(decision.reason == LUIGI_REASON_INTERNAL_ERROR);
    CHECK(failures_told == told + 4 && records == recorded + 1);

    fails(NULL);
    IS(luigi_decide(context, &requests[0], &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_PASS && decision.reason == LUIGI_REASON_ALLOWED_BY_RULE);
    before = after;
    after = statistics_of(engine);
    CHECK(after.passed == before.passed + 1 && after.failures == before.failures + 1);
    CHECK(after.decisions[LUIGI_REASON_INTERNAL_ERROR] == before.decisions[LUIGI_REASON_INTERNAL_ERROR] + 1);
}

/* No room for handles, no threads. */
static void limits(const char *policy) {
    luigi_engine_options options;
    luigi_engine other;
    luigi_context another;
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_error error;
    START(options);
    START(assertion);
    START(error);
    options.policy = luigi_text_of(policy);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = 1772442000;
    fails("handles");
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_TOO_MANY);
    IS(luigi_context_open(engine, &another), LUIGI_STATUS_TOO_MANY);
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_TOO_MANY);
    CHECK(other.id == 0 && another.id == 0 && identity.id == 0);
    fails("thread");
    IS(luigi_engine_start_polling(engine, &error), LUIGI_STATUS_SYSTEM);
    CHECK(strstr(error.message.data, "cannot start the thread") != NULL);
    fails(NULL);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
}

int main(int count, char **words) {
    luigi_engine_options options;
    CHECK(count == 2);
    note_what_is_provoked();
    fails(NULL);
    START(options);
    options.policy = luigi_text_of(words[1]);
    options.mode = LUIGI_MODE_ENFORCE;
    options.log = log_line;
    options.record = record;
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    everywhere(words[1]);
    decisions();
    limits(words[1]);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    return 0;
}
