"""Plan migration points: ValidatedModule -> PointPlan.

A point is a place where a program can move to another machine (docs/internals.md, section 2):
each call whose callee can be suspended, a poll in each loop that is not bounded (loops.py), and
polls at the entries of enough functions to cut every cycle of the call graph. A function that
reaches no point has none itself: its frames are never suspended.

The plan also says where each value's home is: one slot per local that is live at some point, then
one per operand stack position that is in use at some point; a v128 takes two, the first even.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from . import abi
from .attempts import can_be_tried
from .counted import Counted, count_loop
from .limits import Limits
from .liveness import FunctionFlow, Scan, analyze_function, bits_of, scan_function
from .loops import Strip, bounded_loops, find_strips
from .through import FEW, written_through
from .unroll import find_copies
from .wasmparser.module import ExternKind, Module
from .wasmparser.opcodes import BY_TEXT
from .wasmparser.types import FuncType, ResultType, ValType
from .wasmparser.validated import ValidatedFunction, ValidatedModule

ENTRY = -1  # stands for an instruction index: the poll before the first instruction

CROWDED: Final = 64  # more points make a function one where the code that each takes matters

_LOOP, _CALL, _REF_FUNC = BY_TEXT["loop"], BY_TEXT["call"], BY_TEXT["ref.func"]


class PointKind(enum.Enum):
    """What the program does at a point."""

    CALL = "call"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a function that the module defines."""

    kind: PointKind
    offset: int
    live: int  # bit set of locals
    operands: ResultType  # bottom of the stack first
    callee: int  # as in the frame table


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """The points of one function, by instruction index (ENTRY: before the first)."""

    func_index: int
    points: Mapping[int, Point]
    flow: FunctionFlow
    local_slots: Mapping[int, int]  # local index -> home slot
    operand_slots: tuple[int, ...]  # operand stack position -> home slot
    num_homes: int
    has_tail_calls: bool = False
    tail_callees: frozenset[int] = frozenset()  # of direct tail calls
    tail_types: frozenset[int] = frozenset()  # type_index of indirect tail calls
    strips: Mapping[int, Strip] = field(default_factory=dict)  # loops.py: by index of the ``loop``
    bounded: frozenset[int] = frozenset()  # loops that need no poll
    counted: Mapping[int, Counted] = field(default_factory=dict)  # by index of the ``loop``
    copies: Mapping[int, int] = field(default_factory=dict)  # unroll.py: by index of the ``loop``
    through: int = 0  # bit set of locals that are stored wherever they are set (through.py)
    crowded: bool = False  # with so many points that the code of each matters
    tried: bool = False  # calls try it without points first (attempts.py)
    tries: Mapping[int, int] = field(default_factory=dict)  # of an attempt: by index of ``loop``


@dataclass(frozen=True, slots=True)
class PointPlan:
    """Every migration point of a module. Not ``migration``: it has none."""

    migration: bool
    functions: Mapping[int, FunctionPlan] = field(repr=False)
    suspendable: frozenset[int]  # functions whose frames can be suspended; imports included

    @property
    def tried(self) -> frozenset[int]:
        """The functions that calls try without points first."""
        return frozenset(index for index, plan in self.functions.items() if plan.tried)

    @property
    def has_tail_calls(self) -> bool:
        """Whether a frame's callee may have left its place to another function."""
        return any(plan.has_tail_calls for plan in self.functions.values())

    @property
    def polls(self) -> list[int]:
        """The offsets of all polls, ascending; an entry's is that of the function's body."""
        points = (point for plan in self.functions.values() for point in plan.points.values())
        return sorted(point.offset for point in points if point.kind is PointKind.POLL)

    @property
    def num_points(self) -> int:
        """How many points the module's own functions have."""
        return sum(len(plan.points) for plan in self.functions.values())


@dataclass(frozen=True, slots=True)
class PointRow:
    """A point as the frame table wants it; valtype codes as in abi.VALTYPE_CODES."""

    func_id: int  # func_index, or abi.THUNK_FUNC_ID | type_index
    offset: int
    locals: tuple[tuple[int, int, int], ...]  # (local_index, valtype code, slot), ascending
    operands: tuple[tuple[int, int], ...]  # (valtype code, slot), bottom first
    callee: int  # func_index or abi.CALLEE_*


