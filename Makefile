# By hand only; the tests themselves are run by tests/run.
python ?= .venv/bin/python

.PHONY: reliability drawing
reliability: ## Try every promise in full (two hours, as root) and write the figures into docs/reliability.md
	$(python) -m tests.reliability

drawing: ## Draw the architecture anew (apt-get install graphviz)
	dot -Tsvg docs/design/architecture.dot -o docs/design/architecture.svg
