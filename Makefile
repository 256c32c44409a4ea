# Everything this project does, by name. `make` alone lists the names.
# Plain make and pip; Python 3.11 or newer. Relative paths only, so the folder's own path may hold spaces.

PYTHON ?= python3
# One more than two cores: while one worker waits for Chromium or a kernel, another computes.
WORKERS ?= 3
PORT ?= 8000
# Where the CPU build of torch is had on Linux. There PyPI's own build brings several gigabytes of CUDA along.
# `make book TORCH_INDEX=` takes PyPI's build: right where a GPU is to be used.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
INSTALLED := .venv/installed
LABEL_STUDIO := .venv-labelstudio/installed
# Modules in the order of their names: by default those with few tests, which are the long ones, would all come last.
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

# One thread a worker: two processes of two threads each on two cores are slower than one, where models are small by far.
# The last digits of a sum depend on the number of threads too, and notebooks are compared with what they printed.
test test-slow test-labelstudio attacks notebooks: export OMP_NUM_THREADS := 1

# Python may keep what it has compiled, whatever the environment says: without that, every worker and every kernel
# compiles torch and transformers anew, eight seconds each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help book pdf test test-slow test-labelstudio attacks lint format notebooks serve bench bench-gpu clean requirements system FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

book: $(INSTALLED) ## build the book into _build/html (the first time this also makes .venv)
	$(PY) book/_ext/check_config.py
	.venv/bin/jupyter-book build . -W -n --keep-going
	@printf '\nThe book is built. Open this file in a browser:\n  %s\nor run "make serve" and open http://127.0.0.1:%s/\n' \
		"$(CURDIR)/_build/html/index.html" "$(PORT)"

# Prints the pages that `make book` has built; what has not changed since the last time is not printed anew.
pdf: $(INSTALLED) ## print the built book into _build/rlhw.pdf (needs Chromium)
	$(PY) book/_ext/make_pdf.py

# The quick checks stand first; pytest stands last, so that its summary is what is read last.
test: lint ## everything that must hold before a change is merged (minutes)
	.venv/bin/rlhw notebooks verify
	.venv/bin/rlhw laws --mutants
	.venv/bin/rlhw exercises prove
	$(PYTEST) --nbval --nbval-current-env --nbval-cell-timeout=120 \
		--nbval-sanitize-with=tests/notebooks/sanitize.cfg --ignore=notebooks/homework notebooks
	$(PYTEST) -m "not slow"

# pytest's status 5 says that no test was selected: that is no failure here.
test-slow: $(INSTALLED) $(LABEL_STUDIO) ## the long checks: the wheel with all it depends on, Colab's package lists, Label Studio
	$(PYTEST) -m slow --durations 25 || test $$? -eq 5

test-labelstudio: $(INSTALLED) $(LABEL_STUDIO) ## once round with a real Label Studio server on this machine (the first time it is fetched)
	$(PY) -m pytest -m slow tests/labelstudio

attacks: $(INSTALLED) ## hostile submissions, with and without our grader, and honest ones beside them
	$(PY) -m benchmarks.attacks

lint: $(INSTALLED) ## ruff: rules and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(INSTALLED) ## let ruff lay out the Python files
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

notebooks: $(INSTALLED) ## execute every notebook in place; a second run changes no byte
	.venv/bin/rlhw notebooks execute

serve: ## show the built book on http://127.0.0.1:8000/ (PORT=… for another port)
	@test -f _build/html/index.html || { echo 'There is no book in _build/html yet: run "make book" first.' >&2; exit 1; }
	@"$$(test -x $(PY) && echo $(PY) || echo "$(PYTHON)")" -m http.server "$(PORT)" --bind 127.0.0.1 --directory _build/html