def plan_points(
    vm: ValidatedModule, *, migration: bool = True, poll: int | None = None
) -> PointPlan:
    """Find the points of a module, what is live at each, and where each value's home is.

    ``poll`` is the offset of a loop or a function body that is polled even if it need not be: a
    snapshot of an earlier version stands there. Raises UnsupportedFeature beyond a limit.
    """
    module = vm.module
    limits = Limits(module)
    scans = {vf.func_index: scan_function(vf) for vf in vm.functions}
    for vf in vm.functions:
        limits.check_code(vf, scans[vf.func_index])
    polled: frozenset[int] = frozenset()
    suspendable: frozenset[int] = frozenset()
    bounded = {
        vf.func_index: frozenset(
            loop
            for loop in bounded_loops(vf, scans[vf.func_index].loops.keys())
            if vf.instrs[loop][0] != poll
        )
        for vf in vm.functions
    }
    if migration:
        polled = _entry_polls(module, scans) | _entered_at(module, poll)
        suspendable = _suspendable(module, scans, bounded, polled)

    polls = {index: _polled(scan, bounded[index], migration) for index, scan in scans.items()}
    tried = {
        vf.func_index
        for vf in vm.functions
        if can_be_tried(vf, scans[vf.func_index], polls[vf.func_index])
    }

    called_as_points = suspendable - tried

    def is_point(func_index: int | None) -> bool:
        return migration and (func_index is None or func_index in called_as_points)

    functions: dict[int, FunctionPlan] = {}
    for vf in vm.functions:
        scan, polled_loops = scans.pop(vf.func_index), polls[vf.func_index]
        flow = analyze_function(scan, len(vf.locals), is_point, polled_loops)
        points: dict[int, Point] = {}
        if vf.func_index in suspendable:
            entry_poll = vf.func_index in polled
            points = _function_points(module, vf, flow, suspendable, polled_loops, entry_poll)
        limits.check_plan(vf, scan, flow, points.values())
        function = _with_homes(vf, points, flow, scan, bounded[vf.func_index], polled_loops)
        if vf.func_index in tried:
            function = replace(function, tried=True, copies={})
        functions[vf.func_index] = function
        limits.check_homes(vf, function.num_homes)
    return PointPlan(migration, functions, suspendable)


def _polled(scan: Scan, bounded: frozenset[int], migration: bool) -> frozenset[int]:
    """Return the loops of a function that poll."""
    return frozenset(scan.loops) - bounded if migration else frozenset()


# -- The call graph --------------------------------------------------------------------------


def _address_taken(module: Module, scans: Mapping[int, Scan]) -> set[int]:
    """Return the functions that an indirect call may reach."""
    taken = {item.index for item in module.exports if item.kind is ExternKind.FUNC}
    exprs = [entry.init for entry in module.globals]
    exprs += [expr for elem in module.elems for expr in elem.init]
    for expr in exprs:
        taken.update(imm for _, op, imm in expr if op is _REF_FUNC)
    for scan in scans.values():
        taken |= scan.ref_funcs
    return taken


def _call_graph(
    module: Module, scans: Mapping[int, Scan]
) -> dict[int | FuncType, list[int | FuncType]]:
    """Return caller -> callees; an indirect call goes by way of a node per function type.

    Calls in loops are left out: who comes to one has passed the loop's poll.
    """
    graph: dict[int | FuncType, list[int | FuncType]] = {}
    for func_index in sorted(_address_taken(module, scans)):
        if func_index in scans:
            graph.setdefault(module.func_type(func_index), []).append(func_index)
    for func_index, scan in scans.items():
        callees: list[int | FuncType] = [
            callee for callee, indirect in sorted(scan.unlooped) if not indirect and callee in scans
        ]
        types = dict.fromkeys(
            module.types[index] for index, indirect in sorted(scan.unlooped) if indirect
        )
        callees += [func_type for func_type in types if func_type in graph]
        graph[func_index] = callees
    return graph


