"""Start, saving and loading: pre-opened directories, files by path and offset, hostile sections."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path
from typing import Final

import pytest

from .conftest import Move, StartGuest, make_tree
from .guests import (
    APPEND,
    BADF,
    CREAT,
    DIRECTORY,
    EXCL,
    FD_READ,
    FD_WRITE,
    FILE_RIGHTS,
    NONBLOCK,
    PERM,
    SUCCESS,
    TRUNC,
    HarnessGuest,
)


def refuse(start: StartGuest, section: Path, dirs: str = "-") -> str:
    return start().say(f"load {section} {dirs}")


# -- Start -------------------------------------------------------------------------------------


def test_dirs(start: StartGuest, tree: Path, tmp_path: Path) -> None:
    guest = start()
    assert guest.init(f"{tree}::/d;{tmp_path}") == "ok"
    for fd, name in ((3, b"/d"), (4, str(tmp_path).encode())):
        assert guest.call("fd_prestat_get", fd, 0x5000) == SUCCESS
        assert guest.peek(0x5000, 8) == struct.pack("<II", 0, len(name))
        assert guest.call("fd_prestat_dir_name", fd, 0x5000, len(name)) == SUCCESS
        assert guest.peek(0x5000, len(name)) == name
    assert guest.call("fd_prestat_get", 5, 0x5000) == BADF


@pytest.mark.parametrize(
    ("dirs", "message"),
    [
        (
            "/nowhere::/d",
            'MVVM_DIRS: cannot open the directory "/nowhere": no such file or directory',
        ),
        ("/etc/passwd", 'MVVM_DIRS: cannot open the directory "/etc/passwd": not a directory'),
        ("/etc::", 'MVVM_DIRS: entry 1, "/etc::", is not HOST or HOST::GUEST'),
        ("/etc;::/d", 'MVVM_DIRS: entry 2, "::/d", is not HOST or HOST::GUEST'),
        ("/etc;;/usr", 'MVVM_DIRS: entry 2, "", is not HOST or HOST::GUEST'),
        ("/etc::/a;/usr::/a", 'MVVM_DIRS: two directories are called "/a"'),
    ],
)
def test_bad_dirs(start: StartGuest, dirs: str, message: str) -> None:
    assert start().init(dirs) == message


# -- Moving ------------------------------------------------------------------------------------


def test_files_go_on_where_they_were(guest: HarnessGuest, move: Move, tree: Path) -> None:
    reading = guest.must_open("dir/../ln", rights=FD_READ)
    creating = guest.must_open("new", CREAT | EXCL | TRUNC, FD_READ | FD_WRITE)
    appending = guest.must_open("dir/inner", rights=FD_READ | FD_WRITE, fdflags=APPEND)
    sub = guest.must_open("dir", DIRECTORY, rights=FD_READ)
    below = guest.must_open("inner", directory=sub, rights=FD_READ)
    assert guest.read(reading, 6) == (SUCCESS, b"hello ")
    assert guest.write(creating, b"first ") == (SUCCESS, 6)
    assert guest.call("fd_fdstat_set_flags", 0, NONBLOCK) == SUCCESS
    before = {fd: guest.fdstat(fd) for fd in (0, 1, 2, 3, reading, creating, appending, sub, below)}
    other = move(guest)
    assert {fd: other.fdstat(fd) for fd in before} == before
    assert other.read(reading, 100) == (SUCCESS, b"world")
    assert other.write(reading, b"x") == (BADF, 0)
    assert other.write(creating, b"second") == (SUCCESS, 6)
    assert (tree / "new").read_text() == "first second"
    assert other.seek(appending, 0, 0) == (SUCCESS, 0)
    assert other.write(appending, b"!") == (SUCCESS, 1)
    assert (tree / "dir" / "inner").read_text() == "inner!"
    assert other.read(below, 100) == (SUCCESS, b"inner!")
    assert other.open("sub/far", directory=sub)[0] == PERM
    assert other.open("inner", directory=sub)[0] == SUCCESS
    third = move(other)
    assert third.read(reading, 100) == (SUCCESS, b"")
    assert third.seek(creating, 0, 1) == (SUCCESS, 12)


def test_files_are_found_where_they_were_renamed_to(guest: HarnessGuest, move: Move) -> None:
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.rename("file", "dir/moved") == SUCCESS
    assert guest.rename("dir/inner", "file") == SUCCESS
    assert move(guest).read(fd, 100) == (SUCCESS, b"hello world")


def test_numbers_survive(guest: HarnessGuest, move: Move) -> None:
    low = guest.must_open("file", rights=FD_READ)
    high = guest.must_open("file", rights=FD_READ)
    assert guest.call("fd_close", low) == SUCCESS
    assert guest.call("fd_renumber", 2, 0) == SUCCESS
    other = move(guest)
    assert other.fdstat(2)[0] == BADF
    assert other.fdstat(0) == guest.fdstat(0)
    assert other.must_open("dir/inner") == 2
    assert other.must_open("dir/inner") == low
    assert other.read(high, 5) == (SUCCESS, b"hello")


def test_closed_preopen(guest: HarnessGuest, move: Move) -> None:
    fd = guest.must_open("file", rights=FD_READ)
    sub = guest.must_open("dir", DIRECTORY, rights=FD_READ)
    assert guest.call("fd_renumber", sub, 3) == SUCCESS
    other = move(move(guest))
    assert other.read(fd, 5) == (SUCCESS, b"hello")
    assert other.call("fd_prestat_get", 3, 0x5000) == BADF
    assert other.open("inner", directory=3)[0] == SUCCESS
    assert other.open("file", directory=3)[0] != SUCCESS


def test_reading_a_directory_goes_on(guest: HarnessGuest, move: Move, tree: Path) -> None:
    names = {f"name{index}" for index in range(300)}
    for name in names:
        (tree / "empty" / name).write_text("")
    fd = guest.must_open("empty", DIRECTORY, rights=FD_READ)
    seen: list[str] = []
    cookie = 0
    while True:
        error, entries = guest.readdir(fd, cookie, 500)
        assert error == SUCCESS
        if not entries:
            break
        seen += [entry.name for entry in entries]
        cookie = entries[-1].next
        if len(seen) > 100:
            guest = move(guest)
            (tree / "empty" / seen[-1]).unlink()  # what was read may go
    assert seen[:2] == [".", ".."]
    assert len(seen) == 302
    assert set(seen[2:]) == names
    assert guest.readdir(fd, 0, 24 + 1)[1][0].name == "."


def test_remapped_directory(guest: HarnessGuest, move: Move, tmp_path: Path) -> None:
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.read(fd, 6)[0] == SUCCESS
    elsewhere = make_tree(tmp_path / "elsewhere")
    (elsewhere / "file").write_text("HELLO WORLD")
    other = move(guest, f"{elsewhere}::/d", "allow 1")
    assert other.read(fd, 100) == (SUCCESS, b"WORLD")
    assert move(other).read(fd, 100) == (SUCCESS, b"")


def test_arguments_survive(start: StartGuest, section: Path) -> None:
    guest = start(env={"FOO": "bar"})
    guest.init("-", "program", "argument")
    guest.save(section)
    other = start(env={"FOO": "changed"})
    assert other.say(f"load {section} -") == "ok"
    assert other.call("environ_get", 0x5000, 0x6000) == SUCCESS
    assert other.peek(0x6000, 8) == b"FOO=bar\0"
    assert other.call("args_get", 0x5000, 0x6000) == SUCCESS
    assert other.peek(0x6000, 17) == b"program\0argument\0"


# -- What is missing ---------------------------------------------------------------------------


def test_missing_file(guest: HarnessGuest, start: StartGuest, section: Path, tree: Path) -> None:
    guest.must_open("dir/inner", rights=FD_READ)
    guest.save(section)
    (tree / "dir" / "inner").unlink()
    assert refuse(start, section) == (
        'descriptor 4: cannot open "dir/inner" in the pre-opened directory "/d" '
        f'(the host\'s "{tree}"): no such file or directory'
    )
    (tree / "dir" / "inner").mkdir()
    assert refuse(start, section).endswith("it is now of another type")
    (tree / "dir" / "inner").rmdir()
    (tree / "dir" / "inner").symlink_to("/etc/passwd")
    assert refuse(start, section).endswith(
        "not permitted, or leads out of the pre-opened directory"
    )


CHANGED: Final = (
    "it has changed since the snapshot was written; --allow-changed-files (or "
    "MVVM_ALLOW_CHANGED_FILES=1) goes on with it as it is"
)


def rewrite(path: Path, text: str) -> None:
    """Write a file such that its time tells."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before, before + 1_000_000_000))


