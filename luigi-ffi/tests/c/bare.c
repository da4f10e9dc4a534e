/* A library without its optional features follows a feed, and says of the rest that it is not there.  bare FEED PUBLIC-KEY POLICY */

#include "check.h"

int main(int count, char **words) {
    luigi_engine_options options;
    luigi_engine engine, other;
    luigi_context context;
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_check_options check;
    luigi_check_report report;
    luigi_http_reply reply;
    luigi_string text;
    luigi_error error;
    luigi_text none = {NULL, 0};
    CHECK(count == 4);
    note_what_is_provoked();
    CHECK(luigi_features() == 0);
    START(options);
    START(error);
    options.policy = luigi_text_of(words[3]);
    IS(luigi_engine_open(&options, &other, &error), LUIGI_STATUS_UNSUPPORTED);
    CHECK(other.id == 0 && error.status == LUIGI_STATUS_UNSUPPORTED && error.message.length > 0);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    START(check);
    START(report);
    check.policy = luigi_text_of(words[3]);
    IS(luigi_policy_check(&check, &report, &error), LUIGI_STATUS_UNSUPPORTED);
    CHECK(report.errors == 0 && report.text.data == NULL && error.message.length > 0);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);

    START(options);
    options.feed = luigi_text_of(words[1]);
    options.public_key = luigi_text_of(words[2]);
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    decision.struct_size = sizeof decision;
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_PASS && decision.reason == LUIGI_REASON_ALLOWED_BY_RULE);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_UNSUPPORTED);
    CHECK(text.data == NULL);
    request = get("/nowhere");
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_REFUSE);
    START(reply);
    IS(luigi_reply(context, &request, &decision, none, &reply), LUIGI_STATUS_OK);
    CHECK(reply.status == 403);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    return 0;
}
