"""Migration tests: leave at every point, go on elsewhere, the same answer."""
