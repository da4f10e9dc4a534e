/* A decision allocates nothing: this program's malloc counts.  no_allocation POLICY KEYS TOKEN [SPOOL] */

#include "check.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static unsigned long allocations;

void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size) {
    allocations++;
    return __libc_realloc(pointer, size);
}

int posix_memalign(void **pointer, size_t alignment, size_t size) {
    allocations++;
    *pointer = __libc_memalign(alignment, size);
    return *pointer == NULL ? 12 : 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    allocations++;
    return __libc_memalign(alignment, size);
}

static int records;
static void *volatile kept;

static void record(void *data, const luigi_record *record) {
    CHECK(data == NULL && record->decision->status == LUIGI_STATUS_OK);
    records++;
}

int main(int count, char **words) {
    luigi_engine_options options;
    luigi_engine engine;
    luigi_context context;
    luigi_key_file keys;
    luigi_assertion assertion;
    luigi_identity identity;
    luigi_text group = luigi_text_of("support");
    luigi_field headers[3];
    luigi_certificate certificate;
    luigi_decision decision;
    luigi_request requests[12];
    unsigned long before;
    char authorization[4096];
    char path[256];
    int n, round;
    int allowed = 0;
    CHECK(count == 4 || count == 5);
    snprintf(authorization, sizeof authorization, "Bearer %s", words[3]);
    START(options);
    keys.issuer = luigi_text_of("corp");
    keys.path = luigi_text_of(words[2]);
    options.policy = luigi_text_of(words[1]);
    options.keys = &keys;
    options.key_count = 1;
    options.mode = LUIGI_MODE_ENFORCE;
    options.record = record;
    options.spool = luigi_text_of(count == 5 ? words[4] : NULL);
    IS(luigi_engine_open(&options, &engine, NULL), LUIGI_STATUS_OK);
    IS(luigi_context_open(engine, &context), LUIGI_STATUS_OK);
    START(assertion);
    assertion.asserted_by = luigi_text_of("test");
    assertion.issuer = luigi_text_of("https://login.example.com");
    assertion.subject = luigi_text_of("ada");
    assertion.expires_at = 1772442600;
    assertion.groups = &group;
    assertion.group_count = 1;
    IS(luigi_identity_open(&assertion, &identity, NULL), LUIGI_STATUS_OK);
    headers[0].name = luigi_text_of("X-Team");
    headers[0].value = luigi_text_of("blue");
    headers[1].name = luigi_text_of("Accept");
    headers[1].value = luigi_text_of("*/*");
    headers[2].name = luigi_text_of("country");
    headers[2].value = luigi_text_of("DE");
    START(certificate);
    certificate.state = LUIGI_CERTIFICATE_VERIFIED;
    certificate.subject_dn = luigi_text_of("CN=web");

    requests[0] = get("/open");
    requests[1] = get("/orders/7");
    requests[1].authorization = luigi_text_of(authorization);
    requests[2] = get("/orders/7");
    requests[2].identity = identity;
    requests[3] = get("/x/../%6frders//7?y");
    requests[3].identity = identity;
    requests[4] = get("/refunds/7");
    requests[4].identity = identity;
    requests[5] = get("/admin/7");
    requests[5].identity = identity;
    requests[6] = get("/blue");
    requests[6].headers = headers;
    requests[6].header_count = 2;
    requests[7] = get("/german");
    requests[7].facts = headers + 2;
    requests[7].fact_count = 1;
    requests[8] = get("/machines");
    requests[8].certificate = &certificate;
    requests[9] = get("/near");
    requests[9].source = luigi_text_of("203.0.113.9");
    requests[10] = get("/open%2f");
    requests[11] = get("/open");
    requests[11].method = luigi_text_of("");

    for (round = 0; round < 3; round++) {
        for (n = 0; n < 12; n++) {
            requests[n].time = 1772442000;
            requests[n].path = path;
            requests[n].path_size = sizeof path;
            decision.struct_size = sizeof decision;
            before = allocations;
            IS(luigi_decide(context, &requests[n], &decision), LUIGI_STATUS_OK);
            if (round > 0 && allocations != before) {
                fprintf(stderr, "request %d: %lu allocations\n", n, allocations - before);
                return 1;
            }
            IS(luigi_record_response(context, decision.evaluation_id, 200, luigi_text_of("shop-1")), LUIGI_STATUS_OK);
            if (round > 0 && allocations != before) {
                fprintf(stderr, "response %d: %lu allocations\n", n, allocations - before);
                return 1;
            }
            allowed += decision.outcome == LUIGI_PASS;
        }
    }
    CHECK(allowed == 3 * 8 && records == 3 * 12);
    /* With a spool there were records: of what is denied, would be denied, or is privileged; and one of each response. */
    CHECK(statistics_of(engine).records >= (count == 5 ? 3 * 16u : 0) && (count == 5) == (statistics_of(engine).records > 0));
    /* Failures neither. */
    before = allocations;
    decision.struct_size = sizeof decision;
    IS(luigi_decide(context, NULL, &decision), LUIGI_STATUS_NULL);
    requests[0].identity.id = 1;
    IS(luigi_decide(context, &requests[0], &decision), LUIGI_STATUS_INVALID_HANDLE);
    CHECK(allocations == before);
    /* And the counter counts. */
    kept = malloc(1);
    CHECK(kept != NULL && allocations == before + 1);
    free(kept);
    IS(luigi_identity_close(identity), LUIGI_STATUS_OK);
    CHECK(before > 100);
    IS(luigi_context_close(context), LUIGI_STATUS_OK);
    IS(luigi_engine_close(engine), LUIGI_STATUS_OK);
    return 0;
}
