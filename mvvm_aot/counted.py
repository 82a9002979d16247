"""Loops whose number of iterations is known: instructions -> Counted (docs/internals.md).

LLVM works out for itself what the locals of such a loop hold, as long as it sees all values. Behind
a point it sees loads from homes. So lowering says it again: all locals that go on by a fixed
step follow from one of them, the loop's counter, and stay within known bounds.

The loop has the shape of loops.py, with constants for start and end, but may hold other loops. No
call in it is a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .loops import match_loop, start_of, trips_of, update_at
from .wasmparser.opcodes import BY_TEXT
from .wasmparser.validated import ValidatedFunction

_SET, _TEE, _END = BY_TEXT["local.set"], BY_TEXT["local.tee"], BY_TEXT["end"]
_OPENERS: Final = (BY_TEXT["block"], BY_TEXT["loop"], BY_TEXT["if"])
_MAX_TRIPS: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Course:
    """A local that holds ``start + n * step`` at the loop's header in iteration n, from 0."""

    local: int
    bits: int  # of its type
    start: int
    step: int
    update: int  # index of the instruction that writes the next value

    def bounds(self, trips: int) -> tuple[int, int]:
        """Return the least and the greatest value at the header."""
        last = self.start + (trips - 1) * self.step
        return min(self.start, last), max(self.start, last)


@dataclass(frozen=True, slots=True)
class Counted:
    """A loop with a known number of iterations."""

    trips: int
    courses: tuple[Course, ...]  # the first: of the local on which the end depends


def count_loop(vf: ValidatedFunction, loop: int, live: int) -> Counted | None:
    """Return what is known of a loop, by the index of its ``loop``.

    ``live``: locals that are, at its header (a bit set). Its calls are not looked at.
    """
    strip = match_loop(vf, loop, frozenset(), ())
    trips = None if strip is None else trips_of(vf, loop, strip)
    if strip is None or trips is None or not 1 < trips < _MAX_TRIPS:
        return None
    writes: dict[int, int] = {}  # local -> index of its only write, or -1
    depth = 0
    for index in range(loop + 1, vf.end_of[loop]):
        _, op, imm = vf.instrs[index]
        if op is _SET or op is _TEE:
            writes[imm] = -1 if depth or imm in writes else index
        elif op in _OPENERS:
            depth += 1
        elif op is _END:
            depth -= 1
    courses = [
        course
        for local, index in writes.items()
        if index >= 0 and live >> local & 1
        if (course := _course(vf, loop, local, index, trips)) is not None
    ]
    courses.sort(key=lambda course: (course.local != strip.local, course.local))
    if not courses or courses[0].local != strip.local:
        return None
    return Counted(trips, tuple(courses))


def _course(vf: ValidatedFunction, loop: int, local: int, index: int, trips: int) -> Course | None:
    """Return the course of a local that is written at ``index`` alone, if it has one."""
    update = update_at(vf.instrs, index, loop)
    start = start_of(vf, loop, local, over_calls=False)  # as no snapshot can change it
    if update is None or start is None or not update.step:
        return None
    course = Course(local, update.bits, start, update.step, index)
    low, high = course.bounds(trips)
    return course if high - low < 1 << update.bits - 1 else None
