# Two commands: `make demo` and `make test`. Both install into .venv first, from the pins in
# constraints.txt. PYTHON chooses the interpreter; TORCH_INDEX a package index for torch alone,
# such as the one that PyTorch names for its CPU builds; WORKERS how many tests run at a time.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
WORKERS ?= 2
# Tests start hundreds of processes, which load modules quicker that are compiled already.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo test test-long lint wheel clean

install: $(VENV)/.installed

# torch first, with its pin: otherwise the resolver may take a build with gigabytes of CUDA.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

demo: install
	rm -rf $(DEMO)
	$(BIN)/python -m mriderived.phantom $(DEMO)/bids --participants 3
	$(BIN)/mriderived $(DEMO)/bids $(DEMO)/derivatives participant
	$(BIN)/mriderived $(DEMO)/bids $(DEMO)/derivatives group
	@echo
	@echo 'Participant reports: $(DEMO)/derivatives/sub-*.html'
	@echo 'Group report:        $(DEMO)/derivatives/group.html'
	@echo 'Cohort table:        $(DEMO)/derivatives/phenotype/mriderived.tsv'

test: install
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# What takes minutes each, and what quicker tests guard at every change.
test-long: install
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m long

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports

wheel: install
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist $(DEMO)
