"""The same calls to our functions and to wasmtime's: the same errno and the same results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from .conftest import StartGuest, make_tree
from .guests import (
    ALL_RIGHTS,
    APPEND,
    CREAT,
    DIRECTORY,
    EXCL,
    FD_READ,
    FD_WRITE,
    Filestat,
    Guest,
    HarnessGuest,
    WasmtimeGuest,
    clock_subscription,
    fd_subscription,
)

PATHS: Final[tuple[str | bytes, ...]] = (
    "file", "file/", "dir", "dir/", "dir/inner", "dir/../file", "../root/file", "/file", "", ".",
    "..", "./file", "dir//inner", "ln", "ln/", "ld", "ld/", "ld/inner", "out", "outdir/secret",
    "absolute", "dangling", "loop1", "dir/up", "dir/out", "ld/up", "dir/sub/far", "file/x", "nope",
    "nope/x", "dir/nope", "x\0y", b"\xff", b"\xed\xa0\x80", "a" * 300, "dir/..", "dir/.",
    "dir/../..", "ld/../file",
)  # fmt: skip


def brief(answer: tuple[int, Filestat | None]) -> tuple[int, tuple[int, int] | None]:
    """Keep what does not depend on the machine: the errno, the type, a file's size."""
    error, stat = answer
    return error, None if stat is None else (stat.filetype, stat.size if stat.filetype == 4 else 0)


def open_and_close(guest: Guest, path: str | bytes, oflags: int, rights: int, follow: bool) -> int:
    error, fd = guest.open(path, oflags, rights, follow=follow)
    if error == 0:
        assert guest.call("fd_close", fd) == 0
    return error


def opener(oflags: int, rights: int, follow: bool = True) -> Callable[[Guest, str | bytes], object]:
    return lambda guest, path: open_and_close(guest, path, oflags, rights, follow)


def set_times(guest: Guest, path: str | bytes) -> object:
    error = guest.call("path_filestat_set_times", 3, 1, *guest.put_path(path), 5, 7, 5)
    stat = guest.path_filestat(path)[1] if error == 0 else None
    return error, stat and stat.mtim


OPERATIONS: Final[dict[str, Callable[[Guest, str | bytes], object]]] = {
    "open": opener(0, FD_READ),
    "open nofollow": opener(0, FD_READ, follow=False),
    "open directory": opener(DIRECTORY, FD_READ),
    "open for writing": opener(0, FD_READ | FD_WRITE),
    "create exclusively": opener(CREAT | EXCL, FD_WRITE),
    "create": opener(CREAT, FD_WRITE),
    "filestat": lambda guest, path: brief(guest.path_filestat(path)),
    "filestat nofollow": lambda guest, path: brief(guest.path_filestat(path, follow=False)),
    "readlink": lambda guest, path: guest.readlink(path),
    "set_times": set_times,
    "create_directory": lambda guest, path: guest.mkdir(path),
    "remove_directory": lambda guest, path: guest.rmdir(path),
    "unlink_file": lambda guest, path: guest.unlink(path),
    "symlink": lambda guest, path: guest.symlink("target", path),
    "symlink to": lambda guest, path: guest.symlink(path, "new"),
    "rename from": lambda guest, path: guest.rename(path, "renamed"),
    "rename to": lambda guest, path: guest.rename("file", path),
    "link from": lambda guest, path: guest.link(path, "linked"),
    "link to": lambda guest, path: guest.link("dir/inner", path),
}

# Where we answer as the kernel does, and wasmtime otherwise: slashes behind what is no directory.
OTHERWISE: Final[set[tuple[str, str | bytes]]] = {
    ("remove_directory", "dir/"),
    ("remove_directory", "ld/"),
    ("unlink_file", "ld/"),
    ("symlink", "file/"),
    ("symlink", "ln/"),
    ("link to", "file/"),
    ("link to", "ln/"),
    ("rename to", "a" * 300),
}


@pytest.fixture
def pair(start: StartGuest, tree: Path, tmp_path: Path) -> tuple[HarnessGuest, WasmtimeGuest]:
    twin = make_tree(tmp_path / "twin")
    ours = start()
    assert ours.init(f"{tree}::/d") == "ok"
    return ours, WasmtimeGuest([(twin, "/d")])


