# Everything is installed into .venv with pip, never as root. README.md has the same without make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
JOBS ?= 2
SOURCES := bot governance storage policies bench

.PHONY: demo test lint check bench torture format texts clean

demo: $(VENV)/.ready-app
	$(BIN)/placet demo $(ARGS)

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup -m "not slow and not browser" $(ARGS)

bench: $(VENV)/.ready-bench
	$(BIN)/python -m bench.http $(ARGS)
	$(BIN)/python -m bench.decide $(ARGS)
	$(BIN)/python -m bench.verify $(ARGS)
	$(BIN)/python -m bench.tickets $(ARGS)
	$(BIN)/python -m bench.append
	$(BIN)/python -m bench.figures $(ARGS)
	$(BIN)/python -m bench.slack_load $(ARGS)

torture: $(VENV)/.ready-dev
	$(BIN)/python -m bench.kill $(ARGS)
	$(BIN)/python -m bench.kill_writes $(ARGS)
	$(BIN)/python -m bench.power_loss $(ARGS)
	$(BIN)/python -m bench.disk_faults $(ARGS)
	$(BIN)/python -m bench.disk_full $(ARGS)
	$(BIN)/python -m tests.attacks

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

texts: $(VENV)/.ready-dev
	$(BIN)/python docs/texts.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.ready-app: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready-app
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/.ready-bench: $(VENV)/.ready-dev
	$(PIP) --editable '.[dev,bench]'
	touch $@
