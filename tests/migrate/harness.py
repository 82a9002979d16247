"""Moves programs: takes snapshots at chosen points, resumes them elsewhere, compares what remains.

Standard input and output are regular files, so a snapshot tells by their offsets how much a
program had read and written when it was taken; what follows must come from the resumed program.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mvvm_aot.abi import EXIT_CHECKPOINTED
from mvvm_aot.snapshot.codec import decode_snapshot
from mvvm_aot.snapshot.state import InstanceState
from tests.programs.catalog import Program
from tests.programs.native import Builder, Finished, run, variant_for

T = TypeVar("T")
MOST_POINTS: Final = 700  # more, and a program is too long for these tests
SAMPLE: Final = 30  # of those that pass thousands: so many evenly spread, and as many of the last
POISON: Final = {"MVVM_TEST_POISON": "1"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A run that never moved: its end, and how many points it passed."""

    finished: Finished
    leaves: int
    memory: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A snapshot, and how far the standard streams were."""

    number: int
    path: Path
    read: int
    written: int


class Mover:
    """One program in a scratch folder, on both ISAs."""

    def __init__(self, builder: Builder, program: Program, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self._builder = builder
        self._wasm = builder.module(program)

    def executable(self, isa: str) -> Path:
        """Return the program's executable for an ISA."""
        return self._builder.executable(self._wasm, variant_for(self.program, isa))

    def _dirs(self, tag: str) -> dict[str, str]:
        """Return the variable that pre-opens a fresh directory, where the program wants one."""
        if not self.program.data_dir:
            return {}
        data = self.folder / f"{tag}.data"
        data.mkdir(exist_ok=True)
        return {"MVVM_DIRS": f"{data}::/data"}

    def stay(self, isa: str, **variables: str) -> Reference:
        """Run from start to end in one process."""
        tag = "-".join(["stay", isa, *variables])
        count, memory = self.folder / f"{tag}.count", self.folder / f"{tag}.hash"
        settings = {"MVVM_TEST_COUNT": str(count), "MVVM_TEST_HASH": str(memory)}
        settings |= self._dirs(tag) | variables
        finished = run(self.executable(isa), isa, self.program, self.folder, settings, tag=tag)
        assert count.exists() and memory.exists(), finished
        return Reference(finished, int(count.read_text()), memory.read_text())

    def moments(self, isa: str, **variables: str) -> list[Moment]:
        """Take a snapshot at every point that a run passes.

        One run takes them all; where files change underneath, or where there are too many, each
        comes from a run of its own that stops there.
        """
        leaves = self.stay(isa).leaves
        numbers: Iterable[int] = range(1, leaves + 1)
        if self.program.sampled:
            evenly = {1 + index * (leaves - 1) // SAMPLE for index in range(SAMPLE)}
            numbers = sorted(evenly | set(range(max(1, leaves - SAMPLE + 1), leaves + 1)))
        else:
            assert 0 < leaves <= MOST_POINTS, f"{leaves} points"
        if self.program.sampled or self.program.data_dir:
            stops = in_parallel(partial(self.stop_at, isa, number) for number in numbers)
            return [moment for moment, _ in stops]
        prefix = self.folder / f"each-{isa}"
        each = self.stay(isa, MVVM_TEST_SNAPSHOT_EACH=str(prefix), **variables)
        assert each.leaves == leaves
        return [moment_of(number, Path(f"{prefix}.{number}")) for number in numbers]

    def stop_at(self, isa: str, number: int) -> tuple[Moment, Finished]:
        """Run until the `number`-th point and stop there."""
        tag = f"stop-{isa}-{number}"
        path = self.folder / f"{tag}.snap"
        settings = {"MVVM_TEST_LEAVE_AT": str(number), "MVVM_SNAPSHOT": str(path)}
        settings |= self._dirs(tag)
        finished = run(self.executable(isa), isa, self.program, self.folder, settings, tag=tag)
        assert finished.status == EXIT_CHECKPOINTED, (number, finished)
        return moment_of(number, path), finished

    def resume(self, moment: Moment, isa: str, **variables: str) -> tuple[Finished, str]:
        """Go on from a snapshot; return the end of the run and the hash of its memory."""
        tag = f"resume-{isa}-{moment.path.name}"
        memory = self.folder / f"{tag}.hash"
        settings = {"MVVM_RESTORE": str(moment.path), "MVVM_TEST_HASH": str(memory), **POISON}
        finished = run(
            self.executable(isa),
            isa,
            self.program,
            self.folder,
            settings | variables,
            tag=tag,
            stdin_at=moment.read,
        )
        return finished, memory.read_text() if memory.exists() else ""

    def resave(self, moment: Moment, isa: str) -> InstanceState:
        """Resume on `isa` and checkpoint before anything has happened; return that state."""
        path = self.folder / f"{moment.path.name}.again-{isa}"
        finished, _ = self.resume(moment, isa, MVVM_TEST_LEAVE_AT="0", MVVM_SNAPSHOT=str(path))
        assert finished.status == EXIT_CHECKPOINTED, finished
        assert finished.stdout == b""
        return decode_snapshot(path.read_bytes()).state


def moment_of(number: int, path: Path) -> Moment:
    """Read a snapshot's offsets of the standard streams."""
    descriptors = decode_snapshot(path.read_bytes()).state.wasi.descriptors
    offsets = {descriptor.fd: descriptor.offset for descriptor in descriptors}
    return Moment(number, path, offsets.get(0, 0), offsets.get(1, 0))


def visible_errors(program: Program, finished: Finished) -> str:
    """Return standard error; of a full call stack's backtrace the message only."""
    return finished.stderr.partition("\n")[0] if program.depth_varies else finished.stderr


def difference(
    program: Program, reference: Reference, before: bytes, rest: Finished, memory: str
) -> str:
    """Say how a moved run differs from one that stayed; empty when it does not."""
    wanted = reference.finished
    if rest.status != wanted.status:
        return f"status {rest.status} instead of {wanted.status}: {rest.stderr[-400:]}"
    found = before + rest.stdout
    if found != wanted.stdout:
        pairs = zip(found, wanted.stdout, strict=False)
        at = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(found), len(before)))
        return (
            f"output of {len(found)} bytes, {len(before)} of them before the move, differs at {at}:"
            f" {found[at : at + 40]!r} instead of {wanted.stdout[at : at + 40]!r}"
        )
    if visible_errors(program, rest) != visible_errors(program, wanted):
        return f"errors {rest.stderr!r} instead of {wanted.stderr!r}"
    if not program.memory_varies and memory != reference.memory:
        return f"memory {memory!r} instead of {reference.memory!r}"
    return ""


def without_clocks(state: InstanceState) -> InstanceState:
    """Return the state with the clocks, which never stand still, set to zero.

    Where standard output is goes too: the process that goes on writes to another file.
    """
    descriptors = tuple(
        replace(item, offset=0) if item.kind == 0 else item for item in state.wasi.descriptors
    )
    wasi = replace(state.wasi, monotonic_ns=0, realtime_ns=0, cpu_ns=0, descriptors=descriptors)
    return replace(state, wasi=wasi)


def spread(items: Sequence[Moment], count: int) -> list[Moment]:
    """Return at most `count` items, the first and the last among them, evenly spread."""
    if len(items) <= count:
        return list(items)
    return [items[index * (len(items) - 1) // (count - 1)] for index in range(count)]


def in_parallel(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Call each job in a few threads (they wait for processes); results in the jobs' order."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(lambda job: job(), jobs))
