# Two commands on a fresh machine: `make demo` and `make test`; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DIR ?= ../shared/reference

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 120

.PHONY: setup demo nano-eval test lint golden bench lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,flows]'
	touch $@

demo: setup
	$(BIN)/python -m flows.demo --out out/demo

# The benchmark: 32 rendered clips that training never sees, in two processes.
nano-eval: setup
	$(BIN)/easi3r evaluate synthetic --out out/nano-eval

# Two test processes, one thread each: more would only get in each other's way on two cores.
test: export OMP_NUM_THREADS := 1
test: setup lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

golden: setup
	$(BIN)/python -m tests.golden $(DIR)

bench: setup
	$(BIN)/python -m tests.benchmarks

lock:
	$(BIN)/pip freeze --exclude-editable | grep -v '^torch==' > constraints.new
	{ head -3 constraints.txt; cat constraints.new; } > constraints.tmp
	mv constraints.tmp constraints.txt && rm constraints.new

clean:
	rm -rf $(VENV) out build dist *.egg-info