@pytest.mark.parametrize("text", ["HELLO WORLD", "hello", "hello world!"])
def test_changed_file(
    guest: HarnessGuest, start: StartGuest, section: Path, tree: Path, text: str
) -> None:
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.read(fd, 3) == (SUCCESS, b"hel")
    guest.save(section)
    rewrite(tree / "file", text)
    assert refuse(start, section).endswith(CHANGED)
    other = start()
    assert other.say("allow 1") == "ok"
    assert other.say(f"load {section} -") == "ok"
    assert other.read(fd, 100) == (SUCCESS, text[3:].encode())


def test_missing_files_are_closed_where_that_is_allowed(
    guest: HarnessGuest,
    move: Move,
    start: StartGuest,
    section: Path,
    tree: Path,
) -> None:
    file, sub = (
        guest.must_open("file", rights=FD_READ),
        guest.must_open("empty", DIRECTORY, FD_READ),
    )
    guest.save(section)
    (tree / "file").unlink()
    (tree / "empty").rmdir()
    other = start()
    assert other.say("allow 1") == "ok"
    assert other.say(f"load {section} -") == "ok"
    for _ in range(2):
        assert other.read(file, 1)[0] == BADF
        assert other.readdir(sub, 0, 100)[0] == BADF
        assert other.open("x", directory=sub)[0] == BADF
        other = move(other, "-", "allow 1")


