"""Loops: their headers, and the polls in their latches.

The poll of a loop without calls stands in its latch, which all its back edges go through: then
entering the loop costs nothing. What its leave comes back with goes to a header of its own, in
front of the loop's, so that LLVM sees two loops, one in the other::

    outer:   phi nodes: from above, or loaded behind the leave
    header:  phi nodes: from outer, or from the latch
      ...
    latch:   if the flag is set: leave, load, go to outer; else go to header

In the inner one everything goes on as the program has it, from a start that is unknown.
In other loops the poll comes first, so that no cycle of calls can avoid it (plan.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mvvm_aot.liveness import bits_of
from mvvm_aot.staying import staying_loads

from . import ir, points
from .courses import assume_courses, enter_courses
from .joins import LOOP, Edge, Frame, Header, join, load_on_edge, open_block, phi_of
from .strips import open_chunk

if TYPE_CHECKING:
    from mvvm_aot.liveness import LoopFlow
    from mvvm_aot.plan import Point

    from .function import FunctionLowering

MANY: Final = 8  # locals that a leave stores though its loop does not name them


def lower_loop(fn: FunctionLowering, imm: Any) -> int:
    """Open a loop: choose its phi nodes, send home what the body does not name, poll."""
    frame = open_block(fn, LOOP, imm)
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
    latch = (point is not None and not flow.has_calls) or fn.index in fn.plan.tries
    if latch:
        frame.copies = fn.plan.copies.get(fn.index, 1) - 1
    if latch and point is not None:
        frame.latch = point
        frame.outer = _open_header(fn, frame, f"{frame.label}o", chosen, values)
        values = [fn.vals[index] for index in chosen]
    label = _header_label(frame) if latch else frame.label
    frame.header = _open_header(fn, frame, label, chosen, values)
    if fn.index in fn.plan.tries:
        frame.count = fn.new()
    fn.dirty |= flow.live & flow.sets & ~flow.homed & ~fn.plan.through
    if point is not None and not latch:
        points.poll(fn, point, chosen, len(frame.params))
    _open_chunk(fn, frame, flow, chosen, values)
    return fn.index + 1


def _open_header(
    fn: FunctionLowering, frame: Frame, label: str, chosen: list[int], values: list[str | None]
) -> Header:
    """Start a block with phi nodes for some locals, which hold ``values``, and the parameters."""
    entry = Edge(fn, values, fn.stack[frame.height :], 0)
    fn.lines.append(f"  br label %{label}")
    fn.start_block(label)
    fn.lines.append("")
    header = Header(label, entry, len(fn.lines) - 1)
    for index in chosen:
        fn.vals[index] = fn.new()
        header.phis.append((index, str(fn.vals[index]), fn.types[index]))
    for k, llvm in enumerate(frame.params):
        fn.stack[frame.height + k] = fn.new()
        header.phis.append((-1 - k, fn.stack[frame.height + k], llvm))
    fn.base = None
    return header


def _open_chunk(
    fn: FunctionLowering,
    frame: Frame,
    flow: LoopFlow,
    chosen: list[int],
    values: list[str | None],
) -> None:
    """Say what is known of the loop's locals; if it can be strip-mined, do."""
    bounded = fn.index in fn.plan.bounded
    strip = fn.plan.strips.get(fn.index)
    counted = fn.plan.counted.get(fn.index)
    if counted is not None and (frame.latch is not None or (strip is not None and not bounded)):
        assume_courses(fn, counted)
    if strip is None:
        return
    fn.strip_end = frame.end
    literals = {k for k, text in enumerate(fn.vals) if text is not None and text[0] != "%"}
    if bounded:  # LLVM may unroll it, and then knows what the first iteration begins with
        literals |= {k for k, text in zip(chosen, values, strict=True) if str(text)[0] != "%"}
    fn.staying |= staying_loads(fn.vf, fn.index, strip, flow.live & flow.sets, literals)
    if not bounded:
        frame.chunk = open_chunk(fn, strip, flow.live & flow.sets)


def _header_label(frame: Frame) -> str:
    """Return the label of the header of a loop whose own label is its latch."""
    return f"{frame.label}h"


def _merged(fn: FunctionLowering, flow: LoopFlow) -> int:
    """Choose the locals that get phi nodes; those that do not, but are live, are sent home.

    What a loop with points does not name, but is not at home, is stored before it only if calls
    inside would have it stored there anyway, or if it is much and calls in the loop around would,
    or the function is crowded.
    """
    if not flow.has_points:
        return flow.live & flow.sets
    if flow.has_calls:
        return flow.live & flow.uses & ~flow.homed
    around = [frame.flow for frame in fn.frames[:-1] if frame.flow is not None]
    stored = fn.plan.crowded or (bool(around) and around[-1].has_calls)
    if stored and (flow.live & fn.dirty & ~flow.uses).bit_count() > MANY:
        return flow.live & flow.uses
    return flow.live & (flow.uses | fn.dirty)


