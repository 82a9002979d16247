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
from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.liveness import bits_of
from mvvm_aot.wasmparser.opcodes import BY_TEXT, Op

from . import points
from .calls import return_call, return_call_indirect, store_spilled
from .joins import BLOCK, FUNCTION, IF, LOOP, Edge, Frame, join, open_block
from .looping import close_loop, lower_loop, next_copy
from .strips import close_chunk

if TYPE_CHECKING:
    from .function import FunctionLowering


def open_function(fn: FunctionLowering) -> None:
    """Open the block that is the function's body."""
    frame = Frame(FUNCTION, -1, len(fn.vf.instrs) - 1, 0)
    frame.label = "exit"
    frame.results = fn.llvm_types(fn.vf.type.results)
    fn.frames.append(frame)


# -- Edges and joins -------------------------------------------------------------------------


def _edge(fn: FunctionLowering, frame: Frame, vals: list[str | None] | None = None) -> None:
    """Record that the current block is about to branch to a frame's label.

    ``vals``: a copy of the locals' values, if there is one already.
    """
    stack = fn.stack
    types = frame.params if frame.kind == LOOP else frame.results
    if frame.flow is not None and frame.flow.homed & fn.dirty:
        late = frame.flow.homed & frame.flow.live & fn.dirty
        points.store_locals(fn, late)
        if vals is None:  # else other edges are to come
            fn.dirty &= ~late
    operands = stack[: frame.height]
    if types:
        operands += stack[len(stack) - len(types) :]
    if vals is None:
        vals = [] if frame.kind == FUNCTION else fn.vals[:]
    fn.lines.append("")
    frame.edges.append(Edge(fn, vals, operands, len(fn.lines) - 1))


def _go_on(fn: FunctionLowering, *, alive: bool) -> int:
    """Close blocks until code can be reached; return the index of the next instruction."""
    while True:
        frame = fn.frames[-1]
        if not alive and frame.else_ is not None:
            return _start_else(fn, frame)
        if frame.copies:
            return next_copy(fn, frame, alive)
        fn.frames.pop()
        alive = _close(fn, frame, alive)
        if not fn.frames:
            return frame.end + 1
        if alive:
            points.fetch_operands(fn, fn.frames[-1].height, len(fn.stack))
            return frame.end + 1


def _close(fn: FunctionLowering, frame: Frame, alive: bool) -> bool:
    """Emit a block's end; return whether anything reaches what is behind it."""
    if frame.kind == LOOP:
        close_loop(fn, frame, alive)
        return alive
    if frame.kind == FUNCTION and not frame.edges:
        if alive:
            _return(fn, frame)
        return False
    if not frame.edges:
        return alive
    if alive:
        _edge(fn, frame)
        fn.lines.append(f"  br label %{frame.label}")
    live = fn.plan.flow.after_end.get(frame.index, 0)
    join(fn, frame, frame.label, frame.edges, frame.results, live)
    if frame.kind == FUNCTION:
        _return(fn, frame)
    return True


def _return(fn: FunctionLowering, frame: Frame) -> None:
    """Return what is on the stack: the first result in a register."""
    values = fn.stack[len(fn.stack) - len(frame.results) :]
    if fn.attempt:
        result = fn.emit(f"zext i32 {values[0]} to i64") if values else "0"
        fn.lines.append(f"  ret i64 {result}")
        return
    for index in range(1, len(values)):
        store_spilled(fn, frame.results[index], values[index], index)
    fn.lines.append(f"  ret {frame.results[0]} {values[0]}" if values else "  ret void")


# -- Blocks ----------------------------------------------------------------------------------


def _block(fn: FunctionLowering, imm: Any) -> int:
    open_block(fn, BLOCK, imm).label = fn.new_label()
    return fn.index + 1


def _if(fn: FunctionLowering, imm: Any) -> int:
    test = fn.pop_test()
    frame = open_block(fn, IF, imm)
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
    BY_TEXT["loop"]: lower_loop,
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
