# What a person runs: demo, test, check. Each sets up .venv first, once, from the versions in constraints.txt.

PYTHON ?= python3
MINUTES ?= 1
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PEERS  := .peers
PEERS_PYTHON ?= $(BIN)/python

# Hundreds of tests start processes of their own: where the environment forbids bytecode, each would compile every module
# anew, which is most of its start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-all fuzz bench-peers check format lock clean

help:
	@echo "make demo      run a real network of peer nodes on this machine"
	@echo "make test      run the tests"
	@echo "make check     format, lint, types, import rules"
	@echo "make test-all  the long campaigns too, on every CPython >= 3.11 found here"
	@echo "make fuzz      fuzz every decoder, MINUTES=1 for all together; needs CPython 3.11 to 3.13 on Linux x86-64"
	@echo "make bench-peers  measure a node and py-libp2p side by side; installs py-libp2p into $(PEERS)"
	@echo "make format    let ruff format and fix"
	@echo "make lock      resolve constraints.txt anew"
	@echo "make clean     remove what make made"

demo: $(STAMP)
	@$(BIN)/p2pnoise demo

test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not long" -n auto --dist worksteal

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-all: $(STAMP)
	sh tests/every_python.sh

# atheris is no part of .venv until somebody fuzzes: it is large, and has no wheel for the other Pythons and systems.
fuzz: $(STAMP)
	@$(BIN)/python -c "import atheris" 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --group fuzz || \
	  { echo "make fuzz needs atheris, which has wheels for CPython 3.11 to 3.13 on Linux x86-64 alone;" \
	    "elsewhere \`make test\` still runs every decoder over its corpus" >&2; exit 1; }
	@$(BIN)/python -m tests.fuzz --minutes "$(MINUTES)"

# No part of .venv either: py-libp2p pins other versions, and some 60 packages of which a few are compiled here.
bench-peers: $(STAMP) $(PEERS)/.installed
	@$(BIN)/p2pnoise bench node --beside $(PEERS)/bin/python --seconds 120

$(PEERS)/.installed: tests/peers.txt | $(STAMP)
	@sh tests/make_peers.sh "$(PEERS_PYTHON)" "$(PEERS)"
	@touch $@

# The stamp is younger than both files whenever .venv holds what they ask for, so the second run starts at once.
$(STAMP): pyproject.toml constraints.txt
	@sh tests/make_venv.sh "$(PYTHON)" "$(VENV)"
	@touch $(STAMP)

lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev
	{ echo "# Exact versions that \`make\` installs: run-time and development together. Made by \`make lock\`; reviewed like code."; \
	  $(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools | LC_ALL=C sort -f; } > constraints.txt
	touch $(STAMP)

clean:
	rm -rf $(VENV) $(PEERS) $(PEERS).log .venvs .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov dist build
