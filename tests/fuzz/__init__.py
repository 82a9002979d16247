"""Fuzzing: damaged and hostile snapshots against both readers, random programs (docs/fuzzing.md).

``MVVM_FUZZ_SECONDS`` (60) bounds the time of all of it; what it finds becomes a case of its own in
tests/regress or in tests/unit/snapshot.
"""
