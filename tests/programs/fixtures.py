"""Pytest fixtures for the test folders that run the programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.programs.native import Builder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """A builder whose modules live as long as the session."""
    made = Builder(tmp_path_factory.mktemp("modules"))
    yield made
    made.close()
