"""The WebAssembly specification's test scripts, run on each ISA: `python -m tests.spec`."""
