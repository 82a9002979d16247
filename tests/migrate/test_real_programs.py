"""Real programs are stopped at random moments and go on on the other ISA each time."""

from __future__ import annotations

import bz2
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import wasmtime

from tests.diff.engine import run_configured
from tests.migrate.real_builds import (
    build_bzip2,
    build_kernels,
    build_ledger,
    build_sqlite,
    build_words,
    fetch_flite,
)
from tests.migrate.sources import NoSources
from tests.migrate.test_moves import journey, move_at_random
from tests.programs.catalog import Program
from tests.programs.native import Builder

STOPS: Final = 8
INPUT_SIZE: Final = 3 << 20


def build(how: Callable[[Path], Path], folder: Path) -> Path:
    """Build; without the sources the test fails, and says why."""
    try:
        return how(folder)
    except NoSources as error:
        pytest.fail(f"sources of another project are needed: {error}")


def by_wasmtime(wasm: Path, program: Program, folder: Path) -> bytes:
    """Return a program's output under wasmtime, with `folder` as /d."""
    config = wasmtime.WasiConfig()
    config.argv = [program.name, *program.args]
    config.preopen_dir(str(folder), "/d")
    output = folder / "wasmtime.out"
    config.stdout_file = str(output)
    assert run_configured(wasm, config) == 0
    return output.read_bytes()


def test_sqlite(builder: Builder, tmp_path: Path) -> None:
    """Run 3,229 statements: in each of 25 rounds 120 inserts and eight others, and 29 more."""
    wasm = build(build_sqlite, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    program = Program("sqlite", "", args=("25",))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1, dirs=f"{data}::/d")
    wanted = move_at_random(trip, STOPS, seed=3)
    assert wanted == by_wasmtime(wasm, program, data)
    assert wanted.count(b"\n") > 250
    assert b"\nok\n" in wanted, "PRAGMA integrity_check"
    assert b"\nwal\n" in wanted, "PRAGMA journal_mode"
    assert wanted.endswith(b"\n3229 statements\n")
    assert wanted.count(b"error: ") == wanted.count(b"error: FOREIGN KEY constraint failed\n") == 25
    assert trip.output == wanted


def test_bzip2(builder: Builder, tmp_path: Path) -> None:
    wasm = build(build_bzip2, tmp_path)
    chance = random.Random(7)
    words = [bytes(chance.choices(b"abcdefgh ", k=chance.randint(1, 12))) for _ in range(2000)]
    text = b"".join(chance.choices(words, k=INPUT_SIZE // 6))[:INPUT_SIZE]
    (tmp_path / "input").write_bytes(text)
    program = Program("bzip2", "")
    trip = journey(builder, program, tmp_path, wasm, opt_level=1, dirs=f"{tmp_path}::/d")
    wanted = bz2.compress(text, 9)
    assert move_at_random(trip, STOPS, seed=4) == trip.output == b""
    assert (tmp_path / "output").read_bytes() == wanted


def test_cplusplus(builder: Builder, tmp_path: Path) -> None:
    wasm = build_words(tmp_path)
    program = Program("words", "", args=("300",))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1)
    wanted = move_at_random(trip, STOPS, seed=5)
    assert wanted == by_wasmtime(wasm, program, tmp_path)
    assert trip.output == wanted


def test_rust(builder: Builder, tmp_path: Path) -> None:
    wasm = build(build_ledger, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    program = Program("ledger", "", args=("60",))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1, dirs=f"{data}::/d")
    wanted = move_at_random(trip, STOPS, seed=6)
    assert trip.output == wanted
    assert wanted.count(b"\n") == 5 * 60
    (data / "last").unlink()
    assert wanted == by_wasmtime(wasm, program, data)
    assert trip.errors == "60 rounds\n"


def test_vector_intrinsics(builder: Builder, tmp_path: Path) -> None:
    wasm = build_kernels(tmp_path)
    program = Program("kernels", "", args=("300",))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1)
    wanted = move_at_random(trip, STOPS, seed=7)
    assert wanted == by_wasmtime(wasm, program, tmp_path)
    assert trip.output == wanted
    assert wanted.count(b" same ") == 300, "base64 decoded is what was encoded"


def test_speech(builder: Builder, tmp_path: Path) -> None:
    """A module that we did not compile turns a text into the same sound as under wasmtime."""
    wasm = build(fetch_flite, tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    chance = random.Random(8)
    verbs = (
        "goes on",
        "was stopped",
        "counts to 1,024",
        "speaks",
        "waits",
        "moves at 3.5 miles an hour",
    )
    lines = [f"Machine {chance.randint(1, 999)} {chance.choice(verbs)}." for _ in range(150)]
    (data / "text").write_text("\n".join(lines))
    program = Program("flite", "", args=("-f", "/d/text", "-o", "/d/sound.wav"))
    trip = journey(builder, program, tmp_path, wasm, opt_level=1, dirs=f"{data}::/d")
    assert move_at_random(trip, STOPS, seed=9) == trip.output
    sound = (data / "sound.wav").read_bytes()
    assert by_wasmtime(wasm, program, data) == trip.output
    assert sound == (data / "sound.wav").read_bytes()
    assert sound.startswith(b"RIFF") and len(sound) > 1 << 21
