# Two commands on a fresh machine with Python 3.11 or newer:
#   make run    the whole pipeline in this terminal, on embedded defaults   (options: ARGS="--kubeconfig FILE")
#   make test   style, types, import table and tests                        (options: ARGS="-m unit")
# Each has a virtual environment of its own, made again when setup.cfg or pyproject.toml change.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test clean

RUN_VENV ?= .venv
TEST_VENV ?= .venv-test
# Processes that share the tests: most of the time they wait, so one more than cores of a small machine.
WORKERS ?= 3
ARGS ?=

help:
	@sed -n '2,4s/^# \{0,1\}//p' Makefile

run: $(RUN_VENV)/.installed-run
	@$(RUN_VENV)/bin/contrail-kube up $(ARGS)

test: $(TEST_VENV)/.installed-test
	$(TEST_VENV)/bin/ruff check .
	$(TEST_VENV)/bin/ruff format --check .
	$(TEST_VENV)/bin/mypy
	$(TEST_VENV)/bin/pytest -n $(WORKERS) --dist loadfile $(ARGS)

clean:
	rm -rf $(TEST_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build ./*.egg-info
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
	@test ! -e $(RUN_VENV)/.installed-run || rm -rf $(RUN_VENV)

$(RUN_VENV)/.installed-run: setup.cfg pyproject.toml deploy/make-venv
	@deploy/make-venv $(RUN_VENV) embedded
	@touch $@

$(TEST_VENV)/.installed-test: setup.cfg pyproject.toml deploy/make-venv
	@deploy/make-venv $(TEST_VENV) embedded,dev
	@touch $@
