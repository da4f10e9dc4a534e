/*
 * Many threads decide while versions come and go, and handles are closed under them.  threads FEED PUBLIC-KEY GENERATIONS
 *
 * Prints a line once it decides and whenever a version came in force; ends when so many did.
 */

#include "check.h"
#include <pthread.h>

#define DECIDERS 4
#define MOVERS 3
#define POOL 5
#define CLOSED_UNDER 6

static luigi_engine engine;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static luigi_context shared;
static int published;
static int deciding;
static int done;

static int over(void) {
    int is;
    pthread_mutex_lock(&lock);
    is = done;
    pthread_mutex_unlock(&lock);
    return is;
}

static void log_line(void *data, int32_t level, luigi_text message) {
    CHECK(data == &published && level == LUIGI_LOG_NOTICE && message.length > 0);
    pthread_mutex_lock(&lock);
    published++;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
}

/* Each decision is of one version: the rule that decides and the one that is watched have the same number. */
static void whole(const luigi_decision *decision) {
    CHECK(decision->outcome == LUIGI_PASS && decision->reason == LUIGI_REASON_ALLOWED_BY_RULE);
    CHECK(strncmp(decision->rule, "open-", 5) == 0 && strncmp(decision->candidate_rule, "watched-", 8) == 0);
    SAME(decision->rule + 5, decision->candidate_rule + 8);
    CHECK(decision->generation == (uint64_t)strtol(decision->rule + 5, NULL, 10));
}

/* With a context of its own. */
static void *decide(void *none) {
    luigi_context context;
    luigi_decision decision;
    luigi_request request = get("/open");
    uint64_t last = 0;
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    while (!over()) {
        int n;
        for (n = 0; n < 50; n++) {
            decision.struct_size = sizeof decision;
            IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
            whole(&decision);
            CHECK(decision.generation >= last);
            last = decision.generation;
        }
        pthread_mutex_lock(&lock);
        deciding++;
        pthread_cond_broadcast(&change);
        pthread_mutex_unlock(&lock);
    }
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    return none;
}

/* With a context that others use, too, and that is closed and replaced. */
static void *jostle(void *none) {
    luigi_request request = get("/open");
    luigi_decision decision;
    while (!over()) {
        luigi_context context;
        int status;
        pthread_mutex_lock(&lock);
        context = shared;
        pthread_mutex_unlock(&lock);
        decision.struct_size = sizeof decision;
        status = luigi_decide(context, &request, &decision);
        if (status == LUIGI_STATUS_OK) {
            whole(&decision);
        } else {
            CHECK(status == LUIGI_STATUS_BUSY || status == LUIGI_STATUS_CLOSED);
            CHECK(decision.outcome == LUIGI_REFUSE && decision.decision == LUIGI_DENY);
        }
    }
    return none;
}

/* Closes it. */
static void *replace(void *none) {
    while (!over()) {
        luigi_context context, old;
        int status;
        IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
        pthread_mutex_lock(&lock);
        old = shared;
        shared = context;
        pthread_mutex_unlock(&lock);
        do {
            status = luigi_context_close(old);
        } while (status == LUIGI_STATUS_BUSY);
        IS(status, LUIGI_STATUS_OK);
        IS(luigi_context_close(old), LUIGI_STATUS_CLOSED);
    }
    return none;
}

/* Contexts that belong to no thread: whoever is free takes one, uses it, and lays it down for another. */
static struct {
    luigi_context context;
    uint64_t last;
} pool[POOL];
static int pooled;
static int moved;

static void *move(void *none) {
    luigi_request request = get("/open");
    luigi_decision decision;
    luigi_context context;
    uint64_t last;
    int n;
    while (!over()) {
        pthread_mutex_lock(&lock);
        context = pool[--pooled].context;
        last = pool[pooled].last;
        pthread_mutex_unlock(&lock);
        for (n = 0; n < 20; n++) {
            decision.struct_size = sizeof decision;
            IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
            whole(&decision);
            CHECK(decision.generation >= last);
            last = decision.generation;
        }
        IS(luigi_context_refresh(context), LUIGI_STATUS_OK);
        pthread_mutex_lock(&lock);
        /* Below the others, so that each is taken by all in turn. */
        memmove(pool + 1, pool, (size_t)pooled * sizeof pool[0]);
        pool[0].context = context;
        pool[0].last = last;
        pooled++;
        moved++;
        pthread_cond_broadcast(&change);
        pthread_mutex_unlock(&lock);
    }
    return none;
}

