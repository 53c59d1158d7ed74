# The first Python on the PATH that is 3.10 or 3.11, unless it is given: make demo PYTHON=...
PYTHON ?=
VENV ?= .venv
# How many tests run at once; each needs a core and up to 3 GiB of memory.
JOBS ?= 2

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The isolated builds that pip makes get the pinned versions only in this way.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-slow faults bench docs clean

help:
	@echo "make demo       install into $(VENV), train a private model on small images, verify it"
	@echo "make test       check style and types, run the tests"
	@echo "make test-slow  run the tests that train for minutes"
	@echo "make faults     kill, fill and damage real trainings, print what became of them"
	@echo "make bench      measure training steps beside TF-Privacy, Opacus and JAX-Privacy, write docs/benchmarks.md"
	@echo "make docs       build the documentation into site/, for reading without a server: site/index.html"
	@echo "make clean      remove $(VENV) and everything that was generated, except models and runs"

demo: $(INSTALLED)
	@$(BIN)/tfdpzoo train smoothnet --epsilon 7 --recipe digits --out saved_models/demo
	@$(BIN)/tfdpzoo verify saved_models/demo

test: $(INSTALLED)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@sh tools/check_types.sh $(BIN)/mypy
	@$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile

test-slow: $(INSTALLED)
	@$(BIN)/pytest -m slow

faults: $(INSTALLED)
	@TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python tests/fault_table.py

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks

docs: $(INSTALLED)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html."

# An environment that is there already is kept if its Python and its pip can be used.
# What find_python.sh prints is a path or the sentence to stop with.
$(INSTALLED): pyproject.toml setup.py constraints.txt
	$(eval python := $(shell PYTHON='$(PYTHON)' sh tools/find_python.sh))
	$(if $(filter /%,$(firstword $(python))),,$(error $(python)))
	@echo "Installing the pinned packages into $(VENV); the first time takes some minutes ..."
	@PYTHON=$(BIN)/python sh tools/find_python.sh >/dev/null && $(BIN)/python -m pip --version \
		>/dev/null 2>&1 || "$(python)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[test]'
	@touch $@

clean:
	@rm -rf $(VENV) .bench-env build dist site *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find tfdpzoo zoo cli benchmarks tests -name __pycache__ -prune -exec rm -rf {} +
