/* Lets one change to a file fail: the FAULT_AT-th write, sync, truncation or removal that a process makes, standard output and error not counted.
 * Loaded with LD_PRELOAD. FAULT says how:
 *   kill    the process is killed before it
 *   torn    the process is killed in the middle of it: of a write half is done
 *   eio     the call fails with EIO
 *   enospc  the call fails with ENOSPC
 * Once it has failed a call fails again each time but for `once-eio`: a disk does not heal by itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long seen;

/* Whether this change is the one, or comes after it. */
static int is_due(void) {
    static long at;
    if (at == 0) {
        const char *text = getenv("FAULT_AT");
        at = text ? atol(text) : -1;
    }
    seen++;
    if (at < 0) return 0;
    return strncmp(getenv("FAULT"), "once", 4) == 0 ? seen == at : seen >= at;
}

/* Kills the process, or says which error it is. */
static int strike(void) {
    const char *how = getenv("FAULT");
    if (strcmp(how, "kill") == 0 || strcmp(how, "torn") == 0) kill(getpid(), SIGKILL);
    return strcmp(how, "enospc") == 0 ? ENOSPC : EIO;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define HALF(call) \
    if (strcmp(getenv("FAULT"), "torn") == 0) { ssize_t done = call; (void)done; }

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    if (fd > 2 && is_due()) {
        HALF(real(fd, bytes, length / 2));
        errno = strike();
        return -1;
    }
    return real(fd, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    REAL(pwrite);
    if (is_due()) {
        HALF(real(fd, bytes, length / 2, at));
        errno = strike();
        return -1;
    }
    return real(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    REAL(pwrite64);
    if (is_due()) {
        HALF(real(fd, bytes, length / 2, at));
        errno = strike();
        return -1;
    }
    return real(fd, bytes, length, at);
}

#define FAILING(name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        if (is_due()) { \
            errno = strike(); \
            return -1; \
        } \
        return real arguments; \
    }

FAILING(fsync, (int fd), (fd))
FAILING(fdatasync, (int fd), (fd))
FAILING(ftruncate, (int fd, off_t length), (fd, length))
FAILING(ftruncate64, (int fd, off64_t length), (fd, length))
FAILING(unlink, (const char *path), (path))
