/*
 * A small HTTP service whose every route is guarded, on libmicrohttpd:
 *
 *     cc guard.c $(pkg-config --cflags --libs luigi libmicrohttpd) -pthread -o guard
 *     ./guard 8080 /var/lib/luigi/feed /var/lib/luigi/feed.pub /run/luigi/spool
 *
 * It listens on IPv6 and IPv4. It follows the feed: `luigi apply` changes the policy while requests are answered. With a spool, decisions are recorded there. What it shows:
 *
 * - one engine, a thread of Luigi's that polls, and one context for each thread that answers, kept by the thread;
 * - the request as it was received: libmicrohttpd decodes paths, so the target is taken before it does;
 * - what is served is the canonical path, which is the one that was decided;
 * - where a request comes from, for rules about networks, over IPv6 and IPv4;
 * - how a privileged request ended, for the record;
 * - a refusal is answered with what Luigi makes of it; a failure is an answer of its own, and never a pass.
 */

#include <arpa/inet.h>
#include <luigi.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define THREADS 4
#define MAX_HEADERS 64
#define MAX_PATH 2048

static luigi_engine engine;
static pthread_key_t context_key;

/* What one thread keeps. */
struct thread {
    luigi_context context;
};

static void thread_ends(void *data) {
    struct thread *thread = data;
    luigi_context_close(thread->context);
    free(thread);
}

static struct thread *this_thread(void) {
    struct thread *thread = pthread_getspecific(context_key);
    if (thread == NULL && (thread = calloc(1, sizeof *thread)) != NULL) {
        if (luigi_context_open(engine, &thread->context) != LUIGI_STATUS_OK ||
            pthread_setspecific(context_key, thread) != 0) {
            free(thread);
            thread = NULL;
        }
    }
    return thread;
}

/* What is known of a request before libmicrohttpd has changed it. */
struct received {
    char *target;
    int is_known;
};

static void *request_begins(void *nothing, const char *target, struct MHD_Connection *connection) {
    struct received *received = calloc(1, sizeof *received);
    (void)nothing;
    (void)connection;
    if (received != NULL) {
        received->target = strdup(target);
    }
    return received;
}

static void request_ends(void *nothing, struct MHD_Connection *connection, void **data,
                         enum MHD_RequestTerminationCode how) {
    struct received *received = *data;
    (void)nothing;
    (void)connection;
    (void)how;
    if (received != NULL) {
        free(received->target);
        free(received);
    }
}

/* The peer's address as text. Without one, rules about networks are unknown. */
static const char *address_of(const struct sockaddr *peer, char *text, socklen_t size) {
    switch (peer == NULL ? AF_UNSPEC : peer->sa_family) {
    case AF_INET:
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, text, size);
    case AF_INET6:
        /* Of a client that came over IPv4 it is `::ffff:192.0.2.1`, which Luigi takes for 192.0.2.1. */
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, text, size);
    default:
        return NULL;
    }
}

struct headers {
    luigi_field fields[MAX_HEADERS];
    size_t count;
    int too_many;
};

