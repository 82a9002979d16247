"""Listening sockets and what they accept: calls, waiting, moving."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from .conftest import StartGuest
from .guests import (
    AGAIN,
    BADF,
    FAULT,
    INTERRUPTED,
    INVAL,
    NONBLOCK,
    NOTCAPABLE,
    SUCCESS,
    HarnessGuest,
)

CONNRESET, NOTCONN, NOTSOCK = 15, 53, 57
PEEK, WAITALL = 1, 2
LISTENER: Final = 3
LISTENER_RIGHTS: Final = 0x2820000A
CONNECTION_RIGHTS: Final = 0x1820004A
OUT, IOVEC, DATA = 0x5000, 0x5100, 0x6000


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
        assert isinstance(number, int)
        return number


@pytest.fixture
def server(start: StartGuest, port: int) -> HarnessGuest:
    guest = start()
    assert guest.say(f"listen 127.0.0.1:{port}") == "ok"
    assert guest.init() == "ok"
    return guest


@pytest.fixture
def client(server: HarnessGuest, port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        yield connected


def accept(guest: HarnessGuest, flags: int = 0, fd: int = LISTENER) -> int:
    assert guest.call("sock_accept", fd, flags, OUT) == SUCCESS
    return guest.u32(OUT)


def receive(guest: HarnessGuest, fd: int, size: int, flags: int = 0) -> tuple[int, bytes]:
    """Receive into two buffers."""
    half = size // 2
    guest.poke(IOVEC, struct.pack("<IIII", DATA, half, DATA + half, size - half))
    error = guest.call("sock_recv", fd, IOVEC, 2, flags, OUT, OUT + 8)
    return error, guest.peek(DATA, guest.u32(OUT)) if error == SUCCESS else b""


def send(guest: HarnessGuest, fd: int, data: bytes, flags: int = 0) -> tuple[int, int]:
    guest.poke(DATA, data)
    guest.poke(IOVEC, struct.pack("<II", DATA, len(data)))
    error = guest.call("sock_send", fd, IOVEC, 1, flags, OUT)
    return error, guest.u32(OUT) if error == SUCCESS else 0


def poll_read(guest: HarnessGuest, fd: int, timeout_ns: int) -> list[tuple[int, int, int]]:
    """Wait for a descriptor or a time; return (user data, errno, flags) of each event."""
    guest.poke(0x7000, struct.pack("<QB7xI28x", 7, 1, fd))
    guest.poke(0x7030, struct.pack("<QB7xI4xQQH6x", 8, 0, 1, timeout_ns, 0, 0))
    assert guest.call("poll_oneoff", 0x7000, 0x7800, 2, OUT) == SUCCESS
    events = []
    for index in range(guest.u32(OUT)):
        fields = struct.unpack("<QHB5xQH6x", guest.peek(0x7800 + 32 * index, 32))
        events.append((fields[0], fields[1], fields[4]))
    return events


def test_a_conversation(server: HarnessGuest, client: socket.socket) -> None:
    fd = accept(server)
    assert fd != LISTENER
    client.sendall(b"hello world")
    assert receive(server, fd, 5, PEEK) == (SUCCESS, b"hello")
    assert receive(server, fd, 6) == (SUCCESS, b"hello ")
    assert server.read(fd, 100) == (SUCCESS, b"world")
    assert send(server, fd, b"good ") == (SUCCESS, 5)
    assert server.write(fd, b"bye") == (SUCCESS, 3)
    assert server.call("sock_shutdown", fd, 2) == SUCCESS
    received = b""
    while part := client.recv(100):
        received += part
    assert received == b"good bye"
    client.close()
    assert receive(server, fd, 10) == (SUCCESS, b"")
    assert server.call("fd_close", fd) == SUCCESS
    assert receive(server, fd, 10)[0] == BADF


def test_nothing_is_read_from_a_listening_socket(server: HarnessGuest) -> None:
    assert server.read(LISTENER, 5) == (NOTCONN, b"")
    assert receive(server, LISTENER, 5) == (NOTCONN, b"")
    assert server.write(LISTENER, b"x") == (BADF, 0)
    assert send(server, LISTENER, b"x") == (NOTCONN, 0)


def test_waiting_for_all(server: HarnessGuest, client: socket.socket) -> None:
    fd = accept(server)
    client.sendall(b"abc")
    server.poke(IOVEC, struct.pack("<II", DATA, 6))
    server.send(f"call wasi_snapshot_preview1 sock_recv {fd} {IOVEC} 1 {WAITALL} {OUT} {OUT + 8}")
    time.sleep(0.1)
    client.sendall(b"defgh")
    assert server.answer() == "0"
    assert server.peek(DATA, server.u32(OUT)) == b"abcdef"


def test_ready_and_not(server: HarnessGuest, port: int) -> None:
    assert server.call("fd_fdstat_set_flags", LISTENER, NONBLOCK) == SUCCESS
    assert server.call("sock_accept", LISTENER, 0, OUT) == AGAIN
    assert poll_read(server, LISTENER, 1000) == [(8, 0, 0)]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        assert poll_read(server, LISTENER, 10**10) == [(7, 0, 0)]
        fd = accept(server, NONBLOCK)
        assert receive(server, fd, 4)[0] == AGAIN
        assert server.fdstat(fd)[1] == (6, NONBLOCK, CONNECTION_RIGHTS, 0)
        client.sendall(b"now")
        assert poll_read(server, fd, 10**10) == [(7, 0, 0)]
        assert receive(server, fd, 4) == (SUCCESS, b"now")


def test_a_checkpoint_interrupts_waiting(
    server: HarnessGuest, port: int, start: StartGuest, tmp_path: Path
) -> None:
    assert server.say("request 50") == "ok"
    assert server.call("sock_accept", LISTENER, 0, OUT) == INTERRUPTED
    server.save(tmp_path / "section")
    assert server.call("fd_close", LISTENER) == SUCCESS
    other = start()
    assert other.say(f"load {tmp_path / 'section'} -") == "ok"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        fd = accept(other)
        other.say("request 50")
        assert receive(other, fd, 4)[0] == INTERRUPTED
        other.say("clear")
        client.sendall(b"later")
        assert receive(other, fd, 100) == (SUCCESS, b"later")


def test_errors(server: HarnessGuest, client: socket.socket) -> None:
    fd = accept(server)
    assert server.call("sock_accept", 77, 0, OUT) == BADF
    assert server.call("sock_accept", fd, 0, OUT) == INVAL
    assert server.call("sock_accept", LISTENER, 1, OUT) == INVAL
    assert server.call("sock_accept", LISTENER, 0, 0xFFFF_FFF0) == FAULT
    assert receive(server, LISTENER, 4)[0] == NOTCONN
    assert send(server, LISTENER, b"x")[0] == NOTCONN
    assert receive(server, fd, 4, 4)[0] == INVAL
    assert send(server, fd, b"x", 1)[0] == INVAL
    assert server.call("sock_shutdown", fd, 0) == INVAL
    assert server.call("sock_shutdown", fd, 4) == INVAL
    assert server.call("sock_shutdown", LISTENER, 1) == NOTCONN
    assert server.call("sock_recv", fd, IOVEC, 1, 0, 0xFFFF_FFF0, OUT) == FAULT
    assert server.call("sock_recv", fd, 0xFFFF_FFF0, 1, 0, OUT, OUT) == FAULT
    assert server.call("fd_prestat_get", LISTENER, OUT) == BADF
    assert server.call("fd_fdstat_set_rights", fd, 1 << 1, 0) == SUCCESS
    assert send(server, fd, b"x")[0] == NOTCAPABLE
    assert server.call("sock_shutdown", fd, 1) == NOTCAPABLE


def test_other_descriptors_are_no_sockets(guest: HarnessGuest) -> None:
    file = guest.must_open("file")
    for fd in (3, file):
        assert guest.call("sock_accept", fd, 0, OUT) == NOTSOCK
        assert receive(guest, fd, 4)[0] == NOTSOCK
        assert send(guest, fd, b"x")[0] == NOTSOCK
        assert guest.call("sock_shutdown", fd, 1) == NOTSOCK


def test_a_connection_is_reset_by_a_move(
    server: HarnessGuest, client: socket.socket, start: StartGuest, tmp_path: Path
) -> None:
    fd = accept(server)
    section = tmp_path / "section"
    server.save(section)
    assert server.call("fd_close", LISTENER) == SUCCESS
    other = start()
    assert other.say(f"load {section} -") == "ok"
    assert other.fdstat(fd) == server.fdstat(fd)
    for _ in range(2):
        assert receive(other, fd, 4)[0] == CONNRESET
        assert send(other, fd, b"x")[0] == CONNRESET
        assert other.read(fd, 4)[0] == CONNRESET
        assert other.write(fd, b"x")[0] == CONNRESET
        assert other.call("sock_shutdown", fd, 1) == NOTCONN
        assert poll_read(other, fd, 10**10) == [(7, 0, 1)]
        other.save(section)
        assert other.call("fd_close", LISTENER) == SUCCESS
        other = start()
        assert other.say(f"load {section} -") == "ok"
    assert other.call("fd_close", fd) == SUCCESS


def test_a_connection_that_must_not_be_lost(
    server: HarnessGuest, client: socket.socket, tmp_path: Path
) -> None:
    assert server.say("refuse 1") == "ok"
    assert server.say(f"save {tmp_path / 'section'}") == "ok"
    fd = accept(server)
    assert server.say(f"save {tmp_path / 'section'}") == (
        f"descriptor {fd} is a connection, which cannot move "
        "(--on-socket reset would end it at the resume)"
    )
    assert server.call("fd_close", fd) == SUCCESS
    assert server.say(f"save {tmp_path / 'section'}") == "ok"


def test_another_address(
    server: HarnessGuest, port: int, start: StartGuest, tmp_path: Path
) -> None:
    section = tmp_path / "section"
    server.save(section)
    refused = start().say(f"load {section} -")
    assert refused.startswith(f'cannot listen at "127.0.0.1:{port}": the address is in use')
    other = start()
    assert other.say("listen [::1]:0") == "ok"
    assert other.say(f"load {section} -") == "ok"
    many = start()
    assert many.say("listen 127.0.0.1:0;127.0.0.1:0") == "ok"
    assert many.say(f"load {section} -") == (
        "MVVM_LISTEN: more addresses than the program that was saved has listening sockets: "
        '"127.0.0.1:0"'
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("8080", "not HOST:PORT"),
        (":80", "not HOST:PORT"),
        ("127.0.0.1:x", "not HOST:PORT"),
        ("127.0.0.1:65536", "not HOST:PORT"),
        ("localhost:80", "the host must be a numeric address"),
        ("192.0.2.1:80", "no such address here"),
        ("1" * 300 + ":80", "not HOST:PORT"),
    ],
)
def test_bad_addresses(start: StartGuest, address: str, message: str) -> None:
    guest = start()
    assert guest.say(f"listen {address}") == "ok"
    answer = guest.init()
    assert answer.startswith(f'cannot listen at "{address[:255]}": {message}')


def test_directories_come_first(start: StartGuest, tree: Path) -> None:
    guest = start()
    assert guest.say("listen 127.0.0.1:0;[::1]:0") == "ok"
    assert guest.init(f"{tree}::/d") == "ok"
    assert guest.call("fd_prestat_get", 3, OUT) == SUCCESS
    for fd in (4, 5):
        assert guest.fdstat(fd)[1] == (6, 0, LISTENER_RIGHTS, CONNECTION_RIGHTS)


@pytest.mark.parametrize(("number", "status"), [(1, -1), (6, -6), (9, -9), (10, -10), (15, -15)])
def test_raised_signals_end_the_process(harness: Path, number: int, status: int) -> None:
    guest = HarnessGuest([str(harness)])
    assert guest.init() == "ok"
    guest.send(f"call wasi_snapshot_preview1 proc_raise {number}")
    guest.process.communicate(timeout=10)
    assert guest.process.returncode == status


def test_signals_that_do_nothing(guest: HarnessGuest) -> None:
    for number in (0, 16, 17, 22, 27):
        assert guest.call("proc_raise", number) == SUCCESS
    assert guest.call("proc_raise", 31) == INVAL
