/* What works: everything of luigi.h once, on a policy file.  api POLICY KEYS TOKEN BROKEN-POLICY */

#include "check.h"

#define NOW 1772442000 /* 2026-03-02T09:00:00Z; the token is good from then on for ten minutes */

static luigi_identity person(int verified_mfa) {
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_error error;
    luigi_text groups[1];
    luigi_text amr[2];
    START(assertion);
    START(error);
    groups[0] = luigi_text_of("support");
    amr[0] = luigi_text_of("pwd");
    amr[1] = luigi_text_of("mfa");
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = NOW + 600;
    assertion.email = luigi_text_of("ada@example.com");
    assertion.email_verified = LUIGI_TRUE;
    assertion.groups = groups;
    assertion.group_count = 1;
    assertion.claims = luigi_text_of("{\"department\": \"sales\"}");
    assertion.amr = amr;
    assertion.amr_count = verified_mfa ? 2 : 1;
    assertion.auth_time = NOW - 60;
    if (luigi_identity_open(&assertion, &identity, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        exit(1);
    }
    return identity;
}

struct seen {
    int records;
    luigi_decision decision;
    char subject[32];
    char path[64];
    char source[64];
    char asserted_by[32];
};

static void copy(char *place, size_t size, luigi_text text) {
    CHECK(text.length < size);
    if (text.data != NULL) {
        memcpy(place, text.data, text.length);
    }
    place[text.length] = 0;
}

static void record(void *data, const luigi_record *record) {
    struct seen *seen = (struct seen *)data;
    CHECK(record->struct_size == sizeof *record);
    seen->records++;
    seen->decision = *record->decision;
    copy(seen->subject, sizeof seen->subject, record->subject);
    copy(seen->path, sizeof seen->path, record->path);
    copy(seen->source, sizeof seen->source, record->source);
    copy(seen->asserted_by, sizeof seen->asserted_by, record->asserted_by);
    CHECK(record->method.length > 0 && record->target.data != NULL);
}

static void about(void) {
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", LUIGI_VERSION_MAJOR, LUIGI_VERSION_MINOR, LUIGI_VERSION_PATCH);
    SAME(luigi_version(), expected);
    CHECK(luigi_abi_version() == LUIGI_ABI_VERSION);
    CHECK(luigi_features() == (LUIGI_FEATURE_POLICY_FILES | LUIGI_FEATURE_EXPLAIN));
    SAME(luigi_status_name(LUIGI_STATUS_BUSY), "busy");
    SAME(luigi_reason_name(LUIGI_REASON_NO_RULE_ALLOWS), "no-rule-allows");
}

static void checks(const char *policy, const char *broken) {
    luigi_check_options options;
    luigi_check_report report;
    luigi_error error;
    luigi_engine_options engine_options;
    luigi_engine engine;
    START(options);
    START(report);
    START(error);
    options.policy = luigi_text_of(policy);
    IS(luigi_policy_check(&options, &report, &error), LUIGI_STATUS_OK);
    CHECK(report.errors == 0 && error.message.data == NULL && error.diagnostics.data == NULL);
    IS(luigi_string_free(&report.text), LUIGI_STATUS_OK);

    options.policy = luigi_text_of(broken);
    IS(luigi_policy_check(&options, &report, &error), LUIGI_STATUS_POLICY_ERRORS);
    CHECK(report.errors == 2 && error.status == LUIGI_STATUS_POLICY_ERRORS);
    CHECK(strstr(report.text.data, "error[unknown-word]: `denny`") != NULL);
    CHECK(strstr(report.text.data, ".toml:4:10") != NULL);
    SAME(error.message.data, report.text.data);
    CHECK(strlen(report.text.data) == report.text.length);
    IS(luigi_string_free(&report.text), LUIGI_STATUS_OK);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    options.format = LUIGI_FORMAT_JSON;
    IS(luigi_policy_check(&options, &report, NULL), LUIGI_STATUS_POLICY_ERRORS);
    CHECK(report.text.data[0] == '[' && strstr(report.text.data, "\"code\":\"unknown-word\"") != NULL);
    IS(luigi_string_free(&report.text), LUIGI_STATUS_OK);

    /* Opening says the same. */
    START(engine_options);
    engine_options.policy = luigi_text_of(broken);
    IS(luigi_engine_open(&engine_options, &engine, &error), LUIGI_STATUS_POLICY_ERRORS);
    CHECK(engine.id == 0);
    CHECK(strstr(error.message.data, "error[unknown-word]: `denny`") != NULL);
    CHECK(error.diagnostics.data[0] == '[' && strstr(error.diagnostics.data, "\"line\":4") != NULL);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    CHECK(error.message.data == NULL && error.diagnostics.data == NULL);
    engine_options.policy = luigi_text_of("/nowhere/policy.toml");
    IS(luigi_engine_open(&engine_options, &engine, &error), LUIGI_STATUS_UNUSABLE);
    CHECK(strstr(error.message.data, "`/nowhere/policy.toml`") != NULL && error.diagnostics.data == NULL);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
}

/* Decides, and says what it must come to. */
static luigi_decision decided(int line, luigi_context context, const luigi_request *request, int32_t reason,
                              const char *rule) {
    luigi_decision decision;
    memset(&decision, 0xff, sizeof decision);
    decision.struct_size = sizeof decision;
    IS(luigi_decide(context, request, &decision), LUIGI_STATUS_OK);
    if (decision.reason != reason) {
        fprintf(stderr, "line %d: %s and not %s\n", line, luigi_reason_name(decision.reason), luigi_reason_name(reason));
        exit(1);
    }
    SAME(decision.rule, rule);
    CHECK(decision.status == LUIGI_STATUS_OK);
    CHECK(decision.decision == (reason == LUIGI_REASON_ALLOWED_BY_RULE ? LUIGI_ALLOW : LUIGI_DENY));
    CHECK(decision.outcome == (reason == LUIGI_REASON_ALLOWED_BY_RULE ? LUIGI_PASS : LUIGI_REFUSE));
    CHECK(strlen(decision.revision) == 64 && decision.mode == LUIGI_MODE_ENFORCE && decision.generation == 0);
    return decision;
}

#define decide(context, request, reason, rule) decided(__LINE__, context, request, reason, rule)

static void decisions(luigi_context context, const char *token) {
    luigi_identity ada = person(0);
    luigi_identity fresh = person(1);
    luigi_request request = get("/open?x=1");
    luigi_decision decision;
    char authorization[4096];
    char path[64];
    char id[LUIGI_EVALUATION_ID_SIZE];
    snprintf(authorization, sizeof authorization, "Bearer %s", token);
    request.time = NOW;

    /* An observed rule is the candidate's alone. */
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "anyone-opens");
    CHECK(decision.candidate_decision == LUIGI_DENY && decision.candidate_reason == LUIGI_REASON_DENIED_BY_RULE);
    SAME(decision.candidate_rule, "watched");
    SAME(decision.scope, "open");
    SAME(decision.detail, "");
    CHECK(decision.http_status == 200 && decision.advice == LUIGI_ADVICE_NONE && decision.missing_count == 0);
    CHECK(decision.credential == LUIGI_CREDENTIAL_ABSENT && decision.privileged == 0 && decision.time == NOW);
    CHECK(decision.tunnel_seconds == -1 && decision.path_rewritten == 0 && decision.path_length == 5);
    IS(luigi_evaluation_id_text(decision.evaluation_id, id), LUIGI_STATUS_OK);
    CHECK(strlen(id) == 32);

    /* With a token, without, and long after it. */
    request = get("/orders/7");
    request.time = NOW;
    decision = decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    CHECK(decision.advice == LUIGI_ADVICE_AUTHENTICATE && decision.http_status == 401);
    request.authorization = luigi_text_of(authorization);
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "support-reads-orders");
    CHECK(decision.credential == LUIGI_CREDENTIAL_VERIFIED);
    request.time = NOW + 86400;
    decision = decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "support-reads-orders");
    CHECK(decision.credential == LUIGI_CREDENTIAL_EXPIRED);
    request.authorization = luigi_text_of("Bearer nonsense");
    decision = decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "support-reads-orders");
    CHECK(decision.credential == LUIGI_CREDENTIAL_INVALID);
    SAME(decision.detail, "malformed");

    /* With somebody whom the program vouches for; what the client sent is not looked at. */
    request.identity = ada;
    request.time = NOW;
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "support-reads-orders");
    request.time = NOW + 600;
    decision = decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "support-reads-orders");
    CHECK(decision.credential == LUIGI_CREDENTIAL_EXPIRED);

    /* Advice. */
    request = get("/refunds/7");
    request.time = NOW;
    request.identity = ada;
    decision = decide(context, &request, LUIGI_REASON_APPROVAL_REQUIRED, "refunds-need-a-lead");
    CHECK(decision.advice == LUIGI_ADVICE_REQUEST_ACCESS && decision.privileged == 1 && decision.http_status == 403);
    SAME(decision.advice_rule, "refunds-need-a-lead");
    CHECK(decision.missing_count == 1);
    SAME(decision.missing[0].scope, "refunds");
    SAME(decision.missing[0].approval, "leads");
    request = get("/admin/users");
    request.time = NOW;
    request.identity = ada;
    decision = decide(context, &request, LUIGI_REASON_LOGIN_REQUIRED, "support-administers");
    CHECK(decision.advice == LUIGI_ADVICE_STEP_UP && decision.http_status == 401);
    SAME(decision.login, "fresh");
    SAME(decision.restricted_by, "fresh-login");
    request.identity = fresh;
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "support-administers");
    SAME(decision.login, "");
    SAME(decision.restricted_by, "");

    /* The path that was decided. */
    request = get("/x/../%6fpen?y");
    request.path = path;
    request.path_size = sizeof path;
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "anyone-opens");
    SAME(path, "/open");
    CHECK(decision.path_rewritten == 1 && decision.path_length == 5 && decision.time > NOW);
    request = get("/open%2f..");
    request.path = path;
    request.path_size = sizeof path;
    decision = decide(context, &request, LUIGI_REASON_AMBIGUOUS_TARGET, "");
    SAME(decision.detail, "encoded-slash");
    CHECK(decision.http_status == 400 && decision.path_length == 0);

    IS(luigi_identity_close(ada), LUIGI_STATUS_OK);
    IS(luigi_identity_close(fresh), LUIGI_STATUS_OK);
}

