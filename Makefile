# Thin names over dev.py. Arguments go along as in: make run ARGS="configs/othello4.toml --minutes 2"
PYTHON ?= python3
ARGS ?=

run test lint bench soak setup clean:
	@$(PYTHON) dev.py $@ $(ARGS)

.PHONY: run test lint bench soak setup clean
