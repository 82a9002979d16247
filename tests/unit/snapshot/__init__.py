"""Tests of mvvm_aot.snapshot."""
