# `make demo` and `make test` set up everything by themselves; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-system nightly web web-check lint types contracts check generate generated-current format bench bench-overhead bench-collector dist accuracy corpus corpus-split clean

PY := .venv/bin/python
CODE := crds core sidecar kube collector operator cli tools e2e benchmarks

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

setup: ## the virtual environment, the locked dependencies, the native object
	@sh tools/setup.sh

demo: setup ## the main job: a web shop that leaks, and its fixed twin, watched and judged (2 minutes)
	@$(PY) -m memwarden demo

test: setup check ## all checks and tests that need PyPI only and no root, with branch coverage
	@$(PY) tools/run_tests.py

test-fast: setup ## the tests without those that take more than ten seconds
	@$(PY) tools/run_tests.py --fast

test-system: setup ## tests that need root or Debian packages: browsers, shells, other systems (≤20 minutes)
	@sh tools/system_packages.sh
	@$(PY) -m pytest -q -m system --durations=5

nightly: setup ## long stress, many kills, benchmarks; writes docs/reference/nightly.md (hours)
	@sh tools/system_packages.sh
	@$(PY) tools/nightly.py

web: ## build the interactive part of the HTML report again (needs node 20 and npm)
	cd cli/web && npm ci --no-audit --no-fund && npm run build

web-check: ## fail when the committed bundle is not what its source makes (needs node 20 and npm)
	cd cli/web && npm ci --no-audit --no-fund && npm run check

check: setup lint types contracts generated-current ## everything that reads code without running it

lint: setup
	@$(PY) -m ruff check --quiet . && $(PY) -m ruff format --check --quiet .

types: setup
	@$(PY) -m mypy --no-error-summary crds/src core/src sidecar/src kube/src collector/src operator/src cli/src

contracts: setup
	@$(PY) tools/contracts.py

generate: setup ## make the generated files again
	@$(PY) tools/generate.py

generated-current: setup
	@$(PY) tools/generate.py --check

format: setup ## ruff's formatting and its safe repairs
	@$(PY) -m ruff check --quiet --fix . ; $(PY) -m ruff format --quiet .

bench: setup ## the benchmarks; each prints a ratio
	@for file in benchmarks/*.py; do echo "== $$file"; $(PY) "$$file" || exit 1; done

bench-overhead: setup ## what watching costs the app, with 95 % intervals, beside other profilers (an hour)
	@$(PY) benchmarks/probe_overhead.py --keep benchmarks/results/overhead.json
	@$(PY) tools/generate.py

bench-collector: setup ## the collector under load, row by row of its target table, beside references (half an hour)
	@$(PY) benchmarks/collector.py --keep benchmarks/results/collector.json
	@$(PY) tools/generate.py

dist: setup ## the wheels of all distributions, the probe for four platforms inside, into dist/
	@sh tools/dist.sh

CORPUS ?=
AT_ONCE ?= 3
corpus: setup ## record what is missing of the labelled corpus (all of it: 2 hours with AT_ONCE=10; CORPUS="name …", AT_ONCE=3)
	@PYTHONPATH=benchmarks $(PY) -m corpus.record --at-once $(AT_ONCE) $(CORPUS)

accuracy: setup ## score the judge on the corpus: text, JSON and a page with every mistake (minutes)
	@PYTHONPATH=benchmarks $(PY) -m accuracy --json benchmarks/results/accuracy.json --html test-output/accuracy.html

corpus-split: setup ## give new programs of the corpus their place: train or test
	@PYTHONPATH=benchmarks $(PY) -m corpus.split && PYTHONPATH=benchmarks $(PY) -m corpus.table

include kubernetes.mk

clean: ## remove what setup and tests made
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* probes/python/lib probes/native/lib build dist test-output
