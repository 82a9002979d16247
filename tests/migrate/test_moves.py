"""Journeys: chains of moves, signals at random moments, waiting programs, traps at the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.process import takes_requests
from tests.migrate.harness import POISON, Moment, Mover, difference
from tests.programs.build import compile_c
from tests.programs.catalog import C_FLAGS, LONG, PROGRAMS, Program
from tests.programs.native import ISAS, TIME_LIMIT, Builder, Variant, other_isa, spawn

MOVES: Final = 10
BY_NAME: Final = {program.name: program for program in PROGRAMS}
CHAINED: Final = (
    *("recursion", "mutual", "locals200", "params", "vectors", "callbacks", "stdio", "machine"),
    *("sorts", "interpreter", "trap-memory", "operands", "multivalue", "extremes"),
    *("globals", "sieve"),
)


@pytest.mark.parametrize("name", CHAINED)
def test_ten_moves(builder: Builder, name: str, tmp_path: Path) -> None:
    """Ten moves, alternating, with a tenth of the points between two of them."""
    mover = Mover(builder, BY_NAME[name], tmp_path)
    there = mover.stay("x86_64")
    step = there.leaves // (MOVES + 1)
    assert step > 0
    isa = "x86_64"
    moment, part = mover.stop_at(isa, step)
    output = part.stdout
    for number in range(1, MOVES):
        isa = other_isa(isa)
        path = tmp_path / f"hop-{number}.snap"
        part, _ = mover.resume(moment, isa, MVVM_TEST_LEAVE_AT=str(step), MVVM_SNAPSHOT=str(path))
        assert part.status == EXIT_CHECKPOINTED, (number, part)
        output += part.stdout
        moment = Moment(number, path, 0, 0)
    rest, memory = mover.resume(moment, other_isa(isa))
    found = difference(mover.program, there, output, rest, memory)
    assert not found, found


@dataclass
class Journey:
    """A program that is stopped by signals: output so far, and the next process's environment."""

    folder: Path
    program: Program
    executables: dict[str, Path]
    dirs: str = ""
    stdin: int = subprocess.DEVNULL
    restore: Path | None = None
    output: bytes = b""
    errors: str = ""
    hops: int = 0

    def start(self, isa: str) -> subprocess.Popen[bytes]:
        """Start, or go on, on an ISA."""
        variables = {
            "MVVM_SNAPSHOT": str(self.folder / f"hop-{self.hops}.snap"),
            "MVVM_DIRS": self.dirs,
            "MVVM_ALLOW_CHANGED_FILES": "0",  # nobody else writes to them
            **POISON,
        }
        if self.restore is not None:
            variables["MVVM_RESTORE"] = str(self.restore)
        return spawn(
            self.executables[isa],
            isa,
            self.program,
            variables,
            stdin=self.stdin,
            stdout=subprocess.PIPE,
        )

    def end(self, process: subprocess.Popen[bytes], already: bytes = b"") -> int:
        """Wait for a process and keep what it said."""
        out, errors = process.communicate(timeout=TIME_LIMIT)
        self.output += already + out
        self.errors = errors.decode(errors="replace")
        return process.returncode

    def stop(self, process: subprocess.Popen[bytes], already: bytes = b"") -> bool:
        """Ask for a checkpoint; return False if the program had ended by itself before."""
        process.send_signal(signal.SIGUSR1)
        status = self.end(process, already)
        if status == 0:
            return False
        assert status == EXIT_CHECKPOINTED, (status, self.errors)
        self.restore = self.folder / f"hop-{self.hops}.snap"
        self.hops += 1
        return True


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait until SIGUSR1 asks a process for a checkpoint; before that, it would end it."""
    deadline = time.monotonic() + TIME_LIMIT
    while not takes_requests(process.pid) and process.poll() is None:
        assert time.monotonic() < deadline, "the program does not start up"
        time.sleep(0.002)


def journey(
    builder: Builder,
    program: Program,
    folder: Path,
    wasm: Path | None = None,
    *,
    opt_level: int = 2,
    dirs: str = "",
) -> Journey:
    """Return a journey that has not begun."""
    module = wasm or builder.module(program)
    variants = {isa: Variant(isa, opt_level) for isa in ISAS}
    builder.order(module, variants.values())
    executables = {isa: builder.executable(module, variant) for isa, variant in variants.items()}
    return Journey(folder, program, executables, dirs)


def travel(trip: Journey, moves: int, pauses: Callable[[], float]) -> int:
    """Stop after `pauses`, `moves` times, alternating; return the last status."""
    isa = "x86_64"
    for _ in range(moves):
        process = trip.start(isa)
        wait_until_ready(process)
        time.sleep(pauses())
        if not trip.stop(process):
            return 0
        isa = other_isa(isa)
    return trip.end(trip.start(isa))


def unmoved(trip: Journey) -> bytes:
    """Return the output of a run that stays on x86-64."""
    stay = Journey(trip.folder, trip.program, trip.executables, trip.dirs)
    assert stay.end(stay.start("x86_64")) == 0, stay.errors
    return stay.output


def move_at_random(trip: Journey, moves: int, seed: int) -> bytes:
    """Stop at random moments, `moves` times; return the output of a run that never moved.

    The pauses are such that the program cannot end before, however fast the machine.
    """
    begin = time.monotonic()
    wanted = unmoved(trip)
    longest = (time.monotonic() - begin) / moves
    chance = random.Random(seed)
    status = travel(trip, moves, lambda: chance.uniform(0, longest))
    assert status == 0, trip.errors
    assert trip.hops == moves
    return wanted


def test_signals_at_random_moments(builder: Builder, tmp_path: Path) -> None:
    trip = journey(builder, replace(LONG, args=("1500",)), tmp_path)
    wanted = move_at_random(trip, 12, seed=2)
    assert trip.output == wanted


NAP: Final = 2.0


@pytest.mark.parametrize("isa", ISAS)
def test_a_sleep_keeps_what_remains(builder: Builder, isa: str, tmp_path: Path) -> None:
    program = replace(BY_NAME["sleeps"], name="nap", source="nap.c", args=(str(int(NAP * 1000)),))
    trip = journey(builder, program, tmp_path)
    began = time.monotonic()
    process = trip.start(isa)
    wait_until_ready(process)
    time.sleep(NAP / 2)
    assert trip.stop(process)
    before = time.monotonic() - began
    time.sleep(NAP / 2)  # while nothing runs, no time passes for the guest
    began = time.monotonic()
    assert trip.end(trip.start(other_isa(isa))) == 0, trip.errors
    after = time.monotonic() - began
    assert trip.output == b"asleep\nawake 0\n"
    assert before + after >= NAP
    assert after >= NAP / 4, "the sleep was not issued again"
    assert before + after < NAP * 1.9, "the sleep began anew"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe's ends; the writing one may be closed by the test."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for end in (read_end, write_end):
        try:
            os.close(end)
        except OSError:
            assert end == write_end


@pytest.mark.parametrize("isa", ISAS)
def test_a_blocked_read_loses_nothing(
    builder: Builder, isa: str, tmp_path: Path, pipe: tuple[int, int]
) -> None:
    read_end, write_end = pipe
    text = b"a few bytes now, and quite a lot of them later"
    trip = journey(builder, BY_NAME["reads"], tmp_path)
    trip.stdin = read_end
    os.write(write_end, text[:7])
    process = trip.start(isa)
    already = first_words(process)  # it has read all there was, and waits
    time.sleep(0.3)
    assert trip.stop(process, already)
    os.write(write_end, text[7:20])
    process = trip.start(other_isa(isa))
    already = first_words(process)
    time.sleep(0.3)
    assert trip.stop(process, already)
    os.write(write_end, text[20:])
    os.close(write_end)
    assert trip.end(trip.start(isa)) == 0, trip.errors
    stay = journey(builder, replace(BY_NAME["reads"], stdin=text), tmp_path)
    assert last_lines(trip.output) == last_lines(from_file(stay, text))
    assert trip.output.count(b"total") == 1


def first_words(process: subprocess.Popen[bytes]) -> bytes:
    """Wait until a process says something and return it."""
    assert process.stdout is not None
    return os.read(process.stdout.fileno(), 1000)


def last_lines(output: bytes) -> list[bytes]:
    """Return the last hash and the total, which do not depend on how the input was cut."""
    return output.splitlines()[-2:]


def from_file(trip: Journey, text: bytes) -> bytes:
    """Return the output of a run that reads `text` from a file."""
    path = trip.folder / "text"
    path.write_bytes(text)
    with path.open("rb") as file:
        trip.stdin = file.fileno()
        assert trip.end(trip.start("x86_64")) == 0, trip.errors
    return trip.output


COUNTER: Final = Path(__file__).resolve().parents[2] / "examples" / "counter.c"


def test_the_counter_moves_and_moves_back(builder: Builder, tmp_path: Path) -> None:
    """The example's own checkpoint at the fifth tick; then it is stopped again, by a signal."""
    flags = (*C_FLAGS, "-O2")
    wasm = compile_c([COUNTER], tmp_path / "counter.wasm", flags, "wasm32-wasi")
    trip = journey(builder, Program("counter", "", args=("0.25",)), tmp_path, wasm)
    assert trip.end(trip.start("x86_64")) == EXIT_CHECKPOINTED, trip.errors
    trip.restore, trip.hops = tmp_path / "hop-0.snap", 1
    assert trip.output == b"0\n1\n2\n3\n4\n"
    process = trip.start("aarch64")
    already = first_words(process) + first_words(process)
    assert trip.stop(process, already)
    assert trip.end(trip.start("x86_64")) == 0, trip.errors
    assert trip.output == b"".join(b"%d\n" % tick for tick in range(10))
