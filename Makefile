# gnomon: `make run` needs Python 3.11 or later, git and make; everything else is installed into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
comma := ,

# Containers often set it; then each of the hundreds of processes that tests start would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

bin := $(VENV)/bin
python := $(bin)/python
# A stamp is newer than what it was made from; deleting .venv deletes them all.
installed := $(VENV)/.installed
installed-test := $(VENV)/.installed-test
installed-docs := $(VENV)/.installed-docs
installed-dev := $(VENV)/.installed-dev
kernels := $(VENV)/.kernels

# A file of tests stays in one process, because its tests share servers; conftest.py says how many processes, and puts
# long files first.
pytest = $(bin)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
# The examples have a session of their own, as a reader's tests have: our plugin sets its EPICS variables.

# $(1) goes to pip install, $(2) to the user. pip talks line by line; the user sees the present one, and all of it when it fails.
define pip-install
	@echo "gnomon: installing $(2) into $(VENV) (a minute or two, once) ..."
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	if ! $(python) -m pip install --disable-pip-version-check --prefer-binary $(1) 2>&1 | tee "$$log" | \
	  while read -r verb what rest; do \
	    case "$$verb" in Collecting|Downloading|Installing|Building) \
	      if [ -t 1 ]; then printf '\r\033[K  %s %.60s' "$$verb" "$$what"; fi;; esac; \
	  done; \
	then echo; cat "$$log" >&2; echo "gnomon: the installation failed; the lines above say why. Run make again to retry." >&2; exit 1; fi; \
	if [ -t 1 ]; then printf '\r\033[K'; fi
endef

.PHONY: help run setup setup-checks test coverage bench bench-gate fuzz soak lint tutorials docs sbom audit format clean

help:  ## show this list
	@echo "make TARGET [PYTHON=python3.12] [ARGS='...']"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: $(kernels)  ## set up if needed, then serve BESSY II on 127.0.0.1 (ARGS="--machine mls" is handed to gnomon serve)
	@exec $(bin)/gnomon serve $(ARGS)

setup: $(kernels)  ## create .venv, install gnomon into it and compile the kernels

test: $(installed-test) $(kernels)  ## set up if needed, then run all but the slow tests (ARGS="-k orbit" is handed to pytest)
	@$(pytest) --maxprocesses 4 -m "not slow" $(ARGS)
	@$(if $(ARGS),,$(pytest) --maxprocesses 4 examples)

coverage: $(installed-test) $(kernels)  ## set up if needed, then run the unit tests and show what they cover; less than the floor fails
	@$(if $(shell $(python) -c 'import sys; sys.version_info < (3, 12) or print(1)'),COVERAGE_CORE=sysmon )\
	$(pytest) --maxprocesses 4 --cov=gnomon --cov-report=term tests/unit $(ARGS)

bench: $(installed-test) $(kernels)  ## set up if needed, then measure (ARGS="--write-docs" keeps the table)
	@$(python) tests/bench/run.py $(ARGS)
	@$(python) tests/bench/propagator.py $(filter --write-docs,$(ARGS))
	@$(python) tests/bench/servers.py $(filter --write-docs,$(ARGS))
	@$(python) tests/bench/dashboard.py $(filter --write-docs,$(ARGS))

bench-gate: $(installed-test) $(kernels)  ## set up if needed, then measure the safety gate on imperfect machines: an hour; ARGS=--quick: minutes
	@PYTHONPATH=tests $(python) -m bench.gate $(if $(ARGS),$(ARGS),--write-docs)

fuzz: $(installed-test) $(kernels)  ## set up if needed, then import 10 000 damaged lattices and send a million broken conversations to a server
	@PYTHONPATH=tests $(python) -m fuzz.lattice_files
	@PYTHONPATH=tests $(python) -m fuzz $(ARGS)

soak: $(installed-test) $(kernels)  ## set up if needed, then run all tests, the slow ones too, with as many repetitions as are promised
	@$(pytest) --soak --maxprocesses 2 $(ARGS)

# What lint and docs need: two installations at the same time would get into each other's way.
setup-checks: $(installed-dev) $(installed-docs)

lint: $(installed-dev)  ## check style, types, the layers and the words
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy -p gnomon
	@$(bin)/mypy -p unit -p system -p facility -p fault -p fuzz -p tools -p programs -m conftest -m debian_programs -m epics_tools -m mongo_servers -m self_signed
	@$(bin)/lint-imports
	@PYTHONPATH=tests $(python) -m tools.words

tutorials: $(installed-test) $(kernels)  ## play the tutorials, and put what their commands print, and pictures of it, into docs/tutorials
	@PYTHONPATH=tests $(python) -m tools.tutorials --write --pictures $(ARGS)

docs: $(installed-docs)  ## build the documentation site into build/docs; a warning is an error
	@$(bin)/sphinx-build --quiet --fail-on-warning --keep-going -b html -d build/doctrees docs build/docs
	@echo "gnomon: open build/docs/index.html"

# uv, as for `uv lock`: that of the system, else that of .venv.
uv = $(or $(shell command -v uv),$(bin)/uv)
locked = $(uv) export --quiet --frozen --no-dev --all-extras

sbom:  ## list all packages of a release with versions and hashes (CycloneDX), in build/gnomon.cdx.json; needs uv
	@mkdir -p build
	@$(locked) --format cyclonedx1.5 --output-file build/gnomon.cdx.json
	@echo "gnomon: build/gnomon.cdx.json"

audit:  ## look for known vulnerabilities in the packages of uv.lock; needs uv, pip-audit and the internet
	@mkdir -p build
	@$(locked) --no-emit-project --format requirements.txt --output-file build/requirements.txt
	@pip-audit --requirement build/requirements.txt --require-hashes --disable-pip

format: $(installed-dev)  ## put the code into the shape that lint wants
	@$(bin)/ruff check --fix .
	@$(bin)/ruff format .

clean:  ## remove .venv, caches and built packages
	@rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(python):
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "gnomon: $(PYTHON) not found. Install it: sudo apt install python3 python3-venv" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "gnomon: Python 3.11 or later is needed, $(PYTHON) is $$('$(PYTHON)' -V 2>&1). Install a newer one and name it: make run PYTHON=python3.12" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  version=$$('$(PYTHON)' -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "gnomon: this Python cannot create virtual environments. Install what is missing: sudo apt install python$$version-venv" >&2; exit 1; }
	@echo "gnomon: creating $(VENV) with $$('$(PYTHON)' -V) ..."
	@'$(PYTHON)' -m venv '$(VENV)' || { rm -rf '$(VENV)'; exit 1; }

# Dependency groups need pip 25.1.
$(installed): pyproject.toml | $(python)
	@$(python) -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(call pip-install,--editable '.[study$(comma)watch]',gnomon and its libraries)
	@touch $@

$(installed-test): pyproject.toml | $(installed)
	$(call pip-install,--editable '.[symbols$(comma)study$(comma)watch]' --group test,what the tests need)
	@touch $@

$(installed-docs): pyproject.toml | $(installed)
	$(call pip-install,--group docs,what the documentation needs)
	@touch $@

$(installed-dev): pyproject.toml | $(installed-test)
	$(call pip-install,--group dev,what the checks need)
	@touch $@

$(kernels): $(installed) $(shell find propagator -name '*.py')
	@$(python) -m gnomon.cli.compile_kernels
	@touch $@
