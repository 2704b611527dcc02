# make up      everything on this machine, on the embedded local Azure
# make test    the whole suite
# make check   lint, types, import rules, docs
# make chaos   kill and starve the whole stack for ten minutes, and compare what is left with the truth
# make help    the rest
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV_VERSION := 0.13.9
# The uv on the PATH, else one of our own from PyPI.
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
# Where this is set, as in many images, each start of each process would compile every module anew: seconds of its CPU.
export PYTHONDONTWRITEBYTECODE :=
# Hundreds of megabytes come from registries, some of them slow.
export UV_HTTP_TIMEOUT ?= 180
export UV_HTTP_RETRIES ?= 8
# Node and npm by way of the wheel's own entry points: the links in its bin folder are plain files once installed.
NODE_BIN := $(CURDIR)/.venv/bin
FRONTEND := services/dashboard/frontend
PAGE := services/dashboard/src/dashboard/static/app/index.html

.PHONY: up down test chaos check check-deploy docs help install page format docker-test bench clean

up: install page
	$(RUN) heliograph up $(ARGS)

down: install
	$(RUN) heliograph down $(ARGS)

test: install page
	$(RUN) pytest --numprocesses=4 --dist=loadscope --no-loadscope-reorder -m "not alone" $(ARGS) || [ $$? = 5 ]
	$(RUN) pytest -m alone --ignore=tests/chaos $(or $(ARGS),tests/browser) || [ $$? = 5 ]

CHAOS_MINUTES ?= 10
CHAOS_PLANTS ?= 300
CHAOS_SEED ?=
chaos: install
	CHAOS_MINUTES=$(CHAOS_MINUTES) $(RUN) pytest tests/chaos
	$(RUN) python -m bench.endurance --minutes $(CHAOS_MINUTES) --plants $(CHAOS_PLANTS) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED)) --json

check: install
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) python -m stack.reference --check docs

check-deploy: install
	bash deploy/check.sh

format: install
	$(RUN) ruff check --fix
	$(RUN) ruff format

docs: install
	$(RUN) python -m stack.reference docs

docker-test:
	bash deploy/docker-test.sh

bench: install
	for name in analyzer ingest sink thumbnails detection; do $(RUN) python -m bench.$$name --quick --json; done

help:
	@sed -n 's/^# //p' Makefile; echo 'make format | check-deploy | docker-test | bench | clean'; $(RUN) heliograph --help

install: .venv/.installed
page: $(PAGE)

.uv/bin/uv:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv==$(UV_VERSION) || \
		{ echo 'make: install uv, or pip for $(PYTHON) (on Debian and Ubuntu: apt install python3-pip)' >&2; exit 1; }

.venv/.installed: uv.lock $(wildcard pyproject.toml */*/pyproject.toml) | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --frozen --all-packages --python $(PYTHON)
	.venv/bin/python -m compileall -q -q -j 0 .venv/lib || true # a file that can't be compiled is compiled by nobody
	touch $@

$(PAGE): $(shell find $(FRONTEND) -type f -not -path '*/node_modules/*' 2>/dev/null) | install
	cd $(FRONTEND) && PATH="$(NODE_BIN):$$PATH" npm ci --no-audit --no-fund --loglevel=error && PATH="$(NODE_BIN):$$PATH" npm run build
	touch $@

clean:
	rm -rf .venv .uv .heliograph .heliograph-* $(FRONTEND)/node_modules $(dir $(PAGE))
