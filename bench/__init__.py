"""What `python -m bench` measures and writes to docs/benchmarks.md; no test asserts a figure."""
