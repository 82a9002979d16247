"""What control.py and looping.py keep of control flow: open blocks, and the edges to their labels.

A branch leaves an edge: its block, the state of the locals, the operands that it takes along.
"""

from __future__ import annotations

from itertools import compress, count
from operator import ne
from typing import TYPE_CHECKING, Any, Final

from . import ir

if TYPE_CHECKING:
    from mvvm_aot.liveness import LoopFlow
    from mvvm_aot.plan import Point

    from .function import FunctionLowering
    from .strips import Chunk

BLOCK, LOOP, IF, FUNCTION = "block", "loop", "if", "function"

MANY: Final = 4  # locals that are at home on some of the edges to a join, in a crowded function


class Edge:
    """A branch to a label, as its source left things."""

    __slots__ = ("block", "dirty", "escaped", "line", "stack", "vals")

    def __init__(
        self, fn: FunctionLowering, vals: list[str | None], stack: list[Any], line: int
    ) -> None:
        self.block = fn.block
        self.dirty = fn.dirty
        self.escaped = fn.escaped
        self.vals = vals
        self.stack = stack  # what stands at the target, its operands on top
        self.line = line  # the empty line before the branch


class Header:
    """The start of a block that code further down branches to."""

    __slots__ = ("entry", "label", "line", "phis")

    def __init__(self, label: str, entry: Edge, line: int) -> None:
        self.label = label
        self.entry = entry  # the edge from above
        self.line = line  # the empty line for phi nodes
        # (local, or -1 - k for the k-th parameter; name; type)
        self.phis: list[tuple[int, str, str]] = []


class Frame:
    """An open block, loop, if, or the function itself."""

    __slots__ = (
        "chunk",
        "copies",
        "count",
        "edges",
        "else_",
        "end",
        "entry",
        "exits",
        "flow",
        "header",
        "height",
        "index",
        "kind",
        "label",
        "latch",
        "outer",
        "params",
        "results",
    )

    def __init__(self, kind: str, index: int, end: int, height: int) -> None:
        self.kind = kind
        self.index = index
        self.end = end
        self.height = height  # operands below the block's own
        self.label = ""
        self.params: list[str] = []  # LLVM types
        self.results: list[str] = []
        self.edges: list[Edge] = []
        # if: index of the else that is still ahead, and the state at its start
        self.else_: int | None = None
        self.entry: Edge | None = None
        # loop: what the planner says; the poll in its latch, and where its leave goes back to
        self.flow: LoopFlow | None = None
        self.latch: Point | None = None
        self.outer: Header | None = None
        self.header: Header | None = None
        self.chunk: Chunk | None = None
        self.count = ""  # in an attempt: how many tries are left, in the header
        self.copies = 0  # of the body that are still to come, and the ends of those before
        self.exits: list[Edge] = []


def open_block(fn: FunctionLowering, kind: str, imm: Any) -> Frame:
    """Open a frame; its parameters stay on the operand stack."""
    height = len(fn.stack) - len(imm.params)
    frame = Frame(kind, fn.index, fn.vf.end_of[fn.index], height)
    frame.params = fn.llvm_types(imm.params)
    frame.results = fn.llvm_types(imm.results)
    fn.frames.append(frame)
    return frame


def load_on_edge(fn: FunctionLowering, edge: Edge, llvm: str, slot: int) -> str:
    """Load a home slot right before an edge's branch, which has been written long ago."""
    name = f"%e{fn.new_label()}"
    _insert(fn, edge, slot, f"{name} = {fn.names.load_home} {llvm}, ptr ", f"{name}p")
    return name


def store_on_edge(fn: FunctionLowering, edge: Edge, llvm: str, slot: int, value: str) -> None:
    """Store to a home slot right before an edge's branch."""
    _insert(fn, edge, slot, f"store {llvm} {value}, ptr ", f"%e{fn.new_label()}p")


