/* Each function is made to give every status that its documentation names and the other programs do not show.  statuses POLICY BROKEN-POLICY */

#include "check.h"

static luigi_engine engine;
static luigi_context context;
static luigi_decision denial;
static luigi_text none;

/* A pointer that is aligned to nothing. */
static char block[4096];

#define SKEWED(type) ((type *)(void *)(block + 1))

/* The four functions that take a request. */
static void each(luigi_context which, const luigi_request *request, luigi_status status) {
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_string text;
    START(decision);
    START(reply);
    IS(luigi_decide(which, request, &decision), status);
    CHECK(decision.outcome == LUIGI_REFUSE && decision.status == (int32_t)status);
    IS(luigi_decide_many(which, request, &decision, 1), status);
    CHECK(decision.outcome == LUIGI_REFUSE && decision.status == (int32_t)status);
    IS(luigi_reply(which, request, &denial, none, &reply), status);
    CHECK(reply.status == 0 && reply.headers.data == NULL && reply.body.data == NULL);
    IS(luigi_explain(which, request, LUIGI_FORMAT_TEXT, &text), status);
    CHECK(text.data == NULL && text.length == 0);
}

static void requests(void) {
    luigi_request request = get("/nowhere");
    luigi_certificate certificate;
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_context closed;
    luigi_context nothing = {0};
    luigi_string text;
    char small[2];
    START(decision);
    START(reply);
    START(denial);
    IS(luigi_decide(context, &request, &denial), LUIGI_STATUS_OK);
    IS(luigi_decide_many(context, &request, &decision, 1), LUIGI_STATUS_OK);
    IS(luigi_reply(context, &request, &denial, none, &reply), LUIGI_STATUS_OK);
    CHECK(reply.status == 403);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);

    each(context, NULL, LUIGI_STATUS_NULL);
    each(context, SKEWED(luigi_request), LUIGI_STATUS_INVALID_ARGUMENT);
    each(nothing, &request, LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_context_open(engine, &closed), LUIGI_STATUS_OK);
    IS(luigi_context_close(closed), LUIGI_STATUS_OK);
    each(closed, &request, LUIGI_STATUS_CLOSED);
    IS(luigi_record_response(closed, denial.evaluation_id, 200, none), LUIGI_STATUS_CLOSED);

    request.struct_size--;
    each(context, &request, LUIGI_STATUS_STRUCT_SIZE);
    request = get("/nowhere");
    request.target.length = LUIGI_MAX_TEXT + 1;
    each(context, &request, LUIGI_STATUS_TOO_LONG);
    request = get("/nowhere");
    START(certificate);
    certificate.state = LUIGI_CERTIFICATE_VERIFIED;
    certificate.subject_dn = luigi_text_of("caf\xe9");
    request.certificate = &certificate;
    each(context, &request, LUIGI_STATUS_INVALID_UTF8);
    request.certificate = SKEWED(luigi_certificate);
    each(context, &request, LUIGI_STATUS_INVALID_ARGUMENT);
    request = get("/nowhere");
    request.headers = SKEWED(luigi_field);
    request.header_count = 1;
    each(context, &request, LUIGI_STATUS_INVALID_ARGUMENT);

    request = get("/nowhere");
    request.path = small;
    request.path_size = sizeof small;
    IS(luigi_decide_many(context, &request, &decision, 1), LUIGI_STATUS_BUFFER_TOO_SMALL);
    IS(luigi_decide(context, &request, SKEWED(luigi_decision)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_decide_many(context, &request, SKEWED(luigi_decision), 1), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_decide_many(context, SKEWED(luigi_request), &decision, 1), LUIGI_STATUS_INVALID_ARGUMENT);
    request = get("/nowhere");
    IS(luigi_reply(context, &request, SKEWED(luigi_decision), none, &reply), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_reply(context, &request, &denial, none, SKEWED(luigi_http_reply)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, SKEWED(luigi_string)), LUIGI_STATUS_INVALID_ARGUMENT);

    IS(luigi_record_response(context, denial.evaluation_id, 200, none), LUIGI_STATUS_OK);
    IS(luigi_record_response(context, NULL, 200, none), LUIGI_STATUS_NULL);
    IS(luigi_record_response(context, denial.evaluation_id, 99, none), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_record_response(context, denial.evaluation_id, 600, none), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_record_response(context, denial.evaluation_id, -1, none), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_record_response(context, denial.evaluation_id, 65736, none), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_record_response(nothing, denial.evaluation_id, 200, none), LUIGI_STATUS_INVALID_HANDLE);
    request.target.length = LUIGI_MAX_TEXT + 1;
    IS(luigi_record_response(context, denial.evaluation_id, 200, request.target), LUIGI_STATUS_TOO_LONG);
    IS(luigi_context_refresh(context), LUIGI_STATUS_OK);
    IS(luigi_context_refresh(nothing), LUIGI_STATUS_INVALID_HANDLE);
}

/* A context that is in use is busy for all that takes one. */
static int called;

static void record(void *data, const luigi_record *record) {
    luigi_context context = *(luigi_context *)data;
    luigi_request request = get("/open");
    called++;
    each(context, &request, LUIGI_STATUS_BUSY);
    IS(luigi_context_refresh(context), LUIGI_STATUS_BUSY);
    IS(luigi_context_close(context), LUIGI_STATUS_BUSY);
    IS(luigi_record_response(context, record->decision->evaluation_id, 200, none), LUIGI_STATUS_BUSY);
}

