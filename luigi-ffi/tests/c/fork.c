/*
 * What holds after a fork.  fork POLICY SPOOL FEED PUBLIC-KEY
 *
 * The child goes on with what its parent opened and was using. It prints a line when a thread of its own polls, and ends when that thread has brought the feed's next version.
 */

#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

static int waiting_for[2], done_with[2];

/* Whoever waits for a process that has died is told. */
static void wait_at(int *pipe) {
    char byte;
    CHECK(read(pipe[0], &byte, 1) == 1);
}

static void go_on(int *pipe) {
    CHECK(write(pipe[1], "", 1) == 1);
}

static luigi_decision decided(luigi_context context, const char *target, int32_t outcome) {
    luigi_request request = get(target);
    luigi_decision decision;
    START(decision);
    IS(luigi_decide(context, &request, &decision), LUIGI_STATUS_OK);
    CHECK(decision.outcome == outcome);
    return decision;
}

static luigi_engine opened(luigi_text policy, luigi_text feed, luigi_text public_key, luigi_text spool) {
    luigi_engine_options options;
    luigi_engine engine;
    START(options);
    options.policy = policy;
    options.feed = feed;
    options.public_key = public_key;
    options.mode = policy.data != NULL ? LUIGI_MODE_ENFORCE : 0;
    options.spool = spool;
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    return engine;
}

/* How many segments there are, and how many of them a process still writes to. */
static void count_segments(const char *spool, int *segments, int *locked) {
    DIR *directory = opendir(spool);
    struct dirent *entry;
    CHECK(directory != NULL);
    *segments = *locked = 0;
    while ((entry = readdir(directory)) != NULL) {
        char path[4096];
        int file;
        if (strlen(entry->d_name) != 38) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", spool, entry->d_name);
        file = open(path, O_RDONLY);
        CHECK(file >= 0);
        *segments += 1;
        *locked += flock(file, LOCK_SH | LOCK_NB) != 0;
        CHECK(close(file) == 0);
    }
    CHECK(closedir(directory) == 0);
}

static luigi_engine recorded, followed;
static luigi_context recording, following;
static luigi_decision of_parent;

static void in_child(void) {
    luigi_decision decision;
    uint64_t generation;

    /* Until it uses the parent's context nothing of the parent's spool is touched. */
    wait_at(waiting_for);
    decision = decided(recording, "/console/of-the-child", LUIGI_PASS);
    CHECK(memcmp(decision.evaluation_id, of_parent.evaluation_id, 8) != 0);
    IS(luigi_record_response(recording, decision.evaluation_id, 200, luigi_text_of("child")), LUIGI_STATUS_OK);
    CHECK(statistics_of(recorded).passed == 2);

    /* The thread that polls is the parent's: one is started here, and waits for nobody to end. */
    generation = decided(following, "/open", LUIGI_PASS).generation;
    IS(luigi_engine_start_polling(followed, NULL), LUIGI_STATUS_OK);
    printf("0\n");
    fflush(stdout);
    while (decided(following, "/open", LUIGI_PASS).generation == generation) {
        CHECK(sched_yield() == 0);
    }
    IS(luigi_engine_stop_polling(followed), LUIGI_STATUS_OK);
    IS(luigi_context_close(recording), LUIGI_STATUS_OK);
    IS(luigi_context_close(following), LUIGI_STATUS_OK);
    IS(luigi_engine_close(recorded), LUIGI_STATUS_OK);
    IS(luigi_engine_close(followed), LUIGI_STATUS_OK);
}

/* Children come while the thread of the parent works; none of them meets a lock that nobody lets go of. */
static void fork_often(int times) {
    for (; times > 0; times--) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            uint32_t next;
            alarm(60);
            CHECK(statistics_of(followed).passed > 0);
            IS(luigi_engine_poll(followed, LUIGI_POLL_ALL, &next), LUIGI_STATUS_OK);
            IS(luigi_engine_close(followed), LUIGI_STATUS_OK);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

int main(int argc, char **argv) {
    luigi_text none = luigi_text_of(NULL);
    int segments, locked, status;
    pid_t child;
    CHECK(argc == 5);
    recorded = opened(luigi_text_of(argv[1]), none, none, luigi_text_of(argv[2]));
    followed = opened(none, luigi_text_of(argv[3]), luigi_text_of(argv[4]), none);
    IS(luigi_context_open(recorded, &recording), LUIGI_STATUS_OK);
    IS(luigi_context_open(followed, &following), LUIGI_STATUS_OK);
    of_parent = decided(recording, "/console/before", LUIGI_PASS);
    decided(following, "/open", LUIGI_PASS);
    IS(luigi_engine_start_polling(followed, NULL), LUIGI_STATUS_OK);
    CHECK(pipe(waiting_for) == 0 && pipe(done_with) == 0);

    fork_often(20);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(120);
        CHECK(close(waiting_for[1]) == 0 && close(done_with[0]) == 0);
        in_child();
        go_on(done_with);
        wait_at(waiting_for);
        _exit(0);
    }

    CHECK(close(waiting_for[0]) == 0 && close(done_with[1]) == 0);

    /* What the parent ends is ended, though the child has inherited it. */
    decided(recording, "/console/after", LUIGI_PASS);
    count_segments(argv[2], &segments, &locked);
    CHECK(segments == 1 && locked == 1);
    IS(luigi_context_close(recording), LUIGI_STATUS_OK);
    count_segments(argv[2], &segments, &locked);
    CHECK(segments == 1 && locked == 0);
    IS(luigi_context_open(recorded, &recording), LUIGI_STATUS_OK);
    of_parent = decided(recording, "/console/at-last", LUIGI_PASS);

    /* And the other way round: the child's end is not the parent's. */
    go_on(waiting_for);
    wait_at(done_with);
    count_segments(argv[2], &segments, &locked);
    CHECK(segments == 3 && locked == 1);
    CHECK(statistics_of(recorded).passed == 3);
    go_on(waiting_for);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    decided(following, "/open", LUIGI_PASS);
    IS(luigi_context_close(following), LUIGI_STATUS_OK);
    IS(luigi_engine_close(followed), LUIGI_STATUS_OK);
    IS(luigi_context_close(recording), LUIGI_STATUS_OK);
    IS(luigi_engine_close(recorded), LUIGI_STATUS_OK);
    return 0;
}