@pytest.mark.parametrize("openat2", ["0", "1"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_paths(pair: tuple[HarnessGuest, WasmtimeGuest], operation: str, openat2: str) -> None:
    ours, theirs = pair
    assert ours.say(f"openat2 {openat2}") == "ok"
    function = OPERATIONS[operation]
    differing = {}
    for path in PATHS:
        mine, other = function(ours, path), function(theirs, path)
        if mine != other and (operation, path) not in OTHERWISE:
            differing[path] = (mine, other)
    assert differing == {}


@pytest.mark.parametrize("openat2", ["0", "1"])
def test_open_flags(pair: tuple[HarnessGuest, WasmtimeGuest], openat2: str) -> None:
    ours, theirs = pair
    ours.say(f"openat2 {openat2}")
    for oflags in range(16):
        for rights in (FD_READ, FD_WRITE, FD_READ | FD_WRITE):
            for path in ("dir", "ln", "file2", "dangling"):
                function = opener(oflags, rights)
                assert function(ours, path) == function(theirs, path), (oflags, rights, path)


def script(guest: Guest) -> list[object]:
    """Run through the descriptor functions; return every answer."""
    fd = guest.must_open("file", rights=ALL_RIGHTS)
    log: list[object] = [
        guest.read(fd, 3),
        guest.seek(fd, -2, 2),
        guest.seek(fd, -200, 1),
        guest.read(fd, 30),
        guest.read(fd, 30),
        guest.read(fd),
        guest.pread(fd, 3, 1),
        guest.pread(fd, 3, 1 << 63),
        guest.pwrite(fd, b"XYZ", 20),
        guest.pwrite(fd, b"XYZ", 1 << 63),
        brief(guest.filestat(fd)),
        guest.write(fd, b"abcd"),
        guest.call("fd_filestat_set_size", fd, 5),
        guest.call("fd_filestat_set_size", fd, 1 << 63),
        brief(guest.filestat(fd)),
        guest.call("fd_advise", fd, 0, 100, 1),
        guest.call("fd_sync", fd),
        guest.call("fd_datasync", fd),
        guest.call("fd_filestat_set_times", fd, 5, 7, 5),
        guest.call("fd_filestat_set_times", fd, 5, 7, 3),
        guest.call("fd_filestat_set_times", 3, 5, 7, 5),
        guest.call("fd_fdstat_set_flags", fd, APPEND),
        guest.write(fd, b"appended"),
        guest.pread(fd, 100, 0),
        guest.call("fd_fdstat_set_flags", fd, 16),
        guest.call("fd_fdstat_set_flags", 3, 0),
        guest.read(3, 4),
        guest.write(3, b"a"),
        guest.seek(3, 0, 0),
        guest.call("fd_tell", 3, 0x5000),
        guest.call("fd_filestat_set_size", 3, 0),
        guest.call("fd_advise", 3, 0, 1, 0),
        guest.pread(3, 1, 0),
        guest.call("fd_readdir", fd, 0x6000, 100, 0, 0x5000),
        guest.call("fd_readdir", 1, 0x6000, 100, 0, 0x5000),
        sorted((entry.name, entry.filetype) for entry in guest.readdir(3)[1]),
        guest.readdir(3, cookie=1 << 63),
        guest.open("x", directory=fd),
        guest.open("x", directory=1),
        guest.open("x", directory=77),
        guest.call("fd_prestat_get", 3, 0x5000),
        guest.peek(0x5000, 8),
        guest.call("fd_prestat_dir_name", 3, 0x5000, 2),
        guest.peek(0x5000, 2),
        guest.call("fd_prestat_dir_name", 3, 0x5000, 1),
        guest.call("fd_prestat_get", fd, 0x5000),
        guest.call("fd_prestat_get", 0, 0x5000),
    ]
    reading = guest.must_open("file", rights=FD_READ)
    writing = guest.must_open("file", rights=FD_WRITE)
    log += [guest.write(reading, b"x"), guest.read(writing, 1)]
    log += [guest.seek(reading, 3, 0), guest.seek(writing, 3, 0)]
    sub = guest.must_open("dir", DIRECTORY, rights=FD_READ)
    log += [
        guest.open("../file", directory=sub),
        guest.open("up", directory=sub),
        guest.call("fd_prestat_get", sub, 0x5000),
        guest.call("fd_renumber", reading, writing),
        guest.call("fd_renumber", reading, writing),
        guest.call("fd_renumber", writing, reading),
        guest.call("fd_renumber", writing, 88),
        guest.call("fd_renumber", writing, writing),
        guest.read(writing, 2),
        guest.must_open("dir/inner", rights=FD_READ) == reading,
        guest.call("fd_close", writing),
        guest.call("fd_close", writing),
        guest.call("fd_renumber", fd, 3),
        guest.pread(3, 4, 0),
        guest.poll(),
        guest.poll(clock_subscription(5, 1, 1000)),
        guest.poll(clock_subscription(6, 0, 1000, absolute=True)),
        guest.poll(fd_subscription(7, 3, writing=True)),
        guest.call("fd_close", 3),
        guest.call("fd_close", 3),
        guest.call("fd_close", 0xFFFFFFFF),
    ]
    return log


def test_descriptors(pair: tuple[HarnessGuest, WasmtimeGuest]) -> None:
    ours, theirs = script(pair[0]), script(pair[1])
    differing = [(i, ours[i], theirs[i]) for i in range(len(theirs)) if ours[i] != theirs[i]]
    assert differing == []
