"""Differential tests: the same module, another engine, the same answer."""
