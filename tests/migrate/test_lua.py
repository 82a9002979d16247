"""Lua 5.4 is stopped at twenty random moments and goes on on the other ISA each time."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.migrate.lua_build import build_lua
from tests.migrate.sources import NoSources
from tests.migrate.test_moves import journey, move_at_random
from tests.programs.catalog import Program
from tests.programs.native import Builder

STOPS: Final = 20
ROUNDS: Final = "1000"


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module; without Debian's sources these tests fail, and say why."""
    try:
        return build_lua(tmp_path_factory.mktemp("lua"))
    except NoSources as error:
        pytest.fail(f"Lua's sources are needed (Debian's archive, through apt-get): {error}")


def test_lua(builder: Builder, lua: Path, tmp_path: Path) -> None:
    trip = journey(builder, Program("lua", "", args=(ROUNDS,)), tmp_path, lua)
    wanted = move_at_random(trip, STOPS, seed=54)
    assert wanted.count(b"\n") == int(ROUNDS)
    assert trip.output == wanted