/* An identity that others use, and that is closed and replaced. */
static luigi_identity person;

static luigi_identity somebody(void) {
    luigi_assertion assertion;
    luigi_identity identity;
    START(assertion);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = (int64_t)1 << 40;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_OK);
    return identity;
}

static void *vouch(void *none) {
    luigi_context context;
    luigi_request request = get("/open");
    luigi_decision decision;
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    while (!over()) {
        int status;
        pthread_mutex_lock(&lock);
        request.identity = person;
        pthread_mutex_unlock(&lock);
        decision.struct_size = sizeof decision;
        status = luigi_decide(context, &request, &decision);
        CHECK(status == LUIGI_STATUS_OK || status == LUIGI_STATUS_CLOSED);
        CHECK((status == LUIGI_STATUS_OK) == (decision.outcome == LUIGI_PASS));
    }
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    return none;
}

static void *replace_person(void *none) {
    while (!over()) {
        luigi_identity old, new_one = somebody();
        pthread_mutex_lock(&lock);
        old = person;
        person = new_one;
        pthread_mutex_unlock(&lock);
        IS(luigi_identity_close(old), LUIGI_STATUS_OK);
        IS(luigi_identity_close(old), LUIGI_STATUS_CLOSED);
    }
    return none;
}

/* Stops the thread that polls, and starts another. */
static void *restart(void *none) {
    while (!over()) {
        IS(luigi_engine_stop_polling(engine), LUIGI_STATUS_OK);
        IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
    }
    return none;
}

/* Asks for what takes locks. */
static void *look(void *none) {
    while (!over()) {
        luigi_statistics statistics;
        luigi_string text;
        START(statistics);
        IS(luigi_engine_statistics(engine, &statistics), LUIGI_STATUS_OK);
        CHECK(statistics.refused == 0 && statistics.failures == 0 && statistics.live_versions >= 1);
        IS(luigi_engine_status(engine, LUIGI_FORMAT_JSON, &text), LUIGI_STATUS_OK);
        IS(luigi_string_free(&text), LUIGI_STATUS_OK);
        IS(luigi_engine_poll(engine, LUIGI_POLL_SLICE, NULL), LUIGI_STATUS_OK);
    }
    return none;
}

/* Does one thing with an engine until it is closed under it; then it says so, and goes on saying so. */
static int until_now[CLOSED_UNDER];

static int one_thing(int which) {
    luigi_statistics statistics;
    luigi_context context;
    luigi_string text;
    int status;
    switch (which) {
    case 0:
        START(statistics);
        return luigi_engine_statistics(engine, &statistics);
    case 1:
        status = luigi_engine_status(engine, LUIGI_FORMAT_TEXT, &text);
        if (status == LUIGI_STATUS_OK) {
            IS(luigi_string_free(&text), LUIGI_STATUS_OK);
        }
        return status;
    case 2:
        return luigi_engine_poll(engine, LUIGI_POLL_ALL, NULL);
    case 3:
        return luigi_engine_start_polling(engine, NULL);
    case 4:
        return luigi_engine_stop_polling(engine);
    default:
        status = luigi_context_open(engine, &context);
        if (status == LUIGI_STATUS_OK) {
            IS(luigi_context_close(context), LUIGI_STATUS_OK);
        }
        return status;
    }
}

static void *again_and_again(void *data) {
    int which = *(int *)data;
    int status, n = 0;
    while ((status = one_thing(which)) == LUIGI_STATUS_OK) {
        if (++n == 3) {
            pthread_mutex_lock(&lock);
            until_now[which] = 1;
            pthread_cond_broadcast(&change);
            pthread_mutex_unlock(&lock);
        }
    }
    IS(status, LUIGI_STATUS_CLOSED);
    IS(one_thing(which), LUIGI_STATUS_CLOSED);
    return NULL;
}