static luigi_field field(const char *name, const char *value) {
    luigi_field field;
    field.name = luigi_text_of(name);
    field.value = luigi_text_of(value);
    return field;
}

static void facts(luigi_context context) {
    luigi_request request = get("/blue");
    luigi_field fields[4];
    luigi_certificate certificate;

    /* Headers: not passed, none, one, two that are equal, two that are not. */
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "blue-team");
    fields[0] = field("X-Team", "blue");
    fields[1] = field("x-team", "blue");
    fields[2] = field("x-team", "green");
    request.headers = fields;
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    request.header_count = 1;
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "blue-team");
    request.header_count = 2;
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "blue-team");
    request.header_count = 3;
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "blue-team");

    /* Host and Authorization may be among them, and then only there. */
    request = get("/open");
    fields[0] = field("HOST", "shop.example.com");
    fields[1] = field("Authorization", "Bearer x");
    request.headers = fields;
    request.header_count = 1;
    decide(context, &request, LUIGI_REASON_MALFORMED_FACTS, "");
    request.host = luigi_text_of(NULL);
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "anyone-opens");
    request.header_count = 2;
    request.authorization = luigi_text_of("Bearer x");
    decide(context, &request, LUIGI_REASON_AMBIGUOUS_CREDENTIAL, "");
    request = get("/open");
    request.method = luigi_text_of("GE T");
    decide(context, &request, LUIGI_REASON_MALFORMED_FACTS, "");

    /* An upgrade: as headers say, or as the caller says. */
    request = get("/refunds/7");
    request.upgrade = LUIGI_UPGRADE_AS_HEADERS_SAY;
    decide(context, &request, LUIGI_REASON_UPGRADE_REFUSED, "");
    fields[0] = field("upgrade", "websocket");
    request.headers = fields;
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    request.header_count = 1;
    decide(context, &request, LUIGI_REASON_UPGRADE_REFUSED, "");
    request.upgrade = LUIGI_UPGRADE_NO;
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    request.upgrade = LUIGI_UPGRADE_YES;
    decide(context, &request, LUIGI_REASON_UPGRADE_REFUSED, "");

    /* Facts of the program's own. */
    request = get("/german");
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "from-germany");
    fields[0] = field("country", "FR");
    request.facts = fields;
    request.fact_count = 1;
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    fields[0] = field("country", "DE");
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "from-germany");

    /* A certificate. */
    request = get("/machines");
    START(certificate);
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "web-machines");
    request.certificate = &certificate;
    certificate.subject_dn = luigi_text_of("CN=web");
    certificate.state = LUIGI_CERTIFICATE_ABSENT;
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    certificate.state = LUIGI_CERTIFICATE_UNVERIFIED;
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "web-machines");
    certificate.state = LUIGI_CERTIFICATE_VERIFIED;
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "web-machines");
    certificate.subject_dn = luigi_text_of(NULL);
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "web-machines");

    /* The source, and a proxy that the policy trusts. */
    request = get("/near");
    decide(context, &request, LUIGI_REASON_ALLOW_RULE_UNKNOWN, "from-the-office");
    request.source = luigi_text_of("203.0.113.9");
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "from-the-office");
    request.source = luigi_text_of("10.0.0.1");
    fields[0] = field("X-Forwarded-For", "192.0.2.1, 203.0.113.9");
    request.headers = fields;
    request.header_count = 1;
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "from-the-office");
    fields[0] = field("X-Forwarded-For", "203.0.113.9, 192.0.2.1");
    decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
}

