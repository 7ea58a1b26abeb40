PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := .make/setup
BROKER := .make/broker

.PHONY: setup demo test check schemas bench bench-bounces clean
.DEFAULT_GOAL := demo

setup: $(SETUP)

$(SETUP): pyproject.toml constraints.txt
	$(PY) -m venv $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install -q --disable-pip-version-check --only-binary :all: --no-binary dkimpy -e '.[workers,otel,dev]'
	@mkdir -p .make && touch $@

$(BROKER): $(wildcard services/postroad/runtime/broker_files/pom.xml services/postroad/runtime/broker_files/jars.sha256) $(SETUP)
	$(BIN)/postroad broker fetch
	@mkdir -p .make && touch $@

demo: setup ## the tour: real mails through the whole pipeline, no Java needed
	$(BIN)/postroad demo

check: setup ## formatter, linter, types, walls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check $(BROKER) ## every check and every test, the ones on a real broker too
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

schemas: setup ## writes what is made from the catalogue anew: schemas/, the manifests of Kubernetes, dashboards and alerts
	$(BIN)/python -m postroad.cli.schemas
	$(BIN)/python -m postroad.cli.manifests
	$(BIN)/python -m dashboards.build

bench: setup $(BROKER) ## figures, as ratios to a bare loop in the same run
	$(BIN)/python -m tests.benchmarks

bench-bounces: setup ## how well bounces are read, against mails whose truth is known; -v names the wrong ones
	PYTHONPATH=. $(BIN)/python -m tests.benchmarks.bounces

clean:
	rm -rf $(VENV) .make .mypy_cache .ruff_cache .pytest_cache .hypothesis