def _entry_polls(module: Module, scans: Mapping[int, Scan]) -> frozenset[int]:
    """Choose functions such that every cycle of calls goes through one of them.

    Each cycle has an edge that closes it in a depth-first search. Its target gets the poll, or
    its source if the target stands for an indirect call. A loop in a cycle helps only if it holds
    the call: else nobody knows that it is entered.
    """
    graph = _call_graph(module, scans)
    polled: set[int] = set()
    done: set[int | FuncType] = set()
    on_path: set[int | FuncType] = set()
    for root in scans:
        if root in done:
            continue
        on_path.add(root)
        path: list[tuple[int | FuncType, Iterator[int | FuncType]]] = [(root, iter(graph[root]))]
        while path:
            node, callees = path[-1]
            callee = next(callees, None)
            if callee is None:
                path.pop()
                on_path.discard(node)
                done.add(node)
            elif callee in on_path:
                if node not in polled and callee not in polled:
                    cut = callee if isinstance(callee, int) else node
                    assert isinstance(cut, int)  # types are only called by functions
                    polled.add(cut)
            elif callee not in done:
                on_path.add(callee)
                path.append((callee, iter(graph[callee])))
    return frozenset(polled)


def _entered_at(module: Module, offset: int | None) -> frozenset[int]:
    """Return the function whose body starts at an offset, if there is one."""
    return frozenset(
        module.num_imported_funcs + index
        for index, function in enumerate(module.functions)
        if function.offset == offset
    )


def _suspendable(
    module: Module,
    scans: Mapping[int, Scan],
    bounded: Mapping[int, frozenset[int]],
    polled: frozenset[int],
) -> frozenset[int]:
    """Return the functions that reach a point: imports, polls, indirect calls, callers."""
    found = set(range(module.num_imported_funcs)) | polled
    found |= {
        index
        for index, scan in scans.items()
        if scan.indirect_types or scan.loops.keys() - bounded[index]
    }
    callers: dict[int, list[int]] = {}
    for func_index, scan in scans.items():
        for callee in scan.callees:
            callers.setdefault(callee, []).append(func_index)
    work = list(found)
    while work:
        for caller in callers.get(work.pop(), ()):
            if caller not in found:
                found.add(caller)
                work.append(caller)
    return frozenset(found)


# -- Points and homes of one function --------------------------------------------------------


def _function_points(
    module: Module,
    vf: ValidatedFunction,
    flow: FunctionFlow,
    suspendable: frozenset[int],
    polls: frozenset[int],
    entry_poll: bool,
) -> dict[int, Point]:
    """Return a function's points by instruction index, in the order of the code."""
    points: dict[int, Point] = {}
    if entry_poll:
        body = module.functions[vf.func_index - module.num_imported_funcs]
        points[ENTRY] = Point(PointKind.POLL, body.offset, flow.entry, (), abi.CALLEE_POLL)
    for index in sorted((*polls, *flow.after_call)):
        offset, op, imm = vf.instrs[index]
        operands = vf.stack_at[index]
        if op is _LOOP:
            live = flow.loops[index].live
            points[index] = Point(PointKind.POLL, offset, live, operands, abi.CALLEE_POLL)
            continue
        if op is _CALL:
            if imm not in suspendable:
                continue
            callee, used = imm, len(module.func_type(imm).params)
        else:
            callee = abi.CALLEE_INDIRECT | module.types.index(module.types[imm[0]])
            used = len(module.types[imm[0]].params) + 1
        below = operands[: len(operands) - used]
        points[index] = Point(PointKind.CALL, offset, flow.after_call[index], below, callee)
    return points


