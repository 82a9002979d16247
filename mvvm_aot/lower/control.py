"""Structured control flow, and the merging of states where it joins.

Specification: section 4.4 (control instructions). A branch records an edge: its block, the state
of the locals, the operands that it takes along. What joins is known at a block's ``end``; there
the label, the phi nodes and the merged state are made. A loop's header comes before its back
edges, so its phi nodes are chosen in advance (the planner knows which locals the body writes, and
whether it has points) and written into a line that was left empty. In the same way each edge
leaves a line empty before its branch, for loads of values that are at home on that edge, but must
be in a phi node. Nothing here recurses: blocks may nest as deep as they like.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress, count
from operator import ne
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.plan import bits_of
from mvvm_aot.staying import staying_loads
from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from . import ir, points
from .calls import return_call, return_call_indirect, store_spilled
from .strips import Chunk, close_chunk, open_chunk

if TYPE_CHECKING:
    from mvvm_aot.liveness import LoopFlow
    from mvvm_aot.plan import Point

    from .function import FunctionLowering

_BLOCK, _LOOP, _IF, _FUNCTION = "block", "loop", "if", "function"


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


class Frame:
    """An open block, loop, if, or the function itself."""

    __slots__ = (
        "chunk",
        "edges",
        "else_",
        "end",
        "entry",
        "flow",
        "header",
        "height",
        "index",
        "kind",
        "label",
        "latch",
        "params",
        "phis",
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
        # loop: what the planner says, the poll in its latch, the empty line for phi nodes,
        # (local or -1 - k, name, type)
        self.flow: LoopFlow | None = None
        self.latch: Point | None = None
        self.header = 0
        self.phis: list[tuple[int, str, str]] = []
        self.chunk: Chunk | None = None


def open_function(fn: FunctionLowering) -> None:
    """Open the block that is the function's body."""
    frame = Frame(_FUNCTION, -1, len(fn.vf.instrs) - 1, 0)
    frame.label = "exit"
    frame.results = fn.llvm_types(fn.vf.type.results)
    fn.frames.append(frame)


# -- Edges and joins -------------------------------------------------------------------------


def _edge(fn: FunctionLowering, frame: Frame, vals: list[str | None] | None = None) -> None:
    """Record that the current block is about to branch to a frame's label.

    ``vals``: a copy of the locals' values, if there is one already.
    """
    stack = fn.stack
    types = frame.params if frame.kind == _LOOP else frame.results
    operands = stack[: frame.height]
    if types:
        operands += stack[len(stack) - len(types) :]
    if vals is None:
        vals = [] if frame.kind == _FUNCTION else fn.vals[:]
    fn.lines.append("")
    frame.edges.append(Edge(fn, vals, operands, len(fn.lines) - 1))


def _load_on_edge(fn: FunctionLowering, edge: Edge, llvm: str, slot: int) -> str:
    """Load a home slot right before an edge's branch, which has been written long ago."""
    name = f"%e{fn.new_label()}"
    pointer = "%homes"
    text = ""
    if slot:
        pointer = f"{name}p"
        text = f"  {pointer} = getelementptr i8, ptr %homes, i64 {8 * slot}\n"
    text += f"  {name} = {fn.names.load_home} {llvm}, ptr {pointer}, align 8{ir.HOME}"
    before = fn.lines[edge.line]
    fn.lines[edge.line] = f"{before}\n{text}" if before else text
    return name


def _phi(llvm: str, edges: list[Edge], values: list[str]) -> str:
    pairs = ", ".join(
        f"[ {value}, %{edge.block} ]" for edge, value in zip(edges, values, strict=True)
    )
    return f"phi {llvm} {pairs}"


def _join(fn: FunctionLowering, frame: Frame, live: int) -> None:
    """Start the block behind a frame's end: the state is what its edges have in common."""
    edges = frame.edges
    fn.start_block(frame.label)
    fn.base = None
    fn.escaped = all(edge.escaped for edge in edges)
    first = edges[0]
    fn.stack[:] = first.stack
    if frame.kind != _FUNCTION:
        fn.vals[:] = first.vals
        fn.dirty = first.dirty
    if len(edges) == 1:
        return
    if frame.kind != _FUNCTION:
        _join_locals(fn, edges, live)
    for position, llvm in _operand_types(fn, frame):
        values = [edge.stack[position] for edge in edges]
        if any(value != values[0] for value in values):
            # Values differ below the block only if some are at home.
            fn.stack[position] = fn.emit(_phi(llvm, edges, _loaded(fn, edges, values, position)))


def _operand_types(fn: FunctionLowering, frame: Frame) -> list[tuple[int, str]]:
    """Return (position, type) of the operands that may need a phi node at a join."""
    found = [
        (position, fn.at_home_types[position])
        for position in range(frame.height)
        if position in fn.at_home_types
    ]
    return found + [(frame.height + k, llvm) for k, llvm in enumerate(frame.results)]


