"""What control.py and looping.py keep of control flow: open blocks, and the edges to their labels.

A branch leaves an edge: its block, the state of the locals, the operands that it takes along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ir

if TYPE_CHECKING:
    from mvvm_aot.liveness import LoopFlow
    from mvvm_aot.plan import Point

    from .function import FunctionLowering
    from .strips import Chunk

BLOCK, LOOP, IF, FUNCTION = "block", "loop", "if", "function"


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
    pointer = "%homes"
    text = ""
    if slot:
        pointer = f"{name}p"
        text = f"  {pointer} = getelementptr i8, ptr %homes, i64 {8 * slot}\n"
    text += f"  {name} = {fn.names.load_home} {llvm}, ptr {pointer}, align 8{ir.HOME}"
    before = fn.lines[edge.line]
    fn.lines[edge.line] = f"{before}\n{text}" if before else text
    return name


def phi_of(llvm: str, edges: list[Edge], values: list[str]) -> str:
    """Return the phi node of an edge's value each."""
    pairs = ", ".join(
        f"[ {value}, %{edge.block} ]" for edge, value in zip(edges, values, strict=True)
    )
    return f"phi {llvm} {pairs}"
