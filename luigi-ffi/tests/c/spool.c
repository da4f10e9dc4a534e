/*
 * Decisions that are kept: what is recorded is in the files of the spool when the call returns, and what cannot be recorded is denied if it is privileged.
 * spool POLICY SPOOL FULL-SPOOL BLOCKER
 *
 * SPOOL is empty; FULL-SPOOL has a file BLOCKER that takes up all that it may hold. Prints a line for each decision that must be on record: id, outcome, path.
 */

#include "check.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_IDS 64
#define NOW 1772442000

static unsigned char recorded[MAX_IDS][16];
static int recorded_count;
static int lost_lines;

static uint32_t number(const unsigned char *bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The evaluation ids in a segment, as docs/SPOOL.md says how it is read. */
static void read_segment(const char *path) {
    static unsigned char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t length, at = 12;
    int frames = 0;
    CHECK(file != NULL);
    length = fread(bytes, 1, sizeof bytes, file);
    CHECK(fclose(file) == 0 && length > 12 && length < sizeof bytes);
    CHECK(memcmp(bytes, "luigi-sp", 8) == 0 && number(bytes + 8) == 1);
    while (at + 16 <= length) {
        const unsigned char *payload = bytes + at + 16;
        size_t size = number(bytes + at);
        CHECK(size > 0 && at + 16 + size <= length);
        /* The first frame is the header; of the others those that begin with 0 are decisions. */
        if (frames > 0 && payload[0] == 0) {
            CHECK(recorded_count < MAX_IDS);
            memcpy(recorded[recorded_count++], payload + 1, 16);
        }
        frames++;
        at += 16 + size;
    }
    CHECK(at == length && frames > 1);
}

static int is_recorded(const char *spool, const luigi_decision *decision) {
    DIR *directory = opendir(spool);
    struct dirent *entry;
    int n;
    recorded_count = 0;
    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length == 38 && strcmp(entry->d_name + 32, ".spool") == 0) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", spool, entry->d_name);
            read_segment(path);
        }
    }
    closedir(directory);
    for (n = 0; n < recorded_count; n++) {
        if (memcmp(recorded[n], decision->evaluation_id, 16) == 0) {
            return 1;
        }
    }
    return 0;
}

static void log_line(void *data, int32_t level, luigi_text message) {
    CHECK(data == NULL && level == LUIGI_LOG_ERROR);
    CHECK(message.length > 0 && strstr(message.data, "could not be taken") != NULL);
    lost_lines++;
}

static luigi_engine opened(const char *policy, const char *spool, int mode) {
    luigi_engine_options options;
    luigi_engine engine;
    luigi_error error;
    START(options);
    START(error);
    options.policy = luigi_text_of(policy);
    options.mode = mode;
    options.log = log_line;
    options.spool = luigi_text_of(spool);
    options.spool_limit_bytes = 1 << 20;
    options.node = luigi_text_of("edge-1");
    if (luigi_engine_open(&options, &engine, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        exit(1);
    }
    return engine;
}

static luigi_decision decided(luigi_context context, const char *target, luigi_identity identity) {
    luigi_request request = get(target);
    luigi_decision decision;
    request.identity = identity;
    request.time = NOW;
    request.source = luigi_text_of("203.0.113.9");
    START(decision);
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    return decision;
}

static void tell(const luigi_decision *decision, const char *path) {
    char id[LUIGI_EVALUATION_ID_SIZE];
    IS(luigi_evaluation_id_text(decision->evaluation_id, id), LUIGI_STATUS_OK);
    printf("%s %s %s\n", id, decision->outcome == LUIGI_PASS ? "pass" : "refuse", path);
}

static luigi_identity ada(void) {
    luigi_assertion assertion;
    luigi_identity identity;
    START(assertion);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = NOW + 600;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_OK);
    return identity;
}

