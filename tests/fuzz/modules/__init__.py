"""Fuzzing with random valid modules: translations against each other and against wasmtime.

``python -m tests.fuzz.modules --seconds N --seed S`` generates programs (generate.py), runs them
under wasmtime (reference.py) and as executables of both ISAs at all optimisation levels, with the
frames written anew at points (execute.py). A program that differs is shrunk (shrink.py) and kept.
"""