static void many(luigi_context context) {
    luigi_request requests[3];
    luigi_decision decisions[3];
    int n;
    requests[0] = get("/open");
    requests[1] = get("/open");
    requests[1].upgrade = 99;
    requests[2] = get("/closed");
    for (n = 0; n < 3; n++) {
        memset(&decisions[n], 0xff, sizeof decisions[n]);
        decisions[n].struct_size = sizeof decisions[n];
    }
    IS(luigi_decide_many(context, requests, decisions, 3), LUIGI_STATUS_INVALID_ARGUMENT);
    CHECK(decisions[0].status == LUIGI_STATUS_OK && decisions[0].outcome == LUIGI_PASS);
    CHECK(decisions[1].status == LUIGI_STATUS_INVALID_ARGUMENT && decisions[1].outcome == LUIGI_REFUSE);
    CHECK(decisions[1].reason == LUIGI_REASON_NONE && decisions[1].decision == LUIGI_DENY);
    CHECK(decisions[2].status == LUIGI_STATUS_OK && decisions[2].outcome == LUIGI_REFUSE);
    CHECK(memcmp(decisions[0].evaluation_id, decisions[2].evaluation_id, 16) != 0);
    requests[1] = get("/open");
    IS(luigi_decide_many(context, requests, decisions, 3), LUIGI_STATUS_OK);
    CHECK(decisions[1].outcome == LUIGI_PASS && decisions[2].outcome == LUIGI_REFUSE);
    IS(luigi_decide_many(context, NULL, NULL, 0), LUIGI_STATUS_OK);
}

