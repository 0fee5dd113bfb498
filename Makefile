# What the README and the pipeline call. Needs only make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check acceptance bench serving clients clean

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

serving: $(STAMP)
	$(BIN)/python -m benchmarks.serving.run --soak 600

# other people's clients against our server; they move packages of ours, so they live apart
CLIENTS := .venv-clients
clients: $(STAMP) $(CLIENTS)/.installed
	FATHOMETER_CLIENTS=$(CURDIR)/$(CLIENTS)/bin/python $(BIN)/pytest tests/clients

$(CLIENTS)/.installed: Makefile
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install -q "tritonclient[http]" kserve mlflow-skinny scipy schemathesis
	touch $(CLIENTS)/.installed

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[all,test]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) $(CLIENTS) build dist
