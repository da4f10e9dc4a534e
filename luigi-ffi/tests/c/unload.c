/*
 * dlclose leaves the library where it is.  unload LIBRARY POLICY
 *
 * What a thread made with the library before it was "closed" is there for whoever opens it again, and the thread that polls works on.
 */

#include "check.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *library, *policy;
static luigi_engine engine;
static luigi_context context;

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    CHECK(found != NULL);
    return found;
}

/* A pointer to data that is one to a function: POSIX says so, ISO C does not. */
#define FUNCTION(variable, handle, name)                                                                               \
    do {                                                                                                               \
        void *found_ = symbol(handle, name);                                                                           \
        memcpy(&(variable), &found_, sizeof(variable));                                                                \
    } while (0)

static void decide_once(void *handle) {
    luigi_status (*decide)(luigi_context, const luigi_request *, luigi_decision *);
    luigi_request request = get("/shelves/7");
    luigi_decision decision;
    FUNCTION(decide, handle, "luigi_decide");
    START(decision);
    CHECK(decide(context, &request, &decision) == LUIGI_STATUS_OK);
    CHECK(decision.status == LUIGI_STATUS_OK);
}

/* All in a thread that ends: what a library keeps for threads that are there would hold it, too. */
static void *use(void *none) {
    luigi_status (*open_engine)(const luigi_engine_options *, luigi_engine *, luigi_error *);
    luigi_status (*open_context)(luigi_engine, luigi_context *);
    luigi_engine_options options;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    CHECK(handle != NULL);
    FUNCTION(open_engine, handle, "luigi_engine_open");
    FUNCTION(open_context, handle, "luigi_context_open");
    START(options);
    options.policy = luigi_text_of(policy);
    options.mode = LUIGI_MODE_ENFORCE;
    CHECK(open_engine(&options, &engine, NULL) == LUIGI_STATUS_OK);
    CHECK(open_context(engine, &context) == LUIGI_STATUS_OK);
    decide_once(handle);
    CHECK(none == NULL);
    return handle;
}

int main(int argc, char **argv) {
    luigi_status (*start_polling)(luigi_engine, luigi_error *);
    luigi_status (*close_engine)(luigi_engine);
    luigi_status (*close_context)(luigi_context);
    pthread_t thread;
    void *handle;
    pid_t child;
    int status;
    CHECK(argc == 3);
    library = argv[1];
    policy = argv[2];
    CHECK(pthread_create(&thread, NULL, use, NULL) == 0);
    CHECK(pthread_join(thread, &handle) == 0);
    CHECK(dlclose(handle) == 0);

    CHECK((handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD)) != NULL);
    decide_once(handle);
    FUNCTION(start_polling, handle, "luigi_engine_start_polling");
    FUNCTION(close_engine, handle, "luigi_engine_close");
    FUNCTION(close_context, handle, "luigi_context_close");
    CHECK(start_polling(engine, NULL) == LUIGI_STATUS_OK);
    CHECK(dlclose(handle) == 0);
    /* What the library does at a fork is there, too. */
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(close_context(context) == LUIGI_STATUS_OK);
    CHECK(close_engine(engine) == LUIGI_STATUS_OK);
    return 0;
}
