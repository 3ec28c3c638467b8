# Two commands matter: `make demo` and `make test`. Both first make .venv, once, from constraints.txt.
# PYTHON=... picks the interpreter (3.11 or later); ARGS=... goes to the demo; PIP_FLAGS=... goes to pip.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
ARGS ?=
PIP_FLAGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-consumers docs train-feet lint format clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 16

demo: $(INSTALLED)  ## the whole chain on a real recording (ARGS=--synthetic needs no network)
	$(BIN)/mv3d demo $(ARGS)

test: lint  ## linter, format, types, all tests
	@scripts/install_system_libraries.sh $(BIN)/python opencv-doc  # real pictures of chessboards
	$(BIN)/pytest -n auto --dist loadfile  # a file's tests share what is slow to make

test-consumers: $(INSTALLED)  ## exports opened in Blender, OpenSim and the glTF validator, which it installs once
	PIP_FLAGS="$(PIP_FLAGS)" scripts/install_consumers.sh $(BIN)/python
	$(BIN)/pytest tests/consumers

docs: $(INSTALLED)  ## the documentation as a site, in site/
	$(BIN)/python -m pip install --disable-pip-version-check -q $(PIP_FLAGS) -c constraints.txt -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

train-feet: $(INSTALLED)  ## a network with feet from rendered pictures, in runs/feet (ARGS=--optimisation.steps 8000)
	test -f runs/studio/annotations.json || $(BIN)/mv3d synth-images runs/studio --images 1000 --seed 1 --person-height 150 450
	test -f runs/other/annotations.json || $(BIN)/mv3d synth-images runs/other --images 200 --seed 2 --person-height 150 450
	$(BIN)/python scripts/train_paf.py --data runs/studio --validation runs/other --out runs/feet --weights mobilenet_thin \
		--cached-variants 3 --cached-window 24 --precision bf16 --judge-every 600 --optimisation.steps 3000 \
		--optimisation.learning-rate 2e-3 --optimisation.warm-up 200 --optimisation.ema 0.998 $(ARGS)

lint: $(INSTALLED)  ## linter, format and types without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(INSTALLED)  ## rewrite the sources in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:  ## remove the environment, caches and the demo's results
	rm -rf .venv .venv-consumers .pytest_cache .ruff_cache .hypothesis demo_session demo_synthetic site
	find mv3d calib tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "mv3d: no python3 found; install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mv3d: $(PYTHON) is older than 3.11; try: make PYTHON=python3.11 ..." >&2; exit 1; }
	@scripts/install_system_libraries.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "mv3d: installing the packages of constraints.txt into .venv; this takes some minutes the first time"
	$(BIN)/python -m pip install --disable-pip-version-check -q $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	@touch $@
