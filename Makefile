# SPDX-License-Identifier: GPL-3.0-or-later
# CASTLE attention: reference and verification suite. `make help` lists what there is.

CC ?= cc
PREFIX ?= /usr/local
B = build
VERSION := $(shell sed -n 's/.*CASTLE_VERSION "\(.*\)"/\1/p' ref/version.h)

CFLAGS ?= -O3 -g
# Fused multiply-adds would make results depend on the compiler and the processor. Nobody reads the
# flags that operations on NaN may raise, and loops with comparisons are vectorised without them.
STRICT = -std=c11 -D_GNU_SOURCE -fopenmp -ffp-contract=off -fno-trapping-math -fPIC \
         -fvisibility=default -fno-semantic-interposition
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
       -Wvla -Werror
INCLUDE = -Iref -Iref/systems -Ivectors -Iproofs -Idocs -isystem /usr/include/libxml2
# Arb is a library of its own in FLINT 2 (Debian 12) and part of FLINT 3 (Debian 13). These are
# evaluated when a recipe runs, after `make deps`.
ARB = $(shell printf '\043include <arb.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo -lflint-arb)
LIBS = -lgsl -lopenblas $(ARB) -lflint -lmpfr -lgmp -ljansson -lnettle -lzip -lxml2 -lm
COMPILE = $(CC) $(STRICT) $(CFLAGS) $(WARN) $(INCLUDE)

COMMANDS = ref/main.c $(wildcard vectors/command_*.c vectors/check_kernel*.c docs/command_*.c) \
           vectors/check_dumps.c proofs/verify.c
STABILITY = proofs/stability_main.c
KILL_MATRIX = proofs/kill_matrix_main.c
REPORT = proofs/report_main.c
SOURCES := $(filter-out $(COMMANDS) $(STABILITY) $(KILL_MATRIX) $(REPORT), \
             $(wildcard ref/*.c ref/systems/*.c vectors/*.c proofs/*.c docs/explain_*.c))
TESTS := $(patsubst tests/%.c,$B/tests/%,$(wildcard tests/test_*.c))
TUTORIAL := $(wildcard docs/tutorial*.c)
SUPPORT := $(filter-out $(wildcard tests/test_*.c),$(wildcard tests/*.c)) \
           $(filter-out docs/tutorial_main.c,$(TUTORIAL))
BENCH := $(wildcard tests/bench/*.c)
objects = $(patsubst %.c,$B/%.o,$(1))
EMBEDDED = vectors/cases.json docs/explain.html docs/explain.css docs/explain_equations.js \
           docs/explain.js docs/explain_controls.js
LIBRARY := $(call objects,$(SOURCES)) $(EMBEDDED:%=$B/%.bytes.o)

DUMPS = vectors/dumps
JOBS = $(shell nproc)
# Set with `deps` among the goals, so that nothing is compiled before it is installed.
FIRST := $(filter deps deps-dev deps-bench deps-coq deps-docs,$(MAKECMDGOALS))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps deps-dev deps-bench deps-coq deps-docs verify proofs proofs-update proofs-coq stability \
        mutants docs docs-numbers vectors vectors-paper vectors-update golden-anew check check-long \
        check-explain bench \
        sanitize valgrind lint format install clean help

all: $B/castle $B/libcastle.so                   ## build the program and the library (default)

-include $(wildcard $B/*/*.d $B/*/*/*.d)

$B/%.o: %.c | $(FIRST)
	@mkdir -p $(@D)
	@echo '  CC   $<'
	@$(COMPILE) -MMD -MP -c $< -o $@

# Files as bytes of the program: a.json is there as a_json[], and a_json_size of them.
$B/%.bytes.c: %
	@mkdir -p $(@D)
	@name=$(subst .,_,$(<F)); { echo '#include <stddef.h>'; \
	    echo "extern const unsigned char $$name[]; extern const size_t $${name}_size;"; \
	    echo "const unsigned char $$name[] = {"; od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g'; \
	    echo '};'; echo "const size_t $${name}_size = sizeof $$name;"; } > $@

$B/%.bytes.o: $B/%.bytes.c | $(FIRST)
	@$(COMPILE) -c $< -o $@

$B/libcastle.a: $(LIBRARY)
	@echo '  AR   $@'
	@rm -f $@ && ar rcs $@ $^

$B/libcastle.so: $(LIBRARY)
	@echo '  LINK $@'
	@echo '{ global: castle_truth; castle_judge; castle_references; castle_version; local: *; };' > $B/libcastle.map
	@$(CC) -shared -fopenmp $(CFLAGS) -Wl,-z,defs -Wl,-soname,libcastle.so.0 \
	    -Wl,--version-script=$B/libcastle.map $^ $(LIBS) -o $@

$B/castle: $(call objects,$(COMMANDS)) $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

# In an archive, so that a test links what it calls and nothing else.
$B/tests/libsupport.a: $(call objects,$(SUPPORT))
	@rm -f $@ && ar rcs $@ $^

$B/tests/%: $B/tests/%.o $B/tests/libsupport.a $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ -lcmocka $(LIBS) -o $@

# ---- what it needs -------------------------------------------------------------------------------

PACKAGES = gcc make libgsl-dev libmpfr-dev libgmp-dev libflint-dev libopenblas-openmp-dev \
           libjansson-dev nettle-dev libzip-dev libxml2-dev libcmocka-dev
PACKAGES_12 = libflint-arb-dev
PACKAGES_DEV = clang libomp-dev clang-format clang-tidy valgrind g++ man-db python3-mpmath \
               python3-gmpy2 python3-numpy python3-jsonschema jq mandoc chromium chromium-driver \
               python3-selenium
PACKAGES_BENCH = $(PACKAGES_DEV) python3-torch gnuplot-nox
PACKAGES_DOCS = python3-sphinx python3-myst-parser python3-sphinx-rtd-theme universal-ctags mandoc
PACKAGES_COQ = coq libcoq-coquelicot libcoq-flocq

# Installs what is missing of $(1), and of $(2) where the distribution has it.
define install_packages
	@wanted="$(1)"; \
	if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then \
	    echo "make $@ knows Debian's packages only; install these by hand:"; \
	    echo "  $(1) $(2) (Arb, where FLINT is older than 3)"; exit 2; fi; \
	has() { dpkg-query -W -f '$${Status}' "$$1" 2>/dev/null | grep -q 'ok installed'; }; \
	as_root() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }; \
	missing=; for p in $$wanted; do has $$p || missing="$$missing $$p"; done; \
	[ -f /usr/include/flint/arb.h ] || [ -f /usr/include/arb.h ] || old=1; \
	if [ -z "$$missing$$old" ]; then echo "all packages are there"; exit 0; fi; \
	as_root apt-get update || exit 2; \
	for p in $(2); do if ! has $$p && [ -n "$$(apt-cache madison $$p)" ]; then \
	    missing="$$missing $$p"; fi; done; \
	echo "installing$$missing"; \
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing
endef

deps:                                            ## install what building and testing need (Debian)
	$(call install_packages,$(PACKAGES),$(PACKAGES_12))

deps-dev: deps                                   ## ... and what lint, valgrind and some tests need
	$(call install_packages,$(PACKAGES_DEV),)

deps-bench: deps                                 ## ... and what bench compares with (PyTorch is big)
	$(call install_packages,$(PACKAGES_BENCH),)

deps-coq:                                        ## what proofs-coq needs, and nothing else does
	$(call install_packages,$(PACKAGES_COQ),)

deps-docs:                                       ## what docs needs, and nothing else does
	$(call install_packages,$(PACKAGES_DOCS),)

# ---- the main job --------------------------------------------------------------------------------

verify: $B/castle                                ## reproduce Theorem 1, judge the third-party dumps
	$B/castle verify
	$B/castle verify --bits 24,53,113,256 $(wildcard $(DUMPS)/trained-layer*)
	@echo
	@echo "Dumps of kernels from outside; the wrong-* must be judged wrong (exit status 1)."
	$B/castle check $(filter-out $(wildcard $(DUMPS)/wrong-*),$(wildcard $(DUMPS)/*.safetensors))
	$B/castle check $(wildcard $(DUMPS)/wrong-*.safetensors); test $$? = 1

proofs: $B/report                                ## try every claim anew: build/proofs/report.html
	@mkdir -p $B/proofs
	@command -v gnuplot >/dev/null || echo "no plots: gnuplot is missing (make deps-bench)"
	$B/report $B/proofs
	@cmp -s $B/proofs/figures.md proofs/figures.md || { \
	    echo "$B/proofs/figures.md is not proofs/figures.md; make proofs-update puts it there"; exit 1; }

proofs-update: $B/report                         ## ... and put its figures into proofs/figures.md
	@mkdir -p $B/proofs
	$B/report $B/proofs
	cp $B/proofs/figures.md proofs/figures.md

$B/report: $(call objects,$(REPORT)) $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

stability: $B/stability                          ## measure (33) in float anew: proofs/stability.md
	$B/stability > proofs/stability.md

$B/stability: $(call objects,$(STABILITY)) $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

mutants: $B/kill_matrix                          ## which cases catch which known-wrong kernel: docs/
	$B/kill_matrix > $B/kill-matrix.md
	cp $B/kill-matrix.md docs/kill-matrix.md

$B/kill_matrix: $(call objects,$(KILL_MATRIX)) $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

docs-numbers: $B/tutorial $B/castle              ## compute the numbers and reports in docs/ anew
	$B/tutorial docs/tutorial.md > $B/tutorial.md
	mv $B/tutorial.md docs/tutorial.md
	awk -v castle=$B/castle -f docs/runs.awk docs/read-a-report.md > $B/read-a-report.md
	mv $B/read-a-report.md docs/read-a-report.md

$B/tutorial: $(call objects,$(TUTORIAL)) $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

# ---- golden vectors ------------------------------------------------------------------------------

GOLDEN = vectors/golden
golden_files = $$(cd $(1) && ls | LC_ALL=C sort | grep '\.safetensors$$'; echo index.json)

golden-anew: $B/castle
	rm -rf $B/golden
	$B/castle emit --out $B/golden

vectors: golden-anew                             ## make all golden vectors anew, compare each byte
	@[ -d $(GOLDEN) ] || { echo "$(GOLDEN): is missing; make vectors-update makes it"; exit 1; }
	@for f in $(call golden_files,$(GOLDEN)); do \
	    [ -f $B/golden/$$f ] || { echo "$(GOLDEN)/$$f: no case makes it"; exit 1; }; done
	@for f in $(call golden_files,$B/golden); do \
	    [ -f $(GOLDEN)/$$f ] || { echo "$(GOLDEN)/$$f: is missing"; exit 1; }; \
	    cmp $B/golden/$$f $(GOLDEN)/$$f || exit 1; done
	@echo "$(GOLDEN): every byte came out again"

vectors-paper: $B/castle                         ## the paper's shapes anew (half an hour), by SHA-256
	$B/castle emit --tier paper --out $B/paper
	cmp $B/paper/index-paper.json $(GOLDEN)/index-paper.json
	@echo "$(GOLDEN)/index-paper.json: every sum came out again"

vectors-update: golden-anew                      ## make them anew, put them into vectors/golden
	@mkdir -p $(GOLDEN)
	rm -f $(GOLDEN)/*.safetensors $(GOLDEN)/index.json
	cp $B/golden/*.safetensors $B/golden/index.json $(GOLDEN)/

# ---- documents as a site ---------------------------------------------------------------------------

# Every warning is an error; then every link is followed.
docs: export PYTHONDONTWRITEBYTECODE = 1
docs: export CASTLE_VERSION = $(VERSION)
docs: | $(FIRST)                                 ## one site of all documents: build/site/html/index.html
	@command -v sphinx-build >/dev/null || { echo "sphinx-build is missing (make deps-docs)"; exit 1; }
	@rm -rf $B/site
	@python3 docs/site/pages.py $B/site/source
	sphinx-build -q -n -W --keep-going -b html -c docs/site -d $B/site/doctrees $B/site/source $B/site/html
	@python3 docs/site/check_links.py $B/site/html

# ---- machine-checked proofs --------------------------------------------------------------------

# Audit.v prints what each theorem assumes; that must be what assumptions.txt says. Evaluate.v carries
# definitions out; their values must be the committed ones, which tests/test_coq_values.c holds C to.
COQ_FILES = $(filter-out Audit.v Evaluate.v,$(notdir $(wildcard proofs/coq/*.v)))
COQ_VALUES = field_decode field_gradients binary32_dots
COQ_FLAGS = -arg -w -arg -ambiguous-paths # Coquelicot's own
proofs-coq: | $(FIRST)                           ## check the proofs in proofs/coq with Coq
	@mkdir -p $B/coq
	@cp -pu proofs/coq/*.v $B/coq/
	@cd $B/coq && coq_makefile -R . Castle $(COQ_FLAGS) $(COQ_FILES) -o Makefile \
	    && $(MAKE) --no-print-directory
	@! grep -nwE 'Admitted|admit|Axiom|Conjecture|Parameter' proofs/coq/*.v
	@cd $B/coq && coqc -q -R . Castle $(filter-out -arg,$(COQ_FLAGS)) Audit.v > Audit.out
	@awk -f proofs/coq/assumptions.awk $B/coq/Audit.out > $B/coq/assumptions.txt
	@diff -u proofs/coq/assumptions.txt $B/coq/assumptions.txt
	@cd $B/coq && coqc -q -R . Castle $(filter-out -arg,$(COQ_FLAGS)) Evaluate.v
	@for f in $(COQ_VALUES); do awk -f proofs/coq/values.awk $B/coq/$$f.out > $B/coq/$$f.txt && \
	    diff -u proofs/coq/$$f.txt $B/coq/$$f.txt || exit 1; done
	@echo "all theorems of proofs/coq hold, under the assumptions in proofs/coq/assumptions.txt"

# ---- tests ---------------------------------------------------------------------------------------

# Threads that wait spin in vain where others need the processor.
check verify mutants proofs: export OMP_WAIT_POLICY = passive

check: $(TESTS) $B/castle                        ## run the tests (under two minutes)
	@rm -f $B/tests/failed
	@printf '%s\n' $(TESTS) | OMP_WAIT_POLICY=passive xargs -P $(JOBS) -I T sh -c '$(RUN) T > T.log 2>&1 \
	    && { echo "ok T: $$(grep -c "  OK ]" T.log) tests"; sed -n "s/^skipped/    skipped/p" T.log; } \
	    || { cat T.log; echo T >> $B/tests/failed; }'
	@if [ -f $B/tests/failed ]; then echo "FAILED:" $$(cat $B/tests/failed); exit 1; fi
	@echo "all $(words $(TESTS)) test programs passed"

check-long:                                      ## the tests with many more seeds
	CASTLE_TEST_LONG=1 $(MAKE) check

check-explain: $B/tests/test_drive_explain $B/castle ## drive the explainer's page in a browser
	CASTLE_TEST_LONG=1 $<

sanitize:                                        ## the tests under address and undefined sanitizers
	LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 $(MAKE) B=build/sanitize check \
	    CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"

valgrind: $(TESTS) $B/castle                     ## the tests under valgrind
	OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell CASTLE_TEST_SHORT=1 $(MAKE) check \
	    RUN="valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite"

bench: $B/tests/bench/bench                      ## measure against limits, dgemm, numpy, torch, mpmath
	$< $(OPTIONS) $B/bench tests/bench

$B/tests/bench/bench: $(call objects,$(BENCH)) $B/tests/libsupport.a $B/libcastle.a
	@echo '  LINK $@'
	@$(CC) -fopenmp $(CFLAGS) $^ $(LIBS) -o $@

lint:                                            ## clang-tidy, warnings are errors
	clang-tidy --quiet --warnings-as-errors='*' \
	    $(wildcard ref/*.c ref/systems/*.c vectors/*.c proofs/*.c tests/*.c \
               tests/bench/*.c docs/*.c) -- \
	    $(STRICT) $(INCLUDE)

format:                                          ## clang-format in place
	clang-format -i $(wildcard */*.[ch] ref/systems/*.[ch] tests/bench/*.[ch] \
               tests/kernels/*.[ch] vectors/examples/*.c vectors/examples/*/*.c*)

# ---- installing ----------------------------------------------------------------------------------

install: all $B/libcastle.a                      ## program, library, header, man pages to PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	    $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/castle/python
	install -m 755 $B/castle $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $B/libcastle.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $B/libcastle.so $(DESTDIR)$(PREFIX)/lib/libcastle.so.0
	ln -sf libcastle.so.0 $(DESTDIR)$(PREFIX)/lib/libcastle.so
	install -m 644 vectors/castle.h vectors/castle_kernel.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 $(wildcard docs/*.1) $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 $(wildcard docs/*.5) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 vectors/python/castle_vectors.py $(DESTDIR)$(PREFIX)/share/castle/python/
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: castle' \
	    'Description: reference and verification suite for CASTLE attention' \
	    'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' 'Libs: -L$${prefix}/lib -lcastle' \
	    'Libs.private: $(LIBS) -lgomp' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/castle.pc

clean:                                           ## remove build/
	rm -rf build

help:                                            ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | \
	    while IFS='|' read -r a b; do printf '%-18s %s\n' "$$a" "$$b"; done
