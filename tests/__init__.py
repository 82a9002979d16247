"""The tests; `python -m tests.spec` runs the specification's scripts."""
