# What people and .ci/run both call. `make demo` and `make test` need git, make and any Python from 3.11 on; the rest is brought here.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PORT ?= 8000
export PORT
UV = $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
PYTHON = .venv/bin/python
# Commands that only read the code run with the demo's settings; the settings themselves default to production.
DEMO = ENVIRONMENT=demo
OWN = config core typesetting audit accounts entitlements organizations notifications ledger billing events promo_codes registrations web sandbox admin_ext public_api

.PHONY: help install demo test check soak bench gaps audit docs lock migrations clean browser format coverage

help:  ## what there is
	@grep -E "^[a-z]+:.*##" Makefile | sed -E "s|:.*## |\t|" | expand -t 12

install: .venv/installed  ## everything that is needed, into .tools/ and .venv/

.tools/bin/uv:
	@command -v uv >/dev/null 2>&1 || { python3 -m venv .tools && .tools/bin/pip install --quiet uv; } || { echo "Installing uv needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)."; exit 1; }

.venv/installed: requirements-dev.lock pyproject.toml | $(if $(shell command -v uv 2>/dev/null),,.tools/bin/uv)
	@interpreter=$$(.ci/find-python "$(UV)") || exit 1; \
	$(UV) venv --quiet --allow-existing --python "$$interpreter" .venv
	@env -u UV_PYTHON $(UV) pip sync --quiet --python .venv requirements-dev.lock
	@env -u UV_PYTHON $(UV) pip install --quiet --python .venv --no-deps --editable .
	@touch $@

demo: install  ## the whole product on this machine, with sample data; Ctrl-C stops it
	@$(DEMO) PYTHONPATH=platform exec $(PYTHON) -m config.supervisor

browser: install
	@.ci/find-browser >/dev/null

test: install browser  ## everything, browser tests too; DATABASE_URL=… runs it on that server; COVERAGE=1 holds it to its bounds
	@export CHROMIUM="$$(.ci/find-browser)"; $(PYTHON) -m tests.halves $(if $(COVERAGE),--measure) $(ARGS)
	@$(if $(COVERAGE),$(PYTHON) -m tests.coverage_bounds,:)

coverage:  ## the tests, and the bounds of what they must run through
	@$(MAKE) --no-print-directory test COVERAGE=1

soak: install browser  ## the same with the large sizes of tests/sizes.py
	@export CHROMIUM="$$(.ci/find-browser)" SOAK=1; $(PYTHON) -m pytest tests $(ARGS)

check: install  ## lint, types, layers, templates, migrations, generated references
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check --quiet .
	@$(DEMO) $(PYTHON) -m mypy
	@$(DEMO) .venv/bin/lint-imports --no-cache | tail -n 8
	@.venv/bin/djlint templates --lint --quiet
	@$(DEMO) $(PYTHON) -W ignore manage.py check
	@$(DEMO) $(PYTHON) -W ignore manage.py makemigrations --check --dry-run
	@$(DEMO) $(PYTHON) -W ignore manage.py write_references --check

format: install  ## rewrite the code as the checks want it
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

docs: install  ## write docs/reference and public_api/openapi.json anew
	@$(DEMO) $(PYTHON) -W ignore manage.py write_references

bench: install  ## ratios to a bare baseline, measured in the same run
	@$(PYTHON) -m bench

gaps: install browser  ## one line for each promised row: tests passed and failed
	@export CHROMIUM="$$(.ci/find-browser)"; $(PYTHON) -m tests.gaps

audit: install  ## known vulnerabilities of what is locked
	@$(PYTHON) -m pip_audit --requirement requirements.lock --disable-pip

lock: install  ## resolve the dependencies anew
	@env -u UV_PYTHON $(UV) pip compile --quiet --upgrade pyproject.toml --universal --generate-hashes --no-header --no-annotate -o requirements.lock
	@env -u UV_PYTHON $(UV) pip compile --quiet --upgrade pyproject.toml --group dev --universal --generate-hashes --no-header --no-annotate -c requirements.lock -o requirements-dev.lock

migrations: install  ## write migrations for changed models
	@$(DEMO) $(PYTHON) -W ignore manage.py makemigrations

clean:  ## stop nothing, forget everything that was made here
	rm -rf .venv .tools var .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
