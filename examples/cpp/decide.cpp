// The same as ../c/decide.c, from C++: handles that close themselves.
//
//     c++ -std=c++11 decide.cpp $(pkg-config --cflags --libs luigi) -o decide
//     ./decide policy.toml GET shop.example.com /orders/7

#include <luigi.h>

#include <iostream>
#include <stdexcept>
#include <string>

namespace {

template <typename Struct> Struct sized() {
    Struct made = {};
    made.struct_size = sizeof made;
    return made;
}

luigi_text text(const std::string &string) {
    luigi_text text;
    text.data = string.data();
    text.length = string.size();
    return text;
}

void must(luigi_status status) {
    if (status != LUIGI_STATUS_OK) {
        throw std::runtime_error(luigi_status_name(status));
    }
}

class Engine {
public:
    explicit Engine(const std::string &policy) {
        luigi_engine_options options = sized<luigi_engine_options>();
        luigi_error error = sized<luigi_error>();
        options.policy = text(policy);
        options.mode = LUIGI_MODE_ENFORCE;
        if (luigi_engine_open(&options, &handle, &error) != LUIGI_STATUS_OK) {
            std::string why(error.message.data, error.message.length);
            luigi_error_free(&error);
            throw std::runtime_error(why);
        }
    }
    ~Engine() { luigi_engine_close(handle); }
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    luigi_engine handle;
};

// One for each thread.
class Context {
public:
    explicit Context(const Engine &engine) { must(luigi_context_open(engine.handle, &handle)); }
    ~Context() { luigi_context_close(handle); }
    Context(const Context &) = delete;
    Context &operator=(const Context &) = delete;

    luigi_decision decide(const std::string &method, const std::string &host, const std::string &target) const {
        luigi_request request = sized<luigi_request>();
        luigi_decision decision = sized<luigi_decision>();
        request.method = text(method);
        request.host = text(host);
        request.target = text(target);
        request.upgrade = LUIGI_UPGRADE_NO;
        must(luigi_decide(handle, &request, &decision));
        return decision;
    }

    luigi_context handle;
};

} // namespace

int main(int count, char **words) {
    if (count != 5) {
        std::cerr << "usage: decide POLICY METHOD HOST TARGET\n";
        return 2;
    }
    try {
        Engine engine(words[1]);
        Context context(engine);
        luigi_decision decision = context.decide(words[2], words[3], words[4]);
        bool passes = decision.outcome == LUIGI_PASS;
        std::cout << (passes ? "pass: " : "refuse: ") << luigi_reason_name(decision.reason);
        std::cout << (decision.rule[0] ? " " : "") << decision.rule << "\n";
        return passes ? 0 : 1;
    } catch (const std::exception &error) {
        std::cerr << error.what() << "\n";
        return 2;
    }
}