def test_removed_file(guest: HarnessGuest, move: Move, tree: Path, section: Path) -> None:
    """Contents, position, what is shared and what may be done survive, twice."""
    both = guest.must_open("file", rights=FD_READ | FD_WRITE)
    reading = guest.must_open("file", rights=FD_READ)
    writing = guest.must_open("file", rights=FD_WRITE, fdflags=APPEND)
    other_file = guest.must_open("dir/inner", rights=FD_READ)
    assert guest.unlink("file") == SUCCESS
    (tree / "file").write_text("another file of this name")
    assert guest.read(reading, 6) == (SUCCESS, b"hello ")
    for _ in range(2):
        stats = {fd: guest.fdstat(fd) for fd in (both, reading, writing)}
        guest = move(guest)
        assert {fd: guest.fdstat(fd) for fd in stats} == stats
        first = section.read_bytes()
        guest.save(section)
        assert len(section.read_bytes()) == len(first)
    assert guest.read(reading, 100) == (SUCCESS, b"world")
    assert guest.write(writing, b"!") == (SUCCESS, 1)
    assert guest.read(reading, 100) == (SUCCESS, b"!")
    assert guest.write(both, b"J") == (SUCCESS, 1)
    assert guest.write(reading, b"x")[0] == BADF
    assert guest.seek(reading, 0, 0) == (SUCCESS, 0)
    assert guest.read(reading, 100) == (SUCCESS, b"Jello world!")
    assert guest.read(other_file, 100) == (SUCCESS, b"inner")
    assert (tree / "file").read_text() == "another file of this name"


def test_packed_files(guest: HarnessGuest, move: Move, tree: Path, tmp_path: Path) -> None:
    """With its files, a program goes on where there are none."""
    new = guest.must_open("new", CREAT, FD_READ | FD_WRITE)
    big = bytes(range(256)) * 1000
    assert guest.write(new, big[:60_000]) == (SUCCESS, 60_000)
    with (tree / "new").open("ab") as file:
        file.write(big[60_000:])
    inner = guest.must_open("dir/inner", rights=FD_READ)
    assert guest.read(inner, 2) == (SUCCESS, b"in")
    assert guest.say("pack 1") == "ok"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = move(guest, f"{elsewhere}::/d")
    assert other.read(inner, 100) == (SUCCESS, b"ner")
    assert (elsewhere / "new").read_bytes() == big
    assert other.read(new, 10) == (SUCCESS, big[60_000:60_010])
    assert sorted(path.name for path in elsewhere.rglob("*")) == ["dir", "inner", "new"]
    before = (tree / "dir" / "inner").stat().st_mtime_ns
    os.utime(tree / "dir" / "inner", ns=(before, before + 5))
    assert move(guest).read(inner, 100) == (SUCCESS, b"ner"), "only the time differs"


def test_packed_files_replace_nothing(
    guest: HarnessGuest, start: StartGuest, section: Path, tree: Path
) -> None:
    guest.must_open("file", rights=FD_READ)
    assert guest.say("pack 1") == "ok"
    guest.save(section)
    rewrite(tree / "file", "HELLO WORLD")
    assert refuse(start, section).endswith(CHANGED)
    assert (tree / "file").read_text() == "HELLO WORLD"


