# What one does with Luigi, from a fresh machine on. `make help` lists it.
# Cargo alone works too: `cargo build`, `cargo test -p luigi-core`, `cargo bench`.

SHELL := /bin/sh
CARGO ?= cargo
PREFIX ?= /usr/local
# Where the C library goes; Debian's packages say lib/x86_64-linux-gnu, for example.
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
TARGET := $(or $(CARGO_TARGET_DIR),target)
# How things are built for the demo and for `install`: `release`, or `dev` for those in a hurry.
PROFILE ?= release
BUILT := $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
# Which Luas there is a module for; the demo builds the one that its HAProxy has.
LUAS ?= lua53 lua54
# What an installation consists of, ready to be loaded: the demo and the installation take it from here.
HOME_FOLDER := $(TARGET)/luigi
# The C library, ready to be installed.
LIBRARY_FOLDER := $(TARGET)/luigi-c
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# What programs ask for: another one with each version of the ABI, see docs/ABI.md.
SOVERSION := $(firstword $(subst ., ,$(VERSION))).$(shell sed -n 's/^\#define LUIGI_ABI_VERSION //p' include/luigi.h)
NEED := tests/tools/need
# Rust needs a linker and the C library's start files.
NEED_CC := 'cc:gcc libc6-dev'
# What the tests of the C library compile and run with.
NEED_FFI := c++:g++ valgrind cmake pkg-config:pkgconf
# What is attacked behind HAProxy.
NEED_SERVERS := nginx apache2:apache2-bin
# What stands beside Luigi in a benchmark, and what Envoy is fetched with; without them there is less to compare with.
NEED_PROXIES := nginx pip3:python3-pip
FUZZ_SECONDS ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo demo-command build command modules library test test-docs security-tests check bench bench-peers bench-proxies bench-quick instructions fuzz fuzz-quick install install-library uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## HAProxy with Luigi, real requests, what came out and why; KEEP=1 leaves it running
	@$(NEED) haproxy sqlite3 $(NEED_CC) $(if $(KEEP),curl)
	@luas=$$(PATH="$$PATH:/usr/sbin" haproxy -vv | sed -n 's/^Built with Lua version : Lua \(5\)\.\([34]\).*/lua\1\2/p'); \
		tests/tools/progress Luigi $(MAKE) --no-print-directory command modules demo-command LUAS="$${luas:-$(LUAS)}"
	@$(BUILT)/luigi-demo --luigi $(BUILT)/luigi --home $(HOME_FOLDER) $(if $(KEEP),--keep)

demo-command:
	@$(CARGO) build --profile $(PROFILE) -p luigi-tests --bin luigi-demo

build: command modules library ## the command, both Lua modules and the C library, optimised

command:
	$(CARGO) build --profile $(PROFILE) -p luigi-cli

# One module for each Lua. Cargo gives both one name, so the second has a target folder of its own, or each would be built again every time.
# `install` replaces the file and does not write into it: a HAProxy may be running with the old one.
modules: $(LUAS:%=module-%)
	@install -m 0644 luigi-lua/haproxy/luigi.lua luigi-lua/haproxy/modes.map $(HOME_FOLDER)/

module-lua53: MODULE_TARGET = $(TARGET)
module-lua54: MODULE_TARGET = $(TARGET)/lua54
module-%:
	$(CARGO) build --profile $(PROFILE) -p luigi-lua --no-default-features --features $* --target-dir $(MODULE_TARGET)
	@install -d $(HOME_FOLDER)/$*
	@install -m 0644 $(MODULE_TARGET)/$(notdir $(BUILT))/libluigi.so $(HOME_FOLDER)/$*/luigi.so

# Optimised as a whole, which cargo does only where no Rust library is made beside; in a target folder of its own, for two builds would write one file.
library:
ifeq ($(PROFILE),dev)
	$(CARGO) build -p luigi-ffi
	@luigi-ffi/install/libraries $(BUILT) $(LIBRARY_FOLDER) $(SOVERSION)
else
	$(CARGO) rustc --profile $(PROFILE) -p luigi-ffi --lib --crate-type cdylib,staticlib --target-dir $(TARGET)/c
	@luigi-ffi/install/libraries $(TARGET)/c/$(notdir $(BUILT)) $(LIBRARY_FOLDER) $(SOVERSION)
endif

test: ## every test, also those against real HAProxy
	@$(NEED) haproxy sqlite3 $(NEED_CC) $(NEED_FFI) curl openssl python3 $(NEED_SERVERS)
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace --doc
	@$(CARGO) run --quiet -p luigi-tests --bin luigi-test-needs
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --workspace --no-fail-fast; \
	else \
		$(CARGO) test --workspace --all-targets --no-fail-fast; \
	fi

security-tests: ## thousands of attacks through real HAProxy; writes docs/SECURITY-TESTS.md
	@$(NEED) haproxy $(NEED_CC) $(NEED_SERVERS)
	UPDATE_GOLDEN=1 $(CARGO) test -p luigi-tests --test attacks -- --nocapture --test-threads 1

