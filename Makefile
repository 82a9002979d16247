# Everything sets itself up: a virtual environment in .venv with pinned ranges of packages, and
# qemu-user for programs of the other ISA. Needed beforehand: Python 3.11, make, a network.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
ZIG_PATH := import ziglang; print(ziglang.__path__[0] + "/zig")
C_FLAGS := -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror
BUILD := build

.PHONY: help setup qemu demo test check lint format gen c-warnings bless spec fuzz bench bench-quick clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    build examples/counter.c, stop it on one ISA, go on on the other"
	@echo "make test    all tests"
	@echo "make check   lint, types, generated files, C warnings, all tests"
	@echo "make spec    one table: the specification's scripts on both ISAs (SPEC=folder with .wast files)"
	@echo "make fuzz    random programs for a while (SECONDS=60 SEED=0)"
	@echo "make bless   rewrite the expected output of the golden tests"
	@echo "make gen     rewrite generated files"
	@echo "make bench   measure everything, rewrite docs/benchmarks.md (25 minutes; CONTINUE=1 goes on with one that was cut off)"
	@echo "make bench-quick  measure run time and code size of some programs (a minute; longer when it builds them first)"
	@echo "make clean   remove what was built here"

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "mvvm-aot needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	    { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@echo "installing Python packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

# The emulator for the ISA that this machine is not.
qemu:
	@case "$$(uname -m)" in aarch64|arm64) need=qemu-x86_64 ;; *) need=qemu-aarch64 ;; esac; \
	if command -v $$need >/dev/null || command -v $$need-static >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing qemu-user"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq qemu-user >/dev/null && exit 0; \
	fi; \
	echo "$$need is missing: install it with 'apt-get install qemu-user' (as root), then try again"; exit 1

demo: $(STAMP) qemu
	@sh examples/demo.sh $(BIN) $(BUILD)/demo

test: $(STAMP) qemu
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations 25

check: lint gen-check c-warnings test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gen: $(STAMP)
	$(BIN)/python -m mvvm_aot.abi

.PHONY: gen-check
gen-check: $(STAMP)
	$(BIN)/python -m mvvm_aot.abi --check

c-warnings: $(STAMP)
	@mkdir -p $(BUILD)
	@zig=$$($(BIN)/python -c '$(ZIG_PATH)'); for isa in x86_64 aarch64; do \
	    for file in runtime/src/*.c runtime/arch/$$isa/*.c; do \
	        $$zig cc -target $$isa-linux-musl $(C_FLAGS) -Iruntime/include -Iruntime/src \
	            -Iruntime/arch/$$isa -c $$file -o $(BUILD)/warnings.o || exit 1; \
	    done; \
	done; echo "C: no warnings"

bless: $(STAMP)
	$(BIN)/python -m tests.golden.bless

spec: $(STAMP) qemu
	$(if $(SPEC),MVVM_SPEC_SCRIPTS="$(SPEC)") $(BIN)/python -m tests.spec

SECONDS ?= 60
SEED ?= 0
fuzz: $(STAMP) qemu
	$(BIN)/python -m tests.fuzz.modules --seconds $(SECONDS) --seed $(SEED) --out $(BUILD)/fuzz

BENCH_STAMP := $(VENV)/.bench-stamp

$(BENCH_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

bench: $(BENCH_STAMP)
	$(BIN)/python -m bench $(if $(CONTINUE),--continue)

bench-quick: $(BENCH_STAMP)
	$(BIN)/python -m bench --quick

clean:
	rm -rf $(BUILD) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
