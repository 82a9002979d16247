"""A server moves between ISAs: while it waits for a client, and in the middle of a conversation."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import mvvm_aot
from mvvm_aot.abi import EXIT_CHECKPOINTED
from tests.migrate.test_moves import wait_until_ready
from tests.programs.build import compile_c
from tests.programs.catalog import C_FLAGS
from tests.programs.native import ISAS, TIME_LIMIT, other_isa

SOURCE: Final = Path(__file__).parents[1] / "programs" / "server.c"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("server") / "server.wasm"
    return compile_c([SOURCE], out, C_FLAGS, "wasm32-wasi")


Start = Callable[[mvvm_aot.Command], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts programs, none of which outlives the test."""
    processes = []

    def start_one(command: mvvm_aot.Command) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command.argv,
            executable=command.program,
            env=dict(command.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        wait_until_ready(process)
        return process

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def talk(client: socket.socket, line: bytes) -> bytes:
    client.sendall(line)
    return client.recv(300)


def connect(port: int) -> socket.socket:
    """Connect, waiting until somebody listens: a program that resumes does so a little later."""
    deadline = time.monotonic() + TIME_LIMIT
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def stop(process: subprocess.Popen[bytes]) -> bytes:
    process.send_signal(signal.SIGUSR1)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == EXIT_CHECKPOINTED, errors.decode()
    return output


@pytest.mark.parametrize("isa", ISAS)
def test_a_server_moves(server: Path, start: Start, isa: str, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    snap = tmp_path / "server.snap"
    options = {"listen": [f"localhost:{port}"], "snapshot": snap, "opt_level": 1}
    process = start(mvvm_aot.prepare_run(server, target=isa, **options))
    assert process.stdout is not None and process.stdout.readline() == b"listening\n"
    with connect(port) as client:
        assert talk(client, b"a\n") == b"1 0 a\n"
    with connect(port) as client:
        assert talk(client, b"b\n") == b"2 0 b\n"
    for _ in range(2):
        assert process.stdout.readline() == b"closed\n"
    stop(process)  # while it waits for a third one
    for hop in range(2):
        there = other_isa(isa) if hop == 0 else isa
        process = start(
            mvvm_aot.prepare_resume(snap, target=there, next_snapshot=snap, opt_level=1)
        )
        client = connect(port)
        # A move while it serves a client: the client and the guest see a reset connection.
        assert talk(client, b"c\n") == f"{3 + hop} {hop} c\n".encode()
        assert stop(process) == b"closed\n" * hop  # of the move before
        assert client.recv(10) == b""
        client.close()
    process = start(
        mvvm_aot.prepare_resume(snap, target=other_isa(isa), on_socket="refuse", opt_level=1)
    )
    with connect(port) as client:
        assert talk(client, b"d\n") == b"5 2 d\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        assert b"is a connection, which cannot move" in process.stderr.readline()
        assert talk(client, b"quit\n") == b"6 2 quit\n"
    assert process.wait(30) == 0
