"""Loops that need few polls or none: instructions -> Strips, bounded loops (DESIGN.md, section 3).

A poll in every iteration keeps LLVM from vectorising a loop. An innermost loop that counts a
local up or down to a fixed end is run in chunks of at most CHUNK iterations instead, with a poll
between chunks. It must have the shape that compilers give such loops::

    loop
      ...            ;; no call that is a point, no other branch back, no loop inside
      local.get x   i32.const c   i32.add   local.tee x    ;; the only write of x
      local.get end   i32.ne   br_if 0
    end

where the end may be a constant, stand on the other side, or be missing (it is 0), the comparison
may be any that counting this way ends, and the write of x may come earlier in the loop, as long as
nothing inside the loop can jump over it.

A loop of that shape is bounded if start and end are constants and all its iterations execute no
more than MAX_WORK instructions, inner loops (which are bounded, too) included. It needs no poll.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Set
from dataclasses import dataclass
from typing import Any, Final

from .wasmparser.opcodes import BY_TEXT, Op
from .wasmparser.validated import ValidatedFunction

CHUNK: Final = 4096
# CHUNK steps must not come around to where they started: 2**32 / CHUNK steps, and then some.
MAX_STEP: Final = 1 << 16
MAX_WORK: Final = 1 << 16  # WebAssembly instructions: less than 0.1 ms

_BY: Final = BY_TEXT
_GET, _SET, _TEE = _BY["local.get"], _BY["local.set"], _BY["local.tee"]
_BR, _BR_IF, _BR_TABLE = _BY["br"], _BY["br_if"], _BY["br_table"]
_CONSTS: Final = {_BY["i32.const"]: 32, _BY["i64.const"]: 64}
_ADDS: Final = {_BY["i32.add"]: (32, 1), _BY["i64.add"]: (64, 1)} | {
    _BY["i32.sub"]: (32, -1),
    _BY["i64.sub"]: (64, -1),
}
# comparison -> (LLVM's predicate, bits)
_TESTS: Final = {
    _BY[f"i{bits}.{text}"]: (predicate, bits)
    for bits in (32, 64)
    for text, predicate in (
        ("ne", "ne"), ("lt_u", "ult"), ("lt_s", "slt"), ("le_u", "ule"), ("le_s", "sle"),
        ("gt_u", "ugt"), ("gt_s", "sgt"), ("ge_u", "uge"), ("ge_s", "sge"),
    )
}  # fmt: skip
_MIRRORED: Final = {"ne": "ne"} | {
    f"{sign}{a}": f"{sign}{b}"
    for sign in "us"
    for a, b in (("lt", "gt"), ("le", "ge"), ("gt", "lt"), ("ge", "le"))
}
_CALLS: Final = (_BY["call"], _BY["call_indirect"])
# What takes longer than an instruction should: never in a bounded loop.
LONG: Final = tuple(
    _BY[text]
    for text in (
        "call", "call_indirect", "memory.copy", "memory.fill", "memory.init", "memory.grow",
        "table.copy", "table.fill", "table.init", "table.grow",
    )
)  # fmt: skip
_OPENERS: Final = (_BY["block"], _BY["loop"], _BY["if"])
_END: Final = _BY["end"]
_JOINS: Final = (_END, _BY["loop"], _BY["else"])


@dataclass(frozen=True, slots=True)
class Strip:
    """A loop that counts ``local`` by ``step`` as long as a comparison with its end holds."""

    branch: int  # index of its br_if
    local: int
    bits: int  # of the local's type
    step: int  # not 0
    end_local: int | None  # never written in the loop
    end_value: int  # if there is no such local
    test: str = "ne"  # LLVM's predicate, of the local and its end, under which the loop goes on


@dataclass(frozen=True, slots=True)
class Update:
    """``local += step``, written by the instruction at ``index``."""

    index: int
    local: int
    bits: int
    step: int


def find_strips(
    vf: ValidatedFunction, loops: Iterable[int], points: Container[int]
) -> dict[int, Strip]:
    """Return the loops that can be strip-mined, by the index of their ``loop``.

    ``loops``: those that have a back edge; ``points``: indices of all points.
    """
    known = frozenset(loops)
    found: dict[int, Strip] = {}
    for index in known:
        strip = match_loop(vf, index, known, points)
        if strip is not None:
            found[index] = strip
    return found


def bounded_loops(vf: ValidatedFunction, loops: Set[int]) -> frozenset[int]:
    """Return the loops that need no poll, by the index of their ``loop``.

    ``loops``: those that have a back edge.
    """
    if not loops:
        return frozenset()
    instrs = vf.instrs
    long = {index for index, instr in enumerate(instrs) if instr[1] in LONG}
    work: dict[int, int] = {}  # of each bounded loop
    for loop in sorted(loops, reverse=True):  # inner ones first
        strip = match_loop(vf, loop, frozenset(loops - work.keys()), long)
        trips = None if strip is None else trips_of(vf, loop, strip)
        if trips is None:
            continue
        end = vf.end_of[loop]
        total = end - loop
        behind = loop
        for inner in sorted(index for index in work if loop < index < end):
            if inner > behind:
                total += work[inner]
                behind = vf.end_of[inner]
        if trips * total <= MAX_WORK:
            work[loop] = trips * total
    return frozenset(work)


def trips_of(vf: ValidatedFunction, loop: int, strip: Strip) -> int | None:
    """Return how many iterations a loop with constant start and end has."""
    start = start_of(vf, loop, strip.local)
    if strip.end_local is not None or start is None:
        return None
    step, end = strip.step, strip.end_value
    size = 1 << strip.bits
    if strip.test == "ne":
        trips, rest = divmod((end - start if step > 0 else start - end) % size, abs(step))
        return trips if trips and not rest else None
    if strip.test[0] == "u":
        start, end = start % size, end % size
    distance = end - start if step > 0 else start - end
    if not strip.test.endswith("e"):
        distance -= 1
    trips = max(distance, 0) // abs(step) + 1
    last = start + trips * step
    low = 0 if strip.test[0] == "u" else -size // 2
    return trips if low <= last < low + size else None  # else it wraps around, and goes on


def start_of(
    vf: ValidatedFunction, loop: int, local: int, *, over_calls: bool = True
) -> int | None:
    """Return the constant that a local holds whenever a loop is entered, if one is seen.

    ``over_calls``: look for it before calls, too, behind which a point loads it from its home.
    """
    instrs = vf.instrs
    for index in range(loop - 1, 0, -1):
        _, op, imm = instrs[index]
        if op in _JOINS or (op in _CALLS and not over_calls):
            return None
        if (op is _SET or op is _TEE) and imm == local:
            _, before, value = instrs[index - 1]
            return value if before in _CONSTS else None
    return None


def match_loop(
    vf: ValidatedFunction, loop: int, loops: frozenset[int], points: Container[int]
) -> Strip | None:
    """Return the loop's strip if it has the right shape."""
    instrs = vf.instrs
    end = vf.end_of[loop]
    _, op, imm = instrs[end - 1]
    if op is not _BR_IF or imm != 0 or end - 3 <= loop or instrs[loop][2].params:
        return None
    tail = _tail(vf, loop, end - 1)
    if tail is None:
        return None
    local, end_local, end_value, bits, test = tail
    update = _scan(vf, loop, end, local, end_local, loops, points)
    if update is None or update.bits != bits or not 0 < abs(update.step) <= MAX_STEP:
        return None
    if test != "ne" and ("l" if update.step > 0 else "g") != test[1]:
        return None  # counts away from its end
    return Strip(end - 1, local, bits, update.step, end_local, end_value, test)


def _operand(instrs: tuple[Any, ...], index: int, loop: int) -> tuple[int, int | None, int] | None:
    """Read the value that the code up to ``index`` pushes, if it is a local or a constant.

    Returns (index before it, local or None, constant). An update that ends in a ``local.tee``
    counts as its local.
    """
    if index <= loop:
        return None
    _, op, imm = instrs[index]
    if op is _GET:
        return index - 1, imm, 0
    if op in _CONSTS:
        return index - 1, None, imm
    if op is _TEE and update_at(instrs, index, loop) is not None:
        return index - 4, imm, 0
    return None


def update_at(instrs: tuple[Any, ...], index: int, loop: int) -> Update | None:
    """Return the update that the ``local.set`` or ``local.tee`` at ``index`` ends, if it is one."""
    if index - 3 <= loop:
        return None
    (_, get, source), (_, const, step), (_, add, _) = instrs[index - 3 : index]
    target = instrs[index][2]
    if get is not _GET or source != target or const not in _CONSTS or add not in _ADDS:
        return None
    bits, sign = _ADDS[add]
    return Update(index, target, bits, sign * step)


def _tail(
    vf: ValidatedFunction, loop: int, branch: int
) -> tuple[int, int | None, int, int, str] | None:
    """Read the test before the branch: (local, end local, end constant, bits, predicate)."""
    instrs = vf.instrs
    found = _TESTS.get(instrs[branch - 1][1])
    if found is None:  # counts down to 0
        value = _operand(instrs, branch - 1, loop)
        if value is None or value[1] is None:
            return None
        return value[1], None, 0, 32, "ne"
    right = _operand(instrs, branch - 2, loop)
    left = None if right is None else _operand(instrs, right[0], loop)
    if right is None or left is None:
        return None
    test, bits = found
    for counted, other, predicate in ((left, right, test), (right, left, _MIRRORED[test])):
        local, end_local = counted[1], other[1]
        if local is None or local == end_local:
            continue
        if any(instrs[k][1] in (_SET, _TEE) and instrs[k][2] == local for k in range(loop, branch)):
            return local, end_local, other[2], bits, predicate
    return None


def _scan(
    vf: ValidatedFunction,
    loop: int,
    end: int,
    local: int,
    end_local: int | None,
    loops: frozenset[int],
    points: Container[int],
) -> Update | None:
    """Look through a loop's body; return the only write of the counted local if all is well."""
    instrs = vf.instrs
    depth = 0
    update: Update | None = None
    for index in range(loop + 1, end - 1):
        _, op, imm = instrs[index]
        if op is _SET or op is _TEE:
            if imm == end_local:
                return None
            if imm == local:
                if update is not None or depth:
                    return None
                update = update_at(instrs, index, loop)
                if update is None:
                    return None
        elif op in _OPENERS:
            if index in loops:
                return None
            depth += 1
        elif op is _END:
            depth -= 1
        elif index in points or _goes_back(op, imm, depth):
            return None
    return update


def _goes_back(op: Op, imm: Any, depth: int) -> bool:
    """Whether an instruction branches to the loop that is ``depth`` blocks out."""
    if op is _BR or op is _BR_IF:
        return bool(imm == depth)
    if op is _BR_TABLE:
        return depth in imm[0] or imm[1] == depth
    return False
