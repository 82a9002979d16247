"""Lua 5.4 is stopped at twenty random moments and goes on on the other ISA each time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest

from tests.migrate.lua_build import NoSources, build_lua
from tests.migrate.test_moves import journey, travel, unmoved
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
    chance = random.Random(54)
    trip = journey(builder, Program("lua", "", args=(ROUNDS,)), tmp_path, lua)
    wanted = unmoved(trip)
    assert wanted.count(b"\n") == int(ROUNDS)
    status = travel(trip, STOPS, lambda: chance.uniform(0.02, 0.2))
    assert status == 0, trip.errors
    assert trip.hops == STOPS
    assert trip.output == wanted
