# By hand only; the tests themselves are run by tests/run.
python ?= .venv/bin/python

.PHONY: reliability
reliability: ## Try every promise in full (two hours, as root) and write the figures into docs/reliability.md
	$(python) -m tests.reliability
