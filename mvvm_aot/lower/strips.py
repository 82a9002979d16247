"""Strip-mined loops: the inner loop that runs one chunk of iterations (loops.py; DESIGN.md).

The outer loop is the WebAssembly loop itself, with its poll. It begins with an inner loop
whose only regular exit is that the counted local has reached the end of the chunk; the loop's own
test comes behind it. Programs without points get the same, since it is how LLVM learns the number
of iterations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvvm_aot.liveness import bits_of
from mvvm_aot.loops import CHUNK, Strip

if TYPE_CHECKING:
    from .function import FunctionLowering


class Chunk:
    """The inner loop of a strip-mined loop: it ends at the end of a chunk."""

    __slots__ = ("block", "end", "header", "label", "phis", "strip", "vals")

    def __init__(
        self, strip: Strip, label: str, end: str, block: str, vals: list[str | None]
    ) -> None:
        self.strip = strip
        self.label = label
        self.end = end  # the value of the counted local behind the chunk
        self.block = block  # the block before it, and the written locals' values there
        self.vals = vals
        self.header = 0  # the empty line for phi nodes
        self.phis: list[tuple[int, str, str]] = []  # (local, name, type)


def open_chunk(fn: FunctionLowering, strip: Strip, written: int) -> Chunk:
    """Start the inner loop of a strip-mined loop, behind the poll."""
    end = _chunk_end(fn, strip)
    chosen = bits_of(written)
    vals = [fn.vals[index] for index in chosen]
    chunk = Chunk(strip, fn.new_label(), end, fn.block, vals)
    fn.lines.append(f"  br label %{chunk.label}")
    fn.start_block(chunk.label)
    fn.lines.append("")
    chunk.header = len(fn.lines) - 1
    for index in chosen:
        fn.vals[index] = fn.new()
        chunk.phis.append((index, str(fn.vals[index]), fn.types[index]))
    return chunk


def _chunk_end(fn: FunctionLowering, strip: Strip) -> str:
    """Emit where a chunk ends: after CHUNK iterations, or where the loop does.

    Below, ``last`` is the number of the loop's last iteration, from 0. A loop that goes on as long
    as its local differs from the end has distance / |step| iterations, if that is a whole number
    other than 0; else it does not end before the local has wrapped around, which takes more than
    CHUNK iterations. One that compares ends when the distance is used up, but not before its first
    iteration has. If the local wraps around in the iteration that would have been the last, the
    loop's own test behind the chunk finds out.
    """
    llvm = f"i{strip.bits}"
    start = fn.local(strip.local)
    end = str(strip.end_value) if strip.end_local is None else fn.local(strip.end_local)
    first, beyond = (start, end) if strip.step > 0 else (end, start)
    size = abs(strip.step)
    distance = fn.emit(f"sub {llvm} {beyond}, {first}")
    if strip.test == "ne":
        iterations = distance if size == 1 else fn.emit(f"udiv {llvm} {distance}, {size}")
        last = fn.emit(f"sub {llvm} {iterations}, 1")  # of 0: the greatest number
    else:
        if not strip.test.endswith("e"):
            distance = fn.emit(f"sub {llvm} {distance}, 1")
        going = fn.emit(f"icmp {strip.test} {llvm} {start}, {end}")
        distance = fn.emit(f"select i1 {going}, {llvm} {distance}, {llvm} 0")
        last = distance if size == 1 else fn.emit(f"udiv {llvm} {distance}, {size}")
    limited = f"@llvm.umin.{llvm}({llvm} {last}, {llvm} {CHUNK - 1})"
    count = fn.emit(f"add {llvm} {fn.emit(f'call {llvm} {limited}')}, 1")
    if strip.test == "ne" and size > 1:
        rest = fn.emit(f"urem {llvm} {distance}, {size}")
        whole = fn.emit(f"icmp eq {llvm} {rest}, 0")
        count = fn.emit(f"select i1 {whole}, {llvm} {count}, {llvm} {CHUNK}")
    way = fn.emit(f"mul {llvm} {count}, {strip.step}")
    return fn.emit(f"add {llvm} {start}, {way}")


def close_chunk(fn: FunctionLowering, chunk: Chunk) -> None:
    """End the inner loop: once more, unless the chunk is done."""
    strip = chunk.strip
    test = fn.emit(f"icmp ne i{strip.bits} {fn.local(strip.local)}, {chunk.end}")
    done = fn.new_label()
    fn.lines.append(f"  br i1 {test}, label %{chunk.label}, label %{done}")
    lines = []
    for (index, name, llvm), entry in zip(chunk.phis, chunk.vals, strict=True):
        value = fn.vals[index]
        assert value is not None  # there is no point inside
        pairs = f"[ {entry}, %{chunk.block} ], [ {value}, %{fn.block} ]"
        lines.append(f"  {name} = phi {llvm} {pairs}")
    fn.lines[chunk.header] = "\n".join(lines)
    fn.start_block(done)