static void words(luigi_engine engine, luigi_context context) {
    luigi_request request = get("/orders/7");
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_statistics before, after;
    luigi_string text;
    char id[LUIGI_EVALUATION_ID_SIZE];
    START(reply);
    START(before);
    START(after);
    decision = decide(context, &request, LUIGI_REASON_NO_RULE_ALLOWS, "");
    IS(luigi_engine_statistics(engine, &before), LUIGI_STATUS_OK);

    /* The reply names the evaluation that was recorded, and is none of its own. */
    IS(luigi_evaluation_id_text(decision.evaluation_id, id), LUIGI_STATUS_OK);
    IS(luigi_reply(context, &request, &decision, luigi_text_of(NULL), &reply), LUIGI_STATUS_OK);
    CHECK(reply.status == 401 && strstr(reply.body.data, id) != NULL);
    CHECK(strstr(reply.headers.data, "content-type: application/problem+json\r\n") != NULL);
    CHECK(strstr(reply.headers.data, "www-authenticate: Bearer") != NULL);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);
    IS(luigi_reply(context, &request, &decision, luigi_text_of("text/html"), &reply), LUIGI_STATUS_OK);
    CHECK(strstr(reply.headers.data, "content-type: text/html") != NULL && strstr(reply.body.data, "<html") != NULL);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);

    IS(luigi_explain(context, &request, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    CHECK(strstr(text.data, "support-reads-orders") != NULL && text.length == strlen(text.data));
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    IS(luigi_explain(context, &request, LUIGI_FORMAT_JSON, &text), LUIGI_STATUS_OK);
    CHECK(text.data[0] == '{' && strstr(text.data, "\"reason\":\"no-rule-allows\"") != NULL);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);

    IS(luigi_engine_statistics(engine, &after), LUIGI_STATUS_OK);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(after.mode == LUIGI_MODE_ENFORCE && after.rules == 10 && after.heartbeat_age_seconds == -1);
    CHECK(after.decisions[LUIGI_REASON_AMBIGUOUS_TARGET] == 1 && after.failures == 0 && after.refused_version == 0);
    CHECK(after.candidates[LUIGI_REASON_DENIED_BY_RULE] > 1 && after.passed > 1 && after.refused > 1);
    SAME(after.revision, decision.revision);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    CHECK(strstr(text.data, "mode                   enforce") != NULL);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    IS(luigi_engine_status(engine, LUIGI_FORMAT_JSON, &text), LUIGI_STATUS_OK);
    CHECK(strstr(text.data, "\"mode\":\"enforce\"") != NULL);
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
}

