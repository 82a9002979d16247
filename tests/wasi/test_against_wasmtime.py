"""The same calls to our functions and to wasmtime's: the same errno and the same results."""

from __future__ import annotations

import random
import threading
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


# -- Random sequences ---------------------------------------------------------------------------

# (operation, ours, theirs) where both fail: several things are wrong, and another is told first.
OTHER_ERRNO: Final = {
    ("open directory", 54, 32),
    ("link", 44, 63),
    ("link", 44, 54),
    ("link", 44, 32),
}


def random_operation(numbers: random.Random) -> tuple[str, Callable[[Guest], object]]:
    """Return a name and an operation on paths that collide often."""

    def path() -> str:
        count = numbers.choice((1, 1, 2, 2, 3, 4))
        return "/".join(numbers.choice(("a", "b", "c", "d", ".", "..")) for _ in range(count))

    one, other, follow = path(), path(), numbers.random() < 0.5
    operations: dict[str, Callable[[Guest], object]] = {
        "create": lambda guest: opener(CREAT | (EXCL if follow else 0), FD_WRITE)(guest, one),
        "open": lambda guest: opener(0, FD_READ, follow)(guest, one),
        "open directory": lambda guest: opener(DIRECTORY, FD_READ, follow)(guest, one),
        "create_directory": lambda guest: guest.mkdir(one),
        "symlink": lambda guest: guest.symlink(other, one),
        "rename": lambda guest: guest.rename(one, other),
        "link": lambda guest: guest.link(one, other),
        "unlink_file": lambda guest: guest.unlink(one),
        "remove_directory": lambda guest: guest.rmdir(one),
        "filestat": lambda guest: brief(guest.path_filestat(one, follow)),
        "readlink": lambda guest: guest.readlink(one),
    }
    name = numbers.choice([*operations, "create_directory", "symlink"])
    return name, operations[name]


@pytest.mark.parametrize("seed", range(8))
def test_random_sequences(start: StartGuest, tmp_path: Path, seed: int) -> None:
    roots = [tmp_path / name / "root" for name in ("ours", "theirs")]
    for root in roots:
        root.mkdir(parents=True)
        (root.parent / "a").write_text("outside")
    ours = start()
    assert ours.init(f"{roots[0]}::/d") == "ok"
    assert ours.say(f"openat2 {seed % 2}") == "ok"
    theirs = WasmtimeGuest([(roots[1], "/d")])
    numbers = random.Random(seed)
    for step in range(150):
        name, operation = random_operation(numbers)
        mine, other = operation(ours), operation(theirs)
        assert mine == other or (name, mine, other) in OTHER_ERRNO, (step, name)
    assert tree_of(roots[0]) == tree_of(roots[1])
    assert tree_of(roots[0].parent, depth=1) == tree_of(roots[1].parent, depth=1)


def tree_of(root: Path, depth: int = 99) -> list[tuple[str, str]]:
    """Return what is below a directory: each path with its kind or a link's target."""
    found: list[tuple[str, str]] = []
    for path in sorted(root.iterdir()):
        kind = str(path.readlink()) if path.is_symlink() else "/" if path.is_dir() else ""
        found.append((path.name, kind))
        if kind == "/" and depth > 1:
            found += [(f"{path.name}/{name}", text) for name, text in tree_of(path, depth - 1)]
    return found


@pytest.mark.parametrize("openat2", ["0", "1"])
def test_directories_swapped_meanwhile(start: StartGuest, tmp_path: Path, openat2: str) -> None:
    """Nothing outside is reached while a directory and a link outwards change places."""
    root = tmp_path / "root"
    (root / "in" / "dir").mkdir(parents=True)
    (root / "in" / "dir" / "name").write_text("inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "name").write_text("outside")
    (root / "in" / "link").symlink_to("../../outside")
    done = threading.Event()

    def swap() -> None:
        names = [root / "in" / name for name in ("dir", "link", "away")]
        while not done.is_set():
            names[0].rename(names[2])
            names[1].rename(names[0])
            names[0].rename(names[1])
            names[2].rename(names[0])

    guest = start()
    assert guest.init(f"{root}::/d") == "ok"
    guest.say(f"openat2 {openat2}")
    thread = threading.Thread(target=swap)
    thread.start()
    answers = set()
    try:
        for _ in range(400):
            error, fd = guest.open("in/dir/../dir/name", rights=FD_READ)
            answers.add(guest.read(fd, 100)[1] if error == 0 else error)
            if error == 0:
                guest.call("fd_close", fd)
            guest.call("path_unlink_file", 3, *guest.put_path("in/link/name"))
            guest.rename("in/link/name", "stolen")
    finally:
        done.set()
        thread.join()
    assert b"outside" not in answers
    assert (tmp_path / "outside" / "name").read_text() == "outside"
    assert not (root / "stolen").exists()