# Each prints its figures beside their bounds, met or SHORT; one that falls short does not keep the others from running.
# The tiny GPT-2 is not made anew in passing: its last digits, and with them later cards, depend on the processor.
bench: $(INSTALLED) ## run every benchmark (hours); each writes its card or its figures, exit status 1 when one is SHORT
	@short=""; for script in $$(grep -l __main__ benchmarks/*.py | grep -v -e pretrain_tiny -e gpu); do \
		name=$$(basename "$$script" .py); echo "$$name"; $(PY) -m benchmarks.$$name || short="$$short $$name"; \
	done; test -z "$$short" || { echo "SHORT or failed:$$short" >&2; exit 1; }

bench-gpu: $(INSTALLED) ## GPT-2 124M in bfloat16 against TRL on a GPU; without one toy sizes on the CPU, and no card
	$(PY) -m benchmarks.gpu

clean: ## remove what was built; .venv stays
	rm -rf _build build dist .pytest_cache .ruff_cache .hypothesis
	find . -name .venv -prune -o -type d -name __pycache__ -exec rm -rf {} +

requirements: ## write requirements.txt anew from pyproject.toml (torch stays as it is)
	@$(call torch_pin) && rm -rf .venv-pins && "$(PYTHON)" -m venv .venv-pins \
		&& .venv-pins/bin/python -m pip install --quiet --upgrade pip \
		&& $(call install_torch,.venv-pins/bin/python -m pip) \
		&& .venv-pins/bin/python -m pip install --quiet ".[dev]" "$$torch" \
		&& { sed -n '/^#/p' requirements.txt; \
			.venv-pins/bin/python -m pip freeze --all --exclude rlhw \
			| sed 's/+[a-z0-9.]*$$//' | LC_ALL=C sort -f; } > requirements.new \
		&& mv requirements.new requirements.txt && rm -rf .venv-pins

# Debian and Ubuntu only. Elsewhere: install Chromium and bubblewrap by hand; without them the tests of the pages and of the
# grader's sandbox are skipped (CI=true forbids that). Chromium's shell makes these tests faster and is not needed: where there
# is none (Ubuntu), no network, or nobody who may install it, that is said and all is well.
system: ## install the system packages that the tests need (Debian, Ubuntu)
	@missing=""; shell=chromium-headless-shell; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	command -v bwrap > /dev/null || missing="$$missing bubblewrap"; \
	"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || missing="$$missing python3-venv"; \
	as_root=""; test "$$(id -u)" -eq 0 || as_root=sudo; \
	install="env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends"; \
	if test -n "$$missing"; then $$as_root apt-get update -qq && $$as_root $$install $$missing > /dev/null || exit 1; fi; \
	command -v $$shell > /dev/null && exit 0; \
	as_root="$${as_root:+sudo -n}"; \
	{ $$as_root apt-get update -qq && $$as_root $$install $$shell; } > /dev/null 2>&1 \
		|| echo "$$shell could not be installed: the tests of the pages take longer without it."

# An environment of its own: it pins what we do not. Where it cannot be fetched its test says so: skipped at home, failed in CI.
ifneq ($(shell cat $(LABEL_STUDIO) 2> /dev/null),$(CURDIR))
$(LABEL_STUDIO): FORCE
endif

$(LABEL_STUDIO): tests/labelstudio/requirements.txt | $(INSTALLED)
	@echo "Installing $$(cat $<) into .venv-labelstudio: about 260 MB to download from PyPI, 1 GB on the disk (once)"
	@rm -rf .venv-labelstudio && $(PY) -m venv .venv-labelstudio \
		&& .venv-labelstudio/bin/python -m pip --disable-pip-version-check install --quiet --no-compile --requirement $< \
		&& printf '%s\n' "$(CURDIR)" > $@ \
		|| { rm -rf .venv-labelstudio; echo "Label Studio could not be installed; its test will say so."; }

# --- the environment -------------------------------------------------------------------------------------------------
# .venv/installed is written last and holds the folder's path: an install that was broken off is done again, and so is
# one whose folder has moved since (the commands in a venv hold its path).

torch_pin = torch="$$(grep '^torch==' requirements.txt)"

# Only torch is asked of that index, and only on Linux; out of reach, it costs seconds and is said in a sentence.
define install_torch
{ test "$$(uname -s)" != Linux || test -z "$(TORCH_INDEX)" \
	|| $(1) install --quiet --no-compile --no-deps --retries 1 --timeout 15 --index-url "$(TORCH_INDEX)" "$$torch" \
	|| echo "The CPU build of $$torch was not found at $(TORCH_INDEX): taking PyPI's build, which may bring CUDA (several GB)."; }
endef

# Both questions are asked of the Python that makes the venv, in words that any Python understands.
define check_python
command -v "$(PYTHON)" > /dev/null || \
	{ echo 'Python was not found under the name "$(PYTHON)". Install Python 3.11 or newer, or name one: make book PYTHON=python3.12' >&2; exit 1; }; \
"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$("$(PYTHON)" --version 2>&1). Name a newer one: make book PYTHON=python3.12" >&2; exit 1; }; \
"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || \
	{ echo 'This Python cannot make virtual environments with pip. On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
endef

ifneq ($(wildcard $(INSTALLED)),)
ifneq ($(shell cat $(INSTALLED)),$(CURDIR))
$(INSTALLED): FORCE
endif
endif

$(INSTALLED): requirements.txt pyproject.toml
	@if test -f $@ && test "$$(cat $@)" != "$(CURDIR)"; then echo "This folder has moved: making .venv anew."; rm -rf .venv; fi
	@rm -f $@; $(PIP) --version > /dev/null 2>&1 || { $(check_python); echo "Making .venv"; rm -rf .venv; "$(PYTHON)" -m venv .venv; }
	@echo "Installing what requirements.txt lists into .venv (a few minutes the first time)"
	@$(PIP) install --quiet --no-compile "$$(grep '^pip==' requirements.txt)"
	@$(torch_pin) && $(call install_torch,$(PIP))
	@$(PIP) install --quiet --no-compile --requirement requirements.txt
	@$(PIP) install --quiet --no-compile --no-deps --no-build-isolation --editable .
	@printf '%s\n' "$(CURDIR)" > $@