def _loaded(fn: FunctionLowering, edges: list[Edge], values: list[Any], position: int) -> list[str]:
    """Return an operand's values with those at home loaded."""
    llvm = fn.at_home_types.get(position, "")
    slots = fn.plan.operand_slots
    return [
        _load_on_edge(fn, edge, llvm, slots[position]) if value is None else value
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
    vals = fn.vals
    differing: set[int] = set()
    for other in others:
        if other != first:
            differing.update(compress(count(), map(ne, first, other)))
    for index in sorted(differing):
        if not live >> index & 1:
            continue
        if not dirty >> index & 1:
            vals[index] = None
            continue
        slots = fn.plan.local_slots
        values = [
            _load_on_edge(fn, edge, fn.types[index], slots[index])
            if (found := edge.vals[index]) is None
            else found
            for edge in edges
        ]
        vals[index] = fn.emit(_phi(fn.types[index], edges, values))


def _go_on(fn: FunctionLowering, *, alive: bool) -> int:
    """Close blocks until code can be reached; return the index of the next instruction."""
    while True:
        frame = fn.frames[-1]
        if not alive and frame.else_ is not None:
            return _start_else(fn, frame)
        fn.frames.pop()
        alive = _close(fn, frame, alive)
        if not fn.frames:
            return frame.end + 1
        if alive:
            points.fetch_operands(fn, fn.frames[-1].height, len(fn.stack))
            return frame.end + 1


def _close(fn: FunctionLowering, frame: Frame, alive: bool) -> bool:
    """Emit a block's end; return whether anything reaches what is behind it."""
    if frame.kind == _LOOP:
        if frame.latch is not None:
            _poll_in_latch(fn, frame, frame.latch, alive)
        elif frame.flow is not None:
            _fill_header(fn, frame, frame.edges)
        return alive
    if frame.kind == _FUNCTION and not frame.edges:
        if alive:
            _return(fn, frame)
        return False
    if not frame.edges:
        return alive
    if alive:
        _edge(fn, frame)
        fn.lines.append(f"  br label %{frame.label}")
    _join(fn, frame, fn.plan.flow.after_end.get(frame.index, 0))
    if frame.kind == _FUNCTION:
        _return(fn, frame)
    return True


def _return(fn: FunctionLowering, frame: Frame) -> None:
    """Return what is on the stack: the first result in a register."""
    values = fn.stack[len(fn.stack) - len(frame.results) :]
    for index in range(1, len(values)):
        store_spilled(fn, frame.results[index], values[index], index)
    fn.lines.append(f"  ret {frame.results[0]} {values[0]}" if values else "  ret void")


# -- Blocks ----------------------------------------------------------------------------------


def _open(fn: FunctionLowering, kind: str, imm: Any) -> Frame:
    """Open a frame; its parameters stay on the operand stack."""
    height = len(fn.stack) - len(imm.params)
    frame = Frame(kind, fn.index, fn.vf.end_of[fn.index], height)
    frame.params = fn.llvm_types(imm.params)
    frame.results = fn.llvm_types(imm.results)
    fn.frames.append(frame)
    return frame


def _block(fn: FunctionLowering, imm: Any) -> int:
    _open(fn, _BLOCK, imm).label = fn.new_label()
    return fn.index + 1


def _if(fn: FunctionLowering, imm: Any) -> int:
    test = fn.pop_test()
    frame = _open(fn, _IF, imm)
    frame.label = fn.new_label()
    frame.else_ = fn.vf.else_of.get(fn.index)
    then = fn.new_label()
    if frame.else_ is None:
        _edge(fn, frame)
        other = frame.label
    else:
        other = f"{frame.label}e"
        fn.lines.append("")
        line = len(fn.lines) - 1
        frame.entry = Edge(fn, fn.vals[:], fn.stack[:], line)
    fn.lines.append(f"  br i1 {test}, label %{then}, label %{other}")
    fn.start_block(then)
    return fn.index + 1


def _start_else(fn: FunctionLowering, frame: Frame) -> int:
    """Go back to the state before the ``if``; return the index behind the ``else``."""
    assert frame.entry is not None and frame.else_ is not None
    index, frame.else_ = frame.else_, None
    fn.stack[:] = frame.entry.stack
    fn.vals[:] = frame.entry.vals
    fn.dirty = frame.entry.dirty
    fn.escaped = frame.entry.escaped
    fn.base = None
    fn.start_block(f"{frame.label}e")
    return index + 1


def _else(fn: FunctionLowering, imm: Any) -> int:
    frame = fn.frames[-1]
    _edge(fn, frame)
    fn.lines.append(f"  br label %{frame.label}")
    return _start_else(fn, frame)


def _end(fn: FunctionLowering, imm: Any) -> int:
    return _go_on(fn, alive=True)


# -- Loops -----------------------------------------------------------------------------------


def _loop(fn: FunctionLowering, imm: Any) -> int:
    """Open a loop: choose its phi nodes, send home what the body does not name, poll.

    The poll of a loop without calls stands in its latch, which all its back edges go through: then
    entering the loop costs nothing. In other loops it comes first, so that no cycle of calls can
    avoid it (plan.py).
    """
    frame = _open(fn, _LOOP, imm)
    flow = frame.flow = fn.plan.flow.loops.get(fn.index)
    if flow is None:  # no branch goes back here
        return fn.index + 1
    point = fn.plan.points.get(fn.index)
    chosen = bits_of(_merged(fn, flow))
    values: list[str | None] = [fn.local(index) for index in chosen]
    if flow.has_points:
        points.let_escape(fn)
        idle = flow.live & ~sum(1 << index for index in chosen)
        points.store_locals(fn, idle & fn.dirty)
        for index in bits_of(idle):
            fn.vals[index] = None
        fn.dirty &= ~idle
        points.send_home(fn, fn.vf.stack_at[fn.index], frame.height)
    frame.label = fn.new_label()
    header = frame.label
    if point is not None and not flow.has_calls:
        frame.latch = point
        header = _header_label(frame)
    params = fn.stack[frame.height :]
    frame.entry = Edge(fn, values, params, 0)
    fn.lines.append(f"  br label %{header}")
    fn.start_block(header)
    fn.lines.append("")
    frame.header = len(fn.lines) - 1
    for index in chosen:
        fn.vals[index] = fn.new()
        frame.phis.append((index, str(fn.vals[index]), fn.types[index]))
    for k, llvm in enumerate(frame.params):
        fn.stack[frame.height + k] = fn.new()
        frame.phis.append((-1 - k, fn.stack[frame.height + k], llvm))
    fn.dirty |= flow.live & flow.sets
    fn.base = None
    if point is not None and frame.latch is None:
        points.poll(fn, point, chosen, len(params))
    strip = fn.plan.strips.get(fn.index)
    if strip is not None:
        fn.strip_end = frame.end
        bounded = fn.index in fn.plan.bounded
        literals = {k for k, text in enumerate(fn.vals) if text is not None and text[0] != "%"}
        if bounded:  # LLVM may unroll it, and then knows what the first iteration begins with
            literals |= {k for k, text in zip(chosen, values, strict=True) if str(text)[0] != "%"}
        fn.staying |= staying_loads(fn.vf, fn.index, strip, flow.live & flow.sets, literals)
        if not bounded:
            frame.chunk = open_chunk(fn, strip, flow.live & flow.sets)
    return fn.index + 1


def _header_label(frame: Frame) -> str:
    """Return the label of the header of a loop whose own label is its latch."""
    return f"{frame.label}h"


def _merged(fn: FunctionLowering, flow: LoopFlow) -> int:
    """Choose the locals that get phi nodes; those that do not, but are live, are sent home.

    What a loop with points does not name, but is not at home, is stored before it only if calls
    inside would have it stored there anyway.
    """
    if not flow.has_points:
        return flow.live & flow.sets
    if flow.has_calls:
        return flow.live & flow.uses
    return flow.live & (flow.uses | fn.dirty)


def _poll_in_latch(fn: FunctionLowering, frame: Frame, point: Point, alive: bool) -> None:
    """Emit a loop's latch, aside of what comes behind the loop: join the back edges, poll."""
    behind = fn.new_label()
    if alive:
        fn.lines.append(f"  br label %{behind}")
    vals, dirty, stack = fn.vals[:], fn.dirty, fn.stack[:]
    escaped, base = fn.escaped, fn.base
    edges = frame.edges
    fn.start_block(frame.label)
    fn.vals[:], fn.stack[:] = edges[0].vals, edges[0].stack
    fn.dirty, fn.escaped = 0, True
    for edge in edges:
        fn.dirty |= edge.dirty
    for which, _, llvm in frame.phis:
        values = _phi_values(fn, frame, edges, which, llvm)
        value = values[0]
        if any(other != value for other in values):
            value = fn.emit(_phi(llvm, edges, values))
        if which >= 0:
            fn.vals[which] = value
        else:
            fn.stack[frame.height - 1 - which] = value
    chosen = [which for which, _, _ in frame.phis if which >= 0]
    points.poll(fn, point, chosen, len(frame.params))
    fn.lines.append("")
    joined = Edge(fn, fn.vals[:], fn.stack[:], len(fn.lines) - 1)
    fn.lines.append(f"  br label %{_header_label(frame)}")
    _fill_header(fn, frame, [joined])
    fn.vals[:], fn.dirty, fn.stack[:] = vals, dirty, stack
    fn.escaped, fn.base = escaped, base
    if alive:
        fn.start_block(behind)


def _phi_values(
    fn: FunctionLowering, frame: Frame, edges: list[Edge], which: int, llvm: str
) -> list[str]:
    """Return what a local (or a loop's parameter, -1 - k) is on each edge, loaded if need be."""
    values = []
    for edge in edges:
        value = edge.vals[which] if which >= 0 else edge.stack[frame.height - 1 - which]
        if value is None:
            value = _load_on_edge(fn, edge, llvm, fn.plan.local_slots[which])
        values.append(value)
    return values


def _fill_header(fn: FunctionLowering, frame: Frame, edges: list[Edge]) -> None:
    """Write a loop's phi nodes, now that its back edges are known."""
    assert frame.entry is not None
    entries = [*frame.entry.vals, *frame.entry.stack]
    lines = []
    for (which, name, llvm), entry in zip(frame.phis, entries, strict=True):
        pairs = [f"[ {entry}, %{frame.entry.block} ]"]
        values = _phi_values(fn, frame, edges, which, llvm)
        pairs += [f"[ {value}, %{edge.block} ]" for value, edge in zip(values, edges, strict=True)]
        lines.append(f"  {name} = phi {llvm} {', '.join(pairs)}")
    fn.lines[frame.header] = "\n".join(lines)


# -- Branches --------------------------------------------------------------------------------


def _br(fn: FunctionLowering, imm: Any) -> int:
    frame = fn.frames[-1 - imm]
    _edge(fn, frame)
    fn.lines.append(f"  br label %{frame.label}")
    return _go_on(fn, alive=False)


def _br_if(fn: FunctionLowering, imm: Any) -> int:
    test = fn.pop_test()
    frame = fn.frames[-1 - imm]
    if frame.chunk is not None and frame.chunk.strip.branch == fn.index:
        close_chunk(fn, frame.chunk)
    _edge(fn, frame)
    go_on = fn.new_label()
    fn.lines.append(f"  br i1 {test}, label %{frame.label}, label %{go_on}")
    fn.start_block(go_on)
    if fn.index == fn.strip_end - 1 and frame.flow is not None:
        for index in bits_of(frame.flow.live & frame.flow.sets):
            fn.keep(fn.types[index], fn.local(index))
    return fn.index + 1


def _br_table(fn: FunctionLowering, imm: Any) -> int:
    """Emit a switch; each label that is named gets one block of its own, and so one edge."""
    labels, default = imm
    test = fn.stack.pop()
    switch = len(fn.lines)
    fn.lines.append("")
    vals = fn.vals[:]
    stops = {}
    for label in dict.fromkeys((*labels, default)):
        stops[label] = fn.new_label()
        fn.start_block(stops[label])
        frame = fn.frames[-1 - label]
        _edge(fn, frame, vals)
        fn.lines.append(f"  br label %{frame.label}")
    cases = " ".join(
        f"i32 {k}, label %{stops[label]}" for k, label in enumerate(labels) if label != default
    )
    fn.lines[switch] = f"  switch i32 {test}, label %{stops[default]} [ {cases} ]"
    return _go_on(fn, alive=False)


def _tail(emit: Callable[[FunctionLowering, Any], None]) -> Callable[[FunctionLowering, Any], int]:
    """Lower a tail call, behind which nothing is reached."""

    def lower(fn: FunctionLowering, imm: Any) -> int:
        emit(fn, imm)
        return _go_on(fn, alive=False)

    return lower


def _return_op(fn: FunctionLowering, imm: Any) -> int:
    return _br(fn, len(fn.frames) - 1)


def _unreachable(fn: FunctionLowering, imm: Any) -> int:
    fn.lines.append(f"  br label %{fn.trap_label('UNREACHABLE')}")
    return _go_on(fn, alive=False)


CONTROL_OPS: Final[dict[Op, Callable[[FunctionLowering, Any], int]]] = {
    BY_TEXT["block"]: _block,
    BY_TEXT["loop"]: _loop,
    BY_TEXT["if"]: _if,
    BY_TEXT["else"]: _else,
    BY_TEXT["end"]: _end,
    BY_TEXT["br"]: _br,
    BY_TEXT["br_if"]: _br_if,
    BY_TEXT["br_table"]: _br_table,
    BY_TEXT["return"]: _return_op,
    BY_TEXT["return_call"]: _tail(return_call),
    BY_TEXT["return_call_indirect"]: _tail(return_call_indirect),
    BY_TEXT["unreachable"]: _unreachable,
}
