"""The fixtures of the programs."""

from tests.programs.fixtures import builder

__all__ = ["builder"]