def test_standard_input_goes_on(start: StartGuest, section: Path, tmp_path: Path) -> None:
    """A file is read from where it was, and one that is too short is noticed."""
    whole = tmp_path / "input"
    whole.write_bytes(b"0123456789")
    guest = start(stdin=whole.open("rb"))
    assert guest.init() == "ok"
    assert guest.read(0, 4) == (SUCCESS, b"0123")
    guest.save(section)
    other = start(stdin=whole.open("rb"))
    assert other.say(f"load {section} -") == "ok"
    assert other.read(0, 100) == (SUCCESS, b"456789")
    whole.write_bytes(b"012")
    short = start(stdin=whole.open("rb"))
    assert short.say(f"load {section} -").startswith(
        "standard input is a file of 3 bytes, of which 4 had been read"
    )


def test_missing_directory(
    guest: HarnessGuest, start: StartGuest, section: Path, tree: Path
) -> None:
    guest.save(section)
    assert refuse(start, section, "/tmp::/other") == (
        'MVVM_DIRS: the program that was saved has no pre-opened directory "/other"'
    )
    tree.rename(tree.with_name("away"))
    assert refuse(start, section) == (
        f'pre-opened directory "/d": cannot open the host\'s "{tree}": no such file or directory; '
        "give another as --dir HOST::/d or MVVM_DIRS=HOST::/d"
    )


# -- Hostile sections --------------------------------------------------------------------------

NO_FD: Final = 0xFFFF_FFFF