static enum MHD_Result header(void *data, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct headers *headers = data;
    (void)kind;
    if (headers->count == MAX_HEADERS) {
        headers->too_many = 1;
        return MHD_NO;
    }
    headers->fields[headers->count].name = luigi_text_of(name);
    headers->fields[headers->count].value = luigi_text_of(value == NULL ? "" : value);
    headers->count++;
    return MHD_YES;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *body, size_t length,
                              const luigi_string *more_headers, const char *rule) {
    struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)(size_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued;
    if (more_headers != NULL) {
        /* `name: value`, each with CR and LF behind it. */
        char *line = more_headers->data;
        char *end;
        while ((end = strstr(line, "\r\n")) != NULL) {
            char *value = strstr(line, ": ");
            *end = 0;
            if (value != NULL) {
                *value = 0;
                MHD_add_response_header(response, line, value + 2);
            }
            line = end + 2;
        }
    }
    if (rule != NULL && rule[0]) {
        MHD_add_response_header(response, "x-rule", rule);
    }
    queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result failed(struct MHD_Connection *connection, unsigned status, const char *why) {
    return answer(connection, status, why, strlen(why), NULL, NULL);
}

/* What there is to be had here, behind the guard. */
static enum MHD_Result serve(struct MHD_Connection *connection, const char *path, const luigi_decision *decision) {
    char body[MAX_PATH + 32];
    int length = snprintf(body, sizeof body, "this is %s\n", path);
    return answer(connection, MHD_HTTP_OK, body, (size_t)length, NULL, decision->rule);
}

static enum MHD_Result handle(void *nothing, struct MHD_Connection *connection, const char *decoded,
                              const char *method, const char *version, const char *body, size_t *body_size,
                              void **data) {
    const union MHD_ConnectionInfo *peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct received *received = *data;
    struct thread *thread = this_thread();
    struct headers headers = {0};
    luigi_request request = {0};
    luigi_decision decision;
    luigi_http_reply reply = {0};
    luigi_status status;
    char source[INET6_ADDRSTRLEN];
    char path[MAX_PATH];
    enum MHD_Result queued;
    (void)nothing;
    (void)decoded;
    (void)version;
    (void)body;
    /* Called when the head is there, for each part of the body, and once more: an answer before that would end the connection. */
    if (received != NULL && (!received->is_known || *body_size > 0)) {
        received->is_known = 1;
        *body_size = 0;
        return MHD_YES;
    }
    if (thread == NULL || received == NULL || received->target == NULL) {
        return failed(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    }
    MHD_get_connection_values(connection, MHD_HEADER_KIND, header, &headers);
    if (headers.too_many) {
        return failed(connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers\n");
    }

    request.struct_size = sizeof request;
    request.method = luigi_text_of(method);
    request.target = luigi_text_of(received->target);
    request.source = luigi_text_of(address_of(peer == NULL ? NULL : peer->client_addr, source, sizeof source));
    request.headers = headers.fields;
    request.header_count = headers.count;
    request.path = path;
    request.path_size = sizeof path;
    decision.struct_size = sizeof decision;
    status = luigi_decide(thread->context, &request, &decision);
    if (status != LUIGI_STATUS_OK) {
        return failed(connection, MHD_HTTP_SERVICE_UNAVAILABLE, luigi_status_name(status));
    }
    if (decision.outcome == LUIGI_PASS) {
        queued = serve(connection, decision.path_length > 0 ? path : "nothing", &decision);
        if (decision.privileged) {
            luigi_record_response(thread->context, decision.evaluation_id, MHD_HTTP_OK, luigi_text_of("guard"));
        }
        return queued;
    }

    reply.struct_size = sizeof reply;
    status = luigi_reply(thread->context, &request, &decision,
                         luigi_text_of(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "accept")), &reply);
    if (status != LUIGI_STATUS_OK) {
        return failed(connection, MHD_HTTP_FORBIDDEN, "refused\n");
    }
    queued = answer(connection, (unsigned)reply.status, reply.body.data, reply.body.length, &reply.headers, NULL);
    luigi_http_reply_free(&reply);
    return queued;
}

static void log_line(void *nothing, int32_t level, luigi_text message) {
    (void)nothing;
    fprintf(stderr, "%s: %.*s\n", level == LUIGI_LOG_NOTICE ? "notice" : "alert", (int)message.length, message.data);
}

static struct MHD_Daemon *start(unsigned port, unsigned flags) {
    return MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, handle, NULL, MHD_OPTION_THREAD_POOL_SIZE,
                            (unsigned)THREADS, MHD_OPTION_URI_LOG_CALLBACK, request_begins, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, request_ends, NULL, MHD_OPTION_END);
}

int main(int count, char **words) {
    luigi_engine_options options = {0};
    luigi_error error = {0};
    struct MHD_Daemon *daemon;
    const union MHD_DaemonInfo *info;
    sigset_t ends;
    int which;
    unsigned port;

    if (count < 4 || count > 5) {
        fprintf(stderr, "usage: guard PORT FEED PUBLIC-KEY [SPOOL]\n");
        return 2;
    }
    if (luigi_abi_version() != LUIGI_ABI_VERSION) {
        fprintf(stderr, "libluigi has version %u of the ABI, and this program is for %u\n",
                (unsigned)luigi_abi_version(), (unsigned)LUIGI_ABI_VERSION);
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    options.struct_size = sizeof options;
    options.feed = luigi_text_of(words[2]);
    options.public_key = luigi_text_of(words[3]);
    options.spool = luigi_text_of(count == 5 ? words[4] : NULL);
    options.log = log_line;
    error.struct_size = sizeof error;
    if (luigi_engine_open(&options, &engine, &error) != LUIGI_STATUS_OK ||
        luigi_engine_start_polling(engine, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        return 1;
    }
    pthread_key_create(&context_key, thread_ends);

    port = (unsigned)strtoul(words[1], NULL, 10);
    daemon = start(port, MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_DUAL_STACK);
    if (daemon == NULL) {
        /* A machine without IPv6. */
        daemon = start(port, MHD_USE_INTERNAL_POLLING_THREAD);
    }
    if (daemon == NULL) {
        fprintf(stderr, "cannot listen on port %s\n", words[1]);
        return 1;
    }
    info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    printf("listening on port %u\n", (unsigned)info->port);
    fflush(stdout);
    sigwait(&ends, &which);
    MHD_stop_daemon(daemon);
    luigi_engine_close(engine);
    return 0;
}