def _with_homes(
    vf: ValidatedFunction,
    points: dict[int, Point],
    flow: FunctionFlow,
    scan: Scan,
    bounded: frozenset[int],
    polls: frozenset[int],
) -> FunctionPlan:
    """Give every local and operand position that is live at some point its slots."""
    live = 0
    widths: list[int] = []
    for point in points.values():
        live |= point.live
        for position, valtype in enumerate(point.operands):
            width = 2 if valtype is ValType.V128 else 1
            if position == len(widths):
                widths.append(width)
            elif width > widths[position]:
                widths[position] = width
    next_slot = 0
    local_slots: dict[int, int] = {}
    for local_index in bits_of(live):
        wide = vf.locals[local_index] is ValType.V128
        slot = next_slot + (next_slot & 1) if wide else next_slot
        local_slots[local_index] = slot
        next_slot = slot + (2 if wide else 1)
    operand_slots: list[int] = []
    for width in widths:
        slot = next_slot + (next_slot & 1) if width == 2 else next_slot
        operand_slots.append(slot)
        next_slot = slot + width
    homes = max(next_slot, 1) if points else 0
    crowded = len(points) > CROWDED
    strips = find_strips(vf, flow.loops, points or flow.after_call)
    counted = {
        index: found
        for index, loop in flow.loops.items()
        if not loop.has_calls and (found := count_loop(vf, index, loop.live)) is not None
    }
    return FunctionPlan(
        vf.func_index,
        points,
        flow,
        local_slots,
        tuple(operand_slots),
        homes,
        scan.has_tail_calls,
        scan.tail_callees,
        scan.tail_types,
        strips,
        bounded,
        counted,
        {} if crowded else find_copies(vf, polls, strips.keys() | counted.keys()),
        written_through(scan, flow.entry, polls) if len(points) > FEW else 0,
        crowded,
    )


# -- What the frame table is made of ---------------------------------------------------------


def point_rows(vm: ValidatedModule, plan: PointPlan) -> list[PointRow]:
    """Return one row per (func_id, offset): import stubs, functions, thunks."""
    if not plan.migration:
        return []
    rows = [_import_row(vm.module, index) for index in range(vm.module.num_imported_funcs)]
    for vf in vm.functions:
        rows += _rows_of(vf, plan.functions[vf.func_index])
    for type_index in canonical_types(vm.module):
        rows.append(PointRow(abi.THUNK_FUNC_ID | type_index, 0, (), (), abi.CALLEE_THUNK))
    return rows


def _import_row(module: Module, func_index: int) -> PointRow:
    """Return the point of an import stub: its arguments stand in every other slot."""
    params = module.func_type(func_index).params
    values = tuple((k, valtype.value, 2 * k) for k, valtype in enumerate(params))
    return PointRow(func_index, 0, values, (), abi.CALLEE_HOST)


def _rows_of(vf: ValidatedFunction, plan: FunctionPlan) -> Iterator[PointRow]:
    """Yield a row per point of a function; equal lists of values are one object."""
    shared: dict[int, tuple[tuple[int, int, int], ...]] = {}
    for point in plan.points.values():
        values = shared.get(point.live)
        if values is None:
            values = shared[point.live] = tuple(
                (k, vf.locals[k].value, plan.local_slots[k]) for k in bits_of(point.live)
            )
        operands = tuple(
            (valtype.value, slot)
            for valtype, slot in zip(point.operands, plan.operand_slots, strict=False)
        )
        yield PointRow(vf.func_index, point.offset, values, operands, point.callee)


def canonical_types(module: Module) -> list[int]:
    """Return the index of the first of each set of equal types, ascending."""
    first: dict[FuncType, int] = {}
    for type_index, func_type in enumerate(module.types):
        first.setdefault(func_type, type_index)
    return sorted(first.values())


_FLOATS = (ValType.F32, ValType.F64, ValType.V128)


def split_params(params: ResultType) -> tuple[list[int], list[int]]:
    """Return which parameters travel in registers and which through mvvm_spill."""
    in_registers: list[int] = []
    spilled: list[int] = []
    ints = floats = 0
    for index, valtype in enumerate(params):
        if valtype in _FLOATS:
            floats += 1
            fits = floats <= abi.MAX_FLOAT_PARAMS
        else:
            ints += 1
            fits = ints <= abi.MAX_INT_PARAMS
        (in_registers if fits else spilled).append(index)
    return in_registers, spilled
