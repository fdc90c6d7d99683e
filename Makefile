# Two commands on a fresh machine: `make demo` and `make test`; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EVERY ?= 4

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 120

.PHONY: setup demo nano-eval replicas test test-oldest faults lint golden bench growth compare lock clean

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

# Rendered scenes in the layout of each data set of the paper, a few small sequences each: for trying
# `easi3r evaluate davis out/replicas/davis` and its like where the data sets are not.
replicas: setup
	$(BIN)/python -m tests.replicas --out out/replicas

# Two test processes, one thread each: more would only get in each other's way on two cores. A file of tests
# stays in one process, for what it sets up once; in order, so that the long ones are not left for the end.
test: export OMP_NUM_THREADS := 1
test: setup lint
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The executor and clusters with the oldest Dask that pyproject.toml allows, laid over the locked
# environment in out/oldest-dask: a minute. PYTHONPATH, so that workers that are processes have it too.
OLDEST_DASK = $(shell sed -n 's/.*"distributed>=\([0-9.]*\)".*/\1/p' pyproject.toml)
test-oldest: export OMP_NUM_THREADS := 1
test-oldest: export PYTHONPATH := $(CURDIR)/out/oldest-dask:$(CURDIR)
test-oldest: setup
	$(BIN)/pip install --quiet --upgrade --no-deps --target out/oldest-dask dask==$(OLDEST_DASK) distributed==$(OLDEST_DASK)
	$(BIN)/python -c 'import distributed; print("distributed", distributed.__version__, distributed.__file__)'
	$(BIN)/python -m pytest tests/tasks/test_dask_executor.py tests/tasks/test_cluster.py

# Hundreds of faults inflicted on real runs; under 20 minutes, then a table. Exits 1 if a clip was
# lost, committed twice, torn or computed again.
faults: export OMP_NUM_THREADS := 1
faults: setup
	$(BIN)/python -m tests.faults --every $(EVERY) --out out/faults.json

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

golden: setup
	$(BIN)/python -m tests.golden

# What is measured against what, and whether goals are met; each table is kept under out/bench, and the
# last one sums them up. Figures are of a quiet machine or of none.
BENCHMARKS := network alignment storage stream flow
bench: setup
	rm -rf out/bench
	$(BIN)/python -m tests.benchmarks
	for name in $(BENCHMARKS); do $(BIN)/python -m tests.benchmarks.$$name || exit 1; done
	$(BIN)/python -m tests.benchmarks.results

# How time and memory grow: makes the tables and plots of docs/performance.md.
growth: setup
	$(BIN)/python -m tests.benchmarks.growth

# The working tree against another commit, on this machine; that commit gets a worktree and an environment
# of its own under out/compare, once. WHAT: startup (ratios over `import torch`), or one of torch, import,
# help, pending, annotate, windows, test. RUNS: of each side; 5 if not said, 1 of `test`.
compare: setup
	$(BIN)/python -m tests.benchmarks.compare --base $(BASE) --what $(WHAT) $(if $(RUNS),--runs $(RUNS))

lock:
	$(BIN)/pip freeze --exclude-editable | grep -v '^torch==' > constraints.new
	{ head -3 constraints.txt; cat constraints.new; } > constraints.tmp
	mv constraints.tmp constraints.txt && rm constraints.new

clean:
	rm -rf $(VENV) out build dist *.egg-info
