"""WASI preview 1: the runtime's functions, alone and in translated programs."""
