"""Rights: what a descriptor may do until its guest gives that up (fd_fdstat_set_rights).

wasmtime has given rights up itself (NOTSUP), so the measure is the specification: bit for bit which
call needs which right. A right that was never asked for is missed for reading and writing only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from .conftest import Move
from .guests import (
    ALL_RIGHTS,
    BADF,
    CREAT,
    DIRECTORY,
    FD_READ,
    FD_WRITE,
    FILE_RIGHTS,
    NOTCAPABLE,
    ROOT,
    SUCCESS,
    TRUNC,
    Guest,
    HarnessGuest,
    fd_subscription,
)

OUT: Final = 0x5000
DATA: Final = 0x6000
DIRECTORY_RIGHTS: Final = 0x0FFFFE98


class Use(NamedTuple):
    """A call that needs rights: on a descriptor of "file" or of the directory "dir"."""

    bits: tuple[int, ...]
    on: str
    call: Callable[[Guest, int], int]


def path_call(name: str, path: str, *, flags: bool = False) -> Callable[[Guest, int], int]:
    """Return a call of a function of a path and nothing else, perhaps with lookup flags."""
    return lambda guest, fd: guest.call(name, fd, *([1] if flags else []), *guest.put_path(path))


def second_path(guest: Guest, name: str, *before: int) -> int:
    """Call a function whose last arguments are the root and a new path."""
    return guest.call(name, *before, ROOT, *guest.put_path("new", 0x3000))


def poll(guest: Guest, fd: int) -> int:
    """Return the event's error."""
    error, events = guest.poll(fd_subscription(1, fd))
    assert error == SUCCESS
    return events[0][1]


USES: Final = {
    "datasync": Use((0,), "file", lambda g, fd: g.call("fd_datasync", fd)),
    "seek": Use((2,), "file", lambda g, fd: g.seek(fd, 1, 1)[0]),
    "pread": Use((2,), "file", lambda g, fd: g.pread(fd, 1, 0)[0]),
    "pwrite": Use((2,), "file", lambda g, fd: g.pwrite(fd, b"x", 0)[0]),
    "set_flags": Use((3,), "file", lambda g, fd: g.call("fd_fdstat_set_flags", fd, 1)),
    "sync": Use((4,), "file", lambda g, fd: g.call("fd_sync", fd)),
    "advise": Use((7,), "file", lambda g, fd: g.call("fd_advise", fd, 0, 1, 0)),
    "allocate": Use((8,), "file", lambda g, fd: g.call("fd_allocate", fd, 0, 1)),
    "filestat": Use((21,), "file", lambda g, fd: g.filestat(fd)[0]),
    "set_size": Use((22,), "file", lambda g, fd: g.call("fd_filestat_set_size", fd, 3)),
    "set_times": Use((23,), "file", lambda g, fd: g.call("fd_filestat_set_times", fd, 1, 1, 5)),
    "poll": Use((27,), "file", poll),
    "create_directory": Use((9,), "dir", path_call("path_create_directory", "new")),
    "create": Use((10, 13), "dir", lambda g, fd: g.open("new", CREAT, FD_WRITE, directory=fd)[0]),
    "link_source": Use(
        (11,), "dir", lambda g, fd: second_path(g, "path_link", fd, 0, *g.put_path("inner"))
    ),
    "link_target": Use(
        (12,),
        "dir",
        lambda g, fd: g.call(
            "path_link", ROOT, 0, *g.put_path("file"), fd, *g.put_path("new", 0x3000)
        ),
    ),
    "open": Use((13,), "dir", lambda g, fd: g.open("inner", directory=fd)[0]),
    "readdir": Use((14,), "dir", lambda g, fd: g.readdir(fd)[0]),
    "readlink": Use(
        (15,),
        "dir",
        lambda g, fd: g.call("path_readlink", fd, *g.put_path("up"), DATA, 99, OUT),
    ),
    "rename_source": Use(
        (16,), "dir", lambda g, fd: second_path(g, "path_rename", fd, *g.put_path("inner"))
    ),
    "rename_target": Use(
        (17,),
        "dir",
        lambda g, fd: g.call(
            "path_rename", ROOT, *g.put_path("file"), fd, *g.put_path("new", 0x3000)
        ),
    ),
    "path_filestat": Use((18,), "dir", lambda g, fd: g.path_filestat("inner", directory=fd)[0]),
    "truncate": Use((13, 19), "dir", lambda g, fd: g.open("inner", TRUNC, directory=fd)[0]),
    "path_set_times": Use(
        (20,),
        "dir",
        lambda g, fd: g.call("path_filestat_set_times", fd, 0, *g.put_path("inner"), 1, 1, 5),
    ),
    "symlink": Use(
        (24,),
        "dir",
        lambda g, fd: g.call("path_symlink", *g.put_path("x"), fd, *g.put_path("new", 0x3000)),
    ),
    "remove_directory": Use((25,), "dir", path_call("path_remove_directory", "empty")),
    "unlink": Use((26,), "dir", path_call("path_unlink_file", "inner")),
}


