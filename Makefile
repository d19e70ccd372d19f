PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Threads that wait for each other must not keep a shared machine's cores busy.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo test test-fast soak fuzz lint bench clean

demo: $(VENV)/.installed
	$(BIN)/python -m scripts demo $(DEMO_FLAGS)

# Two tests at a time: most wait for a program of their own, which uses one core.
test: export OMP_NUM_THREADS := 1
test: $(VENV)/.dev-installed
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

# The inner loop, under a minute: without the tests that are marked `slow`.
test-fast: export OMP_NUM_THREADS := 1
test-fast: $(VENV)/.dev-installed
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow and not soak"

# What takes long: thousands of inputs instead of a sample. The counts go to the table.
soak fuzz: export MAMMO_COUNTS := build/reliability
soak: export OMP_NUM_THREADS := 1
soak: $(VENV)/.dev-installed
	$(BIN)/python -m pytest tests/soak tests/hostile -m ""
	$(BIN)/python -m pytest -m promise
	$(BIN)/python -m tests.reliability bundle/docs/reliability.md

# Atheris on each parser, for so many seconds.
FUZZ_SECONDS ?= 60
fuzz: export OMP_NUM_THREADS := 1
fuzz: $(VENV)/.dev-installed
	$(BIN)/python -m pip install --quiet --requirement requirements-fuzz.txt
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS)
	$(BIN)/python -m tests.reliability bundle/docs/reliability.md

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy custom scripts
	$(BIN)/lint-imports --no-logo

# Ratios, measured in turn; takes about half an hour, and wants a machine that does nothing else.
bench: $(VENV)/.dev-installed
	mkdir -p build
	$(BIN)/python -m pytest tests/benchmarks/bench_*.py --benchmark-disable-gc --benchmark-json build/benchmarks.json
	$(BIN)/python -m tests.benchmarks.table build/benchmarks.json bundle/docs/benchmarks.md

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamps let a target install only when a requirements file has changed.
$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

$(VENV)/.dev-installed: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@
