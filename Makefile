# Needs Python 3.11 or later, git and make; everything else goes into .venv.
#   make demo PYTHON=python3.12     choose the interpreter
#   make test PYTEST_ARGS="-k oms"  choose the tests

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
PYTEST_ARGS ?=
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml setup.py constraints.txt

# One pip at a time in the environment.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help demo test check format fuzz bench wheel-test lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r name what; do printf '  make %-11s %s\n' "$$name" "$$what"; done

demo: $(VENV)/.run  ## set up, then the main job from end to end on a real model
	@$(BIN)/registry demo

test: $(VENV)/.test  ## set up what the tests need, and run them
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

check: $(VENV)/.check  ## ruff (lint and format) and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.check  ## let ruff fix what it can and lay out the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

fuzz: $(VENV)/.test  ## 20,000 damaged models, shown to every reader
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(FUZZ_ARGS)

bench: $(VENV)/.test  ## speed and memory beside plain tools; writes docs/benchmarks.md
	@$(BIN)/python -m benchmarks

wheel-test: $(VENV)/.python  ## build the wheel, install it in an empty environment, use it there
	@.ci/wheel-test $(BIN)/python

lock:  ## write constraints.txt anew: the newest releases that the bounds allow
	@.ci/lock $(PYTHON)

clean:  ## remove the environment and whatever was built (downloaded test models stay in .cache)
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says: this much is installed, for these versions of the files it depends on.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python $(SOURCES)
	@echo "installing hallmark-registry"
	@$(PIP_INSTALL) --editable '.[postgres]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing what the tests need"
	@$(PIP_INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.check: $(VENV)/.run
	@echo "installing ruff and mypy"
	@$(PIP_INSTALL) --editable '.[check]'
	@touch $@