static void records(luigi_context context, struct seen *seen) {
    luigi_request request = get("/x/../orders/7");
    luigi_decision decision;
    char small[2];
    int before = seen->records;
    request.identity = person(0);
    request.time = NOW;
    request.source = luigi_text_of("::ffff:203.0.113.9");
    decision = decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "support-reads-orders");
    CHECK(seen->records == before + 1 && seen->decision.outcome == LUIGI_PASS);
    CHECK(memcmp(seen->decision.evaluation_id, decision.evaluation_id, sizeof decision.evaluation_id) == 0);
    SAME(seen->decision.rule, decision.rule);
    SAME(seen->subject, "ada");
    SAME(seen->path, "/orders/7");
    SAME(seen->source, "203.0.113.9");
    SAME(seen->asserted_by, "test");
    IS(luigi_identity_close(request.identity), LUIGI_STATUS_OK);
    request = get("/open");
    decide(context, &request, LUIGI_REASON_ALLOWED_BY_RULE, "anyone-opens");
    CHECK(seen->records == before + 2);
    SAME(seen->subject, "");
    /* What does not reach the caller is recorded as the caller is told it, with the id and the rule that only the record has. */
    request.path = small;
    request.path_size = sizeof small;
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_BUFFER_TOO_SMALL);
    CHECK(seen->records == before + 3 && seen->decision.status == LUIGI_STATUS_BUFFER_TOO_SMALL);
    CHECK(seen->decision.decision == LUIGI_DENY && seen->decision.outcome == LUIGI_REFUSE);
    CHECK(seen->decision.reason == LUIGI_REASON_NONE && seen->decision.http_status == decision.http_status);
    SAME(seen->decision.rule, "anyone-opens");
    SAME(seen->path, "/open");
}

int main(int count, char **words_) {
    luigi_engine_options options;
    luigi_engine engine;
    luigi_context context;
    luigi_key_file keys;
    luigi_error error;
    uint32_t next = 0;
    struct seen seen;
    CHECK(count == 5);
    memset(&seen, 0, sizeof seen);
    about();
    checks(words_[1], words_[4]);
    START(options);
    START(error);
    keys.issuer = luigi_text_of("corp");
    keys.path = luigi_text_of(words_[2]);
    options.policy = luigi_text_of(words_[1]);
    options.keys = &keys;
    options.key_count = 1;
    options.mode = LUIGI_MODE_ENFORCE;
    options.record = record;
    options.record_data = &seen;
    if (luigi_engine_open(&options, &engine, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        return 1;
    }
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    decisions(context, words_[3]);
    facts(context);
    many(context);
    words(engine, context);
    records(context, &seen);
    IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, &next), LUIGI_STATUS_OK);
    CHECK(next >= 100);
    IS(luigi_engine_start_polling(engine, &error), LUIGI_STATUS_OK);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_engine_stop_polling(engine), LUIGI_STATUS_OK);
    IS(luigi_engine_stop_polling(engine), LUIGI_STATUS_OK);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_refresh(context), LUIGI_STATUS_OK);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    IS(luigi_error_free(&error), LUIGI_STATUS_OK);
    return 0;
}
