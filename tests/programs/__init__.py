"""Small programs with deterministic output, for the differential and the migration tests.

A run of each passes at most a few hundred points, so that every one can be taken as a checkpoint.
"""
