"""Open files on another machine: packed, missing, changed; through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import mvvm_aot
from mvvm_aot.abi import EXIT_CHECKPOINTED
from tests.migrate.test_moves import wait_until_ready
from tests.programs.build import SOURCES, compile_c
from tests.programs.catalog import C_FLAGS
from tests.programs.native import TIME_LIMIT

COMMAND: Final = (sys.executable, "-m", "mvvm_aot")
LINES: Final = [f"line {number}\n".encode() for number in range(3000)]  # more than a buffer


@pytest.fixture(scope="module")
def wasm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("copies") / "copies.wasm"
    return compile_c([SOURCES / "copies.c"], out, C_FLAGS, "wasm32-wasi")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The directory of the machine that the program leaves."""
    folder = tmp_path / "here"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "text").write_bytes(b"".join(LINES))
    return folder


def stopped(wasm: Path, data: Path, *options: str, **settings: bool) -> Path:
    """Start the program, and stop it when it has read a part of its file."""
    snap = data.parent / "copies.snap"
    program = mvvm_aot.prepare_run(wasm, dirs=[f"{data}::/d"], opt_level=1, **settings)
    process = subprocess.Popen(
        program.argv,
        executable=program.program,
        env=dict(program.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    wait_until_ready(process)
    assert process.stdout is not None and process.stdout.readline() == LINES[0]
    asked = subprocess.run(
        [*COMMAND, "checkpoint", str(process.pid), "-o", str(snap), *options],
        check=False,
        capture_output=True,
        timeout=TIME_LIMIT,
    )
    assert asked.returncode == 0, asked.stderr
    process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == EXIT_CHECKPOINTED
    return snap


def resume(snap: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, "resume", str(snap), "-O1", "--target", "aarch64", *options],
        check=False,
        input=b"go on\n",
        capture_output=True,
        timeout=TIME_LIMIT,
    )


@pytest.mark.parametrize("asked_at", ["run", "checkpoint"])
def test_files_that_travel(wasm: Path, data: Path, tmp_path: Path, asked_at: str) -> None:
    if asked_at == "run":
        snap = stopped(wasm, data, with_files=True)
    else:
        snap = stopped(wasm, data, "--with-files")
    there = tmp_path / "there"
    there.mkdir()
    done = resume(snap, "--dir", f"{there}::/d")
    assert (done.returncode, done.stdout) == (0, b"".join(LINES[1:])), done.stderr
    assert (there / "in" / "text").read_bytes() == b"".join(LINES)
    shown = subprocess.run([*COMMAND, "inspect", str(snap)], check=True, capture_output=True)
    assert b"packed files" in shown.stdout


def test_files_that_are_not_there(wasm: Path, data: Path, tmp_path: Path) -> None:
    snap = stopped(wasm, data)
    there = tmp_path / "there"
    there.mkdir()
    done = resume(snap, "--dir", f"{there}::/d")
    assert (done.returncode, done.stdout) == (71, b"")
    assert b'cannot open "in/text"' in done.stderr
    assert resume(snap).stdout == b"".join(LINES[1:]), "the snapshot is as good as before"


def test_files_that_have_changed(wasm: Path, data: Path) -> None:
    snap = stopped(wasm, data)
    text = data / "in" / "text"
    before = text.stat().st_mtime_ns
    text.write_bytes(text.read_bytes() + b"one more\n")
    os.utime(text, ns=(before, before + 1))
    done = resume(snap)
    assert (done.returncode, done.stdout) == (71, b"")
    assert b"it has changed since the snapshot was written" in done.stderr
    done = resume(snap, "--allow-changed-files")
    assert (done.returncode, done.stdout) == (0, b"".join(LINES[1:]) + b"one more\n")
