/* What the programs here check with: the first thing that is not so ends the program and says where. */

#ifndef CHECK_H
#define CHECK_H

#include <luigi.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/*
 * Where LUIGI_PROVOKED says, a line for each function and status that IS has seen, so that a test can compare them with what the header promises.
 */
static FILE *provoked_to;

static inline void note_what_is_provoked(void) {
    const char *path = getenv("LUIGI_PROVOKED");
    if (path != NULL) {
        provoked_to = fopen(path, "a");
        CHECK(provoked_to != NULL);
    }
}

static inline int provoked(const char *call, int status) {
    FILE *file = provoked_to;
    if (file != NULL) {
        fprintf(file, "%.*s %s\n", (int)strcspn(call, "("), call, luigi_status_name(status));
        fflush(file);
    }
    return status;
}

#define IS(call, status)                                                                                               \
    do {                                                                                                               \
        int found_ = provoked(#call, call);                                                                            \
        if (found_ != (status)) {                                                                                      \
            fprintf(stderr, "%s:%d: %s is %s and not " #status "\n", __FILE__, __LINE__, #call,                        \
                    luigi_status_name(found_));                                                                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define SAME(text, expected)                                                                                           \
    do {                                                                                                               \
        if (strcmp((text), (expected)) != 0) {                                                                         \
            fprintf(stderr, "%s:%d: `%s` and not `%s`\n", __FILE__, __LINE__, (text), (expected));                     \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Zeroes a struct that begins with its size, and sets that. */
#define START(variable)                                                                                                \
    do {                                                                                                               \
        memset(&(variable), 0, sizeof(variable));                                                                      \
        (variable).struct_size = sizeof(variable);                                                                     \
    } while (0)

static inline int text_is(luigi_text text, const char *expected) {
    if (expected == NULL) {
        return text.data == NULL && text.length == 0;
    }
    return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static inline luigi_request get(const char *target) {
    luigi_request request;
    START(request);
    request.method = luigi_text_of("GET");
    request.target = luigi_text_of(target);
    request.host = luigi_text_of("shop.example.com");
    request.upgrade = LUIGI_UPGRADE_NO;
    return request;
}

/* What an engine has counted. */
static inline luigi_statistics statistics_of(luigi_engine engine) {
    luigi_statistics statistics;
    START(statistics);
    IS(luigi_engine_statistics(engine, &statistics), LUIGI_STATUS_OK);
    return statistics;
}

/* An engine on a policy file that is enforced. */
static inline luigi_engine enforced(const char *policy) {
    luigi_engine_options options;
    luigi_engine engine;
    luigi_error error;
    START(options);
    START(error);
    options.policy = luigi_text_of(policy);
    options.mode = LUIGI_MODE_ENFORCE;
    if (luigi_engine_open(&options, &engine, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        exit(1);
    }
    return engine;
}

#endif