def string(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def row(
    fd: int,
    kind: int,
    filetype: int,
    path: bytes = b"",
    host: bytes = b"",
    base_fd: int = NO_FD,
    flags: int = 0,
    offset: int = 0,
    rights: int = FILE_RIGHTS,
) -> bytes:
    head = struct.pack("<IBBHQQQIQQ", fd, kind, filetype, flags, rights, 0, offset, base_fd, 0, 0)
    return head + string(path) + string(host)


def make_section(*rows: bytes, clocks: bytes | None = None, count: int | None = None) -> bytes:
    times = struct.pack("<QQQBQ", 10, 20, 30, 0, 0) if clocks is None else clocks
    number = len(rows) if count is None else count
    return struct.pack("<II", 0, 0) + times + struct.pack("<I", number) + b"".join(rows)


PREOPEN: Final = row(3, 1, 3, b"/d", b"/")
FILE: Final = row(4, 3, 4, b"f", base_fd=3)
HOSTILE: Final[dict[str, bytes]] = {
    "listener no address": make_section(row(3, 4, 6)),
    "listener's path": make_section(row(3, 4, 6, b"x", b"127.0.0.1:1")),
    "listener's base": make_section(row(3, 4, 6, host=b"127.0.0.1:1", base_fd=0)),
    "listener's address long": make_section(row(3, 4, 6, host=b"1" * 300)),
    "connection's address": make_section(row(3, 5, 6, host=b"127.0.0.1:1")),
    "connection's type": make_section(row(3, 5, 4)),
    "packed none": make_section(PREOPEN, FILE) + struct.pack("<I", 0),
    "packed too many": make_section(PREOPEN, FILE) + struct.pack("<I", 1 << 31),
    "packed no descriptor": make_section(PREOPEN, FILE) + struct.pack("<IIQ", 1, 0, 0),
    "packed twice": make_section(PREOPEN, FILE) + struct.pack("<IIIIQ", 1, 2, 4, 4, 0),
    "packed again": make_section(PREOPEN, FILE) + struct.pack("<IIIQIIQ", 2, 1, 4, 0, 1, 4, 0),
    "packed no file": make_section(PREOPEN, FILE) + struct.pack("<IIIQ", 1, 1, 5, 0),
    "packed directory": make_section(PREOPEN, FILE) + struct.pack("<IIIQ", 1, 1, 3, 0),
    "packed size": make_section(PREOPEN, FILE) + struct.pack("<IIIQ", 1, 1, 4, 1 << 63),
    "packed short": make_section(PREOPEN, FILE) + struct.pack("<IIIQ", 1, 1, 4, 3) + b"ab",
    "packed long": make_section(PREOPEN, FILE) + struct.pack("<IIIQ", 1, 1, 4, 1) + b"ab",
    "no descriptor number": make_section(row(65536, 0, 0, base_fd=0)),
    "hidden file": make_section(row(0x8000_0000, 3, 4, b"f", base_fd=3)),
    "twice": make_section(PREOPEN, PREOPEN),
    "descending": make_section(PREOPEN, row(1, 0, 0, base_fd=1)),
    "kind": make_section(row(3, 4, 4)),
    "free": make_section(row(3, 255, 4)),
    "filetype": make_section(row(0, 0, 8, base_fd=0)),
    "flags": make_section(row(0, 0, 0, base_fd=0, flags=32)),
    "rights": make_section(row(0, 0, 0, base_fd=0, rights=1 << 30)),
    "stream": make_section(row(0, 0, 0, base_fd=3)),
    "stream's path": make_section(row(0, 0, 0, b"x", base_fd=0)),
    "preopen no directory": make_section(row(3, 1, 4, b"/d", b"/")),
    "preopen no name": make_section(row(3, 1, 3, b"", b"/")),
    "preopen no host": make_section(row(3, 1, 3, b"/d", b"")),
    "preopen base": make_section(row(3, 1, 3, b"/d", b"/", base_fd=3)),
    "file no base": make_section(PREOPEN, row(4, 3, 4, b"f")),
    "file based on itself": make_section(PREOPEN, row(4, 3, 4, b"f", base_fd=4)),
    "file based on a stream": make_section(row(0, 0, 0, base_fd=0), row(4, 3, 4, b"f", base_fd=0)),
    "file absolute": make_section(PREOPEN, row(4, 3, 4, b"/etc/passwd", base_fd=3)),
    "file empty": make_section(PREOPEN, row(4, 3, 4, b"", base_fd=3)),
    "file host": make_section(PREOPEN, row(4, 3, 4, b"f", b"/", base_fd=3)),
    "file NUL": make_section(PREOPEN, row(4, 3, 4, b"f\0g", base_fd=3)),
    "file not UTF-8": make_section(PREOPEN, row(4, 3, 4, b"\xff", base_fd=3)),
    "file long": make_section(PREOPEN, row(4, 3, 4, b"a" * 5000, base_fd=3)),
    "file is directory": make_section(PREOPEN, row(4, 3, 3, b"f", base_fd=3)),
    "directory is file": make_section(PREOPEN, row(4, 2, 4, b"f", base_fd=3)),
    "offset": make_section(PREOPEN, row(4, 3, 4, b"f", base_fd=3, offset=1 << 63)),
    "count": make_section(PREOPEN, count=0xFFFF_FFFF),
    "one more": make_section(PREOPEN, count=2),
    "bytes left": make_section(PREOPEN) + b"\0",
    "arguments": struct.pack("<I", 0xFFFF_FFFF) + make_section(),
    "argument's size": struct.pack("<II", 1, 0xFFFF_FFF0) + make_section(),
    "argument's NUL": struct.pack("<II", 1, 1) + b"\0" + make_section()[4:],
    "monotonic": make_section(clocks=struct.pack("<QQQBQ", 1 << 63, 0, 0, 0, 0)),
    "cpu": make_section(clocks=struct.pack("<QQQBQ", 0, 0, 1 << 63, 0, 0)),
    "flag": make_section(clocks=struct.pack("<QQQBQ", 5, 0, 0, 2, 0)),
    "poll in the future": make_section(clocks=struct.pack("<QQQBQ", 5, 0, 0, 1, 6)),
    "no poll": make_section(clocks=struct.pack("<QQQBQ", 5, 0, 0, 0, 3)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_section(start: StartGuest, section: Path, name: str) -> None:
    section.write_bytes(HOSTILE[name])
    assert refuse(start, section) == "bad the WASI section is malformed"


def test_sound_sections(start: StartGuest, section: Path, tree: Path) -> None:
    root = row(0x8000_0007, 1, 3, b"/d", str(tree).encode())
    section.write_bytes(make_section(row(9, 3, 4, b"file", base_fd=0x8000_0007, offset=6), root))
    guest = start()
    assert guest.say("allow 1") == "ok"
    assert guest.say(f"load {section} -") == "ok"
    assert guest.read(9, 100) == (SUCCESS, b"world")
    section.write_bytes(make_section(row(9, 3, 4, b"../secret", base_fd=0x8000_0007), root))
    assert refuse(start, section).endswith(
        "not permitted, or leads out of the pre-opened directory"
    )


def test_truncated_and_damaged(
    guest: HarnessGuest, start: StartGuest, section: Path, tree: Path
) -> None:
    """Every truncation is noticed; a damaged section never breaks the process."""
    guest.must_open("file", rights=FD_READ)
    guest.save(section)
    whole = section.read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 60):
        section.write_bytes(whole[:size])
        assert refuse(start, section) == "bad the WASI section is malformed"
    random_numbers = random.Random(1)
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(random_numbers.randint(1, 4)):
            damaged[random_numbers.randrange(len(damaged))] ^= 1 << random_numbers.randrange(8)
        section.write_bytes(damaged)
        other = start()
        answer = other.say(f"load {section} {tree}::/d")
        if answer == "ok":
            assert other.call("fd_close", 4) in (SUCCESS, BADF)
