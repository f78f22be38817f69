# Everything sets itself up in .venv; nothing has to be run first.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

LOWEST_PYTHON ?= python3.11

.PHONY: demo docs test test-slow test-lowest test-boundscheck test-plain browser lint audit bench clean

demo: .venv/demo.stamp
	$(BIN)/python scripts/demo.py --out demo

test: .venv/dev.stamp browser
	$(BIN)/python -m pytest -m "not slow"

# What the live page is looked at with. Where it cannot be had its tests are skipped, but not in CI.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		echo "installing Chromium for the live page's tests" && \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo -n) && $$sudo apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	} || echo "Chromium could not be installed: the live page's browser tests will be skipped"

test-slow: .venv/dev.stamp browser
	$(BIN)/python -m pytest -m slow

# With the lowest versions that pyproject.toml declares, and without what only extras other than viz bring. Compiled code
# of another Numba, and that which checks bounds, is kept apart from the usual.
test-lowest: .venv-lowest/stamp
	NUMBA_CACHE_DIR=$(CURDIR)/build/lowest .venv-lowest/bin/python -m pytest -m "not slow"

# Kernels that read or write outside of an array raise IndexError.
test-boundscheck: .venv/dev.stamp
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(CURDIR)/build/boundscheck $(BIN)/python -m pytest -m "not slow"

# Kernels as the plain Python that they are written in, and which of their lines the tests marked for it run.
test-plain: .venv/dev.stamp
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m coverage run --data-file build/plain.coverage \
		--include "dynlive_rl/kernels/*,agents/kernels/*" -m pytest -m "plain and not slow"
	$(BIN)/python -m coverage report --data-file build/plain.coverage --show-missing --fail-under 95

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/types && $(PIP) --no-deps --target build/types .
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p dynlive_rl
	$(BIN)/pre-commit validate-config

# Whether any version in constraints.txt has a known vulnerability; asks PyPI, so CI does not call it. A package that PyPI
# says nothing about is an error, or an audit without an answer would pass.
audit: .venv-audit/stamp
	.venv-audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

# The site, in build/docs/index.html: no warning is let through, and nothing is fetched.
docs: .venv/dev.stamp
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -d build/doctrees docs build/docs

bench: .venv/demo.stamp
	$(BIN)/python scripts/benchmark.py --quick

clean:
	rm -rf .venv .venv-lowest .venv-audit build demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[viz]"
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[dev]"
	touch $@ .venv/demo.stamp

.venv-lowest/stamp: pyproject.toml constraints-lowest.txt
	$(LOWEST_PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e ".[viz,test]"
	touch $@

.venv-audit/stamp:
	$(PYTHON) -m venv --clear .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	touch $@
