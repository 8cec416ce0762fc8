# One virtual environment, .venv, serves every target. It is installed again when pyproject.toml or constraints.txt
# changed, and only then.

PYTHON ?= python3
PYTEST_ARGS ?= -n 2
DEMO_ARGS ?=
BIN := .venv/bin
STAMP := .venv/installed.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs constraints clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(STAMP) ## Simulate a scanner's export and take it through every step, in demo/
	@rm -rf demo
	@export PATH="$(CURDIR)/$(BIN):$$PATH" && xqdata demo demo $(DEMO_ARGS)

# Each of pytest's workers has a processor: with threads on all of them, trainings take half as long again.
test: $(STAMP) ## Run the tests (set XQDATA_REAL_DATA to a folder of real scans to run all of them)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMP) ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(STAMP) ## Check the generated pages and run every example of the others, then build the site into site/
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/examples.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/: open site/index.html"

# torch and what comes with it (CUDA, triton) are left to the index: which build fits depends on the machine.
constraints: $(STAMP) ## Write constraints.txt again from what is installed in .venv
	$(BIN)/python -m pip --disable-pip-version-check freeze --exclude-editable \
	| grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' \
	| grep -viE '^(torch|torchvision|triton|xqdata|nvidia-[a-z0-9-]*|cuda-[a-z0-9-]*)==' > constraints.tmp
	@mv constraints.tmp constraints.txt && touch $(STAMP)
	@echo "constraints.txt: $$(wc -l < constraints.txt) versions"

clean: ## Remove the environment and everything that is built
	rm -rf .venv demo dist site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "xqdata needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu run: apt install python3-venv"; exit 1; }
	@echo "Installing xqdata with all extras into .venv (the first time: about 8 GB on disk and several minutes) ..."
	@# One that works stays as it is: making it again with another Python would leave a mixture of the two.
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(PIP) install -e '.[all,dev]' -c constraints.txt
	@touch $@