def close_loop(fn: FunctionLowering, frame: Frame, alive: bool) -> None:
    """Emit a loop's end; ``alive``: whether anything comes to it."""
    if frame.header is None:  # no branch goes back
        return
    if frame.latch is None and not frame.count:
        _fill_header(fn, frame, frame.header, frame.edges)
        return
    behind = fn.new_label()
    if alive and frame.exits:
        _leave_copy(fn, frame)
    elif alive:
        fn.lines.append(f"  br label %{behind}")
    vals, dirty, stack = fn.vals[:], fn.dirty, fn.stack[:]
    escaped, base = fn.escaped, fn.base
    _latch(fn, frame, frame.header)
    fn.vals[:], fn.dirty, fn.stack[:] = vals, dirty, stack
    fn.escaped, fn.base = escaped, base
    if frame.exits:
        live = fn.plan.flow.after_end[frame.index]
        join(fn, frame, f"{frame.exits[0].block}x", frame.exits, frame.results, live)
    elif alive:
        fn.start_block(behind)


def next_copy(fn: FunctionLowering, frame: Frame, alive: bool) -> int:
    """End a copy of a loop's body: what goes back begins the next one. Return its first index."""
    assert frame.flow is not None
    if alive:
        _leave_copy(fn, frame)
    edges, label = frame.edges, frame.label
    frame.edges, frame.label = [], fn.new_label()
    frame.copies -= 1
    join(fn, frame, label, edges, frame.params, frame.flow.live)
    return frame.index + 1


def _leave_copy(fn: FunctionLowering, frame: Frame) -> None:
    """Go to what is behind a loop from the end of one of its body's copies."""
    fn.lines.append("")
    frame.exits.append(Edge(fn, fn.vals[:], fn.stack[:], len(fn.lines) - 1))
    fn.lines.append(f"  br label %{frame.exits[0].block}x")


def _latch(fn: FunctionLowering, frame: Frame, header: Header) -> None:
    """Emit a loop's latch: join the back edges, poll; in an attempt count, and give up at last."""
    edges = frame.edges
    fn.start_block(frame.label)
    fn.vals[:], fn.stack[:] = edges[0].vals, edges[0].stack
    fn.dirty, fn.escaped = 0, True
    for edge in edges:
        fn.dirty |= edge.dirty
    for which, _, llvm in header.phis:
        values = _phi_values(fn, frame, edges, which, llvm)
        value = values[0]
        if any(other != value for other in values):
            value = fn.emit(phi_of(llvm, edges, values))
        if which >= 0:
            fn.vals[which] = value
        else:
            fn.stack[frame.height - 1 - which] = value
    back = Edge(fn, fn.vals[:], fn.stack[:], 0)
    if frame.latch is None:
        left = fn.emit(f"sub i32 {frame.count}, 1")
        test = fn.emit(f"icmp eq i32 {left}, 0")
        fn.lines.append(f"  br i1 {test}, label %{ir.GIVE_UP}, label %{header.label}{ir.UNLIKELY}")
        _fill_header(fn, frame, header, [back], left)
        return
    _fill_header(fn, frame, header, [back])
    leave = points.test_flag(fn, header.label)
    fn.start_block(leave)
    points.leave_and_enter(fn, frame.latch, len(frame.params))
    _enter(fn, frame, frame.latch)


def _enter(fn: FunctionLowering, frame: Frame, point: Point) -> None:
    """Load what a loop's poll has sent home; go back to before the loop's header."""
    assert frame.outer is not None
    known: dict[int, str] = {}
    for around in (*fn.frames, frame):
        counted = fn.plan.counted.get(around.index) if around.kind == LOOP else None
        if counted is not None:
            known |= enter_courses(fn, counted, frame.index)
    for which, _, _ in frame.outer.phis:
        if which >= 0:
            fn.vals[which] = known.get(which) or fn.emit(points.load_local(fn, which))
    fn.stack[frame.height :] = points.load_params(fn, point, len(frame.params))
    fn.lines.append(f"  br label %{frame.outer.label}")
    _fill_header(fn, frame, frame.outer, [Edge(fn, fn.vals[:], fn.stack[:], 0)])


def _phi_values(
    fn: FunctionLowering, frame: Frame, edges: list[Edge], which: int, llvm: str
) -> list[str]:
    """Return what a local (or a loop's parameter, -1 - k) is on each edge, loaded if need be."""
    values = []
    for edge in edges:
        value = edge.vals[which] if which >= 0 else edge.stack[frame.height - 1 - which]
        if value is None:
            value = load_on_edge(fn, edge, llvm, fn.plan.local_slots[which])
        values.append(value)
    return values


def _fill_header(
    fn: FunctionLowering, frame: Frame, header: Header, edges: list[Edge], left: str = ""
) -> None:
    """Write a header's phi nodes, now that the edges from below are known.

    ``left``: in an attempt, the tries that are left at the only edge.
    """
    entries = [*header.entry.vals, *header.entry.stack]
    lines = []
    for (which, name, llvm), entry in zip(header.phis, entries, strict=True):
        pairs = [f"[ {entry}, %{header.entry.block} ]"]
        values = _phi_values(fn, frame, edges, which, llvm)
        pairs += [f"[ {value}, %{edge.block} ]" for value, edge in zip(values, edges, strict=True)]
        lines.append(f"  {name} = phi {llvm} {', '.join(pairs)}")
    if left:
        tries = fn.plan.tries[frame.index]
        pairs = [f"[ {tries}, %{header.entry.block} ]", f"[ {left}, %{edges[0].block} ]"]
        lines.append(f"  {frame.count} = phi i32 {', '.join(pairs)}")
    fn.lines[header.line] = "\n".join(lines)
