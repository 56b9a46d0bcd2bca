# Every target works in a fresh clone: it makes .venv first, and does nothing there when nothing changed.
#   PYTHON=/path/to/python   the interpreter for .venv (3.12 or newer)     INSTALLER=pip   do without uv
#   ARGS="-k sbg -x"         more arguments for pytest or for the demo

bin := .venv/bin
ARGS ?=
export PYTHON INSTALLER

# pip, uv, PyTensor, Matplotlib and Jupyter all keep files under HOME; without a writable one they get .venv/home.
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(CURDIR)/.venv/home
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lock notebooks bench clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## .venv with a Python that runs and the versions of uv.lock
	@scripts/setup.sh

demo: setup ## the demo: a small book of subscriptions, valued
	$(bin)/lifeworth demo $(ARGS)

# loadfile keeps a test file on one worker, so that what its fixtures fitted and compiled is made once.
test: setup ## every test but the slow studies
	$(bin)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

check: setup ## lint, format, types, import contracts, spelling, lock
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/codespell
	@if test -x $(bin)/uv; then UV_PYTHON_DOWNLOADS=never $(bin)/uv lock --check --python $(bin)/python; fi

lock: ## writes uv.lock anew from pyproject.toml
	@scripts/setup.sh uv
	UV_PYTHON_DOWNLOADS=never $(bin)/uv lock --python $(bin)/python $(ARGS)

notebooks: setup ## runs notebooks/*.py and writes them as .ipynb with outputs
	$(bin)/python scripts/notebooks.py $(ARGS)

bench: setup ## how to run the benchmarks
	@echo "Benchmarks take minutes to hours and are not part of make test. Run one with:"
	@for script in benchmarks/[a-z]*.py; do if test -e "$$script"; then echo "  $(bin)/python $$script"; fi; done
	@echo "and the slow studies among the tests with:"
	@echo "  $(bin)/python -m pytest -m slow"

clean: ## removes caches and build output (not .venv)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache lifeworth-demo
	find . -path ./.venv -prune -o -name __pycache__ -exec rm -rf {} +
