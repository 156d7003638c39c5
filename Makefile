# What a user or developer types; everything runs in .venv, which these targets make and keep in step with the lock.
#   PYTHON=python3.12   the interpreter to make .venv with (3.11 or newer)
#   PORT=8080           where 'make serve' listens

PYTHON ?= python3
PORT ?= 5006
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.lock-installed
READY := $(VENV)/.package-installed

.PHONY: help serve test lint chromium bench lock clean
.DEFAULT_GOAL := help

help:
	@echo "make serve   the dashboard with the simulated demo on http://localhost:$(PORT)"
	@echo "make test    lint, types, layers, then all tests, those in a real browser too"
	@echo "make lint    ruff, mypy and import-linter only"
	@echo "make bench   the speed figures on this machine"
	@echo "make lock    write requirements.lock anew from pyproject.toml (delete it first to take the newest of everything)"
	@echo "make clean   remove .venv and everything built here; the data folder stays"

serve: $(READY)
	@exec $(BIN)/carbonweather serve --port $(PORT)

test: lint chromium
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chromium: $(READY)
	@$(BIN)/python -m tests.browser.chromium

bench: $(READY)
	@for file in tests/benchmarks/bench_*.py; do \
	    name=$${file##*/bench_}; $(BIN)/carbonweather bench "$${name%.py}" || exit 1; \
	done

# Versions and hashes only, no addresses: the same file serves any index or mirror. One version for all supported Pythons.
lock: $(VENV)/bin/python
	@$(BIN)/python -m venv build/lock && build/lock/bin/python -m pip install -q -q uv
	@build/lock/bin/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock
	@echo "requirements.lock is up to date."

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find analysis dashboard data tests -name __pycache__ -type d -prune -exec rm -rf {} +

# 'ensurepip' is what Debian and Ubuntu leave out of their plain python3.
$(VENV)/bin/python:
	@command -v "$(PYTHON)" > /dev/null || { \
	    echo "Carbon Weather needs Python 3.11 or newer, and there is no '$(PYTHON)'; install it, or name one: make PYTHON=python3.12" >&2; \
	    exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Carbon Weather needs Python 3.11 or newer, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); name another: make PYTHON=python3.12" >&2; \
	    exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2> /dev/null || { \
	    echo "'$(PYTHON)' cannot make virtual environments; install its venv module (Debian, Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; }
	"$(PYTHON)" -m venv --clear $(VENV)

$(LOCKED): requirements.lock | $(VENV)/bin/python
	@echo "Installing the locked environment into $(VENV) (once; two to three minutes) ..."
	@$(BIN)/python -m pip install -q -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# No build isolation: setuptools is in the lock, so nothing unlocked is downloaded.
$(READY): pyproject.toml $(LOCKED)
	@$(BIN)/python -m pip install -q -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
