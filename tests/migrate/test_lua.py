"""Lua is stopped at twenty random moments and goes on on the other ISA each time.

5.4 runs a script of ours, 5.1 its own test scripts (no registry was found to have 5.4's).

Without setjmp no error can be caught, and almost every one of these scripts provokes some. So each
runs until then, in a state of its own; its frames are left lying on the stack, beneath the next
script's, and move with it. Five run whole; three more come to their end but test nothing (`api`,
`checktable` and `code` need Lua's internal test library). The others get to the line that their
output names: 125 of 128 in `vararg`, 278 of 499 in `db`, 117 of 425 in `closure`, less elsewhere;
`pm` has syntax that is not 5.1's. Where an assertion fails instead, it wants a shell (`main`, and
`all` through it), takes a locale for supported since the C library accepts any name (`literals`,
`strings`), or reads a negative hexadecimal number, unsigned in 5.1 (`math`). wasmtime and we agree
on each.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.migrate.lua_build import build_lua, build_lua51, fetch_lua_tests
from tests.migrate.sources import NoSources
from tests.migrate.test_moves import journey, move_at_random
from tests.migrate.test_real_programs import by_wasmtime
from tests.programs.catalog import Program
from tests.programs.native import Builder

STOPS: Final = 20
ROUNDS: Final = "1000"
WHOLE: Final = {"constructs.lua", "locals.lua", "nextvar.lua", "sort.lua", "verybig.lua"}
# These take 90 to 500 ms, the others 1 to 25; so those run more often.
LONG_SCRIPTS: Final = ("big.lua", "constructs.lua", "sort.lua", "verybig.lua")
OTHERS_ROUNDS: Final = "10"


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


def test_official_scripts(builder: Builder, tmp_path: Path) -> None:
    try:
        wasm, scripts = build_lua51(tmp_path), fetch_lua_tests(tmp_path)
    except NoSources as error:
        pytest.fail(f"Lua 5.1 and its tests are needed (from Debian's archive): {error}")
    data, other = tmp_path / "data", tmp_path / "other"
    for folder in (data, other):
        shutil.copytree(scripts, folder)
    others = sorted({path.name for path in data.glob("*.lua")} - set(LONG_SCRIPTS))
    program = Program("lua", "", args=(*LONG_SCRIPTS, OTHERS_ROUNDS, *others))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1, dirs=f"{data}::/d")
    wanted = move_at_random(trip, STOPS, seed=51)
    ends = re.findall(rb"^(\w+\.lua): (.*), line (\d+): (.*)$", wanted, re.MULTILINE)
    for name, *end in dict.fromkeys(ends):
        print(name.decode(), *(part.decode(errors="replace") for part in end))
    assert len(ends) == len(LONG_SCRIPTS) + int(OTHERS_ROUNDS) * len(others)
    assert {name.decode() for name, how, *_ in ends if how == b"whole"} >= WHOLE
    assert wanted == by_wasmtime(wasm, program, other)
    assert trip.output == wanted
