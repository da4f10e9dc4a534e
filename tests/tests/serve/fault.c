/* Runs a program and lets one of its changes to files fail, whichever way it asks the system for it: the library calls of SQLite as well as system calls without any library.
 *
 *     fault HOW AT PREFIX COUNT -- PROGRAM ARGUMENTS...
 *
 * Counted are writes, syncs, truncations, removals, renames and links of files whose path begins with PREFIX. The AT-th (0 for none)
 *   kill    is not made: the program is killed before it
 *   torn    is made by half if it is a write, and then the program is killed
 *   eio     fails with EIO, once
 *   enospc  fails with ENOSPC, once
 * How many there were is written to the file COUNT. SIGTERM is passed on. Ends as the program does, or with 99 if it cannot be traced. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t program;
static const char *how, *prefix;
static long at, seen;

static void pass_on(int signal) { kill(program, signal); }

static int is_ours(pid_t thread, long descriptor) {
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "/proc/%d/fd/%ld", thread, descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

/* Whether a path, relative to a directory or not, is one of those that matter. */
static int names_ours(pid_t thread, long directory, uint64_t address) {
    char path[PATH_MAX];
    for (size_t length = 0; length < sizeof path; length++) {
        struct iovec here = { path + length, 1 }, there = { (void *)(uintptr_t)(address + length), 1 };
        if (process_vm_readv(thread, &here, 1, &there, 1, 0) != 1) return 0;
        if (path[length] == 0) return path[0] == '/' ? strncmp(path, prefix, strlen(prefix)) == 0 : is_ours(thread, directory);
    }
    return 0;
}

/* Whether a system call changes one of the files that matter. */
static int is_change(pid_t thread, uint64_t number, const uint64_t *arguments) {
    switch (number) {
    case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_fsync: case SYS_fdatasync: case SYS_ftruncate:
        return is_ours(thread, (long)arguments[0]);
    case SYS_unlinkat: case SYS_renameat: case SYS_renameat2: case SYS_linkat:
        return names_ours(thread, (int)arguments[0], arguments[1]);
#ifdef SYS_unlink
    case SYS_unlink: case SYS_rename: case SYS_link:
        return names_ours(thread, -1, arguments[0]);
#endif
    default:
        return 0;
    }
}

/* Makes the first half of a write in the program's place. */
static void half(pid_t thread, uint64_t number, const uint64_t *arguments) {
    if (number != SYS_write && number != SYS_pwrite64) return;
    size_t length = arguments[2] / 2;
    char *bytes = malloc(length + 1), name[64];
    struct iovec here = { bytes, length }, there = { (void *)(uintptr_t)arguments[1], length };
    ssize_t read = process_vm_readv(thread, &here, 1, &there, 1, 0);
    snprintf(name, sizeof name, "/proc/%d/fd/%ld", thread, (long)arguments[0]);
    int file = open(name, O_WRONLY | (number == SYS_write ? O_APPEND : 0));
    if (read == (ssize_t)length && file >= 0) {
        ssize_t done = number == SYS_write ? write(file, bytes, length) : pwrite(file, bytes, length, (off_t)arguments[3]);
        (void)done;
    }
    free(bytes);
}

/* Sets a register of x86-64: 0 the call's number, 1 its result. */
static void set(pid_t thread, int result, long long value) {
#ifdef __x86_64__
    struct user_regs_struct registers;
    ptrace(PTRACE_GETREGS, thread, 0, &registers);
    if (result) registers.rax = (unsigned long long)value;
    else registers.orig_rax = (unsigned long long)value;
    ptrace(PTRACE_SETREGS, thread, 0, &registers);
#else
    (void)thread, (void)result, (void)value;
    fprintf(stderr, "errors are for x86-64 only\n");
    exit(99);
#endif
}

int main(int count, char **words) {
    if (count < 7) return 98;
    how = words[1], at = atol(words[2]), prefix = words[3];
    program = fork();
    if (program == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(99);
        raise(SIGSTOP);
        execvp(words[6], words + 6);
        _exit(97);
    }
    signal(SIGTERM, pass_on);
    int status, result = 99;
    if (waitpid(program, &status, __WALL) != program || !WIFSTOPPED(status)) return 99;
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, program, 0, options) != 0) return 99;
    ptrace(PTRACE_SYSCALL, program, 0, 0);
    pid_t failing = 0;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == program) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int delivered = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct __ptrace_syscall_info info;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0) {
                if (info.op == PTRACE_SYSCALL_INFO_ENTRY && is_change(thread, info.entry.nr, info.entry.args) && ++seen == at) {
                    if (strcmp(how, "kill") == 0 || strcmp(how, "torn") == 0) {
                        if (strcmp(how, "torn") == 0) half(thread, info.entry.nr, info.entry.args);
                        kill(program, SIGKILL);
                    } else {
                        failing = thread;
                        set(thread, 0, -1);
                    }
                } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread == failing) {
                    failing = 0;
                    set(thread, 1, strcmp(how, "enospc") == 0 ? -ENOSPC : -EIO);
                }
            }
        } else if (WSTOPSIG(status) != SIGTRAP && !(WSTOPSIG(status) == SIGSTOP)) {
            delivered = WSTOPSIG(status);
        }
        ptrace(PTRACE_SYSCALL, thread, 0, delivered);
    }
    FILE *told = fopen(words[4], "w");
    if (told) {
        fprintf(told, "%ld", seen);
        fclose(told);
    }
    return result;
}