/* Decides until the engine is closed under it. */
static void *until_closed(void *data) {
    luigi_context context = *(luigi_context *)data;
    luigi_request request = get("/open");
    luigi_decision decision;
    int status;
    do {
        decision.struct_size = sizeof decision;
        status = luigi_decide(context, &request, &decision);
        CHECK((status == LUIGI_STATUS_OK) == (decision.outcome == LUIGI_PASS));
    } while (status == LUIGI_STATUS_OK);
    IS(status, LUIGI_STATUS_CLOSED);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    return NULL;
}

int main(int count, char **words) {
    luigi_engine_options options;
    pthread_t threads[DECIDERS + MOVERS + 9];
    pthread_t last[2], closed_under[CLOSED_UNDER];
    luigi_context contexts[2];
    int which[CLOSED_UNDER];
    int n = 0;
    long wanted, n_seen;
    CHECK(count == 4);
    wanted = strtol(words[3], NULL, 10);
    START(options);
    options.feed = luigi_text_of(words[1]);
    options.public_key = luigi_text_of(words[2]);
    options.log = log_line;
    options.log_data = &published;
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &shared), LUIGI_STATUS_OK);
    IS(luigi_engine_start_polling(engine, NULL), LUIGI_STATUS_OK);
    person = somebody();
    for (pooled = 0; pooled < POOL; pooled++) {
        pool[pooled].last = 0;
        IS(luigi_context_open(engine, &pool[pooled].context), LUIGI_STATUS_OK);
    }
    while (n < DECIDERS) {
        CHECK(pthread_create(&threads[n++], NULL, decide, NULL) == 0);
    }
    CHECK(pthread_create(&threads[n++], NULL, jostle, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, jostle, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, replace, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, look, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, look, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, restart, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, vouch, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, vouch, NULL) == 0);
    CHECK(pthread_create(&threads[n++], NULL, replace_person, NULL) == 0);
    while (n < DECIDERS + MOVERS + 9) {
        CHECK(pthread_create(&threads[n++], NULL, move, NULL) == 0);
    }

    pthread_mutex_lock(&lock);
    while (deciding < DECIDERS || moved < 2 * POOL) {
        pthread_cond_wait(&change, &lock);
    }
    pthread_mutex_unlock(&lock);
    for (n_seen = 0; n_seen <= wanted; n_seen++) {
        pthread_mutex_lock(&lock);
        while (published < n_seen) {
            pthread_cond_wait(&change, &lock);
        }
        done = n_seen == wanted;
        pthread_mutex_unlock(&lock);
        printf("%ld\n", n_seen);
        fflush(stdout);
    }
    while (n > 0) {
        CHECK(pthread_join(threads[--n], NULL) == 0);
    }

    for (n = 0; n < 2; n++) {
        IS(luigi_context_open(engine, &contexts[n]), LUIGI_STATUS_OK);
        CHECK(pthread_create(&last[n], NULL, until_closed, &contexts[n]) == 0);
    }
    {
        luigi_statistics before, now;
        START(before);
        START(now);
        IS(luigi_engine_statistics(engine, &before), LUIGI_STATUS_OK);
        do {
            IS(luigi_engine_statistics(engine, &now), LUIGI_STATUS_OK);
        } while (now.passed < before.passed + 100);
    }
    for (n = 0; n < CLOSED_UNDER; n++) {
        which[n] = n;
        CHECK(pthread_create(&closed_under[n], NULL, again_and_again, &which[n]) == 0);
    }
    pthread_mutex_lock(&lock);
    for (n = 0; n < CLOSED_UNDER; n++) {
        while (!until_now[n]) {
            pthread_cond_wait(&change, &lock);
        }
    }
    pthread_mutex_unlock(&lock);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    for (n = 0; n < CLOSED_UNDER; n++) {
        CHECK(pthread_join(closed_under[n], NULL) == 0);
    }
    CHECK(pooled == POOL);
    for (n = 0; n < POOL; n++) {
        IS(luigi_context_close(pool[n].context), LUIGI_STATUS_OK);
    }
    IS(luigi_identity_close(person), LUIGI_STATUS_OK);
    CHECK(pthread_join(last[0], NULL) == 0);
    CHECK(pthread_join(last[1], NULL) == 0);
    IS(luigi_context_close(shared), LUIGI_STATUS_OK);
    return 0;
}