static void busy(const char *policy) {
    luigi_engine_options options;
    luigi_engine other;
    luigi_context of_other;
    luigi_request request = get("/open");
    luigi_decision decision;
    START(options);
    START(decision);
    options.policy = luigi_text_of(policy);
    options.record = record;
    options.record_data = &of_other;
    IS(luigi_engine_open(&options, &other, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(other, &of_other), LUIGI_STATUS_OK);
    IS(luigi_decide(of_other, &request, &decision), LUIGI_STATUS_OK);
    CHECK(called == 1 && decision.outcome == LUIGI_PASS);
    IS(luigi_context_close(of_other), LUIGI_STATUS_OK);
    IS(luigi_engine_close(other), LUIGI_STATUS_OK);
}

static void engines(const char *policy, const char *broken) {
    luigi_engine_options options;
    luigi_engine nothing = {0};
    luigi_engine closed;
    luigi_error error;
    luigi_statistics statistics;
    luigi_string text;
    START(options);
    START(error);
    START(statistics);
    options.policy = luigi_text_of(broken);
    IS(luigi_engine_open(&options, &closed, NULL), LUIGI_STATUS_POLICY_ERRORS);
    options.policy.length = LUIGI_MAX_TEXT + 1;
    IS(luigi_engine_open(&options, &closed, NULL), LUIGI_STATUS_TOO_LONG);
    options.policy = luigi_text_of(policy);
    options.spool = luigi_text_of(".");
    options.node = luigi_text_of("caf\xe9");
    IS(luigi_engine_open(&options, &closed, NULL), LUIGI_STATUS_INVALID_UTF8);
    options.node = luigi_text_of("");
    IS(luigi_engine_open(&options, &closed, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    options.node = options.spool = none;
    IS(luigi_engine_open(&options, SKEWED(luigi_engine), NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_open(SKEWED(luigi_engine_options), &closed, NULL), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_open(&options, &closed, SKEWED(luigi_error)), LUIGI_STATUS_INVALID_ARGUMENT);

    IS(luigi_engine_open(&options, &closed, NULL), LUIGI_STATUS_OK);
    IS(luigi_engine_start_polling(closed, NULL), LUIGI_STATUS_OK);
    IS(luigi_engine_stop_polling(closed), LUIGI_STATUS_OK);
    IS(luigi_engine_close(closed), LUIGI_STATUS_OK);
    IS(luigi_engine_statistics(closed, &statistics), LUIGI_STATUS_CLOSED);
    IS(luigi_engine_status(closed, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_CLOSED);
    CHECK(text.data == NULL);

    IS(luigi_engine_statistics(engine, SKEWED(luigi_statistics)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    IS(luigi_engine_status(nothing, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, SKEWED(luigi_string)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_poll(nothing, LUIGI_POLL_ALL, NULL), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, SKEWED(uint32_t)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_start_polling(nothing, NULL), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_engine_start_polling(engine, SKEWED(luigi_error)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_engine_stop_polling(nothing), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_context_open(engine, SKEWED(luigi_context)), LUIGI_STATUS_INVALID_ARGUMENT);
}

static void others(const char *policy, const char *broken) {
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_check_options check;
    luigi_check_report report;
    luigi_error error, second_error;
    luigi_http_reply reply, second_reply;
    luigi_request request;
    luigi_decision decision;
    uint8_t bytes[16] = {0};
    char id[LUIGI_EVALUATION_ID_SIZE];
    START(assertion);
    START(check);
    START(report);
    START(error);
    START(reply);
    assertion.asserted_by.data = block;
    assertion.asserted_by.length = LUIGI_MAX_TEXT + 1;
    assertion.expires_at = 1;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_TOO_LONG);
    IS(luigi_identity_open(SKEWED(luigi_assertion), &identity, NULL), LUIGI_STATUS_INVALID_ARGUMENT);

    check.policy = luigi_text_of(policy);
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_OK);
    IS(luigi_string_free(&report.text), LUIGI_STATUS_OK);
    check.environment = luigi_text_of("caf\xe9");
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_INVALID_UTF8);
    check.environment.length = LUIGI_MAX_TEXT + 1;
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_TOO_LONG);
    check.environment = none;
    check.policy = luigi_text_of(broken);
    IS(luigi_policy_check(&check, &report, NULL), LUIGI_STATUS_POLICY_ERRORS);
    IS(luigi_string_free(&report.text), LUIGI_STATUS_OK);
    IS(luigi_policy_check(&check, SKEWED(luigi_check_report), NULL), LUIGI_STATUS_INVALID_ARGUMENT);

    reply.body.data = block;
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_http_reply_free(SKEWED(luigi_http_reply)), LUIGI_STATUS_INVALID_ARGUMENT);
    request = get("/orders/7");
    START(decision);
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_OK);
    second_reply = reply;
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);
    CHECK(reply.body.data == NULL && reply.headers.data == NULL);
    IS(luigi_http_reply_free(&second_reply), LUIGI_STATUS_CLOSED);

    IS(luigi_policy_check(NULL, &report, &error), LUIGI_STATUS_NULL);
    second_error = error;
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    CHECK(error.status == LUIGI_STATUS_NULL && error.message.data == NULL);
    IS(luigi_error_free(&second_error), LUIGI_STATUS_CLOSED);
    error.message.data = block;
    IS(luigi_error_free(&error), LUIGI_STATUS_INVALID_HANDLE);
    IS(luigi_error_free(SKEWED(luigi_error)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_string_free(SKEWED(luigi_string)), LUIGI_STATUS_INVALID_ARGUMENT);
    IS(luigi_evaluation_id_text(bytes, id), LUIGI_STATUS_OK);
    SAME(id, "00000000000000000000000000000000");
}

int main(int count, char **words) {
    CHECK(count == 3);
    note_what_is_provoked();
    engine = enforced(words[1]);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    requests();
    busy(words[1]);
    engines(words[1], words[2]);
    others(words[1], words[2]);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    return 0;
}
