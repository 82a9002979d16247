"""Snapshots are forced to the disk before anybody is told of them: the system calls, in order.

The emulator for the other ISA lists the calls that a program makes (`-strace`).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
import wasmtime

from mvvm_aot import api
from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.targets import TARGETS

PROGRAM: Final = b"""
(module (memory 1)
  (func (export "_start") (local $n i32)
    (loop $again (br_if $again (i32.lt_u
      (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))))
"""


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the command that runs the program, compiled for the ISA that this machine is not."""
    for target in TARGETS.values():
        emulator = api.find_emulator(target)
        if emulator is not None:
            path = tmp_path_factory.mktemp("sync") / "program"
            api.compile(bytes(wasmtime.wat2wasm(PROGRAM)), path, target=target.name)
            return [emulator, "-strace", str(path)]
    pytest.fail("this machine runs every target itself: what lists the system calls?")


def what_is_forced(command: list[str], folder: Path, **variables: str) -> list[str]:
    """Return the order of renaming a snapshot and of forcing out files, by their names."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "MVVM_SNAPSHOT": "x.snap", "MVVM_TEST_LEAVE_AT": "1", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == EXIT_CHECKPOINTED, done.stderr
    assert (folder / "x.snap").is_file()
    opened: dict[str, str] = {}
    found: list[str] = []
    for name, given, result in re.findall(r"^\d+ (\w+)\((.*)\) = (\d+)$", done.stderr, re.M):
        path = given.partition('"')[2].partition('"')[0]
        if name.startswith("open"):
            opened[result] = re.sub(r"\d+", "PID", path)
        elif name in ("fsync", "fdatasync"):
            found.append(f"{name} {opened[given]}")
        elif name.startswith("rename"):
            found.append("rename")
    return found


def test_contents_then_the_name(emulated: list[str], tmp_path: Path) -> None:
    assert what_is_forced(emulated, tmp_path) == ["fsync .x.snap.PID.tmp", "rename", "fsync ."]


def test_sync_0_forces_nothing(emulated: list[str], tmp_path: Path) -> None:
    assert what_is_forced(emulated, tmp_path, MVVM_SYNC="0") == ["rename"]