/* What is worth a record has one when the call returns. */
static void with_room(const char *policy, const char *spool) {
    static const struct {
        const char *target;
        int32_t outcome;
        int is_recorded;
    } cases[] = {
        {"/open/1", LUIGI_PASS, 0},    {"/open/watched", LUIGI_PASS, 1}, {"/nowhere", LUIGI_REFUSE, 1},
        {"/console/1", LUIGI_PASS, 1}, {"/logs/1", LUIGI_PASS, 1},       {"/open%2F", LUIGI_REFUSE, 1},
    };
    luigi_engine engine = opened(policy, spool, LUIGI_MODE_ENFORCE);
    luigi_identity identity = ada();
    luigi_statistics statistics;
    luigi_context contexts[2];
    luigi_request request;
    luigi_decision decision;
    luigi_string text;
    char small[2];
    size_t n;
    int found;
    IS(luigi_context_open(engine, &contexts[0]), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &contexts[1]), LUIGI_STATUS_OK);
    statistics = statistics_of(engine);
    CHECK(statistics.spooled == 1 && statistics.records == 0 && statistics.spool_bytes == 0);
    CHECK(statistics.spool_limit_bytes == 1 << 20);
    for (n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        decision = decided(contexts[n % 2], cases[n].target, identity);
        CHECK(decision.outcome == cases[n].outcome);
        if (is_recorded(spool, &decision) != cases[n].is_recorded) {
            fprintf(stderr, "%s: recorded or not\n", cases[n].target);
            exit(1);
        }
        if (cases[n].is_recorded) {
            tell(&decision, cases[n].target);
        }
        if (decision.privileged && decision.outcome == LUIGI_PASS) {
            IS(luigi_record_response(contexts[n % 2], decision.evaluation_id, 201, luigi_text_of("console-1")), LUIGI_STATUS_OK);
        }
    }
    /* What does not reach the service is recorded as refused, and counted so. The record callback has the id. */
    request = get("/console/2");
    request.time = NOW;
    request.path = small;
    request.path_size = sizeof small;
    decision.struct_size = sizeof decision;
    statistics = statistics_of(engine);
    IS(luigi_decide(contexts[0], &request, &decision), LUIGI_STATUS_BUFFER_TOO_SMALL);
    CHECK(decision.outcome == LUIGI_REFUSE);
    CHECK(statistics_of(engine).records == statistics.records + 1 && statistics_of(engine).passed == statistics.passed);
    printf("- refuse /console/2\n");
    statistics = statistics_of(engine);
    CHECK(statistics.records == 8 && statistics.records_lost == 0 && statistics.spool_bytes > 0);
    /* Nobody polls here, and what the status says of the directory is what is in it. */
    do {
        IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
        found = strstr(text.data, "segments: 2") != NULL;
        IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    } while (!found);
    IS(luigi_context_close(contexts[0]), LUIGI_STATUS_OK);
    IS(luigi_context_close(contexts[1]), LUIGI_STATUS_OK);
    /* A context that ends tells what it has only counted. */
    CHECK(statistics_of(engine).records == 9);
    IS(luigi_identity_close(identity), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
}

static void without_room(const char *policy, const char *spool, const char *blocker) {
    luigi_engine engine = opened(policy, spool, LUIGI_MODE_ENFORCE);
    luigi_identity none = {0};
    luigi_context context;
    luigi_statistics statistics;
    luigi_request request = get("/console/1");
    luigi_decision decision;
    luigi_http_reply reply;
    luigi_text nothing = {NULL, 0};
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    CHECK(decided(context, "/open/1", none).outcome == LUIGI_PASS);
    CHECK(decided(context, "/logs/1", none).outcome == LUIGI_PASS);
    decision = decided(context, "/console/1", none);
    CHECK(decision.outcome == LUIGI_REFUSE && decision.decision == LUIGI_DENY && decision.http_status == 503);
    CHECK(decision.reason == LUIGI_REASON_AUDIT_UNAVAILABLE && decision.privileged == 1);
    START(reply);
    request.time = NOW;
    IS(luigi_reply(context, &request, &decision, nothing, &reply), LUIGI_STATUS_OK);
    CHECK(reply.status == 503 && strstr(reply.body.data, "audit-unavailable") != NULL);
    IS(luigi_http_reply_free(&reply), LUIGI_STATUS_OK);
    statistics = statistics_of(engine);
    CHECK(statistics.records == 0 && statistics.records_lost == 2 && statistics.privileged_records_lost == 2);
    CHECK(statistics.spool_bytes > statistics.spool_limit_bytes);
    CHECK(statistics.decisions[LUIGI_REASON_AUDIT_UNAVAILABLE] == 1 && statistics.passed == 2);
    CHECK(lost_lines == 0);
    IS(luigi_engine_poll(engine, LUIGI_POLL_SLICE, NULL), LUIGI_STATUS_OK);
    IS(luigi_engine_poll(engine, LUIGI_POLL_SLICE, NULL), LUIGI_STATUS_OK);
    CHECK(lost_lines == 1);

    /* Somebody drains it. The directory is looked at again within a second. */
    CHECK(unlink(blocker) == 0);
    do {
        decision = decided(context, "/console/1", none);
    } while (decision.reason == LUIGI_REASON_AUDIT_UNAVAILABLE);
    CHECK(decision.outcome == LUIGI_PASS && is_recorded(spool, &decision));
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
}

/* While observing, everything passes. */
static void observed(const char *policy, const char *spool) {
    luigi_engine engine = opened(policy, spool, LUIGI_MODE_OBSERVE);
    luigi_identity none = {0};
    luigi_context context;
    luigi_decision decision;
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    decision = decided(context, "/console/1", none);
    CHECK(decision.outcome == LUIGI_PASS && decision.reason == LUIGI_REASON_AUDIT_UNAVAILABLE);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
}

/* Without a spool nothing is recorded, and a response is nothing. */
static void without_spool(const char *policy) {
    luigi_engine engine = enforced(policy);
    luigi_identity none = {0};
    luigi_context context;
    luigi_decision decision;
    luigi_text nothing = {NULL, 0};
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    decision = decided(context, "/console/1", none);
    CHECK(decision.outcome == LUIGI_PASS);
    IS(luigi_record_response(context, decision.evaluation_id, 200, nothing), LUIGI_STATUS_OK);
    CHECK(statistics_of(engine).spooled == 0 && statistics_of(engine).records == 0);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
}

int main(int count, char **words) {
    CHECK(count == 5);
    /* Whatever waits in vain is a failure of this program. */
    alarm(300);
    with_room(words[1], words[2]);
    observed(words[1], words[3]);
    lost_lines = 0;
    without_room(words[1], words[3], words[4]);
    without_spool(words[1]);
    return 0;
}
