# xenlab: `make run` boots a guest, `make test` runs the tests; both build what they need first.
# Needs python3.11 (or newer, PYTHON=...), gcc, make. Never root. V=1 shows what is run.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
# One more than processors: some tests wait for a terminal.
JOBS ?= $(shell expr $$(nproc) + 1)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check $(if $(V),,-qq)
Q := $(if $(V),,@)

NATIVE := $(shell find native -name '*.[chS]' -o -name '*.def' -o -name '*.py')
VENV_DONE := $(VENV)/.packages
NATIVE_DONE := build/.native

.PHONY: build run test real-test check bench asan mutants internals clean
.DELETE_ON_ERROR:

build: $(VENV_DONE) $(NATIVE_DONE)

# The packages: what the build needs, then ourselves, editable, so that .venv/bin/hv works from anywhere.
# The build requirements stay installed: a change in native/ then rebuilds in place, without the network. pylibfdt has
# some of its own and is built by itself, with the first line; the second would miss them.
$(VENV_DONE): pyproject.toml $(wildcard setup.py)
	$(Q)echo "python   $(VENV)/ (once; fetches packages from PyPI)"
	$(Q)$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xenlab needs Python 3.11 or newer")'
	$(Q)test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(Q)$(PIP) install 'setuptools>=77' 'cffi>=1.16' 'pycparser>=2.21' unicorn==2.1.4 'pylibfdt>=1.7.2'
	$(Q)$(PIP) install --no-build-isolation --config-settings editable_mode=compat --editable '.[dev]'
	$(Q)touch $@ && mkdir -p build && touch $(NATIVE_DONE)

# The extension, in place; the line above has just built it in a fresh tree.
$(NATIVE_DONE): $(VENV_DONE) $(NATIVE)
	$(Q)echo "native   hv/_native"
	$(Q)test ! -e native/build.py || $(PY) native/build.py
	$(Q)mkdir -p build && touch $@

# What a checkout has not got yet is said in one line, and is a failure.
need = @test -e $(1) || { echo "make $@: not there yet ($(1))" >&2; exit 2; }

# One guest of guests/, built and run: make run GUEST=timer ARGS=--why
GUEST ?= hello

run: build
	$(Q)kernel=$$($(PY) -m hv.testing.build $(GUEST)) && $(VENV)/bin/hv run --stats $(ARGS) "$$kernel"

test: build
	$(Q)$(PY) -m pytest -q -n $(JOBS) tests --ignore=tests/real $(ARGS)

real-test: build
	$(Q)$(PY) tools/fetch_debian.py
	$(Q)$(PY) -m pytest -q tests/real $(ARGS)

check: build
	$(Q)$(VENV)/bin/ruff check .
	$(Q)$(VENV)/bin/mypy
	$(Q)$(PY) -m pytest -q tests/test_dependencies.py tests/test_file_length.py

bench: build
	$(call need,tests/bench/__main__.py)
	$(Q)$(PY) -m tests.bench $(ARGS)

asan: build
	$(call need,tests/asan.py)
	$(Q)$(PY) tests/asan.py $(ARGS)

mutants: build
	$(call need,tests/mutants.py)
	$(Q)$(PY) tests/mutants.py $(ARGS)

# The offsets of libunicorn's private fields, anew from its sources (PyPI's sdist).
internals: build
	$(Q)$(PY) tools/unicorn_internals.py

clean:
	$(Q)rm -rf $(VENV) build dist *.egg-info hv/_native*.so hv/_native.c hv/_abi_data.py
	$(Q)rm -rf .mypy_cache .ruff_cache .pytest_cache
	$(Q)find . -name __pycache__ -type d -prune -exec rm -rf {} +
