# Everything a stranger needs: `make demo`, `make test`. Each is idempotent and needs no root.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench-quick bench clean

.venv/made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lineal needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/demo: .venv/made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[demo]"
	touch $@

.venv/dev: .venv/made pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[demo,dev,integrations]"
	touch $@

demo: .venv/demo
	$(BIN)/python examples/digits/demo.py

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/dev
	$(BIN)/python -m pytest -n 2

bench-quick: .venv/dev
	$(BIN)/python benchmarks/run.py --quick

bench: .venv/dev
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv dist build demo-out
