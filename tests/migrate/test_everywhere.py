"""Each point that a run passes is taken as a checkpoint once and resumed on the other ISA."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mvvm_aot.snapshot.codec import decode_snapshot
from tests.migrate.harness import (
    MOST_POINTS,
    Moment,
    Mover,
    Reference,
    difference,
    in_parallel,
    spread,
    without_clocks,
)
from tests.programs.catalog import PROGRAMS, Program
from tests.programs.native import ISAS, Builder, other_isa, variant_for

EVERY = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
FROM = pytest.mark.parametrize("isa", ISAS)


@pytest.fixture(scope="module", autouse=True)
def ordered(builder: Builder) -> None:
    """Have all programs translated in the background, in the order of the tests."""
    for program in PROGRAMS:
        builder.order(builder.module(program), [variant_for(program, isa) for isa in ISAS])


def compare_all(
    mover: Mover, moments: list[Moment], isa: str, here: Reference, there: Reference
) -> list[str]:
    """Resume each moment on the other ISA; return what differed, one line each."""
    jobs = [partial(mover.resume, moment, other_isa(isa)) for moment in moments]
    findings = []
    for moment, (rest, memory) in zip(moments, in_parallel(jobs), strict=True):
        before = here.finished.stdout[: moment.written]
        found = difference(mover.program, there, before, rest, memory)
        if found:
            findings.append(f"point {moment.number}: {found}")
    return findings


@EVERY
@FROM
def test_every_point(builder: Builder, program: Program, isa: str, tmp_path: Path) -> None:
    mover = Mover(builder, program, tmp_path)
    here, there = mover.stay(isa), mover.stay(other_isa(isa))
    found = difference(program, there, b"", here.finished, here.memory)
    assert not found, found
    assert here.leaves == there.leaves or program.depth_varies
    assert here.finished.status == program.status, here.finished.stderr
    assert program.trap in here.finished.stderr
    moments = mover.moments(isa)
    for moment in spread(moments, 6):  # before any run goes on and changes its files
        saved = decode_snapshot(moment.path.read_bytes()).state
        again = mover.resave(moment, other_isa(isa))
        assert without_clocks(again) == without_clocks(saved), f"point {moment.number}"
    findings = compare_all(mover, moments, isa, here, there)
    assert not findings, f"{len(findings)} of {len(moments)}:\n" + "\n".join(findings[:5])


@EVERY
@FROM
def test_round_trip_in_place(builder: Builder, program: Program, isa: str, tmp_path: Path) -> None:
    """At each point (of thousands: at some) the frames are lifted, poisoned and written anew."""
    mover = Mover(builder, program, tmp_path)
    there = mover.stay(isa)
    every = max(1, there.leaves // MOST_POINTS)
    moved = mover.stay(isa, MVVM_TEST_ROUNDTRIP=str(every), MVVM_TEST_POISON="1")
    found = difference(program, there, b"", moved.finished, moved.memory)
    assert not found, found
    assert moved.leaves == there.leaves
