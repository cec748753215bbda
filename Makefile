# Each target sets up what it needs. `make` without a target lists them.

PYTHON ?=
VENV := .venv/bin
# Three workers suit two cores, because many tests wait for a mail, an engine or a pause.
WORKERS := -n 3 --dist loadgroup
QUICK := tests/analysis tests/forges tests/messages tests/pages tests/results tests/settings tests/store tests/test_commit.py tests/test_git.py \
	tests/recorder/test_rows.py tests/recorder/test_fitted_rows.py tests/jobs/search/test_suggested_space.py tests/jobs/search/test_promising.py \
	tests/jobs/search/test_space.py tests/jobs/test_more_epochs.py tests/jobs/test_stopping_point.py tests/chains/jenkins/test_decision.py
BENCHMARKS := $(filter-out benchmarks/bench.py benchmarks/mutants.py,$(sort $(wildcard benchmarks/*.py)))
SHELL_FILES := hooks/post-commit scripts/pull.sh scripts/train.sh scripts/retrain.sh scripts/prove.sh scripts/setup scripts/engine scripts/lint-groovy scripts/secrets scripts/pins jenkins/agent .ci/run

.PHONY: help setup demo demo-search test test-quick test-torch verdicts cases test-jenkins lint picture docs bench secrets pins lock clean

help:
	@echo "make setup   create a virtual environment, .venv, with all dependencies"
	@echo "make demo    commit nn.py, watch it train and retrain, get the mail"
	@echo "make demo-search   the same with a network that is too small, until a search finds a better one"
	@echo "make test    run the tests (without a Docker engine, those that need one are skipped)"
	@echo "make test-quick   run the tests that start no training, in less than a minute"
	@echo "make test-torch   train with PyTorch, in an environment and in an image (2 GB each)"
	@echo "make verdicts   check the verdicts on scripts that learned nothing and on sound ones: section A of tests/cases, and eight random scripts"
	@echo "make cases   run all cases of tests/cases; known failures are expected to fail"
	@echo "make lint    run ruff, mypy, import-linter, shellcheck and a linter for the Jenkinsfile"
	@echo "make picture draw docs/explanation/structure.svg: the rooms of epochal/ and the imports between them"
	@echo "make docs    write the reference pages in docs/reference from the code"
	@echo "make bench   run the benchmarks; with BENCH_ARGS=--quick, a minute or two each"
	@echo "make secrets create the files with secrets that compose.yaml reads"
	@echo "make lock    update requirements.txt and requirements-dev.txt from pyproject.toml (needs a network)"
	@echo "make pins    check that every pinned image and plugin exists (needs a network)"
	@echo "make test-jenkins JENKINS_URL=… JENKINS_USER=… JENKINS_TOKEN_FILE=…   run the chain in a real Jenkins"
	@echo "make clean   remove what the other targets created"

setup:
	@PYTHON="$(PYTHON)" scripts/setup

demo: setup
	@$(VENV)/python -m epochal.demo .demo

demo-search: setup
	@$(VENV)/python -m epochal.demo .demo --search

test: setup
	$(VENV)/python -m pytest $(WORKERS) $(TESTS)

test-quick: setup
	$(VENV)/python -m pytest $(WORKERS) -m "not keras and not sklearn and not docker and not cases" $(QUICK)

test-torch: setup
	$(VENV)/python -m pytest -m "torch or torch_image" tests

verdicts: setup
	$(VENV)/python -m pytest $(WORKERS) -m verdicts tests/test_cases.py tests/test_noise.py

cases: setup
	$(VENV)/python -m pytest $(WORKERS) -m "" tests/test_cases.py

test-jenkins: setup
	@[ -n "$(JENKINS_URL)" ] && [ -n "$(JENKINS_USER)" ] && [ -n "$(JENKINS_TOKEN_FILE)" ] || { \
		echo "make test-jenkins JENKINS_URL=http://127.0.0.1:8080/ JENKINS_USER=… JENKINS_TOKEN_FILE=…" >&2; exit 2; }
	JENKINS_URL="$(JENKINS_URL)" JENKINS_USER="$(JENKINS_USER)" JENKINS_TOKEN_FILE="$(JENKINS_TOKEN_FILE)" \
		$(VENV)/python -m pytest -s tests/integration/test_jenkins.py

lint: setup
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports
	$(VENV)/shellcheck $(SHELL_FILES)
	scripts/lint-groovy Jenkinsfile jenkins/access.groovy
	$(VENV)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(VENV)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

picture: setup
	@$(VENV)/python scripts/draw_structure.py

docs: setup
	@$(VENV)/python scripts/write_reference.py

# The training environments are made once for all benchmarks.
bench: setup
	@for benchmark in $(BENCHMARKS); do \
		echo "== $$benchmark"; \
		BENCH_CACHE_FOLDER="$${BENCH_CACHE_FOLDER:-.cache/bench}" $(VENV)/python $$benchmark $(BENCH_ARGS) || exit 1; \
	done

secrets:
	@scripts/secrets

pins:
	@scripts/pins

# Versions that are locked stay if they fit; `make lock UPGRADE=--upgrade` takes the newest.
LOCK = $(VENV)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --quiet $(UPGRADE)
lock: setup
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group dev --constraints requirements.txt --output-file requirements-dev.txt

clean:
	@if [ -e .cache/engine ]; then scripts/engine stop; fi
	rm -rf .venv .demo .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