check: ## formatting, clippy, documentation and luigi.h, warnings as errors
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path bench/peers/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p luigi-lua --no-default-features --features lua54 --target-dir $(TARGET)/lua54 -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items
	$(CARGO) test --quiet -p luigi-ffi --test header

bench: ## all benchmarks; writes docs/BENCHMARKS.md
	@$(NEED) haproxy valgrind openssl $(NEED_CC)
	@$(NEED) $(NEED_PROXIES) || true
	bench/run docs/BENCHMARKS.md

bench-peers: ## Luigi beside other engines: prints the tables, writes docs/plots
	@$(NEED) $(NEED_CC)
	@bench/peers/run

bench-proxies: ## HAProxy with Luigi beside other proxies: prints the tables
	@$(NEED) haproxy openssl $(NEED_CC)
	@$(NEED) $(NEED_PROXIES) || true
	@bench/proxies

bench-quick: ## each benchmark once, to see that it runs
	$(CARGO) bench -p luigi-bench --bench decide --bench identity --bench authoring --bench swap --bench swaps --bench ledger --bench serve --bench ffi -- --test

instructions: ## instructions of a decision, which must not have grown
	@$(NEED) valgrind $(NEED_CC)
	bench/count

fuzz-quick: ## each fuzz target for FUZZ_SECONDS
	FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run

# As root there may be no cargo: `make build && sudo make install` installs what was built.
install: $(if $(shell command -v $(CARGO)),build) install-library ## to $(DESTDIR)$(PREFIX): command, modules, glue, C library, man pages, completions, examples, documentation
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/luigi/lua53" "$(DESTDIR)$(PREFIX)/lib/luigi/lua54" \
		"$(DESTDIR)$(PREFIX)/share/doc/luigi/docs/plots" "$(DESTDIR)$(PREFIX)/share/luigi/examples"
	install -m 0755 $(BUILT)/luigi "$(DESTDIR)$(PREFIX)/bin/luigi"
	install -m 0644 $(HOME_FOLDER)/lua53/luigi.so "$(DESTDIR)$(PREFIX)/lib/luigi/lua53/luigi.so"
	install -m 0644 $(HOME_FOLDER)/lua54/luigi.so "$(DESTDIR)$(PREFIX)/lib/luigi/lua54/luigi.so"
	install -m 0644 $(HOME_FOLDER)/luigi.lua $(HOME_FOLDER)/modes.map "$(DESTDIR)$(PREFIX)/lib/luigi/"
	$(BUILT)/luigi haproxy-config --defaults --home "$(PREFIX)/lib/luigi" > "$(DESTDIR)$(PREFIX)/lib/luigi/luigi.cfg"
	chmod 0644 "$(DESTDIR)$(PREFIX)/lib/luigi/luigi.cfg"
	install -m 0644 README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$(DESTDIR)$(PREFIX)/share/doc/luigi/"
	install -m 0644 docs/*.md "$(DESTDIR)$(PREFIX)/share/doc/luigi/docs/"
	install -m 0644 docs/plots/*.svg "$(DESTDIR)$(PREFIX)/share/doc/luigi/docs/plots/"
	cp -R examples/. "$(DESTDIR)$(PREFIX)/share/luigi/examples/"
	$(BUILT)/luigi man --folder "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	$(BUILT)/luigi completions bash > "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/luigi"
	$(BUILT)/luigi completions zsh > "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_luigi"
	$(BUILT)/luigi completions fish > "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/luigi.fish"

install-library: $(if $(shell command -v $(CARGO)),library) ## the C library alone: luigi.h, libluigi.so, libluigi.a, and what pkg-config and CMake need
	install -d "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(LIBDIR)"
	install -m 0644 include/luigi.h "$(DESTDIR)$(PREFIX)/include/luigi.h"
	install -m 0644 $(LIBRARY_FOLDER)/libluigi.so.$(SOVERSION) $(LIBRARY_FOLDER)/libluigi.a "$(DESTDIR)$(LIBDIR)/"
	ln -sf libluigi.so.$(SOVERSION) "$(DESTDIR)$(LIBDIR)/libluigi.so"
	luigi-ffi/install/texts "$(DESTDIR)" $(VERSION) $(SOVERSION) "$(PREFIX)" "$(LIBDIR)"

uninstall: ## takes away what install put there
	rm -rf "$(DESTDIR)$(PREFIX)/bin/luigi" "$(DESTDIR)$(PREFIX)/lib/luigi" \
		"$(DESTDIR)$(PREFIX)/include/luigi.h" "$(DESTDIR)$(LIBDIR)"/libluigi.so* "$(DESTDIR)$(LIBDIR)/libluigi.a" \
		"$(DESTDIR)$(LIBDIR)/pkgconfig/luigi.pc" "$(DESTDIR)$(LIBDIR)/cmake/luigi" \
		"$(DESTDIR)$(PREFIX)/share/doc/luigi" "$(DESTDIR)$(PREFIX)/share/luigi" \
		"$(DESTDIR)$(PREFIX)"/share/man/man1/luigi.1 "$(DESTDIR)$(PREFIX)"/share/man/man1/luigi-*.1 \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/luigi" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_luigi" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/luigi.fish"

clean: ## what was built
	$(CARGO) clean
