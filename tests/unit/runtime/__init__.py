"""Tests of the C runtime: programs built with the host's compiler and its sanitizers."""
