"""Streams that block, sleeps, polls, and checkpoints meanwhile: nothing is lost or done twice."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import StartGuest
from .guests import (
    AGAIN,
    BADF,
    FAULT,
    FD_READ,
    FD_WRITE,
    INTERRUPTED,
    INVAL,
    NONBLOCK,
    NOTSUP,
    PIPE,
    SPIPE,
    SUCCESS,
    UNSTABLE,
    HarnessGuest,
    clock_subscription,
    fd_subscription,
)

MS = 1_000_000


def now(guest: HarnessGuest, clock: int = 1) -> int:
    assert guest.call("clock_time_get", clock, 0, 0x5000) == SUCCESS
    return guest.u64(0x5000)


@pytest.fixture
def piped(start: StartGuest) -> tuple[HarnessGuest, int, int]:
    """Return a guest with pipes as standard input and output, and our ends of them."""
    stdin, to_guest = os.pipe()
    from_guest, stdout = os.pipe()
    guest = start(stdin=stdin, stdout=stdout)
    os.close(stdin)
    os.close(stdout)
    assert guest.init() == "ok"
    return guest, to_guest, from_guest


def test_read_waits_for_input(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, to_guest, _ = piped
    threading.Timer(0.1, lambda: os.write(to_guest, b"late")).start()
    assert guest.read(0, 2, 100) == (SUCCESS, b"late")
    os.close(to_guest)
    assert guest.read(0, 10) == (SUCCESS, b"")


@pytest.mark.parametrize("milliseconds", [0, 100])
def test_interrupted_read_loses_nothing(
    piped: tuple[HarnessGuest, int, int], milliseconds: int
) -> None:
    guest, to_guest, _ = piped
    guest.say(f"request {milliseconds}")
    assert guest.read(0, 10) == (INTERRUPTED, b"")
    os.write(to_guest, b"input")
    guest.say("clear")
    assert guest.read(0, 3) == (SUCCESS, b"inp")
    assert guest.read(0, 3) == (SUCCESS, b"ut")


def test_long_write_is_complete(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, _, from_guest = piped
    data = os.urandom(0x1_A000)
    guest.poke(0x6000, data)
    guest.poke(0x5100, struct.pack("<6I", 0x6000, 5, 0x6005, 0x1_0000, 0x1_6005, 0x9FFB))
    guest.send("call wasi_snapshot_preview1 fd_write 1 20736 3 20480")  # more than a pipe takes
    received = b""
    while len(received) < len(data):
        received += os.read(from_guest, 1000)
    assert guest.answer() == "0"
    assert guest.u32(0x5000) == len(data)
    assert received == data


def test_interrupted_write_counts_what_was_written(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, _, from_guest = piped
    data = os.urandom(0x1_A000)
    guest.poke(0x6000, data)
    guest.poke(0x5100, struct.pack("<2I", 0x6000, len(data)))
    guest.say("request 100")
    assert guest.call("fd_write", 1, 0x5100, 1, 0x5000) == SUCCESS
    written = guest.u32(0x5000)
    assert 0 < written < len(data)
    guest.poke(0x5100, struct.pack("<2I", 0x6000 + written, len(data) - written))
    assert guest.call("fd_write", 1, 0x5100, 1, 0x5000) == INTERRUPTED  # the pipe is still full
    guest.say("clear")
    received = b""
    guest.send("call wasi_snapshot_preview1 fd_write 1 20736 1 20480")
    while len(received) < len(data):
        received += os.read(from_guest, 5000)
    assert guest.answer() == "0"
    assert received == data


def test_writing_to_nobody_is_an_error(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, _, from_guest = piped
    os.close(from_guest)
    assert guest.write(1, b"x") == (PIPE, 0)


def test_nonblocking_streams(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, to_guest, _ = piped
    for stream in (0, 1):
        assert guest.call("fd_fdstat_set_flags", stream, NONBLOCK) == SUCCESS
    assert guest.read(0, 10) == (AGAIN, b"")
    os.write(to_guest, b"x")
    assert guest.read(0, 10) == (SUCCESS, b"x")
    assert guest.read(0) == (SUCCESS, b"")
    total = 0
    while (answer := guest.write(1, bytes(0x1000)))[0] == SUCCESS:
        total += answer[1]
    assert answer == (AGAIN, 0)
    assert total == 0x1_0000
    assert os.get_blocking(to_guest), "the guest's flag must not reach the host's description"


def test_faults_come_before_output(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, _, from_guest = piped
    guest.poke(0x5100, struct.pack("<4I", 0x6000, 4, 0x1_FFFF, 2))
    assert guest.call("fd_write", 1, 0x5100, 2, 0x5000) == FAULT
    assert guest.call("fd_write", 1, 0x5100, 1, 0x1_FFFD) == FAULT
    assert guest.call("fd_write", 1, 0x1_FFFC, 1, 0x5000) == FAULT
    assert guest.call("fd_write", 1, 0xFFFF_FFFF, 1, 0x5000) == FAULT
    assert guest.call("fd_write", 1, 0x5100, 0xFFFF_FFFF, 0x5000) == INVAL
    assert guest.write(1, b"only this") == (SUCCESS, 9)
    assert os.read(from_guest, 100) == b"only this"


def test_pipes_have_no_position(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, _, _ = piped
    assert guest.seek(0, 0, 1)[0] == SPIPE
    assert guest.pread(0, 1, 0)[0] == SPIPE
    assert guest.pwrite(1, b"x", 0)[0] == SPIPE
    assert guest.fdstat(0)[1] == (0, 0, 0x0820004A, 0)


def test_named_pipes(start: StartGuest, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    guest = start()
    guest.init(f"{tmp_path}::/d")
    guest.say("request 100")
    assert guest.open("fifo", rights=FD_WRITE)[0] == INTERRUPTED  # nobody reads yet
    guest.say("clear")
    reader = guest.must_open("fifo", rights=FD_READ)
    writer = guest.must_open("fifo", rights=FD_WRITE)
    assert guest.write(writer, b"through") == (SUCCESS, 7)
    assert guest.read(reader, 100) == (SUCCESS, b"through")
    guest.say("request 50")
    assert guest.read(reader, 1)[0] == INTERRUPTED
    guest.say("clear")
    assert guest.call("fd_close", writer) == SUCCESS
    assert guest.read(reader, 1) == (SUCCESS, b"")


# -- poll_oneoff -------------------------------------------------------------------------------


def test_sleep(guest: HarnessGuest) -> None:
    before = now(guest)
    assert guest.poll(clock_subscription(7, 1, 50 * MS)) == (SUCCESS, [(7, 0, 0, 0, 0)])
    assert 50 * MS <= now(guest) - before < 1000 * MS
    deadline = now(guest) + 50 * MS
    assert guest.poll(clock_subscription(8, 1, deadline, True))[1] == [(8, 0, 0, 0, 0)]
    assert now(guest) >= deadline
    real = now(guest, 0) + 50 * MS
    assert guest.poll(clock_subscription(9, 0, real, True))[1] == [(9, 0, 0, 0, 0)]
    assert now(guest, 0) >= real


def test_interrupted_sleep_goes_on(guest: HarnessGuest) -> None:
    before = now(guest)
    sleeps = (clock_subscription(1, 1, 2000 * MS), clock_subscription(2, 1, 9000 * MS))
    for _ in range(3):
        guest.say("request 500")
        assert guest.poll(*sleeps)[0] == INTERRUPTED
        guest.say("clear")
    assert guest.poll(*sleeps) == (SUCCESS, [(1, 0, 0, 0, 0)])
    assert 2000 * MS <= now(guest) - before < 3400 * MS  # from anew: 3500
    before = now(guest)  # a new sleep counts anew
    assert guest.poll(clock_subscription(1, 1, 100 * MS))[0] == SUCCESS
    assert now(guest) - before >= 100 * MS


def test_interrupted_sleep_goes_on_in_another_process(
    guest: HarnessGuest, start: StartGuest, tree: Path, tmp_path: Path
) -> None:
    started = now(guest)
    guest.say("request 1000")
    assert guest.poll(clock_subscription(1, 1, 2000 * MS))[0] == INTERRUPTED
    saved = now(guest)
    guest.save(tmp_path / "section")
    time.sleep(2)  # time between the processes does not count
    other = start()
    assert other.say(f"load {tmp_path / 'section'} -") == "ok"
    assert 0 <= now(other) - saved < 1900 * MS
    assert other.poll(clock_subscription(1, 1, 2000 * MS)) == (SUCCESS, [(1, 0, 0, 0, 0)])
    assert 2000 * MS <= now(other) - started < 2900 * MS
    assert now(other, 2) >= 0


def test_poll_descriptors(piped: tuple[HarnessGuest, int, int]) -> None:
    guest, to_guest, _ = piped
    both = (fd_subscription(1, 0), fd_subscription(2, 1, writing=True))
    assert guest.poll(*both) == (SUCCESS, [(2, 0, 2, 1, 0)])
    os.write(to_guest, b"12345")
    assert guest.poll(*both) == (SUCCESS, [(1, 0, 1, 5, 0), (2, 0, 2, 1, 0)])
    assert guest.read(0, 5)[0] == SUCCESS
    assert guest.poll(fd_subscription(1, 0), clock_subscription(3, 1, 20 * MS)) == (
        SUCCESS,
        [(3, 0, 0, 0, 0)],
    )
    guest.say("request 50")
    assert guest.poll(fd_subscription(1, 0))[0] == INTERRUPTED
    guest.say("clear")
    threading.Timer(0.1, lambda: os.close(to_guest)).start()
    assert guest.poll(fd_subscription(1, 0)) == (SUCCESS, [(1, 0, 1, 0, 1)])


def test_poll_errors(guest: HarnessGuest) -> None:
    assert guest.poll()[0] == INVAL
    assert guest.poll(fd_subscription(1, 99), fd_subscription(2, 0)) == (
        SUCCESS,
        [(1, BADF, 1, 0, 0), (2, 0, 1, 0, 0)],
    )
    assert guest.poll(clock_subscription(3, 2, 0)) == (SUCCESS, [(3, NOTSUP, 0, 0, 0)])
    assert guest.poll(clock_subscription(3, 9, 0)) == (SUCCESS, [(3, INVAL, 0, 0, 0)])
    assert guest.poll(struct.pack("<QB39x", 1, 3))[0] == INVAL
    assert guest.call("poll_oneoff", 0x6000, 0x7000, 0xFFFF_FFFF, 0x5000) == INVAL
    assert guest.call("poll_oneoff", 0x1_FFE0, 0x7000, 1, 0x5000) == FAULT
    assert guest.call("poll_oneoff", 0x6000, 0x1_FFF0, 1, 0x5000) == FAULT
    assert guest.call("poll_oneoff", 0x6000, 0x7000, 1, 0x1_FFFE) == FAULT


def test_poll_sockets(start: StartGuest) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        guest = start(stdin=theirs.fileno())
        guest.init()
        ours.send(b"abc")
        assert guest.poll(fd_subscription(1, 0)) == (SUCCESS, [(1, 0, 1, 3, 0)])
        assert guest.read(0, 10) == (SUCCESS, b"abc")


# -- Clocks, and what does not wait ------------------------------------------------------------


def test_clocks(guest: HarnessGuest) -> None:
    assert abs(now(guest, 0) - time.time_ns()) < 1000 * MS
    assert now(guest, 1) <= now(guest, 1)
    assert now(guest, 2) <= now(guest, 3)
    for clock in range(4):
        assert guest.call("clock_res_get", clock, 0x5000) == SUCCESS
        assert 0 < guest.u64(0x5000) <= 1000 * MS
    assert guest.call("clock_time_get", 4, 0, 0x5000) == INVAL
    assert guest.call("clock_res_get", 4, 0x5000) == INVAL
    assert guest.call("clock_time_get", 0, 0, 0x1_FFF9) == FAULT


def test_random(guest: HarnessGuest) -> None:
    assert guest.call("random_get", 0x6000, 1000) == SUCCESS
    assert len(set(guest.peek(0x6000, 1000))) > 200
    assert guest.peek(0x6000 + 1000, 8) == bytes(8)
    assert guest.call("random_get", 0x1_FFFF, 2) == FAULT
    assert guest.call("random_get", 0x2_0000, 0) == SUCCESS


def test_exit(harness: Path) -> None:
    guest = HarnessGuest([str(harness)])
    guest.init()
    assert guest.say("call wasi_snapshot_preview1 proc_exit 0x1234") == "exit 52"
    guest.commands.close()
    guest.answers.close()
    _, messages = guest.process.communicate(timeout=10)
    assert (guest.process.returncode, messages) == (52, b"")


def test_arguments_and_environment(start: StartGuest) -> None:
    guest = start(env={"FOO": "bar", "MVVM_DIRS": "no", "EMPTY": ""})
    guest.init("-", "program", "argument")
    for name, strings in {
        "args": [b"program\0", b"argument\0"],
        "environ": [b"FOO=bar\0", b"EMPTY=\0"],
    }.items():
        total = len(b"".join(strings))
        assert guest.call(f"{name}_sizes_get", 0x5000, 0x5004) == SUCCESS
        assert (guest.u32(0x5000), guest.u32(0x5004)) == (2, total)
        assert guest.call(f"{name}_get", 0x5000, 0x6000) == SUCCESS
        assert guest.peek(0x6000, total) == b"".join(strings)
        assert (guest.u32(0x5000), guest.u32(0x5004)) == (0x6000, 0x6000 + len(strings[0]))
        assert guest.call(f"{name}_get", 0x1_FFFC, 0x6000) == FAULT
        assert guest.call(f"{name}_get", 0x5000, 0x1_FFFA) == FAULT


# -- wasi_unstable -----------------------------------------------------------------------------


def test_unstable_layouts(guest: HarnessGuest) -> None:
    fd = guest.must_open("file")
    call: Callable[..., int] = guest.call
    for whence, position in ((2, 3), (0, 6), (1, 14)):  # set, current, end
        assert call("fd_seek", fd, 3, whence, 0x5000, module=UNSTABLE) == SUCCESS
        assert guest.u64(0x5000) == position
    assert call("fd_seek", fd, 3, 3, 0x5000, module=UNSTABLE) == INVAL
    where = guest.put_path("file")
    for name, args in {"fd_filestat_get": (fd,), "path_filestat_get": (3, 0, *where)}.items():
        assert call(name, *args, 0x6000, module=UNSTABLE) == SUCCESS
        _, _, filetype, links, size = struct.unpack("<QQB3xIQ", guest.peek(0x6000, 32))
        assert (filetype, links, size) == (4, 1, 11)
        guest.poke(0x6000, bytes(32))
    subscription = struct.pack("<QB7xQI4xQQH6x", 5, 0, 77, 1, 20 * MS, 0, 0)
    guest.poke(0x6000, subscription)
    before = now(guest)
    assert call("poll_oneoff", 0x6000, 0x7000, 1, 0x5000, module=UNSTABLE) == SUCCESS
    assert now(guest) - before >= 20 * MS
    assert guest.peek(0x7000, 11) == struct.pack("<QHB", 5, 0, 0)
    assert guest.say("call wasi_unstable sock_accept 1 1 1") == "no such function"


def test_closed_streams_are_not_given_to_files(harness: Path, tree: Path) -> None:
    script = f'exec {harness} "$@" <&- >&-'
    with HarnessGuest(["sh", "-c", script, "sh"], stdin=subprocess.DEVNULL) as guest:
        assert guest.init(f"{tree}::/d") == "ok"
        assert guest.fdstat(0)[0] == BADF
        assert guest.fdstat(1)[0] == BADF
        assert guest.fdstat(2)[0] == SUCCESS
        assert guest.open("file") == (SUCCESS, 0)  # the guest's number, not the host's
        assert guest.read(0, 100) == (SUCCESS, b"hello world")
