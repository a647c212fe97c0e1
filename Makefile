# make run   sets everything up and runs the demo on this folder (SCAN=PATH names another)
# make test  sets up what the tests need and passes them
# make bench measures it beside its peers and writes docs/speed.md; make bench-full stores more and takes hours

PYTHON ?= python3
SCAN ?= .
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run setup test check lint types imports docs lock screenshots bench bench-full clean

run: setup
	$(BIN)/crossfade demo $(SCAN)

setup: $(VENV)/.run

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crossfade needs Python 3.11 or later; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements/build.txt requirements/run.txt pyproject.toml $(wildcard src/crossfade/core/_*.[ch])
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

test:
	@tools/system-packages gcc fdupes chromium openssl
	@$(MAKE) --no-print-directory lint types imports
	$(BIN)/python -m pytest -n auto --dist worksteal

check: lint types imports

lint: $(VENV)/.test
	$(BIN)/ruff check .

types: $(VENV)/.test
	$(BIN)/mypy

imports: $(VENV)/.test
	$(BIN)/lint-imports

docs: $(VENV)/.test
	$(BIN)/python tools/reference.py

screenshots: $(VENV)/.test
	@tools/system-packages chromium
	$(BIN)/python tools/screenshots.py

bench: $(VENV)/.test
	@tools/system-packages chromium
	$(BIN)/python bench/run.py $(BENCH) --json docs/speed.json --page docs/speed.md --readme README.md

bench-full:
	@$(MAKE) --no-print-directory bench BENCH=--full

# Needs uv. Hashes, no addresses.
COMPILE := uv pip compile --quiet --generate-hashes --no-annotate --no-header --universal --python-version 3.11
lock:
	printf 'setuptools==84.2.1\n' | $(COMPILE) - --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --extra server --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --extra server --group test --constraint requirements/run.txt --output-file requirements/test.txt
	$(COMPILE) bench/requirements.in --constraint requirements/run.txt --output-file bench/requirements.txt

clean:
	rm -rf $(VENV) build src/crossfade/core/*.so .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
