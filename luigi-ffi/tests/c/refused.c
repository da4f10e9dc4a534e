/*
 * A feed whose manifest is damaged, foreign, of another version or cannot be read is ignored with a reason, and the last good version stays.
 * refused FEED PUBLIC-KEY GOOD (BAD WHY)...
 *
 * GOOD is the manifest in force, each BAD something to put in its place: a file or a folder, beside the feed.
 */

#include "check.h"
#include <unistd.h>

static int says(luigi_engine engine, const char *words) {
    luigi_string text;
    char copy[8192];
    IS(luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text), LUIGI_STATUS_OK);
    CHECK(text.length < sizeof copy);
    memcpy(copy, text.data, text.length);
    copy[text.length] = 0;
    IS(luigi_string_free(&text), LUIGI_STATUS_OK);
    return strstr(copy, words) != NULL;
}

static void decides_as_before(luigi_context context) {
    luigi_request request = get("/open");
    luigi_decision decision;
    decision.struct_size = sizeof decision;
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_PASS && decision.reason == LUIGI_REASON_ALLOWED_BY_RULE);
    request = get("/nowhere");
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == LUIGI_REFUSE);
}

int main(int count, char **words) {
    luigi_engine_options options;
    luigi_engine engine;
    luigi_context context;
    uint32_t next;
    char manifest[4096];
    int at;
    CHECK(count > 4);
    note_what_is_provoked();
    snprintf(manifest, sizeof manifest, "%s/manifest", words[1]);
    START(options);
    options.feed = luigi_text_of(words[1]);
    options.public_key = luigi_text_of(words[2]);
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    decides_as_before(context);
    CHECK(!says(engine, "newest version") && statistics_of(engine).refused_version == 0);
    for (at = 4; at + 1 < count; at += 2) {
        CHECK(remove(manifest) == 0 && rename(words[at], manifest) == 0);
        IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, &next), LUIGI_STATUS_OK);
        IS(luigi_context_refresh(context), LUIGI_STATUS_OK);
        CHECK(statistics_of(engine).refused_version == 1 && statistics_of(engine).generation == 1);
        CHECK(says(engine, "newest version         refused since"));
        if (!says(engine, words[at + 1])) {
            fprintf(stderr, "the status does not say `%s`\n", words[at + 1]);
            return 1;
        }
        decides_as_before(context);
        CHECK(rename(manifest, words[at]) == 0 && link(words[3], manifest) == 0);
        IS(luigi_engine_poll(engine, LUIGI_POLL_ALL, &next), LUIGI_STATUS_OK);
        CHECK(statistics_of(engine).refused_version == 0 && !says(engine, "newest version"));
    }
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    return 0;
}
