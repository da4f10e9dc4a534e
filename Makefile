# What one does with Luigi, from a fresh machine on. `make help` lists it.
# Cargo alone works too: `cargo build`, `cargo test -p luigi-core`, `cargo bench`.

SHELL := /bin/sh
CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
NEED := tests/tools/need
FUZZ_SECONDS ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo build modules test test-docs check bench bench-quick instructions fuzz fuzz-quick install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## HAProxy with Luigi, real requests, what came out and why; KEEP=1 leaves it running
	@$(NEED) haproxy cc:gcc
	@$(MAKE) --no-print-directory modules >/dev/null
	@$(CARGO) run --quiet --release -p luigi-tests --bin luigi-demo -- $(if $(KEEP),--keep)

build: modules ## the command and both Lua modules, optimised
	$(CARGO) build --release -p luigi-cli

# One module for each Lua; a target folder of its own keeps them from overwriting each other.
modules:
	$(CARGO) build --quiet --release -p luigi-lua --no-default-features --features lua53
	$(CARGO) build --quiet --release -p luigi-lua --no-default-features --features lua54 --target-dir $(TARGET)/lua54
	@mkdir -p $(TARGET)/luigi/lua53 $(TARGET)/luigi/lua54
	@cp $(TARGET)/release/libluigi.so $(TARGET)/luigi/lua53/luigi.so
	@cp $(TARGET)/lua54/release/libluigi.so $(TARGET)/luigi/lua54/luigi.so
	@cp luigi-lua/haproxy/luigi.lua luigi-lua/haproxy/modes.map $(TARGET)/luigi/

test: ## every test, also those against real HAProxy
	@$(NEED) haproxy cc:gcc curl
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace --doc
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --no-fail-fast; \
	else \
		$(CARGO) test --workspace --all-targets --no-fail-fast; \
	fi

check: ## formatting, clippy and documentation, warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p luigi-lua --no-default-features --features lua54 --target-dir $(TARGET)/lua54 -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items

bench: ## all benchmarks; writes docs/BENCHMARKS.md
	@$(NEED) haproxy valgrind cc:gcc
	bench/run docs/BENCHMARKS.md

bench-quick: ## each benchmark once, to see that it runs
	$(CARGO) bench -p luigi-bench --bench decide --bench identity --bench swap -- --test

fuzz-quick: ## each fuzz target for FUZZ_SECONDS
	FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run

install: build ## to $(DESTDIR)$(PREFIX): command, modules, glue, examples
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/luigi/lua53" "$(DESTDIR)$(PREFIX)/lib/luigi/lua54" \
		"$(DESTDIR)$(PREFIX)/share/doc/luigi" "$(DESTDIR)$(PREFIX)/share/luigi/examples"
	install -m 0755 $(TARGET)/release/luigi "$(DESTDIR)$(PREFIX)/bin/luigi"
	install -m 0644 $(TARGET)/luigi/lua53/luigi.so "$(DESTDIR)$(PREFIX)/lib/luigi/lua53/luigi.so"
	install -m 0644 $(TARGET)/luigi/lua54/luigi.so "$(DESTDIR)$(PREFIX)/lib/luigi/lua54/luigi.so"
	install -m 0644 luigi-lua/haproxy/luigi.lua luigi-lua/haproxy/modes.map luigi-lua/haproxy/luigi.cfg "$(DESTDIR)$(PREFIX)/lib/luigi/"
	install -m 0644 README.md CHANGELOG.md docs/*.md "$(DESTDIR)$(PREFIX)/share/doc/luigi/"
	cp -R examples/. "$(DESTDIR)$(PREFIX)/share/luigi/examples/"

uninstall: ## takes away what install put there
	rm -rf "$(DESTDIR)$(PREFIX)/bin/luigi" "$(DESTDIR)$(PREFIX)/lib/luigi" \
		"$(DESTDIR)$(PREFIX)/share/doc/luigi" "$(DESTDIR)$(PREFIX)/share/luigi"

clean: ## what was built
	$(CARGO) clean
