"""Snapshots that no run has written, whose loops' locals do not fit each other.

What LLVM is told of counted loops has to hold for them, too (mvvm_aot/lower/courses.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.snapshot.codec import decode_snapshot, encode_snapshot
from mvvm_aot.targets import target_by_name
from tests.programs.build import SOURCES
from tests.programs.native import ISAS

# Locals of $behind in counted.wat.
OUTER, INNER, P, Q, R, S = range(6)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "counted.wasm"
    path.write_bytes(bytes(wasmtime.wat2wasm((SOURCES / "counted.wat").read_text())))
    return path


def stop(module: Path, isa: str, leave: int, snapshot: Path) -> None:
    """Have the program write a snapshot at one of its points."""
    executable = str(api.compile(module, target=isa).path)
    emulator = api.find_emulator(target_by_name(isa))
    argv = (emulator, executable) if emulator else (executable,)
    where = {"MVVM_TEST_LEAVE_AT": str(leave), "MVVM_SNAPSHOT": str(snapshot)}
    stopped = api.Command(argv, Path(argv[0]), where).run(capture_output=True)
    assert stopped.returncode == EXIT_CHECKPOINTED, stopped.stderr


def resume(snapshot: Path, isa: str, locals_: Mapping[int, int]) -> bytes:
    """Go on from a snapshot with other values of some locals; return what is printed."""
    read = decode_snapshot(snapshot.read_bytes())
    inner = read.state.frames[-1]
    assert locals_.keys() <= dict(inner.locals).keys()
    changed = tuple(
        (index, replace(value, bits=locals_.get(index, value.bits)))
        for index, value in inner.locals
    )
    frames = (*read.state.frames[:-1], replace(inner, locals=changed))
    path = snapshot.with_name("changed.snap")
    path.write_bytes(encode_snapshot(replace(read, state=replace(read.state, frames=frames))))
    resumed = api.resume(path, target=isa, capture=True)
    assert resumed.returncode == 0, resumed.stderr
    return resumed.stdout


@pytest.mark.parametrize("isa", ISAS)
def test_only_counters_count(module: Path, isa: str, tmp_path: Path) -> None:
    """Other locals of counted loops follow from the counters, and these are within bounds."""
    wanted = api.run(module, target=isa, capture=True).stdout
    snapshot = tmp_path / "counted.snap"
    stop(module, isa, 2, snapshot)  # the outer loop's first iteration, before the inner one's third
    assert resume(snapshot, isa, {}) == wanted
    assert resume(snapshot, isa, {P: 1, Q: 1 << 63, R: 0xFFFF_FFFF, S: 0}) == wanted
    assert (
        resume(snapshot, isa, {OUTER: 9, INNER: 3}) == wanted
    )  # 10 and 2 less and more than a step
    last = resume(snapshot, isa, {OUTER: 4, INNER: 6})
    assert last != wanted
    for i, j in ((1, 10), (0x8000_0000, 1 << 63), (11, (1 << 64) - 7)):
        assert resume(snapshot, isa, {OUTER: i, INNER: j}) == last
