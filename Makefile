# What the README and the pipeline call. Needs only make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check acceptance bench clean

demo: $(STAMP)
	$(BIN)/fathom demo

test: $(STAMP) check
	$(BIN)/pytest -n 2 --dist loadfile

check: $(STAMP)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

acceptance: $(STAMP)
	$(BIN)/python -m benchmarks.acceptance

bench: $(STAMP)
	$(BIN)/python -m benchmarks.bench

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[all,test]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist
