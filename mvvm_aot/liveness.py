"""Which locals are live where: ValidatedFunction -> FunctionFlow.

A backward dataflow over structured control. A first walk over the instructions (`scan_function`)
leaves out code that cannot be reached and folds straight-line code into (reads, writes) pairs of
bit sets, so that the passes backward touch only control instructions and calls. Bit k of a set
stands for local k. Loops are iterated to a fixed point.

Invariant, on which lowering relies: every set comes from one solution of the dataflow equations,
so that whatever is live at some place is live (or written) on every path to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Final

from .wasmparser.opcodes import BY_TEXT, OPS
from .wasmparser.validated import ValidatedFunction

# Kinds of events; SEGMENT stands for straight-line code.
(
    SEGMENT,  # (SEGMENT, reads, ~writes)
    BLOCK,  # (BLOCK, index)
    LOOP,  # (LOOP, index)
    IF,  # (IF, index, has else)
    _ELSE,  # (_ELSE,)
    END,  # (END, index of the block, its kind)
    BR,  # (BR, label)
    BR_IF,  # (BR_IF, label)
    BR_TABLE,  # (BR_TABLE, labels)
    _EXIT,  # (_EXIT,): return, unreachable, tail calls
    _CALL,  # (_CALL, index, func_index or None)
) = range(11)

_GET, _SET, _TEE, _REF_FUNC, _CALL_INDIRECT, _RETURN_CALL, _RETURN_CALL_INDIRECT = range(20, 27)

_KINDS: Final = {
    BY_TEXT["local.get"]: _GET,
    BY_TEXT["local.set"]: _SET,
    BY_TEXT["local.tee"]: _TEE,
    BY_TEXT["block"]: BLOCK,
    BY_TEXT["loop"]: LOOP,
    BY_TEXT["if"]: IF,
    BY_TEXT["else"]: _ELSE,
    BY_TEXT["end"]: END,
    BY_TEXT["br"]: BR,
    BY_TEXT["br_if"]: BR_IF,
    BY_TEXT["br_table"]: BR_TABLE,
    BY_TEXT["return"]: _EXIT,
    BY_TEXT["unreachable"]: _EXIT,
    BY_TEXT["call"]: _CALL,
    BY_TEXT["call_indirect"]: _CALL_INDIRECT,
    BY_TEXT["return_call"]: _RETURN_CALL,
    BY_TEXT["return_call_indirect"]: _RETURN_CALL_INDIRECT,
    BY_TEXT["ref.func"]: _REF_FUNC,
}
# A row per instruction, so that the walk needs no default.
_KIND_OF: Final = {op: _KINDS.get(op, -1) for op in OPS}

# Passes before the analysis takes every local for live at every loop: only absurdly deep nests of
# loops need as many (a nest of depth d needs d + 2).
MAX_PASSES: Final = 40

# A loop's local is rarely used if so many calls in the loop come to a piece of straight-line code
# that uses it: to have it in a register would cost most iterations a load behind their calls, and
# a store before them. (The main loop of an interpreter has hundreds of calls.)
RARE: Final = 8


@dataclass(slots=True)
class LoopFlow:
    """A loop that has a back edge; without one a ``loop`` is a ``block``."""

    live: int = 0  # at its header
    uses: int = 0  # locals that the body names
    sets: int = 0  # locals that it writes
    has_points: bool = False  # of its own, or in its body
    has_calls: bool = False  # that are points
    homed: int = 0  # locals that stay at home from iteration to iteration: see RARE


@dataclass(frozen=True, slots=True)
class Scan:
    """What a walk over a function's reachable instructions finds."""

    events: list[tuple[Any, ...]]
    loops: dict[int, LoopFlow]  # by the index of the ``loop`` instruction
    callees: frozenset[int]  # of direct calls, tail calls included
    indirect_types: frozenset[int]  # type_index of indirect calls, tail calls included
    unlooped: frozenset[tuple[int, bool]]  # (func_index, False) or (type_index, True) of the calls
    # that stand in no loop
    ref_funcs: frozenset[int]
    has_tail_calls: bool
    tail_callees: frozenset[int]  # of direct tail calls
    tail_types: frozenset[int]  # type_index of indirect tail calls


@dataclass(frozen=True, slots=True)
class FunctionFlow:
    """Live locals at the places that lowering and planning ask about."""

    entry: int
    after_call: dict[int, int]  # call instruction -> locals live behind it
    after_end: dict[int, int]  # block, loop, if -> locals live behind its end
    loops: dict[int, LoopFlow]


class _Frame:
    """An open block during the walk."""

    __slots__ = ("calls", "else_", "end", "index", "kind", "sets", "targeted", "uses")

    def __init__(self, index: int, kind: int, end: int, else_: int | None) -> None:
        self.index = index
        self.kind = kind
        self.end = end
        self.else_ = else_  # still ahead
        self.targeted = False
        self.uses = 0
        self.sets = 0
        self.calls: set[tuple[int, bool]] = set()  # outside of inner loops, as Scan.unlooped


def bits_of(mask: int) -> list[int]:
    """Return the numbers of the bits that are set, ascending."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def scan_function(vf: ValidatedFunction) -> Scan:
    """Walk a function's reachable instructions once, in order."""
    return _Scanner(vf).run()


class _Scanner:
    """The walk's state; ``run`` is its loop."""

    def __init__(self, vf: ValidatedFunction) -> None:
        self.vf = vf
        self.events: list[tuple[Any, ...]] = []
        self.loops: dict[int, LoopFlow] = {}
        self.callees: set[int] = set()
        self.indirect_types: set[int] = set()
        self.unlooped: set[tuple[int, bool]] = set()
        self.ref_funcs: set[int] = set()
        self.has_tail_calls = False
        self.tail_callees: set[int] = set()
        self.tail_types: set[int] = set()
        self.frames = [_Frame(-1, BLOCK, len(vf.instrs) - 1, None)]

    def run(self) -> Scan:
        """Return the events in program order."""
        kind_of = _KIND_OF
        instrs = self.vf.instrs
        reads = writes = 0
        index = 0
        count = len(instrs)
        while index < count:
            _, op, imm = instrs[index]
            kind = kind_of[op]
            if kind < 0:
                index += 1
            elif kind == _GET:
                bit = 1 << imm
                if not writes & bit:
                    reads |= bit
                index += 1
            elif kind in (_SET, _TEE):
                writes |= 1 << imm
                index += 1
            else:
                if reads or writes:
                    self._segment(reads, writes)
                    reads = writes = 0
                index = self._control(index, kind, imm)
        return Scan(
            self.events,
            self.loops,
            frozenset(self.callees),
            frozenset(self.indirect_types),
            frozenset(self.unlooped),
            frozenset(self.ref_funcs),
            self.has_tail_calls,
            frozenset(self.tail_callees),
            frozenset(self.tail_types),
        )

    def _segment(self, reads: int, writes: int) -> None:
        self.events.append((SEGMENT, reads, ~writes))
        frame = self.frames[-1]
        frame.uses |= reads | writes
        frame.sets |= writes

    def _control(self, index: int, kind: int, imm: Any) -> int:
        """Record a control instruction; return the index of the next reachable one."""
        events = self.events
        if kind == BR_IF:
            events.append((BR_IF, imm))
            self.frames[-1 - imm].targeted = True
        elif kind == END:
            return self._end(index, alive=True)
        elif kind == _CALL:
            events.append((_CALL, index, imm))
            self._call(imm)
        elif kind == _CALL_INDIRECT:
            events.append((_CALL, index, None))
            self._call_indirect(imm[0])
        elif kind == _REF_FUNC:
            self.ref_funcs.add(imm)
        elif kind in (BLOCK, LOOP, IF):
            else_ = self.vf.else_of.get(index)
            events.append((IF, index, else_ is not None) if kind == IF else (kind, index))
            self.frames.append(_Frame(index, kind, self.vf.end_of[index], else_))
            if kind == IF and else_ is None:
                self.frames[-1].targeted = True
        elif kind == _ELSE:
            events.append((_ELSE,))
            self.frames[-1].targeted = True  # the first branch falls through to the end
            self.frames[-1].else_ = None
        else:
            return self._leave(kind, imm)
        return index + 1

    def _call(self, func_index: int) -> None:
        self.callees.add(func_index)
        self.frames[-1].calls.add((func_index, False))

    def _call_indirect(self, type_index: int) -> None:
        self.indirect_types.add(type_index)
        self.frames[-1].calls.add((type_index, True))

    def _leave(self, kind: int, imm: Any) -> int:
        """Record an instruction that never goes on to the next; return where code is reachable."""
        if kind == BR:
            self.events.append((BR, imm))
            self.frames[-1 - imm].targeted = True
        elif kind == BR_TABLE:
            labels = frozenset((*imm[0], imm[1]))
            self.events.append((BR_TABLE, labels))
            for label in labels:
                self.frames[-1 - label].targeted = True
        else:
            self.events.append((_EXIT,))
            if kind == _RETURN_CALL:
                self._call(imm)
                self.tail_callees.add(imm)
                self.has_tail_calls = True
            elif kind == _RETURN_CALL_INDIRECT:
                self._call_indirect(imm[0])
                self.tail_types.add(imm[0])
                self.has_tail_calls = True
        return self._skip()

    def _skip(self) -> int:
        """Go on at the innermost else, or behind an end."""
        frame = self.frames[-1]
        if frame.else_ is not None:
            else_, frame.else_ = frame.else_, None
            self.events.append((_ELSE,))
            return else_ + 1
        return self._end(frame.end, alive=False)

    def _end(self, index: int, *, alive: bool) -> int:
        """Close blocks as long as nothing reaches their ends; return where to go on."""
        frames = self.frames
        while True:
            frame = frames.pop()
            self.events.append((END, frame.index, frame.kind))
            if not frames:
                self.unlooped = frame.calls
                return index + 1
            parent = frames[-1]
            parent.uses |= frame.uses
            parent.sets |= frame.sets
            if frame.kind != LOOP or not frame.targeted:
                parent.calls |= frame.calls
            if frame.kind == LOOP:
                if frame.targeted:
                    self.loops[frame.index] = LoopFlow(uses=frame.uses, sets=frame.sets)
            elif frame.targeted:
                alive = True
            if alive:
                return index + 1
            if parent.else_ is not None:
                else_, parent.else_ = parent.else_, None
                self.events.append((_ELSE,))
                return else_ + 1
            index = parent.end


def analyze_function(
    scan: Scan, num_locals: int, is_point: Callable[[int | None], bool], polled: Container[int]
) -> FunctionFlow:
    """Solve the dataflow equations.

    ``is_point`` tells whether a call of a function (None: an indirect call) is a point;
    ``polled``: the loops that have a poll. Completes ``scan.loops`` in place.
    """
    flow = FunctionFlow(0, {}, {}, scan.loops)
    for number in range(MAX_PASSES + 1):
        frozen = number == MAX_PASSES
        if frozen:
            for loop in scan.loops.values():
                loop.live = (1 << num_locals) - 1
        entry, changed = _pass(scan, flow, frozen)
        if not changed or frozen:
            break
    _mark_points(scan, is_point, polled)
    return FunctionFlow(entry, flow.after_call, flow.after_end, scan.loops)


def _pass(scan: Scan, flow: FunctionFlow, frozen: bool) -> tuple[int, bool]:
    """Go backward over all events once; return (live at the entry, whether a header changed)."""
    loops, after_call, after_end = scan.loops, flow.after_call, flow.after_end
    changed = False
    live = 0
    labels: list[int] = []
    elses: list[int] = []
    for event in reversed(scan.events):
        kind = event[0]
        if kind == SEGMENT:
            live = event[1] | (live & event[2])
        elif kind == BR_IF:
            live |= labels[-1 - event[1]]
        elif kind == _CALL:
            after_call[event[1]] = live
        elif kind == END:
            index = event[1]
            after_end[index] = live
            if event[2] == LOOP:
                labels.append(loops[index].live if index in loops else 0)
            else:
                labels.append(live)
        elif kind == BLOCK:
            labels.pop()
        elif kind == BR:
            live = labels[-1 - event[1]]
        elif kind == IF:
            live |= elses.pop() if event[2] else labels[-1]
            labels.pop()
        elif kind == _ELSE:
            elses.append(live)
            live = labels[-1]
        elif kind == LOOP:
            labels.pop()
            loop = loops.get(event[1])
            if loop is not None:
                if frozen:
                    live = loop.live
                elif loop.live != live:
                    loop.live = live
                    changed = True
        elif kind == BR_TABLE:
            live = 0
            for label in event[1]:
                live |= labels[-1 - label]
        else:
            live = 0
    return live, changed


def _mark_points(
    scan: Scan, is_point: Callable[[int | None], bool], polled: Container[int]
) -> None:
    """Set of each loop whether it polls or has a point in its body, its calls, rare locals."""
    if not scan.loops:
        return
    open_blocks: list[LoopFlow | None] = []
    inside: list[tuple[bool, int]] = [(False, 0)]  # points, calls
    uses: list[dict[int, int]] = [{}]  # of each open loop: local, as a bit -> pieces of code
    for event in scan.events:
        kind = event[0]
        if kind == SEGMENT:
            found = uses[-1]
            named = event[1] | ~event[2]
            while named:
                bit = named & -named
                named ^= bit
                found[bit] = found.get(bit, 0) + 1
        elif kind == _CALL:
            if is_point(event[2]):
                inside[-1] = (True, inside[-1][1] + 1)
        elif kind in (BLOCK, LOOP, IF):
            loop = scan.loops.get(event[1]) if kind == LOOP else None
            open_blocks.append(loop)
            inside.append((loop is not None and event[1] in polled, 0))
            if loop is not None:
                uses.append({})
        elif kind == END and open_blocks:
            loop = open_blocks.pop()
            has_points, calls = inside.pop()
            if loop is not None:
                loop.has_points, loop.has_calls = has_points, calls > 0
                inner = uses.pop()
                loop.homed = sum(bit for bit, count in inner.items() if RARE * count < calls)
                for bit, count in inner.items():
                    uses[-1][bit] = uses[-1].get(bit, 0) + count
            inside[-1] = (inside[-1][0] or has_points, inside[-1][1] + calls)
