"""Descriptors on the other machine: listings, flags, numbers, and standard streams of each kind."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

import mvvm_aot
from mvvm_aot.abi import EXIT_CHECKPOINTED
from tests.programs.build import SOURCES, compile_c
from tests.programs.catalog import C_FLAGS
from tests.programs.native import TIME_LIMIT

APPEND_NONBLOCK: Final = "5"  # wasi-libc's O_APPEND and O_NONBLOCK are the fdflags


class Streams(NamedTuple):
    """What a process gets as standard input and output, and where its output can be read."""

    stdin: int
    stdout: int
    shown: int


@pytest.fixture(scope="module")
def wasm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("descriptors") / "descriptors.wasm"
    return compile_c([SOURCES / "descriptors.c"], out, C_FLAGS, "wasm32-wasi")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The directory that the program works in."""
    folder = tmp_path / "data"
    (folder / "list").mkdir(parents=True)
    for number in range(400):
        (folder / "list" / f"entry-with-a-long-name-{number}").touch()
    (folder / "log").write_text("old\n")
    (folder / "other").touch()
    return folder


@contextmanager
def streams(kind: str, folder: Path, text: bytes) -> Iterator[Streams]:
    """Open streams of a kind, with input that stays open behind `text`."""
    with ExitStack() as stack:

        def keep(*fds: int) -> tuple[int, ...]:
            for fd in fds:
                stack.callback(os.close, fd)
            return fds

        if kind == "file":
            stdin = os.open(folder / "stdin", os.O_RDONLY)
            stdout = os.open(folder / "stdout", os.O_RDWR | os.O_CREAT)
            yield Streams(*keep(stdin, stdout), stdout)
        elif kind == "pipe":
            read_end, write_end = keep(*os.pipe())
            os.write(write_end, text)
            shown, stdout = keep(*os.pipe())
            yield Streams(read_end, stdout, shown)
        else:
            master, slave = keep(*os.openpty())
            tty.setraw(slave)
            os.write(master, text)
            yield Streams(slave, slave, master)


@pytest.mark.parametrize(
    ("kind", "isas", "third", "terminal"),
    [
        ("file", ("x86_64", "aarch64"), "ef", "00"),
        ("pipe", ("aarch64", "x86_64"), "again", "00"),
        ("terminal", ("x86_64", "aarch64"), "again", "11"),
    ],
)
def test_all_that_descriptors_have_moves(
    wasm: Path, data: Path, tmp_path: Path, kind: str, isas: tuple[str, str], third: str,
    terminal: str,
) -> None:  # fmt: skip
    snap = tmp_path / "moved.snap"
    (tmp_path / "stdin").write_bytes(b"abcdef")
    command = mvvm_aot.prepare_run(
        wasm, target=isas[0], dirs=[f"{data}::/d"], opt_level=1, snapshot=snap
    )
    with streams(kind, tmp_path, b"ab") as given:
        done = command.run(stdin=given.stdin, stdout=given.stdout, timeout=TIME_LIMIT)
        assert done.returncode == EXIT_CHECKPOINTED
        if kind != "file":
            assert os.read(given.shown, 100) == b"ab|"
    resumed = mvvm_aot.prepare_resume(snap, target=isas[1], opt_level=1)
    with streams(kind, tmp_path, b"cd") as given:
        done = resumed.run(stdin=given.stdin, stdout=given.stdout, timeout=TIME_LIMIT)
        assert done.returncode == 0
        shown = (
            (tmp_path / "stdout").read_bytes().removeprefix(b"ab|")
            if kind == "file"
            else os.read(given.shown, 100)
        )
    assert shown.decode() == f"cd|{third}|400|{APPEND_NONBLOCK}|1|{terminal}\n"
    assert (data / "log").read_text() == "old\nbefore\nafter\n"
    if kind == "file":
        assert (tmp_path / "stdout").read_bytes().startswith(b"ab|cd|")