def opened(guest: Guest, use: Use) -> int:
    """Return a descriptor for a use; the directory has an empty one in it."""
    if use.on == "file":
        return guest.must_open("file", rights=FILE_RIGHTS)
    guest.mkdir("dir/empty")
    return guest.must_open("dir", DIRECTORY, rights=FD_READ)


def give_up(guest: Guest, fd: int, rights: int, inheriting: int = 0) -> None:
    """Give up rights of a descriptor."""
    _, stat = guest.fdstat(fd)
    assert stat is not None
    now = (stat[2] & ~rights, stat[3] & ~inheriting)
    assert guest.call("fd_fdstat_set_rights", fd, *now) == SUCCESS


@pytest.mark.parametrize("name", USES)
def test_each_call_needs_its_rights_and_no_others(
    guest: HarnessGuest, move: Move, name: str
) -> None:
    use = USES[name]
    needed = sum(1 << bit for bit in use.bits)
    fd = opened(guest, use)
    give_up(guest, fd, ALL_RIGHTS & ~needed & ~(FD_READ | FD_WRITE))
    for bit in use.bits:
        other = opened(guest, use)
        give_up(guest, other, 1 << bit)
        assert use.call(guest, other) == NOTCAPABLE
        assert guest.call("fd_close", other) == SUCCESS
    moved = move(guest)
    _, stat = moved.fdstat(fd)
    assert stat is not None and stat[2] & ~(needed | FD_READ | FD_WRITE) == 0
    assert use.call(moved, fd) == SUCCESS


def test_telling_needs_either_right(guest: HarnessGuest) -> None:
    fd = guest.must_open("file")
    give_up(guest, fd, 1 << 5)
    assert guest.call("fd_tell", fd, OUT) == SUCCESS
    give_up(guest, fd, 1 << 2)
    assert guest.call("fd_tell", fd, OUT) == NOTCAPABLE
    other = guest.must_open("file")
    give_up(guest, other, 1 << 2)
    assert guest.seek(other, 0, 1) == (SUCCESS, 0)
    assert guest.seek(other, 0, 0)[0] == NOTCAPABLE


def test_rights_never_come_back(guest: HarnessGuest) -> None:
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.write(fd, b"x")[0] == BADF
    assert guest.call("fd_fdstat_set_rights", fd, FD_READ | FD_WRITE, 0) == NOTCAPABLE
    give_up(guest, fd, FD_READ)
    assert guest.read(fd, 1)[0] == BADF
    assert guest.call("fd_fdstat_set_rights", fd, FD_READ, 0) == NOTCAPABLE
    assert guest.call("fd_fdstat_set_rights", 99, 0, 0) == BADF


def test_what_a_directory_does_not_pass_on(guest: HarnessGuest) -> None:
    give_up(guest, ROOT, 0, inheriting=FD_WRITE | 1 << 22)
    assert guest.open("file", rights=FD_READ | FD_WRITE)[0] == NOTCAPABLE
    assert guest.open("file", rights=FD_READ | 1 << 22)[0] == NOTCAPABLE
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.call("fd_filestat_set_size", fd, 1) == NOTCAPABLE
    sub = guest.must_open("dir", DIRECTORY, rights=FD_READ)
    assert guest.open("inner", rights=FD_WRITE, directory=sub)[0] == NOTCAPABLE
    assert guest.open("inner", rights=FD_READ, directory=sub)[0] == SUCCESS


def test_what_is_not_asked_for_is_allowed_all_the_same(guest: HarnessGuest) -> None:
    """As under wasmtime; asking for less is no promise to do less."""
    fd = guest.must_open("file", rights=FD_READ)
    assert guest.fdstat(fd)[1] == (4, 0, FILE_RIGHTS & ~FD_WRITE, 0)
    assert guest.seek(fd, 1, 0)[0] == SUCCESS
    sub = guest.must_open("dir", DIRECTORY, rights=0)
    assert guest.fdstat(sub)[1] == (3, 0, DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | FILE_RIGHTS)
