# Every target is one call of a program; `make help` lists them. Set PYTHON to choose the interpreter (3.11).
PYTHON ?= python3.11
BIN := .venv/bin
TEST_PROCESSES ?= 2
STAMP := .venv/.installed
BENCH ?= sandbox_speed trace_throughput scoring_speed engines rl_speed stage_speed packing anchor_counts anchored_library gate_errors soak seeds

# Nothing is compiled at installation: where Python may not keep what it compiles, every process does all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: setup demo test lint up down deploy bench bench-bilevel clean help

setup: $(STAMP) ## install everything into .venv (and, as root on Debian, the sandbox's package)

$(STAMP): pyproject.toml constraints.txt infra/setup.sh
	@infra/setup.sh $(PYTHON)

demo: setup ## run the whole nightly job here, small: SQLite, files, local Ray, a tiny model
	@$(BIN)/stepcode demo

# Ray lowers its workers' priority: beside other tests they would hardly run. Long files come first (tests/conftest.py).
test: setup ## run the tests (those on real servers say what they need)
	@OMP_WAIT_POLICY=passive RAY_worker_niceness=0 $(BIN)/python -m pytest \
		-n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: setup ## check style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

up: setup ## start a Prefect server and a worker in the background, deploy prefect.yaml
	@$(BIN)/stepcode up

down: setup ## stop what `make up` started
	@$(BIN)/stepcode down

deploy: setup ## deploy prefect.yaml to the Prefect server in use
	@$(BIN)/stepcode deploy

bench: setup ## run the measurements in benchmarks/, printing their tables; BENCH=sandbox_speed chooses
	@for name in $(BENCH); do $(BIN)/python -m benchmarks.$$name || exit 1; done

bench-bilevel: setup ## compare the credit rules of Bi-Level GRPO over five seeds: about an hour, resumable
	@$(BIN)/python -m benchmarks.bilevel --size full

clean: ## remove what make created: .venv, caches, build leftovers (not .stepcode, which holds your models)
	@rm -rf .venv *.egg-info build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@[ ! -d .stepcode ] || echo "kept .stepcode: models, datasets, reports; remove it by hand if you mean to"

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