def _insert(fn: FunctionLowering, edge: Edge, slot: int, access: str, pointer: str) -> None:
    """Put an access to a home slot before an edge's branch; ``pointer``: a name for its address."""
    text = ""
    if slot:
        text = f"  {pointer} = getelementptr i8, ptr %homes, i64 {8 * slot}\n"
    else:
        pointer = "%homes"
    text += f"  {access}{pointer}, align 8{ir.HOME}"
    before = fn.lines[edge.line]
    fn.lines[edge.line] = f"{before}\n{text}" if before else text


def phi_of(llvm: str, edges: list[Edge], values: list[str]) -> str:
    """Return the phi node of an edge's value each."""
    pairs = ", ".join(
        f"[ {value}, %{edge.block} ]" for edge, value in zip(edges, values, strict=True)
    )
    return f"phi {llvm} {pairs}"


def join(
    fn: FunctionLowering, frame: Frame, label: str, edges: list[Edge], types: list[str], live: int
) -> None:
    """Start a block, of a frame or behind it: the state is what the edges to it have in common.

    ``types``: of the operands that the edges take along; ``live``: locals.
    """
    fn.start_block(label)
    fn.base = None
    fn.escaped = all(edge.escaped for edge in edges)
    first = edges[0]
    fn.stack[:] = first.stack
    if frame.kind != FUNCTION:
        fn.vals[:] = first.vals
        fn.dirty = first.dirty
    if len(edges) == 1:
        return
    if frame.kind != FUNCTION:
        _join_locals(fn, edges, live)
    for position, llvm in _operand_types(fn, frame.height, types):
        values = [edge.stack[position] for edge in edges]
        if any(value != values[0] for value in values):
            # Values differ below the block only if some are at home.
            fn.stack[position] = fn.emit(phi_of(llvm, edges, _loaded(fn, edges, values, position)))


def _operand_types(fn: FunctionLowering, height: int, types: list[str]) -> list[tuple[int, str]]:
    """Return (position, type) of the operands that may need a phi node at a join."""
    found = [
        (position, fn.at_home_types[position])
        for position in range(height)
        if position in fn.at_home_types
    ]
    return found + [(height + k, llvm) for k, llvm in enumerate(types)]


def _loaded(fn: FunctionLowering, edges: list[Edge], values: list[Any], position: int) -> list[str]:
    """Return an operand's values with those at home loaded."""
    llvm = fn.at_home_types.get(position, "")
    slots = fn.plan.operand_slots
    return [
        load_on_edge(fn, edge, llvm, slots[position]) if value is None else value
        for edge, value in zip(edges, values, strict=True)
    ]


def _join_locals(fn: FunctionLowering, edges: list[Edge], live: int) -> None:
    """Merge what is live; whatever is dead keeps a value that nobody will look at."""
    dirty = 0
    for edge in edges:
        dirty |= edge.dirty
    fn.dirty = dirty
    first = edges[0].vals
    others = [edge.vals for edge in edges[1:] if edge.vals is not first]
    if not others:
        return
    differing: set[int] = set()
    for other in others:
        if other != first:
            differing.update(compress(count(), map(ne, first, other)))
    chosen = sorted(index for index in differing if live >> index & 1)
    mixed = {index for index in chosen if any(edge.vals[index] is None for edge in edges)}
    if fn.plan.crowded and sum(dirty >> index & 1 for index in mixed) > MANY:
        for index in sorted(mixed):
            _send_home(fn, edges, index)
    slots = fn.plan.local_slots
    for index in chosen:
        if index in mixed and not fn.dirty >> index & 1:
            fn.vals[index] = None
            continue
        values = [
            load_on_edge(fn, edge, fn.types[index], slots[index])
            if (found := edge.vals[index]) is None
            else found
            for edge in edges
        ]
        fn.vals[index] = fn.emit(phi_of(fn.types[index], edges, values))


def _send_home(fn: FunctionLowering, edges: list[Edge], index: int) -> None:
    """Have a local at home behind a join: store it on the edges where it is not."""
    fn.dirty &= ~(1 << index)
    for edge in edges:
        if edge.dirty >> index & 1:
            value = edge.vals[index]
            assert value is not None  # or it would be at home
            store_on_edge(fn, edge, fn.types[index], fn.plan.local_slots[index], value)
