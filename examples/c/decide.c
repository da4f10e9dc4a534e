/*
 * Decides one request, and says what came out:
 *
 *     cc decide.c $(pkg-config --cflags --libs luigi) -o decide
 *     ./decide policy.toml GET shop.example.com /orders/7
 *
 * Ends with 0 if the request passes, with 1 if it is refused, with 2 if it cannot be decided.
 */

#include <luigi.h>
#include <stdio.h>

int main(int count, char **words) {
    luigi_engine_options options = {0};
    luigi_error error = {0};
    luigi_engine engine;
    luigi_context context;
    luigi_request request = {0};
    luigi_decision decision;
    luigi_status status;

    if (count != 5) {
        fprintf(stderr, "usage: decide POLICY METHOD HOST TARGET\n");
        return 2;
    }
    if (luigi_abi_version() != LUIGI_ABI_VERSION) {
        fprintf(stderr, "libluigi has version %u of the ABI, and this program is for %u\n",
                (unsigned)luigi_abi_version(), (unsigned)LUIGI_ABI_VERSION);
        return 2;
    }

    options.struct_size = sizeof options;
    options.policy = luigi_text_of(words[1]);
    options.mode = LUIGI_MODE_ENFORCE;
    error.struct_size = sizeof error;
    if (luigi_engine_open(&options, &engine, &error) != LUIGI_STATUS_OK) {
        fprintf(stderr, "%s\n", error.message.data);
        luigi_error_free(&error);
        return 2;
    }
    luigi_context_open(engine, &context);

    request.struct_size = sizeof request;
    request.method = luigi_text_of(words[2]);
    request.host = luigi_text_of(words[3]);
    request.target = luigi_text_of(words[4]);
    request.upgrade = LUIGI_UPGRADE_NO;
    decision.struct_size = sizeof decision;
    status = luigi_decide(context, &request, &decision);
    if (status == LUIGI_STATUS_OK) {
        printf("%s: %s", decision.outcome == LUIGI_PASS ? "pass" : "refuse", luigi_reason_name(decision.reason));
        printf("%s%s\n", decision.rule[0] ? " " : "", decision.rule);
    } else {
        fprintf(stderr, "cannot decide: %s\n", luigi_status_name(status));
    }

    luigi_context_close(context);
    luigi_engine_close(engine);
    return status != LUIGI_STATUS_OK ? 2 : decision.outcome == LUIGI_PASS ? 0 : 1;
}
